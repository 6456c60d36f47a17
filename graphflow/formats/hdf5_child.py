"""The tree of an HDF5 file as HDF5's library describes it in a process of its own, for files of strangers.

A hostile file can crash the library, or make it run or allocate without end. So the file goes through a pipe into a
child whose memory, time, files and output are limited, and what comes back is a description in JSON: names, attributes,
shapes, and where the data lie. The data themselves are read here, from the file's own bytes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Any, Literal, NoReturn

import numpy as np
import numpy.typing as npt

from graphflow.errors import GraphflowError, ModelFormatError, UnsupportedError
from graphflow.formats.hdf5_data import Chunk, Stored
from graphflow.formats.json_text import parse_json
from graphflow.formats.limits import GIB, Limits
from graphflow.formats.zip_directory import Bytes

CPU_SECONDS, WALL_SECONDS = 10, 60.0
"""What a child may take before it is ended."""

_PLACE = "\1"
"""Stands for the place in messages of the child."""

_PROGRAM = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from graphflow.formats import hdf5_child; "
    "hdf5_child.serve()"
)
_NUMBERS = ("i2", "u2", "f2", "i4", "u4", "f4", "i8", "u8", "f8")
_CODES = frozenset(("|b1", "|V2", "|i1", "|u1", *(f"{order}{kind}" for order in "<>" for kind in _NUMBERS)))


class ChildTree:
    """The objects of a file; the methods are those of `DirectTree`, a handle is an object's description.

    Raises:
        ModelFormatError: not readable, or the child was ended by a signal or a limit.
    """

    def __init__(self, source: Bytes, where: str, limits: Limits) -> None:
        answer = parse_json(_ask_child(source, where, limits), where, limits)
        if isinstance(answer, dict) and "error" in answer:
            _refuse(answer["error"], where)
        self._objects: Any = answer

    def close(self) -> None:
        """Forget what has been read."""
        self._objects = []

    def root(self, where: str) -> Any:
        """The group that holds everything."""
        return self._objects[0]

    def kind(self, handle: Any) -> Literal["group", "dataset"] | None:
        """What an object is; None for one that is neither."""
        found: Literal["group", "dataset"] | None = handle["kind"]
        return found

    def child(self, handle: Any, name: bytes, where: str) -> tuple[str, Any] | None:
        """The kind of a link in a group, and what it leads to if it is hard; None if there is no such link."""
        found = handle["links"].get(name.decode("latin-1"))
        if found is None:
            return None
        return found[0], self._objects[found[1]] if found[0] == "hard" else None

    def names(self, handle: Any, where: str) -> list[bytes]:
        """The names in a group, in the order of the file's index."""
        return [name.encode("latin-1") for name in handle["links"]]

    def attribute_names(self, handle: Any, where: str) -> list[bytes]:
        """The names of an object's attributes."""
        return [name.encode("latin-1") for name in handle["attributes"]]

    def attribute(self, handle: Any, name: bytes, where: str) -> list[bytes] | npt.NDArray[np.generic] | None:
        """The strings or numbers of an attribute; None if there is none of this name."""
        found = handle["attributes"].get(name.decode("latin-1"))
        if found is None:
            return None
        if "error" in found:
            _refuse(found["error"], where)
        if "texts" in found:
            return [text.encode("latin-1") for text in found["texts"]]
        data = bytes.fromhex(found["data"])
        numbers: npt.NDArray[np.generic] = np.frombuffer(data, _dtype(found["dtype"], where)).reshape(found["shape"])
        return numbers

    def stored(self, handle: Any, where: str) -> Stored:
        """What a dataset holds and where."""
        found = dict(handle["stored"])
        if "error" in found:
            _refuse(found["error"], where)
        chunks = tuple(
            Chunk(_sizes(start), *_sizes((mask, offset, size))) for start, mask, offset, size in found["chunks"]
        )
        return Stored(
            shape=_sizes(found["shape"]),
            dtype=_dtype(found["dtype"], where),
            offset=None if found["offset"] is None else _sizes([found["offset"]])[0],
            size=_sizes([found["size"]])[0],
            compact=None if found["compact"] is None else bytes.fromhex(found["compact"]),
            chunk=_sizes(found["chunk"]),
            filters=_sizes(found["filters"]),
            chunks=chunks,
        )


def _sizes(values: Sequence[Any]) -> tuple[int, ...]:
    """Numbers that are sizes or offsets.

    Raises:
        ValueError: something else.
    """
    if any(type(value) is not int or value < 0 for value in values):
        raise ValueError(f"sizes must be non-negative integers, received {values!r:.80}")
    return tuple(values)


