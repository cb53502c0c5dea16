"""What a model of choices looks at: features of the trial and of the trials before it, F numbers a trial.

A `Features` is a list of terms. Each has a memory, which it sets anew at the start of a session, a value before the
choice, and a change after it; so one definition gives the matrix of an animal's trials (`design`), and the features of
a simulation, in which the choices before are the model's own.

Terms of history hold an exponential average of what happened, `m <- decay m + (1 - decay) event`; with decay 0 that is
the last trial alone. Events are 0 where there was no choice, and at the start of a session.

    choice    -1 left, 1 right
    answer    the side that was right, likewise; after a choice between two sides with certain rewards that is
              the same as win-stay, lose-shift (`choice` after a success, the other side after an error)
    win_stay  the choice if it was right, else 0: (choice + answer) / 2, so give two of the three at most
    stimulus  what was shown, after the same transform as the term `Stimulus`; `of` may name one, or several for their
              mean
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.animals.trials import NONE, TrialTable
from neurojax.errors import InvalidArgument, unknown

EVENTS = ("choice", "answer", "win_stay", "stimulus")
Transform = Literal["none", "tanh", "power"]


@dataclasses.dataclass(frozen=True)
class Bias:
    """The constant 1."""

    @property
    def name(self) -> str:
        return "bias"


@dataclasses.dataclass(frozen=True)
class Stimulus:
    """What is shown now.

    Attributes:
        of: name of the stimulus.
        transform: `none`; `tanh`: tanh(scale x) / tanh(scale), which is PsyTrack's for contrasts up to 1 at scale 5
            (Roy et al. 2021); `power`: sign(x) |x|^scale.
        scale: of the transform.
        called: the feature's name; empty: the stimulus'.
    """

    of: str
    transform: Transform = "none"
    scale: float = 5.0
    called: str = ""

    @property
    def name(self) -> str:
        return self.called or self.of

    def of_shown(self, shown: Any) -> Any:
        """The transform of numbers shown."""
        if self.transform == "tanh":
            return jnp.tanh(self.scale * shown) / np.tanh(self.scale)
        if self.transform == "power":
            # the derivative at 0 would be infinite; nobody takes it, but NaN must not come of it
            return jnp.sign(shown) * jnp.where(shown == 0, 0, jnp.abs(jnp.where(shown == 0, 1, shown)) ** self.scale)
        return shown


@dataclasses.dataclass(frozen=True)
class Product:
    """The product of stimuli shown now, each after the transform of its term `Stimulus`; of one named twice the square.

    Attributes:
        of: names of the stimuli.
        called: the feature's name; empty: made of theirs.
    """

    of: tuple[str, ...]
    called: str = ""

    @property
    def name(self) -> str:
        return self.called or " x ".join(self.of)


@dataclasses.dataclass(frozen=True)
class Past:
    """An exponential average of events of the session so far.

    Attributes:
        event: `choice`, `answer`, `win_stay` or `stimulus` (see the module).
        decay: share of the average that the next trial keeps, from 0 (the last trial alone) to below 1.
        of: for `stimulus`: the stimuli, of which the mean is taken.
        called: the feature's name; empty: made of event and decay.
    """

    event: Literal["choice", "answer", "win_stay", "stimulus"]
    decay: float = 0.0
    of: tuple[str, ...] = ()
    called: str = ""

    @property
    def name(self) -> str:
        what = "+".join(self.of) if self.event == "stimulus" else self.event
        return self.called or (f"past {what}" + (f" {self.decay:g}" if self.decay else ""))


Term = Bias | Stimulus | Product | Past


@dataclasses.dataclass(frozen=True)
class Features:
    """Features of trials with S stimuli; make one with `Features.of`.

    Attributes:
        terms: one a feature.
        stimuli: names of the S stimuli.
    """

    terms: tuple[Term, ...]
    stimuli: tuple[str, ...]

    @classmethod
    def of(cls, stimuli: TrialTable | Sequence[str], *terms: Term) -> Features:
        """Features of these terms, checked.

        Args:
            stimuli: names of the stimuli, or trials that have them.
            terms: one a feature.

        Raises:
            UnknownName: if a term looks at a stimulus that is not there, or at an unknown event.
            InvalidArgument: if there are no terms, two of one name, or one has values that are not allowed.

        Example:
            >>> from neurojax.animals.features import Bias, Features, Past, Stimulus, design
            >>> from neurojax.animals.trials import trial_table
            >>> trials = trial_table([1, 1, 1, 2], [0.5, -0.5, 0.1, 0.2], [1, 1, 0, 0], answer=[1, 0, 1, 1])
            >>> features = Features.of(trials, Bias(), Stimulus("stimulus_1"), Past("choice"), Past("answer", 0.5))
            >>> design(features, trials)[:, 2:].tolist()  # the fourth trial begins a session
            [[0.0, 0.0], [1.0, 0.5], [1.0, -0.25], [0.0, 0.0]]
        """
        known = stimuli.stimulus_names if isinstance(stimuli, TrialTable) else tuple(stimuli)
        if not terms:
            raise InvalidArgument("there must be at least one term")
        for term in terms:
            _check(term, known)
        names = [term.name for term in terms]
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise InvalidArgument(f"two features are called {twice!r}; name one with `called`")
        return cls(tuple(terms), known)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return tuple(term.name for term in self.terms)

    def __len__(self) -> int:
        return len(self.terms)

    def start(self) -> jax.Array:
        """The memory at the start of a session, float32 `[F]`."""
        return jnp.zeros(len(self.terms), jnp.float32)

    def now(self, memory: jax.Array, shown: jax.Array) -> jax.Array:
        """The features before a choice, float32 `[F]`.

        Args:
            memory: float32 `[F]`.
            shown: float32 `[S]`.
        """
        out = []
        for i, term in enumerate(self.terms):
            if isinstance(term, Bias):
                out.append(jnp.float32(1))
            elif isinstance(term, Stimulus):
                out.append(term.of_shown(shown[self.stimuli.index(term.of)]))
            elif isinstance(term, Product):
                out.append(jnp.prod(jnp.stack([self._transformed(name, shown) for name in term.of])))
            else:
                out.append(memory[i])
        return jnp.stack(out)

    def after(self, memory: jax.Array, shown: jax.Array, choice: jax.Array, answer: jax.Array) -> jax.Array:
        """The memory after a trial, float32 `[F]`.

        Args:
            memory: float32 `[F]`.
            shown: float32 `[S]`.
            choice, answer: int scalars, 0 left, 1 right, -1 none or unknown.
        """
        there = choice != NONE
        side = jnp.where(there, 2 * choice - 1, 0)
        events = {
            "choice": side,
            "answer": jnp.where(there & (answer != NONE), 2 * answer - 1, 0),
            "win_stay": jnp.where(choice == answer, side, 0),
        }
        out = []
        for i, term in enumerate(self.terms):
            if not isinstance(term, Past):
                out.append(memory[i])
                continue
            event = events.get(term.event)
            if event is None:
                event = jnp.mean(jnp.stack([self._transformed(name, shown) for name in term.of]))
            out.append(term.decay * memory[i] + (1 - term.decay) * event)
        return jnp.stack(out).astype(jnp.float32)

    def _transformed(self, name: str, shown: jax.Array) -> jax.Array:
        """A stimulus as the term that shows it transforms it."""
        value = shown[self.stimuli.index(name)]
        term = next((t for t in self.terms if isinstance(t, Stimulus) and t.of == name), None)
        return value if term is None else term.of_shown(value)


def design(features: Features, trials: TrialTable) -> np.ndarray:
    """The features of trials, with the choices and answers that they had: float32 `[trials, F]`.

    Raises:
        InvalidArgument: if the trials have other stimuli.
    """
    check_stimuli(features, trials)
    return np.asarray(_design(features, *arrays(trials)))


def arrays(trials: TrialTable) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Stimuli float32 `[trials, S]`, choices and answers int32 `[trials]`, starts of sessions bool `[trials]`."""
    choice, answer = trials.choice.astype(np.int32), trials.answer.astype(np.int32)
    return trials.stimuli.astype(np.float32), choice, answer, trials.starts


