"""The keywords of ANNUBeS and of NeuroGym's version of it, as `AnnubesEnv` holds them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neurojax.core.parameters import canonical, parameters
from neurojax.core.task import Task
from neurojax.errors import InvalidArgument, unknown

CATCH = "catch"
_PERIOD_OF = {"fix_time": "fixation", "stim_time": "stimulus", "iti": "iti"}
_ELSEWHERE = {
    "random_seed": "chance is an argument here: nj.session(task, jax.random.key(seed), n_trials)",
    "frozen_seed": "a task holds no random state: a key gives the same trials every time",
    "name": "a task is named by its id and class",
}

# ---------------------------------------------------------------------- kinds of trials


def modalities_of(kinds: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted({name for kind in kinds for name in kind.split("+")}))


def limited_of(kinds: Sequence[str]) -> tuple[str, ...]:
    return (*modalities_of(kinds), *(kind for kind in kinds if "+" in kind), CATCH)


def parts_of(kinds: Sequence[str]) -> np.ndarray:
    """bool `[S + 1, M]`: which modalities each kind of trial has; a catch trial has none."""
    rows = [[name in kind.split("+") for name in modalities_of(kinds)] for kind in kinds]
    return np.asarray([*rows, [False] * len(modalities_of(kinds))])


def members_of(kinds: Sequence[str]) -> np.ndarray:
    """bool `[S + 1, K]`: of what each kind of trial is one, among all that can be limited."""
    combinations = [kind for kind in kinds if "+" in kind]
    exact = [[kind == other for other in (*combinations, CATCH)] for kind in (*kinds, CATCH)]
    return np.concatenate([parts_of(kinds), np.asarray(exact)], axis=1)


# ---------------------------------------------------------------------- keywords


def renamed(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords, with durations in `timing`, the order by its name, and names of kinds of trials as strings."""
    for name, why in _ELSEWHERE.items():
        if name in kwargs:
            raise InvalidArgument(f"AnnubesEnv takes no {name}; {why}")
    out = {name: value for name, value in kwargs.items() if name not in _PERIOD_OF}
    timing = {_PERIOD_OF[name]: value for name, value in kwargs.items() if name in _PERIOD_OF}
    if timing:
        given = out.get("timing") or {}
        if not isinstance(given, Mapping):
            raise InvalidArgument(f"timing must map period names to durations, got {given!r}")
        twice = sorted(set(timing) & set(given))
        if twice:
            raise InvalidArgument(f"the duration of {twice[0]!r} is given twice, in timing and as a keyword")
        out["timing"] = {**given, **timing}
    if "shuffle_trials" in out:
        shuffled = out.pop("shuffle_trials")
        if not isinstance(shuffled, (bool, np.bool_)):
            raise InvalidArgument(f"shuffle_trials must be a bool, got {shuffled!r}")
        if "order" in out:
            raise InvalidArgument("the order is given twice, as order and as shuffle_trials")
        out["order"] = "shuffled" if shuffled else "fixed"
    # Kinds of trials by strings alone: a pytree cannot hold a dictionary by tuples and strings.
    if isinstance(out.get("session"), Mapping):
        out["session"] = _read_session(out["session"])
    if isinstance(out.get("max_sequential"), Mapping):
        joined = lambda key: "+".join(map(str, key)) if isinstance(key, (tuple, list)) else str(key)
        out["max_sequential"] = {joined(key): limit for key, limit in out["max_sequential"].items()}
    if isinstance(out.get("scaling"), (bool, np.bool_)):
        out["scaling"] = "fixed" if out["scaling"] else "none"
    return out


