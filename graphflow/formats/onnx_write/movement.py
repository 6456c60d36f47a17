"""Shape and order: reshape, concatenate, slice, pad, repeat, look up. Nothing here computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphflow.formats.onnx_write.writer import Converter, Order, Writer, plain_order
from graphflow.ir.graph import Node, Value

END = np.iinfo(np.int64).max


def source(node: Node) -> Value:
    """The first input of a node."""
    value = node.inputs[0]
    assert value is not None
    return value


def _reshaped(w: Writer, name: str, target: str, sizes: Any) -> str:
    """Write a reshape; a size of 0 means itself, not "as in the input"."""
    if sizes is not None and 0 in sizes:
        w.need(14, "reshaping to an axis without elements")
        return w.emit("Reshape", [name, target], allowzero=1)
    return w.emit("Reshape", [name, target])


def _reshape(w: Writer, node: Node) -> None:
    target = node.attrs["shape"]
    w.put(node.outputs[0], _reshaped(w, w.get(source(node)), w.ints(target), target))


def _reshape_to(w: Writer, node: Node) -> None:
    x, target = node.inputs
    assert x is not None and target is not None
    known = target.known
    if known is not None and np.isnan(known).sum() <= 1 and not (known == -1).any() and (known != 0).all():
        sizes = [-1 if np.isnan(size) else int(size) for size in known]
        w.put(node.outputs[0], w.emit("Reshape", [w.get(x), w.ints(sizes)]))
        return
    computed = w.get(target) if target.spec.dtype == "int64" else w.cast(w.get(target), "int64")
    allow = {"allowzero": 1} if w.opset >= 14 else {}
    w.put(node.outputs[0], w.emit("Reshape", [w.get(x), computed], **allow))


def _flatten(w: Writer, node: Node) -> None:
    w.put(node.outputs[0], w.emit("Flatten", [w.get(source(node))], axis=1))


def _expand_dims(w: Writer, node: Node) -> None:
    w.put(node.outputs[0], w.unsqueeze(w.get(source(node)), [node.attrs["axis"]]))


def without_axes(order: Order, gone: Any) -> Order:
    """The order of what is left when axes go."""
    left = [axis for axis in order if axis not in gone]
    rank = {axis: index for index, axis in enumerate(sorted(left))}
    return tuple(rank[axis] for axis in left)


def _squeeze(w: Writer, node: Node) -> None:
    axes = node.attrs["axes"]
    x, order = w.any_order(source(node))
    if not axes:
        w.put(node.outputs[0], x, order)
        return
    made = w.squeeze(x, sorted(order.index(axis) for axis in axes))
    w.put(node.outputs[0], made, without_axes(order, axes))


def _transpose(w: Writer, node: Node) -> None:
    """Nothing is written: the same array is our result with its axes in another order."""
    axes = node.attrs["axes"]
    if not w.orders(source(node)):
        w.get(source(node))
    for order, name in list(w.orders(source(node)).items()):
        w.put(node.outputs[0], name, tuple(axes.index(axis) for axis in order))


def _concatenate(w: Writer, node: Node) -> None:
    values = [value for value in node.inputs if value is not None]
    names, order = w.together(values)
    made = w.emit("Concat", names, axis=order.index(node.attrs["axis"])) if len(names) > 1 else names[0]
    w.put(node.outputs[0], made, order)


def sliced(w: Writer, name: str, keys: dict[int, tuple[Any, Any, Any]]) -> str:
    """Write slices (start, stop, step) of some axes, as Python means them."""
    starts, ends, steps = [], [], []
    for start, stop, step in keys.values():
        step = 1 if step is None else step
        starts.append((0 if step > 0 else END) if start is None else start)
        ends.append((END if step > 0 else -END) if stop is None else stop)
        steps.append(step)
    given = [name, w.ints(starts), w.ints(ends), w.ints(list(keys))]
    return w.emit("Slice", given if set(steps) == {1} else [*given, w.ints(steps)])


def _getitem(w: Writer, node: Node) -> None:
    keys = node.attrs["key"]
    name, order = w.any_order(source(node))
    slices = {
        place: keys[axis]
        for place, axis in enumerate(order)
        if not isinstance(keys[axis], int) and keys[axis] not in ((None, None, None), (None, None, 1))
    }
    if slices:
        name = sliced(w, name, slices)
    picked = [axis for axis, key in enumerate(keys) if isinstance(key, int)]
    for place in sorted((order.index(axis) for axis in picked), reverse=True):
        name = w.emit("Gather", [name, w.ints(keys[order[place]])], axis=place)
    w.put(node.outputs[0], name, without_axes(order, picked))


def _split(w: Writer, node: Node) -> None:
    name, order = w.any_order(source(node))
    sizes = w.ints(node.attrs["sizes"])
    axis = order.index(node.attrs["axis"])
    made = w.emit_many("Split", [name, sizes], len(node.outputs), axis=axis)
    for value, one in zip(node.outputs, made, strict=True):
        w.put(value, one, order)


KEEP_ROWS = frozenset(("cast", "flatten", "getitem"))


def _filled_rows(w: Writer, x: Value, value: str, shape: Sequence[int | None]) -> str:
    """Write rows of one value, as many as x has; x has no elements, and runtimes need not be shown such an array."""
    if shape[0] is not None:
        return w.emit("Expand", [value, w.ints([size or 0 for size in shape])])
    while x.node is not None and x.node.op.name in KEEP_ROWS:
        if x.node.op.name == "getitem" and x.node.attrs["key"][0] != (None, None, None):
            break
        x = source(x.node)
    name, order = w.any_order(x)
    rows = order.index(0)
    if w.opset >= 15:
        batch = w.emit("Shape", [name], start=rows, end=rows + 1)
    else:
        batch = w.emit("Slice", [w.emit("Shape", [name]), w.ints([rows]), w.ints([rows + 1])])
    return w.emit("Expand", [value, w.emit("Concat", [batch, w.ints([size or 0 for size in shape[1:]])], axis=0)])


def _pad(w: Writer, node: Node) -> None:
    x, amounts = source(node), node.attrs["amounts"]
    value = w.number(node.attrs["value"], x)
    if 0 in x.spec.shape and amounts[0] == (0, 0) and None not in node.outputs[0].spec.shape[1:]:
        w.put(node.outputs[0], _filled_rows(w, x, value, node.outputs[0].spec.shape))
        return
    name, order = w.any_order(x)
    pads = [amounts[axis][0] for axis in order] + [amounts[axis][1] for axis in order]
    inputs = [name, w.ints(pads), value] if node.attrs["value"] else [name, w.ints(pads)]
    w.put(node.outputs[0], w.emit("Pad", inputs), order)


def _broadcast_to(w: Writer, node: Node) -> None:
    w.put(node.outputs[0], w.emit("Expand", [w.get(source(node)), w.ints(node.attrs["shape"])]))


def _tile(w: Writer, node: Node) -> None:
    name, order = w.any_order(source(node))
    repeats = w.ints([node.attrs["repeats"][axis] for axis in order])
    w.put(node.outputs[0], w.emit("Tile", [name, repeats]), order)


def repeated(w: Writer, name: str, sizes: Sequence[int | None], place: int, count: int) -> str:
    """Write that each element along an axis is repeated; sizes and place are those of what stands in the file."""
    wide = w.unsqueeze(name, [place + 1])
    tiled = w.emit("Tile", [wide, w.ints([count if i == place + 1 else 1 for i in range(len(sizes) + 1)])])
    after = list(sizes[place + 1 :])
    if None not in after and 0 not in sizes:
        return w.emit("Reshape", [tiled, w.ints([0] * place + [-1] + [size or 0 for size in after])])
    factors = w.ints([count if i == place else 1 for i in range(len(sizes))])
    allow = {"allowzero": 1} if w.opset >= 14 else {}
    return w.emit("Reshape", [tiled, w.emit("Mul", [w.emit("Shape", [name]), factors])], **allow)


def _repeat(w: Writer, node: Node) -> None:
    name, order = w.any_order(source(node))
    sizes = [source(node).spec.shape[axis] for axis in order]
    w.put(node.outputs[0], repeated(w, name, sizes, order.index(node.attrs["axis"]), node.attrs["repeats"]), order)


def _flip(w: Writer, node: Node) -> None:
    name, order = w.any_order(source(node))
    back = {order.index(axis): (None, None, -1) for axis in node.attrs["axes"]}
    w.put(node.outputs[0], sliced(w, name, back) if back else name, order)


def _full_like(w: Writer, node: Node) -> None:
    made, value = node.outputs[0], np.asarray(node.attrs["value"], node.attrs["dtype"])
    name, order = w.any_order(source(node))
    w.put(made, w.emit("Expand", [w.array(value), w.emit("Shape", [name])]), order)


def _shape(w: Writer, node: Node) -> None:
    w.put(node.outputs[0], w.cast(w.emit("Shape", [w.get(source(node))]), "int32"))


def _embedding(w: Writer, node: Node) -> None:
    indices, table = node.inputs
    assert indices is not None and table is not None
    name, order = w.any_order(indices)
    if indices.spec.dtype not in ("int32", "int64"):
        name = w.cast(name, "int64")
    made = w.emit("Gather", [w.get(table), name], axis=0)
    rest = range(len(order), node.outputs[0].spec.rank)
    w.put(node.outputs[0], made, (*order, *rest))


def _one_hot(w: Writer, node: Node) -> None:
    """By comparison: ONNX' OneHot counts negative indices from the end."""
    indices = source(node)
    name = w.get(indices)
    if indices.spec.dtype not in ("int32", "int64"):
        name = w.cast(name, "int64")
    kind = indices.spec.dtype if indices.spec.dtype in ("int32", "int64") else "int64"
    places = w.array(np.arange(node.attrs["size"], dtype=kind))
    same = w.emit("Equal", [w.unsqueeze(name, [indices.spec.rank]), places])
    w.put(node.outputs[0], same if node.attrs["dtype"] == "bool" else w.cast(same, node.attrs["dtype"]))


