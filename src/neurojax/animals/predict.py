"""Predicting an animal's choices one step ahead.

Before each trial a model gives P(right); then it is shown the choice that the animal made and the reward that it got,
and goes on (teacher forcing). So a prediction uses all that came before the trial, in the true order, and nothing of
what comes after: also where past choices decided what was shown next, as under an anti-bias procedure. Its parameters
do not change on the way: they were fitted before (`neurojax.animals.fit`), to earlier sessions alone.

Scores are log2 likelihoods in bits a trial: a coin has -1. Errors treat sessions as the independent units.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from neurojax.analysis.regression import Effect
from neurojax.animals.features import Features, arrays, check_stimuli, design
from neurojax.animals.trials import TrialTable
from neurojax.core.parameters import parameters
from neurojax.errors import InvalidArgument
from neurojax.subjects.base import Subject

_LEAST = 1e-7  # a probability of 0 would make a log likelihood that no other trial outweighs


class Sequence(struct.PyTreeNode):
    """Trials as a model is shown them, N of them.

    Attributes:
        features: float32 `[N, F]`.
        choice: int32 `[N]`, 0 or 1; 0 also where there was none.
        reward: float32 `[N]`.
        answered: bool `[N]`; a trial without a choice is not predicted, and nothing is learnt from it.
        overnight: bool `[N]`, whether a night came before the trial.
    """

    features: Any
    choice: Any
    reward: Any
    answered: Any
    overnight: Any


def sequence(features: Features, trials: TrialTable) -> Sequence:
    """Trials as a model is shown them.

    Raises:
        InvalidArgument: if the trials have other stimuli than the features, or no choice was made.
    """
    check_stimuli(features, trials)
    if not trials.answered.any():
        raise InvalidArgument("there must be at least one choice")
    _, choice, _, starts = arrays(trials)
    night = starts.copy()
    night[0] = False
    return Sequence(
        design(features, trials), np.maximum(choice, 0), trials.reward.astype(np.float32), trials.answered, night
    )


def run(model: Subject, trials: Sequence) -> tuple[Any, jax.Array]:
    """The state before each trial, and P(right) of it, float32 `[N]`; pure, unbatched and differentiable."""

    def step(state, trial):
        rested = model.overnight(state)
        state = jax.tree.map(lambda a, b: jnp.where(trial.overnight, a, b), rested, state)
        p = model.p_right(state, trial.features)
        learnt = model.learn(state, trial.features, trial.choice, trial.reward)
        after = jax.tree.map(lambda a, b: jnp.where(trial.answered, a, b), learnt, state)
        return after, (state, p)

    return jax.lax.scan(step, model.start(), trials)[1]


def log_likelihoods(model: Subject, trials: Sequence) -> jax.Array:
    """Log likelihoods of the choices, natural logarithm, float32 `[N]`; 0 where there was none."""
    p = jnp.clip(run(model, trials)[1], _LEAST, 1 - _LEAST)
    return jnp.where(trials.answered, jnp.where(trials.choice == 1, jnp.log(p), jnp.log1p(-p)), 0.0)


_run = jax.jit(run)
_log_likelihoods = jax.jit(log_likelihoods)


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction:
    """How well choices were predicted one step ahead, n of them.

    Attributes:
        bits: float64 `[n]`, log2 of the probability that was given to the choice.
        session: int64 `[n]`.
    """

    bits: np.ndarray
    session: np.ndarray

    @property
    def per_trial(self) -> float:
        """Bits a trial, the mean over all trials."""
        return float(self.bits.mean())

    def score(self) -> Effect:
        """Bits a trial with a standard error over sessions."""
        return _over_sessions(self.bits, self.session)

    def gain(self, baseline: Prediction) -> Effect:
        """By how many bits a trial this is better than another prediction of the same trials, paired by trial.

        Its standard error is over sessions, and far smaller than that of either score: hard sessions are hard for both.

        Raises:
            InvalidArgument: if the other is of other trials.
        """
        if not np.array_equal(self.session, baseline.session):
            raise InvalidArgument("baseline must be a prediction of the same trials")
        return _over_sessions(self.bits - baseline.bits, self.session)

    def bootstrap(
        self, baseline: Prediction | None = None, *, level: float = 0.95, seed: int = 0
    ) -> tuple[float, float]:
        """The interval of `score`, or of `gain`, from 4,000 draws of whole sessions.

        Raises:
            InvalidArgument: as `gain`, or for a level outside (0, 1).
        """
        if not 0 < level < 1:
            raise InvalidArgument(f"level must lie between 0 and 1, got {level!r}")
        if baseline is not None:
            self.gain(baseline)
        values = self.bits - (0.0 if baseline is None else baseline.bits)
        sums, counts = _by_session(values, self.session)
        drawn = np.random.default_rng(seed).integers(len(sums), size=(4000, len(sums)))
        low, high = np.quantile(sums[drawn].sum(1) / counts[drawn].sum(1), [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)


def predict(model: Subject, features: Features, trials: TrialTable, *, first: int | None = None) -> Prediction:
    """Predict the choices of trials one step ahead; the model sees all sessions, and is judged on the later ones.

    Args:
        model: its parameters, fitted to sessions before `first`.
        features: what it looks at.
        trials: all sessions from the first on, so that the model's state is what it would be.
        first: the session from which on it is judged; default: all of them.

    Raises:
        InvalidArgument: if features and trials do not go together, or no choice was made from `first` on.

    Example:
        >>> import numpy as np
        >>> from neurojax.animals.features import Bias, Features
        >>> from neurojax.animals.models import StaticLogistic
        >>> from neurojax.animals.predict import predict
        >>> from neurojax.animals.trials import trial_table
        >>> trials = trial_table([1] * 8 + [2] * 8, np.zeros(16), [1] * 16, answer=[1] * 16)
        >>> round(predict(StaticLogistic.create(1), Features.of(trials, Bias()), trials, first=2).per_trial, 3)
        -1.0
    """
    check_model(model, features)
    counted = trials.answered & (trials.session >= (trials.session[0] if first is None else first))
    if not counted.any():
        raise InvalidArgument(f"no choice was made from session {first} on; the last is {trials.sessions[-1]}")
    bits = np.asarray(_log_likelihoods(model, sequence(features, trials)), np.float64) / np.log(2)
    return Prediction(bits[counted], trials.session[counted])


def trajectory(model: Subject, features: Features, trials: TrialTable) -> tuple[Any, np.ndarray]:
    """The model's state before each trial, leaves `[trials, ..]`, and its P(right), float32 `[trials]`."""
    check_model(model, features)
    state, p = _run(model, sequence(features, trials))
    return jax.tree.map(np.asarray, state), np.asarray(p)


