"""What `train` and `evaluate` do with a trained network: evaluate it, and write summary, figures and report."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from neurojax.analysis.summary import Psychometrics, by_condition, psychometrics, summarise
from neurojax.cli.console import number, output, plain
from neurojax.core.spaces import Discrete
from neurojax.core.task import Task
from neurojax.files import make_folder, read_text, write_atomic
from neurojax.viz import report
from neurojax.viz.curves import plot_chronometric, plot_learning, plot_psychometric
from neurojax.viz.style import image
from neurojax.viz.trials import plot_trials

if TYPE_CHECKING:
    from neurojax.cli.compare import Comparison
    from neurojax.training.runs import TrainResult

_SAMPLES = 4
_WHO = {
    "clairvoyant": "clairvoyant (knows the trial)",
    "ideal": "ideal observer",
    "blind": "best policy that ignores the stimulus",
    "random": "random actions",
}


def finish(
    result: TrainResult, folder: Path, *, comparison: Comparison | None = None, seconds: dict[str, float]
) -> dict[str, Any]:
    """Evaluate a network and write `summary.json`, `figures/` and `report.html`.

    Args:
        result: the trained network.
        folder: the run's folder.
        comparison: with animals.
        seconds: wall time of "compile" and "run".

    Returns:
        The summary.
    """
    from neurojax.training.evaluate import evaluate

    start = time.monotonic()
    config, task = result.config, result.task
    make_folder(folder / "figures")
    key = jax.random.key(config.evaluation.seed)
    conditions = config.evaluation.conditions or None
    evaluation = evaluate(task, result.network, key, config.evaluation.trials, conditions)
    curve = psychometrics(task, evaluation)
    seen = by_condition(task, result.network, key, config.evaluation.trials)
    seconds = {**seconds, "evaluate": time.monotonic() - start}
    summary = summarise(
        config, task, evaluation, curve, seen, update=result.update, devices=result.devices, seconds=seconds
    )  # fmt: skip
    if comparison is not None:
        summary["animals"] = comparison.summary()
    figures = _figures(result, curve, summary, comparison)
    for name, png in figures.items():
        write_atomic(folder / "figures" / f"{name}.png", png)
    write_atomic(folder / "report.html", _report(result, curve, summary, comparison, figures))
    write_atomic(folder / "summary.json", json.dumps(plain(summary), indent=2) + "\n")
    return summary


def earlier_seconds(folder: Path) -> dict[str, float]:
    """The wall times that a run's summary holds; empty where there is none that can be read."""
    from neurojax.errors import NeurojaxError

    try:
        seconds = json.loads(read_text(folder / "summary.json"))["seconds"]
        return {name: float(seconds[name]) for name in ("compile", "run") if name in seconds}
    except (NeurojaxError, ValueError, KeyError, TypeError):
        return {}


# ---------------------------------------------------------------------- figures


def _figures(
    result: TrainResult, curve: Psychometrics | str, summary: dict[str, Any], comparison: Comparison | None
) -> dict[str, bytes]:
    """PNG by name."""
    config, task = result.config, result.task
    out = {
        "learning": image(
            plot_learning(
                result.metrics,
                references=summary["references"],
                final=summary["performance"],
                batch_size=config.training.batch_size if summary["trials_trained"] else None,
            )
        ),
        "trials": image(sample_trials(task, result.network, config.evaluation.seed)),
    }
    if isinstance(curve, Psychometrics):
        out["psychometric"] = image(plot_psychometric(curve.choices, curve.fit, ideal=curve.ideal))
    if comparison is not None and comparison.network is not None:
        (choices, fit), animals = comparison.fits["network"], comparison.fits["animals"]
        ideal = curve.ideal if isinstance(curve, Psychometrics) else None
        out["animals_psychometric"] = image(plot_psychometric(choices, fit, ideal=ideal, animals=animals))
    if comparison is not None and comparison.chronometric and comparison.network is not None:
        figure = plot_chronometric(
            comparison.network.by_coherence(), comparison.animals, label=comparison.readout_label()
        )
        out["animals_chronometric"] = image(figure)
    return out


