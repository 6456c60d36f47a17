"""The attributes of HDF5 objects as plain strings and numbers, their size known before they are read."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from graphflow.errors import ModelFormatError
from graphflow.formats.hdf5_data import plain_dtype
from graphflow.formats.hdf5_strings import read_strings
from graphflow.formats.limits import Limits
from graphflow.formats.zip_directory import Bytes


def read_attribute(
    holder: Any, name: str, source: Bytes, where: str, limits: Limits
) -> list[str] | npt.NDArray[Any] | None:
    """Read one attribute.

    Args:
        holder: the h5py id of the group or dataset.
        name: the attribute.
        source: the file, uint8 of shape (bytes,).
        where: the file, member, path and attribute, as messages shall name them.
        limits: budgets; `member_bytes` applies.

    Returns:
        A list of strings (of length 1 for a single one), an array of numbers, or None if there is no such attribute.

    Raises:
        ModelFormatError: neither strings nor numbers, not UTF-8, or too large.
        UnsupportedError: numbers of an unknown kind.
    """
    import h5py

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
    if kind.is_variable_str():
        address = int(h5py.h5o.get_info(holder).addr)
        return [_decoded(text, where) for text in read_strings(source, address, raw, count, where, limits)]
    limits.check("member_bytes", count * int(kind.get_size()), where, "bytes of attribute")
    texts = np.empty(shape, attribute.dtype)
    if count:
        attribute.read(texts, kind)
    return [_decoded(bytes(text), where) for text in texts.reshape(-1)]


def _decoded(text: bytes, where: str) -> str:
    """One string of an attribute, which must be UTF-8."""
    try:
        return text.decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise ModelFormatError(f"{where}: expected UTF-8 text.") from None
