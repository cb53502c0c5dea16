"""What a trained network does when it plays the task by the task's own rules."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from neurojax.core.chance import key_words
from neurojax.core.draw import check_given
from neurojax.core.lanes import check_count, drawn_quantities, prepare
from neurojax.core.spaces import Box, Discrete
from neurojax.core.task import Task
from neurojax.core.trial import Outcome, Result
from neurojax.envs.rollout import play
from neurojax.errors import InvalidArgument, unknown
from neurojax.networks import Network, step_noise
from neurojax.training.agents import Agent

COHERENCES = (0.0, 0.8, 1.6, 3.2, 6.4, 12.8)
# More lanes at once would leave the cache, fewer would not pay for their dispatch.
_LANES = 8192
# Trials that an agent, whose state is carried from trial to trial, plays before the one that is looked at.
WARMUP = 5


@dataclasses.dataclass(frozen=True)
class Cell:
    """How the trials of one combination of conditions went. Rates are NaN where they have no meaning.

    Attributes:
        conditions: the values given; empty for the task's own draws.
        trials: how many.
        performance: mean of the task's graded performance, in [0, 1].
        accuracy: correct trials over all trials.
        response_rate: trials that ended in a choice, right or wrong, over all trials.
        accuracy_given_response: correct trials over those.
        abort_rate, miss_rate: over all trials.
        response_ms: mean time from the trial's start to the end of the step of the choice, in ms, of those.
        choices: how often each action was the choice, `[A]`, of those; empty for continuous actions.
        reward: mean reward of a trial.
    """

    conditions: dict[str, float]
    trials: int
    performance: float
    accuracy: float
    response_rate: float
    accuracy_given_response: float
    abort_rate: float
    miss_rate: float
    response_ms: float
    choices: list[int]
    reward: float


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """How a network plays.

    Attributes:
        overall: under the task's own draws.
        cells: one for each combination of the conditions that were given.
    """

    overall: Cell
    cells: list[Cell]

    def by(self, condition: str) -> list[Cell]:
        """The cells pooled over all conditions but one, in order of its values.

        Raises:
            UnknownName: if this condition was not given.
        """
        names = list(self.cells[0].conditions) if self.cells else []
        if condition not in names:
            raise unknown("condition", condition, names, "this evaluation")
        values = sorted({cell.conditions[condition] for cell in self.cells})
        of = lambda value: [cell for cell in self.cells if cell.conditions[condition] == value]
        return [_pooled({condition: value}, of(value)) for value in values]


def policy_of(network: Network, task: Task) -> jax.tree_util.Partial:
    """The network as a policy for `nj.rollout` and `nj.play`; give `carry=network.initial()` with it.

    It takes the action of the greatest output (for continuous actions, the output within its bounds), starts afresh
    at each trial's first step, and draws the noise of its cell, where it has some. Networks of the same structure
    share what was compiled.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.networks import make_network
        >>> from neurojax.training.evaluate import policy_of
        >>> task = nj.make("PerceptualDecisionMaking-v0")
        >>> network = make_network("gru", 3, 3, 16, jax.random.key(0), dt=task.dt)
        >>> policy, carry = policy_of(network, task), network.initial()
        >>> nj.rollout(task, jax.random.key(1), 4, 50, policy=policy, carry=carry).trajectory.actions.shape
        (4, 50)
    """
    return jax.tree_util.Partial(_act, _Static(task.actions), outputs_of(network))


def as_player(network: Network | Agent, task: Task) -> dict[str, Any]:
    """How `nj.play` is to be called for a network, or for an agent, which takes its likeliest actions."""
    if isinstance(network, Agent):
        return {"policy": network.replace(greedy=True), "warmup": WARMUP}
    return {"policy": policy_of(network, task), "carry": network.initial()}


def outputs_of(network: Network) -> jax.tree_util.Partial:
    """`(carry, obs [D], first, key) -> (carry, outputs [A])`, for policies that choose in their own way."""
    graphdef, params, rest = nnx.split(network, nnx.Param, ...)
    return jax.tree_util.Partial(_outputs, _Static(graphdef), (params, rest))


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class _Static:
    """Something hashable that is structure to JAX."""

    value: Any


def _act(actions, outputs_of, carry, obs, first, key):
    carry, outputs = outputs_of(carry, obs, first, key)
    return carry, as_choice(actions.value, outputs)


def _outputs(graphdef, variables, carry, obs, first, key):
    network = nnx.merge(graphdef.value, *variables)
    carry = jax.tree.map(lambda start, c: jnp.where(first, start, c), network.initial(), carry)
    outputs, _, carry = network.step(carry, obs, step_noise(network, key_words(key)))
    return carry, outputs


def as_choice(actions: Discrete | Box, outputs: jax.Array) -> jax.Array:
    """The greedy action of outputs `[A]`: the index of the greatest, or the outputs within their bounds."""
    if isinstance(actions, Discrete):
        return jnp.argmax(outputs, axis=-1).astype(jnp.int32)
    return jnp.clip(outputs, np.asarray(actions.low, np.float32), np.asarray(actions.high, np.float32))


def default_conditions(task: Task) -> dict[str, list[float]]:
    """The conditions of `evaluate` where none are given.

    For tasks with a coherence, where slope and lapses of the psychometric curve can be told: 0, .8, 1.6, 3.2, 6.4 and
    12.8 percent, crossed with the ground truth where there is one. For other tasks, none.
    """
    known = drawn_quantities(task)
    if "coherence" not in known:
        return {}
    truth = known.get("ground_truth")
    crossed = {} if truth is None or truth.count is None else {"ground_truth": [float(i) for i in range(truth.count)]}
    return {"coherence": list(COHERENCES), **crossed}


def evaluate(
    task: Task,
    network: Network | Agent,
    key: jax.Array,
    trials: int = 2000,
    conditions: Mapping[str, Sequence[float]] | None = None,
) -> Evaluation:
    """Play the network's greedy choices through the task's own rules.

    A network plays each trial afresh. An agent has played some trials of the same session before (see `WARMUP`).

    Args:
        task: the task.
        network: the network, or agent.
        key: typed key; not consumed.
        trials: for each combination of conditions, and for the task's own draws.
        conditions: values by condition, crossed with each other; what is not named is drawn. Default:
            `default_conditions(task)`.

    Raises:
        UnknownName: for conditions that the task does not draw.
        InvalidArgument: for values that are not allowed, or a network that does not fit the task.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.networks import make_network
        >>> from neurojax.training.evaluate import evaluate
        >>> task = nj.make("PerceptualDecisionMaking-v0")
        >>> network = make_network("gru", 3, 3, 16, jax.random.key(0), dt=task.dt)
        >>> played = evaluate(task, network, jax.random.key(1), 10, {"coherence": [6.4, 51.2], "ground_truth": [0, 1]})
        >>> [cell.trials for cell in played.by("coherence")]
        [20, 20]
    """
    prepare(task, key, 1)
    check_count("trials", trials)
    grid = default_conditions(task) if conditions is None else {name: list(v) for name, v in conditions.items()}
    known = drawn_quantities(task)
    for name, values in grid.items():
        if name not in known:
            raise unknown("condition", name, known, task.name)
        if not values:
            raise InvalidArgument(f"condition {name!r} is an empty list; give at least one value")
        check_given({name: np.asarray(values)}, known, len(values))
    fits(network, task)
    combinations = (
        [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())] if grid else []
    )
    overall = _summary(task, {}, _play(task, network, key, trials, {}))
    if not grid:
        return Evaluation(overall, [])
    given = {name: np.repeat([c[name] for c in combinations], trials) for name in grid}
    results = _play(task, network, key, trials * len(combinations), given)
    slices = [slice(i * trials, (i + 1) * trials) for i in range(len(combinations))]
    cells = [
        _summary(task, c, jax.tree.map(lambda x, s=s: x[s], results)) for c, s in zip(combinations, slices, strict=True)
    ]
    return Evaluation(overall, cells)


def fits(network: Network | Agent, task: Task) -> None:
    """Raise InvalidArgument unless the network takes the task's observations and gives its actions."""
    if isinstance(network, Agent):
        wanted = task.channels.size + network.sees_past * (task.actions.size + 1)
        if network.actions != task.actions or network.start.note.inputs.shape != (wanted,):
            raise InvalidArgument(f"the agent was made for another task than {task.name}")
        return
    try:
        obs = jax.ShapeDtypeStruct((task.channels.size,), jnp.float32)
        outputs = jax.eval_shape(lambda x: network.step(network.initial(), x)[0], obs)
    except TypeError:
        outputs = None
    if outputs is None or outputs.shape != (task.actions.size,):
        raise InvalidArgument(
            f"the network does not fit {task.name}, which has {task.channels.size} channels and "
            f"{task.actions.size} actions"
        )


