"""The contract that every task must keep, as a check that also serves people who write their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from neurojax.core.chance import Chance, key_words, path_hash
from neurojax.core.draw import Draw
from neurojax.core.lanes import lane_numbers
from neurojax.core.parameters import parameters
from neurojax.core.policy import Policy
from neurojax.core.session import begin, start_memory
from neurojax.core.spaces import Box, Channels, Discrete
from neurojax.core.task import Task
from neurojax.core.trial import Outcome
from neurojax.data.render import frame_of, render_lanes
from neurojax.data.stream import start_stream, stream_lanes
from neurojax.envs.rollout import rollout_lanes
from neurojax.errors import NeurojaxError

_LANES = 256
_FEWEST = 64
_NUMBERS = 2**17  # of the batch that is looked at; tasks with long trials or many channels get fewer lanes
_ROOM = 4  # steps by which a duration may grow
_TOLERANCE = 1e-6
_RANDOM, _ORACLE = 0, 1  # kinds of `_Mixed`
_FRAMES = ("inputs", "targets", "weights", "mask")


class ContractError(NeurojaxError, AssertionError):
    """A task breaks the contract; the message lists what is wrong."""


def check_task(task: Task, *, seed: int = 0) -> None:
    """Check that a task keeps the contract: run this over your own.

    It checks spaces, shapes and dtypes (also with 64-bit numbers enabled and strict promotion), that everything is
    finite and inside its bounds, that targets are valid actions, that outcomes and performance are set where trials
    end, that jit and vmap change nothing, that rendered, streamed and stepped trials agree, that trials do not depend
    on the batch, that parameters do not recompile, that every parameter has an effect, and that playing the target
    is no worse than random actions.

    Args:
        task: built by `create`, with concrete parameters.
        seed: of the trials that it looks at.

    Raises:
        ContractError: lists all that is wrong, each with how to mend it.

    Example:
        >>> import neurojax as nj
        >>> nj.check_task(nj.make("DelayMatchSample-v0"))
    """
    problems = list(_basics(task)) or _shapes(task) or list(_behaviour(task, jax.random.key(seed)))
    if problems:
        name = getattr(task, "name", type(task).__name__)
        raise ContractError("\n".join([f"{name} breaks the contract of a task:", *(f"- {p}" for p in problems)]))


def _basics(task: Any) -> Iterator[str]:
    if not isinstance(task, Task):
        yield f"it is a {type(task).__name__}; subclass nj.Task"
        return
    if task.capacity < 1:
        yield f"it was not built by {type(task).__name__}.create(...)"
        return
    for leaf in jax.tree_util.tree_leaves_with_path(task):
        dtype = getattr(leaf[1], "dtype", None)
        if dtype not in (np.float32, np.int32, np.bool_):
            kind = dtype or type(leaf[1]).__name__
            yield f"its leaf {_path(leaf[0])} is {kind}; declare it with nj.quantity or nj.flag"
    for part, kinds in (("channels", (Channels,)), ("actions", (Discrete, Box))):
        try:
            if not isinstance(getattr(task, part), kinds):
                yield f"its {part} must be {' or '.join(k.__name__ for k in kinds)}, got {getattr(task, part)!r}"
        except Exception as error:
            yield f"its {part} cannot be read: {_said(error)}"


_KNOWN: dict[Any, list[str]] = {}  # what was found of tasks of one structure


def _shapes(task: Task) -> list[str]:
    """Trace each view once in 32 and in 64 bits, under strict promotion, and compare what comes out."""
    leaves, structure = jax.tree.flatten(task)
    known = (structure, tuple((leaf.shape, leaf.dtype) for leaf in leaves))
    if known not in _KNOWN:
        _KNOWN[known] = list(_traced(task))
    return _KNOWN[known]


def _traced(task: Task) -> Iterator[str]:
    words = jax.ShapeDtypeStruct((2,), jnp.uint32)

    def views(task, words):
        batch = render_lanes(task, words, lane_numbers(2), actor=_mixed(task) if task.closed_loop else None)
        run = rollout_lanes(task, words, lane_numbers(2), _mixed(task), None, 3)
        return batch, run.trajectory, run.state

    try:
        wrong = list(_raw_target(task, words))
        yield from wrong
        if wrong:
            return
        batch, trajectory, state = jax.eval_shape(views, task, words)
    except Exception as error:
        yield f"it cannot be traced: {_said(error)}"
        return
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        try:
            wide = jax.eval_shape(views, task, words)
        except Exception as error:
            yield f"it mixes dtypes, or does so with 64-bit numbers enabled: {_said(error)}"
            return
    for (path, narrow), leaf in zip(
        jax.tree_util.tree_leaves_with_path((batch, trajectory, state)), jax.tree.leaves(wide), strict=True
    ):
        if narrow.dtype != leaf.dtype:
            yield f"{_path(path)} is {narrow.dtype}, but {leaf.dtype} with 64-bit numbers enabled; name the dtype"
        elif narrow.dtype not in (jnp.float32, jnp.int32, jnp.bool_, jnp.uint32):
            yield f"{_path(path)} is {narrow.dtype}; use float32, int32 or bool"


def _raw_target(task: Task, words: Any) -> Iterator[str]:
    """The target as the task returns it: the views would cast it silently."""

    def raw(task, words):
        chance = Chance(words, jnp.uint32(0))
        session = begin(task, start_memory(task, chance), chance, 0)
        held = task.resolve(session.memory)
        return jnp.asarray(held.target(held.trial(session.drawn), session.state, session.t))

    target = jax.eval_shape(raw, task, words)
    if isinstance(task.actions, Discrete) and target.dtype.kind == "f":
        yield f"its target is {target.dtype}; a discrete action is a whole number"
    if target.shape != task.actions.shape:
        yield f"its target has shape {target.shape}; an action has shape {task.actions.shape}"


def _behaviour(task: Task, key: jax.Array) -> Iterator[str]:
    # One program answers nearly everything, compiled once for all tasks of one structure. Its task has some room, so
    # that durations can grow without another compilation.
    words, roomy = key_words(key), task.with_room(_ROOM)
    seen = jax.tree.map(np.asarray, _probe(roomy, words))  # in NumPy, whose slices are not compiled
    yield from _values(task, seen)
    yield from _same_trials(task, key, seen.batch)
    yield from _agreement(task, seen)
    yield from _order(seen)
    yield from _effects(roomy, words, seen)
    yield from _plays(seen)
    yield from _names(task)


class _Seen(struct.PyTreeNode):
    """One task in all views: B lanes of a batch, of a rollout (and the state in which it ends), and of a stream.

    A policy of four kinds acts, by lane; in a closed-loop task it acts in the batch too, but the oracle in the stream.
    """

    batch: Any
    run: Any
    flow: Any
    state: Any


_TRACED: list[str] = []  # a name for each time that `_probe` was traced
# A check runs few times: compiling in some haste saves it time. In more (level 0) running takes back what that saves,
# and numbers are rounded in another way.
_HASTE = {"xla_backend_optimization_level": 1}


@partial(jax.jit, compiler_options=_HASTE)
def _few(task: Task, words: jax.Array) -> Any:
    return render_lanes(task, words, lane_numbers(3), actor=_mixed(task) if task.closed_loop else None)


@partial(jax.jit, compiler_options=_HASTE)
def _probe(task: Task, words: jax.Array) -> _Seen:
    _TRACED.append(task.name)
    room = 2 ** int(np.log2(max(_NUMBERS // (task.channels.size * task.capacity), 1)))
    lanes = lane_numbers(min(max(room, _FEWEST if task.channels.size < 1024 else _FEWEST // 4), _LANES))
    steps = int(min(3 * task.capacity, 600))
    actor = _mixed(task)
    batch = render_lanes(task, words, lanes, actor=actor if task.closed_loop else None)
    run = rollout_lanes(task, words, lanes, actor, None, steps)
    flow = stream_lanes(task, words, lanes, start_stream(task, words, lanes), task.capacity)
    return _Seen(batch, run.trajectory, (flow.inputs, flow.targets, flow.first), run.state)


def _values(task: Task, seen: _Seen) -> Iterator[str]:
    """Finite, in bounds, and results where trials end."""
    batch, trajectory = seen.batch, seen.run
    for path, leaf in jax.tree_util.tree_leaves_with_path((batch, trajectory)):
        if not np.all(np.isfinite(np.asarray(leaf, np.float64))):
            yield f"{_path(path)} is not finite somewhere"
    channels = task.channels
    for name, shown in (("rendered", batch.inputs), ("stepped", trajectory.observations)):
        shown = np.asarray(shown)[np.asarray(batch.mask)] if name == "rendered" else np.asarray(shown)
        low, high = channels.bounds()
        if np.any(shown < low) or np.any(shown > high):
            yield f"{name} observations leave the bounds {channels.low} .. {channels.high} of its channels"
    for name, targets in (("rendered", batch.targets), ("stepped", trajectory.targets)):
        if not _valid(task.actions, np.asarray(targets)[np.asarray(batch.mask)] if name == "rendered" else targets):
            yield f"its {name} targets are not all valid actions"
    lengths, periods = np.asarray(batch.lengths), np.asarray(batch.periods)
    if np.any(lengths < 1) or np.any(lengths > task.capacity):
        yield f"trials last {lengths.min()} to {lengths.max()} steps, not 1 to the capacity, {task.capacity}"
    if np.any(periods[..., 0] > periods[..., 1]) or np.any(periods[..., 1] > lengths[:, None]):
        yield "a period ends before it starts, or after the trial"
    if np.any(batch.weights < 0):
        yield "a loss weight is negative"
    ended = np.asarray(trajectory.new_trial)
    outcome, performance = (np.asarray(x) for x in (trajectory.results.outcome, trajectory.results.performance))
    if not ended.any():
        yield f"no trial ended in {ended.shape[1]} steps"
    if np.any(outcome[ended] == Outcome.NONE) or np.any((outcome < 0) | (outcome >= len(Outcome))):
        yield "a trial ended without an outcome; pass correct= or outcome= to nj.consequence"
    if np.any((performance[ended] < 0) | (performance[ended] > 1 + 1e-5)):
        yield f"performance lies between {performance[ended].min():g} and {performance[ended].max():g}, not in [0, 1]"
    known = set(task.period_names)
    if len(known) != len(task.period_names) or batch.periods.shape[1] != len(known):
        yield "PERIODS must name each period once"


def _same_trials(task: Task, key: jax.Array, batch: Any) -> Iterator[str]:
    """A trial is the same in any batch, and without jit and vmap."""
    few = _few(task, key_words(key))
    same = jax.tree.map(lambda x: x[:3], batch)
    fields = [(getattr(same, name)[:, : task.capacity], getattr(few, name)) for name in _FRAMES]
    if _differ([x for x, _ in fields], [y for _, y in fields], 0.0) or _differ(same.conditions, few.conditions, 0.0):
        yield "its trials depend on the size of the batch"
    with jax.disable_jit():
        for t, frame in _eager_frames(task, key, int(batch.lengths[0])):
            compiled = (batch.inputs[0, t], batch.targets[0, t], batch.weights[0, t])
            if (t == 0 or not task.closed_loop) and _differ(frame, compiled, _TOLERANCE):
                yield f"jit and vmap change what it shows or asks for at step {t}"


def _eager_frames(task: Task, key: jax.Array, length: int) -> Iterator[tuple[int, Any]]:
    """Some frames of the first lane's trial, one operation at a time."""
    chance = Chance(key_words(key), jnp.uint32(0))
    task = jax.tree.map(jnp.asarray, task)
    session = begin(task, start_memory(task, chance), chance, 0)
    held = task.resolve(session.memory)
    trial = held.trial(session.drawn)
    for t in sorted({0, length - 1}):
        step = jnp.int32(t)
        yield t, frame_of(held, trial, session.state, step, Draw(chance, "noise", step))


