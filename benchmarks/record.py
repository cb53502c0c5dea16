"""What a benchmark writes as JSON: checked when it is written and when it is read."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, PositiveFloat, PositiveInt

Section = Literal["rendering", "stream", "environment", "tasks", "training", "reinforcement"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Machine(_Record):
    """Where it was measured. `load` is how many processes wanted a core in the minute before."""

    processor: str
    cores: int
    system: str
    python: str
    packages: dict[str, str]
    load: float | None


class Row(_Record):
    """One measurement.

    Attributes:
        section: of the table.
        name: what was run.
        task: id, where there is one.
        devices: how many JAX devices; of a CPU, each is one core.
        device: what they are, in JAX's words.
        batch: trials or lanes at once.
        loops: how often it happens inside one dispatch: renderings, steps or updates. 1 for a plain call.
        unit: what is counted.
        per_call: how many of the unit one dispatch brings.
        seconds, least, most: of one dispatch: median and range of the repeats.
        repeats: how many dispatches were timed.
        compile_seconds: of the first call, less the median.
        channels: numbers in an observation, where costs are compared by them.
        bound: name of the row (same section, task, devices, batch, loops) whose rate bounds this one.
        fraction: this rate over the bound's.
    """

    section: Section
    name: str
    task: str | None = None
    devices: PositiveInt
    device: str
    batch: PositiveInt
    loops: PositiveInt
    unit: str
    per_call: PositiveFloat
    seconds: PositiveFloat
    least: PositiveFloat
    most: PositiveFloat
    repeats: PositiveInt
    compile_seconds: float
    channels: PositiveInt | None = None
    bound: str | None = None
    fraction: float | None = None

    @property
    def rate(self) -> float:
        """Units per second."""
        return self.per_call / self.seconds

    @property
    def cost(self) -> float:
        """Seconds for each observed number."""
        return 1 / (self.rate * (self.channels or 1))


class Startup(_Record):
    """Medians over fresh processes, in seconds.

    Attributes:
        import_seconds: of `import neurojax`, whose names are loaded when they are used.
        loaded_seconds: of that and of loading `nj.make` and `nj.render`, JAX included.
        first_batch_seconds: from the end of `import neurojax` to the first batch: loading, compiling and rendering.
        unwanted: modules that were loaded by then and must not be.
        processes: how many.
    """

    import_seconds: PositiveFloat
    loaded_seconds: PositiveFloat
    first_batch_seconds: PositiveFloat
    unwanted: list[str]
    processes: PositiveInt


class Peer(_Record):
    """NeuroGym, measured by `neurogym_side.py` in an environment of its own.

    Attributes:
        packages: versions, with its Python.
        dataset_steps_per_second: time steps of `Dataset`, PerceptualDecisionMaking, batch 16, 100 steps.
        env_steps_per_second: `env.step` with actions drawn beforehand, by task id.
        failed: why a task of NeuroGym's could not be measured, by task id.
        update_ms, data_ms, network_ms: of one update of its PyTorch example, and its two parts; None without PyTorch.
        threads: of PyTorch; one or all, whichever was faster.
    """

    packages: dict[str, str]
    dataset_steps_per_second: PositiveFloat
    env_steps_per_second: dict[str, PositiveFloat]
    failed: dict[str, str] = {}
    update_ms: PositiveFloat | None
    data_ms: PositiveFloat | None
    network_ms: PositiveFloat | None
    threads: PositiveInt | None


class Report(_Record):
    """A run of the benchmarks."""

    schema_version: Literal[1] = 1
    date: str
    quick: bool
    machine: Machine
    rows: list[Row]
    startup: Startup | None = None
    neurogym: Peer | None = None
    skipped: list[str] = []

    def find(self, section: str, name: str, **wanted) -> Row | None:
        """The first row of that section, name and other attributes."""
        for row in self.rows:
            if (row.section, row.name) == (section, name) and all(getattr(row, k) == v for k, v in wanted.items()):
                return row
        return None
