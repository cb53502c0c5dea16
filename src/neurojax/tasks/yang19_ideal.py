"""Reference numbers of the twenty rules of Yang et al. (2019): what can be derived, for any parameters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from neurojax.core.timing import step_probabilities
from neurojax.tasks.rules import ring

if TYPE_CHECKING:
    from neurojax.tasks.yang19_rules import Yang19

_CLEAR = 30.0  # signal to noise of a stimulus above which its location is known, among continuous ones
_SURE = 6.0  # discriminability of two locations above which they are never confused
_TRIALS = 2000  # simulated trials on a ring of 16


def references(task: Yang19) -> dict[str, float]:
    """Clairvoyant, ideal (where it is known), blind and random performance of a rule."""
    share, goes = _share(task), 0.5 if task.matches else 1.0
    out = {"clairvoyant": 1.0, "blind": max(1 - goes, goes * share), "random": _random(task, share, goes)}
    ideal = ideal_accuracy(task)
    return out if ideal is None else {**out, "ideal": ideal}


def _share(task: Yang19) -> float:
    """How many answers are within the criterion of a location to go to, as a share."""
    within = math.radians(float(task.criterion))
    if task.locations == "ring" and task.output == "choice":
        theta = ring(task.dim_ring).astype(np.float64)
        return float(np.mean(np.minimum(theta, 2 * math.pi - theta) <= within + 1e-6))
    return within / math.pi


def _random(task: Yang19, share: float, goes: float) -> float:
    """Accuracy of uniformly random actions: who survives to the decision, and what they do there."""
    steps = {name: step_probabilities(law, task.dt) for name, law in task.timing.items()}
    hold = 0.5 if task.output == "population" else 1 / task.actions.size
    held = [name for name in steps if name != "decision"] if task.strict_fixation else []
    if not task.strict_fixation and task.abort:
        held = ["fixation"]
    survives = math.prod(sum(p * hold**n for n, p in steps[name].items()) for name in held)
    holds = hold if task.output == "population" else sum(p * hold**n for n, p in steps["decision"].items())
    return float(survives * (goes * (1 - holds) * share + (1 - goes) * holds))


# ---------------------------------------------------------------------- the ideal observer


def ideal_accuracy(task: Yang19) -> float | None:
    """Accuracy of the ideal observer, or None where it is not known.

    Among the locations of a ring the posterior over all that may be shown is computed, in simulated trials with a fixed
    seed, and the probability of the best answer averaged. Among continuous locations it is known where these are clear
    as day: then what is left is to tell which strength is greater, Phi(d) of the estimates from the bumps' amplitudes.
    """
    sigma, level = float(task.sigma), float(task.mean)
    zero = bool(np.any(np.asarray(task.coherences) == 0)) and not task.pairs
    if sigma == 0 and not (task.compares and zero):
        return 1.0 if level > 0 or task.compares else None
    sigma = max(sigma, 1e-3)
    directions = ring(task.dim_ring).astype(np.float64)
    bumps = _bumps(directions[:, None] - directions[None])
    energy = float(np.sum(bumps[0] ** 2))
    first, second = _watched(task)
    clear = [math.sqrt(energy * max(min(law), 0)) / sigma for law in (first, second)]
    if task.locations == "ring":
        if float(task.jitter) or np.any(np.asarray(task.split)):
            return None
        overlap = float(bumps[0] @ bumps[1]) / energy
        sure = level * math.sqrt((1 - overlap) / 2) > _SURE / max(min(clear if task.matches else clear[:1]), 1e-9)
        if task.matches:
            return 1.0 if sure else _match(task, bumps, first, second, sigma)
        if not task.compares:
            return 1.0 if sure else _reach(task, bumps, first, sigma)
        return _compare(task, bumps, first, second, sigma)
    weakest = level - float(task.jitter)
    if task.compares:
        half, mean, likely, stated = _table(task)
        floor = np.where(stated, mean, weakest) - np.abs(half)
        weakest = float(np.min(floor[likely > 0])) * (1 - float(np.asarray(task.split)[1]) / 2)
    if weakest * min(clear if task.sequential else clear[:1]) < _CLEAR:
        return None
    return _compare_clear(task, energy, first, second, sigma) if task.compares else 1.0


def _watched(task: Yang19) -> tuple[dict[float, float], dict[float, float]]:
    """How long each stimulus can be watched, in ms: the probability of each time."""
    steps = {name: step_probabilities(law, task.dt) for name, law in task.timing.items()}

    def watched(name: str, stays: bool) -> dict[float, float]:
        out: dict[float, float] = {}
        for n, p in steps[name].items():
            for more, q in (steps["decision"] if stays else {0: 1.0}).items():
                out[(n + more) * task.dt] = out.get((n + more) * task.dt, 0.0) + p * q
        return out

    sequential, stays = bool(task.sequential), bool(task.stays)
    first = watched("stimulus", stays and not sequential)
    return first, watched("stimulus2", stays) if sequential else first


def _bumps(distance: np.ndarray) -> np.ndarray:
    distance = np.abs(distance) % (2 * math.pi)
    return 0.8 * np.exp(-((np.minimum(distance, 2 * math.pi - distance) / (math.pi / 8)) ** 2) / 2)


def _table(task: Yang19) -> tuple[np.ndarray, ...]:
    half, mean, likely, stated = (np.asarray(x) for x in task.strength_table())
    return half.astype(np.float64), mean.astype(np.float64), likely.astype(np.float64), stated


def _entries(task: Yang19) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The strengths of the two stimuli that may be drawn `[E]`, and the probability of each two draws `[E, E]`."""
    half, mean, likely, stated = _table(task)
    kept = likely > 0
    half, mean, likely = half[kept], np.where(stated, mean, float(task.mean))[kept], likely[kept]
    joint = np.diag(likely) if task.shared else likely[:, None] * likely[None]
    if not task.shared:
        cancels = np.asarray(task.cancels(half[:, None].astype(np.float32), half[None].astype(np.float32)))
        allowed = np.where(cancels & ~cancels.all(axis=1, keepdims=True), 0.0, joint)
        joint = likely[:, None] * allowed / allowed.sum(axis=1, keepdims=True)
    return mean + half, mean - half, joint / joint.sum()


