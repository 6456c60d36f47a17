"""Lines of text files and of standard input, read with limits, and where each begins."""

from __future__ import annotations

import codecs
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from graphflow.batch.block import Cursor
from graphflow.errors import ArgumentError, DataError

LONGEST = 16 << 20
"""Bytes of a line; a longer one is a bad row."""


class LineError(ValueError):
    """A line that is no text or too long; the reader stands behind it."""


class Lines:
    """An iterator over the decoded lines of files, one behind the other, which goes on after a bad line.

    Args:
        files: paths; None: standard input.
        encoding: one in which a line feed is the byte 10.

    Attributes:
        file: which file is being read.
        number: of the line that was read last, from 1.
    """

    def __init__(self, files: Sequence[Path] | None, encoding: str) -> None:
        self._files = files
        self._encoding = encoding
        self._stream: BinaryIO | None = None
        self._offset = 0
        self._checksum = 0
        self.file = -1
        self.number = 0

    @property
    def place(self) -> str:
        """What messages call the file."""
        return "standard input" if self._files is None else str(self._files[self.file])

    def next_file(self) -> bool:
        """Open the next file; False behind the last."""
        self.close()
        self.file += 1
        self.number, self._offset = 0, 0
        if self._files is None:
            if self.file:
                return False
            self._stream = sys.stdin.buffer
            return True
        if self.file >= len(self._files):
            return False
        self._stream = self._files[self.file].open("rb")
        return True

    def cursor(self) -> Cursor:
        """Where the reader stands."""
        if self._files is None:
            return {"bytes": self._offset, "line": self.number, "checksum": self._checksum}
        return {"file": self.file, "bytes": self._offset, "line": self.number}

    def go_to(self, cursor: Cursor) -> None:
        """Stand where a cursor says; on standard input by reading what lies before.

        Raises:
            DataError: what lies before on standard input is not what was there.
        """
        if self._files is None:
            assert self._stream is not None
            left = int(cursor["bytes"]) - self._offset
            while left:
                part = self._stream.read(min(left, 1 << 20))
                if not part:
                    raise DataError(f"Standard input ends {left:,} bytes before where the job stood.")
                self._checksum = zlib.crc32(part, self._checksum)
                left -= len(part)
            if self._checksum != cursor["checksum"]:
                raise DataError("Standard input does not begin with the rows that were done: the checksums differ.")
        else:
            while self.file < int(cursor["file"]):
                self.next_file()
            assert self._stream is not None
            self._stream.seek(int(cursor["bytes"]))
        self._offset, self.number = int(cursor["bytes"]), int(cursor["line"])

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        """The next line of this file, with its end.

        Raises:
            LineError: it is not of the encoding, or too long.
        """
        assert self._stream is not None
        line = self._stream.readline(LONGEST)
        if not line:
            raise StopIteration
        self._count(line)
        self.number += 1
        if len(line) == LONGEST and not line.endswith(b"\n"):
            rest = line
            while rest and not rest.endswith(b"\n"):
                rest = self._stream.readline(LONGEST)
                self._count(rest)
            raise LineError(f"a line has more than {LONGEST:,} bytes")
        if self.number == 1 and line.startswith(b"\xef\xbb\xbf") and self._encoding == "utf-8":
            line = line[3:]
        try:
            return line.decode(self._encoding)
        except UnicodeDecodeError as error:
            raise LineError(f"byte {line[error.start]:#04x} is not {self._encoding} text") from None

    def _count(self, data: bytes) -> None:
        self._offset += len(data)
        if self._files is None:
            self._checksum = zlib.crc32(data, self._checksum)

    def close(self) -> None:
        """Close the file."""
        if self._stream is not None and self._files is not None:
            self._stream.close()
        self._stream = None


def check_encoding(encoding: str) -> str:
    """The name of an encoding that can be read line by line.

    Raises:
        ArgumentError: there is none of this name, or its line feed is not the byte 10 (UTF-16, UTF-32).
    """
    try:
        name = codecs.lookup(encoding).name
        usable = "\nA".encode(name) == b"\nA"
    except (LookupError, ValueError) as error:
        raise ArgumentError(f"The encoding {encoding!r} is not known: {error}.") from None
    if name == "utf-8-sig":
        return "utf-8"
    if not usable:
        raise ArgumentError(f"The encoding {encoding!r} can not be read line by line; convert the file to UTF-8.")
    return name
