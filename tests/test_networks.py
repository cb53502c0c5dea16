import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.extend.core import jaxprs_in_params

from neurojax.core.chance import Chance, key_words
from neurojax.errors import InvalidArgument, UnknownName
from neurojax.networks import GRU, LSTM, LeakyRNN, Network, draw_noise, make_network

KEY = jax.random.key(0)
T, B, D, H, A = 9, 4, 3, 8, 2
KINDS = ["leaky", "gru", "lstm"]


def inputs(seed=0):
    rng = np.random.default_rng(seed)
    return jnp.asarray(rng.normal(size=(T, B, D)), jnp.float32)


def firsts():
    first = np.zeros((T, B), bool)
    first[0] = first[4, 1] = first[6, 2] = True
    return jnp.asarray(first)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first", [None, "flags"])
def test_gradients_equal_plain_autodiff(kind, first):
    network = make_network(kind, D, A, H, KEY)
    graphdef, params = nnx.split(network, nnx.Param)
    first = None if first is None else firsts()
    rng = np.random.default_rng(1)
    errors = jnp.asarray(rng.normal(size=(T, B, A)), jnp.float32)
    carry = jax.tree.map(lambda c: jnp.asarray(rng.normal(size=(B, *c.shape)), jnp.float32), network.initial())
    on_last = jax.tree.map(lambda c: jnp.asarray(rng.normal(size=c.shape), jnp.float32), carry)

    def loss(params, x, carry, plain):
        outputs, hidden, last = nnx.merge(graphdef, params)(x, carry, first, plain=plain)
        ends = sum(jnp.vdot(a, b) for a, b in zip(on_last, last, strict=True))
        return jnp.sum(outputs * errors) + jnp.sum(hidden**2) + ends

    gradient = jax.jit(jax.value_and_grad(loss, (0, 1, 2)), static_argnums=3)
    fast, slow = (gradient(params, inputs(), carry, plain) for plain in (False, True))
    assert np.abs(jax.tree.leaves(slow[1])[0]).max() > 0.01
    for a, b in zip(jax.tree.leaves(fast), jax.tree.leaves(slow), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)
        assert a.dtype == jnp.float32


def products_in_scans(jaxpr, inside=False):
    """Shapes of the matrix products inside scans."""
    found = []
    for eqn in jaxpr.eqns:
        if inside and eqn.primitive.name == "dot_general":
            found.append(eqn.outvars[0].aval.shape)
        for inner in jaxprs_in_params(eqn.params):
            found += products_in_scans(inner, inside or eqn.primitive.name == "scan")
    return found


def test_weight_gradients_leave_the_backward_scan():
    network = make_network("lstm", D, A, H, KEY)
    graphdef, params = nnx.split(network, nnx.Param)

    def products(plain):
        loss = lambda params: jnp.sum(nnx.merge(graphdef, params)(inputs(), plain=plain)[0])
        return products_in_scans(jax.make_jaxpr(jax.grad(loss))(params).jaxpr)

    weights = [(H, 4 * H), (4 * H, H), (D, 4 * H), (4 * H, D)]
    assert any(shape in weights for shape in products(plain=True))
    assert sorted(products(plain=False)) == [(B, H), (B, 4 * H)]  # h @ U forward, errors @ U.T backward


