"""The twenty tasks of Yang et al. (2019): their parameters in NeuroGym and in the paper, and all of them as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import canonical, parameters, quantity
from neurojax.core.registry import Variant
from neurojax.core.stack import stack
from neurojax.core.task import Task, merged
from neurojax.errors import InvalidArgument, unknown
from neurojax.modifiers.base import Modifier
from neurojax.tasks.yang19_rules import Yang19, translate

# In the order of the authors' rule inputs.
RULES = (
    "go", "rtgo", "dlygo", "anti", "rtanti", "dlyanti",
    "dm1", "dm2", "ctxdm1", "ctxdm2", "multidm",
    "dlydm1", "dlydm2", "ctxdlydm1", "ctxdlydm2", "multidlydm",
    "dms", "dnms", "dmc", "dnmc",
)  # fmt: skip

# ---------------------------------------------------------------------- the twenty, as parameters

# Which modality is shown and counts, by the name of a comparison without "dm".
_WEIGHED = {
    "1": {"shows_mod2": False},
    "2": {"shows_mod1": False},
    "ctx1": {"weights": [1.0, 0.0]},
    "ctx2": {"weights": [0.0, 1.0]},
    "multi": {},
}


def _fixed(ms: float) -> tuple[str, tuple[float, float]]:
    """A duration that is the same in each trial, as the law of the rules whose duration is not."""
    return ("uniform", (ms, ms))


def _one_of(*ms: float) -> tuple[str, list[float]]:
    return ("choice", list(ms))


def _timing(*laws: Any) -> dict[str, Any]:
    return dict(zip(Yang19.TIMING, laws, strict=True))


def _neurogym(name: str) -> dict[str, Any]:
    """A rule's parameters in NeuroGym, repaired."""
    out: dict[str, Any] = {"rule": RULES.index(name)}
    if name.endswith(("go", "anti")):
        stimulus, delay = _one_of(*[500] * 3), 500 if name.startswith("dly") else 0
        reacts = name.startswith("rt")
        out["timing"] = _timing(_fixed(500), _one_of(0, 0, 0) if reacts else stimulus, delay, 0, 0, 500)
        return {**out, "anti": name.endswith("anti"), "stays": reacts}
    out |= {"stays": False, "cue_until_go": False, "sigma": 1.0}
    if "dm" in name and name[-2:] not in ("ms", "mc"):
        start = ("uniform", (200, 500))
        out |= {"compares": True, **_WEIGHED[name.replace("dly", "").replace("dm", "")]}
        if "dly" not in name:
            timing = _timing(start, _one_of(200, 400, 600), 0, 0, 0, 200)
            return {**out, "timing": timing, "mean": 0.5}
        timing = _timing(start, _one_of(*[500] * 3), 1000, 500, 0, 200)
        return {**out, "timing": timing, "sequential": True, "pairs": True, "coherences": [0.3, 0.6, 1.0, 1.0]}
    timing = _timing(_fixed(300), _one_of(*[500] * 3), 1000, 500, 0, 900)
    match = {"matches": True, "category": name.endswith("mc"), "match_go": "n" not in name}
    return {**out, **match, "timing": timing, "sequential": True, "apart": 180}


