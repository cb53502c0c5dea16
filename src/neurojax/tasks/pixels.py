"""Tasks whose observations are pictures, drawn by `neurojax.stimuli`."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from neurojax.core.chance import Chance
from neurojax.core.parameters import flag, quantity, structure, time_step
from neurojax.core.spaces import Box, Channels, Discrete
from neurojax.core.task import Deviation, Paper, Task
from neurojax.core.timing import step_probabilities
from neurojax.errors import InvalidArgument
from neurojax.stimuli import Display, Dots, aperture, bar, disc, draw_dots, grating
from neurojax.stimuli.display import firm, settled
from neurojax.tasks.rules import abortable, fixate_then_choose, random_choice, ring
from neurojax.tasks.suppression import DEVIATIONS, FourDirections

_SEEDS = 2**31 - 1


def _pixels(name: str) -> Any:
    return structure(32, low=1, units="pixels", source="neurojax", doc=f"{name} of the picture")


def _cm(default: float, doc: str) -> Any:
    return structure(default, above=0, whole=False, units="cm", source="neurojax", doc=doc)


def _screen(*shape: int) -> Channels:
    return dataclasses.replace(Channels.named(screen=shape), low=0.0, high=1.0)


def _window(size: str) -> Deviation:
    return Deviation(
        what="win_kwargs",
        neurogym="a PsychoPy window of 100 x 100 pixels, its frames in RGB from 0 to 255, lengths in half windows",
        here=f"`height`, `width`, `screen_cm` and `distance_cm`: {size}; luminance from 0 to 1, lengths in degrees",
        reason="pictures are drawn on the device, at any resolution, with the geometry stated",
        kind="interface",
        affects=("observation",),
    )


_FIXATION_POINT = Deviation(
    what="fixation_size",
    neurogym="shows nothing when there is no stimulus",
    here="a point to look at; `fixation_size=0` shows nothing",
    reason="the picture must say when to fixate",
    kind="interface",
    affects=("observation",),
)


class RandomDotMotion(Task):
    """Random-dot motion in pictures: in which of several directions do the dots move?

    A point is shown until the decision. During the stimulus, dots move in a round aperture around it: each is signal,
    with a probability that is the coherence, and moves in the direction, or noise, and moves in a direction of its
    own; after its life it is born again elsewhere (see `neurojax.stimuli.dots`). The first choice in the decision
    period ends the trial.

    Channels: `screen` `[height, width]`, luminance. Actions: 0 fixates, 1 .. dim_ring choose a direction.
    Conditions: `ground_truth` (int, from 0; counter-clockwise from right), `coherence` (percent), `dots_seed`, the
    seed of the movie: trials with the same conditions show the same pictures.

    The ideal observer follows every dot, and needs to see one signal dot move once: it only errs where there is none.
    People, and networks that blur dots, are far from it.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("RandomDotMotion-v0", timing={"stimulus": 160})
        >>> batch = nj.render(task, jax.random.key(0), 2, coherence=51.2)
        >>> task.channels.split(batch.inputs)["screen"].shape
        (2, 22, 32, 32)
    """

    TIMING = {"fixation": 100, "stimulus": 2000, "decision": 100}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PRESETS = {"paper": {"strict_fixation": True, "noise_dots": "position"}}
    PAPER = Paper(
        "Britten, Shadlen, Newsome & Movshon (1992). The analysis of visual motion: a comparison of neuronal and "
        "psychophysical performance. J. Neurosci. 12:4745",
        "10.1523/JNEUROSCI.12-12-04745.1992",
    )
    TAGS = ("perceptual", "two-alternative", "supervised")
    PROBES = ({"strict_fixation": False},)  # under strict fixation, hardly any random play lasts until a choice
    DEVIATIONS = (
        _window("by default 32 x 32 pixels on a screen 10 cm wide, 57 cm away, so that a half window is 5 degrees"),
        _FIXATION_POINT,
        Deviation(
            what="direction of the dots",
            neurogym="turns the direction into degrees twice: for pi the dots move at 10313 degrees",
            here="the dots move in the direction that is right",
            reason="the label must follow from what is shown",
            affects=("observation",),
        ),
        Deviation(
            what="dots",
            neurogym="PsychoPy moves the dots on from frame to frame, also from one trial to the next",
            here="each frame is a function of the conditions, `dots_seed` among them, and its number",
            reason="rendered, streamed and stepped trials show the same dots",
            kind="interface",
            affects=("observation",),
        ),
    )

    dt: float = time_step(16)
    coherences: Any = quantity(
        (0.0, 6.4, 12.8, 25.6, 51.2), units="percent", low=0, high=100, many=True, aliases=("cohs",),
        doc="motion coherences, each as likely",
    )  # fmt: skip
    stim_scale: Any = quantity(1.0, low=0, doc="by which the coherences are multiplied")
    speed: Any = quantity(15.625, units="degrees/s", low=0, doc="of the dots; .05 half screens in 16 ms")
    life: Any = quantity(160.0, units="ms", above=0, doc="of a dot; at least one step")
    aperture: Any = quantity(5.0, units="degrees", above=0, doc="diameter of the field of dots")
    dot_size: Any = quantity(0.3, units="degrees", low=0, source="neurojax", doc="side of a dot, a square")
    luminance: Any = quantity(1.0, low=0, high=1, doc="of the dots, and of the point")
    background: Any = quantity(0.0, low=0, high=1, doc="luminance of the empty screen")
    fixation_size: Any = quantity(0.4, units="degrees", low=0, source="neurojax", doc="diameter of the point")
    abort: Any = flag(False, doc="whether breaking fixation in the fixation period ends the trial")
    strict_fixation: Any = flag(
        False, source="paper", doc="whether breaking fixation at any time before the decision ends the trial"
    )
    dim_ring: int = structure(2, low=2, doc="number of directions, and of choices")
    n_dots: int = structure(30, low=1, doc="dots on the square around the aperture, of which pi / 4 are seen")
    noise_dots: Any = structure("direction", choices=("direction", "position"), doc="what noise dots do")
    interleave: int = structure(1, low=1, source="neurojax", doc="sets of dots that take turns")
    height: int = _pixels("height")
    width: int = _pixels("width")
    screen_cm: float = _cm(10.0, "width of the screen")
    distance_cm: float = _cm(57.0, "from the eye to the screen")

    def validate(self) -> None:
        strongest = float(np.max(self.coherences) * self.stim_scale)
        if strongest > 100:
            raise InvalidArgument(
                f"coherences times stim_scale must not exceed 100 percent, got {strongest:g}; lower stim_scale"
            )

    @property
    def unused_parameters(self) -> tuple[str, ...]:
        return ("abort",) if self.strict_fixation else ()  # which ends the trial then anyway

    @property
    def channels(self) -> Channels:
        return _screen(self.height, self.width)

    @property
    def actions(self) -> Discrete:
        return Discrete.named(fixation=1, choice=self.dim_ring)

    @property
    def display(self) -> Display:
        """The screen."""
        return Display(self.width, self.height, self.screen_cm, self.distance_cm, self.background)

    def dots(self, trial) -> Dots:
        """The dots of a trial."""
        return Dots(
            count=self.n_dots,
            coherence=trial["coherence"] / 100,
            direction=jnp.asarray(np.degrees(ring(self.dim_ring)))[trial["ground_truth"]],
            speed=self.speed,
            life=self.life,
            aperture=self.aperture,
            size=self.dot_size,
            frame_ms=self.dt,
            noise=self.noise_dots,
            interleave=self.interleave,
        )

    def conditions(self, draw, memory):
        return {
            "ground_truth": draw.integer("ground_truth", self.dim_ring),
            "coherence": draw.choice("coherence", self.coherences * self.stim_scale),
            "dots_seed": draw.integer("dots_seed", _SEEDS),
        }

    def observe(self, trial, state, t):
        display = self.display
        chance = seeded(trial["dots_seed"])
        moving = draw_dots(display, self.dots(trial), chance, t - trial.start["stimulus"])
        point = disc(display, diameter=self.fixation_size)
        shown = jnp.maximum(
            jnp.where(trial.during("stimulus", t), moving, 0.0),
            jnp.where(trial.during("decision", t), 0.0, point),
        )
        return {"screen": display.paint(shown, self.luminance)}

    def target(self, trial, state, t):
        return jnp.where(trial.during("decision", t), 1 + trial["ground_truth"], 0)

    def respond(self, trial, state, action, t, draw):
        return fixate_then_choose(self, trial, action, t, action == 1 + trial["ground_truth"])

    def references(self):
        lengths = step_probabilities(self.timing["stimulus"], self.dt)
        shares = np.ravel(self.coherences) * float(self.stim_scale) / 100
        unseen = self.unseen(list(lengths), [float(c) for c in shares])
        chance = 1 / self.dim_ring
        ideal = sum(p * np.mean(1 - (1 - chance) * row) for p, row in zip(lengths.values(), unseen, strict=True))
        return {
            "clairvoyant": 1.0,
            "ideal": float(ideal),
            "blind": chance,
            "random": random_choice(self, chance),
        }

    def unseen(self, frames: list[int], shares: list[float], samples: int = 2000) -> np.ndarray:
        """`[frames, shares]`: how likely no signal dot is seen to move in so many frames, at a share of signal dots.

        From simulated lives of one dot, with a fixed seed: dots are independent.
        """
        visible = float(self.luminance) != float(self.background) and float(self.dot_size) > 0
        if float(self.speed) == 0 or not visible:
            return np.ones((len(frames), len(shares)))
        rng = np.random.default_rng(0)
        life = max(1, math.floor(float(self.life) / self.dt + 1e-3))
        steps, apart = np.arange(max(frames)), self.interleave
        clock = steps[None] + rng.integers(life, size=(samples, 1))
        born, age = clock // life, clock % life
        angle = ring(self.dim_ring)[rng.integers(self.dim_ring, size=(samples, 1))]
        path = age * float(self.speed) * self.dt / 1000 / float(self.aperture)
        lives = int(born.max(initial=0)) + 1
        place = lambda toward: np.take_along_axis(rng.random((samples, lives)), born, 1) + toward * path
        x, y = (np.mod(place(toward), 1) - 0.5 for toward in (np.cos(angle), np.sin(angle)))
        seen = (x**2 + y**2 < 0.25) & (steps[None] % apart == rng.integers(apart, size=(samples, 1)))
        moved = seen[:, apart:] & seen[:, :-apart] & (born[:, apart:] == born[:, :-apart])
        first = np.full((samples, lives), np.inf)  # the frame that shows the dot move, by life
        dot, frame = np.nonzero(moved)
        np.minimum.at(first, (dot, born[:, apart:][dot, frame]), frame + apart)
        told = np.stack([(first < n).sum(1) for n in frames])  # [frames, samples] lives that would tell
        return np.stack([np.mean((1 - c) ** told, 1) ** self.n_dots for c in shares], 1)


def seeded(seed) -> Chance:
    """The chance under `jax.random.key(seed)`, of a seed that is a condition."""
    seed = jnp.asarray(seed).astype(jnp.uint32)
    return Chance(words=jnp.stack([jnp.zeros_like(seed), seed]), lane=jnp.uint32(0))


class VisualSearch(Task):
    """Visual search: find the line that looks like the sample, among lines of another orientation or colour.

    A point is shown during fixation. In the middle of the screen appears the sample, a coloured line at some angle;
    after a delay, in which the point is back, lines appear at all places at once. One looks like the sample; each of
    the others differs from it by `delta_angle` to either side, or by `delta_color` in some order of the channels, as
    likely. The first eye movement in the decision period, more than `radius` from the middle, ends the trial; it is
    right within `radius` of the line that looks like the sample.

    Channels: `screen` `[height, width, 3]`, red, green and blue from 0 to 1. Actions: continuous `[2]`, where to look
    (x, y) in degrees; within `radius` of the middle is fixation.
    Conditions: `ground_truth` (int, the place of the right line), `sample_angle` (radians), `sample_color` `[3]`,
    `differences` `[n]` in 0 .. 1, how the line at each place would differ: below .25 and .5 the angle, to one side
    and the other; above that the colour, in one of six orders.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("VisualSearch-v0", dt=100)
        >>> batch = nj.render(task, jax.random.key(0), 2, ground_truth=3)
        >>> task.channels.split(batch.inputs)["screen"].shape, batch.targets[0, -1].tolist()
        ((2, 25, 32, 32, 3), [-2.5, -2.5])
    """

    TIMING = {"fixation": 500, "sample": 1000, "delay": 500, "decision": 500}
    REWARDS = {"abort": -0.1, "correct": 1.0, "fail": 0.0}
    PRESETS = {"paper": {"strict_fixation": True}}
    PAPER = Paper(
        "Buschman & Miller (2007). Top-down versus bottom-up control of attention in the prefrontal and posterior "
        "parietal cortices. Science 315:1860",
        "10.1126/science.1138071",
    )
    TAGS = ("perceptual", "working memory", "continuous action space", "supervised")
    UNITS = {"sample_angle": "radians"}
    PROBES = ({"strict_fixation": False},)  # under strict fixation, hardly any random play lasts until a choice
    DEVIATIONS = (
        _window(
            "by default 32 x 32 pixels on a screen 10 cm wide, 57 cm away, so that a half window is 5 degrees; places "
            "and lengths are five times NeuroGym's numbers, and so are the bounds of actions"
        ),
        _FIXATION_POINT,
        Deviation(
            what="dt",
            neurogym="16 ms",
            here="50 ms",
            reason="pictures stand still: more steps would show the same ones again",
            kind="interface",
        ),
        Deviation(
            what="length",
            neurogym="half the length of a line",
            here="its length",
            reason="it is called length",
            kind="interface",
        ),
        Deviation(
            what="sample_color",
            neurogym="each channel anywhere in 0 .. 1, so that a difference may be cut off at the ends, and a "
            "distractor look like the sample",
            here="where every difference fits",
            reason="the right line must be told by what is shown",
            affects=("observation", "conditions"),
        ),
        Deviation(
            what="conditions",
            neurogym="angles, colours and centres of all lines, the right one first",
            here="the place of the right line, the sample, and how the others differ",
            reason="what chance decides is named once",
            kind="interface",
            affects=("conditions",),
        ),
    )

    dt: float = time_step(50)
    target_centers: Any = quantity(
        ((2.5, 2.5), (2.5, -2.5), (-2.5, 2.5), (-2.5, -2.5)), units="degrees", many=2,
        doc="places of the lines: rows of x and y",
    )  # fmt: skip
    length: Any = quantity(3.0, units="degrees", above=0, doc="of a line")
    line_width: Any = quantity(0.4, units="degrees", above=0, doc="of a line")
    delta_angle: Any = quantity(0.2 * math.pi, units="radians", doc="by which the angle of a distractor differs")
    delta_color: Any = quantity(
        (0.2, -0.1, -0.1), low=-1, high=1, many=True,
        doc="by which the colour of a distractor differs, in any order of red, green and blue",
    )  # fmt: skip
    radius: Any = quantity(0.5, units="degrees", above=0, doc="how far from a place still counts as looking at it")
    background: Any = quantity(0.0, low=0, high=1, doc="luminance of the empty screen")
    fixation_size: Any = quantity(0.4, units="degrees", low=0, source="neurojax", doc="diameter of the point, white")
    abort: Any = flag(False, doc="whether breaking fixation in the fixation period ends the trial")
    strict_fixation: Any = flag(
        False, source="paper", doc="whether breaking fixation at any time before the decision ends the trial"
    )
    height: int = _pixels("height")
    width: int = _pixels("width")
    screen_cm: float = _cm(10.0, "width of the screen")
    distance_cm: float = _cm(57.0, "from the eye to the screen")

    def validate(self) -> None:
        centers, (right, top) = np.asarray(self.target_centers), self.actions.high
        if centers.shape[1] != 2 or len(centers) < 2:
            raise InvalidArgument(f"target_centers must be two or more rows of x and y, got {centers.tolist()}")
        if np.any(np.abs(centers) > (right, top)):
            raise InvalidArgument(
                f"target_centers must lie on the screen, within {right:.3g} by {top:.3g} degrees of its middle, "
                f"got {centers.tolist()}"
            )
        if np.any(np.hypot(*centers.T) <= self.radius):
            raise InvalidArgument(
                f"target_centers must lie more than radius={self.radius:g} from the middle, where fixation is, "
                f"got {centers.tolist()}"
            )
        if np.shape(self.delta_color) != (3,) or not np.any(self.delta_color):
            raise InvalidArgument(
                f"delta_color must be 3 numbers, not all 0, got {np.ravel(self.delta_color).tolist()}"
            )
        if np.ptp(np.append(self.delta_color, 0)) > 1:
            raise InvalidArgument(
                "no sample_color leaves room for delta_color; its highest less its lowest must not exceed 1, "
                f"got {np.ravel(self.delta_color).tolist()}"
            )
        if abs(math.sin(float(self.delta_angle))) < 1e-6:
            raise InvalidArgument(
                f"delta_angle must turn a line, so not be a multiple of pi, got {float(self.delta_angle):g}"
            )

    @property
    def unused_parameters(self) -> tuple[str, ...]:
        return ("abort",) if self.strict_fixation else ()  # which ends the trial then anyway

    @property
    def channels(self) -> Channels:
        return _screen(self.height, self.width, 3)

    @property
    def actions(self) -> Box:
        display = Display(self.width, self.height, self.screen_cm, self.distance_cm)
        high = (display.width_degrees / 2, display.height_degrees / 2)
        return Box(names=("x", "y"), low=(-high[0], -high[1]), high=high)

    @property
    def display(self) -> Display:
        """The screen."""
        return Display(self.width, self.height, self.screen_cm, self.distance_cm, self.background)

    def conditions(self, draw, memory):
        places = self.target_centers.shape[0]
        changes = jnp.asarray(self.delta_color)
        low, high = jnp.maximum(-jnp.min(changes), 0.0), 1 - jnp.maximum(jnp.max(changes), 0.0)
        return {
            "ground_truth": draw.integer("ground_truth", places),
            "sample_angle": draw.uniform("sample_angle", 0.0, np.float32(2 * math.pi)),
            "sample_color": draw.uniform("sample_color", low, high, shape=(3,)),
            "differences": draw.uniform("differences", shape=(places,)),
        }

    def lines(self, trial) -> tuple[jax.Array, jax.Array]:
        """The angle in degrees `[n]` and the colour `[n, 3]` of the line at each place."""
        u, right = trial["differences"], trial["ground_truth"]
        others = np.arange(self.target_centers.shape[0], dtype=np.int32) != right
        turn = jnp.where(u < 0.25, self.delta_angle, jnp.where(u < 0.5, -self.delta_angle, 0.0))
        orders = np.asarray([[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]], np.int32)
        order = jnp.clip(((u - 0.5) * 12).astype(jnp.int32), 0, 5)
        tint = jnp.where((u < 0.5)[:, None], 0.0, jnp.asarray(self.delta_color)[jnp.asarray(orders)[order]])
        angle = firm(trial["sample_angle"]) + jnp.where(others, turn, 0.0)
        return angle * np.float32(180 / math.pi), trial["sample_color"] + jnp.where(others[:, None], tint, 0.0)

    def observe(self, trial, state, t):
        display = self.display
        angles, colors = self.lines(trial)
        centers = jnp.asarray(self.target_centers)
        sample, array = trial.during("sample", t), trial.during("decision", t)
        # The sample is the right line, alone and in the middle.
        middle = jnp.where(sample, 0.0, 1.0)
        right = np.arange(centers.shape[0], dtype=np.int32) == trial["ground_truth"]
        drawn = lambda center, angle: bar(
            display, length=self.length, width=self.line_width, orientation=angle, x=center[0], y=center[1]
        )
        cover = jax.vmap(drawn)(centers * middle, angles)  # [n, height, width]
        (strength,) = settled(jnp.where(array | (sample & right), 1.0, 0.0)[:, None] * (colors - self.background))
        # Sums written out, and colours put together last: products of matrices are two to four times as slow here.
        painted = [sum(line * color for line, color in zip(cover, strength[:, c], strict=True)) for c in range(3)]
        picture = self.background + jnp.stack(painted, axis=-1)
        looks = trial.during("fixation", t) | trial.during("delay", t)
        point = disc(display, diameter=self.fixation_size)
        picture = display.paint(jnp.where(looks, point, 0.0)[..., None], 1.0, under=picture)
        return {"screen": jnp.clip(picture, 0.0, 1.0)}

    def target(self, trial, state, t):
        place = jnp.asarray(self.target_centers)[trial["ground_truth"]]
        return jnp.where(trial.during("decision", t), place, jnp.zeros((2,), jnp.float32))

    def respond(self, trial, state, action, t, draw):
        rewards = self.rewards
        place = jnp.asarray(self.target_centers)[trial["ground_truth"]]
        acts = jnp.sum(action**2) > self.radius**2
        correct = jnp.sum((action - place) ** 2) < self.radius**2
        decides = acts & trial.during("decision", t)
        strict = self.strict_fixation & (t < trial.start["decision"])
        breaks = acts & ~decides & (trial.during("fixation", t) | strict)
        reward = jnp.where(decides, jnp.where(correct, rewards["correct"], rewards["fail"]), 0.0)
        reward = reward + jnp.where(breaks, rewards["abort"], 0.0)
        return abortable(reward, decides, breaks & (self.abort | strict), correct)

    def references(self):
        (right, top), radius = self.actions.high, float(self.radius)
        x, y = np.meshgrid(np.linspace(-right, right, 801), np.linspace(-top, top, 801))
        still = x**2 + y**2 <= radius**2
        hits = sum(
            ((x - cx) ** 2 + (y - cy) ** 2 < radius**2) & ~still for cx, cy in np.asarray(self.target_centers)
        ) / len(self.target_centers)
        numbers = {
            "clairvoyant": 1.0,
            "blind": float(np.max(hits)),
            "random": self._random(float(np.mean(still)), float(np.mean(hits))),
        }
        if min(step_probabilities(self.timing["sample"], self.dt)) > 0:
            numbers["ideal"] = 1.0
        return numbers

    def _random(self, still: float, hit: float) -> float:
        """Accuracy of uniformly random actions, which fixate with a probability of `still` and hit with `hit`."""
        laws = {name: step_probabilities(law, self.dt) for name, law in self.timing.items()}
        responds = sum(p * (1 - still**n) for n, p in laws["decision"].items())
        held = ("fixation", "sample", "delay") if self.strict_fixation else ("fixation",) if self.abort else ()
        survives = math.prod(sum(p * still**n for n, p in laws[name].items()) for name in held)
        return float(survives * responds * hit / (1 - still)) if still < 1 else 0.0


class SpatialSuppressMotionImage(FourDirections):
    """Spatial suppression in pictures: in which of four directions does the plaid move, as people see it?

    Two gratings at right angles drift behind a round aperture with soft edges, so that their sum, a plaid, moves left,
    right, up or down. Its contrast rises at first and falls at the end, along half a Gaussian. At each step the answer
    that is asked for is how people's answers are spread over the four directions had the stimulus ended then: evenly
    at first; for weak motion more and more in its direction, for strong motion in the opposite one before that.

    Channels: `screen` `[height, width]`, luminance. Actions: continuous `[4]`, probabilities of left, right, up and
    down, divided by their sum. A step's score is the share of probability that lies where people's answers lie,
    sum(min(action, target)); performance is its mean.
    Conditions: `direction` (1 left, 2 right, 3 up, 4 down), `contrast` (strong above .5).
    A trial is called correct where the likeliest direction at the end is one that people see most often.

    Example:
        >>> import jax
        >>> import neurojax as nj
        >>> task = nj.make("SpatialSuppressMotionImage-v0", height=32, width=32)
        >>> batch = nj.render(task, jax.random.key(0), 2, contrast=0.99)
        >>> task.channels.split(batch.inputs)["screen"].shape
        (2, 36, 32, 32)
    """

    DEVIATIONS = (
        _window("by default 64 x 64 pixels on a screen 16 cm wide, 57 cm away, 16 degrees as NeuroGym assumes"),
        *DEVIATIONS,
        Deviation(
            what="ramp",
            neurogym="a temporal profile of 37 frames at 120 Hz, whatever the duration and dt: longer trials crash",
            here="the same profile at the defaults, fitted to the duration: half-Gaussian flanks of `ramp` ms",
            reason="NeuroGym's version crashes",
            affects=("observation",),
        ),
        Deviation(
            what="directions",
            neurogym="the signs of the phases are those of PsychoPy's textures",
            here="left is left and up is up",
            reason="the label must follow from what is shown",
            affects=("observation",),
        ),
    )
    PLATEAU = 3.75  # flanks begin so many times `ramp` before the plateau

    frequency: Any = quantity(0.8, units="cycles/degree", above=0, doc="spatial frequency of each grating")
    speed: Any = quantity(4.0, units="degrees/s", low=0, doc="of each grating; the plaid moves sqrt(2) times as fast")
    diameter: Any = quantity(8.0, units="degrees", above=0, doc="of the aperture")
    fringe: Any = quantity(0.2, above=0, high=1, doc="share of the aperture's radius over which contrast falls to 0")
    ramp: Any = quantity(
        13.2, units="ms", above=0, source="repaired", doc="standard deviation of the flanks of contrast in time"
    )
    background: Any = quantity(0.5, low=0, high=1, doc="mean luminance")
    height: int = structure(64, low=1, units="pixels", source="neurojax", doc="height of the picture")
    width: int = structure(64, low=1, units="pixels", source="neurojax", doc="width of the picture")
    screen_cm: float = _cm(16.0, "width of the screen")
    distance_cm: float = _cm(57.0, "from the eye to the screen")

    @property
    def channels(self) -> Channels:
        return _screen(self.height, self.width)

    @property
    def display(self) -> Display:
        """The screen."""
        return Display(self.width, self.height, self.screen_cm, self.distance_cm, self.background)

    def observe(self, trial, state, t):
        display = self.display
        start, end = trial.start["stimulus"], trial.end["stimulus"]
        nearest = jnp.minimum(t - start + 1, end - t).astype(jnp.float32) * np.float32(self.dt)
        short = jnp.maximum(self.PLATEAU - nearest * (1 / jnp.asarray(self.ramp)), 0.0)
        contrast = trial["contrast"] * jnp.exp(-0.5 * short**2)
        # One grating runs up and right, the other up and left; for left, right, up and down these reverse.
        signs = np.asarray([[-1, 1], [1, -1], [1, 1], [-1, -1]], np.float32)
        toward = jnp.asarray(signs)[trial["direction"] - 1]
        drift = (t - start).astype(jnp.float32) * (self.frequency * self.speed * np.float32(self.dt / 1000))
        wave = lambda orientation, sign: grating(
            display, contrast=0.5, frequency=self.frequency, orientation=orientation, phase=sign * drift
        )
        plaid = wave(135.0, toward[0]) + wave(225.0, toward[1])
        window = aperture(display, diameter=self.diameter, fringe=self.fringe)
        (contrast,) = settled(jnp.where(trial.during("stimulus", t), contrast, 0.0))
        return {"screen": display.modulate(contrast * window * plaid)}

    def ideal_scores(self):
        # The first frame does not tell the direction, nor do later ones if gratings step by half a cycle or not at all.
        scores = super().ideal_scores()
        turns = 2 * float(self.frequency) * float(self.speed) * self.dt / 1000
        told = abs(turns - round(turns)) > 1e-6 and float(self.background) > 0
        scores[:, : 1 if told else None] = np.minimum(self.answers()[..., [0, 1, 2, 2]], 0.25).sum(-1)[
            :, : 1 if told else None
        ]
        return scores
