"""Learning from reward: steps inside PPO, one agent and a population, and Gymnasium beside the native step."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import neurojax as nj
from benchmarks.gymnasium_calls import gymnasium_calls
from benchmarks.record import Row
from benchmarks.timing import Effort

TASK = "PerceptualDecisionMaking-v0"
PPO = "PPO, GRU 64, default settings"
ALONE, VMAPPED, MAPPED = "PPO, GRU 32, one agent", "64 agents, vmap", "64 agents, one after the other"
AGENTS = 64
_SMALL = {"batch_size": 16, "n_steps": 32}


def reinforcement(effort: Effort, devices: int) -> Iterator[Row]:
    """Environment steps per second while PPO learns; a population against one agent; the vector environment."""
    from benchmarks.measures import rows

    task = nj.make(TASK)
    about = {"task": TASK, "devices": devices}
    updates = effort.loops(10)
    run, steps, batch = _training(devices, updates, {})
    yield from rows({PPO: (run, steps)}, effort, "reinforcement", "steps", batch=batch, loops=updates, **about)
    if devices > 1:
        return
    loops = effort.loops(5)
    alone, steps, batch = _training(1, loops, _SMALL, hidden=32)
    calls = {ALONE: (alone, steps)}
    for name, at_once in ((VMAPPED, True), (MAPPED, False)):
        calls[name] = (_population(loops, at_once), AGENTS * steps)
    yield from rows(calls, effort, "reinforcement", "steps", batch=batch, loops=loops, **about)
    for lanes, full in ((1, 2000), (64, 1000), (4096, 100)):
        loops = effort.loops(full)
        calls = gymnasium_calls(task, lanes, loops)
        yield from rows(calls, effort, "reinforcement", "steps", batch=lanes, loops=loops, **about)


def _pieces(devices: int, training: dict[str, Any], hidden: int | None):
    from neurojax.training import reinforced
    from neurojax.training.config import RunConfig

    network: Any = {} if hidden is None else {"hidden": hidden}
    given: Any = {"algorithm": "ppo", "devices": devices, **training}
    config = RunConfig(task={"id": TASK}, network=network, training=given)  # type: ignore[arg-type]
    task = config.make_task()
    agent, plan = reinforced.build(config, task)
    return config, task, agent, plan


def _training(devices: int, updates: int, training: dict[str, Any], hidden: int | None = None):
    """A call that makes so many updates of one run, how many steps these take, and its sessions."""
    from benchmarks.measures import Trainer
    from neurojax.training import reinforced

    config, task, agent, plan = _pieces(devices, training, hidden)
    key = jax.random.key(0)
    state = reinforced.start(task, key, agent, plan)
    call = Trainer(partial(reinforced.compiled, task, key, config, agent, plan), state, updates)
    return call, updates * plan.batch_size * plan.n_steps, plan.batch_size


def _population(updates: int, at_once: bool):
    """A call that makes so many updates of 64 agents, each with a seed of its own."""
    from neurojax.training import reinforced
    from neurojax.training.actor_critic import start_training, train_steps

    config, task, agent, plan = _pieces(1, _SMALL, 32)
    keys = jax.random.split(jax.random.key(0), AGENTS)
    state = start_training(task, keys[0], agent, plan)
    states = jax.tree.map(lambda x: jnp.broadcast_to(jnp.asarray(x), (AGENTS, *np.shape(x))), state)
    numbers = reinforced.hyperparameters(config)
    one = partial(train_steps, agent=agent.replace(params=None), plan=plan)

    @jax.jit
    def run(keys, states):
        each = lambda key, state: one(task, key, numbers, state, updates)
        if at_once:
            return jax.vmap(each)(keys, states)
        return jax.lax.map(lambda pair: each(*pair), (keys, states))

    return partial(run, keys, states)
