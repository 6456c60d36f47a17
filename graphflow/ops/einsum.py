"""Sums of products by an equation of labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np

from graphflow.errors import ArgumentError, ShapeError
from graphflow.ops.activation import LINEAR, compute
from graphflow.ops.array import reshape, transpose
from graphflow.ops.dispatch import apply
from graphflow.ops.elementwise import add
from graphflow.ops.linear import dense
from graphflow.ops.operands import as_operand, cast_to, dtype_of, promote, shape_of
from graphflow.ops.reduction import sum as sum_over
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import Shape, TensorSpec, format_shape

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _sizes(equation: str, shapes: Sequence[Shape], broadcast: str) -> dict[str, int | None]:
    """The size of each label.

    Raises:
        ShapeError: an operand of another rank than it has labels, or one label with two sizes.
    """
    found: dict[str, int | None] = {}
    for labels, shape in zip(equation.split("->")[0].split(","), shapes, strict=True):
        if len(labels) != len(shape):
            raise ShapeError(
                f"einsum {equation!r}: labels {labels!r} do not fit an operand of shape {format_shape(shape)}."
            )
        for label, size in zip(labels, shape, strict=True):
            known = found.get(label)
            if known is None or (known == 1 and label in broadcast):
                found[label] = size if label not in found or size is not None or known == 1 else known
            elif size is not None and size != known and not (size == 1 and label in broadcast):
                raise ShapeError(f"einsum {equation!r}: sizes of {label!r} must be equal, received {known} and {size}.")
    return found


def _infer(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    equation: str = attrs["equation"]
    sizes = _sizes(equation, [spec.shape for spec in specs], attrs.get("broadcast", ""))
    return (specs[0].with_shape(sizes[label] for label in equation.split("->")[1]),)


def _reference(attrs: Attrs, *arrays: Array) -> Array:
    result = np.einsum(attrs["equation"], *arrays, optimize=False)
    return compute(attrs.get("activation", LINEAR), np.asarray(result, order="C"))


EINSUM = define("einsum", _infer, _reference, tolerance=2e-5)


def explicit(equation: str, ranks: Sequence[int]) -> tuple[str, str]:
    """An equation with its result spelled out and its ellipses replaced by labels, and those labels.

    Raises:
        ArgumentError: not an equation, or one for another number or other ranks of operands.
    """
    plain = equation.replace(" ", "")
    operands, arrow, result = plain.partition("->")
    parts = operands.split(",")
    for part in (*parts, result):
        if part.count("...") > 1 or not set(part.replace("...", "", 1)) <= set(_LETTERS):
            raise ArgumentError(f"An einsum equation is labels, commas, '->' and at most one '...' each: {equation!r}.")
    if len(parts) != len(ranks):
        raise ArgumentError(f"einsum {equation!r} needs {len(parts)} operands, received {len(ranks)}.")
    spare = [letter for letter in reversed(_LETTERS) if letter not in plain]
    widths = [
        rank - len(part.replace("...", "")) if "..." in part else 0 for part, rank in zip(parts, ranks, strict=True)
    ]
    if min(widths) < 0:
        raise ArgumentError(
            f"einsum {equation!r} has more labels than its operands, of ranks {list(ranks)}, have axes."
        )
    filler = "".join(spare[: max(widths)])
    full = [
        part.replace("...", filler[len(filler) - width :] if width else "")
        for part, width in zip(parts, widths, strict=True)
    ]
    if arrow:
        out = result.replace("...", filler)
    else:
        letters = "".join(full)
        out = filler + "".join(sorted(one for one in set(letters) - set(filler) if letters.count(one) == 1))
    known = set("".join(full))
    if len(set(out)) != len(out) or not set(out) <= known:
        raise ArgumentError(f"The result of einsum {equation!r} must name labels of the operands, each once.")
    return ",".join(full) + "->" + out, filler


def einsum(equation: str, *operands: Any) -> Any:
    """The sum of products that an equation describes, as NumPy's `einsum`.

    A product with a matrix of known sizes becomes `dense`, a single operand `sum` and `transpose`; more than two
    operands are multiplied from left to right.

    Args:
        equation: such as "bthd,hde->bte"; "..." stands for any axes.

    Raises:
        ArgumentError: not an equation for these operands.
        ShapeError: one label with two sizes.
    """
    tensors = [as_operand(operand) for operand in operands]
    if not tensors:
        raise ArgumentError("einsum needs at least one operand.")
    text, broadcast = explicit(equation, [len(shape_of(tensor)) for tensor in tensors])
    dtype = reduce(promote, [dtype_of(tensor) for tensor in tensors])
    tensors = [cast_to(tensor, dtype) for tensor in tensors]
    _sizes(text, [shape_of(tensor) for tensor in tensors], broadcast)
    labels = text.split("->")[0].split(",")
    result = text.split("->")[1]
    while len(tensors) > 2:
        later = set("".join(labels[2:])) | set(result)
        kept = "".join(dict.fromkeys(one for one in labels[0] + labels[1] if one in later))
        joined = _pair(labels[0], tensors[0], labels[1], tensors[1], kept, broadcast)
        labels, tensors = [kept, *labels[2:]], [joined, *tensors[2:]]
    if len(tensors) == 2:
        return _pair(labels[0], tensors[0], labels[1], tensors[1], result, broadcast)
    return _single(labels[0], tensors[0], result)


def _single(labels: str, x: Any, result: str) -> Any:
    if len(set(labels)) != len(labels):
        return apply(EINSUM, (x,), {"equation": f"{labels}->{result}"})
    gone = tuple(axis for axis, label in enumerate(labels) if label not in result)
    left = [label for label in labels if label in result]
    summed = sum_over(x, gone) if gone else x
    return transpose(summed, [left.index(label) for label in result])


def _pair(first: str, x: Any, second: str, y: Any, result: str, broadcast: str) -> Any:
    made = _as_dense(first, x, second, y, result)
    if made is not None:
        return made
    attrs = {"equation": f"{first},{second}->{result}"}
    kept = "".join(label for label in broadcast if label in attrs["equation"])
    return apply(EINSUM, (x, y), {**attrs, "broadcast": kept} if kept else attrs)


def einsum_dense(equation: str, x: Any, kernel: Any, bias: Any = None) -> Any:
    """`einsum` of two operands, plus a bias; where it is `dense`, the bias is part of it.

    Args:
        bias: broadcast against the result.
    """
    if bias is not None:
        text, _ = explicit(equation, (len(shape_of(x)), len(shape_of(kernel))))
        (first, second), result = text.split("->")[0].split(","), text.split("->")[1]
        depth = len([label for label in second if label in first])
        if shape_of(bias) == shape_of(kernel)[depth:]:
            made = _as_dense(first, x, second, kernel, result, bias)
            if made is not None:
                return made
        return add(einsum(equation, x, kernel), bias)
    return einsum(equation, x, kernel)


def _as_dense(first: str, x: Any, second: str, y: Any, result: str, bias: Any = None) -> Any:
    """`dense`, where x ends with what y begins with, y's sizes are known, and the result has x's axes, then y's."""
    from graphflow.ops.shape import sizes

    depth = len([label for label in second if label in first])
    kernel: tuple[int | None, ...] = shape_of(y)
    fits = (
        0 < depth < len(second)
        and depth < len(first)
        and first[-depth:] == second[:depth]
        and result == first[:-depth] + second[depth:]
        and len(set(first)) == len(first)
        and len(set(second)) == len(second)
        and None not in kernel
        and (shape_of(x)[-depth:] == kernel[:depth])
    )
    if not fits:
        return None
    k, n = math.prod(kernel[:depth]), math.prod(kernel[depth:])  # type: ignore[arg-type]
    ahead = sizes(x)[:-depth]
    flat = x if depth == 1 else reshape(x, (*ahead, k))
    flat_bias = bias if bias is None or len(kernel) - depth == 1 else reshape(bias, (n,))
    made = dense(flat, y if len(kernel) == 2 else reshape(y, (k, n)), flat_bias)
    return made if len(kernel) - depth == 1 else reshape(made, (*ahead, *kernel[depth:]))
