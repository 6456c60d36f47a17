"""Graphs as data: a model's layers, operations or plan for networkx, and back."""

from graphflow.inspect.graphs.data import LEVELS, Edge, GraphData, GraphNode, Result, Slot
from graphflow.inspect.graphs.from_networkx import from_networkx
from graphflow.inspect.graphs.to_networkx import graph_data, to_networkx

__all__ = ["LEVELS", "Edge", "GraphData", "GraphNode", "Result", "Slot", "from_networkx", "graph_data", "to_networkx"]
