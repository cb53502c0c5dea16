"""What agents learn from reward: `python -m benchmarks.learning` (or `make learning`).

Each run trains an agent by `neurojax.training.runs.train`, plays it with its weights frozen, and keeps the figures in
`benchmarks/learning.json` as soon as it is done; what is there already is not run again (`--again` does). The page
`benchmarks/LEARNING.md` is written from that record alone.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import recorded
from benchmarks.recorded import say
from benchmarks.tables import grid

ROOT = Path(__file__).resolve().parents[1]
RECORD, PAGE = ROOT / "benchmarks" / "learning.json", ROOT / "benchmarks" / "LEARNING.md"

BUILD = ROOT / "build" / "learning"
PERCEPTUAL = "PerceptualDecisionMaking-v0"
SEEDS = range(5)
# Tasks of different kinds, learnt by one configuration: kind by id.
KINDS = {
    "GoNogo-v0": "go/no-go",
    "DelayMatchSample-v0": "delayed match",
    "DelayComparison-v0": "working memory, comparison",
    "ReadySetGo-v0": "timing",
    "IntervalDiscrimination-v0": "timing, comparison",
    "ContextDecisionMaking-v0": "context",
    "AntiReach-v0": "rule, reaching in one step",
    "ReachingDelayResponse-v0": "reaching, continuous actions",
    "MultiSensoryIntegration-v0": "integration of two senses",
    "EconomicDecisionMaking-v0": "value",
    "PostDecisionWager-v0": "wagering",
    "ProbabilisticReversal-v0": "reversal",
    "DynamicForaging-v0": "foraging between two places",
    "DawTwoStep-v0": "two steps",
    "PulseDecisionMaking-v0": "accumulation of pulses",
}


def runs() -> dict[str, Callable[[], dict[str, Any]]]:
    """Every run by name, in the order of the page."""
    found: dict[str, Callable[[], dict[str, Any]]] = {}
    for seed in SEEDS:
        found[f"perceptual/{seed}"] = lambda seed=seed: perceptual(seed)
    for task in KINDS:
        found[f"kinds/{task}"] = lambda task=task: kind(task)
    found |= {"bandit": bandit, "two-step": two_step, "wagering": wagering, "priors": priors}
    return found


# ---------------------------------------------------------------------- the runs


def perceptual(seed: int) -> dict[str, Any]:
    """Random-dot motion from reward alone: accuracy at 6.4%, and the time it took, compiling included."""
    import jax

    from neurojax.training.config import RunConfig
    from neurojax.training.evaluate import evaluate
    from neurojax.training.runs import train

    began = time.perf_counter()
    training = {"algorithm": "ppo", "updates": 400, "log_every": 10, "seed": seed}
    config = RunConfig(task={"id": PERCEPTUAL}, training=training)
    result = train(config)
    seconds = time.perf_counter() - began
    played = evaluate(
        result.task, result.network, jax.random.key(1), 5000, {"coherence": [6.4], "ground_truth": [0, 1]}
    )
    reached = [
        at for at, share in zip(result.metrics["seconds"], result.metrics["accuracy"], strict=True) if share >= 0.8
    ]
    steps = config.training.updates * config.training.batch_size * config.training.n_steps
    return {
        "seed": seed,
        "accuracy": played.by("coherence")[0].accuracy,
        "trials": played.by("coherence")[0].trials,
        "seconds": seconds,
        "compile_seconds": result.compile_seconds,
        "steps_per_second": steps / result.run_seconds,
        "seconds_to_80": reached[0] if reached else None,
        "updates": config.training.updates,
    }


def kind(task: str) -> dict[str, Any]:
    """One of the tasks of different kinds, by the default configuration."""
    import jax

    import neurojax as nj
    from neurojax.training.config import RunConfig
    from neurojax.training.runs import train

    result = train(RunConfig(task={"id": task}, training={"algorithm": "ppo", "log_every": 100}))
    played = nj.rollout(
        result.task,
        jax.random.key(1),
        256,
        40 * result.task.capacity,
        policy=result.network.replace(greedy=True),
        output="metrics",
    )
    numbers = nj.reference_numbers(result.task)
    assert played.metrics is not None
    return {
        "task": task,
        **played.metrics.summary(),
        "ideal": numbers.ideal,
        "blind": numbers.blind,
        "random": numbers.random,
        "seconds": result.compile_seconds + result.run_seconds,
    }


def bandit() -> dict[str, Any]:
    """Five-armed Bernoulli bandits, 100 pulls each: the weights stay as they are, the state learns."""
    import jax

    import neurojax as nj
    from neurojax.analysis.bandits import performance, read_pulls

    result, about = trained(
        task={"id": "BernoulliBandit-v0", "keywords": {"preset": "rl2"}},
        # Entropy keeps it from settling on greedy play before it has learnt to explore (with .006 it earns 75.5).
        training={"updates": 1000, "batch_size": 256, "n_steps": 100, "learning_rate": 5e-3},
        reinforcement={"episode_trials": 100, "discount": 0.95, "trace": 0.5, "entropy": 0.04},
    )
    played = nj.rollout(result.task, jax.random.key(1), 4096, 100, policy=result.network, episode_trials=100)
    found = performance(read_pulls(result.task, played))
    return {**about, "reward": found.reward.value, "error": found.reward.error, "expected": found.expected.value}


def two_step() -> dict[str, Any]:
    """The two-step task: stay probabilities, and the lagged regression with the regressor for correct."""
    import jax

    import neurojax as nj
    from neurojax.analysis.two_step import lagged_regression, read_two_step, stay_probabilities
    from neurojax.viz.behaviour import plot_lagged, plot_stay

    result, about = trained(
        task={"id": "DawTwoStep-v0", "keywords": {"preset": "wang2018"}},
        network={"kind": "lstm", "hidden": 48},
        training={"updates": 1000, "batch_size": 128, "n_steps": 100, "learning_rate": 2e-3},
        reinforcement={"episode_trials": 100, "discount": 0.9, "entropy": 0.02},
    )
    played = nj.rollout(result.task, jax.random.key(1), 500, 250, policy=result.network, episode_trials=100)
    trials = read_two_step(result.task, played)
    stay = stay_probabilities(trials)
    lags = lagged_regression(trials, 5, errors="sessions")
    recorded.keep(BUILD, "two-step-stay", plot_stay(stay))
    recorded.keep(BUILD, "two-step-lags", plot_lagged(lags))
    effect = lambda e: [e.value, e.error]
    return {
        **about,
        "stay": stay.probability.tolist(),
        "interaction": effect(stay.interaction),
        "reward_effect": effect(stay.reward),
        "lag_1_interaction": effect(lags.effect("interaction", 1, 1)),
        "lagged_interaction": effect(lags.effect("interaction", 2, 5)),
        "lagged_outcome": effect(lags.effect("outcome")),
        "correct": effect(lags.correct),
    }


def wagering() -> dict[str, Any]:
    """Post-decision wagering: sure bets by coherence, and accuracy where the bet was waived."""
    import jax

    import neurojax as nj
    from neurojax.analysis.wagering import analyse_wagers, read_wagers
    from neurojax.viz.behaviour import plot_wagering

    result, about = trained(
        task={"id": "PostDecisionWager-v0"}, training={"updates": 800, "batch_size": 256, "n_steps": 64}
    )
    played = nj.rollout(result.task, jax.random.key(1), 1024, 30 * result.task.capacity, policy=result.network)
    found = analyse_wagers(read_wagers(result.task, played))
    recorded.keep(BUILD, "wagering", plot_wagering(found))
    return {
        **about,
        "coherence": found.coherence.tolist(),
        "sure": found.sure.proportion.tolist(),
        "correct_alone": found.correct_alone.proportion.tolist(),
        "correct_waived": found.correct_waived.proportion.tolist(),
        "slope": [found.slope.value, found.slope.error],
        "advantage": [found.advantage.value, found.advantage.error],
        "falls": found.falls,
        "confident": found.confident,
        "unanswered": found.unanswered,
    }


def priors() -> dict[str, Any]:
    """Structural priors: trained among N alternatives, tested between two; transitions after successes and errors."""
    import jax

    import neurojax as nj
    from neurojax.analysis.history import read_history, repetitions, transition_kernels
    from neurojax.viz.behaviour import plot_kernels, plot_repetitions

    most = 8
    keywords = {"preset": "paper", "n_ch": most, "pass_action": False, "pass_reward": False}
    result, about = trained(
        task={"id": "priors.priors-v0", "keywords": keywords},
        network={"hidden": 96},
        training={"updates": 1500, "batch_size": 128, "n_steps": 96, "learning_rate": 2e-3},
        reinforcement={"discount": 0.9},
    )
    two = result.task.set(prob_12=1.0, block_nch=1e6)
    played = nj.rollout(two, jax.random.key(1), 256, 2000, policy=result.network)
    history = read_history(two, played)
    kernels = transition_kernels(history)
    index = kernels.reset_index()
    recorded.keep(BUILD, "priors-kernels", plot_kernels(kernels))
    recorded.keep(BUILD, "priors-repetitions", plot_repetitions(repetitions(history)))
    return {
        **about,
        "alternatives": most,
        "reset_index": [index.value, index.low, index.high],
        "after_correct": [index.after_correct.value, index.after_correct.error],
        "after_error": [index.after_error.value, index.after_error.error],
        "note": index.note,
    }


def trained(**settings: Any) -> tuple[Any, dict[str, Any]]:
    """A trained agent (PPO, seed 0), and what the record tells of any."""
    from neurojax.training.config import RunConfig
    from neurojax.training.runs import train

    settings["training"] = {"algorithm": "ppo", "log_every": 100, **settings["training"]}
    config = RunConfig(**settings)
    result = train(config, progress=lambda now: say(f"  {now.update}/{now.updates} accuracy {now.accuracy:.3f}"))
    steps = config.training.updates * config.training.batch_size * config.training.n_steps
    return result, {
        "seed": config.training.seed,
        "updates": config.training.updates,
        "steps": steps,
        "seconds": result.compile_seconds + result.run_seconds,
    }


# ---------------------------------------------------------------------- the record and the page


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing, keep it, write the page."""

    def peers(python: str) -> dict[str, Callable[[], dict[str, Any]]]:
        """NeuroGym's own example with Stable-Baselines3, in its own environment."""
        return {f"neurogym/{i}": lambda i=i: recorded.peer(python, "neurogym_rl_side.py", i, 200) for i in range(3)}

    return recorded.main("benchmarks.learning", __doc__, runs(), RECORD, {PAGE: page}, peers=peers, arguments=arguments)


