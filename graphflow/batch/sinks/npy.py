"""`.npy` files: allocated at once and filled row by row where the number of rows is known, else joined at the end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from graphflow.batch.block import Columns
from graphflow.batch.durable import DurableFile
from graphflow.batch.sinks.base import Schema, npy_header, refuse_objects
from graphflow.errors import ArgumentError


class NpyFormat:
    """One array a file. Readers may memory-map it."""

    in_place = True

    def check(self, columns: Columns, path: Path) -> None:
        refuse_objects(columns, "a .npy file", path)
        if len(columns) != 1:
            raise ArgumentError(
                f"{path}: a .npy file holds one array, there are the columns {', '.join(columns)}. Write {{output}} "
                "into the name for a file each, or use .parquet, .zarr or .csv."
            )

    def encode(self, columns: Columns, whole: bool, metadata: Mapping[str, Any]) -> Any:
        (array,) = columns.values()
        data = np.ascontiguousarray(array).tobytes()
        return npy_header(len(array), array.dtype, array.shape[1:]) + data if whole else data

    def assemble(
        self, draft: Path, parts: Iterator[Path], schema: Schema, rows: int, metadata: Mapping[str, Any]
    ) -> None:
        (_, dtype, shape), *_ = schema
        with DurableFile(draft) as file:
            file.write(npy_header(rows, np.dtype(dtype), shape))
            copy_parts(file, parts)


def copy_parts(file: DurableFile, parts: Iterator[Path]) -> None:
    """Write the bytes of files, one behind the other."""
    for path in parts:
        with path.open("rb") as part:
            while data := part.read(1 << 20):
                file.write(data)
