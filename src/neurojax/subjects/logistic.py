"""A learner of a logistic policy: weights on features that move, after each trial, to where rewards come from.

    P(right | x) = lapse + (1 - 2 lapse) sigmoid(w . x)
    w <- w + rate x (reward - baseline) (choice - P(right | x)) x          without lapses in P

The second line is REINFORCE (Williams 1992, doi:10.1007/BF00992696): the derivative of the log probability of the
choice, times what came of it. The baseline is a reward that changes nothing, in units of the full one: 0 is the plain
rule, in which errors that pay 0 teach nothing; above 0, errors drive the weights away from what was chosen. A baseline
describes how mice and rats learn far better than none (Ashwood et al. 2020, Advances in Neural Information Processing
Systems 33:3442, PMC9518972). It changes the spread of what is learnt, not the mean, and is hard to tell from choices:
fitted to 4,000 simulated trials it comes out too high (.8 for .3), and it needs a prior. (Where most outcomes are below
the baseline, weights run away from the choices ever faster, and their likelihood turns on the last digits of the
weights at the start.)

Each weight moves at a rate of its own. At the start of a session a share of the distance from the initial weights is
lost. The features (bias, stimuli, history) are the caller's: see `neurojax.animals.features`.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from neurojax.core.parameters import quantity
from neurojax.subjects.base import Subject


def lapsing(p: jax.Array, lapse: jax.Array) -> jax.Array:
    """A probability of right, where a share `2 lapse` of choices are made at random."""
    return lapse + (1 - 2 * lapse) * p


class LogisticLearner(Subject):
    """A logistic policy that learns by REINFORCE (see the module). The state is the weights, float32 `[F]`.

    Example:
        >>> import jax.numpy as jnp
        >>> from neurojax.subjects.logistic import LogisticLearner
        >>> subject = LogisticLearner.create(2, weights=[0, 1], rate=0.5)  # of bias and stimulus
        >>> x = jnp.array([1.0, 0.0])
        >>> weights = subject.learn(subject.start(), x, 1, 1.0)  # the right was chosen and rewarded
        >>> float(subject.p_right(subject.start(), x)), weights.tolist()
        (0.5, [0.25, 1.0])
    """

    weights: jax.Array = quantity([0.0], many=True, units="log odds", source="neurojax", doc="weights at the start")
    rate: jax.Array = quantity([0.05], many=True, low=0, source="neurojax", doc="learning rate of each weight")
    baseline: jax.Array = quantity(0.0, low=0, high=1, source="paper", doc="the reward that changes nothing")
    forgetting: jax.Array = quantity(
        0.0, low=0, high=1, source="neurojax", doc="share of what was learnt that is lost from session to session"
    )
    lapse: jax.Array = quantity(0.0, low=0, high=0.5, source="neurojax", doc="half the share of choices made at random")

    def start(self) -> jax.Array:
        return jnp.asarray(self.weights)

    def overnight(self, state: jax.Array) -> jax.Array:
        return state + self.forgetting * (self.weights - state)

    def p_right(self, state, features, percept=None):
        return lapsing(jax.nn.sigmoid(features @ state), self.lapse)

    def learn(self, state, features, choice, reward, percept=None):
        surprise = choice - jax.nn.sigmoid(features @ state)
        return state + self.rate * (reward - self.baseline) * surprise * features
