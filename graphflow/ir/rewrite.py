"""What passes edit graphs with: ops applied in the place of an existing node."""

from __future__ import annotations

from typing import Any

from graphflow.ir.build import GraphBuilder, GraphTensor
from graphflow.ir.graph import Graph, Node, Value


class Rewriter(GraphBuilder):
    """A builder that adds to an existing graph, under the origin of the node being rewritten."""

    def __init__(self, graph: Graph, node: Node) -> None:
        super().__init__(graph.name)
        self.graph = graph
        self._origin = node.origin

    def tensor(self, value: Value | None) -> Any:
        """A value as something ops can be applied to; None stays None."""
        return None if value is None else GraphTensor(self, value)

    def replace(self, old: Value, new: Any) -> None:
        """Let all uses of `old` take the tensor `new`."""
        self.graph.replace_uses(old, self.as_value(new))


def drop_unused(graph: Graph, node: Node) -> None:
    """Remove a pure node that nothing uses any more, then those that only it used."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if one.op.effect != "pure" or any(value.uses or graph.is_output(value) for value in one.outputs):
            continue
        sources = [value.node for value in one.inputs if value is not None and value.node is not None]
        if graph.holds(one):
            graph.remove(one)
            waiting.extend(sources)


def only_user(graph: Graph, value: Value) -> Node | None:
    """The node that uses a value, if it is the only use and the value does not leave the graph."""
    if len(value.uses) != 1 or value.use_count != 1 or graph.is_output(value):
        return None
    return next(iter(value.uses))