def _favoured(task: Yang19, s1: np.ndarray, s2: np.ndarray) -> np.ndarray:
    """The evidence of two draws for the first stimulus `[E, E]`."""
    one, two = (float(w) for w in task.counts())
    half = (s1 - s2) / 2
    evidence = one * half[:, None] + two * half[None]
    return np.where(np.abs(evidence) < 1e-6, 0.0, evidence)


def _compare_clear(task: Yang19, energy: float, first, second, sigma: float) -> float:
    """Phi(d) averaged over strengths, durations and angles, where locations are known."""
    from scipy.special import ndtr

    s1, s2, joint = _entries(task)
    weights = [float(w) for w in task.counts()]
    evidence = 2 * np.abs(_favoured(task, s1, s2))
    scale = math.sqrt(sum(w**2 for w in weights))
    apart = math.radians(float(task.apart))
    overlaps = np.exp(-((np.linspace(apart, math.pi, 19) / (math.pi / 8)) ** 2) / 4)
    total = 0.0
    for one, p in first.items():
        for two, q in second.items() if task.sequential else [(one, 1.0)]:
            for overlap in [0.0] if task.sequential else overlaps:
                spread = sigma * math.sqrt((1 / one + 1 / two) / energy / (1 - overlap)) * scale
                share = p * q / (1 if task.sequential else len(overlaps))
                total += share * float(np.sum(joint * ndtr(evidence / spread)))
    return float(total)


