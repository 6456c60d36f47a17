"""`scan` as ONNX' Scan; what can not be said, and why."""

from __future__ import annotations

from graphflow.formats.onnx_write.entries import Block
from graphflow.formats.onnx_write.movement import without_axes
from graphflow.formats.onnx_write.writer import Converter, Writer, plain_order
from graphflow.ir.graph import Node, Value
from graphflow.spec import TensorSpec


def _walked(w: Writer, value: Value) -> tuple[str, int]:
    """A sequence with the axis of its steps, in an order that leaves the rest as it is."""
    for order, name in w.orders(value).items():
        if without_axes(order, (1,)) == plain_order(value.spec.rank - 1):
            return name, order.index(1)
    return w.get(value), 1


def _scan(w: Writer, node: Node) -> None:
    """The body sees what it captures under the names of the graph around it."""
    attrs, body = node.attrs, node.attrs["body"]
    count, held = attrs["sequences"], attrs["states"]
    values = [value for value in node.inputs if value is not None]
    inputs = body.graph.inputs
    alias = dict(zip(inputs[count + held :], values[count + held :], strict=True))
    sequences = [_walked(w, value) for value in values[:count]]
    states = [w.get(value) for value in values[count : count + held]]
    for value in alias.values():
        w.get(value)

    inner = Writer(body.graph, w.opset, w.converters, outer=w, alias=alias)
    entering: list[tuple[str, TensorSpec]] = []
    for value in [*inputs[count : count + held], *inputs[:count]]:
        name = w.names.new(f"{w.place}/{value.name}")
        inner.put(value, name)
        entering.append((name, value.spec))
    inner.walk()
    made = len(body.graph.outputs) - held
    leaving = [*body.graph.outputs[made:], *body.graph.outputs[:made]]
    outputs: list[str] = []
    for value in leaving:
        name = inner.get(value)
        own = any(name in entry.outputs for entry in inner.entries)
        outputs.append(name if own and name not in outputs else inner.emit("Identity", [name]))
    block = Block(
        w.names.new(f"{w.place}/body"), inner.finished(outputs), entering, outputs, [value.spec for value in leaving]
    )
    results = w.emit_many(
        "Scan",
        [*states, *(name for name, _ in sequences)],
        len(outputs),
        body=block,
        num_scan_inputs=count,
        scan_input_axes=[axis for _, axis in sequences],
        scan_input_directions=[1] * count if attrs["reverse"] else None,
        scan_output_axes=[1] * made if made else None,
    )
    for value, name in zip(node.outputs[made:], results[:held], strict=True):
        w.put(value, name)
    for index, (value, name) in enumerate(zip(node.outputs[:made], results[held:], strict=True)):
        if attrs["collect"]:
            w.put(value, name)
        elif (same := _state_of(body.graph.outputs, index, made)) is not None:
            w.put(value, results[same])
        else:
            w.put(value, w.emit("Gather", [name, w.ints(-1)], axis=1))


def _state_of(outputs: list[Value], index: int, made: int) -> int | None:
    """Which state an output of the body is, too."""
    return next((at for at, value in enumerate(outputs[made:]) if value is outputs[index]), None)


def _opaque(w: Writer, node: Node) -> None:
    raise w.refusal(f"it calls the Python function {node.attrs['name']!r}, which could not be traced")


def _random(w: Writer, node: Node) -> None:
    raise w.refusal("it draws random numbers, and those of ONNX are others, which no seed makes the same")


UNSAID: tuple[str, ...] = ("deform_conv", "dft", "fold_blocks", "grid_sample", "roi_align")
"""Ops that only ONNX files bring, no layer: they are read, but not written yet."""


def _unsaid(w: Writer, node: Node) -> None:
    raise w.refusal("it comes from an ONNX file, and is read but not written")


CONVERTERS: dict[str, Converter] = {
    "scan": _scan,
    "opaque": _opaque,
    "random_uniform": _random,
    "random_normal": _random,
    **dict.fromkeys(UNSAID, _unsaid),
}
