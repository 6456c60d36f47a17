"""Layered drawings of graphs, with groups inside groups, in plain Python: no Graphviz."""

from graphflow.inspect.layout.place import Box, Drawing, draw
from graphflow.inspect.layout.repeats import find_repeats
from graphflow.inspect.layout.sizes import Layout, lay_out
from graphflow.inspect.layout.tree import Group, group_tree
from graphflow.inspect.layout.wires import Link, Wire

__all__ = ["Box", "Drawing", "Group", "Layout", "Link", "Wire", "draw", "find_repeats", "group_tree", "lay_out"]
