"""Which nodes run side by side: each on a share of the threads, none waiting for another.

A recurrent layer has little to divide among threads, for each of its steps needs the one before. Two of them that do
not depend on one another can be walked at the same time instead:

    threads    1  [ forward                  ]              [ joined ... ]
               2  [ backward                 ]

Kernels say which of their calls gain by that (`KernelDef.beside`); nodes that are asked the same, so that they take the
same time, and that do not depend on one another make a group, of at most as many as there are threads. In the order of
the run those of a group follow one another, and what one of them takes or makes stays until all are through.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphflow.ir.graph import Value

if TYPE_CHECKING:
    from graphflow.runtime.plan import PlannedNode

Group = tuple["PlannedNode", ...]


def find_groups(nodes: Sequence[PlannedNode], threads: int) -> list[Group]:
    """The nodes that run side by side.

    Args:
        nodes: in order, with their kernels chosen.
        threads: how many share a run.
    """
    if threads < 2:
        return []
    depth: dict[Value, int] = {}
    alike: dict[Any, list[PlannedNode]] = {}
    for one in nodes:
        call, kernel = one.call, one.kernel
        before = max((depth.get(value, 0) for value in one.node.inputs if value is not None), default=0)
        if call is not None and kernel is not None and kernel.beside is not None and kernel.beside(call):
            alike.setdefault((before, kernel.name, call.inputs, call.outputs, call.known), []).append(one)
            before += 1  # so those of one depth do not depend on one another
        depth.update(dict.fromkeys(one.node.outputs, before))
    parts = [same[at : at + threads] for same in alike.values() for at in range(0, len(same), threads)]
    return [tuple(part) for part in parts if len(part) > 1]


def gathered(nodes: Sequence[PlannedNode], groups: Sequence[Group]) -> list[PlannedNode]:
    """The nodes with those of a group behind one another, else in their order as far as the edges allow it."""
    if not groups:
        return list(nodes)
    position = {one: index for index, one in enumerate(nodes)}
    units = {one: tuple(sorted(group, key=position.__getitem__)) for group in groups for one in group}
    maker = {value: one for one in nodes for value in one.node.outputs}
    after: dict[Group, list[Group]] = {}
    waiting: dict[Group, int] = {}
    effect: PlannedNode | None = None
    for one in nodes:
        unit = units.setdefault(one, (one,))
        before = {maker[value] for value in one.node.inputs if value is not None and value in maker}
        if one.node.op.effect != "pure":
            before |= set() if effect is None else {effect}
            effect = one
        waiting[unit] = waiting.get(unit, 0) + len(before)
        for source in before:
            after.setdefault(units[source], []).append(unit)
    ready = [(position[unit[0]], unit) for unit, count in waiting.items() if not count]
    heapq.heapify(ready)
    order: list[PlannedNode] = []
    while ready:
        _, unit = heapq.heappop(ready)
        order.extend(unit)
        for other in after.get(unit, ()):
            waiting[other] -= 1
            if not waiting[other]:
                heapq.heappush(ready, (position[other[0]], other))
    return order


def spans(nodes: Sequence[PlannedNode]) -> list[tuple[int, int]]:
    """For each node the first and the last position of its group; of most nodes their own."""
    position = {one: index for index, one in enumerate(nodes)}
    found = []
    for one in nodes:
        places = [position[other] for other in one.group or (one,)]
        found.append((min(places), max(places)))
    return found
