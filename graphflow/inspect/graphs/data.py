"""A model's graph as plain data: what networkx graphs, JSON, DOT, SVG and HTML pages are all made from.

    node    a call of a layer (level "layer"), an op ("op"), or an op as it is planned ("plan"); inputs are nodes, too
    edge    output `output` of node `source` is what node `target` takes at position `input`

Nodes stand in an order in which each comes after those it depends on, and the nodes of one nested model, or of one
layer, stand together: their `path` names what they are in, outermost first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from graphflow.spec import TensorSpec
from graphflow.variable import Variable

LEVELS = ("layer", "op", "plan")


@dataclass(frozen=True, slots=True)
class Slot:
    """Stands in a call's arguments for the tensor that an edge brings to this position."""

    position: int


@dataclass(frozen=True, slots=True)
class Place:
    """An output of a node."""

    node: str
    output: int


class Edge(NamedTuple):
    """A tensor's way from the node that makes it to one that takes it."""

    source: str
    output: int
    target: str
    input: int
    spec: TensorSpec


class Result(NamedTuple):
    """An output of the graph: which output of which node, and its name."""

    node: str
    output: int
    name: str


@dataclass(slots=True)
class GraphNode:
    """One node of a graph.

    Attributes:
        id: unique in the graph: the path of layers with "/" between, and "#1" for a second call.
        name: of the layer, op or input; of an op that is all that its layer does, the layer's.
        kind: the layer's class, or the op; "InputLayer" or "input" for inputs.
        path: what it is in, outermost first, as ids.
        origin: the path of layers it comes from, itself included.
        inputs, outputs: the specs of its tensors.
        weights: its variables; the parameters of the node.
        flops, macs: floating-point operations and multiply-adds of one run; None where they are not known.
        seconds: measured time of one run, where a profile was given.
        config: what makes an equal layer; an op's attributes.
        details: what the level has to say besides: {"kernel": ...}.
        arguments: a call's arguments with `Slot`s for its tensors; an op's operands.
        layer: which layer is called: the same for all calls of a shared one.
        source: the layer or the operation graph's node itself.
    """

    id: str
    name: str
    kind: str
    path: tuple[str, ...] = ()
    origin: tuple[str, ...] = ()
    inputs: list[TensorSpec] = field(default_factory=list)
    outputs: list[TensorSpec] = field(default_factory=list)
    weights: list[Variable] = field(default_factory=list)
    flops: int | None = None
    macs: int | None = None
    seconds: float | None = None
    config: dict[str, Any] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    arguments: Any = None
    layer: str = ""
    source: Any = None

    @property
    def is_input(self) -> bool:
        return self.kind in ("InputLayer", "input")

    @property
    def parameters(self) -> int:
        return sum(variable.value.size for variable in self.weights)

    @property
    def weight_bytes(self) -> int:
        return sum(variable.value.nbytes for variable in self.weights)

    @property
    def output_bytes(self) -> int:
        """The bytes of its outputs, where sizes that are not known count as one."""
        return sum(_bytes(spec) for spec in self.outputs)


def _bytes(spec: TensorSpec) -> int:
    return int(np.prod([size or 1 for size in spec.shape], dtype=np.int64)) * np.dtype(spec.dtype).itemsize


@dataclass(slots=True)
class GraphData:
    """A graph: its nodes in order, its edges, and what goes in and comes out.

    Attributes:
        results: the outputs, in order.
        inputs: the ids of the input nodes, in the model's order.
        groups: the title of what nodes are in, by id: {"encoder": "Functional"}.
        nested: the model's inputs and outputs, nested as the model has them, with a `Place` for each tensor.
        updates: states of an operation graph and what they become: (variable, id, output).
        details: of the whole: {"arena_bytes": ...}.
    """

    name: str
    level: str
    nodes: list[GraphNode] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)
    nested: tuple[Any, Any] = (None, None)
    updates: list[tuple[Variable, str, int]] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    def by_id(self) -> dict[str, GraphNode]:
        """The nodes by their ids."""
        return {node.id: node for node in self.nodes}


class Names:
    """Hands out ids, each once."""

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}

    def new(self, path: Sequence[str], name: str) -> str:
        """An id for a node or group of this name inside the last of `path`."""
        wanted = f"{path[-1]}/{name}" if path else name
        found = wanted
        while found in self._taken:
            self._taken[wanted] += 1
            found = f"{wanted}#{self._taken[wanted]}"
        self._taken[found] = 0
        return found
