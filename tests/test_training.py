import math
import os
import shutil
import signal
import subprocess
import sys
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import neurojax as nj
from conftest import CORE
from helpers import assert_same_bits, in_fresh_python
from neurojax.core.chance import Chance, key_words
from neurojax.data.render import render_lanes
from neurojax.envs import rollout
from neurojax.errors import DamagedFile, ExistingRun, InvalidArgument, NeurojaxError, UnknownName
from neurojax.files import make_folder, write_atomic
from neurojax.networks import LeakyRNN, Network, make_network
from neurojax.training.config import RunConfig, TrainingConfig, load_config, save_config, setting_names
from neurojax.training.evaluate import default_conditions, evaluate, policy_of
from neurojax.training.runs import load_run, train
from neurojax.training.steps import Hyperparameters, Plan, answers, losses, scheduled, start_training, train_steps

KEY = jax.random.key(3)
SMALL = RunConfig(
    task={"keywords": {"timing": {"fixation": 40, "stimulus": 100, "decision": 40}, "coherences": [51.2]}},
    network={"hidden": 8, "memory": 200},
    training={"updates": 6, "batch_size": 4, "log_every": 2, "checkpoint_every": 3},
)


def weights(network):
    return jax.tree.map(np.asarray, nnx.to_pure_dict(nnx.state(network, nnx.Param)))


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    return train(SMALL, tmp_path_factory.mktemp("whole") / "run")


# ---------------------------------------------------------------------- settings


def test_settings_round_trip(tmp_path):
    timing = {"stimulus": ["uniform", [400, 800]], "delay": [100, 200]}
    config = RunConfig(
        task={"id": "DelayMatchSample-v0", "dt": 50, "keywords": {"timing": {"delay": timing["stimulus"]}}},
        network={"kind": "leaky", "recurrent_noise": 0.1},
        evaluation={"conditions": {"ground_truth": [0, 1]}},
    )
    save_config(config, tmp_path / "run.toml")
    again = load_config(tmp_path / "run.toml")
    assert again == config
    assert repr(again.make_task()) == repr(config.make_task())
    assert load_config(save_config(SMALL, tmp_path / "config.toml").parent) == SMALL  # a run's folder


def test_step_of_time():
    assert RunConfig().make_task().dt == 20
    own = RunConfig(task={"id": "ReadySetGo-v0", "dt": "default"}).make_task()
    assert own.dt == nj.make("ReadySetGo-v0").dt == 80


def test_replace_reaches_every_setting():
    for name in setting_names():
        section, key = name.split(".")
        value = getattr(getattr(SMALL, section), key)
        assert SMALL.replace({name: value}) == SMALL
    assert SMALL.replace({"training.updates": 7, "network.kind": "lstm"}).training.updates == 7


@pytest.mark.parametrize(
    "settings, error, message",
    [
        ({"trainin": {}}, UnknownName, "unknown setting 'trainin' in run; did you mean 'training'?"),
        ({"training": {"update": 1}}, UnknownName, "unknown setting 'update' in training; did you mean 'updates'?"),
        ({"training": {"updates": 0}}, InvalidArgument, "training.updates: .*1, got 0"),
        ({"training": {"updates": "3"}}, InvalidArgument, "training.updates: .*integer, got '3'"),
        ({"training": {"updates": True}}, InvalidArgument, "training.updates: .*integer, got True"),
        ({"training": {"learning_rate": math.nan}}, InvalidArgument, "training.learning_rate: .*got nan"),
        ({"training": {"batch_size": 5, "devices": 2}}, InvalidArgument, "batch_size=5 does not divide"),
        ({"network": {"kind": "gruu"}}, InvalidArgument, "network.kind: .*'gru'.*got 'gruu'"),
        ({"task": {"dt": -1.0}}, InvalidArgument, "task.dt: .*got -1"),
        ({"task": {"keywords": {"dt": 5}}}, InvalidArgument, "dt=5 stands in task.keywords"),
        ({"evaluation": {"conditions": {"coherence": ["x"]}}}, InvalidArgument, "got 'x'"),
    ],
)
def test_bad_settings(settings, error, message):
    with pytest.raises(error, match=message.replace("?", r"\?")) as caught:
        RunConfig(**settings)
    assert "\n" not in str(caught.value)