def sample_trials(task: Task, network: Any, seed: int) -> Any:
    """A figure of some trials with the network's output over them; in a closed loop, trials that it acts in.

    Of an agent, what it did, and what that brought.
    """
    import jax.numpy as jnp

    from neurojax.core.chance import key_words
    from neurojax.core.policy import as_policy
    from neurojax.data.render import render
    from neurojax.envs.rollout import play
    from neurojax.networks import draw_noise
    from neurojax.training.agents import Agent
    from neurojax.training.evaluate import policy_of

    key = jax.random.fold_in(jax.random.key(seed), 0)  # the first trials of the evaluation
    if isinstance(network, Agent):
        policy = network.replace(greedy=True)
        batch = render(task, key, _SAMPLES, policy=policy, devices=1)
        frames = play(task, key, _SAMPLES, policy=policy, output="frames", devices=1).frames
        done = np.asarray(frames.actions)  # type: ignore[union-attr]
        outputs = np.eye(task.actions.size)[done] if isinstance(task.actions, Discrete) else done
        outputs = outputs * np.asarray(frames.mask)[..., None]  # type: ignore[union-attr]
        return plot_trials(task, batch, outputs=outputs, frames=frames)
    policy = as_policy(policy_of(network, task), task, network.initial()) if task.closed_loop else "oracle"
    batch = render(task, key, _SAMPLES, policy=policy, devices=1)
    inputs = jnp.swapaxes(batch.inputs, 0, 1)
    lanes, steps = jnp.arange(_SAMPLES, dtype=jnp.uint32), jnp.arange(inputs.shape[0], dtype=jnp.int32)
    outputs = network(inputs, None, None, draw_noise(network, key_words(key), lanes, steps))[0]
    if isinstance(task.actions, Discrete):
        outputs = jax.nn.softmax(outputs)
    return plot_trials(task, batch, outputs=np.swapaxes(np.asarray(outputs), 0, 1))


# ---------------------------------------------------------------------- report


def _report(
    result: TrainResult,
    curve: Psychometrics | str,
    summary: dict[str, Any],
    comparison: Comparison | None,
    figures: dict[str, bytes],
) -> str:
    import tomli_w

    config, task = result.config, result.task
    paper = type(getattr(task, "base", task)).PAPER
    lead = [report.paragraph(headline(summary), "lead")]
    if paper:
        lead.append(report.paragraph(f"The task: {paper.citation}, doi:{paper.doi}.", "small"))
    sections = [report.Section("Performance", _performance(summary))]
    if isinstance(curve, Psychometrics):
        sections.append(report.Section("Psychometric curve", _psychometric(curve, summary, figures)))
    else:
        sections[0] = report.Section(
            "Performance", [*sections[0].parts, report.paragraph(summary["psychometric_note"])]
        )
    if comparison is not None:
        sections.append(report.Section("Beside animals", _animals(comparison, figures)))
    agent = summary["algorithm"] != "supervised"
    caption = (
        "Above: performance. The line is the share of answers that were right when first due, during training; the "
        "point is the trained network, playing by the task's own rules. Below: the loss that is minimised."
    )
    if agent:
        caption = (
            "Above: performance, and the shares of trials that were answered and aborted, in training, where actions "
            "are drawn by chance; the point is the trained agent, which takes its likeliest action. Below: the mean "
            "reward of a trial."
        )
    sections.append(report.Section("Learning", [report.picture(figures["learning"], caption)]))
    caption = (
        "The network's output over the target, in trials of the evaluation. Trials are shown to their scheduled end; "
        "in play, the first choice ends them."
    )
    if agent:
        caption = "What the agent did, over the target, and the reward that it got. Trials are shown to their end."
    sections.append(report.Section("Sample trials", [report.picture(figures["trials"], caption)]))
    command = "neurojax train --config config.toml --out NEW_FOLDER"
    sections.append(
        report.Section(
            "Settings",
            [
                report.paragraph("To run it again, save these as config.toml (as in the run's folder) and call:"),
                report.code(command),
                report.code(tomli_w.dumps(config.model_dump())),
            ],
        )
    )
    title = f"{config.task.id}: a {config.network.kind} network of {config.network.hidden} units"
    return report.page(title, lead, sections, f"neurojax {summary['neurojax']}")


def headline(summary: dict[str, Any]) -> str:
    """The result in a sentence or two."""
    references = summary["references"]
    trained = f"After {summary['updates']:,} updates"
    if summary["trials_trained"]:
        trained += f" ({summary['trials_trained']:,} trials)"
    text = f"{trained}, the network's performance by the task's own rules is {summary['performance']:.3f}"
    if np.isfinite(summary["relative_to_ideal"]):
        text += f", {report.percent(summary['relative_to_ideal'])} of the ideal observer's {references['ideal']:.3f}"
    if np.isfinite(references["blind"]):
        text += f"; who ignores the stimulus gets {references['blind']:.3f} at best"
    return text + "."


