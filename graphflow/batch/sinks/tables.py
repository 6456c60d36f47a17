"""Parquet and Arrow files; the rows of vectors are lists of a fixed length, the job's metadata is the schema's."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphflow.batch.block import Array, Columns
from graphflow.batch.durable import DurableFile
from graphflow.batch.sinks.base import Schema
from graphflow.batch.sources.tables import need_pyarrow
from graphflow.errors import DataError


def arrow_column(name: str, array: Array) -> Any:
    """A NumPy array as an Arrow array.

    Raises:
        DataError: Python values of several kinds.
    """
    import pyarrow as pa

    if array.dtype.hasobject:
        try:
            return pa.array(array.tolist())
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise DataError(f"Column {name!r} holds values of several kinds: {error}.") from None
    made = pa.array(np.ascontiguousarray(array).reshape(-1))
    for size in reversed(array.shape[1:]):
        made = pa.FixedSizeListArray.from_arrays(made, size) if size else pa.array([[]] * len(array))
    return made


class TableFormat:
    """What Parquet and Arrow have in common."""

    in_place = False

    def __init__(self) -> None:
        need_pyarrow()

    def check(self, columns: Columns, path: Path) -> None:
        """Everything has an Arrow type, or is refused by pyarrow when it is made."""

    def _table(self, columns: Columns, metadata: Mapping[str, Any]) -> Any:
        import pyarrow as pa

        table = pa.table({name: arrow_column(name, array) for name, array in columns.items()})
        return table.replace_schema_metadata(_packed(metadata)) if metadata else table

    def _writer(self, file: Any, schema: Any) -> Any:
        raise NotImplementedError

    def _read(self, path: Path) -> Any:
        raise NotImplementedError

    def encode(self, columns: Columns, whole: bool, metadata: Mapping[str, Any]) -> Any:
        file = io.BytesIO()
        table = self._table(columns, metadata)
        with self._writer(file, table.schema) as writer:
            writer.write_table(table)
        return file.getvalue()

    def assemble(
        self, draft: Path, parts: Iterator[Path], schema: Schema, rows: int, metadata: Mapping[str, Any]
    ) -> None:
        import pyarrow as pa

        first = self._read(next(parts))
        wanted = _widened(first.schema).with_metadata(_packed(metadata))
        with (
            DurableFile(draft) as file,
            pa.PythonFile(file, mode="w") as target,
            self._writer(target, wanted) as writer,
        ):
            writer.write_table(first.cast(wanted))
            for path in parts:
                table = self._read(path)
                try:
                    table = table.cast(wanted)
                except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, ValueError) as error:
                    raise DataError(f"{path}: its columns are not of the kinds of the first shard: {error}.") from None
                writer.write_table(table)


def _widened(schema: Any) -> Any:
    """A schema in which a column that held only nulls in the first shard may hold text."""
    import pyarrow as pa

    return pa.schema([one.with_type(pa.string()) if pa.types.is_null(one.type) else one for one in schema])


def _packed(metadata: Mapping[str, Any]) -> dict[str, str]:
    return {"graphflow": json.dumps(metadata, sort_keys=True)}


class ParquetFormat(TableFormat):
    """A row group for each shard."""

    def _writer(self, file: Any, schema: Any) -> Any:
        import pyarrow.parquet as parquet

        return parquet.ParquetWriter(file, schema, compression="snappy")

    def _read(self, path: Path) -> Any:
        import pyarrow.parquet as parquet

        return parquet.read_table(path, partitioning=None, memory_map=False)


class ArrowFormat(TableFormat):
    """The file format of Arrow's IPC, a record batch for each shard."""

    def _writer(self, file: Any, schema: Any) -> Any:
        import pyarrow as pa

        return pa.ipc.new_file(file, schema)

    def _read(self, path: Path) -> Any:
        import pyarrow as pa

        with pa.OSFile(str(path)) as file:
            return pa.ipc.open_file(file).read_all()
