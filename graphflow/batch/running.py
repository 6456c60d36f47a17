"""How a job runs: the shards that are not there, in this process or by an engine, each into the journal."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from graphflow.batch.ending import conclude
from graphflow.batch.header import settings_of
from graphflow.batch.journal import Entry, Journal
from graphflow.batch.progress import Progress, Report, peak_memory
from graphflow.batch.shards import ShardRunner
from graphflow.batch.stages import Times
from graphflow.errors import ArgumentError

if TYPE_CHECKING:
    from graphflow.batch.job import Engine, Job, Opened


def run_shards(
    job: Job, opened: Opened, journal: Journal | None, header: Entry, start: float, engine: Engine | None
) -> Report:
    """Run a job from where it stands to its end.

    Args:
        job, opened: the job and its parts, with the kernels that the header wants.
        journal: None for a job that can not be resumed.
        header: the journal's first line.
        start: when it began, on the clock of `time.perf_counter`.
        engine: what runs the shards; None: this process.

    Returns:
        A report.
    """
    settings = settings_of(header["settings"])
    entries = {one["shard"]: one for one in journal.of_kind("shard")} if journal else {}
    ended = journal.of_kind("end") if journal else []
    before = sum(one["source_rows"] for one in entries.values())
    progress = Progress(job.progress, opened.source.rows, before)
    times = Times()
    runner = ShardRunner(
        opened.model, opened.source, opened.mapper, opened.post, opened.sink, settings, times, progress.advance
    )

    def commit(entry: Entry) -> None:
        if journal is not None:
            journal.append(entry)
            entries[entry["shard"]] = entry
            if engine is not None:
                progress.advance(entry["source_rows"])
        else:
            held = entries.setdefault(0, {"shards": 0, "source_rows": 0, "rows": 0, "bad": 0})
            for key in held:
                held[key] += entry.get(key, 1)

    try:
        if journal is None or not journal.of_kind("assembled"):
            shards = ended[0]["shards"] if ended else _do(job, runner, entries, commit, engine, header)
            if journal is not None and not ended:
                journal.append({"kind": "end", "shards": shards})
        report = conclude(opened.sink, journal, header, entries)
    finally:
        progress.close()
    report.resumed_rows = before
    report.seconds = time.perf_counter() - start
    report.stage_seconds, report.limiting = times.seconds, times.limiting if any(times.seconds.values()) else ""
    report.peak_memory = peak_memory()
    progress.say("report", **report.as_data())
    return report


def _do(
    job: Job,
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
            engine(job, header, ranges, commit)
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