def translated(cls: type[Task], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords as the fields hold them: ratios, intensities and limits as lists in the order of their names."""
    given = canonical(cls, kwargs, [*parameters(cls), "timing", "rewards", "preset", "capacity"], cls.__name__)
    if isinstance(given.get("session"), Mapping):
        kinds, ratios = tuple(given["session"]), list(given["session"].values())
        # a file may have sorted the dictionary: settings keep the order of its kinds
        if sorted(map(str, given.get("kinds", ()))) == sorted(kinds):
            kinds, ratios = tuple(given["kinds"]), [ratios[kinds.index(kind)] for kind in given["kinds"]]
        given["kinds"], given["session"] = kinds, ratios
    kinds = given.get("kinds", ("v", "a"))
    if not isinstance(kinds, (tuple, list)) or not all(
        isinstance(kind, str) and all(kind.split("+")) for kind in kinds
    ):
        raise InvalidArgument(f"kinds must be names of modalities, or of several joined by +, got {kinds!r}")
    kinds = given["kinds"] = tuple("+".join(sorted(kind.split("+"))) for kind in kinds)
    given["intensities"] = _read_intensities(given.get("intensities"), modalities_of(kinds))
    given["max_sequential"] = _read_limits(given.get("max_sequential"), kinds)
    return given


def _read_session(session: Mapping[Any, Any]) -> dict[str, Any]:
    """Ratios by kind of trial, from a dictionary by modality, tuple of modalities, or joined names."""
    if not session:
        raise InvalidArgument("session must name at least one kind of trial, got an empty dictionary")
    ratios: dict[str, Any] = {}
    for key, ratio in session.items():
        kind = _kind_of(key, session)
        if kind in ratios:
            raise InvalidArgument(f"session names {kind!r} twice")
        if isinstance(ratio, bool) or not isinstance(ratio, (int, float, np.integer, np.floating)):
            raise InvalidArgument(f"session[{key!r}] must be a finite number of 0 or more, got {ratio!r}")
        ratios[kind] = ratio
    return ratios


def _kind_of(key: Any, names: Mapping[Any, Any] | Sequence[str]) -> str:
    """The kind of trial that a key means: its modalities in alphabetical order, joined by +."""
    if isinstance(key, str):
        # ANNUBeS's way: letters that are modalities of their own
        together = len(key) > 1 and "+" not in key and all(letter in names for letter in key)
        parts = list(key) if together else key.split("+")
    elif isinstance(key, (tuple, list)):
        parts = list(key)
    else:
        parts = []
    if not parts or not all(isinstance(part, str) and part for part in parts) or len(set(parts)) < len(parts):
        raise InvalidArgument(
            f"session: a kind of trial is a modality such as 'v', or a tuple of different ones such as ('a', 'v'), "
            f"got {key!r}"
        )
    return "+".join(sorted(parts))


def _read_intensities(given: Any, modalities: Sequence[str]) -> Any:
    """A row of intensities for each modality; rows are repeated to one length, which keeps their probabilities."""
    if given is None:
        given = [0.8, 0.9, 1.0]
    if not isinstance(given, Mapping):
        if isinstance(given, (str, bytes)) or not isinstance(given, (Sequence, np.ndarray)):
            raise InvalidArgument(f"intensities must be a list, or a dictionary of lists by modality, got {given!r}")
        if len(given) and np.ndim(given[0]):
            return given
        given = dict.fromkeys(modalities, given)
    for name in given:
        if name not in modalities:
            raise unknown("modality", name, modalities, "intensities")
    rows = []
    for name in modalities:
        if name not in given:
            raise InvalidArgument(f"intensities lacks the modality {name!r}")
        row = given[name]
        if isinstance(row, (str, bytes)) or not isinstance(row, (Sequence, np.ndarray)) or not len(row):
            raise InvalidArgument(
                f"intensities[{name!r}] must be a non-empty list of numbers of 0 or more, got {row!r}"
            )
        rows.append(list(row))
    length = math.lcm(*(len(row) for row in rows))
    if length > 1000:
        raise InvalidArgument("intensities have lengths without a common multiple up to 1,000; use like lengths")
    return [row * (length // len(row)) for row in rows]


def shortest(row: list[float]) -> list[float]:
    """The list of which a row is the repetition."""
    return next(row[:n] for n in range(1, len(row) + 1) if len(row) % n == 0 and row == row[:n] * (len(row) // n))


def _read_limits(given: Any, kinds: Sequence[str]) -> tuple[int, ...]:
    """The limit of each of `_limited`, 0 for none."""
    names, modalities = limited_of(kinds), modalities_of(kinds)
    if isinstance(given, (int, np.integer)) and not isinstance(given, bool):
        given = dict.fromkeys(modalities, int(given))
    elif isinstance(given, (tuple, list)) and len(given) == len(names):  # as the field holds it
        given = {name: limit or None for name, limit in zip(names, given, strict=True)}
    if given is not None and not isinstance(given, Mapping):
        raise InvalidArgument(f"max_sequential must be a whole number, a dictionary by name, or None, got {given!r}")
    limits = dict.fromkeys(names, 0)
    for key, limit in (given or {}).items():
        name = _kind_of(key, modalities)
        if name not in limits:
            raise unknown("kind of trial", name, names, "max_sequential")
        if limit is None:
            continue
        if isinstance(limit, bool) or not isinstance(limit, (int, np.integer)) or limit < 1:
            raise InvalidArgument(
                f"max_sequential[{key!r}] must be a whole number of 1 or more, or None, got {limit!r}"
            )
        limits[name] = int(limit)
    return tuple(limits.values())
