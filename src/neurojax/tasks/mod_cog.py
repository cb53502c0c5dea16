"""The Mod-Cog tasks: the twenty rules of Yang et al. (2019), composed with integration over the delay, or a sequence.

Khona et al. (2023) showed that the twenty rules can be solved by units that are not connected to each other. These
two additions cannot: the location to go to moves around the ring, either with the time of the delay ("int"), or
during the response ("seq"), to the right or to the left. With the twenty, they are 82 tasks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import canonical, parameters, quantity
from neurojax.core.registry import Variant
from neurojax.core.stack import stack
from neurojax.core.task import Deviation, Paper, merged
from neurojax.core.timing import whole_steps
from neurojax.core.trial import Outcome, consequence
from neurojax.errors import InvalidArgument, unknown
from neurojax.tasks.rules import ring
from neurojax.tasks.yang19 import RULES, rule
from neurojax.tasks.yang19_rules import Yang19, population_vector, translate

_DELAYED = tuple(name for name in RULES if "dly" in name or name[-2:] in ("ms", "mc"))
_DELAYS = tuple(range(0, 1200, 100))  # ms, of the rules that integrate
TASKS = (
    *RULES,
    *(f"{name}int{side}" for name in _DELAYED for side in "rl"),
    *(f"{name}seq{side}" for name in RULES for side in "rl"),
)


class ModCog(Yang19):
    """One of Mod-Cog's tasks: a rule of Yang et al. whose answer moves around the ring.

    With `integrate`, the location to go to is moved by the time of the delay: `omega` locations a millisecond, to the
    right (1: the numbers of the locations rise) or to the left (-1). The rest is as in the rule.

    With `sequence`, the location moves during the decision, by `omega` locations a millisecond. A choice does not end
    the trial then: each step of the decision is judged and earns its share of the reward, and performance is the share
    of right steps.

    Channels and actions: as `Yang19`. Conditions: those of the rule, and `delay` (ms); `response` and `ground_truth`
    are those of the decision's first step.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("modcog.goseqr-v0")
        >>> batch = nj.render(task, jax.random.key(0), 1, theta1=0.0)
        >>> start = int(batch.periods[0, -1, 0])  # of the decision
        >>> batch.targets[0, start : start + 10].tolist()
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    """

    PRESETS = {}
    UNITS = {**Yang19.UNITS, "delay": "ms"}
    PAPER = Paper(
        "Khona, Chandra, Ma & Fiete (2023). Winning the lottery with neural connectivity constraints: faster learning "
        "across cognitive tasks with spatially constrained sparse RNNs. Neural Comput. 35:1850",
        "10.1162/neco_a_01613",
    )
    DEVIATIONS = (
        *Yang19.DEVIATIONS,
        Deviation(
            what="Mod-Cog: speed of integration",
            neurogym="the authors' code moves the answer by .01 locations a ms in comparisons and matches, and the "
            "stimulus by .01 rad a ms, the other way round, in the Go family",
            here="the answer moves by `omega` = .01 locations a ms in all of them, and to the same side",
            reason="one addition is one rule",
        ),
        Deviation(
            what="Mod-Cog: delay to integrate",
            neurogym="the authors' code has a fixed delay of 500 ms in comparisons, and draws it elsewhere",
            here="each trial draws its delay, 0 to 1,100 ms in steps of 100, in all rules that integrate",
            reason="a fixed delay asks for a fixed shift, and nothing is integrated",
        ),
        Deviation(
            what="Mod-Cog: response of a sequence",
            neurogym="the authors' code ends the trial at the first choice, so that the sequence is never played; the "
            "target wraps around to action 0, which fixates",
            here="each step of the decision is judged; the target wraps around the ring",
            reason="the score must follow what is asked for",
        ),
    )

    integrate: Any = quantity(
        0, low=-1, high=1, source="paper", doc="whether the answer moves with the delay: 1 to the right, -1 to the left"
    )
    sequence: Any = quantity(
        0, low=-1, high=1, source="paper", doc="whether it moves in the decision: 1 to the right, -1 to the left"
    )
    omega: Any = quantity(
        0.01, units="locations/ms", low=0, source="paper", doc="speed of the answer around the ring"
    )  # fmt: skip

    def validate(self) -> None:
        super().validate()
        for name in ("integrate", "sequence"):
            value = float(getattr(self, name))
            if value not in (-1, 0, 1):
                raise InvalidArgument(f"{name} must be -1, 0 or 1, got {value:g}")

    @property
    def unused_parameters(self):
        waits = self.timing["delay"].upper() > 0
        idle = {"omega": not ((self.integrate and waits) or self.sequence), "integrate": not waits}
        return (*super().unused_parameters, *(name for name, unused in idle.items() if unused))

    # ------------------------------------------------------------------ the delay is a condition

    def conditions(self, draw, memory):
        conditions = super().conditions(draw, memory)
        delay = draw.duration("delay")
        response = self._turned(conditions["response"], self.integrate * self._travelled(delay))
        goes = conditions["ground_truth"] > 0
        truth = jnp.where(goes, 1 + self.unit_of(response), 0)
        return {**conditions, "delay": delay, "response": response, "ground_truth": truth}

    def periods(self, conditions, steps):
        elapsed, out = 0, {}
        for name in self.TIMING:
            delay = name == "delay"
            length = whole_steps(conditions["delay"], self.dt) if delay else steps(name, elapsed)
            out[name] = (elapsed, elapsed + length)
            elapsed = elapsed + length
        return out

    def longest_under(self, conditions):
        return super().longest_under({"delay": np.float32(self.timing["delay"].upper()), **conditions})

    # ------------------------------------------------------------------ what is asked for

    def _travelled(self, ms):
        """How many locations are passed in so many ms; whole ones on a ring."""
        passed = self.omega * ms
        return jnp.floor(passed + np.float32(1e-3)) if self.locations == "ring" else passed

    def _turned(self, theta, locations):
        """The direction `theta` moved on by so many locations."""
        return jnp.mod(theta + locations * np.float32(2 * np.pi / self.dim_ring), np.float32(2 * np.pi))

    def response_at(self, trial, t):
        since = (t - trial.start["decision"]).astype(jnp.float32) * np.float32(self.dt)
        return self._turned(trial["response"], self.sequence * self._travelled(jnp.maximum(since, 0.0)))

    def init_state(self, trial):
        return {"right": np.float32(0), "acted": np.bool_(False)}

    def respond(self, trial, state, action, t, draw):
        if self.output == "population":
            holds, theta = action[0] > 0.5, population_vector(action[1:])
        else:
            holds, theta = action == 0, jnp.asarray(ring(self.dim_ring))[jnp.maximum(action - 1, 0)]
        once = super().respond(trial, (), action, t, draw)
        decision = trial.during("decision", t)
        goes = self.goes(trial)
        right = decision & jnp.where(goes, ~holds & self.hits(trial, t, theta), holds)
        state = {"right": state["right"] + right.astype(jnp.float32), "acted": state["acted"] | (decision & ~holds)}
        steps = (trial.end["decision"] - trial.start["decision"]).astype(jnp.float32)
        share = 1 / jnp.maximum(steps, 1.0)
        all_right = state["right"] >= steps
        wrong = jnp.where(goes & ~state["acted"], int(Outcome.MISS), int(Outcome.ERROR))
        aborts = once.end & (once.outcome == int(Outcome.ABORT))
        ends = trial.last(t) & ~aborts
        earned = jnp.where(right, self.rewards["correct"], self.rewards["fail"]) * share
        came = consequence(
            reward=jnp.where(decision, earned, once.reward),
            end=ends | aborts,
            outcome=jnp.where(aborts, int(Outcome.ABORT), jnp.where(all_right, int(Outcome.CORRECT), wrong)),
            performance=jnp.where(aborts, 0.0, jnp.minimum(state["right"] * share, 1.0)),
        )
        moving = self.sequence != 0
        pick = lambda a, b: jnp.where(moving, a, b)
        return came.replace(
            reward=pick(came.reward, once.reward),
            end=pick(came.end, once.end),
            outcome=pick(came.outcome, once.outcome),
            performance=pick(came.performance, once.performance),
            state=state,
        )

    def references(self):
        # The delay and the time in the decision are not noisy: who knows the rule's answer knows where it moves.
        numbers = dict(super().references())
        if self.sequence and "random" in numbers:
            numbers.pop("random")
            if not (self.abort or self.strict_fixation) and self.output == "choice":
                goes = 0.5 if self.matches else 1.0
                answers = self._answers() / self.actions.size
                numbers["random"] = float(goes * answers + (1 - goes) / self.actions.size)
        return numbers

    def _answers(self) -> int:
        """How many choices are within the criterion of a location on the ring, or on average of one anywhere."""
        step = 360 / self.dim_ring
        within = float(self.criterion) + 1e-3
        if self.locations == "ring":
            return min(2 * int(within // step) + 1, self.dim_ring)
        return min(2 * within / step, self.dim_ring)  # type: ignore[return-value]


# ---------------------------------------------------------------------- the 82


def task(name: str, **kwargs: Any) -> ModCog:
    """One of the 82 tasks.

    Args:
        name: see `TASKS`: a rule of Yang et al., with "int" or "seq" and "r" or "l" added to it.
        **kwargs: parameters, as of `neurojax.tasks.yang19.rule`, and `omega`.

    Raises:
        UnknownName: for unknown names and keywords; the nearest is suggested.
        InvalidArgument: for values that are not allowed.

    Example:
        >>> from neurojax.tasks.mod_cog import task
        >>> task("dlygointl").timing["delay"].upper()
        1100.0
    """
    if name not in TASKS:
        raise unknown("task", name, TASKS, "Mod-Cog")
    base = next(r for r in sorted(RULES, key=len, reverse=True) if name.startswith(r))
    side = {"": 0, "r": 1, "l": -1}[name[len(base) + 3 :]]
    kind = name[len(base) : len(base) + 3]
    settings = rule(base).settings()
    timing = settings["timing"]
    # All 82 have laws of one kind, so that they share one compiled program.
    timing["delay"] = ["choice", list(_DELAYS) if kind == "int" else [timing["delay"]] * len(_DELAYS)]
    if kind == "seq" and not base.startswith("rt"):
        timing["decision"] = 1000
    known = {
        **settings,
        "rule": TASKS.index(name),
        "rules": len(TASKS),
        "room": 3600,
        "integrate": side if kind == "int" else 0,
        "sequence": side if kind == "seq" else 0,
    }
    known.pop("capacity", None)
    capacity = kwargs.pop("capacity", None)
    given = canonical(ModCog, translate(kwargs), [*parameters(ModCog), "timing", "rewards"], name)
    return ModCog.create(capacity=capacity, **merged(known, given))


def collection(names: Sequence[str] = TASKS, *, rule_input: bool = True, **kwargs: Any) -> ModCog:
    """Several of the tasks as one pytree, indexed by task, as `neurojax.tasks.yang19.collection`.

    Example:
        >>> from neurojax.tasks.mod_cog import collection
        >>> from neurojax.tasks.yang19 import Yang19Mixture, pick
        >>> tasks = collection(["go", "goseqr", "dmsintl"])
        >>> pick(tasks, 1).sequence.item(), Yang19Mixture.around(tasks).channels.size
        (1.0, 115)
    """
    stacked = stack([task(name, rule_input=rule_input, **kwargs) for name in names])
    assert isinstance(stacked, ModCog)
    return stacked


class _Task(Variant):
    """What an id of the collection makes: `task` under a name."""

    def __init__(self, name: str):
        base = next(r for r in sorted(RULES, key=len, reverse=True) if name.startswith(r))
        added = name[len(base) :]
        side = {"r": "right", "l": "left"}.get(added[-1:], "")
        words = {
            "": f"Mod-Cog: the rule {base} of Yang et al. (2019), as it is.",
            "int": f"Mod-Cog: the rule {base}, and the answer moves to the {side} with the time of the delay.",
            "seq": f"Mod-Cog: the rule {base}, and the answer moves to the {side} during the decision.",
        }[added[:3]]
        tags = (*Yang19.TAGS, *(("working memory",) if base in _DELAYED else ()), *(("timing",) if added else ()))
        super().__init__(task, doc=f"{words}\n\n{_SHARED}", paper=ModCog.PAPER, tags=tags)
        self.name = name

    def __call__(self, **kwargs: Any) -> ModCog:
        return task(self.name, **kwargs)


_SHARED = (
    "Channels: `fixation` and two rings, `stimulus_mod1` and `stimulus_mod2`; on request (`rule_input=True`) the "
    "`rule`, one of 82. Actions: 0 fixates, the others choose a location. One of the 82 tasks of Khona et al. (2023), "
    "which are one task with other parameters: see `neurojax.tasks.mod_cog`."
)
BY_NAME = {name: _Task(name) for name in TASKS}


def __getattr__(name: str) -> Any:
    if name in BY_NAME:
        return BY_NAME[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
