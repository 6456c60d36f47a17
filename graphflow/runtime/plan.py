"""`make_plan`: a tuned graph, specialised to concrete input shapes: a flat list of steps over one arena.

1. infer every spec anew, with the concrete shapes
2. choose a kernel for each node that runs, or its reference, and find those that run side by side (`beside`)
3. give every value its memory (`places`), in the better of the orders there are (`order`)
4. write the arguments of every step, and where pointers must be put in (`program`)

A plan for a batch of several samples also says how it scales to fewer (`scale`): the same kernels and places, and
arguments for the smaller batch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphflow.garbage import full_collections_put_off
from graphflow.ir.graph import Node, Value
from graphflow.kernels.isa import Isa
from graphflow.kernels.layout import Call, KernelDef, Layout, Ref
from graphflow.kernels.table import choose
from graphflow.ops.array import VIEWS
from graphflow.runtime.beside import Group, find_groups, gathered
from graphflow.runtime.bindings import Bindings, Key
from graphflow.runtime.places import Places
from graphflow.runtime.program import ProgramWriter
from graphflow.runtime.scaling import NodeScaling, Rescaled, Scaling, scaling_of
from graphflow.runtime.scan import BodyPlan
from graphflow.runtime.schedule import Schedule
from graphflow.runtime.shapes import Concrete
from graphflow.runtime.storage import Storage, StorageMap
from graphflow.runtime.windows import Window, find_windows, in_windows
from graphflow.spec import Shape, TensorSpec
from graphflow.variable import Variable

Array = np.ndarray[Any, Any]


class PlannedNode:
    """One node of a plan: what computes it, and where its tensors are."""

    __slots__ = (
        *("body", "call", "first_step", "group", "kernel", "layout", "node", "reason", "scaling", "windows", "work"),
    )

    def __init__(self, node: Node, kernel: KernelDef | None, call: Call | None, reason: str) -> None:
        self.node = node
        self.kernel = kernel
        self.call = call
        self.layout: Layout | None = None
        self.reason = reason
        self.windows: dict[Value, Window] = {}
        self.work: list[Storage] = []
        self.first_step = 0
        self.group: Group | None = None
        self.body: Any = None
        self.scaling: NodeScaling | None = None

    def lay(self, call: Call) -> Layout:
        """The kernel's layout of a call, its operands where they lie."""
        assert self.kernel is not None
        return in_windows(self.kernel.lay(call), self.node, self.windows)


class Plan:
    """What a session runs for one set of input shapes.

    Attributes:
        program: the executor's part.
        nodes: what computes each node, in order.
        specs: the concrete spec of every value.
        values, results: what a run returns, then the states' successors, and their specs.
        known: what shapes alone decide, by the keys of bound arrays.
        copies: outputs that are another array under another name: (output, its value).
        bound: keys of the arrays that must be bound; places: which array each key is.
        scaling: how the plan serves smaller batches, if it does.
        pool: contexts that no run uses at the moment; plans that were scaled from this one share it.
    """

    def __init__(self, specs: dict[Value, TensorSpec] | Callable[[], dict[Value, TensorSpec]]) -> None:
        self.program: Any = None
        self.nodes: list[PlannedNode] = []
        self._specs = specs
        self.known: dict[Key, Array] = {}
        self.values: list[Value] = []
        self.results: list[TensorSpec] = []
        self.copies: list[tuple[int, Value]] = []
        self.bound: list[Key] = []
        self.places: dict[Key, int] = {}
        self.states: list[Variable] = []
        self.storage = StorageMap()
        self.python_nodes: dict[int, PlannedNode] = {}
        self.arena_bytes = 0
        self.scaling: Scaling | None = None
        self.pool: list[Any] = []

    @property
    def specs(self) -> dict[Value, TensorSpec]:
        if not isinstance(self._specs, dict):
            self._specs = self._specs()
        return self._specs


