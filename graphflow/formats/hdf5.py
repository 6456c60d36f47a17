"""HDF5 files of weights (`.h5`, and `model.weights.h5` inside `.keras`) read as data.

The tree of objects comes from `hdf5_direct`, where that says so from HDF5's library (`hdf5_library`, or for files of
strangers `hdf5_child`). A path is walked one link at a time, and only hard links are taken: nothing leads out of the
file. A dataset is described and compared with what the caller expects before a byte of it is read.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeVar

import numpy as np

from graphflow.errors import GraphflowError, ModelFormatError, UnsupportedError
from graphflow.formats.container import copied, map_file
from graphflow.formats.hdf5_data import Stored, read_data
from graphflow.formats.hdf5_direct import DirectTree
from graphflow.formats.hdf5_types import NotDirectError
from graphflow.formats.limits import DEFAULT_LIMITS, Limits, shown
from graphflow.formats.zip_directory import Bytes
from graphflow.mapped import drop_pages

if TYPE_CHECKING:
    import numpy.typing as npt

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
T = TypeVar("T")


class Tree(Protocol):
    """The objects of a file, each known by a handle; `NotDirectError` from any method hands the question on."""

    def root(self, where: str) -> Any: ...
    def close(self) -> None: ...
    def kind(self, handle: Any) -> Literal["group", "dataset"] | None: ...
    def child(self, handle: Any, name: bytes, where: str) -> tuple[str, Any] | None: ...
    def names(self, handle: Any, where: str) -> list[bytes]: ...
    def attribute_names(self, handle: Any, where: str) -> list[bytes]: ...
    def attribute(self, handle: Any, name: bytes, where: str) -> list[bytes] | npt.NDArray[Any] | None: ...
    def stored(self, handle: Any, where: str) -> Stored: ...


Reader = Callable[[Bytes, str, Limits], Tree]


def _library(source: Bytes, where: str, limits: Limits) -> Tree:
    from graphflow.formats.hdf5_library import LibraryTree

    return LibraryTree(source, where, limits)


def _child(source: Bytes, where: str, limits: Limits) -> Tree:
    from graphflow.formats.hdf5_child import ChildTree

    return ChildTree(source, where, limits)


readers: ContextVar[tuple[Reader, ...]] = ContextVar("graphflow_hdf5_readers", default=(DirectTree, _library))
"""Who is asked about a file, in this order."""


@contextmanager
def in_child() -> Iterator[None]:
    """Whatever needs HDF5's library is read in a process of its own inside a `with` block."""
    token = readers.set((DirectTree, _child))
    try:
        yield
    finally:
        readers.reset(token)


class ArrayInfo(NamedTuple):
    """What a dataset holds: its shape, and the name of its data type, such as "float32" or "bfloat16"."""

    shape: tuple[int, ...]
    dtype: str


