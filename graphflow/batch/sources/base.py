"""What every source is: named columns, rows in order, and a way back to where it stood."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from graphflow.batch.block import Block, Columns, Cursor, joined, take
from graphflow.errors import ArgumentError


class Source:
    """Rows of named columns.

    Attributes:
        columns: the names of the columns, in order.
        rows: how many rows there are, None where that is not known before the end.
        random_access: whether reading can begin at any row. A source without it begins at a cursor that it gave itself.
        can_repeat: whether `read` may be called a second time.
        identifiers: columns that only pass through, in which a null is a value like any other.
        together: sets of columns that only stand side by side; a source may give each as one matrix, see `beside`.
    """

    columns: tuple[str, ...] = ()
    rows: int | None = None
    random_access = False
    can_repeat = True
    identifiers: frozenset[str] = frozenset()
    together: Sequence[Sequence[str]] = ()

    def identity(self) -> dict[str, Any]:
        """What must be equal for a job to go on, as plain data."""
        raise NotImplementedError

    def read(self, start: int, cursor: Cursor | None, size: int, columns: Sequence[str]) -> Iterator[Block]:
        """The rows from `start` to the end, in blocks of `size` rows (the last may be shorter).

        Args:
            start: a row, a multiple of `size`.
            cursor: what the block before gave; None for sources with random access, or at the beginning.
            size: rows of a block.
            columns: the columns that are wanted.

        Raises:
            DataError: it can not be read on; the message names file and row. Rows that can be left out are in
                `Block.bad` instead.
        """
        raise NotImplementedError

    def place(self, row: int) -> str:
        """Where a row is, as a message says it."""
        return f"row {row}"

    def sample_bytes(self) -> int:
        """Bytes of a row as it is read, guessed; 0 where nothing is known."""
        return 0

    def close(self) -> None:
        """Let go of files."""


def regroup(pieces: Iterable[tuple[Columns, Cursor | None]], start: int, size: int) -> Iterator[Block]:
    """Blocks of `size` rows from pieces of any size; a cursor is kept only where a block ends with its piece.

    Example:
        >>> import numpy as np
        >>> pieces = [({"x": np.arange(3)}, None), ({"x": np.arange(3)}, None)]
        >>> [block.columns["x"].tolist() for block in regroup(pieces, 0, 4)]
        [[0, 1, 2, 0], [1, 2]]
    """
    held: list[Columns] = []
    count = 0
    cursor: Cursor | None = None
    for columns, cursor in pieces:
        rows = len(next(iter(columns.values())))
        at = 0
        while count + rows - at >= size:
            end = at + size - count
            held.append(take(columns, slice(at, end)))
            made = {name: joined([one[name] for one in held]) for name in columns}
            yield Block(start, size, made, cursor=cursor if end == rows else None)
            start, count, at = start + size, 0, end
            held = []
        if at < rows:
            held.append(take(columns, slice(at, None)) if at else columns)
            count += rows - at
    if held:
        made = {name: joined([one[name] for one in held]) for name in held[0]}
        yield Block(start, count, made, cursor=cursor)


def find_files(given: Sequence[str | Path], endings: Sequence[str]) -> list[Path]:
    """The files of paths, folders and patterns, in order: those of a folder or pattern sorted by name.

    Raises:
        ArgumentError: a pattern or folder that holds none.
        FileNotFoundError: a path that is not there.
    """
    found: list[Path] = []
    for one in given:
        path = Path(one)
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in endings and file.is_file())
        elif not path.exists() and any(mark in str(one) for mark in "*?["):
            base = Path(path.anchor) if path.is_absolute() else Path()
            pattern = str(path.relative_to(path.anchor)) if path.is_absolute() else str(path)
            inside = sorted(file for file in base.glob(pattern) if file.is_file())
        elif not path.exists():
            raise FileNotFoundError(2, "No such file or directory", str(path))
        else:
            inside = [path]
        if not inside:
            raise ArgumentError(f"{one}: holds no file that ends in {' or '.join(endings)}.")
        found += inside
    return found
