"""Trials of an animal with a model's choices in place of the animal's."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.animals.features import Features, arrays, check_stimuli
from neurojax.animals.predict import check_model
from neurojax.animals.trials import NONE, TrialTable
from neurojax.core.chance import check_key
from neurojax.errors import InvalidArgument
from neurojax.subjects.base import Subject


def simulate(model: Subject, features: Features, trials: TrialTable, key: jax.Array) -> TrialTable:
    """The trials with choices that the model makes, in place of the animal's.

    What is shown, and which side is right, stay as they were; a reward of 1 follows the answer, else 0. In trials
    without a choice there is one now.

    Args:
        model: who chooses. It perceives with noise, where it is such a one, and learns from its own choices.
        features: what it looks at; the past is its own.
        trials: with known answers.
        key: `jax.random.key(seed)`; consumed here.

    Raises:
        InvalidArgument: if features and trials do not go together, answers are not known, or the key is none.

    Example:
        >>> import jax, numpy as np
        >>> from neurojax.animals.features import Features, Stimulus
        >>> from neurojax.animals.simulate import simulate
        >>> from neurojax.animals.trials import trial_table
        >>> from neurojax.subjects.detection import DetectionLearner
        >>> side = np.arange(200) % 2
        >>> shown = trial_table(np.ones(200), 2.0 * side - 1, side, answer=side)
        >>> strength = Features.of(shown, Stimulus("stimulus_1"))
        >>> played = simulate(DetectionLearner.create(), strength, shown, jax.random.key(0))
        >>> bool(played.correct.mean() > 0.9)
        True
    """
    check_key(key)
    check_model(model, features)
    check_stimuli(features, trials)
    if np.any(trials.answer == NONE):
        raise InvalidArgument("the answer must be known in every trial")
    shown, _, answer, starts = arrays(trials)
    choice = np.asarray(_simulate(features, model, shown, answer, starts, key), np.int64)
    reward = (choice == trials.answer).astype(np.float64)
    return dataclasses.replace(trials, choice=choice, reward=reward, time=None, first_movement=None)


def _simulated(features, model, shown, answer, starts, key):
    def step(carry, trial):
        state, memory, anew = carry
        shown, answer, starts, key = trial
        state = jax.tree.map(lambda a, b: jnp.where(starts & ~anew, a, b), model.overnight(state), state)
        memory = jnp.where(starts, features.start(), memory)
        x = features.now(memory, shown)
        percept_key, choice_key = jax.random.split(key)
        percept = model.perceive(x, jax.random.normal(percept_key))
        p = model.p_right(state, x, percept)
        choice = (jax.random.uniform(choice_key) < p).astype(jnp.int32)
        state = model.learn(state, x, choice, (choice == answer).astype(jnp.float32), percept)
        return (state, features.after(memory, shown, choice, answer), jnp.bool_(False)), choice

    carry = (model.start(), features.start(), jnp.bool_(True))
    return jax.lax.scan(step, carry, (shown, answer, starts, jax.random.split(key, len(answer))))[1]


_simulate = jax.jit(_simulated, static_argnums=0)
