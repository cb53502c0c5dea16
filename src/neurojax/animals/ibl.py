"""Trials from the tables of the International Brain Laboratory (IBL).

The IBL's own tables (the object `trials` of its ALF files) have columns of their own. The sign of `choice` there is
a trap: words in its documentation contradict each other, code does not. The extractor makes a correct choice minus the
sign of the stimulus' position (ibllib, `ibllib/io/extractors/training_trials.py`), and the analyses take -1 for
rightward (`brainbox/behavior/training.py`). So

    choice -1: a stimulus on the right was reported;   +1: one on the left;   0: no answer in time

A wheel turned anticlockwise, which the IBL counts as positive, brings a stimulus on the left to the middle. A file in
which feedback contradicts that is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurojax.animals.frames import Source, read_frame
from neurojax.animals.trials import LEFT, NONE, RIGHT, TrialTable, trial_table
from neurojax.errors import DamagedFile, InvalidArgument

if TYPE_CHECKING:
    from pandas import DataFrame

_NEEDED = ("contrastLeft", "contrastRight", "choice", "feedbackType")
_CONTRADICTED = 0.01  # the share of trials in which feedback and choice may disagree


def read_ibl(path: str | Path | Sequence[str | Path]) -> TrialTable:
    """Read the IBL's `trials` (see the module): a CSV or Parquet file, an ALF folder with one, or several, in order.

    Args:
        path: the file; or a folder that holds `_ibl_trials.table.pqt`, and perhaps `_ibl_trials.*.npy` for columns that
            are not in it; or several of these, each taken for one session (or more, where it has a column `session` or
            `eid`).

    Raises:
        InvalidArgument: if a file does not exist.
        UnknownName: if a column is missing.
        DamagedFile: if a file cannot be read, or contradicts itself.
    """
    from pandas import concat

    paths = [Path(path)] if isinstance(path, (str, Path)) else [Path(p) for p in path]
    if not paths:
        raise InvalidArgument("path must name at least one file")
    frames = []
    for i, each in enumerate(paths):
        frame = _read_alf(each) if each.is_dir() else read_frame(each)
        if not {"session", "eid"} & set(frame.columns) and len(paths) > 1:
            frame = frame.assign(session=i + 1)
        frames.append(frame)
    return from_ibl(concat(frames, ignore_index=True), where=", ".join(map(str, paths[:3])))


def from_ibl(data: DataFrame | Mapping[str, Any], *, where: str = "the table") -> TrialTable:
    """Trials from the IBL's columns: a pandas table, or a mapping of arrays such as `one.load_object(eid, "trials")`.

    Needed are `contrastLeft`, `contrastRight` (NaN where the stimulus was on the other side), `choice` and
    `feedbackType` (1 rewarded, -1 not). Read where they are there: `probabilityLeft`, `stimOn_times`, `goCue_times`,
    `response_times`, `firstMovement_times` (s; `intervals` are not needed), `session` or `eid`. Times are from the
    onset of the stimulus, or from the go cue where that is not known. The stimulus is the signed contrast from -1 to
    1, `contrast`. Where it is 0 the side that pays is known still: it is the one that has a contrast.

    Args:
        data: one row a trial.
        where: what messages call the table.

    Raises:
        UnknownName: if a needed column is missing.
        DamagedFile: if a value cannot be, or feedback contradicts the choices.

    Example:
        >>> import numpy as np
        >>> from neurojax.animals.ibl import from_ibl
        >>> trials = from_ibl({"contrastLeft": [0.5, np.nan], "contrastRight": [np.nan, 0.0],
        ...                    "choice": [1, 1], "feedbackType": [1, -1], "probabilityLeft": [0.2, 0.2]})
        >>> trials.stimuli[:, 0].tolist(), trials.choice.tolist(), trials.answer.tolist()
        ([-0.5, 0.0], [0, 0], [0, 1])
    """
    from pandas import DataFrame

    if not isinstance(data, DataFrame):  # columns of several numbers a trial, such as intervals, are not read
        data = DataFrame({str(k): np.asarray(v) for k, v in data.items() if np.ndim(v) == 1})
    source = Source(data, where)
    for name in _NEEDED:
        source.texts(name)
    key = next((name for name in ("session", "eid") if name in data), None)
    number, names = source.sessions(key)
    left, right = (source.numbers(f"contrast{side}", missing=True) for side in ("Left", "Right"))
    on_right = np.isfinite(right)
    # one of the two is NaN; older files hold 0 for it
    both = np.isfinite(left) & on_right
    on_right = np.where(both, right > 0, on_right)
    nowhere = ~(np.isfinite(left) | np.isfinite(right))
    if nowhere.any():
        raise DamagedFile(f"{where}: row {int(np.argmax(nowhere))} has neither contrastLeft nor contrastRight")
    contrast = np.where(on_right, np.nan_to_num(right), -np.nan_to_num(left)) + 0.0
    if np.any(np.abs(contrast) > 1):
        raise DamagedFile(f"{where}: contrasts must lie in [0, 1], got {np.abs(contrast).max():g}")
    wheel = source.numbers("choice")
    if not np.all(np.isin(wheel, (-1, 0, 1))):
        bad = int(np.argmax(~np.isin(wheel, (-1, 0, 1))))
        raise DamagedFile(f"{where}: choice must be -1, 0 or 1, got {wheel[bad]:g} in row {bad}")
    choice = np.where(wheel == 0, NONE, np.where(wheel == -1, RIGHT, LEFT))
    answer = np.where(both & (contrast == 0), NONE, np.where(on_right, RIGHT, LEFT))
    rewarded = source.numbers("feedbackType")
    if not np.all(np.isin(rewarded, (-1, 0, 1))):
        raise DamagedFile(f"{where}: feedbackType must be -1, 0 or 1")
    known = (choice != NONE) & (answer != NONE)
    odd = known & ((rewarded == 1) != (choice == answer))
    if known.any() and odd.sum() > _CONTRADICTED * known.sum():
        raise DamagedFile(
            f"{where}: feedbackType contradicts choice in {int(odd.sum())} of {int(known.sum())} trials; choice must "
            "be -1 for a stimulus reported on the right and 1 for the left, as the IBL has it"
        )
    answer = np.where((answer == NONE) & (choice != NONE), np.where(rewarded == 1, choice, 1 - choice), answer)
    optional = lambda name: source.numbers(name, missing=True) if name in data else np.full(len(data), np.nan)
    onset = optional("stimOn_times")
    onset = np.where(np.isfinite(onset), onset, optional("goCue_times"))
    times = {
        name: 1000.0 * (optional(column) - onset)
        for name, column in (("time", "response_times"), ("first_movement", "firstMovement_times"))
        if column in data
    }
    prior = 1 - source.numbers("probabilityLeft") if "probabilityLeft" in data else None
    return trial_table(
        number,
        contrast,
        choice,
        answer=answer,
        reward=(rewarded == 1).astype(float),
        stimulus_names=("contrast",),
        prior=prior,
        names=names,
        **times,
    )


def _read_alf(folder: Path) -> DataFrame:
    """The trials of an ALF folder."""
    tables = sorted(folder.glob("*_trials.table*.pqt"))
    if len(tables) != 1:
        raise InvalidArgument(f"{folder} must hold one _ibl_trials.table.pqt, holds {len(tables)}")
    frame = read_frame(tables[0])
    for file in sorted(folder.glob("*_trials.*.npy")):
        name = file.name.split("_trials.")[1].split(".")[0]
        if name in frame:
            continue
        try:
            values = np.load(file, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise DamagedFile(f"{file} cannot be read: {error}") from None
        if values.ndim == 1:
            if len(values) != len(frame):
                raise DamagedFile(f"{file} holds {len(values)} values for {len(frame)} trials")
            frame[name] = values
    return frame
