"""Which values share memory, how long each piece of memory is in use, and where it lies.

view         a reshaped value lies where its source lies
in place     a result may take the place of an operand that is not needed afterwards
external     inputs and states are read, and outputs written, where the caller has them
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow.ir.graph import Value
from graphflow.spec import TensorSpec, element_count


class Storage:
    """A piece of memory.

    Attributes:
        kind: "arena", "input", "output" or "bound".
        index: which input, output or bound array; the offset, for the arena.
    """

    __slots__ = ("first", "index", "kind", "last", "size")

    def __init__(self, kind: str, index: Any = 0, size: int = 0, first: int = 0, last: int = 0) -> None:
        self.kind = kind
        self.index = index
        self.size = size
        self.first = first
        self.last = last


class StorageMap:
    """The memory of every value of a plan."""

    def __init__(self) -> None:
        self.of: dict[Value, Storage] = {}
        self.arena: list[Storage] = []

    def external(self, value: Value, kind: str, index: Any) -> Storage:
        storage = Storage(kind, index)
        self.of[value] = storage
        return storage

    def fresh(self, value: Value | None, spec_bytes: int, first: int, last: int) -> Storage:
        """New memory in the arena, from step `first` on, and at least until `last`."""
        storage = Storage("arena", 0, spec_bytes, first, last)
        self.arena.append(storage)
        if value is not None:
            self.of[value] = storage
        return storage

    def share(self, value: Value, source: Value) -> None:
        """`value` lies where `source` lies."""
        self.of[value] = self.of[source]

    def touch(self, value: Value, step: int) -> None:
        """`value` is used in `step`."""
        storage = self.of[value]
        storage.last = max(storage.last, step)


def item_bytes(dtype: str) -> int:
    """Bytes of one element."""
    return np.dtype(dtype).itemsize


def nbytes(spec: TensorSpec) -> int:
    """Bytes of a tensor whose sizes are all known."""
    return (element_count(spec.shape) or 0) * item_bytes(spec.dtype)
