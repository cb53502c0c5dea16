"""The two-step task: does a subject stay with its first choice as one who knows where choices lead?

After a common transition a reward speaks for the choice, after a rare one for the other. A subject that uses the
transitions therefore shows an interaction of reward and transition in how often it stays (Daw et al. 2011,
doi:10.1016/j.neuron.2011.02.027), and networks that were trained to learn do so too (Wang et al. 2018,
doi:10.1038/s41593-018-0147-8). Akam, Costa & Dayan (2015, doi:10.1371/journal.pcbi.1004648) show what this proves:

| agent | plain interaction | with a regressor for `correct` | at lags of 2 and more |
| --- | --- | --- | --- |
| model-free, values of choices (Q(1)) | yes: values from before the trial go with its events | no | no |
| reward as cue: a habit for each place and outcome of the last trial | yes | yes | no |
| latent state: infers which place pays, a fixed choice for each | yes | yes | yes |
| model-based | yes | yes | yes |

`stay_probabilities` is the plain analysis, `lagged_regression` the other two columns. The last two agents only the
likelihood of their choices tells apart: `neurojax.analysis.strategies`.

What a subject knew before the first of the lagged trials is in no regressor but `correct`, which therefore belongs to
that trial, the oldest. Without it, and also with that of the last trial instead, the model-free agent shows a spurious
interaction at the older lags (in simulations of the reduced task; tests/test_rl_analyses.py).
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

EVENTS = ("stay", "outcome", "transition", "interaction")


@dataclasses.dataclass(frozen=True, eq=False)
class TwoStepTrials:
    """Trials of S sessions, K at most in each. Choice 0 commonly leads to state 0, and choice 1 to state 1.

    Attributes:
        choice: int `[S, K]`, the first choice, 0 or 1.
        common: bool `[S, K]`, whether the transition was the common one.
        rewarded: bool `[S, K]`.
        correct: float64 `[S, K]`, .5 where the choice was that of the better state, -.5 where the other was; between
            the two where the states differed by less, 0 where neither was better.
        valid: bool `[S, K]`, whether the trial was played to its end. Other trials are passed over: those before and
            after become neighbours.
    """

    choice: np.ndarray
    common: np.ndarray
    rewarded: np.ndarray
    correct: np.ndarray
    valid: np.ndarray

    @property
    def state(self) -> np.ndarray:
        """int `[S, K]`: the state that was reached, by the number of the choice that commonly leads there."""
        return np.where(self.common, self.choice, 1 - self.choice)

    def joined(self) -> TwoStepTrials:
        """The valid trials of each session, one after the other, and what is not valid at the end."""
        order = np.argsort(~self.valid, axis=1, kind="stable")
        return TwoStepTrials(*(np.take_along_axis(getattr(self, f.name), order, 1) for f in dataclasses.fields(self)))


def two_step_trials(choice: Any, common: Any, rewarded: Any, correct: Any, valid: Any = None) -> TwoStepTrials:
    """Trials from plain arrays `[sessions, trials]`; of one session also `[trials]`.

    Args:
        choice: the first choice, 0 or 1.
        common, rewarded: bool.
        correct: bool, whether the choice was that of the better state; or floats in [-.5, .5], where the states
            differ by more or less (Akam et al. take the difference of their reward probabilities then).
        valid: bool, whether the trial counts; default: all.

    Raises:
        InvalidArgument: for other shapes or values.
    """
    c = as_grid("choice", choice)
    grids = {"common": common, "rewarded": rewarded, "valid": np.ones(c.shape, bool) if valid is None else valid}
    bools = {name: truths(name, as_grid(name, x, c.shape)) for name, x in grids.items()}
    good = as_grid("correct", correct, c.shape)
    good = np.where(good, 0.5, -0.5) if good.dtype == bool else good.astype(np.float64)
    used = bools["valid"]
    if not np.all(np.isin(c[used], (0, 1))):
        raise InvalidArgument("choice must be 0 or 1 in every valid trial")
    if not np.all(np.abs(good[used]) <= 0.5):
        raise InvalidArgument("correct must be bool, or lie between -.5 and .5")
    return TwoStepTrials(np.where(used, c, 0).astype(int), bools["common"], bools["rewarded"], good, used)


def read_two_step(task: Task, data: Any) -> TwoStepTrials:
    """The trials of one of the library's two-step tasks.

    Args:
        task: `DawTwoStep`, `MillerTwoStep` or `DawTwoStage`.
        data: from `nj.session` with a policy or `nj.rollout`; or their table, from which the first choice can be told
            too, except for `DawTwoStage`.

    Raises:
        InvalidArgument: for another task, a table of `DawTwoStage`, or a task whose choices have no common transition.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.analysis.two_step import read_two_step
        >>> task = nj.make("DawTwoStep-v0")
        >>> trials = read_two_step(task, nj.session(task, jax.random.key(0), 50, n_sessions=4, policy="oracle"))
        >>> trials.choice.shape, bool(trials.correct.min() == 0.5)
        ((4, 50), True)
    """
    from neurojax.tasks.two_step import DawTwoStage, DawTwoStep, MillerTwoStep

    table = trial_table(task, data)
    get = lambda name: column(table, name)
    if isinstance(task, DawTwoStage):
        p = np.stack([[get(f"p_{s}_{o}") for o in range(2)] for s in range(2)])  # [state, option, rows]
        leads = _leads(float(task.common), float(task.common))
        worth = p.max(axis=1)[leads]  # [choice, rows]
        better = (worth[1] - worth[0]) / max(float(task.p_high - task.p_low), 1e-9) / 2
        odds = (float(task.common),) * 2
    elif isinstance(task, (DawTwoStep, MillerTwoStep)):
        miller = isinstance(task, MillerTwoStep)
        odds = (float(task.p_congruent),) * 2 if miller else (float(task.p1), float(task.p2))
        leads = _leads(*odds)
        good = get("high_port" if miller else "hi_state").astype(int)
        better = np.where(leads[1] == good, 0.5, -0.5)
    else:
        raise InvalidArgument(f"task must be one of the library's two-step tasks, got {task.name}: see two_step_trials")
    first = _first_choices(task, data, table, better)
    known = np.isin(get("outcome"), ("correct", "error")) & np.isin(first, (1, 2))
    choice = np.where(known, first - 1, 0)
    straight = get("transition") < np.asarray(odds)[choice]  # the state of the choice's own number
    common = straight == (leads[choice] == choice)
    fail, pay = float(task.rewards.get("fail", 0.0)), float(task.rewards["correct"])
    rewarded = (get("reward") - fail) / (pay - fail) > 0.5
    grid = Grid(table)
    return two_step_trials(
        grid(choice), grid(common), grid(rewarded), grid(np.where(choice == 1, better, -better)), grid(known)
    )


def _leads(p1: float, p2: float) -> np.ndarray:
    """int `[2]`: the state to which each choice commonly leads, if its own has probability `p1`, `p2`."""
    if p1 == 0.5 or p2 == 0.5 or (p1 > 0.5) != (p2 > 0.5):
        raise InvalidArgument(f"each choice must have a common transition to a state of its own, got {p1:g} and {p2:g}")
    return np.array([0, 1]) if p1 > 0.5 else np.array([1, 0])


def _first_choices(task: Task, data: Any, table: Any, better: np.ndarray) -> np.ndarray:
    """int `[rows]`: the first action of each trial of the table, 0 where it is not known."""
    from neurojax.data.sessions import SessionData
    from neurojax.envs.rollout import Rollout, Trajectory
    from neurojax.tasks.two_step import DawTwoStage

    if isinstance(data, SessionData):
        assert data.actions is not None  # a table with outcomes has been made of it
        return np.asarray(data.actions)[:, :, 0].reshape(-1)
    if isinstance(data, Rollout):
        data = data.trajectory
    if isinstance(data, Trajectory):
        lane, step = np.nonzero(np.asarray(data.new_trial))
        start = step - np.asarray(data.results.response_step)[lane, step]
        # A rollout that was resumed within a trial does not hold its beginning.
        return np.where(start >= 0, np.asarray(data.actions)[lane, np.maximum(start, 0)], 0)
    if isinstance(task, DawTwoStage):
        raise InvalidArgument("a table of DawTwoStage does not tell the first choice: give what nj.session returned")
    best = np.where(better > 0, 2, 1)
    outcome = column(table, "outcome")
    return np.where(outcome == "correct", best, np.where(outcome == "error", 3 - best, 0))


# ---------------------------------------------------------------------- the plain analysis


@dataclasses.dataclass(frozen=True, eq=False)
class StayProbabilities:
    """How often the first choice was repeated, by what came of it: rows rewarded, not; columns common, rare.

    Attributes:
        stays: int64 `[2, 2]`, trials after which the choice was the same.
        trials: int64 `[2, 2]`, trials that had a successor.
    """

    stays: np.ndarray
    trials: np.ndarray

    @property
    def probability(self) -> np.ndarray:
        """float64 `[2, 2]`; NaN where there are no trials."""
        return self.stays / np.where(self.trials > 0, self.trials, np.nan)

    def intervals(self, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
        """Wilson's interval of `probability`: lower and upper ends `[2, 2]`."""
        return wilson(self.stays, self.trials, level)

    @property
    def interaction(self) -> Effect:
        """By how much more a reward speaks for staying after a common than after a rare transition."""
        return self._contrast(np.array([[1, -1], [-1, 1]]))

    @property
    def reward(self) -> Effect:
        """By how much more often the choice is repeated after a reward, over both transitions alike."""
        return self._contrast(np.array([[1, 1], [-1, -1]]) / 2)

    def _contrast(self, weights: np.ndarray) -> Effect:
        p = self.probability
        # With one success and one failure more: a share of 0 or 1 in a few trials is not known without an error.
        smooth = (self.stays + 1) / (self.trials + 2)
        variance = np.sum(weights**2 * smooth * (1 - smooth) / np.where(self.trials > 0, self.trials, np.nan))
        return Effect(float(np.sum(weights * p)), math.sqrt(variance))