def _paper(name: str) -> dict[str, Any]:
    """A rule's parameters in the authors' code, where they differ."""
    short, delays = _one_of(200, 400, 600), _one_of(200, 400, 800, 1600)
    no_delay, no_second, no_pause = _one_of(*[0] * 4), _one_of(0, 0, 0), ("uniform", (0, 0))
    last = _one_of(*[500] * 3)
    end = (no_second, no_pause, last)
    if name.startswith("rt"):
        timing = _timing(("uniform", (500, 2500)), ("uniform", (0, 0)), no_delay, *end)
        return {"timing": timing, "stays": True, "cue_stays": True}
    if name in ("dlygo", "dlyanti"):
        return {"timing": _timing(_one_of(300, 500, 700), short, delays, *end)}
    if name in ("go", "anti"):
        return {"timing": _timing(("uniform", (300, 700)), ("uniform", (500, 1500)), no_delay, *end), "stays": True}
    if name in ("dms", "dnms", "dmc", "dnmc"):
        timing = _timing(short, short, delays, no_second, no_pause, short if name.endswith("mc") else last)
        more = {"stays": True, "cue_stays": True, "same_modality": False, "apart": 20}
        return {"timing": timing, **more}
    out = {"contrast": 1.0, "mean": 1.0, "jitter": 0.2, "apart": 90, "pairs": False}
    if name.startswith("multi"):
        out |= {"shared": True, "split": [0.2, 0.8]}
    if "dly" in name:
        timing = _timing(short, short, delays, short, ("uniform", (100, 300)), last)
        return {**out, "timing": timing, "coherences": [0.08, 0.16, 0.32, 0.32]}
    timing = _timing(("uniform", (100, 400)), _one_of(400, 800, 1600), no_delay, *end)
    return {**out, "timing": timing, "coherences": [0.01, 0.02, 0.04, 0.08]}


def rule(name: str, *, preset: str | None = None, **kwargs: Any) -> Yang19:
    """One of the twenty rules.

    Args:
        name: see `RULES`.
        preset: None for NeuroGym's parameters (repaired), "paper" for those of the authors' code.
        **kwargs: parameters, `timing`, `rewards`, `dt`, `capacity`, and NeuroGym's own keywords. With
            `output="choice"` the paper's rules are strict about fixation, for a choice counts when it is made.

    Raises:
        UnknownName: for unknown names and keywords; the nearest is suggested.
        InvalidArgument: for values that are not allowed.

    Example:
        >>> from neurojax.tasks.yang19 import rule
        >>> rule("dms", preset="paper").actions.size
        33
    """
    if name not in RULES:
        raise unknown("rule", name, RULES)
    if preset not in (None, *Yang19.PRESETS):
        raise unknown("preset", str(preset), Yang19.PRESETS, name)
    name = _switched(name, kwargs)
    capacity = kwargs.pop("capacity", None)
    given = canonical(Yang19, translate(kwargs), [*parameters(Yang19), "timing", "rewards"], name)
    known = _neurogym(name)
    if preset is not None:
        known = {**known, **Yang19.PRESETS[preset], **_paper(name)}
        if given.get("output") == "choice":
            known["strict_fixation"] = True
    return Yang19.create(capacity=capacity, **merged(known, given))


def _switched(name: str, kwargs: dict[str, Any]) -> str:
    """The rule that NeuroGym's keywords `reaction` and `delaycomparison` make of another."""
    for keyword, prefix, of in (("reaction", "rt", ("go", "anti")), ("delaycomparison", "dly", ("dm",))):
        if keyword in kwargs:
            wanted = kwargs.pop(keyword)
            if wanted not in (False, True):
                raise InvalidArgument(f"{keyword} must be a bool, got {wanted!r}")
            bare = name.replace(prefix, "")
            other = bare.replace("dm", prefix + "dm") if prefix == "dly" else prefix + bare
            if other not in RULES or not any(part in bare for part in of):
                raise unknown("keyword", keyword, parameters(Yang19), name)
            name = other if wanted else bare
    return name


class Rule(Variant):
    """What an id of the collection makes: `rule` under a name."""

    def __init__(self, name: str, doc: str):
        super().__init__(rule, doc=doc + _SHARED, paper=Yang19.PAPER, tags=Yang19.TAGS + _TAGS.get(name, ()))
        self.name = name

    def __call__(self, **kwargs: Any) -> Task:
        return rule(self.name, **kwargs)


_TAGS = {name: ("two-alternative",) for name in RULES if "dm" in name and name[-2:] not in ("ms", "mc")}
_TAGS |= {
    name: (*_TAGS.get(name, ()), "working memory") for name in RULES if "dly" in name or name[-2:] in ("ms", "mc")
}
_SHARED = """

    Channels: `fixation` and two rings, `stimulus_mod1` and `stimulus_mod2`; on request (`rule_input=True`) the `rule`.
    Actions: 0 fixates, the others choose a location. One of the twenty rules of Yang et al. (2019), which are one task
    with other parameters: see `neurojax.tasks.yang19`. `preset="paper"` gives the authors' parameters and criterion.
    """

