"""Models as ONNX files."""

from __future__ import annotations

from typing import Any

from graphflow.errors import UnsupportedError


def export(model: Any, *args: Any, **kwargs: Any) -> Any:
    raise UnsupportedError("Model.export is not supported yet.")
