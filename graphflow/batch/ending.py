"""How a job ends: the output made from its shards and given its name, and what is no longer needed cleared away."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from graphflow.batch import durable
from graphflow.batch.identity import without_times
from graphflow.batch.journal import Entry, Journal, lock_only
from graphflow.batch.progress import Report
from graphflow.batch.shards import rejects_path
from graphflow.batch.sinks import Sink
from graphflow.batch.sinks.base import FileSink


def conclude(sink: Sink, journal: Journal | None, header: Entry, entries: Mapping[int, Entry]) -> Report:
    """Make the output from the shards, and give it its name."""
    settings = header["settings"]
    done = [entries[shard] for shard in sorted(entries)]
    counts = {
        "source": sum(one["source_rows"] for one in done),
        "written": sum(one["rows"] for one in done),
        "bad": sum(one["bad"] for one in done),
    }
    rejects = rejects_of(sink) if counts["bad"] and journal is not None else None
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
            _assemble_rejects(sink, done)
            assert sink.folder is not None
            text = json.dumps(metadata, indent=1, sort_keys=True) + "\n"
            durable.write_file(sink.folder / "job.json", text.encode())
            journal.append({"kind": "assembled"})
        _publish(sink, counts["bad"] > 0)
    shards = sum(one.get("shards", 1) for one in done)
    report = Report("finished", counts["source"], 0, counts["written"], counts["bad"], shards, 0, 0)
    report.batch_size, report.shard_rows = settings["batch_size"], settings["shard_rows"]
    report.outputs = sink.outputs()
    report.rejects = str(rejects) if rejects else ""
    return report


def _assemble_rejects(sink: Sink, done: Sequence[Entry]) -> None:
    assert sink.folder is not None
    if any(one["bad"] for one in done):
        with durable.DurableFile(sink.folder / "rejects") as file:
            for one in done:
                if one["bad"]:
                    file.write(rejects_path(sink.folder, one["shard"]).read_bytes())


def _publish(sink: Sink, bad_rows: bool) -> None:
    """Give everything its name, and clear away what is not needed any more; doing it again changes nothing."""
    assert sink.folder is not None
    sink.publish()
    if isinstance(sink, FileSink):
        if not bad_rows:
            durable.remove(rejects_of(sink))
        moves = [(sink.folder / "rejects", rejects_of(sink)), (sink.folder / "job.json", sink.sidecar)]
        for draft, target in moves:
            if draft.exists():
                durable.rename(draft, target)
    _clear(sink.folder, isinstance(sink, FileSink))


def rejects_of(sink: Sink) -> Path:
    """Where bad rows are listed at the end."""
    assert sink.folder is not None
    if isinstance(sink, FileSink):
        return sink.folder.with_name(sink.folder.name.removesuffix(".parts") + ".rejects.jsonl")
    return sink.folder / "rejects"


def clear_drafts(sink: Sink) -> None:
    """Remove what an earlier run was writing when it was killed; a folder that the user named may hold other things."""
    assert sink.folder is not None
    for pattern in ("**/*.draft",) if isinstance(sink, FileSink) else ("job.json.*.draft", "rejects*.draft"):
        durable.remove_drafts(sink.folder, pattern)


def forget(sink: Sink) -> None:
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