def _play(task: Task, network: Network | Agent, key: jax.Array, count: int, given: Mapping[str, np.ndarray]) -> Result:
    """How `count` trials went, as NumPy arrays, played a few thousand at a time under keys of their own."""
    player = as_player(network, task)
    size = min(count, _LANES)
    parts = []
    for n, at in enumerate(range(0, count, size)):
        rows = np.minimum(np.arange(at, at + size), count - 1)  # the last piece is filled up, so that it has one shape
        now: dict[str, Any] = {name: values[rows] for name, values in given.items()}
        played = play(task, jax.random.fold_in(key, n), size, **player, **now)
        parts.append(jax.tree.map(lambda x, end=count - at: np.asarray(x)[:end], played.result))
    return jax.tree.map(lambda *xs: np.concatenate(xs), *parts)


def _summary(task: Task, conditions: dict[str, float], result: Result) -> Cell:
    outcome = np.asarray(result.outcome)
    share = lambda *kinds: float(np.mean(np.isin(outcome, kinds)))
    answered = np.isin(outcome, (Outcome.CORRECT, Outcome.ERROR))
    mean = lambda values: float(np.mean(values, dtype=np.float64)) if len(values) else float("nan")
    choices = []
    if isinstance(task.actions, Discrete):
        choices = np.bincount(np.asarray(result.choice)[answered], minlength=task.actions.size).tolist()
    return Cell(
        conditions=conditions,
        trials=len(outcome),
        performance=mean(result.performance),
        accuracy=share(Outcome.CORRECT),
        response_rate=share(Outcome.CORRECT, Outcome.ERROR),
        accuracy_given_response=mean(outcome[answered] == Outcome.CORRECT),
        abort_rate=share(Outcome.ABORT),
        miss_rate=share(Outcome.MISS),
        response_ms=mean((np.asarray(result.response_step)[answered] + 1) * task.dt),
        choices=choices,
        reward=mean(result.reward),
    )


def _pooled(conditions: dict[str, float], cells: list[Cell]) -> Cell:
    trials = np.asarray([c.trials for c in cells], np.float64)
    answered = np.asarray([round(c.response_rate * c.trials) for c in cells], np.float64)

    def mean(name: str, weights: np.ndarray = trials) -> float:
        values = np.asarray([getattr(c, name) for c in cells])
        counted = weights > 0
        return float(np.average(values[counted], weights=weights[counted])) if counted.any() else float("nan")

    names = ("performance", "accuracy", "response_rate", "abort_rate", "miss_rate", "reward")
    return Cell(
        conditions=conditions,
        trials=int(trials.sum()),
        accuracy_given_response=mean("accuracy_given_response", answered),
        response_ms=mean("response_ms", answered),
        choices=np.sum([c.choices for c in cells], axis=0).astype(int).tolist(),
        **{name: mean(name) for name in names},
    )
