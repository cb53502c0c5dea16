"""The settings of a training run: one TOML file that can be run again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

import jax
from pydantic import Field, model_validator

from neurojax.core.registry import make
from neurojax.core.task import Task
from neurojax.errors import InvalidArgument, unknown
from neurojax.sections import Count, NotNegative, Positive, Section, Share, load_section, save_section

# Fewer lanes a device are not worth sharing (measured on two cores, benchmarks/RESULTS.md).
_LANES_EACH = 8
# Settings whose defaults are other ones where an agent learns from reward.
_FROM_REWARD: dict[str, dict[str, Any]] = {
    "task": {"dt": "default"},
    "network": {"memory": 0.0},
    "training": {"updates": 600, "batch_size": 128, "learning_rate": 1e-3, "clip": 0.5, "n_steps": 64},
}


class TaskConfig(Section):
    """Which task.

    Attributes:
        id: as for `nj.make`.
        dt: time step in ms, or "default" for the task's own. Networks need a step well below their time constants.
        keywords: the task's other keywords, as for `nj.make`.
    """

    id: str = "PerceptualDecisionMaking-v0"
    dt: Positive | Literal["default"] = 20.0
    keywords: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_dt(self) -> Self:
        if "dt" in self.keywords:
            raise InvalidArgument(f"dt={self.keywords['dt']!r} stands in task.keywords; state it as task.dt")
        return self


class NetworkConfig(Section):
    """Which network.

    Attributes:
        kind: "leaky" (continuous time), "gru" or "lstm".
        hidden: H, the number of units.
        tau: time constant of the leaky network in ms.
        nonlinearity: of the leaky network: "relu", "tanh", "softplus", "sigmoid" or "linear".
        recurrent_noise: of the leaky network, standard deviation of the noise within units (see `LeakyRNN`).
        memory: time constant in ms up to which gates (GRU, LSTM) are initialised to remember; 0 for no such bias.
    """

    kind: Literal["leaky", "gru", "lstm"] = "gru"
    hidden: Count = 64
    tau: Positive = 100.0
    nonlinearity: Literal["relu", "tanh", "softplus", "sigmoid", "linear"] = "relu"
    recurrent_noise: NotNegative = 0.0
    memory: NotNegative = 2000.0


class TrainingConfig(Section):
    """How to train. Some defaults are other ones where an agent learns from reward: those of task.dt, network.memory,
    updates, batch_size, learning_rate, clip and n_steps.

    Attributes:
        algorithm: "supervised" (from targets), or, from reward, "ppo" or "a2c".
        updates: how many updates.
        batch_size: B, trials (or sessions) in each.
        learning_rate: Adam's, at its highest.
        schedule: "constant", "cosine" (to 0 at the last update) or "warmup_cosine" (5% of the updates to rise).
        clip: greatest norm of the gradient; 0 for no limit.
        answer_weight: weight in the loss of the steps at which an answer is due (the target is not action 0),
            relative to the task's own weights; discrete actions only. Supervised training only.
        data: "trials" (independent, padded) or "stream" (sessions back to back, the hidden state carried on).
            Supervised training only.
        n_steps: T, the length of truncated back-propagation: of a piece of the stream, and of a2c and ppo.
        seed: of weights, trials and noise.
        checkpoint_every, log_every: in updates.
        devices: over how many devices to share the batch; "auto": as many as there are that divide it, with at
            least 8 lanes each. A run's folder holds the number.
    """

    algorithm: Literal["supervised", "ppo", "a2c"] = "supervised"
    updates: Count = 1500
    batch_size: Count = 64
    learning_rate: Positive = 5e-3
    schedule: Literal["constant", "cosine", "warmup_cosine"] = "cosine"
    clip: NotNegative = 1.0
    answer_weight: Positive = 1.0
    data: Literal["trials", "stream"] = "trials"
    n_steps: Count = 100
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
    checkpoint_every: Count = 500
    log_every: Count = 50
    devices: Count | Literal["auto"] = "auto"

    @model_validator(mode="after")
    def _divides(self) -> Self:
        if self.devices != "auto" and self.batch_size % self.devices:
            raise InvalidArgument(f"batch_size={self.batch_size} does not divide over devices={self.devices}")
        return self


class ReinforcementConfig(Section):
    """How an agent learns from reward ("ppo" and "a2c").

    Attributes:
        episode_trials: trials of an episode, after which the agent and the task's memory start afresh; 0: never.
        sees_past: whether the agent sees its last action and reward.
        hazard: responses a second before it has learnt anything, of a task whose action 0 is to rest; 0: it takes all
            actions as often.
        discount: of a step.
        trial_discount: beside it, where a trial ends; at 0 each trial is a world of its own.
        trace: lambda of generalised advantage estimation.
        entropy: weight of the policy's entropy in the loss.
        value: weight of the critic's error in the loss.
        normalise: whether advantages are brought to mean 0 and, unless they hardly differ, to variance 1.
        epochs: how often an update goes over what was played (ppo).
        minibatches: into how many parts, by session, it is cut (ppo).
        ratio: by how much the ratio of probabilities may leave 1 (ppo).
    """

    episode_trials: Annotated[int, Field(ge=0)] = 0
    sees_past: bool = True
    hazard: NotNegative = 1.0
    discount: Share = 0.98
    trial_discount: Share = 1.0
    trace: Share = 0.95
    entropy: NotNegative = 0.01
    value: NotNegative = 0.5
    normalise: bool = True
    epochs: Count = 4
    minibatches: Count = 4
    ratio: Positive = 0.2


class EvaluationConfig(Section):
    """How to evaluate.

    Attributes:
        trials: trials for each combination of conditions, and for the task's own draws.
        conditions: values by condition, crossed with each other; conditions that are not named are drawn. Empty: for
            tasks with a `coherence`, 0, .8, 1.6, 3.2, 6.4 and 12.8 percent by `ground_truth`; for others none.
        seed: of the trials.
    """

    trials: Count = 2000
    conditions: dict[str, list[float]] = Field(default_factory=dict)
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1


class RunConfig(Section):
    """All settings of a run.

    Raises:
        UnknownName: for settings that do not exist; the nearest is suggested.
        InvalidArgument: for values that are not allowed.

    Example:
        >>> from neurojax.training.config import RunConfig
        >>> config = RunConfig(task={"id": "ReadySetGo-v0"}, training={"updates": 10})
        >>> config.network.kind, config.make_task().dt
        ('gru', 20.0)
        >>> config.replace({"network.kind": "leaky"}).network.kind
        'leaky'
    """

    WHERE: ClassVar[str | None] = ""

    task: TaskConfig = Field(default_factory=TaskConfig)
    network: NetworkConfig = Field(default_factory=NetworkConfig)
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    reinforcement: ReinforcementConfig = Field(default_factory=ReinforcementConfig)
    evaluation: EvaluationConfig = Field(default_factory=EvaluationConfig)

    @model_validator(mode="before")
    @classmethod
    def _of_algorithm(cls, settings: Any) -> Any:
        """Fill in the defaults that are the algorithm's."""
        training = settings.get("training") if isinstance(settings, dict) else None
        algorithm = training.get("algorithm") if isinstance(training, dict) else getattr(training, "algorithm", None)
        if algorithm in (None, "supervised"):
            return settings
        out = dict(settings)
        for name, defaults in _FROM_REWARD.items():
            section = out.get(name, {})
            out[name] = {**defaults, **section} if isinstance(section, dict) else section
        return out

    def replace(self, changes: Mapping[str, Any]) -> RunConfig:
        """The settings with some changed, by dotted name such as "training.updates"; checked as ever."""
        settings = self.model_dump()
        for name, value in changes.items():
            *path, last = name.split(".")
            section = settings
            for part in path:
                if part not in section or not isinstance(section[part], dict):
                    raise unknown("setting", name, setting_names())
                section = section[part]
            section[last] = value
        return RunConfig(**settings)

    def make_task(self) -> Task:
        """The task that these settings describe; errors as `nj.make`."""
        dt = {} if self.task.dt == "default" else {"dt": self.task.dt}
        return make(self.task.id, **dt, **self.task.keywords)


