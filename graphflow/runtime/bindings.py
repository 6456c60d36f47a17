"""What is computed once per set of weights: folded and packed arrays, shared by all plans of a session."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np

from graphflow.ir.graph import Node, Value
from graphflow.kernels.layout import Pack
from graphflow.kernels.packing import install_memory
from graphflow.mapped import drop_pages
from graphflow.ops.activation import LINEAR
from graphflow.ops.elementwise import CAST
from graphflow.spec import element_count
from graphflow.variable import Variable

Array = np.ndarray[Any, Any]
Key = tuple[tuple[Value | None, ...], str]
SIDE_BY_SIDE_FROM = 1_000_000
"""Elements from which threads are worth starting."""
ARITHMETIC: dict[str, Any] = {"add": np.add, "divide": np.divide, "multiply": np.multiply, "subtract": np.subtract}
SMALL = 1 << 12
"""Elements of an array up to which it is kept while others are made that may need it."""
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

    def array(self, key: Key, shared: dict[Value, Array] | None = None) -> Array:
        """The array of a key, computed when it is first asked for; `shared`: see `evaluate`."""
        found = self._arrays.get(key)
        if found is None:
            from graphflow.runtime._executor import packed_memory, settled

            install_memory(packed_memory)
            values, _ = key
            arrays = [None if value is None else self._evaluated(value, shared) for value in values]
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

    def _evaluated(self, value: Value, shared: dict[Value, Array] | None) -> Array:
        found = self._arrays.get(((value,), ""))
        return evaluate(value, shared) if found is None else found

    def arrays(self, keys: Sequence[Key], threads: int = 1) -> list[Array]:
        """The arrays of keys; many that are missing are made side by side: NumPy runs without Python.

        The largest come first, since what is computed on the way to them is needed once: so it fits into the memory
        that those which follow will take.
        """
        missing = [key for key in dict.fromkeys(keys) if key not in self._arrays]
        missing.sort(key=lambda key: (_size(key), not key[1]))
        shared: dict[Value, Array] = {}
        if threads > 1 and sum(map(_size, missing)) >= SIDE_BY_SIDE_FROM:

            def work() -> None:
                while missing:
                    with contextlib.suppress(Exception):  # what fails is made again below, where it can be told
                        self._make(missing.pop(), shared)

            others = [threading.Thread(target=work) for _ in range(threads - 1)]
            for one in others:
                one.start()
            work()
            for one in others:
                one.join()
        while missing:
            self._make(missing.pop(), shared)
        return [self.array(key) for key in keys]

    def _make(self, key: Key, shared: dict[Value, Array]) -> None:
        self.array(key, shared)
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


def evaluate(value: Value, shared: dict[Value, Array] | None = None) -> Array:
    """A value that depends on constants and variables alone, computed by the references.

    Args:
        shared: small values that are known from before; those that are computed on the way are added.
    """
    known: dict[Value, Array] = {}
    if shared is None:
        shared = {}
    stack = [value]
    while stack:
        top = stack[-1]
        if top in known:
            stack.pop()
        elif top in shared:
            known[top] = shared[top]
        elif top.kind == "constant":
            known[top] = top.payload
        elif top.kind == "variable":
            known[top] = top.payload.value
        else:
            node = top.node
            assert node is not None
            between = _between_casts(node)
            inputs = node.inputs if between is None else between
            missing = [one for one in inputs if one is not None and one not in known]
            if missing:
                stack.extend(missing)
                continue
            arrays = [None if one is None else known[one] for one in inputs]
            made = node.op.run_reference(node.attrs, arrays) if between is None else (_converting(node, arrays),)
            known.update(zip(node.outputs, made, strict=True))
            shared.update((one, array) for one, array in zip(node.outputs, made, strict=True) if array.size <= SMALL)
    return known[value]


def _between_casts(node: Node) -> tuple[Value, ...] | None:
    """The float32 operands of arithmetic in float64 whose result this node casts to float32; None if it is not that.

    That is how a normalisation is folded into weights. `_converting` computes it in one go.
    """
    inner = node.inputs[0].node if node.op is CAST and node.inputs[0] is not None else None
    if inner is None or inner.op.name not in ARITHMETIC or inner.attrs.get("activation", LINEAR) != LINEAR:
        return None
    if node.outputs[0].spec.dtype != "float32" or inner.outputs[0].spec.dtype != "float64":
        return None
    found: list[Value] = []
    for one in inner.inputs:
        assert one is not None
        source = one.node.inputs[0] if one.node is not None and one.node.op is CAST else None
        found.append(one if source is None or source.spec.dtype != "float32" else source)
    return tuple(found)


def _converting(node: Node, arrays: Sequence[Any]) -> Array:
    """Arithmetic in float64 by a loop of NumPy's that casts a few numbers at a time, so that nothing wide is stored."""
    inner: Any = node.inputs[0]
    shape: Any = node.outputs[0].spec.shape
    result = np.empty(shape, np.float32)
    with np.errstate(all="ignore"):
        ARITHMETIC[inner.node.op.name](*arrays, out=result, dtype=np.float64, casting="same_kind")
    return result
