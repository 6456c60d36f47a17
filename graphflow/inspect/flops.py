"""`flops`: what a model costs, op by op and layer by layer, each with its formula."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from graphflow.inspect.counting import count
from graphflow.inspect.data import Report
from graphflow.inspect.subject import Subject, layer_name, running
from graphflow.inspect.table import sized, table
from graphflow.ir.graph import Graph, Node
from graphflow.variable import Variable


@dataclass(frozen=True, slots=True)
class OpCost:
    """What one op costs.

    Attributes:
        index: its place in the graph's order.
        op, layer: its name, and the path of the layer it came from.
        macs, flops: multiply-adds and floating-point operations; None where they are not known.
        formula, values: how they were counted, or why they are not known.
        bytes_read, weight_bytes, bytes_written: of its operands, of its weights, of its outputs.
        shapes: of its outputs.
    """

    index: int
    op: str
    layer: str
    macs: int | None
    flops: int | None
    formula: str
    values: dict[str, int]
    bytes_read: int
    weight_bytes: int
    bytes_written: int
    shapes: tuple[tuple[int | None, ...], ...]


@dataclass(frozen=True, slots=True)
class LayerCost:
    """What the ops of one layer cost together.

    Attributes:
        layer: its path, through nested models: `outer/inner/dense`.
        ops: how many ops it takes; a layer that is called twice takes twice as many.
        params: numbers in the variables it uses.
        macs, flops: of the ops whose cost is known.
        unknown: the ops whose cost is not known, so that the layer takes more than `flops`.
    """

    layer: str
    ops: int
    params: int
    macs: int
    flops: int
    bytes_read: int
    weight_bytes: int
    bytes_written: int
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flops(Report):
    """The cost of a model for certain shapes.

    Attributes:
        model: its name.
        input_shapes: by input name.
        tuned: whether the graph was counted after the passes, else as it was described.
        ops, layers: the rows, in the order of the graph; no op is in two layers.
        params: numbers in all variables.
    """

    model: str
    input_shapes: dict[str, tuple[int, ...]]
    tuned: bool
    params: int
    ops: tuple[OpCost, ...]
    layers: tuple[LayerCost, ...]

    ROWS: ClassVar[str] = "layers"
    COMPUTED: ClassVar[tuple[str, ...]] = ("macs", "flops", "bytes_read", "weight_bytes", "bytes_written", "unknown")

    @property
    def macs(self) -> int:
        """Multiply-adds of all ops whose cost is known."""
        return sum(one.macs or 0 for one in self.ops)

    @property
    def flops(self) -> int:
        """Floating-point operations of all ops whose cost is known."""
        return sum(one.flops or 0 for one in self.ops)

    @property
    def bytes_read(self) -> int:
        return sum(one.bytes_read for one in self.ops)

    @property
    def weight_bytes(self) -> int:
        return sum(one.weight_bytes for one in self.ops)

    @property
    def bytes_written(self) -> int:
        return sum(one.bytes_written for one in self.ops)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The ops whose cost is not known, as `layer: op`."""
        return tuple(f"{one.layer}: {one.op}" for one in self.ops if one.flops is None)

    def layer(self, path: str) -> LayerCost:
        """Everything under a path: a layer, or a nested model with all its layers."""
        rows = [one for one in self.layers if one.layer == path or one.layer.startswith(f"{path}/")]
        return _joined(path, rows)

    def by_path(self) -> dict[str, LayerCost]:
        """`layer` of every path: of each layer, and of each nested model."""
        under: dict[str, list[LayerCost]] = {}
        for one in self.layers:
            parts = one.layer.split("/")
            for depth in range(1, len(parts) + 1):
                under.setdefault("/".join(parts[:depth]), []).append(one)
        return {path: _joined(path, rows) for path, rows in under.items()}

    def __str__(self) -> str:
        shown = ", ".join(f"{name} {shape}" for name, shape in self.input_shapes.items())
        rows = [_cells(one) for one in self.layers]
        titles = ("layer", "params", "multiply-adds", "FLOPs", "bytes read", "weights", "written")
        total = _cells(_joined("total", self.layers))
        lines = [f"{self.model}: {shown}", table(titles, rows, "<>>>>>>", (total[0], f"{self.params:,}", *total[2:]))]
        if self.unknown:
            lines.append(f"Not counted, their cost is not known: {', '.join(self.unknown)}")
        return "\n".join(lines)


