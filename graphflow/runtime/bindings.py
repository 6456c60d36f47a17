"""What is computed once per set of weights: folded and packed arrays, shared by all plans of a session."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import numpy as np

from graphflow.ir.graph import Value
from graphflow.kernels.layout import Pack
from graphflow.variable import Variable

Array = np.ndarray[Any, Any]
Key = tuple[tuple[Value | None, ...], str]


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
            from graphflow.runtime._executor import settled

            values, _ = key
            arrays = [None if value is None else evaluate(value) for value in values]
            make = self._makers[key]
            made = np.asarray(arrays[0] if make is None else make(*arrays))
            found = np.ascontiguousarray(made).reshape(made.shape)
            if make is not None and found.size:
                found = settled(found)
            self._arrays[key] = found
        return found

    def forget(self, changed: Collection[Variable] | None = None) -> None:
        """Let everything be computed anew, or what depends on some variables."""
        if changed is None:
            self._arrays.clear()
            return
        for key in list(self._arrays):
            if not sources(key[0]).isdisjoint(changed):
                del self._arrays[key]


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
    known: dict[Value, Array] = {}
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
