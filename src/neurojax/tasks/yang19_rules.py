"""The rule that the twenty tasks of Yang et al. (2019) share: which of them it is, its parameters say."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np

from neurojax.core.timing import pick_weighted, whole_steps
from neurojax.core.trial import Outcome, consequence
from neurojax.tasks.rules import circular_distance, fixate_then_choose, ring
from neurojax.tasks.yang19_parameters import Yang19Parameters, translate

__all__ = ["Yang19", "pick_unit", "population_vector", "translate"]

_TURN = np.float32(2 * math.pi)
_TIE = np.float32(1e-6)  # evidence below this favours neither source
_SAME = np.float32(math.radians(5))  # two locations nearer than this match


class Yang19(Yang19Parameters):
    """One of the twenty rules of Yang et al.: look at one or two stimuli on two rings, then go to a location, or hold.

    Fixation is on at first. Each stimulus is a bump of activity around its location, on one of two rings (modalities)
    or on both, as strong as the rule says. In the decision the subject goes to the location that the rule asks for:
    of the only stimulus, of the stronger of two (`compares`), or of the second where it matches the first (`matches`),
    otherwise it holds fixation; or to the location opposite (`anti`). The first choice in the decision ends the trial;
    holding to its end is right where the rule says hold. The defaults are the reaction-time Go rule.

    Channels: `fixation`, `stimulus_mod1` `[dim_ring]`, `stimulus_mod2` `[dim_ring]`; with `rule_input`, `rule`
    `[rules]`, which says which rule holds. Actions: 0 fixates, 1 .. dim_ring choose a location; with
    `output="population"`, the activity of a fixation unit and of `dim_ring` units, read out at the trial's last step.
    Conditions: `theta1`, `theta2` (radians), `modality`, `modality2` (0 or 1: the ring of each stimulus, where the
    rule draws it), `match` (0 or 1), and how strong each stimulus is on each ring, `coh1_mod1` .. `coh2_mod2`;
    `response` (radians) and `ground_truth` (the action) follow from them.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> batch = nj.render(nj.make("yang19.ctxdm1-v0", rule_input=True), jax.random.key(0), 4, theta1=0.0)
        >>> batch.inputs.shape
        (4, 32, 53)
    """

    # ------------------------------------------------------------------ what is drawn

    def conditions(self, draw, memory):
        u = draw.chance("numbers").uniform((12,))  # one draw of many numbers is cheaper than many
        theta1 = draw.remembered("theta1", self._first(u[0]))
        match = draw.remembered("match", (u[1] < 0.5).astype(jnp.int32), 2)
        theta2 = draw.remembered("theta2", self._second(theta1, match > 0, u[2]))
        modality = draw.remembered("modality", self._modality(u[3]), 2)
        again = jnp.where(self.same_modality | ~self.matches, modality, self._modality(u[4]))
        modality2 = draw.remembered("modality2", again, 2)
        drawn = self._strengths(u[5:11], modality, modality2)
        strengths = {
            f"coh{s + 1}_mod{m + 1}": draw.remembered(f"coh{s + 1}_mod{m + 1}", drawn[s][m])
            for s in range(2)
            for m in range(2)
        }
        locations = {"theta1": theta1, "theta2": theta2}
        first = self._favours_first(strengths, u[11])
        match = self.match_of(theta1, theta2)
        theta = jnp.where(self.matches | (self.compares & ~first), theta2, theta1)
        response = jnp.mod(theta + jnp.where(self.anti, np.float32(math.pi), 0.0), _TURN)
        goes = ~self.matches | (match == self.match_go)
        return {
            **locations,
            **strengths,
            "modality": modality,
            "modality2": modality2,
            "match": match.astype(jnp.int32),
            "response": response,
            "ground_truth": jnp.where(goes, 1 + self.unit_of(response), 0),
        }

    def _first(self, u):
        """The location of the first stimulus."""
        if self.locations == "ring":
            return pick_unit(ring(self.dim_ring), u)
        return jnp.where(self.category, self._categorized(jnp.floor(u * self.category_locations)), u * _TURN)

    def _categorized(self, index):
        """The location with this number of those to categorize, which keep clear of the boundary."""
        return (index + np.float32(0.5)) * (_TURN / self.category_locations)

    def _second(self, theta1, match, u):
        """The location of the second stimulus: at least `apart` from the first, or as `match` says."""
        same = self.matches & match & ~self.category
        second = self.category_of(theta1) == match  # the category of the second
        if self.locations == "ring":
            n, step = self.dim_ring, np.float32(360 / self.dim_ring)
            least = jnp.maximum(jnp.ceil(self.apart / step - 1e-3), 1.0)
            offset = least + jnp.floor(u * (n - 2 * least + 1))
            index = self.unit_of(theta1) + jnp.where(same, 0, offset.astype(jnp.int32))
            categorized = jnp.where(second, n // 2, 0) + (u * np.float32(n // 2)).astype(jnp.int32)
            index = jnp.where(self.matches & self.category, categorized, index)
            return jnp.asarray(ring(n))[jnp.mod(index, n)]
        least = self.apart * np.float32(math.pi / 180)
        offset = jnp.where(same, 0.0, least + u * (_TURN - 2 * least))
        half = jnp.floor(self.category_locations / 2)
        categorized = self._categorized(jnp.where(second, half, 0.0) + jnp.floor(u * half))
        return jnp.where(self.matches & self.category, categorized, jnp.mod(theta1 + offset, _TURN))

    def category_of(self, theta):
        """Whether a location is of the second category."""
        boundary = np.float32(math.pi / self.dim_ring if self.locations == "ring" else 0.0)
        return jnp.mod(theta + boundary, _TURN) >= np.float32(math.pi)

    def match_of(self, theta1, theta2):
        """Whether two stimuli match: in category, or in location."""
        alike = self.category_of(theta1) == self.category_of(theta2)
        return jnp.where(self.category, alike, circular_distance(theta1, theta2) < _SAME)

    def unit_of(self, theta):
        """The unit of the ring nearest to a location, from 0."""
        return jnp.mod(jnp.round(theta * np.float32(self.dim_ring / (2 * math.pi))).astype(jnp.int32), self.dim_ring)

    def _modality(self, u):
        return (self.shows_mod2 & ~(self.shows_mod1 & (u < 0.5))).astype(jnp.int32)

    def counts(self):
        """How much each modality counts, which it must be shown to."""
        one, two = (jnp.asarray(shows).astype(jnp.float32) for shows in (self.shows_mod1, self.shows_mod2))
        return one * self.weights[0], two * self.weights[1]

    def strength_table(self):
        """What strengths to compare may be drawn `[K]`: half their difference, their mean, how likely, whose mean.

        The last is whether the mean is stated rather than drawn.
        """
        c = jnp.asarray(self.coherences)
        n = c.shape[0]
        once = ~jnp.any(jnp.tril(c[:, None] == c[None], -1), axis=1)  # a coherence that is repeated counts once
        two = once[:, None] & once[None] & ~np.eye(n, dtype=bool)
        pairs = jnp.ravel(c[:, None] - c[None]) / 2, jnp.ravel(c[:, None] + c[None]) / 2
        half = jnp.concatenate([pairs[0], self.contrast * c, -self.contrast * c])
        mean = jnp.concatenate([pairs[1], jnp.zeros_like(c), jnp.zeros_like(c)])
        likely = jnp.concatenate([jnp.ravel(two) & self.pairs, once & ~self.pairs, once & ~self.pairs])
        return half, mean, likely.astype(jnp.float32), np.arange(n * n + 2 * n) < n * n

    def cancels(self, half1, half2):
        """Whether the evidence of the two modalities cancels, so that there is no answer."""
        one, two = self.counts()
        return jnp.abs(one * half1 + two * half2) < _TIE

    def _strengths(self, u, modality, modality2):
        """How strong each of the two stimuli is in each modality: rows of two."""
        half, mean, likely, stated = self.strength_table()
        first = pick_weighted(likely, u[0])
        allowed = jnp.where(self.cancels(half[first], half), 0.0, likely)
        allowed = jnp.where(jnp.any(allowed > 0), allowed, likely)  # a coherence of 0 alone gives no answer
        second = jnp.where(self.shared, first, pick_weighted(allowed, u[1]))
        about = lambda u: self.mean + self.jitter * (2 * u - 1)
        level1, level2 = about(u[2]), about(jnp.where(self.shared, u[2], u[3]))
        level1 = jnp.where(jnp.asarray(stated)[first], mean[first], level1)
        level2 = jnp.where(jnp.asarray(stated)[second], mean[second], level2)
        tilt = lambda u: (
            jnp.where(u < 0.5, 0.5, -0.5) * (self.split[0] + jnp.mod(2 * u, 1.0) * (self.split[1] - self.split[0]))
        )
        rows = []
        for sign, which, number in ((1, modality, u[4]), (-1, modality2, u[5])):
            more = tilt(number)
            compared = (
                jnp.where(self.shows_mod1, (level1 + sign * half[first]) * (1 + more), 0.0),
                jnp.where(self.shows_mod2, (level2 + sign * half[second]) * (1 - more), 0.0),
            )
            single = jnp.where(self.matches | (sign > 0), about(u[2]), 0.0)
            rows.append([jnp.where(self.compares, compared[m], jnp.where(which == m, single, 0.0)) for m in range(2)])
        return rows

    def _favours_first(self, strengths, u):
        """Whether the first stimulus is the stronger one; a coin decides where neither is."""
        one, two = self.counts()
        evidence = one * (strengths["coh1_mod1"] - strengths["coh2_mod1"])
        evidence = evidence + two * (strengths["coh1_mod2"] - strengths["coh2_mod2"])
        return jnp.where(jnp.abs(evidence) < _TIE, u < 0.5, evidence > 0)

    # ------------------------------------------------------------------ what is shown

    def sources_at(self, trial, t):
        """Where the two stimuli are at step `t`, in radians. Subclasses may move them."""
        return trial["theta1"], trial["theta2"]

    def response_at(self, trial, t):
        """Where to go at step `t` of the decision, in radians. Subclasses may move it."""
        return trial["response"]

    def goes(self, trial):
        """Whether the rule asks for a response, or to hold fixation."""
        return trial["ground_truth"] > 0

    def bump(self, theta):
        """float32 `[dim_ring]`: the activity around a location, in the input and in a population output."""
        if self.locations == "ring":  # a table: exponentials would be taken again for every step, lane and channel
            directions = ring(self.dim_ring).astype(np.float64)
            return jnp.asarray(_bump(directions[:, None], directions).astype(np.float32))[self.unit_of(theta)]
        distance = circular_distance(ring(self.dim_ring), theta) * np.float32(8 / math.pi)
        return np.float32(0.8) * jnp.exp(np.float32(-0.5) * jnp.square(distance))

    def _on(self, trial, t):
        """Whether each of the two stimuli is on."""
        stays = self.stays & trial.during("decision", t)
        first = trial.during("stimulus", t) | (stays & ~self.sequential)
        return first, jnp.where(self.sequential, trial.during("stimulus2", t) | stays, first)

    def observe(self, trial, state, t):
        decision = trial.during("decision", t)
        early = trial.during("fixation", t) | (self.cue_until_go & (t < trial.start["decision"]))
        bumps = [
            jnp.where(on, self.bump(theta), 0.0)
            for on, theta in zip(self._on(trial, t), self.sources_at(trial, t), strict=True)
        ]
        shown = {
            f"stimulus_mod{m}": trial[f"coh1_mod{m}"] * bumps[0] + trial[f"coh2_mod{m}"] * bumps[1] for m in (1, 2)
        }
        rule = {"rule": np.arange(self.rules, dtype=np.float32) == self.rule} if self.rule_input else {}
        return {"fixation": early | (self.cue_stays & decision), **shown, **rule}

    def noise(self, trial, state, t, draw):
        scale = self.sigma / math.sqrt(self.dt)
        if self.noise_on == "everywhere":
            normal = draw.normal("channels", (self.channels.size,))
            return {name: scale * normal[places] for name, places in self.channels.slices.items()}
        first, second = self._on(trial, t)
        normal = draw.normal("stimulus", (2, self.dim_ring))
        out = {}
        for m in range(2):
            one = first & (trial["modality"] == m)
            two = second & (trial["modality2"] == m) & self.matches
            on = jnp.where(self.compares, first | second, one | two)
            out[f"stimulus_mod{m + 1}"] = jnp.where(on, scale, 0.0) * normal[m]
        return out

    # ------------------------------------------------------------------ what is asked for

    def target(self, trial, state, t):
        goes = trial.during("decision", t) & self.goes(trial)
        theta = self.response_at(trial, t)
        if self.output == "choice":
            return jnp.where(goes, 1 + self.unit_of(theta), 0)
        rest, fixates = np.float32(0.05), np.float32(0.8)
        units = rest + jnp.where(goes, self.bump(theta), 0.0)
        return jnp.concatenate([jnp.where(goes, rest, fixates)[None], units])

    def weight(self, trial, state, t):
        grace = int(whole_steps(self.grace, self.dt))
        since = t - trial.start["decision"]
        weight = jnp.where(since >= 0, self.response_weight, 1.0)
        return jnp.where((t < grace) | ((since >= 0) & (since < grace)), 0.0, weight)

    def hits(self, trial, t, theta):
        """Whether an answer at `theta` is within the criterion of the location to go to."""
        error = circular_distance(theta, self.response_at(trial, t))
        return self.goes(trial) & (error <= self.criterion * np.float32(math.pi / 180))

    def respond(self, trial, state, action, t, draw):
        if self.output == "population":
            return self._read_out(trial, action, t)
        theta = jnp.asarray(ring(self.dim_ring))[jnp.maximum(action - 1, 0)]
        came = fixate_then_choose(self, trial, action, t, self.hits(trial, t, theta))
        held = trial.last(t) & (action == 0) & ~self.goes(trial)
        return came.replace(
            reward=came.reward + jnp.where(held, self.rewards["correct"], 0.0),
            end=came.end | held,
            outcome=jnp.where(held, int(Outcome.CORRECT), came.outcome),
            performance=jnp.where(held, 1.0, came.performance),
        )

    def _read_out(self, trial, action, t):
        """What follows from a population's activity: the last step counts, and fixation before the decision."""
        fixates, theta = action[0] > 0.5, population_vector(action[1:])
        strict = self.strict_fixation & (t < trial.start["decision"])
        breaks = ~fixates & (trial.during("fixation", t) | strict)
        aborts = breaks & (self.abort | strict)
        ends = trial.last(t) & ~aborts
        correct = jnp.where(self.goes(trial), ~fixates & self.hits(trial, t, theta), fixates)
        wrong = jnp.where(fixates, int(Outcome.MISS), int(Outcome.ERROR))
        outcome = jnp.where(ends, jnp.where(correct, int(Outcome.CORRECT), wrong), int(Outcome.NONE))
        earned = jnp.where(correct, self.rewards["correct"], self.rewards["fail"])
        return consequence(
            reward=jnp.where(ends, earned, 0.0) + jnp.where(breaks, self.rewards["abort"], 0.0),
            end=ends | aborts,
            outcome=jnp.where(aborts, int(Outcome.ABORT), outcome),
            performance=jnp.where(ends & correct, 1.0, 0.0),
        )

    def references(self):
        from neurojax.tasks.yang19_ideal import references

        return references(self)


# ---------------------------------------------------------------------- helpers


def population_vector(activity):
    """The direction that the activity `[n]` of units on a ring points to, in radians."""
    directions = ring(activity.shape[-1])
    x, y = (jnp.sum(activity * side, axis=-1) for side in (np.cos(directions), np.sin(directions)))
    return jnp.mod(jnp.arctan2(y, x), _TURN)


def pick_unit(directions: np.ndarray, u):
    """The direction at the quantile `u`, each as likely."""
    n = len(directions)
    return jnp.asarray(directions)[jnp.minimum((u * np.float32(n)).astype(jnp.int32), n - 1)]


def _bump(at, directions) -> np.ndarray:
    distance = np.abs(at - directions) % (2 * math.pi)
    distance = np.minimum(distance, 2 * math.pi - distance) / (math.pi / 8)
    return 0.8 * np.exp(-(distance**2) / 2)