@pytest.mark.parametrize("kind", KINDS)
def test_steps_equal_the_run(kind):
    network = make_network(kind, D, A, H, KEY)
    outputs, hidden, last = network(inputs())
    carry = network.initial()
    for t in range(T):
        out, h, carry = network.step(carry, inputs()[t, 1])
        np.testing.assert_allclose(out, outputs[t, 1], atol=1e-5)
        np.testing.assert_allclose(h, hidden[t, 1], atol=1e-5)
    np.testing.assert_allclose(carry[0], last[0][1], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_first_flags_start_afresh(kind):
    network = make_network(kind, D, A, H, KEY)
    _, hidden, _ = network(inputs(), None, firsts())
    _, fresh, _ = network(inputs()[4:])
    np.testing.assert_allclose(hidden[4:, 1], fresh[:, 1], atol=1e-6)
    assert np.abs(np.asarray(hidden[4:, 0] - fresh[:, 0])).max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_equal_the_whole(kind):
    network = make_network(kind, D, A, H, KEY)
    _, whole, end = network(inputs(), None, firsts())
    _, head, carry = network(inputs()[:5], None, firsts()[:5])
    _, tail, last = network(inputs()[5:], carry, firsts()[5:])
    np.testing.assert_allclose(whole, jnp.concatenate([head, tail]), atol=1e-6)
    np.testing.assert_allclose(end[0], last[0], atol=1e-6)


@pytest.mark.parametrize("name", ["relu", "tanh", "softplus", "sigmoid", "linear"])
def test_leaky_equation_by_hand(name):
    cell = LeakyRNN(D, H, KEY, dt=20, tau=80, nonlinearity=name, recurrent_noise=0.1)
    rng = np.random.default_rng(0)
    h, x, xi = rng.normal(size=H), rng.normal(size=D), rng.normal(size=H)
    z = x @ np.asarray(cell.w[...]) + h @ np.asarray(cell.u[...]) + 0.1 * np.sqrt(2 / 0.25) * xi
    phi = {
        "relu": np.maximum(z, 0),
        "tanh": np.tanh(z),
        "softplus": np.log1p(np.exp(z)),
        "sigmoid": 1 / (1 + np.exp(-z)),
        "linear": z,
    }[name]
    _, got = cell.step((jnp.asarray(h, jnp.float32),), jnp.asarray(x, jnp.float32), jnp.asarray(xi, jnp.float32))
    np.testing.assert_allclose(got, 0.75 * h + 0.25 * phi, atol=1e-5)


def test_noise_has_the_stated_size():
    """Without weights, a linear unit's noise has standard deviation s * sqrt(2 / (2 - a))."""
    cell = LeakyRNN(1, 4, KEY, dt=10, tau=100, nonlinearity="linear", recurrent_noise=0.3)
    cell.u[...] = jnp.zeros((4, 4))
    network = Network(cell, 1, KEY)
    xi = draw_noise(network, key_words(KEY), jnp.arange(512, dtype=jnp.uint32), jnp.arange(100))
    _, hidden, _ = network(jnp.zeros((100, 512, 1)), noise=xi)
    assert np.std(hidden[-1]) == pytest.approx(0.3 * np.sqrt(2 / 1.9), rel=0.04)  # 2048 units: standard error 1.6%


def test_noise_does_not_depend_on_the_batch():
    network = make_network("leaky", D, A, H, KEY, recurrent_noise=0.1)
    words, steps = key_words(KEY), jnp.arange(T)
    whole = draw_noise(network, words, jnp.arange(8, dtype=jnp.uint32), steps)
    part = draw_noise(network, words, jnp.arange(4, 8, dtype=jnp.uint32), steps[2:])
    np.testing.assert_array_equal(whole[2:, 4:], part)
    one = Chance(words, jnp.uint32(5)).at("recurrent noise", 3).normal((H,))
    np.testing.assert_array_equal(whole[3, 5], one)
    assert draw_noise(make_network("gru", D, A, H, KEY), words, jnp.arange(2), steps) is None


def test_gates_start_with_long_time_constants():
    gru = GRU(D, 400, KEY, dt=20, memory=2000)
    keep = 1 / (1 + np.exp(-np.asarray(gru.b[...])[400:800]))
    steps = 1 / (1 - keep)  # bias log(u): 1 / (1 - u / (1 + u)) = 1 + u, u uniform on 1 .. 99
    assert 2 <= steps.min() < 10 and 90 < steps.max() <= 100
    assert np.mean(steps) == pytest.approx(51, abs=6)
    lstm = LSTM(D, 400, KEY, dt=20, memory=0)
    assert not np.any(lstm.b[...])


def test_cells_of_others():
    class Counter(nnx.Module):
        hidden = 1

        def __init__(self):
            self.gain = nnx.Param(jnp.float32(2))

        def initial(self):
            return jnp.zeros(1)

        def step(self, carry, x):
            carry = carry + self.gain[...] * x[..., :1]
            return carry, carry

    ones = jnp.ones((T, B, D))
    _, hidden, _ = Network(Counter(), A, KEY)(ones, None, firsts())
    assert hidden[:, 0, 0].tolist() == [2.0 * (t + 1) for t in range(T)]
    assert hidden[:, 1, 0].tolist() == [2, 4, 6, 8, 2, 4, 6, 8, 10]
    outputs, hidden, _ = Network(nnx.GRUCell(D, H, rngs=nnx.Rngs(0)), A, KEY)(inputs())
    assert outputs.shape == (T, B, A) and hidden.shape == (T, B, H)


def test_forward_mode_passes_through_the_plain_run():
    network = make_network("gru", D, A, H, KEY)
    run = lambda x: network(x, plain=True)[1][-1]
    _, tangent = jax.jvp(run, (inputs(),), (jnp.ones((T, B, D)),))
    small = (run(inputs() + 1e-2) - run(inputs() - 1e-2)) / 2e-2
    np.testing.assert_allclose(tangent, small, atol=1e-2)


def test_weights_depend_on_the_key_alone():
    a, b, c = (make_network("lstm", D, A, H, jax.random.key(k)) for k in (0, 0, 1))
    leaves = lambda n: jax.tree.leaves(nnx.state(n, nnx.Param))
    assert all(np.array_equal(x, y) for x, y in zip(leaves(a), leaves(b), strict=True))
    assert not np.array_equal(a.cell.u[...], c.cell.u[...])
    assert all(x.dtype == np.float32 for x in leaves(a))


def test_bad_arguments():
    with pytest.raises(UnknownName, match=r"unknown network 'gruu'; did you mean 'gru'\?"):
        make_network("gruu", D, A, H, KEY)
    with pytest.raises(UnknownName, match="did you mean 'relu'"):
        LeakyRNN(D, H, KEY, nonlinearity="relus")
    with pytest.raises(InvalidArgument, match="hidden must be a whole number of 1 or more, got 0"):
        GRU(D, 0, KEY)
    with pytest.raises(InvalidArgument, match="dt=200 ms is above tau=100 ms"):
        LeakyRNN(D, H, KEY, dt=200)
    with pytest.raises(InvalidArgument, match="recurrent_noise must be 0 or more, got nan"):
        LeakyRNN(D, H, KEY, recurrent_noise=float("nan"))
    with pytest.raises(InvalidArgument, match="cell must have step"):
        Network(3, A, KEY)
    with pytest.warns(UserWarning, match=r"dt / tau = 0.8 is above .5"):
        LeakyRNN(D, H, KEY, dt=80)
    with pytest.raises(InvalidArgument, match="typed key"):
        GRU(D, H, 0)
