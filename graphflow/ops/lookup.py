"""Rows of a table by their indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow.errors import ArgumentError, DataError, DTypeError
from graphflow.ops.dispatch import apply
from graphflow.ops.operands import as_operand
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec, dtype_name


def _infer_embedding(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    indices, table = specs
    if indices.dtype == "bool":
        raise DTypeError("Embedding indices must be integers, received bool.")
    return (TensorSpec((*indices.shape, *table.shape[1:]), table.dtype),)


def index_error(position: int, value: float, size: int) -> DataError:
    """The error for an index outside a table."""
    return DataError(
        f"Index {value:g} at flat position {position} is outside the table, which has rows 0 to {size - 1}."
    )


def _embedding_reference(attrs: Attrs, indices: Array, table: Array) -> Array:
    whole = indices.astype(np.int64)
    if indices.dtype.kind == "f" and not np.array_equal(whole, indices):
        position = int(np.flatnonzero(whole.ravel() != indices.ravel())[0])
        value = indices.ravel()[position]
        raise DataError(f"Index {value!r} at flat position {position} is not a whole number.")
    outside = np.flatnonzero((whole.ravel() < 0) | (whole.ravel() >= len(table)))
    if outside.size:
        raise index_error(int(outside[0]), int(whole.ravel()[outside[0]]), len(table))
    return table[whole]


EMBEDDING = define("embedding", _infer_embedding, _embedding_reference)


def embedding(indices: Any, table: Any) -> Any:
    """table (rows, ...) looked up by indices of any shape: indices.shape + table.shape[1:].

    Raises:
        DataError: at run time, an index that is not a whole number in [0, rows); the message names position and value.
    """
    return apply(EMBEDDING, (as_operand(indices), as_operand(table)), {})


def _infer_one_hot(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    if not specs[0].dtype.startswith(("int", "uint")):
        raise DTypeError(f"one_hot needs integers, received {specs[0].dtype}.")
    return (TensorSpec((*specs[0].shape, attrs["size"]), attrs["dtype"]),)


def _one_hot_reference(attrs: Attrs, indices: Array) -> Array:
    return np.asarray(indices[..., None] == np.arange(attrs["size"]), attrs["dtype"])


ONE_HOT = define("one_hot", _infer_one_hot, _one_hot_reference)


def one_hot(indices: Any, num_classes: int, dtype: str = "float32") -> Any:
    """Integers of any shape to rows of zeros with a one at their place: indices.shape + (num_classes,).

    An index outside [0, num_classes) gives zeros alone.
    """
    if isinstance(num_classes, bool) or not isinstance(num_classes, (int, np.integer)) or num_classes < 0:
        raise ArgumentError(f"num_classes must be a non-negative integer, received {num_classes!r}.")
    return apply(ONE_HOT, (as_operand(indices),), {"size": int(num_classes), "dtype": dtype_name(dtype)})
