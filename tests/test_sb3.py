"""Stable-Baselines3 and sb3-contrib train on the environments: real, short runs. Needs `pip install neurojax[sb3]`."""

import numpy as np
import pytest

import neurojax as nj

REASON = "Stable-Baselines3 is not installed: pip install 'neurojax[sb3]'"
sb3 = pytest.importorskip("stable_baselines3", reason=REASON)
contrib = pytest.importorskip("sb3_contrib", reason=REASON)

import gymnasium  # noqa: E402
import torch  # noqa: E402
from stable_baselines3.common.env_checker import check_env  # noqa: E402
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor  # noqa: E402

from neurojax.envs.gymnasium_sb3 import StableBaselinesVecEnv  # noqa: E402
from neurojax.errors import InvalidArgument  # noqa: E402

torch.set_num_threads(1)  # the networks are small
BATCHES, SMALL = {"n_steps": 32, "n_epochs": 4, "batch_size": 512}, {"lstm_hidden_size": 32}


class Cue(nj.Task):
    """Repeat the cue at once: 1 or 2, whichever of two lamps is lit. An agent has learnt it within a second."""

    TIMING = {"cue": 200}
    REWARDS = {"correct": 1.0, "fail": 0.0}

    channels = nj.Channels.named(lamp=2)
    actions = nj.Discrete.named(wait=1, side=2)

    def conditions(self, draw, memory):
        return {"side": draw.integer("side", 2)}

    def observe(self, trial, state, t):
        return {"lamp": np.arange(2) == trial["side"]}

    def target(self, trial, state, t):
        return 1 + trial["side"]

    def respond(self, trial, state, action, t, draw):
        correct = action == 1 + trial["side"]
        return nj.consequence(reward=correct * self.rewards["correct"], end=action > 0, correct=correct)


@pytest.fixture(scope="module")
def task():
    return Cue.create()


def performance(model, task, trials=200):
    """The share of correct trials under the most likely actions."""
    env = nj.GymnasiumEnv(task)
    obs, _ = env.reset(seed=1)
    results, state, first = [], None, np.array([True])
    while len(results) < trials:
        action, state = model.predict(obs, state=state, episode_start=first, deterministic=True)
        obs, _, _, _, info = env.step(action)
        first = np.array([False])
        if info["new_trial"]:
            results.append(info["performance"])
    return np.mean(results)


def test_the_checker_of_stable_baselines_passes(task):
    check_env(nj.GymnasiumEnv(task, episode_trials=5))
    check_env(gymnasium.make("neurojax/ReachingDelayResponse-v0").unwrapped)


@pytest.mark.parametrize(
    ("algorithm", "settings", "steps"),
    [
        (sb3.PPO, {"policy": "MlpPolicy", **BATCHES}, 8192),
        (sb3.A2C, {"policy": "MlpPolicy", "n_steps": 8}, 16384),
        (contrib.RecurrentPPO, {"policy": "MlpLstmPolicy", **BATCHES, "policy_kwargs": SMALL}, 4096),
    ],
    ids=["PPO", "A2C", "RecurrentPPO"],
)
def test_agents_learn_on_the_vector_environment(task, algorithm, settings, steps):
    """From chance to nearly always right."""
    venv = VecMonitor(StableBaselinesVecEnv(nj.GymnasiumVectorEnv(task, 32, episode_steps=50)))
    model = algorithm(env=venv, seed=0, gamma=0.5, learning_rate=3e-3, device="cpu", **settings)
    assert performance(model, task) < 0.8
    model.learn(steps)
    assert performance(model, task) > 0.9
    assert model.ep_info_buffer[0]["l"] == 50


def test_agents_train_on_single_environments():
    """As most people's scripts do it: by id, in a `DummyVecEnv`, and the same seed gives the same run."""

    def run():
        make = lambda: gymnasium.make("neurojax/PerceptualDecisionMaking-v0", episode_trials=10)
        model = contrib.RecurrentPPO("MlpLstmPolicy", DummyVecEnv([make, make]), n_steps=32, n_epochs=1, seed=3)
        return model.learn(64).policy.action_net.weight.detach().numpy().copy()

    np.testing.assert_array_equal(run(), run())


def test_what_stable_baselines_is_told(task):
    envs = nj.GymnasiumVectorEnv(task, 3, episode_trials=2)
    venv = StableBaselinesVecEnv(envs)
    venv.seed(5)
    obs = venv.reset()
    np.testing.assert_array_equal(obs, nj.GymnasiumVectorEnv(task, 3).reset(seed=5)[0])
    # Lane 0 answers rightly at once, lane 1 wrongly, lane 2 not at all: its trial of two steps is missed.
    right = 1 + np.array([info["trial"]["side"] for info in venv.reset_infos])
    obs, rewards, dones, infos = venv.step(np.array([right[0], 3 - right[1], 0]))
    assert rewards.tolist() == [1, 0, 0]
    assert [info["new_trial"] for info in infos] == [True, True, False]
    assert [info.get("outcome") for info in infos] == [nj.Outcome.CORRECT, nj.Outcome.ERROR, None]
    assert infos[0]["trial"] == {"side": right[0] - 1}
    assert not dones.any()
    obs, rewards, dones, infos = venv.step(np.array([1, 1, 0]))
    assert dones.tolist() == [True, True, False]
    assert infos[2]["outcome"] == nj.Outcome.MISS
    assert infos[0]["TimeLimit.truncated"]
    assert infos[0]["terminal_observation"].sum() == 1  # one lamp
    assert "terminal_observation" not in infos[2]
    obs += 1  # the caller's own
    with pytest.raises(InvalidArgument, match="cannot be set"):
        venv.set_attr("limits", None)
    with pytest.raises(InvalidArgument, match="envs must be a GymnasiumVectorEnv"):
        StableBaselinesVecEnv(nj.GymnasiumEnv(task))
