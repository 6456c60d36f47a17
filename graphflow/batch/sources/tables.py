"""Files of groups of rows: what Parquet and Arrow files have in common as sources.

Small row groups are decoded as a whole and ahead; large ones in pieces, one after another: memory holds a few pieces of
`PIECE` bytes and not a file. Blocks are cut from pieces without a copy, but for those that cross an edge. A null in a
column of numbers is a bad row; a row group that can not be read is as many bad rows as it has.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from graphflow.batch.block import Bad, Block, Columns, Cursor, beside, joined, objects, take
from graphflow.batch.identity import file_identity
from graphflow.batch.sources.base import Source
from graphflow.batch.stacking import rows_of
from graphflow.errors import DataError, UnsupportedError
from graphflow.runtime.threads import get_num_threads

MOST_AHEAD = 4
"""Row groups that are decoded at once, ahead of the one in use; fewer where there are few processors."""
LEAST_AHEAD = 2
"""Where fewer may be decoded at once the reader, which is ahead of the kernels anyway, decodes them itself."""
PIECE = 4 << 20
"""Bytes that are decoded at once; row groups of fewer are decoded as a whole."""
Piece = tuple[Columns, int, list[Bad]]
"""Good rows, how many rows they stand for, and bad rows numbered from the piece's first."""


def need_pyarrow() -> Any:
    """The module pyarrow.

    Raises:
        UnsupportedError: it is not installed.
    """
    try:
        import pyarrow
    except ImportError:
        raise UnsupportedError(
            "Parquet and Arrow files need the package pyarrow: pip install 'graphflow-engine[parquet]'."
        ) from None
    return pyarrow


def column_of(array: Any, name: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any] | None]:
    """An Arrow array as a NumPy array, and which rows of it are null, None if none is.

    Numbers stay numbers, lists of equal length become axes, everything else Python values.

    Raises:
        UnsupportedError: a type that has no meaning as an input or an identifier.
    """
    import pyarrow as pa

    kind = array.type
    if pa.types.is_dictionary(kind):
        array = array.dictionary_decode()
        kind = array.type
    nulls = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        if nulls is not None:
            array = array.fill_null(False if pa.types.is_boolean(kind) else 0)
        return array.to_numpy(zero_copy_only=False), nulls
    if pa.types.is_decimal(kind):
        return array.cast(pa.float64()).fill_null(0).to_numpy(zero_copy_only=False), nulls
    if pa.types.is_fixed_size_list(kind) and nulls is None:
        inner, missing = column_of(array.flatten(), name)
        if missing is None:
            return inner.reshape(len(array), kind.list_size, *inner.shape[1:]), None
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        lengths = np.diff(array.offsets.to_numpy())
        if nulls is None and len(lengths) and (lengths == lengths[0]).all():
            inner, missing = column_of(array.flatten(), name)
            if missing is None and inner.dtype != object:
                return inner.reshape(len(array), int(lengths[0]), *inner.shape[1:]), None
    if pa.types.is_temporal(kind):
        raise UnsupportedError(f"Column {name!r} holds {kind}, which is neither a number nor text; cast it before.")
    return objects(array.to_pylist()), nulls


