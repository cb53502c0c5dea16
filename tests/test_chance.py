"""Addressed draws are those of `jax.random`, and draws at different addresses are independent."""

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from neurojax.core.chance import Chance, _threefry, key_words, path_hash

KEY = jax.random.key(2024)
LANES = 4096


@jax.jit
def addressed(words, lanes, step):
    """Bits, uniforms and normals of lanes `[B]` at one address."""
    at = lambda lane: Chance(words, lane).at("coherence", step)
    draw = lambda lane: (at(lane).bits(), at(lane).uniform(), at(lane).normal())
    return jax.vmap(draw)(lanes)


@pytest.fixture(scope="module")
def drawn():
    return addressed(key_words(KEY), jnp.arange(LANES, dtype=jnp.uint32), jnp.uint32(7))


@pytest.fixture(scope="module")
def grid():
    """Uniforms and normals `[names, steps, lanes, rows]`."""

    @jax.jit
    def draw(words):
        def lane(lane, name, step):
            chance = Chance(words, lane).at(name, step)
            return chance.uniform((3,)), chance.normal((3,))

        over_lanes = jax.vmap(lane, in_axes=(0, None, None))
        over_steps = lambda name: jax.vmap(lambda s: over_lanes(jnp.arange(500, dtype=jnp.uint32), name, s))
        steps = jnp.arange(40, dtype=jnp.int32)
        out = [over_steps(name)(steps) for name in ("noise/stimulus", "noise/fixation")]
        return jax.tree.map(lambda *x: jnp.stack(x), *out)

    return jax.tree.map(np.asarray, draw(key_words(KEY)))


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_cipher_gives_the_published_vectors(key, counter, expected):
    # Known answers of the authors' Random123 library for Threefry-2x32 with 20 rounds.
    with np.errstate(over="ignore"):
        words = _threefry(*(jnp.uint32(w) for w in (*key, *counter)))
    assert tuple(int(w) for w in words) == expected


def test_draws_equal_jax_random_bit_for_bit(drawn):
    @jax.jit
    def bulk(key, step):
        key = jax.random.fold_in(jax.random.fold_in(key, path_hash("coherence")), step)
        return jax.random.bits(key, (LANES,)), jax.random.uniform(key, (LANES,)), jax.random.normal(key, (LANES,))

    for ours, theirs in zip(drawn, bulk(KEY, jnp.uint32(7)), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


def test_rows_are_the_high_word_of_the_counter():
    # Element [row, lane] of an array [rows, 2^32], which jax.random could draw if there were room for it.
    def cipher(words, row, lane):
        data = jnp.stack([jnp.uint32(row), jnp.uint32(lane)])
        high, low = jax.extend.random.threefry_2x32(words, data)
        return high ^ low

    chance = Chance.of(KEY, lane=5).at("dots")
    bits = chance.bits((2, 3)).ravel()
    expected = [int(cipher(chance.words, row, 5)) for row in range(6)]
    assert bits.tolist() == expected


def test_fold_and_key_equal_fold_in():
    chance = Chance.of(KEY, lane=3)
    for number in (0, 1, 2**31, 2**32 - 1):
        folded = jax.random.fold_in(KEY, np.uint32(number))
        np.testing.assert_array_equal(chance.fold(np.uint32(number)).words, jax.random.key_data(folded))
    at = chance.at("policy", 4)
    expected = jax.random.fold_in(jax.random.fold_in(jax.random.fold_in(KEY, path_hash("policy")), 4), 3)
    np.testing.assert_array_equal(jax.random.key_data(at.key()), jax.random.key_data(expected))


def test_an_address_is_all_that_matters(drawn):
    few = jnp.asarray([4095, 17, 17], jnp.uint32)
    for all_, some in zip(drawn, addressed(key_words(KEY), few, jnp.uint32(7)), strict=True):
        np.testing.assert_array_equal(all_[np.asarray(few)], some)
    one = Chance.of(KEY, lane=17).at("coherence", 7)  # eagerly, a lane alone
    assert int(one.bits()) == int(drawn[0][17])
    np.testing.assert_allclose(one.normal(), drawn[2][17], rtol=1e-6)


def test_every_part_of_the_address_matters():
    base = Chance.of(KEY, lane=1).at("coherence", 3)
    others = [
        Chance.of(jax.random.key(1), lane=1).at("coherence", 3),
        Chance.of(KEY, lane=2).at("coherence", 3),
        Chance.of(KEY, lane=1).at("Coherence", 3),
        Chance.of(KEY, lane=1).at("coherence", 4),
        Chance.of(KEY, lane=1).at("coherence"),
    ]
    assert len({int(chance.bits()) for chance in (base, *others)}) == 6
    assert len(set(base.bits((50,)).tolist())) == 50


def test_numbers_have_their_distributions(grid):
    uniform, normal = (x.ravel() for x in grid)
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert stats.kstest(uniform, "uniform").pvalue > 1e-3
    assert stats.kstest(normal, "norm").pvalue > 1e-3
    # The tests can fail: a law wrong by 3% is rejected.
    assert stats.kstest(uniform**1.03, "uniform").pvalue < 1e-4
    assert stats.kstest(normal * 1.03, "norm").pvalue < 1e-4


@pytest.mark.parametrize("axis", ["names", "steps", "lanes", "rows"])
def test_neighbouring_addresses_are_independent(grid, axis):
    uniform = np.moveaxis(grid[0], ["names", "steps", "lanes", "rows"].index(axis), 0)
    a, b = uniform[:-1].ravel(), uniform[1:].ravel()

    def p_value(a, b):
        cells = np.histogram2d(a, b, bins=10, range=[[0, 1], [0, 1]])[0]
        return stats.chisquare(cells.ravel()).pvalue

    assert p_value(a, b) > 1e-3
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(a.size)
    assert p_value(a, np.where(np.arange(a.size) % 10 == 0, a, b)) < 1e-6  # a tenth of them equal is rejected


def test_draws_are_float32_with_64_bits():
    with jax.enable_x64(True):
        bits, uniform, normal = addressed(key_words(KEY), jnp.arange(3, dtype=jnp.uint32), jnp.uint32(0))
    assert (bits.dtype, uniform.dtype, normal.dtype) == (jnp.uint32, jnp.float32, jnp.float32)