def test_bad_configuration_files(tmp_path):
    path = tmp_path / "run.toml"
    with pytest.raises(InvalidArgument, match=r"cannot read the configuration .*run.toml: No such file"):
        load_config(path)
    path.write_text("[training\nupdates = 3")
    with pytest.raises(DamagedFile, match=r"the configuration .*run.toml is damaged"):
        load_config(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DamagedFile, match="not UTF-8"):
        load_config(path)
    path.write_text("[training]\nupdate = 3")
    with pytest.raises(UnknownName, match=r"did you mean 'updates'\? \(in .*run.toml\)"):
        load_config(path)
    with pytest.raises(UnknownName, match=r"did you mean 'batch_size'"):
        TrainingConfig(batch_sise=5)
    with pytest.raises(UnknownName, match=r"unknown setting 'training.update'|did you mean 'updates'"):
        SMALL.replace({"training.update": 5})


def test_files_are_whole_or_absent(tmp_path):
    path = write_atomic(tmp_path / "a" / "note.txt", "old")
    write_atomic(path, b"new")
    assert path.read_text() == "new" and [p.name for p in path.parent.iterdir()] == ["note.txt"]
    (tmp_path / "a" / "folder").mkdir()
    with pytest.raises(InvalidArgument, match=r"cannot write .*folder"):
        write_atomic(tmp_path / "a" / "folder", "x")
    with pytest.raises(InvalidArgument, match="cannot write"):
        write_atomic(path / "below a file", "x")
    with pytest.raises(InvalidArgument, match="cannot write to the folder"):
        make_folder(path / "below a file")
    assert sorted(p.name for p in path.parent.iterdir()) == ["folder", "note.txt"]


# ---------------------------------------------------------------------- an update


