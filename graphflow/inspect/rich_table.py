"""A summary drawn by rich, for terminals; names are text there and never markup."""

from __future__ import annotations

import io
from importlib.util import find_spec

from graphflow.errors import UnsupportedError
from graphflow.inspect.describe import Summary
from graphflow.inspect.text import escaped

JUSTIFY = {"<": "left", ">": "right", "^": "center"}


def has_rich() -> bool:
    """Whether rich is installed."""
    return find_spec("rich") is not None


def rich_text(described: Summary, width: int, colours: bool) -> str:
    """The table as rich draws it in so many columns, with or without its colours.

    Raises:
        UnsupportedError: rich is not installed.
    """
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:
        raise UnsupportedError(
            "This table needs rich, which is not installed: pip install 'graphflow-engine[tables]'."
        ) from None
    table = Table(title=Text(f'Model: "{escaped(described.model)}"', style="bold"), title_justify="left", width=width)
    for title, align in zip(described.columns, described.aligns, strict=True):
        table.add_column(title, justify=JUSTIFY[align], overflow="fold")  # type: ignore[arg-type]
    for level, row in zip(described.levels, described.rows, strict=True):
        prefix = "  " * level + "└ " if level else ""
        table.add_row(*(Text(cell) for cell in (prefix + row[0], *row[1:])))
    target = io.StringIO()
    console = Console(file=target, width=width, force_terminal=colours, no_color=not colours, highlight=False)
    console.print(table)
    for note in described.notes:
        console.print(Text(note))
    return target.getvalue().rstrip("\n")
