"""Matrix product and convolution leaves against a float64 reference, and their promise: same row, same bits."""

from itertools import pairwise

import numpy as np
import pytest
from leaf_harness import ISAS, at_page_end, guarded, pack_panels, run_leaf

from graphflow.kernels import _leaf
from graphflow.kernels.products import parts_scratch

EPILOGUES = {
    "linear": ((0.0, 0.0, 0.0), lambda x: x),
    "relu": ((0.0, 0.0, 0.0), lambda x: np.maximum(x, 0.0)),
    "clip": ((-1.5, 2.0, 0.0), lambda x: np.clip(x, -1.5, 2.0)),
    "sigmoid": ((0.0, 0.0, 0.0), lambda x: 1.0 / (1.0 + np.exp(-x))),
    "hard_sigmoid": ((1 / 6, 0.5, 0.0), lambda x: np.clip(x / 6 + 0.5, 0.0, 1.0)),
    "tanh": ((0.0, 0.0, 0.0), np.tanh),
    "affine": ((0.5, -3.0, 0.0), lambda x: 0.5 * x - 3.0),
}


def epilogue(act):
    alpha, beta, gamma = EPILOGUES[act][0]
    return {"act": _leaf.ACTIVATIONS.index(act), "alpha": alpha, "beta": beta, "gamma": gamma}


def values(rng, shape, whole):
    return (rng.integers(-4, 5, shape) if whole else rng.standard_normal(shape)).astype(np.float32)


def widened(array, width):
    """The same rows `width` apart, NaN between them, ending exactly with the last row."""
    rows, columns = array.shape
    wide = np.full((rows, width), np.nan, np.float32)
    wide[:, :columns] = array
    return at_page_end(wide.ravel()[: max((rows - 1) * width + columns, 0)])


def spread(rows, columns, ld):
    """A guarded output of `rows` rows `ld` apart, its flat array, and a check that also sees the gaps."""
    flat, check = guarded(max((rows - 1) * ld + columns, 0))
    whole = np.lib.stride_tricks.as_strided(flat, (rows, columns), (4 * ld, 4))

    def check_all():
        check()
        padded = np.concatenate([flat, np.full(ld - columns, np.nan, np.float32)]).reshape(rows, ld)
        assert np.isnan(padded[:, columns:]).all(), "written between rows"

    return flat, whole, check_all


def close(actual, expected, scale, whole):
    assert not np.isnan(actual).any()
    if whole:
        np.testing.assert_array_equal(actual, expected.astype(np.float32))
    else:
        np.testing.assert_array_less(np.abs(actual - expected), 1e-6 * scale + 1e-6)


