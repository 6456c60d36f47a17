"""The raw data of one HDF5 dataset, taken from the file's bytes without HDF5's own input and filter code.

HDF5 says where the bytes are; reading, decompressing and reordering them here bounds every allocation by the shape the
caller expects, loads no filter plugin, and lets contiguous data be used where they lie.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from graphflow.errors import ModelFormatError, UnsupportedError
from graphflow.formats.container import inflate
from graphflow.formats.limits import Limits
from graphflow.formats.zip_directory import Bytes

_DEFLATE, _SHUFFLE, _FLETCHER32 = 1, 2, 3
_CHUNK_FREE_BYTES = 1 << 20
_CODES = frozenset(("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"))
_CLASSES = {2: "time", 3: "string", 4: "bit field", 5: "opaque", 6: "compound", 7: "reference", 9: "vlen", 10: "array"}


def describe(dataset: Any, where: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and stored type of a dataset, refused unless its data are plain numbers inside the file.

    Args:
        dataset: the h5py `DatasetID`.
        where: the file, member and path, as messages shall name them.

    Returns:
        The shape, and the type with its byte order; two opaque bytes are "V2".

    Raises:
        ModelFormatError: virtual, kept in other files, without data, or not numbers.
        UnsupportedError: numbers or filters of an unknown kind.
    """
    import h5py

    properties = dataset.get_create_plist()
    layout = properties.get_layout()
    if layout == h5py.h5d.VIRTUAL:
        raise ModelFormatError(f"{where}: virtual datasets are refused, because their data lie in other places.")
    if properties.get_external_count():
        raise ModelFormatError(f"{where}: external storage is refused: weights must lie in the file itself.")
    if layout not in (h5py.h5d.COMPACT, h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED):
        raise UnsupportedError(f"{where}: the storage layout {layout} of a dataset is not supported.")
    check_filters(properties, where)
    dtype = plain_dtype(dataset.get_type(), where)
    if dataset.get_space().get_simple_extent_type() == h5py.h5s.NULL:
        raise ModelFormatError(f"{where}: the dataset is declared empty (null); expected an array.")
    return tuple(int(size) for size in dataset.shape), dtype


def plain_dtype(kind: Any, where: str) -> np.dtype[Any]:
    """The NumPy type of an HDF5 type that has exactly the same bits: integers, IEEE floats, bool, two opaque bytes."""
    import h5py

    classes = h5py.h5t
    group, size = kind.get_class(), int(kind.get_size())
    if group == classes.OPAQUE and size == 2:
        return np.dtype("V2")
    if group not in (classes.INTEGER, classes.FLOAT, classes.ENUM):
        raise ModelFormatError(
            f"{where}: expected plain numbers, received HDF5 type class {_CLASSES.get(group, group)}."
        )
    if group == classes.ENUM:
        code = "?"
    else:
        letter = "f" if group == classes.FLOAT else "i" if kind.get_sign() == classes.SGN_2 else "u"
        code = f"{'>' if kind.get_order() == classes.ORDER_BE else '<'}{letter}{size}"
    if code.lstrip("<>") in _CODES:
        dtype = np.dtype(code)
        if kind.equal(classes.py_create(dtype, logical=True)):
            return dtype
    raise UnsupportedError(f"{where}: numbers of {size} bytes in a layout that NumPy lacks are not supported.")


def read_data(
    dataset: Any, source: Bytes, shape: tuple[int, ...], dtype: np.dtype[Any], where: str, limits: Limits
) -> npt.NDArray[Any]:
    """The data of a dataset that `describe` accepted and whose size is within the limits.

    Args:
        dataset: the h5py `DatasetID`.
        source: the file, uint8 of shape (bytes,).
        shape: its shape.
        dtype: its stored type.
        where: the file, member and path, as messages shall name them.
        limits: budgets; `ratio` and `array_bytes` apply.

    Returns:
        An array of `shape` and `dtype`: a view of `source` for contiguous data, else a new one.

    Raises:
        ModelFormatError: data that are missing, outside the file, or damaged.
    """
    import h5py

    size = math.prod(shape) * dtype.itemsize
    if size == 0:
        return np.empty(shape, dtype)
    layout = dataset.get_create_plist().get_layout()
    if layout == h5py.h5d.CHUNKED:
        return read_chunks(dataset, source, shape, dtype, where, limits)
    stored = int(dataset.get_storage_size())
    if stored != size:
        raise ModelFormatError(f"{where}: expected {size:,} bytes of data, the file holds {stored:,}.")
    if layout == h5py.h5d.CONTIGUOUS:
        offset = dataset.get_offset()
        if offset is None:
            raise ModelFormatError(f"{where}: the dataset is declared, but its data were never written.")
        return slice_of(source, int(offset), size, where).view(dtype).reshape(shape)
    result = np.empty(shape, dtype)
    dataset.read(h5py.h5s.ALL, h5py.h5s.ALL, result, dataset.get_type())
    return result


def slice_of(source: Bytes, offset: int, size: int, where: str) -> Bytes:
    """The bytes [offset, offset + size) of the file, which must exist."""
    if offset < 0 or size < 0 or offset + size > len(source):
        raise ModelFormatError(
            f"{where}: data must lie inside the file of {len(source):,} bytes, they are at {offset:,} + {size:,}."
        )
    return source[offset : offset + size]


