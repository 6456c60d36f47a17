"""What passes did: records that `explain` reads."""

from __future__ import annotations

from typing import NamedTuple


class Record(NamedTuple):
    """One change: which pass, at which layer, what it did; and into which layer it was joined, if it was."""

    rule: str
    origin: tuple[str, ...]
    what: str
    into: tuple[str, ...] = ()


class Journal:
    """The changes that were made to one graph, in order."""

    __slots__ = ("records",)

    def __init__(self) -> None:
        self.records: list[Record] = []

    def note(self, rule: str, origin: tuple[str, ...], what: str, into: tuple[str, ...] = ()) -> None:
        self.records.append(Record(rule, origin, what, into))
