"""Tables as wide as their cells, and numbers as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphflow.inspect.text import GAP, columns_of, escaped, table_row

MOST_COLUMNS = 60
"""A cell that is longer is broken into lines."""

SCALES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
BYTES = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def scaled(number: float | None) -> str:
    """A count in three or four digits: `3.86 G`; `?` for None.

    Example:
        >>> scaled(3857973248), scaled(12), scaled(None)
        ('3.86 G', '12', '?')
    """
    if number is None:
        return "?"
    for size, unit in SCALES:
        if abs(number) >= size:
            return f"{number / size:.3g} {unit}" if abs(number) < 1000 * size else f"{number / size:,.0f} {unit}"
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:.3g}"


def sized(count: float | None) -> str:
    """Bytes in three digits: `96.5 KiB`; `?` for None.

    Example:
        >>> sized(98816), sized(512)
        ('96.5 KiB', '512 B')
    """
    if count is None:
        return "?"
    for size, unit in BYTES:
        if count >= size:
            return f"{count / size:.3g} {unit}" if count < 1000 * size else f"{count / size:,.0f} {unit}"
    return f"{count:,.0f} B"


def table(titles: Sequence[str], rows: Sequence[Sequence[Any]], aligns: str, total: Sequence[Any] = ()) -> str:
    """A table with a line under its titles.

    Args:
        aligns: one of `<`, `>` and `^` for each column.
        total: a last row, under a line of its own.

    Example:
        >>> print(table(["layer", "MACs"], [["dense", 12]], "<>"))
        layer  MACs
        -----------
        dense    12
    """
    shown = [[escaped(cell) for cell in row] for row in rows]
    last = [escaped(cell) for cell in total]
    every = [list(titles), *shown, *([last] if last else [])]
    widths = [min(max(columns_of(row[i]) for row in every), MOST_COLUMNS) for i in range(len(titles))]
    rule = "-" * (sum(widths) + len(GAP) * (len(widths) - 1))
    lines = [*table_row(titles, widths, aligns), rule]
    for row in shown:
        lines += table_row(row, widths, aligns)
    if last:
        lines += [rule, *table_row(last, widths, aligns)]
    return "\n".join(lines)
