"""Blocks that are repeated one after another, found by what their nodes are and where their inputs come from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from graphflow.inspect.graphs.data import GraphData
from graphflow.inspect.layout.tree import Group, bounds

LONGEST = 256
"""Members of a block at most."""

LEAST = {1: 6, 2: 4, 3: 4, 4: 3, 5: 3}
"""How often a block of so many members must stand in a row; longer ones twice."""

ROUNDS = 3
"""Blocks of blocks of blocks are found."""


def find_repeats(data: GraphData, root: Group) -> None:
    """Put blocks that stand in a row into groups of kind "block", and those of one row into one of kind "run".

    Two blocks are equal when their nodes are of the same kinds, in the same order, and take their inputs from as far
    before them. Of the ways to divide a row, the one is taken where the fewest tensors go from block to block, and the
    names in a block have most in common.
    """
    place = {node.id: index for index, node in enumerate(data.nodes)}
    sources: list[list[int]] = [[] for _ in data.nodes]
    for edge in data.edges:
        sources[place[edge.target]].append(place[edge.source])
    crossing = _crossing(data, place)
    for group in list(root.walk()):
        for _ in range(ROUNDS):
            codes = _codes(data, group, sources)
            runs = _runs(codes, partial(_cost, data, group, crossing), partial(_follows, group, sources))
            if not runs:
                break
            _put_together(data, group, runs)


def _crossing(data: GraphData, place: dict[str, int]) -> list[int]:
    """How many tensors go from before each position to it or behind."""
    last: dict[tuple[int, int], int] = {}
    for edge in data.edges:
        key = place[edge.source], edge.output
        last[key] = max(last.get(key, 0), place[edge.target])
    change = [0] * (len(data.nodes) + 2)
    for (start, _), end in last.items():
        change[start + 1] += 1
        change[end + 1] -= 1
    return np.cumsum(change).tolist()


def _codes(data: GraphData, group: Group, sources: list[list[int]]) -> Any:
    """A number for each member; equal members have equal ones."""
    numbers: dict[Any, int] = {}
    codes = []
    for member in group.members:
        start, end = bounds(member)
        title: Any = (member.kind, len(member.members)) if isinstance(member, Group) else None
        if title is None and data.nodes[start].is_input:
            title = start
        parts = tuple(
            (data.nodes[at].kind, *(at - source if source >= group.start else 0 for source in sources[at]))
            for at in range(start, end)
        )
        codes.append(numbers.setdefault((title, parts), len(numbers)))
    return np.asarray(codes)


def _cost(data: GraphData, group: Group, crossing: list[int], first: int, size: int) -> tuple[int, int]:
    """What speaks against a block: tensors that come in, and how little its names have in common."""
    names = [data.nodes[at].name for one in group.members[first : first + size] for at in range(*bounds(one))]
    return crossing[bounds(group.members[first])[0]], -len(common_name(names))


def _follows(group: Group, sources: list[list[int]], first: int, size: int) -> bool:
    """Whether the block after this one takes something from it: towers that stand side by side are no run."""
    start, middle = (bounds(group.members[first + step])[0] for step in (0, size))
    end = bounds(group.members[first + 2 * size - 1])[1]
    return any(start <= source < middle for at in range(middle, end) for source in sources[at])


def _runs(codes: Any, cost: Any, follows: Any) -> list[tuple[int, int, int]]:
    """Runs as (first member, members of a block, blocks), which do not overlap; short blocks are looked for first."""
    found: list[tuple[int, int, int]] = []
    free = [(0, len(codes))]
    for size in range(1, min(LONGEST, len(codes) // 2) + 1):
        left: list[tuple[int, int]] = []
        for start, end in free:
            for run in _of_size(codes[start:end], start, size, cost):
                if follows(run[0], size):
                    found.append(run)
                    left.append((start, run[0]))
                    start = run[0] + size * run[2]
            left.append((start, end))
        free = [(start, end) for start, end in left if end - start > 2 * size]
        if not free:
            break
    return sorted(found)


def _of_size(codes: Any, offset: int, size: int, cost: Any) -> list[tuple[int, int, int]]:
    """The runs of blocks of a size, from left to right."""
    if len(codes) < 2 * size:
        return []
    equal = np.flatnonzero(np.diff(np.concatenate(([0], codes[size:] == codes[:-size], [0])).astype(np.int8)))
    least, runs, done = LEAST.get(size, 2), [], 0
    for begin, end in zip(equal[::2].tolist(), equal[1::2].tolist(), strict=True):
        begin = max(begin, done)
        full = (end - begin) // size + 1
        if full < least or end <= begin:
            continue
        ways = []
        for shift in range(min(size, end - begin + 1)):
            count = (end - begin - shift) // size + 1
            if count >= max(least, full - 1):
                ways.append((cost(offset + begin + shift + (count - 1) * size, size), -count, shift))
        _, count, shift = min(ways)
        runs.append((offset + begin + shift, size, -count))
        done = begin + shift - count * size
    return runs


def _put_together(data: GraphData, group: Group, runs: Sequence[tuple[int, int, int]]) -> None:
    members: list[int | Group] = []
    done = 0
    for first, size, count in runs:
        members += group.members[done:first]
        done = first + size * count
        blocks = [group.members[first + size * index : first + size * (index + 1)] for index in range(count)]
        inside: list[int | Group] = []
        for index, block in enumerate(blocks):
            if size == 1:
                inside.append(block[0])
            else:
                inside.append(_group(data, "block", block, f"block {index + 1}"))
        run = _group(data, "run", [member for block in blocks for member in block], "")
        run.members = inside
        members.append(run)
    group.members = members + group.members[done:]


def _group(data: GraphData, kind: str, members: list[int | Group], otherwise: str) -> Group:
    start, end = bounds(members[0])[0], bounds(members[-1])[1]
    title = common_name([data.nodes[at].name for at in range(start, end)]) or otherwise
    return Group(title, kind, start, end, list(members))


def common_name(names: Sequence[str]) -> str:
    """What all names begin with, up to a separator.

    Example:
        >>> common_name(["conv2_block1_1_conv", "conv2_block1_1_bn", "conv2_block1_out"])
        'conv2_block1'
        >>> common_name(["block1_a", "block2_a"])
        'block'
    """
    least, most = min(names), max(names)
    length = next((at for at, char in enumerate(least) if char != most[at]), len(least))
    shared = least[:length]
    rests = {name[len(shared) : len(shared) + 1] for name in names}
    if rests == {""} or (all(map(str.isdecimal, rests)) and not shared[-1:].isdecimal()):
        return shared.rstrip("_/.-")
    return re.sub(r"[^_/.\-]*$", "", shared).rstrip("_/.-")
