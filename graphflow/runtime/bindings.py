"""What is computed once per set of weights: folded and packed arrays, shared by all plans of a session."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from graphflow.ir.graph import Value
from graphflow.kernels.layout import Pack
from graphflow.kernels.packing import install_memory
from graphflow.mapped import drop_pages
from graphflow.spec import element_count
from graphflow.variable import Variable

Array = np.ndarray[Any, Any]
Key = tuple[tuple[Value | None, ...], str]
SIDE_BY_SIDE_FROM = 1_000_000
"""Elements from which threads are worth starting."""
ELEMENTWISE = frozenset(("add", "cast", "divide", "multiply", "subtract"))
IN_PARTS_FROM = 1 << 18
"""Elements of which what is computed on the way to them is kept small."""
TRIM_FROM = 500_000
"""Elements of an array after which what the C library keeps of the memory that was used on the way is given back."""


class Bindings:
    """Arrays that hold until a variable changes."""

    def __init__(self) -> None:
        self._arrays: dict[Key, Array] = {}
        self._makers: dict[Key, Any] = {}
        self.bodies: dict[Any, Any] = {}

    def raw(self, value: Value) -> Key:
        """The key of a value's own array."""
        key: Key = ((value,), "")
        self._makers.setdefault(key, None)
        return key

    def packed(self, pack: Pack, inputs: tuple[Value | None, ...]) -> Key:
        """The key of a packed array."""
        key: Key = (tuple(inputs[index] for index in pack.inputs), pack.name)
        self._makers.setdefault(key, pack.make)
        return key

    def array(self, key: Key) -> Array:
        """The array of a key, computed when it is first asked for."""
        found = self._arrays.get(key)
        if found is None:
            from graphflow.runtime._executor import packed_memory, settled

            install_memory(packed_memory)
            values, _ = key
            arrays = [None if value is None else self._evaluated(value) for value in values]
            make = self._makers[key]
            made = np.asarray(arrays[0] if make is None else make(*arrays))
            found = np.ascontiguousarray(made).reshape(made.shape)
            if found.size and (make is not None or not found.flags.aligned):
                found = settled(found)
            self._arrays[key] = found
            if make is not None or found.flags.writeable:
                for variable in sources(values):
                    drop_pages(variable.value)
        return found

    def _evaluated(self, value: Value) -> Array:
        found = self._arrays.get(((value,), ""))
        return evaluate(value) if found is None else found

    def arrays(self, keys: Sequence[Key], threads: int = 1) -> list[Array]:
        """The arrays of keys; many that are missing are made side by side: NumPy runs without Python.

        The largest come first, since what is computed on the way to them is needed once: so it fits into the memory
        that those which follow will take.
        """
        missing = [key for key in dict.fromkeys(keys) if key not in self._arrays]
        missing.sort(key=lambda key: (_size(key), not key[1]))
        if threads > 1 and sum(map(_size, missing)) >= SIDE_BY_SIDE_FROM:

            def work() -> None:
                while missing:
                    with contextlib.suppress(Exception):  # what fails is made again below, where it can be told
                        self._make(missing.pop())

            others = [threading.Thread(target=work) for _ in range(threads - 1)]
            for one in others:
                one.start()
            work()
            for one in others:
                one.join()
        while missing:
            self._make(missing.pop())
        return [self.array(key) for key in keys]

    def _make(self, key: Key) -> None:
        self.array(key)
        if _size(key) >= TRIM_FROM:
            from graphflow.runtime._executor import trim_memory

            trim_memory()

    def forget(self, changed: Collection[Variable] | None = None) -> None:
        """Let everything be computed anew, or what depends on some variables."""
        if changed is None:
            self._arrays.clear()
            return
        for key in list(self._arrays):
            if not sources(key[0]).isdisjoint(changed):
                del self._arrays[key]


def _size(key: Key) -> int:
    """Elements that an array is made from; a variable or constant that is taken as it is costs nothing."""
    made = [value for value in key[0] if value is not None and (key[1] or value.node is not None)]
    return sum(element_count(value.spec.shape) or 0 for value in made)


def sources(values: Iterable[Value | None]) -> set[Variable]:
    """The variables that values are computed from."""
    found: set[Variable] = set()
    seen: set[Value] = set()
    stack = [value for value in values if value is not None]
    while stack:
        value = stack.pop()
        if value in seen:
            continue
        seen.add(value)
        if value.kind == "variable":
            found.add(value.payload)
        elif value.node is not None:
            stack.extend(one for one in value.node.inputs if one is not None)
    return found


def evaluate(value: Value) -> Array:
    """A value that depends on constants and variables alone, computed by the references."""
    if (element_count(value.spec.shape) or 0) >= IN_PARTS_FROM:
        found = _in_parts(value)
        if found is not None:
            return found
    return _evaluate(value, {})


def _in_parts(value: Value) -> Array | None:
    """What elementwise operations make of one large array, part by part of its first axis; None if it is not that.

    So what lies between, in float64 where a normalisation is folded into weights, never is in memory as a whole.
    """
    shape: Any = value.spec.shape
    whole: list[Value] = []
    small: dict[Value, Array] = {}
    stack, seen = [value], {value}
    while stack:
        top = stack.pop()
        if top.spec.shape == shape and top.node is None:
            whole.append(top)
        elif top.spec.shape == shape and top.node is not None and top.node.op.name in ELEMENTWISE:
            inputs = [one for one in top.node.inputs if one is not None and one not in seen]
            seen.update(inputs)
            stack += inputs
        elif len(top.spec.shape) < len(shape) or top.spec.shape[0] == 1:
            small[top] = _evaluate(top, {})
        else:
            return None
    if value.node is None:
        return None
    result = np.empty(shape, value.spec.dtype)
    step = max(1, shape[0] * IN_PARTS_FROM // result.size)
    for at in range(0, shape[0], step):
        parts = {one: _evaluate(one, {})[at : at + step] for one in whole}
        result[at : at + step] = _evaluate(value, {**small, **parts})
    return result


def _evaluate(value: Value, given: dict[Value, Array]) -> Array:
    known = dict(given)
    stack = [value]
    while stack:
        top = stack[-1]
        if top in known:
            stack.pop()
        elif top.kind == "constant":
            known[top] = top.payload
        elif top.kind == "variable":
            known[top] = top.payload.value
        else:
            node = top.node
            assert node is not None
            missing = [one for one in node.inputs if one is not None and one not in known]
            if missing:
                stack.extend(missing)
                continue
            arrays = node.op.run_reference(node.attrs, [None if one is None else known[one] for one in node.inputs])
            known.update(zip(node.outputs, arrays, strict=True))
    return known[value]
