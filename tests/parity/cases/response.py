"""Go/no-go, and anti-responses."""

from __future__ import annotations

from collections.abc import Callable

from .base import Setting, grid

GO = "GoNogo-v0"
ANTI = "AntiReach-v0"

SETTINGS = [
    Setting("go-defaults", GO, {}, grid(ground_truth=[0, 1])),
    Setting(
        "go-fixation",
        GO,
        {
            "dt": 20,
            "timing": {"fixation": 90, "stimulus": 110, "delay": 0, "decision": 150},
            "rewards": {"abort": -0.3, "correct": 2.0, "fail": -1.0, "miss": -0.7},
        },
        grid(ground_truth=[0, 1]),
    ),
    Setting(
        "go-abort",
        GO,
        {"dt": 50, "timing": {"fixation": 200, "stimulus": 300, "delay": 100, "decision": 200}},
        grid(ground_truth=[0, 1]),
        attributes={"abort": True},
    ),
    Setting("anti-defaults", ANTI, {}, grid(ground_truth=[0, 5, 16, 31]), plays=1),
    Setting(
        "anti-pro",
        ANTI,
        {"anti": False, "dt": 20, "dim_ring": 5, "timing": {"fixation": 90, "stimulus": 120, "delay": 70}},
        grid(ground_truth=[0, 1, 2, 3, 4]),
        plays=1,
    ),
    Setting(
        "anti-abort",
        ANTI,
        {"dt": 50, "dim_ring": 3, "rewards": {"abort": -0.5, "correct": 2.0, "fail": -1.0}},
        grid(ground_truth=[0, 1, 2], anti=[0, 1]),
        attributes={"abort": True},
        plays=1,
    ),
]


def go_nogo_places(name: str, no_go: Callable) -> dict:
    """Where the deviations that all go/no-go tasks share may show; `no_go` tells which trials ask for no response."""
    early = lambda there: ~there.during("decision") & ~there.during("fixation")
    return {
        (name, "performance"): lambda there, task: there.always(no_go(there)),
        (name, "early response"): lambda there, task: early(there),
        (name, "abort"): lambda there, task: early(there) & bool(task.abort),
    }


PLACES = go_nogo_places("GoNogo", lambda there: there.condition("ground_truth") == 0)
