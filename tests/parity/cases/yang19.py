"""The twenty tasks of Yang et al. (2019).

NeuroGym takes no conditions for most of them: its generator is made to draw what the conditions say.
"""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np

from .base import Setting, ring

_REACH = ("fixation", "decision")
_MATCH = ("fixation", "delay", "decision")


def _setting(name: str, short: str, keywords: dict[str, Any], conditions: list, periods, **more) -> Setting:
    return Setting(
        f"yang19-{name}", f"yang19.{short}-v0", keywords, conditions, periods=periods, plays=1, series=False, **more
    )


def _reach(size: int, *units: int) -> list[dict[str, float]]:
    """Stimuli at some units, on either ring."""
    return [{"theta1": ring(size)[unit], "modality": i % 2} for i, unit in enumerate(units)]


def _two(size: int, *trials: tuple[int, int, float, float, float, float]) -> list[dict[str, float]]:
    """Units of the two stimuli, and how strong they are: on the first ring, then on the second."""
    names = ("coh1_mod1", "coh2_mod1", "coh1_mod2", "coh2_mod2")
    return [
        {"theta1": ring(size)[a], "theta2": ring(size)[b], **dict(zip(names, strengths, strict=True))}
        for a, b, *strengths in trials
    ]


def _match(size: int, *trials: tuple[int, int]) -> list[dict[str, float]]:
    return [{"theta1": ring(size)[a], "theta2": ring(size)[b], "modality": i % 2} for i, (a, b) in enumerate(trials)]


_ONE = [(3, 10, 0.54, 0.46, 0.0, 0.0), (9, 8, 0.34, 0.66, 0.0, 0.0)]
_OTHER = [(3, 10, 0.0, 0.0, 0.54, 0.46), (9, 8, 0.0, 0.0, 0.34, 0.66)]
_BOTH = [(3, 10, 0.54, 0.46, 0.34, 0.66), (0, 15, 0.42, 0.58, 0.66, 0.34)]
_DELAYED_ONE = [(3, 10, 0.6, 1.0, 0.0, 0.0), (9, 8, 0.6, 0.3, 0.0, 0.0)]
_DELAYED_OTHER = [(3, 10, 0.0, 0.0, 0.6, 1.0), (9, 8, 0.0, 0.0, 0.6, 0.3)]
_DELAYED_BOTH = [(3, 10, 0.6, 1.0, 1.0, 0.3), (0, 15, 1.0, 0.6, 0.3, 0.6)]
_EVEN = {"timing": {"fixation": 300, "stimulus": 500}}
_DELAYED = {"timing": {"fixation": 300}}
_PERIODS = {"dm": ("fixation", "stimulus", "decision"), "dlydm": ("fixation", "delay", "decision")}

