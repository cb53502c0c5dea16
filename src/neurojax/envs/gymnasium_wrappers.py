"""A wrapper that Gymnasium lacks and agents of the field want. This module imports Gymnasium."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box

from neurojax.errors import InvalidArgument


class PassReward(gymnasium.Wrapper[np.ndarray, Any, np.ndarray, Any], gymnasium.utils.RecordConstructorArgs):
    """The last reward as one more entry of the observation, as NeuroGym's wrapper of that name; 0 after a reset.

    It wraps any environment. Of a task, `modifiers=[{"name": "pass_reward"}]` makes the same, inside the compiled step.

    Args:
        env: an environment whose observations are vectors `[D]`; they become float32 `[D + 1]`.

    Raises:
        InvalidArgument: if they are not.

    Example:
        >>> import neurojax as nj
        >>> from neurojax.envs.gymnasium_wrappers import PassReward
        >>> env = PassReward(nj.GymnasiumEnv("PerceptualDecisionMaking-v0", abort=True))
        >>> env.reset(seed=0)[0][-1], env.step(1)[0][-1]
        (np.float32(0.0), np.float32(-0.1))
    """

    def __init__(self, env: gymnasium.Env):
        gymnasium.utils.RecordConstructorArgs.__init__(self)
        gymnasium.Wrapper.__init__(self, env)
        space = env.observation_space
        if not isinstance(space, Box) or len(space.shape) != 1:
            raise InvalidArgument(f"PassReward needs observations that are vectors, got {space}")
        low, high = np.append(space.low, -np.inf), np.append(space.high, np.inf)
        self.observation_space = Box(low.astype(np.float32), high.astype(np.float32), dtype=np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        obs, info = self.env.reset(seed=seed, options=options)
        return np.append(obs, 0.0).astype(np.float32), info

    def step(self, action: Any):
        obs, reward, terminated, truncated, info = self.env.step(action)
        return np.append(obs, float(reward)).astype(np.float32), reward, terminated, truncated, info
