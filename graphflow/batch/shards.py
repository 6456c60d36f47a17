"""`ShardRunner`: runs a range of a job's shards in this process. The seam on which engines of many processes stand.

Everything that must be equal for the same bytes is in `Settings`, fixed when a job begins. A runner is made once in a
process; `run` writes shards durably and hands an entry for the journal to `commit` behind each. Shards may be done in
any order and by any process, where the source has random access and the sink is not ordered.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from graphflow.batch import durable
from graphflow.batch.block import Array, Bad, Block, Columns, Cursor, joined, objects
from graphflow.batch.mapping import Mapper, apply_to_rows, reason_of, refused_rows
from graphflow.batch.model import JobModel
from graphflow.batch.post import Post
from graphflow.batch.sinks.base import Sink, schema_of
from graphflow.batch.sources.base import Source
from graphflow.batch.stages import Times, run_stages
from graphflow.errors import ArgumentError, ArgumentTypeError, DataError, UnsupportedError

Entry = dict[str, Any]
ON_ERROR = ("stop", "skip", "fill")


@dataclass(frozen=True)
class Settings:
    """What is fixed when a job begins.

    Args:
        batch_size: rows of a run.
        block_rows: rows that travel at once, whole batches.
        shard_rows: rows of the source that a shard takes, whole blocks.
        on_error: "stop", "skip" or "fill".
        fill: the number in rows that are filled; None: NaN.
        ids: identifier columns.
        inputs: the columns of each input.
        post: what is done to outputs.
        isa: the instruction set.
        precision: of the session.
    """

    batch_size: int
    block_rows: int
    shard_rows: int
    on_error: str
    fill: float | None
    ids: tuple[str, ...]
    inputs: dict[str, tuple[str, ...]]
    post: Any
    isa: str
    precision: str

    def as_data(self) -> dict[str, Any]:
        """As plain data, as JSON gives it back."""
        data: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return data


@dataclass(slots=True)
class Work:
    """A block on its way: the rows that a run takes, the identifiers of all that could be read, the bad rows."""

    block: Block
    inputs: list[Array] | None
    kept: Array
    bad: list[Bad]
    outputs: list[Array] | None = None


class ShardRunner:
    """Runs shards of one job.

    Args:
        model, source, mapper, post, sink: the parts of the job.
        settings: what was fixed when it began.
        times: where busy time is counted.
        told: called with the number of rows written, from the writer's thread.
    """

    def __init__(
        self,
        model: JobModel,
        source: Source,
        mapper: Mapper,
        post: Post,
        sink: Sink,
        settings: Settings,
        times: Times | None = None,
        told: Callable[[int], None] | None = None,
    ) -> None:
        self.model, self.source, self.sink, self.settings = model, source, sink, settings
        self._mapper, self._post = mapper, post
        self.times = times or Times()
        self._told = told or (lambda rows: None)
        self._commit: Callable[[Entry], None] = lambda entry: None
        self._row = 0
        self._at_end = threading.Event()
        self._every = np.arange(settings.block_rows)

    def run(
        self,
        first: int,
        stop: int | None,
        commit: Callable[[Entry], None],
        cursor: Cursor | None = None,
        row: int | None = None,
    ) -> bool:
        """Do shards `first` to `stop` (excluded; None: to the end of the source).

        Args:
            first, stop: numbers of shards.
            commit: called with the entry of each shard once its files are on the disk.
            cursor: where the shard before ended, for sources without random access.
            row: how many rows the shards before have written, for sinks that are told; None: each row of the source
                has one.

        Returns:
            Whether the source ended.

        Raises:
            DataError: a bad row, if the policy is to stop.
        """
        size = self.settings.shard_rows
        self._commit = commit
        self._row = first * size if row is None else row
        self._at_end.clear()
        columns = self._mapper.columns(self.settings.ids)
        blocks = self.source.read(first * size, cursor, self.settings.block_rows, columns)
        end = None if stop is None else stop * size
        runners = self.model.share(self.settings.batch_size)
        run_stages(
            self._until(blocks, end),
            self._prepare,
            self._run,
            self._ends,
            self._write,
            self.times,
            depth=waiting_blocks(self.settings.block_rows, self.model.bytes_per_row()[0]),
            runners=runners,
            apart=self._mapper.calls_python,
        )
        return self._at_end.is_set()

    def run_empty(self, commit: Callable[[Entry], None]) -> None:
        """Do the one shard of a source that has no rows."""
        self._commit, self._row = commit, 0
        empty = np.zeros(0, np.int64)
        self._write([Work(Block(0, 0, {name: objects([]) for name in self.settings.ids}), None, empty, [])])

    def _until(self, blocks: Iterator[Block], end: int | None) -> Iterator[Block]:
        for block in blocks:
            yield block
            if end is not None and block.start + block.rows >= end:
                return
        self._at_end.set()

    def _stopped(self, bad: Sequence[Bad]) -> DataError:
        text = f" It begins: {bad[0].text[:80]!r}" if bad[0].text else ""
        return DataError(f"{bad[0].place}: {bad[0].reason.rstrip('.')}.{text}")

    # prepare

    def _prepare(self, block: Block) -> Work:
        if block.bad and self.settings.on_error == "stop":
            raise self._stopped(block.bad)
        rows = block.rows - len(block.bad)
        if not rows:
            return Work(block, None, np.zeros(0, np.int64), block.bad)
        try:
            return Work(block, self._mapper(block.columns), self._every[:rows], block.bad)
        except (ArgumentTypeError, MemoryError):
            raise
        except Exception as error:
            made, kept, refused = apply_to_rows(self._mapper, block.columns, rows, reason_of)
            if not refused:
                raise DataError(f"{self.source.place(block.start)}: {reason_of(error)}") from error
            bad = refused_rows(block, refused, self.source.place)
            if self.settings.on_error == "stop":
                raise self._stopped(bad) from error
            return Work(block, made, kept, sorted([*block.bad, *bad]))

    # run

    def _run(self, work: Work) -> Work:
        if work.inputs is None:
            return work
        try:
            work.outputs = self._outputs(work.inputs)
        except DataError as error:
            given = {str(index): array for index, array in enumerate(work.inputs)}
            made, kept, refused = apply_to_rows(
                lambda columns: self._outputs(list(columns.values())), given, len(work.kept), reason_of
            )
            bad = refused_rows(
                work.block, {int(work.kept[index]): reason for index, reason in refused.items()}, self.source.place
            )
            if self.settings.on_error == "stop" and bad:
                raise self._stopped(bad) from error
            work.outputs, work.kept, work.bad = made, work.kept[kept], sorted([*work.bad, *bad])
        work.inputs = None
        columns = work.block.columns
        work.block.columns = {name: columns[name] for name in self.settings.ids if name in columns}
        return work

    def _outputs(self, inputs: list[Array]) -> list[Array]:
        rows = len(inputs[0])
        batches = self.model.run(inputs, self.settings.batch_size)
        outputs = [joined([batch[index] for batch in batches]) for index in range(len(batches[0]))]
        for name, output in zip(self.model.output_names, outputs, strict=False):
            if not output.ndim or len(output) != rows:
                raise UnsupportedError(
                    f"Output {name!r} has shape {output.shape} for {rows} rows: a job writes a row for each row."
                )
        return outputs

    # write

    def _ends(self, work: Work) -> bool:
        return (work.block.start + work.block.rows) % self.settings.shard_rows == 0

    def _write(self, held: list[Work]) -> None:
        """Write the blocks of a shard."""
        start = held[0].block.start
        shard = start // self.settings.shard_rows
        columns = self._columns(held)
        rows = len(next(iter(columns.values())))
        bad = [one for work in held for one in work.bad]
        last = held[-1].block
        entry: Entry = {
            "kind": "shard",
            "shard": shard,
            "source_rows": last.start + last.rows - start,
            "rows": rows,
            "bad": len(bad),
            "cursor": last.cursor,
            "schema": schema_of(columns),
            "files": self.sink.write_shard(shard, self._row, columns),
        }
        if bad and self.sink.folder is not None:
            durable.write_file(rejects_path(self.sink.folder, shard), reject_lines(bad))
        elif bad:
            sys.stderr.write(reject_lines(bad).decode())
        self._commit(entry)
        self._row += rows
        self._told(entry["source_rows"])

    def _columns(self, held: list[Work]) -> Columns:
        """The columns that a shard writes: identifiers, then outputs after their steps."""
        outputs = [work.outputs for work in held if work.outputs is not None]
        made = [joined(list(parts)) for parts in zip(*outputs, strict=True)] if outputs else self._empty_outputs()
        columns = self._post(dict(zip(self.model.output_names, made, strict=True)))
        ids = {name: [work.block.columns.get(name) for work in held] for name in self.settings.ids}
        for name in ids:
            if name in columns:
                raise ArgumentError(f"{name!r} names an identifier column and an output.")
        if self.settings.on_error == "fill":
            return {**self._ids_of_all(held, ids), **self._filled(held, columns)}
        kept = {
            name: [
                column[work.kept] if len(work.kept) != len(column) else column
                for column, work in zip(parts, held, strict=True)
                if column is not None
            ]
            for name, parts in ids.items()
        }
        return {**{name: joined(parts) if parts else objects([]) for name, parts in kept.items()}, **columns}

    def _empty_outputs(self) -> list[Array]:
        """Outputs of no rows."""
        return self.model.run([np.zeros((0, *_known(spec.shape)), spec.dtype) for spec in self.model.specs], 1)[0]

    def _filled(self, held: list[Work], columns: Columns) -> Columns:
        start = held[0].block.start
        where = joined([work.block.good_rows()[work.kept] - start for work in held])
        total = held[-1].block.start + held[-1].block.rows - start
        if len(where) == total:
            return columns
        made: Columns = {}
        for name, array in columns.items():
            value = np.nan if self.settings.fill is None else self.settings.fill
            if array.dtype.kind != "f" and (not np.isfinite(value) or array.dtype.type(value) != value):
                raise ArgumentError(f"Rows of {name!r}, {array.dtype}, can not be filled with {value!r}; say fill=.")
            made[name] = np.full((total, *array.shape[1:]), value, array.dtype)
            made[name][where] = array
        return made

    def _ids_of_all(self, held: list[Work], ids: Mapping[str, list[Array | None]]) -> Columns:
        made: Columns = {}
        for name, parts in ids.items():
            full: list[Array] = []
            for work, part in zip(held, parts, strict=True):
                block = work.block
                if part is not None and not block.bad:
                    full.append(part)
                    continue
                values = np.full(block.rows, None, object)
                if part is not None:
                    values[block.good_rows() - block.start] = part
                full.append(values)
            if len({one.dtype for one in full}) > 1:
                full = [objects(one.tolist()) for one in full]
            made[name] = joined(full)
        return made


def _known(shape: Sequence[int | None]) -> list[int]:
    return [1 if size is None else size for size in shape[1:]]


def rejects_path(folder: Path, shard: int) -> Path:
    """Where the bad rows of a shard are until the job is finished."""
    return folder / f"rejects-{shard:06d}.jsonl"


def reject_lines(bad: Sequence[Bad]) -> bytes:
    """Bad rows as JSON lines."""
    lines = [json.dumps(one._asdict(), ensure_ascii=False) for one in bad]
    return "".join(f"{line}\n" for line in lines).encode(errors="backslashreplace")


def block_rows(batch: int, shard: int, row_bytes: int) -> int:
    """Rows that travel at once: as many whole batches as fit 2 MiB and fill a shard evenly, at least one.

    Example:
        >>> block_rows(32, 65536, 1024), block_rows(100, 65600, 64)
        (2048, 16400)
    """
    batches = shard // batch
    most = max(1, min(batches, (2 << 20) // max(1, batch * row_bytes)))
    return batch * next(count for count in range(most, 0, -1) if batches % count == 0)


def waiting_blocks(rows: int, row_bytes: int) -> int:
    """How many blocks may wait for the next stage: about 12 MiB of them, so that where there are fewer processors than
    threads none is idle while another waits for its turn; of large ones two.

    Example:
        >>> waiting_blocks(8192, 132), waiting_blocks(16, 1 << 20)
        (8, 2)
    """
    return max(2, min(8, (12 << 20) // max(1, rows * row_bytes)))