def _agreement(task: Task, seen: _Seen) -> Iterator[str]:
    """Rendered, streamed and stepped: the same frames, as far as each has them."""
    batch, run, (inputs, targets, _) = seen.batch, seen.run, seen.flow
    first_end = np.argmax(run.new_trial, axis=1)
    t = np.arange(np.shape(batch.inputs)[1])
    inside = t[None] < np.asarray(batch.lengths)[:, None]
    stepped = inside & (t[None] <= first_end[:, None])
    streamed = inside & (_kinds(seen)[:, None] == _ORACLE) if task.closed_loop else inside
    pairs = (
        ("stepped", run.observations, run.targets, stepped),
        ("streamed", inputs, targets, streamed),
    )
    for name, shown, best, where in pairs:
        n = min(where.shape[1], np.shape(shown)[1])
        where = where[:, :n]
        with np.errstate(invalid="ignore"):  # what is not finite is told above
            gap = np.abs(np.asarray(batch.inputs)[:, :n] - np.asarray(shown)[:, :n])[where]
        if gap.size and gap.max() > _TOLERANCE * max(1.0, float(np.abs(batch.inputs).max())):
            yield f"its rendered and {name} observations differ by up to {gap.max():g}"
        gap = np.abs(np.asarray(batch.targets)[:, :n] - np.asarray(best)[:, :n])[where]
        if gap.size and gap.max() > _TOLERANCE:
            yield f"its rendered and {name} targets differ"


