"""Agents in sessions: episodes, warm-up trials, and runs that are trained from reward."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.cli.main import main
from neurojax.errors import InvalidArgument
from neurojax.training.agents import Agent, make_agent
from neurojax.training.config import RunConfig, load_config
from neurojax.training.runs import load_run, train

KEY = jax.random.key(5)
TINY = {"updates": 4, "batch_size": 8, "n_steps": 16, "log_every": 2, "checkpoint_every": 2}


class Counting(nj.Task):
    """Trials of two steps that show how many there were before in the session, and a number drawn for the session."""

    TIMING = {"first": 100, "second": 100}
    channels = nj.Channels.named(count=1, mark=1)
    actions = nj.Discrete.named(wait=1, go=1)

    def init_memory(self, draw):
        return {"count": jnp.int32(0), "mark": draw.uniform("mark")}

    def next_memory(self, memory, trial, result, draw):
        return {**memory, "count": memory["count"] + 1}

    def conditions(self, draw, memory):
        return {
            "count": draw.remembered("count", memory["count"]),
            "mark": draw.remembered("mark", memory["mark"]),
            "side": draw.integer("side", 2),
        }

    def observe(self, trial, state, t):
        return {"count": trial["count"], "mark": trial["mark"]}

    def target(self, trial, state, t):
        return trial["side"]

    def respond(self, trial, state, action, t, draw):
        return nj.consequence(reward=jnp.float32(action), end=trial.last(t), correct=action == trial["side"])


def test_an_episode_starts_afresh_and_pieces_are_the_whole():
    task = Counting.create()
    agent = make_agent(task, "gru", 4, KEY)
    run = lambda steps, state=None: nj.rollout(task, KEY, 3, steps, policy=agent, state=state, episode_trials=3)
    whole = run(20).trajectory
    assert whole is not None
    counts = np.asarray(whole.observations[..., 0])
    np.testing.assert_array_equal(counts[0], np.tile(np.repeat([0, 1, 2], 2), 4)[:20])
    starts = np.flatnonzero(whole.started[0])
    np.testing.assert_array_equal(starts, [0, 6, 12, 18])
    marks = np.asarray(whole.observations[..., 1])
    assert len({tuple(marks[:, start]) for start in starts}) == 4  # each episode draws its own memory
    past = np.asarray(whole.notes.inputs)[..., 2:]  # last action, one-hot, and last reward
    assert np.all(past[:, starts] == 0)
    later = np.setdiff1d(np.arange(1, 20), starts)
    np.testing.assert_array_equal(past[:, later, 2], np.asarray(whole.rewards)[:, later - 1])
    np.testing.assert_array_equal(np.argmax(past[:, later, :2], axis=-1), np.asarray(whole.actions)[:, later - 1])
    first = run(7)
    second = run(13, first.state)
    for a, b, c in zip(*map(jax.tree.leaves, (first.trajectory, second.trajectory, whole)), strict=True):
        np.testing.assert_array_equal(np.concatenate([a, b], axis=1), c)
    with pytest.raises(InvalidArgument, match="episode_trials"):
        nj.rollout(task, KEY, 3, 4, policy=agent, state=first.state)
    endless = nj.rollout(task, KEY, 3, 20, policy=agent).trajectory
    assert endless is not None
    assert np.flatnonzero(endless.started).tolist() == [0, 20, 40] and endless.observations[0, -1, 0] == 9


def test_trials_are_played_after_others_of_the_session():
    task = Counting.create()
    agent = make_agent(task, "gru", 4, KEY)
    alone = nj.play(task, KEY, 64, policy=agent, side=1)
    later = nj.play(task, KEY, 64, policy=agent, side=1, warmup=3)
    assert np.all(alone.conditions["count"] == 0) and np.all(later.conditions["count"] == 3)
    np.testing.assert_array_equal(later.conditions["mark"], alone.conditions["mark"])
    assert np.all(later.conditions["side"] == 1)
    with pytest.raises(InvalidArgument, match="warmup"):
        nj.play(task, KEY, 2, policy=agent, warmup=-1)


def test_a_continuous_agent_acts_within_bounds_and_keeps_what_it_drew():
    task = nj.make("ReachingDelayResponse-v0", dt=100)
    agent = make_agent(task, "gru", 4, KEY, spread=2.0)
    seen = nj.rollout(task, KEY, 32, 30, policy=agent).trajectory
    assert seen is not None
    drawn, done = np.asarray(seen.notes.drawn), np.asarray(seen.actions)
    low, high = task.actions.bounds()
    np.testing.assert_allclose(done, np.clip(drawn, low, high), atol=1e-6)
    assert np.any(drawn != done)
    # the density of what was drawn: a normal around the output, with the agent's spread
    z = (drawn - np.asarray(agent.params["network"]["b_out"][...])[:-1]) / np.exp(agent.params["log_std"])
    assert abs(z.std() - 1) < 0.05
    by_hand = np.sum(-0.5 * z**2 - agent.params["log_std"] - 0.5 * np.log(2 * np.pi), axis=-1)
    assert np.median(np.abs(by_hand - seen.notes.log_probability)) < 0.05  # outputs are near b_out before training


def test_the_hazard_of_a_response_is_the_same_for_any_dt():
    for dt in (20, 100):
        task = nj.make("PerceptualDecisionMaking-v0", dt=dt)
        agent = make_agent(task, "gru", 4, KEY, hazard=2.0)
        actions = np.asarray(nj.rollout(task, KEY, 256, 40, policy=agent).trajectory.actions)
        rest = float(np.mean(actions == 0))
        assert abs(rest - np.exp(-2.0 * dt / 1000)) < 0.01
        assert abs(np.mean(actions == 1) / np.mean(actions == 2) - 1) < 0.1  # the others are as likely as each other


def test_a_greedy_agent_takes_the_likeliest_action():
    task = nj.make("GoNogo-v0")
    agent = make_agent(task, "gru", 4, KEY)
    agent.params["network"]["b_out"][...] = jnp.asarray([0.0, 0.5, 0.0])
    share = lambda a: float(np.mean(nj.rollout(task, KEY, 64, 100, policy=a).trajectory.actions))
    assert abs(share(agent) - 1 / (1 + np.exp(-0.5))) < 0.02
    assert share(agent.replace(greedy=True)) == 1


def test_a_run_from_reward_is_resumed_bit_for_bit_and_loaded(tmp_path):
    training = {"algorithm": "ppo", "schedule": "constant", **TINY}
    config = RunConfig(task={"id": "GoNogo-v0"}, network={"hidden": 8}, training=training)
    assert config.task.dt == "default" and config.network.memory == 0  # what is not stated is the algorithm's
    whole = train(config, tmp_path / "whole")
    train(config.replace({"training.updates": 2}), tmp_path / "part")
    rest = train(config, tmp_path / "part", resume=True)
    for a, b in zip(jax.tree.leaves(whole.network.params), jax.tree.leaves(rest.network.params), strict=True):
        np.testing.assert_array_equal(a, b)
    assert rest.metrics["update"] == [2, 4]
    assert rest.metrics["reward"] == pytest.approx(whole.metrics["reward"], rel=1e-6)  # written to nine digits
    loaded = load_run(tmp_path / "part")
    assert isinstance(loaded.network, Agent) and load_config(tmp_path / "part").reinforcement == config.reinforcement
    again = nj.play(loaded.task, KEY, 4, policy=loaded.network).result
    np.testing.assert_array_equal(again.choice, nj.play(whole.task, KEY, 4, policy=whole.network).result.choice)
    with pytest.raises(InvalidArgument, match=r"reinforcement\.discount"):
        train(config.replace({"reinforcement.discount": 0.5}), tmp_path / "part", resume=True)


def test_the_command_trains_from_reward_and_reports(tmp_path, capsys):
    words = ["train", "PerceptualDecisionMaking-v0", "--algorithm", "a2c", "--hidden", "8", "--evaluation-trials", "20"]
    words += ["--monitor"]
    words += [f"--{name.replace('_', '-')}={value}" for name, value in TINY.items()]
    assert main([*words, "--entropy", "0.02", "--quiet", "--json", "--out", str(tmp_path / "run")]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["algorithm"] == "a2c" and summary["trials_trained"] is None
    assert {"response_rate", "accuracy_given_response", "abort_rate"} <= set(summary["overall"])
    assert load_config(tmp_path / "run").reinforcement.entropy == 0.02
    header = (tmp_path / "run" / "metrics.csv").read_text().splitlines()[0]
    assert header == "update,loss,accuracy,response_rate,accuracy_given_response,abort_rate,reward,entropy,seconds"
    report = (tmp_path / "run" / "report.html").read_text()
    assert "What the agent did" in report and "takes its likeliest action" in report
    record = nj.Monitor.open(tmp_path / "run" / "monitor")
    trials = record.trials()
    assert sorted(set(trials["update"])) == [2, 4] and len(trials) == 2 * 16 * 20
    assert record.scalars()["accuracy"].notna().sum() == 2
    assert (tmp_path / "run" / "monitor" / "monitor.png").stat().st_size > 10_000
    assert main(["evaluate", str(tmp_path / "run"), "--json"]) == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"training": {"algorithm": "ppa"}}, "training.algorithm"),
        ({"reinforcement": {"discount": 1.5}}, "reinforcement.discount"),
        ({"reinforcement": {"discont": 0.9}}, "discount"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(InvalidArgument, match=message):
        RunConfig(**settings)


def test_sessions_must_divide_into_minibatches():
    config = RunConfig(training={"algorithm": "ppo", **TINY, "batch_size": 6})
    with pytest.raises(InvalidArgument, match="batch_size=6 does not divide"):
        train(config)
