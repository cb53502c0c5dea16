"""Post-decision wagering: is a decision waived where it is likely to be wrong?

After Kiani & Shadlen (2009, doi:10.1126/science.1169405). On some trials a sure but smaller reward is offered after the
stimulus. Two findings say that it is taken by confidence: it is taken less often, the stronger the motion; and where it
was offered and waived, decisions about the same motion are more accurate than where it was not offered. The second is
what tells confidence in one's own decision from a rule about stimuli that look hard: trials are therefore compared at
the same coherence and, where durations vary, at about the same duration.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from neurojax.analysis.psychometric import wilson
from neurojax.analysis.regression import Effect, Regression, fit_logistic
from neurojax.analysis.trials import column, trial_table, truths
from neurojax.core.spaces import Discrete
from neurojax.core.task import Task
from neurojax.errors import InvalidArgument

_LEVEL = 0.95


@dataclasses.dataclass(frozen=True, eq=False)
class WagerTrials:
    """Trials with an answer: a direction, or the sure target where it was offered.

    Attributes:
        coherence: float64 `[trials]`, percent, without a sign.
        offered: bool `[trials]`, whether the sure target was.
        sure: bool `[trials]`, whether it was taken.
        correct: bool `[trials]`, whether the right direction was chosen.
        duration: float64 `[trials]` of the stimulus in ms; None where it does not vary or is not known.
        unanswered: how many further trials had no answer.
    """

    coherence: np.ndarray
    offered: np.ndarray
    sure: np.ndarray
    correct: np.ndarray
    duration: np.ndarray | None = None
    unanswered: int = 0


def wager_trials(
    coherence: Any, offered: Any, sure: Any, correct: Any, *, duration: Any = None, answered: Any = None
) -> WagerTrials:
    """Trials from plain arrays `[trials]`.

    Args:
        coherence: percent, without a sign.
        offered, sure, correct: bool; where the sure target was taken, `correct` is not looked at.
        duration: of the stimulus in ms.
        answered: bool, whether there was an answer at all; default: always.

    Raises:
        InvalidArgument: for other shapes or values, or where a sure target was taken that was not offered.
    """
    c = np.abs(np.asarray(coherence, np.float64))
    if c.ndim != 1 or c.size == 0:
        raise InvalidArgument(f"coherence must be [trials], got shape {c.shape}")
    given = {"offered": offered, "sure": sure, "correct": correct}
    given |= {"answered": np.ones(c.shape, bool) if answered is None else answered}
    bools = {name: truths(name, np.asarray(x)) for name, x in given.items()}
    time = None if duration is None else np.asarray(duration, np.float64)
    for name, x in {**bools, **({} if time is None else {"duration": time})}.items():
        if x.shape != c.shape:
            raise InvalidArgument(f"{name} must be [trials] as coherence, got {x.shape} and {c.shape}")
    used = bools["answered"]
    if not (np.all(np.isfinite(c[used])) and (time is None or np.all(np.isfinite(time[used])))):
        raise InvalidArgument("coherence and duration must be finite in every trial with an answer")
    if np.any(bools["sure"] & ~bools["offered"] & used):
        raise InvalidArgument("sure must be False where the sure target is not offered")
    if time is not None:
        time = time[used]
        time = time if time.size and time.min() < time.max() else None
    kept = {name: bools[name][used] for name in ("offered", "sure")}
    return WagerTrials(
        coherence=np.round(c[used], 4),  # float32 coherences come back as 51.200001
        **kept,
        correct=bools["correct"][used] & ~kept["sure"],
        duration=time,
        unanswered=int(np.sum(~used)),
    )


def read_wagers(task: Task, data: Any) -> WagerTrials:
    """The trials of the library's post-decision wager, or of a task like it.

    Args:
        task: with conditions `wager`, `ground_truth` and `coherence`, whose last action takes the sure target.
        data: from `nj.play`, `nj.rollout` or `nj.session` with a policy, or their table.

    Raises:
        InvalidArgument: if the actions are not choices, or nobody played.
        UnknownName: if the table has no such columns.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.analysis.wagering import read_wagers
        >>> task = nj.make("PostDecisionWager-v0", dim_ring=2)
        >>> trials = read_wagers(task, nj.play(task, jax.random.key(0), 64, policy="oracle"))
        >>> bool(trials.correct.all()), bool(trials.sure.any())
        (True, False)
    """
    if not isinstance(task.actions, Discrete):
        raise InvalidArgument(f"task must have discrete actions, got {task.name}")
    table = trial_table(task, data)
    get = lambda name: column(table, name)
    choice, answered = get("choice"), np.isin(get("outcome"), ("correct", "error"))
    return wager_trials(
        get("coherence"),
        get("wager").astype(bool),
        (choice == task.actions.size - 1) & answered,
        choice == 1 + get("ground_truth"),
        duration=get("stimulus") if "stimulus" in table else None,
        answered=answered,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Share:
    """How often something happened, by coherence, n levels.

    Attributes:
        count: int64 `[n]`.
        trials: int64 `[n]`.
    """

    count: np.ndarray
    trials: np.ndarray

    @property
    def proportion(self) -> np.ndarray:
        """float64 `[n]`; NaN where there are no trials."""
        return self.count / np.where(self.trials > 0, self.trials, np.nan)

    def intervals(self, level: float = _LEVEL) -> tuple[np.ndarray, np.ndarray]:
        """Wilson's interval of `proportion`: lower and upper ends, float64 `[n]` each."""
        return wilson(self.count, self.trials, level)


