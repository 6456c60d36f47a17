"""The lowest structures of an HDF5 file, read from its bytes: object headers and heaps of strings.

HDF5's own library reserves whatever length a string claims, up to 4 GiB each, and walks structures without making sure
that it moves. Here each is bounded by the file:

    object header -> messages          attribute -> (length, heap address, index) -> heap collection -> bytes

Layouts: "HDF5 File Format Specification Version 3.0", sections III.E, IV.A.1, IV.A.2.m and IV.A.2.q.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TypeAlias

from graphflow.errors import ModelFormatError, UnsupportedError
from graphflow.formats.hdf5_data import slice_of
from graphflow.formats.limits import Limits

SHARED = 2
"""The flag of a message whose content lies in another object."""

_ATTRIBUTE, _CONTINUATION = 0x0C, 0x10
_MESSAGE_1, _MESSAGE_2 = struct.Struct("<2HB"), struct.Struct("<BHB")
_REFERENCE = struct.Struct("<LQL")
_HEAP = struct.Struct("<4sB3xQ")
_HEAP_OBJECT = struct.Struct("<H6xQ")


Message: TypeAlias = tuple[int, int, bytes]
"""One message of an object header: its kind, its flags, its content."""


def read_messages(source: memoryview, address: int, where: str, limits: Limits) -> Iterator[Message]:
    """The messages of an object header, its continuations followed once each.

    Args:
        source: the bytes of the file.
        address: where the header lies, in bytes.
        where: the file, member and path, as messages of errors shall name them.
        limits: budgets; `nodes` applies.

    Raises:
        ModelFormatError: damaged, or more messages than the limit.
    """
    prefix = slice_of(source, address, 16, where).tobytes()
    if prefix[:4] == b"OHDR":
        flags = prefix[5]
        width = 1 << (flags & 3)
        at = address + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        size = int.from_bytes(slice_of(source, at, width, where).tobytes(), "little")
        head, margin, blocks = (6 if flags & 0x04 else 4), 4, [(at + width, size)]
    elif prefix[0] == 1:
        head, margin, blocks = 8, 0, [(address + 16, int.from_bytes(prefix[8:12], "little"))]
    else:
        raise ModelFormatError(f"{where}: not readable as HDF5: no object header at byte {address:,}.")
    unpack = (_MESSAGE_2 if margin else _MESSAGE_1).unpack_from
    count = total = 0
    for begin, size in blocks:
        block = slice_of(source, begin, size, where).tobytes()
        total += size
        if total > len(source):
            raise ModelFormatError(f"{where}: the header of the object is larger than the file.")
        at = 0
        while at + head <= len(block):
            kind, length, flags = unpack(block, at)
            content = block[at + head : at + head + length]
            at += head + length
            count += 1
            if count > limits.nodes:
                limits.check("nodes", count, where, "messages in an object header")
            if kind == _CONTINUATION and len(content) >= 16:
                start, extent = struct.unpack_from("<2Q", content)
                following = (start + margin, extent - 2 * margin)
                if following in blocks:
                    raise ModelFormatError(f"{where}: the header of the object continues in itself.")
                blocks.append(following)
            yield kind, flags, content


def attribute_data(source: memoryview, address: int, name: bytes, where: str, limits: Limits) -> bytes:
    """The bytes of an attribute's value in the header of its object.

    Raises:
        ModelFormatError: damaged.
        UnsupportedError: an attribute stored outside its object's header.
    """
    for kind, flags, content in read_messages(source, address, where, limits):
        if kind != _ATTRIBUTE or len(content) < 9:
            continue
        if flags & SHARED:
            raise UnsupportedError(f"{where}: attributes shared between objects are not supported.")
        found, _, _, data = split_attribute(content)
        if found == name:
            return data
    raise UnsupportedError(f"{where}: attributes stored outside the header of their object are not supported.")


def split_attribute(content: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """The name, type, space and data of an attribute message; parts beyond its end are empty."""
    version, _, *sizes = struct.unpack_from("<2B3H", content)
    at = 9 if version == 3 else 8
    parts = []
    for size in sizes:
        parts.append(content[at : at + size])
        at += -(-size // 8) * 8 if version == 1 else size
    return parts[0].split(b"\0", 1)[0], parts[1], parts[2], content[at:]


def heap_strings(source: memoryview, data: bytes, count: int, where: str, limits: Limits) -> list[bytes]:
    """Variable-length strings.

    Args:
        source: the bytes of the file.
        data: the references to the strings, 16 bytes each.
        count: how many strings there are.
        where: the file, member, path and attribute, as messages of errors shall name them.
        limits: budgets; `nodes` and `member_bytes` apply.

    Returns:
        The strings as bytes.

    Raises:
        ModelFormatError: damaged, or too large.
    """
    limits.check("nodes", count, where, "strings")
    if len(data) < count * _REFERENCE.size:
        raise ModelFormatError(f"{where}: expected {count:,} strings, the file holds {len(data) // _REFERENCE.size:,}.")
    heaps: dict[int, dict[int, tuple[int, int]]] = {}
    total, found = 0, []
    for length, heap, index in _REFERENCE.iter_unpack(data[: count * _REFERENCE.size]):
        if length == 0:
            found.append(b"")
            continue
        if heap not in heaps:
            heaps[heap] = dict(_heap_objects(source, heap, where))
        begin, size = heaps[heap].get(index, (0, -1))
        if length > size:
            raise ModelFormatError(f"{where}: a string of {length:,} bytes is not in the heap at byte {heap:,}.")
        total += length
        limits.check("member_bytes", total, where, "bytes of attribute")
        found.append(source[begin : begin + length].tobytes().split(b"\0", 1)[0])
    return found


def _heap_objects(source: memoryview, address: int, where: str) -> Iterator[tuple[int, tuple[int, int]]]:
    """The objects of a global heap collection: index, then where the bytes begin and how many there are."""
    signature, version, size = _HEAP.unpack(slice_of(source, address, _HEAP.size, where).tobytes())
    if signature != b"GCOL" or version != 1:
        raise ModelFormatError(f"{where}: no heap of strings at byte {address:,}.")
    heap = slice_of(source, address, size, where)
    at = _HEAP.size
    while at + _HEAP_OBJECT.size <= size:
        index, held = _HEAP_OBJECT.unpack_from(heap, at)
        begin = at + _HEAP_OBJECT.size
        if index == 0:
            return
        if begin + held > size:
            raise ModelFormatError(f"{where}: the heap of strings at byte {address:,} is damaged at byte {at:,}.")
        yield index, (address + begin, held)
        at = begin + -(-held // 8) * 8