def _dtype(code: str, where: str) -> np.dtype[np.generic]:
    if code not in _CODES:
        raise ModelFormatError(f"{where}: numbers of the kind {code!r:.20} are not known.")
    return np.dtype(code)


def _refuse(error: list[str], where: str) -> NoReturn:
    kind = UnsupportedError if error[0] == "UnsupportedError" else ModelFormatError
    raise kind(str(error[1]).replace(_PLACE, where, 1))


def _ask_child(source: Bytes, where: str, limits: Limits) -> bytes:
    """What the child writes about a file.

    Raises:
        ModelFormatError: it was ended by a signal, by a limit, or by an error, or wrote too much.
    """
    command = [sys.executable, "-c", _PROGRAM, json.dumps(sys.path), json.dumps(limits._asdict()), str(len(source))]
    settings = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=settings
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        timer = threading.Timer(WALL_SECONDS, process.kill)
        timer.start()
        try:
            try:
                process.stdin.write(source.data)
                process.stdin.close()
            except BrokenPipeError:
                pass
            answer = process.stdout.read(limits.member_bytes + 1)
            if len(answer) > limits.member_bytes:
                process.kill()
        finally:
            timer.cancel()
    if process.returncode < 0:
        name = signal.Signals(-process.returncode).name
        raise ModelFormatError(f"{where}: HDF5's library was ended by {name} while it read the file.")
    if process.returncode:
        raise ModelFormatError(f"{where}: HDF5's library could not read the file within the limits of its process.")
    return answer


def serve() -> None:
    """The child's program: limits first, then the file from standard input, its description to standard output."""
    import encodings.ascii
    import encodings.latin_1  # noqa: F401
    import resource

    import h5py  # noqa: F401

    from graphflow.formats.hdf5_library import LibraryTree

    size = int(sys.argv[3])
    content = np.frombuffer(sys.stdin.buffer.read(), np.uint8)
    resource.setrlimit(resource.RLIMIT_AS, (size + 2 * GIB, size + 2 * GIB))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    for none in (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
        resource.setrlimit(none, (0, 0))
    limits = Limits(**json.loads(sys.argv[2]))
    try:
        answer: Any = _describe(LibraryTree(content, _PLACE, limits), limits)
    except GraphflowError as error:
        answer = _error(error)
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)


def _error(error: GraphflowError) -> dict[str, list[str]]:
    return {"error": [type(error).__name__, str(error)]}


def _describe(tree: Any, limits: Limits) -> list[dict[str, Any]]:
    """Every object of a file, groups before what they hold."""
    import h5py

    objects: list[dict[str, Any]] = []
    waiting = [tree.root(_PLACE)]
    places = {h5py.h5o.get_info(waiting[0]).addr: 0}
    for handle in waiting:
        described: dict[str, Any] = {"kind": tree.kind(handle), "links": {}, "attributes": {}}
        objects.append(described)
        if described["kind"] == "group":
            for name in tree.names(handle, _PLACE):
                link = tree.child(handle, name, _PLACE)
                if link is None:
                    continue
                kind, inner = link
                place = -1
                if inner is not None:
                    address = h5py.h5o.get_info(inner).addr
                    if address not in places:
                        places[address] = len(waiting)
                        waiting.append(inner)
                        limits.check("nodes", len(waiting), _PLACE, "objects in the file")
                    place = places[address]
                described["links"][name.decode("latin-1")] = [kind, place]
        if described["kind"] is not None:
            for name in tree.attribute_names(handle, _PLACE):
                described["attributes"][name.decode("latin-1")] = _attribute(tree, handle, name)
        if described["kind"] == "dataset":
            described["stored"] = _stored(tree, handle)
    return objects


def _attribute(tree: Any, handle: Any, name: bytes) -> dict[str, Any]:
    try:
        value = tree.attribute(handle, name, _PLACE)
    except GraphflowError as error:
        return _error(error)
    if isinstance(value, list):
        return {"texts": [text.decode("latin-1") for text in value]}
    return {"dtype": value.dtype.str, "shape": value.shape, "data": value.tobytes().hex()}


def _stored(tree: Any, handle: Any) -> dict[str, Any]:
    try:
        found: Stored = tree.stored(handle, _PLACE)
    except GraphflowError as error:
        return _error(error)
    compact = None if found.compact is None else found.compact.hex()
    return {
        "shape": found.shape,
        "dtype": found.dtype.str,
        "offset": found.offset,
        "size": found.size,
        "compact": compact,
        "chunk": found.chunk,
        "filters": found.filters,
        "chunks": found.chunks,
    }
