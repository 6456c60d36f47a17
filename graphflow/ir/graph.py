"""Values, nodes and graphs of operations.

    value    has a spec; it is an input, a constant, a variable, or one output of a node; it knows its uses, and its
             stage: when it can be computed (`stage`)
    node     applies an op to input values (None where one is left out) under attributes; it knows its origin
    graph    the inputs in order, the outputs in order, the nodes, and the updates of state variables

Edits go through `Graph.add`, `add_output`, `add_update`, `replace_uses`, `set_inputs` and `remove`, which keep the uses
and the stages right, and which values leave the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from graphflow.errors import GraphError
from graphflow.ir.stage import leaf_stage, result_stage
from graphflow.ops.registry import OpDef
from graphflow.ops.shape import SHAPE, follow, known_of
from graphflow.spec import TensorSpec
from graphflow.variable import Variable

Origin = tuple[str, ...]


class Value:
    """An edge of the graph.

    Attributes:
        kind: "input", "constant", "variable" or "node".
        stage: when it can be computed, one of `graphflow.ir.stage.STAGES`.
        uses: the nodes that take it, and how many times each.
    """

    __slots__ = ("index", "kind", "known", "name", "node", "payload", "spec", "stage", "uses")

    def __init__(
        self,
        spec: TensorSpec,
        kind: str,
        payload: Any = None,
        node: Node | None = None,
        index: int = 0,
        stage: str = "",
    ) -> None:
        self.spec = spec
        self.kind = kind
        self.payload = payload
        self.node = node
        self.index = index
        self.stage = stage or leaf_stage(kind, payload)
        self.name = ""
        self.known: Any = known_of(payload) if kind == "constant" else None
        self.uses: dict[Node, int] = {}

    @property
    def use_count(self) -> int:
        """How many times nodes take this value."""
        return sum(self.uses.values())

    def __repr__(self) -> str:
        return f"<value {self.kind} {self.name} {self.spec}>"


class Node:
    """One application of an op."""

    __slots__ = ("attrs", "inputs", "op", "origin", "outputs")

    def __init__(self, op: OpDef, inputs: tuple[Value | None, ...], attrs: dict[str, Any], origin: Origin) -> None:
        self.op = op
        self.inputs = inputs
        self.attrs = attrs
        self.origin = origin
        self.outputs: tuple[Value, ...] = ()

    @property
    def input_specs(self) -> tuple[TensorSpec | None, ...]:
        return tuple(None if value is None else value.spec for value in self.inputs)

    @property
    def stage(self) -> str:
        """When its outputs can be computed."""
        return result_stage(self.op, [value.stage for value in self.inputs if value is not None])

    @property
    def place(self) -> str:
        """Where a message says this node is."""
        return f"node {self.op.name!r} of layer {'/'.join(self.origin)!r}" if self.origin else f"node {self.op.name!r}"

    def __repr__(self) -> str:
        return f"<{self.place}>"


class Graph:
    """A graph of operations.

    Attributes:
        calls: the calls of layers that were lowered into it, in order: each layer's path and the values that it gave.
            It says where values come from and is not kept up to date by rewrites.
        output_names: of the outputs.
    """

    def __init__(self, name: str = "graph") -> None:
        self.name = name
        self.calls: list[tuple[Origin, tuple[Value, ...]]] = []
        self.inputs: list[Value] = []
        self.output_names: list[str] = []
        self._outputs: list[Value] = []
        self._updates: list[tuple[Variable, Value]] = []
        self._leaving: dict[Value, list[int]] = {}
        self._nodes: dict[Node, None] = {}
        self._variables: dict[Variable, Value] = {}
        self._order: tuple[Node, ...] | None = None

    def __len__(self) -> int:
        return len(self._nodes)

    @property
    def nodes(self) -> Iterator[Node]:
        """All nodes, in the order they were added."""
        return iter(self._nodes)

    @property
    def outputs(self) -> Sequence[Value]:
        """The outputs, in order."""
        return self._outputs

    @property
    def updates(self) -> Sequence[tuple[Variable, Value]]:
        """The successors of state variables: what each is once a run has succeeded."""
        return self._updates

    def holds(self, node: Node) -> bool:
        """Whether a node is part of this graph."""
        return node in self._nodes

    def add_input(self, spec: TensorSpec, name: str) -> Value:
        value = Value(spec, "input")
        value.name = name
        self.inputs.append(value)
        return value

    def add_constant(self, array: Any, spec: TensorSpec) -> Value:
        return Value(spec, "constant", array)

    def variable(self, variable: Variable) -> Value:
        """The one value that stands for a variable."""
        value = self._variables.get(variable)
        if value is None:
            value = Value(variable.spec, "variable", variable)
            value.name = variable.path
            self._variables[variable] = value
        return value

    def add(
        self,
        op: OpDef,
        inputs: Sequence[Value | None],
        attrs: dict[str, Any],
        specs: Sequence[TensorSpec],
        origin: Origin = (),
    ) -> Node:
        """A new node with output values of the given specs."""
        node = Node(op, tuple(inputs), attrs, origin)
        stage = node.stage
        node.outputs = tuple([Value(spec, "node", None, node, index, stage) for index, spec in enumerate(specs)])
        values = [None if value is None else value.known for value in inputs]
        if op is SHAPE or any(value is not None for value in values):
            for made, one in zip(node.outputs, follow(op, attrs, node.input_specs, specs, values), strict=False):
                made.known = one
        self._use(node)
        self._nodes[node] = None
        self._order = None
        return node

    @staticmethod
    def _use(node: Node) -> None:
        for value in node.inputs:
            if value is not None:
                value.uses[node] = value.uses.get(node, 0) + 1

    @staticmethod
    def _disuse(node: Node) -> None:
        for value in node.inputs:
            if value is not None:
                value.uses[node] -= 1
                if not value.uses[node]:
                    del value.uses[node]

    def add_output(self, value: Value, name: str) -> None:
        self._leaving.setdefault(value, []).append(len(self._outputs))
        self._outputs.append(value)
        self.output_names.append(name)

    def add_update(self, variable: Variable, value: Value) -> None:
        """Let a state variable become `value` when a run has succeeded."""
        self._leaving.setdefault(value, []).append(~len(self._updates))
        self._updates.append((variable, value))

    def with_outputs(self, values: Sequence[Value], names: Sequence[str]) -> Graph:
        """The same nodes under other outputs, and without successors of states.

        It shares its nodes with this graph: neither may be edited while both are in use.
        """
        other = Graph.__new__(Graph)
        other.__dict__.update(self.__dict__)
        other.output_names, other._outputs, other._updates, other._leaving = [], [], [], {}
        for value, name in zip(values, names, strict=True):
            other.add_output(value, name)
        return other

    def copied(self) -> Graph:
        """The same graph of nodes and values of its own, in order; variables, arrays and attributes are shared.

        What layers gave (`calls`) is left out.

        Raises:
            GraphError: something takes a value of another graph.
        """
        other = Graph(self.name)
        twins = {value: other.add_input(value.spec, value.name) for value in self.inputs}

        def twin(value: Value) -> Value:
            found = twins.get(value)
            if found is None:
                if value.kind == "variable":
                    found = other.variable(value.payload)
                elif value.kind == "constant":
                    found = other.add_constant(value.payload, value.spec)
                else:
                    raise GraphError(f"{value!r} is needed before this graph computes it, or from another graph.")
                twins[value] = found
            return found

        for node in self.ordered():
            inputs = tuple([None if value is None else twin(value) for value in node.inputs])
            made = Node(node.op, inputs, node.attrs, node.origin)
            made.outputs = tuple([Value(one.spec, "node", None, made, one.index, one.stage) for one in node.outputs])
            for one, own in zip(node.outputs, made.outputs, strict=True):
                own.known = one.known
                twins[one] = own
            self._use(made)
            other._nodes[made] = None
        other._order = tuple(other._nodes)
        for value, name in zip(self._outputs, self.output_names, strict=True):
            other.add_output(twin(value), name)
        for variable, value in self._updates:
            other.add_update(variable, twin(value))
        return other

    def set_inputs(self, node: Node, inputs: Sequence[Value | None]) -> None:
        """Give a node other inputs."""
        self._order = None
        self._disuse(node)
        node.inputs = tuple(inputs)
        self._use(node)
        changed = [node]
        while changed:
            one = changed.pop()
            stage = one.stage
            for value in one.outputs:
                if value.stage != stage:
                    value.stage = stage
                    changed.extend(value.uses)

    def replace_uses(self, old: Value, new: Value) -> None:
        """Let everything that takes `old` take `new`: nodes, graph outputs and updates."""
        for node in list(old.uses):
            self.set_inputs(node, [new if value is old else value for value in node.inputs])
        places = self._leaving.pop(old, [])
        for place in places:
            if place >= 0:
                self._outputs[place] = new
            else:
                self._updates[~place] = (self._updates[~place][0], new)
        if places:
            self._leaving.setdefault(new, []).extend(places)

    def is_output(self, value: Value) -> bool:
        """Whether a value leaves the graph, as an output or as the successor of a state."""
        return value in self._leaving

    def remove(self, node: Node) -> None:
        """Take out a node that nothing uses.

        Raises:
            GraphError: an output of the node is still used.
        """
        if any(value.uses or self.is_output(value) for value in node.outputs):
            raise GraphError(f"Can not remove {node.place}: its outputs are used.")
        self._disuse(node)
        node.inputs = ()
        self._order = None
        del self._nodes[node]

    def ordered(self) -> list[Node]:
        """The nodes so that each comes after its inputs, otherwise in the order they were added.

        Raises:
            GraphError: the nodes form a cycle.
        """
        if self._order is None:
            self._order = tuple(self._sorted())
        return list(self._order)

    def _sorted(self) -> list[Node]:
        done: set[Node] = set()
        entered: set[Node] = set()
        order: list[Node] = []
        for root in self._nodes:
            if root in done:
                continue
            stack: list[tuple[Node, Iterator[Value | None]]] = [(root, iter(root.inputs))]
            entered.add(root)
            while stack:
                node, rest = stack[-1]
                for value in rest:
                    before = None if value is None else value.node
                    if before is None or before in done:
                        continue
                    if before in entered:
                        raise GraphError(f"The graph has a cycle through {before.place}.")
                    entered.add(before)
                    stack.append((before, iter(before.inputs)))
                    break
                else:
                    stack.pop()
                    done.add(node)
                    order.append(node)
        return order

    def variables(self) -> list[Variable]:
        """The variables that are used, in the order they were first met."""
        kept = [variable for variable, value in self._variables.items() if value.uses or self.is_output(value)]
        found = set(kept)
        return kept + [variable for variable, _ in self.updates if variable not in found]

    def results(self) -> Iterable[Value]:
        """Everything that must be computed: outputs, then the successors of states."""
        yield from self.outputs
        for _, value in self.updates:
            yield value
