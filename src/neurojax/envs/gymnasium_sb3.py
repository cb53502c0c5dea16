"""A vector environment for Stable-Baselines3, which has an interface of its own. This module imports it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neurojax.envs.gymnasium_steps import RESULTS
from neurojax.envs.gymnasium_vector import GymnasiumVectorEnv
from neurojax.errors import InvalidArgument

try:
    from stable_baselines3.common.vec_env import VecEnv  # pyright: ignore[reportMissingImports]
except ImportError:  # said when the environment is made
    VecEnv = object


class StableBaselinesVecEnv(VecEnv):  # pyright: ignore[reportGeneralTypeIssues]
    """A `GymnasiumVectorEnv` as Stable-Baselines3 takes it: `PPO("MlpPolicy", StableBaselinesVecEnv(envs))`.

    One compiled call steps all environments, where `DummyVecEnv` would loop over them. A `VecMonitor` around it logs
    returns and lengths of episodes.

    Args:
        envs: the vector environment.

    The `infos` of a step are a dictionary for each environment: `new_trial` always; the trial's `performance`,
    `outcome`, `trial_reward`, `response_step` and conditions (`trial`) where one ended; and, where an episode did,
    `terminal_observation` and `TimeLimit.truncated`.

    Raises:
        InvalidArgument: if `envs` is none.
        ImportError: if Stable-Baselines3 is not installed.
    """

    def __init__(self, envs: GymnasiumVectorEnv):
        if VecEnv is object:
            raise ImportError("Stable-Baselines3 is not installed: pip install 'neurojax[sb3]'")
        if not isinstance(envs, GymnasiumVectorEnv):
            raise InvalidArgument(f"envs must be a GymnasiumVectorEnv, got {envs!r}")
        self.envs = envs
        self._actions: Any = None
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)

    def reset(self) -> np.ndarray:
        """First observations float32 `[B, D]`; `seed(s)` before it has it begin the sessions of seed s."""
        obs, infos = self.envs.reset(seed=self._seeds[0])
        self.reset_infos = [
            {"trial": {name: x[i] for name, x in infos["trial"].items() if f"_{name}" in infos["trial"]}}
            for i in range(self.num_envs)
        ]
        self._reset_seeds()
        self._reset_options()
        return np.array(obs)

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Step: observations, rewards, whether episodes ended, and a dictionary for each environment."""
        obs, rewards, _, truncations, infos = self.envs.step(self._actions)
        each: list[dict[str, Any]] = [{"new_trial": bool(ended)} for ended in infos["new_trial"]]
        conditions = {name: x for name, x in infos["trial"].items() if f"_{name}" in infos["trial"]}
        for i in np.flatnonzero(infos["new_trial"]):
            each[i].update({name: infos[name][i].item() for name in RESULTS})
            each[i]["trial"] = {name: x[i] for name, x in conditions.items()}
        for i in np.flatnonzero(truncations):
            each[i].update({"terminal_observation": infos["final_obs"][i], "TimeLimit.truncated": True})
        return np.array(obs), rewards, truncations, each

    def close(self) -> None:
        """Close the vector environment."""
        self.envs.close()

    def get_images(self) -> Sequence[np.ndarray | None]:
        """What `render` draws of each environment."""
        return self.envs.render() or [None] * self.num_envs

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """An attribute, which all environments share."""
        return [getattr(self.envs, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Refused: the environments are one."""
        raise InvalidArgument(f"{attr_name!r} cannot be set: the environments are one; make another one")

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Refused: the environments are one."""
        raise InvalidArgument(f"{method_name!r} cannot be called in each environment: they are one")

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        """No environment is wrapped."""
        return [False] * len(list(self._get_indices(indices)))
