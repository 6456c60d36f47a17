"""Copies, transposes, table look-ups, pooling, reductions and softmax against NumPy, exactly where the data allows."""

from itertools import pairwise, product
from math import inf, nan

import numpy as np
import pytest
from leaf_harness import ISAS, at_page_end, guarded, run_leaf

from graphflow.kernels import _leaf

each_isa = pytest.mark.parametrize("isa", ISAS)


def splits(items):
    cuts = sorted({0, items, *(c for c in (1, 2, 7, items // 2, items - 1) if 0 < c < items)})
    return list(pairwise(cuts))[::-1]


def run_split(isa, leaf, items, shape, dtype=np.float32, **fields):
    """The output of one whole run, after checking that a run in pieces gives the same bytes."""
    outputs = []
    for ranges in (None, splits(items)):
        fill = nan if np.issubdtype(dtype, np.floating) else 91
        y, check = guarded(shape, fill, dtype)
        assert run_leaf(isa, leaf, items, ranges=ranges, y=y, **fields)[0] == 0
        check()
        outputs.append(y)
    np.testing.assert_array_equal(outputs[0].view(np.uint8), outputs[1].view(np.uint8))
    return outputs[0]


@each_isa
@pytest.mark.parametrize("width", [0, 1, 2, 3, 4, 8, 12, 16, 20, 32, 64, 100])
@pytest.mark.parametrize("gaps", [(0, 0), (5, 0), (0, 3), (4, 4)])
def test_copy(isa, width, gaps):
    rows, (gap_x, gap_y) = 9, gaps
    x = at_page_end(np.random.default_rng(width).integers(0, 91, (rows, width + gap_x), np.uint8))
    fields = {"x": x, "rows": rows, "width": width, "ldx": width + gap_x, "ldy": width + gap_y}
    y = run_split(isa, "copy", rows, (rows, width + gap_y), np.uint8, **fields)
    np.testing.assert_array_equal(y[:, :width], x[:, :width])
    assert (y[:, width:] == 91).all()


def transpose(isa, x, order):
    view = x.transpose(order)
    size = x.dtype.itemsize
    shape = (1,) * (6 - x.ndim) + view.shape
    fields = {f"n{i}": n for i, n in enumerate(shape)}
    fields |= {f"s{i}": s for i, s in enumerate((0,) * (6 - x.ndim) + view.strides)}
    items = shape[0] * shape[1] * shape[2] * shape[3]
    y = run_split(isa, "transpose", items, (*view.shape, size), np.uint8, x=x, itemsize=size, **fields)
    return y.view(x.dtype)[..., 0]


@each_isa
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64, np.complex128])
@pytest.mark.parametrize(
    "shape,order",
    [
        ((3, 5), (1, 0)),
        ((16, 16), (1, 0)),
        ((33, 47), (1, 0)),
        ((22, 39), (1, 0)),
        ((1, 64), (1, 0)),
        ((2, 3, 7, 6), (0, 2, 3, 1)),
        ((2, 7, 6, 3), (0, 3, 1, 2)),
        ((2, 18, 4, 17), (0, 2, 1, 3)),
        ((3, 4, 5), (2, 1, 0)),
        ((2, 3, 2, 3, 2, 17), (5, 0, 3, 1, 4, 2)),
        ((2, 3, 4, 20), (0, 1, 2, 3)),
        ((2, 0, 4), (2, 1, 0)),
    ],
)
def test_transpose(isa, dtype, shape, order):
    x = at_page_end(np.random.default_rng(0).integers(1, 250, shape).astype(dtype))
    np.testing.assert_array_equal(transpose(isa, x, order), x.transpose(order))


@each_isa
def test_transpose_repeats_and_skips(isa):
    x = np.arange(80, dtype=np.float32)
    for strides in ((0, 4), (4, 0), (8, 4), (-4, 40), (4, -8)):
        view = np.lib.stride_tricks.as_strided(x[30:], (3, 5), strides)
        fields = dict.fromkeys(("n0", "n1", "n2", "n3"), 1) | dict.fromkeys(("s0", "s1", "s2", "s3"), 0)
        fields |= {"n4": 3, "n5": 5, "s4": strides[0], "s5": strides[1], "itemsize": 4, "x": x[30:]}
        y = run_split(isa, "transpose", 1, (3, 5), **fields)
        np.testing.assert_array_equal(y, view)


def embedding(isa, indices, table, y):
    fields = {"count": len(indices), "vocabulary": len(table), "width": table.shape[1]}
    kind = _leaf.INDEX_KINDS.index(str(indices.dtype))
    return run_leaf(isa, "embedding_f32", len(indices), indices=indices, table=table, y=y, kind=kind, **fields)


@each_isa
@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float32])
@pytest.mark.parametrize("width", [0, 1, 3, 16, 50])
def test_embedding(isa, dtype, width):
    rng = np.random.default_rng(5)
    table = at_page_end(rng.standard_normal((11, width)).astype(np.float32))
    indices = at_page_end(np.concatenate([rng.integers(0, 11, 20), [0, 10]]).astype(dtype))
    y, check = guarded((len(indices), width))
    assert embedding(isa, indices, table, y)[0] == 0
    check()
    np.testing.assert_array_equal(y, table[indices.astype(int)])


