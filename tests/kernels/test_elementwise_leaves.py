"""Special values of activations, binary operators, scale and shift against float64; same element, same bits."""

from itertools import pairwise
from math import inf, nan

import numpy as np
import pytest
from accuracy import FUNCTIONS as ACTIVATIONS
from leaf_harness import ISAS, at_page_end, guarded, run_leaf

from graphflow.kernels import _leaf

SPECIAL = [0.0, -0.0, inf, -inf, nan, 1e-45, -1e-45, 1e-39, 3.4e38, -3.4e38, 88.7, 88.8, -104, -87.4]
SPECIAL = np.array(SPECIAL, np.float32)


def epilogue(act):
    alpha, beta, gamma = ACTIVATIONS[act][0]
    return {"act": _leaf.ACTIVATIONS.index(act), "alpha": alpha, "beta": beta, "gamma": gamma}


def reference(act, x):
    with np.errstate(all="ignore"):
        return ACTIVATIONS[act][1](x.astype(np.float64))


def unary(isa, act, x, ranges=None):
    y, check = guarded(x.shape)
    assert run_leaf(isa, "unary_f32", x.size, ranges=ranges, x=x, y=y, n=x.size, **epilogue(act))[0] == 0
    check()
    return y


def same_bits(first, second):
    nans = np.isnan(first)
    return (nans == np.isnan(second)).all() and (first.view(np.uint32) == second.view(np.uint32))[~nans].all()


