"""Arrays as sources: `.npy` and `.npz` files, Zarr, and anything with `shape`, `dtype` and slices.

Files are memory-mapped, and never held: the reader touches each page once, ahead of the kernels, and pages that lie
behind are given back, so that the memory of a job does not grow with its file.
"""

from __future__ import annotations

import mmap
import zipfile
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphflow.batch.block import Block, Cursor, joined
from graphflow.batch.identity import array_identity, file_identity
from graphflow.batch.sources.base import Source
from graphflow.batch.sources.mapped import map_file, release
from graphflow.errors import ArgumentError, DataError, ShapeError, UnsupportedError

Array = np.ndarray[Any, Any]
KEEP = 12 << 20
"""Bytes behind the reader that stay mapped."""


class Mapped:
    """A `.npy` file, or a stored member of a `.npz`, as an array of rows.

    Args:
        path: the file.
        at: where the `.npy` data begins in it.
        where: what messages call it.

    Raises:
        DataError: it is not a `.npy` file, is cut short, or holds Python objects.
    """

    def __init__(self, path: Path, at: int = 0, where: str = "") -> None:
        self.where = where or str(path)
        self.path = path
        try:
            with path.open("rb") as file:
                file.seek(at)
                version = np.lib.format.read_magic(file)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, fortran, dtype = read(file)
                start, size = file.tell(), file.seek(0, 2)
        except (ValueError, SyntaxError, TypeError) as error:
            raise DataError(f"{self.where}: not a readable .npy file: {error}") from None
        if dtype.hasobject:
            raise DataError(f"{self.where}: it holds Python objects, which are not read.")
        if not shape:
            raise ShapeError(f"{self.where}: a source needs rows, received a single number.")
        if fortran and len(shape) > 1:
            raise UnsupportedError(f"{self.where}: its rows are not stored one after another (Fortran order).")
        count = int(np.prod(shape, dtype=object))
        if count < 0 or start + count * dtype.itemsize > size:
            raise DataError(
                f"{self.where}: {shape} of {dtype} needs {count * dtype.itemsize:,} bytes, it is cut short."
            )
        self.shape, self.dtype = tuple(int(one) for one in shape), dtype
        self._map: mmap.mmap | None = None
        self._start, self._released, self._ahead = start, 0, 0
        self._array = np.zeros(shape, dtype)
        if count:
            self._map = map_file(path)
            self._array = np.frombuffer(self._map, dtype, count, start).reshape(shape)
        self._row = count // max(1, shape[0]) * dtype.itemsize

    def __getitem__(self, rows: slice) -> Array:
        """A slice of rows, whose pages are in memory when this returns."""
        part = self._array[rows]
        if part.size and part.flags.c_contiguous:
            part.reshape(-1).view(np.uint8)[:: mmap.PAGESIZE].max()
            self._release(rows.start or 0)
        return part

    def _release(self, row: int) -> None:
        """Give back the pages that lie far behind a row."""
        behind = (self._start + row * self._row - KEEP) // mmap.PAGESIZE * mmap.PAGESIZE
        if behind < self._released:
            self._released = 0
        if self._map is not None and behind - self._released >= KEEP // 3:
            release(self._map, self._released, behind)
            self._released = behind

    def identity(self) -> dict[str, Any]:
        """The file's identity."""
        return file_identity(self.path)


class Joined:
    """Arrays of one kind of rows, one behind the other.

    Args:
        parts: with equal `dtype` and equal `shape` behind the rows.

    Raises:
        ShapeError: they differ.
    """

    def __init__(self, parts: Sequence[Any]) -> None:
        first = parts[0]
        for one in parts:
            if one.shape[1:] != first.shape[1:] or one.dtype != first.dtype:
                raise ShapeError(
                    f"{getattr(one, 'where', 'a part')}: rows are {one.dtype}{one.shape[1:]}, "
                    f"those before it {first.dtype}{first.shape[1:]}."
                )
        self.parts = list(parts)
        self.ends = np.cumsum([one.shape[0] for one in parts]).tolist()
        self.shape, self.dtype = (self.ends[-1], *first.shape[1:]), first.dtype

    def __getitem__(self, rows: slice) -> Array:
        start, stop, _ = rows.indices(self.shape[0])
        index = bisect_right(self.ends, start)
        found = []
        while start < stop and index < len(self.parts):
            begin = self.ends[index - 1] if index else 0
            end = min(stop, self.ends[index])
            found.append(np.asarray(self.parts[index][start - begin : end - begin]))
            start, index = end, index + 1
        return joined(found) if found else np.asarray(self.parts[0][0:0])

    def identity(self) -> list[dict[str, Any]]:
        """The identities of the parts."""
        return [identity_of(one) for one in self.parts]


