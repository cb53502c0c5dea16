"""Trials of an animal, or of an agent, over sessions, in one form."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from neurojax.errors import InvalidArgument

if TYPE_CHECKING:
    from neurojax.analysis.behaviour import Trials
    from neurojax.analysis.history import ChoiceHistory
    from neurojax.analysis.psychometric import Choices

LEFT, RIGHT, NONE = 0, 1, -1


@dataclasses.dataclass(frozen=True, eq=False)
class TrialTable:
    """Trials in the order in which they were made, sessions one after the other.

    Make one with `trial_table`, which checks it, or read one with `neurojax.animals.tables`.

    Attributes:
        session: int64 `[trials]`, the session's number, rising.
        stimuli: float64 `[trials, S]`, what was shown, S numbers a trial.
        choice: int64 `[trials]`, 0 left, 1 right, -1 where there was no choice.
        answer: int64 `[trials]`, the side that was right: 0, 1, or -1 where that is not known.
        reward: float64 `[trials]`, what came of the choice.
        stimulus_names: of the S numbers.
        time: float64 `[trials]`, response time in ms, NaN where unknown; None where it was not recorded.
        first_movement: float64 `[trials]`, time to the first movement in ms, likewise.
        prior: float64 `[trials]`, the block's probability that the right is the answer; None where there are no blocks.
        names: of the sessions, by number; empty where numbers are all there is.
    """

    session: np.ndarray
    stimuli: np.ndarray
    choice: np.ndarray
    answer: np.ndarray
    reward: np.ndarray
    stimulus_names: tuple[str, ...]
    time: np.ndarray | None = None
    first_movement: np.ndarray | None = None
    prior: np.ndarray | None = None
    names: dict[int, str] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.session)

    @property
    def answered(self) -> np.ndarray:
        """bool `[trials]`: whether a side was chosen."""
        return self.choice != NONE

    @property
    def correct(self) -> np.ndarray:
        """bool `[trials]`: whether the side that was right was chosen."""
        return self.answered & (self.choice == self.answer)

    @property
    def sessions(self) -> tuple[int, ...]:
        """The numbers of the sessions, rising."""
        return tuple(int(s) for s in np.unique(self.session))

    @property
    def starts(self) -> np.ndarray:
        """bool `[trials]`: whether the trial is its session's first."""
        return np.concatenate([[True], self.session[1:] != self.session[:-1]])

    def between(self, first: int, last: int) -> TrialTable:
        """The trials of sessions `first` to `last`, both included.

        Raises:
            InvalidArgument: if there are none.
        """
        return self.where((self.session >= first) & (self.session <= last), f"sessions {first} to {last}")

    def where(self, which: Any, what: str = "these") -> TrialTable:
        """The trials where `which`, bool `[trials]`, is true.

        Raises:
            InvalidArgument: for another shape, or if there are none.
        """
        kept = np.asarray(which)
        if kept.dtype != bool or kept.shape != self.session.shape:
            raise InvalidArgument(f"which must be bool [{len(self)}], got {kept.dtype} {list(kept.shape)}")
        if not kept.any():
            have = self.sessions
            raise InvalidArgument(f"there are no trials of {what}; there are sessions {have[0]} to {have[-1]}")
        cut = {
            f.name: value[kept]
            for f in dataclasses.fields(self)
            if isinstance(value := getattr(self, f.name), np.ndarray)
        }
        return dataclasses.replace(self, **cut)

    def signed(self, stimulus: int | str = 0) -> np.ndarray:
        """float64 `[trials]`: one of the stimuli, by number or name.

        Raises:
            InvalidArgument: if there is no such stimulus.
        """
        names = self.stimulus_names
        if isinstance(stimulus, str) and stimulus in names:
            stimulus = names.index(stimulus)
        if isinstance(stimulus, (bool, str)) or not 0 <= stimulus < len(names):
            raise InvalidArgument(f"stimulus must be one of {', '.join(names)} or their numbers, got {stimulus!r}")
        return self.stimuli[:, stimulus]

    def behaviour(self, stimulus: int | str = 0, *, scale: float = 100.0) -> Trials:
        """As `neurojax.analysis.behaviour` has trials: one signed strength, in percent.

        Args:
            stimulus: which is the signed strength, positive for the right.
            scale: what it is multiplied by to be in percent.
        """
        from neurojax.analysis.behaviour import Trials

        signed = scale * self.signed(stimulus)
        return Trials(np.abs(signed), signed, self.choice == RIGHT, self.answered, self.correct, self.time)

    def choices(self, stimulus: int | str = 0, *, scale: float = 100.0) -> Choices:
        """The choices counted by signed strength, for `neurojax.analysis.psychometric`."""
        return self.behaviour(stimulus, scale=scale).choices()

    def history(self, stimulus: int | str = 0, *, scale: float = 100.0) -> ChoiceHistory:
        """The choices as `[sessions, trials]`, for `neurojax.analysis.history`."""
        from neurojax.analysis.history import choice_history

        _, row = np.unique(self.session, return_inverse=True)
        first = np.flatnonzero(self.starts)
        column = np.arange(len(self)) - first[row]
        shape = (int(row.max()) + 1, int(column.max()) + 1)

        def grid(values: np.ndarray) -> np.ndarray:
            out = np.zeros(shape, values.dtype)
            out[row, column] = values
            return out

        return choice_history(
            grid(np.where(self.answered, self.choice, 0)),
            grid(self.correct),
            grid(scale * self.signed(stimulus)),
            grid(self.answered),
        )


