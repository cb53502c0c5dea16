"""Models and agents beside real animals: `python -m benchmarks.animals` (or `make animals`).

The animals' data stand beside the project, not in it: `--data FOLDER` says where, by default `../shared/data`. Each run
keeps its figures in `benchmarks/animals.json` as soon as it is done, and its pictures under `build/animals`; what is
there already is not run again (`--again` does). The page `benchmarks/ANIMALS.md` is written from the record alone.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks import recorded
from benchmarks.learning import trained
from benchmarks.recorded import say
from benchmarks.tables import grid

ROOT = Path(__file__).resolve().parents[1]
RECORD, PAGE = ROOT / "benchmarks" / "animals.json", ROOT / "benchmarks" / "ANIMALS.md"
BUILD = ROOT / "build" / "animals"
DATA = ROOT.parent / "shared" / "data"
SIGMA = 0.25  # noise of what is seen, as in the protocols
SESSIONS = 60
# What is shown of a portrait, in words.
PORTRAIT = {
    "trials": "trials", "accuracy": "accuracy", "slope": "slope", "threshold": "threshold (%)",
    "lapse_left": "lapses left", "lapse_right": "lapses right", "win_stay": "win-stay", "lose_shift": "lose-shift",
    "bias_shift": "bias shift", "response_time": "response time (ms)",
}  # fmt: skip


def runs(data: Path) -> dict[str, Callable[[], dict[str, Any]]]:
    """Every run by name, in the order of the page."""
    return {
        "rat": lambda: rat(data / "rat_delayed_comparison_learning.csv"),
        "mice": lambda: mice(data / "ibl_biased_choice_world.csv"),
        "agent": agent,
        "subjects": subjects,
    }


# ---------------------------------------------------------------------- the runs


def rat(file: Path) -> dict[str, Any]:
    """Contenders on the rat that learned to compare sounds: fitted to sessions 1 to 60, one step ahead on 61 to 80."""
    from neurojax.animals.contenders import race, standard_contenders
    from neurojax.animals.tables import RAT, read_table
    from neurojax.viz.animals import plot_bits

    began, trials = time.perf_counter(), read_table(file, RAT)
    found = race(standard_contenders(trials), trials, 60)
    recorded.keep(BUILD, "rat", plot_bits(found.predictions, "online + history"))
    entries = {}
    for name, entry in found.entries.items():
        score, gain = entry.prediction.score(), found.gain(name, "online + history")
        assert entry.validation is not None
        entries[name] = {
            "bits": score.value, "error": score.error, "gain": gain.value, "gain_error": gain.error,
            "validation": entry.validation.per_trial,
        }  # fmt: skip
    return {"champion": found.champion, "entries": entries, "seconds": time.perf_counter() - began}


def mice(file: Path) -> dict[str, Any]:
    """Ten sessions of mice in the biased blocks of the IBL: each, and all trials together."""
    from neurojax.animals.compare import by_session, side_by_side
    from neurojax.animals.tables import BIASED_BLOCKS, read_table

    trials = read_table(file, BIASED_BLOCKS)
    each = side_by_side(by_session(trials))
    return {"all": _row(side_by_side({"mice": trials})), "each": _spread(each)}


def agent() -> dict[str, Any]:
    """A network trained by PPO in the biased blocks, with the mice's contrasts, and played with its weights frozen."""
    import jax

    import neurojax as nj
    from neurojax.animals.compare import side_by_side
    from neurojax.animals.tables import from_task

    began = time.perf_counter()
    task = {"id": "IBLBiasedChoiceWorld-v0", "keywords": {"contrasts": [100, 25, 12.5, 6.25, 0], "sigma": SIGMA}}
    result, about = trained(
        task=task,
        training={"updates": 1500, "batch_size": 128, "n_steps": 128},
        reinforcement={"discount": 0.9},
    )
    data = nj.session(result.task, jax.random.key(1), 800, n_sessions=16, policy=result.network)
    table = from_task(result.task, data, after=["quiescence"])
    return {**about, "seconds": time.perf_counter() - began, "all": _row(side_by_side({"agent": table}))}


def subjects() -> dict[str, Any]:
    """Individuals of the default population, trained trial by trial by the IBL's own protocol up to its biased blocks.

    Those who came so far play the blocks with their weights frozen, and without their noise.
    """
    import jax
    import jax.numpy as jnp
    import numpy as np

    import neurojax as nj
    from neurojax.animals.compare import side_by_side
    from neurojax.animals.tables import from_task
    from neurojax.core.chance import Chance, key_words
    from neurojax.core.lanes import share_out
    from neurojax.protocols import load_protocol, walk_task
    from neurojax.protocols.days import day, newborn
    from neurojax.subjects.population import Population

    began, protocol, count = time.perf_counter(), load_protocol("ibl_biased"), 24
    walk, reading = walk_task(protocol, pauses=True, stays=True), protocol.reading
    numbers, words = np.arange(count, dtype=np.uint32), key_words(jax.random.key(0))
    players = Population().players(walk, 0, numbers, (reading.choice_left, reading.choice_right))
    live = lambda player, number, life: day(walk, reading.full, player, life, Chance(words, number), 2000)
    block = lambda *each: jax.lax.map(lambda one: live(*one), each)
    session = jax.jit(share_out(block, math.gcd(count, jax.device_count()), shared=0, split=3))
    lives = jax.vmap(lambda player, number: newborn(walk, player, Chance(words, number)))(players, numbers)
    for number in range(1, SESSIONS + 1):
        lives = session(players, numbers, lives)
        stages = np.asarray(lives.memory["own"].stage)
        if number % 10 == 0:
            say(f"  session {number}: {np.mean(stages == len(protocol.stages) - 1):.0%} in the biased blocks")
    arrived = np.flatnonzero(stages == len(protocol.stages) - 1)
    task, tables = walk.target_task(), {}
    at = lambda tree, i: jax.tree.map(lambda x: jnp.asarray(x)[i], tree)
    for i in arrived:
        policy = at(players.agent, i).replace(params=at(lives.mind.known.params, i))
        data = nj.session(task, jax.random.fold_in(jax.random.key(1), int(i)), 800, n_sessions=4, policy=policy)
        tables[str(i)] = from_task(task, data, after=["quiescence"])
    entered = np.asarray(lives.memory["own"].entered)[arrived, len(protocol.stages) - 1]
    return {
        "seconds": time.perf_counter() - began, "subjects": count, "sessions": SESSIONS, "arrived": len(arrived),
        "entered": [float(entered.mean()), float(entered.std())], "each": _spread(side_by_side(tables)),
    }  # fmt: skip


