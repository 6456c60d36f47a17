"""What passes did: records that `explain` reads."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Record:
    """One change: which pass, at which layer, what it did; and into which layer it was joined, if it was."""

    rule: str
    origin: tuple[str, ...]
    what: str
    into: tuple[str, ...] = ()


@dataclass(slots=True)
class Journal:
    """The changes that were made to one graph, in order."""

    records: list[Record] = field(default_factory=list)

    def note(self, rule: str, origin: tuple[str, ...], what: str, into: tuple[str, ...] = ()) -> None:
        self.records.append(Record(rule, origin, what, into))