BAD_INDICES = [
    (np.int32, -1, "range", -1),
    (np.int32, 11, "range", 11),
    (np.int64, 2**40, "range", 2**40),
    (np.float32, -1.0, "range", -1),
    (np.float32, 1e30, "range", 2**63 - 1),
    (np.float32, -1e30, "range", -(2**63)),
    (np.float32, 2.5, "whole", 2),
    (np.float32, nan, "whole", 0),
    (np.float32, inf, "whole", 2**63 - 1),
]


@each_isa
@pytest.mark.parametrize("dtype,bad,why,value", BAD_INDICES)
def test_embedding_names_the_bad_index(isa, dtype, bad, why, value):
    y, check = guarded((4, 2))
    indices = np.array([3, 0, bad, 99], dtype)
    assert embedding(isa, indices, np.ones((11, 2), np.float32), y) == ({"range": 1, "whole": 2}[why], 2, value)
    check()
    assert np.isnan(y[2:]).all()


def pool_reference(x, kind, kernel, stride, pad, out):
    """Every window by itself; x (batch, d, h, w, channels) in float64."""
    y = np.empty((x.shape[0], *out, x.shape[4]))
    for place in product(*map(range, out)):
        starts = [o * s - p for o, s, p in zip(place, stride, pad, strict=True)]
        window = x[:, *(slice(max(a, 0), max(a + k, 0)) for a, k in zip(starts, kernel, strict=True))]
        y[:, *place] = window.max((1, 2, 3)) if kind == "max" else window.mean((1, 2, 3))
    return y


