"""The directory of a ZIP archive, parsed by rules stricter than `zipfile`'s, so that there is one way to read a file.

    [entry 0] [entry 1] ... [central directory] [end record]

Every entry lies before the directory, none overlaps another, its own header repeats what the directory says, and the
directory and the end record touch each other and the end of the file. Names are plain relative paths, each once.
"""

from __future__ import annotations

import stat
import struct
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from graphflow.errors import ModelFormatError, UnsupportedError
from graphflow.formats.limits import Limits, shown

Bytes: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]
STORED, DEFLATED = 0, 8

_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_ZIP64 = 0x0001
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_ENCRYPTED = 1 | 1 << 6 | 1 << 13
_SIZES_FOLLOW, _PATCH, _UTF8 = 1 << 3, 1 << 5, 1 << 11


class Entry(NamedTuple):
    """One member: where its stored bytes begin and what they must expand to."""

    name: str
    header: int
    begin: int
    stored: int
    size: int
    crc: int
    method: int


def read_directory(content: Bytes, where: str, limits: Limits) -> dict[str, Entry]:
    """Parse and check the whole directory of an archive.

    Args:
        content: the file, uint8 of shape (bytes,).
        where: the file, as messages shall name it.
        limits: budgets; `members` and `string_bytes` apply.

    Returns:
        The members that are files, by name, in the order of the directory.

    Raises:
        ModelFormatError: not a ZIP archive, or one that breaks a rule.
        UnsupportedError: encrypted, in several parts, or compressed by another method than deflate.
    """
    return _Directory(content, where, limits).entries()