def compare(predictions: Mapping[str, Prediction], baseline: str) -> list[dict[str, Any]]:
    """One row a model, the best first: `model`, `bits` and `error`, and `gain` and `gain_error` over the baseline.

    Raises:
        InvalidArgument: if there is no such baseline, or the predictions are of different trials.
    """
    if baseline not in predictions:
        raise InvalidArgument(f"baseline must be one of {', '.join(predictions)}, got {baseline!r}")
    rows = []
    for name, prediction in predictions.items():
        score, gain = prediction.score(), prediction.gain(predictions[baseline])
        rows.append(
            {"model": name, "bits": score.value, "error": score.error, "gain": gain.value, "gain_error": gain.error}
        )
    return sorted(rows, key=lambda row: -row["bits"])


def check_model(model: Subject, features: Features) -> None:
    """Refuse a model that has parameters for another number of features.

    Raises:
        InvalidArgument: if it does, or is no subject.
    """
    if not isinstance(model, Subject):
        raise InvalidArgument(f"model must be a neurojax.subjects.base.Subject, got {type(model).__name__}")
    for name, parameter in parameters(type(model)).items():
        count = np.shape(getattr(model, name))
        if parameter.many and count != (len(features),):
            raise InvalidArgument(f"{name} must have a value for each of {len(features)} features, has {list(count)}")


def _by_session(values: np.ndarray, session: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    _, index = np.unique(session, return_inverse=True)
    return np.bincount(index, values), np.bincount(index).astype(float)


def _over_sessions(values: np.ndarray, session: np.ndarray) -> Effect:
    """The mean over trials, with the standard error of a ratio of sums over sessions; NaN for one session."""
    sums, counts = _by_session(values, session)
    mean, n = sums.sum() / counts.sum(), len(sums)
    if n < 2:
        return Effect(float(mean), float("nan"))
    left = sums - mean * counts
    return Effect(float(mean), float(np.sqrt(n / (n - 1) * np.sum(left**2)) / counts.sum()))
