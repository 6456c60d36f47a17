"""Elements by computed places, the largest, triangles, sequences turned round, borders made from inside."""

from __future__ import annotations

from graphflow.formats.onnx_write.movement import source
from graphflow.formats.onnx_write.writer import Converter, Writer
from graphflow.ir.graph import Node, Value


def _indices(w: Writer, value: Value, kinds: tuple[str, ...] = ("int32", "int64")) -> str:
    """Indices in a type that ONNX takes."""
    name = w.get(value)
    return name if value.spec.dtype in kinds else w.cast(name, "int64")


def _given(node: Node) -> list[Value]:
    return [value for value in node.inputs if value is not None]


def _reduction(w: Writer, node: Node) -> str | None:
    """How what is scattered is joined with what is there; None: it takes its place."""
    kind = node.attrs["reduction"]
    if kind == "none":
        return None
    w.need(16 if kind in ("add", "mul") else 18, f"scattering with the reduction {kind!r}")
    return str(kind)


def _gather(w: Writer, node: Node) -> None:
    x, indices = _given(node)
    kind = {"gather_axis": "Gather", "gather_elements": "GatherElements"}[node.op.name]
    w.put(node.outputs[0], w.emit(kind, [w.get(x), _indices(w, indices)], axis=node.attrs["axis"]))


def _scatter_elements(w: Writer, node: Node) -> None:
    x, indices, updates = _given(node)
    given = [w.get(x), _indices(w, indices), w.get(updates)]
    w.put(
        node.outputs[0],
        w.emit("ScatterElements", given, axis=node.attrs["axis"], reduction=_reduction(w, node)),
    )


def _gather_nd(w: Writer, node: Node) -> None:
    x, indices = _given(node)
    given = [w.get(x), _indices(w, indices, ("int64",))]
    w.put(node.outputs[0], w.emit("GatherND", given, batch_dims=node.attrs["batch"] or None))


def _scatter_nd(w: Writer, node: Node) -> None:
    x, indices, updates = _given(node)
    given = [w.get(x), _indices(w, indices, ("int64",)), w.get(updates)]
    w.put(node.outputs[0], w.emit("ScatterND", given, reduction=_reduction(w, node)))


def _top_k(w: Writer, node: Node) -> None:
    name, order = w.any_order(source(node))
    given = [name, w.ints([node.attrs["k"]])]
    axis = order.index(node.attrs["axis"])
    made = w.emit_many("TopK", given, 2, axis=axis, largest=None if node.attrs["largest"] else 0)
    for value, one in zip(node.outputs, made, strict=True):
        w.put(value, one, order)


def _triangle(w: Writer, node: Node) -> None:
    w.need(14, "the operator Trilu")
    given = [w.get(source(node)), w.ints(node.attrs["diagonal"])]
    w.put(node.outputs[0], w.emit("Trilu", given, upper=None if node.attrs["upper"] else 0))


def _reverse_sequence(w: Writer, node: Node) -> None:
    """ONNX takes lengths from 1 on; one step turned round is the same as none."""
    x, lengths = _given(node)
    batch, time = node.attrs["batch"], node.attrs["time"]
    order = (batch, time, *(axis for axis in range(x.spec.rank) if axis not in (batch, time)))
    counted = w.emit("Max", [_indices(w, lengths, ("int64",)), w.ints(1)])
    name = w.emit("ReverseSequence", [w.get(x, order), counted], batch_axis=0, time_axis=1)
    w.put(node.outputs[0], name, order)


def _pad_from_inside(w: Writer, node: Node) -> None:
    mode, amounts = node.attrs["mode"], node.attrs["amounts"]
    if mode not in ("edge", "reflect", "wrap"):
        raise w.refusal(f"ONNX has no border of the kind {mode!r}")
    if mode == "wrap":
        w.need(19, "a border of the kind 'wrap'")
    name, order = w.any_order(source(node))
    pads = [amounts[axis][0] for axis in order] + [amounts[axis][1] for axis in order]
    w.put(node.outputs[0], w.emit("Pad", [name, w.ints(pads)], mode=mode), order)


def _determinant(w: Writer, node: Node) -> None:
    w.put(node.outputs[0], w.emit("Det", [w.get(source(node))]))


CONVERTERS: dict[str, Converter] = {
    "gather_axis": _gather,
    "gather_elements": _gather,
    "scatter_elements": _scatter_elements,
    "gather_nd": _gather_nd,
    "scatter_nd": _scatter_nd,
    "top_k": _top_k,
    "triangle": _triangle,
    "reverse_sequence": _reverse_sequence,
    "pad_from_inside": _pad_from_inside,
    "determinant": _determinant,
}
