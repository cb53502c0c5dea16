"""Ideal observers that several tasks share."""

from __future__ import annotations

import math

import numpy as np

from neurojax.tasks.rules import ring


def direction_accuracy(n: int, coherence: float, stimulus: float, sigma: float) -> float:
    """Accuracy of the ideal observer of one of `n` directions at a coherence (percent), after `stimulus` ms.

    With two directions it is Phi((c/100) sqrt(T/2) / sigma). With more, evidence is a vector in the plane with unit
    noise and length d = (c/200) sqrt(n T / 2) / sigma, and correct within pi/n of its direction.
    """
    from scipy.special import ndtr

    if coherence == 0 or stimulus == 0:
        return 1 / n
    if sigma == 0:
        return 1.0
    if n == 2:
        return float(ndtr(coherence / 100 * math.sqrt(stimulus / 2) / sigma))
    d = coherence / 200 * math.sqrt(n * stimulus / 2) / sigma
    angles = np.linspace(-math.pi / n, math.pi / n, 2001)
    x = d * np.cos(angles)
    # exp(-d^2/2) exp(x^2/2) in one exponent: each alone overflows at high d
    density = (np.exp(-(d**2) / 2) + math.sqrt(2 * math.pi) * x * np.exp((x**2 - d**2) / 2) * ndtr(x)) / (2 * math.pi)
    return float(np.trapezoid(density, angles))


def best_guess(n: int, coherences, stimulus: float, sigma: float, sure: float = 0.0) -> float:
    """Mean performance of the ideal observer of one of `n` directions, at `coherences` each as likely.

    It chooses the likeliest direction, or what performs at `sure` without a doubt, where its posterior is less:
    the mean of max(sure, posterior). In closed form without `sure`, integrated over the evidence for two directions,
    and simulated with a fixed seed for more.
    """
    from scipy.special import logsumexp

    coherences = np.ravel(coherences).astype(np.float64)
    if sure <= 1 / n:  # the likeliest of n directions is never below 1/n
        return float(np.mean([direction_accuracy(n, c, stimulus, sigma) for c in coherences]))
    if stimulus == 0:
        return float(sure)
    if sigma == 0:
        return float(np.mean(np.where(coherences > 0, 1.0, sure)))
    if n == 2:
        d = coherences / 100 * math.sqrt(stimulus / 2) / sigma
        x = np.linspace(-8 - d.max(), 8 + d.max(), 4001)
        density = lambda means: np.exp(-((x[:, None] - means) ** 2) / 2).mean(axis=1) / math.sqrt(2 * math.pi)
        up, down = density(d) / 2, density(-d) / 2
        return float(np.trapezoid(np.maximum(sure * (up + down), np.maximum(up, down)), x))
    trials, rng = 20000, np.random.default_rng(0)
    theta = ring(n).astype(np.float64)
    tuning = np.cos(theta - theta[:, None]) * math.sqrt(stimulus) / sigma  # [direction, channel], in units of the noise
    shown = tuning[rng.integers(n, size=trials)] * rng.choice(coherences, trials)[:, None] / 200
    overlap = (shown + rng.standard_normal(shown.shape)) @ tuning.T
    strength = np.unique(coherences, return_counts=True)
    power = (tuning**2).sum(axis=1)
    terms = [
        np.log(count) + overlap * (c / 200) - power * (c / 200) ** 2 / 2 for c, count in zip(*strength, strict=True)
    ]
    likelihood = logsumexp(terms, axis=0)
    posterior = np.exp(likelihood - logsumexp(likelihood, axis=1, keepdims=True))
    return float(np.mean(np.maximum(sure, posterior.max(axis=1))))