def check_stimuli(features: Features, trials: TrialTable) -> None:
    """Refuse trials that do not have the stimuli of the features.

    Raises:
        InvalidArgument: if they have others.
    """
    if trials.stimulus_names != features.stimuli:
        raise InvalidArgument(
            f"the features are of stimuli {features.stimuli}, the trials have {trials.stimulus_names}"
        )


def _design_trials(features, shown, choice, answer, starts):
    def step(memory, trial):
        shown, choice, answer, starts = trial
        memory = jnp.where(starts, features.start(), memory)
        return features.after(memory, shown, choice, answer), features.now(memory, shown)

    return jax.lax.scan(step, features.start(), (shown, choice, answer, starts))[1]


_design = jax.jit(_design_trials, static_argnums=0)


def delayed_comparison(
    stimuli: TrialTable | Sequence[str], *, history: bool = True, decay: float | None = None, curved: bool = False
) -> Features:
    """Features for a comparison of two stimuli: bias and both stimuli, and of the trials before the mean stimulus, the
    choice and the answer (those of Roy et al. 2021, doi:10.1016/j.neuron.2020.12.004, for the rats of Akrami et al.).

    Args:
        stimuli: their two names, or trials that have them.
        history: whether to look at the trials before.
        decay: adds slow averages of past choices and answers, with this share kept from trial to trial.
        curved: adds the square of the first stimulus and its product with the second, so that what a difference counts
            for, and where the sides are even, may change over the range. (Where stimuli differ by a fixed step, the
            square of the second adds nothing to these.)
    """
    names = stimuli.stimulus_names if isinstance(stimuli, TrialTable) else tuple(stimuli)
    if len(names) != 2:
        raise InvalidArgument(f"a comparison has two stimuli, got {names}")
    terms: list[Term] = [Bias(), *(Stimulus(name) for name in names)]
    if curved:
        terms += [Product((names[0],) * 2), Product(names)]
    return Features.of(names, *terms, *_history(names, history, decay))


