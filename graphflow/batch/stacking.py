"""Columns as they lie in tables, stood side by side as the rows of a matrix, without the interpreter's lock."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphflow.batch.block import Array
from graphflow.kernels import isa

SIZES = (1, 2, 4, 8)
"""Bytes of the elements that the compiled leaf moves."""


def side_by_side(parts: Sequence[Array], wanted: str | None = None) -> Array:
    """Columns of numbers as one matrix; those that are matrices already stand side by side.

    Args:
        parts: the columns.
        wanted: the dtype that the matrix is for: numbers take it on the way where that rounds them once.

    Example:
        >>> import numpy as np
        >>> side_by_side([np.arange(2.0), np.ones((2, 2), "int8")], "float32")
        array([[0., 1., 1.],
               [1., 1., 1.]], dtype=float32)
        >>> side_by_side([np.arange(2), np.ones(2, "int8")])
        array([[0, 1],
               [1, 1]])
    """
    dtype = np.result_type(*parts)
    if wanted is not None and np.dtype(wanted).kind == "f" and all(map(_rounds_once, parts)):
        dtype = np.dtype(wanted)
    if len(parts) == 1 and parts[0].ndim > 1 and parts[0].dtype == dtype:
        return parts[0]
    with np.errstate(over="ignore"):
        if any(part.ndim != 1 for part in parts):
            matrices = [part[:, None] if part.ndim == 1 else part for part in parts]
            return np.concatenate(matrices, axis=1, dtype=dtype, casting="unsafe")
        columns = [np.ascontiguousarray(part, dtype) for part in parts]
    if dtype.itemsize not in SIZES or dtype.hasobject:
        return np.stack(columns, axis=1)
    made = np.empty((len(columns[0]), len(columns)), dtype)
    interleave(columns, made)
    return made


def rows_of(parts: Sequence[Sequence[Array]]) -> Array | None:
    """Parts of columns, one behind the other, as the rows of one matrix.

    Args:
        parts: consecutive rows; of each part all columns.

    Returns:
        The matrix; None if the columns are not all numbers of one dtype that the compiled leaf moves.

    Example:
        >>> import numpy as np
        >>> rows_of([[np.zeros(1), np.ones(1)], [np.arange(2.0), np.ones(2)]]).tolist()
        [[0.0, 1.0], [0.0, 1.0], [1.0, 1.0]]
        >>> rows_of([[np.zeros(1), np.ones(1, "int32")]]) is None
        True
    """
    dtype = parts[0][0].dtype if parts else None
    if dtype is None or dtype.kind not in "fiub" or dtype.itemsize not in SIZES:
        return None
    made = np.empty((sum(len(one[0]) for one in parts), len(parts[0])), dtype)
    at = 0
    for one in parts:
        if not _interleaved(one, made[at : at + len(one[0])]):
            return None
        at += len(one[0])
    return made


def interleave(columns: Sequence[Array], out: Array) -> None:
    """Make columns the rows of a matrix.

    Args:
        columns: contiguous, equally long, of one dtype whose size is of `SIZES`.
        out: the matrix, contiguous, of that dtype; row i takes element i of each column.

    Raises:
        ValueError: they do not fit together.

    Example:
        >>> out = np.empty((3, 2), "float32")
        >>> interleave([np.arange(3, dtype="float32"), np.ones(3, "float32")], out)
        >>> out.tolist()
        [[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]]
    """
    if out.ndim != 2 or out.shape[1] != len(columns) or not out.flags.c_contiguous or out.dtype.itemsize not in SIZES:
        raise ValueError(f"{len(columns)} columns do not fit {out.dtype}{out.shape}.")
    if not _interleaved(columns, out):
        raise ValueError(f"Columns must be contiguous, {len(out)} numbers of {out.dtype} each.")


def _interleaved(columns: Sequence[Array], out: Array) -> bool:
    """Make columns the rows of a matrix, if they are of its dtype and length, and contiguous."""
    from graphflow.kernels._leaf import interleave_columns

    return bool(interleave_columns(isa.current().leaves["interleave"], list(columns), out))


def _rounds_once(part: Array) -> bool:
    """Whether numbers are exact in float64, through which columns of different kinds would go."""
    return part.dtype.kind == "f" or (part.dtype.kind in "iub" and part.dtype.itemsize <= 4)
