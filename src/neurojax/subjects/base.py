"""What a subject with few parameters is: a pure model of single trials, a choice between two sides and what follows.

A subject holds its parameters, as float32 leaves that are declared once (`nj.quantity`: limits, units, meaning); what
it remembers from trial to trial is a state apart, any pytree. Its methods are pure and unbatched, and the caller vmaps
and scans them. `lax.scan` over the trials of an animal, whose own choices and rewards are handed to `learn`, gives
a likelihood that can be differentiated in the parameters (`neurojax.animals.fit`); the same scan with choices drawn
from `p_right` is a simulation.

Sides: choice 0 is the left, 1 the right. Axis letter here: F features.
"""

from __future__ import annotations

from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.node import Node
from neurojax.core.parameters import canonical, parameters, read
from neurojax.errors import InvalidArgument


class Subject(Node):
    """A model of single trials; concrete subjects declare parameters and give the methods below.

    A percept is what the subject has of the stimulus and nobody else can see. Who simulates draws it (`perceive`) and
    hands the same one to `p_right` and `learn`. Who fits cannot know it and leaves it out: both methods then average
    over all percepts, `learn` over those that go with the choice that was made. Subjects without private percepts
    ignore it.
    """

    @classmethod
    def create(cls, n_features: int = 1, **values: Any) -> Self:
        """A subject with these parameters, checked; the others at their defaults.

        Args:
            n_features: F. A parameter with a value for each feature takes a list of F, or one number for all.
            values: parameters by name.

        Raises:
            UnknownName: if there is no such parameter.
            InvalidArgument: if a value lies outside its limits, or a list is not of F numbers.
        """
        known = parameters(cls)
        if isinstance(n_features, bool) or not isinstance(n_features, (int, np.integer)) or n_features < 1:
            raise InvalidArgument(f"n_features must be a whole number of 1 or more, got {n_features!r}")
        given = canonical(cls, values, tuple(known), cls.__name__)
        out = {}
        for name, parameter in known.items():
            value = given.get(name, getattr(cls(), name))
            if parameter.many:
                value = np.broadcast_to(value, n_features) if np.size(value) == 1 else value
                if np.ndim(value) != 1 or len(value) != n_features:
                    raise InvalidArgument(f"{name} must be one number or a list of {n_features}, got {value!r}")
                value = list(value)
            out[name] = read(name, parameter, value)
        return cls(**out)

    def start(self) -> Any:
        """The state before the first trial of all."""
        raise NotImplementedError

    def overnight(self, state: Any) -> Any:
        """The state at the first trial of a session, of that after the last trial of the session before."""
        return state

    def perceive(self, features: jax.Array, noise: jax.Array) -> jax.Array:
        """The percept, float32 scalar, of features `[F]`, where `noise` is standard normal; here there is none: 0."""
        del features, noise
        return jnp.float32(0)

    def p_right(self, state: Any, features: jax.Array, percept: jax.Array | None = None) -> jax.Array:
        """P(right), float32 scalar.

        Args:
            state: before the trial.
            features: float32 `[F]`.
            percept: float32 scalar, where it is known; None: averaged over.
        """
        raise NotImplementedError

    def learn(
        self, state: Any, features: jax.Array, choice: jax.Array, reward: jax.Array, percept: jax.Array | None = None
    ) -> Any:
        """The state after a trial.

        Args:
            state: before the trial.
            features: float32 `[F]`.
            choice: int scalar, 0 left or 1 right.
            reward: float32 scalar.
            percept: float32 scalar, where it is known; None: averaged over those that go with the choice.
        """
        del features, choice, reward, percept
        return state
