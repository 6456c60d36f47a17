"""Products: the dense layer's, `dot` and `matmul`."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow.errors import ShapeError
from graphflow.ops.activation import LINEAR, compute
from graphflow.ops.dispatch import apply
from graphflow.ops.operands import cast_to, dtype_of, pair, shape_of
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec, broadcast_shapes, format_shape, merge_dimension


def check_epilogue(output: TensorSpec, bias: TensorSpec | None, residual: TensorSpec | None) -> None:
    """The rules for what may be added to a product or convolution on its way out.

    Raises:
        ShapeError: a bias that is no vector of the last axis, or a residual of another shape.
    """
    if bias is not None and bias.shape != (output.shape[-1],):
        raise ShapeError(f"A bias must have shape ({output.shape[-1]},), received {format_shape(bias.shape)}.")
    if residual is not None and broadcast_shapes(residual.shape, output.shape) != output.shape:
        raise ShapeError(
            f"A residual of shape {format_shape(residual.shape)} does not fit {format_shape(output.shape)}."
        )


def finish(attrs: Attrs, y: Array, bias: Array | None, residual: Array | None) -> Array:
    """The epilogue's reference: activation(y + bias + residual)."""
    if bias is not None:
        y = y + bias
    if residual is not None:
        y = y + residual
    return compute(attrs.get("activation", LINEAR), y)


def _infer_dense(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x, kernel, bias, residual = specs
    if x.rank < 1 or kernel.rank != 2:
        raise ShapeError(
            f"dense needs an input and a matrix, received {format_shape(x.shape)} and {format_shape(kernel.shape)}."
        )
    merge_dimension(x.shape[-1], kernel.shape[0], "The input's last dimension and the kernel's first")
    output = x.with_shape((*x.shape[:-1], kernel.shape[1]))
    check_epilogue(output, bias, residual)
    return (output,)


def _dense_reference(attrs: Attrs, x: Array, kernel: Array, bias: Array | None, residual: Array | None) -> Array:
    return finish(attrs, np.einsum("...k,kn->...n", x, kernel), bias, residual)


DENSE = define("dense", _infer_dense, _dense_reference, tolerance=2e-5)


def dense(x: Any, kernel: Any, bias: Any = None) -> Any:
    """x (..., k) times kernel (k, n), plus bias (n,): (..., n).

    Raises:
        ShapeError: the last dimension of x is not the first of kernel.
    """
    x, kernel = pair(x, kernel)
    return apply(DENSE, (x, kernel, None if bias is None else cast_to(bias, dtype_of(x)), None), {})


def _infer_matmul(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    a, b = specs
    if a.rank < 2 or b.rank < 2:
        raise ShapeError(f"matmul needs two matrices, received {format_shape(a.shape)} and {format_shape(b.shape)}.")
    merge_dimension(
        a.shape[-1], b.shape[-2], "The last dimension of the first operand and the one before the last of the second"
    )
    batch = broadcast_shapes(a.shape[:-2], b.shape[:-2])
    return (a.with_shape((*batch, a.shape[-2], b.shape[-1])),)


def _matmul_reference(attrs: Attrs, a: Array, b: Array) -> Array:
    return compute(attrs.get("activation", LINEAR), np.einsum("...mk,...kn->...mn", a, b))


MATMUL = define(
    "matmul",
    _infer_matmul,
    _matmul_reference,
    tolerance=2e-5,
)


def matmul(x1: Any, x2: Any) -> Any:
    """Matrix product over the last two axes, the leading ones broadcast, as NumPy's `matmul`.

    Raises:
        ShapeError: sizes that do not fit.
    """
    from graphflow.ops.array import expand_dims, squeeze

    x1, x2 = pair(x1, x2)
    if len(shape_of(x2)) == 2 and len(shape_of(x1)) >= 1:
        return dense(x1, x2)
    if len(shape_of(x1)) == 1:
        return squeeze(matmul(expand_dims(x1, 0), x2), -2)
    if len(shape_of(x2)) == 1:
        return squeeze(matmul(x1, expand_dims(x2, 1)), -1)
    return apply(MATMUL, (x1, x2), {})


def dot(x: Any, y: Any) -> Any:
    """The product of Keras' `K.dot`: over x's last axis and y's one before the last.

    Raises:
        ShapeError: sizes that do not fit.
    """
    from graphflow.ops.array import reshape, transpose
    from graphflow.ops.shape import sizes

    x, y = pair(x, y)
    x_shape, y_shape = shape_of(x), shape_of(y)
    if len(y_shape) <= 2:
        return matmul(x, y)
    rank = len(y_shape)
    order = (rank - 2, *range(rank - 2), rank - 1)
    flat = reshape(transpose(y, order), (y_shape[-2] if y_shape[-2] is not None else -1, -1))
    out = dense(x, flat)
    left = (*x_shape[:-1], *y_shape[:-2], y_shape[-1])
    if left.count(None) < 2:
        return reshape(out, [-1 if size is None else size for size in left])
    return reshape(out, (*sizes(x)[:-1], *sizes(y)[:-2], sizes(y)[-1]))
