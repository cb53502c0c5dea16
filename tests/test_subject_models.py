"""Subjects with few parameters: their rules against arithmetic by hand, quadrature against sampling."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from neurojax.errors import InvalidArgument, UnknownName
from neurojax.subjects.detection import DetectionLearner, Values
from neurojax.subjects.logistic import LogisticLearner


def test_parameters_are_checked_and_named():
    subject = LogisticLearner.create(3, rate=0.1, weights=[0, 1, 2])
    assert subject.rate.tolist() == pytest.approx([0.1] * 3) and subject.weights.dtype == np.float32
    with pytest.raises(UnknownName, match="did you mean 'rate'"):
        LogisticLearner.create(3, rates=0.1)
    with pytest.raises(InvalidArgument, match=r"lapse must be .* in \[0, 0.5\], got"):
        LogisticLearner.create(3, lapse=0.6)
    with pytest.raises(InvalidArgument, match="weights must be one number or a list of 3"):
        LogisticLearner.create(3, weights=[0, 1])
    with pytest.raises(InvalidArgument, match="n_features must be a whole number"):
        LogisticLearner.create(0)
    with pytest.raises(InvalidArgument, match=r"sigma must be .* above 0"):
        DetectionLearner.create(sigma=0)


@pytest.mark.parametrize("choice", [0, 1])
def test_policy_gradient_follows_the_derivative_of_the_log_probability(choice):
    subject = LogisticLearner.create(3, weights=[0.3, -0.5, 1.0], rate=[0.1, 0.2, 0.3], baseline=0.4)
    x, w = jnp.array([1.0, 0.7, -0.2]), subject.start()
    probability = lambda w: jnp.where(choice == 1, subject.p_right(w, x), 1 - subject.p_right(w, x))
    slope = jax.grad(lambda w: jnp.log(probability(w)))(w)
    expected = w + jnp.array([0.1, 0.2, 0.3]) * (1.0 - 0.4) * slope
    np.testing.assert_allclose(subject.learn(w, x, choice, 1.0), expected, rtol=1e-5)
    # the reward that changes nothing
    np.testing.assert_array_equal(subject.learn(w, x, choice, jnp.float32(0.4)), w)


def test_policy_gradient_forgets_towards_the_start_and_lapses():
    subject = LogisticLearner.create(1, weights=1.0, forgetting=0.25, lapse=0.1)
    assert float(subject.overnight(jnp.array([5.0]))[0]) == pytest.approx(4.0)
    assert float(subject.p_right(jnp.array([100.0]), jnp.ones(1))) == pytest.approx(0.9)
    assert float(subject.p_right(jnp.array([-100.0]), jnp.ones(1))) == pytest.approx(0.1)


def test_expected_policy_gradient_climbs_the_reward():
    """The mean update over choices is the derivative of the expected reward, which makes it REINFORCE."""
    subject = LogisticLearner.create(2, weights=[0.2, 0.4], rate=1.0)
    x, w = jnp.array([1.0, -1.5]), subject.start()
    p = subject.p_right(w, x)
    rewards = (0.3, 1.0)  # of left and right
    mean = sum(q * (subject.learn(w, x, choice, rewards[choice]) - w) for choice, q in ((0, 1 - p), (1, p)))
    expected = jax.grad(lambda w: subject.p_right(w, x) * 1.0 + (1 - subject.p_right(w, x)) * 0.3)(w)
    np.testing.assert_allclose(mean, expected, rtol=1e-5)


def test_detection_by_hand():
    subject = DetectionLearner.create(sigma=0.5, rate=0.5, temperature=0.2, lapse=0.05)
    values, x, percept = Values(jnp.float32(0.6), jnp.float32(0.8)), jnp.array([0.3]), jnp.float32(0.25)
    belief = norm.cdf(0.5)
    q_right, q_left = belief * 0.8, (1 - belief) * 0.6
    p = 0.05 + 0.9 / (1 + np.exp(-(q_right - q_left) / 0.2))
    assert float(subject.p_right(values, x, percept)) == pytest.approx(p, rel=1e-5)
    right = subject.learn(values, x, 1, 1.0, percept)
    assert float(right.right) == pytest.approx(0.8 + 0.5 * (1 - q_right), rel=1e-5)
    assert float(right.left) == pytest.approx(0.6)
    left = subject.learn(values, x, 0, 0.0, percept)
    assert float(left.left) == pytest.approx(0.6 - 0.5 * q_left, rel=1e-5)
    assert float(left.right) == pytest.approx(0.8)


def test_detection_without_its_percept_is_the_average_over_percepts():
    subject = DetectionLearner.create(sigma=0.4, rate=0.3, temperature=0.15, lapse=0.02)
    values, x = Values(jnp.float32(0.5), jnp.float32(0.9)), jnp.array([-0.2])
    draws = jax.random.normal(jax.random.key(0), (200_000,))
    percepts = jax.vmap(lambda z: subject.perceive(x, z))(draws)
    p = jax.vmap(lambda percept: subject.p_right(values, x, percept))(percepts)
    assert float(subject.p_right(values, x)) == pytest.approx(float(p.mean()), abs=0.004)
    for choice, reward, side in ((1, 0.0, "right"), (0, 1.0, "left")):
        share = p if choice else 1 - p
        moved = jax.vmap(lambda percept, c=choice, r=reward: subject.learn(values, x, c, r, percept))(percepts)
        expected = float(jnp.sum(share * getattr(moved, side)) / share.sum())
        assert float(getattr(subject.learn(values, x, choice, reward), side)) == pytest.approx(expected, abs=0.002)


def test_detection_is_signal_detection_at_a_low_temperature():
    """With equal values the larger expectation is on the side of the percept: P(right) = Phi(s / sigma)."""
    subject = DetectionLearner.create(sigma=0.3, temperature=0.01)
    for strength in (-0.5, -0.1, 0.0, 0.2):
        p = subject.p_right(subject.start(), jnp.array([strength]))
        assert float(p) == pytest.approx(norm.cdf(strength / 0.3), abs=0.005)


def test_rewards_after_hard_choices_shift_more():
    """Lak et al. 2020: the harder the rewarded choice, the more it draws the next ones to its side."""
    subject = DetectionLearner.create(sigma=0.2, rate=0.5)
    hard = jnp.array([0.0])
    shifts = [
        float(subject.p_right(subject.learn(subject.start(), jnp.array([s]), 1, 1.0), hard)) - 0.5
        for s in (0.0, 0.1, 0.2, 0.5)
    ]
    assert all(a > b for a, b in itertools.pairwise(shifts)) and shifts[0] > 0.02 > shifts[-1]


def test_subjects_vmap_and_do_not_recompile():
    compiled = jax.jit(lambda s, x: s.p_right(s.learn(s.start(), x, 1, jnp.float32(1)), x))
    for sigma in (0.1, 0.3):
        compiled(DetectionLearner.create(sigma=sigma), jnp.array([0.1]))
    assert compiled._cache_size() == 1
    many = jax.tree.map(lambda a, b: jnp.stack([a, b]), *(DetectionLearner.create(sigma=s) for s in (0.1, 0.3)))
    found = jax.vmap(compiled, in_axes=(0, None))(many, jnp.array([0.1]))
    one = compiled(DetectionLearner.create(sigma=0.3), jnp.array([0.1]))
    assert found.shape == (2,) and float(found[1]) == pytest.approx(float(one), abs=1e-6)
