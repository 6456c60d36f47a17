"""The Winograd leaf against float64 and against the direct kernel: values, bits, and where infinities and NaN go."""

import numpy as np
import pytest
from leaf_harness import ISAS, at_page_end, run_leaf
from test_gemm_leaves import EPILOGUES, conv, conv_reference, epilogue, spread, values, widened

from graphflow.kernels import _leaf
from graphflow.kernels.isa import available
from graphflow.kernels.winograd import BOUND_FLOATS, transform_weights

TILES = (2, 4)
TOLERANCE = {2: 2e-6, 4: 1e-5}
"""Largest error, relative to the largest output that pixels and weights of these sizes could make."""


def deep(x, w, pad, out):
    """An image as a volume of one slice; a volume as it is."""
    if x.ndim == 5:
        return x, w, tuple(pad), tuple(out or x.shape[1:4])
    return x[:, None], w[None], (0, *pad), (1, *(out or x.shape[1:3]))


def winograd(
    isa, x, w, tile, pad=(1, 1), out=None, block=(7, 1), chunk=1, bias=None, residual=None, act="linear",
    pads=(0, 0, 0), step=0, slices=1,
):  # fmt: skip
    """x (batch, h, w, in_c) or (batch, d, h, w, in_c); `chunk` in panels, `block` in places and chunks."""
    x, w, pad, out = deep(x, w, pad, out)
    (batch, in_d, height, width, in_c), out_c, taps = x.shape, w.shape[4], w.shape[0]
    chunk *= _leaf.TABLES[isa]["tile_n"]
    block_m, block_n = block[0], block[1] * chunk
    items = -(-batch * -(-out[1] // tile) * -(-out[2] // tile) // block_m) * -(-out[0] // slices) * -(-out_c // block_n)
    lanes = -(-in_c // _leaf.TABLES[isa]["vector"]) * _leaf.TABLES[isa]["vector"]
    extent = slices + taps - 1
    flat, y, check = spread(batch * int(np.prod(out)), out_c, out_c + pads[2])
    packed = transform_weights(w, tile, chunk, available()[isa])
    floats = (tile + 2) ** 2 * (block_m * (extent * lanes + slices * chunk) + 32)
    run_leaf(
        isa, "winograd_f32", items, scratch_bytes=4 * (floats + (9 * taps + 1) * lanes + block_m * extent),
        ranges=[(i, min(i + step, items)) for i in range(0, items, step)][::-1] if step else None,
        x=widened(x.reshape(-1, in_c), in_c + pads[0]), kernel=at_page_end(w), w=at_page_end(packed[BOUND_FLOATS:]),
        bound=at_page_end(packed[:1]), bias=None if bias is None else at_page_end(bias),
        residual=None if residual is None else widened(residual, out_c + pads[1]), y=flat, batch=batch, in_c=in_c,
        out_c=out_c, in_d=in_d, in_h=height, in_w=width, out_d=out[0], out_h=out[1], out_w=out[2], kernel_d=taps,
        pad_d=pad[0], pad_h=pad[1], pad_w=pad[2], ldx=in_c + pads[0], ldr=out_c + pads[1], ldy=out_c + pads[2],
        tile=tile, chunk=chunk, block_d=slices, block_m=block_m, block_n=block_n, **epilogue(act),
    )  # fmt: skip
    check()
    return y


def direct(isa, x, w, pad=(1, 1), out=None, **rest):
    x, w, pad, out = deep(x, w, pad, out)
    block = (int(np.prod(out)), -(-w.shape[-1] // 32) * 32)
    return conv(isa, x[..., None, :], w[None], (1, 1, 1), (1, 1, 1), pad, out, block, **rest)


def reference(x, w, pad, out):
    x, w, pad, out = deep(x.astype(np.float64), w.astype(np.float64), pad, out)
    return conv_reference(x[..., None, :], w[None], (1, 1, 1), (1, 1, 1), pad, out).reshape(-1, w.shape[-1])


def random_problem(rng, isa, whole, rank=2):
    vector, tile_n = (_leaf.TABLES[isa][name] for name in ("vector", "tile_n"))
    batch, size = int(rng.integers(1, 4)), rng.integers(1, 14 if rank == 2 else 9, rank).tolist()
    taps = [int(rng.integers(1, 5)), 3, 3][3 - rank :]
    in_c = int(rng.choice([1, 3, vector - 1, vector, vector + 1, 2 * vector, 40]))
    out_c = int(rng.choice([1, vector - 1, vector + 1, tile_n, tile_n + 3, 3 * tile_n - 1]))
    pad = rng.integers(0, 3, rank).tolist()
    after = [int(rng.integers(0, 3)) + max(0, k - n - p) for k, n, p in zip(taps, size, pad, strict=True)]
    out = [n + p + a - k + 1 for n, p, a, k in zip(size, pad, after, taps, strict=True)]
    rows = batch * int(np.prod(out))
    return {
        "x": values(rng, (batch, *size, in_c), whole), "w": values(rng, (*taps, in_c, out_c), whole),
        "pad": pad, "out": out, "block": (int(rng.choice([1, 2, 5, 14, 40])), int(rng.integers(1, 3))),
        "chunk": int(rng.integers(1, 3)), "bias": values(rng, out_c, whole) if rng.integers(2) else None,
        "residual": values(rng, (rows, out_c), whole) if rng.integers(2) else None,
        "act": rng.choice(["linear", "relu"] if whole else list(EPILOGUES)),
        "pads": [0, 0, 0] if rng.integers(2) else rng.integers(0, 4, 3).tolist(), "step": int(rng.integers(0, 3)),
        "slices": 1 if rank == 2 else int(rng.integers(1, 7)),
    }  # fmt: skip


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("rank", [2, 3])
def test_winograd_against_reference(isa, tile, whole, rank):
    rng = np.random.default_rng(tile)
    for _ in range(80 if rank == 2 else 50):
        problem = random_problem(rng, isa, whole, rank)
        x, w, pad, out = (problem[name] for name in ("x", "w", "pad", "out"))
        expected = reference(x, w, pad, out)
        scale = np.abs(expected).max() + np.abs(x).max() * np.abs(w).sum(tuple(range(rank + 1))).max() + 4
        for name in ("bias", "residual"):
            expected = expected + (0 if problem[name] is None else problem[name])
        expected = EPILOGUES[problem["act"]][1](expected)
        y = winograd(isa, tile=tile, **problem)
        assert not np.isnan(y).any()
        if whole and tile == 2:
            np.testing.assert_array_equal(y, expected.astype(np.float32))
        else:
            np.testing.assert_array_less(np.abs(y - expected), TOLERANCE[tile] * scale)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("size", range(1, 14))
def test_winograd_of_every_size(isa, tile, size):
    rng = np.random.default_rng(size)
    x, w = values(rng, (2, size, 14 - size, 5), False), values(rng, (3, 3, 5, 9), False)
    y = winograd(isa, x, w, tile)
    np.testing.assert_allclose(y, reference(x, w, (1, 1), x.shape[1:3]), atol=1e-3)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("act", ["relu", "tanh"])
def test_winograd_image_has_the_same_bits_in_every_batch_block_and_range(isa, tile, act):
    rng = np.random.default_rng(20)
    tile_n = _leaf.TABLES[isa]["tile_n"]
    x, w = values(rng, (5, 9, 6, 19), False), values(rng, (3, 3, 19, 4 * tile_n + 3), False)
    x[1], x[3, 4, 2, 7] = np.nan, np.inf
    residual, bias = values(rng, (5, 9 * 6, w.shape[3]), False), values(rng, w.shape[3], False)
    alone = np.concatenate(
        [winograd(isa, x[i : i + 1], w, tile, residual=residual[i], bias=bias, act=act) for i in range(5)]
    )
    assert np.isfinite(alone).mean() > 0.5
    for blocks, panels, step, chunk in [(1, 1, 0, 5), (14, 1, 1, 1), (33, 2, 2, 1), (200, 3, 0, 1), (5, 1, 3, 2)]:
        y = winograd(
            isa, x, w, tile, residual=residual.reshape(alone.shape), bias=bias, act=act, block=(blocks, panels),
            step=step, chunk=chunk,
        )  # fmt: skip
        np.testing.assert_array_equal(y.view(np.int32), alone.view(np.int32))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("act", ["relu", "tanh"])
def test_winograd_volume_has_the_same_bits_in_every_batch_block_and_range(isa, tile, act):
    rng = np.random.default_rng(24)
    tile_n = _leaf.TABLES[isa]["tile_n"]
    x, w = values(rng, (4, 6, 7, 5, 19), False), values(rng, (3, 3, 3, 19, 2 * tile_n + 3), False)
    x[1], x[3, 4, 2, 4, 7] = np.nan, np.inf
    residual, bias = values(rng, (4, 6 * 7 * 5, w.shape[4]), False), values(rng, w.shape[4], False)
    alone = np.concatenate(
        [winograd(isa, x[i : i + 1], w, tile, (1, 1, 1), residual=residual[i], bias=bias, act=act) for i in range(4)]
    )
    assert np.isfinite(alone).mean() > 0.5
    for block, step, chunk, slices in [((1, 1), 0, 3, 6), ((3, 1), 1, 1, 2), ((33, 2), 2, 1, 4), ((5, 1), 3, 2, 9)]:
        y = winograd(
            isa, x, w, tile, (1, 1, 1), residual=residual.reshape(alone.shape), bias=bias, act=act, block=block,
            step=step, chunk=chunk, slices=slices,
        )  # fmt: skip
        np.testing.assert_array_equal(y.view(np.int32), alone.view(np.int32))


def put(x, rng, *numbers):
    x.ravel()[rng.choice(x.size, len(numbers), replace=False)] = numbers
    return x


HARD_INPUTS = {
    "NaN": lambda x, rng: put(x, rng, np.nan),
    "infinities": lambda x, rng: put(x, rng, np.inf, -np.inf, np.inf),
    "both": lambda x, rng: put(x, rng, np.nan, -np.inf),
    "the largest": lambda x, rng: put(x, rng, 3.4e38, -3.4e38, 3.4e38, 3.3e38),
    "large": lambda x, rng: put(x, rng, 1e36, -1e35, 1e34, 1e33, 1e32),
    "all large": lambda x, rng: x * np.float32(2e37),
    "nearly too large": lambda x, rng: x * np.float32(1e33),
}


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("name", HARD_INPUTS)
@pytest.mark.parametrize("act", ["linear", "relu", "tanh"])
def test_infinity_and_nan_go_where_the_direct_kernel_puts_them(isa, tile, name, act):
    rng = np.random.default_rng(21)
    for size, pad, out in [
        ((8, 8), (1, 1), None), ((9, 17), (1, 1), None), ((11, 6), (0, 2), (9, 8)),
        ((5, 9, 17), (1, 1, 1), None), ((3, 6, 11), (2, 0, 1), (4, 4, 11)),
    ]:  # fmt: skip
        x = HARD_INPUTS[name](values(rng, (2, *size, 18), False), rng)
        w, bias = values(rng, (3,) * len(size) + (18, 35), False), values(rng, 35, False)
        y = winograd(isa, x, w, tile, pad, out, bias=bias, act=act, slices=len(size))
        expected = direct(isa, x, w, pad, out, bias=bias, act=act)
        finite = np.isfinite(expected)
        np.testing.assert_array_equal(np.where(finite, 0, y), np.where(finite, 0, expected))
        assert np.isfinite(y[finite]).all()
        error = np.abs(y[finite] - expected[finite])
        assert (error <= 1e-4 * np.maximum(np.abs(expected[finite]), 1) + 1e-5 * np.abs(y[finite]).max()).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, 3e38, 1e30])
def test_weights_that_are_not_finite_or_too_large_give_the_direct_kernel_s_bits(isa, tile, bad):
    rng = np.random.default_rng(22)
    x, w = values(rng, (2, 9, 17, 5), False), values(rng, (3, 3, 5, 35), False)
    w[0, 2, 3, 4] = w[1, 1, 2, 33] = bad
    if bad == 1e30:
        x[0] *= np.float32(1e9)
        x[1] *= np.float32(1e7)
    volume = x[:, :, None].reshape(2, 3, 3, 17, 5)
    cases = [((x, w), (1, 1), None), ((volume, np.stack([w, w[::-1]])), (1, 1, 1), (4, 3, 17))]
    for given, pad, out in cases:
        y, expected = winograd(isa, *given, tile, pad, out), direct(isa, *given, pad, out)
        np.testing.assert_array_equal(np.isfinite(y), np.isfinite(expected))
        if bad != 1e30:
            np.testing.assert_array_equal(y.view(np.int32), expected.view(np.int32))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("tile", TILES)
def test_adversarial_ranges_keep_the_error_below_the_largest_pixel(isa, tile):
    rng = np.random.default_rng(23)
    w = values(rng, (3, 3, 20, 18), False)
    noise = values(rng, (1, 12, 12, 20), False)
    spans = np.float32(10) ** rng.integers(-12, 5, noise.shape).astype(np.float32)
    for x in (noise + np.float32(1000), noise * spans, noise * np.float32(1e-40), noise * np.float32(1e-30)):
        y, expected = winograd(isa, x, w, tile), reference(x, w, (1, 1), (12, 12))
        scale = np.abs(x).max() * np.abs(w).sum((0, 1, 2)).max()
        assert np.abs(y - expected).max() <= TOLERANCE[tile] * scale + 2e-42
