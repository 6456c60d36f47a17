"""ONNX files as models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphflow.errors import UnsupportedError
from graphflow.formats.limits import Limits


def read_model(path: str, custom: Mapping[str, Any] | None, compile: bool, limits: Limits) -> Any:
    """Read a model; the arguments are those of `load_model`."""
    raise UnsupportedError(f"{path}: ONNX files are not read yet.")
