"""Images read at computed places, put together from blocks, and spectra."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np

from graphflow.errors import ArgumentError, ShapeError
from graphflow.ops.dispatch import apply
from graphflow.ops.operands import as_axis, as_operand, floating, pair, shape_of
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec, format_shape

MODES = ("nearest", "linear", "cubic")
BORDERS = ("zeros", "border", "reflection")


def _infer_grid(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x, grid = specs
    if grid.rank != x.rank or grid.shape[-1] not in (None, x.rank - 2):
        raise ShapeError(f"A grid {format_shape(grid.shape)} has no places in {format_shape(x.shape)}.")
    return (x.with_shape((*x.shape[:2], *grid.shape[1:-1])),)


def _reflected(at: Array, low: float, high: float) -> Array:
    """Places between two borders, folded back as often as needed."""
    length = high - low
    if length <= 0:
        return np.full_like(at, low)
    folded = np.mod(at - low, 2 * length)
    return low + np.where(folded > length, 2 * length - folded, folded)


def _inside(index: Array, size: int, border: str, aligned: bool) -> tuple[Array, Array]:
    """Indices that exist, and whether they did."""
    valid = (index >= 0) & (index <= size - 1)
    if border == "reflection":
        index = _reflected(index, 0, size - 1) if aligned else _reflected(index, -0.5, size - 0.5)
    return np.clip(np.rint(index), 0, size - 1).astype(np.int64), valid


def _cubic_weights(ratio: Array) -> Array:
    a = -0.75
    steps = np.abs(np.arange(-1, 3) - ratio[..., None])
    near = ((a + 2) * steps - (a + 3)) * steps * steps + 1
    far = ((a * steps - 5 * a) * steps + 8 * a) * steps - 4 * a
    return np.where(steps <= 1, near, far)


def _grid_reference(attrs: Attrs, x: Array, grid: Array) -> Array:
    mode, border, aligned = attrs["mode"], attrs["border"], attrs["aligned"]
    rows: list[list[tuple[Array, Array]]] = []
    for axis, size in enumerate(x.shape[2:]):
        at = np.nan_to_num(grid[..., grid.shape[-1] - 1 - axis].reshape(len(x), -1).astype(np.float64))
        at = (at + 1) / 2 * (size - 1) if aligned else ((at + 1) * size - 1) / 2
        if border == "border" and mode != "cubic":
            at = np.clip(at, 0, size - 1)
        elif border == "reflection":
            at = _reflected(at, 0, size - 1) if aligned else _reflected(at, -0.5, size - 0.5)
        at = np.clip(at, -(2.0**31), 2.0**31)
        left = np.floor(at)
        if mode == "nearest":
            taps = [(np.rint(at), np.ones_like(at))]
        elif mode == "linear":
            taps = [(left, 1 - (at - left)), (left + 1, at - left)]
        else:
            weights = _cubic_weights(at - left)
            taps = [(left + step - 1, weights[..., step]) for step in range(4)]
        found = []
        for index, weight in taps:
            place, valid = _inside(index, size, border, aligned)
            found.append((place, np.where(valid, weight, 0) if border == "zeros" else weight))
        rows.append(found)
    last = np.moveaxis(x, 1, -1)
    batch = np.arange(len(x))[:, None]
    total = np.zeros((len(x), rows[0][0][0].shape[1], x.shape[1]), np.float64)
    for chosen in product(*rows):
        weight = math.prod(one for _, one in chosen)  # type: ignore[misc]
        total += last[(batch, *(place for place, _ in chosen))] * np.asarray(weight)[..., None]
    return np.ascontiguousarray(np.moveaxis(total.reshape(len(x), *grid.shape[1:-1], -1), -1, 1)).astype(x.dtype)


GRID_SAMPLE = define("grid_sample", _infer_grid, _grid_reference, tolerance=4e-6)


def grid_sample(x: Any, grid: Any, mode: str = "linear", border: str = "zeros", aligned: bool = False) -> Any:
    """x (batch, channels, ...) at the places (batch, ..., axes) of a grid, from -1 to 1, the last axis of x first.

    Args:
        mode: "nearest", "linear" or "cubic".
        border: what lies outside: "zeros", the "border", or a "reflection".
        aligned: whether -1 and 1 are the centres of the outermost elements, or their edges.

    Source: Jaderberg et al., 2015; https://onnx.ai/onnx/operators/onnx__GridSample.html
    """
    if mode not in MODES or border not in BORDERS:
        raise ArgumentError(f"Expected one of {', '.join(MODES)} and {', '.join(BORDERS)}, received {mode}, {border}.")
    return apply(GRID_SAMPLE, pair(x, grid), {"mode": mode, "border": border, "aligned": bool(aligned)})


def _infer_blocks(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    batch, rows, _ = specs[0].shape
    taps = math.prod(attrs["block"])
    if rows is not None and rows % taps:
        raise ShapeError(f"{rows} rows are no blocks of {taps} elements.")
    return (specs[0].with_shape((batch, None if rows is None else rows // taps, *attrs["image"])),)


def _blocks_reference(attrs: Attrs, x: Array) -> Array:
    image, block = attrs["image"], attrs["block"]
    steps = list(zip(attrs["strides"], attrs["dilation"], attrs["padding"], strict=True))
    counts = [(n + a + b - (k - 1) * d - 1) // s + 1 for n, k, (s, d, (a, b)) in zip(image, block, steps, strict=True)]
    channels = x.shape[1] // math.prod(block)
    parts = x.reshape(len(x), channels, *block, *counts)
    whole = np.zeros((len(x), channels, *(n + a + b for n, (_, _, (a, b)) in zip(image, steps, strict=True))), x.dtype)
    for tap in product(*(range(k) for k in block)):
        places = (slice(t * d, t * d + (c - 1) * s + 1, s) for t, c, (s, d, _) in zip(tap, counts, steps, strict=True))
        into: tuple[Any, ...] = (slice(None), slice(None), *places)
        taken: tuple[Any, ...] = (slice(None), slice(None), *tap)
        whole[into] += parts[taken]
    kept = (slice(a, a + n) for n, (_, _, (a, _)) in zip(image, steps, strict=True))
    return np.ascontiguousarray(whole[(slice(None), slice(None), *kept)])


FOLD = define("fold_blocks", _infer_blocks, _blocks_reference, tolerance=4e-6)


def fold_blocks(x: Any, image: Any, block: Any, strides: Any, dilation: Any, padding: Any) -> Any:
    """Columns (batch, channels * block, blocks) as images (batch, channels, ...), added where blocks overlap."""
    attrs = {"image": tuple(image), "block": tuple(block), "strides": tuple(strides), "dilation": tuple(dilation)}
    return apply(FOLD, (as_operand(x),), {**attrs, "padding": tuple(tuple(edges) for edges in padding)})


def _infer_dft(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x, axis, length = specs[0], attrs["axis"], attrs["length"]
    if x.rank < 2 or x.shape[-1] not in (1, 2):
        raise ShapeError(f"A spectrum is made of real or complex numbers, (..., 1 or 2), not {format_shape(x.shape)}.")
    size = x.shape[axis] if length is None else length
    if attrs["onesided"] and attrs["inverse"]:
        size = 2 * (size - 1) if length is None and size is not None else size
    elif attrs["onesided"] and size is not None:
        size = size // 2 + 1
    parts = 1 if attrs["onesided"] and attrs["inverse"] else 2
    return (x.with_shape((*x.shape[:axis], size, *x.shape[axis + 1 : -1], parts)),)


def _dft_reference(attrs: Attrs, x: Array) -> Array:
    values = x[..., 0] + 1j * x[..., 1] if x.shape[-1] == 2 else x[..., 0]
    if attrs["inverse"] and attrs["onesided"]:
        return np.fft.irfft(values, attrs["length"], attrs["axis"])[..., None].astype(x.dtype)
    transform = np.fft.ifft if attrs["inverse"] else np.fft.rfft if attrs["onesided"] else np.fft.fft
    made = transform(values.real if transform is np.fft.rfft else values, attrs["length"], attrs["axis"])
    return np.stack([made.real, made.imag], -1).astype(x.dtype)


DFT = define("dft", _infer_dft, _dft_reference, tolerance=1e-5)


def dft(x: Any, axis: int, length: int | None = None, inverse: bool = False, onesided: bool = False) -> Any:
    """The discrete Fourier transform of real (..., 1) or complex (..., 2) numbers, as complex ones.

    Args:
        length: of the axis, which is cut or filled with zeros.
        onesided: only the first half of the spectrum of real numbers; with `inverse`, from that half to real numbers.
    """
    x = floating(x)
    attrs = {"axis": as_axis(axis, len(shape_of(x)) - 1), "length": length}
    return apply(DFT, (x,), {**attrs, "inverse": bool(inverse), "onesided": bool(onesided)})