class _Directory:
    """Parses and checks the directory of one archive."""

    def __init__(self, content: Bytes, where: str, limits: Limits) -> None:
        self.content = content
        self.where = where
        self.limits = limits

    def entries(self) -> dict[str, Entry]:
        """All members that are files, by name."""
        count, begin, end = self._find_central()
        self.limits.check("members", count, self.where, "members of the archive")
        found: dict[str, Entry] = {}
        at = begin
        for _ in range(count):
            entry, at = self._central(at, end)
            if entry.name in found:
                raise self._bad(f"names must be unique; {shown(entry.name)} is repeated")
            found[entry.name] = entry
        if at != end:
            raise self._bad(f"the directory must hold {count} entries in {end:,} bytes, but they end at {at:,}")
        self._check_overlap(list(found.values()), begin)
        return {name: entry for name, entry in found.items() if not name.endswith("/")}

    def _bad(self, rule: str) -> ModelFormatError:
        return ModelFormatError(f"{self.where}: {rule}.")

    def _unpack(self, form: struct.Struct, at: int, signature: bytes, what: str) -> tuple[int, ...]:
        """The numbers of a record, its signature checked and removed."""
        total = len(self.content)
        if at + form.size > total:
            raise self._bad(f"truncated: the {what} at byte {at:,} is outside the {total:,} bytes of the file")
        magic, *values = form.unpack_from(self.content.data, at)
        if magic != signature:
            raise self._bad(f"no {what} at byte {at:,}")
        return tuple(values)

    def _find_central(self) -> tuple[int, int, int]:
        """How many entries the directory has, where it begins, and where it ends."""
        total = len(self.content)
        if total < 4 or self.content[:2].tobytes() != b"PK":
            raise self._bad("not a ZIP archive")
        tail = self.content[max(0, total - _END.size - _FULL16) :].tobytes()
        found = tail.rfind(b"PK\5\6")
        if found < 0:
            raise self._bad("the ZIP archive is truncated: no end record")
        at = total - len(tail) + found
        disk, first, here, count, size, begin, comment = self._unpack(_END, at, b"PK\5\6", "end record")
        if at + _END.size + comment != total:
            raise self._bad("the end record of the ZIP archive must end the file")
        end = at
        if at >= _LOCATOR.size and self.content[at - _LOCATOR.size :][:4].tobytes() == b"PK\6\7":
            _, at64, _ = self._unpack(_LOCATOR, at - _LOCATOR.size, b"PK\6\7", "locator of the 64-bit end record")
            record = self._unpack(_END64, at64, b"PK\6\6", "64-bit end record")
            short = (disk, first, here, count, size, begin)
            length, _, _, disk, first, here, count, size, begin = record
            if any(a not in (b, _FULL16, _FULL32) for a, b in zip(short, record[3:], strict=True)):
                raise self._bad("the two end records of the ZIP archive contradict each other")
            if at64 + 12 + length != at - _LOCATOR.size:
                raise self._bad("the 64-bit end record must end where its locator begins")
            end = at64
        if disk or first or here != count:
            raise UnsupportedError(f"{self.where}: ZIP archives in several parts are not supported.")
        if begin + size != end:
            raise self._bad(f"the directory must end at the end record ({end:,}), it says {begin:,} + {size:,} bytes")
        return count, begin, end

    def _central(self, at: int, end: int) -> tuple[Entry, int]:
        """The entry described at one place of the directory, and the place of the next."""
        values = self._unpack(_CENTRAL, at, b"PK\1\2", "directory entry")
        _, _, flags, method, _, _, crc, stored, size, name_size, extra_size, note_size, disk, _, mode, header = values
        name_at = at + _CENTRAL.size
        after = name_at + name_size + extra_size + note_size
        if after > end:
            raise self._bad("truncated: a directory entry reaches beyond the directory")
        raw = self.content[name_at : name_at + name_size].tobytes()
        name = self._name(raw, flags)
        where = f"{self.where}, member {shown(name)}"
        extra = self.content[name_at + name_size :][:extra_size].tobytes()
        size, stored, header = _widen(extra, (size, stored, header), where)
        if stat.S_IFMT(mode >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ModelFormatError(f"{where}: a member must be a file or folder, not a link or device.")
        if flags & _ENCRYPTED:
            raise UnsupportedError(f"{where}: encrypted members are not supported.")
        if method not in (STORED, DEFLATED) or flags & _PATCH:
            raise UnsupportedError(f"{where}: members must be stored or deflated, received method {method}.")
        if disk:
            raise UnsupportedError(f"{where}: ZIP archives in several parts are not supported.")
        if method == STORED and stored != size:
            raise ModelFormatError(f"{where}: a stored member of {size:,} bytes says that it takes {stored:,}.")
        begin = self._local(raw, (flags, method, crc, stored, size), header, where)
        return Entry(name, header, begin, stored, size, crc, method), after

    def _name(self, raw: bytes, flags: int) -> str:
        """The member's name, if it is a plain relative path."""
        self.limits.check("string_bytes", len(raw), self.where, "bytes in a member's name")
        try:
            name = raw.decode("utf-8" if flags & _UTF8 else "cp437")
        except UnicodeDecodeError:
            raise self._bad(f"the member's name {raw[:80]!r} is not UTF-8") from None
        parts = name.removesuffix("/").split("/")
        if any(part in ("", ".", "..") for part in parts) or "\\" in name or ":" in parts[0]:
            raise self._bad(f"a member's name must be a relative path without '..', received {shown(name)}")
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in name):
            raise self._bad(f"a member's name must have no control characters, received {shown(name)}")
        return name

    def _local(self, raw: bytes, expected: tuple[int, ...], header: int, where: str) -> int:
        """Where the data begin, once the member's own header has been found to agree with the directory."""
        values = self._unpack(_LOCAL, header, b"PK\3\4", "header of a member")
        _, flags, method, _, _, crc, stored, size, name_size, extra_size = values
        name_at = header + _LOCAL.size
        extra_at = name_at + name_size
        extra = self.content[extra_at : extra_at + extra_size].tobytes()
        size, stored = _widen(extra, (size, stored), where)
        received: tuple[int, ...] = (flags, method, crc, stored, size)
        if flags & _SIZES_FOLLOW and (crc, stored, size) == (0, 0, 0):
            received = (flags, method, *expected[2:])
        if received != expected or self.content[name_at:extra_at].tobytes() != raw:
            raise ModelFormatError(
                f"{where}: the member's header must repeat the directory (name, flags, method, checksum, sizes): "
                f"expected {expected}, received {received}."
            )
        return extra_at + extra_size

    def _check_overlap(self, entries: list[Entry], directory: int) -> None:
        ordered = sorted(entries, key=lambda entry: entry.header)
        following = [entry.header for entry in ordered[1:]] + [directory]
        for entry, limit in zip(ordered, following, strict=False):
            if entry.begin + entry.stored > limit:
                raise self._bad(f"members must not overlap; {shown(entry.name)} reaches into what follows it")


def _widen(extra: bytes, values: tuple[int, ...], where: str) -> tuple[int, ...]:
    """Sizes and offset, with those that read 0xFFFFFFFF taken from the ZIP64 field in this order."""
    missing = [index for index, value in enumerate(values) if value == _FULL32]
    at = 0
    while missing and at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == _ZIP64 and length >= 8 * len(missing) and at + 4 + length <= len(extra):
            wide = struct.unpack_from(f"<{len(missing)}Q", extra, at + 4)
            result = list(values)
            for index, value in zip(missing, wide, strict=True):
                result[index] = value
            return tuple(result)
        at += 4 + length
    if missing:
        raise ModelFormatError(f"{where}: a 64-bit size or offset is announced and missing.")
    return values