def page(record: dict[str, Any]) -> str:
    """LEARNING.md: every number comes from the record."""
    lines = recorded.heading("Learned from reward", "learning", record)
    for part in (_perceptual_part, _kinds_part, _bandit_part, _two_step_part, _wagering_part, _priors_part):
        lines += list(part(record["runs"]))
    return "\n".join(lines) + "\n"


def _perceptual_part(runs: dict[str, Any]) -> Iterator[str]:
    found = [run for name, run in runs.items() if name.startswith("perceptual/")]
    if not found:
        return
    yield from ("", f"## {PERCEPTUAL} from reward alone", "")
    yield "PPO, GRU 64, default settings but for 400 updates. Accuracy of the greedy agent at 6.4% coherence over all"
    yield "trials (ideal .979); wall time of the whole run, compiling included; time until the mean performance of a"
    yield "report (10 updates) was .8 under the task's own draws, exploring."
    rows = []
    for run in sorted(found, key=lambda run: run["seed"]):
        to = "-" if run["seconds_to_80"] is None else f"{run['seconds_to_80']:.0f}"
        cells = (run["seed"], f"{run['accuracy']:.4f}", f"{run['seconds']:.0f}", f"{run['compile_seconds']:.0f}", to)
        rows.append((*cells, f"{run['steps_per_second']:,.0f}"))
    header = ("seed", "accuracy at 6.4%", "seconds", "of them compiling", "seconds to .8", "steps/s")
    yield from ("", *grid(header, rows))
    peers = [run for name, run in runs.items() if name.startswith("neurogym/")]
    if peers:
        named = ", ".join(f"{name} {number}" for name, number in peers[0]["packages"].items())
        yield from ("", f"NeuroGym's own example ({named}; dt 100 ms, stimulus 500 ms, one environment; stopped after")
        yield f"{max(run['seconds'] for run in peers):.0f} s; .8 over the last 200 trials):"
        rows = []
        for run in sorted(peers, key=lambda run: run["seed"]):
            to = "never" if run["seconds_to_80"] is None else f"{run['seconds_to_80']:.0f}"
            rows.append((run["seed"], f"{run['steps_per_second']:,.0f}", to, f"{run['last_performance']:.3f}"))
        yield from ("", *grid(("seed", "steps/s", "seconds to .8", "performance at the end"), rows))