def stay_probabilities(trials: TwoStepTrials) -> StayProbabilities:
    """How often the first choice is repeated, by reward and transition, within sessions.

    Example:
        >>> from neurojax.analysis.two_step import stay_probabilities, two_step_trials
        >>> trials = two_step_trials(choice=[0, 0, 1, 1], common=[1, 0, 1, 1], rewarded=[1, 1, 0, 1], correct=[.5] * 4)
        >>> stay_probabilities(trials).probability.tolist()  # 1 of 1, 0 of 1; 1 of 1, none
        [[1.0, 0.0], [1.0, nan]]
    """
    t = trials.joined()
    pairs = t.valid[:, 1:]
    same = t.choice[:, 1:] == t.choice[:, :-1]
    counts = np.zeros((2, 2, 2), int)
    for i, rewarded in enumerate((True, False)):
        for j, common in enumerate((True, False)):
            here = pairs & (t.rewarded[:, :-1] == rewarded) & (t.common[:, :-1] == common)
            counts[:, i, j] = np.sum(here & same), np.sum(here)
    return StayProbabilities(*counts)


# ---------------------------------------------------------------------- lagged regression


@dataclasses.dataclass(frozen=True, eq=False)
class LaggedRegression:
    """How events up to L trials ago speak for the choice that was made then.

    Attributes:
        fit: with regressors `bias`, `correct` (if asked for), and `stay 1`, `outcome 1`, .. `interaction L`. A
            coefficient of an event is by how much the log odds of the old choice change from one case of the event to
            the other: rewarded and not, common and rare, these two alike and not.
        lags: L.
    """

    fit: Regression
    lags: int

    def kernel(self, event: str) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients of `stay`, `outcome`, `transition` or `interaction` by lag, with errors; float64 `[L]` each."""
        return self.fit.kernel(self._names(event, 1, self.lags))

    def effect(self, event: str, first: int = 1, last: int | None = None) -> Effect:
        """The mean coefficient of an event over the lags `first` to `last` (default: L).

        Raises:
            UnknownName: if there is no such event.
            InvalidArgument: if the lags were not fitted.
        """
        last = self.lags if last is None else last
        if not 1 <= first <= last <= self.lags:
            raise InvalidArgument(f"first and last must lie between 1 and lags={self.lags}, got {first} and {last}")
        return self.fit.effect(*self._names(event, first, last))

    @property
    def correct(self) -> Effect:
        """How much the choice that was correct L trials ago is preferred, beside all that the events say."""
        return self.fit.effect("correct")

    @property
    def model_based_index(self) -> Effect:
        """The index of Miller, Botvinick & Brody (2017), if fitted without `correct` (theirs had 5 lags).

        They regress on the four kinds of trials, with choices as -1 and 1: the index sums, over lags, the coefficients
        common-rewarded - common-unrewarded + rare-unrewarded - rare-rewarded, which is twice the interactions here.
        """
        return self._index("interaction")

    @property
    def model_free_index(self) -> Effect:
        """Likewise common-rewarded - common-unrewarded - rare-unrewarded + rare-rewarded: twice the outcomes here."""
        return self._index("outcome")

    def _index(self, event: str) -> Effect:
        mean = self.effect(event)
        return Effect(2 * self.lags * mean.value, 2 * self.lags * mean.error)

    def _names(self, event: str, first: int, last: int) -> list[str]:
        if event not in EVENTS:
            raise unknown("event", event, EVENTS)
        return [f"{event} {lag}" for lag in range(first, last + 1)]


def lagged_regression(
    trials: TwoStepTrials, lags: int = 5, *, correct: bool = True, errors: str = "model"
) -> LaggedRegression:
    """Regress choices on the events of the last trials, and on which choice was correct in the oldest of them.

    With one lag this is the regression of stay probabilities. `correct` absorbs that a subject that knows what is good
    chooses well, and therefore meets rewards after common transitions, and stays for what it knew before (Akam et al.
    2015, with one lag). Where reward probabilities drift, it must be graded (see `two_step_trials`). Only choices that
    have `lags` trials before them in their session are fitted.

    Args:
        trials: from `read_two_step` or `two_step_trials`.
        lags: L, how many trials back.
        correct: whether to have the regressor for the correct choice.
        errors: "model": standard errors as if choices depended on the regressors alone; "sessions": such that hold
            also where choices of one session depend on each other beyond that (needs many sessions).

    Raises:
        InvalidArgument: if `lags` is not a positive whole number or no session is that long.

    Example:
        >>> import numpy as np
        >>> from neurojax.analysis.two_step import lagged_regression, two_step_trials
        >>> rng = np.random.default_rng(0)
        >>> choice, common, rewarded, correct = rng.random((4, 20, 300)) < 0.5  # chooses at random
        >>> trials = two_step_trials(choice.astype(int), common, rewarded, correct)
        >>> abs(lagged_regression(trials, 2).effect("interaction").z) < 3
        True
    """
    if isinstance(lags, bool) or not isinstance(lags, (int, np.integer)) or lags < 1:
        raise InvalidArgument(f"lags must be a whole number from 1, got {lags!r}")
    if errors not in ("model", "sessions"):
        raise InvalidArgument(f"errors must be 'model' or 'sessions', got {errors!r}")
    t = trials.joined()
    used = t.valid.copy()
    used[:, :lags] = False
    if not used.any():
        raise InvalidArgument(f"no session has more than lags={lags} trials")
    side = 2.0 * t.choice - 1
    outcome, transition = t.rewarded - 0.5, t.common - 0.5
    events = {"stay": 0.5 * side, "outcome": side * outcome, "transition": side * transition}
    events["interaction"] = 2 * side * outcome * transition
    columns = {"bias": np.ones(used.sum())}
    if correct:
        columns["correct"] = lagged(side * t.correct, lags)[used]
    for event in EVENTS:
        columns |= {f"{event} {lag}": lagged(events[event], lag)[used] for lag in range(1, lags + 1)}
    groups = np.nonzero(used)[0] if errors == "sessions" else None
    return LaggedRegression(fit_logistic(columns, t.choice[used] == 1, groups=groups), int(lags))
