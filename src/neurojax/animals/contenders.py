"""Models of choices that compete: which predicts an animal best, one step ahead?

A contender is a model, what it looks at, and which of its parameters are fitted how. `race` fits each to the earlier
sessions and judges it on the later ones, of which nothing is used before: parameters are frozen, while learners and
filters go on through the later sessions, as the animal did. Whichever is to be chosen (a champion) is chosen on the
last quarter of the earlier sessions, with parameters fitted to those before them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from neurojax.analysis.regression import Effect
from neurojax.animals.features import Features, delayed_comparison, signed_strength
from neurojax.animals.fit import Fit, fit
from neurojax.animals.models import DynamicLogistic, OnlineLogistic, StaticLogistic
from neurojax.animals.predict import Prediction, predict
from neurojax.animals.trials import TrialTable
from neurojax.errors import InvalidArgument
from neurojax.subjects.base import Subject
from neurojax.subjects.logistic import LogisticLearner

# Weak priors, on the scale without ends (logarithms; logits): without them the fit runs off where a weight does not
# move, and the logarithm of its step has no best value.
PRIORS = {
    "baseline": (0.0, 1.0),
    "sigma": (-5.0, 1.5),
    "sigma_day": (-2.5, 1.5),
    "forgetting": (-3.0, 1.5),
    "leak": (-7.0, 2.0),
    "rate": (-6.0, 1.5),
}
DECAY = 0.5


@dataclasses.dataclass(frozen=True, eq=False)
class Contender:
    """A model in a race.

    Attributes:
        model: its parameters to begin with.
        features: what it looks at.
        free: which parameters are fitted how (see `neurojax.animals.fit.fit`); None: all.
        priors: likewise.
    """

    model: Subject
    features: Features
    free: Mapping[str, Any] | None = None
    priors: Mapping[str, tuple[float, float]] | None = None

    def fit(self, trials: TrialTable, *, starts: int = 1, seed: int = 0) -> Fit:
        """The contender fitted to these trials."""
        return fit(self.model, self.features, trials, free=self.free, priors=self.priors, starts=starts, seed=seed)


@dataclasses.dataclass(frozen=True, eq=False)
class Entry:
    """How a contender did.

    Attributes:
        fit: to the earlier sessions; its bits are one step ahead too.
        validation: of the last quarter of the earlier sessions, fitted to those before them; None: not asked for.
        prediction: of the later sessions.
    """

    fit: Fit
    validation: Prediction | None
    prediction: Prediction


@dataclasses.dataclass(frozen=True, eq=False)
class Race:
    """Contenders compared.

    Attributes:
        entries: by name.
    """

    entries: dict[str, Entry]

    @property
    def champion(self) -> str:
        """The best on the validation sessions, chosen without the later ones.

        Raises:
            InvalidArgument: if there was no validation.
        """
        scores = {name: e.validation.per_trial for name, e in self.entries.items() if e.validation is not None}
        if not scores:
            raise InvalidArgument("there was no validation: call race with validate=True")
        return max(scores, key=lambda name: scores[name])

    @property
    def predictions(self) -> dict[str, Prediction]:
        """Of the later sessions, by name."""
        return {name: entry.prediction for name, entry in self.entries.items()}

    def gain(self, name: str, over: str) -> Effect:
        """By how many bits a trial one predicts the later sessions better than another."""
        return self.entries[name].prediction.gain(self.entries[over].prediction)


def race(
    contenders: Mapping[str, Contender],
    trials: TrialTable,
    last: int,
    *,
    validate: bool = True,
    starts: int = 1,
    seed: int = 0,
) -> Race:
    """Fit contenders to the sessions up to `last`, and predict those after it one step ahead.

    Args:
        contenders: by name.
        trials: all sessions, from the first on.
        last: the last session that is fitted.
        validate: whether to fit each a second time, to the first three quarters of those sessions, and to judge it on
            the rest.
        starts, seed: of each fit.

    Raises:
        InvalidArgument: if there are no sessions before or after `last`, or too few to validate.
    """
    if not contenders:
        raise InvalidArgument("there must be at least one contender")
    numbers = [s for s in trials.sessions if s <= last]
    later = [s for s in trials.sessions if s > last]
    if not numbers or not later:
        raise InvalidArgument(f"last must leave sessions on either side, got {last!r} of {trials.sessions}")
    if validate and len(numbers) < 4:
        raise InvalidArgument(f"validation needs four sessions to fit, there are {len(numbers)}")
    train = trials.between(numbers[0], numbers[-1])
    until = numbers[len(numbers) * 3 // 4 - 1]
    entries = {}
    for name, contender in contenders.items():
        found = contender.fit(train, starts=starts, seed=seed)
        validation = None
        if validate:
            early = contender.fit(train.between(numbers[0], until), starts=starts, seed=seed)
            validation = predict(early.model, contender.features, train, first=until + 1)
        entries[name] = Entry(found, validation, predict(found.model, contender.features, trials, first=later[0]))
    return Race(entries)


def standard_contenders(trials: TrialTable) -> dict[str, Contender]:
    """The contenders for trials of one signed strength, or of a comparison of two stimuli.

    `static`, and with the last trial `static + history`, each also `lapsing`. Learners that look at the last trial:
    `online + history` (which imitates the choices) and `policy gradient + history` (which follows rewards), each with
    one learning rate for all weights; and the random walk of PsyTrack, `walk + history`. Then the same with longer
    history, and of two stimuli with curvature: `online, rich` and `policy gradient, rich` with a rate for each weight,
    `walk, rich`, and `wander, rich`, whose weights also return to their means from trial to trial and overnight, and
    `wander + policy gradient, rich`, whose weights follow rewards besides.

    Raises:
        InvalidArgument: for trials of more than two stimuli.
    """
    two = len(trials.stimulus_names) == 2
    build = delayed_comparison if two else signed_strength
    plain, history = build(trials, history=False), build(trials)
    rich = delayed_comparison(trials, decay=DECAY, curved=True) if two else signed_strength(trials, decay=DECAY)
    f, r = len(history), len(rich)
    walk = {"sigma": True, "sigma_day": True}
    wander = {**walk, "forgetting": True, "leak": True}
    both = {**wander, "rate": True, "baseline": True}
    priors = lambda free: {name: PRIORS[name] for name in free}
    common = {"weights": True, "rate": "common"}
    each = {"weights": True, "rate": True}
    lapses = {"lapse_left": 0.02, "lapse_right": 0.02}
    return {
        "static": Contender(StaticLogistic.create(len(plain)), plain, {"weights": True}),
        "static, lapsing": Contender(StaticLogistic.create(len(plain), **lapses), plain),
        "static + history": Contender(StaticLogistic.create(f), history, {"weights": True}),
        "static + history, lapsing": Contender(StaticLogistic.create(f, **lapses), history),
        "online + history": Contender(OnlineLogistic.create(f), history, common),
        "policy gradient + history": Contender(
            LogisticLearner.create(f, baseline=0.5), history, {**common, "baseline": True}, priors(("baseline",))
        ),
        "walk + history": Contender(DynamicLogistic.create(f), history, walk, priors(walk)),
        "online, rich": Contender(OnlineLogistic.create(r), rich, each),
        "policy gradient, rich": Contender(
            LogisticLearner.create(r, baseline=0.5), rich, {**each, "baseline": True}, priors(("baseline",))
        ),
        "walk, rich": Contender(DynamicLogistic.create(r), rich, walk, priors(walk)),
        "wander, rich": Contender(DynamicLogistic.create(r, forgetting=0.05, leak=1e-3), rich, wander, priors(wander)),
        "wander + policy gradient, rich": Contender(
            DynamicLogistic.create(r, forgetting=0.05, leak=1e-3, rate=2e-3, baseline=0.5), rich, both, priors(both)
        ),
    }
