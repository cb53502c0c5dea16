"""Operant conditioning: sequences of lever presses, and a snail that breathes.

NeuroGym's versions are environments without trials. Here a trial is what lies between two states in which everything
begins anew, so trials laid end to end are the same process.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from neurojax.core.parameters import flag, quantity, structure
from neurojax.core.spaces import Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.timing import step_probabilities, whole_steps
from neurojax.core.trial import Outcome, consequence
from neurojax.errors import InvalidArgument

_TRIALS = Deviation(
    what="trials",
    neurogym="one endless process; it has no `step`, and draws by a method that its generator lacks: it cannot run",
    here="a trial lies between two states in which everything begins anew, with a limit of time",
    reason="outcomes, performance and batches are about trials; the process is the same",
    kind="interface",
)


class _Lever(Task):
    """What the tasks with a lever share."""

    CLOSED_LOOP = True
    TAGS = ("operant conditioning",)

    @classmethod
    def create(cls, *, reward_seq_complete: Any = None, effort: Any = None, **kwargs: Any):
        # NeuroGym's names of the rewards
        named = {"correct": reward_seq_complete, "effort": effort}
        given = {name: value for name, value in named.items() if value is not None}
        if given:
            kwargs["rewards"] = {**(kwargs.get("rewards") or {}), **given}
        return super().create(**kwargs)


class LeverPress(_Lever):
    """Lever press on a cue: wait for the cue, then press a number of times without a pause.

    While the subject waits, the cue comes at each step with probability `signal_prob`. It is shown for one step, and
    from that step on the subject must press at `n_press` steps in a row; the last press is rewarded. A pause loses the
    sequence, unrewarded. A press before the cue is punished. Each of the three ends the trial.

    Channels: `signal`. Actions: 0 waits, 1 presses. Conditions: none; the cue is drawn while the subject waits.
    What is seen depends on the actions: rendering plays a policy. Outcomes: correct for a full sequence, error for a
    broken one, abort for a press before the cue.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> played = nj.play(nj.make("LeverPress-v0", signal_prob=1), jax.random.key(0), 1, policy="oracle").result
        >>> float(played.reward[0]), int(played.response_step[0])
        (10.0, 4)
    """

    TIMING = {"limit": 10000}
    REWARDS = {"abort": -1.0, "correct": 10.0}
    DEVIATIONS = (
        _TRIALS,
        Deviation(
            what="early press",
            neurogym="costs 1, and the subject still waits for the cue",
            here="costs 1 and ends the trial; the next begins with the subject waiting for the cue",
            reason="the score must follow what the subject did: else one who ignores the cue reaches 1",
            kind="interface",
        ),
    )

    signal_prob: Any = quantity(0.5, above=0, high=1, doc="probability that the cue comes after a step of waiting")
    n_press: int = structure(4, low=1, doc="presses in a row")

    def validate(self) -> None:
        _check_limit(self, self.n_press + 2)

    @property
    def channels(self) -> Channels:
        return Channels((("signal", 1),), low=0.0, high=1.0)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(wait=1, press=1)

    def init_state(self, trial):
        return {"left": np.int32(0)}  # presses that remain, 0 while the subject waits

    def observe(self, trial, state, t):
        return {"signal": state["left"] == self.n_press}

    def target(self, trial, state, t):
        return (state["left"] > 0).astype(jnp.int32)

    def respond(self, trial, state, action, t, draw):
        left, presses = state["left"], action == 1
        waits = left == 0
        cue = draw.flip("cue", self.signal_prob)
        completes = presses & (left == 1)
        early, breaks = waits & presses, ~waits & ~presses
        after = jnp.where(waits, jnp.where(cue & ~presses, self.n_press, 0), jnp.where(presses, left - 1, 0))
        outcome = jnp.where(completes, int(Outcome.CORRECT), jnp.where(early, int(Outcome.ABORT), int(Outcome.ERROR)))
        reward = jnp.where(completes, self.rewards["correct"], jnp.where(early, self.rewards["abort"], 0.0))
        return consequence(
            reward=reward,
            end=completes | early | breaks,
            outcome=outcome,
            performance=completes,
            state={"left": after.astype(jnp.int32)},
        )

    def references(self):
        p, n = float(self.signal_prob), self.n_press
        ideal = blind = random = 0.0
        for steps, share in _limits(self).items():
            waits = np.arange(1, steps - n + 1)  # after how many steps of waiting the cue comes, in time
            comes = p * (1 - p) ** (waits - 1)
            ideal += share * float(comes.sum())
            blind += share * float(comes.max())  # waits once, and then presses
            random += share * float(np.sum(comes * 0.5 ** (waits + n)))
        return {"clairvoyant": ideal, "ideal": ideal, "blind": blind, "random": random}

    @property
    def optimal_reward(self) -> float:
        """The greatest mean reward per step: 1 / p steps of waiting and `n_press` of pressing bring one reward."""
        return float(self.rewards["correct"] / (1 / self.signal_prob + self.n_press))


class LeverPressWithPoke(_Lever):
    """Lever press, then poke: press a number of times, and fetch the reward at the port.

    Nothing tells how often the lever was pressed, so the subject must keep count. A poke after `n_press` presses or
    more is rewarded and ends the trial; an earlier one does nothing, and loses a step. Performance is the least number
    of steps over the number taken, 0 where time ran out.

    Channels: `state`, always 1; with `observe_state`, the number of presses that remain. Actions: 0 pokes, 1 presses.
    Conditions: none. Rendering plays a policy. A trial is correct where it took the least number of steps.

    With nothing to see, "blind" among the reference numbers is the best who presses with a fixed probability.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("LeverPressWithPoke-v0", n_press=2, observe_state=True)
        >>> nj.render(task, jax.random.key(0), 1).inputs[0, :4, 0].tolist()
        [2.0, 1.0, 0.0, 2.0]
    """

    TIMING = {"limit": 10000}
    REWARDS = {"correct": 1.0}
    TAGS = ("operant conditioning", "working memory")
    DEVIATIONS = (_TRIALS,)

    observe_state: Any = flag(False, doc="whether the number of presses that remain is shown")
    n_press: int = structure(4, low=1, doc="presses for one reward")

    def validate(self) -> None:
        _check_limit(self, self.n_press + 1)

    @property
    def channels(self) -> Channels:
        return Channels((("state", 1),), low=0.0, high=float(self.n_press))

    @property
    def actions(self) -> Discrete:
        return Discrete.named(poke=1, press=1)

    def init_state(self, trial):
        return {"left": np.int32(self.n_press)}

    def observe(self, trial, state, t):
        return {"state": jnp.where(self.observe_state, state["left"].astype(jnp.float32), 1.0)}

    def target(self, trial, state, t):
        return (state["left"] > 0).astype(jnp.int32)

    def respond(self, trial, state, action, t, draw):
        fetches = (action == 0) & (state["left"] == 0)
        left = jnp.where(action == 1, jnp.maximum(state["left"] - 1, 0), state["left"])
        least = self.n_press + 1
        taken = jnp.asarray(t + 1).astype(jnp.float32)
        return consequence(
            reward=jnp.where(fetches, self.rewards["correct"], 0.0),
            end=fetches,
            outcome=jnp.where(t + 1 == least, int(Outcome.CORRECT), int(Outcome.ERROR)),
            performance=jnp.minimum(least / taken, 1.0),
            state={"left": jnp.where(fetches, self.n_press, left).astype(jnp.int32)},
        )

    def references(self):
        shares = np.linspace(0.02, 0.98, 97)
        return {
            "clairvoyant": 1.0,
            "ideal": 1.0,
            "blind": max(self.memoryless(p) for p in shares),
            "random": self.memoryless(0.5),
        }

    def memoryless(self, press: float) -> float:
        """Mean performance of one who presses with probability `press` at each step, and else pokes.

        The presses take a negative binomial time, and the poke after them a geometric one.
        """
        mean = 0.0
        for steps, share in _limits(self).items():
            k = np.arange(self.n_press, steps)  # steps until the last press
            ways = np.array([math.comb(int(n) - 1, self.n_press - 1) for n in k], float)
            pressed = ways * press**self.n_press * (1 - press) ** (k - self.n_press)
            for n, p in zip(k, pressed, strict=True):
                taken = np.arange(n + 1, steps + 1)
                mean += share * p * float(np.sum((1 - press) * press ** (taken - n - 1) * (self.n_press + 1) / taken))
        return mean

    @property
    def optimal_reward(self) -> float:
        """The greatest mean reward per step."""
        return float(self.rewards["correct"] / (1 + self.n_press))

    @property
    def optimal_chance_reward(self) -> float:
        """The greatest mean reward per step of one who presses with a fixed probability p.

        A reward takes n/p + 1/(1 - p) steps, the fewest at p = sqrt(n) / (1 + sqrt(n)).
        """
        return float(self.rewards["correct"] / (1 + math.sqrt(self.n_press)) ** 2)


class LeverPressWithPokeRest(_Lever):
    """Lever press, then poke, when thirsty: the reward is worth as much as the subject is thirsty.

    As in LeverPressWithPoke, but presses and pokes cost an effort, resting costs nothing, and what a drink is worth
    falls to nothing with the drink before: its level of thirst is then `sated`, and rises with each step by a random
    amount; thirst is that level between 0 and 1, and it is shown. A poke after `n_press` presses or more earns
    `correct` times the thirst, and ends the trial; the next begins just after that drink. Performance is the trial's
    reward over the most that a drink can bring, at least 0.

    Channels: `thirst` (0 to 1); with `observe_state`, the number of presses that remain instead.
    Actions: 0 rests, 1 presses, 2 pokes. Conditions: `level` (of thirst, as the trial begins).
    Rendering plays a policy. A trial is correct where the drink came at full thirst.

    "Blind" among the reference numbers is the best who acts with fixed probabilities, without looking or counting.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("LeverPressWithPokeRest-v0")
        >>> played = nj.play(task, jax.random.key(0), 1, policy="oracle", level=1.0).result
        >>> float(played.reward[0]), int(played.response_step[0])
        (1.5, 4)
    """

    TIMING = {"limit": 10000}
    REWARDS = {"correct": 2.0, "effort": -0.1}
    TAGS = ("operant conditioning", "working memory")
    DEVIATIONS = (
        _TRIALS,
        Deviation(
            what="actions",
            neurogym="documents 0 nothing, 1 press, 2 poke, and takes 0 as the poke and 2 as nothing",
            here="as documented",
            reason="the description is the task",
            kind="interface",
        ),
        Deviation(
            what="first trial",
            neurogym="begins thirsty",
            here="begins as after a drink, like every other; the condition `level=1` begins thirsty",
            reason="trials are alike",
            kind="interface",
        ),
    )

    sated: Any = quantity(-8.0, high=0, doc="level of thirst after a drink")
    slowest: Any = quantity(0.8, low=0, doc="least rise of the level in a step")
    fastest: Any = quantity(1.2, low=0, doc="greatest rise of the level in a step")
    observe_state: Any = flag(False, doc="whether the number of presses that remain is shown, and not the thirst")
    n_press: int = structure(4, low=1, doc="presses for one reward")

    def validate(self) -> None:
        if not 0 < self.slowest <= self.fastest:
            raise InvalidArgument(
                f"slowest must be above 0 and not exceed fastest, got {self.slowest:g} and {self.fastest:g}"
            )
        if self._most() <= 0 or self.rewards["effort"] > 0:
            raise InvalidArgument(
                f"rewards['effort'] must not be above 0, and {self.n_press + 1} efforts must cost less than "
                f"rewards['correct'], got {self.rewards['effort']:g} and {self.rewards['correct']:g}"
            )
        _check_limit(self, self.n_press + 1 + math.ceil((1 - float(self.sated)) / float(self.slowest)))

    @property
    def channels(self) -> Channels:
        return Channels((("thirst", 1),), low=0.0, high=float(self.n_press))

    @property
    def actions(self) -> Discrete:
        return Discrete.named(rest=1, press=1, poke=1)

    def _most(self):
        """The most that a drink can bring."""
        return self.rewards["correct"] + (self.n_press + 1) * self.rewards["effort"]

    def conditions(self, draw, memory):
        rise = draw.chance("level").uniform() * (self.fastest - self.slowest) + self.slowest
        return {"level": draw.remembered("level", self.sated + rise)}

    def init_state(self, trial):
        return {"left": np.int32(self.n_press), "level": trial["level"], "reward": np.float32(0)}

    def observe(self, trial, state, t):
        thirst = jnp.clip(state["level"], 0, 1)
        return {"thirst": jnp.where(self.observe_state, state["left"].astype(jnp.float32), thirst)}

    def target(self, trial, state, t):
        # press while the thirst rises; then wait for it, unless the time runs out
        drinks = (state["level"] >= 1) | trial.last(t)
        return jnp.where(state["left"] > 0, 1, jnp.where(drinks, 2, 0))

    def respond(self, trial, state, action, t, draw):
        thirst = jnp.clip(state["level"], 0, 1)
        fetches = (action == 2) & (state["left"] == 0)
        effort = jnp.where(action > 0, self.rewards["effort"], 0.0)
        reward = effort + jnp.where(fetches, self.rewards["correct"] * thirst, 0.0)
        total = state["reward"] + reward
        left = jnp.where(action == 1, jnp.maximum(state["left"] - 1, 0), state["left"])
        rise = draw.uniform("rise") * (self.fastest - self.slowest) + self.slowest
        return consequence(
            reward=reward,
            end=fetches,
            outcome=jnp.where(thirst >= 1, int(Outcome.CORRECT), int(Outcome.ERROR)),
            performance=jnp.clip(total / self._most(), 0, 1),
            state={
                "left": jnp.where(fetches, self.n_press, left).astype(jnp.int32),
                "level": jnp.where(fetches, self.sated, state["level"]) + rise,
                "reward": jnp.where(fetches, 0.0, total),
            },
        )

    def references(self):
        grid = [(p, q) for p in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5) for q in (0.02, 0.05, 0.1, 0.15, 0.2, 0.3)]
        # the limit leaves time for the thirst of the one who waits for it
        return {
            "clairvoyant": 1.0,
            "ideal": 1.0,
            "blind": max(self.memoryless(p, q) for p, q in grid),
            "random": self.memoryless(1 / 3, 1 / 3, trials=20000),
        }

    def memoryless(self, press: float, poke: float, trials: int = 1000) -> float:
        """Mean performance of one who acts with fixed probabilities, by simulation with a fixed seed."""
        rng = np.random.default_rng(0)
        lengths = _limits(self)
        limit = rng.choice(list(lengths), size=trials, p=list(lengths.values()))
        low, high = float(self.slowest), float(self.fastest)
        level = float(self.sated) + rng.uniform(low, high, trials)
        left, total = np.full(trials, self.n_press), np.zeros(trials)
        value, running = np.zeros(trials), np.ones(trials, bool)
        for t in range(max(lengths)):
            running &= t < limit
            u = rng.random(trials)
            presses, pokes = u < press, (u >= press) & (u < press + poke)
            total += (presses | pokes) * float(self.rewards["effort"])
            drinks = running & pokes & (left == 0)
            worth = total + float(self.rewards["correct"]) * np.clip(level, 0, 1)
            value[drinks] = np.clip(worth[drinks] / float(self._most()), 0, 1)
            running &= ~drinks
            left = np.maximum(left - presses, 0)
            level = level + rng.uniform(low, high, trials)
            if not running.any():
                break
        return float(np.mean(value))


def _limits(task: Task) -> dict[int, float]:
    """The distribution of the limit of time, in steps."""
    found = step_probabilities(task.timing["limit"], task.dt)
    total = sum(found.values())
    return {steps: p / total for steps, p in found.items()}


def _check_limit(task: Task, least: int) -> None:
    shortest = int(whole_steps(min(task.timing["limit"].durations()), task.dt))
    if shortest < least:
        raise InvalidArgument(
            f"timing['limit'] must last {least} steps or more ({least * task.dt:g} ms) for a reward to be earned, "
            f"got {shortest}"
        )


class Pneumostomeopening(Task):
    """Operant conditioning of a snail's breathing: where to breathe, and with what.

    A pond snail (Lymnaea stagnalis) is in a beaker of several depths. It breathes with its pneumostome, a lung's
    opening, at the surface alone, or through its skin anywhere, or swims up or down. Swimming uses oxygen, which decays
    with `decay`; breathing brings some. The trial ends with the time in the beaker, or, as an error, where less
    than .5 of oxygen is left.

    Each action has its reward, by the phase of training: at first breathing with the pneumostome is worth most
    (`preset="set_default_behavior"`, the default); in training it is punished, as by the poke of the paper
    (`preset="training_session"`); in the test nothing is rewarded (`preset="testing_session"`). Performance is the
    mean over all steps of the reward, scaled from the least of the three to the greatest; 1 where they are alike. To
    open the pneumostome below the surface does nothing, and counts as the least. A trial is correct where the snail
    lived.

    Channels: `depth` `[depths]`, from the surface down. Actions: 0 pneumostome, 1 skin, 2 up, 3 down.
    Conditions: `depth` (int, 0 at the surface, at the start). Oxygen is felt by nobody: it follows from the actions.
    What is seen depends on the actions: rendering plays a policy.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("Pneumostomeopening-v0"), jax.random.key(0), 1, depth=2)
        >>> batch.targets[0].tolist(), batch.inputs[0, :3].argmax(axis=1).tolist()
        ([2, 2, 0, 0, 0, 0, 0, 0, 0, 0], [2, 1, 0])
    """

    TIMING = {"beaker": 1000}
    REWARDS = {"swim": 0.1, "skin": 0.5, "pneumostome": 1.0}
    PRESETS = {
        "set_default_behavior": {},
        "training_session": {"rewards": {"swim": 0.1, "skin": 1.0, "pneumostome": -1.0}},
        "testing_session": {"rewards": {"swim": 0.0, "skin": 0.0, "pneumostome": 0.0}},
    }
    PAPER = Paper(
        "Lukowiak, Ringseis, Spencer, Wildering & Syed (1996). Operant conditioning of aerial respiratory behaviour in "
        "Lymnaea stagnalis. J. Exp. Biol. 199:683",
        "10.1242/jeb.199.3.683",
    )
    TAGS = ("operant conditioning", "learning", "associative learning", "hypoxia", "snail")
    CLOSED_LOOP = True
    ALIVE = 0.5  # the least oxygen
    DEVIATIONS = (
        Deviation(
            what="trials",
            neurogym="one endless process in its first phase, which ends the session where oxygen has gone",
            here="trials of a length, in the phase of a preset; where oxygen has gone the trial ends as an error",
            reason="outcomes, performance and batches are about trials",
            kind="interface",
        ),
        Deviation(
            what="depth",
            neurogym="begins at one of 7 places, has 5, and declares 4",
            here="4, each as likely at the start",
            reason="what is shown must lie in its space",
            kind="repaired",
        ),
        Deviation(
            what="pneumostome below the surface",
            neurogym="breathes air at any depth (a note says that it should not)",
            here="does nothing: no oxygen, and no reward",
            reason="as described; else the depth means nothing",
            kind="repaired",
        ),
        Deviation(
            what="oxygen",
            neurogym="swimming multiplies it by exp(-t), t the steps since the session began, so that in a session of "
            "any length one stroke kills; rounded to whole numbers, and gone at 0",
            here="swimming multiplies it by exp(-decay dt) a step; not rounded, and gone below .5",
            reason="an exponential decay, as described",
            kind="repaired",
        ),
    )

    decay: Any = quantity(5.0, units="1/s", low=0, source="repaired", doc="rate at which swimming uses oxygen")
    oxygen: Any = quantity(10.0, above=0.5, aliases=("oxygen_level",), doc="oxygen at the start")
    from_pneumostome: Any = quantity(5.0, low=0, doc="oxygen from a step of breathing with the pneumostome")
    from_skin: Any = quantity(1.0, low=0, doc="oxygen from a step of breathing through the skin")
    depths: int = structure(4, low=2, doc="number of depths")

    def validate(self) -> None:
        if not self.rewards["swim"] <= self.rewards["skin"]:
            raise InvalidArgument(
                f"rewards['swim'] must not exceed rewards['skin'], got {self.rewards['swim']:g} and "
                f"{self.rewards['skin']:g}"
            )

    @property
    def channels(self) -> Channels:
        return Channels((("depth", self.depths),), low=0.0, high=1.0)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(pneumostome=1, skin=1, up=1, down=1)

    def conditions(self, draw, memory):
        return {"depth": draw.integer("depth", self.depths)}

    def init_state(self, trial):
        return {"depth": trial["depth"], "oxygen": jnp.asarray(self.oxygen), "performance": np.float32(0)}

    def observe(self, trial, state, t):
        return {"depth": np.arange(self.depths, dtype=np.int32) == state["depth"]}

    def _kept(self):
        """The share of oxygen that a step of swimming leaves."""
        return jnp.exp(-self.decay * np.float32(self.dt / 1000))

    def target(self, trial, state, t):
        # climb where air is worth it: the steps that remain there against the same through the skin here
        rewards, depth = self.rewards, state["depth"]
        remain = (trial.length - t).astype(jnp.float32)
        way = depth.astype(jnp.float32)
        air = way * rewards["swim"] + (remain - way) * rewards["pneumostome"]
        survives = state["oxygen"] * self._kept() ** way >= self.ALIVE
        climbs = (air > remain * rewards["skin"]) & (remain > way)
        up = jnp.where(depth == 0, 0, 2)
        return jnp.where(climbs & survives, up, 1)

    def respond(self, trial, state, action, t, draw):
        rewards = self.rewards
        opens, skin, swims = action == 0, action == 1, action >= 2
        airs = opens & (state["depth"] == 0)
        three = jnp.stack([jnp.asarray(rewards[name]) for name in ("swim", "skin", "pneumostome")])
        least, span = jnp.min(three), jnp.max(three) - jnp.min(three)
        by_action = jnp.where(skin, rewards["skin"], jnp.where(swims, rewards["swim"], rewards["pneumostome"]))
        reward = jnp.where(opens & ~airs, 0.0, by_action)
        worth = jnp.where(opens & ~airs, 0.0, jnp.where(span > 0, (reward - least) / jnp.where(span > 0, span, 1), 1))
        breath = jnp.where(airs, self.from_pneumostome, jnp.where(skin, self.from_skin, 0.0))
        oxygen = state["oxygen"] * jnp.where(swims, self._kept(), 1.0) + breath
        move = jnp.where(action == 2, -1, jnp.where(action == 3, 1, 0))
        gone = oxygen < self.ALIVE
        performance = state["performance"] + worth * (1 / trial.length.astype(jnp.float32))
        return consequence(
            reward=reward,
            end=gone | trial.last(t),
            outcome=jnp.where(gone, int(Outcome.ERROR), int(Outcome.CORRECT)),
            performance=jnp.minimum(performance, 1.0),
            state={
                "depth": jnp.clip(state["depth"] + move, 0, self.depths - 1).astype(jnp.int32),
                "oxygen": oxygen,
                "performance": performance,
            },
        )

    def references(self):
        plans = [functools.partial(self._plan, k) for k in range(self.depths)]
        lengths = step_probabilities(self.timing["beaker"], self.dt)
        mean = lambda act: sum(p * self._played(act, n) for n, p in lengths.items()) / sum(lengths.values())
        best = mean(self._best)
        blind = max(mean(plan) for plan in (*plans, lambda *_: 1))
        return {"clairvoyant": best, "ideal": best, "blind": blind}

    def _plan(self, k: int, depth: int, oxygen: float, t: int, steps: int) -> int:
        """Swim up `k` times, whatever is seen, and then open the pneumostome."""
        return 2 if t < k else 0

    def _best(self, depth: int, oxygen: float, t: int, steps: int) -> int:
        rewards = {name: float(value) for name, value in self.rewards.items()}
        remain = steps - t
        air = depth * rewards["swim"] + (remain - depth) * rewards["pneumostome"]
        survives = oxygen * math.exp(-float(self.decay) * self.dt / 1000 * depth) >= self.ALIVE
        if remain > depth and survives and air > remain * rewards["skin"]:
            return 2 if depth else 0
        return 1

    def _played(self, act, steps: int) -> float:
        """Mean performance over the depths at the start of one who acts by `act(depth, oxygen, t, steps)`."""
        rewards = [float(self.rewards[name]) for name in ("pneumostome", "skin", "swim", "swim")]
        least, span = min(rewards), max(rewards) - min(rewards)
        kept, total = math.exp(-float(self.decay) * self.dt / 1000), 0.0
        for start in range(self.depths):
            depth, oxygen = start, float(self.oxygen)
            for t in range(steps):
                action = act(depth, oxygen, t, steps)
                lost = action == 0 and depth > 0
                total += 0.0 if lost else (rewards[action] - least) / span if span > 0 else 1.0
                oxygen = oxygen * (kept if action >= 2 else 1.0) + (
                    float(self.from_skin) if action == 1 else float(self.from_pneumostome) * (action == 0 and not lost)
                )
                depth = min(max(depth + (action == 3) - (action == 2), 0), self.depths - 1)
                if oxygen < self.ALIVE:
                    break
        return total / (self.depths * steps)