go = Rule("go", "Go: a stimulus is shown on one of two rings; when fixation goes off, go to where it was.")
rtgo = Rule("rtgo", "Reaction-time Go: go to the stimulus as soon as it is shown.")
dlygo = Rule("dlygo", "Delayed Go: remember where the stimulus was over a delay; when fixation goes off, go there.")
anti = Rule("anti", "Anti: when fixation goes off, go to the location opposite to the stimulus.")
rtanti = Rule("rtanti", "Reaction-time Anti: as soon as the stimulus is shown, go to the location opposite.")
dlyanti = Rule("dlyanti", "Delayed Anti: remember the stimulus over a delay, then go to the location opposite.")
dm1 = Rule("dm1", "Decision making 1: two stimuli are shown at once on the first ring; go to the stronger one.")
dm2 = Rule("dm2", "Decision making 2: two stimuli are shown at once on the second ring; go to the stronger one.")
_CONTEXT = "two stimuli are shown {} on both rings; go to the one that is stronger {}."
ctxdm1 = Rule("ctxdm1", "Context decision making 1: " + _CONTEXT.format("at once", "on the first"))
ctxdm2 = Rule("ctxdm2", "Context decision making 2: " + _CONTEXT.format("at once", "on the second"))
multidm = Rule("multidm", "Multisensory decision making: " + _CONTEXT.format("at once", "in sum"))
dlydm1 = Rule("dlydm1", "Delayed decision making 1: as `dm1`, with the two stimuli a delay apart.")
dlydm2 = Rule("dlydm2", "Delayed decision making 2: as `dm2`, with the two stimuli a delay apart.")
_LATER = "a delay apart"
ctxdlydm1 = Rule("ctxdlydm1", "Context delayed decision making 1: " + _CONTEXT.format(_LATER, "on the first"))
ctxdlydm2 = Rule("ctxdlydm2", "Context delayed decision making 2: " + _CONTEXT.format(_LATER, "on the second"))
multidlydm = Rule("multidlydm", "Multisensory delayed decision making: " + _CONTEXT.format(_LATER, "in sum"))
_MATCH = "two stimuli are shown, a delay apart; go to the second where {}, else hold fixation."
dms = Rule("dms", "Delayed match to sample: " + _MATCH.format("the first was at the same place"))
dnms = Rule("dnms", "Delayed non-match to sample: " + _MATCH.format("the first was at another place"))
dmc = Rule("dmc", "Delayed match to category: " + _MATCH.format("both are on one half of the ring"))
dnmc = Rule("dnmc", "Delayed non-match to category: " + _MATCH.format("they are on different halves of the ring"))

# ---------------------------------------------------------------------- all of them as one


def collection(
    names: Sequence[str] = RULES, *, preset: str | None = None, rule_input: bool = True, **kwargs: Any
) -> Yang19:
    """Several rules as one pytree, indexed by rule: `nj.stack` of the rules, with a rule input.

    Args:
        names: which rules, in which order.
        preset: None for NeuroGym's parameters, "paper" for those of the authors' code.
        rule_input: whether the rule is shown.
        **kwargs: parameters of all of them.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> from neurojax.tasks.yang19 import collection, pick
        >>> tasks = collection(rule_input=False)
        >>> batch = jax.vmap(lambda i: nj.render(pick(tasks, i), jax.random.key(0), 2))(jax.numpy.arange(20))
        >>> batch.inputs.shape
        (20, 2, 32, 33)
    """
    task = stack([rule(name, preset=preset, rule_input=rule_input, **kwargs) for name in names])
    assert isinstance(task, Yang19)
    return task


