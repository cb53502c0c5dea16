"""A ground truth drawn afresh in each trial, whatever the task made of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurojax.core.parameters import quantity
from neurojax.core.task import Deviation, Task
from neurojax.modifiers.deciding import Deciding, check_rows, count_options


class RandomGroundTruth(Deciding):
    """A task whose ground truth is drawn independently in each trial, with given probabilities.

    Where the task's own ground truth depends on blocks or on the trials before, it no longer does.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.modifiers.random_ground_truth import random_ground_truth
        >>> task = random_ground_truth(nj.make("PerceptualDecisionMaking-v0"), p=[1, 0])
        >>> int(nj.render(task, jax.random.key(0), 64).conditions["ground_truth"].max())
        0
    """

    ONCE = True
    DEVIATIONS = (
        Deviation(
            what="other conditions that are given",
            neurogym="are dropped",
            here="are kept",
            reason="what is given must be what is shown",
        ),
    )

    p: Any = quantity((0.5, 0.5), low=0, high=1, many=True, doc="probability of each value; default: each as likely")

    @classmethod
    def defaults(cls, inner, given):
        n = count_options(inner, given.get("condition", "ground_truth"), cls.label())
        return {"p": [1 / n] * n}

    def own_probes(self):  # of equal probabilities a check sees no effect
        n = int(np.shape(self.p)[-1])
        return ({"p": [0.9, *[0.1 / max(n - 1, 1)] * (n - 1)]},)

    def validate(self) -> None:
        super().validate()
        check_rows("p", self.p, self.options, self.condition)

    def weights(self, own):
        return self.p


def random_ground_truth(task: Task, *, p: Any = None, condition: str = "ground_truth") -> RandomGroundTruth:
    """A task whose ground truth is drawn independently in each trial.

    Args:
        task: a task that draws its ground truth from a list.
        p: probability of each value `[N]`, in their order; default: each as likely.
        condition: what is drawn instead of the ground truth.

    Raises:
        InvalidArgument: if the task draws no such condition from a list, or `p` does not fit it.
    """
    return RandomGroundTruth.around(task, condition=condition, **({} if p is None else {"p": np.asarray(p).tolist()}))
