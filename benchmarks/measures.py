"""What is measured in one process, each thing beside what bounds it.

The work is real: batches and normals are carried through the loop that makes them, and step loops sum every
observation and reward, so nothing can be left out by the compiler.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import neurojax as nj
from benchmarks.machine import accelerators
from benchmarks.record import Row
from benchmarks.timing import Effort, Timing, time_in_turns
from neurojax.core.chance import key_words
from neurojax.core.lanes import lane_numbers, share_out
from neurojax.data.render import render_lanes

TASK = "PerceptualDecisionMaking-v0"
NATIVE, GYMNAX, CARTPOLE = "nj.rollout", "nj.Env (gymnax call)", "gymnax CartPole-v1"
NORMALS, RENDER, RENDER_CALL = "jax.random.normal", "render in a loop", "nj.render"
NORMALS_CALL = "jax.random.normal, one dispatch"
BARE = "bare network"
# Lanes, and the length of a loop that takes a tenth of a second or so on two cores.
LANES = {1: 20_000, 64: 8_000, 4096: 400, 65536: 40}
BATCHES = (16, 256, 4096)
# An accelerator has room for more, and takes as long for a few.
LANES_ACCELERATOR = {4096: 400, 65536: 200, 1_048_576: 40}
BATCHES_ACCELERATOR = (256, 4096, 65536)

Calls = Mapping[str, tuple[Callable[[], Any], float]]


def rows(
    calls: Calls, effort: Effort, section: str, unit: str, *, bounds: Mapping[str, str] | None = None, **about: Any
) -> Iterator[Row]:
    """Rows of calls by name, each with how many of the unit it brings; `bounds` names the row that bounds each."""
    timings = time_in_turns({name: call for name, (call, _) in calls.items()}, effort)
    rate = {name: count / timings[name].seconds for name, (_, count) in calls.items()}
    for name, (_, count) in calls.items():
        timing: Timing = timings[name]
        bound = (bounds or {}).get(name)
        yield Row(
            section=section,  # type: ignore[arg-type]
            name=name,
            device=jax.devices()[0].device_kind,
            unit=unit,
            per_call=count,
            seconds=timing.seconds,
            least=timing.least,
            most=timing.most,
            repeats=timing.repeats,
            compile_seconds=timing.compile_seconds,
            bound=bound,
            fraction=rate[name] / rate[bound] if bound else None,
            **about,
        )


# ---------------------------------------------------------------------- rendering


def rendering(effort: Effort, devices: int, batches=None) -> Iterator[Row]:
    """Trials per second, and the rate at which the normals that they need, and nothing else, are drawn.

    Both in one dispatch of many batches (so that small ones can be timed) and in one of a single batch, through the
    public call.
    """
    task = nj.make(TASK)
    key = jax.random.key(0)
    normals = normals_of(task)
    for batch in batches or (BATCHES_ACCELERATOR if accelerators() else BATCHES):
        loops = effort.loops(max(1, (800_000 if accelerators() else 80_000) // batch))
        words, lanes = key_words(key), lane_numbers(batch)
        draw = jax.jit(_in_loop(lambda task, words, lanes: _normals(words, lanes.shape[0] * normals), loops, devices))
        make = jax.jit(_in_loop(render_lanes, loops, devices))
        calls = {
            NORMALS: (partial(draw, task, words, lanes), batch * loops),
            RENDER: (partial(make, task, words, lanes), batch * loops),
        }
        about = {"task": TASK, "devices": devices, "batch": batch}
        yield from rows(calls, effort, "rendering", "trials", bounds={RENDER: NORMALS}, loops=loops, **about)

        plain = jax.jit(_shared(lambda task, words, lanes: _normals(words, lanes.shape[0] * normals), devices))
        calls = {
            NORMALS_CALL: (partial(plain, task, words, lanes), batch),
            RENDER_CALL: (partial(nj.render, task, key, batch, devices=devices), batch),
        }
        yield from rows(calls, effort, "rendering", "trials", bounds={RENDER_CALL: NORMALS_CALL}, loops=1, **about)


def normals_of(task) -> int:
    """How many normals a trial of the task needs: one for each step of the stimulus and place of the ring."""
    start, end = np.asarray(nj.render(task, jax.random.key(0), 1).periods)[0, task.period_names.index("stimulus")]
    return int(end - start) * task.dim_ring


def _normals(words, count):
    return jax.random.normal(jax.random.wrap_key_data(words), (count,))


def _shared(function, devices):
    return share_out(function, devices, shared=2, split=1)


def _in_loop(function, loops: int, devices: int):
    """`function(task, words, lanes)` over and over with fresh words; what it makes last comes out."""

    def loop(task, words, lanes):
        # XLA keeps a loop whose trips replace what the trips before them made, as long as there are two or more.
        def fresh(i):
            return key_words(jax.random.fold_in(jax.random.wrap_key_data(words), i))

        once = lambda i: function(task, fresh(i), lanes)
        nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(once, jnp.int32(0)))
        return jax.lax.fori_loop(0, loops, lambda i, _: once(i), nothing)

    return _shared(loop, devices)


# ---------------------------------------------------------------------- streams


def streaming(effort: Effort, devices: int) -> Iterator[Row]:
    """Time steps per second of `nj.stream` at the settings of NeuroGym's example, and at a batch of our own size."""
    task, key, steps = nj.make(TASK), jax.random.key(0), 100
    for batch in (16, 1024, 65536) if accelerators() else (16, 1024):
        call = partial(nj.stream, task, key, batch, steps, devices=devices)
        about = {"task": TASK, "devices": devices, "batch": batch, "loops": 1}
        yield from rows({"nj.stream": (call, batch * steps)}, effort, "stream", "steps", **about)