class TableSource(Source):
    """Files of groups of rows.

    Args:
        files: paths.
    """

    random_access = True
    kind = ""

    def __init__(self, files: Sequence[Path]) -> None:
        need_pyarrow()
        self._files = list(files)
        self._groups: list[tuple[int, int, int]] = []
        schema = None
        self._ends: list[int] = []
        total = 0
        for index, path in enumerate(self._files):
            try:
                found, sizes = self._open(path)
            except (OSError, MemoryError):
                raise
            except Exception as error:
                raise DataError(f"{path}: not a readable {self.kind} file: {error}") from None
            if schema is None:
                schema = found
            elif not found.equals(schema):
                raise DataError(f"{path}: its columns are not those of {self._files[0]}.")
            for group, size in enumerate(sizes):
                total += size
                self._groups.append((index, group, size))
                self._ends.append(total)
        assert schema is not None
        self._schema = schema
        self.columns = tuple(schema.names)
        self.rows = total

    def _open(self, path: Path) -> tuple[Any, list[int]]:
        """The schema of a file and the rows of its groups."""
        raise NotImplementedError

    def _bytes(self, index: int, columns: list[str]) -> int:
        """Bytes of some columns of a group, as they are in memory."""
        raise NotImplementedError

    def _slices(self, path: Path, group: int, skip: int, size: int, columns: list[str]) -> Iterator[Any]:
        """Record batches of at most `size` rows of a group (0: of all), `skip` of its rows left out."""
        raise NotImplementedError

    def _rows(self, index: int, columns: list[str]) -> int:
        """Rows of a piece of a large group."""
        return max(1, self._groups[index][2] * PIECE // max(1, self._bytes(index, columns)))

    def identity(self) -> dict[str, Any]:
        return {"kind": self.kind, "files": [file_identity(path) for path in self._files]}

    def read(self, start: int, cursor: Cursor | None, size: int, columns: Sequence[str]) -> Iterator[Block]:
        assert self.rows is not None
        held: list[Piece] = []
        count, begin = 0, start
        for made, rows, bad in self._pieces(start, list(columns)):
            at = 0
            while at < rows:
                part = min(size - count, rows - at)
                held.append(_cut(made, bad, begin + count, at, part))
                count, at = count + part, at + part
                if count == size:
                    yield _block(held, begin, count, self.together)
                    begin, count, held = begin + count, 0, []
        if count:
            yield _block(held, begin, count, self.together)

    def _small(self, index: int, columns: list[str]) -> bool:
        """Whether a group is decoded as a whole."""
        return self._bytes(index, columns) <= PIECE

    def _pieces(self, start: int, columns: list[str]) -> Iterator[Piece]:
        first = bisect_right(self._ends, start)
        most = min(MOST_AHEAD, get_num_threads() // 2)
        if most < LEAST_AHEAD:
            for index in range(first, len(self._groups)):
                yield from self._group(index, start, columns)
            return
        waiting: deque[Future[list[Piece]] | None] = deque()
        with ThreadPoolExecutor(most) as pool:
            try:
                for index in range(first, len(self._groups)):
                    for later in range(index + len(waiting), min(index + most + 1, len(self._groups))):
                        small = self._small(later, columns)
                        waiting.append(pool.submit(self._whole, later, start, columns) if small else None)
                    ahead = waiting.popleft()
                    yield from ahead.result() if ahead else self._group(index, start, columns)
            finally:
                for future in waiting:
                    if future is not None:
                        future.cancel()

    def _whole(self, index: int, start: int, columns: list[str]) -> list[Piece]:
        """The pieces of a small group."""
        return list(self._group(index, start, columns))

    def _group(self, index: int, start: int, columns: list[str]) -> Iterator[Piece]:
        """The pieces of one group, from `start` on."""
        file, group, rows = self._groups[index]
        path = self._files[file]
        before = self._ends[index] - rows
        done = max(0, start - before)
        if not rows:
            return
        try:
            most = 0 if self._small(index, columns) else self._rows(index, columns)
            for batch in self._slices(path, group, done, most, columns):
                yield self._converted(batch, path, before + done)
                done += batch.num_rows
            if done != rows:
                raise DataError(f"it holds {done} rows, {rows} are declared")
        except (OSError, MemoryError) as error:
            if not _is_damage(error):
                raise
            yield self._lost(path, group, before, done, rows, error)
        except UnsupportedError:
            raise
        except Exception as error:
            yield self._lost(path, group, before, done, rows, error)

    def _lost(self, path: Path, group: int, before: int, done: int, rows: int, error: Exception) -> Piece:
        reason = f"row group {group} can not be read: {error}"
        return {}, rows - done, [Bad(i, f"{path}, row {before + done + i}", reason) for i in range(rows - done)]

    def _converted(self, batch: Any, path: Path, begin: int) -> Piece:
        made: Columns = {}
        missing: dict[int, str] = {}
        for name, array in zip(batch.schema.names, batch.columns, strict=True):
            if name in self.identifiers and array.null_count:
                made[name] = objects(array.to_pylist())
                continue
            made[name], nulls = column_of(array, name)
            if nulls is not None and made[name].dtype != object:
                missing.update({int(row): f"column {name!r} holds null" for row in np.flatnonzero(nulls)})
        bad = [Bad(row, f"{path}, row {begin + row}", missing[row]) for row in sorted(missing)]
        if bad:
            made = {name: np.delete(array, list(missing), 0) for name, array in made.items()}
        return made, batch.num_rows, bad

    def place(self, row: int) -> str:
        index = min(bisect_right(self._ends, row), len(self._groups) - 1)
        return f"{self._files[self._groups[index][0]]}, row {row}" if self._groups else f"row {row}"


def _is_damage(error: BaseException) -> bool:
    """Whether pyarrow's OSError speaks of bytes that make no sense, and not of a system that failed."""
    return isinstance(error, OSError) and error.errno is None


def _cut(made: Columns, bad: list[Bad], row: int, at: int, rows: int) -> Piece:
    """Some rows of a piece, its bad rows numbered anew, from `row` on."""
    if not bad:
        return take(made, slice(at, at + rows)), rows, []
    inside = [one._replace(row=one.row - at + row) for one in bad if at <= one.row < at + rows]
    before = sum(one.row < at for one in bad)
    first = at - before
    return {name: array[first : first + rows - len(inside)] for name, array in made.items()}, rows, inside


def _block(held: list[Piece], start: int, rows: int, together: Sequence[Sequence[str]]) -> Block:
    """The rows of parts of pieces."""
    full = [columns for columns, _, _ in held if columns]
    return Block(start, rows, lambda: _columns(full, together), [one for _, _, bad in held for one in bad])


def _columns(full: list[Columns], together: Sequence[Sequence[str]]) -> Columns:
    """The columns of pieces behind each other; sets that only stand side by side become the rows of a matrix."""
    names = dict.fromkeys(full[0] if full else ())
    columns: Columns = {}
    for wanted in together:
        matrix = rows_of([[one[name] for name in wanted] for one in full])
        if matrix is not None:
            columns[beside(wanted)] = matrix
            names = {name: None for name in names if name not in wanted}
    for name in names:
        parts = [one[name] for one in full]
        if len({(part.dtype, part.shape[1:]) for part in parts}) > 1:
            parts = [objects(list(part)) for part in parts]
        columns[name] = joined(parts)
    return columns
