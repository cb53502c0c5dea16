"""Serial dependence: what of the trials before stays in a choice between two sides, after a success and after an error.

Where the correct side tends to repeat, or to alternate, for a while, subjects learn the tendency and follow it; rats do
so after correct choices only, and start afresh after an error (Hermoso-Mendizabal et al. 2020,
doi:10.1038/s41467-020-14824-w). Networks trained on two alternatives alone make use of it after errors too; those
trained on many do as the rats (Molano-Mazon et al. 2023, doi:10.1016/j.cub.2022.12.044).

`repetitions` says how often choices repeat, by context and by what came of the choice before. `transition_kernels`
are the regressions of these papers, as in the analysis code that the authors of the second published: choices after a
success, and those after an error, on the evidence, on the choices up to 10 trials ago (`L+` correct ones, `L-` errors),
and on the transitions between choices up to 10 trials ago, each a repetition (1) or an alternation (-1) times the side
of the last choice: `T++` between two correct choices, `T+-` from a correct one to an error, `T-+` and `T--` likewise.
Lags 6 to 10 share a regressor, their sum. Regressors that cannot be told apart are left out: after a success `L-1`,
`T+-1`, `T--1` are always 0, and the transitions at lag 1 hold the choices at lag 2; after an error likewise.

The reset index is theirs: with the mean coefficient m of `T++` at lags 2, 3, 4, 5 and 6-10,

    index = 1 - (|m after errors| + 1e-6) / (|m after successes| + 1e-6)

It is 0 if transitions count as much after errors, to whichever side, and 1 if they do not count then.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from neurojax.analysis.psychometric import wilson
from neurojax.analysis.regression import Effect, Regression, fit_logistic
from neurojax.analysis.trials import Grid, as_grid, column, lagged, trial_table, truths
from neurojax.core.task import Task
from neurojax.errors import InvalidArgument, unknown

LAGS = ("1", "2", "3", "4", "5", "6-10")
TRANSITIONS = ("T++", "T+-", "T-+", "T--")
_RESET_LAGS = LAGS[1:]
_LEFT_OUT = {
    True: ("L+2", "L-1", "L-2", "T+-1", "T--1"),
    False: ("L+1", "L+2", "L-2", "T++1", "T-+1"),
}
_DRAWS = 20_000


@dataclasses.dataclass(frozen=True, eq=False)
class ChoiceHistory:
    """Choices between two sides in S sessions, K trials at most in each.

    Attributes:
        choice: int `[S, K]`, 0 or 1.
        correct: bool `[S, K]`.
        signed: float64 `[S, K]`, coherence in percent, positive where the evidence favours side 1.
        valid: bool `[S, K]`, whether one of the two sides was chosen. Other trials count as no choice, and what
            follows them directly is not analysed.
        repeating: bool `[S, K]`, whether the context favours repetitions, else alternations; None: no contexts.
    """

    choice: np.ndarray
    correct: np.ndarray
    signed: np.ndarray
    valid: np.ndarray
    repeating: np.ndarray | None = None


def choice_history(
    choice: Any, correct: Any, signed: Any, valid: Any = None, *, repeating: Any = None
) -> ChoiceHistory:
    """Choices from plain arrays `[sessions, trials]`; of one session also `[trials]`.

    Args:
        choice: 0 or 1.
        correct: bool.
        signed: coherence in percent, positive where the evidence favours side 1.
        valid: bool, whether one of the two sides was chosen; default: always.
        repeating: bool, whether the context favours repetitions.

    Raises:
        InvalidArgument: for other shapes or values.
    """
    c = as_grid("choice", choice)
    used = truths("valid", as_grid("valid", np.ones(c.shape, bool) if valid is None else valid, c.shape))
    if not np.all(np.isin(c[used], (0, 1))):
        raise InvalidArgument("choice must be 0 or 1 in every valid trial")
    x = as_grid("signed", signed, c.shape).astype(np.float64)
    if not np.all(np.isfinite(x[used])):
        raise InvalidArgument("signed must be finite in every valid trial")
    context = None if repeating is None else truths("repeating", as_grid("repeating", repeating, c.shape))
    right = truths("correct", as_grid("correct", correct, c.shape))
    return ChoiceHistory(np.where(used, c, 0).astype(int), right & used, np.where(used, x, 0.0), used, context)


def read_history(task: Task, data: Any) -> ChoiceHistory:
    """The trials with two alternatives of `StructuralPriors`, or of another task between two sides.

    Side 0 is action 1, and side 1 is action 2. Trials with other alternatives, and choices of other actions, are not
    valid.

    Args:
        task: with conditions `ground_truth` and `coherence`; contexts are read where there is a condition `context`
            (0: repeating).
        data: from `nj.session` with a policy or `nj.rollout`, or their table.

    Raises:
        InvalidArgument: if nobody played.
        UnknownName: if the table has no such columns.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.analysis.history import read_history, repetitions
        >>> task = nj.make("priors.priors-v0", n_ch=2, probs=0.8)
        >>> played = nj.session(task, jax.random.key(0), 300, n_sessions=4, policy="oracle")
        >>> found = repetitions(read_history(task, played))
        >>> found.probability[0].round(1).tolist()  # after a success: in repeating, in alternating contexts
        [0.8, 0.2]
    """
    table = trial_table(task, data)
    get = lambda name: column(table, name)
    truth, choice = get("ground_truth"), get("choice")
    used = np.isin(get("outcome"), ("correct", "error")) & np.isin(choice, (1, 2)) & np.isin(truth, (0, 1))
    if "n_alternatives" in table:
        used &= get("n_alternatives") == 2
    grid = Grid(table)
    return choice_history(
        grid(np.where(used, choice - 1, 0)),
        grid(get("outcome") == "correct"),
        grid(np.where(truth == 1, 1.0, -1.0) * get("coherence")),
        grid(used),
        repeating=grid(get("context") == 0) if "context" in table else None,
    )


# ---------------------------------------------------------------------- repetitions


@dataclasses.dataclass(frozen=True, eq=False)
class Repetitions:
    """How often the last choice is repeated: rows after a success, after an error; columns repeating, alternating.

    Without contexts there is one column.

    Attributes:
        repeated: int64 `[2, contexts]`.
        trials: int64 `[2, contexts]`.
        after_correct, after_error: logistic regressions of repeating on `repeat` (a constant: the log odds to repeat
            without evidence, in no context), `evidence` (for the last choice, in units of the strongest) and, where
            there are contexts, `context` (by how much the log odds are higher in repeating ones).
    """

    repeated: np.ndarray
    trials: np.ndarray
    after_correct: Regression
    after_error: Regression

    @property
    def probability(self) -> np.ndarray:
        """float64 `[2, contexts]`; NaN where there are no trials."""
        return self.repeated / np.where(self.trials > 0, self.trials, np.nan)

    def intervals(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Wilson's interval of `probability`: lower and upper ends `[2, contexts]`."""
        return wilson(self.repeated, self.trials, level)


