"""Looking at models: what they are made of and what they cost, as data that prints itself."""

from graphflow.inspect.compare import Comparison, compare
from graphflow.inspect.diff import Diff, diff
from graphflow.inspect.dot import to_dot
from graphflow.inspect.explain import Explanation, explain
from graphflow.inspect.flops import Flops, flops
from graphflow.inspect.graph_json import graph_json, graph_schema
from graphflow.inspect.graphs import from_networkx, graph_data, to_networkx
from graphflow.inspect.html import to_html
from graphflow.inspect.memory import Memory, memory
from graphflow.inspect.plot import plot_model
from graphflow.inspect.profile import Profile, profile
from graphflow.inspect.roofline import Roofline, roofline
from graphflow.inspect.summary import format_summary, print_summary
from graphflow.inspect.svg import to_svg
from graphflow.inspect.text import encodable, escaped
from graphflow.inspect.trace import Trace, trace

__all__ = [
    "Comparison",
    "Diff",
    "Explanation",
    "Flops",
    "Memory",
    "Profile",
    "Roofline",
    "Trace",
    "compare",
    "diff",
    "encodable",
    "escaped",
    "explain",
    "flops",
    "format_summary",
    "from_networkx",
    "graph_data",
    "graph_json",
    "graph_schema",
    "memory",
    "plot_model",
    "print_summary",
    "profile",
    "roofline",
    "to_dot",
    "to_html",
    "to_networkx",
    "to_svg",
    "trace",
]
