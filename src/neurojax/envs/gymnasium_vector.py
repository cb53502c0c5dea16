"""A task as a Gymnasium vector environment. This module imports Gymnasium: it is loaded when it is used."""

from __future__ import annotations

from typing import Any

import gymnasium
import jax
import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from neurojax.core.lanes import check_count
from neurojax.core.task import Task
from neurojax.envs.gymnasium_render import Drawing
from neurojax.envs.gymnasium_spaces import (
    RENDER_MODES,
    action_space,
    as_actions,
    as_task,
    check_options,
    check_render_mode,
    observation_space,
)
from neurojax.envs.gymnasium_steps import RESULTS, Lanes, Seeds, as_limits, clocks, start_lanes, step_lanes, unpack
from neurojax.errors import InvalidArgument


class GymnasiumVectorEnv(VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """B sessions of a task, stepped by one compiled call, behind NumPy arrays.

    Environment i begins as lane i of `nj.rollout` with `jax.random.key(seed)`: it is the `GymnasiumEnv` that was
    reset with that seed and `options={"lane": i}`. Where an episode reaches its limit, the environment goes on at
    once (`AutoresetMode.SAME_STEP`) as the lane that is B further, so that no session is played twice.

    Args:
        task: a task, or an id for `nj.make`.
        num_envs: B.
        seed: of the first reset, where that names none; default: another one each time.
        episode_trials: truncate an episode after this many trials.
        episode_steps: truncate an episode after this many steps.
        max_episode_steps: what `gymnasium.make_vec` calls `episode_steps`.
        render_mode: "rgb_array" for `render` to draw each environment, which costs a loop over them in every step.
        **keywords: of `nj.make`, where `task` is an id.

    `step` returns observations float32 `[B, D]`, rewards float32 `[B]`, terminations (none), truncations bool `[B]`,
    and `infos`: those of `GymnasiumEnv` as arrays `[B]` with a mask each, as in Gymnasium's own vector environments
    (`_performance` is where trials ended, and `performance` is 0 elsewhere; conditions are in `infos["trial"]`). They
    are about the step that was taken, also where an episode ended; there, `final_obs` has the last observation, and
    `final_info` the same information once more. Observations and infos are views of what JAX computed: read them, and
    copy them to write.

    Raises:
        InvalidArgument: if the task is none, a number is not a whole number above 0, or an action is not in the space.

    Example:
        >>> import numpy as np, neurojax as nj
        >>> envs = nj.GymnasiumVectorEnv("GoNogo-v0", 512, episode_trials=10)
        >>> obs, infos = envs.reset(seed=0)
        >>> obs, rewards, terminations, truncations, infos = envs.step(np.zeros(512, int))
        >>> obs.shape, rewards.shape, infos["trial"]["ground_truth"].shape
        ((512, 3), (512,), (512,))
    """

    metadata: dict[str, Any] = {
        "render_modes": RENDER_MODES,
        "render_fps": 10,
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        task: Task | str,
        num_envs: int = 1,
        *,
        seed: int | None = None,
        episode_trials: int | None = None,
        episode_steps: int | None = None,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
        **keywords: Any,
    ):
        self.num_envs = check_count("num_envs", num_envs)
        if max_episode_steps is not None:
            if episode_steps is not None:
                raise InvalidArgument("episode_steps and max_episode_steps are the same; give one of them")
            episode_steps = max_episode_steps
        self.task = as_task(task, keywords)
        self.episode_trials, self.episode_steps = episode_trials, episode_steps
        self._limits = jax.device_put(as_limits(episode_trials, episode_steps))
        self._resets = (episode_trials, episode_steps) != (None, None)
        check_render_mode(render_mode)
        self.render_mode = render_mode
        self.metadata = {**self.metadata, "render_fps": max(1, round(1000 / self.task.dt))}  # as time goes
        self.single_observation_space = observation_space(self.task)
        self.single_action_space = action_space(self.task)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._seeds = Seeds(seed)
        self._next_lane = 0
        self._state: Lanes | None = None
        self._everywhere = np.ones(num_envs, bool)
        self._everywhere.flags.writeable = False  # the mask of many infos
        self._drawings = [Drawing(self.task) for _ in range(num_envs)] if render_mode else []

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """The first observations of B sessions, and `infos` with the conditions of their first trials.

        Args:
            seed: one whole number; begins its lanes 0 .. B - 1. Default: lanes that were not played yet.
            options: there are none.
        """
        check_options(options, ())
        seed = self._seeds.asked(seed)
        super().reset(seed=seed)
        if self._seeds.begin(seed, self.np_random):
            self._next_lane = 0
        elif self._state is not None:
            self._next_lane = int(np.max(self._state.lane)) // self.num_envs * self.num_envs + self.num_envs
        lanes = np.arange(self._next_lane, self._next_lane + self.num_envs, dtype=np.uint32)
        self._state, packed = start_lanes(self.task, self._seeds.words, lanes)
        obs, conditions = unpack(packed)
        for drawing in self._drawings:
            drawing.restart()
        if self._drawings:
            self._begin_drawings(obs, self._everywhere)
        return obs, {"trial": self._masked(conditions), "_trial": self._everywhere}

    def step(self, actions: Any):
        """Answer the observations with `actions` `[B, ...]`: see the class."""
        if self._state is None:
            raise ResetNeeded("call reset() before step()")
        taken = as_actions(self.task, actions, (self.num_envs,))
        self._state, packed = step_lanes(
            self.task, self._seeds.words, self._state, taken, self._limits, resets=self._resets
        )
        out = unpack(packed)
        infos = self._infos(out)
        if out.final is not None and out.truncated.any():
            infos.update(self._final(infos, out))
        for i, drawing in enumerate(self._drawings):
            drawing.answer(taken[i], out.target[i], float(out.reward[i]))
            if out.truncated[i]:
                drawing.restart()
            elif not out.new_trial[i]:
                drawing.see(out.observation[i])
        if self._drawings:
            self._begin_drawings(out.observation, out.new_trial | out.truncated)
        terminations = np.zeros(self.num_envs, bool)
        return out.observation, np.array(out.reward), terminations, np.array(out.truncated), infos

    def render(self):
        """A picture of each environment: see `GymnasiumEnv.render`."""
        if not self._drawings:
            gymnasium.logger.warn('render() draws nothing without render_mode="rgb_array"')
            return None
        if self._state is None:
            raise ResetNeeded("call reset() before render()")
        return tuple(drawing.picture() for drawing in self._drawings)

    def close_extras(self, **kwargs: Any) -> None:
        """Forget the sessions."""
        self._state = None

    def _infos(self, out: Any) -> dict[str, Any]:
        parts = {"new_trial": out.new_trial, "target": out.target, "gt": out.target}
        infos = {**self._masked(parts), "trial": self._masked(out.conditions), "_trial": self._everywhere}
        for name in RESULTS:
            infos[name], infos[f"_{name}"] = getattr(out, name), out.new_trial
        return infos

    def _final(self, infos: dict[str, Any], out: Any) -> dict[str, Any]:
        over = out.truncated
        last = np.full(self.num_envs, None, object)
        for i in np.flatnonzero(over):
            last[i] = np.array(out.final[i])
        return {"final_obs": last, "_final_obs": over, "final_info": dict(infos), "_final_info": over}

    def _masked(self, values: dict[str, Any]) -> dict[str, Any]:
        return {**values, **{f"_{name}": self._everywhere for name in values}}

    def _begin_drawings(self, obs: np.ndarray, begins: np.ndarray) -> None:
        assert self._state is not None
        if not begins.any():
            return
        session = self._state.session
        (lengths, periods), conditions = jax.device_get((clocks(self.task, session), session.drawn.conditions))
        for i in np.flatnonzero(begins):
            of_trial = {name: x[i] for name, x in conditions.items()}
            self._drawings[i].begin(obs[i], int(lengths[i]), periods[i], of_trial)
