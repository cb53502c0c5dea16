"""What a choosing animal or agent is like, in a few numbers, so that agents can stand beside animals.

The psychometric function is that of `neurojax.analysis.psychometric`, win-stay and lose-shift are the repetitions of
`neurojax.analysis.history`, on the trials of either. What is new here are blocks: in the IBL's task the right pays
with probability .2 or .8 for some dozens of trials, and a subject that knows goes there where it sees nothing.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from neurojax.analysis.history import repetitions
from neurojax.analysis.psychometric import PsychometricFit, fit_psychometric, wilson
from neurojax.analysis.regression import Effect
from neurojax.animals.trials import RIGHT, TrialTable
from neurojax.errors import InvalidArgument

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclasses.dataclass(frozen=True, eq=False)
class BiasShift:
    """P(right) where there is no evidence, by block.

    Attributes:
        prior: float64 `[blocks]`, the probability that the right is the answer, rising.
        right, trials: int64 `[blocks]`, choices of the right, and all choices, without evidence.
    """

    prior: np.ndarray
    right: np.ndarray
    trials: np.ndarray

    @property
    def probability(self) -> np.ndarray:
        """float64 `[blocks]`, the share of right choices; NaN where there are none."""
        return self.right / np.where(self.trials > 0, self.trials, np.nan)

    def intervals(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Wilson's intervals of the shares: lower and upper ends, float64 `[blocks]` each."""
        return wilson(self.right, self.trials, level)

    @property
    def shift(self) -> Effect:
        """By how much P(right) is higher in the blocks of the highest prior than in those of the lowest."""
        p = self.probability[[0, -1]]
        error = np.sqrt(np.sum(p * (1 - p) / np.maximum(self.trials[[0, -1]], 1)))
        return Effect(float(p[1] - p[0]), float(error))


def bias_shift(trials: TrialTable, stimulus: int | str = 0) -> BiasShift:
    """How often the right is chosen without evidence, by block.

    Args:
        trials: with blocks (`prior`).
        stimulus: the signed strength; 0 is no evidence.

    Raises:
        InvalidArgument: if there are no blocks of two kinds, or no trials without evidence.

    Example:
        >>> import numpy as np
        >>> from neurojax.animals.compare import bias_shift
        >>> from neurojax.animals.trials import trial_table
        >>> trials = trial_table([1] * 6, np.zeros(6), [0, 0, 1, 1, 1, 1], answer=[0, 0, 1, 0, 1, 1],
        ...                      prior=[0.2, 0.2, 0.2, 0.8, 0.8, 0.8])
        >>> round(bias_shift(trials).shift.value, 2)
        0.67
    """
    if trials.prior is None:
        raise InvalidArgument("trials must have blocks: give the prior")
    blind = (trials.signed(stimulus) == 0) & trials.answered
    if not blind.any():
        raise InvalidArgument("there must be choices without evidence (a strength of 0)")
    prior = np.round(trials.prior, 6)
    levels = np.unique(prior[blind])
    if len(levels) < 2:
        raise InvalidArgument(f"there must be blocks of two kinds, all have the prior {levels[0]:g}")
    right = np.array([np.sum(blind & (prior == level) & (trials.choice == RIGHT)) for level in levels])
    return BiasShift(levels, right, np.array([np.sum(blind & (prior == level)) for level in levels]))


def psychometric_by_block(trials: TrialTable, stimulus: int | str = 0) -> dict[float, PsychometricFit]:
    """The psychometric function in each kind of block, by prior; all trials under the key NaN where there are none."""
    if trials.prior is None:
        return {math.nan: fit_psychometric(trials.choices(stimulus))}
    prior = np.round(trials.prior, 6)
    return {float(p): fit_psychometric(trials.where(prior == p).choices(stimulus)) for p in np.unique(prior)}


