"""Recurrent cells: leaky (continuous time), GRU and LSTM."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from neurojax.core.chance import key_words
from neurojax.core.lanes import check_count
from neurojax.errors import InvalidArgument, unknown
from neurojax.networks.recur import Rule, project

NONLINEARITIES: dict[str, Callable[[jax.Array], jax.Array]] = {
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "softplus": jax.nn.softplus,
    "sigmoid": jax.nn.sigmoid,
    "linear": lambda x: x,
}


class Cell(nnx.Module):
    """Base of the built-in cells: `carry = rule(x @ w + b, h @ u, carry)`, with an elementwise rule.

    A cell of one's own need not be one: any NNX module with `step(carry, x [D]) -> (carry, hidden [H])`,
    `initial() -> carry` and `hidden` (H) serves, or any of Flax's (`nnx.GRUCell` and so on).

    Attributes:
        w: input weights `[D, G]`. G is H times the number of gates.
        u: recurrent weights `[H, G]`.
        b: biases `[G]`.
        hidden: H (static).
        noise_scale: standard deviation of what noise adds to the input of each unit; 0 for none (static).
    """

    ADDS: ClassVar[bool] = True
    CARRIES: ClassVar[int] = 1

    noise_scale: float = 0.0

    def __init__(self, w: np.ndarray, u: np.ndarray, b: np.ndarray):
        self.w, self.u, self.b = (nnx.Param(np.asarray(a, np.float32)) for a in (w, u, b))
        self.hidden = int(u.shape[0])

    @property
    def rule(self) -> Rule:
        """The elementwise rule: `(z_in [..., G], z_rec [..., G], carry) -> carry`."""
        raise NotImplementedError

    def initial(self) -> tuple[jax.Array, ...]:
        """The carry at the start of a trial, unbatched: arrays `[H]`, the first of which is the hidden state."""
        return (jnp.zeros(self.hidden, jnp.float32),) * self.CARRIES

    def project(self, x: jax.Array, noise: jax.Array | None = None) -> jax.Array:
        """What inputs `[..., D]` bring to the units `[..., G]`; `noise` `[..., H]` is standard normal."""
        z = project(x, self.w[...]) + self.b[...]
        return z if noise is None or not self.noise_scale else z + np.float32(self.noise_scale) * noise

    def step(self, carry, x: jax.Array, noise: jax.Array | None = None):
        """One step: the carry and the hidden state `[..., H]` after the input `[..., D]`."""
        carry = self.rule(self.project(x, noise), carry[0] @ self.u[...], carry)
        return carry, carry[0]


class LeakyRNN(Cell):
    """A network of firing rates in continuous time, in steps of `dt`.

    `h' = (1 - a) h + a phi(x W + h U + b + sqrt(2 / a) s xi)`, with `a = dt / tau`, `xi` standard normal for each unit
    and step, and `s` the recurrent noise. The factor makes the standard deviation of a unit's noise, filtered by its
    leak, independent of `dt` where `a` is small: s on the linear part of phi.

    Recurrent weights start near the identity, so that units keep what they know (Le, Jaitly & Hinton 2015,
    arXiv:1504.00941).

    Args:
        inputs: D.
        hidden: H.
        key: typed key, of the initial weights.
        dt, tau: step and time constant in ms.
        nonlinearity: phi: "relu", "tanh", "softplus", "sigmoid" or "linear".
        recurrent_noise: s.

    Raises:
        InvalidArgument: for values that are not allowed. Warns where dt / tau is above .5: at 1 there is no leak.

    Source: Song, Yang & Wang (2016), doi:10.1371/journal.pcbi.1004792 (noise), Yang et al. (2019),
    doi:10.1038/s41593-018-0310-2 (rates).

    Example:
        >>> import jax
        >>> from neurojax.networks import LeakyRNN
        >>> cell = LeakyRNN(3, 64, jax.random.key(0), dt=20, tau=100)
        >>> carry, h = cell.step(cell.initial(), jax.numpy.ones(3))
        >>> h.shape
        (64,)
    """

    def __init__(
        self,
        inputs: int,
        hidden: int,
        key: jax.Array,
        *,
        dt: float = 20.0,
        tau: float = 100.0,
        nonlinearity: str = "relu",
        recurrent_noise: float = 0.0,
    ):
        _check_sizes(inputs, hidden)
        if nonlinearity not in NONLINEARITIES:
            raise unknown("nonlinearity", nonlinearity, NONLINEARITIES)
        for name, value in (("dt", dt), ("tau", tau)):
            if not (np.isfinite(value) and value > 0):
                raise InvalidArgument(f"{name} must be a number of ms above 0, got {value!r}")
        if dt > tau:
            raise InvalidArgument(f"dt={dt:g} ms is above tau={tau:g} ms; lower dt or raise tau")
        if dt / tau > 0.5:
            warnings.warn(f"dt / tau = {dt / tau:.2g} is above .5: the units hardly integrate; lower dt", stacklevel=2)
        if not (np.isfinite(recurrent_noise) and recurrent_noise >= 0):
            raise InvalidArgument(f"recurrent_noise must be 0 or more, got {recurrent_noise!r}")
        rng = _generator(key)
        w = rng.normal(size=(inputs, hidden)) / np.sqrt(inputs)
        u = 0.1 * rng.normal(size=(hidden, hidden)) / np.sqrt(hidden) + np.eye(hidden)
        super().__init__(w, u, np.zeros(hidden))
        self.alpha = float(dt / tau)
        self.nonlinearity = nonlinearity
        self.noise_scale = float(recurrent_noise * np.sqrt(2 / self.alpha))

    @property
    def rule(self) -> Rule:
        alpha, phi = np.float32(self.alpha), NONLINEARITIES[self.nonlinearity]
        return lambda z_in, z_rec, carry: ((1 - alpha) * carry[0] + alpha * phi(z_in + z_rec),)


class GRU(Cell):
    """A gated recurrent unit: `h' = u h + (1 - u) tanh(x W + r (h U) + b)` with gates r and u.

    The bias of the gate u is drawn so that units remember for 1 to `memory / dt` steps (Tallec & Ollivier 2018,
    arXiv:1804.11188). The reset gate multiplies the product with the recurrent weights, as in cuDNN and PyTorch.

    Args:
        inputs, hidden, key: D, H, and a typed key of the initial weights.
        dt: step in ms.
        memory: longest initial time constant in ms; 0 for biases of 0.

    Source: Cho et al. (2014), arXiv:1406.1078.
    """

    ADDS = False

    def __init__(self, inputs: int, hidden: int, key: jax.Array, *, dt: float = 20.0, memory: float = 2000.0):
        _check_sizes(inputs, hidden)
        rng = _generator(key)
        w, u = _gates(rng, inputs, hidden, 3)
        b = np.concatenate([np.zeros(hidden), _chrono(rng, hidden, memory / dt), np.zeros(hidden)])
        super().__init__(w, u, b)

    @property
    def rule(self) -> Rule:
        def rule(z_in, z_rec, carry):
            (h,), n = carry, self.hidden
            gates = jax.nn.sigmoid(z_in[..., : 2 * n] + z_rec[..., : 2 * n])
            reset, keep = gates[..., :n], gates[..., n:]
            fresh = jnp.tanh(z_in[..., 2 * n :] + reset * z_rec[..., 2 * n :])
            return (fresh + keep * (h - fresh),)

        return rule


class LSTM(Cell):
    """Long short-term memory: `c' = f c + i tanh(g)`, `h' = o tanh(c')` with gates i, f and o.

    The biases of the gates f and i are drawn so that units remember for 1 to `memory / dt` steps (Tallec & Ollivier
    2018, arXiv:1804.11188). The carry is `(h, c)`.

    Args:
        inputs, hidden, key, dt, memory: as `GRU`.

    Source: Hochreiter & Schmidhuber (1997), doi:10.1162/neco.1997.9.8.1735; Gers et al. (2000) for f.
    """

    CARRIES = 2

    def __init__(self, inputs: int, hidden: int, key: jax.Array, *, dt: float = 20.0, memory: float = 2000.0):
        _check_sizes(inputs, hidden)
        rng = _generator(key)
        w, u = _gates(rng, inputs, hidden, 4)
        forget = _chrono(rng, hidden, memory / dt)
        super().__init__(w, u, np.concatenate([-forget, forget, np.zeros(2 * hidden)]))

    @property
    def rule(self) -> Rule:
        def rule(z_in, z_rec, carry):
            i, f, g, o = jnp.split(z_in + z_rec, 4, axis=-1)
            c = jax.nn.sigmoid(f) * carry[1] + jax.nn.sigmoid(i) * jnp.tanh(g)
            return jax.nn.sigmoid(o) * jnp.tanh(c), c

        return rule


CELLS: dict[str, Any] = {"leaky": LeakyRNN, "gru": GRU, "lstm": LSTM}


def _check_sizes(inputs: int, hidden: int) -> None:
    check_count("inputs", inputs)
    check_count("hidden", hidden)


def _generator(key: jax.Array) -> np.random.Generator:
    """NumPy draws the initial weights: each draw of `jax.random` would cost a compilation."""
    return np.random.default_rng(np.asarray(key_words(key)))


def _gates(rng: np.random.Generator, inputs: int, hidden: int, gates: int):
    """Input weights `[D, G]` of variance 1 / D, and recurrent weights `[H, G]`, orthogonal for each gate."""
    w = rng.normal(size=(inputs, gates * hidden)) / np.sqrt(inputs)
    u = [np.linalg.qr(rng.normal(size=(hidden, hidden)))[0] for _ in range(gates)]
    return w, np.concatenate(u, axis=1)


def _chrono(rng: np.random.Generator, hidden: int, longest: float) -> np.ndarray:
    """Gate biases `[H]` for time constants uniform on 1 .. `longest` steps."""
    return np.log(rng.uniform(1, max(longest - 1, 1), hidden))
