"""Depthwise, scattered, local, padding and enlarging leaves against float64, in any ranges the same bits."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from leaf_harness import ISAS, at_page_end, guarded, pack_panels, run_leaf

from graphflow.kernels import _leaf

Array = np.ndarray[Any, Any]
ACTIVATIONS: dict[str, tuple[tuple[float, float, float], Any]] = {
    "linear": ((0.0, 0.0, 0.0), lambda x: x),
    "relu": ((0.0, 0.0, 0.0), lambda x: np.maximum(x, 0.0)),
    "clip": ((-1.5, 2.0, 0.0), lambda x: np.clip(x, -1.5, 2.0)),
    "tanh": ((0.0, 0.0, 0.0), np.tanh),
}


def epilogue(act: str) -> dict[str, Any]:
    alpha, beta, gamma = ACTIVATIONS[act][0]
    return {"act": _leaf.ACTIVATIONS.index(act), "alpha": alpha, "beta": beta, "gamma": gamma}


def normal(rng: np.random.Generator, *shape: int) -> Array:
    return rng.standard_normal(shape).astype(np.float32)


def axes(**sizes: Any) -> dict[str, int]:
    return {
        f"{name}_{axis}": int(size) for name, three in sizes.items() for axis, size in zip("dhw", three, strict=True)
    }


def inside(rng: np.random.Generator, items: int) -> list[tuple[int, int]]:
    """All items in ranges of random lengths, the last range first."""
    cuts = sorted({0, items, *rng.integers(0, items + 1, 3).tolist()})
    return [(first, last) for first, last in pairwise(cuts)][::-1]


def folded(x: Array, w: Array, out: Any, stride: Any, dilation: Any, pad: Any) -> Array:
    """x (batch, d, h, w, c), w (kd, kh, kw, c, m): each channel by itself, (batch, ..., c, m), in float64."""
    y = np.zeros((x.shape[0], *out, *w.shape[3:]))
    for tap in np.ndindex(*w.shape[:3]):
        at = [np.arange(out[i]) * stride[i] - pad[i] + tap[i] * dilation[i] for i in range(3)]
        kept = [np.flatnonzero((at[i] >= 0) & (at[i] < x.shape[1 + i])) for i in range(3)]
        if all(len(one) for one in kept):
            every = range(x.shape[0])
            source = x[np.ix_(every, *(at[i][kept[i]] for i in range(3)))].astype(np.float64)
            y[np.ix_(every, *kept)] += source[..., None] * w[tap]
    return y


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("kernel", [1, 2, 3, 5, 7])
def test_depthwise_sums_the_taps_inside(isa: str, kernel: int) -> None:
    rng = np.random.default_rng(kernel)
    vector = _leaf.TABLES[isa]["vector"]
    for channels in (1, vector - 1, vector, 2 * vector + 3, 5 * vector):
        for _ in range(8):
            multiplier, batch = int(rng.choice([1, 1, 1, 2, 3])), int(rng.integers(1, 3))
            taps = (int(rng.choice([1, 1, 2])), int(rng.choice([1, 3])), kernel)
            stride, dilation = ([1, 1, int(rng.choice([1, 1, 2, 3]))], [1, 1, int(rng.choice([1, 1, 2]))])
            reach = [(k - 1) * d + 1 for k, d in zip(taps, dilation, strict=True)]
            pad = [int(rng.integers(0, one)) for one in reach]
            size = [
                max(int(rng.integers(1, high)), one - 2 * p)
                for high, one, p in zip((3, 6, 31), reach, pad, strict=True)
            ]
            out = [(n + 2 * p - r) // s + 1 for n, p, r, s in zip(size, pad, reach, stride, strict=True)]
            act = str(rng.choice(list(ACTIVATIONS)))
            x, w = normal(rng, batch, *size, channels), normal(rng, *taps, channels, multiplier)
            width, rows = channels * multiplier, batch * out[0] * out[1]
            bias = normal(rng, width) if rng.integers(2) else None
            residual = normal(rng, batch, *out, width) if rng.integers(2) else None
            expected = folded(x, w, out, stride, dilation, pad).reshape(batch, *out, width)
            expected = expected + (0 if bias is None else bias) + (0 if residual is None else residual)
            sizes = {"in": size, "out": out, "kernel": taps, "stride": stride, "dilation": dilation, "pad": pad}
            found = []
            for ranges in (None, inside(rng, rows)):
                y, check = guarded((batch, *out, width))
                run_leaf(
                    isa, "depthwise_f32", rows, 4 * out[2] * channels if multiplier > 1 else 0, ranges,
                    x=at_page_end(x), w=at_page_end(np.swapaxes(w, -1, -2)), y=y, batch=batch, channels=channels,
                    bias=None if bias is None else at_page_end(bias),
                    residual=None if residual is None else at_page_end(residual), multiplier=multiplier,
                    **axes(**sizes), ldx=channels, ldr=width, ldy=width, **epilogue(act),
                )  # fmt: skip
                check()
                found.append(y)
            np.testing.assert_array_equal(found[0], found[1])
            np.testing.assert_allclose(found[0], ACTIVATIONS[act][1](expected), rtol=2e-6, atol=2e-5)


@pytest.mark.parametrize("isa", ISAS)
def test_a_convolution_writes_the_pixels_of_its_phase_and_no_others(isa: str) -> None:
    rng = np.random.default_rng(7)
    tile_n = _leaf.TABLES[isa]["tile_n"]
    for _ in range(80):
        batch, in_c, out_c = (int(rng.integers(1, high)) for high in (3, 7, 2 * tile_n))
        taps = [int(rng.integers(0, 4)) for _ in range(3)]
        size = [int(rng.integers(1, high)) for high in (3, 6, 30)]
        out = [int(rng.integers(1, high)) for high in (3, 6, 30)]
        step = [int(rng.integers(1, 4)) for _ in range(3)]
        full = [(n - 1) * s + 1 + int(rng.integers(0, s)) for n, s in zip(out, step, strict=True)]
        pad = [int(rng.integers(-2, 3)) for _ in range(3)]
        k, pixels = int(np.prod(taps)) * in_c, int(np.prod(out))
        x, w, bias = normal(rng, batch, *size, in_c), normal(rng, *taps, in_c, out_c), normal(rng, out_c)
        residual = normal(rng, batch, *full, out_c) if rng.integers(2) else None
        places = tuple(slice(None, (n - 1) * s + 1, s) for n, s in zip(out, step, strict=True))
        expected = np.zeros((batch, *out, out_c))
        if k:
            per_channel = folded(x, w, out, (1, 1, 1), (1, 1, 1), pad)
            expected = per_channel.sum(-2)
        expected = expected + bias + (0 if residual is None else residual[(slice(None), *places)])
        block = int(rng.choice([1, out[2], pixels]))
        items = batch * -(-pixels // block)
        y, check = guarded((batch, *full, out_c))
        run_leaf(
            isa, "conv_f32", items, 4 * block * k, inside(rng, items),
            x=at_page_end(x), w=at_page_end(pack_panels(w.reshape(k, out_c), isa)), bias=at_page_end(bias),
            residual=None if residual is None else at_page_end(residual), y=y, batch=batch, groups=1, in_c=in_c,
            out_c=out_c, **axes(**{"in": size, "out": out, "kernel": taps, "stride": (1, 1, 1), "dilation": (1, 1, 1)}),
            **axes(pad=pad, step=step, full=full), ldx=in_c, ldr=out_c, ldy=out_c, block_m=block,
            block_n=-(-out_c // tile_n) * tile_n, **epilogue("relu"),
        )  # fmt: skip
        check()
        actual = y[(slice(None), *places)].copy()
        y[(slice(None), *places)] = np.nan
        assert np.isnan(y).all(), "written between the pixels of the phase"
        np.testing.assert_allclose(actual, np.maximum(expected, 0), rtol=2e-6, atol=2e-5)


@pytest.mark.parametrize("isa", ISAS)
def test_local_windows_have_matrices_of_their_own(isa: str) -> None:
    rng = np.random.default_rng(8)
    tile_m, tile_n = _leaf.TABLES[isa]["tile_m"], _leaf.TABLES[isa]["tile_n"]
    for batch in (1, 2, tile_m, tile_m + 1, 2 * tile_m + 3):
        filters, channels = int(rng.choice([1, tile_n, tile_n + 3])), int(rng.integers(1, 6))
        size, taps, stride, pad = (1, 6, 7), (1, 3, 2), (1, 2, 1), (0, 1, 1)
        out = (1, 3, 7)
        k = 6 * channels
        x, w, bias = normal(rng, batch, *size, channels), normal(rng, 21, k, filters), normal(rng, 21, filters)
        padded = np.pad(x[:, 0].astype(np.float64), ((0, 0), (1, 2), (1, 1), (0, 0)))
        expected = np.stack(
            [
                padded[:, 2 * i : 2 * i + 3, j : j + 2].reshape(batch, k) @ w[i * 7 + j] + bias[i * 7 + j]
                for i in range(3)
                for j in range(7)
            ],
            1,
        )
        y, check = guarded((batch, 21, filters))
        run_leaf(
            isa, "local_f32", 21, 4 * tile_m * k, inside(rng, 21), x=at_page_end(x),
            w=at_page_end(np.concatenate([pack_panels(one, isa) for one in w])), bias=at_page_end(bias), residual=None,
            y=y, batch=batch, channels=channels, filters=filters,
            **axes(**{"in": size, "out": out, "kernel": taps, "stride": stride, "pad": pad}), **epilogue("tanh"),
        )  # fmt: skip
        check()
        np.testing.assert_allclose(y, np.tanh(expected), rtol=2e-6, atol=2e-5)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(("dtype", "value"), [("int8", -3), ("float16", 1.5), ("float32", -0.0), ("float64", 2.5)])
def test_a_border_has_its_value_and_the_inside_is_copied(isa: str, dtype: str, value: float) -> None:
    rng = np.random.default_rng(9)
    for _ in range(30):
        shape = tuple(int(rng.integers(0, 5)) for _ in range(3)) + (int(rng.integers(1, 40)),)
        amounts = [(int(rng.integers(0, 3)), int(rng.integers(0, 3))) for _ in range(4)]
        x = rng.integers(-9, 9, shape).astype(dtype)
        expected = np.pad(x, amounts, constant_values=np.asarray(value, dtype))
        bits = np.asarray(value, dtype).tobytes().ljust(8, b"\0")
        rows = int(np.prod(expected.shape[:3]))
        y, check = guarded(expected.shape, fill=77, dtype=dtype)
        fields = {f"n{i}": n for i, n in enumerate(shape)} | {f"m{i}": m for i, m in enumerate(expected.shape)}
        fields |= {f"p{i}": before for i, (before, _) in enumerate(amounts)}
        run_leaf(
            isa, "pad", rows, 0, inside(rng, rows), x=at_page_end(x), y=y, itemsize=x.itemsize,
            value=int.from_bytes(bits, "little", signed=True), **fields,
        )  # fmt: skip
        check()
        assert y.tobytes() == expected.tobytes()


@pytest.mark.parametrize("isa", ISAS)
def test_bilinear_lies_between_the_centres_of_elements(isa: str) -> None:
    rng = np.random.default_rng(10)
    for _ in range(40):
        outer, h, w, inner = (int(rng.integers(1, high)) for high in (3, 6, 6, 40))
        factor_h, factor_w = (int(rng.integers(1, 5)) for _ in range(2))
        x = normal(rng, outer, h, w, inner)
        expected = x.astype(np.float64)
        for axis, factor in ((1, factor_h), (2, factor_w)):
            place = (np.arange(expected.shape[axis] * factor) + 0.5) / factor - 0.5
            flat = np.moveaxis(expected, axis, 0).reshape(expected.shape[axis], -1)
            steps = np.stack([np.interp(place, np.arange(len(flat)), column) for column in flat.T], -1)
            moved = np.moveaxis(expected, axis, 0).shape[1:]
            expected = np.moveaxis(steps.reshape(len(place), *moved), 0, axis)
        y, check = guarded(expected.shape)
        items = outer * h * factor_h
        run_leaf(
            isa, "bilinear_f32", items, 4 * w * inner, inside(rng, items), x=at_page_end(x), y=y, outer=outer, h=h, w=w,
            inner=inner, factor_h=factor_h, factor_w=factor_w,
        )  # fmt: skip
        check()
        np.testing.assert_allclose(y, expected, rtol=0, atol=2e-6)