def _order(seen: _Seen) -> Iterator[str]:
    """Trials follow each other without a step in between, and the step that ends one carries what came of it."""
    batch, run = seen.batch, jax.tree.map(np.asarray, seen.run)
    first, ended, steps = run.first, run.new_trial, np.arange(run.first.shape[1])
    if not first[:, 0].all() or np.any(first[:, 1:] != ended[:, :-1]):
        yield "a step lies between two of its trials, or a session does not begin with one"
    began = np.maximum.accumulate(np.where(first, steps, 0), axis=1)
    if np.any((run.results.response_step != steps - began)[ended]):
        yield "the response step of a trial is not the number of steps since it began"
    earned = np.cumsum(run.rewards.astype(np.float64), axis=1)
    before = np.take_along_axis(np.pad(earned, ((0, 0), (1, 0))), began, axis=1)
    if not np.allclose(run.results.reward[ended], (earned - before)[ended], rtol=1e-4, atol=1e-4):
        yield "the reward of a trial is not the sum of the rewards of its steps"
    second = np.asarray(batch.lengths)
    starts = np.asarray(seen.flow[2])
    lanes = np.flatnonzero(second < starts.shape[1])
    inside = np.arange(starts.shape[1])[None] < second[:, None]
    if not starts[:, 0].all() or not starts[lanes, second[lanes]].all() or (starts & inside)[:, 1:].any():
        yield "a streamed trial does not begin where the one before it ends"
    if _differ(batch.conditions, {name: values[:, 0] for name, values in run.conditions.items()}, 0.0):
        yield "its rendered and stepped conditions differ"


