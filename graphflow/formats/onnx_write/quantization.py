"""Small numbers: quantised integers and narrow floats."""

from __future__ import annotations

import numpy as np

from graphflow.formats.onnx_write.movement import source
from graphflow.formats.onnx_write.writer import Converter, Writer
from graphflow.ir.graph import Node, Value
from graphflow.spec import element_count

FIRST_TYPES = ("int8", "uint8")
"""Types that are quantised to from the oldest opset on."""


def _parameter(w: Writer, value: Value) -> str:
    """A scale or zero point; one of a single element is a single number in ONNX."""
    name = w.get(value)
    if not value.spec.rank or element_count(value.spec.shape) != 1:
        return name
    return w.emit("Reshape", [name, w.array(np.zeros(0, np.int64))])


def _along(w: Writer, node: Node) -> dict[str, int | None]:
    """The attributes that say which axis or blocks of it the scales are for."""
    if node.attrs["block"]:
        w.need(21, "a scale for each block of an axis")
    return {"axis": node.attrs["axis"], "block_size": node.attrs["block"] or None}


def _quantize(w: Writer, node: Node) -> None:
    x, scale, zero = node.inputs
    assert x is not None and scale is not None
    attrs = node.attrs
    if attrs["precision"] not in ("", scale.spec.dtype):
        raise w.refusal(f"it divides in {attrs['precision']}, while its scale is {scale.spec.dtype}")
    if attrs["dtype"] not in FIRST_TYPES:
        w.need(21, f"quantising to {attrs['dtype']}")
    given = [w.get(x), _parameter(w, scale)]
    more: dict[str, int | None] = {"saturate": None if attrs.get("saturate", True) else 0}
    if zero is not None:
        given.append(_parameter(w, zero))
    elif attrs["dtype"] != "uint8":
        w.need(21, "quantising without a zero point")
        more["output_dtype"] = w.element_type(attrs["dtype"])
    w.put(node.outputs[0], w.emit("QuantizeLinear", given, **_along(w, node), **more))


def _dequantize(w: Writer, node: Node) -> None:
    x, scale, zero = node.inputs
    assert x is not None and scale is not None
    if node.attrs["dtype"] != scale.spec.dtype:
        raise w.refusal(f"its result is {node.attrs['dtype']}, while its scale is {scale.spec.dtype}")
    if x.spec.dtype not in (*FIRST_TYPES, "int32"):
        w.need(21, f"quantised {x.spec.dtype}")
    given = [w.get(x), _parameter(w, scale), "" if zero is None else _parameter(w, zero)]
    w.put(node.outputs[0], w.emit("DequantizeLinear", given, **_along(w, node)))


def _cast_narrow(w: Writer, node: Node) -> None:
    name, order = w.any_order(source(node))
    attrs = node.attrs
    kind = w.element_type(attrs["dtype"])
    mode = attrs["round_mode"] if attrs["dtype"] == "float8_e8m0fnu" and attrs["round_mode"] != "up" else None
    saturate = None if attrs["saturate"] else 0
    w.put(node.outputs[0], w.emit("Cast", [name], to=kind, saturate=saturate, round_mode=mode), order)


CONVERTERS: dict[str, Converter] = {
    "quantize": _quantize,
    "dequantize": _dequantize,
    "cast_narrow": _cast_narrow,
}
