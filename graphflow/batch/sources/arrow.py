"""Arrow files as sources."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphflow.batch.sources import tables
from graphflow.batch.sources.tables import TableSource


class ArrowSource(TableSource):
    """Arrow files (also called Feather 2), memory-mapped; each record batch is a group."""

    kind = "Arrow"

    def _open(self, path: Path) -> tuple[Any, list[int]]:
        import pyarrow as pa

        with pa.memory_map(str(path)) as file, pa.ipc.open_file(file) as reader:
            return reader.schema, [reader.get_batch(i).num_rows for i in range(reader.num_record_batches)]

    def _bytes(self, index: int, columns: list[str]) -> int:
        return tables.PIECE + 1

    def _slices(self, path: Path, group: int, skip: int, size: int, columns: list[str]) -> Iterator[Any]:
        import pyarrow as pa

        with pa.OSFile(str(path)) as file, pa.ipc.open_file(file) as reader:
            batch = reader.get_batch(group)
            batch.validate(full=True)
            chosen = batch.select(columns)
            yield chosen.slice(skip)
