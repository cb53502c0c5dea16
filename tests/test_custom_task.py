"""A user's task, in under thirty lines: registered, made, checked, rendered, stepped."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.core import registry
from neurojax.errors import InvalidArgument, UnknownName

KEY = jax.random.key(6)


class ToneDiscrimination(nj.Task):
    """Which of two tones was higher?"""

    TIMING = {"first": 100, "pause": (200, 400), "second": 100, "decision": 200}
    REWARDS = {"correct": 1.0, "fail": -1.0, "abort": -0.5}
    TAGS = ("auditory",)
    abort: nj.Array = nj.flag(False, doc="whether an answer to the first tone ends the trial")
    strict_fixation: nj.Array = nj.flag(False, doc="the same, of any early answer")
    sigma: nj.Array = nj.quantity(0.1, low=0, doc="noise")
    pitches: nj.Array = nj.quantity((1.0, 2.0, 3.0), many=True, above=0, units="kHz", doc="pitches")
    channels = property(lambda self: nj.Channels.named(go=1, tone=1))
    actions = property(lambda self: nj.Discrete.named(wait=1, first=1, second=1))

    def conditions(self, draw, memory):
        low, up = draw.choice("low", self.pitches), draw.flip("second_higher")
        return {"first": jnp.where(up, low, 1.2 * low), "second": jnp.where(up, 1.2 * low, low), "up": up}

    def observe(self, trial, state, t):
        tone = jnp.where(trial.during("first", t), trial["first"], trial["second"])
        on = trial.during("first", t) | trial.during("second", t)
        return {"go": trial.during("decision", t), "tone": jnp.where(on, tone, 0.0)}

    def noise(self, trial, state, t, draw):
        return {"tone": self.sigma * draw.normal("tone")}

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), jnp.where(trial["up"], 2, 1), 0)

    def respond(self, trial, state, action, t, draw):
        right = action == jnp.where(trial["up"], 2, 1)
        return nj.fixate_then_choose(self, trial, action, t, right, fixate="first")


@pytest.fixture(scope="module", autouse=True)
def registered():
    nj.register("ToneDiscrimination-v0", ToneDiscrimination)
    yield
    del registry._FACTORIES["ToneDiscrimination-v0"]


@pytest.fixture(scope="module")
def task():
    return nj.make("ToneDiscrimination-v0")


def test_it_is_short():
    lines = inspect.getsource(ToneDiscrimination).splitlines()
    assert len([line for line in lines if line.strip()]) <= 32


def test_it_keeps_the_contract(task):
    nj.check_task(task)


def test_it_is_registered(task):
    assert "ToneDiscrimination-v0" in nj.registered()
    assert nj.registered(tag="auditory") == ["ToneDetection-v0", "ToneDiscrimination-v0"]
    assert type(task) is ToneDiscrimination
    with pytest.raises(InvalidArgument, match="'ToneDiscrimination-v0' is registered already; raise its version"):
        nj.register("ToneDiscrimination-v0", ToneDiscrimination)


def test_it_is_rendered(task):
    batch = nj.render(task, KEY, 64, devices=1, second_higher=True, low=2.0)
    assert batch.inputs.shape == (64, 8, 2)
    np.testing.assert_allclose(batch.conditions["second"], 2.4, rtol=1e-6)
    assert set(np.asarray(batch.lengths).tolist()) == {6, 8}  # two tones, a pause of 2 or 4 steps, two to answer
    assert int(batch.targets.max()) == 2
    # The tones that were shown: 2.0 at first, 2.4 after the pause, under noise of .1.
    np.testing.assert_allclose(batch.inputs[:, 0, 1], 2.0, atol=0.5)
    assert float(jnp.mean(batch.inputs[:, 0, 1])) == pytest.approx(2.0, abs=0.05)


def test_it_is_stepped(task):
    metrics = nj.rollout(task, KEY, 64, 50, policy="oracle", output="metrics", devices=1).metrics.summary()
    assert metrics["performance"] == 1
    # Random actions all but always break fixation: only (1/3)^4 or less get to the decision.
    strict = task.set(strict_fixation=True)
    broken = nj.rollout(strict, KEY, 64, 50, output="metrics", devices=1).metrics.summary()
    assert broken["abort_rate"] > 0.95
    env = nj.Env(task)
    _, state = env.reset(KEY)
    assert float(env.step(KEY, state, 0)[2]) == 0


def test_its_parameters_are_validated_and_vmap(task):
    with pytest.raises(UnknownName, match="unknown keyword 'sgima' in ToneDiscrimination; did you mean 'sigma'"):
        nj.make("ToneDiscrimination-v0", sgima=1)
    with pytest.raises(InvalidArgument, match=r"sigma must be a finite number of 0 or more, got -1"):
        task.set(sigma=-1)
    with pytest.raises(InvalidArgument, match="pitches must be a non-empty list of finite numbers above 0, got"):
        task.set(pitches=[])
    spread = jax.vmap(lambda s: jnp.std(nj.render(task.set(sigma=s), KEY, 64, devices=1).inputs[:, 1:3, 1]))
    np.testing.assert_allclose(spread(jnp.asarray([0.0, 1.0])), [0, 1], atol=0.25)


def test_a_factory_of_keywords_can_be_registered_too():
    nj.register("EasyTone-v1", lambda loud=0.0: ToneDiscrimination.create(sigma=loud))
    try:
        assert float(nj.make("EasyTone-v1", loud=2).sigma) == 2
    finally:
        del registry._FACTORIES["EasyTone-v1"]


@pytest.mark.parametrize(
    ("id", "factory", "said"),
    [
        ("Tone", ToneDiscrimination, "id must be a name with a version, such as 'MyTask-v0', got 'Tone'"),
        (3, ToneDiscrimination, "id must be a name with a version, such as 'MyTask-v0', got 3"),
        ("Tone-v0", "ToneDiscrimination", "factory must be a Task subclass or a function, got 'ToneDiscrimination'"),
    ],
)
def test_bad_registrations_are_refused(id, factory, said):
    with pytest.raises(InvalidArgument, match=said):
        nj.register(id, factory)


def test_a_factory_that_returns_no_task_is_told_so():
    nj.register("NoTask-v0", dict)
    try:
        with pytest.raises(InvalidArgument, match="the factory of 'NoTask-v0' returned dict, not a task"):
            nj.make("NoTask-v0")
    finally:
        del registry._FACTORIES["NoTask-v0"]
