"""The tree of an HDF5 file read from its bytes: groups, attributes and contiguous data, which is all that Keras writes.

Nothing of HDF5's library is imported or run, so opening costs less than importing it, and none of its weaknesses can
be reached. What is well formed but rare (compressed data, attributes or links kept in B-trees of version 2) raises
`NotDirectError`, and the library reads that.

    superblock -> object header of the root -> links (symbol table or link messages) -> object headers -> ...

Layouts: "HDF5 File Format Specification Version 3.0", sections II.A, III.A.1, III.B, III.D and IV.A.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import numpy as np

from graphflow.errors import ModelFormatError
from graphflow.formats.hdf5_data import Stored, slice_of
from graphflow.formats.hdf5_headers import SHARED, Message, heap_strings, read_messages, split_attribute
from graphflow.formats.hdf5_types import NotDirectError, ValueType, read_shape, read_type
from graphflow.formats.limits import Limits
from graphflow.formats.zip_directory import Bytes

if TYPE_CHECKING:
    import numpy.typing as npt

_SPACE, _LINKS, _TYPE, _LINK, _ELSEWHERE, _LAYOUT, _ATTRIBUTE, _TABLE, _ATTRIBUTES = 1, 2, 3, 6, 7, 8, 12, 17, 21
_NOWHERE = 0xFFFFFFFFFFFFFFFF
_COMPACT, _CONTIGUOUS, _CHUNKED, _VIRTUAL = 0, 1, 2, 3
_ENTRY = struct.Struct("<2QL4x16s")

LinkKind = Literal["hard", "soft", "external", "user-defined"]


class Header:
    """An object of the file: the contents of its messages by kind, its links when they are first asked for."""

    __slots__ = ("contents", "found_links", "shared")

    def __init__(self, messages: Iterable[Message]) -> None:
        self.contents: dict[int, list[bytes]] = {}
        self.shared: set[int] = set()
        self.found_links: dict[bytes, tuple[LinkKind, int]] | None = None
        for kind, flags, content in messages:
            self.contents.setdefault(kind, []).append(content)
            if flags & SHARED:
                self.shared.add(kind)

    def all(self, kind: int) -> list[bytes]:
        """The contents of the messages of one kind.

        Raises:
            NotDirectError: one is shared with other objects.
        """
        if kind in self.shared:
            raise NotDirectError
        return self.contents.get(kind, [])

    def one(self, kind: int) -> bytes | None:
        """The content of the first message of a kind, None if there is none."""
        found = self.all(kind)
        return found[0] if found else None


class DirectTree:
    """The objects of a file.

    Args:
        source: the file, uint8 of shape (bytes,).
        where: the file and member, as messages of errors shall name them.
        limits: budgets; `nodes`, `string_bytes` and `member_bytes` apply.

    Raises:
        ModelFormatError: damaged.
        NotDirectError: a superblock of a rare form.
    """

    def __init__(self, source: Bytes, where: str, limits: Limits) -> None:
        self._source = source.data
        self._limits = limits
        self._headers: dict[int, Header] = {}
        start = source[:96].tobytes().ljust(96, b"\0")
        if start[8] in (0, 1):
            base, _, end, _ = struct.unpack_from("<4Q", start, 24 + 4 * start[8])
            self._root = struct.unpack_from("<Q", start, 64 + 4 * start[8])[0]
        elif start[8] in (2, 3):
            base, _, end, self._root = struct.unpack_from("<4Q", start, 12)
        else:
            raise ModelFormatError(f"{where}: not readable as HDF5: version {start[8]} of the format is not known.")
        if base != 0:
            raise NotDirectError
        if end > len(source):
            received = f"it says that it has {end:,} bytes, received {len(source):,}"
            raise ModelFormatError(f"{where}: not readable as HDF5: truncated: {received}.")

    def root(self, where: str) -> Header:
        """The group that holds everything."""
        return self._header(self._root, where)

    def close(self) -> None:
        """Forget what has been read."""
        self._headers.clear()

    def _header(self, address: int, where: str) -> Header:
        found = self._headers.get(address)
        if found is None:
            found = self._headers[address] = Header(read_messages(self._source, address, where, self._limits))
        return found

    def kind(self, handle: Header) -> Literal["group", "dataset"] | None:
        """What an object is; None for one that is neither."""
        contents = handle.contents
        if _LAYOUT in contents:
            return "dataset"
        return "group" if _TABLE in contents or _LINKS in contents or _LINK in contents else None

    def child(self, handle: Header, name: bytes, where: str) -> tuple[LinkKind, Header | None] | None:
        """The kind of a link in a group, and what it leads to if it is hard; None if there is no such link."""
        found = self._links(handle, where).get(name)
        if found is None:
            return None
        return found[0], self._header(found[1], where) if found[0] == "hard" else None

    def names(self, handle: Header, where: str) -> list[bytes]:
        """The names in a group, sorted, or in the order of writing where the file says so."""
        return list(self._links(handle, where))

    def _links(self, handle: Header, where: str) -> dict[bytes, tuple[LinkKind, int]]:
        if handle.found_links is None:
            table = handle.one(_TABLE)
            handle.found_links = self._table(table, where) if table is not None else self._compact(handle, where)
        return handle.found_links

    def _compact(self, handle: Header, where: str) -> dict[bytes, tuple[LinkKind, int]]:
        """Links kept as messages in the group's header."""
        info = handle.one(_LINKS)
        flags = info[1] if info is not None and len(info) > 1 else 0
        if info is not None:
            at = 10 if flags & 1 else 2
            if int.from_bytes(info[at : at + 8], "little") != _NOWHERE:
                raise NotDirectError
        found: list[tuple[int, bytes, tuple[LinkKind, int]]] = []
        for content in handle.all(_LINK):
            try:
                found.append(_link(content))
            except (struct.error, IndexError):
                raise ModelFormatError(f"{where}: a link is damaged.") from None
        found.sort(key=lambda row: (row[0], row[1]) if flags & 3 == 3 else (0, row[1]))
        links = {name: link for _, name, link in found}
        if len(links) != len(found):
            raise ModelFormatError(f"{where}: the names in a group must be unique.")
        return links

    def _table(self, message: bytes, where: str) -> dict[bytes, tuple[LinkKind, int]]:
        """Links kept in a B-tree whose names are in a heap."""
        if len(message) < 16:
            raise ModelFormatError(f"{where}: the symbol table of the group is damaged.")
        tree, heap = struct.unpack_from("<2Q", message)
        signature, size, _, begin = struct.unpack("<4s4x3Q", slice_of(self._source, heap, 32, where).tobytes())
        if signature != b"HEAP":
            raise ModelFormatError(f"{where}: no heap of names at byte {heap:,}.")
        names = slice_of(self._source, begin, size, where).tobytes()
        found: dict[bytes, tuple[LinkKind, int]] = {}
        waiting, seen = [(tree, -1)], {tree}
        while waiting:
            address, level = waiting.pop()
            start = slice_of(self._source, address, 8, where).tobytes()
            count = int.from_bytes(start[6:8], "little")
            if start[:4] == b"TREE" and start[4] == 0 and level in (-1, start[5]):
                keys = slice_of(self._source, address + 24, 16 * count + 8, where).tobytes()
                children = struct.unpack(f"<{2 * count + 1}Q", keys)[1::2]
                if not seen.isdisjoint(children) or len(set(children)) != len(children):
                    raise ModelFormatError(f"{where}: the index of the group at byte {address:,} leads back to itself.")
                seen.update(children)
                self._limits.check("nodes", len(seen), where, "links in a group")
                waiting += [(child, start[5] - 1 if start[5] else -2) for child in reversed(children)]
            elif start[:4] == b"SNOD" and level == -2:
                entries = slice_of(self._source, address + 8, 40 * count, where).tobytes()
                for at, header, cached, _ in _ENTRY.iter_unpack(entries):
                    self._add(found, names, at, ("soft", 0) if cached == 2 else ("hard", header), where)
            else:
                raise ModelFormatError(f"{where}: not readable as HDF5: no index of a group at byte {address:,}.")
        return dict(sorted(found.items()))

    def _add(
        self, found: dict[bytes, tuple[LinkKind, int]], names: bytes, at: int, link: tuple[LinkKind, int], where: str
    ) -> None:
        end = names.find(b"\0", at)
        if end < 0:
            raise ModelFormatError(f"{where}: a name in the group is damaged.")
        self._limits.check("string_bytes", end - at, where, "bytes in a name")
        if names[at:end] in found:
            raise ModelFormatError(f"{where}: the names in a group must be unique.")
        found[names[at:end]] = link
        self._limits.check("nodes", len(found), where, "links in a group")

    def attribute_names(self, handle: Header, where: str) -> list[bytes]:
        """The names of an object's attributes, sorted."""
        return sorted(name for name, _, _, _ in self._attributes(handle))

    def _attributes(self, handle: Header) -> list[tuple[bytes, bytes, bytes, bytes]]:
        info = handle.one(_ATTRIBUTES)
        if info is not None and len(info) > 1:
            at = 4 if info[1] & 1 else 2
            if int.from_bytes(info[at : at + 8], "little") != _NOWHERE:
                raise NotDirectError
        contents = handle.all(_ATTRIBUTE)
        if any(
            len(content) < 9 or content[0] not in (1, 2, 3) or (content[0] > 1 and content[1]) for content in contents
        ):
            raise NotDirectError
        return [split_attribute(content) for content in contents]

    def attribute(self, handle: Header, name: bytes, where: str) -> list[bytes] | npt.NDArray[np.generic] | None:
        """The strings or numbers of an attribute; None if there is none of this name."""
        found = next((row for row in self._attributes(handle) if row[0] == name), None)
        if found is None:
            return None
        kind, shape, data = read_type(found[1], where), read_shape(found[2], where), found[3]
        count = 0 if shape is None else math.prod(shape)
        self._limits.check("member_bytes", count * max(kind.size, 1), where, "bytes of attribute")
        if kind.in_heap:
            return heap_strings(self._source, data, count, where, self._limits)
        if len(data) < count * kind.size:
            raise ModelFormatError(f"{where}: expected {count * kind.size:,} bytes, the file holds {len(data):,}.")
        data = data[: count * kind.size]
        if kind.is_text:
            return [data[at : at + kind.size].rstrip(b"\0") for at in range(0, len(data), kind.size)]
        return _numbers(data, kind, (0,) if shape is None else shape)

    def stored(self, handle: Header, where: str) -> Stored:
        """What a dataset holds and where.

        Raises:
            ModelFormatError: virtual, kept in other files, without data, or not numbers.
            NotDirectError: compressed, or of a rare form.
        """
        layout, space, kind = handle.one(_LAYOUT) or b"", handle.one(_SPACE), handle.one(_TYPE)
        if handle.one(_ELSEWHERE) is not None:
            raise ModelFormatError(f"{where}: external storage is refused: weights must lie in the file itself.")
        if len(layout) < 4 or layout[0] not in (3, 4) or layout[1] == _CHUNKED:
            raise NotDirectError
        if layout[1] == _VIRTUAL:
            raise ModelFormatError(f"{where}: virtual datasets are refused, because their data lie in other places.")
        if space is None or kind is None or layout[1] not in (_COMPACT, _CONTIGUOUS):
            raise ModelFormatError(f"{where}: the description of the dataset is damaged.")
        found = read_type(kind, where)
        if found.dtype is None:
            raise ModelFormatError(f"{where}: expected plain numbers, received HDF5 type class string.")
        shape = read_shape(space, where)
        if shape is None:
            raise ModelFormatError(f"{where}: the dataset is declared empty (null); expected an array.")
        if layout[1] == _COMPACT:
            return Stored(shape, found.dtype, compact=layout[4 : 4 + int.from_bytes(layout[2:4], "little")])
        if len(layout) < 18:
            raise ModelFormatError(f"{where}: the description of the dataset is damaged.")
        address, size = struct.unpack_from("<2Q", layout, 2)
        return Stored(shape, found.dtype, offset=address, size=0 if address == _NOWHERE else size)


def _numbers(data: bytes, kind: ValueType, shape: tuple[int, ...]) -> npt.NDArray[np.generic]:
    assert kind.dtype is not None
    numbers = np.frombuffer(data, kind.dtype).reshape(shape)
    return numbers.astype(kind.dtype.newbyteorder("="))


def _link(content: bytes) -> tuple[int, bytes, tuple[LinkKind, int]]:
    """The creation order, name, kind and address of a link message."""
    flags, at, kind, order = content[1], 2, 0, 0
    if flags & 8:
        kind, at = content[at], at + 1
    if flags & 4:
        order, at = struct.unpack_from("<q", content, at)[0], at + 8
    at += 1 if flags & 16 else 0
    width = 1 << (flags & 3)
    size = int.from_bytes(content[at : at + width], "little")
    name = content[at + width : at + width + size]
    if kind:
        return order, name, ({1: "soft", 64: "external"}.get(kind, "user-defined"), 0)  # type: ignore[return-value]
    return order, name, ("hard", struct.unpack_from("<Q", content, at + width + size)[0])
