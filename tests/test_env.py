"""`nj.Env` under gymnax: its wrappers, a plain scan under vmap, episodes, spaces and parameters."""

import copy

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnax.environments import spaces
from gymnax.wrappers.purerl import FlattenObservationWrapper, LogWrapper

import neurojax as nj
from helpers import in_fresh_python
from neurojax.envs.gymnax import LegacyEnv, _step
from neurojax.errors import InvalidArgument

KEY = jax.random.key(4)
LANES = 16
BRIEF = {"episode_trials": 3, "episode_steps": 2}


@pytest.fixture(scope="module")
def task():
    # Trials of 5 steps at most: 0 fixation, 1 .. 2 stimulus, 3 .. 4 decision.
    return nj.make("PerceptualDecisionMaking-v0", timing={"stimulus": 200, "decision": 200}, abort=True)


def roll(env, key, steps, policy, params=None):
    """A plain scan of one environment, as any gymnax user writes it: what each step returned."""
    params = env.default_params if params is None else params
    key, first = jax.random.split(key)
    obs, state = env.reset(first, params)

    def body(carry, key):
        obs, state = carry
        act_key, step_key = jax.random.split(key)
        action = policy(act_key, obs)
        after, state, reward, terminated, truncated, info = env.step(step_key, state, action, params)
        return (after, state), (obs, action, reward, terminated, truncated, info)

    return jax.lax.scan(body, (obs, state), jax.random.split(key, steps))[1]


def batch_roll(env, steps, policy, lanes=LANES):
    run = jax.jit(jax.vmap(lambda key: roll(env, key, steps, policy)))
    return jax.tree.map(np.asarray, run(jax.random.split(KEY, lanes)))


def random_choice(key, obs):
    return jax.random.randint(key, (), 0, 3)


@pytest.fixture(scope="module")
def episodes(task):
    """Random actions in sessions that are cut after 3 trials."""
    return batch_roll(nj.Env(task, episode_trials=3), 60, random_choice)


def test_a_scan_under_vmap_returns_six_values(episodes):
    obs, _, reward, terminated, truncated, info = episodes
    assert obs.shape == (LANES, 60, 3)
    assert obs.dtype == reward.dtype == np.float32
    assert terminated.dtype == truncated.dtype == np.bool_
    assert set(info) == {
        "new_trial", "performance", "outcome", "trial_reward", "response_step", "target", "terminated", "truncated",
        "final_observation", "discount",
    }  # fmt: skip
    assert not terminated.any()  # sessions have no end of their own
    np.testing.assert_array_equal(truncated, info["truncated"])
    assert np.all(np.isfinite(info["final_observation"]))


def test_episodes_are_cut_after_so_many_trials(episodes):
    obs, _, _, _, truncated, info = episodes
    for lane in range(LANES):
        ends = np.cumsum(info["new_trial"][lane])
        cuts = np.flatnonzero(truncated[lane])
        assert len(cuts) > 2
        np.testing.assert_array_equal(ends[cuts], 3 * np.arange(1, len(cuts) + 1))
    # Where an episode goes on, the final observation is the next one; where it was cut, the next is a new session's.
    following, final = obs[:, 1:], info["final_observation"][:, :-1]
    goes_on = ~truncated[:, :-1]
    np.testing.assert_array_equal(following[goes_on], final[goes_on])
    assert np.all(following[~goes_on][:, 0] == 1)  # fixation


def test_trials_follow_the_index_contract(episodes):
    obs, action, reward, _, _, info = episodes
    ended = info["new_trial"]
    outcome = info["outcome"]
    assert set(np.unique(outcome[ended])) <= {nj.Outcome.CORRECT, nj.Outcome.ERROR, nj.Outcome.ABORT, nj.Outcome.MISS}
    assert len(np.unique(outcome[ended])) == 4
    # The observation after a trial's end is a first frame: fixation is on, and nothing else.
    np.testing.assert_array_equal(obs[:, 1:][ended[:, :-1]], [[1, 0, 0]] * int(ended[:, :-1].sum()))
    np.testing.assert_allclose(reward[ended & (outcome == nj.Outcome.ABORT)], -0.1)
    np.testing.assert_allclose(info["performance"][ended], outcome[ended] == nj.Outcome.CORRECT)
    # Actions that were the target are never wrong.
    assert not np.any(ended & (action == info["target"]) & (outcome != nj.Outcome.CORRECT) & (action > 0))


def test_the_first_observation_is_the_trials_first_frame(views):
    env = nj.Env(views["task"])
    obs, state = env.reset(KEY)
    trial = env.task.resolve(state.session.memory).trial(state.session.drawn)
    shown = env.task.observe(trial, state.session.state, 0)
    clean = env.task.channels.assemble(jax.tree.map(jnp.asarray, dict(shown)))
    assert int(state.session.t) == 0
    np.testing.assert_allclose(obs, clean, atol=5 if hasattr(views["task"], "sigma") else 1e-6)
    assert env.observation_space().contains(obs)
    assert isinstance(env.state_space(), spaces.Dict)


