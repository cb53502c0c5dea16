"""Actor-critic training as a run takes it: the agent, the compiled updates, and what is reported of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from neurojax.core.chance import path_hash
from neurojax.core.task import Task
from neurojax.core.trial import Outcome
from neurojax.errors import MissingPackage
from neurojax.training.actor_critic import Hyperparameters, Plan, TrainState, no_sums, start_training, train_steps
from neurojax.training.agents import Agent, make_agent
from neurojax.training.config import RunConfig, cell_settings, share

# What is reported beside the loss, of the trials that ended.
COLUMNS = ("accuracy", "response_rate", "accuracy_given_response", "abort_rate", "reward", "entropy")


def build(config: RunConfig, task: Task) -> tuple[Agent, Plan]:
    """The agent that the settings describe, untrained, and what is static in training it.

    Raises:
        MissingPackage: if rlax is not installed.
        InvalidArgument: if settings do not fit each other, or there are fewer devices than they ask for.
    """
    try:
        import rlax  # noqa: F401
    except ImportError:
        raise MissingPackage("rlax", "rl", f"training.algorithm={config.training.algorithm!r}") from None
    training, learning = config.training, config.reinforcement
    key = jax.random.fold_in(jax.random.key(training.seed), path_hash("weights"))
    agent = make_agent(
        task,
        config.network.kind,
        config.network.hidden,
        key,
        sees_past=learning.sees_past,
        hazard=learning.hazard,
        **cell_settings(config.network),
    )
    plan = Plan(
        algorithm=training.algorithm,
        batch_size=training.batch_size,
        n_steps=training.n_steps,
        epochs=learning.epochs,
        minibatches=learning.minibatches,
        episode_trials=learning.episode_trials or None,
        normalise=learning.normalise,
        schedule=training.schedule,
        devices=share(config),
    )
    return agent, plan


def start(task: Task, key: jax.Array, agent: Agent, plan: Plan) -> TrainState:
    """The state before the first update."""
    return start_training(task, key, agent, plan)


def hyperparameters(config: RunConfig) -> Hyperparameters:
    """The numbers of the settings."""
    training, learning = config.training, config.reinforcement
    numbers = {
        "learning_rate": training.learning_rate,
        "clip": training.clip,
        "discount": learning.discount,
        "trial_discount": learning.trial_discount,
        "trace": learning.trace,
        "entropy": learning.entropy,
        "value": learning.value,
        "ratio": learning.ratio,
        "updates": training.updates,
    }
    return Hyperparameters(**{name: np.asarray(value, np.float32) for name, value in numbers.items()})


def compiled(
    task: Task, key: jax.Array, config: RunConfig, agent: Agent, plan: Plan, state: TrainState
) -> Callable[..., TrainState]:
    """`run(state, n)`: the compiled `train_steps` of a run. It consumes the state that it is given."""
    numbers = hyperparameters(config)
    bare = agent.replace(params=None)  # the weights are the state's

    def run(task, key, numbers, agent, state, n):
        return train_steps(task, key, numbers, state, n, agent=agent, plan=plan)

    program = jax.jit(run, donate_argnums=4).lower(task, key, numbers, bare, state, np.int32(1)).compile()
    return lambda state, n: program(task, key, numbers, bare, state, np.int32(n))


def means(state: TrainState) -> tuple[dict[str, float], float]:
    """The figures of a report, by column, and how many trials they are of."""
    sums: Any = jax.device_get(state.sums)
    counts = np.asarray(sums.outcomes, np.float64)
    trials = float(counts.sum())
    per = lambda count, of: float(count / of) if of > 0 else math.nan
    answered = counts[Outcome.CORRECT] + counts[Outcome.ERROR]
    return {
        "loss": float(sums.loss / sums.updates),
        "accuracy": per(sums.performance, trials),
        "response_rate": per(answered, trials),
        "accuracy_given_response": per(counts[Outcome.CORRECT], answered),
        "abort_rate": per(counts[Outcome.ABORT], trials),
        "reward": per(sums.reward, trials),
        "entropy": float(sums.entropy / sums.updates),
    }, trials


def forget(state: TrainState) -> TrainState:
    """The state with nothing to report."""
    return state.replace(sums=no_sums())


def trained(agent: Agent, plan: Plan, state: TrainState) -> Agent:
    """The agent with the weights of a state."""
    return agent.replace(params=state.params)
