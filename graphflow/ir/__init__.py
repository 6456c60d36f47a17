"""The operation graph: values, nodes, and how they are built, checked, rewritten, printed and carried."""

from graphflow.ir.body import Body
from graphflow.ir.build import GraphBuilder, GraphTensor
from graphflow.ir.graph import Graph, Node, Value
from graphflow.ir.printer import format_graph
from graphflow.ir.verify import verify

__all__ = ["Body", "Graph", "GraphBuilder", "GraphTensor", "Node", "Value", "format_graph", "verify"]
