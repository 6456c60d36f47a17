"""What all plans of a graph share: the order of its nodes."""

from __future__ import annotations

from graphflow.ir.graph import Graph
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
        self.order = [node for node in graph.ordered() if node.stage == "run"]
        self.others = orders(self.order, graph.results())[1:]
        shapes = [value.spec.shape for value in graph.inputs]
        self.batched = bool(shapes) and not graph.updates and all(shape and shape[0] is None for shape in shapes)
