"""Bandits with new arms in every block: is what was seen of the arms put to use, and are they explored?

Rewards of a block say little by themselves, because the arms differ by luck from block to block. Two numbers are given:
their mean, and what it would have been with the average luck, the reward of one who knows the arms less the regret. The
second is as fair and far less noisy. Both stand beside those of players who know the rules (arms that pay with
probabilities drawn uniformly from [0, 1], for a known number of pulls):

- `random` pulls any arm.
- `greedy` pulls the arm of the highest posterior mean, and does not explore.
- `thompson` draws each arm's probability from its posterior, and pulls the arm of the highest.
- `gittins` pulls the arm of the highest index for the pulls that are left: what a sure payment a pull must be for
  it to be as good to take it from some time on. It is nearly the best that can be done: with a horizon no index is
  strictly best.
- `clairvoyant` knows the arms.
"""

from __future__ import annotations

import dataclasses
import math
from functools import lru_cache
from typing import Any

import numpy as np

from neurojax.analysis.regression import Effect
from neurojax.analysis.trials import column, trial_table
from neurojax.core.task import Task
from neurojax.errors import InvalidArgument, unknown

PLAYERS = ("random", "greedy", "thompson", "gittins", "clairvoyant")
_LEVELS = 129  # of the sure payment, between which indices are interpolated
_MOST_PULLS = 300  # the table of indices grows with the third power


@dataclasses.dataclass(frozen=True, eq=False)
class Pulls:
    """E blocks of N pulls of A arms that are new in each block.

    Attributes:
        arm: int `[E, N]`, which arm was pulled, from 0.
        paid: bool `[E, N]`.
        p: float64 `[E, A]`, with what probability each arm pays.
    """

    arm: np.ndarray
    paid: np.ndarray
    p: np.ndarray


def read_pulls(task: Task, data: Any) -> Pulls:
    """The whole blocks of `BernoulliBandit`; a block that a session's end cuts is left out.

    Args:
        task: `BernoulliBandit`.
        data: from `nj.session` with a policy or `nj.rollout`, or their table.

    Raises:
        InvalidArgument: for another task, if nobody played, or if no block is whole.

    Example:
        >>> import jax, neurojax as nj
        >>> from neurojax.analysis.bandits import performance, read_pulls
        >>> task = nj.make("BernoulliBandit-v0", arms=2, pulls=10)
        >>> pulls = read_pulls(task, nj.session(task, jax.random.key(0), 35, n_sessions=4, policy="oracle"))
        >>> pulls.arm.shape, performance(pulls).regret[-1]
        ((12, 10), np.float64(0.0))
    """
    from neurojax.tasks.bandits import BernoulliBandit

    if not isinstance(task, BernoulliBandit):
        raise InvalidArgument(f"task must be a BernoulliBandit, got {task.name}")
    table = trial_table(task, data)
    n, get = int(task.pulls), lambda name: column(table, name)
    order = np.lexsort((get("trial"), get("session")))
    session, pull = get("session")[order], get("pull").astype(int)[order]
    starts = np.flatnonzero(pull == 0)
    starts = starts[starts + n <= len(pull)]
    rows = starts[:, None] + np.arange(n)  # [blocks, N]
    whole = np.all((pull[rows] == np.arange(n)) & (session[rows] == session[starts][:, None]), axis=1)
    rows = rows[whole]
    if len(rows) == 0:
        raise InvalidArgument(f"no block of pulls={n} is whole: play longer sessions")
    fail, pay = float(task.rewards["fail"]), float(task.rewards["correct"])
    paid = (get("reward")[order] - fail) / (pay - fail) > 0.5
    p = np.stack([get(f"p_{i}")[order][rows[:, 0]] for i in range(task.arms)], axis=1).astype(np.float64)
    return Pulls(get("choice").astype(int)[order][rows], paid[rows], p)


@dataclasses.dataclass(frozen=True, eq=False)
class Performance:
    """How a player fared in E blocks of N pulls.

    Attributes:
        blocks: E.
        reward: the mean number of pulls of a block that paid.
        expected: the same with the average luck of the draw: the clairvoyant's reward less the regret.
        regret: float64 `[N]`, what was lost so far to one who knows the arms, by pull, mean over blocks.
        regret_error: float64 `[N]`, its standard error.
        best: float64 `[N]`, the share of blocks in which the pull was of the best arm.
    """

    blocks: int
    reward: Effect
    expected: Effect
    regret: np.ndarray
    regret_error: np.ndarray
    best: np.ndarray


def performance(pulls: Pulls) -> Performance:
    """Rewards, regret and the share of best arms of some blocks.

    Raises:
        InvalidArgument: if there are fewer than two blocks, or shapes do not fit.

    Example:
        >>> import numpy as np
        >>> from neurojax.analysis.bandits import Pulls, performance
        >>> arm, p = np.array([[0, 1], [1, 1]]), np.array([[0.2, 0.6], [0.1, 0.9]])
        >>> found = performance(Pulls(arm, np.ones((2, 2), bool), p))
        >>> found.reward.value, found.regret.round(2).tolist(), found.best.tolist()  # .4 is lost in one block of two
        (2.0, [0.2, 0.2], [0.5, 1.0])
    """
    blocks, n = pulls.arm.shape
    if blocks < 2 or pulls.paid.shape != (blocks, n) or len(pulls.p) != blocks:
        raise InvalidArgument(
            "pulls must be two blocks or more, with arm and paid [blocks, pulls] and p [blocks, arms], got shapes "
            f"{pulls.arm.shape}, {pulls.paid.shape} and {pulls.p.shape}"
        )
    top = pulls.p.max(axis=1, keepdims=True)
    lost = top - np.take_along_axis(pulls.p, pulls.arm, axis=1)
    regret = np.cumsum(lost, axis=1)
    error = lambda x: x.std(axis=0, ddof=1) / math.sqrt(blocks)
    rewards = pulls.paid.sum(axis=1)
    arms = pulls.p.shape[1]
    return Performance(
        blocks=blocks,
        reward=Effect(float(rewards.mean()), float(error(rewards))),
        # the greatest of A uniform numbers is A / (A + 1) on average
        expected=Effect(n * arms / (arms + 1) - float(regret[:, -1].mean()), float(error(regret[:, -1]))),
        regret=regret.mean(axis=0),
        regret_error=error(regret),
        best=np.mean(lost == 0, axis=0),
    )


