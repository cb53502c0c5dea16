"""Four numbers to read a learning curve by: clairvoyant, ideal, blind and random performance.

A task states the ones that can be derived (`Task.references`); what an agent's play decides is simulated.
"""

from __future__ import annotations

import dataclasses
import math
import warnings

import jax
import numpy as np

from neurojax.core.lanes import check_task_type
from neurojax.core.session import begin, start_memory
from neurojax.core.task import Task

_TRIALS = 16384
_CLOSE = 0.1
_MOVES = 4


@dataclasses.dataclass(frozen=True)
class ReferenceNumbers:
    """Mean performance of four subjects; NaN where it is not known.

    Attributes:
        clairvoyant: knows the trial, and plays the target.
        ideal: the best observer of the observations, and of its own actions and rewards.
        blind: the best policy that ignores what the stimulus says.
        random: uniformly random actions.
    """

    clairvoyant: float
    ideal: float
    blind: float
    random: float

    def score(self, performance: float) -> float:
        """(performance - blind) / (ideal - blind): 0 is blind, 1 ideal."""
        return (performance - self.blind) / (self.ideal - self.blind)


def reference_numbers(task: Task, *, seed: int = 0) -> ReferenceNumbers:
    """The four reference numbers of a task at its parameters.

    Args:
        task: the task.
        seed: of the simulations (16,384 trials), where there are any.

    Raises:
        InvalidArgument: if the task is none.

    Example:
        >>> import neurojax as nj
        >>> numbers = nj.reference_numbers(nj.make("PerceptualDecisionMaking-v0"))
        >>> round(numbers.ideal, 3), round(numbers.random, 3)
        (0.896, 0.333)
    """
    check_task_type(task)
    stated = dict(task.references())
    for name, policy in (("clairvoyant", "oracle"), ("random", "random")):
        if name not in stated:
            stated[name] = _simulated(task, policy, seed)
    values = {name: float(stated.get(name, math.nan)) for name in ("clairvoyant", "ideal", "blind", "random")}
    return ReferenceNumbers(**values)


def _simulated(task: Task, policy: str, seed: int) -> float:
    from neurojax.envs.rollout import play

    played = play(task, jax.random.key(seed), _TRIALS, policy=policy, devices=1)
    return float(np.mean(played.result.performance))


def solvable(task: Task, *, numbers: ReferenceNumbers | None = None) -> bool:
    """Whether a subject can do better by looking. Warns, with the reason, where it cannot.

    It warns where ideal and blind performance are closer than .1, where a cue has vanished (a period of the task that
    lasts no step), and where the time to respond varies without anything that announces it.

    Args:
        task: the task.
        numbers: its reference numbers, if they are known already.

    Returns:
        False if there was a reason to warn.

    Raises:
        InvalidArgument: if the task is none.

    Example:
        >>> import neurojax as nj
        >>> nj.solvable(nj.make("DelayMatchSample-v0"))
        True
    """
    check_task_type(task)
    reasons = list(_reasons(task, numbers or reference_numbers(task)))
    for reason in reasons:
        warnings.warn(f"{task.name}: {reason}", stacklevel=2)
    return not reasons


def _reasons(task: Task, numbers: ReferenceNumbers):
    if numbers.ideal - numbers.blind < _CLOSE:
        yield (
            f"the ideal observer reaches {numbers.ideal:.3f} and one who ignores the stimulus {numbers.blind:.3f}; "
            "there is little to learn from what is shown"
        )
    defaults = type(getattr(task, "base", task)).TIMING
    for name, law in task.laws.items():
        if law.upper() == 0 and defaults.get(name, 1) != 0:
            yield f"the period {name!r} lasts no step, so what it would show has vanished"
    if "timing" not in task.TAGS and _unannounced(task):
        yield "the time to respond varies from trial to trial, and nothing that is shown announces it"


def _unannounced(task: Task, trials: int = 64) -> bool:
    """Whether responses fall due at varying times at which nothing changes in the noiseless observation."""
    from neurojax.core.chance import Chance, key_words
    from neurojax.core.lanes import lane_numbers

    if task.closed_loop:
        return False
    words = key_words(jax.random.key(0))

    # Two programs: in one, XLA draws the trial again at each of its steps, and LLVM may take minutes over that loop.
    @jax.jit
    @jax.vmap
    def draw(lane):
        chance = Chance(words, lane)
        return begin(task, start_memory(task, chance), chance, 0)

    @jax.jit
    @jax.vmap
    def look(session):
        held = task.resolve(session.memory)
        trial = held.trial(session.drawn)
        clean = lambda t: held.channels.assemble(held.observe(trial, session.state, t))
        steps = jax.numpy.arange(task.capacity, dtype=jax.numpy.int32)
        targets = jax.vmap(lambda t: held.target(trial, session.state, t))(steps)
        return jax.vmap(clean)(steps), targets, trial.length

    shown, targets, lengths = (np.asarray(x) for x in look(draw(lane_numbers(trials))))
    onsets, announced = set(), []
    for frames, target, length in zip(shown, targets, lengths, strict=True):
        asks = np.flatnonzero((target[:length] != target[0]).reshape(length, -1).any(axis=1))
        changed = target[1:length] != target[: length - 1]
        moves = changed.any(axis=tuple(range(1, changed.ndim)))
        if not len(asks) or moves.sum() > _MOVES:  # an answer that is followed all along has no time at which it is due
            continue
        onset = int(asks[0])
        onsets.add(onset)
        recent = frames[max(onset - 2, 0) : onset + 1]
        announced.append(bool(np.any(recent != recent[-1])) or onset == 0)
    return len(onsets) > 1 and not all(announced)
