"""The tree of an HDF5 file as HDF5's library describes it, through h5py, for what `hdf5_direct` does not read.

h5py is given a view of bytes in memory, so HDF5 itself opens no file, and is asked for descriptions only: the data
are read by `hdf5_data`. A path is walked one link at a time.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from graphflow.errors import GraphflowError, ModelFormatError, UnsupportedError
from graphflow.formats.hdf5_data import DEFLATE, FLETCHER32, SHUFFLE, Chunk, Stored
from graphflow.formats.hdf5_headers import attribute_data, heap_strings
from graphflow.formats.hdf5_types import CLASSES
from graphflow.formats.limits import Limits, shown
from graphflow.formats.zip_directory import Bytes

_ERRORS = (OSError, KeyError, RuntimeError, ValueError, TypeError, OverflowError, NotImplementedError)
_CODES = frozenset(("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"))


class _View(io.RawIOBase):
    """Bytes in memory as the file object that h5py reads."""

    def __init__(self, source: Bytes) -> None:
        self._source = source.data
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, len(self._source))[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = self._source[self._at : self._at + len(buffer)]
        if len(data) != len(buffer):
            raise OSError(f"truncated: {len(buffer):,} bytes at {self._at:,} are outside {len(self._source):,} bytes")
        buffer[:] = data
        self._at += len(data)
        return len(data)


@contextmanager
def _library(where: str) -> Iterator[None]:
    """Errors of HDF5 and h5py become `ModelFormatError`."""
    try:
        yield
    except GraphflowError:
        raise
    except _ERRORS as error:
        raise ModelFormatError(f"{where}: not readable as HDF5: {shown(str(error), 300)}.") from None


class LibraryTree:
    """The objects of a file; the methods are those of `DirectTree`, a handle is an h5py id.

    Raises:
        ModelFormatError: not readable.
    """

    def __init__(self, source: Bytes, where: str, limits: Limits) -> None:
        import h5py

        self._h5 = h5py
        self._source = source
        self._limits = limits
        with _library(where):
            self._file = h5py.File(_View(source), "r")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def root(self, where: str) -> Any:
        """The group that holds everything."""
        with _library(where):
            return self._h5.h5g.open(self._file.id, b"/")

    def kind(self, handle: Any) -> Literal["group", "dataset"] | None:
        """What an object is; None for one that is neither."""
        if isinstance(handle, self._h5.h5d.DatasetID):
            return "dataset"
        return "group" if isinstance(handle, self._h5.h5g.GroupID) else None

    def child(self, handle: Any, name: bytes, where: str) -> tuple[str, Any] | None:
        """The kind of a link in a group, and what it leads to if it is hard; None if there is no such link."""
        h5 = self._h5
        with _library(where):
            if not handle.links.exists(name):
                return None
            kind = handle.links.get_info(name).type
            if kind != h5.h5l.TYPE_HARD:
                return {h5.h5l.TYPE_SOFT: "soft", h5.h5l.TYPE_EXTERNAL: "external"}.get(kind, "user-defined"), None
            return "hard", h5.h5o.open(handle, name)

    def names(self, handle: Any, where: str) -> list[bytes]:
        """The names in a group, in the order of the file's index."""
        with _library(where):
            self._limits.check("nodes", int(handle.get_num_objs()), where, "links in a group")
            return list(handle)

    def attribute_names(self, handle: Any, where: str) -> list[bytes]:
        """The names of an object's attributes."""
        with _library(where):
            count = int(self._h5.h5a.get_num_attrs(handle))
            self._limits.check("nodes", count, where, "attributes")
            return [self._h5.h5a.open(handle, index=index).name for index in range(count)]

    def attribute(self, handle: Any, name: bytes, where: str) -> list[bytes] | npt.NDArray[np.generic] | None:
        """The strings or numbers of an attribute; None if there is none of this name."""
        with _library(where):
            return self._attribute(handle, name, where)

    def _attribute(self, handle: Any, name: bytes, where: str) -> list[bytes] | npt.NDArray[np.generic] | None:
        h5 = self._h5
        if b"\0" in name or not h5.h5a.exists(handle, name):
            return None
        attribute = h5.h5a.open(handle, name)
        kind = attribute.get_type()
        is_text = kind.get_class() == h5.h5t.STRING
        if attribute.get_space().get_simple_extent_type() == h5.h5s.NULL:
            return [] if is_text else np.empty(0, _plain_dtype(kind, where))
        shape = tuple(int(size) for size in attribute.shape)
        count = math.prod(shape)
        if not is_text:
            dtype = _plain_dtype(kind, where)
            self._limits.check("member_bytes", count * dtype.itemsize, where, "bytes of attribute")
            numbers = np.empty(shape, dtype)
            if count:
                attribute.read(numbers, kind)
            return numbers.astype(dtype.newbyteorder("="), copy=False)
        if kind.is_variable_str():
            data = attribute_data(self._source.data, int(h5.h5o.get_info(handle).addr), name, where, self._limits)
            return heap_strings(self._source.data, data, count, where, self._limits)
        self._limits.check("member_bytes", count * int(kind.get_size()), where, "bytes of attribute")
        texts = np.empty(shape, attribute.dtype)
        if count:
            attribute.read(texts, kind)
        return [bytes(text) for text in texts.reshape(-1)]

    def stored(self, handle: Any, where: str) -> Stored:
        """What a dataset holds and where.

        Raises:
            ModelFormatError: virtual, kept in other files, without data, or not numbers.
            UnsupportedError: numbers or filters of an unknown kind.
        """
        with _library(where):
            return self._stored(handle, where)

    def _stored(self, dataset: Any, where: str) -> Stored:
        h5 = self._h5
        properties = dataset.get_create_plist()
        layout = properties.get_layout()
        if layout == h5.h5d.VIRTUAL:
            raise ModelFormatError(f"{where}: virtual datasets are refused, because their data lie in other places.")
        if properties.get_external_count():
            raise ModelFormatError(f"{where}: external storage is refused: weights must lie in the file itself.")
        filters = _filters(properties, where)
        dtype = _plain_dtype(dataset.get_type(), where)
        if dataset.get_space().get_simple_extent_type() == h5.h5s.NULL:
            raise ModelFormatError(f"{where}: the dataset is declared empty (null); expected an array.")
        shape = tuple(int(size) for size in dataset.shape)
        if layout == h5.h5d.CONTIGUOUS:
            return Stored(shape, dtype, dataset.get_offset(), int(dataset.get_storage_size()))
        if layout == h5.h5d.COMPACT:
            compact = np.empty(shape, dtype)
            dataset.read(h5.h5s.ALL, h5.h5s.ALL, compact, dataset.get_type())
            return Stored(shape, dtype, compact=compact.tobytes())
        if layout != h5.h5d.CHUNKED:
            raise UnsupportedError(f"{where}: the storage layout {layout} of a dataset is not supported.")
        rows: list[Chunk] = []
        self._limits.check("nodes", int(dataset.get_num_chunks()), where, "chunks of a dataset")
        if dataset.get_num_chunks():
            dataset.chunk_iter(
                lambda row: rows.append(Chunk(row.chunk_offset, row.filter_mask, row.byte_offset, row.size))
            )
        chunk = tuple(int(size) for size in properties.get_chunk())
        return Stored(shape, dtype, chunk=chunk, filters=filters, chunks=tuple(rows))


def _plain_dtype(kind: Any, where: str) -> np.dtype[np.generic]:
    """The NumPy type of an HDF5 type that has exactly the same bits: integers, IEEE floats, bool, two opaque bytes."""
    import h5py

    classes = h5py.h5t
    group, size = kind.get_class(), int(kind.get_size())
    if group == classes.OPAQUE and size == 2:
        return np.dtype("V2")
    if group not in (classes.INTEGER, classes.FLOAT, classes.ENUM):
        raise ModelFormatError(
            f"{where}: expected plain numbers, received HDF5 type class {CLASSES.get(group, group)}."
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


def _filters(properties: Any, where: str) -> tuple[int, ...]:
    """The filters of a dataset in the order they were applied; only gzip, shuffle and fletcher32 are known."""
    filters = tuple(int(properties.get_filter(index)[0]) for index in range(properties.get_nfilters()))
    for code in filters:
        if code not in (DEFLATE, SHUFFLE, FLETCHER32):
            raise UnsupportedError(
                f"{where}: data may be compressed by gzip, shuffle and fletcher32, received filter {code}."
            )
    return filters
