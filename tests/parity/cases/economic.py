"""Economic choice."""

from __future__ import annotations

import numpy as np

from .base import Setting, grid

ECO = "EconomicDecisionMaking-v0"
_OFFERS = [(0, 1), (1, 3), (1, 2), (1, 1), (2, 1), (3, 1), (4, 1), (6, 1), (2, 0)]
_TIES = [[2, 1], [4, 2], [3, 1]]

SETTINGS = [
    Setting("eco-defaults", ECO, {}, grid(juice=[0, 1], offer=[0, 3, 4, 5, 8], offer_on=[1234.5]), plays=1),
    Setting(
        "eco-rewards",
        ECO,
        {
            "dt": 50,
            "timing": {"fixation": 300, "offer_on": ["uniform", [200, 500]], "decision": 200},
            "rewards": {"abort": -0.4, "correct": 2.0},
        },
        grid(juice=[0, 1], offer=[4, 5], offer_on=[222.0, 499.0]),
        attributes={"abort": True},
        plays=1,
    ),
    # A drop of B is worth half a drop of A, so that two of three offers are ties.
    Setting(
        "eco-ties",
        ECO,
        {"timing": {"fixation": 200, "offer_on": 300, "decision": 300}},
        grid(juice=[0, 1], offer=[0, 1, 2]),
        attributes={"offers": _TIES},
        here={"B_to_A": 0.5},
        plays=1,
    ),
]


def _tied(there) -> np.ndarray:
    if there.name != "eco-ties":
        return np.zeros(len(there.condition("offer")), bool)
    return there.condition("offer") < 2


PLACES = {
    ("EconomicDecisionMaking", "target"): lambda there, task: there.during("decision"),
    ("EconomicDecisionMaking", "ties"): lambda there, task: there.during("decision") & there.always(_tied(there)),
}


def prepare(machine, setting, conditions):
    """NeuroGym takes juices and offers themselves, and works out the value of a drop when it is built."""
    if "offer_on" in conditions:
        machine.rng.durations = [conditions.pop("offer_on")]
    if "B_to_A" in setting.here:
        machine.base.R_B = setting.here["B_to_A"] * machine.base.R_A
    offers = setting.attributes.get("offers", _OFFERS)
    juices = ("a", "b") if conditions["juice"] == 0 else ("b", "a")
    return {"juice": juices, "offer": tuple(offers[int(conditions["offer"])])}


def oracle(machine, setting, t, trial):
    """The side that is worth more, in the decision: NeuroGym has no target."""
    base = machine.base
    if not base.in_period("decision"):
        return 0
    n_b, n_a = base.trial["offer"]
    a_first = base.trial["juice"][0] == "a"
    values = (n_a * base.R_A, n_b * base.R_B)
    return 1 if (values[0] >= values[1]) == a_first else 2
