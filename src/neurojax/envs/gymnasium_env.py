"""A task as a Gymnasium environment. This module imports Gymnasium: it is loaded when `nj.GymnasiumEnv` is used."""

from __future__ import annotations

from typing import Any

import gymnasium
import jax
import numpy as np
from gymnasium.error import ResetNeeded

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


class GymnasiumEnv(gymnasium.Env[np.ndarray, Any]):
    """A task that is stepped trial after trial, as Gymnasium expects.

    An episode is a session. It never terminates; by default it is never truncated either, and `info["new_trial"]`
    says where trials end. The step that ends a trial returns that trial's reward and results with the next trial's
    first observation.

    Under one seed, sessions follow each other: `reset(seed=s)` begins lane 0 of `nj.rollout` with `jax.random.key(s)`,
    each `reset()` after it the next lane. `reset(seed=s, options={"lane": n})` begins any of them; environment i of a
    `GymnasiumVectorEnv` with that seed plays lane i.

    Args:
        task: a task, or an id for `nj.make`.
        seed: of the first reset, where that names none; default: another one each time.
        episode_trials: truncate an episode after this many trials.
        episode_steps: truncate an episode after this many steps.
        render_mode: "rgb_array" for `render` to draw the trial before and the running one.
        **keywords: of `nj.make`, where `task` is an id.

    `step` returns the observation float32 `[D]`, the reward, terminated (never), truncated, and `info`:
        new_trial: whether the step ended its trial.
        target, also as NeuroGym's gt: the best action in answer to the observation before.
        trial: the conditions of the trial that the action answered.
        performance, outcome (a `nj.Outcome`), trial_reward, response_step: of a trial that ended; only there.

    Raises:
        InvalidArgument: if the task is none, a limit is not a whole number above 0, or an action is not in the space.

    Example:
        >>> import neurojax as nj
        >>> env = nj.GymnasiumEnv("PerceptualDecisionMaking-v0", dt=20, abort=True)
        >>> obs, info = env.reset(seed=0)
        >>> obs, reward, terminated, truncated, info = env.step(1)
        >>> obs.shape, round(reward, 3), info["new_trial"], nj.Outcome(info["outcome"]).name
        ((3,), -0.1, True, 'ABORT')
    """

    metadata: dict[str, Any] = {"render_modes": RENDER_MODES, "render_fps": 10}

    def __init__(
        self,
        task: Task | str,
        *,
        seed: int | None = None,
        episode_trials: int | None = None,
        episode_steps: int | None = None,
        render_mode: str | None = None,
        **keywords: Any,
    ):
        self.task = as_task(task, keywords)
        self.episode_trials, self.episode_steps = episode_trials, episode_steps
        self._limits = jax.device_put(as_limits(episode_trials, episode_steps))
        check_render_mode(render_mode)
        self.render_mode = render_mode
        self.metadata = {**self.metadata, "render_fps": max(1, round(1000 / self.task.dt))}  # as time goes
        self.observation_space = observation_space(self.task)
        self.action_space = action_space(self.task)
        self._seeds = Seeds(seed)
        self._next_lane = 0
        self._state: Lanes | None = None
        self._trial: dict[str, Any] | None = None  # the conditions of the running trial, once they are read
        self._drawing = Drawing(self.task) if render_mode else None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """The first observation of a session, and `info` with its first trial's conditions.

        Args:
            seed: begins the sessions of this seed; default: the next session.
            options: `{"lane": n}` begins session n instead.
        """
        lane = check_options(options, ("lane",)).get("lane")
        if lane is not None and check_count("lane", lane, 0) >= 2**32:
            raise InvalidArgument(f"lane must be below 2**32, got {lane}")
        seed = self._seeds.asked(seed)
        super().reset(seed=seed)
        if self._seeds.begin(seed, self.np_random):
            self._next_lane = 0
        lane = self._next_lane if lane is None else int(lane)
        self._next_lane = lane + 1
        self._state, packed = start_lanes(self.task, self._seeds.words, np.array([lane], np.uint32))
        obs, conditions = unpack(packed)
        obs, trial = np.array(obs[0]), _of_one(conditions)
        self._trial = trial
        if self._drawing is not None:
            self._drawing.restart()
            self._begin_drawing(obs)
        return obs, {"trial": dict(trial)}

    def step(self, action: Any):
        """Answer the observation: see the class."""
        if self._state is None:
            raise ResetNeeded("call reset() before step()")
        taken = as_actions(self.task, action, ())
        self._state, packed = step_lanes(
            self.task, self._seeds.words, self._state, taken[None], self._limits, resets=False
        )
        out = unpack(packed)
        obs, reward, ended = np.array(out.observation[0]), out.reward.item(), out.new_trial.item()
        best = _of_one(out.target)
        # Read once a trial, as it is the same until the trial ends.
        trial = _of_one(out.conditions) if self._trial is None else self._trial
        self._trial = None if ended else trial
        info = {"new_trial": ended, "target": best, "gt": best, "trial": dict(trial)}
        if ended:
            info.update({name: getattr(out, name).item() for name in RESULTS})
        if self._drawing is not None:
            self._drawing.answer(taken, best, reward)
            self._begin_drawing(obs) if ended else self._drawing.see(obs)
        return obs, reward, False, out.truncated.item(), info

    def render(self):
        """uint8 `[height, width, 3]`: the trial before and the running one so far, with the actions that were taken.

        None without `render_mode="rgb_array"`. All frames of an environment have one size.
        """
        if self._drawing is None:
            gymnasium.logger.warn('render() draws nothing without render_mode="rgb_array"')
            return None
        if self._state is None:
            raise ResetNeeded("call reset() before render()")
        return self._drawing.picture()

    def close(self) -> None:
        """Forget the session."""
        self._state = None

    def _begin_drawing(self, obs: np.ndarray) -> None:
        assert self._drawing is not None
        assert self._state is not None
        session = self._state.session
        length, periods = jax.device_get(clocks(self.task, session))
        self._drawing.begin(obs, int(length[0]), periods[0], _of_one(jax.device_get(session.drawn.conditions)))


def _of_one(values: Any) -> Any:
    """A tree of arrays `[1, ...]` as Python's numbers, or arrays where they are arrays."""
    return jax.tree.map(lambda x: x.item() if np.ndim(x) == 1 else np.array(x[0]), values)
