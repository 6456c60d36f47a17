"""In which order the nodes run: every order that respects the edges is right, and some need less memory than others.

    written    as the model was written: each node when its inputs are there
    deepest    from the results back, of a node's inputs first the one that needs most room beside what it leaves (Sethi
               and Ullman, 1970; exact for trees)
    greedy     of the nodes that could run, the one that frees most, or needs least

Sizes are those of one sample, sizes that are not known count as `UNKNOWN`. What leaves the graph lies where the caller
wants it and counts nothing; a view lies in its source. All of it is linear in the graph but for sorting.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence

from graphflow.ir.graph import Node, Value
from graphflow.ops.array import VIEWS
from graphflow.runtime.storage import item_bytes

UNKNOWN = 64


def orders(written: Sequence[Node], results: Iterable[Value]) -> list[list[Node]]:
    """The order in which the nodes were given and, where it seems to need less memory, another.

    Args:
        written: nodes in an order that respects the edges.
        results: what leaves the graph.
    """
    first = list(written)
    if all(len(node.outputs) < 2 and _run_inputs(node) < 2 for node in first):
        return [first]
    graph = _Sizes(first, results)
    least, best = graph.peak(first), first
    for other in (_deepest(graph, first), _greedy(graph, first)):
        peak = graph.peak(other)
        if peak < least:
            least, best = peak, other
    return [first] if best is first else [first, best]


def _run_inputs(node: Node) -> int:
    return sum(value is not None and value.kind == "node" for value in node.inputs)


class _Sizes:
    """The memory of nodes: what each takes, makes and must come after."""

    def __init__(self, nodes: Sequence[Node], results: Iterable[Value]) -> None:
        self.root: dict[Value, Value] = {}
        self.size: dict[Value, int] = {}
        self.users: dict[Value, int] = {}
        self.takes: dict[Node, list[Value]] = {}
        self.makes: dict[Node, list[Value]] = {}
        self.before: dict[Node, list[Node]] = {}
        self.maker: dict[Value, Node] = {}
        held = set(results)
        effect: Node | None = None
        for node in nodes:
            inside = [value for value in node.inputs if value is not None and value in self.root]
            before = dict.fromkeys(self.maker[value] for value in inside)
            if node.op.effect != "pure":
                if effect is not None:
                    before[effect] = None
                effect = node
            self.before[node] = list(before)
            self.takes[node] = list(dict.fromkeys(self.root[value] for value in inside))
            view = node.op.name in VIEWS and bool(inside) and inside[0] is node.inputs[0]
            self.makes[node] = [] if view else list(node.outputs)
            for value in node.outputs:
                self.maker[value] = node
                self.root[value] = self.root[inside[0]] if view else value
                if not view:
                    self.size[value] = _bytes(value)
                    self.users[value] = 0
                if value in held:
                    self.size[self.root[value]] = 0
            for value in self.takes[node]:
                self.users[value] += 1

    def peak(self, order: Sequence[Node]) -> int:
        """The most memory that is in use at one time."""
        left = dict(self.users)
        live = most = 0
        for node in order:
            live += sum(self.size[value] for value in self.makes[node])
            most = max(most, live)
            for value in self.takes[node]:
                left[value] -= 1
                if not left[value]:
                    live -= self.size[value]
            live -= sum(self.size[value] for value in self.makes[node] if not left[value])
        return most


def _bytes(value: Value) -> int:
    """Of one sample, in whole lines."""
    first, *rest = value.spec.shape or (1,)
    count = (1 if first is None else first) * math.prod(UNKNOWN if size is None else size for size in rest)
    return count * item_bytes(value.spec.dtype)


def _deepest(graph: _Sizes, nodes: Sequence[Node]) -> list[Node]:
    """Depth first, the most demanding input first."""
    made = {node: sum(graph.size[value] for value in graph.makes[node]) for node in nodes}
    need: dict[Node, int] = {}
    wanted: dict[Node, list[Node]] = {}
    for node in nodes:
        first = wanted[node] = sorted(graph.before[node], key=lambda one: made[one] - need[one])
        held = most = 0
        for one in first:
            most = max(most, held + need[one])
            held += made[one]
        need[node] = max(most, held + made[node])
    used = {one for node in nodes for one in graph.before[node]}
    order: list[Node] = []
    done: set[Node] = set()
    for last in [node for node in nodes if node not in used]:
        stack = [(last, iter(wanted[last]))]
        while stack:
            node, rest = stack[-1]
            ahead = next((one for one in rest if one not in done), None)
            if ahead is not None:
                stack.append((ahead, iter(wanted[ahead])))
                continue
            stack.pop()
            done.add(node)
            order.append(node)
    return order


def _greedy(graph: _Sizes, nodes: Sequence[Node]) -> list[Node]:
    """Of the nodes that could run, the one after which least is in use; among equals the one that came up last."""
    left = dict(graph.users)
    after: dict[Node, list[Node]] = {node: [] for node in nodes}
    waiting = {node: len(graph.before[node]) for node in nodes}
    takers: dict[Value, list[Node]] = {}
    for node in nodes:
        for before in graph.before[node]:
            after[before].append(node)
        for value in graph.takes[node]:
            takers.setdefault(value, []).append(node)
    ready: list[tuple[int, int, Node]] = []
    count = 0
    done: set[Node] = set()

    def push(node: Node) -> None:
        nonlocal count
        count += 1
        grows = sum(graph.size[value] for value in graph.makes[node])
        frees = sum(graph.size[value] for value in graph.takes[node] if left[value] == 1)
        heapq.heappush(ready, (grows - frees, -count, node))

    for node in nodes:
        if not waiting[node]:
            push(node)
    order: list[Node] = []
    while ready:
        _, _, node = heapq.heappop(ready)
        if node in done:
            continue
        done.add(node)
        order.append(node)
        for value in graph.takes[node]:
            left[value] -= 1
            if left[value] == 1:
                last = next(one for one in takers[value] if one not in done)
                if not waiting[last]:
                    push(last)
        for other in after[node]:
            waiting[other] -= 1
            if not waiting[other]:
                push(other)
    return order
