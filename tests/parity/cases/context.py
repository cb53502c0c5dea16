"""ContextDecisionMaking and MultiSensoryIntegration."""

from __future__ import annotations

from .base import Setting, grid

CDM = "ContextDecisionMaking-v0"
MULTI = "MultiSensoryIntegration-v0"
_NAMES = {"coh_1": "coherence_1", "coh_2": "coherence_2"}

SETTINGS = [
    Setting(
        "cdm-defaults",
        CDM,
        {"timing": {"delay": 300}},
        grid(ground_truth=[1, 2], other_choice=[1, 2], context=[0], coh_1=[5, 15], coh_2=[50]),
        names=_NAMES,
        plays=1,
    ),
    Setting(
        "cdm-explicit",
        CDM,
        {
            "dt": 50,
            "use_expl_context": True,
            "dim_ring": 4,
            "sigma": 0.5,
            "abort": True,
            "timing": {"fixation": 150, "stimulus": 210, "delay": 120, "decision": 200},
            "rewards": {"abort": -0.5, "correct": 2.0},
        },
        grid(ground_truth=[1, 4], other_choice=[2, 3], context=[0, 1], coh_1=[5], coh_2=[50]),
        names=_NAMES,
        plays=1,
    ),
    Setting(
        "cdm-second",
        CDM,
        {"impl_context_modality": 1, "timing": {"fixation": 0, "stimulus": 300, "delay": 0, "decision": 300}},
        grid(ground_truth=[1, 2], other_choice=[1, 2], context=[1], coh_1=[50], coh_2=[15]),
        names=_NAMES,
        plays=1,
    ),
    Setting("multi-defaults", MULTI, {}, grid(ground_truth=[0, 1], coh=[5, 15, 50], coh_prop=[0.25]), plays=2),
    Setting(
        "multi-ring4",
        MULTI,
        {
            "dt": 20,
            "dim_ring": 4,
            "sigma": 0.7,
            "timing": {"fixation": 70, "stimulus": 130, "decision": 100},
            "rewards": {"abort": -0.3, "correct": 3.0},
        },
        grid(ground_truth=[0, 1, 2, 3], coh=[50], coh_prop=[0.0, 0.9]),
        plays=1,
    ),
    Setting(
        "multi-abort",
        MULTI,
        {"dt": 50, "dim_ring": 3, "timing": {"fixation": 200, "stimulus": 250, "decision": 200}},
        grid(ground_truth=[0, 1, 2], coh=[15], coh_prop=[0.5]),
        attributes={"abort": True},
        plays=2,
    ),
]

PLACES = {
    ("ContextDecisionMaking", "go cue"): lambda there, task: there.during("stimulus") | there.during("delay"),
}