def check_filters(properties: Any, where: str) -> list[int]:
    """The filters of a dataset in the order they were applied; only gzip, shuffle and fletcher32 are known."""
    filters = [int(properties.get_filter(index)[0]) for index in range(properties.get_nfilters())]
    for code in filters:
        if code not in (_DEFLATE, _SHUFFLE, _FLETCHER32):
            raise UnsupportedError(
                f"{where}: data may be compressed by gzip, shuffle and fletcher32, received filter {code}."
            )
    return filters


def read_chunks(
    dataset: Any, source: Bytes, shape: tuple[int, ...], dtype: np.dtype[Any], where: str, limits: Limits
) -> npt.NDArray[Any]:
    """Assemble a chunked dataset.

    Args:
        dataset: the h5py `DatasetID`, whose filters have been checked.
        source: the file, uint8 of shape (bytes,).
        shape: the dataset's shape, known to be within the limits.
        dtype: the stored type, with its byte order.
        where: the file, member and path, as messages shall name them.
        limits: budgets; `ratio` and `array_bytes` apply.

    Returns:
        A new array of `shape` and `dtype`.

    Raises:
        ModelFormatError: chunks that are missing, repeated, misplaced, too large or damaged.
    """
    properties = dataset.get_create_plist()
    chunk = tuple(int(size) for size in properties.get_chunk())
    chunk_bytes = math.prod(chunk) * dtype.itemsize
    array_bytes = math.prod(shape) * dtype.itemsize
    limits.check("array_bytes", chunk_bytes, where, "bytes of chunk")
    if chunk_bytes > max(array_bytes, _CHUNK_FREE_BYTES):
        raise ModelFormatError(f"{where}: a chunk of {chunk_bytes:,} bytes is larger than the array ({array_bytes:,}).")
    grid = [-(-size // step) for size, step in zip(shape, chunk, strict=True)]
    found = int(dataset.get_num_chunks())
    if found != math.prod(grid):
        raise ModelFormatError(f"{where}: expected {math.prod(grid):,} chunks of {chunk}, the file holds {found:,}.")
    rows: list[tuple[tuple[int, ...], int, int, int]] = []
    dataset.chunk_iter(lambda row: rows.append((row.chunk_offset, row.filter_mask, row.byte_offset, row.size)))
    limits.check_ratio(found * chunk_bytes, sum(row[3] for row in rows), where)

    filters = check_filters(properties, where)
    result = np.empty(shape, dtype)
    done: set[tuple[int, ...]] = set()
    for start, mask, offset, stored in rows:
        aligned = all(at % step == 0 and at < size for at, step, size in zip(start, chunk, shape, strict=True))
        if not aligned or start in done:
            raise ModelFormatError(f"{where}: each chunk must have one place of its own, received one at {start}.")
        done.add(start)
        raw = slice_of(source, offset, stored, where)
        plain = _undo_filters(raw, filters, mask, chunk_bytes, dtype.itemsize, where)
        block = plain.view(dtype).reshape(chunk)
        inside = tuple(slice(0, min(step, size - at)) for at, step, size in zip(start, chunk, shape, strict=True))
        target = tuple(slice(at, at + step) for at, step in zip(start, chunk, strict=True))
        result[target] = block[inside]
    return result


def _undo_filters(raw: Bytes, filters: list[int], mask: int, size: int, item: int, where: str) -> Bytes:
    """The `size` bytes of one chunk, filters undone last to first; bit i of `mask`: filter i was skipped."""
    for index in range(len(filters) - 1, -1, -1):
        if mask >> index & 1:
            continue
        checked = 4 * sum(1 for at in range(index) if filters[at] == _FLETCHER32 and not mask >> at & 1)
        if filters[index] == _DEFLATE:
            raw = np.frombuffer(inflate(raw, size + checked, where, raw=False), np.uint8)
        elif filters[index] == _SHUFFLE:
            whole = len(raw) // item * item
            raw = np.concatenate([raw[:whole].reshape(item, -1).T.reshape(-1), raw[whole:]])
        else:
            raw = _without_checksum(raw, where)
    if len(raw) != size:
        raise ModelFormatError(f"{where}: expected a chunk of {size:,} bytes, received {len(raw):,}.")
    return np.ascontiguousarray(raw)


def _without_checksum(raw: Bytes, where: str) -> Bytes:
    """The data before a Fletcher-32 checksum that has been found right."""
    if len(raw) < 4 or int.from_bytes(raw[-4:].tobytes(), "little") != fletcher32(raw[:-4]):
        raise ModelFormatError(f"{where}: the checksum (Fletcher-32) does not match; the file is damaged.")
    return raw[:-4]


def fletcher32(data: Bytes) -> int:
    """Fletcher's checksum over big-endian 16-bit words, as HDF5 stores it.

    Args:
        data: the bytes; an odd last byte counts as the high half of a word.

    Returns:
        The second sum in the high 16 bits, the first in the low ones; both modulo 65,535, where a sum that is not zero
        never reads zero.
    """
    if len(data) % 2:
        data = np.append(data, np.uint8(0))
    words = data.view(">u2").astype(np.uint64)
    weights = np.arange(len(words), 0, -1, dtype=np.uint64) % np.uint64(65535)
    sums = (int(words.sum()), int((words * weights).sum()))
    first, second = ((total - 1) % 65535 + 1 if total else 0 for total in sums)
    return second << 16 | first
