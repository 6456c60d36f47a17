"""Parquet files as sources, decoded by Arrow from the mapped file, without a copy of its bytes first.

Opened files are kept for the next row group: to open one costs as much as some thousand rows.
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from graphflow.batch.sources.mapped import map_file, release
from graphflow.batch.sources.tables import TableSource

WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8}
"""Bytes of a number in memory; in the file it may take fewer, or more."""
POINTER = 8
"""Bytes of any other value in memory, at least."""


class ParquetSource(TableSource):
    """Parquet files."""

    kind = "Parquet"

    def __init__(self, files: Sequence[Path]) -> None:
        self._metadata: dict[Path, Any] = {}
        self._maps: dict[Path, mmap.mmap] = {}
        self._idle: dict[Path, list[Any]] = {}
        self._lock = threading.Lock()
        super().__init__(files)

    def _open(self, path: Path) -> tuple[Any, list[int]]:
        import pyarrow.parquet as parquet

        with parquet.ParquetFile(path) as file:
            self._metadata[path] = found = file.metadata
            return file.schema_arrow, [found.row_group(i).num_rows for i in range(found.num_row_groups)]

    def _bytes(self, index: int, columns: list[str]) -> int:
        file, group, _ = self._groups[index]
        found = self._metadata[self._files[file]].row_group(group)
        parts = (found.column(i) for i in range(found.num_columns))
        wanted = [one for one in parts if one.path_in_schema.split(".")[0] in columns]
        return sum(
            one.num_values * WIDTHS[one.physical_type]
            if one.physical_type in WIDTHS
            else max(one.total_uncompressed_size, one.num_values * POINTER)
            for one in wanted
        )

    def _slices(self, path: Path, group: int, skip: int, size: int, columns: list[str]) -> Iterator[Any]:

        start, stop = _extent(self._metadata[path].row_group(group))
        mapped, file = self._taken(path)
        if size:
            for batch in file.iter_batches(size, row_groups=[group], columns=columns, use_threads=False):
                release(mapped, start, stop)
                if skip >= batch.num_rows:
                    skip -= batch.num_rows
                    continue
                yield batch.slice(skip) if skip else batch
                skip = 0
        else:
            batches = file.read_row_group(group, columns, use_threads=False).slice(skip).to_batches()
            release(mapped, start, stop)
            yield from batches
        with self._lock:
            if self._maps.get(path) is mapped:
                self._idle.setdefault(path, []).append(file)

    def _taken(self, path: Path) -> tuple[mmap.mmap, Any]:
        """A mapped file, and it opened by Arrow for one thread at a time; the last two files stay mapped."""
        import pyarrow as pa
        import pyarrow.parquet as parquet

        with self._lock:
            if path not in self._maps:
                last = list(self._maps.items())[-1:]
                self._maps = {**dict(last), path: map_file(path)}
                self._idle = {one: files for one, files in self._idle.items() if one in self._maps}
            mapped = self._maps[path]
            if self._idle.get(path):
                return mapped, self._idle[path].pop()
        bytes_of = pa.BufferReader(pa.py_buffer(mapped))
        return mapped, parquet.ParquetFile(bytes_of, metadata=self._metadata[path], pre_buffer=False)


def _extent(group: Any) -> tuple[int, int]:
    """Where the bytes of a row group begin and end in its file."""
    columns = [group.column(index) for index in range(group.num_columns)]
    starts = [min(one.data_page_offset, one.dictionary_page_offset or one.data_page_offset) for one in columns]
    ends = [start + one.total_compressed_size for start, one in zip(starts, columns, strict=True)]
    return min(starts, default=0), max(ends, default=0)