def _performance(summary: dict[str, Any]) -> list[str]:
    overall, seconds = summary["overall"], summary["seconds"]
    rows: list[list[Any]] = [["the network", summary["performance"]]]
    rows += [[text, summary["references"][name]] for name, text in _WHO.items()]
    parts = [report.table(["who", "performance"], rows)]
    rows = [
        ["score: (performance − blind) / (ideal − blind)", summary["score"]],
        ["trials answered", report.percent(overall["response_rate"])],
        ["accuracy of those", report.percent(overall["accuracy_given_response"])],
        ["trials aborted", report.percent(overall["abort_rate"])],
        ["trials missed", report.percent(overall["miss_rate"])],
        ["mean reward of a trial", overall["reward"]],
        ["trials evaluated", overall["trials"]],
    ]
    times = {"compile": "compiling", "run": "training", "evaluate": "evaluating"}
    rows += [[f"wall time of {text}", f"{seconds[name]:.1f} s"] for name, text in times.items() if name in seconds]
    parts.append(report.table(["the network's trials, as the task draws them", ""], rows))
    for name, levels in summary["by_condition"].items():
        header = [name, "trials", "performance", "answered", "accuracy of those", "aborted"]
        lines = [
            [
                f"{row['value']:g}",
                row["trials"],
                row["performance"],
                report.percent(row["response_rate"]),
                report.percent(row["accuracy_given_response"]),
                report.percent(row["abort_rate"]),
            ]
            for row in levels
        ]
        parts.append(report.table(header, lines))
    return parts


def _psychometric(curve: Psychometrics, summary: dict[str, Any], figures: dict[str, bytes]) -> list[str]:
    caption = (
        "Share of right choices among the trials with a choice, with 95% (Wilson) intervals. Line: fitted cumulative "
        "normal with a lapse rate at either end."
    )
    header = ["coherence (%)", "trials", "answered", "accuracy (all trials)", "of the answered", "ideal", "relative"]
    rows = [
        [
            f"{row['coherence']:g}",
            row["trials"],
            report.percent(row["response_rate"]),
            row["accuracy"],
            row["accuracy_given_response"],
            row["ideal"],
            report.percent(row["relative_to_ideal"]),
        ]
        for row in summary["by_coherence"]
    ]
    parts = [report.picture(figures["psychometric"], caption), report.fit_table({"network": curve.fit})]
    if curve.fit.note:
        parts.append(report.paragraph(f"Note: {curve.fit.note}.", "note"))
    formula = (
        "P(right) = lapse_left + (1 − lapse_left − lapse_right) Φ((coherence − bias) / threshold), by maximum "
        "likelihood, with profile-likelihood intervals (Wichmann & Hill 2001, doi:10.3758/BF03194544)."
    )
    return [*parts, report.paragraph(formula, "small"), report.table(header, rows)]


def _animals(comparison: Comparison, figures: dict[str, bytes]) -> list[str]:
    parts = [report.paragraph(comparison.describe())]
    if comparison.network is not None:
        caption = "The network's choices at the animals' coherences too, beside theirs."
        parts.append(report.picture(figures["animals_psychometric"], caption))
        parts.append(report.fit_table({name: fit for name, (_, fit) in comparison.fits.items()}))
        notes = [f"{name}: {fit.note}." for name, (_, fit) in comparison.fits.items() if fit.note]
        parts += [report.paragraph(note, "note") for note in notes]
    if "animals_chronometric" in figures:
        caption = f"Mean response times; bars are 1.96 standard errors. The network's readout: {comparison.readout}."
        parts.append(report.picture(figures["animals_chronometric"], caption))
    parts += [report.paragraph(reason, "note") for reason in (*comparison.left_out, *comparison.notes())]
    rows = comparison.rows()
    timed = comparison.animals.time is not None
    header = ["coherence (%)", "animals: trials", "accuracy", *(["response time (ms)"] if timed else [])]
    lines: list[list[Any]] = []
    for row in rows:
        line: list[Any] = [f"{row['coherence']:g}", row["animals"]["trials"], row["animals"]["accuracy"]]
        line += [f"{row['animals']['response_time_ms']:.0f}"] if timed else []
        if comparison.network is not None:
            line += [row["network"]["accuracy"], report.percent(row["network"]["answered"] / row["network"]["trials"])]
            line += [f"{row['network']['response_time_ms']:.0f}"] if comparison.chronometric else []
        lines.append(line)
    if comparison.network is not None:
        header += [
            "network: accuracy of the answered",
            "answered",
            *(["response time (ms)"] if comparison.chronometric else []),
        ]
    return [*parts, report.table(header, lines)]


