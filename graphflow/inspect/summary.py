"""`summary`: the table of a model's layers that Keras prints, as text that also goes through pipes, or by rich."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from graphflow.errors import ArgumentError
from graphflow.inspect.describe import Summary, describe
from graphflow.inspect.describe import ranged as ranged
from graphflow.inspect.rich_table import has_rich, rich_text
from graphflow.inspect.text import GAP, encodable, escaped, table_row

CHAIN: tuple[int, tuple[float, ...]] = (88, (0.45, 0.80, 1.0))
GRAPH: tuple[int, tuple[float, ...]] = (108, (0.30, 0.56, 0.74, 1.0))
"""The default line length and where the columns end, for chains of layers and for other graphs."""

MORE_COLUMNS = {"Trainable": 12, "Output bytes": 16, "MACs": 18, "FLOPs": 18}
"""How many columns of the terminal the further columns take."""

LEAST_COLUMNS = 60


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Callable[[str], Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
    *,
    costs: bool = False,
    input_shapes: Any = None,
    rich: bool | None = None,
) -> None:
    """Print a table of the layers of a model.

    Args:
        model: a Model or a Sequential that has an input, or a model that is a program of ops.
        line_length: columns in a line; by default as in Keras, and not more than the terminal has.
        positions: where the columns end, as parts of the line or as numbers of columns.
        print_fn: takes the whole text once; by default it is written to standard output.
        expand_nested: whether to list the layers of models inside the model.
        show_trainable: whether to add a column: Y, N, or - for layers without weights.
        layer_range: the first and the last layer to list, by name or regular expression.
        costs: whether to add the bytes of outputs, multiply-adds and FLOPs; a Python function that is called at run
            time is marked `opaque` there.
        input_shapes: for `costs`, as `graphflow.inspect.flops` takes them.
        rich: whether to draw the table with the package rich; by default where it is installed and the text goes to a
            terminal.

    Raises:
        ArgumentError: a model without an input, columns that do not fit, or no layer of a name in `layer_range`.
        UnsupportedError: `rich=True`, and rich is not installed.

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
    described = describe(model, expand_nested, show_trainable, layer_range, costs, input_shapes)
    if rich is None:
        rich = print_fn is None and positions is None and sys.stdout.isatty() and has_rich()
    if rich:
        text = rich_text(described, line_length or _fitting(described), print_fn is None and sys.stdout.isatty())
    else:
        text = _plain(described, line_length, positions)
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
    *,
    costs: bool = False,
    input_shapes: Any = None,
) -> str:
    """The text that `print_summary` prints without rich, without a line end after it; see there."""
    described = describe(model, expand_nested, show_trainable, layer_range, costs, input_shapes)
    return _plain(described, line_length, positions)


def _lengths(described: Summary) -> tuple[int, tuple[float, ...]]:
    """The default line length, and where the columns of Keras end as parts of it."""
    return GRAPH if "Connected to" in described.columns else CHAIN


def _added(described: Summary) -> list[int]:
    """The columns of the terminal that further columns take."""
    return [MORE_COLUMNS[title] for title in described.columns if title in MORE_COLUMNS]


def _fitting(described: Summary) -> int:
    length = _lengths(described)[0] + sum(_added(described))
    return min(length, max(shutil.get_terminal_size((length, 24)).columns, LEAST_COLUMNS))


def _plain(described: Summary, line_length: int | None, positions: Sequence[float] | None) -> str:
    ends = _lengths(described)[1] if positions is None else tuple(positions)
    if line_length is None:
        line_length = _fitting(described)
    added = _added(described)
    if added and len(ends) < len(described.columns):
        ends = _with_more(ends, added, line_length)
    widths = _widths(ends, line_length, len(described.columns))
    lines = [f'Model: "{escaped(described.model)}"', "_" * line_length]
    lines += table_row(described.columns, widths, described.aligns)
    lines.append("=" * line_length)
    for level, row in zip(described.levels, described.rows, strict=True):
        prefix = "   " * level + "└ " if level else ""
        lines += table_row([prefix + row[0], *row[1:]], widths, described.aligns)
    lines.append("=" * line_length)
    return "\n".join(lines + described.notes)


def _with_more(ends: Sequence[float], added: Sequence[int], line_length: int) -> tuple[float, ...]:
    """Where the columns end when further ones take their room from those of Keras."""
    length = max(line_length, 1)
    kept = [end * (1 - sum(added) / length) for end in ends]
    scale = ends[-1] if ends[-1] > 1 else 1.0
    for columns in added:
        kept.append(kept[-1] + scale * columns / length)
    return (*kept[:-1], ends[-1])


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
