"""`GraphBuilder`: ops applied to graph values become nodes, with the same inference as everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphflow.errors import ArgumentTypeError
from graphflow.ir.graph import Graph, Origin, Value
from graphflow.operand import Operand
from graphflow.ops.dispatch import infer, tracing
from graphflow.ops.registry import OpDef
from graphflow.spec import Shape, TensorSpec, dtype_name, format_shape
from graphflow.variable import Variable


class GraphTensor(Operand):
    """A graph value with operators: what a layer's `call` sees while its model is lowered."""

    __slots__ = ("_builder", "_keras_mask", "value")

    def __init__(self, builder: GraphBuilder, value: Value) -> None:
        self._builder = builder
        self._keras_mask: Any = None
        self.value = value

    @property
    def builder(self) -> GraphBuilder:
        """The builder of the graph that this tensor belongs to."""
        return self._builder

    @property
    def spec(self) -> TensorSpec:
        return self.value.spec

    @property
    def shape(self) -> Shape:
        return self.value.spec.shape

    @property
    def dtype(self) -> str:
        return self.value.spec.dtype

    @property
    def ndim(self) -> int:
        return len(self.value.spec.shape)

    @property
    def known(self) -> Any:
        """What is known of its elements before a run; see `graphflow.ops.shape`."""
        return self.value.known

    def __gf_apply__(self, op: OpDef, args: Sequence[Any], attrs: dict[str, Any]) -> Any:
        return self._builder.apply(op, args, attrs)

    def __iter__(self) -> Iterator[Any]:
        if not self.shape or self.shape[0] is None:
            raise ArgumentTypeError(f"A tensor of shape {format_shape(self.shape)} can not be iterated over.")
        return (self[index] for index in range(self.shape[0]))

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise ArgumentTypeError("A tensor of a graph has no numbers until the model runs; use graphflow.ops functions.")

    def __bool__(self) -> bool:
        raise ArgumentTypeError("The truth of a tensor of a graph is not known until the model runs.")

    def __repr__(self) -> str:
        return f"<GraphTensor {self.value.spec}>"


class GraphBuilder:
    """Builds a graph by applying ops.

    Example:
        >>> from graphflow import ops
        >>> from graphflow.ir import GraphBuilder
        >>> from graphflow.spec import TensorSpec
        >>> builder = GraphBuilder()
        >>> x = builder.input(TensorSpec((None, 3)), "x")
        >>> builder.output(ops.relu(x), "y")
        >>> len(builder.graph)
        1
    """

    def __init__(self, name: str = "graph") -> None:
        self.graph = Graph(name)
        self._origin: Origin = ()

    def input(self, spec: TensorSpec, name: str) -> GraphTensor:
        return GraphTensor(self, self.graph.add_input(spec, name))

    def output(self, tensor: Any, name: str) -> None:
        self.graph.add_output(self.as_value(tensor), name)

    def update(self, variable: Variable, tensor: Any) -> None:
        """The value that a state variable takes when a run has succeeded."""
        self.graph.add_update(variable, self.as_value(tensor))

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Nodes added inside come from the layer `name`, within the scopes around it."""
        before = self._origin
        self._origin = (*before, name)
        try:
            yield
        finally:
            self._origin = before

    def record_call(self, outputs: Iterable[Any]) -> None:
        """Remember what the layer whose scope this is has given."""
        made = [one.value for one in outputs if isinstance(one, GraphTensor) and one._builder is self]
        self.graph.calls.append((self._origin, tuple(made)))

    @property
    def origin(self) -> Origin:
        """Where nodes that are added now come from."""
        return self._origin

    @contextmanager
    def within(self, origin: Origin) -> Iterator[None]:
        """Nodes added inside come from `origin`."""
        before = self._origin
        self._origin = origin
        try:
            yield
        finally:
            self._origin = before

    @contextmanager
    def tracing(self) -> Iterator[None]:
        """Ops on variables alone become nodes, too."""
        with tracing(self.apply):
            yield

    def as_value(self, arg: Any) -> Value:
        """The graph value of a tensor, variable or array."""
        if isinstance(arg, GraphTensor):
            if arg._builder is not self:
                raise ArgumentTypeError("A tensor of one graph was used in another.")
            return arg.value
        if isinstance(arg, Variable):
            return self.graph.variable(arg)
        if isinstance(arg, Operand):
            raise ArgumentTypeError(
                f"A symbolic tensor, {arg!r}, was used where the model's own values are: pass it as an input."
            )
        array = np.ascontiguousarray(arg).reshape(np.shape(arg))
        return self.graph.add_constant(array, TensorSpec(array.shape, dtype_name(array.dtype)))

    def apply(self, op: OpDef, args: Sequence[Any], attrs: dict[str, Any]) -> Any:
        """Add a node; returns its outputs as tensors."""
        values = [None if arg is None else self.as_value(arg) for arg in args]
        known = [small_integers(value) for value in values]
        specs = infer(op, [None if value is None else value.spec for value in values], attrs, known)
        node = self.graph.add(op, values, attrs, specs, self._origin)
        outputs = tuple(GraphTensor(self, value) for value in node.outputs)
        return outputs[0] if op.single else outputs


def small_integers(value: Value | None) -> Any:
    """What is known of a small integer value before a run, for inference; else None."""
    return None if value is None else value.known
