"""ZIP archives (`.keras` files) read as data: mapped into memory, checked as a whole, nothing written to disk.

`zip_directory` says which archives are accepted; this file gives their members as bytes, with the length and the
checksum of each verified.
"""

from __future__ import annotations

import mmap
import os
import stat
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from graphflow.errors import ModelFormatError
from graphflow.formats.limits import DEFAULT_LIMITS, Limits, shown
from graphflow.formats.zip_directory import DEFLATED, STORED, Bytes, Entry, read_directory
from graphflow.mapped import drop_pages

_BLOCK = 4 << 20
"""Bytes that are read at once; what is larger is not left in memory as a whole while it is read."""
AHEAD_FROM = 1 << 20
"""Bytes of a member from which a thread that reads it ahead is worth starting."""
WHOLE_BELOW = 16 << 20
"""Bytes of a member below which what is read ahead is copied at once: each call that runs beside Python's may have to
wait for it afterwards."""


def map_file(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> Bytes:
    """Map a regular file into memory, read-only.

    The path may be a symbolic link, since the user chose it; what it leads to must be a regular file. The map lives as
    long as the array or a view of it. If another process shortens the file meanwhile, touching the lost part kills
    the process, so arrays that outlive the loading should be copies when the file may be overwritten in place.

    Args:
        path: the file.
        limits: budgets; `file_bytes` applies.

    Returns:
        The content, uint8 of shape (bytes,).

    Raises:
        OSError: the file is missing or not readable.
        ModelFormatError: not a regular file, empty, or larger than the limit.
    """
    where = os.fspath(path)
    _check_regular(Path(where).stat().st_mode, where)
    descriptor = os.open(where, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        status = os.fstat(descriptor)
        _check_regular(status.st_mode, where)
        limits.check("file_bytes", status.st_size, where, "bytes of file")
        if status.st_size == 0:
            raise ModelFormatError(f"{where}: the file is empty.")
        content = mmap.mmap(descriptor, status.st_size, access=mmap.ACCESS_READ)
    finally:
        os.close(descriptor)
    return np.frombuffer(content, np.uint8)


def copied(data: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """A new array of another data type, block by block, letting go of mapped memory on the way."""
    result = np.empty(data.shape, dtype)
    if data.nbytes < _BLOCK:
        result[...] = data
        drop_pages(data)
        return result
    source, target = data.reshape(-1), result.reshape(-1)
    step = _BLOCK // data.dtype.itemsize
    for at in range(0, len(source), step):
        target[at : at + step] = source[at : at + step]
        drop_pages(source[at : at + step])
    return result


def checksum(data: Bytes) -> int:
    """The CRC-32 of bytes, letting go of mapped memory on the way, so that a large file never lies in it as a whole."""
    value = 0
    for at in range(0, len(data), _BLOCK):
        block = data[at : at + _BLOCK]
        value = zlib.crc32(block.data, value)
        if len(data) > _BLOCK:
            drop_pages(block)
    return value


def _check_regular(mode: int, where: str) -> None:
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFDIR: "directory", stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket"}
        kind = kinds.get(stat.S_IFMT(mode), "device")
        raise ModelFormatError(f"{where}: a model must be a regular file, received a {kind}.")


class Archive:
    """The members of a ZIP file, each readable as bytes; made by `open_archive`.

    Attributes:
        where: the file, as messages name it.
        names: the members in the order of the directory, folders left out.
    """

    def __init__(self, content: Bytes, where: str, limits: Limits) -> None:
        self.where = where
        self._limits = limits
        self._content = content
        self._entries = read_directory(content, where, limits)
        self._ahead: dict[str, _Ahead] = {}
        self.names: tuple[str, ...] = tuple(self._entries)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget the file; arrays given out by `mapped` stay valid and keep the map alive."""
        for reading in self._ahead.values():
            reading.join()
        self._ahead = {}
        drop_pages(self._content)
        self._content = self._content[:0]
        self._entries = {}

    def place(self, name: str) -> str:
        """The file and a member, as messages name them."""
        return f"{self.where}, member {shown(name)}"

    def read(self, name: str) -> bytes:
        """The content of a small member such as `config.json`.

        Args:
            name: one of `names`.

        Returns:
            The decompressed bytes, at most `limits.member_bytes`.

        Raises:
            ModelFormatError: no such member, too large, damaged, or not as large as it says.
        """
        entry = self._find(name)
        self._limits.check("member_bytes", entry.size, self.place(name), "bytes of member")
        return self._expand(entry).tobytes()

    def read_ahead(self, name: str) -> None:
        """Begin to read a large member in a thread, while the caller does other things; `mapped` waits for the end.

        A stored member of less than 16 MiB and `limits.mapped_from` is then copied into memory as a whole. Nothing
        happens where there is no such member, or where it is too small for a thread or larger than allowed.
        """
        entry = self._entries.get(name)
        if entry is not None and AHEAD_FROM <= entry.size <= self._limits.file_bytes and name not in self._ahead:
            in_memory = entry.method == STORED and entry.size < min(WHOLE_BELOW, self._limits.mapped_from)
            self._ahead[name] = _Ahead(lambda: self._expand(entry, in_memory))
            self._ahead[name].start()

    def mapped(self, name: str) -> Bytes:
        """The content of a large member such as `model.weights.h5`, without a copy when it is stored.

        Args:
            name: one of `names`.

        Returns:
            uint8 of shape (bytes,), read-only: a view of the mapped file if the member is stored, else its decompressed
            bytes in memory, at most `limits.file_bytes`. Of a member that was read ahead perhaps a copy: an array that
            may be written belongs to the caller.

        Raises:
            ModelFormatError: no such member, too large, damaged, or not as large as it says.
        """
        entry = self._find(name)
        self._limits.check("file_bytes", entry.size, self.place(name), "bytes of member")
        reading = self._ahead.pop(name, None)
        return self._expand(entry) if reading is None else reading.result()

    def _find(self, name: str) -> Entry:
        try:
            return self._entries[name]
        except KeyError:
            known = ", ".join(shown(each) for each in self.names[:20])
            raise ModelFormatError(f"{self.where}: no member named {shown(name)}. Members: {known}.") from None

    def _expand(self, entry: Entry, in_memory: bool = False) -> Bytes:
        """The member's bytes, with length and checksum verified; `in_memory`: no view of the mapped file."""
        where = self.place(entry.name)
        data = self._content[entry.begin : entry.begin + entry.stored]
        if entry.method == DEFLATED:
            self._limits.check_ratio(entry.size, entry.stored, where)
            data = np.frombuffer(inflate(data, entry.size, where, raw=True), np.uint8)
        elif in_memory:
            mapped, data = data, data.copy()
            drop_pages(mapped)
        if (zlib.crc32(data.data) if in_memory else checksum(data)) != entry.crc:
            raise ModelFormatError(f"{where}: the checksum (CRC-32) does not match; the file is damaged.")
        return data


class _Ahead(threading.Thread):
    """What reads bytes in a thread of its own, and then gives them, or the error that it met."""

    def __init__(self, read: Callable[[], Bytes]) -> None:
        super().__init__(name="graphflow-read-ahead", daemon=True)
        self._read = read
        self._found: Bytes | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._found = self._read()
        except BaseException as error:
            self._error = error

    def result(self) -> Bytes:
        """The bytes, when they are there."""
        self.join()
        if self._error is not None:
            raise self._error
        assert self._found is not None
        return self._found


def inflate(data: Bytes, size: int, where: str, raw: bool) -> bytes:
    """Decompress deflated data that must expand to exactly `size` bytes; never allocates much more than that.

    Args:
        data: the compressed bytes.
        size: the length that was declared, in bytes.
        where: the file and member, as messages shall name them.
        raw: a bare deflate stream, as in ZIP; False: with a zlib header and checksum, as in HDF5.

    Returns:
        The decompressed bytes.

    Raises:
        ModelFormatError: damaged, or of another length.
    """
    stream = zlib.decompressobj(-zlib.MAX_WBITS if raw else zlib.MAX_WBITS)
    try:
        result = stream.decompress(data.data, size + 1)
    except zlib.error as error:
        raise ModelFormatError(f"{where}: damaged compressed data ({error}).") from None
    if len(result) != size or not stream.eof or stream.unused_data:
        received = f"more than {size:,}" if len(result) > size else f"{len(result):,}"
        tail = "" if len(result) != size else " in a stream of another length"
        raise ModelFormatError(f"{where}: expected {size:,} decompressed bytes, received {received}{tail}.")
    return result


def open_archive(
    source: str | os.PathLike[str] | Bytes, limits: Limits = DEFAULT_LIMITS, where: str | None = None
) -> Archive:
    """Open a ZIP file for reading; its whole directory is checked before anything is read.

    Args:
        source: a path, or the content as uint8 of shape (bytes,) from `map_file`.
        limits: budgets; `file_bytes`, `member_bytes`, `members`, `ratio` and `string_bytes` apply.
        where: the file, as messages shall name it; by default the path.

    Returns:
        The archive, also usable in a `with` statement.

    Raises:
        OSError: the file is missing or not readable.
        ModelFormatError: not a ZIP file, or one that breaks a rule: repeated, absolute or climbing names, links,
            entries that overlap, headers that contradict each other, a damaged or misplaced directory.
        UnsupportedError: encrypted, in several parts, or compressed by another method than deflate.

    Example:
        >>> from graphflow.formats.container import open_archive
        >>> with open_archive("model.keras") as archive:  # doctest: +SKIP
        ...     archive.names
        ('metadata.json', 'config.json', 'model.weights.h5')
    """
    if isinstance(source, np.ndarray):
        return Archive(source, where or "<memory>", limits)
    return Archive(map_file(source, limits), where or os.fspath(source), limits)
