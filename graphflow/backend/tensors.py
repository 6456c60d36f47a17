"""Making tensors and variables, and asking them what they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphflow import ops
from graphflow.config import floatx
from graphflow.errors import ArgumentError, ShapeError, UnsupportedError
from graphflow.ir.build import GraphTensor
from graphflow.layers import Input
from graphflow.layers.tensor import KerasTensor
from graphflow.models import Model
from graphflow.ops.operands import as_operand, dtype_of, shape_of
from graphflow.ops.shape import shape
from graphflow.spec import dtype_name, format_shape
from graphflow.variable import Variable

__all__ = [
    "arange",
    "batch_get_value",
    "batch_set_value",
    "cast",
    "cast_to_floatx",
    "constant",
    "count_params",
    "dtype",
    "eval",
    "eye",
    "function",
    "get_value",
    "int_shape",
    "is_keras_tensor",
    "is_sparse",
    "ndim",
    "ones",
    "ones_like",
    "placeholder",
    "set_value",
    "shape",
    "stop_gradient",
    "variable",
    "zeros",
    "zeros_like",
]

Array = np.ndarray[Any, Any]


def variable(value: Any, dtype: Any = None, name: str | None = None, constraint: Any = None) -> Variable:
    """A variable holding `value`, in `floatx` unless a dtype is given."""
    made = Variable(np.array(value, dtype_name(dtype or floatx())), name or "variable")
    made.constraint = constraint
    return made


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Array:
    """An array of `value`, in `floatx` unless a dtype is given, repeated to `shape` if that is given.

    Raises:
        ShapeError: a value that does not fit `shape`.
    """
    array = np.array(value, dtype_name(dtype or floatx()))
    if shape is None:
        return array
    shape = tuple(shape)
    if array.size == 1:
        return np.full(shape, array.reshape(()), array.dtype)
    if array.size != math.prod(shape):
        raise ShapeError(
            f"A constant of shape {format_shape(shape)} takes one element or {math.prod(shape)}, received {array.size}."
        )
    return array.reshape(shape)


def placeholder(
    shape: Any = None, ndim: int | None = None, dtype: Any = None, sparse: bool = False, name: str | None = None
) -> KerasTensor:
    """An `Input` of a full shape, the batch counted, or of `ndim` sizes that are not known."""
    if shape is None and ndim is None:
        raise ArgumentError("placeholder needs a shape or ndim.")
    full = (None,) * int(ndim or 0) if shape is None else tuple(shape)
    return Input(batch_shape=full, dtype=dtype, sparse=sparse, name=name)


def zeros(shape: Any, dtype: Any = None, name: str | None = None) -> Variable:
    """A variable of zeros."""
    return variable(np.zeros(shape), dtype, name)


def ones(shape: Any, dtype: Any = None, name: str | None = None) -> Variable:
    """A variable of ones."""
    return variable(np.ones(shape), dtype, name)


def eye(size: Any, dtype: Any = None, name: str | None = None) -> Variable:
    """A variable with ones on the diagonal; `size` an integer, or (rows, columns)."""
    rows, columns = size if isinstance(size, (list, tuple)) else (size, size)
    return variable(np.eye(rows, columns), dtype, name)


def arange(start: int, stop: int | None = None, step: int = 1, dtype: Any = "int32") -> Array:
    """The numbers from `start` (0 when `stop` is left out) up to `stop`, which is not among them."""
    start, stop = (0, start) if stop is None else (start, stop)
    return np.arange(start, max(start, stop) if step > 0 else stop, step).astype(dtype_name(dtype))


def zeros_like(x: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Zeros in x's shape."""
    return ops.zeros_like(x, None if dtype is None else dtype_name(dtype))


def ones_like(x: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Ones in x's shape."""
    return ops.ones_like(x, None if dtype is None else dtype_name(dtype))


def cast(x: Any, dtype: Any) -> Any:
    """`x` in another data type."""
    return ops.cast(x, dtype)


def cast_to_floatx(x: Any) -> Any:
    """`x` in the dtype `floatx()`."""
    return ops.cast(x, floatx())


def stop_gradient(variables: Any) -> Any:
    """The argument itself: there are no gradients to stop."""
    return variables


def is_keras_tensor(x: Any) -> bool:
    """Whether `x` is a symbolic tensor that a layer or `Input` made; not so for a variable.

    Raises:
        ArgumentError: `x` is no tensor at all, such as an array.
    """
    if isinstance(x, KerasTensor):
        return x._keras_history is not None
    if isinstance(x, (GraphTensor, Variable)):
        return False
    raise ArgumentError(
        f"is_keras_tensor expects a symbolic tensor or a variable, received an instance of {type(x).__name__}."
    )


def is_sparse(tensor: Any) -> bool:
    """Whether a tensor is sparse: only what enters through `Input(sparse=True)` is."""
    history = getattr(tensor, "_keras_history", None)
    return bool(getattr(history.layer, "sparse", False)) if history is not None else hasattr(tensor, "tocsr")


def int_shape(x: Any) -> tuple[int | None, ...]:
    """The static shape, None where a size is not known."""
    return shape_of(as_operand(x))


def ndim(x: Any) -> int:
    """The number of axes."""
    return len(shape_of(as_operand(x)))


def dtype(x: Any) -> str:
    """The name of the data type."""
    return dtype_of(as_operand(x))


def count_params(x: Any) -> int:
    """The number of elements of a variable or array."""
    return math.prod(size for size in int_shape(x) if size is not None)


def get_value(x: Any) -> Any:
    """A copy of a variable's value; an array as it is.

    Raises:
        ArgumentTypeError: a symbolic tensor, which has no value.
    """
    return x.numpy() if isinstance(x, Variable) else np.asarray(x)


eval = get_value


def set_value(x: Variable, value: Any) -> None:
    """Assign to a variable."""
    x.assign(value)


def batch_get_value(tensors: Sequence[Any]) -> list[Any]:
    """The values of several variables."""
    return [get_value(one) for one in tensors]


def batch_set_value(tuples: Sequence[tuple[Variable, Any]]) -> None:
    """Assign to several variables: pairs of a variable and its value."""
    for one, value in tuples:
        set_value(one, value)


def function(inputs: Any, outputs: Any, updates: Any = None, name: str | None = None) -> Callable[[Any], Any]:
    """A function from arrays for symbolic `inputs` to arrays of `outputs`, both lists; runs as `Model` does.

    Raises:
        UnsupportedError: `updates`.
        GraphError: outputs that do not follow from the inputs.
    """
    if updates:
        raise UnsupportedError("K.function with updates is not supported: a graph's updates are those of its layers.")
    return Model(inputs, outputs, name).predict_on_batch