def _kinds_part(runs: dict[str, Any]) -> Iterator[str]:
    found = [runs[f"kinds/{task}"] for task in KINDS if f"kinds/{task}" in runs]
    if not found:
        return
    yield from ("", "## Tasks of different kinds, one configuration", "")
    yield "PPO at its default settings, seed 0. Performance of the greedy agent in sessions, beside the task's"
    yield "reference numbers; the score is (performance - blind) / (ideal - blind)."
    header = ("task", "kind", "performance", "ideal", "blind", "random", "score", "answered", "aborted")
    rows = []
    for run in found:
        ideal, blind = run["ideal"], run["blind"]
        known = ideal == ideal and blind == blind and ideal != blind
        score = f"{(run['performance'] - blind) / (ideal - blind):.2f}" if known else "-"
        three = lambda x: "-" if x != x else f"{x:.3f}"
        numbers = (three(run["performance"]), three(ideal), three(blind), three(run["random"]), score)
        rates = (f"{run['response_rate']:.2f}", f"{run['abort_rate']:.2f}")
        rows.append((run["task"], KINDS[run["task"]], *numbers, *rates))
    yield from ("", *grid(header, rows))


def _bandit_part(runs: dict[str, Any]) -> Iterator[str]:
    run = runs.get("bandit")
    if run:
        yield from ("", "## Five-armed Bernoulli bandits, 100 pulls, weights frozen", "")
        yield f"{run['reward']:.2f} ± {run['error']:.2f} pulls rewarded of 100, over 4,096 blocks; with the average"
        yield f"luck {run['expected']:.2f}. Greedy play earns 75.9. {_trained_for(run)}"


