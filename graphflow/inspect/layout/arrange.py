"""One group's members in rows: a layered drawing (Sugiyama, Tagawa and Toda, 1981).

1. rows        networkx's generations, inputs right above what takes them
2. bends       a tensor that goes further than one row bends in each row between; its ways share their bends
3. order       each item of a row goes to the mean place of its neighbours, up and down, while crossings get fewer
4. coordinates long edges and chains straight: `graphflow.inspect.layout.straight`
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from graphflow.inspect.layout.distances import BEND_GAP, BEND_WIDTH, NODE_GAP
from graphflow.inspect.layout.straight import coordinates

MOST_BENDS = 8
"""Bends for each member, beyond a thousand; the longest ways go straight when there would be more."""

MANY = 2500
"""Items from which crossings are reduced in fewer sweeps, without being counted."""


@dataclass(slots=True)
class Net:
    """A tensor inside a group: from an item to items.

    Attributes:
        key: which tensor: (node position, output).
        source, targets: items: members by index, then the group's entries and exits.
        bends: its items in the rows between, from the row after the source on; none where it goes straight.
        far: whether it goes straight over several rows.
    """

    key: tuple[int, int]
    source: int
    targets: list[int]
    bends: list[int] = field(default_factory=list)
    far: bool = False


@dataclass(slots=True)
class Arranged:
    """A group's drawing, without heights.

    Attributes:
        row, x: of each item: the members, then entries, exits and bends; x is the middle.
        rows: the items of each row, from left to right.
        nets: the tensors.
        crossed: for each row, how many tensors come into it or pass it from above.
    """

    row: list[int]
    x: list[float]
    rows: list[list[int]]
    nets: list[Net]
    crossed: list[int]


def arrange(widths: Sequence[float], nets: list[Net], entries: int, exits: int) -> Arranged:
    """Draw a group.

    Args:
        widths: of the members.
        nets: what they hand on; items count members first, then entries (above everything), then exits (below).
    """
    count = len(widths)
    row = _rows(count, nets, entries, exits)
    bends = _bend(nets, row, count)
    total = len(row)
    all_widths = [*widths, *[BEND_WIDTH] * (total - count)]
    rows: list[list[int]] = [[] for _ in range(max(row, default=0) + 1)]
    above: list[list[int]] = [[] for _ in range(total)]
    below: list[list[int]] = [[] for _ in range(total)]
    for source, target in _links(nets, row):
        below[source].append(target)
        above[target].append(source)
    for item in _first_order(total, row, below):
        rows[row[item]].append(item)
    rows = _order(rows, above, below, total)
    place = [0] * total
    for items in rows:
        for index, item in enumerate(items):
            place[item] = index
    for links in (above, below):
        for one in links:
            one.sort(key=place.__getitem__)
    is_bend = [item >= total - bends for item in range(total)]
    x = coordinates(rows, above, below, all_widths, is_bend, NODE_GAP, BEND_GAP)
    return Arranged(row, x, rows, nets, _crossed(nets, row, len(rows)))


def _rows(count: int, nets: list[Net], entries: int, exits: int) -> list[int]:
    """The row of each member, entry and exit."""
    from networkx import DiGraph, topological_generations

    graph = DiGraph()
    graph.add_nodes_from(range(count))
    for net in nets:
        graph.add_edges_from((net.source, target) for target in net.targets if target < count and net.source < count)
    row = [0] * (count + entries + exits)
    first = 1 if entries else 0
    order = []
    for index, generation in enumerate(topological_generations(graph)):
        order += generation
        for item in generation:
            row[item] = index + first
    for item in reversed(order):
        held = graph.succ[item]
        if held and not graph.pred[item] and not _enters(item, nets, count, entries):
            row[item] = min(row[other] for other in held) - 1
    last = max(row[:count], default=0)
    for item in range(count + entries, len(row)):
        row[item] = last + 1
    return row


def _enters(item: int, nets: list[Net], count: int, entries: int) -> bool:
    return entries > 0 and any(net.source >= count and item in net.targets for net in nets)


def _bend(nets: list[Net], row: list[int], count: int) -> int:
    """Give the nets their bends; returns how many there are."""
    left = 1000 + MOST_BENDS * count
    made = 0
    spans = [max(row[target] for target in net.targets) - row[net.source] for net in nets]
    for span, index in sorted(zip(spans, range(len(nets)), strict=True)):
        net = nets[index]
        if span - 1 > left:
            net.far = True
            continue
        left -= max(span - 1, 0)
        for step in range(1, span):
            net.bends.append(len(row))
            row.append(row[net.source] + step)
            made += 1
    return made


def _links(nets: list[Net], row: list[int]) -> list[tuple[int, int]]:
    """Pairs of items in neighbouring rows that lines are drawn between."""
    links: list[tuple[int, int]] = []
    for net in nets:
        way = [net.source, *net.bends]
        links += pairwise(way)
        for target in net.targets:
            step = row[target] - row[net.source] - 1
            if not net.far or step == 0:
                links.append((way[step], target))
    return links


def _first_order(total: int, row: list[int], below: list[list[int]]) -> list[int]:
    """All items as a walk along the lines meets them, so that what hangs together begins together."""
    seen = [False] * total
    order: list[int] = []
    for start in sorted(range(total), key=lambda item: (row[item], item)):
        stack = [start]
        while stack:
            item = stack.pop()
            if not seen[item]:
                seen[item] = True
                order.append(item)
                stack.extend(reversed(below[item]))
    return order


def _order(rows: list[list[int]], above: list[list[int]], below: list[list[int]], total: int) -> list[list[int]]:
    """The rows' items in an order of few crossings."""
    place = [0] * total
    for items in rows:
        for index, item in enumerate(items):
            place[item] = index

    def settle(items: list[int], links: list[list[int]]) -> None:
        means = {item: _mean([place[one] for one in links[item]], place[item]) for item in items}
        items.sort(key=means.__getitem__)
        for index, item in enumerate(items):
            place[item] = index

    count = total <= MANY
    best, fewest = [list(items) for items in rows], _crossings(rows, below, place) if count else 0
    for sweep in range(12 if count else 4):
        if count and not fewest:
            break
        down = sweep % 2 == 0
        for items in rows[1:] if down else rows[-2::-1]:
            settle(items, above if down else below)
        crossings = _crossings(rows, below, place) if count else 0
        if crossings < fewest or not count:
            best, fewest = [list(items) for items in rows], crossings
    return best


def _mean(places: list[int], otherwise: int) -> float:
    return sum(places) / len(places) if places else float(otherwise)


def _crossings(rows: list[list[int]], below: list[list[int]], place: list[int]) -> int:
    total = 0
    for items in rows:
        seen: list[int] = []
        for item in items:
            ends = sorted(place[one] for one in below[item])
            total += sum(len(seen) - bisect_left(seen, end + 1) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


def _crossed(nets: list[Net], row: list[int], count: int) -> list[int]:
    change = [0] * (count + 1)
    for net in nets:
        change[row[net.source] + 1] += 1
        change[max(row[target] for target in net.targets) + 1] -= 1
    crossed, now = [], 0
    for one in change[:count]:
        now += one
        crossed.append(now)
    return crossed