def counted(w: Writer, value: Value, axis: int) -> str:
    """Write 0, 1, ... along an axis of a value, as a vector of int64."""
    size = value.spec.shape[axis]
    if size is not None:
        return w.array(np.arange(size, dtype=np.int64))
    name, order = w.any_order(value)
    count = w.emit("Gather", [w.emit("Shape", [name]), w.ints(order.index(axis))], axis=0)
    return w.emit("Range", [w.ints(0), count, w.ints(1)])


def _band(w: Writer, node: Node) -> None:
    from graphflow.ops.band import FAR

    rows, columns = node.inputs
    assert rows is not None and columns is not None
    down = w.unsqueeze(counted(w, rows, node.attrs["row_axis"]), [1])
    distance = w.emit("Sub", [down, counted(w, columns, node.attrs["column_axis"])])
    tests = []
    if node.attrs["low"] > -FAR:
        tests.append(w.emit("GreaterOrEqual", [distance, w.ints(node.attrs["low"])]))
    if node.attrs["high"] < FAR or not tests:
        tests.append(w.emit("LessOrEqual", [distance, w.ints(node.attrs["high"])]))
    w.put(node.outputs[0], tests[0] if len(tests) == 1 else w.emit("And", tests), plain_order(2))


CONVERTERS: dict[str, Converter] = {
    "reshape": _reshape,
    "reshape_to": _reshape_to,
    "flatten": _flatten,
    "expand_dims": _expand_dims,
    "squeeze": _squeeze,
    "transpose": _transpose,
    "concatenate": _concatenate,
    "getitem": _getitem,
    "split": _split,
    "pad": _pad,
    "broadcast_to": _broadcast_to,
    "tile": _tile,
    "repeat": _repeat,
    "flip": _flip,
    "full_like": _full_like,
    "shape": _shape,
    "embedding": _embedding,
    "one_hot": _one_hot,
    "band": _band,
}
