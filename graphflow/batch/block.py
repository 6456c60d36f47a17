"""What travels through a job: blocks of rows, and the rows that could not be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]
Columns = dict[str, Array]
Cursor = dict[str, Any]


class Bad(NamedTuple):
    """A row that could not be used.

    Args:
        row: its number in the source, from 0.
        place: where it is, as a message says it.
        reason: what is wrong.
        text: the beginning of what was there, if it is text.
    """

    row: int
    place: str
    reason: str
    text: str = ""


class Block:
    """Consecutive rows of a source.

    Args:
        start: the first row's number in the source.
        rows: how many rows it stands for, bad ones included.
        columns: the good rows; numbers as arrays, text and JSON values as object arrays. Columns that a source was told
            to give together may be one matrix, under the name that `beside` gives them. Or a function that makes them:
            it is called when they are first looked at, by the thread that needs them.
        bad: the other rows, in order.
        cursor: where the source stands behind this block, for sources that can not count; None for those that can.
        lines: the file and line of each good row, where it is text.
    """

    __slots__ = ("_columns", "bad", "cursor", "lines", "rows", "start")

    def __init__(
        self,
        start: int,
        rows: int,
        columns: Columns | Callable[[], Columns],
        bad: Sequence[Bad] = (),
        cursor: Cursor | None = None,
        lines: list[tuple[str, int]] | None = None,
    ) -> None:
        self.start, self.rows = start, rows
        self._columns = columns
        self.bad = list(bad)
        self.cursor, self.lines = cursor, lines

    @property
    def columns(self) -> Columns:
        """The good rows."""
        if callable(self._columns):
            self._columns = self._columns()
        return self._columns

    @columns.setter
    def columns(self, columns: Columns) -> None:
        self._columns = columns

    def good_rows(self) -> Array:
        """The numbers of the good rows."""
        every = np.arange(self.start, self.start + self.rows)
        return np.delete(every, [one.row - self.start for one in self.bad]) if self.bad else every


def beside(names: Sequence[str]) -> str:
    """The name of the matrix that columns which stand side by side are."""
    return "\0".join(names)


def take(columns: Columns, where: Any) -> Columns:
    """The same rows of every column."""
    return {name: column[where] for name, column in columns.items()}


def joined(parts: Sequence[Array]) -> Array:
    """Arrays one behind the other."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def objects(values: Sequence[Any]) -> Array:
    """A one-dimensional array of Python values, whatever they hold."""
    made = np.empty(len(values), object)
    made[:] = values
    return made