SETTINGS = [
    _setting("go", "go", {}, _reach(16, 0, 5, 11), ("fixation", "stimulus", "delay", "decision")),
    _setting(
        "go-small",
        "go",
        {"dt": 20, "dim_ring": 6, "timing": {"stimulus": 90, "delay": 60}, "rewards": {"abort": -0.5, "fail": -1.0}},
        _reach(6, 1, 4),
        ("fixation", "stimulus", "delay", "decision"),
    ),
    _setting("rtgo", "rtgo", {"dim_ring": 8}, _reach(8, 2, 7), _REACH),
    _setting("dlygo", "dlygo", {"dt": 50}, _reach(16, 8), ("fixation", "stimulus", "delay", "decision")),
    _setting("anti", "anti", {}, _reach(16, 1, 14), ("fixation", "stimulus", "delay", "decision")),
    _setting("rtanti", "rtanti", {"rewards": {"correct": 2.0}}, _reach(16, 15), _REACH),
    _setting("dlyanti", "dlyanti", {"dim_ring": 10}, _reach(10, 3), ("fixation", "stimulus", "delay", "decision")),
    _setting("dm1", "dm1", _EVEN, _two(16, *_ONE), _PERIODS["dm"]),
    _setting(
        "dm1-fine",
        "dm1",
        {"dt": 20, "dim_ring": 5, "sigma": 0.3, "cohs": [0.5], "timing": {"fixation": 70, "stimulus": 100}},
        _two(5, (0, 1, 0.75, 0.25, 0.0, 0.0), (4, 2, 0.25, 0.75, 0.0, 0.0)),
        _PERIODS["dm"],
    ),
    _setting("dm2", "dm2", _EVEN, _two(16, *_OTHER), _PERIODS["dm"]),
    _setting("ctxdm1", "ctxdm1", _EVEN, _two(16, *_BOTH), _PERIODS["dm"]),
    _setting("ctxdm2", "ctxdm2", _EVEN, _two(16, *_BOTH), _PERIODS["dm"]),
    _setting("multidm", "multidm", _EVEN, _two(16, *_BOTH), _PERIODS["dm"]),
    _setting(
        "multidm-weighed",
        "multidm",
        {**_EVEN, "w_mod": (1, 3), "sigma": 2.0, "rewards": {"fail": -0.3}},
        _two(16, *_BOTH),
        _PERIODS["dm"],
    ),
    _setting("dlydm1", "dlydm1", _DELAYED, _two(16, *_DELAYED_ONE), _PERIODS["dlydm"]),
    _setting("dlydm2", "dlydm2", _DELAYED, _two(16, *_DELAYED_OTHER), _PERIODS["dlydm"]),
    _setting("ctxdlydm1", "ctxdlydm1", _DELAYED, _two(16, *_DELAYED_BOTH), _PERIODS["dlydm"]),
    _setting("ctxdlydm2", "ctxdlydm2", _DELAYED, _two(16, *_DELAYED_BOTH), _PERIODS["dlydm"]),
    _setting("multidlydm", "multidlydm", _DELAYED, _two(16, *_DELAYED_BOTH), _PERIODS["dlydm"]),
    _setting(
        "multidlydm-short",
        "multidlydm",
        {"dt": 50, "timing": {"fixation": 100, "stim1": 150, "delay": 200, "stim2": 250, "decision": 300}},
        _two(16, *_DELAYED_BOTH),
        _PERIODS["dlydm"],
    ),
    _setting("dms", "dms", {}, _match(16, (3, 3), (12, 4)), _MATCH),
    _setting("dnms", "dnms", {"dim_ring": 8, "sigma": 0.5}, _match(8, (5, 5), (5, 1)), _MATCH),
    _setting(
        "dms-short",
        "dms",
        {"dt": 20, "dim_ring": 4, "timing": {"sample": 60, "delay": 80, "test": 50, "decision": 100}},
        _match(4, (1, 1), (3, 1)),
        _MATCH,
    ),
    _setting("dmc", "dmc", {}, _match(16, (3, 6), (9, 15), (1, 8), (8, 13), (8, 2)), _MATCH),
    _setting("dnmc", "dnmc", {}, _match(16, (3, 6), (12, 1)), _MATCH),
]

# Each rule at its defaults and at two other settings: what the list above lacks.
_COARSE = {"dt": 50, "dim_ring": 8, "rewards": {"abort": -0.5, "correct": 2.0, "fail": -1.0}}
_SHORT: dict[str, dict[str, Any]] = {
    "go": {"dt": 20, "timing": {"fixation": 110, "decision": 200}},
    "dly": {"dt": 20, "rewards": {"abort": -0.2}},  # NeuroGym overwrites a timing that is given
    "dm": {"dt": 20, "sigma": 0.4, "timing": {"fixation": 70, "stimulus": 100, "decision": 120}},
    "dlydm": {
        "dt": 20,
        "sigma": 0.4,
        "timing": {"fixation": 60, "stim1": 110, "delay": 90, "stim2": 100, "decision": 120},
    },
    "match": {"dt": 20, "sigma": 0.4, "timing": {"sample": 60, "delay": 80, "test": 50, "decision": 100}},
}
_STRENGTHS = {
    "dm1": (_ONE, _DELAYED_ONE),
    "dm2": (_OTHER, _DELAYED_OTHER),
}


