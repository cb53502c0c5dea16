"""Tasks as gymnax environments. This module imports gymnax, so it is loaded only when `nj.Env` is used."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from gymnax.environments import environment, spaces

from neurojax.core.chance import Chance, key_words
from neurojax.core.lanes import check_count, check_task_type
from neurojax.core.session import Session, advance, as_action, begin, observation, start_memory, target, turn
from neurojax.core.spaces import Discrete
from neurojax.core.task import Task


class EnvState(struct.PyTreeNode):
    """The state of an environment.

    Attributes:
        session: the session.
        time: int32, steps since the episode began.
        trials: int32, trials that ended since the episode began.
    """

    session: Session
    time: jax.Array
    trials: jax.Array


class Env(environment.Environment):
    """A gymnax environment around a task, whose parameters are the task itself.

    An episode is a session: by default it never ends, and `info["new_trial"]` says where trials do. Each call draws
    its own numbers from the key that it is given. A step that ends a trial returns that trial's reward, and in
    `info` its performance and outcome, with the next trial's first observation.

    Args:
        task: the task that stands in where no `params` are given.
        episode_trials: truncate an episode after this many trials.
        episode_steps: truncate an episode after this many steps.

    `step` returns observation float32 `[D]`, state, reward float32, terminated (never), truncated, and `info`:
    `new_trial`, `performance`, `outcome`, `trial_reward`, `response_step` (to be read where `new_trial`), `target`
    (the best action just now), `terminated`, `truncated`, `final_observation`, `discount`.

    `step` resets where an episode ends; `step_env` and `reset_env` are the raw calls, for loops that reset themselves.

    Raises:
        InvalidArgument: if the task is none, or a limit is not a whole number above 0.

    Example:
        >>> import jax, neurojax as nj
        >>> env = nj.Env(nj.make("PerceptualDecisionMaking-v0"))
        >>> obs, state = env.reset(jax.random.key(0))
        >>> obs, state, reward, terminated, truncated, info = env.step(jax.random.key(1), state, 0)
        >>> obs.shape, bool(info["new_trial"])
        ((3,), False)
    """

    def __init__(self, task: Task, *, episode_trials: int | None = None, episode_steps: int | None = None):
        check_task_type(task)
        for name, value in (("episode_trials", episode_trials), ("episode_steps", episode_steps)):
            if value is not None:
                check_count(name, value)
        self.task = task
        self.limits = (episode_trials, episode_steps)

    @property
    def default_params(self) -> Task:  # type: ignore[override]
        """The task."""
        return self.task

    @property
    def name(self) -> str:
        """The task's name."""
        return self.task.name

    # The base class jits these with a static `self`. That would compile anew for each instance, or, if instances of
    # equal structure were equal, use one instance's task for another. The task is filled in here, outside of jit.

    def reset(self, key, params=None):  # type: ignore[override]
        """First observation float32 `[D]` and state of an episode."""
        return _reset(_words(key), self.task if params is None else params)

    def step(self, key, state, action, params=None):  # type: ignore[override]
        """One step; where it ends the episode, the next one begins."""
        return _step(_words(key), state, action, self.task if params is None else params, self.limits)

    def reset_env(self, key, params):  # type: ignore[override]
        """As `reset`, without jit."""
        return reset_raw(_words(key), params)

    def step_env(self, key, state, action, params):  # type: ignore[override]
        """One step without automatic reset: observation, state, reward, terminated, info."""
        return step_raw(_words(key), state, action, params)

    def is_truncated(self, state, params):  # type: ignore[override]
        """Whether the episode has reached its limit."""
        return truncated(state, self.limits)

    def is_terminated(self, state, params):  # type: ignore[override]
        """Never: a session has no end of its own."""
        return jnp.bool_(False)

    @property
    def num_actions(self) -> int:
        """A."""
        return self.task.actions.size

    def action_space(self, params=None):  # type: ignore[override]
        """Discrete(A), or a Box `[A]`."""
        actions = (self.task if params is None else params).actions
        if isinstance(actions, Discrete):
            return spaces.Discrete(actions.size)
        return _box(*actions.bounds())

    def observation_space(self, params=None):  # type: ignore[override]
        """A Box `[D]`."""
        channels = (self.task if params is None else params).channels
        return _box(*channels.bounds())

    def state_space(self, params=None):  # type: ignore[override]
        """A Dict of unbounded Boxes, one a leaf of the state."""
        task = self.task if params is None else params
        _, state = jax.eval_shape(reset_raw, jax.ShapeDtypeStruct((2,), jnp.uint32), task)
        leaves = jax.tree_util.tree_leaves_with_path(state)
        return spaces.Dict(
            {jax.tree_util.keystr(path): spaces.Box(-np.inf, np.inf, x.shape, x.dtype) for path, x in leaves}
        )


