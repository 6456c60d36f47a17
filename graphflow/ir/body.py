"""Bodies: the graphs that control operations hold, and how a Python function is traced into one.

A body refers to nothing outside itself: what the function took from around it (variables, tensors of the graph that is
being built) enters through inputs of the body, which the operation feeds. It is never changed once it is traced.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphflow.ir.build import GraphBuilder, GraphTensor
from graphflow.ir.graph import Graph, Node, Value
from graphflow.operand import Operand
from graphflow.ops.dispatch import infer, tracing
from graphflow.ops.scan import Step, Traced, install_tracer
from graphflow.ops.shape import follow
from graphflow.spec import TensorSpec, spec_of
from graphflow.variable import Variable

Array = np.ndarray[Any, Any]


class Body:
    """A graph as an attribute of a node: inputs in, outputs out, no variables and no updates."""

    __slots__ = ("graph", "order")

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.order: list[Node] = graph.ordered()

    def specs(self, given: Sequence[TensorSpec]) -> dict[Value, TensorSpec]:
        """The spec of every value for inputs of the given specs."""
        found: dict[Value, TensorSpec] = dict(zip(self.graph.inputs, given, strict=True))
        known: dict[Value, Any] = {}
        for node in self.order:
            specs = [None if value is None else found.get(value, value.spec) for value in node.inputs]
            values = [
                None if value is None else known.get(value) if value in found else value.known for value in node.inputs
            ]
            made = infer(node.op, specs, node.attrs, values)
            found.update(zip(node.outputs, made, strict=True))
            known.update(zip(node.outputs, follow(node.op, node.attrs, specs, made, values), strict=False))
        return found

    def infer(self, specs: Sequence[TensorSpec]) -> tuple[TensorSpec, ...]:
        """The specs of the outputs for inputs of the given specs."""
        found = self.specs(specs)
        return tuple(found.get(value, value.spec) for value in self.graph.outputs)

    def run(self, arrays: Sequence[Array]) -> tuple[Array, ...]:
        """The outputs, computed by the references."""
        known: dict[Value, Array] = dict(zip(self.graph.inputs, arrays, strict=True))

        def array(value: Value) -> Array:
            return value.payload if value.kind == "constant" else known[value]

        for node in self.order:
            made = node.op.run_reference(node.attrs, [None if value is None else array(value) for value in node.inputs])
            known.update(zip(node.outputs, made, strict=True))
        return tuple(array(value) for value in self.graph.outputs)

    def __reduce__(self) -> tuple[Any, ...]:
        from graphflow.ir.data import from_data, to_data

        return _restore, (from_data, to_data(self.graph))

    def __repr__(self) -> str:
        return f"<body of {len(self.order)} nodes>"


def _restore(read: Callable[[dict[str, Any]], Graph], data: dict[str, Any]) -> Body:
    return Body(read(data))


class BodyBuilder(GraphBuilder):
    """A builder that takes in what is not its own through further inputs."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.captured: dict[int, tuple[Any, Value]] = {}
        self.updates: dict[Variable, Value] = {}

    def as_value(self, arg: Any) -> Value:
        """The value of one of the body's tensors, of a capture, or of an array."""
        if isinstance(arg, GraphTensor) and arg.builder is self:
            return arg.value
        if not isinstance(arg, Operand):
            return super().as_value(arg)
        key = id(arg.value) if isinstance(arg, GraphTensor) else id(arg)
        if key not in self.captured:
            name = arg.path if isinstance(arg, Variable) else f"captured_{len(self.captured)}"
            self.captured[key] = (arg, self.graph.add_input(spec_of(arg), name))
        return self.captured[key][1]

    def update(self, variable: Variable, tensor: Any) -> None:
        """The value that a state variable takes when the step is done: the next step starts from it."""
        self.as_value(variable)
        self.updates[variable] = self.as_value(tensor)


def trace_step(step: Step, specs: Sequence[TensorSpec], counts: Sequence[int], operands: Sequence[Any]) -> Traced:
    """Trace the step of a scan; see `graphflow.ops.scan`."""
    outer = next((one.builder for one in operands if isinstance(one, GraphTensor)), None)
    builder = BodyBuilder("body")
    names = [f"slice_{i}" for i in range(counts[0])] + [f"state_{i}" for i in range(counts[1])]
    names += [f"constant_{i}" for i in range(len(specs) - len(names))]
    parts = [builder.input(spec, name) for spec, name in zip(specs, names, strict=True)]
    with builder.within(() if outer is None else outer.origin), tracing(builder.apply, body=True):
        outputs, states = step(*parts)
        for index, tensor in enumerate([*outputs, *states]):
            builder.output(tensor, f"out_{index}")
    graph, first = builder.graph, counts[0] + counts[1]
    for variable, value in builder.updates.items():
        graph.add_output(value, variable.path)
    carried = [builder.captured[id(variable)] for variable in builder.updates]
    entering = {id(value) for _, value in carried}
    others = [(arg, value) for arg, value in builder.captured.values() if id(value) not in entering]
    own = graph.inputs[: len(specs)]
    graph.inputs = [*own[:first], *(value for _, value in carried), *own[first:], *(value for _, value in others)]
    return Traced(Body(graph), list(builder.updates), [arg for arg, _ in others])


install_tracer(trace_step)
