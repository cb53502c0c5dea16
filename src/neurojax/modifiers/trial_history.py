"""Serial dependence: the ground truth of a trial depends on that of the trial before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import quantity
from neurojax.core.task import Deviation, Task
from neurojax.errors import InvalidArgument, unknown
from neurojax.modifiers.deciding import Blocks, check_rows, count_options

RULES = ("repeating", "alternating", "clockwise", "anticlockwise")


class TrialHistory(Blocks):
    """A task whose ground truth follows from that of the trial before, with given probabilities.

    `probs` holds a row for each value before, and in it the probability of each value now. With several such matrices,
    one below the other, each is a context, and contexts follow each other in blocks of trials. The value before a
    session's first trial is any.

    Conditions: `history_context`, `history_previous` (the number of the value before, from 0), `history_option` (that
    of this trial's value), and those of the task; the first two may be given.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.modifiers.trial_history import trial_history
        >>> ring = nj.make("PerceptualDecisionMaking-v0", dim_ring=4)
        >>> task = trial_history(ring, rules=["clockwise"], prob=1.0)
        >>> nj.session(task, jax.random.key(0), 6).conditions["ground_truth"].tolist()
        [[3, 0, 1, 2, 3, 0]]
    """

    ONCE = True
    KEYWORDS = ("block_dur", "rules", "prob")
    DEVIATIONS = (
        Deviation(
            what="contexts",
            neurogym="TrialHistoryV2 has one matrix, which a wrapper outside may replace",
            here="several matrices may follow each other in blocks",
            reason="contexts are what its first version had",
            kind="interface",
        ),
    )

    probs: Any = quantity(
        ((0.5, 0.5), (0.5, 0.5)), low=0, high=1, many=2,
        doc="probability of each value after each other one [N, N], or several such matrices below each other",
    )  # fmt: skip

    @classmethod
    def translate(cls, given, inner):
        given = super().translate(given, inner)
        if "rules" in given:
            if "probs" in given:
                raise InvalidArgument("rules say what probs says; give one of them")
            n = count_options(inner, given.get("condition", "ground_truth"), cls.label())
            given["probs"] = transitions(given.pop("rules"), n, given.pop("prob", 0.8))
        if "prob" in given:
            raise InvalidArgument("prob belongs to rules, such as rules=['repeating']; give both")
        return given

    @classmethod
    def defaults(cls, inner, given):
        n = count_options(inner, given.get("condition", "ground_truth"), cls.label())
        return {"probs": [[1 / n] * n] * n}

    def own_probes(self):  # rows that differ, for of equal ones a check sees no effect
        n = int(np.shape(self.probs)[-1])
        return (*super().own_probes(), {"probs": transitions(["repeating"] * self.blocks, n)})

    @property
    def blocks(self) -> int:
        rows, n = np.shape(self.probs)[-2:]
        return max(rows // n, 1)

    def validate(self) -> None:
        super().validate()
        check_rows("probs", self.probs, self.options, self.condition)
        rows = np.shape(self.probs)[0]
        if rows % self.options:
            raise InvalidArgument(
                f"probs must have a row for each of the {self.options} values of {self.condition!r}, in each context; "
                f"got {rows} rows"
            )

    def weights(self, own):
        n = np.shape(self.probs)[-1]
        return jnp.asarray(self.probs)[own["block"] * n + own["previous"]]

    def own_memory(self, draw):
        n = np.shape(self.probs)[-1]
        return {**super().own_memory(draw), "previous": draw.integer("previous", n)}

    def next_own(self, own, trial, result, draw):
        return {**super().next_own(own, trial, result, draw), "previous": trial["history_option"]}

    def settle(self, own, draw):
        told = {
            "history_context": draw.remembered("history_context", own["block"], self.blocks),
            "history_previous": draw.remembered("history_previous", own["previous"], np.shape(self.probs)[-1]),
        }
        return {**own, "block": told["history_context"], "previous": told["history_previous"]}, told

    def taken(self, draw):
        return {"history_option": draw.option(self.condition)}


def trial_history(
    task: Task,
    probs: Any = None,
    *,
    rules: Sequence[str] | None = None,
    prob: float = 0.8,
    block_dur: Any = 200,
    condition: str = "ground_truth",
) -> TrialHistory:
    """A task whose ground truth follows from that of the trial before.

    Args:
        task: a task that draws its ground truth from a list of N values.
        probs: the probability of each value after each other one `[N, N]`, or several such matrices below each other.
            Default: each as likely.
        rules: instead of `probs`, one or several of "repeating", "alternating", "clockwise" and "anticlockwise" (see
            `transitions`).
        prob: with `rules`, the probability that the rule is followed.
        block_dur: how long a context lasts, as for `side_bias`.
        condition: what follows instead of the ground truth.

    Raises:
        InvalidArgument: if the task draws no such condition from a list, or an argument is not allowed.
    """
    given: dict[str, Any] = {"block_dur": block_dur, "condition": condition}
    if probs is not None:
        given["probs"] = np.asarray(probs).tolist()
    if rules is not None:
        given |= {"rules": rules, "prob": prob}
    return TrialHistory.around(task, **given)


def transitions(rules: Sequence[str], n: int, prob: float = 0.8) -> list[list[float]]:
    """The probability of each of N values after each other one, under each rule: matrices `[N, N]` below each other.

    "repeating": the same again. "alternating": any other. "clockwise" and "anticlockwise": the next one, or the one
    before, around the N values; with two values both alternate. A rule is followed with probability `prob`; what does
    not follow it is as likely as each other.

    Raises:
        UnknownName: for another rule; the nearest is suggested.
        InvalidArgument: if there are no rules, or `prob` is no probability.

    Example:
        >>> from neurojax.modifiers.trial_history import transitions
        >>> transitions(["clockwise"], 3, 0.8)
        [[0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]]
    """
    if isinstance(rules, str) or not isinstance(rules, Sequence) or not rules:
        raise InvalidArgument(f"rules must be a list of names such as 'repeating', got {rules!r}")
    if isinstance(prob, bool) or not isinstance(prob, (int, float, np.number)) or not 0 <= prob <= 1:
        raise InvalidArgument(f"prob must be a number in [0, 1], got {prob!r}")
    if n < 2:
        raise InvalidArgument("a rule needs two values or more to follow each other")
    rows = []
    for rule in rules:
        if rule not in RULES:
            raise unknown("rule", rule, RULES)
        for previous in range(n):
            follows = np.arange(n) == (previous + {"clockwise": 1, "anticlockwise": -1}.get(rule, 0)) % n
            follows = ~follows if rule == "alternating" else follows
            likely, other = prob / follows.sum(), (1 - prob) / (~follows).sum()
            rows.append([round(float(x), 9) for x in np.where(follows, likely, other)])
    return rows
