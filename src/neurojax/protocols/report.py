"""The page of a study: which protocol is better, how sure that is, and what was assumed."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurojax.files import write_atomic
from neurojax.protocols.control import Control
from neurojax.protocols.endpoints import summarise
from neurojax.protocols.judge import MARGIN, Comparison, compare_all
from neurojax.protocols.results import StudyResult, plain, records
from neurojax.protocols.robust import Ranking, rank
from neurojax.protocols.words import describe_protocol
from neurojax.viz import protocols as figures
from neurojax.viz import report
from neurojax.viz.style import image

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

_GOALS = {"exam": "the exam", "criterion": "the protocol's own criterion"}
CAUTION = (
    "One trial of a simulated subject is not one trial of an animal. The numbers of trials and sessions below say "
    "nothing of how long an animal would take: ratios between protocols and their ranks are what to read, and these "
    "only as far as they do not depend on how subjects were modelled."
)
_WIDE = (
    "<style>.wide { overflow-x: auto; font-size: .85rem; } .wide td { white-space: nowrap; } "
    ".wide th { vertical-align: bottom; } .wide tr > :not(:first-child) { padding-left: 1rem; }</style>"
)
_ASSUMED = (
    "The endpoint of a comparison is the exam: the target task, played with frozen weights after sessions, passed as "
    "often in a row as the protocol asks. The protocol's own criterion comes second.",
    "Who is given up never learns, and counts with the horizon. Who was still in training when the study ended is "
    "censored: watched until then. Who met the protocol's criterion and had not passed the exam trained on.",
    "Mean times are restricted: the mean of the time or the horizon, whichever comes first. The horizon is as long as "
    "the outcome of 9 in 10 subjects is known under every protocol, and the same for all. A ratio of restricted means "
    "is nearer to 1 than that of the times of those who learn, where many do not learn.",
    "The same subject under two protocols is the same individual with the same seed. Intervals are 95%: of shares "
    "Wilson's, of medians and means from the Kaplan-Meier estimate, of comparisons bootstraps over pairs of subjects, "
    "drawn within each learner, with a fixed seed. They are not corrected for the number of comparisons.",
    "That a subject does better under one of two protocols: it reached the endpoint while, watched, it had not under "
    "the other. Same times, neither, and what is not known count half.",
    "The excess is the mean time less what a perfect learner takes under the same protocol.",
)


def study_report(
    result: StudyResult,
    *,
    title: str = "Training protocols compared",
    control: Control | None = None,
    walks: Mapping[str, str | Path | bytes] | None = None,
    replicates: int = 2000,
    bins: int = 3,
) -> str:
    """The page as HTML. Nothing in it is loaded from elsewhere.

    Args:
        result: the study.
        title: of the page.
        control: a protocol compared with itself, from `neurojax.protocols.control`.
        walks: GIFs of single subjects by caption (bytes, or a file).
        replicates: of the bootstraps.
        bins: in which learning rates and hazards are cut.

    Raises:
        InvalidArgument: if no subject was trained under all protocols.
    """
    ranking = rank(result, replicates=max(replicates // 2, 1), bins=bins)
    pairs = {of: compare_all(result, of=of, replicates=replicates) for of in _GOALS} if len(ranking.order) > 1 else {}
    lead = [_WIDE, report.paragraph(ranking.describe(), "lead"), report.paragraph(CAUTION, "note")]
    if ranking.warning:
        lead.append(report.paragraph(f"Warning. {ranking.warning}", "note"))
    sections = [_times(result, of) for of in _GOALS]
    if pairs:
        sections += [_pairs(result, pairs, ranking), _robust(ranking)]
    sections += [_control(control), _learning(result, walks or {}), _behaviour(result)]
    sections += [_rules(result), _assumed(result)]
    return report.page(title, lead, sections, _footer(result))


def write_study_report(result: StudyResult, path: str | Path, **options: Any) -> Path:
    """Write the page, whole or not at all; options as for `study_report`.

    Raises:
        InvalidArgument: if the file cannot be written, or as `study_report`.
    """
    return write_atomic(path, study_report(result, **options))


def _times(result: StudyResult, of: str) -> report.Section:
    """How many reached an endpoint, and when."""
    goal, parts = _GOALS[of], []
    tables = {unit: summarise(result, of=of, unit=unit) for unit in ("trials", "sessions")}
    rows = [
        [
            row["protocol"], row["n"], f"{report.percent(row['share'])} ({_range(row, 'share', report.percent)})",
            row["never"], row["censored"],
        ]
        for row in records(tables["trials"])
    ]  # fmt: skip
    parts.append(_table(["protocol", "subjects", f"reached {goal}", "given up", "study ended first"], rows))
    for unit, table in tables.items():
        horizon = float(table["horizon"].iloc[0])
        header = ["protocol", f"median {unit}", f"mean {unit} up to {horizon:,.0f}"]
        header += ["perfect learner", "excess"]
        lines = [
            [
                row["protocol"],
                _number(row, "median"),
                _number(row, "mean"),
                _plain(row["floor"]),
                _number(row, "excess"),
            ]
            for row in records(table)
        ]
        parts.append(_table(header, lines))
    parts.append(
        _picture(figures.plot_times(result, of=of), f"Share of subjects that have reached {goal} (Kaplan-Meier).")
    )
    if len(result.learners()) > 1:
        lines = []
        for learner in result.learners():
            # in sessions, which all have: who aborts nearly every attempt has few trials that count, and ends the means
            by = [summarise(result, of=of, unit=unit, learner=learner) for unit in ("trials", "sessions")]
            for trials, sessions in zip(*map(records, by), strict=True):
                cells = [learner, trials["protocol"], trials["n"], report.percent(trials["share"])]
                means = [_number(sessions, "mean"), _plain(sessions["horizon"])]
                lines.append([*cells, _number(trials, "median"), _number(sessions, "median"), *means])
        header = ["learner", "protocol", "subjects", "reached", "median trials", "median sessions", "mean sessions"]
        parts.append(_table([*header, "up to"], lines))
    return report.Section(f"Time to {goal}", parts)


def _pairs(result: StudyResult, pairs: Mapping[str, Sequence[Comparison]], ranking: Ranking) -> report.Section:
    """Every two protocols."""
    parts = []
    for of, found in pairs.items():
        rows = [
            [
                f"{c.first} / {c.second}", c.n, _estimate(c.ratio), _estimate(c.geometric),
                report.percent(c.learnt_both), _estimate(c.better), _estimate(c.excess), _p(c.log_rank.pvalue),
                "yes" if c.clears() else "no",
            ]
            for c in found
        ]  # fmt: skip
        header = ["first / second", "pairs", "ratio of means", "geometric, of who learns both", "share of these"]
        header += ["first is better", "ratio of excess", "p", f"beyond 1 ± {MARGIN:g}"]
        parts.append(report.paragraph(f"Trials to {_GOALS[of]}; below 1 the first is faster."))
        parts.append(_table(header, rows))
        if of == "exam":
            parts.append(_picture(figures.plot_ratios(found), "Ratios of restricted means of trials to the exam."))
    parts.append(
        report.paragraph("p: the log-rank test within pairs, in which only who of a pair is first counts.", "small")
    )
    first, second = ranking.order[:2]
    caption = f"Each subject under {first!r} and under {second!r}, the two fastest."
    parts.append(_picture(figures.plot_pairs(result, first, second), caption))
    return report.Section("Protocols compared over the same subjects", parts)


def _robust(ranking: Ranking) -> report.Section:
    """Whether the ranking holds for all kinds of subjects."""
    caption = "The fastest protocol in each cell, by restricted mean of trials to the exam."
    parts, cells = [report.paragraph(ranking.describe())], len(ranking.cells) > 0
    if cells:
        parts.append(_picture(figures.plot_winners(ranking), caption))
    for pair in ranking.pairs:
        parts.append(report.paragraph(f"Against {pair.overall.second!r}: {pair.describe()}"))
        if pair.warning:
            parts.append(report.paragraph(f"Warning. {pair.warning}", "note"))
    if ranking.pairs:
        pair = ranking.pairs[0]
        caption = "Ratios of restricted means in each cell, with their intervals; bold ones do not hold 1."
        if cells:
            parts.append(_picture(figures.plot_robustness(pair), caption))
        parts.append(_table(["by", "kind", "pairs", "ratio", "faster"], _alone(pair.dependence)))
    return report.Section("Is the ranking robust?", parts)


def _control(control: Control | None) -> report.Section:
    """A protocol against itself."""
    if control is None:
        text = "No control was run: a protocol compared with itself should hold a ratio of 1 in 95 of 100 intervals."
        return report.Section("Control", [report.paragraph(text, "note")])
    text = (
        f"A protocol compared with itself ({control.how}): the {100 * control.level:g}% interval of the ratio held 1 "
        f"in {control.held} of {control.pairs} comparisons ({report.percent(control.share)}, "
        f"{report.percent(control.low)} to {report.percent(control.high)})."
    )
    parts = [report.paragraph(text)]
    if not control.plausible:
        parts.append(report.paragraph("That is not what such intervals should do: do not trust those above.", "note"))
    return report.Section("Control: a protocol against itself", parts)


def _learning(result: StudyResult, walks: Mapping[str, str | Path | bytes]) -> report.Section:
    """How subjects learn."""
    caption = (
        "Performance in training and in exams: means over subjects with 95% intervals. A subject keeps its last value "
        "after its training. Dotted: what passes the exam."
    )
    parts = [_picture(figures.plot_curves(result), caption)]
    parts.append(
        _picture(figures.plot_occupancy(result), "In which stage subjects are (that in which a session ended).")
    )
    for text, gif in walks.items():
        data = gif if isinstance(gif, bytes) else Path(gif).read_bytes()
        shown = base64.b64encode(data).decode()
        parts.append(
            f'<figure><img src="data:image/gif;base64,{shown}" alt="{escape(text, quote=True)}">'
            f"<figcaption>{escape(text)}</figcaption></figure>"
        )
    return report.Section("Learning", parts)


def _behaviour(result: StudyResult) -> report.Section:
    """What subjects do at the end."""
    caption = "Choices in the last exam: means over subjects with 95% intervals, and the fit to all choices."
    parts = [_picture(figures.plot_final(result), caption)]
    caption = "How often the last choice was made again, in the last sessions: means over subjects with 95% intervals."
    return report.Section("Behaviour at the end", [*parts, _picture(figures.plot_history(result), caption)])


def _rules(result: StudyResult) -> report.Section:
    """What the protocols are."""
    parts = []
    for name in result.names():
        protocol = result.protocols[name]
        parts.append(_picture(figures.plot_stages(protocol), f"{name}: stages, and what leads from one to another."))
        if protocol.doc.strip():
            parts.append(report.paragraph(protocol.doc.strip()))
        if protocol.source:
            parts.append(report.paragraph(f"Source: {protocol.source}", "small"))
        parts.append(
            f"<details><summary>{escape(name)} in words</summary>{report.code(describe_protocol(protocol))}</details>"
        )
    return report.Section("The protocols", parts)


def _assumed(result: StudyResult) -> report.Section:
    """What has to be known to read the numbers."""
    parts = [report.paragraph(CAUTION), *(report.paragraph(text) for text in _ASSUMED)]
    habituation = result.subjects["habituation"].to_numpy(float)
    if habituation.max() > 0:
        took = float(np.median(habituation))
        text = f"Habituation before the protocol is counted in no time above: {took:,.0f} trials (median)."
        parts.append(report.paragraph(text))
    about = json.dumps(plain(result.about), indent=1, ensure_ascii=False)
    return report.Section("What was assumed", [*parts, report.code(about)])


def _alone(dependence: DataFrame) -> list[list[Any]]:
    return [
        [
            row["factor"].replace("_", " "), row["kind"], row["n"],
            f"{row['ratio']:.2f} ({row['low']:.2f} to {row['high']:.2f})", row["winner"] or "equal",
        ]
        for row in records(dependence)
    ]  # fmt: skip


def _footer(result: StudyResult) -> str:
    import neurojax

    subjects = result.subjects
    return f"neurojax {neurojax.__version__}; {len(subjects):,} trained subjects under {len(result.names())} protocols"


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A table that may be wider than the page."""
    return f'<div class="wide">{report.table(header, rows)}</div>'


def _picture(figure: Figure, caption: str) -> str:
    return report.picture(image(figure, dpi=120), caption)


def _number(row: Any, name: str) -> str:
    """A value of a summary with its interval, in whole numbers."""
    if math.isnan(row[name]):
        return "–"
    return f"{_plain(row[name])} ({_range(row, name, _plain)})"


def _range(row: Any, name: str, said: Any) -> str:
    return f"{said(row[f'{name}_low'])} to {said(row[f'{name}_high'])}"


def _plain(value: float) -> str:
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "not reached"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}"


def _estimate(estimate: Any) -> str:
    if math.isnan(estimate.value):
        return "–"
    high = "∞" if math.isinf(estimate.high) else f"{estimate.high:.2f}"
    return f"{estimate.value:.2f} ({estimate.low:.2f} to {high})"


def _p(value: float) -> str:
    return "< .001" if value < 0.001 else f"{value:.3f}"