def test_losses_by_hand():
    discrete, box = nj.make("PerceptualDecisionMaking-v0"), nj.make("ReachingDelayResponse-v0")
    outputs = jnp.asarray([[[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]])
    got = losses(discrete, outputs, jnp.asarray([[2, 1]]))
    np.testing.assert_allclose(got, [[math.log(math.e**-2 + math.e**-1 + 1), math.log(3)]], rtol=1e-6)
    got = losses(box, jnp.asarray([[1.0, 2.0]]), jnp.asarray([[0.0, 4.0]]))
    np.testing.assert_allclose(got, [2.5])


def test_answers_by_hand():
    task = nj.make("PerceptualDecisionMaking-v0")
    # One lane; an answer is due at steps 2 and 5 (step 3 goes on, 6 is a new trial's first, 8 has no weight).
    targets = jnp.asarray([0, 0, 1, 1, 0, 2, 2, 0, 1])[:, None]
    first = jnp.asarray([1, 0, 0, 0, 1, 0, 1, 0, 0], bool)[:, None]
    weight = jnp.asarray([1, 1, 1, 1, 1, 1, 1, 1, 0.0])[:, None]
    said = jnp.asarray([0, 0, 1, 0, 0, 0, 2, 0, 1])
    outputs = jax.nn.one_hot(said, 3)[:, None]
    assert [float(x) for x in answers(task, outputs, targets, weight, first)] == [2, 3]
    assert [float(x) for x in answers(task, outputs, targets, weight)] == [1, 2]


@pytest.mark.parametrize("kind", ["constant", "cosine", "warmup_cosine"])
def test_schedules(kind):
    rates = np.asarray([scheduled(kind, np.int32(n), np.float32(200)) for n in range(201)])
    assert rates.min() >= 0 and rates.max() <= 1
    if kind == "constant":
        assert np.all(rates == 1)
    else:
        assert rates[200] == pytest.approx(0, abs=1e-6) and np.all(np.diff(rates[10:]) <= 0)
        assert rates[0] == (1 if kind == "cosine" else pytest.approx(1 / 11))
    if kind == "cosine":
        np.testing.assert_allclose(rates, optax.cosine_decay_schedule(1.0, 200)(np.arange(201)), atol=1e-6)


def setup(data="trials", batch_size=4, kind="gru", schedule="cosine", **settings):
    task = SMALL.make_task()
    network = make_network(kind, 3, 3, 8, KEY, dt=task.dt, **settings)
    graphdef, _ = nnx.split(network, nnx.Param)
    plan = Plan(graphdef, batch_size, data, 15, schedule)
    hyperparameters = Hyperparameters(*(np.float32(x) for x in (0.02, 0.3, 2.0, 5)))
    return task, network, plan, hyperparameters, start_training(task, KEY, network, plan)


def test_updates_equal_plain_optax():
    task, network, plan, hyperparameters, state = setup()
    got = jax.jit(lambda *args: train_steps(*args, plan=plan))(task, KEY, hyperparameters, state, np.int32(3))
    graphdef, params = nnx.split(network, nnx.Param)
    optimiser = optax.chain(optax.clip_by_global_norm(0.3), optax.adam(optax.cosine_decay_schedule(0.02, 5)))
    adam, total = optimiser.init(params), 0.0

    @jax.jit
    def loss(params, n):
        words = Chance(key_words(KEY), jnp.uint32(0)).at("trials", n).words
        batch = render_lanes(task, words, jnp.arange(4, dtype=jnp.uint32))
        outputs, _, _ = nnx.merge(graphdef, params)(jnp.swapaxes(batch.inputs, 0, 1), plain=True)
        each = optax.softmax_cross_entropy_with_integer_labels(jnp.swapaxes(outputs, 0, 1), batch.targets)
        weights = batch.weights * jnp.where(batch.targets > 0, 2.0, 1.0)
        return jnp.sum(each * weights) / jnp.sum(weights)

    for n in range(3):
        value, gradient = jax.value_and_grad(loss)(params, n)
        assert optax.tree.norm(gradient) > 0.3 or n  # the limit is met at first
        change, adam = optimiser.update(gradient, adam, params)
        params, total = optax.apply_updates(params, change), total + float(value)
    assert float(got.sums.loss) == pytest.approx(total, rel=1e-5)
    for a, b in zip(jax.tree.leaves(got.params), jax.tree.leaves(params), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)
        assert a.dtype == jnp.float32


@pytest.mark.parametrize("data", ["trials", "stream"])
def test_many_updates_in_one_call_or_several(data):
    task, _, plan, hyperparameters, state = setup(data, kind="leaky", recurrent_noise=0.1)
    traces = []

    @jax.jit
    def run(task, hyperparameters, state, n):
        traces.append(1)
        return train_steps(task, KEY, hyperparameters, state, n, plan=plan)

    whole = run(task, hyperparameters, state, np.int32(5))
    parts = run(task, hyperparameters, run(task, hyperparameters, state, np.int32(2)), np.int32(3))
    assert_same_bits(whole, parts)
    assert float(whole.sums.updates) == 5 and float(whole.sums.loss) > 0
    assert float(whole.sums.trials) == (20 if data == "trials" else pytest.approx(4 * 75 / 9, abs=4))
    other = run(task.set(sigma=0.5), hyperparameters.replace(learning_rate=np.float32(0.1)), state, np.int32(5))
    assert len(traces) == 1
    assert not np.array_equal(other.params["w_out"][...], whole.params["w_out"][...])


def test_runs_vmap_over_hyperparameters():
    task, _, plan, hyperparameters, state = setup()
    run = lambda rate: (
        train_steps(task, KEY, hyperparameters.replace(learning_rate=rate), state, jnp.int32(3), plan=plan).params
    )
    rates = jnp.asarray([0.001, 0.05], jnp.float32)
    both, one = jax.jit(jax.vmap(run))(rates), jax.jit(run)
    for i in range(2):
        for a, b in zip(jax.tree.leaves(both), jax.tree.leaves(one(rates[i])), strict=True):
            np.testing.assert_allclose(a[i], b, atol=1e-5)


@pytest.mark.parametrize(
    "id", [id if id in CORE else pytest.param(id, marks=pytest.mark.slow) for id in nj.registered()]
)
def test_every_task_trains(id):
    config = RunConfig(
        task={"id": id, "dt": "default"},
        network={"hidden": 8},
        training={"updates": 2, "batch_size": 4, "log_every": 1},
    )
    result = train(config)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(weights(result.network)))
    assert np.isfinite(result.metrics["loss"]).all()
    before = weights(train_nothing(config))
    assert not np.array_equal(before["w_out"], weights(result.network)["w_out"])


def test_float32_under_x64():
    code = """
import jax
from flax import nnx
from neurojax.training.config import RunConfig
from neurojax.training.runs import train
config = RunConfig(
    network={"kind": "leaky", "hidden": 4, "recurrent_noise": 0.1},
    training={"updates": 2, "batch_size": 2, "data": "stream", "schedule": "warmup_cosine"},
)
network = train(config).network
outputs, hidden, carry = network(jax.numpy.zeros((5, 2, 3), "float32"))
print({str(x.dtype) for x in jax.tree.leaves((nnx.state(network, nnx.Param), outputs, hidden, carry))})
"""
    assert in_fresh_python(code, JAX_ENABLE_X64="1").strip() == "{'float32'}"