def cell_settings(network: NetworkConfig) -> dict[str, Any]:
    """The settings of a network's cell, as `make_network` takes them."""
    names = ("tau", "nonlinearity", "recurrent_noise") if network.kind == "leaky" else ("memory",)
    return {name: getattr(network, name) for name in names}


def share(config: RunConfig) -> int:
    """Over how many devices the batch of a run is shared.

    Raises:
        InvalidArgument: if there are fewer than the settings ask for.
    """
    batch, wanted, there = config.training.batch_size, config.training.devices, jax.device_count()
    if wanted != "auto":
        if wanted > there:
            raise InvalidArgument(f"training.devices={wanted} but JAX has {there}")
        return wanted
    most = max(1, min(there, batch // _LANES_EACH))
    parts = config.reinforcement.minibatches if config.training.algorithm == "ppo" else 1
    return max(count for count in range(1, most + 1) if batch % (count * parts) == 0 or count == 1)


def setting_names() -> list[str]:
    """The dotted names of all settings, such as "training.updates"."""
    sections = RunConfig.model_fields.items()
    return [f"{name}.{key}" for name, field in sections for key in field.annotation.model_fields]  # type: ignore


def load_config(path: str | Path) -> RunConfig:
    """The settings in a TOML file, or in the run folder `path`.

    Raises:
        InvalidArgument: if the file is missing or a value is not allowed.
        UnknownName: for settings that do not exist; the nearest is suggested.
        DamagedFile: if the file is not TOML.
    """
    path = Path(path)
    return load_section(RunConfig, path / "config.toml" if path.is_dir() else path, "configuration")


def save_config(config: RunConfig, path: str | Path) -> Path:
    """Write the settings, all of them, as TOML; `load_config` gives them back.

    Raises:
        InvalidArgument: if the file cannot be written, or a task's keyword is not a number, text, list or table.
    """
    return save_section(config, path, "task.keywords")