class WeightsFile:
    """An open HDF5 file that can list, describe and read, and nothing else; made by `open_h5`.

    A path is a string of names joined by "/"; "" and "/" mean the root.

    Attributes:
        where: the file and member, as messages name them.
    """

    def __init__(
        self, source: Bytes, where: str, limits: Limits, readers: Sequence[Reader], kept: bool = False
    ) -> None:
        self.where = where
        self._kept = kept
        self._placed: tuple[str | None, str] = (None, "")
        self._source = source
        self._limits = limits
        self._readers = readers
        self._trees: list[Tree] = []
        self._walked: tuple[Tree | None, list[str], list[Any]] = (None, [], [])
        self._spent = 0
        self._ask(lambda tree: tree.root(where))

    def close(self) -> None:
        """Forget the file."""
        self._walked = (None, [], [])
        for tree in self._trees:
            tree.close()

    def kind(self, path: str) -> Literal["group", "dataset"] | None:
        """What lies at a path.

        Args:
            path: names joined by "/".

        Returns:
            "group", "dataset", or None if there is nothing.

        Raises:
            ModelFormatError: a link on the way that is not a hard link, or an object of another kind.
        """
        return self._ask(lambda tree: None if (found := self._find(tree, path)) is None else tree.kind(found))

    def keys(self, path: str = "/") -> list[str]:
        """The names in a group, in the order of the file's index: sorted, unless the writer tracked another order.

        Args:
            path: the group.

        Returns:
            The names; links that may not be followed are among them.

        Raises:
            ModelFormatError: not a group, too many names, or one that is too long or not UTF-8.
        """
        where = self._place(path)

        def names(tree: Tree) -> list[bytes]:
            group = self._require(tree, path)
            if tree.kind(group) != "group":
                raise ModelFormatError(f"{where}: expected a group, received a dataset.")
            return tree.names(group, where)

        found = [self._name(raw, where) for raw in self._ask(names)]
        for name in found:
            if name in ("", ".") or "/" in name:
                raise ModelFormatError(f"{where}: {shown(name)} can not be the name of a link.")
        return found

    def attributes(self, path: str = "/") -> list[str]:
        """The names of the attributes of a group or dataset.

        Args:
            path: the group or dataset.

        Returns:
            The names.

        Raises:
            ModelFormatError: nothing there, too many names, or one that is too long or not UTF-8.
        """
        where = self._place(path)
        found = self._ask(lambda tree: tree.attribute_names(self._require(tree, path), where))
        return [self._name(raw, where) for raw in found]

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
        stored, wide = self._stored(path)
        return ArrayInfo(stored.shape, "bfloat16" if wide else stored.dtype.name)

    def read(
        self,
        path: str,
        shape: tuple[int, ...] | None = None,
        dtype: npt.DTypeLike | None = None,
        mapped: bool | None = None,
    ) -> npt.NDArray[Any]:
        """Read one dataset, after its shape and data type have been compared with what is expected.

        Args:
            path: the dataset.
            shape: what the configuration says it must be; None accepts any within the limits.
            dtype: what to convert to: floating types convert to each other, others only where no value can change;
                None keeps the stored type. Data stored as bfloat16 become float32 first.
            mapped: give a read-only view of the file's bytes where it can be had: contiguous, and of the data type and
                byte order of the result; it may not be aligned. None: from `limits.mapped_from` bytes on, and where it
                is aligned if the content is kept in memory. Else the result is a new array.

        Returns:
            The data, in C order and the machine's byte order.

        Raises:
            ModelFormatError: another shape or data type; data that lie elsewhere, are missing or damaged, or too many.
            UnsupportedError: numbers or filters of an unknown kind.
        """
        where = self._place(path)
        stored, wide = self._stored(path)
        if shape is not None and stored.shape != tuple(shape):
            raise ModelFormatError(f"{where}: expected shape {tuple(shape)}, received {stored.shape}.")
        plain = np.dtype(np.float32) if wide else stored.dtype.newbyteorder("=")
        target = plain if dtype is None else np.dtype(dtype)
        if not (plain.kind == target.kind == "f" or np.can_cast(plain, target, "safe")):
            raise ModelFormatError(f"{where}: expected data of type {target.name}, received {plain.name}.")
        size = math.prod(stored.shape) * max(stored.dtype.itemsize, plain.itemsize, target.itemsize)
        self._limits.check("array_bytes", size, where, "bytes of array")
        self._spent += size
        self._limits.check("total_bytes", self._spent, where, "bytes of arrays in this file")
        data = read_data(stored, self._source, where, self._limits)
        if wide:
            bits = data if stored.dtype.kind == "u" else data.view("<u2")
            data = np.asarray(np.left_shift(bits, 16, dtype=np.uint32)).view(np.float32)
        if mapped is None:
            mapped = data.nbytes >= self._limits.mapped_from or (self._kept and data.flags.aligned)
        if mapped and data.dtype == target:
            return data
        return data if data.flags.writeable and data.dtype == target else copied(data, target)

    def _place(self, path: str, attribute: str | None = None) -> str:
        """The file, member, path and attribute, as messages name them."""
        if path != self._placed[0]:
            self._placed = path, f"{self.where}, {shown(path or '/')}"
        place = self._placed[1]
        return place if attribute is None else f"{place}, attribute {shown(attribute)}"

    def _ask(self, question: Callable[[Tree], T]) -> T:
        """The answer of the first reader that has one."""
        for index, make in enumerate(self._readers):
            try:
                if index == len(self._trees):
                    self._trees.append(make(self._source, self.where, self._limits))
                return question(self._trees[index])
            except NotDirectError:
                continue
            except GraphflowError:
                raise
            except (struct.error, LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
                raise ModelFormatError(f"{self.where}: not readable as HDF5: {error}.") from None
        raise UnsupportedError(f"{self.where}: this form of HDF5 is not supported.")

    def _find(self, tree: Tree, path: str) -> Any:
        """The handle of what lies at a path, reached by hard links alone; None if there is nothing."""
        where = self._place(path)
        names = [name for name in path.split("/") if name]
        self._limits.check("depth", len(names), where, "levels of groups")
        if self._walked[0] is not tree:
            self._walked = (tree, [], [tree.root(where)])
        _, known, handles = self._walked
        same = next((at for at, (old, new) in enumerate(zip(known, names, strict=False)) if old != new), len(known))
        del known[same:], handles[same + 1 :]
        for name in names[len(known) :]:
            found = self._step(tree, handles[-1], name, where)
            if found is None:
                return None
            known.append(name)
            handles.append(found)
        return handles[len(names)]

    def _step(self, tree: Tree, group: Any, name: str, where: str) -> Any:
        """The handle behind a link of a group; None if there is no such group or link."""
        raw = name.encode("utf-8", "surrogateescape")
        if tree.kind(group) != "group" or name == "." or b"\0" in raw:
            return None
        found = tree.child(group, raw, where)
        if found is None:
            return None
        kind, handle = found
        if kind != "hard":
            article = "an" if kind == "external" else "a"
            raise ModelFormatError(
                f"{where}: links out of the tree are refused; {shown(name)} is {article} {kind} link."
            )
        if tree.kind(handle) is None:
            raise ModelFormatError(f"{where}: {shown(name)} must be a group or a dataset.")
        return handle

    def _require(self, tree: Tree, path: str) -> Any:
        found = self._find(tree, path)
        if found is None:
            raise ModelFormatError(f"{self._place(path)}: nothing there; expected a group or a dataset.")
        return found

    def _stored(self, path: str) -> tuple[Stored, bool]:
        """Where a dataset lies, and whether it holds bfloat16."""
        where = self._place(path)

        def answer(tree: Tree) -> tuple[Stored, Any]:
            dataset = self._require(tree, path)
            if tree.kind(dataset) != "dataset":
                raise ModelFormatError(f"{where}: expected a dataset, received a group.")
            stored = tree.stored(dataset, where)
            two_bytes = stored.dtype.kind in "uV" and stored.dtype.itemsize == 2
            return stored, tree.attribute(dataset, b"dtype", where) if two_bytes else None

        stored, named = self._ask(answer)
        wide = isinstance(named, list) and named == [b"bfloat16"]
        if stored.dtype.kind == "V" and not wide:
            raise UnsupportedError(f"{where}: opaque data need an attribute dtype='bfloat16', received {named!r:.80}.")
        return stored, wide

    def _attribute(self, path: str, name: str) -> list[str] | npt.NDArray[Any] | None:
        where = self._place(path, name)
        found = self._ask(lambda tree: tree.attribute(self._require(tree, path), name.encode("utf-8"), where))
        return [_decoded(text, where) for text in found] if isinstance(found, list) else found

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


def _decoded(text: bytes, where: str) -> str:
    """One string of an attribute, which must be UTF-8."""
    try:
        return text.decode("utf-8", "strict")
    except UnicodeDecodeError:
        raise ModelFormatError(f"{where}: expected UTF-8 text.") from None


@contextmanager
def open_h5(
    source: str | os.PathLike[str] | bytes | memoryview | npt.NDArray[np.uint8],
    where: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
    kept: bool = False,
) -> Iterator[WeightsFile]:
    """Open an HDF5 file for a `with` block; the reader is of no use after it, the arrays it gave out are.

    Args:
        source: a path, or the file's content.
        where: the file and member, as messages shall name them; by default the path.
        limits: budgets; all but those of archives and JSON apply.
        kept: `source` is an array of the caller's that nobody else will write, so that arrays may stay in it.

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
        content.flags.writeable = kept
        limits.check("file_bytes", len(content), where, "bytes of file")
    if content[: len(_SIGNATURE)].tobytes() != _SIGNATURE:
        raise ModelFormatError(f"{where}: not an HDF5 file: it must begin with {_SIGNATURE!r}.")
    if len(content) < 48:
        raise ModelFormatError(f"{where}: not readable as HDF5: truncated: it has {len(content):,} bytes.")
    sizes = content[13:15] if content[8:9].tobytes() < b"\2" else content[9:11]
    if sizes.tolist() != [8, 8]:
        raise UnsupportedError(
            f"{where}: HDF5 files must have addresses and lengths of 8 bytes, received {sizes.tolist()}."
        )
    file = WeightsFile(content, where, limits, readers.get(), kept)
    try:
        yield file
    finally:
        file.close()
        drop_pages(content)
