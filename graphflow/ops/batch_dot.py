"""`batch_dot`: products over one axis of each sample, as Keras' `K.batch_dot` and the `Dot` layer have them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphflow.errors import ArgumentError, ShapeError
from graphflow.ops.array import reshape, squeeze, transpose
from graphflow.ops.elementwise import multiply
from graphflow.ops.linear import matmul
from graphflow.ops.operands import as_axis, pair, shape_of
from graphflow.ops.shape import sizes
from graphflow.spec import format_shape, merge_dimension


def _axes(axes: Any, x_rank: int, y_rank: int) -> tuple[int, int]:
    if axes is None:
        axes = (x_rank - 1, y_rank - 1 if y_rank == 2 else y_rank - 2)
    elif isinstance(axes, (int, np.integer)):
        axes = (axes, axes)
    if len(axes) != 2 or any(isinstance(axis, (list, tuple)) for axis in axes):
        raise ArgumentError(f"axes must be an integer or two of them, received {axes!r}.")
    first, second = as_axis(axes[0], x_rank, "axes[0]"), as_axis(axes[1], y_rank, "axes[1]")
    if not first or not second:
        raise ArgumentError(f"axes must not name the batch axis, 0, received {tuple(axes)!r}.")
    return first, second


def _product(numbers: tuple[Any, ...]) -> Any:
    """The product of sizes, some of which may be scalar tensors."""
    known = math.prod(size for size in numbers if isinstance(size, int))
    total: Any = known
    for size in numbers:
        if not isinstance(size, int):
            total = multiply(size, total)
    return total


def batch_dot(x: Any, y: Any, axes: Any = None) -> Any:
    """For each sample, the product of x and y summed over one axis of each.

    Args:
        x: (batch, ...), of rank 2 or more.
        y: the same.
        axes: an integer, or one for x and one for y; None: x's last, and y's one before the last (last, of rank 2).

    Returns:
        (batch, the other axes of x, the other axes of y), with one axis of one element when none is left.

    Raises:
        ShapeError: sizes that do not fit, or a rank below 2.

    Source: https://keras.io/api/layers/merging_layers/dot/
    """
    x, y = pair(x, y)
    x_shape, y_shape = shape_of(x), shape_of(y)
    if len(x_shape) < 2 or len(y_shape) < 2:
        raise ShapeError(
            f"batch_dot needs two tensors of rank 2 or more, received {format_shape(x_shape)} and "
            f"{format_shape(y_shape)}."
        )
    first, second = _axes(axes, len(x_shape), len(y_shape))
    merge_dimension(x_shape[0], y_shape[0], "The batch of both operands of batch_dot")
    merge_dimension(x_shape[first], y_shape[second], f"Axes {first} and {second} of the operands of batch_dot")
    x = transpose(x, (*(axis for axis in range(len(x_shape)) if axis != first), first))
    y = transpose(y, (0, second, *(axis for axis in range(1, len(y_shape)) if axis != second)))
    head, tail = sizes(x)[:-1], sizes(y)[2:]
    rows = x if len(head) == 2 else reshape(x, (head[0], _product(head[1:]), sizes(x)[-1]))
    columns = y if len(tail) == 1 else reshape(y, (*sizes(y)[:2], _product(tail)))
    product = matmul(rows, columns)
    if len(head) > 2 or len(tail) > 1:
        return reshape(product, (*head, *tail))
    if len(head) == 1:
        return squeeze(product, 1)
    return product if tail else squeeze(product, -1)
