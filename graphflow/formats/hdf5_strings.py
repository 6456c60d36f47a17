"""Attributes of variable-length strings, decoded here and not by HDF5.

HDF5 reserves whatever length such a string claims, up to 4 GiB each, and walks the heap that holds the strings without
making sure that it moves. So the three structures are read directly, each bounded by the file:

    object header -> attribute message -> (length, heap address, index) -> heap collection -> bytes

Layouts: "HDF5 File Format Specification Version 3.0", sections III.E, IV.A.1, IV.A.2.m and IV.A.2.q.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from graphflow.errors import ModelFormatError, UnsupportedError
from graphflow.formats.hdf5_data import slice_of
from graphflow.formats.limits import Limits
from graphflow.formats.zip_directory import Bytes

_ATTRIBUTE, _CONTINUATION = 0x0C, 0x10
_SHARED = 2
_REFERENCE = struct.Struct("<LQL")
_HEAP = struct.Struct("<4sB3xQ")
_HEAP_OBJECT = struct.Struct("<H6xQ")


def read_strings(source: Bytes, address: int, name: bytes, count: int, where: str, limits: Limits) -> list[bytes]:
    """The strings of one attribute.

    Args:
        source: the file, uint8 of shape (bytes,).
        address: where the header of the group or dataset lies, in bytes.
        name: the attribute.
        count: how many strings it holds.
        where: the file, member, path and attribute, as messages shall name them.
        limits: budgets; `nodes` and `member_bytes` apply.

    Returns:
        The strings as bytes.

    Raises:
        ModelFormatError: damaged, or too large.
        UnsupportedError: an attribute stored outside its object's header.
    """
    limits.check("nodes", count, where, "strings")
    data = _attribute_data(source, address, name, where, limits)
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


def _attribute_data(source: Bytes, address: int, name: bytes, where: str, limits: Limits) -> bytes:
    """The bytes of the attribute's value in the header of its object."""
    for kind, flags, message in _messages(source, address, where, limits):
        if kind != _ATTRIBUTE or len(message) < 9:
            continue
        if flags & _SHARED:
            raise UnsupportedError(f"{where}: attributes shared between objects are not supported.")
        version, _, name_size, type_size, space_size = struct.unpack_from("<2B3H", message)
        at = 9 if version == 3 else 8
        if message[at : at + name_size].split(b"\0", 1)[0] == name:
            sizes = (name_size, type_size, space_size)
            return message[at + sum(-(-size // 8) * 8 if version == 1 else size for size in sizes) :]
    raise UnsupportedError(f"{where}: attributes stored outside the header of their object are not supported.")


def _messages(source: Bytes, address: int, where: str, limits: Limits) -> Iterator[tuple[int, int, bytes]]:
    """The messages of an object header, as (kind, flags, content), its continuations followed once each."""
    prefix = slice_of(source, address, 16, where).tobytes()
    if prefix[:4] == b"OHDR":
        flags = prefix[5]
        width = 1 << (flags & 3)
        at = address + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
        size = int.from_bytes(slice_of(source, at, width, where).tobytes(), "little")
        head, margin, blocks = (6 if flags & 0x04 else 4), 4, [(at + width, size)]
    else:
        head, margin, blocks = 8, 0, [(address + 16, int.from_bytes(prefix[8:12], "little"))]
    count = 0
    for begin, size in blocks:
        block = slice_of(source, begin, size, where).tobytes()
        at = 0
        while at + head <= len(block):
            if margin:
                kind, length, flags = struct.unpack_from("<BHB", block, at)
            else:
                kind, length, flags = struct.unpack_from("<2HB", block, at)
            content = block[at + head : at + head + length]
            at += head + length
            count += 1
            limits.check("nodes", count, where, "messages in an object header")
            if kind == _CONTINUATION and len(content) >= 16:
                start, extent = struct.unpack_from("<2Q", content)
                following = (start + margin, extent - 2 * margin)
                if following in blocks:
                    raise ModelFormatError(f"{where}: the header of the object continues in itself.")
                blocks.append(following)
            yield kind, flags, content


def _heap_objects(source: Bytes, address: int, where: str) -> Iterator[tuple[int, tuple[int, int]]]:
    """The objects of a global heap collection: index, then where the bytes begin and how many there are."""
    signature, version, size = _HEAP.unpack(slice_of(source, address, _HEAP.size, where).tobytes())
    if signature != b"GCOL" or version != 1:
        raise ModelFormatError(f"{where}: no heap of strings at byte {address:,}.")
    heap = slice_of(source, address, size, where).data
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