def pool(isa, x, kind, kernel, stride, pad, out, gap=0, span=None):
    batch, *size, channels = x.shape
    wide = np.full((*x.shape[:4], channels + gap), nan, np.float32)
    wide[..., :channels] = x
    fields = {"batch": batch, "channels": channels, "ldx": channels + gap, "ldy": channels + gap}
    for name, values in (("in", size), ("out", out), ("kernel", kernel), ("stride", stride), ("pad", pad)):
        fields |= {f"{name}_{axis}": value for axis, value in zip("dhw", values, strict=True)}
    fields["span"] = span or out[2]
    items = batch * out[0] * out[1] * -(-out[2] // fields["span"])
    shape = (batch, *out, channels + gap)
    y = run_split(isa, "pool_f32", items, shape, x=at_page_end(wide), kind=_leaf.POOLS.index(kind), **fields)
    assert np.isnan(y[..., channels:]).all()
    return y[..., :channels]


WINDOWS = [  # input, kernel, stride, pad, output
    ((1, 4, 6), (1, 2, 2), (1, 2, 2), (0, 0, 0), (1, 2, 3)),
    ((1, 9, 9), (1, 3, 3), (1, 2, 2), (0, 1, 1), (1, 5, 5)),
    ((1, 7, 8), (1, 3, 3), (1, 2, 2), (0, 0, 0), (1, 4, 4)),
    ((1, 5, 5), (1, 3, 3), (1, 1, 1), (0, 1, 1), (1, 5, 5)),
    ((1, 1, 12), (1, 1, 4), (1, 1, 3), (0, 0, 2), (1, 1, 4)),
    ((1, 7, 7), (1, 7, 7), (1, 7, 7), (0, 0, 0), (1, 1, 1)),
    ((4, 3, 5), (2, 2, 2), (2, 1, 2), (0, 0, 1), (2, 2, 3)),
    ((3, 4, 4), (3, 3, 3), (1, 1, 1), (1, 1, 1), (3, 4, 4)),
    ((1, 3, 9), (1, 2, 1), (1, 1, 2), (0, 0, 0), (1, 2, 5)),
    ((1, 2, 900), (1, 2, 3), (1, 1, 2), (0, 0, 1), (1, 1, 450)),
    ((1, 5, 30), (1, 3, 8), (1, 2, 3), (0, 1, 3), (1, 3, 10)),
    ((3, 4, 9), (3, 3, 3), (1, 1, 2), (1, 0, 0), (3, 2, 4)),
    ((1, 6, 30), (1, 2, 3), (1, 2, 1), (0, 0, 1), (1, 3, 30)),
    ((4, 4, 5), (4, 3, 2), (4, 2, 1), (0, 1, 0), (1, 2, 4)),
    ((1, 3, 25), (1, 2, 9), (1, 1, 4), (0, 0, 0), (1, 2, 5)),
]


@each_isa
@pytest.mark.parametrize("channels,gap", [(1, 0), (1, 2), (3, 0), (8, 0), (15, 0), (17, 3), (40, 0), (127, 0)])
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_pool(isa, channels, gap, window):
    size, *rest = window
    x = np.random.default_rng(6).integers(-9, 10, (2, *size, channels)).astype(np.float32)
    exact = {kind: pool_reference(x.astype(np.float64), kind, *rest) for kind in _leaf.POOLS}
    np.testing.assert_array_equal(pool(isa, x, "max", *rest, gap), exact["max"].astype(np.float32))
    np.testing.assert_array_equal(pool(isa, x, "average", *rest, gap), exact["average"].astype(np.float32))


@each_isa
@pytest.mark.parametrize("channels", [1, 3, 8, 17])
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_parts_of_a_pooled_row_have_the_same_bits(isa, channels, window):
    size, *rest = window
    x = np.random.default_rng(6).standard_normal((2, *size, channels)).astype(np.float32)
    for kind in _leaf.POOLS:
        for span in (1, 2, 7, 64):
            np.testing.assert_array_equal(pool(isa, x, kind, *rest, span=span), pool(isa, x, kind, *rest))


@each_isa
@pytest.mark.parametrize("channels", [1, 3, 20])
def test_pool_keeps_nan_and_infinity_in_their_windows(isa, channels):
    x = np.random.default_rng(7).standard_normal((2, 1, 8, 8, channels)).astype(np.float32)
    x[0, 0, 3, 4, 0], x[1, 0, 0, 0, 0], x[1, 0, 7, 7, 0] = nan, -inf, inf
    for window in ((1, 2, 2), (1, 2, 2), (0, 0, 0), (1, 4, 4)), ((1, 3, 3), (1, 2, 2), (0, 1, 1), (1, 4, 4)):
        for kind in _leaf.POOLS:
            y, exact = pool(isa, x, kind, *window), pool_reference(x, kind, *window)
            np.testing.assert_allclose(y, exact, rtol=1e-6, atol=1e-6)
    alone = np.full_like(x, -inf)
    assert (pool(isa, alone, "max", *window) == -inf).all()


@each_isa
@pytest.mark.parametrize("channels", [3, 127])
@pytest.mark.parametrize("window", [one for one in WINDOWS if max(one[0]) < 10], ids=str)
def test_a_nan_anywhere_reaches_the_maxima_of_its_windows(isa, channels, window):
    size, *rest = window
    places = size[0] * size[1] * size[2]
    x = np.random.default_rng(8).integers(-9, 10, (places, places, channels)).astype(np.float32)
    x[range(places), range(places), np.arange(places) * 5 % channels] = nan
    x = x.reshape(places, *size, channels)
    np.testing.assert_array_equal(pool(isa, x, "max", *rest), pool_reference(x, "max", *rest))


REDUCTIONS = {"sum": np.sum, "mean": np.mean, "max": np.max, "min": np.min}
LENGTHS = [1, 2, 3, 9, 10, 15, 16, 17, 63, 64, 65, 100, 128, 1000]


def reduce(isa, kind, x):
    outer, middle, inner = x.shape
    fields = {"outer": outer, "middle": middle, "inner": inner, "kind": _leaf.REDUCTIONS.index(kind)}
    return run_split(isa, "reduce_f32", outer, (outer, inner), x=at_page_end(x), **fields)


@each_isa
@pytest.mark.parametrize("kind", REDUCTIONS)
@pytest.mark.parametrize("inner", [0, 1, 2, 3, 4, 15, 16, 33, 1500])
def test_reduce(isa, kind, inner):
    rng = np.random.default_rng(8)
    for middle in LENGTHS if inner < 1000 else [1, 9, 30]:
        x = rng.integers(-50, 51, (4, middle, inner)).astype(np.float32)
        exact = REDUCTIONS[kind](x.astype(np.float64), axis=1)
        np.testing.assert_array_equal(reduce(isa, kind, x), exact.astype(np.float32))
        x = rng.standard_normal((4, middle, inner)).astype(np.float32)
        y = reduce(isa, kind, x)
        exact = REDUCTIONS[kind](x.astype(np.float64), axis=1)
        adds = kind in ("sum", "mean")
        assert (abs(y - exact) <= 3e-7 * REDUCTIONS[kind](abs(x), axis=1) * adds).all()


@each_isa
@pytest.mark.parametrize("kind", REDUCTIONS)
@pytest.mark.parametrize("middle,inner", [(200, 1), (7, 1), (50, 3), (50, 20)])
def test_reduce_keeps_nan_in_its_row(isa, kind, middle, inner):
    x = np.random.default_rng(9).standard_normal((5, middle, inner)).astype(np.float32)
    x[1, middle - 1, 0] = x[3, 0, -1] = nan
    x[4, 2, 0] = -inf
    exact = REDUCTIONS[kind](x.astype(np.float64), axis=1)
    np.testing.assert_allclose(reduce(isa, kind, x), exact, rtol=1e-5, atol=1e-5)


def softmax(isa, x, log):
    return run_split(isa, "softmax_f32", len(x), x.shape, x=at_page_end(x), rows=len(x), n=x.shape[1], log=int(log))


def softmax_reference(x, log):
    with np.errstate(all="ignore"):
        shifted = (x - x.max(1, keepdims=True)).astype(np.float64)
        total = np.exp(shifted).sum(1, keepdims=True)
        return shifted - np.log(total) if log else np.exp(shifted) / total


@each_isa
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("n", [1, 2, 7, 10, 16, 17, 64, 100, 1023, 1025, 5000])
def test_softmax(isa, log, n):
    x = (np.random.default_rng(n).standard_normal((9, n)) * 5).astype(np.float32)
    x[0] += 1e4
    x[1, 0] = 300
    x[2, : n // 2] = -inf
    y, exact = softmax(isa, x, log), softmax_reference(x, log)
    np.testing.assert_allclose(y, exact, rtol=1e-6, atol=1e-6 if log else 1e-42)
    if not log:
        np.testing.assert_allclose(y.astype(np.float64).sum(1), 1, rtol=1e-6)
    z, check = guarded(x.shape)
    z[...] = x
    run_leaf(isa, "softmax_f32", 9, x=z, y=z, rows=9, n=n, log=int(log))
    check()
    np.testing.assert_array_equal(z, y)


@each_isa
@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("n", [1, 3, 40])
def test_softmax_of_special_rows(isa, log, n):
    x = np.zeros((6, n), np.float32)
    x[0], x[1, -1], x[2, 0], x[3, 0] = -inf, nan, inf, 3e38
    y = softmax(isa, x, log)
    np.testing.assert_allclose(y, softmax_reference(x, log), rtol=2e-6)
    assert np.isnan(y[:2]).all() and not np.isnan(y[3:]).any()
