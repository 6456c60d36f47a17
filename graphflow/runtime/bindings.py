"""What is computed once per set of weights: folded and packed arrays, shared by all plans of a session."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow.ir.graph import Value
from graphflow.kernels.layout import Pack

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

    def forget(self) -> None:
        """Let everything be computed anew."""
        self._arrays.clear()


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
