"""Files mapped into memory, whose pages are given back behind the reader, so that they never count for long."""

from __future__ import annotations

import mmap
from pathlib import Path


def map_file(path: Path) -> mmap.mmap:
    """A file's bytes, to be read only; they come from the disk when they are touched."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def release(mapped: mmap.mmap, start: int, stop: int) -> None:
    """Give back the pages of a range; what is touched again is read again.

    Args:
        mapped: the file.
        start, stop: of the bytes; whole pages that hold any of them are given back.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp()) / "bytes"
        >>> _ = path.write_bytes(b"abc" * 5000)
        >>> mapped = map_file(path)
        >>> release(mapped, 0, 9000)
        >>> mapped[:3]
        b'abc'
    """
    begin = start // mmap.PAGESIZE * mmap.PAGESIZE
    size = min(stop, len(mapped)) - begin
    if size > 0 and hasattr(mapped, "madvise"):
        mapped.madvise(mmap.MADV_DONTNEED, begin, size)