def test_spaces_contain_what_is_emitted_and_taken(views):
    env = nj.Env(views["task"])
    run = views["oracle"].trajectory
    box = env.observation_space(env.default_params)
    assert box.shape == (views["task"].channels.size,)
    assert np.all(run.observations >= box.low)
    assert np.all(run.observations <= box.high)
    space = env.action_space(env.default_params)
    for action in np.asarray(run.actions).reshape(-1, *space.shape)[:40]:
        assert space.contains(jnp.asarray(action))
    sampled = space.sample(KEY)
    assert jnp.shape(sampled) == views["task"].actions.shape
    assert env.num_actions == views["task"].actions.size


def test_gymnax_wrappers_wrap(task):
    env = LogWrapper(FlattenObservationWrapper(nj.Env(task, episode_steps=7)))
    obs, _, reward, _, truncated, info = batch_roll(env, 21, random_choice, lanes=4)
    assert obs.shape == (4, 21, 3)
    np.testing.assert_array_equal(np.flatnonzero(truncated[0]), [6, 13, 20])
    np.testing.assert_array_equal(info["returned_episode_lengths"][truncated], 7)
    for lane in range(4):
        returns = reward[lane].reshape(3, 7).sum(axis=1)
        np.testing.assert_allclose(info["returned_episode_returns"][lane, [6, 13, 20]], returns, rtol=1e-5, atol=1e-6)


def test_continuous_actions():
    env = nj.Env(nj.make("ReachingDelayResponse-v0"))
    space = env.action_space()
    assert isinstance(space, spaces.Box)
    obs, action, *_ = batch_roll(env, 40, lambda key, obs: space.sample(key), lanes=4)
    assert action.shape == (4, 40, 2)
    assert obs.shape == (4, 40, 2)


def test_parameters_passed_override_the_task_without_a_new_trace(task):
    env = nj.Env(task.set(sigma=0, coherences=[100] * 5))
    _, state = env.reset(KEY)
    _, state, *_ = env.step(KEY, state, 0)
    quiet = env.step(KEY, state, 0)[0]  # the second step of the stimulus
    before = _step._cache_size()
    loud = env.step(KEY, state, 0, task.set(sigma=30))[0]
    paid = env.step(KEY, state, 0, task.set(rewards={"abort": -3}))[2]
    assert _step._cache_size() == before
    assert sorted(np.asarray(quiet[1:]).tolist()) == pytest.approx([0, 1], abs=1e-6)
    assert np.abs(loud[1:] - quiet[1:]).max() > 0.5
    assert float(paid) == 0
    assert env.default_params is env.task


def test_two_environments_do_not_share_their_tasks_values(task):
    cheap, dear = nj.Env(task), nj.Env(task.set(rewards={"abort": -5.0}))
    assert cheap != dear
    for env, cost in ((cheap, -0.1), (dear, -5.0), (cheap, -0.1)):
        _, state = env.reset(KEY)
        assert float(env.step(KEY, state, 1)[2]) == pytest.approx(cost)
        inside = jax.jit(lambda state, env=env: env.step(KEY, state, 1)[2])
        assert float(inside(state)) == pytest.approx(cost)


