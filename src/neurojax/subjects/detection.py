"""A learner of the values of two sides, from rewards and from how sure it was: signal detection with reinforcement.

It perceives the signed strength s of the stimulus (positive: right) with noise, believes in a side accordingly, and
expects of each side its value times that belief (Lak et al. 2020, eLife 9:e49834, doi:10.7554/eLife.49834; Lak, Nomoto,
Keramati, Sakagami & Kepecs 2017, doi:10.1016/j.cub.2017.02.026):

    percept ~ N(s, sigma),   belief = Phi(percept / sigma)
    Q_right = belief V_right,   Q_left = (1 - belief) V_left
    P(right | percept) = lapse + (1 - 2 lapse) sigmoid((Q_right - Q_left) / temperature)
    V_chosen <- V_chosen + rate (reward - Q_chosen)

What was expected is scaled by confidence, so that a reward after a hard choice surprises more, and shifts the next
choice more, than one after an easy choice. The paper's subject takes the side of the larger Q, which is the limit of a
small temperature here; a softmax has derivatives.

The percept is private. Given it, the methods are exact. Without it, `p_right` averages over an even grid of percepts,
and `learn` moves the value by its mean over the percepts that go with the choice,

    V_chosen + rate (reward - E[belief in the chosen side | choice] V_chosen),

which is the exact mean after one trial. What is neglected is the spread around it that percepts of many trials leave:
the state is a value, not a distribution of values.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.scipy.stats import norm

from neurojax.core.parameters import quantity
from neurojax.subjects.base import Subject
from neurojax.subjects.logistic import lapsing

# Percepts in units of sigma from the strength, and their shares. An even grid, since a softmax of low temperature is
# nearly a step, which falls between the nodes of Gauss-Hermite quadrature.
_NODES = np.linspace(-4.5, 4.5, 129, dtype=np.float32)
_SHARES = (np.exp(-0.5 * _NODES**2) / np.exp(-0.5 * _NODES**2).sum()).astype(np.float32)


class Values(struct.PyTreeNode):
    """What the two sides are worth to a subject: float32 scalars, in units of reward."""

    left: jax.Array
    right: jax.Array


class DetectionLearner(Subject):
    """Signal detection with learnt values of the sides (see the module); the one feature is the signed strength.

    Example:
        >>> from neurojax.subjects.detection import DetectionLearner
        >>> import jax.numpy as jnp
        >>> subject = DetectionLearner.create(sigma=0.2, rate=0.5)
        >>> easy, hard = jnp.array([1.0]), jnp.array([0.0])
        >>> after = [subject.learn(subject.start(), x, 1, 1.0) for x in (easy, hard)]  # rewarded on the right
        >>> [round(float(subject.p_right(values, hard)), 2) for values in after]
        [0.5, 0.53]
    """

    sigma: jax.Array = quantity(
        0.2, above=0, source="paper", doc="noise of the percept, in the units of the strength (one standard deviation)"
    )
    rate: jax.Array = quantity(0.3, low=0, high=1, source="paper", doc="learning rate of the values")
    value_left: jax.Array = quantity(1.0, source="paper", units="reward", doc="value of the left at the start")
    value_right: jax.Array = quantity(1.0, source="paper", units="reward", doc="value of the right at the start")
    temperature: jax.Array = quantity(
        0.1,
        low=0.01,
        source="neurojax",
        units="reward",
        doc="of the softmax between the sides; below .01 the grid fails",
    )
    forgetting: jax.Array = quantity(
        0.0, low=0, high=1, source="neurojax", doc="share of what was learnt that is lost from session to session"
    )
    lapse: jax.Array = quantity(0.0, low=0, high=0.5, source="neurojax", doc="half the share of choices made at random")

    def start(self) -> Values:
        return Values(jnp.asarray(self.value_left), jnp.asarray(self.value_right))

    def overnight(self, state: Values) -> Values:
        return jax.tree.map(lambda now, first: now + self.forgetting * (first - now), state, self.start())

    def perceive(self, features, noise):
        return features[0] + self.sigma * noise

    def p_right(self, state, features, percept=None):
        if percept is not None:
            return self._p_right(state, percept)
        return jnp.sum(_SHARES * self._p_right(state, features[0] + self.sigma * _NODES))

    def learn(self, state, features, choice, reward, percept=None):
        right = jnp.asarray(choice) == 1
        confidence = self._confidence(state, features, right, percept)
        value = jnp.where(right, state.right, state.left)
        value = value + self.rate * (reward - confidence * value)
        return Values(jnp.where(right, state.left, value), jnp.where(right, value, state.right))

    def _confidence(self, state, features, right, percept):
        """The belief in the chosen side, float32 scalar; its mean over percepts where none is given."""
        if percept is not None:
            belief = norm.cdf(percept / self.sigma)
            return jnp.where(right, belief, 1 - belief)
        percepts = features[0] + self.sigma * _NODES
        belief, p = norm.cdf(percepts / self.sigma), self._p_right(state, percepts)
        share = _SHARES * jnp.where(right, p, 1 - p)
        # a choice that no percept explains (underflow) tells nothing of the percept: then all of them count
        share = jnp.where(jnp.sum(share) > 1e-30, share, _SHARES)
        return jnp.sum(share * jnp.where(right, belief, 1 - belief)) / jnp.sum(share)

    def _p_right(self, state, percept):
        belief = norm.cdf(percept / self.sigma)
        difference = belief * state.right - (1 - belief) * state.left
        return lapsing(jax.nn.sigmoid(difference / self.temperature), self.lapse)
