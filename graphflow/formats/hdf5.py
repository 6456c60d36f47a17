"""HDF5 files of weights (`.h5`, and `model.weights.h5` inside `.keras`) read as data.

h5py is given a view of bytes in memory, so HDF5 itself opens no file. A path is walked one link at a time, and only
hard links are taken: nothing leads out of the file. A dataset is described and compared with what the caller expects
before a byte of it is read.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from graphflow.errors import GraphflowError, ModelFormatError, UnsupportedError
from graphflow.formats.container import map_file
from graphflow.formats.hdf5_attributes import read_attribute
from graphflow.formats.hdf5_data import describe, read_data
from graphflow.formats.limits import DEFAULT_LIMITS, Limits, shown
from graphflow.formats.zip_directory import Bytes

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_LIBRARY_ERRORS = (OSError, KeyError, RuntimeError, ValueError, TypeError, OverflowError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class ArrayInfo:
    """What a dataset holds: its shape, and the name of its data type, such as "float32" or "bfloat16"."""

    shape: tuple[int, ...]
    dtype: str


class _View(io.RawIOBase):
    """Bytes in memory as the file object that h5py reads."""

    def __init__(self, source: Bytes) -> None:
        self._source = source.data
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + (0, self._at, len(self._source))[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = self._source[self._at : self._at + len(buffer)]
        if len(data) != len(buffer):
            raise OSError(f"truncated: {len(buffer):,} bytes at {self._at:,} are outside {len(self._source):,} bytes")
        buffer[:] = data
        self._at += len(data)
        return len(data)


class WeightsFile:
    """An open HDF5 file that can list, describe and read, and nothing else; made by `open_h5`.

    A path is a string of names joined by "/"; "" and "/" mean the root.

    Attributes:
        where: the file and member, as messages name them.
    """

    def __init__(self, file: Any, source: Bytes, where: str, limits: Limits) -> None:
        import h5py

        self.where = where
        self._h5 = h5py
        self._file = file
        self._source = source
        self._limits = limits
        self._spent = 0

    def kind(self, path: str) -> Literal["group", "dataset"] | None:
        """What lies at a path.

        Args:
            path: names joined by "/".

        Returns:
            "group", "dataset", or None if there is nothing.

        Raises:
            ModelFormatError: a link on the way that is not a hard link, or an object of another kind.
        """
        found = self._find(path)
        if found is None:
            return None
        return "group" if isinstance(found, self._h5.h5g.GroupID) else "dataset"

    def keys(self, path: str = "/") -> list[str]:
        """The names in a group, in the order of the file's index: sorted, unless the writer tracked another order.

        Args:
            path: the group.

        Returns:
            The names; links that may not be followed are among them.

        Raises:
            ModelFormatError: not a group, too many names, or one that is too long or not UTF-8.
        """
        group, where = self._require(path), self._place(path)
        if not isinstance(group, self._h5.h5g.GroupID):
            raise ModelFormatError(f"{where}: expected a group, received a dataset.")
        with _library(where):
            self._limits.check("nodes", int(group.get_num_objs()), where, "links in a group")
            return [self._name(raw, where) for raw in group]

    def attributes(self, path: str = "/") -> list[str]:
        """The names of the attributes of a group or dataset.

        Args:
            path: the group or dataset.

        Returns:
            The names.

        Raises:
            ModelFormatError: nothing there, too many names, or one that is too long or not UTF-8.
        """
        found, where = self._require(path), self._place(path)
        with _library(where):
            count = int(self._h5.h5a.get_num_attrs(found))
            self._limits.check("nodes", count, where, "attributes")
            return [self._name(self._h5.h5a.open(found, index=index).name, where) for index in range(count)]

    def text(self, path: str, name: str) -> str | None:
        """An attribute that is one string, such as `model_config`.

        Args:
            path: the group or dataset.
            name: the attribute.

        Returns:
            The string, or None if there is no such attribute.

        Raises:
            ModelFormatError: not one string, not UTF-8, or longer than `limits.member_bytes`.
        """
        value = self._attribute(path, name)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) != 1:
            raise ModelFormatError(f"{self._place(path, name)}: expected one string.")
        return value[0]

    def texts(self, path: str, name: str) -> list[str] | None:
        """An attribute that is a list of strings, such as `layer_names`; `name0`, `name1`, ... are joined.

        Args:
            path: the group or dataset.
            name: the attribute, without a number.

        Returns:
            The strings, or None if there is no such attribute.

        Raises:
            ModelFormatError: not strings, not UTF-8, or together longer than `limits.member_bytes`.
        """
        value = self._attribute(path, name)
        if value is not None:
            return self._as_texts(value, path, name)
        joined: list[str] = []
        total = 0
        while (part := self._attribute(path, f"{name}{total}")) is not None:
            joined += self._as_texts(part, path, f"{name}{total}")
            total += 1
            self._limits.check("nodes", len(joined), self._place(path, name), "strings")
        return joined if total else None

    def numbers(self, path: str, name: str) -> npt.NDArray[Any] | None:
        """An attribute that is a number or an array of numbers.

        Args:
            path: the group or dataset.
            name: the attribute.

        Returns:
            An array (of shape () for one number), or None if there is no such attribute.

        Raises:
            ModelFormatError: not numbers, or more than `limits.member_bytes`.
        """
        value = self._attribute(path, name)
        if isinstance(value, list):
            raise ModelFormatError(f"{self._place(path, name)}: expected numbers, received strings.")
        return value

    def info(self, path: str) -> ArrayInfo:
        """The shape and data type of a dataset, from its description alone.

        Args:
            path: the dataset.

        Returns:
            Its shape and data type.

        Raises:
            ModelFormatError: not a dataset, one whose data lie elsewhere, or one that holds no plain numbers.
            UnsupportedError: numbers or filters of an unknown kind.
        """
        _, shape, stored, wide = self._described(path)
        return ArrayInfo(shape, "bfloat16" if wide else stored.name)

    def read(
        self,
        path: str,
        shape: tuple[int, ...] | None = None,
        dtype: npt.DTypeLike | None = None,
        mapped: bool = False,
    ) -> npt.NDArray[Any]:
        """Read one dataset, after its shape and data type have been compared with what is expected.

        Args:
            path: the dataset.
            shape: what the configuration says it must be; None accepts any within the limits.
            dtype: what to convert to: floating types convert to each other, others only where no value can change;
                None keeps the stored type. Data stored as bfloat16 become float32 first.
            mapped: give a read-only view of the file's bytes where it can be had: contiguous, aligned, and of the data
                type and byte order of the result. By default, and else, the result is a new array.

        Returns:
            The data, in C order and the machine's byte order.

        Raises:
            ModelFormatError: another shape or data type; data that lie elsewhere, are missing or damaged, or too many.
            UnsupportedError: numbers or filters of an unknown kind.
        """
        where = self._place(path)
        dataset, found, stored, wide = self._described(path)
        if shape is not None and found != tuple(shape):
            raise ModelFormatError(f"{where}: expected shape {tuple(shape)}, received {found}.")
        plain = np.dtype(np.float32) if wide else stored.newbyteorder("=")
        target = plain if dtype is None else np.dtype(dtype)
        if not (plain.kind == target.kind == "f" or np.can_cast(plain, target, "safe")):
            raise ModelFormatError(f"{where}: expected data of type {target.name}, received {plain.name}.")
        size = math.prod(found) * max(stored.itemsize, plain.itemsize, target.itemsize)
        self._limits.check("array_bytes", size, where, "bytes of array")
        self._spent += size
        self._limits.check("total_bytes", self._spent, where, "bytes of arrays in this file")
        with _library(where):
            data = read_data(dataset, self._source, found, stored, where, self._limits)
        if wide:
            bits = data if stored.kind == "u" else data.view("<u2")
            data = np.asarray(np.left_shift(bits, 16, dtype=np.uint32)).view(np.float32)
        if mapped and data.dtype == target and data.flags.aligned:
            return data
        result = data.astype(target, copy=False)
        return result if result.flags.writeable else result.copy()

    def _place(self, path: str, attribute: str | None = None) -> str:
        """The file, member, path and attribute, as messages name them."""
        place = f"{self.where}, {shown(path or '/')}"
        return place if attribute is None else f"{place}, attribute {shown(attribute)}"

    def _find(self, path: str) -> Any:
        """The h5py id of what lies at a path, reached by hard links alone; None if there is nothing."""
        h5, where = self._h5, self._place(path)
        names = [name for name in path.split("/") if name]
        self._limits.check("depth", len(names), where, "levels of groups")
        with _library(where):
            here = h5.h5g.open(self._file.id, b"/")
            for name in names:
                raw = name.encode("utf-8")
                if not isinstance(here, h5.h5g.GroupID) or name == "." or b"\0" in raw or not here.links.exists(raw):
                    return None
                kind = here.links.get_info(raw).type
                if kind != h5.h5l.TYPE_HARD:
                    word = {h5.h5l.TYPE_SOFT: "a soft", h5.h5l.TYPE_EXTERNAL: "an external"}.get(kind, "a user-defined")
                    raise ModelFormatError(f"{where}: links out of the tree are refused; {shown(name)} is {word} link.")
                here = h5.h5o.open(here, raw)
                if not isinstance(here, h5.h5g.GroupID | h5.h5d.DatasetID):
                    raise ModelFormatError(f"{where}: {shown(name)} must be a group or a dataset.")
        return here

    def _require(self, path: str) -> Any:
        found = self._find(path)
        if found is None:
            raise ModelFormatError(f"{self._place(path)}: nothing there; expected a group or a dataset.")
        return found

    def _described(self, path: str) -> tuple[Any, tuple[int, ...], np.dtype[Any], bool]:
        """A dataset's id, shape, stored type, and whether it holds bfloat16."""
        where = self._place(path)
        dataset = self._require(path)
        if not isinstance(dataset, self._h5.h5d.DatasetID):
            raise ModelFormatError(f"{where}: expected a dataset, received a group.")
        with _library(where):
            shape, stored = describe(dataset, where)
            named = read_attribute(dataset, "dtype", self._source, where, self._limits)
        wide = named == ["bfloat16"] and stored.kind in "uV" and stored.itemsize == 2
        if stored.kind == "V" and not wide:
            raise UnsupportedError(f"{where}: opaque data need an attribute dtype='bfloat16', received {named!r:.80}.")
        return dataset, shape, stored, wide

    def _attribute(self, path: str, name: str) -> list[str] | npt.NDArray[Any] | None:
        where = self._place(path, name)
        with _library(where):
            return read_attribute(self._require(path), name, self._source, where, self._limits)

    def _as_texts(self, value: list[str] | npt.NDArray[Any], path: str, name: str) -> list[str]:
        """The strings of an attribute; a list that was empty when it was written is an empty array of numbers."""
        if not isinstance(value, list):
            if value.size:
                raise ModelFormatError(f"{self._place(path, name)}: expected strings, received numbers.")
            return []
        longest = max(map(len, value), default=0)
        self._limits.check("string_bytes", longest, self._place(path, name), "characters in a name")
        return value

    def _name(self, raw: bytes, where: str) -> str:
        self._limits.check("string_bytes", len(raw), where, "bytes in a name")
        try:
            return raw.decode("utf-8", "strict")
        except UnicodeDecodeError:
            raise ModelFormatError(f"{where}: the name {raw[:80]!r} is not UTF-8.") from None


