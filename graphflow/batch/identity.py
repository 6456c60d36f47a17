"""What makes a job the same job: hashes of model, source, functions and settings, and what differs between two."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np

from graphflow.variable import Variable

SAMPLE = 1 << 16
SAMPLES = 16


def model_hash(data: Mapping[str, Any]) -> str:
    """A hash of what a graph computes: its ops, attributes, wiring, names of inputs and outputs, and every weight.

    Args:
        data: the graph as plain data, see `graphflow.ir.data`.

    Names of layers are left out, since they count up within a process.
    """
    digest = hashlib.sha256()
    for key in ("inputs", "outputs"):
        _feed(digest, data[key])
    for op, operands, attrs, _ in data["nodes"]:
        _feed(digest, [op, operands, attrs])
    _feed(digest, [data["constants"], data["variables"], [operand for _, operand in data["updates"]]])
    return digest.hexdigest()


def _feed(digest: Any, value: Any) -> None:
    """Take a value into a hash, each kind with a mark of its own."""
    if isinstance(value, Variable):
        value = value.value
    if isinstance(value, np.ndarray):
        digest.update(f"array {value.dtype.str}{value.shape}".encode())
        digest.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
    elif isinstance(value, Mapping):
        digest.update(f"map {len(value)}".encode())
        for key in sorted(value, key=str):
            if key != "origin":
                _feed(digest, str(key))
                _feed(digest, value[key])
    elif isinstance(value, (list, tuple)):
        digest.update(f"list {len(value)}".encode())
        for one in value:
            _feed(digest, one)
    elif callable(value):
        digest.update(function_hash(value).encode())
    else:
        digest.update(f"{type(value).__name__} {value!r};".encode())


def function_hash(function: Callable[..., Any]) -> str:
    """The name of a function with a hash of its compiled code and defaults; of another callable, its class's."""
    if isinstance(function, partial):
        inner = hashlib.sha256()
        _feed(inner, [function.args, function.keywords])
        return f"partial {function_hash(function.func)} {inner.hexdigest()[:16]}"
    code = getattr(function, "__code__", None)
    if code is None:
        code = getattr(vars(type(function)).get("__call__"), "__code__", None)
    name = getattr(function, "__qualname__", type(function).__qualname__)
    digest = hashlib.sha256()
    if isinstance(code, CodeType):
        _feed_code(digest, code)
    for default in getattr(function, "__defaults__", None) or ():
        digest.update(repr(default).encode() if isinstance(default, (str, bytes, int, float, tuple)) else b"?")
    return f"{name} {digest.hexdigest()[:16]}"


def _feed_code(digest: Any, code: CodeType) -> None:
    digest.update(code.co_code)
    digest.update(repr(code.co_names).encode())
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _feed_code(digest, constant)
        elif isinstance(constant, frozenset):
            digest.update(repr(sorted(map(repr, constant))).encode())
        else:
            digest.update(repr(constant).encode())


def file_identity(path: Path) -> dict[str, Any]:
    """Name, size, time of change and a hash of samples of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        size = file.seek(0, 2)
        starts = range(0, size, SAMPLE) if size <= SAMPLES * SAMPLE else np.linspace(0, size - SAMPLE, SAMPLES)
        for start in starts:
            file.seek(int(start))
            digest.update(file.read(SAMPLE))
        changed = path.stat().st_mtime_ns
    return {"name": path.name, "bytes": size, "changed": changed, "sample": digest.hexdigest()[:32]}


def array_identity(array: Any) -> dict[str, Any]:
    """Shape, dtype and a hash of sampled rows of anything that can be sliced."""
    rows = int(array.shape[0])
    digest = hashlib.sha256()
    row_bytes = max(1, int(np.prod(array.shape[1:])) * np.dtype(array.dtype).itemsize)
    count = max(1, SAMPLE // row_bytes)
    starts = range(0, rows, count) if rows <= SAMPLES * count else np.linspace(0, rows - count, SAMPLES)
    for start in starts:
        part = np.asarray(array[int(start) : int(start) + count])
        digest.update(repr(part.tolist()).encode() if part.dtype.hasobject else np.ascontiguousarray(part).tobytes())
    return {"shape": list(map(int, array.shape)), "dtype": str(array.dtype), "sample": digest.hexdigest()[:32]}


def differences(old: Any, new: Any, place: str = "") -> list[str]:
    """What differs between two plain values, as `place: old, now new`.

    Example:
        >>> differences({"model": "a", "rows": 3}, {"model": "b", "rows": 3})
        ["model: was 'a', is 'b'"]
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        found = []
        for key in sorted({*old, *new}, key=str):
            inner = f"{place}.{key}" if place else str(key)
            found += differences(old.get(key), new.get(key), inner)
        return found
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [
            text for i, pair in enumerate(zip(old, new, strict=True)) for text in differences(*pair, f"{place}[{i}]")
        ]
    return [] if old == new else [f"{place}: was {_short(old)}, is {_short(new)}"]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def without_times(identity: Any) -> Any:
    """An identity as outputs carry it: nothing that a copy of the same files would change."""
    if isinstance(identity, Mapping):
        return {key: without_times(value) for key, value in identity.items() if key != "changed"}
    return [without_times(value) for value in identity] if isinstance(identity, list) else identity
