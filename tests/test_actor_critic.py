"""Actor-critic training, by hand-worked arithmetic and on tasks whose values are known."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.core.chance import key_words
from neurojax.core.lanes import lane_numbers
from neurojax.envs.rollout import rollout_lanes, start_rollout
from neurojax.training.actor_critic import (
    Hyperparameters,
    Plan,
    advantages,
    agent_loss,
    no_sums,
    start_training,
    train_steps,
)
from neurojax.training.agents import make_agent

KEY = jax.random.key(3)


def hyper(**changes):
    values = {
        "learning_rate": 1e-2,
        "clip": 1.0,
        "discount": 0.9,
        "trial_discount": 0.0,
        "trace": 1.0,
        "entropy": 0.0,
        "value": 0.5,
        "ratio": 0.2,
        "updates": 1000.0,
    }
    return Hyperparameters(**{k: np.float32(v) for k, v in {**values, **changes}.items()})


class Probe(nj.Task):
    """A trial of `steps` steps; in the last, the action that was shown in the first is rewarded."""

    TIMING = {"cue": 100, "delay": 0, "choice": 0}
    REWARDS = {"correct": 1.0, "fail": 0.0}
    always: nj.Array = nj.flag(False, doc="whether any action is rewarded")
    blind: nj.Array = nj.flag(False, doc="whether nothing is shown, and action 1 is right")

    channels = nj.Channels.named(cue=1, clock=1)
    actions = nj.Discrete.named(left=1, right=1)

    def conditions(self, draw, memory):
        return {"right": draw.integer("right", 2)}

    def observe(self, trial, state, t):
        cue = jnp.where(trial.during("cue", t) & ~self.blind, 2.0 * trial["right"] - 1, 0.0)
        return {"cue": cue, "clock": trial.last(t).astype(jnp.float32)}

    def target(self, trial, state, t):
        return jnp.where(self.blind, 1, trial["right"])

    def respond(self, trial, state, action, t, draw):
        last = trial.last(t)
        correct = last & ((action == self.target(trial, state, t)) | self.always)
        reward = jnp.where(correct, self.rewards["correct"], jnp.where(last, self.rewards["fail"], 0.0))
        return nj.consequence(reward=reward, end=last, correct=correct)


def test_advantages_by_hand():
    # One lane, discount .5, lambda .5; the trial ends at step 1 and goes on into the next with a factor of .5;
    # after step 2 an episode begins.
    reward = np.array([[1.0], [2.0], [4.0]], np.float32)
    value = np.array([[1.0], [2.0], [3.0], [8.0]], np.float32)
    ended = np.array([[False], [True], [True]])
    restarts = np.array([[False], [False], [True]])
    found = advantages(reward, value, ended, restarts, hyper(discount=0.5, trial_discount=0.5, trace=0.5))
    # step 2: 4 + 0 x 8 - 3 = 1.  step 1: 2 + .25 x 3 - 2 + .25 x .5 x 1 = .875.
    # step 0: 1 + .5 x 2 - 1 + .5 x .5 x .875 = 1.21875.
    np.testing.assert_allclose(found[:, 0], [1.21875, 0.875, 1.0], rtol=1e-6)


def test_loss_of_one_step_by_hand():
    task = Probe.create()
    agent = make_agent(task, "gru", 4, KEY)
    agent.params["network"]["w_out"][...] *= 0
    agent.params["network"]["b_out"][...] = jnp.log(jnp.array([0.25, 0.75, jnp.exp(2.0)]))  # value 2
    played = _played(task, agent, Plan("a2c", 1, 1), hyper())
    played = played.replace(
        note=played.note.replace(drawn=np.array([[1]]), log_probability=np.log(np.array([[0.5]], np.float32))),
        advantage=np.array([[2.0]], np.float32),
        target=np.array([[3.0]], np.float32),
    )
    loss = lambda algorithm: agent_loss(
        agent.params, key_words(KEY), hyper(entropy=0.1), agent, played, np.arange(1), algorithm
    )
    entropy = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
    rest = 0.5 * 0.5 * (2 - 3) ** 2 - 0.1 * entropy
    # policy gradient: -log(.75) x 2; clipped surrogate: the ratio .75 / .5 is cut to 1.2, times 2
    np.testing.assert_allclose(loss("a2c")[0], -np.log(0.75) * 2 + rest, rtol=1e-5)
    np.testing.assert_allclose(loss("ppo")[0], -1.2 * 2 + rest, rtol=1e-5)
    np.testing.assert_allclose(loss("ppo")[1][1], entropy, rtol=1e-5)


def _played(task, agent, plan, values, words=None):
    """What an update would learn from, as `_update` makes it, and nothing learnt."""
    from neurojax.training.actor_critic import Played

    words = key_words(KEY) if words is None else words
    lanes = lane_numbers(plan.batch_size)
    start = start_rollout(task, words, lanes, agent, plan.episode_trials)
    out = rollout_lanes(task, words, lanes, agent, start, plan.n_steps, episode=plan.episode_trials)
    seen = jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), out.trajectory)
    zeros = jnp.zeros_like(seen.rewards)
    return Played(seen.notes, seen.started, zeros, zeros, start.carry.carry, lanes)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_what_is_learnt_from_is_what_was_played(noise):
    """The network over whole sequences says of each action what it said as the agent played it, across episodes."""
    task = Probe.create()
    agent = make_agent(task, "leaky", 8, KEY, dt=20.0, recurrent_noise=noise)
    plan = Plan("ppo", 4, 12, episode_trials=3)
    words = key_words(KEY)
    from neurojax.training import actor_critic

    sessions = actor_critic._words(words, "sessions")
    played = _played(task, agent, plan, hyper(), sessions)
    assert 4 * 3 < np.sum(played.started) <= 4 * 5  # trials of one step: an episode lasts 3
    network = agent.network()
    drawn = actor_critic._noise(network, words, played.lanes, np.arange(12))
    outputs, _, _ = network(played.note.inputs, played.carry, played.started, drawn)
    said = agent.log_probability(outputs, played.note.drawn, agent.params)
    np.testing.assert_allclose(said, played.note.log_probability, atol=1e-5)
    np.testing.assert_allclose(outputs[..., -1], played.note.value, atol=1e-5)


def test_nothing_before_a_boundary_changes_what_comes_after():
    task = Probe.create(timing={"delay": 300})
    agent = make_agent(task, "gru", 8, KEY)
    played = _played(task, agent, Plan("a2c", 2, 24, episode_trials=2), hyper())
    boundary = 8  # two trials of four steps
    assert np.all(np.flatnonzero(played.started[:, 0]) == [0, 8, 16])
    assert np.all(played.note.inputs[boundary, :, 2:] == 0)  # neither the last action nor the last reward is seen

    def after(inputs, carry):
        outputs, _, _ = agent.network()(inputs, carry, played.started)
        return outputs[boundary:]

    inputs, carry = played.note.inputs, played.carry
    changed = inputs.at[:boundary].add(1.0), jax.tree.map(lambda c: c + 1.0, carry)
    np.testing.assert_array_equal(after(inputs, carry), after(*changed))
    gradient = jax.grad(lambda x, c: jnp.sum(jnp.sin(after(x, c))), (0, 1))(inputs, carry)
    assert np.all(gradient[0][:boundary] == 0) and np.any(gradient[0][boundary:] != 0)
    assert all(np.all(c == 0) for c in jax.tree.leaves(gradient[1]))
    # and without the boundary it would: the test can fail
    loose, _, _ = agent.network()(changed[0], changed[1], jnp.zeros_like(played.started))
    assert np.abs(loose[boundary:] - after(inputs, carry)).max() > 1e-3


def _train(task, plan, values, updates, key=KEY, hidden=16):
    agent = make_agent(task, "gru", hidden, key, memory=0.0)
    state = start_training(task, key, agent, plan)
    run = jax.jit(partial(train_steps, agent=agent, plan=plan))
    state = run(task, key, values, state, updates - 50)
    return agent, run(task, key, values, state.replace(sums=no_sums()), 50)


@pytest.mark.parametrize("algorithm", ["a2c", "ppo"])
def test_a_constant_reward_is_expected(algorithm):
    # Trials of one step that always bring 1. Alone, a trial is worth 1; with a discount of .5, the session is worth
    # 1 + .5 + .25 + ... = 2.
    task = Probe.create(always=True)
    plan = Plan(algorithm, 16, 8, epochs=2, minibatches=2)
    for trial_discount, worth in ((0.0, 1.0), (1.0, 2.0)):
        values = hyper(discount=0.5, trial_discount=trial_discount)
        _, state = _train(task, plan, values, 300)
        value = np.asarray(state.sessions.carry.note.value)
        np.testing.assert_allclose(value, worth, atol=0.05)
        assert float(state.sums.performance / state.sums.outcomes.sum()) == 1
    assert float(state.sums.steps) == 50 * 16 * 8


def test_a_reward_that_comes_later_is_discounted():
    # Three steps, the last rewarded whatever is done: worth .9 squared, .9 and 1.
    task = Probe.create(always=True, timing={"delay": 200})
    agent, state = _train(task, Plan("a2c", 16, 9), hyper(), 400)
    seen = _played(task, agent.replace(params=state.params), Plan("a2c", 4, 90), hyper()).note.value
    # late in a session, as in training, where the network's state is hardly ever the one it starts from
    np.testing.assert_allclose(np.mean(seen, axis=1)[-3:], [0.81, 0.9, 1.0], atol=0.03)


@pytest.mark.parametrize("algorithm", ["a2c", "ppo"])
def test_what_was_shown_is_remembered_and_done(algorithm):
    # The cue is on in the first of three steps, the answer counts in the last: only memory solves it.
    task = Probe.create(timing={"delay": 200})
    _, state = _train(
        task, Plan(algorithm, 32, 9, epochs=3, minibatches=2), hyper(entropy=0.03, learning_rate=5e-3), 400
    )
    assert float(state.sums.performance / state.sums.outcomes.sum()) > 0.97
    _, state = _train(task.set(blind=True), Plan(algorithm, 32, 9), hyper(), 150)
    assert float(state.sums.performance / state.sums.outcomes.sum()) > 0.97


def test_runs_at_once_are_runs_alone():
    """vmap over keys and hyperparameters: the run is a pure function of (task, key, hyperparameters)."""
    task, plan = Probe.create(timing={"delay": 100}), Plan("ppo", 8, 6, epochs=2, minibatches=2)
    keys = jax.random.split(KEY, 2)
    agent = make_agent(task, "gru", 8, KEY)
    values = jax.tree.map(lambda a, b: np.stack([a, b]), hyper(), hyper(learning_rate=1e-3, entropy=0.1))
    run = partial(train_steps, agent=agent, plan=plan)
    states = [start_training(task, key, agent, plan) for key in keys]
    both = jax.tree.map(lambda *x: jnp.stack(x), *states)
    both = jax.jit(jax.vmap(run, (None, 0, 0, 0, None)))(task, keys, values, both, 3)
    alone = jax.jit(run)
    for i, (key, state) in enumerate(zip(keys, states, strict=True)):
        one = alone(task, key, jax.tree.map(lambda x, i=i: x[i], values), state, 3)
        for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(both), strict=True):
            np.testing.assert_allclose(a, b[i], atol=2e-5)


def test_one_pass_of_ppo_is_a2c():
    """With one epoch over one batch, the ratio is 1 and the clipped surrogate has A2C's gradient."""
    task = Probe.create(timing={"delay": 100})
    agent = make_agent(task, "gru", 8, KEY)
    states = []
    for algorithm in ("a2c", "ppo"):
        plan = Plan(algorithm, 8, 6, epochs=1, minibatches=1)
        state = start_training(task, KEY, agent, plan)
        states.append(jax.jit(partial(train_steps, agent=agent, plan=plan))(task, KEY, hyper(), state, 1))
    for a, b in zip(*(jax.tree.leaves(s.params) for s in states), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