def _effects(task: Task, words: jax.Array, base: _Seen) -> Iterator[str]:
    """Every parameter changes something, and none recompiles."""
    compiled = len(_TRACED)
    idle = _without_effect(task, words, base)
    more = len(_TRACED) - compiled
    for keywords in task.PROBES:  # those of which the defaults show nothing in so few trials
        if idle:
            other = task.set(**keywords).with_room(_ROOM)
            idle &= _without_effect(other, words, _probe(other, words), only=idle)
    for path in sorted(idle):
        yield f"{path} has no effect on anything; use it or remove it"
    if more:
        yield f"it was compiled {1 + more} times for different parameter values; parameters must be leaves"


def _without_effect(task: Task, words: jax.Array, base: _Seen, only: set[str] | None = None) -> set[str]:
    """The paths of the leaves (of those in `only`) that change nothing of what is seen, whatever their value."""
    leaves, treedef = jax.tree_util.tree_flatten_with_path(task)
    limits = _limits(task)
    unused = [f"timing['{period}']" for period in task.unused_periods]
    rules = tuple(f".{parameter}" for parameter in task.unused_parameters)
    found = set()
    for index, (path, leaf) in enumerate(leaves):
        name = _path(path)
        if any(period in name for period in unused) or name.endswith(rules) or (only is not None and name not in only):
            continue
        for value in _candidates(np.asarray(leaf), name, limits, task.dt):
            values = [x for _, x in leaves]
            values[index] = value
            if _differ(base, _probe(jax.tree.unflatten(treedef, values), words), 0.0):
                break
        else:
            found.add(name)
    return found


