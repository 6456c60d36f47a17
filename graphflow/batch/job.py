"""`Job`: a model over all rows of a source, into a sink; it can be killed at any instant and goes on where it stood.

OUTPUT.parts/journal.jsonl    what the job is, then a line for each shard that is whole
OUTPUT.parts/...              shards, bad rows, drafts
OUTPUT, OUTPUT.job.json       at the end: the output, what it is; OUTPUT.rejects.jsonl: bad rows, if any
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import graphflow
from graphflow.batch import durable
from graphflow.batch.identity import differences, function_hash, without_times
from graphflow.batch.journal import Entry, Journal, lock_only
from graphflow.batch.mapping import Mapper, choose
from graphflow.batch.model import JobModel, sizes
from graphflow.batch.post import Post
from graphflow.batch.progress import Progress, Report, peak_memory
from graphflow.batch.shards import ON_ERROR, Settings, ShardRunner, block_rows, rejects_path
from graphflow.batch.sinks import Sink, open_sink
from graphflow.batch.sinks.base import FileSink
from graphflow.batch.sources import Source, open_source
from graphflow.batch.stages import Times
from graphflow.errors import ArgumentError, ArgumentTypeError, nearest
from graphflow.kernels import isa as instruction_sets

FORMAT = 1
Ranges = Sequence[tuple[int, int]]
Engine = Callable[["Job", Entry, Ranges, Callable[[Entry], None]], None]
"""Runs ranges of shards elsewhere: takes the job, its header, the ranges, and what to call with each shard's entry."""


@dataclass
class Opened:
    """The parts of a job, open in this process."""

    model: JobModel
    source: Source
    sink: Sink
    mapper: Mapper
    post: Post


