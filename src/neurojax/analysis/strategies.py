"""Which strategy made the choices of a two-step task: agents compared by likelihood.

Regressions cannot tell a model-based agent from one that infers a latent state (see `neurojax.analysis.two_step`);
likelihoods can, with enough trials (Akam, Costa & Dayan 2015, doi:10.1371/journal.pcbi.1004648). The agents are theirs,
for tasks without a second choice. Each has two parameters, so that their likelihoods are compared as they are:

- `model_free` (Q(1)): each choice has a value, which moves to the reward at a learning rate.
- `model_based`: each state has such a value, and a choice is worth the states that it leads to.
- `reward_as_cue`: as the model-free agent, with values of its own after each state and outcome of the last trial.
- `latent_state`: a Bayesian who infers which state pays, and takes the choice for it but for a share of lapses.

The first three choose by a softmax. How often the better and the worse state pay, which the last one knows, is taken
from the trials. A habit that is learnt already, such as a network with frozen weights may have, is no `reward_as_cue`
here, which begins each session without one: it is a `latent_state` with a hazard so high (above 1 less what the better
state pays) that only the last trial counts.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from neurojax.analysis.two_step import TwoStepTrials
from neurojax.errors import InvalidArgument

_FEW = 1e-3  # the range of learning rates and hazards ends so far from 0 and 1


@dataclasses.dataclass(frozen=True)
class Strategy:
    """An agent fitted to choices by maximum likelihood.

    Attributes:
        log_likelihood: of all choices, natural logarithm.
        trials: how many choices.
        parameters: `learning_rate` and `inverse_temperature`, or `hazard` and `lapse`.
    """

    log_likelihood: float
    trials: int
    parameters: dict[str, float]

    @property
    def per_trial(self) -> float:
        """The geometric mean of the probability that the agent gave to the choices: chance is .5."""
        return math.exp(self.log_likelihood / self.trials)


def compare_strategies(trials: TwoStepTrials) -> dict[str, Strategy]:
    """Fit the agents of this module to choices; the likeliest comes first.

    Each session is begun anew.

    Raises:
        InvalidArgument: if no trial is valid, or none tells which state is the better one.

    Example:
        >>> import numpy as np
        >>> from neurojax.analysis.strategies import compare_strategies
        >>> from neurojax.analysis.two_step import two_step_trials
        >>> rng = np.random.default_rng(0)  # state 0 pays .8, state 1 .2; choices at random
        >>> choice, common = rng.integers(2, size=(20, 100)), rng.random((20, 100)) < 0.8
        >>> rewarded = rng.random((20, 100)) < np.where((choice == 0) == common, 0.8, 0.2)
        >>> found = compare_strategies(two_step_trials(choice, common, rewarded, choice == 0))
        >>> max(abs(s.per_trial - 0.5) for s in found.values()) < 0.01
        True
    """
    t = trials.joined()
    if not t.valid.any():
        raise InvalidArgument("no trial is valid")
    graded = t.valid & (t.correct != 0)
    if not graded.any():
        raise InvalidArgument("correct must tell in some trials which state is the better one")
    better = np.where(t.correct > 0, t.choice, 1 - t.choice)
    at_better = t.state == better
    mean = lambda where: float(np.mean(t.rewarded[where])) if np.any(where) else 0.5
    pays = [mean(graded & at_better), mean(graded & ~at_better)]
    agents: dict[str, Callable[[float], tuple[float, dict[str, float]]]] = {
        "model_free": lambda rate: _softmax(t, _values(t, t.choice, rate), rate),
        "model_based": lambda rate: _softmax(t, _values(t, t.state, rate), rate),
        "reward_as_cue": lambda rate: _softmax(t, _cued(t, rate), rate),
        "latent_state": lambda share: _lapsing(t, share / 2, pays),
    }
    found = {name: _best(agent, int(t.valid.sum())) for name, agent in agents.items()}
    return dict(sorted(found.items(), key=lambda item: -item[1].log_likelihood))


def _best(agent: Callable[[float], tuple[float, dict[str, float]]], trials: int) -> Strategy:
    """The agent at the best value of its first parameter, found from a grid; the second is fitted within."""
    from scipy.optimize import minimize_scalar

    to_share = lambda u: 1 / (1 + math.exp(-u))
    edge = math.log(1 / _FEW - 1)
    grid = np.linspace(-edge, edge, 15)
    costs = [-agent(to_share(u))[0] for u in grid]
    i = int(np.argmin(costs))
    bounds = (grid[max(i - 1, 0)], grid[min(i + 1, len(grid) - 1)])
    near = minimize_scalar(lambda u: -agent(to_share(u))[0], bounds=bounds, method="bounded", options={"xatol": 1e-2})
    u = float(near.x) if near.fun < costs[i] else float(grid[i])  # pyright: ignore[reportAttributeAccessIssue]
    log_likelihood, parameters = agent(to_share(u))
    return Strategy(log_likelihood, trials, parameters)


def _values(t: TwoStepTrials, of: np.ndarray, rate: float) -> np.ndarray:
    """Value of 1 less that of 0 before each trial `[S, K]`, if the one of `of` `[S, K]` moves to the reward."""
    value = np.full((len(of), 2), 0.5)
    out, each = np.zeros(of.shape), np.arange(len(of))
    for k in range(of.shape[1]):  # what is not valid comes last, and is not counted
        out[:, k] = value[:, 1] - value[:, 0]
        value[each, of[:, k]] += rate * (t.rewarded[:, k] - value[each, of[:, k]])
    return out


def _cued(t: TwoStepTrials, rate: float) -> np.ndarray:
    """Value of choice 1 less that of choice 0 before each trial `[S, K]`, learnt apart for each cue."""
    sessions, n = t.choice.shape
    value = np.full((sessions, 5, 2), 0.5)
    cue, each, out = np.full(sessions, 4), np.arange(sessions), np.zeros(t.choice.shape)
    for k in range(n):
        out[:, k] = value[each, cue, 1] - value[each, cue, 0]
        chosen = (each, cue, t.choice[:, k])
        value[chosen] += rate * (t.rewarded[:, k] - value[chosen])
        cue = 2 * t.state[:, k] + t.rewarded[:, k]
    return out


def _softmax(t: TwoStepTrials, difference: np.ndarray, rate: float) -> tuple[float, dict[str, float]]:
    """The log-likelihood at the best inverse temperature (at least 0), which is the root of a falling slope."""
    from scipy.optimize import brentq
    from scipy.special import expit

    x = np.where(t.choice == 1, difference, -difference)[t.valid]
    slope = lambda beta: float(np.sum(x * expit(-beta * x)))
    high = 1.0
    while slope(high) > 0 and high < 1e3:
        high *= 2
    beta = 0.0 if slope(0.0) <= 0 else high if slope(high) > 0 else float(brentq(slope, 0.0, high, rtol=1e-4))  # type: ignore[arg-type]
    value = float(-np.sum(np.logaddexp(0, -beta * x)))
    return value, {"learning_rate": rate, "inverse_temperature": beta}


def _lapsing(t: TwoStepTrials, hazard: float, pays: list[float]) -> tuple[float, dict[str, float]]:
    """The log-likelihood at the best share of lapses, of one who believes that the states trade places by `hazard`."""
    belief = np.full(len(t.choice), 0.5)  # that state 1 is the better one
    out = np.zeros(t.choice.shape)
    good, bad = (min(max(p, 1e-3), 1 - 1e-3) for p in pays)
    for k in range(t.choice.shape[1]):
        out[:, k] = belief
        pay_one = np.where(t.state[:, k] == 1, good, bad)
        pay_zero = np.where(t.state[:, k] == 1, bad, good)
        one = belief * np.where(t.rewarded[:, k], pay_one, 1 - pay_one)
        zero = (1 - belief) * np.where(t.rewarded[:, k], pay_zero, 1 - pay_zero)
        belief = one / (one + zero)
        belief = belief * (1 - hazard) + (1 - belief) * hazard
    sure = t.valid & (np.abs(out - 0.5) > 1e-9)
    follows = np.sum(sure & ((out > 0.5) == (t.choice == 1)))
    n = int(sure.sum())
    lapse = min(max(1 - follows / max(n, 1), 1e-6), 0.5)
    value = follows * math.log(1 - lapse) + (n - follows) * math.log(lapse)
    return float(value + (t.valid.sum() - n) * math.log(0.5)), {"hazard": hazard, "lapse": float(lapse)}
