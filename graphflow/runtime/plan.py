"""`make_plan`: a tuned graph, specialised to concrete input shapes: a flat list of steps over one arena.

1. infer every spec anew, with the concrete shapes
2. choose a kernel for each node that runs, or its reference
3. give every value its memory: views, in place, outputs where the caller wants them
4. write the arguments of every step, and where pointers must be put in
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphflow.ir.graph import Graph, Node, Value
from graphflow.ir.stage import leaf_stage, stages
from graphflow.kernels.isa import Isa
from graphflow.kernels.layout import Call, KernelDef, Layout, Ref
from graphflow.kernels.table import choose
from graphflow.ops.array import VIEWS
from graphflow.runtime.bindings import Bindings, Key
from graphflow.runtime.memory import Lifetime, place
from graphflow.runtime.scan import BodyPlan
from graphflow.runtime.shapes import Concrete
from graphflow.runtime.storage import Storage, StorageMap, nbytes
from graphflow.spec import Shape, TensorSpec
from graphflow.variable import Variable

Array = np.ndarray[Any, Any]
PARALLEL_FROM_NS = 6_000.0
"""Steps that are guessed to take less are not shared between threads."""


class PlannedNode:
    """One node of a plan: what computes it, and where its tensors are."""

    __slots__ = ("body", "first_step", "kernel", "layout", "node", "reason", "work")

    def __init__(self, node: Node, kernel: KernelDef | None, layout: Layout | None, reason: str) -> None:
        self.node = node
        self.kernel = kernel
        self.layout = layout
        self.reason = reason
        self.work: list[Storage] = []
        self.first_step = 0
        self.body: Any = None


class Plan:
    """What a session runs for one set of input shapes.

    Attributes:
        program: the executor's part.
        nodes: what computes each node, in order.
        specs: the concrete spec of every value.
        outputs, updates: specs of what a run returns and of the states' successors.
        known: what shapes alone decide, by the keys of bound arrays.
        copies: outputs that are another array under another name: (output, its value).
        bound: keys of the arrays that must be bound.
    """

    def __init__(self) -> None:
        self.program: Any = None
        self.nodes: list[PlannedNode] = []
        self.specs: dict[Value, TensorSpec] = {}
        self.known: dict[Key, Array] = {}
        self.results: list[TensorSpec] = []
        self.copies: list[tuple[int, Value]] = []
        self.bound: list[Key] = []
        self.states: list[Variable] = []
        self.storage = StorageMap()
        self.python_nodes: dict[int, PlannedNode] = {}
        self.arena_bytes = 0


def make_plan(
    graph: Graph,
    input_shapes: Sequence[Shape],
    bindings: Bindings,
    isa: Isa | None,
    threads: int,
    precision: str = "default",
) -> Plan:
    """Plan a graph for concrete input shapes.

    Args:
        graph: tuned; it is not changed.
        input_shapes: of the graph's inputs, no None.
        bindings: where packed weights will be found.
        isa: whose kernels to use; None: references only.
        threads: how many share the steps.
        precision: "default" or "strict".

    Raises:
        ShapeError: the shapes do not fit together; the message names the layer.
    """
    planner = _Planner(graph, bindings, isa, threads, precision)
    planner.infer(input_shapes)
    planner.choose_kernels()
    planner.give_memory()
    planner.write_program()
    return planner.plan


class _Planner:
    def __init__(self, graph: Graph, bindings: Bindings, isa: Isa | None, threads: int, precision: str) -> None:
        self.graph = graph
        self.bindings = bindings
        self.isa = isa
        self.threads = threads
        self.precision = precision
        self.plan = Plan()
        self.stage = stages(graph)
        self.order = [node for node in graph.ordered() if any(self.stage[value] == "run" for value in node.outputs)]
        self.bases: dict[Key, int] = {}

    # 1

    def infer(self, input_shapes: Sequence[Shape]) -> None:
        found = Concrete(self.graph, self.order, input_shapes)
        self.plan.specs, self.order = found.specs, found.order
        self.plan.known = {((value,), ""): array for value, array in found.known.items()}

    def _spec(self, value: Value) -> TensorSpec:
        return self.plan.specs.get(value, value.spec)

    # 2

    def choose_kernels(self) -> None:
        for node in self.order:
            kernel, layout, reason = None, None, "references only"
            if node.op.name in VIEWS:
                reason = "view"
            elif self.isa is not None:
                call = Call(
                    node.attrs,
                    tuple(None if value is None else self._spec(value) for value in node.inputs),
                    tuple(self._spec(value) for value in node.outputs),
                    tuple(value is None or self._stage(value) != "run" for value in node.inputs),
                    self.isa,
                    self.threads,
                    self.precision,
                )
                kernel, reason = choose(node.op.name, call)
                layout = None if kernel is None else kernel.lay(call)
            planned = PlannedNode(node, kernel, layout, reason)
            if "body" in node.attrs and self.isa is not None:
                given = [self._spec(value) for value in node.inputs if value is not None]
                planned.body = BodyPlan(node, given, self.bindings, self.isa, self.threads, self.precision)
            self.plan.nodes.append(planned)

    def _stage(self, value: Value) -> str:
        return self.stage.get(value) or leaf_stage(value)

    # 3

    def give_memory(self) -> None:
        storage = self.plan.storage
        for index, entering in enumerate(self.graph.inputs):
            storage.external(entering, "input", index)
        users = self._last_uses()
        for step, planned in enumerate(self.plan.nodes):
            node = planned.node
            for value in node.inputs:
                if value is not None and value not in storage.of:
                    self._give_leaf(value)
                if value is not None:
                    storage.touch(value, step)
            if planned.reason == "view" and node.inputs[0] is not None:
                storage.share(node.outputs[0], node.inputs[0])
                storage.touch(node.outputs[0], users.get(node.outputs[0], step))
                continue
            for made in node.outputs:
                self._give_output(planned, made, step, users)
            if planned.layout is not None:
                planned.work = [storage.fresh(None, size, step) for size in planned.layout.work]
        self._give_results()
        offsets, total = place([Lifetime(one.first, one.last, one.size) for one in storage.arena])
        for one, offset in zip(storage.arena, offsets, strict=True):
            one.index = offset
        self.plan.arena_bytes = total

    def _last_uses(self) -> dict[Value, int]:
        """The last step that uses each value; a value that leaves the graph is used to the end."""
        last: dict[Value, int] = {}
        for step, node in enumerate(self.order):
            for value in node.inputs:
                if value is not None:
                    last[value] = step
        for value in self.graph.results():
            last[value] = len(self.order)
        return last

    def _give_leaf(self, value: Value) -> None:
        storage = self.plan.storage
        if value.kind == "variable" and value.payload.changes_in_runs:
            storage.external(value, "input", len(self.graph.inputs) + len(self.plan.states))
            self.plan.states.append(value.payload)
        elif ((value,), "") in self.plan.known:
            storage.external(value, "bound", ((value,), ""))
        else:
            storage.external(value, "bound", self.bindings.raw(value))

    def _give_output(self, planned: PlannedNode, value: Value, step: int, users: dict[Value, int]) -> None:
        storage = self.plan.storage
        size = nbytes(self._spec(value))
        for index in planned.layout.in_place if planned.layout is not None else ():
            source = planned.node.inputs[index]
            assert source is not None
            held = storage.of[source]
            free = held.kind == "arena" and held.size == size and held.last <= step
            if free and all(users.get(other, -1) <= step for other in self._sharers(held)):
                storage.share(value, source)
                storage.touch(value, users.get(value, step))
                self._shared.setdefault(id(held), []).append(value)
                return
        held = storage.fresh(value, size, step)
        self._shared.setdefault(id(held), []).append(value)
        storage.touch(value, users.get(value, step))

    @property
    def _shared(self) -> dict[int, list[Value]]:
        self.__dict__.setdefault("_shared_values", {})
        found: dict[int, list[Value]] = self.__dict__["_shared_values"]
        return found

    def _sharers(self, storage: Storage) -> list[Value]:
        return self._shared.get(id(storage), [])

    def _give_results(self) -> None:
        """Let each result be computed where the caller wants it, or note that it must be copied there."""
        for index, value in enumerate(self.graph.results()):
            self.plan.results.append(self._spec(value))
            if value not in self.plan.storage.of:
                self._give_leaf(value)
            held = self.plan.storage.of[value]
            if held.kind == "arena":
                held.kind, held.index = "output", index
                self.plan.storage.arena.remove(held)
            else:
                self.plan.copies.append((index, value))

    # 4

    def write_program(self) -> None:
        from graphflow.kernels._leaf import FIELDS
        from graphflow.runtime._executor import Program

        steps: list[tuple[int, ...]] = []
        slots: list[int] = []
        moves: list[tuple[int, Storage, int]] = []
        scratch = 0
        for planned in self.plan.nodes:
            planned.first_step = len(steps)
            if planned.reason == "view":
                continue
            if planned.layout is None or self.isa is None:
                self.plan.python_nodes[len(steps)] = planned
                steps.append((0, 0, 0, 1, 0))
                continue
            for step in planned.layout.steps:
                if step.items == 0:
                    continue
                shared = self.threads > 1 and step.nanoseconds > PARALLEL_FROM_NS
                grain = step.items if not shared else max(1, -(-step.items // (4 * self.threads)))
                grain = min(grain, step.limit) if step.limit else grain
                steps.append((self.isa.leaves[step.leaf], len(slots), step.items, grain, int(shared)))
                scratch = max(scratch, step.scratch)
                self._write_fields(step.leaf, step.fields, FIELDS[step.leaf], planned, slots, moves)
        fixed, moving = self._relocations(moves)
        threads = self.threads if any(row[4] for row in steps) else 1
        self.plan.program = Program(steps, slots, fixed, moving, self.plan.arena_bytes, scratch, threads)

    def _write_fields(
        self,
        leaf: str,
        fields: dict[str, Any],
        names: Sequence[tuple[str, str]],
        planned: PlannedNode,
        slots: list[int],
        moves: list[tuple[int, Storage, int]],
    ) -> None:
        if len(fields) != len(names):
            raise KeyError(f"Leaf {leaf} takes {[name for name, _ in names]}, received {list(fields)}.")
        for name, kind in names:
            given = fields[name]
            if kind == "F":
                slots.append(struct.unpack("q", struct.pack("d", given))[0])
            elif kind == "I":
                slots.append(int(given))
            else:
                if given is not None:
                    moves.append((len(slots), self._pointer(given, planned), given.offset))
                slots.append(0)

    def _pointer(self, ref: Ref, planned: PlannedNode) -> Storage:
        node, storage = planned.node, self.plan.storage
        if ref.kind == "work":
            return planned.work[ref.position]
        if ref.kind == "packed":
            assert planned.layout is not None
            return Storage("bound", self.bindings.packed(planned.layout.packs[ref.position], node.inputs))
        value = node.inputs[ref.position] if ref.kind == "in" else node.outputs[ref.position]
        assert value is not None
        return storage.of[value]

    def _base(self, storage: Storage) -> int:
        """Bases: the arena, bound arrays, then the arrays of a run (inputs, states, results)."""
        if storage.kind == "arena":
            return 0
        if storage.kind == "bound":
            if storage.index not in self.bases:
                self.bases[storage.index] = len(self.bases)
                self.plan.bound.append(storage.index)
            return 1 + self.bases[storage.index]
        return (
            storage.index if storage.kind == "input" else len(self.graph.inputs) + len(self.plan.states) + storage.index
        )  # type: ignore[no-any-return]

    def _relocations(self, moves: list[tuple[int, Storage, int]]) -> tuple[list[Any], list[Any]]:
        fixed, moving = [], []
        for slot, storage, offset in moves:
            base = self._base(storage)
            if storage.kind == "arena":
                fixed.append((slot, base, storage.index + offset))
            elif storage.kind == "bound":
                fixed.append((slot, base, offset))
            else:
                moving.append((slot, base, offset))
        for planned in self.plan.python_nodes.values():
            for value in planned.node.inputs:
                if value is not None and self.plan.storage.of[value].kind == "bound":
                    self._base(self.plan.storage.of[value])
        for _, value in self.plan.copies:
            if self.plan.storage.of[value].kind == "bound":
                self._base(self.plan.storage.of[value])
        first = 1 + len(self.bases)
        return fixed, [(slot, base + first, offset) for slot, base, offset in moving]
