"""`Job`: a model over all rows of a source, into a sink; it can be killed at any instant and goes on where it stood.

OUTPUT.parts/journal.jsonl    what the job is, then a line for each shard that is whole
OUTPUT.parts/...              shards, bad rows, drafts
OUTPUT, OUTPUT.job.json       at the end: the output, what it is; OUTPUT.rejects.jsonl: bad rows, if any
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphflow.batch import durable
from graphflow.batch.ending import clear_drafts, forget
from graphflow.batch.header import finished, header_of, settings_of
from graphflow.batch.journal import Entry, Journal
from graphflow.batch.mapping import Mapper, choose
from graphflow.batch.model import JobModel
from graphflow.batch.post import Post
from graphflow.batch.progress import Report
from graphflow.batch.running import run_shards
from graphflow.batch.shards import ON_ERROR, ShardRunner
from graphflow.batch.sinks import Sink, open_sink
from graphflow.batch.sources import Source, open_source
from graphflow.errors import ArgumentError, ArgumentTypeError, nearest
from graphflow.kernels import isa as instruction_sets

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
                return self._begin(opened, None, start, engine)
            if not resume:
                forget(sink)
            found = finished(self, opened) if resume else None
            if found is not None:
                return found
            durable.make_folder(sink.folder)
            journal = Journal(sink.folder / "journal.jsonl")
            try:
                clear_drafts(sink)
                return self._begin(opened, journal, start, engine)
            finally:
                journal.close()
        finally:
            opened.source.close()

    def _begin(self, opened: Opened, journal: Journal | None, start: float, engine: Engine | None) -> Report:
        header = header_of(self, opened, journal)
        self._begun = journal is not None
        return run_shards(self, self._pinned(header, opened), journal, header, start, engine)

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
        source.together = mapper.together(self.ids)
        return Opened(model, source, sink, mapper, post)

    def worker(self, header: Entry, opened: Opened | None = None) -> ShardRunner:
        """A runner of shards in this process, for a job that began with `header` (see `ShardRunner.run`).

        Raises:
            ArgumentError: this process would not compute the same bits; the message says why.
        """
        opened = self._pinned(header, opened)
        return ShardRunner(
            opened.model, opened.source, opened.mapper, opened.post, opened.sink, settings_of(header["settings"])
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