def pick(tasks: Any, index: Any) -> Any:
    """One task of a stack; the index may be traced, so that each lane may have its own."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf)[index], tasks)


class Yang19Mixture(Modifier):
    """A session that mixes rules: each trial draws one of a stack, with a program no larger than that of one.

    Everything else is as the drawn rule says; `task` among the conditions tells which it was, in the order of the
    stack. It cannot be given: render a rule of the stack instead (see `pick`).

    Attributes:
        inner: the stack.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> from neurojax.tasks.yang19 import Yang19Mixture
        >>> batch = nj.render(Yang19Mixture.create(), jax.random.key(0), 256)
        >>> batch.inputs.shape, int(batch.conditions["task"].max())
        ((256, 32, 53), 19)
    """

    TAGS = Yang19.TAGS
    PAPER = Yang19.PAPER

    odds: Any = quantity(
        (1.0,) * 20, low=0, many=True, source="paper", doc="how often each rule is drawn, in proportion"
    )

    @classmethod
    def create(cls, *, names: Sequence[str] = RULES, odds: Sequence[float] | None = None, **kwargs: Any):  # type: ignore
        """A mixture of the rules `names`; other keywords are those of `collection`."""
        return cls.around(collection(names, **kwargs), odds=[1.0] * len(names) if odds is None else odds)

    @classmethod
    def around(cls, inner: Task, **kwargs: Any):
        """A mixture of the tasks of a stack of `Yang19`, or of a subclass of it.

        Raises:
            InvalidArgument: if `inner` is no stack, or `odds` does not fit it.
        """
        count = np.shape(inner.rule) if isinstance(inner, Yang19) else ()
        if len(count) != 1:
            raise InvalidArgument(f"Yang19Mixture mixes a stack of rules, from collection(...), got {inner!r}")
        given = canonical(cls, {"odds": np.ones(count), **kwargs}, ["odds"], cls.__name__)
        odds = np.asarray(given["odds"], np.float32)
        if odds.shape != count or not np.all(np.isfinite(odds)) or np.any(odds < 0) or not odds.sum() > 0:
            raise InvalidArgument(f"odds must be {count[0]} numbers of 0 or more, not all 0, got {given['odds']!r}")
        return cls(inner=inner, dt=inner.dt, odds=odds, capacity=inner.capacity)

    def set(self, **kwargs: Any):
        """The mixture with other odds; parameters of the rules are changed where they are made, in `collection`."""
        given = canonical(type(self), kwargs, ["odds"], type(self).__name__)
        return type(self).around(self.inner, **{"odds": self.odds, **given})

    def settings(self) -> dict[str, Any]:
        return {"rules": np.asarray(self.inner.rule).tolist(), "odds": np.asarray(self.odds).tolist()}

    def longest(self):
        return self.capacity

    def references(self) -> Mapping[str, float]:
        """The mean over rules of each number that is known of all of them."""
        share = np.asarray(self.odds, np.float64) / np.sum(self.odds)
        known = [
            jax.tree.map(lambda leaf, i=i: np.asarray(leaf)[i], self.inner).references() for i in range(len(share))
        ]
        names = set.intersection(*(set(numbers) for numbers in known))
        return {name: float(sum(p * numbers[name] for p, numbers in zip(share, known, strict=True))) for name in names}

    @property
    def unused_parameters(self):
        rows = [jax.tree.map(lambda leaf, i=i: np.asarray(leaf)[i], self.inner) for i in range(len(self.odds))]
        return tuple(set.intersection(*(set(row.unused_parameters) for row in rows)))

    def init_memory(self, draw):
        return {"task": self._drawn(draw)}

    def next_memory(self, memory, trial, result, draw):
        return {"task": self._drawn(draw)}

    def _drawn(self, draw):
        return draw.weighted("task", np.arange(np.shape(self.odds)[0], dtype=np.int32), self.odds)

    def resolve(self, memory):
        return self.replace(inner=pick(self.inner, memory["task"]))

    def conditions(self, draw, memory):
        return {"task": memory["task"], **self.inner.conditions(draw, memory)}

    def __repr__(self) -> str:
        return f"Yang19Mixture of {np.shape(self.odds)[0]} rules"
