"""The graph of a model's operations, as lowered, or as tuned and planned for concrete shapes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from graphflow.errors import ArgumentError, GraphflowError
from graphflow.inspect.flops import OpCost, flops
from graphflow.inspect.graphs.data import Edge, GraphData, GraphNode, Names, Result, Slot
from graphflow.inspect.subject import Subject, graph_of, name_of
from graphflow.ir.body import Body
from graphflow.ir.graph import Graph, Node, Origin, Value
from graphflow.models.graph_model import GraphModel
from graphflow.spec import TensorSpec
from graphflow.variable import Variable

SpecOf = Callable[[Value], TensorSpec]


def op_graph(model: Any, input_shapes: Any = None) -> GraphData:
    """The operations of a model, before any pass.

    Args:
        model: a model of any kind, a Session, or a Graph.
        input_shapes: what FLOPs are counted for; see `graphflow.inspect.flops`. The specs stay as described.
    """
    graph = _graph(model, input_shapes)
    made = _Walk(GraphData(name_of(model), "op"), graph, graph.ordered(), lambda value: value.spec)
    made.everything()
    costs = op_costs(graph, graph, input_shapes)
    for node in made.data.nodes:
        cost = costs.get(node.source)
        if costs:
            node.flops, node.macs = (0, 0) if cost is None else (cost.flops, cost.macs)
    return made.data


def _graph(model: Any, input_shapes: Any) -> Graph:
    """The portable graph: with open sizes as described where there is one, else for concrete shapes."""
    if not isinstance(model, GraphModel):
        return graph_of(model)
    try:
        return model.graph()
    except GraphflowError:
        return Subject(model, input_shapes).graph


def op_costs(subject: Any, graph: Graph, input_shapes: Any, tuned: bool = False) -> dict[Any, OpCost]:
    """What the nodes of a graph cost that run; nothing where not every size is known.

    Raises:
        ArgumentError, ShapeError: `input_shapes` that do not fit.
    """
    try:
        rows = flops(subject, input_shapes, tuned).ops
    except ArgumentError:
        if input_shapes is not None:
            raise
        return {}
    order = graph.ordered()
    return {order[row.index]: row for row in rows}


def plan_graph(model: Any, input_shapes: Any = None) -> GraphData:
    """The operations of a model as they are run for concrete input shapes, each with its kernel.

    Raises:
        ArgumentError: an axis, other than the batch's, whose size is nowhere said.
    """
    subject = Subject(model, input_shapes)
    session = subject.session
    plan = session.plan(subject.shapes)

    def spec_of(value: Value) -> TensorSpec:
        return plan.specs.get(value, value.spec)

    planned = {one.node: one for one in plan.nodes}
    costs = op_costs(session, session.graph, input_shapes, True)
    made = _Walk(GraphData(name_of(model), "plan"), session.graph, [one.node for one in plan.nodes], spec_of)
    made.everything()
    made.data.details = {"arena_bytes": plan.arena_bytes}
    for node in made.data.nodes:
        one = planned.get(node.source)
        if one is not None:
            cost = costs.get(one.node)
            node.flops, node.macs = (None, None) if cost is None else (cost.flops, cost.macs)
            node.details = {"kernel": one.kernel.name if one.kernel is not None else one.reason}
            storage = plan.storage.of.get(one.node.outputs[0])
            if storage is not None:
                offset = {"offset": int(storage.index)} if storage.kind == "arena" else {}
                node.details |= {"memory": storage.kind, **offset}
    return made.data


class _Walk:
    def __init__(self, data: GraphData, graph: Graph, order: Iterable[Node], spec_of: SpecOf) -> None:
        self.data = data
        self.graph = graph
        self.order = list(order)
        self.members = set(self.order)
        self.spec_of = spec_of
        self.names = Names()
        self.places: dict[Value, tuple[str, int]] = {}
        self.open: list[tuple[Origin, str]] = []

    def everything(self) -> None:
        """All nodes and edges, the inputs first where they are taken."""
        for node in self.order:
            self._node(node)
        for value in self.graph.inputs:
            self._place(value)
        self.data.inputs = [self.places[value][0] for value in self.graph.inputs]
        for value, name in zip(self.graph.outputs, self.graph.output_names, strict=True):
            self.data.results.append(Result(*self._place(value), name))
        for variable, value in self.graph.updates:
            self.data.updates.append((variable, *self._place(value)))
        sources_before_their_use(self.data)
        _name_by_layers(self.data)

    def _place(self, value: Value) -> tuple[str, int]:
        """Where a value comes from; what no node makes gets a node of its own when it is first asked for."""
        if value not in self.places:
            name = value.name or value.kind
            kind = "constant" if value.kind == "node" else value.kind
            node = GraphNode(self.names.new((), name), name, kind, outputs=[self.spec_of(value)])
            node.arguments = value.payload
            self.data.nodes.append(node)
            self.places[value] = node.id, 0
        return self.places[value]

    def _node(self, one: Node) -> None:
        given = [None if self._is_held(value) else self._place(value) for value in one.inputs if value is not None]
        path = self._enter(one.origin)
        node = GraphNode(self.names.new(path, one.op.name), one.op.name, one.op.name, path, one.origin)
        node.inputs = [self.spec_of(value) for value in one.inputs if value is not None and not self._is_held(value)]
        node.outputs = [self.spec_of(value) for value in one.outputs]
        node.config = {key: value for key, value in one.attrs.items() if not isinstance(value, Body)}
        node.source = one
        node.layer = "/".join(one.origin)
        operands: list[Any] = []
        places = iter(given)
        for value in one.inputs:
            place = None if value is None else next(places)
            if value is None:
                operands.append(None)
            elif place is None:
                operands.append(value.payload)
                node.weights += [variable for variable in _variables(value) if variable not in node.weights]
            else:
                slot = sum(isinstance(other, Slot) for other in operands)
                operands.append(Slot(slot))
                self.data.edges.append(Edge(*place, node.id, slot, self.spec_of(value)))
        node.arguments = (tuple(operands), one.attrs)
        self.data.nodes.append(node)
        self.places.update({value: (node.id, index) for index, value in enumerate(one.outputs)})

    def _is_held(self, value: Value | None) -> bool:
        """Whether a node holds a value itself: a constant, a variable, or what a plan computes beforehand."""
        if value is None or value.kind == "input":
            return False
        return value.node is None or value.node not in self.members

    def _enter(self, origin: Origin) -> tuple[str, ...]:
        """The groups of a layer's path; layers that were left are begun anew when they come again."""
        same = 0
        while same < min(len(origin), len(self.open)) and self.open[same][0] == origin[: same + 1]:
            same += 1
        del self.open[same:]
        for depth in range(same, len(origin)):
            group = self.names.new([self.open[-1][1]] if self.open else (), origin[depth])
            self.open.append((origin[: depth + 1], group))
            self.data.groups[group] = origin[depth]
        return tuple(group for _, group in self.open)


