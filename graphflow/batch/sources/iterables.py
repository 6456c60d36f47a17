"""Python objects as sources: iterables of batches, and objects with `__len__` and `__getitem__` as PyDataset has.

A batch is an array, a tuple whose first item is the input (as Keras' generators give), a list of arrays, or a dict of
arrays by name. What an iterable gave before a stop is skipped when the job goes on, and compared by a checksum.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from graphflow.batch.block import Block, Columns, Cursor
from graphflow.batch.identity import array_identity
from graphflow.batch.sources.base import Source, regroup
from graphflow.errors import ArgumentTypeError, DataError, ShapeError


def columns_of(batch: Any, names: Sequence[str] | None) -> Columns:
    """A batch as columns: those of a dict by their names, others by position: `data` or `data_0`, `data_1`...

    Raises:
        ArgumentTypeError: it holds no arrays.
        ShapeError: unequal numbers of rows.
    """
    if isinstance(batch, tuple):
        batch = batch[0]
    if isinstance(batch, Mapping):
        found = {str(name): np.asarray(array) for name, array in batch.items()}
    elif isinstance(batch, list) and batch and all(hasattr(one, "shape") for one in batch):
        found = {f"data_{index}": np.asarray(array) for index, array in enumerate(batch)}
    else:
        found = {"data": np.asarray(batch)}
    for name, array in found.items():
        if not array.ndim:
            raise ArgumentTypeError(f"A batch of {name!r} must be an array of rows, received {array[()]!r}.")
    if len({len(array) for array in found.values()}) > 1:
        listed = ", ".join(f"{name}: {len(array)}" for name, array in found.items())
        raise ShapeError(f"All arrays of a batch must have the same number of rows, received {listed}.")
    if names is not None and set(found) != set(names):
        raise DataError(f"All batches must have the same columns: {', '.join(names)}; received {', '.join(found)}.")
    return found


class IterableSource(Source):
    """Batches of an iterable, one after another.

    Args:
        batches: an iterable or iterator of batches.
    """

    def __init__(self, batches: Any) -> None:
        self._batches = batches
        self._iterator = iter(batches)
        self._first: list[Any] = []
        self.can_repeat = self._iterator is not batches
        for one in self._iterator:
            self._first = [one]
            self.columns = tuple(columns_of(one, None))
            break

    def identity(self) -> dict[str, Any]:
        return {"kind": "iterable", "columns": list(self.columns)}

    def _pieces(self) -> Iterator[Columns]:
        if self._first is None:
            self._iterator = iter(self._batches)
        first, self._first = self._first or [], None  # type: ignore[assignment]
        for batches in (first, self._iterator):
            for batch in batches:
                made = columns_of(batch, self.columns)
                if len(next(iter(made.values()))):
                    yield made

    def read(self, start: int, cursor: Cursor | None, size: int, columns: Sequence[str]) -> Iterator[Block]:
        checksum, at = 0, 0
        expected = cursor["checksum"] if cursor else None
        for block in regroup(((one, None) for one in self._pieces()), 0, size):
            for name in sorted(block.columns):
                array = block.columns[name]
                data = repr(array.tolist()).encode() if array.dtype.hasobject else np.ascontiguousarray(array).data
                checksum = zlib.crc32(data, checksum)
            at = block.start + block.rows
            block.cursor = {"rows": at, "checksum": checksum}
            if block.start >= start:
                block.columns = {name: block.columns[name] for name in columns}
                yield block
            elif at == start and checksum != expected:
                raise DataError(f"The first {start:,} rows are not those that were done: their checksums differ.")
        if at < start:
            raise DataError(f"{start:,} rows were done, but the source gave only {at:,} this time.")


class DatasetSource(Source):
    """Batches of an object with `__len__` and `__getitem__`; each is asked for when it is needed, and none twice.

    Args:
        dataset: gives batch number i for `dataset[i]`.
    """

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self._count = len(dataset)
        self._first = dataset[0] if self._count else None
        self.columns = tuple(columns_of(self._first, None)) if self._count else ()

    def identity(self) -> dict[str, Any]:
        first = columns_of(self._dataset[0], None) if self._count else {}
        made = {name: array_identity(array) for name, array in first.items()}
        return {"kind": "dataset", "batches": self._count, "first": made}

    def read(self, start: int, cursor: Cursor | None, size: int, columns: Sequence[str]) -> Iterator[Block]:
        where = cursor or {"batch": 0, "skip": 0}
        first = int(where["batch"])
        position = start
        marks: list[tuple[int, int, int]] = []

        def pieces() -> Iterator[tuple[Columns, None]]:
            nonlocal position
            for index in range(first, self._count):
                batch = self._first if index == 0 and self._first is not None else self._dataset[index]
                self._first = None
                made = columns_of(batch, self.columns)
                skip = int(where["skip"]) if index == first else 0
                marks.append((position, index, skip))
                made = {name: made[name][skip:] for name in columns}
                rows = len(next(iter(made.values()))) if made else 0
                position += rows
                if rows:
                    yield made, None

        for block in regroup(pieces(), start, size):
            end = block.start + block.rows
            while len(marks) > 1 and marks[1][0] <= end:
                marks.pop(0)
            begin, index, skip = marks[0]
            block.cursor = {"batch": index, "skip": skip + end - begin}
            yield block