def test_raw_keys_and_raw_steps(task):
    env = nj.Env(task, episode_trials=1)
    raw = jax.random.key_data(KEY)
    for ours, theirs in zip(jax.tree.leaves(env.reset(KEY)), jax.tree.leaves(env.reset(jnp.asarray(raw))), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    _, state = env.reset_env(KEY, task)
    obs, after, reward, terminated, info = env.step_env(KEY, state, 1, task)
    assert bool(info["new_trial"])
    assert bool(env.is_truncated(after, task))
    assert not bool(terminated)
    # The automatic step returns the same end, and a fresh session.
    _, fresh, paid, _, truncated, more = env.step(KEY, state, 1)
    assert bool(truncated)
    assert int(fresh.trials) == 0
    assert float(paid) == float(reward)
    np.testing.assert_array_equal(more["final_observation"], obs)


def test_an_episode_cut_inside_a_trial_keeps_its_last_observation(task):
    """At 2 steps an episode ends in the stimulus: the observation there is in `info`, and a new session begins."""
    endless, cut = nj.Env(task), nj.Env(task, **BRIEF)
    _, state = cut.reset(KEY)
    _, state, _, _, truncated, _ = cut.step(KEY, state, 0)
    assert not bool(truncated)
    later = jax.random.key(5)
    expected, unlimited, *_ = endless.step(later, state, 0)
    obs, fresh, _, terminated, truncated, info = cut.step(later, state, 0)
    assert (bool(truncated), bool(terminated), bool(info["new_trial"])) == (True, False, False)
    np.testing.assert_array_equal(info["final_observation"], expected)
    assert np.any(expected[1:] != 0)  # the stimulus
    assert (int(unlimited.session.t), int(fresh.session.t), int(fresh.time)) == (2, 0, 0)
    np.testing.assert_array_equal(obs, [1, 0, 0])  # fixation
    assert (float(info["discount"]), bool(info["truncated"])) == (1, True)  # a value may be bootstrapped here


def test_each_trial_comes_of_the_key_of_the_call_that_starts_it(task):
    env = nj.Env(task)
    _, state = env.reset(KEY)
    keys = jax.random.split(KEY, 64)
    step = jax.jit(jax.vmap(env.step, in_axes=(0, None, None)))
    # An abort ends the trial: 64 keys, 64 draws of the next one. In the middle of a trial they change nothing drawn.
    drawn = {action: step(keys, state, action)[1].session.drawn.conditions for action in (0, 1)}
    kept = state.session.drawn.conditions
    for name in kept:
        np.testing.assert_array_equal(drawn[0][name], np.full(64, kept[name]))
    assert 20 < int(np.sum(drawn[1]["ground_truth"])) < 44  # of 64 fair flips, within 3 standard deviations (12)
    assert set(np.unique(drawn[1]["coherence"])) == set(np.asarray(task.coherences))
    again = step(keys, state, 1)[1].session.drawn.conditions
    for name in kept:
        np.testing.assert_array_equal(again[name], drawn[1][name])


def test_gymnaxs_own_adapters_take_it(task):
    """The five values of gymnax before 1.0, which trainers of today still expect, and gymnax's rollouts by name."""
    import gymnax
    from gymnax.experimental import RolloutWrapper
    from gymnax.wrappers import LegacyStepAPIWrapper

    ours = LegacyEnv(task, **BRIEF)
    for env in (copy.deepcopy(ours), LegacyStepAPIWrapper(nj.Env(task, **BRIEF))):
        _, state = env.reset(KEY, task)
        for n in range(2):
            obs, state, reward, done, info = env.step(KEY, state, 0, task)
            assert bool(done) == bool(info["truncated"]) == (n == 1)
        assert obs.shape == (3,)
        assert reward.shape == ()
    gymnax.register("TestPerceptualDecisionMaking-v0", lambda: nj.Env(task, **BRIEF))
    roll = RolloutWrapper(env_name="TestPerceptualDecisionMaking-v0", num_env_steps=4)
    _, action, reward, _, done, earned = roll.batch_rollout(jax.random.split(KEY, 4), None)
    assert action.shape == (4, 4)
    np.testing.assert_array_equal(done, np.tile([False, True], (4, 2)))
    np.testing.assert_allclose(earned[:, 0], reward[:, :2].sum(axis=1), rtol=1e-5, atol=1e-6)


def test_a_public_trainer_learns():
    """rejax, unchanged: see the example. It is installed beside neurojax, not with it."""
    pytest.importorskip("rejax", reason="rejax is not installed: `pip install rejax`")
    from examples.gymnax_trainer import main

    before, after = main()
    assert after > before + 0.2


def test_stepping_is_the_native_trial(task):
    """The same rules: outcomes of random play, natively and through gymnax, come from one distribution."""
    from scipy import stats

    _, _, _, _, _, info = batch_roll(nj.Env(task), 60, random_choice, lanes=64)
    seen = np.bincount(info["outcome"][info["new_trial"]], minlength=6)
    native = np.asarray(nj.rollout(task, KEY, 64, 60, output="metrics", devices=1).metrics.outcomes)
    keep = (seen + native) > 0
    assert stats.chi2_contingency([seen[keep], native[keep]]).pvalue > 1e-3


def test_bad_arguments(task):
    with pytest.raises(InvalidArgument, match=r"task must be a task from nj\.make or Task\.create, got 'PDM'"):
        nj.Env("PDM")
    with pytest.raises(InvalidArgument, match="episode_trials must be a whole number of 1 or more, got 0"):
        nj.Env(task, episode_trials=0)
    with pytest.raises(InvalidArgument, match=r"episode_steps must be a whole number of 1 or more, got 2\.5"):
        nj.Env(task, episode_steps=2.5)
    with pytest.raises(InvalidArgument, match="key must be a typed key"):
        nj.Env(task).reset(0)


def test_importing_neurojax_imports_neither_gymnax_nor_matplotlib():
    heavy = ("gymnax", "matplotlib", "scipy", "orbax", "pandas", "torch")
    out = in_fresh_python(
        "import sys, neurojax as nj; task = nj.make('ReadySetGo-v0'); nj.registered(tag='timing');"
        f"print([m for m in {heavy!r} if m in sys.modules])"
    )
    assert out.strip() == "[]"