def train_nothing(config):
    from neurojax.training.supervised import build

    return build(config, config.make_task())[0]


# ---------------------------------------------------------------------- runs and their folders

KILLED = """
import os, signal, sys
import jax
from neurojax.training.config import load_config
from neurojax.training.runs import train

def progress(now):
    if now.update == 7:
        os.kill(os.getpid(), signal.SIGKILL)

train(load_config(sys.argv[1]), sys.argv[2], progress=progress)
"""


def python(script, *args, devices=1):
    environment = {**os.environ, "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, args)], env=environment, capture_output=True, text=True, timeout=300
    )


def test_a_killed_run_goes_on_bit_for_bit(tmp_path):
    changes = {"training.updates": 12, "training.data": "stream", "training.n_steps": 13, "training.log_every": 1}
    noisy = {"network.kind": "leaky", "network.recurrent_noise": 0.1}
    config = SMALL.replace({**changes, **noisy, "training.checkpoint_every": 5})
    save_config(config, tmp_path / "config.toml")
    killed = python(KILLED, tmp_path / "config.toml", tmp_path / "run", devices=jax.device_count())
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert [p.name for p in (tmp_path / "run" / "checkpoints").iterdir()] == ["000000005"]
    assert load_run(tmp_path / "run").update == 5
    resumed = train(config, tmp_path / "run", resume=True)
    whole = train(config)
    assert_same_bits(weights(resumed.network), weights(whole.network))
    assert_same_bits(weights(load_run(tmp_path / "run").network), weights(whole.network))
    assert resumed.update == 12 and resumed.metrics["update"] == whole.metrics["update"] == list(range(1, 13))
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(resumed.metrics[name], whole.metrics[name], rtol=1e-7)
    assert resumed.metrics["seconds"] == sorted(resumed.metrics["seconds"])


TRAIN = """
import sys
from neurojax.training.config import load_config
from neurojax.training.runs import train
train(load_config(sys.argv[1]), sys.argv[2])
"""


def test_devices_agree_and_a_change_is_announced(tmp_path, uninterrupted):
    config = SMALL.replace({"training.devices": 2})
    save_config(config, tmp_path / "two.toml")
    done = python(TRAIN, tmp_path / "two.toml", tmp_path / "run", devices=2)
    assert done.returncode == 0, done.stderr
    two = load_run(tmp_path / "run")
    assert two.devices == 2
    for a, b in zip(
        jax.tree.leaves(weights(two.network)), jax.tree.leaves(weights(uninterrupted.network)), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-4)
    np.testing.assert_allclose(two.metrics["loss"], uninterrupted.metrics["loss"], rtol=1e-4)
    with pytest.warns(UserWarning, match=r"trained on 2 device\(s\) and goes on with 1"):
        train(SMALL.replace({"training.updates": 7}), tmp_path / "run", resume=True)
    if jax.device_count() == 1:
        with pytest.raises(InvalidArgument, match=r"training.devices=2 but JAX has 1"):
            train(config)


def test_resuming_cuts_metrics_back(tmp_path):
    folder = tmp_path / "run"
    config = SMALL.replace({"training.log_every": 1, "training.checkpoint_every": 2, "training.updates": 5})
    whole = train(config, folder)
    files = sorted(p.name for p in (folder / "checkpoints").iterdir())
    assert files == ["000000004", "000000005"]  # the last two
    (folder / "checkpoints" / "000000005").rename(tmp_path / "away")
    seen = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resumed = train(config, folder, resume=True, progress=seen.append)
    assert [p.update for p in seen] == [4, 5] and seen[0].compiling and not seen[1].compiling
    assert resumed.metrics["update"] == [1, 2, 3, 4, 5]
    assert_same_bits(weights(resumed.network), weights(whole.network))
    lines = (folder / "metrics.csv").read_text().splitlines()
    assert lines[0] == "update,loss,accuracy,seconds" and len(lines) == 6
    again = train(config, folder, resume=True)  # nothing is left to do
    assert_same_bits(weights(again.network), weights(whole.network))
    for change in ({"network.hidden": 9}, {"training.learning_rate": 0.1}, {"task.dt": 10.0}):
        with pytest.raises(InvalidArgument, match=r"cannot be resumed with it"):
            train(config.replace(change), folder, resume=True)


