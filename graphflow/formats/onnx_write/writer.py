"""`Writer`: walks an operation graph and writes down ONNX nodes.

Our convolutions have channels last, ONNX' have channels first, its recurrent operators have time first. So a value may
stand in the file in several *orders* of its axes: `get` gives it in the order that is asked for and writes a Transpose
only if it does not stand there yet. A convolution leaves its result with channels first; what works element by element
takes its operands in whatever order they have. Transposes of our graph are not written at all: they rename the axes.
Hence a convolutional network has one Transpose where it begins and one where it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphflow.errors import UnsupportedError
from graphflow.formats.onnx_write.entries import ELEMENT_TYPES, NEEDED_OPSET, Entry, Names, without_unused
from graphflow.ir.graph import Graph, Node, Value
from graphflow.spec import element_count

Array = np.ndarray[Any, Any]
Order = tuple[int, ...]
"""Axis i of what is in the file is axis order[i] of our value."""

Converter = Callable[["Writer", Node], None]

SHARED_SIZE = 64
"""Constants of at most so many elements are written once, whoever uses them."""


def plain_order(rank: int) -> Order:
    """The axes as they are."""
    return tuple(range(rank))


class Writer:
    """Writes one graph.

    Args:
        graph: portable, its nodes in any order.
        opset: the version of ONNX' operators.
        converters: op name to what writes a node of it.
        outer: the writer of the graph around a body.
        alias: values of a body that are values of the graph around it.
    """

    def __init__(
        self,
        graph: Graph,
        opset: int,
        converters: dict[str, Converter],
        outer: Writer | None = None,
        alias: dict[Value, Value] | None = None,
    ) -> None:
        self.graph = graph
        self.opset = opset
        self.converters = converters
        self.outer = outer
        self.alias = alias or {}
        self.names: Names = outer.names if outer else Names()
        self.arrays: dict[str, Array] = outer.arrays if outer else {}
        self._shared: dict[Any, str] = outer._shared if outer else {}
        self.entries: list[Entry] = []
        self.node: Node | None = outer.node if outer else None
        self._orders: dict[Value, dict[Order, str]] = {}
        self._known: dict[Value, Array] = {}
        self._is_known: dict[Value, bool] = {}

    # -- walking

    def walk(self) -> None:
        """Write every node that is not known beforehand.

        Raises:
            UnsupportedError: a node that ONNX can not say.
        """
        before = self.node
        for node in self.graph.ordered():
            self.node = node
            if all(self.is_known(value) for value in node.outputs):
                continue
            convert = self.converters.get(node.op.name)
            if convert is None:
                raise self.refusal("graphflow has no ONNX form of it")
            convert(self, node)
        self.node = before

    def refusal(self, reason: str) -> UnsupportedError:
        """The error for a node that can not be written."""
        place = self.node.place if self.node is not None else f"graph {self.graph.name!r}"
        return UnsupportedError(f"{place} can not be written as ONNX: {reason}.")

    def need(self, opset: int, what: str) -> None:
        """State that something needs a newer opset.

        Raises:
            UnsupportedError: the file's opset is older.
        """
        if self.opset < opset:
            raise self.refusal(f"{what} needs opset {opset} or newer, received opset={self.opset}")

    # -- what is known before a run

    def is_known(self, value: Value) -> bool:
        """Whether a value follows from constants and weights alone."""
        if value in self.alias and self.outer is not None:
            return self.outer.is_known(self.alias[value])
        found = self._is_known.get(value)
        if found is None:
            found = self._follows(value)
            self._is_known[value] = found
        return found

    def _follows(self, value: Value) -> bool:
        if value.kind == "constant":
            return True
        if value.kind == "variable":
            return not value.payload.changes_in_runs
        if value.known is not None and value.known.dtype.kind != "f":
            return True
        node = value.node
        if node is None or node.op.effect != "pure" or not node.inputs:
            return False
        return all(one is None or self.is_known(one) for one in node.inputs)

    def known(self, value: Value) -> Array:
        """The array of a known value."""
        if value in self.alias and self.outer is not None:
            return self.outer.known(self.alias[value])
        if value.kind == "constant":
            return np.asarray(value.payload)
        if value.kind == "variable":
            return np.asarray(value.payload.value)
        if value not in self._known:
            if value.known is not None and value.known.dtype.kind != "f":
                self._known[value] = np.asarray(value.known, value.spec.dtype).reshape(
                    tuple(size or 0 for size in value.spec.shape) if value.spec.is_static else np.shape(value.known)
                )
            else:
                node = value.node
                assert node is not None
                inputs = [None if one is None else self.known(one) for one in node.inputs]
                self._known.update(zip(node.outputs, node.op.run_reference(node.attrs, inputs), strict=True))
        return self._known[value]

    def path(self, value: Value) -> str:
        """The path of the weight that a known value is, or is made from; "" for a literal."""
        if value in self.alias and self.outer is not None:
            return self.outer.path(self.alias[value])
        if value.kind == "variable":
            return str(value.payload.path)
        for one in value.node.inputs if value.node is not None else ():
            found = "" if one is None else self.path(one)
            if found:
                return found
        return ""

    # -- writing

    @property
    def place(self) -> str:
        """The path of the layer whose node is being written."""
        if self.node is None:
            return self.graph.name
        return "/".join(self.node.origin) or self.node.op.name

    def array(self, array: Any, wanted: str = "") -> str:
        """The name of a constant of the file.

        Args:
            wanted: a name for it: a weight's path. A literal is named after the layer that uses it first.
        """
        array = np.asarray(array)
        key = (wanted, array.dtype.str, array.shape, array.tobytes()) if array.size <= SHARED_SIZE else None
        if key is not None and key in self._shared:
            return self._shared[key]
        name = self.names.new(wanted or f"{self.place}/constant")
        self.arrays[name] = array
        if key is not None:
            self._shared[key] = name
        return name

    def weight(self, value: Value, array: Array, use: str = "") -> str:
        """The name of a known value as an array of another layout; `use` tells layouts of one weight apart."""
        path = self.path(value)
        key = (self._root_of(value), use, array.shape)
        if path and key not in self._shared:
            self._shared[key] = self.names.new(path)
            self.arrays[self._shared[key]] = array
        return self._shared[key] if path else self.array(array)

    def _root_of(self, value: Value) -> Value:
        if value in self.alias and self.outer is not None:
            return self.outer._root_of(self.alias[value])
        return value

    def ints(self, numbers: Sequence[int] | int) -> str:
        """The name of a constant of int64."""
        return self.array(np.asarray(numbers, np.int64))

    def number(self, number: float, value: Value) -> str:
        """The name of a single number in a value's data type."""
        return self.array(np.asarray(number, value.spec.dtype))

    def emit(self, kind: str, inputs: Sequence[str], **attrs: Any) -> str:
        """Write a node of one output; returns its name."""
        return self.emit_many(kind, inputs, 1, **attrs)[0]

    def emit_many(self, kind: str, inputs: Sequence[str], count: int, **attrs: Any) -> list[str]:
        """Write a node of several outputs; returns their names."""
        given = list(inputs)
        while given and not given[-1]:
            given.pop()
        outputs = [self.names.new(f"{self.place}/{kind}") for _ in range(count)]
        self.entries.append(Entry(kind, given, outputs, {key: one for key, one in attrs.items() if one is not None}))
        return outputs

    def cast(self, name: str, dtype: str) -> str:
        """Write a cast."""
        return self.emit("Cast", [name], to=self.element_type(dtype))

    def element_type(self, dtype: str) -> int:
        """ONNX' number of a data type that the opset has.

        Raises:
            UnsupportedError: the opset is too old for it.
        """
        self.need(NEEDED_OPSET.get(dtype, 0), f"the data type {dtype}")
        return ELEMENT_TYPES[dtype]

    def reduce(self, kind: str, name: str, axes: Sequence[int], keepdims: bool) -> str:
        """Write a reduction; its axes are an attribute before opset 18, save for sums."""
        if kind == "ReduceSum" or self.opset >= 18:
            return self.emit(kind, [name, self.ints(list(axes))], keepdims=int(keepdims))
        return self.emit(kind, [name], axes=list(axes), keepdims=int(keepdims))

    def unsqueeze(self, name: str, axes: Sequence[int]) -> str:
        """Write new axes of one element."""
        return self.emit("Unsqueeze", [name, self.ints(list(axes))])

    def squeeze(self, name: str, axes: Sequence[int]) -> str:
        """Write that axes of one element go."""
        return self.emit("Squeeze", [name, self.ints(list(axes))])

    # -- values and their orders

    def put(self, value: Value, name: str, order: Order | None = None) -> None:
        """A value stands in the file under a name, its axes in an order (by default as they are)."""
        self._orders.setdefault(value, {})[order or plain_order(value.spec.rank)] = name

    def orders(self, value: Value) -> dict[Order, str]:
        """In which orders a value stands in the file so far."""
        if value in self.alias and self.outer is not None:
            return self.outer.orders(self.alias[value])
        return self._orders.setdefault(value, {})

    def get(self, value: Value, order: Order | None = None) -> str:
        """The name of a value with its axes in an order (by default as they are)."""
        if value in self.alias and self.outer is not None:
            return self.outer.get(self.alias[value], order)
        order = order or plain_order(value.spec.rank)
        orders = self.orders(value)
        if order not in orders:
            if self.is_known(value):
                orders[order] = self.weight(value, self.known(value).transpose(order), f"order{order}")
            else:
                orders[order] = self._reordered(value, order)
        return orders[order]

    def _reordered(self, value: Value, order: Order) -> str:
        """Write a Transpose; or a Reshape, which moves nothing, where only axes of one element change places."""
        given, name = next(iter(self.orders(value).items()))
        sizes = [value.spec.shape[axis] for axis in order]
        long = [axis for axis in given if value.spec.shape[axis] != 1]
        if long == [axis for axis in order if axis in long] and sizes.count(None) <= 1 and 0 not in sizes:
            maker = next((one for one in reversed(self.entries[-8:]) if one.outputs == [name]), None)
            if maker is not None and maker.kind == "Reshape":
                name = maker.inputs[0]
            return self.emit("Reshape", [name, self.ints([-1 if size is None else size for size in sizes])])
        return self.emit("Transpose", [name], perm=[given.index(axis) for axis in order])

    def any_order(self, value: Value) -> tuple[str, Order]:
        """A value as it stands in the file first."""
        orders = self.orders(value)
        if not orders:
            return self.get(value), plain_order(value.spec.rank)
        order, name = next(iter(orders.items()))
        return name, order

    def together(self, values: Sequence[Value]) -> tuple[list[str], Order]:
        """Operands that are broadcast together, their axes in one order: the one that costs the fewest transposes."""
        rank = max(value.spec.rank for value in values)
        moving = [value for value in values if value.spec.rank == rank and not self.is_known(value)]
        candidates = list(dict.fromkeys(order for value in moving for order in self.orders(value)))
        order = min(
            candidates or [plain_order(rank)],
            key=lambda one: sum(_weight(value) for value in moving if one not in self.orders(value)),
        )
        return [self.operand(value, rank, order) for value in values], order

    def operand(self, value: Value, rank: int, order: Order) -> str:
        """A value of at most `rank` axes, so that it broadcasts against others of `rank` axes in an order."""
        if order == plain_order(rank) or not value.spec.rank:
            return self.get(value)
        if value.spec.rank == rank:
            return self.get(value, order)
        missing = rank - value.spec.rank
        if self.is_known(value):
            array = self.known(value)
            wide = array.reshape((1,) * missing + array.shape).transpose(order)
            return self.weight(value, wide, f"order{order}")
        wide_name = self.unsqueeze(self.get(value), range(missing))
        return self.emit("Transpose", [wide_name], perm=list(order))

    def finished(self, outputs: Sequence[str]) -> list[Entry]:
        """The nodes that the outputs depend on."""
        return without_unused(self.entries, outputs)


def _weight(value: Value) -> int:
    """How much a value costs to transpose: its elements, as far as they are known."""
    return element_count([1 if size is None else size for size in value.spec.shape]) or 1
