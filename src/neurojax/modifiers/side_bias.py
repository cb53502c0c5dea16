"""Blocks of trials in which some sides are likelier than others."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import quantity
from neurojax.core.task import Deviation, Task
from neurojax.modifiers.deciding import Blocks, check_rows


class SideBias(Blocks):
    """A task whose ground truth has other probabilities from block to block.

    A session begins with any of the blocks. A block lasts for a number of trials that is fixed, drawn from a range, or
    open with a hazard; then another one follows, each as likely.

    Conditions: `side_block`, the number of the block (it may be given), and those of the task.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.modifiers.side_bias import side_bias
        >>> task = side_bias(nj.make("PerceptualDecisionMaking-v0"), probs=[[1, 0], [0, 1]], block_dur=2)
        >>> trials = nj.session(task, jax.random.key(0), 6).conditions
        >>> trials["ground_truth"].tolist()
        [[0, 0, 1, 1, 0, 0]]
    """

    ONCE = True
    DEVIATIONS = (
        Deviation(
            what="first block",
            neurogym="is shorter by one trial than block_dur says",
            here="is as long as the others",
            reason="the count began before the first trial",
            affects=("conditions",),
        ),
    )

    probs: Any = quantity(
        ((0.8, 0.2), (0.2, 0.8)), low=0, high=1, many=2, doc="probability of each value, one row for each block"
    )

    @property
    def blocks(self) -> int:
        return int(np.shape(self.probs)[-2])

    def validate(self) -> None:
        super().validate()
        check_rows("probs", self.probs, self.options, self.condition)

    def weights(self, own):
        return jnp.asarray(self.probs)[own["block"]]

    def settle(self, own, draw):
        block = draw.remembered("side_block", own["block"], self.blocks)
        return {**own, "block": block}, {"side_block": block}


def side_bias(task: Task, probs: Any, block_dur: Any = 200, *, condition: str = "ground_truth") -> SideBias:
    """A task whose ground truth has other probabilities from block to block.

    Args:
        task: a task that draws its ground truth from a list of N values.
        probs: probabilities `[blocks, N]`, one row for each kind of block, in the order of the values.
        block_dur: trials in a block (a whole number), the probability that it ends before a trial (between 0 and 1), or
            two numbers (shortest, longest), both included.
        condition: what is biased instead of the ground truth.

    Raises:
        InvalidArgument: if the task draws no such condition from a list, or an argument is not allowed.
    """
    return SideBias.around(task, probs=probs, block_dur=block_dur, condition=condition)