# ---------------------------------------------------------------------- terminal


def show(summary: dict[str, Any], folder: Path) -> None:
    """The summary as tables on standard output."""
    from rich.table import Table

    console = output()

    def new_table(*columns: str) -> Table:
        out = Table(box=None, pad_edge=False, header_style="bold")
        for i, column in enumerate(columns):
            out.add_column(column, justify="left" if i == 0 else "right")
        return out

    console.print(headline(summary))
    if "by_coherence" in summary:
        rows = new_table("coherence (%)", "trials", "answered", "accuracy", "ideal", "relative to ideal")
        for row in summary["by_coherence"]:
            cells = [number(row["accuracy"]), number(row["ideal"]), report.percent(row["relative_to_ideal"])]
            rows.add_row(f"{row['coherence']:g}", number(row["trials"]), report.percent(row["response_rate"]), *cells)
        console.print(rows)
        fit = summary["psychometric"]
        if fit["note"]:
            console.print(f"psychometric fit: {fit['note']}")
        if fit["threshold"]["value"] is not None:
            console.print(
                "  ".join(f"{name} {_estimate(fit[name])}" for name in ("bias", "threshold")) + " % coherence"
            )
            console.print("  ".join(f"{name} {_estimate(fit[name])}" for name in ("lapse_left", "lapse_right")))
    else:
        console.print(summary["psychometric_note"])
    overall = summary["overall"]
    rows = new_table("under the task's own draws", "")
    rows.add_row("performance", number(summary["performance"]))
    rows.add_row("  relative to the ideal observer", report.percent(summary["relative_to_ideal"]))
    rows.add_row("  score (0 blind, 1 ideal)", number(summary["score"]))
    for name, text in _WHO.items():
        rows.add_row(f"reference: {text}", number(summary["references"][name]))
    rows.add_row("answered", report.percent(overall["response_rate"]))
    rows.add_row("accuracy of those", report.percent(overall["accuracy_given_response"]))
    rows.add_row("aborted", report.percent(overall["abort_rate"]))
    for name, value in summary["seconds"].items():
        rows.add_row(f"wall time to {name}", f"{value:.1f} s")
    console.print(rows)
    for name, levels in summary["by_condition"].items():
        if name == "coherence" and "by_coherence" in summary:
            continue
        rows = new_table(name, "trials", "performance", "answered", "accuracy of those")
        for row in levels:
            cells = [report.percent(row["response_rate"]), report.percent(row["accuracy_given_response"])]
            rows.add_row(f"{row['value']:g}", number(row["trials"]), number(row["performance"]), *cells)
        console.print(rows)
    if "animals" in summary:
        _show_animals(summary["animals"], new_table)
    console.print(f"report: {folder / 'report.html'}", soft_wrap=True)


def _show_animals(animals: dict[str, Any], new_table: Any) -> None:
    console = output()
    console.print(animals["description"])
    for reason in (*animals["left_out"], *animals["notes"]):
        console.print(reason)
    who = [name for name in ("animals", "network") if name in animals["by_coherence"][0]]
    columns = ("answered", "accuracy of those", "ms")
    rows = new_table("coherence (%)", *(f"{w}: {c}" for w in who for c in columns))
    for row in animals["by_coherence"]:
        cells = []
        for w in who:
            share = row[w]["answered"] / row[w]["trials"]
            cells += [report.percent(share), number(row[w]["accuracy"]), number(row[w].get("response_time_ms"), 0)]
        rows.add_row(f"{row['coherence']:g}", *cells)
    console.print(rows)
    for name, fit in animals["psychometric"].items():
        console.print(f"{name}: threshold {_estimate(fit['threshold'])}, bias {_estimate(fit['bias'])} % coherence")


def _estimate(estimate: dict[str, Any]) -> str:
    if estimate["value"] is None:
        return "–"
    low, high = (f"{v:.3g}" if v is not None else "unbounded" for v in (estimate["low"], estimate["high"]))
    return f"{estimate['value']:.3g} ({low} to {high})"
