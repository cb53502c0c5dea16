"""A recurrent network: a cell and a linear readout."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from neurojax.core.chance import Chance
from neurojax.errors import InvalidArgument, unknown
from neurojax.networks.cells import CELLS, Cell, _generator
from neurojax.networks.recur import project, recur


class Network(nnx.Module):
    """A cell and a linear readout of its hidden state.

    For loops, split it once (`graphdef, params = nnx.split(network, nnx.Param)`) and merge it inside: everything is
    then a pure function of arrays, and there are no `nnx.Rngs`.

    Args:
        cell: a built-in `Cell`, an NNX module with `step`, `initial` and `hidden`, or a cell of Flax's.
        outputs: A.
        key: typed key, of the initial readout.

    Attributes:
        cell: the cell.
        w_out, b_out: the readout `[H, A]`, `[A]`.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> from neurojax.networks import GRU, Network
        >>> batch = nj.render(nj.make("PerceptualDecisionMaking-v0"), jax.random.key(0), 8, time_major=True)
        >>> network = Network(GRU(3, 32, jax.random.key(1)), 3, jax.random.key(2))
        >>> outputs, hidden, carry = network(batch.inputs)
        >>> outputs.shape, hidden.shape
        ((22, 8, 3), (22, 8, 32))
    """

    def __init__(self, cell: Any, outputs: int, key: jax.Array):
        hidden = getattr(cell, "hidden", None) or getattr(cell, "hidden_features", None)
        if hidden is None or not (isinstance(cell, nnx.RNNCellBase) or hasattr(cell, "step")):
            raise InvalidArgument(f"cell must have step, initial and hidden, or be a Flax cell, got {cell!r}")
        self.cell = cell
        self.hidden = int(hidden)
        self.w_out = nnx.Param((_generator(key).normal(size=(hidden, outputs)) / np.sqrt(hidden)).astype(np.float32))
        self.b_out = nnx.Param(np.zeros(outputs, np.float32))

    @property
    def noisy(self) -> bool:
        """Whether the cell draws noise."""
        return bool(getattr(self.cell, "noise_scale", 0.0))

    def initial(self) -> Any:
        """The carry at the start of a trial, unbatched."""
        if isinstance(self.cell, nnx.RNNCellBase):
            cell: Any = self.cell
            return jax.tree.map(lambda x: x[0], cell.initialize_carry((1, cell.in_features), nnx.Rngs(0)))
        return self.cell.initial()

    def readout(self, hidden: jax.Array) -> jax.Array:
        """Outputs `[..., A]` of hidden states `[..., H]`."""
        return project(hidden, self.w_out[...]) + self.b_out[...]

    def step(self, carry: Any, x: jax.Array, noise: jax.Array | None = None):
        """One step, for one lane or many: `(outputs [..., A], hidden [..., H], carry)` after inputs `[..., D]`."""
        if isinstance(self.cell, Cell):
            carry, hidden = self.cell.step(carry, x, noise)
        else:
            step = self.cell if isinstance(self.cell, nnx.RNNCellBase) else self.cell.step
            carry, hidden = step(carry, x)
        return self.readout(hidden), hidden, carry

    def __call__(
        self,
        x: jax.Array,
        carry: Any = None,
        first: jax.Array | None = None,
        noise: jax.Array | None = None,
        *,
        plain: bool = False,
    ):
        """Run over time.

        Args:
            x: float32 `[T, B, D]`.
            carry: where to start, `[B, ...]`; default: `initial`.
            first: bool `[T, B]`, the steps before which the carry returns to `initial`.
            noise: standard normal `[T, B, H]` for cells that are noisy (see `draw_noise`); None for no noise.
            plain: a plain scan over `step`, through which forward-mode derivatives pass too; slower backward.

        Returns:
            outputs `[T, B, A]`, hidden `[T, B, H]`, and the last carry.
        """
        initial = jax.tree.map(lambda c: jnp.broadcast_to(c, (x.shape[1], *c.shape)), self.initial())
        carry = initial if carry is None else carry
        if isinstance(self.cell, Cell) and not plain:
            z = self.cell.project(x, noise)
            hidden, carry = recur(self.cell.rule, self.cell.u[...], z, carry, first, self.cell.ADDS)
            return self.readout(hidden), hidden, carry

        def body(carry, now):
            x, first, noise = now
            if first is not None:
                reset = lambda c, start: jnp.where(first.reshape(-1, *(1,) * (c.ndim - 1)), start, c)
                carry = jax.tree.map(reset, carry, initial)
            _, hidden, carry = self.step(carry, x, noise)
            return carry, hidden

        carry, hidden = jax.lax.scan(body, carry, (x, first, noise))
        return self.readout(hidden), hidden, carry


def draw_noise(network: Network, words: jax.Array, lanes: jax.Array, steps: jax.Array) -> jax.Array | None:
    """Recurrent noise `[T, B, H]` of `lanes` `[B]` at absolute `steps` `[T]`; None for a cell without noise.

    Each number has its address, so it does not depend on which other lanes are drawn.
    """
    if not network.noisy:
        return None
    one = lambda lane, step: Chance(words, lane).at("recurrent noise", step).normal((network.hidden,))
    return jax.vmap(jax.vmap(one, (0, None)), (None, 0))(lanes, steps)


def step_noise(network: Network, words: jax.Array) -> jax.Array | None:
    """Recurrent noise `[H]` of one step, of words of its own; None for a cell without noise."""
    noise = draw_noise(network, words, jnp.zeros(1, jnp.uint32), jnp.zeros(1, jnp.int32))
    return None if noise is None else noise[0, 0]


def make_network(kind: str, inputs: int, outputs: int, hidden: int, key: jax.Array, **settings: Any) -> Network:
    """A network of one of the built-in cells.

    Args:
        kind: "leaky", "gru" or "lstm".
        inputs, outputs, hidden: D, A, H.
        key: typed key of the initial weights.
        **settings: of the cell.

    Raises:
        UnknownName: for an unknown kind.
    """
    if kind not in CELLS:
        raise unknown("network", kind, CELLS)
    return Network(CELLS[kind](inputs, hidden, key, **settings), outputs, jax.random.fold_in(key, 1))