def _variables(value: Value) -> list[Variable]:
    """The variables that a value follows from."""
    found: dict[Variable, None] = {}
    waiting, seen = [value], {value}
    while waiting:
        one = waiting.pop()
        if one.kind == "variable":
            found[one.payload] = None
        before = [] if one.node is None else [source for source in one.node.inputs if source is not None]
        waiting += [source for source in before if source not in seen]
        seen.update(before)
    return list(found)


def _name_by_layers(data: GraphData) -> None:
    """Let an op that is all that its layer does have the layer's name."""
    counts = Counter(name for node in data.nodes for name in node.path)
    for node in data.nodes:
        if node.path and counts[node.path[-1]] == 1:
            node.name = node.origin[-1]


def sources_before_their_use(data: GraphData) -> None:
    """Move inputs right before the first that takes them, but in front of the group it is in."""
    sources = {node.id: node for node in data.nodes if not node.path and not node.inputs and node.arguments is None}
    taken: dict[str, list[str]] = {edge.target: [] for edge in data.edges}
    for edge in data.edges:
        if edge.source in sources:
            taken[edge.target].append(edge.source)
    order: list[GraphNode] = []
    starts: dict[str, int] = {}
    before: dict[int, list[GraphNode]] = {}
    for node in data.nodes:
        if node.id in sources:
            continue
        start = starts.setdefault(node.path[0], len(order)) if node.path else len(order)
        for source in taken.get(node.id, ()):
            if source in sources:
                before.setdefault(start, []).append(sources.pop(source))
        order.append(node)
    data.nodes = [one for index, node in enumerate(order) for one in (*before.get(index, ()), node)]
    data.nodes += sources.values()
