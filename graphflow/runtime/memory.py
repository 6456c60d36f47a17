"""Where each buffer lies in the arena: buffers that live at the same time never overlap.

Blocks are given in the order in which they are needed, each the smallest free gap that holds it, else at the end.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import NamedTuple

ALIGNMENT = 64


class Lifetime(NamedTuple):
    """A buffer of `size` bytes that is in use from step `first` to step `last`, both included."""

    first: int
    last: int
    size: int


def lower_bound(lifetimes: Sequence[Lifetime]) -> int:
    """The largest sum of sizes that are in use at one time: no arena can be smaller."""
    changes: dict[int, int] = {}
    for one in lifetimes:
        size = _aligned(one.size)
        changes[one.first] = changes.get(one.first, 0) + size
        changes[one.last + 1] = changes.get(one.last + 1, 0) - size
    live = most = 0
    for step in sorted(changes):
        live += changes[step]
        most = max(most, live)
    return most


def _aligned(size: int) -> int:
    return -(-max(size, 1) // ALIGNMENT) * ALIGNMENT


def place(lifetimes: Sequence[Lifetime]) -> tuple[list[int], int]:
    """The offset of each buffer, and the size of the arena.

    Args:
        lifetimes: in any order.
    """
    offsets = [0] * len(lifetimes)
    starts = sorted(range(len(lifetimes)), key=lambda i: (lifetimes[i].first, -lifetimes[i].size))
    ends = sorted(range(len(lifetimes)), key=lambda i: lifetimes[i].last)
    gaps = _Gaps()
    ended = 0
    for index in starts:
        while ended < len(ends) and lifetimes[ends[ended]].last < lifetimes[index].first:
            done = ends[ended]
            gaps.give_back(offsets[done], _aligned(lifetimes[done].size))
            ended += 1
        offsets[index] = gaps.take(_aligned(lifetimes[index].size))
    return offsets, gaps.top


class _Gaps:
    """The free gaps below the top of the arena, by size and by place."""

    def __init__(self) -> None:
        self.top = 0
        self._by_size: list[tuple[int, int]] = []
        self._end_of: dict[int, int] = {}
        self._start_of: dict[int, int] = {}

    def take(self, size: int) -> int:
        at = bisect_left(self._by_size, (size, -1))
        if at < len(self._by_size):
            found, offset = self._by_size[at]
            self._remove(offset, offset + found)
            if found > size:
                self._insert(offset + size, offset + found)
            return offset
        offset = self.top
        if self.top in self._start_of:
            offset = self._start_of[self.top]
            self._remove(offset, self.top)
        self.top = offset + size
        return offset

    def give_back(self, offset: int, size: int) -> None:
        start, end = offset, offset + size
        if start in self._start_of:
            before = self._start_of[start]
            self._remove(before, start)
            start = before
        if end in self._end_of:
            after = self._end_of[end]
            self._remove(end, after)
            end = after
        self._insert(start, end)

    def _insert(self, start: int, end: int) -> None:
        insort(self._by_size, (end - start, start))
        self._end_of[start] = end
        self._start_of[end] = start

    def _remove(self, start: int, end: int) -> None:
        del self._by_size[bisect_left(self._by_size, (end - start, start))]
        del self._end_of[start]
        del self._start_of[end]