def _two_step_part(runs: dict[str, Any]) -> Iterator[str]:
    run = runs.get("two-step")
    if not run:
        return
    yield from ("", "## Two-step task, weights frozen", "")
    yield "P(same first choice) after rewarded and unrewarded trials with common and rare transitions: "
    yield f"{_listed([p for row in run['stay'] for p in row])}. Interaction {_pm(run['interaction'])}, reward"
    yield f"{_pm(run['reward_effect'])}. Regression with five lags and the regressor for correct: interaction at lag 1"
    yield f"{_pm(run['lag_1_interaction'])}, at lags 2 to 5 {_pm(run['lagged_interaction'])}, outcome"
    yield f"{_pm(run['lagged_outcome'])}, correct {_pm(run['correct'])} (± standard errors over sessions)."
    yield _trained_for(run)


def _wagering_part(runs: dict[str, Any]) -> Iterator[str]:
    run = runs.get("wagering")
    if not run:
        return
    yield from ("", "## Post-decision wagering", "")
    header = ("coherence (%)", *(f"{x:g}" for x in run["coherence"]))
    named = {
        "sure": "sure bets where offered",
        "correct_alone": "correct, not offered",
        "correct_waived": "correct, offered and waived",
    }
    yield from grid(header, [(text, *(f"{p:.3f}" for p in run[name])) for name, text in named.items()])
    yield from (
        "",
        f"Log odds of the sure bet by 10% of coherence {_pm(run['slope'])}; advantage of waived trials at the",
    )
    yield f"same coherence and about the same duration {_pm(run['advantage'])}. {_trained_for(run)}"


def _priors_part(runs: dict[str, Any]) -> Iterator[str]:
    run = runs.get("priors")
    if not run:
        return
    low, high = run["reset_index"][1:]
    yield from ("", "## Structural priors", "")
    yield f"Trained with 2 to {run['alternatives']} alternatives, tested with two. Mean weight of past transitions"
    yield f"(T++, lags 2 to 10) after successes {_pm(run['after_correct'])}, after errors"
    yield f"{_pm(run['after_error'])}: reset index"
    yield f"{run['reset_index'][0]:.2f} ({low:.2f} to {high:.2f}). {_trained_for(run)}"


def _trained_for(run: dict[str, Any]) -> str:
    return f"Seed {run['seed']}, {run['steps'] / 1e6:.1f} million steps."


def _pm(pair: list[float]) -> str:
    return f"{pair[0]:.3f} ± {pair[1]:.3f}"


def _listed(values: list[float]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)


if __name__ == "__main__":
    sys.exit(main())
