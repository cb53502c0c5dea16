"""When subjects reach an endpoint under a protocol, and how that is summed up.

The endpoint is the exam that no protocol owns (`of="exam"`); the protocol's own criterion comes second
(`of="criterion"`). A subject has an endpoint's time and whether it was reached:

- reached: when it was (`pass_trials`; of the criterion `trials` at the end of training).
- given up ("dropped"): it never learns, time infinite. To count it as censored would say that it would have gone on to
  learn like the others.
- else (the study ended first): watched until then. Who is "trained" by the protocol and has not passed the exam goes on
  in the last stage until it has, or the study ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neurojax.analysis.psychometric import Estimate, wilson
from neurojax.errors import InvalidArgument, unknown
from neurojax.protocols.results import PERFECT, StudyResult
from neurojax.protocols.survival import kaplan_meier, median, restricted_mean

if TYPE_CHECKING:
    from pandas import DataFrame

ENDPOINTS = ("exam", "criterion")
UNITS = ("trials", "sessions")
_WATCHED = 0.9  # share of subjects whose outcome must be known up to the horizon


def endpoint(
    result: StudyResult, protocol: str, *, of: str = "exam", unit: str = "trials", learner: str | None = None
) -> DataFrame:
    """When each subject reached the endpoint under a protocol.

    Args:
        result: the study.
        protocol: its name.
        of: "exam" or "criterion" (the protocol's own).
        unit: "trials" or "sessions".
        learner: only this one; default: all but the perfect one.

    Returns:
        A row a subject, by (learner, subject): `time` (float, infinite: never), `event` (bool), `end` (float, until
        when it was watched).

    Raises:
        UnknownName: for a protocol, endpoint, unit or learner that does not exist.
    """
    given = {"protocol": (protocol, result.names()), "endpoint": (of, ENDPOINTS), "unit": (unit, UNITS)}
    for kind, (value, known) in given.items():
        if value not in known:
            raise unknown(kind, value, known)
    rows: Any = result.subjects[result.subjects["protocol"] == protocol]
    if learner is not None and learner not in set(rows["learner"]):
        raise unknown("learner", learner, rows["learner"].unique(), f"the study of {protocol!r}")
    rows = rows[rows["learner"] != PERFECT] if learner is None else rows[rows["learner"] == learner]
    rows = rows.set_index(["learner", "subject"]).sort_index()
    if of == "exam":
        event, when = rows["passed"].astype(bool), rows[f"pass_{unit}"].astype(float)
    else:
        event, when = rows["status"] == "trained", rows[unit].astype(float)
    never = ~event & (rows["status"] == "dropped")
    out = when.mask(never, math.inf).to_frame("time")
    return out.assign(event=event, end=when)


def shared_horizon(frames: Sequence[DataFrame], *, watched: float = _WATCHED) -> float:
    """Up to when times are compared: as long as the outcome of 9 in 10 subjects is known, in every one of the frames.

    Where no study ended before its subjects were done, that is until the last of them was.

    Args:
        frames: from `endpoint`.
        watched: the share of subjects whose outcome must be known: reached, given up, or still watched.

    Raises:
        InvalidArgument: if there are no subjects.
    """
    if not frames or any(len(frame) == 0 for frame in frames):
        raise InvalidArgument("there are no subjects to compare")
    latest = max(float(frame["end"].to_numpy().max()) for frame in frames)
    for frame in frames:
        lost = np.sort(frame["time"].where(~frame["event"], math.inf).to_numpy())
        latest = min(latest, float(lost[int((1 - watched) * len(lost) + 1e-9)]))
    return latest


def floor(result: StudyResult, protocol: str, *, of: str = "criterion", unit: str = "trials") -> float:
    """What a protocol takes of a perfect learner: the mean of those in the study, else (trials to its own criterion)
    `floors`; NaN where it is not known, or it never gets there.

    Raises:
        UnknownName: as `endpoint`.
    """
    rows: Any = result.subjects
    if ((rows["protocol"] == protocol) & (rows["learner"] == PERFECT)).any():
        frame = endpoint(result, protocol, of=of, unit=unit, learner=PERFECT)
        if frame["event"].to_numpy().all():
            return float(frame["time"].to_numpy().mean())
    return float(result.floors.get(protocol, math.nan)) if (of, unit) == ("criterion", "trials") else math.nan


def summarise(
    result: StudyResult,
    *,
    of: str = "exam",
    unit: str = "trials",
    learner: str | None = None,
    horizon: float | None = None,
    level: float = 0.95,
) -> DataFrame:
    """How subjects fared under each protocol.

    Args:
        result: the study.
        of, unit, learner: as for `endpoint`.
        horizon: of the restricted means, in the unit; default: `shared_horizon` of all protocols.
        level: of the intervals.

    Returns:
        A row a protocol: `protocol`, `n`, `reached`, `never` (given up), `censored`; `share` that
        reached it by the study's end (`share_low`, `share_high`: Wilson's interval); `median` (infinite where under
        half reach it), `mean` (restricted) with `_low` and `_high`; `horizon`; `floor` and `excess` (mean less floor;
        NaN where the floor is beyond the horizon) with its interval.

    Raises:
        UnknownName: as `endpoint`.
        InvalidArgument: for a level outside (0, 1) or a horizon that nobody was watched up to.
    """
    import pandas as pd

    frames = {name: endpoint(result, name, of=of, unit=unit, learner=learner) for name in result.names()}
    until = shared_horizon(list(frames.values())) if horizon is None else horizon
    rows = []
    for name, frame in frames.items():
        time, event = frame["time"].to_numpy(), frame["event"].to_numpy()
        n, reached = len(frame), int(event.sum())
        low, high = wilson(reached, n, level)
        row: dict[str, Any] = {"protocol": name, "n": n, "reached": reached, "never": int(np.isinf(time).sum())}
        row |= {"censored": n - reached - row["never"]}
        row |= {"share": reached / n, "share_low": float(low), "share_high": float(high)}
        row |= _columns("median", median(kaplan_meier(time, event, level=level)))
        mean = restricted_mean(time, event, until, level=level)
        least = floor(result, name, of=of, unit=unit)
        row |= {**_columns("mean", mean), "horizon": until, "floor": least}
        over = least if least < until else math.nan  # below the floor nobody could be done
        row |= _columns("excess", Estimate(mean.value - over, mean.low - over, mean.high - over))
        rows.append(row)
    return pd.DataFrame(rows)


def _columns(name: str, estimate: Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
