"""Figures of studies: how subjects fare under training protocols, and which protocol is better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neurojax.errors import InvalidArgument
from neurojax.protocols.endpoints import endpoint
from neurojax.protocols.judge import MARGIN, Comparison
from neurojax.protocols.results import PERFECT, StudyResult, records
from neurojax.protocols.robust import Ranking, Robustness
from neurojax.protocols.survival import kaplan_meier
from neurojax.viz.stages import animate_walk as animate_walk
from neurojax.viz.stages import plot_stages as plot_stages
from neurojax.viz.stages import save_animation as save_animation
from neurojax.viz.style import BLUE, COLOURS, GREEN, GREY, INK, RED, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from pandas import DataFrame

_POINTS = 200  # at which curves over trials are drawn
_STYLES = ("-", "--", ":", "-.")


def plot_curves(result: StudyResult, *, learner: str | None = None) -> Figure:
    """Performance over all trials, in training and in exams: means over subjects with 95% intervals.

    A subject keeps its last value after its training is over, so that the mean is always of the same subjects.

    Args:
        result: the study.
        learner: only this one; default: all but the perfect one.
    """
    figure = new_figure(9.6, 4.0)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    rows = _rows(result.sessions, learner)
    most = float(rows["total_trials"].max()) if len(rows) else 1.0
    grid = np.linspace(0, most, _POINTS)
    for axes, column, title in zip(panels, ("performance", "exam"), ("in training", "in exams"), strict=True):
        for name, style in _styles(result).items():
            own = rows[(rows["protocol"] == name) & rows[column].notna()]
            if not len(own):
                continue
            held = np.stack([_held(one, column, grid) for _, one in own.groupby(["learner", "subject"])])
            mean, half, there = _means(held)
            x, low, high = grid[there], (mean - half)[there], (mean + half)[there]
            axes.fill_between(x, low, high, color=style["color"], alpha=0.18, lw=0)
            axes.plot(x, mean[there], linewidth=1.6, label=name, **style)
        axes.set_xlim(0, most)
        axes.set_ylim(0, 1.02)
        tidy(axes, x="trials", y="performance" if axes is panels[0] else "", title=title)
    for name in result.names():
        accuracy = result.protocols[name].exam.accuracy
        panels[1].axhline(accuracy, color=_styles(result)[name]["color"], linewidth=0.7, linestyle=":")
    _legend(figure, panels[0])
    return figure


def plot_occupancy(result: StudyResult, *, learner: str | None = None) -> Figure:
    """In which stage subjects are, over trials, a panel a protocol: shares, stacked; what training came to above.

    To a session's end it is the stage in which the session ended.

    Args:
        result: the study.
        learner: only this one; default: all but the perfect one.
    """
    from matplotlib import colormaps

    names = result.names()
    figure = new_figure(8.6, 0.7 + 2.0 * len(names))
    rows, subjects = _rows(result.sessions, learner), _rows(result.subjects, learner)
    most = float(rows["total_trials"].max()) if len(rows) else 1.0
    grid = np.linspace(0, most, _POINTS)
    ends = {"trained": GREEN, "dropped": RED, "censored": "#E4E4E4"}
    panels = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    for axes, name in zip(panels, names, strict=True):
        stages = [stage.name for stage in result.protocols[name].stages]
        own = rows[rows["protocol"] == name]
        status = subjects[subjects["protocol"] == name].set_index(["learner", "subject"])
        count = np.zeros((len(stages) + len(ends), grid.size))
        for who, one in own.groupby(["learner", "subject"]):
            place = _places(one, stages, grid)
            over = grid > float(status.loc[who, "trials"])
            place[over] = len(stages) + list(ends).index(status.loc[who, "status"])
            count[place, np.arange(grid.size)] += 1
        shares = count / max(count[:, 0].sum(), 1)
        shades = [colormaps["Blues"](0.2 + 0.7 * i / max(len(stages) - 1, 1)) for i in range(len(stages))]
        labels = [*stages, "trained", "given up", "study over"]
        axes.stackplot(grid, shares, colors=[*shades, *ends.values()], labels=labels, edgecolor="white", linewidth=0.3)
        axes.set_xlim(0, most)
        axes.set_ylim(0, 1)
        handles, labels = axes.get_legend_handles_labels()
        axes.legend(handles[::-1], labels[::-1], fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        tidy(axes, x="trials" if axes is panels[-1] else "", y="share of subjects", title=name)
    return figure


def plot_times(result: StudyResult, *, of: str = "exam", learner: str | None = None) -> Figure:
    """The share of subjects that have reached the endpoint, over trials and over sessions: Kaplan-Meier, 95% bands.

    Ticks are subjects at whom nobody looked any longer.

    Args:
        result: the study.
        of: "exam" or "criterion".
        learner: only this one; default: all but the perfect one.

    Raises:
        UnknownName: as `neurojax.protocols.endpoints.endpoint`.
    """
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(9.6, 4.0)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, unit in zip(panels, ("trials", "sessions"), strict=True):
        for name, style in _styles(result).items():
            frame = endpoint(result, name, of=of, unit=unit, learner=learner)
            curve = kaplan_meier(frame["time"], frame["event"])
            last = float(frame["end"].to_numpy().max())
            time = np.concatenate([[0.0], curve.time, [last]])
            learnt = 1 - curve.at(time)
            low, high = curve.band(time)
            axes.fill_between(time, 1 - high, 1 - low, step="post", color=style["color"], alpha=0.15, lw=0)
            axes.step(time, learnt, where="post", linewidth=1.6, label=name, **style)
            lost = frame.loc[~frame["event"] & np.isfinite(frame["time"]), "time"].to_numpy()
            axes.plot(lost, 1 - curve.at(lost), "|", color=style["color"], markersize=6)
        axes.set_xlim(left=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_ylim(0, 1.02)
        goal = "passed the exam" if of == "exam" else "met the protocol's criterion"
        tidy(axes, x=unit, y=f"share that has {goal}" if axes is panels[0] else "")
    _legend(figure, panels[0])
    return figure


def plot_final(result: StudyResult, *, learner: str | None = None) -> Figure:
    """Psychometric functions in the last exam: means over subjects with 95% intervals, and the fit to all choices.

    Args:
        result: the study.
        learner: only this one; default: all but the perfect one.
    """
    from neurojax.analysis.psychometric import Choices, fit_psychometric

    figure = new_figure(6.4, 4.4)
    axes = figure.subplots()
    rows = _rows(result.exams, learner)
    rows = rows[rows["n"] > 0]
    rows = rows.assign(strength=rows["strength"] + 0.0)  # 0 on either side is one strength
    reach = float(rows["strength"].abs().max()) if len(rows) else 1.0
    wide = reach > 20  # on a linear axis, easy strengths would squeeze the hard ones
    x = np.sinh(np.linspace(-1, 1, 401) * np.arcsinh(reach / 3)) * 3 if wide else np.linspace(-reach, reach, 401)
    if wide:
        axes.set_xscale("asinh", linear_width=3)
    axes.axhline(0.5, color=GREY, linewidth=0.6)
    axes.axvline(0, color=GREY, linewidth=0.6)
    for name, style in _styles(result).items():
        own = rows[rows["protocol"] == name].assign(share=lambda t: t["right"] / t["n"])
        if not len(own):
            continue
        by = own.groupby("strength")
        share, half = by["share"].mean(), 1.96 * by["share"].sem().fillna(0)
        colour = style["color"]
        axes.errorbar(share.index, share, half, fmt="o", color=colour, markersize=4, linewidth=1, label=name)
        n, right = (by[column].sum().to_numpy().round().astype(int) for column in ("n", "right"))
        fit = fit_psychometric(Choices(share.index.to_numpy(float), right, n - right, np.zeros_like(n)))
        if fit.determined:
            axes.plot(x, fit.probability(x), linewidth=1.4, **style)
    levels = sorted(set(rows["strength"]))
    if wide and len(levels) <= 15:
        axes.set_xticks(levels, [f"{level:g}" for level in levels], rotation=45)
        axes.minorticks_off()
    axes.set_ylim(-0.03, 1.03)
    _legend(figure, axes)
    conditions = dict.fromkeys(result.protocols[name].reading.strength for name in result.names())
    known = ", ".join(name for name in conditions if name) or "side"
    tidy(axes, x=f"signed {known} (positive: the right is correct)", y="P(right | choice)")
    return figure


def plot_history(result: StudyResult, *, learner: str | None = None) -> Figure:
    """How often the last choice was made again in the last sessions, by what it was and whether it was correct.

    Means over subjects with 95% intervals.

    Args:
        result: the study.
        learner: only this one; default: all but the perfect one.
    """
    figure = new_figure(7.4, 3.8)
    panels = figure.subplots(1, 2, sharey=True)
    rows = _rows(result.history, learner)
    rows = rows[rows["n"] > 0].assign(share=lambda t: t["repeated"] / t["n"])
    styles = _styles(result)
    for axes, choice, side in zip(panels, (-1, 1), ("left", "right"), strict=True):
        axes.axhline(0.5, color=GREY, linewidth=0.6)
        for k, (name, style) in enumerate(styles.items()):
            own = rows[(rows["protocol"] == name) & (rows["previous_choice"] == choice)]
            by = own.groupby("previous_correct")["share"]
            mean, half = by.mean().reindex([1, 0]), 1.96 * by.sem().fillna(0).reindex([1, 0])
            x = np.arange(2) + 0.08 * (k - (len(styles) - 1) / 2)
            axes.errorbar(x, mean, half, marker="o", markersize=5, linewidth=1.4, label=name, **style)
        axes.set_xticks([0, 1], ["correct", "an error"])
        axes.set_xlim(-0.5, 1.5)
        axes.set_ylim(-0.02, 1.02)
        tidy(axes, x=f"after a {side} choice that was", y="P(same choice again)" if choice < 0 else "")
    _legend(figure, panels[0])
    return figure


def plot_pairs(result: StudyResult, first: str, second: str, *, of: str = "exam", unit: str = "trials") -> Figure:
    """Each subject's time under one protocol against that under the other; beside it how their ratios are spread.

    Who never learns under a protocol, or was not watched until it did, lies in the shaded margin.

    Args:
        result: the study.
        first, second: the protocols.
        of, unit: the endpoint.

    Raises:
        UnknownName: as `neurojax.protocols.endpoints.endpoint`.
        InvalidArgument: if no subject was trained under both.
    """
    a, b = (endpoint(result, name, of=of, unit=unit) for name in (first, second))
    both = a.index.intersection(b.index)
    if not len(both):
        raise InvalidArgument("no subject was trained under both protocols: there are no pairs to draw")
    a, b = a.loc[both], b.loc[both]
    figure = new_figure(9.2, 4.2)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1))
    known = [frame["event"].to_numpy() & (frame["time"].to_numpy() > 0) for frame in (a, b)]
    times = np.concatenate([frame["time"].to_numpy()[k] for frame, k in zip((a, b), known, strict=True)])
    low, high = (times.min(), times.max()) if times.size else (1.0, 10.0)
    low, high = low / 1.25, high * 1.25
    edge, far = high * 1.35, high * 1.8
    for k, learner in enumerate(dict.fromkeys(both.get_level_values("learner"))):
        own = both.get_level_values("learner") == learner
        place = [np.where(k_, f["time"], edge)[own] for f, k_ in zip((a, b), known, strict=True)]
        look = {"marker": "os^d"[k % 4], "color": COLOURS[k % 6], "markersize": 4.5, "alpha": 0.6, "mew": 0}
        left.plot(place[1], place[0], linestyle="none", label=learner, **look)
    left.axvspan(high, far, color="#EEEEEE", zorder=0)
    left.axhspan(high, far, color="#EEEEEE", zorder=0)
    left.plot([low, high], [low, high], color=GREY, linewidth=0.9)
    left.set_xscale("log")
    left.set_yscale("log")
    ticks = [m * 10.0**e for e in range(-1, 9) for m in (1, 2, 5) if low <= m * 10.0**e <= high]
    for axis in (left.xaxis, left.yaxis):
        axis.set_ticks(ticks, [f"{t:,g}" if t < 1e5 else f"{t:.0e}" for t in ticks])
        axis.set_ticks([], minor=True)
    left.set_xlim(low, far)
    left.set_ylim(low, far)
    left.legend(fontsize=8, frameon=False, loc="lower right", bbox_to_anchor=(0.85, 0.0))
    tidy(left, x=f"{unit} under {second} (shaded: not learnt)", y=f"{unit} under {first}")
    learnt = known[0] & known[1]
    if learnt.any():
        ratios = np.log2((a["time"] / b["time"]).to_numpy()[learnt])
        reach = max(1.0, float(np.abs(ratios).max()))
        right.hist(ratios, np.linspace(-reach, reach, 31), color=BLUE, alpha=0.75)
        ticks = np.arange(-np.ceil(reach), np.ceil(reach) + 1)
        right.set_xticks(ticks, [f"{2.0**t:g}" for t in ticks])
        right.axvline(float(ratios.mean()), color=RED, linewidth=1.6, label=f"geometric mean {2 ** ratios.mean():.2f}")
        right.legend(fontsize=8, frameon=False)
        right.axvline(0, color=INK, linewidth=0.8)
    else:
        right.text(0.5, 0.5, "nobody learnt under both", transform=right.transAxes, ha="center", color=GREY)
        right.set_xticks([])
        right.set_yticks([])
    share = f"{int(learnt.sum())} of {len(both)}"
    tidy(right, x=f"{first} over {second}, where both were learnt ({share})", y="subjects")
    return figure


def plot_ratios(comparisons: Sequence[Comparison]) -> Figure:
    """The ratio of each two protocols with its interval; the band is 1 ± .1, where no difference counts.

    Args:
        comparisons: from `neurojax.protocols.judge.compare_all`.

    Raises:
        InvalidArgument: if there are none.
    """
    if not comparisons:
        raise InvalidArgument("comparisons must hold at least one")
    figure = new_figure(7.6, 1.1 + 0.36 * len(comparisons))
    axes = figure.subplots()
    axes.axvspan(1 - MARGIN, 1 + MARGIN, color="#EEEEEE", zorder=0)
    axes.axvline(1, color=GREY, linewidth=0.8)
    for k, one in enumerate(reversed(comparisons)):
        r = one.ratio
        colour = BLUE if one.clears() else GREY
        bars = [[max(r.value - r.low, 0)], [max(r.high - r.value, 0)]]
        axes.errorbar([r.value], [k], xerr=bars, fmt="o", color=colour, markersize=6, linewidth=1.6)
    axes.set_yticks(range(len(comparisons)), [f"{c.first} / {c.second}" for c in reversed(comparisons)])
    axes.set_ylim(-0.7, len(comparisons) - 0.3)
    axes.set_xscale("log")
    ends = [value for c in comparisons for value in (c.ratio.low, c.ratio.high) if 0 < value < np.inf]
    low, high = min([0.8, *ends]) / 1.05, max([1.25, *ends]) * 1.05
    known = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5, 10, 20)
    ticks = [t for t in known if low <= t <= high]
    if len(ticks) > 8:
        ticks = [t for t in ticks if t not in (0.8, 0.9, 1.1, 1.25)]
    axes.set_xlim(low, high)
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    tidy(axes, x=f"ratio of mean {comparisons[0].unit} (restricted), 95% interval")
    return figure


def plot_robustness(found: Robustness) -> Figure:
    """The ratio of two protocols in each cell: rows are learners and initial hazards, columns learning rates.

    Blue cells say that the first is faster, red ones that the second is; a bold number's interval does not hold 1.
    """
    table, extra = found.cells, [f for f in found.factors if f != "learning_rate"]
    columns = list(dict.fromkeys(table["learning_rate"])) if "learning_rate" in found.factors else ["all"]
    columns = [name for name in ("low", "middle", "high", "all") if name in columns]
    cells = [
        (", ".join(_cell(f, row[f]) for f in extra) or "all", str(row.get("learning_rate", "all")), row)
        for row in records(table)
    ]
    title = f"{found.overall.first} / {found.overall.second}: {found.agreeing} of {len(table)} cells agree"
    return _map(cells, columns, title)


def plot_winners(ranking: Ranking) -> Figure:
    """Which protocol is the fastest in each cell: rows are learners and initial hazards, columns learning rates."""
    names = sorted(ranking.order)
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    table = ranking.cells
    columns = [name for name in ("low", "middle", "high", "all") if name in set(table["learning_rate"])]
    rows = list(dict.fromkeys((row["learner"], row["hazard"]) for row in records(table)))
    there = {((row["learner"], row["hazard"]), row["learning_rate"]) for row in records(table)}
    figure, axes = _grid(rows, columns, there)
    for row in records(table):
        i, j = rows.index((row["learner"], row["hazard"])), columns.index(row["learning_rate"])
        colour = colours.get(row["winner"], "#EEEEEE")
        axes.fill_between([j - 0.48, j + 0.48], i - 0.45, i + 0.45, color=colour, alpha=0.35, lw=0)
        axes.text(j, i, f"{row['winner'] or 'equal'}", ha="center", va="center", fontsize=8.5, color=INK)
    axes.set_yticks(range(len(rows)), [f"{learner}, hazard {hazard}" for learner, hazard in rows])
    tidy(axes, x="learning rate", title=f"the fastest; {ranking.agreeing} of {len(table)} cells as overall")
    return figure


def _map(cells: Sequence[tuple[str, str, Any]], columns: Sequence[str], title: str) -> Figure:
    """Ratios as a table of colours."""
    from matplotlib import colormaps
    from matplotlib.colors import TwoSlopeNorm

    rows = list(dict.fromkeys(row for row, _, _ in cells))
    figure, axes = _grid(rows, columns, {(row, column) for row, column, _ in cells})
    shade, norm = colormaps["RdBu_r"], TwoSlopeNorm(0, -1.8, 1.8)
    for row, column, told in cells:
        i, j = rows.index(row), columns.index(column)
        colour = shade(norm(float(np.clip(np.log2(told["ratio"]), -1.2, 1.2))))
        axes.fill_between([j - 0.48, j + 0.48], i - 0.45, i + 0.45, color=colour, alpha=0.75, lw=0)
        sure = told["high"] < 1 or told["low"] > 1
        text = f"{told['ratio']:.2f} ({told['low']:.2f}–{told['high']:.2f}), n {told['n']}"
        axes.text(j, i, text, ha="center", va="center", fontsize=8.5, color=INK, weight="bold" if sure else "normal")
    axes.set_yticks(range(len(rows)), rows)
    tidy(axes, x="learning rate", title=title)
    return figure


def _grid(rows: Sequence[Any], columns: Sequence[str], there: set[Any]) -> tuple[Figure, Axes]:
    """An empty table; cells that are not there had too few subjects."""
    figure = new_figure(2.6 + 2.1 * max(len(columns), 2), 1.1 + 0.42 * max(len(rows), 1))
    axes = figure.subplots()
    axes.set_xlim(-0.5, max(len(columns), 1) - 0.5)
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axes.set_xticks(range(len(columns)), columns)
    axes.tick_params(length=0)
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            if (row, column) not in there:
                axes.text(j, i, "too few subjects", ha="center", va="center", fontsize=8.5, color=GREY)
    return figure, axes


def _cell(factor: str, value: Any) -> str:
    return str(value) if factor == "learner" else f"{factor.replace('_', ' ')} {value}"


def _styles(result: StudyResult) -> dict[str, dict[str, Any]]:
    """The colour and dash of each protocol."""
    n = len(COLOURS)
    return {name: {"color": COLOURS[i % n], "linestyle": _STYLES[i // n % 4]} for i, name in enumerate(result.names())}


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, fontsize=9, frameon=False, loc="outside upper left", ncols=min(len(labels), 4))


def _rows(table: DataFrame, learner: str | None) -> Any:
    """The rows of a learner, or of all but the perfect one."""
    return table[table["learner"] != PERFECT] if learner is None else table[table["learner"] == learner]


def _held(rows: Any, column: str, grid: np.ndarray) -> np.ndarray:
    """A subject's value between its sessions, drawn straight; NaN before the first, and the last one after."""
    at = rows["total_trials"].to_numpy(float)
    order = np.argsort(at, kind="stable")
    return np.interp(grid, at[order], rows[column].to_numpy(float)[order], left=np.nan)


def _means(held: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means over subjects, half the width of their intervals, and where at least half of them have a value."""
    n = np.sum(np.isfinite(held), axis=0)
    there = 2 * n >= held.shape[0]
    filled = np.where(np.isfinite(held), held, 0)
    mean = filled.sum(axis=0) / np.maximum(n, 1)
    square = np.where(np.isfinite(held), (held - mean) ** 2, 0).sum(axis=0) / np.maximum(n - 1, 1)
    return mean, 1.96 * np.sqrt(square / np.maximum(n, 1)), there & (n > 0)


def _places(rows: Any, stages: Sequence[str], grid: np.ndarray) -> np.ndarray:
    """Where a subject is at these trials: the stage in which the session that holds them ended."""
    rows = rows.sort_values("total_trials")
    index = np.searchsorted(rows["total_trials"].to_numpy(float), grid, side="left")
    number = np.array([stages.index(name) for name in rows["stage"]])
    return number[np.minimum(index, len(number) - 1)]