class LegacyEnv(Env):
    """`Env` for trainers written for gymnax before 1.0: `step` returns observation, state, reward, done, `info`.

    `done` is where an episode is cut; `info` still tells `terminated` and `truncated` apart. gymnax's own
    `LegacyStepAPIWrapper` does the same around any environment, but cannot be copied (1.0.1), which trainers do.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.envs.gymnax import LegacyEnv
        >>> env = LegacyEnv(nj.make("PerceptualDecisionMaking-v0"), episode_steps=1)
        >>> obs, state = env.reset(jax.random.key(0))
        >>> obs, state, reward, done, info = env.step(jax.random.key(1), state, 0)
        >>> bool(done), bool(info["terminated"])
        (True, False)
    """

    def step(self, key, state, action, params=None):  # type: ignore[override]
        """One step; where it ends the episode, the next one begins."""
        obs, state, reward, terminated, truncated, info = super().step(key, state, action, params)
        return obs, state, reward, terminated | truncated, info


def reset_raw(words, task: Task) -> tuple[jax.Array, EnvState]:
    """The start of an episode, from the words of a key."""
    chance = Chance(words, jnp.uint32(0))
    session = begin(task, start_memory(task, chance), chance, None)
    return observation(task, session, chance, None), EnvState(session, jnp.int32(0), jnp.int32(0))


def step_raw(words, state: EnvState, action, task: Task):
    """One step without automatic reset: observation, state, reward, terminated, info."""
    chance = Chance(words, jnp.uint32(0))
    best = target(task, state.session)
    session, transition = advance(task, state.session, as_action(task, action), chance, None)
    ended = transition.new_trial
    session = turn(task, session, transition, ended, chance, None)
    obs = observation(task, session, chance, None)
    state = EnvState(session, state.time + 1, state.trials + ended.astype(jnp.int32))
    info = {
        "new_trial": ended,
        "performance": transition.result.performance,
        "outcome": transition.result.outcome,
        "trial_reward": transition.result.reward,
        "response_step": transition.result.response_step,
        "target": best,
        "discount": jnp.float32(1),
    }
    return obs, state, transition.reward, jnp.bool_(False), info


def truncated(state: EnvState, limits: tuple[int | None, int | None]) -> jax.Array:
    """Whether an episode has reached its limit of trials or steps."""
    trials, steps = limits
    over = jnp.bool_(False)
    if trials is not None:
        over |= state.trials >= trials
    if steps is not None:
        over |= state.time >= steps
    return over


_reset = jax.jit(reset_raw)


@partial(jax.jit, static_argnums=4)
def _step(words, state, action, task, limits):
    obs, state, reward, terminated, info = step_raw(words, state, action, task)
    over = truncated(state, limits)
    info = {**info, "terminated": terminated, "truncated": over, "final_observation": obs}
    if limits != (None, None):
        fresh = reset_raw(Chance(words, jnp.uint32(0)).fold(np.uint32(1)).words, task)
        obs, state = jax.tree.map(lambda new, old: jnp.where(over, new, old), fresh, (obs, state))
    return obs, state, reward, terminated, over, info


def _box(low: Any, high: Any) -> spaces.Box:
    return spaces.Box(low, high, low.shape)


def _words(key) -> jax.Array:
    """The words of a typed key, or of a raw one, which gymnax still takes."""
    raw = getattr(key, "dtype", None) == jnp.uint32 and jnp.shape(key) == (2,)
    return jnp.asarray(key) if raw else key_words(key)
