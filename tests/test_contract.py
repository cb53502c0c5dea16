"""`nj.check_task` says what is wrong with a bad task; that it passes the good ones is in test_library.py."""

import itertools
import re

import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.envs.check import ContractError


def test_a_reaction_time_version_keeps_the_contract():
    nj.check_task(nj.reaction_time(nj.make("PerceptualDecisionMaking-v0", timing={"stimulus": 500})))


# ---------------------------------------------------------------------- bad tasks, one a fault


class Good(nj.Task):
    """Look, then say which side was shown. The bad tasks below differ from it in one thing."""

    TIMING = {"look": 100, "decision": 100}
    REWARDS = {"correct": 1.0}

    strength: object = nj.quantity(1.0, low=0, high=5)

    @property
    def channels(self):
        return nj.Channels((("side", 1), ("go", 1)), low=-10.0, high=10.0)

    @property
    def actions(self):
        return nj.Discrete.named(wait=1, side=2)

    def conditions(self, draw, memory):
        return {"side": draw.integer("side", 2)}

    def observe(self, trial, state, t):
        side = jnp.where(trial["side"] == 1, self.strength, -self.strength)
        return {"side": jnp.where(trial.during("look", t), side, 0.0), "go": trial.during("decision", t)}

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), 1 + trial["side"], 0)

    def respond(self, trial, state, action, t, draw):
        decides = trial.during("decision", t) & (action != 0)
        correct = action == 1 + trial["side"]
        reward = jnp.where(decides & correct, self.rewards["correct"], 0.0)
        return nj.consequence(reward=reward, end=decides, correct=correct)


class FloatTarget(Good):
    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), 1.0 + trial["side"], 0.0)


class WrongShape(Good):
    def target(self, trial, state, t):
        return jnp.zeros(2, jnp.int32)


class ReadsAValue(Good):
    def observe(self, trial, state, t):
        return {"side": float(self.strength), "go": trial.during("decision", t)}


class DoubleUnder64Bits(Good):
    def init_state(self, trial):
        return jnp.zeros(())

    def respond(self, trial, state, action, t, draw):
        return super().respond(trial, state, action, t, draw).replace(state=state)


class MixedTypes(Good):
    def observe(self, trial, state, t):
        return {"side": self.strength * trial["side"], "go": trial.during("decision", t)}


class UnknownChannel(Good):
    def observe(self, trial, state, t):
        return {"sde": 1.0}


class NoChannels(Good):
    @property
    def channels(self):
        return {"side": 1}


class DoubleLeaf(Good):
    strength: object = np.float64(1.0)  # not declared with nj.quantity

    def __post_init__(self):
        pass


class Careless(Good):
    """Many faults at once, each of which is told."""

    PERIODS = ("look", "decision", "late")

    spare: object = nj.quantity(1.0)

    def observe(self, trial, state, t):
        shown = super().observe(trial, state, t)
        return {**shown, "go": 20.0 / jnp.where(shown["go"], 1.0, 0.0)}

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), 3 + trial["side"], 0)

    def periods(self, conditions, steps):
        return {**super().periods(conditions, steps), "late": (2, 1)}

    def weight(self, trial, state, t):
        return jnp.where(t == 0, -1.0, 1.0)

    def respond(self, trial, state, action, t, draw):
        came = super().respond(trial, state, action, t, draw)
        return came.replace(performance=2 * came.performance, outcome=jnp.int32(0))


class HiddenLoop(Good):
    """What is shown depends on the subject's actions, but CLOSED_LOOP is not stated."""

    TIMING = {"look": 100, "decision": 300}

    def init_state(self, trial):
        return jnp.int32(0)

    def observe(self, trial, state, t):
        shown = super().observe(trial, state, t)
        return {**shown, "go": jnp.where(shown["go"], 0.5 * state.astype(jnp.float32), 0.0)}

    def target(self, trial, state, t):
        return jnp.where(t == 3, 1 + trial["side"], 1)

    def respond(self, trial, state, action, t, draw):
        correct = action == 1 + trial["side"]
        reward = jnp.where(correct, self.rewards["correct"], 0.0)
        return nj.consequence(reward=reward, end=t == 3, correct=correct, state=action)


_COUNTER = itertools.count()


class Impure(Good):
    """What is shown depends on how often the code was traced."""

    def observe(self, trial, state, t):
        shown = super().observe(trial, state, t)
        return {**shown, "go": jnp.where(shown["go"], 0.001 * (next(_COUNTER) % 1000), 0.0)}


BAD = {
    FloatTarget: "its target is float32; a discrete action is a whole number",
    WrongShape: "its target has shape (2,)",
    ReadsAValue: "it cannot be traced: ConcretizationTypeError",
    DoubleUnder64Bits: "state is float32, but float64 with 64-bit numbers enabled; name the dtype",
    MixedTypes: "it mixes dtypes, or does so with 64-bit numbers enabled: TypePromotionError",
    UnknownChannel: "unknown channel 'sde'; did you mean 'side'?",
    NoChannels: "its channels must be Channels, got {'side': 1}",
    DoubleLeaf: "its leaf .strength is float64; declare it with nj.quantity or nj.flag",
    HiddenLoop: "its rendered and stepped observations differ by up to",
    Impure: "its trials depend on the size of the batch",
}


@pytest.mark.parametrize("bad", BAD, ids=lambda cls: cls.__name__)
def test_a_bad_task_is_told_what_is_wrong(bad):
    with pytest.raises(ContractError, match=re.escape(BAD[bad])) as caught:
        nj.check_task(bad.create())
    assert str(caught.value).startswith(f"{bad.__name__} breaks the contract of a task:\n- ")


def test_all_that_is_wrong_is_told_at_once():
    with pytest.raises(ContractError) as caught:
        nj.check_task(Careless.create())
    said = str(caught.value)
    for fault in (
        ".inputs is not finite somewhere",
        "observations leave the bounds -10.0 .. 10.0 of its channels",
        "its rendered targets are not all valid actions",
        "its stepped targets are not all valid actions",
        "a loss weight is negative",
        "a period ends before it starts, or after the trial",
        "a trial ended without an outcome; pass correct= or outcome= to nj.consequence",
        "performance lies between 0 and 2, not in [0, 1]",
        ".spare has no effect on anything; use it or remove it",
        "playing the target performs at 0.000, below random actions at 0.6",
    ):
        assert fault in said, fault
    # What is right with it is not mentioned.
    assert ".strength" not in said
    assert "depend on the size of the batch" not in said


def test_what_is_no_task_or_was_not_built_is_told_so():
    with pytest.raises(ContractError, match=r"it is a dict; subclass nj\.Task"):
        nj.check_task({})
    with pytest.raises(ContractError, match=r"was not built by Good\.create"):
        nj.check_task(Good())
