"""Delayed matching."""

from __future__ import annotations

from .base import Setting, grid, ring

DMS = "DelayMatchSample-v0"

SETTINGS = [
    Setting("dms-defaults", DMS, {}, grid(ground_truth=[1, 2], sample_theta=ring(2))),
    Setting(
        "dms-ring4",
        DMS,
        {"dt": 20, "dim_ring": 4, "sigma": 0.3, "timing": {"delay": 210, "sample": 100, "test": 130, "decision": 200}},
        grid(ground_truth=[1, 2], sample_theta=ring(4)),
    ),
    Setting(
        "dms-abort",
        DMS,
        {"dt": 50, "dim_ring": 8, "sigma": 2.0, "rewards": {"abort": -1.0, "correct": 0.5, "fail": -0.2}},
        grid(ground_truth=[1, 2], sample_theta=ring(8)),
        attributes={"abort": True},
        plays=2,
    ),
]
