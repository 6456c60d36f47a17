"""Operators of one element, and of pairs of them with broadcasting."""

from __future__ import annotations

from typing import Any

from graphflow import ops
from graphflow.formats.onnx_read.program import Call
from graphflow.formats.onnx_read.registry import operator


@operator("Relu")
def relu(node: Call, x: Any) -> Any:
    return ops.relu(x)
