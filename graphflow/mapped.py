"""Arrays that lie in a file: letting go of the memory behind what has been read.

A mapped file costs a process the pages that it has touched. Those of a read-only map can be given back at any time and
are read again when they are needed, as a rule from the system's cache, so weights that were packed for kernels need
not stay in memory a second time.
"""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np

MAPPED_FROM = 16 << 20
"""Bytes from which weights are, by default, used where they lie in a file; smaller ones are copied."""

DROP_FROM = 1 << 20
"""Bytes from which letting go is worth a call of the system."""


def map_behind(data: np.ndarray[Any, Any]) -> mmap.mmap | None:
    """The map that an array lies in, None if it lies elsewhere.

    Example:
        >>> map_behind(np.zeros(3)) is None
        True
    """
    holder: Any = data
    while isinstance(holder, np.ndarray):
        holder = holder.base
    holder = holder.obj if isinstance(holder, memoryview) else holder
    return holder if isinstance(holder, mmap.mmap) else None


def drop_pages(data: np.ndarray[Any, Any], least: int = DROP_FROM) -> None:
    """Let go of the memory behind a C-contiguous part of a mapped file; it is read again when it is needed.

    Args:
        data: any array; nothing happens to one that is not in a read-only map, or not in one piece.
        least: bytes; nothing happens to smaller ones.
    """
    if data.nbytes < least or not data.flags.c_contiguous:
        return
    holder = map_behind(data)
    if holder is None or not memoryview(holder).readonly:
        return
    begin = data.__array_interface__["data"][0] - np.frombuffer(holder, np.uint8).__array_interface__["data"][0]
    first = -(-begin // mmap.PAGESIZE) * mmap.PAGESIZE
    length = (begin + data.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE - first
    if length > 0:
        holder.madvise(mmap.MADV_DONTNEED, first, length)