def identity_of(array: Any) -> Any:
    """The identity of an array or of the file behind it."""
    return array.identity() if hasattr(array, "identity") else array_identity(array)


class ArraySource(Source):
    """Arrays with equally many rows, each a column.

    Args:
        columns: name to array.

    Raises:
        ShapeError: unequal numbers of rows.
    """

    random_access = True

    def __init__(self, columns: Mapping[str, Any], where: str = "") -> None:
        if not columns:
            raise ArgumentError("A source needs at least one array.")
        for name, array in columns.items():
            if not getattr(array, "shape", ()):
                raise ShapeError(f"Column {name!r} needs rows, received a single number.")
        counts = {name: int(array.shape[0]) for name, array in columns.items()}
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"{name}: {count}" for name, count in counts.items())
            raise ShapeError(f"All columns must have the same number of rows, received {listed}.")
        self._arrays = dict(columns)
        self._where = where
        self.columns = tuple(columns)
        self.rows = next(iter(counts.values()))

    def identity(self) -> dict[str, Any]:
        return {"kind": "arrays", "columns": {name: identity_of(array) for name, array in self._arrays.items()}}

    def read(self, start: int, cursor: Cursor | None, size: int, columns: Sequence[str]) -> Iterator[Block]:
        assert self.rows is not None
        for at in range(start, self.rows, size):
            stop = min(at + size, self.rows)
            made = {name: np.asarray(self._arrays[name][at:stop]) for name in columns}
            for name, part in made.items():
                if len(part) != stop - at:
                    raise DataError(f"{self.place(at)}: column {name!r} gave {len(part)} rows for {stop - at}.")
            yield Block(at, stop - at, made)

    def place(self, row: int) -> str:
        return f"{self._where}, row {row}" if self._where else f"row {row}"

    def sample_bytes(self) -> int:
        return sum(int(np.prod(array.shape[1:])) * np.dtype(array.dtype).itemsize for array in self._arrays.values())


def open_npy(paths: Sequence[Path]) -> ArraySource:
    """`.npy` files, one behind the other, as the column `data`."""
    parts = [Mapped(path) for path in paths]
    return ArraySource({"data": parts[0] if len(parts) == 1 else Joined(parts)}, ", ".join(map(str, paths)))


def open_npz(paths: Sequence[Path]) -> ArraySource:
    """`.npz` files, one behind the other: a column for each member. Compressed members are read into memory.

    Raises:
        DataError: not a `.npz` file.
    """
    found: dict[str, list[Any]] = {}
    for path in paths:
        try:
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    name = info.filename.removesuffix(".npy")
                    found.setdefault(name, []).append(_member(path, archive, info))
        except (zipfile.BadZipFile, EOFError, ValueError) as error:
            if isinstance(error, ShapeError | DataError):
                raise
            raise DataError(f"{path}: not a readable .npz file: {error}") from None
    ragged = [name for name, parts in found.items() if len(parts) != len(paths)]
    if ragged:
        raise DataError(f"The arrays of .npz files must have the same names; {ragged[0]!r} is not in all of them.")
    columns = {name: parts[0] if len(parts) == 1 else Joined(parts) for name, parts in found.items()}
    return ArraySource(columns, ", ".join(map(str, paths)))


def _member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Any:
    where = f"{path}: {info.filename}"
    if info.compress_type == zipfile.ZIP_STORED:
        with path.open("rb") as file:
            file.seek(info.header_offset)
            header = file.read(30)
        if header[:4] != b"PK\x03\x04":
            raise DataError(f"{where}: not a readable .npz file: the member has no header.")
        skip = 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        return Mapped(path, info.header_offset + skip, where)
    with archive.open(info) as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def open_zarr(paths: Sequence[Path]) -> ArraySource:
    """Zarr stores: an array as the column `data`, or a group's arrays each as a column.

    Raises:
        UnsupportedError: zarr is not installed.
        DataError: not a Zarr store.
    """
    try:
        import zarr
    except ImportError:
        raise UnsupportedError("Zarr stores need the package zarr: pip install 'graphflow-engine[zarr]'.") from None
    found: dict[str, list[Any]] = {}
    for path in paths:
        try:
            store = zarr.open(str(path), mode="r")
        except Exception as error:
            raise DataError(f"{path}: not a readable Zarr store: {error}") from None
        arrays = {"data": store} if hasattr(store, "shape") else dict(store.arrays())
        for name, array in sorted(arrays.items()):
            found.setdefault(name, []).append(array)
    columns = {name: parts[0] if len(parts) == 1 else Joined(parts) for name, parts in found.items()}
    return ArraySource(columns, ", ".join(map(str, paths)))
