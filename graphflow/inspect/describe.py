"""What a summary says of a model, as data: a row for each layer, or for each node of a model without layers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from graphflow.errors import ArgumentError, ArgumentTypeError, GraphflowError
from graphflow.inspect.cells import TRAINABLE, Row, cost_columns, count, counted, size, table_columns
from graphflow.inspect.data import Report
from graphflow.inspect.flops import Flops, flops
from graphflow.inspect.subject import Subject, layer_name
from graphflow.inspect.text import escaped
from graphflow.ir.graph import Node as OpNode
from graphflow.ir.graph import Value
from graphflow.layers.layer import Layer
from graphflow.layers.node import Node
from graphflow.models import Model, Sequential
from graphflow.models.graph_model import GraphModel
from graphflow.spec import format_shape
from graphflow.variable import Variable

RIGHT = frozenset(("Param #", "Output bytes", "MACs", "FLOPs"))
"""Columns of numbers."""


@dataclass(frozen=True, slots=True)
class Summary(Report):
    """The table of a model.

    Attributes:
        model: its name.
        columns, aligns: the titles, and "<", ">" or "^" for each.
        rows: the cells, control characters in names escaped. levels: how deep each row is nested.
        total_params, trainable_params, non_trainable_params: numbers in the weights.
        opaque: the layers whose functions are called at run time.
        notes: the lines under the table.
    """

    model: str
    columns: tuple[str, ...]
    aligns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    levels: tuple[int, ...]
    total_params: int
    trainable_params: int
    non_trainable_params: int
    opaque: tuple[str, ...]
    notes: list[str]

    def to_dict(self) -> dict[str, Any]:
        """The data; each row by the titles of its columns."""
        rows = [
            {**dict(zip(self.columns, row, strict=True)), "level": level}
            for row, level in zip(self.rows, self.levels, strict=True)
        ]
        names = ("model", "total_params", "trainable_params", "non_trainable_params")
        return {**{name: getattr(self, name) for name in names}, "opaque": list(self.opaque), "layers": rows}


def describe(
    model: Any,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
    costs: bool = False,
    input_shapes: Any = None,
) -> Summary:
    """The table of a model as data; the arguments are those of `print_summary`."""
    if isinstance(model, GraphModel):
        return _of_program(model, flops(model, input_shapes) if costs else None, layer_range, input_shapes)
    if not isinstance(model, Model):
        raise ArgumentTypeError(f"summary takes a Model or Sequential, received {type(model).__name__}.")
    nodes = model._network.nodes
    columns = table_columns(set(nodes), isinstance(model, Sequential) or _is_chain(model, nodes))
    if show_trainable:
        columns.append(TRAINABLE)
    if costs:
        columns += cost_columns(_every_node(model), flops(model, input_shapes))
    rows = list(_rows(ranged(model.operations, layer_range), expand_nested))
    trained, rest = model.trainable_weights, model.non_trainable_weights
    opaque = _opaque(model)
    return Summary(
        model.name,
        tuple(column.title for column in columns),
        tuple(column.align for column in columns),
        tuple(tuple(column.cell(row) for column in columns) for row in rows),
        tuple(row.level for row in rows),
        count([*trained, *rest]),
        count(trained),
        count(rest),
        opaque,
        _totals(trained, rest) + _opaque_note(opaque),
    )


def _is_chain(model: Model, nodes: Sequence[Node]) -> bool:
    """Whether every call takes one tensor, of the call before it, and every layer is called once."""
    parents = [parent for node in nodes for parent in node.parent_nodes]
    return (
        len(model.inputs) == 1
        and all(len(node.input_tensors) == 1 for node in nodes)
        and len(set(parents)) == len(parents)
        and len({node.operation for node in nodes}) == len(nodes)
    )


def ranged(operations: Sequence[Layer], layer_range: Sequence[str] | None) -> Sequence[Layer]:
    """The operations from the first name of a range to the last.

    Raises:
        ArgumentError: not two names, or one that no layer's name matches.
    """
    if layer_range is None:
        return operations
    if isinstance(layer_range, str) or len(layer_range) != 2 or not all(isinstance(one, str) for one in layer_range):
        raise ArgumentError(f"layer_range must be two names or regular expressions, received {layer_range!r}.")
    matches = [[i for i, one in enumerate(operations) if re.match(name, one.name)] for name in layer_range]
    for name, found in zip(layer_range, matches, strict=True):
        if not found:
            raise ArgumentError(f"layer_range: no layer has a name that matches {name!r}.")
    first, last = matches
    if min(first) > max(last):
        first, last = last, first
    return operations[min(first) : max(last) + 1]


def _rows(layers: Iterable[Layer], expand_nested: bool, level: int = 0, prefix: str = "") -> Iterator[Row]:
    for one in layers:
        yield Row(one, f"{prefix}{one.name}", level)
        if expand_nested and isinstance(one, Model):
            yield from _rows(one.layers, True, level + 1, f"{prefix}{one.name}/")


def _every_node(model: Model) -> set[Node]:
    """The calls in a model and in the models inside it."""
    found = set(model._network.nodes)
    for one in model.operations:
        if isinstance(one, Model):
            found |= _every_node(one)
    return found


def _of_program(
    model: GraphModel, costs: Flops | None, layer_range: Sequence[str] | None, input_shapes: Any
) -> Summary:
    """A row for each node of the file that a model without layers came from."""
    if layer_range is not None:
        raise ArgumentError(f"layer_range names layers, of which the model {model.name!r} has none.")
    graph = model.graph() if costs is None and input_shapes is None else Subject(model, input_shapes).graph
    grouped: dict[str, list[OpNode]] = {}
    for node in graph.ordered():
        grouped.setdefault(layer_name(node), []).append(node)
    columns = ["Node (ops)", "Output Shape", "Param #", "Connected to"]
    by_path = {} if costs is None else costs.by_path()
    rows = [[escaped(value.name) + " (input)", format_shape(value.spec.shape), "0", "-"] for value in graph.inputs]
    extra = [[""] * 3 for _ in rows]
    for name, group in grouped.items():
        made = group[-1].outputs
        used = dict.fromkeys(value for node in group for value in node.inputs if value is not None)
        own = [value.payload for value in used if value.kind == "variable"]
        before = [
            value.name if value.node is None else layer_name(value.node) for value in used if _enters(value, group)
        ]
        shapes = ", ".join(format_shape(value.spec.shape) for value in made)
        ops = ", ".join(dict.fromkeys(node.op.name for node in group))
        shown = ", ".join(map(escaped, dict.fromkeys(before))) or "-"
        rows.append([f"{escaped(name)} ({ops})", shapes, f"{count(own):,}", shown])
        cost = by_path.get(name)
        written = "0" if cost is None else f"{cost.bytes_written:,}"
        extra.append([written, *("0" if cost is None else counted(cost, what) for what in ("macs", "flops"))])
    if costs is not None:
        columns += ["Output bytes", "MACs", "FLOPs"]
        rows = [[*row, *more] for row, more in zip(rows, extra, strict=True)]
    weights: list[Variable] = model.weights
    aligns = tuple(">" if title in RIGHT else "<" for title in columns)
    opaque = tuple(dict.fromkeys(layer_name(node) for node in graph.nodes if node.op.effect == "opaque"))
    notes = _totals(weights, [])[:1] + _opaque_note(opaque)
    numbers = count(weights), count(weights), 0
    return Summary(
        model.name, tuple(columns), aligns, tuple(map(tuple, rows)), (0,) * len(rows), *numbers, opaque, notes
    )


def _enters(value: Value, group: Sequence[OpNode]) -> bool:
    return value.kind == "input" or (value.node is not None and value.node not in group)


def _totals(trained: Sequence[Variable], rest: Sequence[Variable]) -> list[str]:
    rows = (("Total", [*trained, *rest]), ("Trainable", trained), ("Non-trainable", rest))
    return [f" {what} params: {count(weights):,} ({size(weights)})" for what, weights in rows]


def _opaque(model: Model) -> tuple[str, ...]:
    """The layers whose functions could not be traced, so that running them calls Python."""
    try:
        nodes = model.graph().nodes
    except GraphflowError:
        return ()
    return tuple(dict.fromkeys("/".join(node.origin) for node in nodes if node.op.effect == "opaque"))


def _opaque_note(opaque: Sequence[str]) -> list[str]:
    return [f" Python functions, called at run time: {', '.join(map(escaped, opaque))}"] if opaque else []