def splits(items):
    cuts = sorted({0, items, *(c for c in (1, 2, 7, items // 2, items - 1) if 0 < c < items)})
    return list(pairwise(cuts))[::-1]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_special_values(isa, act):
    x = np.tile(SPECIAL, 5)
    with np.errstate(all="ignore"):
        expected = reference(act, x).astype(np.float32)
    y = unary(isa, act, x)
    assert (np.isnan(y) == np.isnan(expected)).all(), (x, y)
    limits = ~np.isfinite(x) | np.isinf(expected)
    np.testing.assert_array_equal(y[limits], expected[limits])
    np.testing.assert_allclose(y, expected, rtol=2e-6, atol=1e-43)


@pytest.mark.parametrize("isa", ISAS)
def test_pieces_meet_where_the_definitions_say(isa):
    x = np.array([-3, 0, 0.5, 0.9999999, 1, 1.0000001, 2, 5.9999995, 6, 7, inf], np.float32)
    for act in ("relu", "relu_general", "clip", "hard_sigmoid"):
        np.testing.assert_array_equal(unary(isa, act, x), reference(act, x).astype(np.float32))


@pytest.mark.parametrize("isa", ISAS)
def test_tanh_is_odd_and_sigmoid_ends_exactly(isa):
    x = np.linspace(0, 12, 5001, dtype=np.float32)
    assert same_bits(unary(isa, "tanh", -x), -unary(isa, "tanh", x))
    ends = unary(isa, "sigmoid", np.array([-inf, -200, 0, 30, inf], np.float32))
    assert ends.tolist() == [0, 0, 0.5, 1, 1]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_an_element_has_the_same_bits_alone(isa, act):
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.uniform(-12, 12, 131), rng.uniform(-1, 1, 64), SPECIAL]).astype(np.float32)
    together = unary(isa, act, x)
    assert same_bits(together, unary(isa, act, x, ranges=[(i, i + 1) for i in range(x.size)]))
    assert same_bits(together[1:], unary(isa, act, x[1:]))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("act", ["linear", "relu", "tanh", "log"])
@pytest.mark.parametrize("n", [0, 1, 3, 4, 7, 8, 15, 16, 17, 33, 4097])
def test_unary_sizes_in_place_and_unaligned(isa, act, n):
    x = at_page_end(np.random.default_rng(n).uniform(0.5, 3, n + 1).astype(np.float32))[1:]
    y = unary(isa, act, x, ranges=splits(n))
    np.testing.assert_allclose(y, reference(act, x), rtol=1e-6)
    z, check = guarded(n)
    z[...] = x
    run_leaf(isa, "unary_f32", n, x=z, y=z, n=n, **epilogue(act))
    check()
    assert same_bits(y, z)


BINARIES = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
}


def binary(isa, op, a, b, act="linear", block=None, y=None, ranges=None):
    """Broadcast a and b to four dimensions and run the leaf on them; a stride is 0 where an axis is repeated."""
    shape = np.broadcast_shapes(a.shape, b.shape)
    shape = (1,) * (4 - len(shape)) + shape
    fields = {f"n{i}": n for i, n in enumerate(shape)}
    for name, array in (("a", a), ("b", b)):
        strides = np.broadcast_to(array, shape).strides
        fields |= {f"{name}{i}": stride // 4 for i, stride in enumerate(strides)}
    block = block or max(shape[3], 1)
    items = shape[0] * shape[1] * shape[2] * -(-shape[3] // block)
    y, check = guarded(shape) if y is None else (y, lambda: None)
    kind = _leaf.BINARIES.index(op)
    ranges = ranges and ranges(items)
    run_leaf(isa, "binary_f32", items, ranges=ranges, a=a, b=b, y=y, block=block, kind=kind, **fields, **epilogue(act))
    check()
    return y


SHAPES = [
    ((2, 3, 2, 5), (2, 3, 2, 5)),
    ((37,), (37,)),
    ((4, 33), (33,)),
    ((4, 33), (4, 1)),
    ((1, 3, 1, 1), (2, 3, 2, 17)),
    ((2, 1, 4, 3), (1, 5, 1, 3)),
    ((), (19,)),
    ((19,), ()),
    ((0, 4), (4,)),
    ((3, 0), (3, 1)),
    ((2, 5000), (5000,)),
]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("op", BINARIES)
@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_binary_is_exact(isa, op, shapes):
    rng = np.random.default_rng(2)
    a, b = (at_page_end(rng.choice([-3, -2, -1, 1, 2, 5], shape).astype(np.float32)) for shape in shapes)
    for act, block in (("linear", None), ("relu", 4), ("absolute", 16), ("affine", None)):
        expected = reference(act, BINARIES[op](a, b)).astype(np.float32)
        y = binary(isa, op, a, b, act, block)
        np.testing.assert_array_equal(y.reshape(expected.shape), expected)
        assert same_bits(y, binary(isa, op, a, b, act, block, ranges=splits))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("op", BINARIES)
def test_binary_strides_specials_and_in_place(isa, op):
    rng = np.random.default_rng(3)
    whole = rng.standard_normal((3, 40, 5)).astype(np.float32)
    turned, skipping = whole.transpose(0, 2, 1), whole.reshape(3, 5, 40)[:, :, ::2]
    turned = turned[:, :, :20]
    np.testing.assert_array_equal(binary(isa, op, turned, skipping)[0], BINARIES[op](turned, skipping))
    a, b = (side.ravel().copy() for side in np.meshgrid(SPECIAL, SPECIAL))
    with np.errstate(all="ignore"):
        expected = BINARIES[op](a, b)
    np.testing.assert_array_equal(binary(isa, op, a, b).ravel(), expected)
    np.testing.assert_array_equal(binary(isa, op, a, b[3:4]).ravel()[:7], binary(isa, op, a[:7], b[3:4]).ravel())
    binary(isa, op, a, b, y=a)
    np.testing.assert_array_equal(a, expected)


TABLES = [(1, 1, 0), (700, 1, 0), (200, 3, 0), (131, 17, 0), (5, 64, 3), (66, 31, 2), (3, 5000, 0)]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("act", ["linear", "relu", "tanh", "absolute"])
@pytest.mark.parametrize("rows,channels,gap", TABLES)
def test_affine(isa, act, rows, channels, gap):
    rng = np.random.default_rng(4)
    x = at_page_end(rng.integers(-8, 9, (rows, channels + gap)).astype(np.float32) / 4)
    scale, shift = at_page_end(rng.integers(-8, 9, (2, channels)).astype(np.float32) / 2)
    for used_scale, used_shift in ((scale, shift), (scale, None), (None, shift), (None, None)):
        exact = x[:, :channels] * (1 if used_scale is None else scale) + (0 if used_shift is None else shift)
        fields = {"x": x, "scale": used_scale, "shift": used_shift, "rows": rows, "channels": channels}
        fields |= {"ldx": channels + gap, "ldy": channels + gap} | epilogue(act)
        results = []
        for ranges in (None, splits(rows)):
            y, check = guarded((rows, channels + gap))
            run_leaf(isa, "affine_f32", rows, ranges=ranges, y=y, **fields)
            check()
            assert np.isnan(y[:, channels:]).all()
            results.append(y)
        assert same_bits(*results)
        np.testing.assert_allclose(results[0][:, :channels], reference(act, exact), rtol=2e-7 if act == "tanh" else 0)
