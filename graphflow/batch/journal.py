"""The journal of a job: which shards are whole. Appended to and synced, never changed.

Each line is `CRC32 JSON`. A line that a kill or a full disk has torn can only be the last: it is cut off when the
journal is opened again. A broken line before the last is not the work of a kill, and is refused.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphflow.batch import durable
from graphflow.errors import ArgumentError, DataError

Entry = dict[str, Any]


def line_of(entry: Mapping[str, Any]) -> bytes:
    """An entry as a line.

    Example:
        >>> line_of({"kind": "end"})
        b'd43ec1f1 {"kind": "end"}\\n'
    """
    text = json.dumps(entry, sort_keys=True).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def entry_of(line: bytes) -> Entry | None:
    """The entry of a line, None if it is torn."""
    checksum, _, text = line.rstrip(b"\n").partition(b" ")
    try:
        if not line.endswith(b"\n") or int(checksum, 16) != zlib.crc32(text):
            return None
        entry = json.loads(text)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def read_lines(data: bytes, path: Path) -> tuple[list[Entry], int]:
    """The entries of a journal, and how many of its bytes are whole.

    Raises:
        DataError: a broken line that is not the last.
    """
    entries: list[Entry] = []
    whole = 0
    lines = data.splitlines(keepends=True)
    for number, line in enumerate(lines):
        entry = entry_of(line)
        if entry is None:
            if number < len(lines) - 1:
                raise DataError(
                    f"{path}: line {number + 1} of the journal is damaged, and lines follow it. Nothing that it says "
                    "can be trusted; start anew with resume=False (--no-resume)."
                )
            break
        entries.append(entry)
        whole += len(line)
    return entries, whole


def lock(file: int, path: Path) -> None:
    """Hold a file against other processes, until it is closed.

    Raises:
        ArgumentError: another process holds it.
    """
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ArgumentError(f"{path}: another process is running this job.") from None


def lock_only(path: Path) -> None:
    """Check that no process is running the job of a journal."""
    file = durable.open_for_append(path)
    try:
        lock(file, path)
    finally:
        os.close(file)


class Journal:
    """An open journal, which no other process can open meanwhile.

    Args:
        path: the file; made if it is not there.

    Raises:
        ArgumentError: another process holds it.
        DataError: it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = durable.open_for_append(path)
        try:
            lock(self._file, path)
            with path.open("rb") as reader:
                self.entries, self._size = read_lines(reader.read(), path)
            if os.fstat(self._file).st_size != self._size:
                durable.truncate(self._file, self._size, path)
            durable.sync_folder(path.parent)
        except BaseException:
            os.close(self._file)
            raise

    def append(self, entry: Entry) -> None:
        """Add an entry; when this returns, it is on the disk.

        Raises:
            OSError: it is not; what was there before is still whole.
        """
        line = line_of(entry)
        try:
            durable.write_all(self._file, line, self.path)
            durable.sync(self._file, self.path)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from None
        self._size += len(line)
        self.entries.append(entry)

    def of_kind(self, kind: str) -> list[Entry]:
        """The entries of one kind."""
        return [entry for entry in self.entries if entry["kind"] == kind]

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)
