"""Rules that many tasks share."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.timing import step_probabilities
from neurojax.core.trial import Consequence, Outcome, Trial, consequence


def ring(size: int) -> np.ndarray:
    """float32 `[size]`: directions in radians, evenly spaced around a circle from 0."""
    return (np.arange(size) * (2 * math.pi / size)).astype(np.float32)


def circular_distance(a, b) -> jax.Array:
    """The angle between two directions, in [0, pi]."""
    d = jnp.abs(jnp.mod(a - b, np.float32(2 * math.pi)))
    return jnp.minimum(d, np.float32(2 * math.pi) - d)


def fixate_then_choose(task, trial: Trial, action, t, correct, *, fixate: str = "fixation") -> Consequence:
    """Fixate, then choose: any action but 0 in the period `decision` ends the trial, `correct` or not.

    An action other than 0 before that breaks fixation. It costs `rewards["abort"]` in the period `fixate`, and ends
    the trial there where `task.abort`; with `task.strict_fixation` it does both at any time before the decision.
    """
    acts = action != 0
    decides = acts & trial.during("decision", t)
    strict = task.strict_fixation & (t < trial.start["decision"])
    breaks = acts & ~decides & (trial.during(fixate, t) | strict)
    aborts = breaks & (task.abort | strict)
    rewards = task.rewards
    reward = jnp.where(decides, jnp.where(correct, rewards["correct"], rewards["fail"]), 0.0)
    return abortable(reward + jnp.where(breaks, rewards["abort"], 0.0), decides, aborts, correct)


def abortable(reward, decides, aborts, correct, performance=None, state=()) -> Consequence:
    """The consequence of a step that may decide the trial or abort it."""
    decided = jnp.where(correct, int(Outcome.CORRECT), int(Outcome.ERROR))
    performance = correct if performance is None else performance
    return consequence(
        reward=reward,
        end=decides | aborts,
        outcome=jnp.where(aborts, int(Outcome.ABORT), jnp.where(decides, decided, int(Outcome.NONE))),
        performance=jnp.where(decides, jnp.asarray(performance).astype(jnp.float32), 0.0),
        state=state,
    )


def random_choice(task, hit: float) -> float:
    """Accuracy of uniformly random actions under `fixate_then_choose`, where a random choice is right with `hit`."""
    hold = 1 / task.actions.size
    laws, dt = task.timing, task.dt
    responds = sum(p * (1 - hold**n) for n, p in step_probabilities(laws["decision"], dt).items())
    if task.strict_fixation:
        held = [name for name in task.TIMING if name != "decision"]
    else:
        held = ["fixation"] if task.abort else []
    survives = math.prod(sum(p * hold**n for n, p in step_probabilities(laws[name], dt).items()) for name in held)
    return survives * responds * hit
