"""What an ONNX graph is made of, as plain Python: nodes, bodies of control flow, and names. `proto` makes it ONNX."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from graphflow.spec import TensorSpec

ELEMENT_TYPES: dict[str, int] = {
    "float32": 1,
    "uint8": 2,
    "int8": 3,
    "uint16": 4,
    "int16": 5,
    "int32": 6,
    "int64": 7,
    "bool": 9,
    "float16": 10,
    "float64": 11,
    "uint32": 12,
    "uint64": 13,
    "bfloat16": 16,
    "float8_e4m3fn": 17,
    "float8_e4m3fnuz": 18,
    "float8_e5m2": 19,
    "float8_e5m2fnuz": 20,
    "uint4": 21,
    "int4": 22,
    "float4_e2m1fn": 23,
    "float8_e8m0fnu": 24,
    "uint2": 25,
    "int2": 26,
}
"""ONNX' numbers of our data types."""

NEEDED_OPSET: dict[str, int] = {
    **dict.fromkeys(("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz"), 19),
    **dict.fromkeys(("uint4", "int4"), 21),
    "float4_e2m1fn": 23,
    "float8_e8m0fnu": 24,
    **dict.fromkeys(("uint2", "int2"), 25),
}
"""The opset from which on a data type is there, where that is not the oldest."""


@dataclass(slots=True)
class Entry:
    """One node of ONNX: its operator, the names it takes ("" where one is left out) and the names it makes."""

    kind: str
    inputs: list[str]
    outputs: list[str]
    attrs: dict[str, Any] = field(default_factory=dict)

    def kinds(self) -> Iterator[str]:
        """Its operator, and those inside its body."""
        yield self.kind
        for value in self.attrs.values():
            if isinstance(value, Block):
                for inner in value.entries:
                    yield from inner.kinds()

    def taken(self) -> Iterator[str]:
        """Every name it takes, those inside its body too."""
        yield from self.inputs
        for value in self.attrs.values():
            if isinstance(value, Block):
                for inner in value.entries:
                    yield from inner.taken()
                yield from value.outputs

    def rename(self, names: dict[str, str]) -> None:
        """Replace names, also inside its body."""
        self.inputs = [names.get(name, name) for name in self.inputs]
        self.outputs = [names.get(name, name) for name in self.outputs]
        for value in self.attrs.values():
            if isinstance(value, Block):
                for inner in value.entries:
                    inner.rename(names)
                value.outputs = [names.get(name, name) for name in value.outputs]


@dataclass(slots=True)
class Block:
    """The body of a control operator."""

    name: str
    entries: list[Entry]
    inputs: list[tuple[str, TensorSpec]]
    outputs: list[str]
    specs: list[TensorSpec]


class Names:
    """Names that are given once."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def reserve(self, names: Iterable[str]) -> None:
        """Take names that are fixed from outside."""
        for name in names:
            self._counts.setdefault(name, 1)

    def new(self, wanted: str) -> str:
        """`wanted`, with a number behind it when it is taken."""
        count = self._counts.get(wanted, 0)
        name = wanted
        while name in self._counts:
            name = f"{wanted}_{count}"
            count += 1
        self._counts[wanted] = max(count, 1)
        self._counts.setdefault(name, 1)
        return name


def without_unused(entries: list[Entry], wanted: Iterable[str]) -> list[Entry]:
    """The entries that the wanted names depend on."""
    needed = set(wanted)
    kept = []
    for entry in reversed(entries):
        if any(name in needed for name in entry.outputs):
            needed.update(entry.taken())
            kept.append(entry)
    return kept[::-1]
