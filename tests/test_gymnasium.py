"""Gymnasium: its checker, its registry, seeds, truncation, pictures, and the vector environment beside native steps."""

import warnings

import jax
import numpy as np
import pytest

import neurojax as nj
from helpers import TOLERANCE, Blocks, in_fresh_python
from neurojax.errors import InvalidArgument, UnknownName

gymnasium = pytest.importorskip("gymnasium", minversion="1.1", reason="Gymnasium is not installed")

from gymnasium.utils.env_checker import check_env  # noqa: E402
from gymnasium.vector import AutoresetMode  # noqa: E402

from neurojax.envs.gymnasium_steps import seed_words, step_lanes  # noqa: E402
from neurojax.envs.gymnasium_wrappers import PassReward  # noqa: E402

# Trials of 5 steps at most: 0 fixation, 1 .. 2 stimulus, 3 .. 4 decision; fixation that is broken ends them.
PDM = "PerceptualDecisionMaking-v0"
SHORT = {"timing": {"stimulus": 200, "decision": 200}, "abort": True}
SEED, LANES, STEPS = 4, 8, 60
RESULTS = ("performance", "outcome", "trial_reward", "response_step")


@pytest.fixture(scope="module")
def task():
    return nj.make(PDM, **SHORT)


@pytest.fixture(scope="module")
def native(task):
    """Random actions, natively."""
    run = nj.rollout(task, jax.random.key(SEED), LANES, STEPS, devices=1).trajectory
    return jax.tree.map(np.asarray, run)


@pytest.mark.filterwarnings("ignore:.*(A Box|For Box action|We recommend you to use a symmetric).*")
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("id", [PDM, "DelayMatchSample-v0", "ReachingDelayResponse-v0", "RandomDotMotion-v0"])
def test_the_checker_of_gymnasium_passes(id):
    """Discrete, with memory in the trial, continuous, and images. Unbounded boxes are all that it may warn of."""
    env = gymnasium.make(f"neurojax/{id}")
    check_env(env.unwrapped)
    assert env.observation_space.dtype == np.float32
    if isinstance(env.action_space, gymnasium.spaces.Discrete):
        assert env.action_space.dtype == np.int64


def test_make_hands_keywords_to_the_task():
    env = gymnasium.make(f"neurojax/{PDM}", dt=20, timing={"stimulus": ("constant", 500)}, episode_steps=9)
    task = env.unwrapped.task
    assert (task.dt, task.capacity, env.unwrapped.episode_steps) == (20, 35, 9)
    assert env.unwrapped.metadata["render_fps"] == 50
    modified = gymnasium.make(f"neurojax/{PDM}", modifiers=[{"name": "reaction_time"}])
    assert type(modified.unwrapped.task).__name__ == "ReactionTime"
    with pytest.raises(UnknownName, match="unknown keyword 'sigm' in PerceptualDecisionMaking; did you mean 'sigma'"):
        gymnasium.make(f"neurojax/{PDM}", sigm=2.0)
    assert {f"neurojax/{id}" for id in nj.registered()} <= set(gymnasium.registry)


def test_a_users_task_is_registered_too():
    nj.register("BlocksForGymnasium-v3", Blocks)
    envs = gymnasium.make_vec("neurojax/BlocksForGymnasium-v3", 3, sigma=0.0)
    obs, infos = envs.reset(seed=0)
    assert envs.spec.id == "neurojax/BlocksForGymnasium-v3"
    # The first frame is the cue: +1 where side and sign agree, else -1; and without noise.
    np.testing.assert_array_equal(obs[:, 0], (2 * infos["trial"]["side"] - 1) * np.where(infos["trial"]["sign"], 1, -1))
    nj.register("lab/BlocksForGymnasium-v3", Blocks)  # has no name in Gymnasium, and is a task all the same
    assert nj.GymnasiumEnv("lab/BlocksForGymnasium-v3").task.name == "Blocks"


