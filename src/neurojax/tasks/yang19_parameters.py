"""The parameters of the twenty tasks of Yang et al. (2019): which rule it is, what is shown, how it is judged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from neurojax.core.parameters import flag, quantity, structure
from neurojax.core.spaces import Box, Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.timing import whole_steps
from neurojax.errors import InvalidArgument

_KINDS = 4  # coherences of a rule, at least: the twenty then share a shape

# NeuroGym's names of periods, which differ from family to family.
PERIOD_ALIASES = {"stim1": "stimulus", "sample": "stimulus", "stim2": "stimulus2", "test": "stimulus2"}


class Yang19Parameters(Task):
    """What `Yang19` is made with: its parameters, how they fit each other, its channels and actions."""

    TIMING = {"fixation": 500, "stimulus": 0, "delay": 0, "stimulus2": 0, "delay2": 0, "decision": 500}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    # What all rules of the authors' code share; sigma is their .01 sqrt(2 tau / dt) a step, at tau = 100 ms.
    PRESETS = {
        "paper": {
            "dt": 20,
            "dim_ring": 32,
            "locations": "continuous",
            "output": "population",
            "noise_on": "everywhere",
            "sigma": 0.01 * math.sqrt(2 * 100),
            "criterion": 36,
            "grace": 100,
            "response_weight": 5,
            "room": 4200,
            "cue_until_go": True,
        }
    }
    PAPER = Paper(
        "Yang, Joglekar, Song, Newsome & Wang (2019). Task representations in neural networks trained to perform many "
        "cognitive tasks. Nat. Neurosci. 22:297",
        "10.1038/s41593-018-0310-2",
    )
    TAGS = ("perceptual", "steps action space", "supervised")
    UNITS = {"theta1": "radians", "theta2": "radians", "response": "radians"}
    DEVIATIONS = (
        Deviation(
            what="holding fixation",
            neurogym="where the rule says hold, holding through the decision earns nothing and scores 0",
            here="earns `correct` at the trial's last step, and scores 1",
            reason="the target must be the best action, and score as such",
            affects=("reward", "performance"),
        ),
        Deviation(
            what="category boundary",
            neurogym="the location half way around is of the first category as a sample, of the second as a test",
            here="the boundary runs between two locations, half a step below 0 and half way around",
            reason="the label must be a function of what is shown",
            affects=("target", "reward", "performance"),
        ),
        Deviation(
            what="ties between the modalities",
            neurogym="multidm and multidlydm draw evidence that cancels on an eighth and a sixth of trials, where the "
            "label is random",
            here="evidence that cancels is not drawn",
            reason="the label must be a function of what is shown",
            affects=("conditions",),
        ),
        Deviation(
            what="duration of the stimulus",
            neurogym="only dm1 has the choice of 200, 400 and 600 ms; the other four rules of its family have 500 ms",
            here="all five have the choice",
            reason="five rules of one family differ in what is weighed, not in their timing",
            affects=("conditions",),
        ),
        Deviation(
            what="timing of dlygo and dlyanti",
            neurogym="the timing that is given is overwritten",
            here="it is used",
            reason="a parameter must have an effect",
            affects=("conditions",),
        ),
        Deviation(
            what="modality",
            neurogym="the two modalities alternate from trial to trial where the rule draws one",
            here="each trial draws it, as in the paper",
            reason="it would be known beforehand",
            affects=("conditions",),
        ),
        Deviation(
            what="periods and channels",
            neurogym="their names differ from family to family",
            here="all rules have the same ones; NeuroGym's names of periods are accepted",
            reason="the twenty are one task with other parameters",
            kind="interface",
        ),
    )

    # Which rule it is.
    rule: Any = quantity(1, low=0, source="neurojax", doc="number of the rule, from 0, that the rule input shows")
    anti: Any = flag(False, doc="whether to go to the location opposite")
    compares: Any = flag(False, source="neurojax", doc="whether two stimuli are compared, to go to the stronger")
    matches: Any = flag(False, source="neurojax", doc="whether the second stimulus is matched with the first")
    category: Any = flag(False, doc="whether it matches in category (half of the ring) rather than in location")
    match_go: Any = flag(True, aliases=("matchgo",), doc="whether to go where they match, or else where they do not")
    sequential: Any = flag(False, doc="whether the second stimulus has a period of its own, `stimulus2`")
    stays: Any = flag(True, aliases=("stimulus_stays",), doc="whether the last stimulus stays on in the decision")
    shows_mod1: Any = flag(True, doc="whether the first modality is used")
    shows_mod2: Any = flag(True, doc="whether the second modality is used")
    weights: Any = quantity(
        (1.0, 1.0),
        many=True,
        aliases=("w_mod",),
        doc="how much each modality counts in the comparison; below 0: against",
    )
    same_modality: Any = flag(True, doc="whether both stimuli to match are shown in one modality")
    cue_until_go: Any = flag(True, doc="whether fixation is on until the decision, or in the period `fixation` alone")
    cue_stays: Any = flag(False, source="paper", doc="whether fixation stays on in the decision")
    # How strong the stimuli are, and where.
    coherences: Any = quantity(
        (0.08, 0.16, 0.32, 0.64), low=0, many=True, aliases=("cohs",),
        doc="differences between the strengths to compare; each that differs from the others is as likely",
    )  # fmt: skip
    contrast: Any = quantity(0.5, low=0, source="paper", doc="half the difference of two strengths per coherence")
    pairs: Any = flag(False, doc="whether the two strengths are two of the coherences themselves")
    mean: Any = quantity(1.0, low=0, doc="mean strength of the stimuli")
    jitter: Any = quantity(0.0, low=0, source="paper", doc="the mean is uniform by so much around `mean`")
    shared: Any = flag(False, source="paper", doc="whether both modalities show one draw of strengths")
    split: Any = quantity(
        (0.0, 0.0), low=0, high=2, many=True, source="paper",
        doc="least and greatest share by which a stimulus is stronger in one modality than in the other",
    )  # fmt: skip
    apart: Any = quantity(
        10.0, units="degrees", low=0, high=180, source="paper", doc="least angle between two stimuli that differ"
    )
    category_locations: Any = quantity(
        10.0, low=2, source="paper", doc="number of locations to categorize, where locations are continuous"
    )
    sigma: Any = quantity(0.0, units="sqrt(ms)", low=0, doc="noise; its standard deviation is sigma / sqrt(dt)")
    # How answers are judged.
    criterion: Any = quantity(
        10.0, units="degrees", low=0, high=180, source="paper", doc="greatest error of an answer that is correct"
    )
    response_weight: Any = quantity(
        1.0, low=0, source="paper", doc="weight in a loss of the steps of the decision; of those before: 1"
    )
    abort: Any = flag(False, doc="whether breaking fixation in the fixation period ends the trial")
    strict_fixation: Any = flag(
        False, source="paper", doc="whether breaking fixation at any time before the decision ends the trial"
    )
    # What fixes shapes or code.
    dim_ring: int = structure(16, low=2, doc="number of units on each ring, and of choices")
    rule_input: bool = structure(False, choices=(False, True), source="paper", doc="whether the rule is shown")
    rules: int = structure(20, low=1, source="paper", doc="number of rules that the rule input tells apart")
    locations: str = structure(
        "ring", choices=("ring", "continuous"), source="paper", doc="whether stimuli lie on units, or anywhere"
    )
    output: str = structure(
        "choice", choices=("choice", "population"), source="paper", doc="whether an action is a choice, or activity"
    )
    noise_on: str = structure(
        "stimulus", choices=("stimulus", "everywhere"), source="paper", doc="where noise is: with stimuli, or always"
    )
    grace: float = structure(
        0.0, units="ms", low=0, whole=False, source="paper", doc="weight 0 at the start of trial and decision"
    )
    room: float = structure(
        3200.0, units="ms", low=0, whole=False, source="neurojax",
        doc="rendered trials have room for so long at least, so that the twenty rules share one compiled program",
    )  # fmt: skip

    # ------------------------------------------------------------------ building

    @classmethod
    def create(cls, *, preset: str | None = None, capacity: int | None = None, **kwargs: Any):
        given = translate(kwargs)
        if capacity is not None:
            given.setdefault("room", 0)
        return super().create(preset=preset, capacity=capacity, **given)

    def longest(self):
        return max(super().longest(), int(whole_steps(float(self.room), self.dt)))

    def validate(self) -> None:
        n, two = self.dim_ring, bool(self.compares) or bool(self.matches)
        if not (self.shows_mod1 or self.shows_mod2):
            raise InvalidArgument("shows_mod1 and shows_mod2 (stim_mod) are both False; at least one must be shown")
        if not self.rule < self.rules or self.rule != np.floor(self.rule):
            raise InvalidArgument(f"rule must be a whole number in 0 .. {self.rules - 1}, got {self.rule:g}")
        if self.matches and not self.sequential:
            raise InvalidArgument("matches=True needs sequential=True: the second stimulus has a period of its own")
        if np.size(self.weights) != 2 or not np.any(self.weights):
            raise InvalidArgument(f"weights (w_mod) must be two numbers, not both 0, got {self.weights.tolist()}")
        if np.size(self.split) != 2 or self.split[0] > self.split[1]:
            raise InvalidArgument(f"split must be two numbers that do not fall, got {self.split.tolist()}")
        if self.locations == "ring" and n % 2 and (self.anti or self.matches):
            raise InvalidArgument(f"dim_ring must be even for anti and matching rules, got {n}")
        if self.locations == "ring" and two and 360 / n * (n // 2) < self.apart - 1e-3:
            raise InvalidArgument(f"apart={self.apart:g} degrees is more than {n} locations allow")
        if self.locations == "continuous" and self.category and self.category_locations % 2:
            raise InvalidArgument(f"category_locations must be even, got {self.category_locations:g}")

    @property
    def unused_parameters(self) -> tuple[str, ...]:
        compares, matches, ring_ = bool(self.compares), bool(self.matches), self.locations == "ring"
        two = compares or matches
        cue = max(self.timing[name].upper() for name in ("stimulus", "delay", "stimulus2", "delay2")) > 0
        compared = compares and bool(self.shows_mod1) and bool(self.shows_mod2)
        used = {
            "rule": self.rule_input,
            "category": matches,
            "match_go": matches,
            "sequential": two or bool(self.stays),
            "same_modality": matches,
            "cue_until_go": cue,
            "coherences": compares,
            "contrast": compares and not self.pairs,
            "pairs": compares,
            "mean": not (compares and self.pairs),
            "jitter": not (compares and self.pairs),
            "weights": compares and not matches,
            "shared": compared,
            "split": compares,
            "apart": two and not self.category,
            "category_locations": not ring_ and bool(self.category),
        }
        return tuple(name for name, needed in used.items() if not needed)

    @property
    def channels(self) -> Channels:
        rule = {"rule": self.rules} if self.rule_input else {}
        return Channels.named(fixation=1, stimulus_mod1=self.dim_ring, stimulus_mod2=self.dim_ring, **rule)

    @property
    def actions(self) -> Discrete | Box:
        if self.output == "choice":
            return Discrete.named(fixation=1, choice=self.dim_ring)
        n = 1 + self.dim_ring
        names = ("fixation", *(f"location {i}" for i in range(self.dim_ring)))
        return Box(names, (0.0,) * n, (1.0,) * n)

    @property
    def output_weights(self) -> np.ndarray:
        """float32 `[A]`: how much each unit of a population output counts in the paper's loss."""
        return np.asarray([2.0] + [1.0] * self.dim_ring, np.float32)


