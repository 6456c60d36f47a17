"""What all plans of a graph share: the order of its nodes, and when each value can be computed."""

from __future__ import annotations

from graphflow.ir.graph import Graph, Value
from graphflow.ir.stage import leaf_stage, stages
from graphflow.runtime.order import orders


class Schedule:
    """A tuned graph in order; it is not changed any more.

    Attributes:
        order: the nodes that run, as they were written.
        others: the same nodes in orders that may need less memory.
        batched: whether the first dimension of every input is a batch: open, and nothing else follows from it.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._stages = stages(graph)
        self.order = [node for node in graph.ordered() if any(self._stages[value] == "run" for value in node.outputs)]
        self.others = orders(self.order, graph.results())[1:]
        shapes = [value.spec.shape for value in graph.inputs]
        self.batched = bool(shapes) and not graph.updates and all(shape and shape[0] is None for shape in shapes)

    def stage(self, value: Value) -> str:
        """One of `STAGES`."""
        return self._stages.get(value) or leaf_stage(value)
