"""Where rows go: one file for each kind of sink, and the table that finds the kind for what is given."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from graphflow.batch.sinks.base import FileSink, Format, Sink
from graphflow.batch.sinks.live import CallableSink, StreamSink
from graphflow.batch.sinks.npy import NpyFormat
from graphflow.batch.sinks.tables import ArrowFormat, ParquetFormat
from graphflow.batch.sinks.text import CsvFormat, JsonLinesFormat
from graphflow.batch.sinks.zarr import ZarrFormat
from graphflow.errors import ArgumentError, ArgumentTypeError, nearest

__all__ = ["FORMATS", "Sink", "open_sink"]

FORMATS: dict[str, tuple[tuple[str, ...], Callable[[], Format]]] = {
    "npy": ((".npy",), NpyFormat),
    "csv": ((".csv",), CsvFormat),
    "tsv": ((".tsv",), lambda: CsvFormat("\t")),
    "jsonl": ((".jsonl", ".ndjson"), JsonLinesFormat),
    "parquet": ((".parquet", ".pq"), ParquetFormat),
    "arrow": ((".arrow", ".feather"), ArrowFormat),
    "zarr": ((".zarr",), ZarrFormat),
}
"""Name of a kind of files to their endings and what writes them."""

STREAMS: dict[str, Callable[[], Any]] = {"csv": CsvFormat, "tsv": lambda: CsvFormat("\t"), "jsonl": JsonLinesFormat}
"""The kinds that standard output can have."""


def open_sink(
    given: Any,
    format: str | None = None,
    ids: Sequence[str] = (),
    outputs: Sequence[str] = (),
    work: Path | None = None,
) -> Sink:
    """The sink for what a job was given.

    Args:
        given: a path whose ending says the kind; with `{output}` in its name a file for each output; a folder (ending
            in /, or without an ending) for a file a shard; "-" for standard output; a function; or a sink.
        format: a name of `FORMATS`; needed for folders and standard output.
        ids, outputs: the names of identifier columns and of outputs.
        work: where the journal of a function is kept.

    Raises:
        ArgumentError, ArgumentTypeError: nothing that a job can write.
        FileNotFoundError: the folder it lies in is not there.
    """
    if callable(given):
        return CallableSink(given, work)
    if hasattr(given, "write_shard"):
        found: Sink = given
        return found
    if not isinstance(given, (str, os.PathLike)):
        raise ArgumentTypeError(f"A job writes to a path or a function, received {type(given).__name__}.")
    text = os.fspath(given)
    if format is not None and format not in FORMATS:
        raise ArgumentError(f"There is no sink format {format!r}.{nearest(str(format), FORMATS)}")
    if text == "-":
        if format is None:
            format = "csv"
        if format not in STREAMS:
            raise ArgumentError(f"Standard output can be {', '.join(STREAMS)}; received {format!r}.")
        return StreamSink(STREAMS[format]())
    path = Path(text)
    ending = path.suffix.lower()
    folder = text.endswith(("/", os.sep)) or not ending
    kind = format or next((name for name, (endings, _) in FORMATS.items() if ending in endings), None)
    if kind is None:
        known = ", ".join(endings[0] for endings, _ in FORMATS.values())
        raise ArgumentError(f"{path}: the ending of an output must be {known}; a folder of shards needs format=.")
    if folder and kind == "zarr":
        raise ArgumentError(f"{path}: a Zarr store is a folder already; end its name in .zarr.")
    endings, make = FORMATS[kind]
    return FileSink(path, make(), ending if ending in endings and not folder else endings[0], folder, ids, outputs)
