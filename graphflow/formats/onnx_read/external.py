"""Weights beside the model: a file in the model's own folder, and nothing else, mapped into memory.

Refused are absolute paths, "..", anything that is no plain name, symbolic links at every step, files with further hard
links, and whatever is no regular file: a model from a stranger must not read other files of the machine.
"""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from graphflow.errors import ModelFormatError
from graphflow.formats.limits import Limits, shown


class Folder:
    """The folder of a model file, from which external data are read."""

    def __init__(self, model_path: str, limits: Limits) -> None:
        self._path = str(Path(model_path).resolve().parent)
        self._limits = limits
        self._maps: dict[str, mmap.mmap] = {}

    def read(self, entries: Mapping[str, str], expected: int, where: str) -> memoryview:
        """The bytes of one tensor.

        Args:
            entries: "location", and maybe "offset" and "length".
            expected: how many bytes shape and dtype ask for.
            where: file and tensor, for messages.

        Raises:
            ModelFormatError: a path that leads elsewhere, or a range that is not in the file.
        """
        location = entries.get("location", "")
        offset = _number(entries.get("offset", "0"), "offset", where)
        length = _number(entries.get("length") or str(expected), "length", where)
        if length != expected:
            raise ModelFormatError(f"{where}: expected {expected:,} bytes of external data, received {length:,}.")
        if not expected:
            return memoryview(b"")
        data = self._map(location, where)
        if offset + length > len(data):
            raise ModelFormatError(
                f"{where}: external data at {offset:,} + {length:,} end behind {shown(location)} ({len(data):,} bytes)."
            )
        return memoryview(data)[offset : offset + length]

    def _map(self, location: str, where: str) -> mmap.mmap:
        if location not in self._maps:
            file = self._open(location, where)
            try:
                state = os.fstat(file)
                if not stat.S_ISREG(state.st_mode) or state.st_nlink != 1:
                    raise ModelFormatError(f"{where}: {shown(location)} must be a regular file with no further links.")
                self._limits.check("file_bytes", state.st_size, where, "bytes of external data")
                if not state.st_size:
                    raise ModelFormatError(f"{where}: {shown(location)} is empty.")
                self._maps[location] = mmap.mmap(file, 0, access=mmap.ACCESS_READ)
            finally:
                os.close(file)
        return self._maps[location]

    def _open(self, location: str, where: str) -> int:
        parts = location.split("/")
        parts = parts[1:] if parts[0] == "." and len(parts) > 1 else parts
        bad = ("", ".", "..")
        if any(part in bad or "\\" in part or ":" in part or "\0" in part for part in parts) or len(parts) > 32:
            raise ModelFormatError(
                f"{where}: external data must lie in the folder of the model: received location {shown(location)}."
            )
        folder = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in parts[:-1]:
                inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                os.close(folder)
                folder = inner
            return os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        except OSError as error:
            raise ModelFormatError(
                f"{where}: can not open external data {shown(location)}: {error.strerror}."
            ) from None
        finally:
            os.close(folder)


def _number(text: str, what: str, where: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ModelFormatError(f"{where}: the {what} of external data must be a number, received {shown(text)}.")
    return int(text)