def gemm(isa, x, w, bias=None, residual=None, act="linear", block=None, pads=(0, 0, 0), ranges=None, block_k=0):
    (m, k), n = x.shape, w.shape[1]
    tile_n = _leaf.TABLES[isa]["tile_n"]
    block_m, block_n = block or (max(m, 1), -(-n // tile_n) * tile_n)
    flat, y, check = spread(m, n, n + pads[2])
    run_leaf(
        isa, "gemm_f32", -(-m // block_m) * -(-n // block_n), parts_scratch(block_m, block_k, k), ranges,
        x=widened(x, k + pads[0]), w=at_page_end(pack_panels(w, isa)),
        bias=None if bias is None else at_page_end(bias),
        residual=None if residual is None else widened(residual, n + pads[1]),
        y=flat, m=m, n=n, k=k, ldx=k + pads[0], ldr=n + pads[1], ldy=n + pads[2],
        block_m=block_m, block_n=block_n, block_k=block_k, **epilogue(act),
    )  # fmt: skip
    check()
    return y


def around(size):
    return [max(size - 1, 1), size, size + 1]


def gemm_problems(isa):
    tile_m, tile_n, vector = (_leaf.TABLES[isa][name] for name in ("tile_m", "tile_n", "vector"))
    rows = [1, 2, 3, *around(tile_m), 2 * tile_m + 2, 5 * tile_m + 1]
    columns = [1, *around(vector), *around(tile_n), 3 * tile_n, 4 * tile_n + vector - 1, 9 * tile_n + 1]
    return [(m, n) for m in rows for n in columns]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("whole", [True, False])
def test_gemm_against_reference(isa, whole):
    rng = np.random.default_rng(1)
    tile_n = _leaf.TABLES[isa]["tile_n"]
    for case, (m, n) in enumerate(gemm_problems(isa)):
        k = [0, 1, 2, 7, 33, 64][rng.integers(6)]
        act = list(EPILOGUES)[case % 3 if whole else case % len(EPILOGUES)]
        x, w = values(rng, (m, k), whole), values(rng, (k, n), whole)
        bias = values(rng, n, whole) if rng.integers(2) else None
        residual = values(rng, (m, n), whole) if rng.integers(2) else None
        block = (int(rng.integers(1, m + 3)), tile_n * int(rng.integers(1, 5)))
        pads = rng.integers(0, 4, 3).tolist()
        y = gemm(isa, x, w, bias, residual, act, block, pads)
        expected = x.astype(np.float64) @ w.astype(np.float64)
        expected = expected + (0 if bias is None else bias) + (0 if residual is None else residual)
        close(y, EPILOGUES[act][1](expected), np.abs(x).astype(np.float64) @ np.abs(w) + 4, whole and act != "clip")


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("k", [1, 40, 95])
def test_rows_copied_a_part_of_k_at_a_time_have_the_same_bits(isa, k):
    rng = np.random.default_rng(4)
    tile_n = _leaf.TABLES[isa]["tile_n"]
    for case, (m, n) in enumerate([(11, 3), (29, tile_n), (31, 3 * tile_n + 5), (47, 513), (12, 1040 + tile_n)]):
        act = list(EPILOGUES)[case]
        x, w, bias, residual = (values(rng, shape, False) for shape in [(m, k), (k, n), (n,), (m, n)])
        whole = gemm(isa, x, w, bias, residual, act)
        for block_k in (1, 16, 33, 95, 200):
            blocks = (int(rng.integers(9, m + 3)), tile_n * int(rng.integers(1, 40)))
            y = gemm(isa, x, w, bias, residual, act, blocks, rng.integers(0, 4, 3).tolist(), block_k=block_k)
            np.testing.assert_array_equal(y, whole)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(
    ("k", "n", "act"), [(37, 150, "relu"), (64, 128, "sigmoid"), (5, 3, "tanh"), (130, 40, "clip")]
)
def test_gemm_row_has_the_same_bits_in_every_batch(isa, k, n, act):
    rng = np.random.default_rng(2)
    tile_n = _leaf.TABLES[isa]["tile_n"]
    x, w, bias, residual = (values(rng, shape, False) for shape in [(40, k), (k, n), (n,), (40, n)])
    x[::9], w[:, 0], bias[0], residual[:, 0] = 0.0, -1.0, -0.0, -0.0
    alone = np.concatenate([gemm(isa, x[i : i + 1], w, bias, residual[i : i + 1], act) for i in range(40)])
    assert len(np.unique(alone)) > n
    for m in range(1, 41):
        start = int(rng.integers(0, 41 - m))
        rows = slice(start, start + m)
        block = None if m % 2 else (int(rng.integers(1, m + 1)), tile_n * int(rng.integers(1, 4)))
        y = gemm(isa, x[rows], w, bias, residual[rows], act, block, pads=(m % 3, m % 5, m % 4))
        np.testing.assert_array_equal(y.view(np.int32), alone[rows].view(np.int32))


@pytest.mark.parametrize("isa", ISAS)
def test_gemm_ranges_in_any_order_give_the_same_bits(isa):
    rng = np.random.default_rng(3)
    tile_n = _leaf.TABLES[isa]["tile_n"]
    x, w = values(rng, (50, 21), False), values(rng, (21, 3 * tile_n + 5), False)
    whole = gemm(isa, x, w, act="relu")
    items = -(-50 // 7) * 2
    cuts = [0, 1, 4, 5, 9, items]
    ranges = list(pairwise(cuts))[::-1]
    y = gemm(isa, x, w, act="relu", block=(7, 2 * tile_n), ranges=ranges)
    np.testing.assert_array_equal(y.view(np.int32), whole.view(np.int32))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("act", ["relu", "clip", "sigmoid"])
def test_gemm_keeps_nan_and_infinity_in_their_row(isa, act):
    rng = np.random.default_rng(4)
    for n in (3, 70):
        x, w = values(rng, (31, 9), False), values(rng, (9, n), False)
        clean = gemm(isa, x, w, act=act)
        x[5, 2], x[17, 0], x[30, 8] = np.nan, np.inf, -np.inf
        y = gemm(isa, x, w, act=act)
        others = np.setdiff1d(np.arange(31), [5, 17, 30])
        np.testing.assert_array_equal(y[others].view(np.int32), clean[others].view(np.int32))
        assert np.isnan(y[5]).all()


@pytest.mark.parametrize("isa", ISAS)
def test_gemm_writes_only_its_items(isa):
    rng = np.random.default_rng(5)
    x, w = values(rng, (20, 6), True), values(rng, (6, 30), True)
    tile_n = _leaf.TABLES[isa]["tile_n"]
    y = gemm(isa, x, w, block=(5, tile_n), ranges=[(0, 1)])
    np.testing.assert_array_equal(y[:5, :tile_n], (x @ w)[:5, :tile_n])
    assert np.isnan(y[5:]).all()
    assert np.isnan(y[:5, tile_n:]).all()


def conv_reference(x, w, stride, dilation, pad, out):
    """x (batch, d, h, w, groups, in_c), w (groups, kd, kh, kw, in_c, out_c) one window element at a time."""
    y = np.zeros((x.shape[0], *out, w.shape[0], w.shape[5]))
    for tap in np.ndindex(*w.shape[1:4]):
        places = [np.arange(out[i]) * stride[i] - pad[i] + tap[i] * dilation[i] for i in range(3)]
        inside = [np.flatnonzero((places[i] >= 0) & (places[i] < x.shape[1 + i])) for i in range(3)]
        if all(len(i) for i in inside):
            source = np.ix_(range(x.shape[0]), *(places[i][inside[i]] for i in range(3)))
            target = np.ix_(range(x.shape[0]), *inside)
            y[target] += np.einsum("bdhwgi,gio->bdhwgo", x[source], w[:, tap[0], tap[1], tap[2]])
    return y


def conv(isa, x, w, stride, dilation, pad, out, block, bias=None, residual=None, act="linear", pads=(0, 0, 0), chunk=0):
    batch, size, groups, (in_c, out_c) = x.shape[0], x.shape[1:4], w.shape[0], w.shape[4:]
    channels, pixels, k = groups * out_c, int(np.prod(out)), int(np.prod(w.shape[1:5]))
    flat, y, check = spread(batch * pixels, channels, channels + pads[2])
    items = batch * groups * -(-pixels // block[0]) * -(-out_c // block[1])
    ranges = [(i, min(i + chunk, items)) for i in range(0, items, chunk)][::-1] if chunk else None
    axes = {}
    for i, axis in enumerate("dhw"):
        axes |= {
            f"in_{axis}": size[i], f"out_{axis}": out[i], f"kernel_{axis}": w.shape[1 + i],
            f"stride_{axis}": stride[i], f"dilation_{axis}": dilation[i], f"pad_{axis}": pad[i],
            f"step_{axis}": 1, f"full_{axis}": out[i],
        }  # fmt: skip
    run_leaf(
        isa, "conv_f32", items, scratch_bytes=4 * block[0] * k, ranges=ranges,
        x=widened(x.reshape(-1, groups * in_c), groups * in_c + pads[0]),
        w=at_page_end(np.concatenate([pack_panels(g.reshape(k, out_c), isa) for g in w])),
        bias=None if bias is None else at_page_end(bias),
        residual=None if residual is None else widened(residual, channels + pads[1]),
        y=flat, batch=batch, groups=groups, in_c=in_c, out_c=out_c, **axes, ldx=groups * in_c + pads[0],
        ldr=channels + pads[1], ldy=channels + pads[2], block_m=block[0], block_n=block[1], **epilogue(act),
    )  # fmt: skip
    check()
    return y


def random_conv(rng, isa, rank, whole):
    """The arguments of `conv` for one random problem: an axis may be dilated, strided, padded unevenly, or tiny."""
    tile_m, tile_n = _leaf.TABLES[isa]["tile_m"], _leaf.TABLES[isa]["tile_n"]
    size, kernel, stride, dilation, pad, out = ([1] * 3 for _ in range(6))
    pad = [0] * 3
    for i in range(3 - rank, 3):
        size[i] = int(rng.integers(1, [0, 100, 40, 9][rank] if i == 2 else 12))
        kernel[i] = int(rng.choice([1, 1, 2, 3, 3, 5]))
        stride[i] = int(rng.choice([1, 1, 2, 3]))
        dilation[i] = int(rng.choice([1, 1, 2, 3]))
        span = (kernel[i] - 1) * dilation[i] + 1
        before, after = (int(rng.integers(0, 2) * rng.integers(0, span + 1)) for _ in range(2))
        after = max(after, span - size[i] - before)
        pad[i], out[i] = before, (size[i] + before + after - span) // stride[i] + 1
    groups, in_c = int(rng.choice([1, 1, 1, 2, 3])), int(rng.choice([1, 2, 3, 5, 16, 20]))
    out_c, batch = int(rng.choice([1, 7, tile_n, tile_n + 3, 3 * tile_n - 1])), int(rng.integers(1, 4))
    pixels = int(np.prod(out))
    return {
        "x": values(rng, (batch, *size, groups, in_c), whole),
        "w": values(rng, (groups, *kernel, in_c, out_c), whole),
        "stride": stride, "dilation": dilation, "pad": pad, "out": out,
        "block": (int(rng.choice([1, out[2], 3 * tile_m, 4 * out[2], pixels])), tile_n * int(rng.integers(1, 4))),
        "bias": values(rng, groups * out_c, whole) if rng.integers(2) else None,
        "residual": values(rng, (batch * pixels, groups * out_c), whole) if rng.integers(2) else None,
        "act": rng.choice(["linear", "relu"] if whole else list(EPILOGUES)),
        "pads": [0, 0, 0] if rng.integers(2) else rng.integers(0, 4, 3).tolist(),
        "chunk": int(rng.integers(0, 4)),
    }  # fmt: skip


def check_conv(isa, problem, whole):
    x, w = problem["x"].astype(np.float64), problem["w"].astype(np.float64)
    geometry = [problem[name] for name in ("stride", "dilation", "pad", "out")]
    y = conv(isa, **problem)
    expected = conv_reference(x, w, *geometry).reshape(y.shape)
    scale = conv_reference(np.abs(x), np.abs(w), *geometry).reshape(y.shape) + 4
    for name in ("bias", "residual"):
        expected = expected + (0 if problem[name] is None else problem[name])
    close(y, EPILOGUES[problem["act"]][1](expected), scale, whole)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_conv_against_reference(isa, rank, whole):
    rng = np.random.default_rng(10 + rank)
    for _ in range(60):
        check_conv(isa, random_conv(rng, isa, rank, whole), whole)


NAMED_CONVS = {
    "stem": ((1, 30, 30), 1, 3, 64, (1, 7, 7), (1, 2, 2), (1, 1, 1), (0, 3, 3), (1, 15, 15)),
    "pointwise": ((1, 9, 11), 1, 24, 40, (1, 1, 1), (1, 1, 1), (1, 1, 1), (0, 0, 0), (1, 9, 11)),
    "pointwise strided": ((1, 33, 33), 1, 8, 40, (1, 1, 1), (1, 2, 2), (1, 1, 1), (0, 0, 0), (1, 17, 17)),
    "pointwise padded": ((1, 4, 20), 1, 8, 33, (1, 1, 1), (1, 1, 1), (1, 1, 1), (0, 1, 1), (1, 6, 22)),
    "causal dilated": ((1, 1, 90), 1, 16, 24, (1, 1, 3), (1, 1, 1), (1, 1, 8), (0, 0, 16), (1, 1, 90)),
    "kernel longer than a row": ((1, 3, 2), 1, 5, 9, (1, 5, 9), (1, 1, 1), (1, 1, 1), (0, 2, 4), (1, 3, 2)),
    "window beyond the image": ((1, 1, 4), 1, 3, 8, (1, 1, 2), (1, 1, 1), (1, 1, 9), (0, 0, 9), (1, 1, 13)),
    "short rows": ((1, 7, 7), 1, 12, 70, (1, 3, 3), (1, 1, 1), (1, 1, 1), (0, 1, 1), (1, 7, 7)),
    "one pixel": ((1, 4, 4), 1, 6, 140, (1, 4, 4), (1, 1, 1), (1, 1, 1), (0, 0, 0), (1, 1, 1)),
    "groups": ((1, 5, 40), 4, 3, 5, (1, 3, 3), (1, 1, 1), (1, 1, 1), (0, 1, 1), (1, 5, 40)),
    "volume": ((6, 7, 20), 1, 4, 33, (3, 3, 3), (2, 1, 1), (1, 2, 1), (1, 2, 1), (3, 7, 20)),
}


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", NAMED_CONVS)
def test_conv_of_a_known_kind(isa, name):
    size, groups, in_c, out_c, kernel, stride, dilation, pad, out = NAMED_CONVS[name]
    rng = np.random.default_rng(6)
    tile_n = _leaf.TABLES[isa]["tile_n"]
    x, w = values(rng, (2, *size, groups, in_c), True), values(rng, (groups, *kernel, in_c, out_c), True)
    problem = {"stride": stride, "dilation": dilation, "pad": pad, "out": out, "act": "relu"}
    for rows in (out[2], int(np.prod(out)), 17):
        block = (rows, tile_n * 2)
        check_conv(isa, {"x": x, "w": w, "block": block, "bias": values(rng, groups * out_c, True), "residual": None}
                   | problem, True)  # fmt: skip


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", NAMED_CONVS)
def test_conv_image_has_the_same_bits_in_every_batch(isa, name):
    size, groups, in_c, out_c, kernel, stride, dilation, pad, out = NAMED_CONVS[name]
    rng = np.random.default_rng(7)
    tile_n = _leaf.TABLES[isa]["tile_n"]
    x, w = values(rng, (5, *size, groups, in_c), False), values(rng, (groups, *kernel, in_c, out_c), False)
    pixels = int(np.prod(out))
    rest = {"stride": stride, "dilation": dilation, "pad": pad, "out": out, "act": "relu"}
    alone = np.concatenate([conv(isa, x[i : i + 1], w, block=(2 * out[2], 4 * tile_n), **rest) for i in range(5)])
    for chunk, panels in ((0, 4), (1, 1), (3, 2)):
        y = conv(isa, x, w, block=(2 * out[2], panels * tile_n), chunk=chunk, **rest)
        np.testing.assert_array_equal(y.view(np.int32), alone.view(np.int32))
    x[1] = np.nan
    y = conv(isa, x, w, block=(2 * out[2], tile_n), **rest).reshape(5, pixels, -1)
    np.testing.assert_array_equal(np.delete(y, 1, 0), np.delete(alone.reshape(y.shape), 1, 0))
