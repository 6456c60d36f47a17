"""HDF5's descriptions of data types and array shapes, as bytes of a message, to NumPy's.

Types that are no plain numbers or strings have a class in `CLASSES` and are named in errors. `NotDirectError` means:
well formed, perhaps, but for HDF5's library to read.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np

from graphflow.errors import ModelFormatError

CLASSES = {2: "time", 3: "string", 4: "bit field", 5: "opaque", 6: "compound", 7: "reference", 9: "vlen", 10: "array"}
"""HDF5's type classes that are no numbers, by code."""

_INTEGER, _FLOAT, _STRING, _OPAQUE, _ENUM, _VLEN = 0, 1, 3, 5, 8, 9
_IEEE = {2: (15, 0, 16, 10, 5, 0, 10, 15), 4: (31, 0, 32, 23, 8, 0, 23, 127), 8: (63, 0, 64, 52, 11, 0, 52, 1023)}
"""Bytes to sign, bit offset, precision, and place and size of exponent and mantissa, and bias."""


class NotDirectError(Exception):
    """A structure that only HDF5's library reads."""


class ValueType(NamedTuple):
    """What the elements of an attribute or dataset are: numbers, strings of `size` bytes, or strings in a heap."""

    dtype: np.dtype[np.generic] | None
    size: int
    is_text: bool = False
    in_heap: bool = False


def read_type(content: bytes, where: str) -> ValueType:
    """The type that a datatype message describes.

    Raises:
        ModelFormatError: no numbers or strings, or a message that is too short.
        NotDirectError: numbers of a rare layout.
    """
    if len(content) < 8:
        raise ModelFormatError(f"{where}: the description of a data type is truncated.")
    group = content[0] & 15
    bits = content[1] | content[2] << 8 | content[3] << 16
    size = int.from_bytes(content[4:8], "little")
    if group == _STRING:
        return ValueType(None, size, is_text=True)
    if group == _VLEN and bits & 15 == 1:
        return ValueType(None, size, is_text=True, in_heap=True)
    if group == _OPAQUE and size == 2:
        return ValueType(np.dtype("V2"), 2)
    if group == _ENUM:
        raise NotDirectError
    if group == _INTEGER and len(content) >= 12 and size in (1, 2, 4, 8) and not bits & 0b110:
        offset, precision = struct.unpack_from("<2H", content, 8)
        if offset == 0 and precision == 8 * size:
            return ValueType(np.dtype(f"{'>' if bits & 1 else '<'}{'i' if bits & 8 else 'u'}{size}"), size)
    if group == _FLOAT and len(content) >= 20 and size in _IEEE and bits & 0xFE == 0x20:
        found = (bits >> 8, *struct.unpack_from("<2H4BL", content, 8))
        if found == _IEEE[size]:
            return ValueType(np.dtype(f"{'>' if bits & 1 else '<'}f{size}"), size)
    if group in (_INTEGER, _FLOAT):
        raise NotDirectError
    raise ModelFormatError(f"{where}: expected plain numbers, received HDF5 type class {CLASSES.get(group, group)}.")


def read_shape(content: bytes, where: str) -> tuple[int, ...] | None:
    """The shape that a dataspace message describes; None if it says that there are no data.

    Raises:
        ModelFormatError: too short, or of a version that does not exist.
    """
    version, rank, _, kind = content[:4] if len(content) >= 4 else (0, 0, 0, 0)
    at = {1: 8, 2: 4}.get(version)
    if at is None or len(content) < at + 8 * rank or rank > 32:
        raise ModelFormatError(f"{where}: the description of a shape is damaged.")
    if version == 2 and kind == 2:
        return None
    return struct.unpack_from(f"<{rank}Q", content, at)