@contextmanager
def _library(where: str) -> Iterator[None]:
    """Errors of HDF5 and h5py become `ModelFormatError`."""
    try:
        yield
    except GraphflowError:
        raise
    except _LIBRARY_ERRORS as error:
        raise ModelFormatError(f"{where}: not readable as HDF5: {shown(str(error), 300)}.") from None


@contextmanager
def open_h5(
    source: str | os.PathLike[str] | bytes | memoryview | npt.NDArray[np.uint8],
    where: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[WeightsFile]:
    """Open an HDF5 file for a `with` block; the reader is of no use after it, the arrays it gave out are.

    Args:
        source: a path, or the file's content.
        where: the file and member, as messages shall name them; by default the path.
        limits: budgets; all but those of archives and JSON apply.

    Yields:
        The reader.

    Raises:
        OSError: the file is missing or not readable.
        ModelFormatError: not an HDF5 file, damaged, or larger than the limit.

    Example:
        >>> from graphflow.formats.hdf5 import open_h5
        >>> with open_h5("model.weights.h5") as weights:  # doctest: +SKIP
        ...     kernel = weights.read("layers/dense/vars/0", shape=(64, 10), dtype="float32")
    """
    if isinstance(source, str | os.PathLike):
        content, where = map_file(source, limits), where or os.fspath(source)
    else:
        content, where = np.frombuffer(source, np.uint8), where or "<memory>"
        content.flags.writeable = False
        limits.check("file_bytes", len(content), where, "bytes of file")
    if content[: len(_SIGNATURE)].tobytes() != _SIGNATURE:
        raise ModelFormatError(f"{where}: not an HDF5 file: it must begin with {_SIGNATURE!r}.")
    sizes = content[13:15] if content[8:9].tobytes() < b"\2" else content[9:11]
    if sizes.tolist() != [8, 8]:
        raise UnsupportedError(
            f"{where}: HDF5 files must have addresses and lengths of 8 bytes, received {sizes.tolist()}."
        )
    import h5py

    with _library(where):
        file = h5py.File(_View(content), "r")
    with file:
        yield WeightsFile(file, content, where, limits)
