"""Where rows come from: one file for each kind of source, and the table that finds the kind for what is given."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from graphflow.batch.sources.arrays import ArraySource, Joined, Mapped, open_npy, open_npz, open_zarr
from graphflow.batch.sources.arrow import ArrowSource
from graphflow.batch.sources.base import Source, find_files
from graphflow.batch.sources.images import ENDINGS, ImageSource
from graphflow.batch.sources.iterables import DatasetSource, IterableSource
from graphflow.batch.sources.parquet import ParquetSource
from graphflow.batch.sources.text import CsvSource, JsonLinesSource
from graphflow.errors import ArgumentError, ArgumentTypeError, nearest

__all__ = ["FORMATS", "Source", "open_source"]

FORMATS: dict[str, tuple[tuple[str, ...], Callable[..., Source]]] = {
    "npy": ((".npy",), open_npy),
    "npz": ((".npz",), open_npz),
    "csv": ((".csv",), CsvSource),
    "tsv": ((".tsv",), lambda files, **options: CsvSource(files, **{"delimiter": "\t", **options})),
    "jsonl": ((".jsonl", ".ndjson"), JsonLinesSource),
    "parquet": ((".parquet", ".pq"), ParquetSource),
    "arrow": ((".arrow", ".feather"), ArrowSource),
    "zarr": ((".zarr",), open_zarr),
    "images": (ENDINGS, ImageSource),
}
"""Name of a kind of files to their endings and what opens them, from a list of paths (None: standard input)."""

STREAMS = ("csv", "tsv", "jsonl")
"""The kinds that standard input can have."""


def open_source(given: Any, format: str | None = None, options: Mapping[str, Any] | None = None) -> Source:
    """The source for what a job was given.

    Args:
        given: a path, folder or pattern, or a list of them; "-" for standard input; a dict of paths of `.npy` files or
            of arrays by column; an array; an object with `__len__` and `__getitem__` that gives batches; an iterable of
            batches; or a `Source`.
        format: a name of `FORMATS`; None: by the endings of the files.
        options: further arguments of that kind: `encoding`, `delimiter`; `resize`, `scale`, `color`, `resample`.

    Raises:
        ArgumentError, ArgumentTypeError: nothing that a job can read.
        OSError, DataError: a file that can not be read.

    Example:
        >>> import numpy as np
        >>> open_source({"a": np.zeros((3, 2)), "b": np.zeros(3)}).columns
        ('a', 'b')
    """
    if isinstance(given, Source):
        return given
    if isinstance(given, (str, os.PathLike)):
        return _open_files([os.fspath(given)], format, dict(options or {}))
    if isinstance(given, (list, tuple)) and given and all(isinstance(one, (str, os.PathLike)) for one in given):
        return _open_files([os.fspath(one) for one in given], format, dict(options or {}))
    if options:
        raise ArgumentError(f"Options of a source are for files; received {', '.join(options)}.")
    if isinstance(given, Mapping):
        return ArraySource({str(name): _column(one) for name, one in given.items()})
    if hasattr(given, "shape") and hasattr(given, "dtype") and hasattr(given, "__getitem__"):
        return ArraySource({"data": given})
    if hasattr(given, "__len__") and hasattr(given, "__getitem__") and not isinstance(given, (list, tuple)):
        return DatasetSource(given)
    if hasattr(given, "__iter__"):
        return IterableSource(given)
    raise ArgumentTypeError(f"A job reads paths, arrays or iterables of batches, received {type(given).__name__}.")


def _column(given: Any) -> Any:
    """An array, or the `.npy` files of a path, folder or pattern."""
    if isinstance(given, (str, os.PathLike)):
        parts = [Mapped(path) for path in find_files([os.fspath(given)], FORMATS["npy"][0])]
        return parts[0] if len(parts) == 1 else Joined(parts)
    if not hasattr(given, "shape"):
        raise ArgumentTypeError(f"A column is an array or the path of a .npy file, received {type(given).__name__}.")
    return given


def kind_of(given: str) -> str:
    """The name of the kind of a path, by its ending or by those of a folder's files.

    Raises:
        ArgumentError: there is none, or several.
    """
    path = Path(given)
    endings = {path.suffix.lower()}
    if path.is_dir() and path.suffix.lower() != ".zarr":
        endings = {file.suffix.lower() for file in path.rglob("*") if file.is_file()}
    kinds = sorted({kind for kind, (known, _) in FORMATS.items() if endings & set(known)})
    if len(kinds) != 1:
        found = f"kinds {', '.join(kinds)}" if kinds else f"endings {', '.join(sorted(endings)) or 'none'}"
        raise ArgumentError(f"{given}: say its format ({', '.join(FORMATS)}); it has {found}.")
    return kinds[0]


def _open_files(given: Sequence[str], format: str | None, options: dict[str, Any]) -> Source:
    if format is not None and format not in FORMATS:
        raise ArgumentError(f"There is no source format {format!r}.{nearest(str(format), FORMATS)}")
    if list(given) == ["-"]:
        if format not in STREAMS:
            raise ArgumentError(f"Standard input needs a format: {', '.join(STREAMS)}; received {format!r}.")
        return FORMATS[format][1](None, **options)
    if "-" in given:
        raise ArgumentError("Standard input (-) is read alone, not together with files.")
    kinds = {format} if format else {kind_of(one) for one in given}
    if len(kinds) > 1:
        raise ArgumentError(f"All files of a job must be of one kind, received {', '.join(sorted(map(str, kinds)))}.")
    kind = str(kinds.pop())
    endings, opened = FORMATS[kind]
    files = [Path(one) for one in given] if kind == "zarr" else find_files(given, endings)
    try:
        return opened(files, **options)
    except TypeError as error:
        if "unexpected keyword" in str(error):
            name = str(error).rsplit("'", 2)[1]
            raise ArgumentError(f"Sources of kind {kind!r} take no option {name!r}.") from None
        raise