def test_existing_runs(tmp_path, uninterrupted):
    folder = uninterrupted.folder
    before = sorted((p, p.stat().st_mtime_ns) for p in folder.rglob("*"))
    with pytest.raises(ExistingRun, match="holds a run already"):
        train(SMALL, folder)
    with pytest.raises(NeurojaxError):  # settings are checked before anything is deleted
        train(SMALL.replace({"task.id": "Nothing-v0"}), folder, overwrite=True)
    assert before == sorted((p, p.stat().st_mtime_ns) for p in folder.rglob("*"))
    other = tmp_path / "run"
    other.mkdir()
    (other / "mine.txt").write_text("kept")
    (other / "config.toml").write_text("[training]")
    (other / "metrics.csv").write_text("old")
    result = train(SMALL.replace({"training.updates": 1}), other, overwrite=True)
    assert (other / "mine.txt").read_text() == "kept"
    assert load_run(other).metrics["update"] == [1] == result.metrics["update"]


def test_bad_folders(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidArgument, match="cannot write to the folder"):
        train(SMALL, tmp_path / "file")
    with pytest.raises(InvalidArgument, match="holds no run to resume"):
        train(SMALL, tmp_path / "none", resume=True)
    assert not (tmp_path / "none").exists()
    with pytest.raises(InvalidArgument, match="needs out"):
        train(SMALL, resume=True)
    with pytest.raises(InvalidArgument, match="exclude each other"):
        train(SMALL, tmp_path, resume=True, overwrite=True)
    with pytest.raises(InvalidArgument, match="holds no run"):
        load_run(tmp_path)


