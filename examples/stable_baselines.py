"""NeuroGym's reinforcement-learning example, with Stable-Baselines3: its imports and its id changed, and an evaluation.

The default is NeuroGym's, a short run that learns nothing. 40,000 steps, given as an argument, reach .87 correct.
"""

import sys

import gymnasium as ngym
import numpy as np
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.vec_env import DummyVecEnv

import neurojax  # noqa: F401  (registers the tasks with Gymnasium)
from neurojax.envs import gymnasium_wrappers as pass_reward

name = "neurojax/PerceptualDecisionMaking-v0"
timing = {
    "fixation": ("constant", 300),
    "stimulus": ("constant", 500),
    "decision": ("constant", 300),
}
kwargs = {"dt": 100, "timing": timing}


def performance(model, env, n_trials, seed):
    """The share of correct trials under the trained network's most likely actions."""
    obs, _ = env.reset(seed=seed)
    state, first, results = None, np.array([True]), []
    while len(results) < n_trials:
        action, state = model.predict(obs, state=state, episode_start=first, deterministic=True)
        obs, _, _, _, info = env.step(action)
        first = np.array([False])
        if info["new_trial"]:
            results.append(info["performance"])
    return float(np.mean(results))


if __name__ == "__main__":
    torch.set_num_threads(1)  # the network is small: more threads wait for each other
    total_timesteps = int(sys.argv[1]) if len(sys.argv) > 1 else 500

    env = ngym.make(name, **kwargs)
    print(env)
    env = pass_reward.PassReward(env)

    venv = DummyVecEnv([lambda: env])
    model = RecurrentPPO(policy="MlpLstmPolicy", env=venv, verbose=1, seed=0)
    model.learn(total_timesteps=total_timesteps, log_interval=500)
    venv.close()

    env = pass_reward.PassReward(ngym.make(name, **kwargs))
    print(f"performance {performance(model, env, n_trials=100, seed=1):.2f}")
