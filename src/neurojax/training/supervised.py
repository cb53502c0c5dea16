"""Supervised training as a run takes it: the network, the compiled updates, and what is reported of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from flax import nnx

from neurojax.core.chance import path_hash
from neurojax.core.task import Task
from neurojax.networks import Network, make_network
from neurojax.training.config import RunConfig, cell_settings, share
from neurojax.training.steps import Hyperparameters, Plan, TrainState, no_sums, start_training, train_steps

# What is reported beside the loss.
COLUMNS = ("accuracy",)


def build(config: RunConfig, task: Task) -> tuple[Network, Plan]:
    """The network that the settings describe, with its first weights, and what is static in training it.

    Raises:
        InvalidArgument: if there are fewer devices than the settings ask for.
    """
    training, devices = config.training, share(config)
    sizes = (task.channels.size, task.actions.size, config.network.hidden)
    key = jax.random.fold_in(jax.random.key(training.seed), path_hash("weights"))
    network = make_network(config.network.kind, *sizes, key, dt=task.dt, **cell_settings(config.network))
    graphdef, _ = nnx.split(network, nnx.Param)
    shape = (training.batch_size, training.data, training.n_steps, training.schedule, devices)
    return network, Plan(graphdef, *shape)


def start(task: Task, key: jax.Array, network: Network, plan: Plan) -> TrainState:
    """The state before the first update."""
    return start_training(task, key, network, plan)


def compiled(
    task: Task, key: jax.Array, config: RunConfig, network: Network, plan: Plan, state: TrainState
) -> Callable[..., TrainState]:
    """`run(state, n)`: the compiled `train_steps` of a run. It consumes the state that it is given."""
    training = config.training
    numbers = (training.learning_rate, training.clip, training.answer_weight, training.updates)
    hyperparameters = Hyperparameters(*(np.asarray(x, np.float32) for x in numbers))

    def run(task, key, hyperparameters, state, n):
        return train_steps(task, key, hyperparameters, state, n, plan=plan)

    program = jax.jit(run, donate_argnums=3).lower(task, key, hyperparameters, state, np.int32(1)).compile()
    return lambda state, n: program(task, key, hyperparameters, state, np.int32(n))


def means(state: TrainState) -> tuple[dict[str, float], float]:
    """The figures of a report, by column, and how many trials they are of."""
    sums: Any = jax.device_get(state.sums)
    accuracy = float(sums.right / sums.due) if sums.due > 0 else math.nan
    return {"loss": float(sums.loss / sums.updates), "accuracy": accuracy}, float(sums.trials)


def forget(state: TrainState) -> TrainState:
    """The state with nothing to report."""
    return state.replace(sums=no_sums())


def trained(network: Network, plan: Plan, state: TrainState) -> Network:
    """The network with the weights of a state."""
    return nnx.merge(plan.graphdef, state.params)
