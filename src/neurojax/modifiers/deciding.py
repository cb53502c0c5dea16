"""What modifiers share that decide which of its options a condition takes, such as the ground truth of a trial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.lanes import drawn_quantities
from neurojax.core.parameters import quantity, structure
from neurojax.core.task import Task
from neurojax.core.timing import pick_other, pick_weighted
from neurojax.errors import InvalidArgument
from neurojax.modifiers.base import Remembering, layers

_TOLERANCE = 1e-4  # by which the sum of float32 probabilities may miss 1


class Deciding(Remembering):
    """A modifier that gives a drawn condition other probabilities; all else that the task inside draws stays.

    The condition may still be given for a trial, as ever.
    """

    condition: str = structure("ground_truth", text=True, source="neurojax", doc="the condition that is decided")

    def validate(self) -> None:
        super().validate()
        for layer in layers(self.inner):
            if isinstance(layer, Deciding) and layer.condition == self.condition:
                raise InvalidArgument(
                    f"{self.label()} and {layer.label()} both decide {self.condition!r}; take one of them"
                )
        count_options(self.inner, self.condition, self.label())

    @property
    def options(self) -> int:
        """N, the number of options."""
        return count_options(self.inner, self.condition, self.label())

    def weights(self, own: Any) -> Any:
        """How likely each option is in this trial `[N]`, given the modifier's memory."""
        raise NotImplementedError

    def settle(self, own: Any, draw: Any) -> tuple[Any, dict[str, Any]]:
        """The memory that holds for this trial, where some of it was given, and the conditions that tell of it."""
        return own, {}

    def taken(self, draw: Any) -> dict[str, Any]:
        """Conditions that tell which option was taken."""
        return {}

    def conditions(self, draw, memory):
        own, told = self.settle(memory["own"], draw)
        u = draw.under(self.label()).chance("option").uniform()
        decided = draw.deciding(**{self.condition: pick_weighted(self.weights(own), u)})
        inner = self.inner.conditions(decided, memory["inner"])
        if not decided.has_options(self.condition):  # nothing must be decided in silence
            raise InvalidArgument(f"{self.inner.name} does not let {self.label()} decide its {self.condition!r}")
        return {**inner, **told, **self.taken(decided)}


class Blocks(Deciding):
    """A modifier whose probabilities change from block to block of trials.

    A block lasts a number of trials between the two of `block_trials`, each as likely, and it ends before each trial
    with probability `hazard`, whichever comes first. Another block follows, each other one as likely.
    """

    KEYWORDS = ("block_dur",)

    block_trials: Any = quantity(
        (200.0, 200.0), units="trials", low=0, many=True, doc="shortest and longest block; 0 and 0: without end"
    )
    hazard: Any = quantity(0.0, low=0, high=1, doc="probability that a block ends before a trial")

    @classmethod
    def translate(cls, given, inner):
        """With `block_trials` and `hazard` in place of NeuroGym's `block_dur`, which says either."""
        given = dict(given)
        if "block_dur" in given:
            both = [name for name in ("block_trials", "hazard") if name in given]
            if both:
                raise InvalidArgument(f"block_dur says what {both[0]} says; give one of them")
            given |= read_block_dur(given.pop("block_dur"))
        return given

    def own_probes(self) -> tuple[Mapping[str, Any], ...]:
        return ({"block_trials": (1, 3)},)

    @property
    def blocks(self) -> int:
        """How many kinds of blocks there are."""
        raise NotImplementedError

    def validate(self) -> None:
        super().validate()
        lengths = np.asarray(self.block_trials)
        short = lengths.shape == (2,) and not np.any(lengths % 1) and lengths[0] <= lengths[1]
        if not short or (lengths[0] == 0 and lengths[1] > 0):
            raise InvalidArgument(
                "block_trials must be the shortest and the longest block in whole trials, 1 or more, or 0 and 0, got "
                f"{lengths.tolist()}"
            )

    @property
    def unused_parameters(self):
        fixed = ("block_trials", "hazard") if self.blocks == 1 else ()
        return (*self.inner.unused_parameters, *fixed)

    def own_memory(self, draw):
        return {"block": draw.integer("first", self.blocks), "left": self._length(draw.uniform("first_length"))}

    def next_own(self, own, trial, result, draw):
        u = draw.chance("block").uniform((3,))
        over = (own["left"] == 1) | (u[0] < self.hazard)
        other = pick_other(own["block"], self.blocks, u[1])
        return {
            "block": jnp.where(over, other, own["block"]),
            "left": jnp.where(over, self._length(u[2]), jnp.maximum(own["left"] - 1, 0)),
        }

    def _length(self, u: Any) -> Any:
        """Trials in a block; 0 for one without end."""
        low, high = self.block_trials[0], self.block_trials[1]
        return jnp.minimum(low + jnp.floor(u * (high - low + 1)), high).astype(jnp.int32)


def read_block_dur(value: Any) -> dict[str, Any]:
    """NeuroGym's length of a block: a number of trials, the probability that it ends, or (shortest, longest).

    Raises:
        InvalidArgument: if it is none of these.

    Example:
        >>> from neurojax.modifiers.deciding import read_block_dur
        >>> read_block_dur(0.1)
        {'block_trials': (0, 0), 'hazard': 0.1}
    """
    whole = lambda x: isinstance(x, (int, np.integer)) and not isinstance(x, bool)
    if whole(value) and value >= 1:
        return {"block_trials": (value, value), "hazard": 0.0}
    if isinstance(value, (float, np.floating)) and 0 < value < 1:
        return {"block_trials": (0, 0), "hazard": float(value)}
    if isinstance(value, (tuple, list)) and len(value) == 2 and all(map(whole, value)) and 1 <= value[0] <= value[1]:
        return {"block_trials": tuple(value), "hazard": 0.0}
    raise InvalidArgument(
        "block_dur must be a whole number of trials above 0, a probability between 0 and 1 that the block ends, or two "
        f"numbers of trials (shortest, longest), got {value!r}"
    )


def count_options(task: Task, condition: str, label: str) -> int:
    """How many values a condition that `task` draws may take.

    Raises:
        InvalidArgument: if it does not draw it, or not from a list.
    """
    drawn = drawn_quantities(task)
    lists = [name for name, q in drawn.items() if q.options is not None]
    instead = f"; condition= may name one of {', '.join(lists)}" if lists else "; nothing that it draws is"
    if condition not in drawn:
        raise InvalidArgument(
            f"{label} decides the condition {condition!r}, which {task.name} does not draw for itself{instead}"
        )
    options = drawn[condition].options
    if options is None:
        raise InvalidArgument(
            f"{label} decides which of its options {condition!r} takes; in {task.name} that is not one of a "
            f"list{instead}"
        )
    return options


def check_rows(name: str, rows: Any, options: int, condition: str) -> None:
    """Refuse rows of probabilities `[n, N]` that do not sum to 1, or do not fit the number of options."""
    rows = np.atleast_2d(np.asarray(rows))
    if rows.shape[1] != options:
        raise InvalidArgument(
            f"{name} must hold a probability for each of the {options} values of {condition!r}, got {rows.shape[1]}"
        )
    wrong = np.flatnonzero(np.abs(rows.sum(axis=1) - 1) > _TOLERANCE)
    if wrong.size:
        raise InvalidArgument(f"{name} must sum to 1 in each row; row {wrong[0]} is {rows[wrong[0]].tolist()}")
