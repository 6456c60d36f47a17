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
    from graphflow.kernels._leaf import call

    rows = len(out)
    like = (rows,), out.dtype
    if out.shape != (rows, len(columns)) or not out.flags.c_contiguous or out.dtype.itemsize not in SIZES:
        raise ValueError(f"{len(columns)} columns do not fit {out.dtype}{out.shape}.")
    if any((one.shape, one.dtype) != like or not one.flags.c_contiguous for one in columns):
        raise ValueError(f"Columns must be contiguous, {rows} numbers of {out.dtype} each.")
    places = np.array([one.ctypes.data for one in columns], np.uintp)
    words = np.array([places.ctypes.data, out.ctypes.data, len(columns), out.dtype.itemsize], np.int64)
    call(isa.current().leaves["interleave"], words.ctypes.data, 0, rows, 0)


def _rounds_once(part: Array) -> bool:
    """Whether numbers are exact in float64, through which columns of different kinds would go."""
    return part.dtype.kind == "f" or (part.dtype.kind in "iub" and part.dtype.itemsize <= 4)
