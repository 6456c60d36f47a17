"""Sinks that hand rows on at once: standard output, and functions."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from graphflow.batch.block import Columns
from graphflow.batch.identity import function_hash
from graphflow.batch.sinks.base import Record, schema_of
from graphflow.batch.sinks.text import CsvFormat, JsonLinesFormat


class StreamSink:
    """Text to standard output, shard by shard. What is written is gone: such a job can not be resumed.

    Args:
        format: how rows are written.
    """

    folder: Path | None = None
    ordered = True

    def __init__(self, format: CsvFormat | JsonLinesFormat) -> None:
        self._format = format
        self._begun = False

    def identity(self) -> dict[str, Any]:
        return {"name": "standard output"}

    def begin(self, rows: int | None) -> None:
        """Nothing is needed before the first rows."""

    def write_shard(self, shard: int, row: int, columns: Columns) -> list[Record]:
        data = self._format.encode(columns, False, {})
        if not self._begun:
            data = self._format.header(schema_of(columns)) + data
            self._begun = True
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return []

    def assemble(self, entries: Sequence[Mapping[str, Any]], metadata: Mapping[str, Any]) -> None:
        """Everything is written already."""

    def publish(self) -> None:
        """Everything is written already."""

    def outputs(self) -> list[str]:
        return ["-"]


class CallableSink:
    """A function that is called with each shard, in order.

    Args:
        function: takes the number of the shard's first row and a dict of arrays.
        folder: where the journal is; None: the job can not be resumed. A kill between the call and the journal's line
            makes the same shard come again, with the same number.
    """

    ordered = True

    def __init__(self, function: Callable[[int, Columns], Any], folder: Path | None) -> None:
        self._function = function
        self.folder = folder

    def identity(self) -> dict[str, Any]:
        return {"name": "function", "function": function_hash(self._function)}

    def begin(self, rows: int | None) -> None:
        """Nothing is needed before the first rows."""

    def write_shard(self, shard: int, row: int, columns: Columns) -> list[Record]:
        self._function(row, columns)
        return []

    def assemble(self, entries: Sequence[Mapping[str, Any]], metadata: Mapping[str, Any]) -> None:
        """Everything has been handed on already."""

    def publish(self) -> None:
        """Everything has been handed on already."""

    def outputs(self) -> list[str]:
        return []
