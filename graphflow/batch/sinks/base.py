"""What every sink is: shards in any order, then one whole; and the files that most of them write."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from graphflow.batch import durable
from graphflow.batch.block import Array, Columns
from graphflow.errors import ArgumentError, DataError, UnsupportedError

Schema = list[list[Any]]
"""Name, dtype and shape of a row of each column."""
Record = dict[str, Any]
"""A file of a shard: its name, bytes and CRC32."""


def schema_of(columns: Columns) -> Schema:
    """The schema of columns, as plain data."""
    return [[name, array.dtype.str, list(array.shape[1:])] for name, array in columns.items()]


class Sink(Protocol):
    """Where the columns of a job go.

    Attributes:
        folder: where shards and the journal are until the job is finished; None: the job can not be resumed.
        ordered: whether shards must come in order.
    """

    folder: Path | None
    ordered: bool

    def identity(self) -> dict[str, Any]:
        """What must be equal for a job to go on, as plain data."""

    def begin(self, rows: int | None) -> None:
        """Be ready for shards.

        Args:
            rows: how many rows will come, None if that is not known.
        """

    def write_shard(self, shard: int, row: int, columns: Columns) -> list[Record]:
        """Write the rows of a shard, durably; doing it again changes nothing.

        Args:
            shard: its number.
            row: the first row's place in the output, if every row has one.
            columns: the rows.
        """

    def assemble(self, entries: Sequence[Mapping[str, Any]], metadata: Mapping[str, Any]) -> None:
        """Make the whole from all shards, under the name of a draft.

        Args:
            entries: those of all shards, in order.
            metadata: what the output says of itself.
        """

    def publish(self) -> None:
        """Give drafts their names; doing it again changes nothing."""

    def outputs(self) -> list[str]:
        """The names of what is written."""


class Format(Protocol):
    """A kind of file."""

    in_place: bool

    def check(self, columns: Columns, path: Path) -> None:
        """Refuse columns that it can not hold."""

    def encode(self, columns: Columns, whole: bool, metadata: Mapping[str, Any]) -> Any:
        """A shard as bytes; `whole`: as a file of its own."""

    def assemble(
        self, draft: Path, parts: Iterator[Path], schema: Schema, rows: int, metadata: Mapping[str, Any]
    ) -> None:
        """Make one file from the files of shards."""


class FileSink:
    """Files: one, one for each output (`{output}` in the name), or a folder with one for each shard.

    Args:
        path: of the file or folder.
        format: what writes it.
        ending: of its files.
        folder: whether `path` is a folder of shards.
        ids: the names of identifier columns, which go into every file.
        outputs: the names of the other columns.
    """

    ordered = False

    def __init__(
        self, path: Path, format: Format, ending: str, folder: bool, ids: Sequence[str], outputs: Sequence[str]
    ) -> None:
        self.path = path
        self._format = format
        self._ending = ending
        self._as_folder = folder
        self._ids, self._outputs = list(ids), list(outputs)
        self._rows: int | None = None
        self._heads = "{output}" in path.name
        if folder and self._heads:
            raise ArgumentError(f"{path}: a folder of shards holds all outputs; {{output}} is for single files.")
        if not path.parent.is_dir():
            raise FileNotFoundError(2, "No such file or directory", str(path.parent))
        self.folder: Path | None = path.with_name(f"{self._plain_name}.parts")

    @property
    def _plain_name(self) -> str:
        return self.path.name.replace("{output}", "output")

    @property
    def sidecar(self) -> Path:
        """The file that says what the output is."""
        return self.path.with_name(f"{self._plain_name}.job.json")

    def identity(self) -> dict[str, Any]:
        return {"name": self.path.name, "ending": self._ending, "folder": self._as_folder}

    def begin(self, rows: int | None) -> None:
        self._rows = rows

    @property
    def parts(self) -> Path:
        """Where shards are."""
        assert self.folder is not None
        return self.folder / "shards" if self._as_folder else self.folder

    def _targets(self) -> list[tuple[str, list[str]]]:
        """The name of each file and its columns."""
        if not self._heads:
            return [(self.path.name, [*self._ids, *self._outputs])]
        return [(self.path.name.replace("{output}", one.replace("/", "_")), [*self._ids, one]) for one in self._outputs]

    def _in_place(self) -> bool:
        return self._format.in_place and self._rows is not None and not self._as_folder

    def write_shard(self, shard: int, row: int, columns: Columns) -> list[Record]:
        durable.make_folder(self.parts)
        records = []
        for index, (target, names) in enumerate(self._targets()):
            chosen = {name: columns[name] for name in names}
            self._format.check(chosen, self.path)
            if self._in_place():
                (array,) = chosen.values()
                records.append(self._write_rows(target, row, array))
                continue
            data = memoryview(self._format.encode(chosen, self._as_folder, {})).cast("B")
            name = f"part-{shard:06d}{self._ending}" if self._as_folder else f"{index}-{shard:06d}{self._ending}"
            durable.write_file(self.parts / name, data)
            records.append({"name": name, "bytes": len(data), "crc": zlib.crc32(data)})
        return records

    def _write_rows(self, target: str, row: int, array: Array) -> Record:
        """Write rows to their place in a `.npy` draft of full size."""
        assert self._rows is not None
        header = npy_header(self._rows, array.dtype, array.shape[1:])
        row_bytes = array.dtype.itemsize * int(np.prod(array.shape[1:]))
        draft = self._draft(target)
        durable.allocate(draft, len(header) + self._rows * row_bytes)
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data if array.size else b""
        at = len(header) + row * row_bytes
        durable.write_at(draft, data, at)
        return {"name": draft.name, "at": at, "bytes": len(data), "crc": zlib.crc32(data)}

    def _draft(self, target: str) -> Path:
        assert self.folder is not None
        return self.folder / f"whole-{target}"

    def assemble(self, entries: Sequence[Mapping[str, Any]], metadata: Mapping[str, Any]) -> None:
        schema: Schema = entries[0]["schema"]
        self._check_parts(entries)
        rows = sum(entry["rows"] for entry in entries)
        if self._in_place():
            for (target, _), (_, dtype, shape) in zip(self._targets(), schema, strict=True):
                durable.write_at(self._draft(target), npy_header(rows, np.dtype(dtype), shape), 0)
        if self._as_folder or self._in_place():
            return
        by_name = {column[0]: column for column in schema}
        for index, (target, names) in enumerate(self._targets()):
            paths = (self.parts / entry["files"][index]["name"] for entry in entries)
            self._format.assemble(self._draft(target), paths, [by_name[name] for name in names], rows, metadata)

    def _check_parts(self, entries: Sequence[Mapping[str, Any]]) -> None:
        for entry in entries:
            for record in entry["files"]:
                path = self.parts / record["name"]
                if not path.exists() or _checksum(path, record.get("at", 0), record["bytes"]) != record["crc"]:
                    raise DataError(
                        f"{path}: this shard is not as the job wrote it. Start anew with resume=False (--no-resume)."
                    )

    def publish(self) -> None:
        assert self.folder is not None
        if self._as_folder:
            if self.parts.exists():
                durable.remove_drafts(self.parts)
                durable.remove_folder(self.path)
                durable.rename(self.parts, self.path)
            return
        for draft in sorted(self.folder.glob("whole-*")):
            if draft.suffix == ".draft":
                continue
            target = self.path.with_name(draft.name.removeprefix("whole-"))
            if target.is_dir():
                durable.remove_folder(target)
            durable.rename(draft, target)

    def outputs(self) -> list[str]:
        return [str(self.path.with_name(target)) for target, _ in self._targets()]

    def existing(self) -> list[Path]:
        """What is there already under the names of the output."""
        return [path for path in map(Path, self.outputs()) if path.exists()]


def _checksum(path: Path, at: int, size: int) -> int:
    """The CRC32 of bytes of a file, -1 if they are not all there."""
    checksum = 0
    with path.open("rb") as file:
        file.seek(at)
        while size:
            part = file.read(min(size, 1 << 20))
            if not part:
                return -1
            checksum = zlib.crc32(part, checksum)
            size -= len(part)
    return checksum


def npy_header(rows: int, dtype: np.dtype[Any], shape: Sequence[int]) -> bytes:
    """The beginning of a `.npy` file."""
    from io import BytesIO

    made = BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": (rows, *shape)}
    np.lib.format.write_array_header_1_0(made, described)
    return made.getvalue()


def refuse_objects(columns: Columns, what: str, path: Path) -> None:
    """Refuse columns of Python values.

    Raises:
        UnsupportedError: there is one.
    """
    for name, array in columns.items():
        if array.dtype.hasobject:
            raise UnsupportedError(f"{path}: {what} holds numbers; column {name!r} holds text. Use .parquet or .csv.")
