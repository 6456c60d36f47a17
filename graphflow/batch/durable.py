"""Every write of a job goes through here: what returns has reached the disk, and a test can fail any one call.

    write_file    a draft beside the target: write, flush, fsync, rename, fsync of the folder
    DurableFile   the same for a file that is written piece by piece
    append        to the end of an open file, then fsync
    write_at      at a place of a file that already has its size, then fsync

`hook` is None, or a function (call, path, size) that is asked before each call of the system: it may raise OSError in
its place, or return how many bytes a write takes, fewer than were given.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

Hook = Callable[[str, str, int], int | None]
hook: Hook | None = None
CALLS = ("open", "write", "fsync", "rename", "fsync_folder", "allocate", "truncate", "remove", "folder")
"""The names under which `hook` is asked."""


def _ask(call: str, path: str | os.PathLike[str], size: int = 0) -> int | None:
    return None if hook is None else hook(call, os.fspath(path), size)


def write_all(file: int, data: Any, path: Path, at: int | None = None) -> None:
    """Write all bytes, however few the system takes at once.

    Args:
        file: a descriptor.
        data: anything with a buffer.
        path: for messages.
        at: where in the file; None: where it stands.
    """
    view = memoryview(data).cast("B")
    while len(view):
        allowed = _ask("write", path, len(view))
        part = view if allowed is None else view[:allowed]
        done = os.write(file, part) if at is None else os.pwrite(file, part, at)
        if done == 0:
            raise OSError(5, "the system took none of the bytes it was given", str(path))
        view = view[done:]
        at = None if at is None else at + done


def sync(file: int, path: Path) -> None:
    """Wait until a file's bytes are on the disk."""
    _ask("fsync", path)
    os.fsync(file)


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    _ask("fsync_folder", folder)
    file = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(file)
    finally:
        os.close(file)


def rename(draft: Path, target: Path) -> None:
    """Give a draft its name, in one step, and wait until that is on the disk."""
    _ask("rename", target)
    draft.replace(target)
    sync_folder(target.parent)


def remove(path: Path) -> None:
    """Remove a file, if it is there."""
    _ask("remove", path)
    path.unlink(missing_ok=True)


def remove_drafts(folder: Path, pattern: str = "**/*.draft") -> None:
    """Remove what writers that were killed have left in a folder and those below it."""
    for path in sorted(folder.glob(pattern)):
        remove_folder(path) if path.is_dir() else remove(path)


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it, if it is there."""
    _ask("remove", folder)
    if folder.exists():
        shutil.rmtree(folder)


def make_folder(folder: Path) -> None:
    """Make a folder, if it is not there, and wait until its name is on the disk."""
    if not folder.is_dir():
        _ask("folder", folder)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def open_for_append(path: Path) -> int:
    """A descriptor of a file that may be there."""
    _ask("open", path)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)


def truncate(file: int, size: int, path: Path) -> None:
    """Cut a file, and wait until that is on the disk."""
    _ask("truncate", path, size)
    os.ftruncate(file, size)
    sync(file, path)


def allocate(path: Path, size: int) -> None:
    """Make a file of a size, or leave the one that is there; a full disk is known now, not at the end.

    Raises:
        OSError: no space; the message names the file.
    """
    if path.exists() and path.stat().st_size == size:
        return
    _ask("open", path)
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _ask("allocate", path, size)
        if hasattr(os, "posix_fallocate") and size:
            os.posix_fallocate(file, 0, size)
        else:
            os.ftruncate(file, size)
        sync(file, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        os.close(file)
    sync_folder(path.parent)


def write_at(path: Path, data: Any, at: int) -> None:
    """Write into a file that has its size already, and wait until the bytes are on the disk."""
    _ask("open", path)
    file = os.open(path, os.O_RDWR)
    try:
        write_all(file, data, path, at)
        sync(file, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        os.close(file)


class DurableFile:
    """A file that is written piece by piece under a draft's name, and has its own when the block ends well.

    No two drafts share a name, so that a worker which a later run has forgotten can not write into that run's.

    Args:
        path: the name it gets; a file of that name stays whole until then.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp()) / "words.txt"
        >>> with DurableFile(path) as file:
        ...     _ = file.write(b"all or nothing")
        >>> path.read_text()
        'all or nothing'
    """

    mode = "wb"

    def __init__(self, path: Path) -> None:
        self.path = path
        self._draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.draft")
        _ask("open", self._draft)
        self._file = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        self._size = 0
        self.closed = False

    def write(self, data: Any) -> int:
        """Write all of it."""
        size = memoryview(data).nbytes
        try:
            write_all(self._file, data, self._draft)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.path)) from None
        self._size += size
        return size

    def tell(self) -> int:
        return self._size

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Called by writers that are given the file; the block's end does the work."""

    def __enter__(self) -> DurableFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.closed = True
        try:
            if kind is None:
                sync(self._file, self._draft)
        except OSError as failed:
            raise OSError(failed.errno, failed.strerror, str(self.path)) from None
        finally:
            os.close(self._file)
            if kind is not None:
                with suppress(OSError):
                    self._draft.unlink(missing_ok=True)
        if kind is None:
            rename(self._draft, self.path)


def write_file(path: Path, data: Any) -> None:
    """Write a whole file: it is there with all its bytes, or as it was before."""
    with DurableFile(path) as file:
        file.write(data)


def sync_tree(folder: Path) -> None:
    """Wait until every file and name below a folder is on the disk."""
    for inner, _, names in os.walk(folder):
        for name in names:
            path = Path(inner) / name
            file = os.open(path, os.O_RDONLY)
            try:
                sync(file, path)
            finally:
                os.close(file)
        sync_folder(Path(inner))
