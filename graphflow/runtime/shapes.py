"""The first step of a plan: every spec for concrete input shapes, and the values that shapes alone decide.

What a node makes of known sizes is computed here, once: it takes no step of the plan, and what only it needed goes too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphflow.errors import GraphflowError, ShapeError, located
from graphflow.ir.graph import Graph, Node, Value
from graphflow.ops.dispatch import infer
from graphflow.ops.shape import RESHAPE_TO, follow
from graphflow.spec import Shape, TensorSpec

Array = np.ndarray[Any, Any]


class Concrete:
    """A graph under concrete input shapes.

    Args:
        order: the nodes that run, in order.
        input_shapes: of the graph's inputs, no None.

    Attributes:
        specs: of the inputs and of everything the nodes make.
        known: the values that are decided already.
        order: the nodes that are left to run.

    Raises:
        ShapeError: the shapes do not fit together, or one depends on data; the message names the layer.
    """

    def __init__(self, graph: Graph, order: Sequence[Node], input_shapes: Sequence[Shape]) -> None:
        self.specs: dict[Value, TensorSpec] = {}
        self.known: dict[Value, Array] = {}
        for value, shape in zip(graph.inputs, input_shapes, strict=True):
            self.specs[value] = value.spec.with_shape(shape)
        for node in order:
            self._infer(node)
        self.order = self._left(graph, order) if self.known else list(order)

    def _infer(self, node: Node) -> None:
        given = [None if value is None else self.specs.get(value, value.spec) for value in node.inputs]
        values = [
            None if value is None else self.known.get(value) if value in self.specs else value.known
            for value in node.inputs
        ]
        try:
            found = infer(node.op, given, node.attrs, values)
            known = follow(node.op, node.attrs, given, found, values)
        except GraphflowError as error:
            raise located(error, f"while planning {node.place}") from None
        for value, spec in zip(node.outputs, found, strict=True):
            if not spec.is_static:
                raise ShapeError(f"The shape of an output of {node.place} is not known before the run: {spec}.")
            self.specs[value] = spec
        for value, array in zip(node.outputs, known, strict=False):
            if array is not None:
                self.known[value] = np.ascontiguousarray(array).reshape(array.shape)

    def _left(self, graph: Graph, order: Sequence[Node]) -> list[Node]:
        wanted = set(graph.results())
        left = []
        for node in reversed(order):
            made = [value for value in node.outputs if value not in self.known]
            if node.op.effect == "pure" and not any(value in wanted for value in made):
                continue
            left.append(node)
            inputs = node.inputs[:1] if node.op is RESHAPE_TO else node.inputs
            wanted.update(value for value in inputs if value is not None)
        return left[::-1]
