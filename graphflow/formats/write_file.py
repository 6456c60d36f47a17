"""Files that are whole or not there: written beside their place, made durable, then renamed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from graphflow.errors import ArgumentError


@contextmanager
def whole_file(path: str | os.PathLike[str], overwrite: bool = True) -> Iterator[Path]:
    """A temporary path in the same folder, whose file takes the place of `path` when the `with` block ends well.

    Until then whatever is at `path` stays as it is; after an error nothing is left.

    Args:
        path: where the file shall be.
        overwrite: whether a file that is there may be replaced.

    Raises:
        ArgumentError: a file that may not be replaced.
        OSError: a folder that is not there or not writable, a full disk.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from graphflow.formats.write_file import whole_file
        >>> folder = tempfile.TemporaryDirectory()
        >>> with whole_file(Path(folder.name) / "note.txt") as path:
        ...     _ = path.write_text("all of it")
        >>> [path.name for path in Path(folder.name).iterdir()]
        ['note.txt']
        >>> folder.cleanup()
    """
    target = Path(os.fspath(path))
    if not overwrite and target.exists():
        raise ArgumentError(f"{target} exists already. Pass overwrite=True to replace it.")
    if target.is_dir():
        raise ArgumentError(f"{target} is a folder; a model is written to a file.")
    with scratch_file(target) as beside:
        yield beside
        _make_durable(beside)
        beside.replace(target)
    with suppress(OSError):
        _make_durable(target.parent)


@contextmanager
def scratch_file(target: Path) -> Iterator[Path]:
    """An empty file of a new name beside `target`; what is still there after the `with` block is removed."""
    beside = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.part")
    os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
    try:
        yield beside
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()


def _make_durable(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
