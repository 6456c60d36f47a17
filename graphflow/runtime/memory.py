"""Where each buffer lies in the arena: buffers that live at the same time never overlap.

    in time     blocks are given in the order in which they are needed, each the smallest free gap that holds it, else
                at the end: n log n, and as good as can be for chains
    by rank     where that misses the lower bound: those that live longest first (or the largest, or those with the
                largest size times life), each at the lowest place that no neighbour in time holds

The second looks at pairs of neighbours, of which a graph of n buffers could have n * n: it is left out beyond
`MOST_NEIGHBOURS` for each buffer, so that the time stays in proportion to the graph.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from typing import NamedTuple

ALIGNMENT = 64
MOST_NEIGHBOURS = 64
"""Neighbours in time of a buffer, on average, up to which buffers are placed by rank."""


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

    Example:
        >>> place([Lifetime(0, 1, 64), Lifetime(1, 2, 64), Lifetime(2, 3, 64)])
        ([0, 64, 0], 128)
    """
    best = _in_time(lifetimes)
    least = lower_bound(lifetimes)
    neighbours = _neighbours(lifetimes) if best[1] > least else None
    if neighbours is None:
        return best
    for rank in RANKS:
        found = _by_rank(lifetimes, neighbours, rank)
        if found[1] < best[1]:
            best = found
        if best[1] == least:
            break
    return best


def _in_time(lifetimes: Sequence[Lifetime]) -> tuple[list[int], int]:
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


def _longest(one: Lifetime) -> tuple[int, int]:
    return one.first - one.last, -one.size


def _largest(one: Lifetime) -> tuple[int, int]:
    return -one.size, one.first


def _most(one: Lifetime) -> tuple[int, int]:
    return -one.size * (one.last - one.first + 1), one.first


RANKS: tuple[Callable[[Lifetime], tuple[int, int]], ...] = (_longest, _largest, _most)
"""What is placed first, in the order in which they are tried."""


def _neighbours(lifetimes: Sequence[Lifetime]) -> list[list[int]] | None:
    """For each buffer those that are in use at the same time; None where they are too many."""
    left = MOST_NEIGHBOURS * len(lifetimes)
    found: list[list[int]] = [[] for _ in lifetimes]
    alive: list[int] = []
    for index in sorted(range(len(lifetimes)), key=lambda i: lifetimes[i].first):
        first = lifetimes[index].first
        alive = [other for other in alive if lifetimes[other].last >= first]
        left -= len(alive)
        if left < 0:
            return None
        for other in alive:
            found[other].append(index)
        found[index].extend(alive)
        alive.append(index)
    return found


def _by_rank(
    lifetimes: Sequence[Lifetime], neighbours: list[list[int]], rank: Callable[[Lifetime], tuple[int, int]]
) -> tuple[list[int], int]:
    offsets = [-1] * len(lifetimes)
    top = 0
    for index in sorted(range(len(lifetimes)), key=lambda i: rank(lifetimes[i])):
        size, at = _aligned(lifetimes[index].size), 0
        held = [(offsets[one], _aligned(lifetimes[one].size)) for one in neighbours[index] if offsets[one] >= 0]
        for start, length in sorted(held):
            if start - at >= size:
                break
            at = max(at, start + length)
        offsets[index] = at
        top = max(top, at + size)
    return offsets, top


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
