"""What the Gymnasium environments compile: the start of sessions, and one step of all lanes in one call.

A session has an address: a seed and a lane. Lane `n` under seed `s` is lane `n` of `nj.rollout` with
`jax.random.key(s)`: the same trials, and under the same actions the same session. Gymnasium is not imported here.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from neurojax.core.chance import Chance
from neurojax.core.lanes import check_count
from neurojax.core.session import Session, advance, begin, observation, start_memory, target, turn
from neurojax.core.task import Task
from neurojax.errors import InvalidArgument

RESULTS = ("performance", "outcome", "trial_reward", "response_step")  # of a trial that ended, as in `Stepped`
_NEVER = np.iinfo(np.int32).max


class Lanes(struct.PyTreeNode):
    """Where B sessions stand.

    Attributes:
        session: the sessions `[B, ...]`.
        lane: uint32 `[B]`, the lane of each session.
        step: int32 `[B]`, the steps of each session so far.
        trials: int32 `[B]`, the trials of each session that ended.
    """

    session: Session
    lane: jax.Array
    step: jax.Array
    trials: jax.Array


class Stepped(struct.PyTreeNode):
    """What one step brings.

    Attributes:
        observation: float32 `[B, D]`, what is seen next.
        final: float32 `[B, D]`, what would have been seen next without automatic reset; None where there is none.
        reward: float32 `[B]`.
        new_trial: bool `[B]`, whether the step ended its trial.
        truncated: bool `[B]`, whether the episode has reached its limit.
        target: the best action `[B, ...]` in answer to the observation before.
        performance, trial_reward: float32 `[B]`, of the trial that ended; 0 where none did.
        outcome, response_step: int32 `[B]`, as these.
        conditions: `[B, ...]` by name, of the trial that the action answered.
    """

    observation: jax.Array
    final: jax.Array | None
    reward: jax.Array
    new_trial: jax.Array
    truncated: jax.Array
    target: jax.Array
    performance: jax.Array
    trial_reward: jax.Array
    outcome: jax.Array
    response_step: jax.Array
    conditions: dict[str, jax.Array]


class Packed(struct.PyTreeNode):
    """A pytree of arrays `[B, ...]` on its way out: those of one number a lane share an array for each dtype.

    Handing an array over costs more than what most of them hold.

    Attributes:
        rows: `[K, B]` by dtype.
        whole: the other arrays.
        layout: where each leaf of the tree is (static).
    """

    rows: dict[str, jax.Array]
    whole: list[jax.Array]
    layout: Any = struct.field(pytree_node=False)


@jax.jit
def start_lanes(task: Task, words, lane) -> tuple[Lanes, Packed]:
    """The start of the sessions of `lane` `[B]`: their state; first observations `[B, D]` and conditions, packed."""
    session, obs = _begun(task, words, lane)
    none = lambda: jnp.zeros(lane.shape, jnp.int32)  # each an array of its own, as the state is donated
    return Lanes(session, lane, none(), none()), _pack((obs, session.drawn.conditions))


@partial(jax.jit, static_argnames="resets", donate_argnames="state")
def step_lanes(task: Task, words, state: Lanes, action, limits, *, resets: bool) -> tuple[Lanes, Packed]:
    """Answer the observations of all lanes with `action` `[B, ...]`: their state, and a `Stepped`, packed.

    Args:
        task: the task.
        words: uint32 `[2]`, of the seed.
        state: where the sessions stand; donated, that is, gone after the call.
        action: int32 `[B]`, or float32 `[B, A]`.
        limits: int32 `[2]`, the trials and the steps after which an episode is truncated.
        resets: whether a lane goes on, where its episode is, from the start of the session that is B lanes further.
    """

    def answer(lane, n, session, action):
        return target(task, session), *advance(task, session, action, Chance(words, lane), n)

    def turned(lane, n, session, came):
        return turn(task, session, came, came.new_trial, Chance(words, lane), n)

    def look(lane, n, session):
        return observation(task, session, Chance(words, lane), n)

    conditions = state.session.drawn.conditions
    best, session, came = jax.vmap(answer)(state.lane, state.step, state.session, action)
    ended, step = came.new_trial, state.step + 1
    # Drawing a trial is most of the work of many tasks: nothing is drawn where no trial ended.
    goes_on = lambda: jax.vmap(turned)(state.lane, step, session, came)
    session = jax.lax.cond(jnp.any(ended), goes_on, lambda: session)
    obs = jax.vmap(look)(state.lane, step, session)
    state = Lanes(session, state.lane, step, state.trials + ended.astype(jnp.int32))
    over = (state.trials >= limits[0]) | (state.step >= limits[1])
    final = None
    if resets:
        final = obs
        state, obs = jax.lax.cond(jnp.any(over), lambda: _again(task, words, state, obs, over), lambda: (state, obs))
    if_ended = lambda x: jnp.where(ended, x, jnp.zeros((), x.dtype))
    result = came.result
    stepped = Stepped(
        observation=obs,
        final=final,
        reward=came.reward,
        new_trial=ended,
        truncated=over,
        target=best,
        performance=if_ended(result.performance),
        trial_reward=if_ended(result.reward),
        outcome=if_ended(result.outcome),
        response_step=if_ended(result.response_step),
        conditions=conditions,
    )
    return state, _pack(stepped)


@jax.jit
def clocks(task: Task, session: Session) -> tuple[jax.Array, jax.Array]:
    """Scheduled lengths int32 `[B]` and periods int32 `[B, P, 2]` of the running trials, in steps."""

    def one(session):
        trial = task.resolve(session.memory).trial(session.drawn)
        return trial.length, trial.bounds(task.period_names)

    return jax.vmap(one)(session)


def _begun(task: Task, words, lane) -> tuple[Session, jax.Array]:
    def one(lane):
        chance = Chance(words, lane)
        session = begin(task, start_memory(task, chance), chance, 0)
        return session, observation(task, session, chance, 0)

    return jax.vmap(one)(lane)


def _again(task: Task, words, state: Lanes, obs, over) -> tuple[Lanes, jax.Array]:
    """The lanes whose episode is over, at the start of another session."""
    lane = state.lane + np.uint32(state.lane.shape[0])
    session, seen = _begun(task, words, lane)
    where = jax.vmap(lambda over, new, old: jax.tree.map(lambda a, b: jnp.where(over, a, b), new, old))
    zero = jnp.zeros_like(state.step)
    return where(over, (Lanes(session, lane, zero, zero), seen), (state, obs))


def _pack(tree: Any) -> Packed:
    leaves, structure = jax.tree.flatten(tree)
    rows: dict[str, list[jax.Array]] = {}
    whole, places = [], []
    for leaf in leaves:
        kind = str(leaf.dtype) if leaf.ndim == 1 else ""
        among = rows.setdefault(kind, []) if kind else whole
        places.append((kind, len(among)))
        among.append(leaf)
    return Packed({kind: jnp.stack(parts) for kind, parts in rows.items()}, whole, (structure, tuple(places)))


def unpack(packed: Packed) -> Any:
    """The tree that was packed, of NumPy arrays: views of what was computed, not to be written to."""
    structure, places = packed.layout
    rows = {kind: np.asarray(x) for kind, x in packed.rows.items()}
    whole = [np.asarray(x) for x in packed.whole]
    return jax.tree.unflatten(structure, [rows[kind][i] if kind else whole[i] for kind, i in places])


# ---------------------------------------------------------------------- arguments


def as_limits(episode_trials: Any, episode_steps: Any) -> np.ndarray:
    """int32 `[2]`: the trials and the steps after which an episode is truncated; the greatest number for never.

    Raises:
        InvalidArgument: if one is given that is not a whole number above 0.
    """
    for name, value in (("episode_trials", episode_trials), ("episode_steps", episode_steps)):
        if value is not None:
            check_count(name, value)
    return np.array([min(_NEVER, value or _NEVER) for value in (episode_trials, episode_steps)], np.int32)


class Seeds:
    """Under which seed an environment's sessions are.

    Args:
        first: of the first reset, where that names none; default: another one each time.

    Attributes:
        words: uint32 `[2]`, of the seed; None before the first reset.

    Raises:
        InvalidArgument: as `seed_words`.
    """

    def __init__(self, first: int | None):
        if first is not None:
            seed_words(first)
        self._first = first
        self.words: jax.Array | None = None

    def asked(self, seed: Any) -> int | None:
        """The seed that a reset is to begin, of the one that it names; None: to go on.

        Raises:
            InvalidArgument: as `seed_words`.
        """
        seed = self._first if seed is None and self.words is None else seed
        if seed is None:
            return None
        seed_words(seed)
        return int(seed)

    def begin(self, seed: int | None, rng: np.random.Generator) -> bool:
        """Begin a seed, or one that `rng` draws where none was ever begun; return whether one was begun."""
        if seed is None and self.words is not None:
            return False
        self.words = jax.device_put(seed_words(rng.integers(2**32) if seed is None else seed))
        return True


def seed_words(seed: Any) -> np.ndarray:
    """uint32 `[2]`: the words of `jax.random.key(seed)`.

    Raises:
        InvalidArgument: if the seed is not a whole number in 0 .. 2**64 - 1.

    Example:
        >>> import jax
        >>> from neurojax.envs.gymnasium_steps import seed_words
        >>> seed_words(7).tolist() == jax.random.key_data(jax.random.key(7)).tolist()
        True
    """
    if isinstance(seed, (bool, np.bool_)) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64:
        raise InvalidArgument(f"seed must be a whole number in 0 .. 2**64 - 1, got {seed!r}")
    return np.array([int(seed) >> 32, int(seed) & 0xFFFFFFFF], np.uint32)
