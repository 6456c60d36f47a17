"""Where every value of a plan lies, for one order of its nodes.

views lie in their sources, what can be computed in place takes the place of an operand, pieces of a whole lie in the
whole (`windows`), results lie where the caller wants them, and the rest gets its place in the arena (`memory`). What
nodes take or make that run side by side (`beside`) stays as long as any of them runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphflow.ir.graph import Graph, Value
from graphflow.runtime.beside import spans
from graphflow.runtime.bindings import Bindings
from graphflow.runtime.memory import Lifetime, place
from graphflow.runtime.storage import Storage, StorageMap, nbytes
from graphflow.runtime.windows import Window
from graphflow.spec import TensorSpec
from graphflow.variable import Variable

if TYPE_CHECKING:
    from graphflow.runtime.plan import Plan, PlannedNode


class Places:
    """The memory of every value, for one order.

    Args:
        nodes: with their kernels laid out, in the order in which they run.
        plan: whose specs and known values they have; it is not changed before `adopt`.
        windows: the values that are computed inside another one.

    Attributes:
        arena_bytes: what this order needs.
    """

    def __init__(
        self,
        graph: Graph,
        nodes: Sequence[PlannedNode],
        plan: Plan,
        bindings: Bindings,
        windows: dict[Value, Window],
    ) -> None:
        self.graph = graph
        self.nodes = nodes
        self.bindings = bindings
        self.storage = StorageMap()
        self.values: list[Value] = []
        self.copies: list[tuple[int, Value]] = []
        self.states: list[Variable] = []
        self._specs = plan.specs
        self._known = plan.known
        self._work: list[list[Storage]] = []
        self._shared: dict[int, list[Value]] = {}
        self._windows = windows
        self._spans = spans(nodes)
        self._parts: dict[Value, list[Value]] = {}
        for part, window in windows.items():
            self._parts.setdefault(window.root, [window.root]).append(part)
        self._give()
        arena = self.storage.arena
        self._offsets, self.arena_bytes = place([Lifetime(one.first, one.last, one.size) for one in arena])

    def adopt(self, plan: Plan) -> None:
        """Let a plan have these places."""
        for one, offset in zip(self.storage.arena, self._offsets, strict=True):
            one.index = offset
        for planned, work in zip(self.nodes, self._work, strict=True):
            planned.work = work
        plan.storage, plan.arena_bytes = self.storage, self.arena_bytes
        plan.values, plan.results = self.values, [self._spec(value) for value in self.values]
        plan.copies, plan.states = self.copies, self.states

    def _spec(self, value: Value) -> TensorSpec:
        return self._specs.get(value, value.spec)

    def _give(self) -> None:
        storage = self.storage
        for index, entering in enumerate(self.graph.inputs):
            storage.external(entering, "input", index)
        users = self._last_uses()
        for step, planned in enumerate(self.nodes):
            node = planned.node
            first, last = self._spans[step]
            for value in node.inputs:
                if value is not None and value not in storage.of:
                    self._give_leaf(value)
                if value is not None:
                    storage.touch(value, last)
            layout = planned.layout
            if planned.reason == "view" and node.inputs[0] is not None:
                storage.share(node.outputs[0], node.inputs[0])
                storage.touch(node.outputs[0], users.get(node.outputs[0], step))
            else:
                for made in node.outputs:
                    self._give_output(planned, made, step, users)
            work = [] if layout is None else layout.work
            self._work.append([storage.fresh(None, size, first, last) for size in work])
        self._give_results()

    def _last_uses(self) -> dict[Value, int]:
        """The last step that uses each value; a value that leaves the graph is used to the end."""
        last: dict[Value, int] = {}
        for step, planned in enumerate(self.nodes):
            for value in planned.node.inputs:
                if value is not None:
                    last[value] = self._spans[step][1]
        for value in self.graph.results():
            last[value] = len(self.nodes)
        return last

    def _give_leaf(self, value: Value) -> None:
        storage = self.storage
        if value.kind == "variable" and value.payload.changes_in_runs:
            storage.external(value, "input", len(self.graph.inputs) + len(self.states))
            self.states.append(value.payload)
        elif ((value,), "") in self._known:
            storage.external(value, "bound", ((value,), ""))
        else:
            storage.external(value, "bound", self.bindings.raw(value))

    def _give_output(self, planned: PlannedNode, value: Value, step: int, users: dict[Value, int]) -> None:
        storage = self.storage
        if value in self._parts or value in self._windows:
            self._give_root(self._windows[value].root if value in self._windows else value, value, step, users)
            return
        size = nbytes(self._spec(value))
        first, last = self._spans[step]
        for index in planned.layout.in_place if planned.layout is not None and planned.group is None else ():
            source = planned.node.inputs[index]
            if source is None:
                continue
            held = storage.of[source]
            free = held.kind == "arena" and held.size == size and held.last <= step and self._alone(planned, held)
            if free and all(users.get(other, -1) <= step for other in self._shared.get(id(held), ())):
                storage.share(value, source)
                storage.touch(value, users.get(value, step))
                self._shared.setdefault(id(held), []).append(value)
                return
        held = storage.fresh(value, size, first, last)
        self._shared.setdefault(id(held), []).append(value)
        storage.touch(value, users.get(value, step))

    def _alone(self, planned: PlannedNode, held: Storage) -> bool:
        """Whether no operand lies there but those that may be overwritten."""
        inputs, layout = planned.node.inputs, planned.layout
        assert layout is not None
        lying = (index for index, one in enumerate(inputs) if one is not None and self.storage.of[one] is held)
        return all(index in layout.in_place for index in lying)

    def _give_root(self, root: Value, value: Value, step: int, users: dict[Value, int]) -> None:
        """Let a value lie where the whole lies that it is part of, or is."""
        storage = self.storage
        if root not in storage.of:
            storage.fresh(root, nbytes(self._spec(root)), *self._spans[step])
            self._shared[id(storage.of[root])] = self._parts[root]
        storage.share(value, root)
        storage.touch(value, users.get(value, step))

    def _give_results(self) -> None:
        """Let each result be computed where the caller wants it, or note that it must be copied there."""
        storage = self.storage
        given: set[int] = set()
        for index, value in enumerate(self.graph.results()):
            self.values.append(value)
            if value not in storage.of:
                self._give_leaf(value)
            held = storage.of[value]
            if held.kind == "arena":
                held.kind, held.index = "output", index
                given.add(id(held))
            else:
                self.copies.append((index, value))
        storage.arena = [one for one in storage.arena if id(one) not in given]
