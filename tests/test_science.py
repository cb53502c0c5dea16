"""What networks must reach, played through the tasks' own rules. The long runs: `make test-slow`."""

from __future__ import annotations

import jax
import pytest

import neurojax as nj
from neurojax.training.config import RunConfig
from neurojax.training.evaluate import evaluate
from neurojax.training.runs import train

TRIALS = 20_000
# By task, the score (performance - blind) / (ideal - blind) that the default settings must reach.
LEARNED = {
    "DelayMatchSample-v0": 0.98,
    "ReachingDelayResponse-v0": 0.85,
    "Reaching1D-v0": 0.85,
    "ReadySetGo-v0": 0.95,
}


def accuracy_by_coherence(seed: int) -> dict[float, float]:
    """Accuracy of the demo's network at its two hard coherences."""
    config = RunConfig(training={"seed": seed})
    result = train(config)
    conditions = {"coherence": [3.2, 6.4], "ground_truth": [0, 1]}
    played = evaluate(result.task, result.network, jax.random.key(100 + seed), TRIALS // 2, conditions)
    return {cell.conditions["coherence"]: cell.accuracy for cell in played.by("coherence")}


def test_the_demo_integrates():
    accuracy = accuracy_by_coherence(seed=0)
    assert accuracy[6.4] >= 0.96 and accuracy[3.2] >= 0.82
    ideal = nj.make("PerceptualDecisionMaking-v0", dt=20)
    for coherence, reached in accuracy.items():  # nobody is better than the ideal observer
        assert reached <= ideal.ideal_accuracy(coherence, 2000) + 4 * (0.25 / TRIALS) ** 0.5


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_the_demo_integrates_on_other_seeds(seed):
    accuracy = accuracy_by_coherence(seed)
    assert accuracy[6.4] >= 0.96 and accuracy[3.2] >= 0.82


@pytest.mark.slow
@pytest.mark.parametrize("id", LEARNED)
def test_default_settings_learn(id):
    config = RunConfig(task={"id": id})
    result = train(config)
    played = evaluate(result.task, result.network, jax.random.key(7), 2000, {})
    assert nj.reference_numbers(result.task).score(played.overall.performance) >= LEARNED[id]