@pytest.mark.parametrize(
    "code",
    [
        "import gymnasium, neurojax; id = 'neurojax/GoNogo-v0'",
        "import importlib.util, sys, neurojax; id = 'neurojax/GoNogo-v0';"
        "assert 'gymnasium' not in sys.modules and 'jax' not in sys.modules;"
        "assert importlib.util.find_spec('gymnasium'); import gymnasium;"  # to ask for it is not to import it
        "assert 'neurojax' not in type(gymnasium.__spec__.loader).__module__;"
        "assert not any('neurojax' in type(finder).__module__ for finder in sys.meta_path)",
        "import gymnasium; id = 'neurojax:neurojax/GoNogo-v0'",
    ],
    ids=["Gymnasium first", "neurojax first", "by Gymnasium itself"],
)
def test_tasks_are_registered_in_any_order_of_imports(code):
    shape = "print(gymnasium.make(id, dt=20).observation_space.shape)"
    assert in_fresh_python(f"{code}; {shape}").strip() == "(3,)"


def test_the_vector_environment_plays_the_native_session(task, native):
    """The same seed and actions: step for step what `nj.rollout` shows and pays."""
    envs = nj.GymnasiumVectorEnv(task, LANES)
    obs, infos = envs.reset(seed=SEED)
    for t in range(STEPS):
        np.testing.assert_allclose(obs, native.observations[:, t], rtol=TOLERANCE, atol=TOLERANCE)
        obs, rewards, terminations, truncations, infos = envs.step(native.actions[:, t].astype(np.int64))
        ended = native.new_trial[:, t]
        np.testing.assert_allclose(rewards, native.rewards[:, t], rtol=TOLERANCE)
        np.testing.assert_array_equal(infos["new_trial"], ended)
        np.testing.assert_array_equal(infos["gt"], native.targets[:, t])
        np.testing.assert_array_equal(infos["outcome"], np.where(ended, native.results.outcome[:, t], 0))
        np.testing.assert_array_equal(infos["performance"], np.where(ended, native.results.performance[:, t], 0))
        np.testing.assert_array_equal(infos["_performance"], ended)
        for name, values in native.conditions.items():
            np.testing.assert_array_equal(infos["trial"][name], values[:, t])
        assert not (terminations.any() or truncations.any())
    assert obs.dtype == rewards.dtype == np.float32
    assert set(np.unique(native.results.outcome[native.new_trial])) >= {nj.Outcome.CORRECT, nj.Outcome.ABORT}


@pytest.mark.parametrize("limits", [{"episode_trials": 3}, {"episode_steps": 7}], ids=["trials", "steps"])
def test_each_lane_of_the_vector_environment_is_a_single_environment(task, limits):
    """Also after its episodes ended: environment i goes on as lane i + B, and as a single environment's reset does."""
    envs, env = nj.GymnasiumVectorEnv(task, 2, **limits), nj.GymnasiumEnv(task, **limits)
    actions = np.random.default_rng(0).integers(3, size=(30, 2))
    first, infos = envs.reset(seed=SEED)
    run = [envs.step(a) for a in actions]
    assert envs.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert sum(step[3].sum() for step in run) >= 6
    for i in range(2):
        lane, last = i, first[i]
        obs, info = env.reset(seed=SEED, options={"lane": lane})
        assert info["trial"] == {name: infos["trial"][name][i] for name in info["trial"]}
        for a, (seen, rewards, _, truncations, infos_) in zip(actions, run, strict=True):
            np.testing.assert_array_equal(obs, last)
            obs, reward, terminated, truncated, info = env.step(a[i])
            assert (reward, terminated, truncated) == (rewards[i], False, truncations[i])
            assert info["trial"] == {name: infos_["trial"][name][i] for name in info["trial"]}
            assert [name for name in RESULTS if name in info] == [name for name in RESULTS if infos_[f"_{name}"][i]]
            assert all(info[name] == infos_[name][i] for name in info if name != "trial")
            if truncated:
                np.testing.assert_array_equal(obs, infos_["final_obs"][i])
                assert infos_["final_info"]["target"][i] == info["target"]
                lane += 2
                obs, _ = env.reset(options={"lane": lane})
            last = seen[i]


