"""Keras 3's sharded weights: `NAME.weights.json`, an index, and HDF5 files beside it that hold parts of one tree."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt

from graphflow.errors import ModelFormatError
from graphflow.formats.hdf5 import ArrayInfo, WeightsFile, open_h5
from graphflow.formats.json_text import parse_json
from graphflow.formats.limits import DEFAULT_LIMITS, Limits, shown


class Shards:
    """Several weights files as one; the methods are those of `WeightsFile`.

    Attributes:
        where: the index, as messages name it.
        parts: the files.
    """

    def __init__(self, where: str, parts: list[WeightsFile]) -> None:
        self.where = where
        self.parts = parts

    def kind(self, path: str) -> Literal["group", "dataset"] | None:
        """What lies at a path in any of the files."""
        return next((kind for part in self.parts if (kind := part.kind(path)) is not None), None)

    def keys(self, path: str = "/") -> list[str]:
        """The names in a group, those of all files together."""
        found = (part.keys(path) for part in self.parts if part.kind(path) == "group")
        return list(dict.fromkeys(name for names in found for name in names))

    def text(self, path: str, name: str) -> str | None:
        """An attribute that is one string, of the first file that has it."""
        found = (part.text(path, name) for part in self.parts if part.kind(path) is not None)
        return next((text for text in found if text is not None), None)

    def info(self, path: str) -> ArrayInfo:
        """The shape and data type of a dataset."""
        return self._part(path).info(path)

    def read(
        self, path: str, shape: tuple[int, ...] | None = None, dtype: npt.DTypeLike | None = None
    ) -> npt.NDArray[Any]:
        """Read one dataset."""
        return self._part(path).read(path, shape, dtype)

    def _part(self, path: str) -> WeightsFile:
        found = [part for part in self.parts if part.kind(path) is not None]
        if len(found) != 1:
            raise ModelFormatError(f"{self.where}, {shown(path)}: expected in one shard, it is in {len(found)}.")
        return found[0]


def shard_names(index: Any, where: str) -> list[str]:
    """The files that an index names.

    Raises:
        ModelFormatError: not an index, or a name that leads out of the index's folder.
    """
    entries = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(entries, dict):
        raise ModelFormatError(f"{where}: expected an index of shards with a 'weight_map'.")
    found: dict[str, None] = {}
    for names in entries.values():
        for name in names if isinstance(names, list) else [names]:
            if not isinstance(name, str) or name in ("", ".", "..") or set(name) & set("/\\\0") or len(name) > 255:
                raise ModelFormatError(f"{where}: a shard must be a file beside its index, received {name!r:.80}.")
            found[name] = None
    return list(found)


@contextmanager
def open_shards(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> Iterator[Shards]:
    """Open an index and the files it names for a `with` block.

    Raises:
        OSError: the index is missing or not readable.
        ModelFormatError: not an index, or a shard that is missing, no plain file, or damaged.
    """
    where = os.fspath(path)
    limits.check("member_bytes", Path(where).stat().st_size, where, "bytes of JSON")
    names = shard_names(parse_json(Path(where).read_bytes(), where, limits), where)
    limits.check("members", len(names), where, "shards")
    with ExitStack() as stack:
        parts = []
        for name in names:
            shard = Path(where).with_name(name)
            if shard.is_symlink() or not shard.is_file():
                raise ModelFormatError(f"{where}: the shard {shown(name)} must be a file beside it; it is not there.")
            parts.append(stack.enter_context(open_h5(shard, limits=limits)))
        yield Shards(where, parts)
