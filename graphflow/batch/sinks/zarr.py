"""Zarr stores: a group with an array for each column, a chunk for each shard's worth of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphflow.batch import durable
from graphflow.batch.block import Columns
from graphflow.batch.sinks.base import Schema, refuse_objects
from graphflow.errors import UnsupportedError


class ZarrFormat:
    """A Zarr group; its attributes hold the job's metadata."""

    in_place = False

    def __init__(self) -> None:
        try:
            import zarr  # noqa: F401
        except ImportError:
            raise UnsupportedError("Zarr stores need the package zarr: pip install 'graphflow-engine[zarr]'.") from None

    def check(self, columns: Columns, path: Path) -> None:
        refuse_objects(columns, "a .zarr store", path)

    def encode(self, columns: Columns, whole: bool, metadata: Mapping[str, Any]) -> Any:
        return b"".join(np.ascontiguousarray(array).tobytes() for array in columns.values())

    def assemble(
        self, draft: Path, parts: Iterator[Path], schema: Schema, rows: int, metadata: Mapping[str, Any]
    ) -> None:
        import zarr

        making = draft.with_name(f"{draft.name}.draft")
        durable.remove_folder(making)
        durable.remove_folder(draft)
        group = zarr.open_group(str(making), mode="w")
        group.attrs["graphflow"] = dict(metadata)
        chunk = max(1, min(max(rows, 1), int(metadata["settings"]["shard_rows"])))
        arrays = {
            name: group.create_array(
                name, shape=(rows, *shape), chunks=(chunk, *(max(1, n) for n in shape)), dtype=dtype
            )
            for name, dtype, shape in schema
        }
        sizes = [np.dtype(dtype).itemsize * int(np.prod(shape)) for _, dtype, shape in schema]
        row = 0
        for path in parts:
            data = path.read_bytes()
            count = len(data) // sum(sizes) if sum(sizes) else 0
            at = 0
            for (name, dtype, shape), size in zip(schema, sizes, strict=True):
                array = np.frombuffer(data, dtype, count * size // np.dtype(dtype).itemsize, at)
                arrays[name][row : row + count] = array.reshape(count, *shape)
                at += count * size
            row += count
        durable.sync_tree(making)
        durable.rename(making, draft)