@full_collections_put_off()
def make_plan(
    schedule: Schedule,
    input_shapes: Sequence[Shape],
    bindings: Bindings,
    isa: Isa | None,
    threads: int,
    precision: str = "default",
    with_winograd: Collection[Node] | None = None,
) -> Plan:
    """Plan a graph for concrete input shapes.

    Args:
        schedule: of a tuned graph; it is not changed.
        input_shapes: of the graph's inputs, no None.
        bindings: where packed weights will be found.
        isa: whose kernels to use; None: references only.
        threads: how many share the steps.
        precision: "default", "strict" or "bounded".
        with_winograd: the nodes that may use Winograd's method, None: all.

    Raises:
        ShapeError: the shapes do not fit together; the message names the layer.
    """
    planner = _Planner(schedule, bindings, isa, threads, precision, input_shapes, with_winograd)
    planner.choose_kernels()
    planner.give_memory()
    planner.write_program()
    return planner.plan


def scaled_plan(plan: Plan, batch: int) -> Plan | None:
    """A plan for a smaller batch from one for a larger; None where that does not work.

    It takes the memory of the larger one, so contexts of either run both.
    """
    from graphflow.runtime._executor import Program

    scaling, program = plan.scaling, plan.program
    if scaling is None or not 0 < batch < scaling.batch:
        return None
    numbers = Rescaled(scaling, plan.nodes, batch, program)
    if not numbers.fits:
        return None
    made = Plan(lambda: {value: scaling.spec(value, spec, batch) for value, spec in plan.specs.items()})
    made.nodes, made.copies, made.storage = plan.nodes, plan.copies, plan.storage
    made.bound, made.places = plan.bound, plan.places
    made.python_nodes, made.arena_bytes, made.pool = plan.python_nodes, plan.arena_bytes, plan.pool
    made.results = [scaling.spec(value, spec, batch) for value, spec in zip(plan.values, plan.results, strict=True)]
    made.program = Program(
        numbers.rows, numbers.slots, program.fixed, program.moving, program.arena, program.scratch, program.threads
    )
    return made


class _Choice(NamedTuple):
    """The kernel for all nodes of which kernels are asked the same."""

    number: int
    kernel: KernelDef | None
    reason: str


