"""The raw data of one HDF5 dataset, taken from the file's bytes without HDF5's own input and filter code.

The tree of the file says where the bytes are; reading, decompressing and reordering them here bounds every allocation
by the shape the caller expects, loads no filter plugin, and lets contiguous data be used where they lie.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from graphflow.errors import ModelFormatError
from graphflow.formats.container import inflate
from graphflow.formats.limits import Limits
from graphflow.formats.zip_directory import Bytes

if TYPE_CHECKING:
    import numpy.typing as npt

DEFLATE, SHUFFLE, FLETCHER32 = 1, 2, 3
"""The filters that are undone here, by HDF5's numbers."""

_CHUNK_FREE_BYTES = 1 << 20


class Chunk(NamedTuple):
    """One chunk: the index of its first element, the filters it skipped as bits, and where its bytes are."""

    start: tuple[int, ...]
    mask: int
    offset: int
    size: int


class Stored(NamedTuple):
    """What a dataset holds and where it lies: `compact` bytes, `chunks` of a shape, or else `size` bytes at `offset`.

    Attributes:
        shape, dtype: as they are stored; two opaque bytes are "V2".
        chunk: the shape of a chunk, () for data in one piece.
        filters: what was done to the chunks, in order.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    offset: int | None = None
    size: int = 0
    compact: bytes | None = None
    chunk: tuple[int, ...] = ()
    filters: tuple[int, ...] = ()
    chunks: tuple[Chunk, ...] = ()


def read_data(stored: Stored, source: Bytes, where: str, limits: Limits) -> npt.NDArray[np.generic]:
    """The data of a dataset whose size is within the limits.

    Args:
        stored: where they are.
        source: the file, uint8 of shape (bytes,).
        where: the file, member and path, as messages shall name them.
        limits: budgets; `ratio` and `array_bytes` apply.

    Returns:
        An array of the stored shape and type: a view of `source` for contiguous data, else a new one.

    Raises:
        ModelFormatError: data that are missing, outside the file, or damaged.
    """
    size = math.prod(stored.shape) * stored.dtype.itemsize
    if size == 0:
        return np.empty(stored.shape, stored.dtype)
    if stored.chunk:
        return read_chunks(stored, source, where, limits)
    held = stored.size if stored.compact is None else len(stored.compact)
    if held != size:
        raise ModelFormatError(f"{where}: expected {size:,} bytes of data, the file holds {held:,}.")
    if stored.compact is not None:
        return np.frombuffer(stored.compact, stored.dtype).reshape(stored.shape)
    if stored.offset is None:
        raise ModelFormatError(f"{where}: the dataset is declared, but its data were never written.")
    return slice_of(source, stored.offset, size, where).view(stored.dtype).reshape(stored.shape)


Source = TypeVar("Source", Bytes, memoryview)


def slice_of(source: Source, offset: int, size: int, where: str) -> Source:
    """The bytes [offset, offset + size) of the file, which must exist."""
    if offset < 0 or size < 0 or offset + size > len(source):
        raise ModelFormatError(
            f"{where}: data must lie inside the file of {len(source):,} bytes, they are at {offset:,} + {size:,}."
        )
    return source[offset : offset + size]


def read_chunks(stored: Stored, source: Bytes, where: str, limits: Limits) -> npt.NDArray[np.generic]:
    """Assemble a chunked dataset; the arguments are those of `read_data`.

    Raises:
        ModelFormatError: chunks that are missing, repeated, misplaced, too large or damaged.
    """
    shape, dtype, chunk = stored.shape, stored.dtype, stored.chunk
    chunk_bytes = math.prod(chunk) * dtype.itemsize
    array_bytes = math.prod(shape) * dtype.itemsize
    limits.check("array_bytes", chunk_bytes, where, "bytes of chunk")
    if len(chunk) != len(shape) or not all(chunk):
        raise ModelFormatError(f"{where}: chunks of {chunk} do not fit an array of {shape}.")
    if chunk_bytes > max(array_bytes, _CHUNK_FREE_BYTES):
        raise ModelFormatError(f"{where}: a chunk of {chunk_bytes:,} bytes is larger than the array ({array_bytes:,}).")
    wanted, found = math.prod(-(-size // step) for size, step in zip(shape, chunk, strict=True)), len(stored.chunks)
    if found != wanted:
        raise ModelFormatError(f"{where}: expected {wanted:,} chunks of {chunk}, the file holds {found:,}.")
    limits.check_ratio(found * chunk_bytes, sum(row.size for row in stored.chunks), where)

    result = np.empty(shape, dtype)
    done: set[tuple[int, ...]] = set()
    for start, mask, offset, size in stored.chunks:
        aligned = all(at % step == 0 and at < size for at, step, size in zip(start, chunk, shape, strict=True))
        if not aligned or start in done:
            raise ModelFormatError(f"{where}: each chunk must have one place of its own, received one at {start}.")
        done.add(start)
        raw = slice_of(source, offset, size, where)
        plain = _undo_filters(raw, stored.filters, mask, chunk_bytes, dtype.itemsize, where)
        block = plain.view(dtype).reshape(chunk)
        inside = tuple(slice(0, min(step, size - at)) for at, step, size in zip(start, chunk, shape, strict=True))
        target = tuple(slice(at, at + step) for at, step in zip(start, chunk, strict=True))
        result[target] = block[inside]
    return result


def _undo_filters(raw: Bytes, filters: tuple[int, ...], mask: int, size: int, item: int, where: str) -> Bytes:
    """The `size` bytes of one chunk, filters undone last to first; bit i of `mask`: filter i was skipped."""
    for index in range(len(filters) - 1, -1, -1):
        if mask >> index & 1:
            continue
        checked = 4 * sum(1 for at in range(index) if filters[at] == FLETCHER32 and not mask >> at & 1)
        if filters[index] == DEFLATE:
            raw = np.frombuffer(inflate(raw, size + checked, where, raw=False), np.uint8)
        elif filters[index] == SHUFFLE:
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
