"""PerceptualDecisionMaking in blocks. NeuroGym's other tasks of this family raise an error at the first step."""

from __future__ import annotations

from .base import Setting, grid

IBL20 = "perceptualdecisionmaking.ibl20-v0"

SETTINGS = [
    Setting("ibl20-defaults", IBL20, {}, grid(ground_truth=[0, 1], coh=[0, 6.4, 51.2]), plays=1),
    Setting(
        "ibl20-abort",
        IBL20,
        {
            "dt": 20,
            "cohs": [3.2, 25.6],
            "sigma": 0.7,
            "abort": True,
            "timing": {"fixation": 90, "stimulus": 300, "delay": 120, "decision": 200},
            "rewards": {"abort": -0.3, "correct": 2.0, "fail": -0.5},
        },
        grid(ground_truth=[0, 1], coh=[3.2, 25.6]),
        plays=1,
    ),
    Setting(
        "ibl20-no-fixation",
        IBL20,
        {"dt": 50, "cohs": [12.8], "timing": {"fixation": 0, "stimulus": 475, "delay": 80, "decision": 330}},
        grid(ground_truth=[0, 1], coh=[12.8]),
        plays=1,
    ),
]


def notes(machine, setting):
    """The blocks of the collection, whose wrappers are not driven: trial by trial, over some blocks."""
    import gymnasium
    import neurogym  # noqa: F401

    if setting.name != "ibl20-defaults":
        return {}
    env = gymnasium.make(IBL20, disable_env_checker=True)
    layers = []
    while env is not env.unwrapped:
        layers.append(env)
        env = env.env
    scheduled = next(layer for layer in layers if hasattr(layer, "attr_list"))
    return {
        "probabilities": [list(attributes["p"]) for attributes in scheduled.attr_list],
        "blocks": [int(scheduled.schedule()) for _ in range(400)],
    }
