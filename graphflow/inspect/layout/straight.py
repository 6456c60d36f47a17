"""Coordinates across the rows of a layered drawing: chains and long edges straight, nothing on top of anything.

Source: Brandes and Köpf, Fast and simple horizontal coordinate assignment, 2002; the blocks are packed as dagre does,
by two passes over the graph of blocks, which needs no recursion.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Links = list[list[int]]
Rows = list[list[int]]


def coordinates(
    rows: Rows,
    above: Links,
    below: Links,
    widths: Sequence[float],
    is_bend: Sequence[bool],
    node_gap: float,
    bend_gap: float,
) -> list[float]:
    """The middle of each item, the leftmost edge of all at 0.

    Args:
        rows: the items of each row, in order.
        above, below: the neighbours of each item in the row before and after, in their order.
        is_bend: which items are bends of long edges; these take less distance.
    """
    total = len(widths)
    marked = _conflicts(rows, above, is_bend)
    found: list[list[float]] = []
    for down in (True, False):
        layers = rows if down else rows[::-1]
        links = above if down else below
        for left in (True, False):
            ordered = layers if left else [items[::-1] for items in layers]
            root = _align(ordered, links if left else [one[::-1] for one in links], marked, total)
            x = _pack(ordered, root, widths, is_bend, node_gap, bend_gap)
            found.append(x if left else [-one for one in x])
    return _balanced(found, widths)


def _conflicts(rows: Rows, above: Links, is_bend: Sequence[bool]) -> set[tuple[int, int]]:
    """Links that cross a link between two bends, which shall stay straight."""
    marked: set[tuple[int, int]] = set()
    for before, items in pairwise(rows):
        place = {item: index for index, item in enumerate(before)}
        first, done = 0, 0
        for index, item in enumerate(items):
            inner = next((place[one] for one in above[item] if is_bend[item] and is_bend[one]), None)
            if inner is None and index < len(items) - 1:
                continue
            last = len(before) - 1 if inner is None else inner
            for other in items[done : index + 1]:
                for one in above[other]:
                    if not first <= place[one] <= last and not (is_bend[one] and is_bend[other]):
                        marked.add((one, other))
            done, first = index + 1, last
    return marked


def _align(rows: Rows, links: Links, marked: set[tuple[int, int]], total: int) -> list[int]:
    """Items that shall have one coordinate, as the first of each of these blocks."""
    root = list(range(total))
    taken = list(range(total))
    for before, items in pairwise(rows):
        place = {item: index for index, item in enumerate(before)}
        reached = -1
        for item in items:
            near = links[item]
            if not near:
                continue
            middle = (len(near) - 1) // 2
            for one in near[middle : middle + 2 - len(near) % 2]:
                if taken[item] != item:
                    break
                free = (one, item) not in marked and (item, one) not in marked
                if free and reached < place[one]:
                    taken[item] = one
                    root[item] = root[one]
                    reached = place[one]
    return root


def _pack(
    rows: Rows, root: list[int], widths: Sequence[float], is_bend: Sequence[bool], node_gap: float, bend_gap: float
) -> list[float]:
    """Coordinates of blocks, as far left as they go, then those that hang loose as far right."""
    after: dict[int, dict[int, float]] = {}
    before: dict[int, int] = {}
    for items in rows:
        for item in items:
            after.setdefault(root[item], {})
            before.setdefault(root[item], 0)
        for left, right in pairwise(items):
            a, b = root[left], root[right]
            gap = bend_gap if is_bend[left] or is_bend[right] else node_gap
            needed = (widths[left] + widths[right]) / 2 + gap
            if b not in after[a]:
                before[b] += 1
                after[a][b] = needed
            else:
                after[a][b] = max(after[a][b], needed)
    x = dict.fromkeys(after, 0.0)
    order = [block for block, count in before.items() if not count]
    for block in order:
        for other, needed in after[block].items():
            x[other] = max(x[other], x[block] + needed)
            before[other] -= 1
            if not before[other]:
                order.append(other)
    for block in reversed(order):
        if after[block]:
            x[block] = max(x[block], min(x[other] - needed for other, needed in after[block].items()))
    return [x.get(one, 0.0) for one in root]


def _balanced(found: list[list[float]], widths: Sequence[float]) -> list[float]:
    """The mean of the middle two of four drawings, each shifted to the narrowest."""
    if not widths:
        return []

    def ends(x: list[float]) -> tuple[float, float]:
        return (
            min(one - width / 2 for one, width in zip(x, widths, strict=True)),
            max(one + width / 2 for one, width in zip(x, widths, strict=True)),
        )

    limits = [ends(x) for x in found]
    narrow = min(limits, key=lambda one: one[1] - one[0])
    for index, (x, (low, high)) in enumerate(zip(found, limits, strict=True)):
        shift = narrow[0] - low if index % 2 == 0 else narrow[1] - high
        found[index] = [one + shift for one in x]
    middle = [sum(sorted(four)[1:3]) / 2 for four in zip(*found, strict=True)]
    low = ends(middle)[0]
    return [one - low for one in middle]
