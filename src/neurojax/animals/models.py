"""The contenders: models that give the probability of an animal's next choice, and then see it.

All have the interface of `neurojax.subjects.base.Subject`, so the learners of that package contend too. Those here
describe choices, whatever rewards brought:

    StaticLogistic   weights that never change, and a lapse at either end
    OnlineLogistic   weights that follow the choices by stochastic gradient ascent on their likelihood
    DynamicLogistic  weights that walk at random, and are tracked with their uncertainty (PsyTrack, as a filter)

Axis letter here: F features.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from neurojax.core.parameters import quantity
from neurojax.subjects.base import Subject
from neurojax.subjects.logistic import lapsing

_NODES, _SHARES = np.polynomial.hermite_e.hermegauss(20)
_NODES, _SHARES = _NODES.astype(np.float32), (_SHARES / _SHARES.sum()).astype(np.float32)
_MOST_LEARNT = 0.98
_NARROW = 1e-8  # added to variances under a root, whose derivative at 0 is infinite


class StaticLogistic(Subject):
    """P(right | x) = lapse_left + (1 - lapse_left - lapse_right) sigmoid(w . x): a psychometric function, with history
    where the features have it. It has no state.

    Example:
        >>> import jax.numpy as jnp
        >>> from neurojax.animals.models import StaticLogistic
        >>> model = StaticLogistic.create(2, weights=[0, 2], lapse_right=0.2)
        >>> round(float(model.p_right(model.start(), jnp.array([1.0, 9.0]))), 3)
        0.8
    """

    weights: jax.Array = quantity([0.0], many=True, units="log odds", source="neurojax", doc="of the features")
    lapse_left: jax.Array = quantity(
        0.0, low=0, high=0.5, source="neurojax", doc="P(right) at strong evidence for left"
    )
    lapse_right: jax.Array = quantity(
        0.0, low=0, high=0.5, source="neurojax", doc="P(left) at strong evidence for right"
    )

    def start(self) -> tuple[()]:
        return ()

    def p_right(self, state, features, percept=None):
        p = jax.nn.sigmoid(features @ self.weights)
        return self.lapse_left + (1 - self.lapse_left - self.lapse_right) * p


class OnlineLogistic(Subject):
    """Weights that move to make each choice that was seen likelier: w <- w + rate x (choice - P(right)) x.

    The state is the weights, float32 `[F]`. At a session's start a share of their distance from the initial ones is
    lost.

    Example:
        >>> import jax.numpy as jnp
        >>> from neurojax.animals.models import OnlineLogistic
        >>> model = OnlineLogistic.create(1, rate=0.5)
        >>> model.learn(model.start(), jnp.ones(1), 1, 0.0).tolist()  # the reward does not count
        [0.25]
    """

    weights: jax.Array = quantity([0.0], many=True, units="log odds", source="neurojax", doc="weights at the start")
    rate: jax.Array = quantity([0.02], many=True, low=0, source="neurojax", doc="learning rate of each weight")
    forgetting: jax.Array = quantity(
        [0.0], many=True, low=0, high=1, source="neurojax", doc="share of each change lost from session to session"
    )
    lapse: jax.Array = quantity(0.0, low=0, high=0.5, source="neurojax", doc="half the share of random choices")

    def start(self) -> jax.Array:
        return jnp.asarray(self.weights)

    def overnight(self, state):
        return state + self.forgetting * (self.weights - state)

    def p_right(self, state, features, percept=None):
        return lapsing(jax.nn.sigmoid(features @ state), self.lapse)

    def learn(self, state, features, choice, reward, percept=None):
        return state + self.rate * (choice - jax.nn.sigmoid(features @ state)) * features


class Weights(struct.PyTreeNode):
    """What is known of the weights: a normal law.

    Attributes:
        mean: float32 `[F]`.
        covariance: float32 `[F, F]`.
    """

    mean: jax.Array
    covariance: jax.Array

    @property
    def spread(self) -> jax.Array:
        """Standard deviations, float32 `[F]`."""
        return jnp.sqrt(jnp.diagonal(self.covariance, axis1=-2, axis2=-1))


class DynamicLogistic(Subject):
    """Logistic weights that walk at random from trial to trial and from session to session, filtered forwards.

        w_1 ~ N(weights, spread),   w_t = w_(t-1) + N(0, sigma),   overnight further N(0, sigma_day)
        P(right | x, w) = lapse + (1 - 2 lapse) sigmoid(w . x)

    The model is that of Roy et al. 2021 (Neuron 109:597, doi:10.1016/j.neuron.2020.12.004; PsyTrack), which finds the
    weights of all trials from all choices. This is the forward pass alone, for predicting: the weights before a trial
    are known by the choices before it. Their law is kept normal by matching the mean and covariance of the exact
    posterior after each choice (assumed-density filtering); both follow from the derivatives of the log of P(choice),
    averaged over the weights, in the mean of w . x, which 20 nodes of Gauss-Hermite quadrature give.

    Three additions, which do nothing at their defaults:

    - `forgetting`: the share of each weight's distance from its mean at the start that is lost overnight; 1 is a weight
      that begins each session anew.
    - `leak`: the same from trial to trial; a weight with sigma and leak wanders about its mean (an
      Ornstein-Uhlenbeck process).
    - `rate`, `baseline`: the weights do not only diffuse but learn, by REINFORCE as `LogisticLearner` does, at the
      expected P(right): what Ashwood et al. 2020 (NeurIPS 33:3442) infer from choices, as a filter.

    Example:
        >>> import jax.numpy as jnp
        >>> from neurojax.animals.models import DynamicLogistic
        >>> model = DynamicLogistic.create(1, spread=1.0)
        >>> after = model.learn(model.start(), jnp.ones(1), 1, 0.0)
        >>> round(float(after.mean[0]), 2), bool(after.spread[0] < 1)
        (0.41, True)
    """

    weights: jax.Array = quantity([0.0], many=True, units="log odds", source="paper", doc="their mean at the start")
    spread: jax.Array = quantity([1.0], many=True, low=0, source="paper", doc="standard deviation at the start")
    sigma: jax.Array = quantity([0.02], many=True, low=0, source="paper", doc="step from trial to trial")
    sigma_day: jax.Array = quantity([0.1], many=True, low=0, source="paper", doc="further step overnight")
    forgetting: jax.Array = quantity([0.0], many=True, low=0, high=1, source="neurojax", doc="share lost overnight")
    leak: jax.Array = quantity([0.0], many=True, low=0, high=1, source="neurojax", doc="share lost from trial to trial")
    rate: jax.Array = quantity([0.0], many=True, low=0, source="paper", doc="learning rate of each weight")
    baseline: jax.Array = quantity(0.0, low=0, high=1, source="paper", doc="the reward that changes nothing")
    lapse: jax.Array = quantity(0.0, low=0, high=0.5, source="neurojax", doc="half the share of random choices")

    def start(self) -> Weights:
        return Weights(jnp.asarray(self.weights), jnp.diag(self.spread**2))

    def overnight(self, state):
        return self._walk(state, 1 - self.forgetting, self.sigma_day)

    def p_right(self, state, features, percept=None):
        return self._moments(state, features)[0]

    def learn(self, state, features, choice, reward, percept=None):
        p, slope, bend = self._moments(state, features)
        sign = 2 * jnp.asarray(choice, jnp.float32) - 1
        chosen = jnp.where(sign > 0, p, 1 - p)
        slope = sign * slope / chosen  # first and (negative) second derivative of log P(choice) in the mean of w . x
        bend = slope**2 - sign * bend / chosen
        reach = state.covariance @ features
        # exact moments never take more than all of the variance along x; those of few nodes, where it is large, might
        bend = jnp.minimum(bend, _MOST_LEARNT / (features @ reach + _NARROW))
        mean = state.mean + reach * slope
        covariance = state.covariance - bend * jnp.outer(reach, reach)
        mean = mean + self.rate * (reward - self.baseline) * (choice - p) * features
        return self._walk(Weights(mean, covariance), 1 - self.leak, self.sigma)

    def _walk(self, state: Weights, kept: jax.Array, sigma: jax.Array) -> Weights:
        mean = self.weights + kept * (state.mean - self.weights)
        return Weights(mean, jnp.outer(kept, kept) * state.covariance + jnp.diag(sigma**2))

    def _moments(self, state: Weights, features: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        """P(right) averaged over the weights, with its first two derivatives in the mean of w . x."""
        mean = features @ state.mean
        variance = features @ state.covariance @ features
        p = jax.nn.sigmoid(mean + jnp.sqrt(jnp.maximum(variance, 0) + _NARROW) * _NODES)
        slope = p * (1 - p)
        average = lambda values: jnp.sum(_SHARES * values)
        span = 1 - 2 * self.lapse
        return lapsing(average(p), self.lapse), span * average(slope), span * average(slope * (1 - 2 * p))