class Job:
    """Rows of a source through a model into a sink, in bounded memory.

    Args:
        model: a `Model`, a `Session`, or the path of a model file.
        source: paths, a folder or pattern, arrays, or iterables; see `graphflow.batch.sources.open_source`.
        sink: a path, "-" or a function; see `graphflow.batch.sinks.open_sink`.
        batch_size: rows of a run, or "auto": by a rule on the bytes of a row. It is fixed when the job begins.
        map: a function from a dict of columns (arrays of a block's rows) to a dict of inputs, or to the one input.
        inputs: the column of each input, or the columns side by side; without it they are found by name.
        ids: identifier columns, which go into the output as they are.
        on_error: what a row does that can not be used: "stop", "skip" (and be listed in a file), or "fill".
        fill: the number in filled rows, NaN by default.
        post: "softmax", "argmax", "top-K", "threshold:T", a list of them, or a dict of these by output.
        shard_rows: rows of a shard, which is the unit of work that a kill can cost.
        source_format, sink_format: names of formats, where endings do not say them.
        source_options: further arguments of the source, such as `resize` and `scale` of images.
        work: the folder of the journal, for a sink that is a function.
        progress: "auto", "json" or "none".

    Example:
        >>> import tempfile, numpy as np, graphflow
        >>> from graphflow.batch import Job
        >>> from graphflow.samples import digits
        >>> output = tempfile.mkdtemp() + "/classes.npy"
        >>> report = Job(digits.MODEL, digits.IMAGES, output, post="argmax").run()
        >>> report.status, report.rows
        ('finished', 100)
        >>> bool((np.load(output) == np.load(digits.LABELS)).mean() > 0.9)
        True
    """

    def __init__(
        self,
        model: Any,
        source: Any,
        sink: Any,
        batch_size: int | str = "auto",
        map: Callable[..., Any] | None = None,
        *,
        inputs: Mapping[str, Any] | None = None,
        ids: str | Sequence[str] = (),
        on_error: str = "stop",
        fill: float | None = None,
        post: Any = None,
        shard_rows: int | None = None,
        source_format: str | None = None,
        sink_format: str | None = None,
        source_options: Mapping[str, Any] | None = None,
        work: str | os.PathLike[str] | None = None,
        progress: str = "none",
    ) -> None:
        if on_error not in ON_ERROR:
            raise ArgumentError(f"on_error must be one of {', '.join(ON_ERROR)}.{nearest(str(on_error), ON_ERROR)}")
        for name, value in (("batch_size", batch_size), ("shard_rows", shard_rows)):
            usable = isinstance(value, int) and not isinstance(value, bool) and value > 0
            if not usable and value not in ("auto", None):
                raise ArgumentError(f"{name} must be a positive integer or 'auto', received {value!r}.")
        if map is not None and not callable(map):
            raise ArgumentTypeError(f"map must be a function, received {type(map).__name__}.")
        self.model, self.source, self.sink = model, source, sink
        self.map, self.inputs, self.post = map, inputs, post
        self.ids = (ids,) if isinstance(ids, str) else tuple(ids)
        self.on_error, self.fill = on_error, fill
        self.batch_size = batch_size if isinstance(batch_size, int) else None
        self.shard_rows = shard_rows
        self.source_format, self.sink_format = source_format, sink_format
        self.source_options = dict(source_options or {})
        self.work = None if work is None else Path(work)
        self.progress = progress
        self._begun = False

    def run(self, resume: bool = True, engine: Engine | None = None) -> Report:
        """Do what is left of the job.

        Args:
            resume: go on where an earlier run of the same job stood; False: begin anew, and replace what is there.
            engine: what runs the shards; None: this process.

        Returns:
            A report.

        Raises:
            ArgumentError: what is there was begun by another job; the message says what differs.
            DataError: a row that can not be used, if the policy is to stop.
            OSError: a disk that is full or fails. What is done stays done: run again.
            KeyboardInterrupt: likewise.
        """
        start = time.perf_counter()
        self._begun = False
        opened = self.open()
        sink = opened.sink
        try:
            if sink.folder is None:
                return self._run(opened, None, start, engine)
            if not resume:
                _forget(sink)
            finished = self._finished(opened) if resume else None
            if finished is not None:
                return finished
            durable.make_folder(sink.folder)
            journal = Journal(sink.folder / "journal.jsonl")
            try:
                return self._run(opened, journal, start, engine)
            finally:
                journal.close()
        finally:
            opened.source.close()

    def can_resume(self) -> bool:
        """Whether the last `run` began, or went on with, a job that the next one can go on with."""
        return self._begun

    # -- parts

    def open(self, isa: str | None = None) -> Opened:
        """The parts of the job, open in this process."""
        model = JobModel(self.model, isa)
        source = open_source(self.source, self.source_format, self.source_options)
        post = Post(self.post, model.output_names)
        source.identifiers = frozenset(self.ids)
        sink = open_sink(self.sink, self.sink_format, self.ids, post.names(), self.work)
        names = [] if self.map is not None else model.input_names
        chosen = choose(self.inputs, names, model.specs, source.columns, self.ids)
        mapper = Mapper(chosen, model.input_names, model.specs, self.map)
        return Opened(model, source, sink, mapper, post)

    def worker(self, header: Entry, opened: Opened | None = None) -> ShardRunner:
        """A runner of shards in this process, for a job that began with `header` (see `ShardRunner.run`).

        Raises:
            ArgumentError: this process would not compute the same bits; the message says why.
        """
        opened = self._pinned(header, opened)
        return ShardRunner(
            opened.model, opened.source, opened.mapper, opened.post, opened.sink, self._settings(header["settings"])
        )

    def _pinned(self, header: Entry, opened: Opened | None = None) -> Opened:
        """The parts of the job with kernels that compute the bits that the job began with."""
        wanted = header["settings"]["isa"]
        if opened is None or opened.model.isa != wanted:
            known = ["reference", *instruction_sets.available()]
            pinned = wanted if wanted in known and wanted != "reference" else None
            model = JobModel(self.model, pinned)
            opened = opened or self.open()
            opened.model = model
        opened.sink.begin(opened.source.rows if self.on_error != "skip" else None)
        if opened.model.orders() != header["orders"]:
            raise ArgumentError(
                f"The job began with the instruction set {wanted!r}; this processor, with {opened.model.isa!r}, "
                "computes in another order and would not give the same bits. Go on on a processor like the first, or "
                f"begin anew with GRAPHFLOW_ISA={opened.model.isa} everywhere."
            )
        return opened

    def _settings(self, data: Mapping[str, Any]) -> Settings:
        inputs = {name: tuple(columns) for name, columns in data["inputs"].items()}
        return Settings(**{**data, "ids": tuple(data["ids"]), "inputs": inputs})

    def _new_settings(self, opened: Opened) -> Settings:
        row_bytes, arena = opened.model.bytes_per_row()
        batch, shard = sizes(row_bytes, arena, self.batch_size, self.shard_rows)
        block = block_rows(batch, shard, max(row_bytes, opened.source.sample_bytes()))
        if opened.sink.folder is None and opened.source.rows is None:
            shard = block = batch
        return Settings(
            batch,
            block,
            shard,
            self.on_error,
            self.fill,
            self.ids,
            opened.mapper.chosen,
            self.post,
            opened.model.isa,
            opened.model.session.precision,
        )

    def _identity(self, opened: Opened) -> dict[str, Any]:
        """What must be equal for a job to go on."""
        asked = {
            "batch_size": self.batch_size,
            "shard_rows": self.shard_rows,
            "on_error": self.on_error,
            "fill": None if self.fill is None else repr(self.fill),
            "ids": list(self.ids),
            "inputs": {name: list(columns) for name, columns in opened.mapper.chosen.items()},
            "map": None if self.map is None else function_hash(self.map),
            "post": self.post,
            "precision": opened.model.session.precision,
        }
        identity: dict[str, Any] = {
            "graphflow": graphflow.__version__,
            "model": opened.model.hash(),
            "source": opened.source.identity(),
            "settings": asked,
            "output": opened.sink.identity(),
        }
        return dict(json.loads(json.dumps(identity)))

    # -- what is there

    def _finished(self, opened: Opened) -> Report | None:
        """The report of a job that an earlier run has finished; None if there is something to do."""
        sink = opened.sink
        if not isinstance(sink, FileSink) or sink.folder is None or (sink.folder / "journal.jsonl").exists():
            return None
        existing = sink.existing()
        if not existing and not sink.sidecar.exists():
            return None
        if sink.folder.is_dir() and not any(sink.folder.iterdir()):
            sink.folder.rmdir()
        try:
            metadata = json.loads(sink.sidecar.read_bytes())
            identity = metadata["job"]
        except (OSError, ValueError, KeyError, TypeError):
            raise ArgumentError(
                f"{existing[0] if existing else sink.sidecar}: this is there already, and no batch job wrote it. Name "
                "another output, or replace it with resume=False (--no-resume)."
            ) from None
        if not existing:
            return None
        _compare(identity, without_times(self._identity(opened)), f"{sink.path}: it was written by another job")
        rows = metadata["rows"]
        return Report(
            "already finished",
            rows["source"],
            rows["source"],
            rows["written"],
            rows["bad"],
            metadata["shards"],
            metadata["settings"]["batch_size"],
            metadata["settings"]["shard_rows"],
            outputs=sink.outputs(),
            rejects=str(_rejects(sink)) if rows["bad"] and self.on_error != "stop" else "",
        )

    def _header(self, opened: Opened, journal: Journal | None) -> Entry:
        """The first line of the journal, written if there is none."""
        if journal is not None and journal.entries:
            header = journal.entries[0]
            if header.get("kind") != "job" or header.get("format") != FORMAT:
                raise ArgumentError(f"{journal.path}: not the journal of a job that this version can go on with.")
            change = self._relaxed(header, journal)
            _compare(header["identity"], self._identity(opened), f"{journal.path}: the job that began here is another")
            if change is not None:
                journal.append(change)
            return header
        header = {
            "kind": "job",
            "format": FORMAT,
            "identity": self._identity(opened),
            "settings": self._new_settings(opened).as_data(),
            "orders": opened.model.orders(),
        }
        if journal is not None:
            journal.append(header)
        return header

    def _relaxed(self, header: Entry, journal: Journal) -> Entry | None:
        """Let a job that stopped at a bad row go on with "skip" or "fill": what it has done had no bad rows.

        A `.npy` file that is written in place has a row for each of the source's, and can only be filled.
        """
        for entry in journal.of_kind("policy"):
            _set_policy(header, entry)
        in_place = any("at" in record for entry in journal.of_kind("shard") for record in entry["files"])
        asked = header["identity"]["settings"]
        if asked["on_error"] == "stop" != self.on_error and not (in_place and self.on_error == "skip"):
            fill = None if self.fill is None else repr(self.fill)
            change: Entry = {"kind": "policy", "on_error": self.on_error, "fill": self.fill, "asked": fill}
            _set_policy(header, change)
            return change
        return None

    # -- running

    def _run(self, opened: Opened, journal: Journal | None, start: float, engine: Engine | None) -> Report:
        header = self._header(opened, journal)
        self._begun = journal is not None
        settings = self._settings(header["settings"])
        opened = self._pinned(header, opened)
        entries = {one["shard"]: one for one in journal.of_kind("shard")} if journal else {}
        ended = journal.of_kind("end") if journal else []
        before = sum(one["source_rows"] for one in entries.values())
        progress = Progress(self.progress, opened.source.rows, before)
        times = Times()
        runner = ShardRunner(
            opened.model, opened.source, opened.mapper, opened.post, opened.sink, settings, times, progress.advance
        )

        def commit(entry: Entry) -> None:
            if journal is not None:
                journal.append(entry)
                entries[entry["shard"]] = entry
            else:
                held = entries.setdefault(0, {"shards": 0, "source_rows": 0, "rows": 0, "bad": 0})
                for key in held:
                    held[key] += entry.get(key, 1)

        try:
            if journal is None or not journal.of_kind("assembled"):
                shards = ended[0]["shards"] if ended else self._do(runner, entries, commit, engine, header)
                if journal is not None and not ended:
                    journal.append({"kind": "end", "shards": shards})
            report = self._conclude(opened, journal, header, entries)
        finally:
            progress.close()
        report.resumed_rows = before
        report.seconds = time.perf_counter() - start
        report.stage_seconds, report.limiting = times.seconds, times.limiting if any(times.seconds.values()) else ""
        report.peak_memory = peak_memory()
        progress.say("report", **report.as_data())
        return report

    def _do(
        self,
        runner: ShardRunner,
        entries: dict[int, Entry],
        commit: Callable[[Entry], None],
        engine: Engine | None,
        header: Entry,
    ) -> int:
        """Run the shards that are not there; returns how many there are in all."""
        source, size = runner.source, runner.settings.shard_rows
        if source.rows == 0:
            if not entries:
                runner.run_empty(commit)
            return 1
        if source.rows is not None and source.random_access and not runner.sink.ordered:
            shards = -(-source.rows // size)
            ranges = missing(entries, shards)
            if engine is not None:
                engine(self, header, ranges, commit)
            else:
                for first, stop in ranges:
                    runner.run(first, stop, commit)
            left = missing(entries, shards)
            if left:
                raise ArgumentError(f"The source gave fewer than its {source.rows:,} rows: shards {left} are missing.")
            return shards
        if engine is not None:
            raise ArgumentError(
                "Several processes need a source in which any row can be reached (arrays, Parquet, Arrow, Zarr, "
                "images) and an output of files."
            )
        first = len(entries)
        if sorted(entries) != list(range(first)):
            raise ArgumentError("The journal has gaps, and the source can not be read from the middle.")
        last = entries[first - 1] if first else {}
        if first and last["source_rows"] < size:
            return first
        row = sum(one["rows"] for one in entries.values())
        runner.run(first, None, commit, last.get("cursor"), row)
        if not entries:
            runner.run_empty(commit)
        return sum(one.get("shards", 1) for one in entries.values())

    def _conclude(self, opened: Opened, journal: Journal | None, header: Entry, entries: Mapping[int, Entry]) -> Report:
        """Make the output from the shards, and give it its name."""
        sink, settings = opened.sink, header["settings"]
        done = [entries[shard] for shard in sorted(entries)]
        counts = {
            "source": sum(one["source_rows"] for one in done),
            "written": sum(one["rows"] for one in done),
            "bad": sum(one["bad"] for one in done),
        }
        rejects = _rejects(sink) if counts["bad"] and journal is not None else None
        if journal is not None:
            if not journal.of_kind("assembled"):
                identity = without_times(header["identity"])
                metadata = {
                    "job": identity,
                    "settings": settings,
                    "orders": header["orders"],
                    "rows": counts,
                    "shards": len(done),
                    "outputs": [[column[0], column[1], column[2]] for column in done[0]["schema"]],
                }
                metadata = json.loads(json.dumps(metadata, sort_keys=True))
                sink.assemble(done, metadata)
                self._assemble_rejects(sink, done)
                assert sink.folder is not None
                text = json.dumps(metadata, indent=1, sort_keys=True) + "\n"
                durable.write_file(sink.folder / "job.json", text.encode())
                journal.append({"kind": "assembled"})
            self._publish(sink, counts["bad"] > 0)
        shards = sum(one.get("shards", 1) for one in done)
        report = Report("finished", counts["source"], 0, counts["written"], counts["bad"], shards, 0, 0)
        report.batch_size, report.shard_rows = settings["batch_size"], settings["shard_rows"]
        report.outputs = sink.outputs()
        report.rejects = str(rejects) if rejects else ""
        return report

    def _assemble_rejects(self, sink: Sink, done: Sequence[Entry]) -> None:
        assert sink.folder is not None
        if any(one["bad"] for one in done):
            with durable.DurableFile(sink.folder / "rejects") as file:
                for one in done:
                    if one["bad"]:
                        file.write(rejects_path(sink.folder, one["shard"]).read_bytes())

    def _publish(self, sink: Sink, bad_rows: bool) -> None:
        """Give everything its name, and clear away what is not needed any more; doing it again changes nothing."""
        assert sink.folder is not None
        sink.publish()
        if isinstance(sink, FileSink):
            if not bad_rows:
                durable.remove(_rejects(sink))
            moves = [(sink.folder / "rejects", _rejects(sink)), (sink.folder / "job.json", sink.sidecar)]
            for draft, target in moves:
                if draft.exists():
                    durable.rename(draft, target)
        _clear(sink.folder, isinstance(sink, FileSink))


def missing(entries: Mapping[int, Any], shards: int) -> list[tuple[int, int]]:
    """The ranges of shards that are not there.

    Example:
        >>> missing({0: None, 3: None}, 6)
        [(1, 3), (4, 6)]
    """
    found: list[tuple[int, int]] = []
    for shard in range(shards):
        if shard in entries:
            continue
        if found and found[-1][1] == shard:
            found[-1] = (found[-1][0], shard + 1)
        else:
            found.append((shard, shard + 1))
    return found


def _set_policy(header: Entry, entry: Entry) -> None:
    """Change what a header says of bad rows."""
    header["settings"].update(on_error=entry["on_error"], fill=entry["fill"])
    header["identity"]["settings"].update(on_error=entry["on_error"], fill=entry["asked"])


def _compare(old: Any, new: Any, what: str) -> None:
    found = differences(old, new)
    if found:
        listed = "; ".join(found[:6]) + ("; ..." if len(found) > 6 else "")
        raise ArgumentError(f"{what}. {listed}. Begin anew with resume=False (--no-resume), or name another output.")


def _rejects(sink: Sink) -> Path:
    """Where bad rows are listed at the end."""
    assert sink.folder is not None
    if isinstance(sink, FileSink):
        return sink.folder.with_name(sink.folder.name.removesuffix(".parts") + ".rejects.jsonl")
    return sink.folder / "rejects"


def _forget(sink: Sink) -> None:
    """Remove what an earlier run has left, but not its output, which is replaced at the end."""
    assert sink.folder is not None
    if (sink.folder / "journal.jsonl").exists():
        lock_only(sink.folder / "journal.jsonl")
    if isinstance(sink, FileSink):
        durable.remove_folder(sink.folder)
    else:
        durable.remove(sink.folder / "journal.jsonl")


def _clear(folder: Path, whole: bool) -> None:
    """Remove a finished job's folder: the journal last, so that a stop on the way changes nothing."""
    if not whole:
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            durable.remove_folder(path)
        elif path.name != "journal.jsonl":
            durable.remove(path)
    durable.remove(folder / "journal.jsonl")
    folder.rmdir()
