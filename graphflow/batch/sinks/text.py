"""CSV and JSON lines. Numbers are written with the fewest digits that give the same number back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from graphflow.batch.block import Array, Columns
from graphflow.batch.durable import DurableFile
from graphflow.batch.sinks.base import Schema
from graphflow.batch.sinks.npy import copy_parts


def plain(array: Array) -> list[Any]:
    """Rows as Python values; floats of fewer bits as the shortest number that is read back as they are."""
    if array.dtype.kind == "f" and array.dtype.itemsize < 8:
        array = array.astype("U32").astype("f8")
    return array.tolist()


def field_names(name: str, shape: list[int]) -> list[str]:
    """The names of the CSV columns of a column whose rows have a shape.

    Example:
        >>> field_names("y", []), field_names("y", [2]), field_names("y", [1, 2])
        (['y'], ['y_0', 'y_1'], ['y_0_0', 'y_0_1'])
    """
    return ["_".join([name, *map(str, index)]) for index in product(*map(range, shape))]


class CsvFormat:
    """A column for each number of a row: `name_0`, `name_1`..."""

    in_place = False

    def __init__(self, delimiter: str = ",") -> None:
        self._delimiter = delimiter

    def check(self, columns: Columns, path: Path) -> None:
        """Everything can be written as text."""

    def header(self, schema: Schema) -> bytes:
        """The line of names."""
        return self._lines([[field for name, _, shape in schema for field in field_names(name, shape)]])

    def _lines(self, rows: Any) -> bytes:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=self._delimiter, lineterminator="\n").writerows(rows)
        return text.getvalue().encode()

    def encode(self, columns: Columns, whole: bool, metadata: Mapping[str, Any]) -> Any:
        fields: list[list[Any]] = []
        for array in columns.values():
            flat = plain(array.reshape(len(array), int(np.prod(array.shape[1:]))))
            fields += [list(one) for one in zip(*flat, strict=True)]
        schema = [[name, "", list(array.shape[1:])] for name, array in columns.items()]
        return (self.header(schema) if whole else b"") + self._lines(zip(*fields, strict=True))

    def assemble(
        self, draft: Path, parts: Iterator[Path], schema: Schema, rows: int, metadata: Mapping[str, Any]
    ) -> None:
        with DurableFile(draft) as file:
            file.write(self.header(schema))
            copy_parts(file, parts)


class JsonLinesFormat:
    """An object a line; vectors are lists. What is not finite is written as Python does: NaN, Infinity."""

    in_place = False

    def check(self, columns: Columns, path: Path) -> None:
        """Everything can be written as text."""

    def header(self, schema: Schema) -> bytes:
        """Nothing."""
        return b""

    def encode(self, columns: Columns, whole: bool, metadata: Mapping[str, Any]) -> Any:
        names = list(columns)
        rows = zip(*(plain(array) for array in columns.values()), strict=True)
        lines = [json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False, default=str) for row in rows]
        return "".join(f"{line}\n" for line in lines).encode(errors="surrogatepass")

    def assemble(
        self, draft: Path, parts: Iterator[Path], schema: Schema, rows: int, metadata: Mapping[str, Any]
    ) -> None:
        with DurableFile(draft) as file:
            copy_parts(file, parts)