def translate(given: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords with NeuroGym's own ones in the form of this module's: `stim_mod`, `matchto`, names of periods.

    Raises:
        InvalidArgument: if such a keyword has a value that NeuroGym does not take.
    """
    out = dict(given)
    if "matchto" in out:
        to = out.pop("matchto")
        if to not in ("sample", "category"):
            raise InvalidArgument(f"matchto must be 'sample' or 'category', got {to!r}")
        out["category"] = to == "category"
    if "stim_mod" in out:
        value = out.pop("stim_mod")
        if np.shape(value) != (2,) or any(v not in (False, True) for v in value):
            raise InvalidArgument(f"stim_mod must be two bools, got {value!r}")
        out["shows_mod1"], out["shows_mod2"] = bool(value[0]), bool(value[1])
    for name in ("coherences", "cohs"):
        values = out.get(name)
        if isinstance(values, (list, tuple, np.ndarray)) and 0 < len(values) < _KINDS:
            out[name] = [*values, *[values[-1]] * (_KINDS - len(values))]
    if isinstance(out.get("timing"), Mapping):
        renamed = {PERIOD_ALIASES[name]: law for name, law in out["timing"].items() if name in PERIOD_ALIASES}
        out["timing"] = {**{k: v for k, v in out["timing"].items() if k not in PERIOD_ALIASES}, **renamed}
    return out