class _Watcher:
    """Simulated observations of stimuli on a ring: their projections on the bumps, and likelihoods."""

    def __init__(self, bumps: np.ndarray, sigma: float, trials: int):
        self.bumps, self.sigma, self.trials = bumps, sigma, trials
        self.gram = bumps @ bumps.T
        self.rng = np.random.default_rng(0)

    def drawn(self, weights: np.ndarray) -> np.ndarray:
        """An index for each trial `[N]`, as often as its weight says (in a random order: less noise than drawing)."""
        edges = np.cumsum(weights) / np.sum(weights)
        return self.rng.permutation(np.searchsorted(edges[:-1], (np.arange(self.trials) + 0.5) / self.trials))

    def durations(self, law: dict[float, float]) -> np.ndarray:
        """How long each trial's stimulus is watched, in ms."""
        return np.asarray(list(law))[self.drawn(np.asarray(list(law.values())))]

    def seen(self, mean: np.ndarray, ms: np.ndarray) -> np.ndarray:
        """What is gained for each location `[N, n]`: its projection, in units of log likelihood per strength."""
        noise = self.rng.standard_normal(mean.shape) * np.sqrt(ms)[:, None] * self.sigma
        return (mean * ms[:, None] + noise) @ self.bumps.T / self.sigma**2

    def cost(self, ms: np.ndarray) -> np.ndarray:
        """The gram matrix of the bumps, in the same units `[N, n, n]`."""
        return ms[:, None, None] * self.gram / self.sigma**2


def _single(task: Yang19, watcher: _Watcher, which: np.ndarray, ring_: np.ndarray, law, rings: int) -> np.ndarray:
    """Log likelihoods `[N, rings, n]` of a single stimulus at `which` unit, on ring `ring_`."""
    level, ms = float(task.mean), watcher.durations(law)
    shown = level * watcher.bumps[which]
    out = []
    for m in range(rings):
        seen = watcher.seen(np.where((ring_ == m)[:, None], shown, 0.0), ms)
        out.append(level * seen - level**2 * np.diagonal(watcher.cost(ms), axis1=1, axis2=2) / 2)
    return np.stack(out, axis=1)


def _rings(task: Yang19) -> int:
    """Among how many rings the observer must find a stimulus: noise tells which one is used, unless it is on both."""
    return 2 if task.noise_on == "everywhere" and task.shows_mod1 and task.shows_mod2 else 1


def _reach(task: Yang19, bumps: np.ndarray, law, sigma: float) -> float:
    watcher, rings = _Watcher(bumps, sigma, _TRIALS), _rings(task)
    which, ring_ = watcher.rng.integers(len(bumps), size=_TRIALS), watcher.rng.integers(rings, size=_TRIALS)
    posterior = _softmax(_single(task, watcher, which, ring_, law, rings)).sum(axis=1)
    return float(np.mean(np.max(posterior @ _within(task), axis=1)))