def test_seeds_are_honoured(task):
    def session(env, **options):
        obs = [env.reset(**options)[0]]
        return np.stack(obs + [env.step(0)[0] for _ in range(12)])

    env = nj.GymnasiumEnv(task)
    one, following = session(env, seed=1), session(env)
    assert not np.array_equal(one, following)
    np.testing.assert_array_equal(session(env, seed=1), one)
    np.testing.assert_array_equal(session(env), following)
    np.testing.assert_array_equal(session(nj.GymnasiumEnv(task, seed=1)), one)
    np.testing.assert_array_equal(session(env, options={"lane": 1}), following)
    assert not np.array_equal(session(nj.GymnasiumEnv(task)), session(nj.GymnasiumEnv(task)))
    envs = nj.GymnasiumVectorEnv(task, 2, seed=1)
    np.testing.assert_array_equal(envs.reset()[0], [one[0], following[0]])
    env.reset(seed=1, options={"lane": 3})
    np.testing.assert_array_equal(envs.reset()[0][1], env.reset(seed=1, options={"lane": 3})[0])  # lanes 2 and 3
    assert np.array_equal(seed_words(2**40 + 7), [256, 7])


def test_observations_stay_as_they_were(task):
    """The state is donated to each step; what was handed out is not."""
    envs = nj.GymnasiumVectorEnv(task, LANES)
    seen = [envs.reset(seed=SEED)[0]]
    seen += [envs.step(np.zeros(LANES, int))[0] for _ in range(6)]
    copies = [np.array(x) for x in seen]
    for _ in range(20):
        envs.step(np.zeros(LANES, int))
    np.testing.assert_array_equal(seen, copies)
    single, _ = nj.GymnasiumEnv(task).reset(seed=0)
    single += 1  # the caller's own


def test_another_value_of_a_parameter_compiles_nothing(task):
    nj.GymnasiumEnv(task).reset(seed=0)
    env = nj.GymnasiumEnv(task.set(sigma=0, coherences=[100] * 5))
    env.reset(seed=0)
    env.step(0)
    before = step_lanes._cache_size()
    loud = nj.GymnasiumEnv(task.set(sigma=30))
    loud.reset(seed=0)
    assert np.abs([loud.step(0)[0][1:] for _ in range(2)]).max() > 3
    assert sorted(env.step(0)[0][1:].tolist()) == pytest.approx([0, 1], abs=1e-6)
    assert step_lanes._cache_size() == before


@pytest.mark.parametrize("id", [PDM, "ReachingDelayResponse-v0", "RandomDotMotion-v0"])
def test_pictures_have_one_size_and_change(id):
    env = nj.GymnasiumEnv(id, render_mode="rgb_array", timing={"stimulus": 300})
    env.action_space.seed(0)
    env.reset(seed=0)
    pictures = [env.render()]
    ended = False
    while not ended:
        ended = env.step(env.action_space.sample())[4]["new_trial"]
    pictures.append(env.render())  # two trials: the one before, and the first frame of the next
    assert pictures[0].dtype == np.uint8
    assert pictures[0].shape == pictures[1].shape
    assert pictures[0].shape[0] % 2 == pictures[0].shape[1] % 2 == 0
    assert np.mean(pictures[0] != pictures[1]) > 0.01
    assert 0.2 < np.mean(pictures[1] == 255) < 0.99  # neither blank nor full


def test_pictures_of_a_vector_environment():
    envs = gymnasium.make_vec(f"neurojax/{PDM}", 2, render_mode="rgb_array", max_episode_steps=4, **SHORT)
    env = nj.GymnasiumEnv(PDM, render_mode="rgb_array", **SHORT)
    envs.reset(seed=0)
    env.reset(seed=0, options={"lane": 1})
    for _ in range(3):
        envs.step(np.zeros(2, int))
        env.step(0)
    np.testing.assert_array_equal(envs.render()[1], env.render())
    assert envs.step(np.zeros(2, int))[3].all()
    env.reset(options={"lane": 3})
    np.testing.assert_array_equal(envs.render()[1], env.render())