@dataclasses.dataclass(frozen=True, eq=False)
class Wagering:
    """What a subject makes of a sure target.

    Attributes:
        coherence: float64 `[n]`, percent, ascending.
        sure: how often the sure target was taken where it was offered.
        correct_alone: how often decisions were correct where it was not offered.
        correct_waived: how often they were where it was offered and waived.
        fit: logistic regression of taking the sure target on `constant`, `coherence` (in units of 10%) and, where
            durations vary, `duration` (in s).
        advantage: by how much more accurate waived decisions are than those without an offer, at the same coherence
            (above 0) and about the same duration; NaN where nothing can be compared.
        unanswered: trials without an answer, which take no part.
    """

    coherence: np.ndarray
    sure: Share
    correct_alone: Share
    correct_waived: Share
    fit: Regression
    advantage: Effect
    unanswered: int

    @property
    def slope(self) -> Effect:
        """By how much the log odds of taking the sure target change with 10% of coherence."""
        return self.fit.effect("coherence")

    @property
    def falls(self) -> bool:
        """Whether the sure target is taken less often at higher coherence: the interval of the slope is below 0."""
        return self.slope.interval(_LEVEL)[1] < 0

    @property
    def confident(self) -> bool:
        """Whether waived decisions are more accurate: the interval of the advantage is above 0."""
        return self.advantage.interval(_LEVEL)[0] > 0


def analyse_wagers(trials: WagerTrials, *, bins: int = 4) -> Wagering:
    """How often the sure target is taken, and how accurate decisions are with and without the offer.

    Args:
        trials: from `read_wagers` or `wager_trials`.
        bins: into how many equally frequent bins of duration trials are sorted before accuracies are compared.

    Raises:
        InvalidArgument: if `bins` is not positive, no trial has an answer, or the sure target is never offered.

    Example:
        >>> import numpy as np
        >>> from neurojax.analysis.wagering import analyse_wagers, wager_trials
        >>> rng = np.random.default_rng(0)
        >>> c, offered = rng.choice([0, 10, 40], 6000), rng.random(6000) < 0.5
        >>> seen = c / 20 + rng.standard_normal(6000)  # evidence for the right direction
        >>> found = analyse_wagers(wager_trials(c, offered, offered & (abs(seen) < 0.7), seen > 0))
        >>> found.falls, found.confident, found.sure.proportion.round(1).tolist()
        (True, True, [0.5, 0.4, 0.1])
    """
    if isinstance(bins, bool) or not isinstance(bins, (int, np.integer)) or bins < 1:
        raise InvalidArgument(f"bins must be a whole number from 1, got {bins!r}")
    if trials.coherence.size == 0:
        raise InvalidArgument("no trial has an answer")
    if not trials.offered.any():
        raise InvalidArgument("the sure target is never offered")
    levels, index = np.unique(trials.coherence, return_inverse=True)
    count = lambda where: np.bincount(index[where], minlength=levels.size)
    alone, waived = ~trials.offered, trials.offered & ~trials.sure
    columns = {"constant": np.ones(trials.offered.sum()), "coherence": trials.coherence[trials.offered] / 10}
    if trials.duration is not None:
        columns["duration"] = trials.duration[trials.offered] / 1000
    stratum = index.copy()
    if trials.duration is not None:
        cuts = np.quantile(trials.duration, np.arange(1, bins) / bins)
        stratum = index * bins + np.searchsorted(cuts, trials.duration, side="left")
    stratum[trials.coherence == 0] = -1  # there no decision is better than another
    return Wagering(
        coherence=levels,
        sure=Share(count(trials.sure), count(trials.offered)),
        correct_alone=Share(count(alone & trials.correct), count(alone)),
        correct_waived=Share(count(waived & trials.correct), count(waived)),
        fit=fit_logistic(columns, trials.sure[trials.offered]),
        advantage=_difference(trials.correct, waived, alone, stratum),
        unanswered=trials.unanswered,
    )


def _difference(correct: np.ndarray, one: np.ndarray, other: np.ndarray, stratum: np.ndarray) -> Effect:
    """How much more often `correct` holds in `one` than in the `other`, within strata (the rest is -1).

    The strata's differences are weighted as Mantel & Haenszel do, by n1 n0 / (n1 + n0).
    """
    weight = value = variance = 0.0
    for s in np.unique(stratum[stratum >= 0]):
        n1, n0 = (int(np.sum(group & (stratum == s))) for group in (one, other))
        if n1 and n0:
            k1, k0 = (int(np.sum(group & correct & (stratum == s))) for group in (one, other))
            w = n1 * n0 / (n1 + n0)
            p1, p0 = (k1 + 1) / (n1 + 2), (k0 + 1) / (n0 + 2)  # a share of 1 in few trials is not without an error
            weight, value = weight + w, value + w * (k1 / n1 - k0 / n0)
            variance += w * w * (p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0)
    return Effect(value / weight, math.sqrt(variance) / weight) if weight else Effect(math.nan, math.nan)