def signed_strength(
    stimuli: TrialTable | Sequence[str],
    *,
    transform: Transform = "tanh",
    scale: float = 5.0,
    history: bool = True,
    decay: float | None = None,
) -> Features:
    """Features for the signed strength of one stimulus, such as a contrast: bias and stimulus, and of the trials before
    the stimulus, the choice and the answer.

    Args:
        stimuli: the one name, or trials that have it.
        transform, scale: of the strength (see `Stimulus`).
        history: whether to look at the trials before.
        decay: adds slow averages of past choices and answers, with this share kept from trial to trial.
    """
    names = stimuli.stimulus_names if isinstance(stimuli, TrialTable) else tuple(stimuli)
    if len(names) != 1:
        raise InvalidArgument(f"a signed strength is one stimulus, got {names}")
    return Features.of(names, Bias(), Stimulus(names[0], transform, scale), *_history(names, history, decay))


def _history(names: tuple[str, ...], history: bool, decay: float | None) -> list[Term]:
    if not history:
        return []
    terms: list[Term] = [Past("stimulus", of=names), Past("choice"), Past("answer")]
    if decay is not None:
        terms += [Past("choice", decay), Past("answer", decay)]
    return terms


def _check(term: Term, known: tuple[str, ...]) -> None:
    if not isinstance(term, (Bias, Stimulus, Product, Past)):
        raise InvalidArgument(f"a term must be a Bias, Stimulus, Product or Past, got {term!r}")
    if isinstance(term, Bias):
        return
    looked_at = (term.of,) if isinstance(term, Stimulus) else term.of
    for name in looked_at:
        if name not in known:
            raise unknown("stimulus", name, known)
    if isinstance(term, Stimulus):
        if term.transform not in ("none", "tanh", "power"):
            raise unknown("transform", term.transform, ("none", "tanh", "power"))
        if not 0 < term.scale < np.inf:
            raise InvalidArgument(f"scale must be a number above 0, got {term.scale!r}")
        return
    if isinstance(term, Product):
        if len(term.of) < 2:
            raise InvalidArgument(f"a product must be of two stimuli at least, got {term!r}")
        return
    if term.event not in EVENTS:
        raise unknown("event", term.event, EVENTS)
    if not 0 <= term.decay < 1:
        raise InvalidArgument(f"decay must lie in [0, 1), got {term.decay!r}")
    if (term.event == "stimulus") != bool(term.of):
        raise InvalidArgument(f"`of` must name stimuli for the event stimulus, and only then, got {term!r}")