@pytest.mark.parametrize("harm", ["truncate", "flip", "delete", "nothing", "another", "metrics"])
def test_damaged_runs(tmp_path, uninterrupted, harm):
    folder = tmp_path / "run"
    shutil.copytree(uninterrupted.folder, folder)
    checkpoint = folder / "checkpoints" / "000000006"
    for data in [p for p in checkpoint.rglob("d/*") if p.is_file()]:
        content = bytearray(data.read_bytes())
        if harm == "truncate":
            data.write_bytes(content[: len(content) // 2])
        elif harm == "flip":
            content[len(content) // 2] ^= 0xFF
            data.write_bytes(content)
        elif harm == "delete":
            data.unlink()
    if harm == "nothing":
        shutil.rmtree(folder / "checkpoints")
    elif harm == "another":
        save_config(SMALL.replace({"network.hidden": 9}), folder / "config.toml")
    elif harm == "metrics":
        (folder / "metrics.csv").write_text("update,loss\n1,2,3\n")
    with pytest.raises(DamagedFile, match=r"damaged|holds no checkpoint|another network") as caught:
        load_run(folder)
    assert "\n" not in str(caught.value)
    with pytest.raises(DamagedFile):
        train(load_config(folder), folder, resume=True)


# ---------------------------------------------------------------------- playing


def integrator():
    """A network of one linear unit without leak that sums the evidence, and always chooses by its sign."""
    cell = LeakyRNN(3, 1, KEY, dt=20, tau=100, nonlinearity="linear")
    cell.w[...] = jnp.asarray([[0.0], [1.0], [-1.0]])
    cell.u[...] = jnp.ones((1, 1))
    network = Network(cell, 3, KEY)
    network.w_out[...] = jnp.asarray([[0.0, 1.0, -1.0]])
    network.b_out[...] = jnp.asarray([-1e6, 0.0, 0.0])
    return network


def test_an_integrator_is_ideal():
    task = nj.make("PerceptualDecisionMaking-v0", dt=20, timing={"stimulus": 500})
    grid = {"coherence": [0, 6.4, 25.6], "ground_truth": [0, 1]}
    played = evaluate(task, integrator(), KEY, 4000, grid)
    for cell in played.by("coherence"):
        ideal = 0.5 * (1 + math.erf(cell.conditions["coherence"] / 100 * math.sqrt(500) / 2))
        error = math.sqrt(ideal * (1 - ideal) / cell.trials)
        assert cell.trials == 8000 and abs(cell.accuracy - ideal) < 4 * error
        assert cell.response_rate == 1 and cell.accuracy == cell.accuracy_given_response == cell.performance
        assert cell.response_ms == 620  # the first step of the decision, after 100 + 500 ms
        assert cell.choices[0] == 0 and sum(cell.choices) == 8000
    right, left = (
        next(c for c in played.cells if c.conditions == {"coherence": 25.6, "ground_truth": g}) for g in (0, 1)
    )
    assert right.choices[1] == round(right.accuracy * 4000) and left.choices[2] == round(left.accuracy * 4000)
    average = np.mean([0.5 * (1 + math.erf(c / 100 * math.sqrt(500) / 2)) for c in (0, 6.4, 12.8, 25.6, 51.2)])
    assert abs(played.overall.accuracy - average) < 4 * math.sqrt(average * (1 - average) / 4000)
    assert played.overall.conditions == {}


def test_who_never_answers_misses():
    network = integrator()
    network.b_out[...] = jnp.asarray([1e6, 0.0, 0.0])
    played = evaluate(nj.make("PerceptualDecisionMaking-v0"), network, KEY, 50, {})
    assert played.overall.response_rate == 0 and played.overall.miss_rate == 1 and played.overall.accuracy == 0
    assert math.isnan(played.overall.accuracy_given_response) and math.isnan(played.overall.response_ms)
    assert played.cells == []


def test_a_policy_is_the_network():
    task = nj.make("PerceptualDecisionMaking-v0", dt=20, timing={"stimulus": 100})
    network = make_network("gru", 3, 3, 8, KEY, dt=20)
    network.w_out[...] = 20 * network.w_out[...]
    went = nj.rollout(task, KEY, 4, 40, policy=policy_of(network, task), carry=network.initial()).trajectory
    major = lambda x: jnp.swapaxes(x, 0, 1)
    outputs, _, _ = network(major(went.observations), None, major(went.first))
    np.testing.assert_array_equal(jnp.argmax(outputs, -1), major(went.actions))
    assert len(np.unique(went.actions)) > 1 and int(went.first.sum()) > 8


def test_networks_share_what_was_compiled():
    task = nj.make("PerceptualDecisionMaking-v0", dt=20, timing={"stimulus": 100})
    a, b = (make_network("gru", 3, 3, 8, jax.random.key(k), dt=20) for k in (0, 1))
    evaluate(task, a, KEY, 10, {})
    before = rollout._play._cache_size()
    evaluate(task, b, KEY, 10, {})
    assert rollout._play._cache_size() == before


def test_continuous_actions_stay_within_bounds():
    task = nj.make("ReachingDelayResponse-v0")
    network = make_network("leaky", task.channels.size, task.actions.size, 8, KEY, dt=20, recurrent_noise=0.1)
    network.w_out[...] = 100 * network.w_out[...]
    cell = evaluate(task, network, KEY, 20).overall
    assert cell.trials == 20 and 0 <= cell.performance <= 1 and cell.choices == []


def test_default_conditions():
    known = default_conditions(nj.make("PerceptualDecisionMaking-v0"))
    assert known == {"coherence": [0, 0.8, 1.6, 3.2, 6.4, 12.8], "ground_truth": [0, 1]}
    assert default_conditions(nj.make("ReadySetGo-v0")) == {}


def test_bad_evaluations():
    task, network = nj.make("PerceptualDecisionMaking-v0"), integrator()
    with pytest.raises(UnknownName, match="did you mean 'coherence'"):
        evaluate(task, network, KEY, 10, {"coherense": [1]})
    with pytest.raises(InvalidArgument, match="condition 'coherence' is an empty list"):
        evaluate(task, network, KEY, 10, {"coherence": []})
    with pytest.raises(InvalidArgument, match=r"'ground_truth' must lie in 0 .. 1"):
        evaluate(task, network, KEY, 10, {"ground_truth": [2]})
    with pytest.raises(InvalidArgument, match="trials must be a whole number"):
        evaluate(task, network, KEY, 0)
    with pytest.raises(InvalidArgument, match=r"does not fit DelayMatchSample"):
        evaluate(nj.make("DelayMatchSample-v0", dim_ring=4), network, KEY, 10)


def test_training_learns():
    """An easy task: a strong, short stimulus. Chance is .5 with an answer, and an untrained network hardly answers."""
    keywords = {"timing": {"stimulus": 100}, "coherences": [51.2], "sigma": 0.2}
    config = RunConfig(
        task={"keywords": keywords},
        network={"hidden": 16, "memory": 200},
        training={"updates": 250, "batch_size": 32, "learning_rate": 0.02},
    )
    result = train(config)
    assert result.metrics["loss"][-1] < 0.2 * result.metrics["loss"][0]
    assert result.metrics["accuracy"][-1] > 0.97
    assert evaluate(result.task, result.network, KEY, 500, {}).overall.accuracy > 0.97