def repetitions(history: ChoiceHistory) -> Repetitions:
    """How often choices repeat after successes and errors, and how contexts bias that beside the evidence.

    The shares hold what the evidence does: in a repeating context even one who ignores the past repeats more often.
    The coefficients `context` do not.

    Example:
        >>> from neurojax.analysis.history import choice_history, repetitions
        >>> found = repetitions(choice_history([0, 0, 1, 1, 0], correct=[1, 1, 0, 1, 1], signed=[9, 9, -9, 9, -9]))
        >>> found.repeated.tolist(), found.trials.tolist()  # 0 0 repeats, 0 1 and 1 0 do not; 1 1 after an error
        ([[1], [1]], [[3], [1]])
    """
    pairs = history.valid[:, 1:] & history.valid[:, :-1]
    same = history.choice[:, 1:] == history.choice[:, :-1]
    correct = history.correct[:, :-1]
    contexts = [np.ones(pairs.shape, bool)]
    if history.repeating is not None:
        contexts = [history.repeating[:, 1:], ~history.repeating[:, 1:]]
    counts = np.zeros((2, 2, len(contexts)), int)
    for i, after in enumerate((correct, ~correct)):
        for j, context in enumerate(contexts):
            here = pairs & after & context
            counts[:, i, j] = np.sum(here & same), np.sum(here)
    evidence = _scaled(history)[:, 1:] * _side(history)[:, :-1]
    fits = []
    for after in (correct, ~correct):
        here = pairs & after
        columns = {"repeat": np.ones(here.sum()), "evidence": evidence[here]}
        if history.repeating is not None:
            columns["context"] = history.repeating[:, 1:][here] - 0.5
        fits.append(fit_logistic(columns, same[here]))
    return Repetitions(counts[0], counts[1], fits[0], fits[1])


def _side(history: ChoiceHistory) -> np.ndarray:
    """-1 and 1 `[S, K]` for the sides, 0 where there was no choice."""
    return np.where(history.valid, 2.0 * history.choice - 1, 0.0)


def _scaled(history: ChoiceHistory) -> np.ndarray:
    """The evidence for side 1 `[S, K]`, in units of the strongest."""
    return history.signed / (np.abs(history.signed).max() or 1.0)


# ---------------------------------------------------------------------- transition kernels


