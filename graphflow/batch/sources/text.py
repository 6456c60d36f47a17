"""CSV and JSON lines, from files and from standard input.

Both are read by Python's own modules. A record that is not what it should be is a bad row: another number of fields
than the header, a quote in the wrong place, text that is not of the encoding, a field or line beyond its limit, a line
that is not one JSON object, or names a key twice. Values stay text (or what JSON says they are) until an input needs
numbers.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from graphflow.batch.block import Bad, Block, Cursor, objects
from graphflow.batch.identity import file_identity
from graphflow.batch.sources.base import Source
from graphflow.batch.sources.lines import LineError, Lines, check_encoding
from graphflow.errors import DataError

TEXT_BYTES = 64
"""Bytes that a short text takes in Python, by which blocks are sized."""
Record = tuple[int, list[Any] | None, str, str]
"""Number of its line, values or None, the reason why not, the beginning of its text."""


class TextSource(Source):
    """Records of text files.

    Args:
        files: paths; None: standard input.
        encoding: of the text; a byte order mark of UTF-8 is left out.
    """

    kind = ""

    def __init__(self, files: Sequence[Path] | None, encoding: str = "utf-8") -> None:
        self._files = None if files is None else list(files)
        self._encoding = check_encoding(encoding)
        self._lines = Lines(self._files, self._encoding)
        self._lines.next_file()
        self._opened = False
        self.can_repeat = files is not None
        self.begin()

    def begin(self) -> None:
        """Read what stands before the first record."""

    def header(self, lines: Lines) -> None:
        """Read what stands before the first record of a further file."""

    def records(self, lines: Lines) -> Iterator[Record]:
        """The records of the file at hand."""
        raise NotImplementedError

    def identity(self) -> dict[str, Any]:
        files = "standard input" if self._files is None else [file_identity(path) for path in self._files]
        return {"kind": self.kind, "files": files, "encoding": self._encoding}

    def read(self, start: int, cursor: Cursor | None, size: int, columns: Sequence[str]) -> Iterator[Block]:
        lines = self._lines
        if self._files is not None and (self._opened or cursor is not None):
            lines = Lines(self._files, self._encoding)
            lines.next_file()
            self.header(lines)
        self._opened = True
        if cursor is not None:
            lines.go_to(cursor)
        chosen = [self.columns.index(name) for name in columns]
        rows: list[list[Any]] = []
        places: list[tuple[str, int]] = []
        bad: list[Bad] = []
        begin = row = start
        try:
            while True:
                for number, values, reason, text in self.records(lines):
                    if values is None:
                        bad.append(Bad(row, f"{lines.place}, row {row} (line {number})", reason, text))
                    else:
                        rows.append(values)
                        places.append((lines.place, number))
                    row += 1
                    if row - begin == size:
                        yield self._block(begin, row, rows, places, bad, columns, chosen, lines)
                        begin, rows, places, bad = row, [], [], []
                if not lines.next_file():
                    break
                self.header(lines)
            if row > begin:
                yield self._block(begin, row, rows, places, bad, columns, chosen, lines)
        finally:
            lines.close()

    def _block(
        self,
        begin: int,
        end: int,
        rows: list[list[Any]],
        places: list[tuple[str, int]],
        bad: list[Bad],
        names: Sequence[str],
        chosen: list[int],
        lines: Lines,
    ) -> Block:
        turned = list(zip(*rows, strict=True)) if rows else [()] * len(self.columns)
        columns = {name: objects(turned[index]) for name, index in zip(names, chosen, strict=True)}
        return Block(begin, end - begin, columns, bad, lines.cursor(), places)

    def place(self, row: int) -> str:
        name = "standard input" if self._files is None else ", ".join(map(str, self._files))
        return f"{name}, row {row}"

    def sample_bytes(self) -> int:
        return TEXT_BYTES * len(self.columns)

    def close(self) -> None:
        self._lines.close()


class CsvSource(TextSource):
    """CSV with a header that names the columns.

    Args:
        files: paths; None: standard input.
        encoding: of the text.
        delimiter: between fields.
    """

    kind = "csv"

    def __init__(self, files: Sequence[Path] | None, encoding: str = "utf-8", delimiter: str = ",") -> None:
        self._delimiter = delimiter
        super().__init__(files, encoding)

    def identity(self) -> dict[str, Any]:
        return {**super().identity(), "delimiter": self._delimiter}

    def begin(self) -> None:
        self.columns = tuple(self._names(self._lines))
        repeated = sorted({name for name in self.columns if self.columns.count(name) > 1})
        if repeated:
            raise DataError(f"{self._lines.place}: the header names {repeated[0]!r} twice.")

    def header(self, lines: Lines) -> None:
        names = tuple(self._names(lines))
        if names != self.columns:
            raise DataError(
                f"{lines.place}: the header is {', '.join(names)}; that of the first file is {', '.join(self.columns)}."
            )

    def _names(self, lines: Lines) -> list[str]:
        try:
            return next(csv.reader(lines, delimiter=self._delimiter, strict=True))
        except StopIteration:
            raise DataError(f"{lines.place}: a CSV file begins with the names of its columns; it is empty.") from None
        except (csv.Error, LineError) as error:
            raise DataError(f"{lines.place}: the header is not readable: {error}.") from None

    def records(self, lines: Lines) -> Iterator[Record]:
        reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
        width = len(self.columns)
        while True:
            number = lines.number + 1
            try:
                values = next(reader)
            except StopIteration:
                return
            except (csv.Error, LineError) as error:
                yield number, None, str(error), ""
                continue
            if len(values) == width:
                yield number, values, "", ""
            elif values:
                shown = self._delimiter.join(values)[:200]
                yield number, None, f"expected {width} fields, received {len(values)}", shown


class JsonLinesSource(TextSource):
    """JSON objects, one a line; the first names the columns, and each must have them all."""

    kind = "jsonl"

    def begin(self) -> None:
        self._first: list[Record] = []
        for number, value, reason, text in self._values(self._lines):
            if isinstance(value, dict):
                self.columns = tuple(value)
                self._first.append((number, list(value.values()), "", ""))
                break
            self._first.append((number, None, reason, text))
            if len(self._first) == 1000:
                raise DataError(f"{self._lines.place}: none of the first 1000 lines is a JSON object: {reason}.")
        if not self.columns and self._first:
            raise DataError(f"{self._lines.place}, row 0 (line {self._first[0][0]}): {self._first[0][2]}.")
        self._after = self._lines.cursor()
        self._pending = True

    def records(self, lines: Lines) -> Iterator[Record]:
        if self._pending and lines is self._lines and lines.cursor() == self._after:
            self._pending = False
            yield from self._first
        for number, value, reason, text in self._values(lines):
            if value is None:
                yield number, None, reason, text
                continue
            missing = [name for name in self.columns if name not in value]
            if missing:
                yield number, None, f"the key {missing[0]!r} is missing", text
            else:
                yield number, [value[name] for name in self.columns], "", ""

    def _values(self, lines: Lines) -> Iterator[tuple[int, dict[str, Any] | None, str, str]]:
        while True:
            try:
                line = next(lines)
            except StopIteration:
                return
            except LineError as error:
                yield lines.number, None, str(error), ""
                continue
            if not line.strip():
                continue
            try:
                value = json.loads(line, object_pairs_hook=_object)
            except RecursionError:
                yield lines.number, None, "it is nested too deeply", line[:200]
            except ValueError as error:
                yield lines.number, None, f"not JSON: {error}", line[:200]
            else:
                if isinstance(value, dict):
                    yield lines.number, value, "", line[:200]
                else:
                    yield lines.number, None, f"expected a JSON object, received {type(value).__name__}", line[:200]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the key {next(name for name in names if names.count(name) > 1)!r} is there twice")
    return made