def _cells(one: LayerCost) -> tuple[str, ...]:
    more = "+?" if one.unknown else ""
    return (
        one.layer,
        f"{one.params:,}",
        f"{one.macs:,}{more}",
        f"{one.flops:,}{more}",
        sized(one.bytes_read),
        sized(one.weight_bytes),
        sized(one.bytes_written),
    )


def _joined(path: str, rows: Sequence[LayerCost]) -> LayerCost:
    return LayerCost(
        path,
        sum(one.ops for one in rows),
        sum(one.params for one in rows),
        sum(one.macs for one in rows),
        sum(one.flops for one in rows),
        sum(one.bytes_read for one in rows),
        sum(one.weight_bytes for one in rows),
        sum(one.bytes_written for one in rows),
        tuple(name for one in rows for name in one.unknown),
    )


def flops(model: Any, input_shapes: Any = None, tuned: bool = False) -> Flops:
    """What a model costs: multiply-adds, floating-point operations and bytes of every op and layer.

    Args:
        model: a model, Session or Graph.
        input_shapes: a shape, shapes in the order of the inputs, or by name, batch included; by default as described,
            with a batch of 1.
        tuned: count the graph as the passes leave it, else as it was described.

    Returns:
        The rows; `str()` of it is a table.

    Raises:
        ArgumentError: an axis other than the batch whose size is not said.
        ShapeError: shapes that do not fit.

    Example:
        >>> from graphflow import Input, Model
        >>> from graphflow.inspect import flops
        >>> from graphflow.layers import Conv2D
        >>> x = Input((32, 32, 3))
        >>> cost = flops(Model(x, Conv2D(8, 3, name="conv")(x)))
        >>> cost.macs, cost.ops[0].formula
        (194400, '2 * (y * taps) + y * (bias + residual + activation)')
    """
    subject = Subject(model, input_shapes)
    graph = subject.session.graph if tuned else subject.graph
    found = running(graph, subject.shapes)
    places = {node: index for index, node in enumerate(graph.ordered())}
    rows = []
    for node in found.nodes:
        cost = count(node, found.specs)
        made = tuple(found.specs[value].shape for value in node.outputs)
        rows.append(OpCost(places[node], node.op.name, layer_name(node), *cost, made))
    params = parameters(model, graph)
    return Flops(subject.name, subject.named_shapes, tuned, params, tuple(rows), _layers(graph, rows))


def _layers(graph: Graph, rows: Sequence[OpCost]) -> tuple[LayerCost, ...]:
    params = _params(graph.nodes)
    grouped: dict[str, list[OpCost]] = {}
    for row in rows:
        grouped.setdefault(row.layer, []).append(row)
    return tuple(
        LayerCost(
            name,
            len(ops),
            params.get(name, 0),
            sum(one.macs or 0 for one in ops),
            sum(one.flops or 0 for one in ops),
            sum(one.bytes_read for one in ops),
            sum(one.weight_bytes for one in ops),
            sum(one.bytes_written for one in ops),
            tuple(one.op for one in ops if one.flops is None),
        )
        for name, ops in grouped.items()
    )


def _params(nodes: Iterable[Node]) -> dict[str, int]:
    """How many numbers the variables hold that the ops of each layer take."""
    used: dict[str, dict[Variable, None]] = {}
    for node in nodes:
        found = used.setdefault(layer_name(node), {})
        found.update((value.payload, None) for value in node.inputs if value is not None and value.kind == "variable")
    return {name: sum(variable.value.size for variable in found) for name, found in used.items()}


def parameters(model: Any, graph: Graph) -> int:
    """How many numbers the weights of a model hold, as Keras counts them; of a graph, all its variables."""
    if hasattr(model, "count_params"):
        return int(model.count_params())
    return sum(variable.value.size for variable in graph.variables())
