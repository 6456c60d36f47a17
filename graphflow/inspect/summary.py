"""`summary`: the table of a model's layers that Keras prints, as plain text that also goes through pipes."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from graphflow.errors import ArgumentError, ArgumentTypeError, GraphflowError
from graphflow.inspect.cells import TRAINABLE, count, size, table_columns
from graphflow.inspect.text import GAP, encodable, escaped, table_row
from graphflow.layers.layer import Layer
from graphflow.layers.node import Node
from graphflow.models import Model, Sequential

CHAIN: tuple[int, tuple[float, ...]] = (88, (0.45, 0.80, 1.0))
GRAPH: tuple[int, tuple[float, ...]] = (108, (0.30, 0.56, 0.74, 1.0))
"""The default line length and where the columns end, for chains of layers and for other graphs."""

TRAINABLE_COLUMNS = 12
LEAST_COLUMNS = 60


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Callable[[str], Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> None:
    """Print a table of the layers of a model.

    Args:
        model: a Model or a Sequential that has an input.
        line_length: columns in a line; by default as in Keras, and not more than the terminal has.
        positions: where the columns end, as parts of the line or as numbers of columns.
        print_fn: takes the whole text once; by default it is written to standard output.
        expand_nested: whether to list the layers of models inside the model.
        show_trainable: whether to add a column: Y, N, or - for layers without weights.
        layer_range: the first and the last layer to list, by name or regular expression.

    Raises:
        ArgumentError: a model without an input, columns that do not fit, or no layer of a name in `layer_range`.

    Source: https://keras.io/api/models/model/#summary-method

    Example:
        >>> from graphflow import Sequential
        >>> from graphflow.layers import Dense
        >>> Sequential([Dense(2, input_shape=(3,), name="d")], name="s").summary(line_length=50)
        Model: "s"
        __________________________________________________
        Layer (type)          Output Shape         Param #
        ==================================================
        d (Dense)             (None, 2)                  8
        ==================================================
         Total params: 8 (32.00 B)
         Trainable params: 8 (32.00 B)
         Non-trainable params: 0 (0.00 B)
    """
    text = format_summary(model, line_length, positions, expand_nested, show_trainable, layer_range)
    if print_fn is not None:
        print_fn(text)
    else:
        print(encodable(text, getattr(sys.stdout, "encoding", None)))


def format_summary(
    model: Any,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> str:
    """The text that `print_summary` prints, without a line end after it; see there."""
    if not isinstance(model, Model):
        raise ArgumentTypeError(f"summary takes a Model or Sequential, received {type(model).__name__}.")
    nodes = model._network.nodes
    chain = isinstance(model, Sequential) or _is_chain(model, nodes)
    length, ends = CHAIN if chain else GRAPH
    ends = ends if positions is None else tuple(positions)
    columns = table_columns(set(nodes), chain)
    if show_trainable:
        length += TRAINABLE_COLUMNS
        columns.append(TRAINABLE)
    if line_length is None:
        line_length = min(length, max(shutil.get_terminal_size((length, 24)).columns, LEAST_COLUMNS))
    if show_trainable:
        ends = (*(end * (1 - TRAINABLE_COLUMNS / max(line_length, 1)) for end in ends), ends[-1])
    widths = _widths(ends, line_length, len(columns))
    aligns = [column.align for column in columns]
    lines = [f'Model: "{escaped(model.name)}"', "_" * line_length]
    lines += table_row([column.title for column in columns], widths, aligns)
    lines.append("=" * line_length)
    for one, prefix in _rows(ranged(model.operations, layer_range), expand_nested):
        first, *rest = (column.cell(one) for column in columns)
        lines += table_row([prefix + first, *rest], widths, aligns)
    lines.append("=" * line_length)
    return "\n".join(lines + _totals(model) + _opaque_note(model))


def _is_chain(model: Model, nodes: Sequence[Node]) -> bool:
    """Whether every call takes one tensor, of the call before it, and every layer is called once."""
    parents = [parent for node in nodes for parent in node.parent_nodes]
    return (
        len(model.inputs) == 1
        and all(len(node.input_tensors) == 1 for node in nodes)
        and len(set(parents)) == len(parents)
        and len({node.operation for node in nodes}) == len(nodes)
    )


def _widths(ends: Sequence[float], line_length: int, count: int) -> list[int]:
    """The widths of the columns, without the gaps between them."""
    if len(ends) != count:
        raise ArgumentError(f"positions must have one number for each of the {count} columns, received {len(ends)}.")
    scale = line_length if ends[-1] <= 1 else 1
    bounds = [0, *(int(end * scale) for end in ends)]
    widths = [after - before - len(GAP) for before, after in pairwise(bounds)]
    widths[-1] += len(GAP)
    if min(widths) < 4:
        raise ArgumentError(f"The columns do not fit into a line of {line_length}: each needs 4 columns or more.")
    return widths


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


def _rows(layers: Iterable[Layer], expand_nested: bool, level: int = 0) -> Iterator[tuple[Layer, str]]:
    for one in layers:
        yield one, "   " * level + "└ " if level else ""
        if expand_nested and isinstance(one, Model):
            yield from _rows(one.layers, True, level + 1)


def _totals(model: Model) -> list[str]:
    trained, rest = model.trainable_weights, model.non_trainable_weights
    rows = (("Total", trained + rest), ("Trainable", trained), ("Non-trainable", rest))
    return [f" {what} params: {count(weights):,} ({size(weights)})" for what, weights in rows]


def _opaque_note(model: Model) -> list[str]:
    """A line that names the layers whose functions could not be traced, so that running them calls Python."""
    try:
        nodes = model.graph().nodes
    except GraphflowError:
        return []
    found = dict.fromkeys("/".join(node.origin) for node in nodes if node.op.effect == "opaque")
    return [f" Python functions, called at run time: {', '.join(map(escaped, found))}"] if found else []
