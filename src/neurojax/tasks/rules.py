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


def hold_then_choose(task, trial: Trial, action, t, correct) -> Consequence:
    """Hold until the period `decision`, then choose: any action but 0 there ends the trial, `correct` or not.

    An action other than 0 at any time before costs `rewards["abort"]`, and ends the trial where `task.abort`.
    """
    acts = action != 0
    decides = acts & trial.during("decision", t)
    early = acts & (t < trial.start["decision"])
    rewards = task.rewards
    reward = jnp.where(decides, jnp.where(correct, rewards["correct"], rewards["fail"]), 0.0)
    return abortable(reward + jnp.where(early, rewards["abort"], 0.0), decides, early & task.abort, correct)


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
    if task.strict_fixation:
        return random_hold(task, hit, tuple(name for name in task.TIMING if name != "decision"))
    return random_hold(task, hit, ("fixation",) if task.abort else ())


def random_hold(task, hit: float, held: tuple[str, ...] | None = None) -> float:
    """Accuracy of uniformly random actions, where a random choice in the decision is right with `hit`.

    Args:
        task: the task.
        hit: accuracy of a random choice.
        held: the periods in which an action ends the trial; default: with `task.abort` all before the decision.
    """
    laws, hold = task.laws, 1 / task.actions.size
    if held is None:
        held = tuple(name for name in laws if name != "decision") if task.abort else ()
    survives = lambda name: sum(p * hold**n for n, p in step_probabilities(laws[name], task.dt).items())
    return math.prod(survives(name) for name in held) * (1 - survives("decision")) * hit
