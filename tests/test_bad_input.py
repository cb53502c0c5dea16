"""Bad input is refused before anything is traced, with a line that names the argument, its value and the fix."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import neurojax as nj
from neurojax.errors import InvalidArgument, NeurojaxError, UnknownName

KEY = jax.random.key(0)
PDM = "PerceptualDecisionMaking-v0"
DMS = "DelayMatchSample-v0"
HR = "HierarchicalReasoning-v0"
NAN, INF = float("nan"), float("inf")
NO_END = ("truncated_exponential", (500, 100, INF))


def make(id=PDM, **kwargs):
    return lambda: nj.make(id, **kwargs)


def timing(**laws):
    return make(timing=laws)


def render(id=PDM, key=KEY, batch_size=2, devices=1, **kwargs):
    return lambda: nj.render(nj.make(id), key, batch_size, devices=devices, **kwargs)


def rollout(id=PDM, batch_size=2, n_steps=3, **kwargs):
    return lambda: nj.rollout(nj.make(id), KEY, batch_size, n_steps, devices=1, **kwargs)


UNKNOWN = {
    "an id, misspelt": (
        make("PerceptualDecisionMakin-v0"),
        f"unknown task 'PerceptualDecisionMakin-v0'; did you mean '{PDM}'?",
    ),
    "an id without its version": (make("ReadySetGo"), "unknown task 'ReadySetGo'; did you mean 'ReadySetGo-v0'?"),
    "an id in lower case": (make("readysetgo-v0"), "unknown task 'readysetgo-v0'; did you mean 'ReadySetGo-v0'?"),
    "an id like no other": (make("Xyzzy"), "unknown task 'Xyzzy'; known: AngleReproduction-v0, AnnubesEnv-v0, "),
    "no id": (make(None), "unknown task None; known: "),
    "a tag": (lambda: nj.registered(tag="timeing"), "unknown tag 'timeing'; did you mean 'timing'?"),
    "a keyword": (
        make(coherence=[1]),
        "unknown keyword 'coherence' in PerceptualDecisionMaking; did you mean 'coherences'?",
    ),
    "a period": (
        timing(stimulation=5),
        "unknown period 'stimulation' in timing of PerceptualDecisionMaking; did you mean 'stimulus'?",
    ),
    "a reward": (
        make(rewards={"corect": 1}),
        "unknown reward 'corect' in rewards of PerceptualDecisionMaking; did you mean 'correct'?",
    ),
    "a preset": (make(preset="papr"), "unknown preset 'papr' in PerceptualDecisionMaking; did you mean 'paper'?"),
    "a condition": (
        render(coherences=5),
        "unknown condition 'coherences' in PerceptualDecisionMaking; did you mean 'coherence'?",
    ),
    "a derived condition": (
        render(DMS, test_theta=0),
        "unknown condition 'test_theta' in DelayMatchSample; did you mean",
    ),
    "a keyword of set": (
        lambda: nj.make(PDM).set(sgma=1),
        "unknown keyword 'sgma' in PerceptualDecisionMaking; did you mean 'sigma'?",
    ),
    "a name of the package": (lambda: nj.rendr, "module 'neurojax' has no attribute 'rendr'"),
}

BAD = {
    # --- parameters
    "a string for a number": (make(sigma="loud"), "sigma must be a finite number of 0 or more, got 'loud'"),
    "a bool for a number": (make(sigma=True), "sigma must be a finite number of 0 or more, got True"),
    "None for a number": (make(sigma=None), "sigma must be a finite number of 0 or more, got None"),
    "a list for a number": (make(sigma=[1.0]), "sigma must be a finite number of 0 or more, got [1.0]"),
    "a negative number": (make(sigma=-0.5), "sigma must be a finite number of 0 or more, got -0.5"),
    "NaN": (make(sigma=NAN), "sigma must be a finite number of 0 or more, got nan"),
    "infinity": (make(sigma=INF), "sigma must be a finite number of 0 or more, got inf"),
    "an empty list": (make(coherences=[]), "coherences must be a non-empty list of finite numbers in [0, 100], got []"),
    "a number for a list": (
        make(coherences=5),
        "coherences must be a non-empty list of finite numbers in [0, 100], got 5",
    ),
    "beyond the upper limit": (
        make(coherences=[5, 101]),
        "coherences must be a non-empty list of finite numbers in [0, 100], got [5, 101]",
    ),
    "NaN in a list": (
        make(coherences=[NAN]),
        "coherences must be a non-empty list of finite numbers in [0, 100], got [nan]",
    ),
    "not above an exclusive limit": (make("ReadySetGo-v0", gain=0), "gain must be a finite number above 0, got 0"),
    "a number for a flag": (make(abort=1), "abort must be a bool, got 1"),
    "a float for structure": (make(dim_ring=2.0), "dim_ring must be a whole number of 2 or more, got 2.0"),
    "too little structure": (make(dim_ring=1), "dim_ring must be a whole number of 2 or more, got 1"),
    "a parameter twice": (make(cohs=[1], coherences=[2]), "coherences is given twice (once as 'coherences')"),
    "bounds the wrong way round": (
        make("ReachingDelayResponse-v0", lowbound=1, highbound=0),
        "lowbound must not exceed highbound, got 1 and 0",
    ),
    "blocks the wrong way round": (
        make(HR, block_min=9, block_max=3),
        "block_min must not exceed block_max, got 9 and 3",
    ),
    "half a trial": (make(HR, block_min=2.5), "block_min must be a whole number of trials, got 2.5"),
    "rewards the wrong way round": (
        make("Reaching1D-v0", rewards={"fail": 2}),
        "rewards['fail'] must be below rewards['correct'], got 2 and 1",
    ),
    "rewards in a list": (make(rewards=[1, 0]), "rewards must map names to numbers, got [1, 0]"),
    "a reward that is NaN": (make(rewards={"correct": NAN}), "rewards['correct'] must be a finite number, got nan"),
    "a reward that is a list": (make(rewards={"correct": [1]}), "rewards['correct'] must be a finite number, got [1]"),
    "a task built by hand": (
        lambda: nj.render(type(nj.make(PDM))(), KEY, 2),
        "was not built by PerceptualDecisionMaking.create(...)",
    ),
    # --- dt
    "dt = 0": (make(dt=0), "dt must be a finite number above 0, got 0"),
    "dt below 0": (make(dt=-10), "dt must be a finite number above 0, got -10"),
    "dt = NaN": (make(dt=NAN), "dt must be a finite number above 0, got nan"),
    "dt in words": (make(dt="20"), "dt must be a finite number above 0, got '20'"),
    "a dt at which a period vanishes": (
        make("ReadySetGo-v0", dt=100),
        "83 ms lasts no step at dt=100 ms and would never be shown; use dt <= 83, or 0 to leave it out",
    ),
    "a dt at which one of many durations vanishes": (
        timing(delay=[0, 50, 500]),
        "timing['delay']: 50 ms lasts no step at dt=100 ms",
    ),
    "a dt at which a law's least duration vanishes": (
        timing(stimulus=("uniform", (20, 900))),
        "timing['stimulus']: 20 ms lasts no step at dt=100 ms",
    ),
    # --- timing
    "timing in a list": (make(timing=[100]), "timing must map period names to durations, got [100]"),
    "a negative duration": (timing(stimulus=-1), "timing['stimulus'] must be finite and not negative, got -1 ms"),
    "a negative duration in a list": (
        timing(delay=[100, -5]),
        "timing['delay'] must be finite and not negative, got -5 ms",
    ),
    "a NaN duration": (timing(stimulus=NAN), "timing['stimulus'] must be finite and not negative, got nan ms"),
    "an infinite duration": (timing(stimulus=INF), "timing['stimulus'] must be finite and not negative, got inf ms"),
    "an empty choice": (
        timing(stimulus=[]),
        "timing['stimulus'] is an empty list; a choice needs at least one duration",
    ),
    "an empty named choice": (timing(stimulus=("choice", [])), "timing['stimulus']"),
    "a duration in words": (
        timing(stimulus="long"),
        "timing['stimulus'] must be a duration in ms, a list of them or a law",
    ),
    "no duration": (timing(stimulus=None), "timing['stimulus'] must be a duration in ms, a list of them or a law"),
    "a duration that is a bool": (timing(stimulus=True), "timing['stimulus'] must be a duration in ms"),
    "a callable": (
        timing(stimulus=lambda: 500),
        "timing['stimulus'] is a function, which cannot be compiled; write ('uniform', (low, high))",
    ),
    "a law like no other": (
        timing(stimulus=("unifrom", (1, 2))),
        "timing['stimulus']: unknown law 'unifrom'; did you mean 'uniform'?",
    ),
    "a law short of numbers": (
        timing(stimulus=("uniform", (100,))),
        "timing['stimulus']: the law 'uniform' takes 2 numbers, got 1",
    ),
    "a law of words": (
        timing(stimulus=("uniform", ("a", "b"))),
        "timing['stimulus']: the law 'uniform' takes numbers, got ['a', 'b']",
    ),
    "a uniform law the wrong way round": (
        timing(stimulus=("uniform", (900, 100))),
        "timing['stimulus']: uniform needs low <= high, got 900, 100",
    ),
    "an exponential law without a mean": (
        timing(stimulus=("truncated_exponential", (0, 100, 200))),
        "timing['stimulus']: truncated_exponential needs a mean above 0, got 0",
    ),
    "an exponential law the wrong way round": (
        timing(stimulus=("truncated_exponential", (50, 300, 200))),
        "timing['stimulus']: truncated_exponential needs low <= high, got 300, 200",
    ),
    "a table whose edges fall": (
        timing(stimulus=("table", [100, 200], [0.9, 0.1])),
        "timing['stimulus']: a table's edges must rise to 1 and match its values",
    ),
    "a trial of no length": (
        timing(fixation=0, stimulus=0, decision=0),
        "a trial of PerceptualDecisionMaking lasts no step; give at least one period a positive duration",
    ),
    # --- capacity
    "no upper end and no capacity": (
        timing(stimulus=NO_END),
        "a duration of PerceptualDecisionMaking has no upper end; state capacity, the room for a trial in steps",
    ),
    "a trial longer than its capacity": (
        make(capacity=10),
        "capacity=10 is less than the longest trial of PerceptualDecisionMaking, 22 steps",
    ),
    "a capacity of 0": (make(capacity=0), "capacity must be a whole number of steps above 0, got 0"),
    "a capacity of half a step": (make(capacity=30.5), "capacity must be a whole number of steps above 0, got 30.5"),
    # --- conditions
    "a condition in words": (render(coherence="high"), "condition 'coherence' must be numeric, got 'high'"),
    "a condition of the wrong shape": (
        render(coherence=[1, 2, 3]),
        "condition 'coherence' must be one value or have shape [2], got shape (3,)",
    ),
    "a condition that is NaN": (render(coherence=NAN), "condition 'coherence' must be finite, got nan"),
    "a condition out of range": (render(ground_truth=2), "condition 'ground_truth' must lie in 0 .. 1, got 2"),
    "a condition below its range": (
        render(ground_truth=[0, -1]),
        "condition 'ground_truth' must lie in 0 .. 1, got [0, -1]",
    ),
    "a condition that must be whole": (render(ground_truth=0.5), "condition 'ground_truth' must be whole, got 0.5"),
    "a condition that is remembered": (render(HR, rule=2), "condition 'rule' must lie in 0 .. 1, got 2"),
    "a duration below 0": (render("ReadySetGo-v0", measure=-800), "condition 'measure' must not be negative, got -800"),
    # --- keys
    "a seed for a key": (render(key=0), "key must be a typed key from jax.random.key(seed), got int 0"),
    "a raw key": (render(key=jax.random.PRNGKey(0)), "key must be a typed key from jax.random.key(seed), got"),
    "an array of keys": (
        render(key=jax.random.split(KEY, 3)),
        "key must be one key, got an array of keys of shape (3,)",
    ),
    "a key of another kind": (
        render(key=jax.random.key(0, impl="rbg")),
        "key must be a Threefry key (jax.random.key(seed, impl='threefry2x32'))",
    ),
    # --- batches and devices
    "a batch of none": (render(batch_size=0), "batch_size must be a whole number of 1 or more, got 0"),
    "half a batch": (render(batch_size=2.5), "batch_size must be a whole number of 1 or more, got 2.5"),
    "a batch of True": (render(batch_size=True), "batch_size must be a whole number of 1 or more, got True"),
    "no steps": (rollout(n_steps=0), "n_steps must be a whole number of 1 or more, got 0"),
    "no steps of a stream": (
        lambda: nj.stream(nj.make(PDM), KEY, 2, -1),
        "n_steps must be a whole number of 1 or more, got -1",
    ),
    "more devices than there are": (render(batch_size=4096, devices=4096), "devices=4096 but JAX has"),
    "no devices": (render(devices=0), "devices must be a whole number of 1 or more, got 0"),
    "an id for a task": (
        lambda: nj.render(PDM, KEY, 2),
        f"task must be a task from nj.make or Task.create, got '{PDM}'",
    ),
    # --- policies
    "a policy like no other": (rollout(policy="orcale"), "unknown policy 'orcale'; did you mean 'oracle'?"),
    "an action too many": (rollout(policy=3), "the action must be a whole number in 0 .. 2, got 3"),
    "a continuous action for a discrete one": (
        rollout(policy=1.0),
        "the action must be a whole number in 0 .. 2, got 1.0",
    ),
    "an action of the wrong shape": (
        rollout(policy=[1, 2]),
        "policy must be a name, an action or a function, got [1, 2]",
    ),
    "an action out of bounds": (
        rollout("ReachingDelayResponse-v0", policy=[0.0, 9.0]),
        "the action must lie between (-1.0, -1.0) and (1.0, 2.0), got [0.0, 9.0]",
    ),
    "no policy": (rollout(policy={}), "policy must be a name, an action or a function, got {}"),
    "an output like no other": (rollout(output="all"), "output must be 'trajectory' or 'metrics', got 'all'"),
    # --- what is no task
    "a quantity of no task": (
        lambda: nj.reference_numbers("x"),
        "task must be a task from nj.make or Task.create, got 'x'",
    ),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_unknown_names_suggest_the_nearest(case):
    attempt, said = UNKNOWN[case]
    with pytest.raises((UnknownName, AttributeError)) as caught:
        attempt()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("case", BAD)
def test_bad_values_are_named(case):
    attempt, said = BAD[case]
    with pytest.raises(InvalidArgument) as caught:
        attempt()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_errors_are_those_of_python_too():
    assert issubclass(UnknownName, KeyError)
    assert issubclass(InvalidArgument, ValueError)
    assert issubclass(InvalidArgument, NeurojaxError)


# ---------------------------------------------------------------------- traced values


@pytest.mark.parametrize(
    ("build", "said"),
    [
        (lambda x: nj.make(PDM, sigma=x), "sigma is a traced value; build the task outside of jit and vmap, then use"),
        (
            lambda x: nj.make(PDM, timing={"stimulus": x}),
            "timing['stimulus'] is a traced value; build the task outside",
        ),
        (lambda x: nj.make(PDM, timing={"stimulus": ("uniform", (100, x))}), "timing['stimulus'] is a traced value"),
        (lambda x: nj.make(PDM, rewards={"correct": x}), "rewards['correct'] is a traced value; use task.set"),
        (lambda x: nj.make(PDM, dt=x), "dt is a traced value; build the task outside of jit and vmap"),
        (lambda x: nj.make(PDM).set(sigma=x, dim_ring=3), "dim_ring is structure and cannot change under tracing"),
        (lambda x: nj.make(PDM).set(coherences=jnp.stack([x, x])), "coherences must keep its shape (5,) under tracing"),
        (
            lambda x: nj.make(PDM).set(sigma=x, timing={"stimulus": ("uniform", (1, 2))}),
            "timing['stimulus'] cannot change its kind of law under tracing",
        ),
        (
            lambda x: nj.make(PDM).set(sgma=x),
            "unknown keyword 'sgma' in PerceptualDecisionMaking; did you mean 'sigma'",
        ),
        (lambda x: nj.make(PDM).set(timing={"stimuls": x}), "unknown period 'stimuls' in PerceptualDecisionMaking"),
        (lambda x: nj.make(PDM).set(rewards={"corect": x}), "unknown reward 'corect' in PerceptualDecisionMaking"),
    ],
)
def test_traced_values_are_refused_by_factories_and_checked_by_set(build, said):
    with pytest.raises(InvalidArgument) as caught:
        jax.eval_shape(lambda x: build(x).sigma, jnp.float32(1))
    assert said in str(caught.value)


def test_set_takes_traced_leaves_and_validates_concrete_ones():
    task = nj.make(PDM)
    changed = jax.jit(lambda x: task.set(sigma=x, rewards={"correct": x}, timing={"stimulus": 10 * x}))(jnp.float32(3))
    assert float(changed.sigma) == 3
    assert float(changed.rewards["correct"]) == 3
    assert float(changed.timing["stimulus"].duration) == 30
    with pytest.raises(InvalidArgument, match="sigma must be a finite number of 0 or more, got -1"):
        task.set(sigma=-1)
    assert task.set(timing={"stimulus": 500}).capacity == 7
    assert task.set(dt=50).capacity == 44
    with pytest.raises(InvalidArgument, match="capacity=3 is less than the longest trial"):
        task.set(capacity=3)


def test_numpy_values_are_taken_and_stored_as_float32():
    task = nj.make(PDM, sigma=np.float64(2), coherences=np.array([1, 2]), timing={"stimulus": np.int64(400)})
    assert task.sigma.dtype == task.coherences.dtype == np.float32
    assert task.capacity == 6
    with jax.enable_x64(True):
        wide = nj.make(PDM, sigma=jnp.float64(2))
    assert wide.sigma.dtype == np.float32
