"""What a job is, and what is there of it: its identity, the header of its journal, an output that is finished."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import graphflow
from graphflow.batch.ending import rejects_of
from graphflow.batch.identity import differences, function_hash, without_times
from graphflow.batch.journal import Entry, Journal
from graphflow.batch.model import sizes
from graphflow.batch.progress import Report
from graphflow.batch.shards import Settings, block_rows
from graphflow.batch.sinks.base import FileSink
from graphflow.errors import ArgumentError

if TYPE_CHECKING:
    from graphflow.batch.job import Job, Opened

FORMAT = 1


def settings_of(data: Mapping[str, Any]) -> Settings:
    """The settings that a header holds."""
    inputs = {name: tuple(columns) for name, columns in data["inputs"].items()}
    return Settings(**{**data, "ids": tuple(data["ids"]), "inputs": inputs})


def new_settings(job: Job, opened: Opened) -> Settings:
    """The settings of a job that begins."""
    row_bytes, arena = opened.model.bytes_per_row()
    batch, shard = sizes(row_bytes, arena, job.batch_size, job.shard_rows)
    block = block_rows(batch, shard, max(row_bytes, opened.source.sample_bytes()))
    if opened.sink.folder is None and opened.source.rows is None:
        shard = block = batch
    return Settings(
        batch,
        block,
        shard,
        job.on_error,
        job.fill,
        job.ids,
        opened.mapper.chosen,
        job.post,
        opened.model.isa,
        opened.model.session.precision,
    )


def identity_of(job: Job, opened: Opened) -> dict[str, Any]:
    """What must be equal for a job to go on."""
    asked = {
        "batch_size": job.batch_size,
        "shard_rows": job.shard_rows,
        "on_error": job.on_error,
        "fill": None if job.fill is None else repr(job.fill),
        "ids": list(job.ids),
        "inputs": {name: list(columns) for name, columns in opened.mapper.chosen.items()},
        "map": None if job.map is None else function_hash(job.map),
        "post": job.post,
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


def finished(job: Job, opened: Opened) -> Report | None:
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
    _compare(identity, without_times(identity_of(job, opened)), f"{sink.path}: it was written by another job")
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
        rejects=str(rejects_of(sink)) if rows["bad"] and job.on_error != "stop" else "",
    )


def header_of(job: Job, opened: Opened, journal: Journal | None) -> Entry:
    """The first line of the journal, written if there is none."""
    if journal is not None and journal.entries:
        header = journal.entries[0]
        if header.get("kind") != "job" or header.get("format") != FORMAT:
            raise ArgumentError(f"{journal.path}: not the journal of a job that this version can go on with.")
        change = _relaxed(job, header, journal)
        _compare(header["identity"], identity_of(job, opened), f"{journal.path}: the job that began here is another")
        if change is not None:
            journal.append(change)
        return header
    header = {
        "kind": "job",
        "format": FORMAT,
        "identity": identity_of(job, opened),
        "settings": new_settings(job, opened).as_data(),
        "orders": opened.model.orders(),
    }
    if journal is not None:
        journal.append(header)
    return header


def _relaxed(job: Job, header: Entry, journal: Journal) -> Entry | None:
    """Let a job that stopped at a bad row go on with "skip" or "fill": what it has done had no bad rows.

    A `.npy` file that is written in place has a row for each of the source's, and can only be filled.
    """
    for entry in journal.of_kind("policy"):
        _set_policy(header, entry)
    in_place = any("at" in record for entry in journal.of_kind("shard") for record in entry["files"])
    asked = header["identity"]["settings"]
    if asked["on_error"] == "stop" != job.on_error and not (in_place and job.on_error == "skip"):
        fill = None if job.fill is None else repr(job.fill)
        change: Entry = {"kind": "policy", "on_error": job.on_error, "fill": job.fill, "asked": fill}
        _set_policy(header, change)
        return change
    return None


def _set_policy(header: Entry, entry: Entry) -> None:
    """Change what a header says of bad rows."""
    header["settings"].update(on_error=entry["on_error"], fill=entry["fill"])
    header["identity"]["settings"].update(on_error=entry["on_error"], fill=entry["asked"])


def _compare(old: Any, new: Any, what: str) -> None:
    found = differences(old, new)
    if found:
        listed = "; ".join(found[:6]) + ("; ..." if len(found) > 6 else "")
        raise ArgumentError(f"{what}. {listed}. Begin anew with resume=False (--no-resume), or name another output.")