def _others(short: str) -> list[Setting]:
    """Three settings of a rule: its defaults, and two others."""
    out = []
    for name, size in (("defaults", 16), ("coarse", 8), ("short", 16)):
        if short.endswith(("go", "anti")):
            kind, conditions = ("dly" if short.startswith("dly") else "go"), _reach(size, 1, 6)
            periods: Any = _REACH if short.startswith("rt") else ("fixation", "stimulus", "delay", "decision")
        elif short[-2:] in ("ms", "mc"):
            pairs = [(1, 1), (2, 6), (5, 3)] if short[-2:] == "mc" else [(1, 1), (2, 2 + size // 2)]
            kind, conditions, periods = "match", _match(size, *pairs), _MATCH
        else:
            kind = "dlydm" if "dly" in short else "dm"
            rows = _STRENGTHS.get(short.replace("dly", ""), (_BOTH, _DELAYED_BOTH))["dly" in short]
            conditions = _two(size, *[(1 + i, 6 - i, *row[2:]) for i, row in enumerate(rows)])
            periods = _PERIODS[kind]
        fixed = {"dm": _EVEN, "dlydm": _DELAYED}.get(kind, {})
        keywords = {"defaults": fixed, "coarse": {**fixed, **_COARSE}, "short": _SHORT[kind]}[name]
        out.append(_setting(f"{short}-{name}", short, keywords, conditions, periods))
    return out


_RULES = (
    *("go", "rtgo", "dlygo", "anti", "rtanti", "dlyanti", "dm1", "dm2", "ctxdm1", "ctxdm2", "multidm"),
    *("dlydm1", "dlydm2", "ctxdlydm1", "ctxdlydm2", "multidlydm", "dms", "dnms", "dmc", "dnmc"),
)
for _rule in _RULES:
    _known = [setting.keywords for setting in SETTINGS if setting.task == f"yang19.{_rule}-v0"]
    _defaults = any(keywords in ({}, _EVEN, _DELAYED) for keywords in _known)
    SETTINGS += _others(_rule)[int(_defaults) : max(3 - len(_known) + int(_defaults), 0)]


def make(setting: Setting):
    """NeuroGym's task; of two that take turns, one on either ring, the first: `prepare` says on which ring it is."""
    import gymnasium

    importlib.import_module("neurogym")  # which registers its tasks
    return gymnasium.make(setting.task, disable_env_checker=True, **setting.keywords)


def _unit(theta: float, size: int) -> int:
    return round(theta * size / (2 * math.pi)) % size


def prepare(machine, setting: Setting, conditions: dict) -> dict:
    """NeuroGym's draws, for what the conditions say."""
    base = machine.base
    size = len(base.theta)
    first, second = (_unit(conditions.get(name, 0.0), size) for name in ("theta1", "theta2"))
    if "modality" in conditions:
        start = 1 + int(conditions["modality"]) * size
        base.observation_space.name["stimulus"] = np.arange(start, start + size)
    if hasattr(base, "anti"):
        return {"ground_truth": (first + size // 2 * base.anti) % size}
    if hasattr(base, "matchgo"):
        half = size // 2
        categories = (int(first > half), int(second >= half))
        alike = categories[0] == categories[1] if base.matchto == "category" else first == second
        said = "match" if alike else "non-match"
        machine.rng.script["choice"] = [said, first, second % half][: 3 if base.matchto == "category" else 2]
        return {"ground_truth": said}
    draws: list[Any] = [first, second]
    for m in (1, 2):
        if getattr(base, f"stim_mod{m}"):
            strengths = [conditions[f"coh{s}_mod{m}"] for s in (1, 2)]
            coherence = round(strengths[0] - strengths[1], 6)
            draws += [strengths] if base.delaycomparison else [abs(coherence), 1 if coherence > 0 else -1]
    machine.rng.script["choice"] = draws
    return {}


def _holds(there, task):
    """The last step of a trial in which fixation is to be held."""
    steps = np.arange(there.arrays["targets"].shape[1])
    last = steps == there.arrays["lengths"][:, None] - 1
    return last & (there.arrays["targets"] == 0).all(axis=1)[:, None]


def _half_way(there, task):
    """Trials whose sample lies on NeuroGym's boundary."""
    sample = there.condition("theta1") if task.category else np.zeros(len(there.arrays["lengths"]))
    return there.always(np.isclose(sample, math.pi))


PLACES = {("Yang19", "holding fixation"): _holds, ("Yang19", "category boundary"): _half_way}
