"""Economic choice: which of two offers is worth more?"""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import flag, quantity
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.timing import step_probabilities
from neurojax.errors import InvalidArgument
from neurojax.tasks.rules import abortable


class EconomicDecisionMaking(Task):
    """Economic choice: two juices in two amounts, of which the more valuable offer should be taken.

    Fixation is on until the decision. The offers are shown: on each side one of the juices A and B, and its amount. A
    drop of A is worth `rewards["correct"]`, a drop of B `B_to_A` times that. The first choice in the decision period
    ends the trial and earns what was chosen; it is correct where the other side was not worth more.

    Channels: `fixation`, `a1`, `b1`, `a2`, `b2` (which juice is on sides 1 and 2), `n1`, `n2` (amounts, fifths of a
    drop). Actions: 0 fixates, 1 and 2 choose a side.
    Conditions: `juice` (0: A is on side 1, 1: B is), `offer` (a row of `offers`); `n_b`, `n_a`, `value1` and `value2`
    (in drops of A) follow.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("EconomicDecisionMaking-v0"), jax.random.key(0), 2, juice=0, offer=[4, 5])
        >>> batch.targets.max(axis=1).tolist()  # two drops of B are worth less than one of A, three more
        [1, 2]
    """

    TIMING = {"fixation": 1500, "offer_on": ("uniform", (1000, 2000)), "decision": 750}
    REWARDS = {"abort": -0.1, "correct": 0.22}
    PRESETS = {"paper": {"abort": True}}
    PAPER = Paper(
        "Padoa-Schioppa & Assad (2006). Neurons in the orbitofrontal cortex encode economic value. Nature 441:223",
        "10.1038/nature04676",
    )
    TAGS = ("perceptual", "value-based")
    DEVIATIONS = (
        Deviation(
            what="target",
            neurogym="none",
            here="the side that is worth more; side 1 where both are worth the same",
            reason="every task has a best action",
            affects=("target",),
        ),
        Deviation(
            what="ties",
            neurogym="neither side is right where both are worth the same",
            here="both are",
            reason="the target must be right; there are no ties at the defaults",
            affects=("performance",),
        ),
    )
    UNITS = {"n_b": "drops", "n_a": "drops", "value1": "drops of A", "value2": "drops of A"}

    B_to_A: Any = quantity(1 / 2.2, units="drops of A", above=0, doc="value of a drop of juice B")
    offers: Any = quantity(
        ((0, 1), (1, 3), (1, 2), (1, 1), (2, 1), (3, 1), (4, 1), (6, 1), (2, 0)),
        units="drops", low=0, many=2, doc="amounts of B and of A, rows that are each as likely",
    )  # fmt: skip
    abort: Any = flag(False, doc="whether breaking fixation, before the decision, ends the trial")

    def validate(self) -> None:
        if np.shape(self.offers)[1] != 2:
            raise InvalidArgument(
                f"offers must be rows of two amounts, of B and of A, got rows of {np.shape(self.offers)[1]}"
            )

    @property
    def channels(self) -> Channels:
        return Channels.named(fixation=1, a1=1, b1=1, a2=1, b2=1, n1=1, n2=1)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, choice=2)

    def conditions(self, draw, memory):
        juice = draw.integer("juice", 2)
        offer = draw.integer("offer", np.shape(self.offers)[0])
        n_b, n_a = jnp.asarray(self.offers)[offer]
        worth = {"a": n_a, "b": n_b * self.B_to_A}
        return {
            "juice": juice,
            "offer": offer,
            "n_b": n_b,
            "n_a": n_a,
            "value1": jnp.where(juice == 0, worth["a"], worth["b"]),
            "value2": jnp.where(juice == 0, worth["b"], worth["a"]),
        }

    def observe(self, trial, state, t):
        shows, a_first = trial.during("offer_on", t), trial["juice"] == 0
        n_a, n_b = trial["n_a"] / 5, trial["n_b"] / 5
        return {
            "fixation": ~trial.during("decision", t),
            "a1": shows & a_first,
            "b1": shows & ~a_first,
            "a2": shows & ~a_first,
            "b2": shows & a_first,
            "n1": jnp.where(shows, jnp.where(a_first, n_a, n_b), 0.0),
            "n2": jnp.where(shows, jnp.where(a_first, n_b, n_a), 0.0),
        }

    def target(self, trial, state, t):
        best = jnp.where(trial["value1"] >= trial["value2"], 1, 2)
        return jnp.where(trial.during("decision", t), best, 0)

    def respond(self, trial, state, action, t, draw):
        acts = action != 0
        decides = acts & trial.during("decision", t)
        breaks = acts & (t < trial.start["decision"])
        chosen = jnp.where(action == 1, trial["value1"], trial["value2"])
        other = jnp.where(action == 1, trial["value2"], trial["value1"])
        reward = jnp.where(decides, chosen * self.rewards["correct"], 0.0)
        reward = reward + jnp.where(breaks, self.rewards["abort"], 0.0)
        return abortable(reward, decides, breaks & self.abort, chosen >= other)

    def _values(self) -> tuple[np.ndarray, np.ndarray]:
        """What B and A are worth in each offer, in drops of A."""
        offers = np.asarray(self.offers)
        return offers[:, 0] * np.asarray(self.B_to_A), offers[:, 1]  # float32, as in a trial

    def references(self):
        b, a = self._values()
        guess = (1 + float(np.mean(a == b))) / 2
        steps = {name: step_probabilities(self.timing[name], self.dt) for name in self.TIMING}
        hold = {name: sum(p * 3.0**-n for n, p in law.items()) for name, law in steps.items()}
        asked, unseen = 1 - steps["decision"].get(0, 0.0), steps["offer_on"].get(0, 0.0)
        survives = math.prod(p for name, p in hold.items() if name != "decision") if self.abort else 1.0
        return {
            "clairvoyant": asked,
            "ideal": asked * (1 - unseen + unseen * guess),
            "blind": asked * guess,  # either side: A is as often on one as on the other
            "random": survives * (1 - hold["decision"]) * guess,
        }

    def heuristics(self) -> dict[str, float]:
        """Accuracy of simple rules that look at a part of the offers.

        "larger count" takes the side with more drops, and A where they are as many; "always A" and "always B" look
        at the juice alone.
        """
        b, a = self._values()
        n_b, n_a = np.asarray(self.offers).T
        takes = {"larger count": n_a >= n_b, "always A": np.ones(a.shape, bool), "always B": np.zeros(a.shape, bool)}
        return {name: float(np.mean(np.where(takes_a, a >= b, b >= a))) for name, takes_a in takes.items()}