def trial_table(
    session: Any,
    stimuli: Any,
    choice: Any,
    *,
    answer: Any = None,
    reward: Any = None,
    stimulus_names: tuple[str, ...] | None = None,
    time: Any = None,
    first_movement: Any = None,
    prior: Any = None,
    names: dict[int, str] | None = None,
) -> TrialTable:
    """Trials from plain arrays, checked.

    Args:
        session: `[trials]`, whole numbers that never fall.
        stimuli: `[trials]` or `[trials, S]`, finite.
        choice: `[trials]`, 0 left, 1 right, -1 none.
        answer: `[trials]`, the side that was right, or -1; default: not known.
        reward: `[trials]`; default: 1 where the choice was the answer, else 0.
        stimulus_names: default `stimulus_1`, ..
        time: response times in ms, NaN where unknown.
        first_movement: times of the first movement in ms, likewise.
        prior: the block's probability that the right is the answer.
        names: of the sessions.

    Raises:
        InvalidArgument: for other shapes or values.

    Example:
        >>> from neurojax.animals.trials import trial_table
        >>> table = trial_table([1, 1, 2], [-0.5, 0.5, 0.5], [0, 0, -1], answer=[0, 1, 1])
        >>> table.correct.tolist(), table.reward.tolist(), table.starts.tolist()
        ([True, False, False], [1.0, 0.0, 0.0], [True, False, True])
    """
    number = _whole("session", session, None)
    if number.size == 0:
        raise InvalidArgument("there are no trials")
    if np.any(np.diff(number) < 0):
        at = int(np.argmax(np.diff(number) < 0)) + 1
        raise InvalidArgument(f"session must never fall, got {number[at]} after {number[at - 1]} at trial {at}")
    shown = np.asarray(stimuli, np.float64)
    shown = shown[:, None] if shown.ndim == 1 else shown
    if shown.ndim != 2 or len(shown) != len(number) or shown.shape[1] == 0:
        raise InvalidArgument(f"stimuli must be [{len(number)}] or [{len(number)}, S], got {list(np.shape(stimuli))}")
    if not np.all(np.isfinite(shown)):
        raise InvalidArgument(f"stimuli must be finite, are not at trial {int(np.argwhere(~np.isfinite(shown))[0][0])}")
    called = stimulus_names or tuple(f"stimulus_{i + 1}" for i in range(shown.shape[1]))
    if len(called) != shown.shape[1] or len(set(called)) != len(called):
        raise InvalidArgument(f"stimulus_names must be {shown.shape[1]} different names, got {called!r}")
    chosen = _side("choice", choice, len(number))
    right = np.full(len(number), NONE) if answer is None else _side("answer", answer, len(number))
    if reward is None:
        if answer is None:
            raise InvalidArgument("answer or reward must be given: what came of a choice teaches")
        reward = (chosen == right) & (chosen != NONE)
    floats = {
        "reward": _floats("reward", reward, len(number)),
        "time": None if time is None else _floats("time", time, len(number), missing=True),
        "first_movement": None
        if first_movement is None
        else _floats("first_movement", first_movement, len(number), missing=True),
        "prior": None if prior is None else _floats("prior", prior, len(number), high=1.0),
    }
    return TrialTable(number, shown, chosen, right, stimulus_names=called, names=names or {}, **floats)


def _whole(name: str, values: Any, count: int | None) -> np.ndarray:
    out = np.asarray(values)
    if out.ndim != 1 or (count is not None and len(out) != count):
        raise InvalidArgument(f"{name} must be [{'trials' if count is None else count}], got {list(out.shape)}")
    if out.dtype.kind not in "biuf" or not np.all(np.isfinite(out)) or np.any(out != np.floor(out)):
        raise InvalidArgument(f"{name} must be whole numbers")
    return out.astype(np.int64)


def _side(name: str, values: Any, count: int) -> np.ndarray:
    out = _whole(name, values, count)
    if not np.all(np.isin(out, (LEFT, RIGHT, NONE))):
        bad = out[~np.isin(out, (LEFT, RIGHT, NONE))][0]
        raise InvalidArgument(f"{name} must be 0 (left), 1 (right) or -1 (none), got {bad}")
    return out


def _floats(name: str, values: Any, count: int, *, missing: bool = False, high: float = np.inf) -> np.ndarray:
    out = np.asarray(values, np.float64)
    if out.shape != (count,):
        raise InvalidArgument(f"{name} must be [{count}], got {list(out.shape)}")
    bad = np.isinf(out) | (np.isnan(out) & (not missing)) | (out > high) | ((out < 0) & np.isfinite(high))
    if bad.any():
        allowed = "finite" if not np.isfinite(high) else f"in [0, {high:g}]"
        raise InvalidArgument(f"{name} must be {allowed}, got {out[bad][0]} at trial {int(np.argmax(bad))}")
    return out