def test_the_wrapper_that_passes_the_reward_agrees_with_the_modifier():
    outside = PassReward(nj.GymnasiumEnv(PDM, **SHORT))
    inside = nj.GymnasiumEnv(PDM, modifiers=[{"name": "pass_reward"}], **SHORT)
    assert outside.observation_space.shape == inside.observation_space.shape == (4,)
    seen = [(outside.reset(seed=0)[0], inside.reset(seed=0)[0])]
    seen += [(outside.step(t % 3)[0], inside.step(t % 3)[0]) for t in range(20)]
    np.testing.assert_allclose(*np.swapaxes(seen, 0, 1), rtol=TOLERANCE, atol=TOLERANCE)
    assert len({float(obs[-1]) for obs, _ in seen}) >= 2


def test_gymnasiums_own_wrappers_wrap(task):
    env = gymnasium.wrappers.RecordEpisodeStatistics(
        gymnasium.wrappers.TimeLimit(PassReward(nj.GymnasiumEnv(task)), 12)
    )
    obs, _ = env.reset(seed=0)
    assert obs[-1] == 0
    total = 0.0
    for t in range(12):
        obs, reward, _, truncated, info = env.step(t % 3)
        assert obs in env.observation_space
        assert obs[-1] == np.float32(reward)
        total += reward
    assert truncated
    assert info["episode"]["r"] == pytest.approx(total)
    envs = gymnasium.wrappers.vector.RecordEpisodeStatistics(nj.GymnasiumVectorEnv(task, 3, episode_steps=5))
    envs.reset(seed=0)
    steps = [envs.step(np.full(3, 1)) for _ in range(5)]
    # Each step breaks fixation: five aborts at -0.1.
    assert steps[-1][4]["final_info"]["trial_reward"].tolist() == pytest.approx([-0.1] * 3)
    np.testing.assert_allclose(envs.return_queue, [-0.5] * 3, rtol=1e-5)


def test_bad_arguments(task):
    env = nj.GymnasiumEnv(task)
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(0)
    env.reset(seed=0)
    for call, message in (
        (lambda: nj.GymnasiumEnv(3), r"task must be a task from nj\.make or Task\.create, got 3"),
        (lambda: nj.GymnasiumEnv(task, sigma=2.0), r"sigma: keywords go with an id; change a task .* task\.set"),
        (lambda: nj.GymnasiumEnv(task, episode_trials=0), "episode_trials must be a whole number of 1 or more, got 0"),
        (lambda: nj.GymnasiumEnv(task, render_mode="human"), "unknown render_mode 'human'; known: rgb_array"),
        (lambda: nj.GymnasiumEnv(task, seed=-1), r"seed must be a whole number in 0 \.\. 2\*\*64 - 1, got -1"),
        (lambda: env.reset(seed=1.5), r"seed must be a whole number in 0 .*, got 1\.5"),
        (lambda: env.reset(options={"lan": 1}), "unknown option of reset 'lan'; did you mean 'lane'"),
        (lambda: env.reset(options={"lane": -1}), "lane must be a whole number of 0 or more, got -1"),
        (lambda: env.step(3), "action must lie between 0 and 2, got 3"),
        (lambda: env.step(1.0), r"action must be whole numbers of shape \(\), got float64 of shape \(\)"),
        (lambda: env.step([0]), r"action must be whole numbers of shape \(\), got int64 of shape \(1,\)"),
        (lambda: nj.GymnasiumVectorEnv(task, 0), "num_envs must be a whole number of 1 or more, got 0"),
        (
            lambda: nj.GymnasiumVectorEnv(task, 2, episode_steps=1, max_episode_steps=1),
            "are the same; give one of them",
        ),
        (
            lambda: nj.GymnasiumVectorEnv(task, 2).reset(seed=[0, 1]),
            r"seed must be a whole number in 0 .*, got \[0, 1\]",
        ),
        (lambda: PassReward(gymnasium.make("Blackjack-v1")), "PassReward needs observations that are vectors"),
    ):
        with pytest.raises(InvalidArgument, match=message), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()
    reach = nj.GymnasiumEnv("ReachingDelayResponse-v0")
    reach.reset(seed=0)
    with pytest.raises(InvalidArgument, match=r"action must lie between .* got .*ClipAction clips"):
        reach.step(np.full(2, 1e3))