# ---------------------------------------------------------------------- environments


def environment(effort: Effort, devices: int, lanes: Mapping[int, int] | None = None) -> Iterator[Row]:
    """Steps per second under random actions with automatic reset: native, by the gymnax call, and gymnax's CartPole."""
    import gymnax

    task = nj.make(TASK)
    ours = nj.Env(task)
    cartpole, params = gymnax.make("CartPole-v1")
    for batch, full in (lanes or (LANES_ACCELERATOR if accelerators() else LANES)).items():
        if batch % devices:
            continue
        steps = effort.loops(full)
        calls = {
            NATIVE: (_native(task, batch, steps, devices), batch * steps),
            GYMNAX: (_gymnax(ours, task, batch, steps, devices), batch * steps),
            CARTPOLE: (_gymnax(cartpole, params, batch, steps, devices), batch * steps),
        }
        yield from rows(calls, effort, "environment", "steps", task=TASK, devices=devices, batch=batch, loops=steps)
        _check_finite(TASK, calls)


# Collections of one class whose tasks run one program: a few stand for all.
SAMPLES = {
    "modcog.": ("go", "dlygointr", "dmsseql", "ctxdlydm1seqr"),
    "driscoll24.": ("fdgo", "multidelaydm", "dmcgo"),
}


def _stands_for(id: str) -> bool:
    """Whether another task of its collection stands for this one."""
    family = next((family for family in SAMPLES if id.startswith(family)), None)
    return family is not None and id not in {f"{family}{name}-v0" for name in SAMPLES[family]}


def tasks(effort: Effort, devices: int) -> Iterator[Row]:
    """Every task in the registry, stepped and rendered, on one device: cost for each observed number beside the
    plain task's, and compile times.
    """
    if devices > 1:
        return
    brief = dataclasses.replace(effort, seconds=min(effort.seconds, 0.5), repeats=min(effort.repeats, 5))
    for id in [TASK, *(id for id in nj.registered() if id != TASK and not _stands_for(id))]:
        task = nj.make(id)
        channels = task.channels.size
        # as many numbers at once for wide observations as for narrow ones, as far as a handful of lanes goes
        batch = max(16, min(4096, 2 ** int(np.log2(2**16 / channels))))
        steps = effort.loops(LANES[4096] if channels <= 256 else 20)
        calls = {NATIVE: (_native(task, batch, steps, devices), batch * steps)}
        about = {"task": id, "devices": devices, "batch": batch, "channels": channels}
        yield from rows(calls, brief, "tasks", "steps", loops=steps, **about)
        _check_finite(id, calls)
        call = partial(nj.render, task, jax.random.key(0), batch, devices=devices)
        yield from rows({RENDER_CALL: (call, batch * task.capacity)}, brief, "tasks", "steps", loops=1, **about)


def _native(task, batch, steps, devices):
    key = jax.random.key(0)

    def call():
        return nj.rollout(task, key, batch, steps, output="metrics", devices=devices).metrics

    return call


def _check_finite(name: str, calls: Calls) -> None:
    observed = calls[NATIVE][0]().observed
    if not np.isfinite(observed):
        raise RuntimeError(f"{name} showed NaN or infinity")


