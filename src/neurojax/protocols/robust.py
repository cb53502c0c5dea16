"""Whether a ranking of protocols holds for all kinds of subjects, or hangs on how they were modelled.

Cells are families of learner x initial hazard x learning rate, each of the last two cut into thirds within a family
(their scales differ between families). A ranking is robust only if at least 9 in 10 cells have the same winner, the
interval of the overall ratio lies outside 1 ± .1, and no more than 1 in 10 subjects lie in cells too small to tell.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neurojax.errors import InvalidArgument, unknown
from neurojax.protocols.endpoints import endpoint, shared_horizon
from neurojax.protocols.judge import MARGIN, REPLICATES, Comparison, compare_times
from neurojax.protocols.results import PERFECT, StudyResult, records
from neurojax.protocols.survival import restricted_means
from neurojax.subjects.population import TRAITS

if TYPE_CHECKING:
    from pandas import DataFrame

CELLS = ("learner", "hazard", "learning_rate")
FACTORS = ("learner", *TRAITS)
AGREE = 0.9  # share of cells that must have the same winner
_BINS = {2: ("low", "high"), 3: ("low", "middle", "high")}


def kinds(result: StudyResult, factors: Sequence[str] = CELLS, *, bins: int = 3) -> DataFrame:
    """Of which kind each subject is: by (learner, subject), a column a factor, with "low", "middle", "high", or "all"
    where the learner has no such parameter or all have the same.

    Args:
        result: the study.
        factors: "learner", or parameters of the individual.
        bins: 2 or 3, equally many subjects of each learner in each.

    Raises:
        UnknownName: for a factor that there is not.
        InvalidArgument: if a subject's parameters differ between protocols (it is no pair), or for other bins.
    """
    import pandas as pd

    if bins not in _BINS:
        raise InvalidArgument(f"bins must be 2 or 3, got {bins!r}")
    for factor in factors:
        if factor not in FACTORS:
            raise unknown("factor", factor, FACTORS)
    rows: Any = result.subjects[result.subjects["learner"] != PERFECT]
    same = rows.groupby(["learner", "subject"])[list(TRAITS)].nunique(dropna=False)
    if (same > 1).any(axis=None):
        who, name = same.stack().loc[lambda n: n > 1].index[0][1:]
        raise InvalidArgument(f"subject {who} has another {name} under another protocol: it is not the same individual")
    first = rows.drop_duplicates(["learner", "subject"]).set_index(["learner", "subject"]).sort_index()
    learner = first.index.get_level_values("learner")
    out = {}
    for factor in factors:
        if factor == "learner":
            out[factor] = pd.Series(learner, index=first.index, dtype=object)
        else:
            out[factor] = first[factor].astype(float).groupby(level="learner").transform(_thirds, bins=bins)
    return pd.DataFrame(out).rename_axis(index=["learner", "subject"])


@dataclasses.dataclass(frozen=True)
class Robustness:
    """Whether one of two protocols is faster for all kinds of subjects.

    Attributes:
        overall: the comparison over all subjects.
        cells: a row a cell: its kind, `n` pairs, `ratio` (first over second) with `low` and `high`, and the `winner`
            ("" where both are equal).
        factors: the columns that make a cell.
        left_out: subjects in cells too small to tell.
        dependence: as `cells`, of each factor alone: `factor`, `kind`, `n`, `ratio`, `low`, `high`, `winner`.
        margin: of the overall ratio.
        agree: share of cells that must agree.
    """

    overall: Comparison
    cells: DataFrame
    factors: tuple[str, ...]
    left_out: int
    dependence: DataFrame
    margin: float = MARGIN
    agree: float = AGREE

    @property
    def winner(self) -> str:
        """Which protocol is faster over all subjects; empty where they are equal."""
        ratio = self.overall.ratio.value
        return "" if ratio == 1 else self.overall.first if ratio < 1 else self.overall.second

    @property
    def agreeing(self) -> int:
        """In how many cells the same one is."""
        return int(np.sum(self.cells["winner"].to_numpy() == self.winner))

    @property
    def robust(self) -> bool:
        """Whether at least so many cells agree, the overall interval lies outside 1 ± margin, and cells tell enough."""
        return self.told and _enough(self.agreeing, len(self.cells), self.agree) and self.overall.clears(self.margin)

    @property
    def told(self) -> bool:
        """Whether the cells hold nearly all subjects."""
        return _tells(self.left_out, self.overall.n, self.agree)

    @property
    def warning(self) -> str:
        """What the ranking depends on, in words; empty where it depends on nothing that was looked at.

        A factor counts where the winner differs between its kinds: as shown where the intervals lie on either side
        of 1, as possible where they do not.
        """
        texts = []
        table: Any = self.dependence
        for factor, rows in table.groupby("factor", sort=False):
            below, above = rows[rows["high"] < 1], rows[rows["low"] > 1]
            other = rows[(rows["winner"] != self.winner) & (rows["winner"] != "")]
            differ = rows["winner"].nunique() > 1
            if len(below) and len(above):
                said = f"{_kind(below.iloc[0], self.overall.first)}, {_kind(above.iloc[0], self.overall.second)}"
                texts.append(f"The ranking depends on the {_words(factor)}: {said}.")
            elif differ and len(other) and not self.overall.holds_one:
                said = "; ".join(_kind(row, row["winner"]) for row in records(other))
                texts.append(
                    f"The ranking may depend on the {_words(factor)}: {said}, of which the intervals hold 1 or agree."
                )
        return " ".join(texts)

    def describe(self) -> str:
        """The verdict in words."""
        r, total = self.overall.ratio, len(self.cells)
        if not self.winner:
            return f"{self.overall.first!r} and {self.overall.second!r} are equal: there is nothing to rank."
        clear = "lies" if self.overall.clears(self.margin) else "does not lie"
        return (
            f"{self.winner!r} is faster in {self.agreeing} of {total} cells; the overall ratio's interval "
            f"({r.low:.2f} to {r.high:.2f}) {clear} outside 1 ± {self.margin:g}{_untold(self.left_out, self.told)}: "
            f"{'a robust ranking' if self.robust else 'not a robust ranking'}."
        )


def robustness(
    result: StudyResult,
    first: str,
    second: str,
    *,
    of: str = "exam",
    unit: str = "trials",
    factors: Sequence[str] = CELLS,
    bins: int = 3,
    least: int = 5,
    margin: float = MARGIN,
    agree: float = AGREE,
    horizon: float | None = None,
    replicates: int = REPLICATES // 2,
    seed: int = 0,
) -> Robustness:
    """Compare two protocols in cells of subjects, and by each factor alone.

    Args:
        result: the study.
        first, second: the protocols.
        of, unit: the endpoint.
        factors: what makes a cell.
        bins: of each number.
        least: pairs that a cell needs.
        margin, agree: what a robust ranking takes.
        horizon: of the restricted means, the same in all cells; default: `shared_horizon`.
        replicates, seed: of the bootstraps; these are of single cells and not corrected for their number.

    Raises:
        UnknownName, InvalidArgument: as `compare` and `kinds`.
    """
    import pandas as pd

    a, b = (endpoint(result, name, of=of, unit=unit) for name in (first, second))
    until = shared_horizon([a, b]) if horizon is None else horizon
    options: dict[str, Any] = {"horizon": until, "replicates": replicates, "seed": seed}
    named = {"first": first, "second": second, "of": of, "unit": unit}
    overall = dataclasses.replace(compare_times(a, b, **options), **named)
    kind = kinds(result, FACTORS, bins=bins).loc[a.index.intersection(b.index)]

    def row(members: Any) -> dict[str, Any]:
        found = compare_times(a.loc[members], b.loc[members], **options).ratio
        winner = "" if found.value == 1 else first if found.value < 1 else second
        return {"n": len(members), "ratio": found.value, "low": found.low, "high": found.high, "winner": winner}

    cells, left_out = [], 0
    for values, inside in kind.groupby([kind[factor] for factor in factors], sort=False):
        if len(inside) < least:
            left_out += len(inside)
            continue
        cells.append({**dict(zip(factors, values, strict=True)), **row(inside.index)})
    alone = []
    for factor in FACTORS:
        groups = {value: inside for value, inside in kind.groupby(kind[factor], sort=False) if len(inside) >= least}
        if len(set(groups) - {"all"}) > 1:
            alone += [
                {"factor": factor, "kind": value, **row(inside.index)}
                for value, inside in groups.items()
                if value != "all"
            ]
    rest = ["n", "ratio", "low", "high", "winner"]
    return Robustness(
        overall,
        _ordered(pd.DataFrame(cells, columns=[*factors, *rest]), factors),
        tuple(factors),
        left_out,
        _ordered(pd.DataFrame(alone, columns=["factor", "kind", *rest]), ["factor", "kind"]),
        margin,
        agree,
    )


@dataclasses.dataclass(frozen=True)
class Ranking:
    """All protocols of a study, the fastest first.

    Attributes:
        order: names, by restricted mean over all subjects.
        means: restricted means, by name.
        horizon: of these.
        cells: a row a cell: its kind, `n`, a column of means a protocol, and the `winner`.
        factors: the columns that make a cell.
        left_out: subjects in cells too small to tell.
        n: subjects.
        pairs: the winner held against each other protocol.
    """

    order: tuple[str, ...]
    means: dict[str, float]
    horizon: float
    cells: DataFrame
    factors: tuple[str, ...]
    left_out: int
    n: int
    pairs: tuple[Robustness, ...]

    @property
    def agreeing(self) -> int:
        """In how many cells the overall winner wins."""
        return int(np.sum(self.cells["winner"].to_numpy() == self.order[0]))

    @property
    def robust(self) -> bool:
        """Whether it wins in at least 9 in 10 cells, its ratio to every other lies outside 1 ± .1, and cells tell
        enough."""
        clear = all(pair.overall.clears(pair.margin) for pair in self.pairs)
        return self.told and _enough(self.agreeing, len(self.cells), AGREE) and clear

    @property
    def told(self) -> bool:
        """Whether the cells hold nearly all subjects."""
        return _tells(self.left_out, self.n, AGREE)

    @property
    def warning(self) -> str:
        """What the first place depends on, in words; empty where it depends on nothing that was looked at."""
        texts = [f"Against {pair.overall.second!r}: {pair.warning}" for pair in self.pairs if pair.warning]
        return " ".join(texts)

    def describe(self) -> str:
        """The verdict in words."""
        if len(self.order) < 2:
            return "There is one protocol, and nothing to rank."
        if self.means[self.order[0]] == self.means[self.order[1]]:
            return "No protocol is the fastest: the first two are equal."
        same = ", ".join(repr(pair.overall.second) for pair in self.pairs if pair.overall.holds_one)
        untold = f" No difference is told from {same}." if same else ""
        verdict = "robust" if self.robust else "not robust"
        return (
            f"{self.order[0]!r} is the fastest, and is so in {self.agreeing} of {len(self.cells)} cells"
            f"{_untold(self.left_out, self.told)}.{untold} The first place is {verdict}: that takes 9 in 10 cells, and "
            f"a ratio to each other protocol whose interval lies outside 1 ± {MARGIN:g}."
        )


def rank(
    result: StudyResult, *, of: str = "exam", unit: str = "trials", bins: int = 3, least: int = 5, **options: Any
) -> Ranking:
    """Rank all protocols of a study over the subjects that were trained under all of them.

    Args:
        result: the study.
        of, unit: the endpoint.
        bins, least: as for `robustness`, and so are the other options.

    Raises:
        UnknownName, InvalidArgument: as `robustness`; or if no subject was trained under all protocols.
    """
    import pandas as pd

    names = result.names()
    frames = {name: endpoint(result, name, of=of, unit=unit) for name in names}
    shared = frames[names[0]].index
    for frame in frames.values():
        shared = shared.intersection(frame.index)
    if not len(shared):
        raise InvalidArgument("no subject was trained under all protocols")
    frames = {name: frame.loc[shared] for name, frame in frames.items()}
    horizon = options.pop("horizon", None) or shared_horizon(list(frames.values()))

    def means(members: Any) -> dict[str, float]:
        ones = np.ones((1, len(members)))
        held = {name: frame.loc[members] for name, frame in frames.items()}
        return {n: float(restricted_means(f["time"], f["event"], ones, horizon)[0]) for n, f in held.items()}

    overall = means(shared)
    order = sorted(names, key=lambda name: overall[name])
    rows, left_out = [], 0
    kind = kinds(result, CELLS, bins=bins).loc[shared]
    for values, inside in kind.groupby([kind[factor] for factor in CELLS], sort=False):
        if len(inside) < least:
            left_out += len(inside)
            continue
        found = means(inside.index)
        best = [name for name in names if found[name] == min(found.values())]
        winner = best[0] if len(best) == 1 else ""
        rows.append({**dict(zip(CELLS, values, strict=True)), "n": len(inside), **found, "winner": winner})
    table = _ordered(pd.DataFrame(rows, columns=[*CELLS, "n", *names, "winner"]), CELLS)
    held = [
        robustness(result, order[0], name, of=of, unit=unit, bins=bins, least=least, horizon=horizon, **options)
        for name in order[1:]
    ]
    return Ranking(tuple(order), overall, horizon, table, CELLS, left_out, len(shared), tuple(held))


def _enough(agreeing: int, cells: int, share: float) -> bool:
    return cells > 0 and agreeing >= share * cells - 1e-9


def _tells(left_out: int, n: int, share: float) -> bool:
    return left_out <= (1 - share) * n + 1e-9


def _untold(left_out: int, told: bool) -> str:
    return "" if told else f", {left_out} subjects are in cells too small to tell"


def _thirds(values: Any, *, bins: int) -> Any:
    """The names of the bins that values lie in; equal values lie in the same."""
    import pandas as pd

    if values.isna().any() or values.nunique() < 2:
        return pd.Series("all", index=values.index, dtype=object)
    share = (values.rank(method="average") - 0.5) / len(values)
    number = np.minimum((share * bins).astype(int), bins - 1)
    return number.map(dict(enumerate(_BINS[bins]))).astype(object)


def _ordered(table: DataFrame, columns: Sequence[str]) -> DataFrame:
    """Rows in order of the columns: low, middle, high; names by their alphabet; factors as listed."""
    places = {name: i for i, name in enumerate(("low", "middle", "high", "all"))}
    places |= {name: i for i, name in enumerate(FACTORS)}
    key = lambda column: column.map(lambda value: (places.get(value, 99), str(value)))
    return table.sort_values(list(columns), key=key, kind="stable", ignore_index=True)


def _kind(row: Any, winner: str) -> str:
    """A kind of subject, and who is faster for it."""
    kind = f"for {row['kind']!r}" if row["factor"] == "learner" else f"where it is {row['kind']}"
    return f"{kind}, {winner!r} is faster (ratio {row['ratio']:.2f}, {row['low']:.2f} to {row['high']:.2f})"


def _words(factor: Any) -> str:
    return {"hazard": "initial hazard"}.get(factor, str(factor).replace("_", " "))
