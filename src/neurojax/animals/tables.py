"""Animals' trials from CSV and Parquet files and pandas tables, and agents' trials in the same form.

What stands where in a file is said by `TableColumns`; `RAT` is the rat of Akrami et al. 2018 as PsyTrack hands it
out, `BIASED_BLOCKS` a flat table of the IBL's biased blocks.
The tables that the IBL itself writes are read by `neurojax.animals.ibl`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurojax.animals.frames import Source, read_frame
from neurojax.animals.trials import NONE, TrialTable, trial_table
from neurojax.errors import DamagedFile, InvalidArgument

if TYPE_CHECKING:
    from pandas import DataFrame

    from neurojax.core.task import Task


@dataclasses.dataclass(frozen=True)
class TableColumns:
    """Names of the columns of a table; None: there is no such column.

    Attributes:
        session: number or name of the session; its rows must stand together. None: all is one session.
        trial: number of the trial, which must rise within a session.
        stimuli: what was shown, a number each.
        choice: which of two sides was chosen; empty, `none` or the like where there was no choice.
        left, right: the values of `choice` and `answer` that mean the sides; None: the lower and the higher of the
            two values (1 and 2; left and right).
        answer: the side that was right, in the words of `choice`.
        correct: 0 or 1; tells the answer where there is no column for it.
        reward: what came of the choice; None: 1 if it was the answer, else 0.
        time: response time; may be empty.
        first_movement: time of the first movement; may be empty.
        time_unit: ms that one unit of the times takes (1000: they are in s).
        prior: the block's probability that the right is the answer.
    """

    session: str | None = "session"
    trial: str | None = None
    stimuli: tuple[str, ...] = ("signed_contrast",)
    choice: str = "choice"
    left: Any = None
    right: Any = None
    answer: str | None = None
    correct: str | None = None
    reward: str | None = None
    time: str | None = None
    first_movement: str | None = None
    time_unit: float = 1.0
    prior: str | None = None


RAT = TableColumns(trial="trial", stimuli=("stimulus_1", "stimulus_2"), answer="answer")
BIASED_BLOCKS = TableColumns(trial="trial", correct="correct", time="response_time_ms", prior="probability_right")


def read_table(path: str | Path, columns: TableColumns) -> TrialTable:
    """Read trials from a CSV or Parquet file (`.parquet`, `.pqt`; else CSV).

    Args:
        path: the file.
        columns: what stands where.

    Raises:
        InvalidArgument: if the file does not exist, or a value cannot be.
        UnknownName: if a column is missing; the nearest is suggested.
        DamagedFile: if the file is no table, or holds what cannot be read; the message names column and row.

    Example:
        >>> import pathlib, tempfile
        >>> from neurojax.animals.tables import TableColumns, read_table
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "trials.csv"
        >>> _ = file.write_text("day,tone,choice,answer\\n1,0.5,2,2\\n1,-0.5,2,1\\n2,-0.1,,1\\n")
        >>> trials = read_table(file, TableColumns(session="day", stimuli=("tone",), answer="answer"))
        >>> trials.choice.tolist(), trials.answer.tolist(), trials.sessions
        ([1, 1, -1], [1, 0, 0], (1, 2))
    """
    return from_frame(read_frame(Path(path)), columns, where=str(path))


def from_frame(frame: DataFrame, columns: TableColumns, *, where: str = "the table") -> TrialTable:
    """Trials from a pandas table; as `read_table`.

    Args:
        frame: one row a trial, in the order in which they were made.
        columns: what stands where.
        where: what messages call the table.
    """
    source = Source(frame, where)
    number, names = source.sessions(columns.session)
    if columns.trial is not None:
        source.check_order(columns.trial, number)
    if not columns.stimuli:
        raise InvalidArgument("columns.stimuli must name at least one column")
    stimuli = np.stack([source.numbers(name) for name in columns.stimuli], axis=1)
    texts = [source.texts(columns.choice)] + ([source.texts(columns.answer)] if columns.answer else [])
    sides = source.side_values(texts, columns.choice, columns.left, columns.right)
    choice = source.sides(columns.choice, sides)
    answer = None if columns.answer is None else source.sides(columns.answer, sides)
    if columns.correct is not None:
        truth = source.truths(columns.correct)
        told = np.where(choice == NONE, NONE, np.where(truth, choice, 1 - choice))
        if answer is None:
            answer = told
        elif np.any((answer != told) & (told != NONE) & (answer != NONE)):
            row = int(np.argmax((answer != told) & (told != NONE) & (answer != NONE)))
            raise DamagedFile(f"{where}: {columns.correct!r} contradicts {columns.answer!r} in row {row}")
    times = {
        name: columns.time_unit * source.numbers(column, missing=True)
        for name in ("time", "first_movement")
        if (column := getattr(columns, name)) is not None
    }
    return trial_table(
        number,
        stimuli,
        choice,
        answer=answer,
        reward=None if columns.reward is None else source.numbers(columns.reward),
        stimulus_names=columns.stimuli,
        prior=None if columns.prior is None else source.numbers(columns.prior),
        names=names,
        **times,
    )


def from_task(task: Task, data: Any, stimuli: Sequence[str] = (), *, after: Sequence[str] = ()) -> TrialTable:
    """An agent's trials in the same form, to stand beside an animal's.

    The right is ground truth 1, the left 0, as in the library's tasks between two sides. Trials that ended otherwise
    than correct or in error (aborts, misses) have no choice. Blocks are read from the condition `p_left`, where there
    is one.

    Args:
        task: with a condition `ground_truth`.
        data: what `nj.session` with a policy or `nj.rollout` returned, or its table.
        stimuli: names of conditions. Default: the condition `contrast` or `coherence` (percent) as a share, signed by
            the ground truth and called `signed_contrast` or `signed_coherence`.
        after: columns that are taken off the response time, which the table has from the trial's start, such as
            `quiescence`.

    Raises:
        InvalidArgument: if nobody played, or the ground truth takes other values.
        UnknownName: if there is no such column.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.animals.tables import from_task
        >>> task = nj.make("IBLBiasedChoiceWorld-v0")
        >>> trials = from_task(task, nj.session(task, jax.random.key(0), 50, n_sessions=2, policy="oracle"))
        >>> len(trials), bool(trials.correct.all()), trials.stimulus_names
        (100, True, ('signed_contrast',))
    """
    from neurojax.analysis.trials import column
    from neurojax.analysis.trials import trial_table as table_of

    table = table_of(task, data).sort_values(["session", "trial"], kind="stable")
    truth = np.asarray(column(table, "ground_truth"))
    if not np.all(np.isin(truth, (0, 1))):
        raise InvalidArgument("ground_truth must be 0 (left) or 1 (right) in every trial")
    outcome = np.asarray(column(table, "outcome"))
    choice = np.where(outcome == "correct", truth, np.where(outcome == "error", 1 - truth, NONE))
    names = tuple(stimuli)
    if names:
        shown = np.stack([np.asarray(column(table, name), float) for name in names], axis=1)
    else:
        strength = "contrast" if "contrast" in table else "coherence"
        shown = np.where(truth == 1, 0.01, -0.01) * np.asarray(column(table, strength), float) + 0.0
        shown, names = np.round(shown, 6)[:, None], (f"signed_{strength}",)  # float32 contrasts are 6.2500001
    time = np.asarray(column(table, "response_time"), float)
    for name in after:
        time = time - np.asarray(column(table, name), float)
    return trial_table(
        np.asarray(column(table, "session")) + 1,
        shown,
        choice,
        answer=truth,
        reward=np.asarray(column(table, "reward"), float),
        stimulus_names=names,
        time=np.where(choice == NONE, np.nan, time),
        prior=1 - np.asarray(table["p_left"], float) if "p_left" in table else None,
    )