def _gymnax(env, params, batch, steps, devices):
    """gymnax's own idiom: vmap over environments, a split key for each at each step."""

    def block(params, keys, lanes):
        count = lanes.shape[0]
        start, run = jax.random.split(keys[0])
        seen, state = jax.vmap(env.reset, in_axes=(0, None))(jax.random.split(start, count), params)

        def body(held, key):
            seen, state, sums = held
            act, go = jax.random.split(key)
            action = jax.vmap(env.action_space(params).sample)(jax.random.split(act, count))
            step = jax.vmap(env.step, in_axes=(0, 0, 0, None))
            seen, state, reward, *_ = step(jax.random.split(go, count), state, action, params)
            return (seen, state, (sums[0] + jnp.sum(seen, axis=-1), sums[1] + reward)), None

        zeros = jnp.zeros(count, jnp.float32)
        (_, _, sums), _ = jax.lax.scan(body, (seen, state, (zeros, zeros)), jax.random.split(run, steps))
        return sums

    run = jax.jit(share_out(block, devices, shared=1, split=2))
    keys = jax.random.split(jax.random.key(0), devices)
    return lambda: run(params, keys, lane_numbers(batch))


# ---------------------------------------------------------------------- training

NEUROGYM_EXAMPLE = "LSTM 64, stream of 100 steps, dt 100 (NeuroGym's example)"
SETTINGS: dict[str, dict[str, Any]] = {
    "GRU 64, trials, dt 20 (default)": {},
    "leaky 128, trials, dt 20": {"network": {"kind": "leaky", "hidden": 128}},
    NEUROGYM_EXAMPLE: {
        "task": {"id": TASK, "dt": 100.0},
        "network": {"kind": "lstm", "hidden": 64},
        "training": {
            "batch_size": 16,
            "data": "stream",
            "n_steps": 100,
            "learning_rate": 1e-2,
            "schedule": "constant",
            "clip": 0.0,
        },
    },
}


def training(effort: Effort, devices: int, names=tuple(SETTINGS)) -> Iterator[Row]:
    """Updates per second of the training loop as `neurojax train` runs it, and of its network alone.

    The bound is the same network, by the same code, forward and backward on constant input with constant errors:
    no trials, loss, optimiser or reduction over devices. Its weights move, so that no update can be left out.
    """
    from neurojax.training.config import RunConfig
    from neurojax.training.steps import start_training
    from neurojax.training.supervised import build, compiled

    for name in names:
        config = RunConfig(**SETTINGS[name]).replace({"training.devices": devices})
        task, key, updates = config.make_task(), jax.random.key(0), effort.loops(60)
        network, plan = build(config, task)
        batch = config.training.batch_size
        state = start_training(task, key, network, plan)
        steps = config.training.n_steps if config.training.data == "stream" else task.capacity
        calls = {BARE: (_bare(network, batch, steps, task.channels.size, updates, devices), updates)}
        calls[name] = (Trainer(partial(compiled, task, key, config, network, plan), state, updates), updates)
        about = {"task": TASK, "devices": devices, "batch": batch, "loops": updates}
        yield from rows(calls, effort, "training", "updates", bounds={name: BARE}, **about)


class Trainer:
    """More updates of one run at each call; the first call compiles them."""

    def __init__(self, compile: Callable[..., Any], state: Any, updates: int):
        self._compile, self._state, self._updates, self._run = compile, state, updates, None

    def __call__(self):
        if self._run is None:
            self._run = self._compile(self._state)
        self._state = self._run(self._state, self._updates)
        return self._state


def _bare(network, batch, steps, channels, updates, devices):
    graphdef, params = nnx.split(network, nnx.Param)
    rng = np.random.default_rng(0)
    outputs = jax.eval_shape(network, jax.ShapeDtypeStruct((steps, batch, channels), jnp.float32))[0].shape[-1]
    x, errors = (rng.normal(size=(batch, steps, d)).astype(np.float32) for d in (channels, outputs))

    def loop(params, x, errors):
        x, errors = jnp.swapaxes(x, 0, 1), jnp.swapaxes(errors, 0, 1)

        def body(_, params):
            _, pull = jax.vjp(lambda params: nnx.merge(graphdef, params)(x)[0], params)
            return jax.tree.map(lambda p, g: p - np.float32(1e-9) * g, params, pull(errors)[0])

        params = jax.lax.fori_loop(0, updates, body, params)
        return jnp.stack([jnp.sum(p) for p in jax.tree.leaves(params)]).sum(keepdims=True)

    run = jax.jit(share_out(loop, devices, shared=1, split=2))
    return lambda: run(params, x, errors)


def _reinforcement(effort: Effort, devices: int) -> Iterator[Row]:
    from benchmarks.reinforcement import reinforcement

    return reinforcement(effort, devices)


SECTIONS = {
    "rendering": rendering,
    "stream": streaming,
    "environment": environment,
    "tasks": tasks,
    "training": training,
    "reinforcement": _reinforcement,
}