@dataclasses.dataclass(frozen=True, eq=False)
class Portrait:
    """What a subject is like.

    Attributes:
        trials, missed: how many, and how many without a choice.
        accuracy: share of the choices that were right.
        curve: the psychometric function over all trials; strength in percent.
        win_stay: P(same choice | success).
        lose_shift: P(other choice | error).
        shift: of P(right) without evidence, between the blocks of the highest and the lowest prior; None: no blocks.
        response_time: median in ms, NaN where unknown.
    """

    trials: int
    missed: int
    accuracy: float
    curve: PsychometricFit
    win_stay: Effect
    lose_shift: Effect
    shift: Effect | None
    response_time: float

    @property
    def slope(self) -> float:
        """Of the psychometric function where it is steepest: change of P(right) for 1 in strength, of 100%."""
        c = self.curve
        span = 1 - c.lapse_left.value - c.lapse_right.value
        return 100 * span / (c.threshold.value * math.sqrt(2 * math.pi))


def portrait(trials: TrialTable, stimulus: int | str = 0) -> Portrait:
    """What a subject is like: accuracy, psychometric function, win-stay and lose-shift, bias by block.

    Args:
        trials: of an animal or an agent (`neurojax.animals.tables`).
        stimulus: the signed strength, 1 being 100%, positive for the right.
    """
    stays = repetitions(trials.history(stimulus))
    p, n = stays.probability[:, 0], stays.trials[:, 0]
    error = np.sqrt(p * (1 - p) / np.where(n > 0, n, np.nan))
    blind = (trials.signed(stimulus) == 0) & trials.answered
    blocks = trials.prior is not None and len(np.unique(np.round(trials.prior[blind], 6))) > 1
    answered = trials.answered
    times = np.zeros(0) if trials.time is None else trials.time[answered & np.isfinite(trials.time)]
    return Portrait(
        len(trials),
        int(np.sum(~answered)),
        float(trials.correct[answered].mean()),
        fit_psychometric(trials.choices(stimulus)),
        Effect(float(p[0]), float(error[0])),
        Effect(float(1 - p[1]), float(error[1])),
        bias_shift(trials, stimulus).shift if blocks else None,
        float(np.median(times)) if times.size else math.nan,
    )


def side_by_side(subjects: Mapping[str, TrialTable], stimulus: int | str = 0) -> DataFrame:
    """Portraits as a table, one row a subject; what does not exist is NaN.

    Columns: `trials`, `missed`, `accuracy`, `bias` and `threshold` (percent), `slope`, `lapse_left`, `lapse_right`,
    `win_stay`, `lose_shift`, `bias_shift`, `response_time` (ms).

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.animals.compare import side_by_side
        >>> from neurojax.animals.tables import from_task
        >>> task = nj.make("IBLBiasedChoiceWorld-v0")
        >>> agent = from_task(task, nj.session(task, jax.random.key(0), 200, policy="oracle"))
        >>> float(side_by_side({"oracle": agent}).loc["oracle", "accuracy"])
        1.0
    """
    from pandas import DataFrame

    rows = {}
    for name, trials in subjects.items():
        p = portrait(trials, stimulus)
        rows[name] = {
            "trials": p.trials,
            "missed": p.missed,
            "accuracy": p.accuracy,
            "bias": p.curve.bias.value,
            "threshold": p.curve.threshold.value,
            "slope": p.slope,
            "lapse_left": p.curve.lapse_left.value,
            "lapse_right": p.curve.lapse_right.value,
            "win_stay": p.win_stay.value,
            "lose_shift": p.lose_shift.value,
            "bias_shift": math.nan if p.shift is None else p.shift.value,
            "response_time": p.response_time,
        }
    return DataFrame.from_dict(rows, orient="index")


def by_session(trials: TrialTable) -> dict[str, TrialTable]:
    """The sessions as subjects of their own, by name or number."""
    return {trials.names.get(s, str(s)): trials.between(s, s) for s in trials.sessions}