@dataclasses.dataclass(frozen=True)
class ResetIndex:
    """The reset index (see the module) with its interval.

    Attributes:
        value: the index; 1: transitions do not count after errors.
        low, high: ends of the interval, from the uncertainty of both means.
        after_correct, after_error: the mean coefficient of `T++` at lags 2 to 10.
        note: why the index says little, where it does; else empty.
    """

    value: float
    low: float
    high: float
    after_correct: Effect
    after_error: Effect
    note: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class TransitionKernels:
    """How past transitions bias choices, after successes and after errors.

    Attributes:
        after_correct, after_error: regressions of the choice of side 1; regressors `evidence`, `L+1`, .. `T--6-10`,
            `intercept`, but for those that the module names.
    """

    after_correct: Regression
    after_error: Regression

    def kernel(self, name: str, *, after_error: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients of `T++` (or `T+-`, `T-+`, `T--`, `L+`, `L-`) and their errors by lag, float64 `[6]` each.

        The lags are those of `LAGS`; NaN stands where a lag was left out.

        Raises:
            UnknownName: if there is no such kernel.
        """
        if name not in (*TRANSITIONS, "L+", "L-"):
            raise unknown("kernel", name, (*TRANSITIONS, "L+", "L-"))
        fit = self.after_error if after_error else self.after_correct
        return fit.kernel([name + lag for lag in LAGS])

    def reset_index(self, level: float = 0.95) -> ResetIndex:
        """The reset index; its interval is drawn from the normal laws of both means, with a fixed seed."""
        correct, error = (
            fit.effect(*["T++" + lag for lag in _RESET_LAGS]) for fit in (self.after_correct, self.after_error)
        )
        if not (math.isfinite(correct.value) and math.isfinite(error.value)):
            note = self.after_correct.note or self.after_error.note
            return ResetIndex(math.nan, math.nan, math.nan, correct, error, note)
        index = lambda c, e: 1 - (np.abs(e) + 1e-6) / (np.abs(c) + 1e-6)
        rng = np.random.default_rng(0)
        drawn = index(*(f.value + f.error * rng.standard_normal(_DRAWS) for f in (correct, error)))
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
        ends = correct.interval(level)
        note = "no bias after successes that could be reset" if ends[0] <= 0 <= ends[1] else ""
        return ResetIndex(float(index(correct.value, error.value)), float(low), float(high), correct, error, note)


def transition_kernels(history: ChoiceHistory, *, ridge: float = 1.0) -> TransitionKernels:
    """Regress choices on evidence, past choices and past transitions, after successes and after errors.

    Args:
        history: from `read_history` or `choice_history`.
        ridge: penalty (see `fit_logistic`); 1 is that of the published analysis.

    Example:
        >>> import numpy as np
        >>> from neurojax.analysis.history import choice_history, transition_kernels
        >>> rng = np.random.default_rng(0)  # chooses at random
        >>> choice, truth = rng.integers(2, size=(2, 20, 200))
        >>> kernels = transition_kernels(choice_history(choice, choice == truth, 10.0 * (2 * truth - 1)))
        >>> kernels.reset_index().note
        'no bias after successes that could be reset'
    """
    columns = _regressors(history)
    before, was_hit = lagged(_side(history), 1), lagged(history.correct, 1)
    fits = []
    for after in (True, False):
        used = history.valid & (before != 0) & (was_hit == after)
        kept = {name: x[used] for name, x in columns.items() if name not in _LEFT_OUT[after]}
        fits.append(fit_logistic(kept, history.choice[used] == 1, ridge=ridge))
    return TransitionKernels(*fits)


def _regressors(history: ChoiceHistory) -> dict[str, np.ndarray]:
    """All regressors of the module's regressions `[S, K]`, by name."""
    side, hit = _side(history), history.correct
    before, was_hit = lagged(side, 1), lagged(hit, 1)
    repeated = side * before  # 1 a repetition, -1 an alternation, 0 where a choice is missing
    events = {"L+": side * hit, "L-": side * ~hit}
    kinds = {"T++": was_hit & hit, "T+-": was_hit & ~hit, "T-+": ~was_hit & hit, "T--": ~was_hit & ~hit}
    events |= {name: repeated * kind for name, kind in kinds.items()}
    columns = {"evidence": _scaled(history)}
    for name, event in events.items():
        turned = before if name in TRANSITIONS else 1.0  # to which side a transition points
        for lag in LAGS:
            first, _, last = lag.partition("-")
            past = [lagged(event, n) for n in range(int(first), int(last or first) + 1)]
            columns[name + lag] = np.sum(past, axis=0) * turned
    columns["intercept"] = np.ones(side.shape)
    return columns
