"""A model file as plain data: what the reader makes of the protobuf, and what a program holds and pickles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from graphflow.models.graph_model import ValueSpec


@dataclass(slots=True)
class NodeDef:
    """One application of an operator.

    Args:
        op, domain, version: the operator, and the version of its domain's operator set.
        path: the calls of functions it is inside, and its own name.
        inputs, outputs: names of values; "" for one left out.
        attrs: Python numbers, strings, tuples of them, arrays, and `GraphDef`.
    """

    op: str
    domain: str
    version: int
    path: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attrs: dict[str, Any]

    def taken(self) -> set[str]:
        """The names of all values that it takes, also inside its subgraphs."""
        found = set(self.inputs)
        for graph in (one for value in self.attrs.values() if isinstance(value, GraphDef) for one in value.walk()):
            found.update(one.name for one in graph.outputs)
            found.update(name for node in graph.nodes for name in node.inputs)
        return found

    @property
    def place(self) -> str:
        """How a message names it."""
        domain = f"{self.domain}." if self.domain else ""
        return f"node {'/'.join(self.path)!r} ({domain}{self.op}, version {self.version})"


@dataclass(slots=True)
class GraphDef:
    """A graph or the subgraph of a node.

    Args:
        name: of the graph.
        inputs, outputs: what it takes and gives.
        initializers: arrays and variables by name.
        nodes: in an order in which they can be computed.
        done: for each node, the values that nothing takes after it.
    """

    name: str
    inputs: tuple[ValueSpec, ...] = ()
    outputs: tuple[ValueSpec, ...] = ()
    initializers: dict[str, Any] = field(default_factory=dict)
    nodes: list[NodeDef] = field(default_factory=list)
    done: list[tuple[str, ...]] = field(default_factory=list)

    def walk(self) -> Iterator[GraphDef]:
        """This graph and all graphs in it."""
        stack = [self]
        while stack:
            graph = stack.pop()
            yield graph
            stack.extend(one for node in graph.nodes for one in node.attrs.values() if isinstance(one, GraphDef))

    def find_last_uses(self) -> None:
        """Fill `done`: what is not held any longer need not be computed, or frees its memory."""
        held = {one.name for one in self.outputs} | {""}
        self.done = []
        for node in reversed(self.nodes):
            names = (node.taken() | set(node.outputs)) - held
            held |= names
            self.done.append(tuple(names))
        self.done.reverse()
