"""Pictures with Keras' `plot_model`."""

from __future__ import annotations

from typing import Any

from graphflow.errors import UnsupportedError


def plot_model(model: Any, *args: Any, **kwargs: Any) -> Any:
    raise UnsupportedError("plot_model is not supported yet.")
