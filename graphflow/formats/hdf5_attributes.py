"""The attributes of HDF5 objects as plain strings and numbers, their size known before they are read."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from graphflow.errors import ModelFormatError
from graphflow.formats.hdf5_data import plain_dtype
from graphflow.formats.limits import Limits
from graphflow.formats.zip_directory import Bytes

_HEAP = re.compile(rb"GCOL\x01\x00\x00\x00(.{8})", re.DOTALL)
_HEAP_OBJECT = struct.Struct("<H6xQ")
_HEAP_HEADER = 16


def read_attribute(
    holder: Any, name: str, largest_heap: Callable[[], int], where: str, limits: Limits
) -> list[str] | npt.NDArray[Any] | None:
    """Read one attribute.

    Args:
        holder: the h5py id of the group or dataset.
        name: the attribute.
        largest_heap: gives the result of `check_heaps`; called only for strings of variable length.
        where: the file, member, path and attribute, as messages shall name them.
        limits: budgets; `member_bytes` applies.

    Returns:
        A list of strings (of length 1 for a single one), an array of numbers, or None if there is no such attribute.

    Raises:
        ModelFormatError: neither strings nor numbers, not UTF-8, or too large.
        UnsupportedError: numbers of an unknown kind.
    """
    import h5py  # type: ignore[import-untyped]

    raw = name.encode("utf-8")
    if b"\0" in raw or not h5py.h5a.exists(holder, raw):
        return None
    attribute = h5py.h5a.open(holder, raw)
    kind = attribute.get_type()
    is_text = kind.get_class() == h5py.h5t.STRING
    if attribute.get_space().get_simple_extent_type() == h5py.h5s.NULL:
        return [] if is_text else np.empty(0, plain_dtype(kind, where))
    shape = tuple(int(size) for size in attribute.shape)
    count = math.prod(shape)
    if not is_text:
        dtype = plain_dtype(kind, where)
        limits.check("member_bytes", count * dtype.itemsize, where, "bytes of attribute")
        numbers = np.empty(shape, dtype)
        if count:
            attribute.read(numbers, kind)
        return numbers.astype(dtype.newbyteorder("="), copy=False)
    if not kind.is_variable_str():
        limits.check("member_bytes", count * int(kind.get_size()), where, "bytes of attribute")
    else:
        limits.check("member_bytes", count * largest_heap(), where, "bytes of attribute")
    texts = np.empty(shape, attribute.dtype)
    if count:
        attribute.read(texts, h5py.h5t.py_create(attribute.dtype))
    return [_decoded(text, where) for text in texts.reshape(-1)]


def _decoded(text: Any, where: str) -> str:
    """One string of an attribute, which must be UTF-8."""
    try:
        return bytes(text or b"").decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise ModelFormatError(f"{where}: expected UTF-8 text.") from None


def check_heaps(source: Bytes, where: str) -> int:
    """Find and check every global heap collection, where HDF5 keeps strings of variable length.

    HDF5 walks the objects of a collection without making sure that it moves, so a damaged one makes it run for ever.

    Args:
        source: the file, uint8 of shape (bytes,).
        where: the file and member, as messages shall name them.

    Returns:
        The size in bytes of the largest collection. No string can be longer, but a small attribute can name the same
        string many times.

    Raises:
        ModelFormatError: a collection whose objects do not fill it one after the other.
    """
    data = source.data
    largest = 0
    for found in _HEAP.finditer(data):
        begin = found.start()
        size = int.from_bytes(found[1], "little")
        if begin + size > len(data):
            continue
        largest = max(largest, size)
        at, end = begin + _HEAP_HEADER, begin + size
        while end - at >= _HEAP_HEADER:
            index, held = _HEAP_OBJECT.unpack_from(data, at)
            step = held if index == 0 else _HEAP_HEADER + -(-held // 8) * 8
            if step < _HEAP_HEADER or step > end - at:
                raise ModelFormatError(f"{where}: the heap of strings at byte {begin:,} is damaged at byte {at:,}.")
            at += step
    return largest