class _Planner:
    def __init__(
        self,
        schedule: Schedule,
        bindings: Bindings,
        isa: Isa | None,
        threads: int,
        precision: str,
        input_shapes: Sequence[Shape],
        with_winograd: Collection[Node] | None,
    ) -> None:
        self.graph = schedule.graph
        self.bindings = bindings
        self.isa = isa
        self.threads = threads
        self.precision = precision
        self._with_winograd = with_winograd
        found = Concrete(self.graph, schedule.order, input_shapes)
        self.order = found.order
        self._chosen: dict[Any, _Choice] = {}
        self._numbers: dict[Node, int] = {}
        self._laid: dict[tuple[Any, ...], PlannedNode] = {}
        self.orders = [found.order, *schedule.others]
        self.plan = Plan(found.specs)
        self.plan.known = {((value,), ""): array for value, array in found.known.items()}
        self.plan.scaling = None if isa is None else scaling_of(schedule, found, input_shapes)

    def _spec(self, value: Value) -> TensorSpec:
        return self.plan.specs.get(value, value.spec)

    # 2

    def _precision(self, node: Node) -> str:
        bounded = self._with_winograd is not None and node not in self._with_winograd
        return "bounded" if bounded and self.precision == "default" else self.precision

    def choose_kernels(self) -> None:
        specs = self.plan.specs
        for node in self.order:
            kernel, call, reason = None, None, "references only"
            if node.op.name in VIEWS:
                reason = "view"
            elif self.isa is not None:
                call = Call(
                    node.attrs,
                    tuple([None if value is None else specs.get(value) or value.spec for value in node.inputs]),
                    tuple([specs[value] for value in node.outputs]),
                    tuple([value is None or value.stage != "run" for value in node.inputs]),
                    self.isa,
                    self.threads,
                    self._precision(node),
                )
                choice = self._choice(node, call)
                kernel, reason = choice.kernel, choice.reason
            planned = PlannedNode(node, kernel, call, reason)
            if "body" in node.attrs and self.isa is not None:
                given = [self._spec(value) for value in node.inputs if value is not None]
                planned.body = BodyPlan(node, given, self.bindings, self.isa, self.threads, self._precision(node))
                self.plan.scaling = None
            self.plan.nodes.append(planned)
        self._windows = windows = find_windows(self.plan.nodes, self.plan.specs, self.graph.results())
        self._groups = find_groups(self.plan.nodes, self.threads)
        for group in self._groups:
            for planned in group:
                assert planned.call is not None
                share = self.threads // len(group)
                planned.group, planned.call = group, planned.call._replace(threads=share, beside=True)
        for planned in self.plan.nodes:
            if planned.kernel is not None and planned.call is not None:
                planned.windows = windows
                self._lay(planned, planned.call)

    def _choice(self, node: Node, call: Call) -> _Choice:
        """The kernel for a call: asked for once where attributes can be compared."""
        attrs = call.attrs
        key = (node.op.name, tuple(attrs.items()), repr(attrs), call.inputs, call.outputs, call.known, call.precision)
        try:
            found = self._chosen.get(key)
        except TypeError:
            return _Choice(-1, *choose(node.op.name, call))
        if found is None:
            found = self._chosen[key] = _Choice(len(self._chosen), *choose(node.op.name, call))
        self._numbers[node] = found.number
        return found

    def _lay(self, planned: PlannedNode, call: Call) -> None:
        """Lay out a node, or take what another one has that is asked the same."""
        node, scaling = planned.node, self.plan.scaling
        values = [value for value in (*node.inputs, *node.outputs) if value is not None]
        number = self._numbers.get(node)
        key: tuple[Any, ...] | None = None if number is None else (number, call.threads, call.beside)
        if self._windows and any(value in self._windows for value in values):
            key = None
        elif key is not None and scaling is not None:
            key += tuple([scaling.dimensions.get(value) for value in values])
        same = None if key is None else self._laid.get(key)
        if same is None:
            planned.layout = planned.lay(call) if scaling is None else scaling.lay(planned, call)
            if key is not None:
                self._laid[key] = planned
            return
        planned.layout = same.layout
        if same.scaling is not None:
            planned.scaling = same.scaling.of(call)

    # 3

    def give_memory(self) -> None:
        """In the order of those to choose from that needs the smallest arena."""
        plan, planned = self.plan, {one.node: one for one in self.plan.nodes}
        found = None
        for order in self.orders:
            nodes = gathered([planned[node] for node in order if node in planned], self._groups)
            places = Places(self.graph, nodes, plan, self.bindings, self._windows)
            if found is None or places.arena_bytes < found.arena_bytes:
                found, plan.nodes = places, nodes
        assert found is not None
        found.adopt(plan)

    # 4

    def write_program(self) -> None:
        plan = self.plan
        writer = ProgramWriter(self.isa, self.threads, len(self.graph.inputs) + len(plan.states))
        for planned in plan.nodes:
            planned.first_step = len(writer.rows)
            if planned.reason == "view":
                continue
            if planned.layout is None:
                plan.python_nodes[writer.python_step()] = planned
                continue
            find = self._storage(planned)
            for index, step in enumerate(planned.layout.steps):
                if step.items:
                    row, slot = writer.leaf_step(step, find)
                    if planned.scaling is not None:
                        planned.scaling.places.append((index, row, slot))
        for group in self._groups:
            writer.beside([one.first_step for one in group])
        needed = [value for planned in plan.python_nodes.values() for value in planned.node.inputs if value is not None]
        for value in (*needed, *(value for _, value in plan.copies)):
            writer.needs(plan.storage.of[value])
        plan.program = writer.program(plan.arena_bytes)
        plan.bound = writer.bound
        plan.places = {key: index for index, key in enumerate(plan.bound)}

    def _storage(self, planned: PlannedNode) -> Callable[[Ref], Storage]:
        """Where the operands of a node's steps are."""
        node, storage, layout = planned.node, self.plan.storage, planned.layout
        assert layout is not None

        def find(ref: Ref) -> Storage:
            if ref.kind == "work":
                return planned.work[ref.position]
            if ref.kind == "packed":
                return Storage("bound", self.bindings.packed(layout.packs[ref.position], node.inputs))
            value = node.inputs[ref.position] if ref.kind == "in" else node.outputs[ref.position]
            assert value is not None
            return storage.of[value]

        return find