def reference_performance(player: str, arms: int, pulls: int, *, blocks: int = 10_000, seed: int = 0) -> Performance:
    """How a player of this module fares, simulated with a fixed seed; all players meet the same arms.

    Args:
        player: one of `PLAYERS`.
        arms: A.
        pulls: N; at most 300 for `gittins`.
        blocks: E.
        seed: of NumPy's generator.

    Raises:
        UnknownName: for another player.
        InvalidArgument: if a number is not allowed.

    Example:
        >>> from neurojax.analysis.bandits import reference_performance
        >>> found = {name: reference_performance(name, 2, 10) for name in ("random", "gittins", "clairvoyant")}
        >>> [round(f.expected.value, 1) for f in found.values()]
        [5.0, 6.0, 6.7]
    """
    return performance(play_reference(player, arms, pulls, blocks=blocks, seed=seed))


def play_reference(player: str, arms: int, pulls: int, *, blocks: int = 10_000, seed: int = 0) -> Pulls:
    """The pulls of a player of this module; arguments and errors as `reference_performance`."""
    if player not in PLAYERS:
        raise unknown("player", player, PLAYERS)
    for name, value, least in (("arms", arms, 2), ("pulls", pulls, 1), ("blocks", blocks, 2)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise InvalidArgument(f"{name} must be a whole number from {least}, got {value!r}")
    rng = np.random.default_rng(seed)
    p = rng.random((blocks, arms))
    each, seen, won = np.arange(blocks), np.zeros(p.shape, int), np.zeros(p.shape, int)
    table = gittins_indices(int(pulls)) if player == "gittins" else None
    arm, paid = np.zeros((blocks, pulls), int), np.zeros((blocks, pulls), bool)
    for t in range(pulls):
        if player == "random":
            worth = np.zeros(p.shape)
        elif player == "greedy":
            worth = (won + 1) / (seen + 2)
        elif player == "thompson":
            worth = rng.beta(won + 1, seen - won + 1)
        elif player == "clairvoyant":
            worth = p
        else:
            assert table is not None
            worth = table[pulls - t, seen, won]
        arm[:, t] = np.argmax(worth + 1e-9 * rng.random(p.shape), axis=1)  # ties at random
        paid[:, t] = rng.random(blocks) < p[each, arm[:, t]]
        seen[each, arm[:, t]] += 1
        won[each, arm[:, t]] += paid[:, t]
    return Pulls(arm, paid, p)


@lru_cache(maxsize=4)
def gittins_indices(pulls: int) -> np.ndarray:
    """The index of an arm for a limited number of pulls: float32 `[pulls + 1, pulls + 1, pulls + 1]`.

    `index[h, n, s]`, of an arm that paid in `s` of `n` pulls, with `h` pulls left (h at least 1, n + h at most `pulls`;
    else 0): the sure payment for a pull at which one is indifferent between taking it for all pulls that are left, and
    pulling the arm as long as it seems worth it and taking the payment after that. By dynamic programming over the
    pulls, at 129 payments between 0 and 1, interpolated. Do not write into it: it is kept.

    Raises:
        InvalidArgument: if `pulls` is not between 1 and 300.

    Example:
        >>> from neurojax.analysis.bandits import gittins_indices
        >>> index = gittins_indices(2)  # .5 with one pull left; 5/9 with two, for the first may tell that it is good
        >>> index[1, 0, 0].round(3), index[2, 0, 0].round(3)
        (np.float32(0.5), np.float32(0.556))
    """
    if isinstance(pulls, bool) or not isinstance(pulls, (int, np.integer)) or not 1 <= pulls <= _MOST_PULLS:
        raise InvalidArgument(f"pulls must be a whole number between 1 and {_MOST_PULLS}, got {pulls!r}")
    payment = np.linspace(0, 1, _LEVELS, dtype=np.float32)
    out = np.zeros((pulls + 1,) * 3, np.float32)
    gain = np.zeros((pulls + 2, pulls + 2, _LEVELS), np.float32)  # over the payment, with h - 1 pulls left
    for h in range(1, pulls + 1):
        size = pulls - h + 1  # what can have been seen: n = 0 .. pulls - h
        seen, won = np.arange(size)[:, None], np.arange(size)
        mean = ((won + 1) / (seen + 2)).astype(np.float32)[:, :, None]
        mean = np.minimum(mean, 1)  # more successes than pulls are not met
        after = gain[1 : size + 1]
        worth = mean - payment + mean * after[:, 1 : size + 1] + (1 - mean) * after[:, :size]
        # It falls as the payment grows: the index lies where it crosses 0.
        last = np.clip(np.sum(worth > 0, axis=-1) - 1, 0, _LEVELS - 2)
        above, below = (np.take_along_axis(worth, (last + i)[..., None], axis=-1)[..., 0] for i in (0, 1))
        step = payment[1] - payment[0]
        out[h, :size, :size] = np.where(won <= seen, payment[last] + step * above / np.maximum(above - below, 1e-9), 0)
        gain[:size, :size] = np.maximum(worth, 0)
    out.setflags(write=False)
    return out