def _row(table: Any) -> dict[str, float | None]:
    """The only row of a table of portraits; None for what does not exist."""
    (row,) = table.to_dict("records")
    return {name: None if math.isnan(row[name]) else float(row[name]) for name in PORTRAIT}


def _spread(table: Any) -> dict[str, list[float] | None]:
    """Median and quartiles over subjects."""
    found = {name: table[name].dropna() for name in PORTRAIT}
    return {
        name: [float(values.quantile(q)) for q in (0.25, 0.5, 0.75)] if len(values) else None
        for name, values in found.items()
    }


# ---------------------------------------------------------------------- the record and the page


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing, keep it, write the page."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--data", type=Path, default=DATA)
    options, rest = parser.parse_known_args(arguments)
    found = runs(options.data)
    if not options.data.is_dir():
        say(f"there is no folder {options.data}: no animals are read (--data says where they are)")
        found = {name: run for name, run in found.items() if name not in ("rat", "mice")}
    return recorded.main("benchmarks.animals", __doc__, found, RECORD, {PAGE: page}, arguments=rest)


def page(record: dict[str, Any]) -> str:
    """ANIMALS.md: every number comes from the record."""
    lines = recorded.heading("Beside real animals", "animals", record)
    lines += [*_rat_part(record["runs"]), *_mice_part(record["runs"])]
    return "\n".join(lines) + "\n"


def _rat_part(found: dict[str, Any]) -> Iterator[str]:
    run = found.get("rat")
    if not run:
        return
    yield from ("", "## A rat learns to compare sounds (Akrami et al. 2018)", "")
    yield "Fitted to sessions 1 to 60, and one step ahead on 61 to 80, teacher-forced: bits a trial (a coin: -1), the"
    yield "gain over online logistic learning with history, and the bits on the last quarter of the fitted sessions,"
    yield f"which alone choose the champion: **{run['champion']}**. ± one standard error over sessions."
    yield ""
    rows = [
        (name, f"{one['bits']:.3f} ± {one['error']:.3f}", f"{one['gain']:+.4f} ± {one['gain_error']:.4f}",
         f"{one['validation']:.3f}")
        for name, one in sorted(run["entries"].items(), key=lambda item: -item[1]["bits"])
    ]  # fmt: skip
    yield from grid(("model", "bits a trial", "gain", "validation"), rows)


def _mice_part(found: dict[str, Any]) -> Iterator[str]:
    columns: dict[str, list[str]] = {}
    told = []
    if run := found.get("mice"):
        columns["mice, all trials"] = [_number(run["all"][name]) for name in PORTRAIT]
        columns["mice, by session"] = [_quartiles(run["each"][name]) for name in PORTRAIT]
    if run := found.get("subjects"):
        columns["subjects, each"] = [_quartiles(run["each"][name]) for name in PORTRAIT]
        mean, spread = run["entered"]
        told += [
            f"Subjects: {run['subjects']} recurrent individuals of the default population, taught trial by trial",
            f"by the IBL's protocol (`ibl_biased`) for {run['sessions']} sessions; {run['arrived']} of them came to",
            f"the biased blocks, after {mean:,.0f} ± {spread:,.0f} trials.",
        ]
    if run := found.get("agent"):
        columns["agent"] = [_number(run["all"][name]) for name in PORTRAIT]
        told.append(
            f"Agent: a GRU trained in the blocks by PPO, {run['steps'] / 1e6:.0f} M steps, {run['seconds']:.0f} s."
        )
    if not columns:
        return
    yield from ("", "## Mice in biased blocks (International Brain Laboratory), and agents beside them", "")
    yield "All with the right at .2 or .8 in turn. Bias shift: of the share of right choices where nothing is shown,"
    yield "between the two kinds of block. Slope: of the psychometric function where it is steepest, for 1 of contrast."
    yield "Medians, and quartiles in brackets, where there are several. " + " ".join(told)
    yield ""
    rows = [(word, *(cells[i] for cells in columns.values())) for i, word in enumerate(PORTRAIT.values())]
    yield from grid(("", *columns), rows)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _quartiles(three: list[float] | None) -> str:
    return "-" if three is None else f"{_number(three[1])} ({_number(three[0])} to {_number(three[2])})"


if __name__ == "__main__":
    sys.exit(main())