def _match(task: Yang19, bumps: np.ndarray, first, second, sigma: float) -> float:
    watcher, rings, n = _Watcher(bumps, sigma, _TRIALS), _rings(task), len(bumps)
    joint, matches = _placed(task, n)
    drawn = watcher.drawn(joint.ravel())
    ring_ = watcher.rng.integers(rings, size=_TRIALS)
    ring2 = ring_ if task.same_modality else watcher.rng.integers(rings, size=_TRIALS)
    one = _softmax(_single(task, watcher, drawn // n, ring_, first, rings))
    two = _softmax(_single(task, watcher, drawn % n, ring2, second, rings))
    same = "nmi,nmj->nij" if task.same_modality else "nmi,nkj->nij"
    posterior = np.einsum(same, one, two) * joint
    posterior /= posterior.sum(axis=(1, 2), keepdims=True)
    goes = matches == bool(task.match_go)
    go = np.einsum("nij,ij->nj", posterior, goes.astype(float))
    hold = np.einsum("nij,ij->n", posterior, (~goes).astype(float))
    return float(np.mean(np.maximum(np.max(go @ _within(task), axis=1), hold)))


def _placed(task: Yang19, n: int) -> tuple[np.ndarray, np.ndarray]:
    """The probability of each two units `[n, n]` of a matching rule, and whether they match."""
    index = np.arange(n)
    offset = (index[None] - index[:, None]) % n
    if task.category:
        return np.full((n, n), 1 / n**2), (index[:, None] >= n // 2) == (index[None] >= n // 2)
    least = max(math.ceil(float(task.apart) / (360 / n) - 1e-3), 1)
    other = (offset >= least) & (offset <= n - least)
    return np.where(offset == 0, 0.5 / n, np.where(other, 0.5 / other.sum(), 0.0)), offset == 0


def _compare(task: Yang19, bumps: np.ndarray, first, second, sigma: float) -> float:
    n = len(bumps)
    least = max(math.ceil(float(task.apart) / (360 / n) - 1e-3), 1)
    index = np.arange(n)
    offset = (index[None] - index[:, None]) % n
    k1, k2 = np.nonzero((offset >= least) & (offset <= n - least))
    trials = int(np.clip(_TRIALS * 240 // len(k1), 400, 20000))  # as much work on any ring
    s1, s2, joint = _entries(task)
    evidence = _favoured(task, s1, s2)
    plus = joint * np.where(evidence > 0, 1.0, np.where(evidence == 0, 0.5, 0.0))
    minus = joint - plus
    watcher = _Watcher(bumps, sigma, trials)
    drawn = watcher.drawn(np.ones(len(k1)))
    entry = watcher.drawn(joint.ravel())
    ms1 = watcher.durations(first)
    ms2 = watcher.durations(second) if task.sequential else ms1
    likelihoods = []
    for shows, e in ((task.shows_mod1, entry // len(s1)), (task.shows_mod2, entry % len(s1))):
        if not shows:
            likelihoods.append(np.zeros((1, 1, len(s1))))
            continue
        one, two = s1[e, None] * bumps[k1[drawn]], s2[e, None] * bumps[k2[drawn]]
        if task.sequential:
            seen1, seen2 = watcher.seen(one, ms1), watcher.seen(two, ms2)
        else:
            seen1 = seen2 = watcher.seen(one + two, ms1)
        energy1 = (np.diagonal(watcher.cost(ms1), axis1=1, axis2=2)[:, k1] / 2)[..., None]
        energy2 = (np.diagonal(watcher.cost(ms2), axis1=1, axis2=2)[:, k2] / 2)[..., None]
        log = seen1[:, k1, None] * s1 - energy1 * s1**2 + seen2[:, k2, None] * s2 - energy2 * s2**2
        if not task.sequential:
            log = log - watcher.cost(ms1)[:, k1, k2][..., None] * (s1 * s2)
        likelihoods.append(log)
    one, two = (np.exp(log - log.max(axis=(1, 2), keepdims=True)) for log in likelihoods)
    favour1, favour2 = (np.sum((one @ weights) * two, axis=-1) for weights in (plus, minus))
    posterior = favour1 @ np.eye(n)[k1] + favour2 @ np.eye(n)[k2]
    posterior /= posterior.sum(axis=1, keepdims=True)
    return float(np.mean(np.max(posterior @ _within(task), axis=1)))


def _within(task: Yang19) -> np.ndarray:
    """Which units are within the criterion of which `[n, n]`."""
    directions = ring(task.dim_ring).astype(np.float64)
    distance = np.abs(directions[:, None] - directions[None])
    return (np.minimum(distance, 2 * math.pi - distance) <= math.radians(float(task.criterion)) + 1e-6).astype(float)


def _softmax(log: np.ndarray) -> np.ndarray:
    out = np.exp(log - log.max(axis=(1, 2), keepdims=True))
    return out / out.sum(axis=(1, 2), keepdims=True)
