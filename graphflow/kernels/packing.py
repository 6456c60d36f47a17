"""Weights in the panels that kernels read, written at once where they will stay.

A matrix is read block by block of rows, so that one which lies in a mapped file never is in memory as a whole beside
its panels:

    matrix (k, n)    rows at .. at + rows         panels    0: rows of columns 0 .. tile_n
                     a | b | c | d                          1: rows of columns tile_n .. 2 tile_n, ...
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphflow.kernels.isa import Isa
from graphflow.mapped import drop_pages, map_behind

Array = np.ndarray[Any, Any]
BLOCK = 1 << 20
"""Bytes of a matrix that are read at once: what stays in the second-level cache."""
DROPPED = 4 << 20
"""Bytes of a mapped matrix after which its memory is let go of."""


def _plain(floats: int) -> Array:
    return np.empty(floats, np.float32)


_memory: list[Callable[[int], Array]] = [_plain]


def install_memory(allocate: Callable[[int], Array]) -> None:
    """Say where packed weights lie: from a number of floats to an array of them."""
    _memory[0] = allocate


def packed_memory(floats: int) -> Array:
    """Memory for packed weights, not yet filled."""
    return _memory[0](floats) if floats else np.empty(0, np.float32)


def panel_floats(k: int, n: int, isa: Isa) -> int:
    """How many floats the panels of a (k, n) matrix have."""
    return k * -(-n // isa.vector) * isa.vector


def pack_panels(matrix: Array, isa: Isa, out: Array | None = None) -> Array:
    """A (k, n) matrix in panels of `tile_n` columns, each stored row by row, the last one padded to whole vectors.

    Args:
        matrix: its numbers are converted to float32.
        isa: says how wide panels and vectors are.
        out: where to write, of `panel_floats`; None: new memory.

    Returns:
        The panels, float32 of shape (panel_floats,).
    """
    k, n = matrix.shape
    full = n // isa.tile_n * isa.tile_n
    out = packed_memory(panel_floats(k, n, isa)) if out is None else out
    panels, tail = out[: k * full].reshape(full // isa.tile_n, k, isa.tile_n), out[k * full :]
    rows = max(1, BLOCK // max(1, matrix.itemsize * n))
    is_mapped, begin = map_behind(matrix) is not None, 0
    for at in range(0, k, rows):
        block = matrix[at : at + rows]
        if full:
            panels[:, at : at + rows] = block[:, :full].reshape(len(block), -1, isa.tile_n).swapaxes(0, 1)
        if full < n:
            target = tail.reshape(k, -1)[at : at + rows]
            target[:, : n - full] = block[:, full:]
            target[:, n - full :] = 0
        if is_mapped and (at + rows - begin) * n * matrix.itemsize >= DROPPED:
            drop_pages(matrix[begin : at + rows])
            begin = at + rows
    return out
