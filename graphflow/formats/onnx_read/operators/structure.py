"""Operators that move elements and do not compute."""

from __future__ import annotations

from typing import Any

from graphflow.formats.onnx_read.program import Call
from graphflow.formats.onnx_read.registry import operator


@operator("Identity")
def identity(node: Call, x: Any) -> Any:
    return x
