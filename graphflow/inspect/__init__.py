"""Looking at models: what they are made of and what they cost, as data that prints itself."""

from graphflow.inspect.flops import Flops, flops
from graphflow.inspect.graphs import from_networkx, graph_data, to_networkx
from graphflow.inspect.summary import format_summary, print_summary
from graphflow.inspect.text import encodable, escaped

__all__ = [
    "Flops",
    "encodable",
    "escaped",
    "flops",
    "format_summary",
    "from_networkx",
    "graph_data",
    "print_summary",
    "to_networkx",
]
