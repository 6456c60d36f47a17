"""Kernels that move elements: slices, borders, repetition; and linear steps between elements."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphflow.kernels.layout import Call, KernelDef, Layout, Ref, Step, dimension, not_float32, operand, result
from graphflow.spec import Shape

BYTES_PER_NS = 10.0


def _element_strides(shape: Shape) -> list[int]:
    steps = [1] * len(shape)
    for axis in reversed(range(len(shape) - 1)):
        steps[axis] = steps[axis + 1] * dimension(shape[axis + 1])
    return steps


def _joined(dimensions: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """(size, stride) of each dimension, those of one element left out, and neighbours that are one run joined."""
    found: list[tuple[int, int]] = []
    for size, stride in dimensions:
        if size == 1:
            continue
        if found and found[-1][1] == size * stride:
            found[-1] = (found[-1][0] * size, stride)
        else:
            found.append((size, stride))
    return found


def strided_step(x: Ref, y: Ref, dimensions: list[tuple[int, int]], itemsize: int) -> Step:
    """y, contiguous, from at most six (size, stride) of x; strides in elements."""
    padded = [(1, 0)] * (6 - len(dimensions)) + dimensions
    fields: dict[str, Any] = {"x": x, "y": y, "itemsize": itemsize}
    for axis, (size, stride) in enumerate(padded):
        fields |= {f"n{axis}": size, f"s{axis}": stride * itemsize}
    total = math.prod(size for size, _ in padded)
    items = math.prod(size for size, _ in padded[:4]) if total else 0
    return Step("transpose", fields, items, 2 * total * itemsize / BYTES_PER_NS)


def sliced(call: Call) -> tuple[list[tuple[int, int]], int]:
    """(size, stride) of what indexing keeps, and its first element."""
    x = call.inputs[0]
    assert x is not None
    dimensions, first = [], 0
    for key, size, step in zip(call.attrs["key"], x.shape, _element_strides(x.shape), strict=True):
        size = dimension(size)
        if isinstance(key, int):
            first += key % size * step
            continue
        chosen = range(*slice(*key).indices(size))
        first += chosen.start * step if len(chosen) else 0
        dimensions.append((len(chosen), chosen.step * step))
    return _joined(dimensions), first


def _repeated(call: Call) -> list[tuple[int, int]]:
    """(size, stride) of the output of `repeat` and of `resize` to the nearest: a repeated element has stride 0."""
    x, attrs = call.inputs[0], call.attrs
    assert x is not None
    factors = dict(zip(attrs["axes"], attrs["factors"], strict=True)) if "axes" in attrs else {}
    factors = factors or {attrs.get("axis"): attrs.get("repeats")}
    dimensions = []
    for axis, (size, step) in enumerate(zip(x.shape, _element_strides(x.shape), strict=True)):
        dimensions += [(dimension(size), step), (int(factors.get(axis, 1)), 0)]
    return _joined(dimensions)


def _itemsize(call: Call) -> int:
    return np.dtype(call.outputs[0].dtype).itemsize


def _refuse_slice(call: Call) -> str | None:
    return None if len(sliced(call)[0]) <= 6 else "more than six separate dimensions"


def _lay_slice(call: Call) -> Layout:
    dimensions, first = sliced(call)
    size = _itemsize(call)
    return Layout([strided_step(Ref("in", 0, first * size), result(), dimensions, size)])


def _flipped(call: Call) -> tuple[list[tuple[int, int]], int]:
    """(size, stride) of x as its elements are to lie, and the one that comes first."""
    x = call.inputs[0]
    assert x is not None
    dimensions, first = [], 0
    for axis, (size, step) in enumerate(zip(x.shape, _element_strides(x.shape), strict=True)):
        turned = axis in call.attrs["axes"]
        first += (dimension(size) - 1) * step if turned else 0
        dimensions.append((dimension(size), -step if turned else step))
    return _joined(dimensions), first


def _refuse_flip(call: Call) -> str | None:
    return None if len(_flipped(call)[0]) <= 6 else "more than six separate dimensions"


def _lay_flip(call: Call) -> Layout:
    dimensions, first = _flipped(call)
    size = _itemsize(call)
    return Layout([strided_step(Ref("in", 0, first * size), result(), dimensions, size)])


def _refuse_repeat(call: Call) -> str | None:
    return None if len(_repeated(call)) <= 7 else "more than seven separate dimensions"


def _lay_repeat(call: Call) -> Layout:
    """In one step, or where there are seven dimensions, the innermost first, then whole rows of them."""
    dimensions, size = _repeated(call), _itemsize(call)
    if len(dimensions) <= 6:
        return Layout([strided_step(operand(0), result(), dimensions, size)])
    (high, _), (repeats_high, _), (low, stride), (repeats_low, _), *inner = dimensions
    row = math.prod(count for count, _ in inner)
    outer = [(high, low * row), (repeats_high, 0), (low, row), (repeats_low, 0)]
    first = strided_step(operand(0), Ref("work", 0), [(high * low, stride), *inner], size)
    second = strided_step(Ref("work", 0), result(), [*outer, (row, 1)], size)
    return Layout([first, second], work=[high * low * row * size])


def _padded(call: Call) -> list[tuple[int, int, int]]:
    """(input size, output size, elements before) with axes that are not padded joined to those before them."""
    x, y = call.inputs[0], call.outputs[0]
    assert x is not None
    found: list[tuple[int, int, int]] = []
    for size, whole, (before, after) in zip(x.shape, y.shape, call.attrs["amounts"], strict=True):
        n, m = dimension(size), dimension(whole)
        if found and not before and not after:
            last = found[-1]
            found[-1] = (last[0] * n, last[1] * m, last[2] * n)
        else:
            found.append((n, m, before))
    return found


def _refuse_pad(call: Call) -> str | None:
    if any(min(pair) < 0 for pair in call.attrs["amounts"]):
        return "an amount is negative"
    if _itemsize(call) not in (1, 2, 4, 8):
        return "elements of another size"
    return None if len(_padded(call)) <= 4 else "more than four separate dimensions"


def _lay_pad(call: Call) -> Layout:
    axes, size = _padded(call), _itemsize(call)
    bits = np.asarray(call.attrs["value"]).astype(call.outputs[0].dtype).tobytes()
    fields: dict[str, Any] = {
        "x": operand(0),
        "y": result(),
        "itemsize": size,
        "value": int.from_bytes(bits.ljust(8, b"\0"), "little", signed=True),
    }
    for axis, (n, m, before) in enumerate([(1, 1, 0)] * (4 - len(axes)) + axes):
        fields |= {f"n{axis}": n, f"m{axis}": m, f"p{axis}": before}
    rows = fields["m0"] * fields["m1"] * fields["m2"]
    return Layout([Step("pad", fields, rows if fields["m3"] else 0, 2 * rows * fields["m3"] * size / BYTES_PER_NS)])


def _refuse_nearest(call: Call) -> str | None:
    return "the mode is another one" if call.attrs["mode"] != "nearest" else _refuse_repeat(call)


def _refuse_bilinear(call: Call) -> str | None:
    axes = call.attrs["axes"]
    if call.attrs["mode"] != "bilinear" or len(axes) > 2 or axes != tuple(range(axes[0], axes[-1] + 1)):
        return "the axes are not two that lie side by side"
    return not_float32(call)


def _lay_bilinear(call: Call) -> Layout:
    x = call.inputs[0]
    assert x is not None
    axes, factors = call.attrs["axes"], call.attrs["factors"]
    shape = [dimension(size) for size in x.shape]
    h, w = (1, shape[axes[0]]) if len(axes) == 1 else (shape[axes[0]], shape[axes[1]])
    factor_h, factor_w = (1, factors[0]) if len(axes) == 1 else factors
    outer, inner = math.prod(shape[: axes[0]]), math.prod(shape[axes[-1] + 1 :])
    fields = {"x": operand(0), "y": result(), "outer": outer, "h": h, "w": w, "inner": inner}
    fields |= {"factor_h": factor_h, "factor_w": factor_w}
    rows = outer * h * factor_h if w * inner else 0
    time = 4.0 * rows * w * factor_w * inner / BYTES_PER_NS
    return Layout([Step("bilinear_f32", fields, rows, time, scratch=4 * w * inner)])


ROWS = (
    KernelDef("getitem", "getitem", "copy", _refuse_slice, _lay_slice),
    KernelDef("flip", "flip", "copy", _refuse_flip, _lay_flip),
    KernelDef("pad", "pad", "copy", _refuse_pad, _lay_pad),
    KernelDef("repeat", "repeat", "copy", _refuse_repeat, _lay_repeat),
    KernelDef("resize_nearest", "resize", "copy", _refuse_nearest, _lay_repeat),
    KernelDef("resize_bilinear_f32", "resize", "element", _refuse_bilinear, _lay_bilinear),
)