def _candidates(leaf: np.ndarray, path: str, limits: dict[str, Any], dt: float) -> Iterator[np.ndarray]:
    """Other values for a leaf, inside its limits."""
    if leaf.dtype == np.bool_:
        yield ~leaf
        return
    parameter = limits.get(path)
    if "timing" in path:
        yield from (leaf + np.float32(2 * dt), leaf * np.float32(2) + np.float32(2 * dt))
        return
    span = parameter or None
    # the last one changes elements by different amounts, as weights need that count relative to each other
    apart = leaf + np.arange(leaf.size).reshape(leaf.shape)
    values = [leaf * 1.5 + 0.25, leaf * 0.5, leaf + 3, -leaf - 0.5, leaf * 10 + 5, apart]
    if span is not None and np.isfinite([span.low, span.high]).all():  # narrow limits leave room between them alone
        values += [(leaf + span.low) / 2, (leaf + span.high) / 2]
    for value in values:
        value = value.astype(leaf.dtype)
        if span is not None and (np.any(value < span.low) or np.any(value > span.high) or np.any(value <= span.above)):
            continue
        yield value


def _limits(task: Task) -> dict[str, Any]:
    """The declared parameters by the path of their leaf, through modifiers."""
    out = {f".{name}": p for name, p in parameters(type(task)).items()}
    inner = getattr(task, "inner", None)
    return {**out, **{f".inner{path}": p for path, p in _limits(inner).items()}} if inner is not None else out


def _plays(seen: _Seen) -> Iterator[str]:
    """The target, played, does no worse than chance; by three standard errors, for few trials are played."""
    ended, performance = np.asarray(seen.run.new_trial), np.asarray(seen.run.results.performance)
    best, random = (performance[_kinds(seen) == kind][ended[_kinds(seen) == kind]] for kind in (_ORACLE, _RANDOM))
    if not (best.size and random.size):
        return
    error = np.sqrt(best.var() / best.size + random.var() / random.size)
    if best.mean() < random.mean() - 3 * error:
        yield f"playing the target performs at {best.mean():.3f}, below random actions at {random.mean():.3f}"


def _names(task: Task) -> Iterator[str]:
    names = [f"noise/{name}" for name, _ in task.channels.sizes] + [f"duration/{name}" for name in task.laws]
    if len({path_hash(name) for name in names}) < len(names):
        yield "two of its quantities have names with the same CRC-32; rename one"


class _Mixed(Policy):
    """A policy to probe with, by lane: uniformly random, the target, never acting, and rarely acting at random."""

    def __call__(self, carry, obs, first, chance, best):
        anything = self.actions.random(chance.fold(1))
        rest = jnp.int32(0) if isinstance(self.actions, Discrete) else jnp.asarray(self.actions.low, jnp.float32)
        kind = chance.lane % jnp.uint32(4)
        rarely = jnp.where(chance.fold(2).uniform() < 0.1, anything, rest)
        played = jnp.where(
            kind == _RANDOM, anything, jnp.where(kind == _ORACLE, best, jnp.where(kind == 2, rest, rarely))
        )
        return carry, played


def _kinds(seen: _Seen) -> np.ndarray:
    """Which kind of policy acts in each lane `[B]`."""
    return np.arange(np.shape(seen.run.new_trial)[0]) % 4


def _mixed(task: Task) -> Any:
    return _Mixed("function", task.actions)


def _valid(actions: Any, values: Any) -> bool:
    values = np.asarray(values)
    if isinstance(actions, Discrete):
        return bool(np.all((values >= 0) & (values < actions.size)))
    low, high = actions.bounds()
    return bool(np.all((values >= low) & (values <= high)))


def _differ(a: Any, b: Any, tolerance: float) -> bool:
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        x, y = np.asarray(x), np.asarray(y)
        same: Callable[..., Any] = np.array_equal
        if tolerance and x.dtype.kind == "f":
            same = lambda x, y: np.allclose(x, y, rtol=tolerance, atol=tolerance)
        if x.shape != y.shape or not same(x, y):
            return True
    return False


def _path(path: Any) -> str:
    return jax.tree_util.keystr(path)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
