"""Models as files: which writer writes which form."""

from __future__ import annotations

from typing import Any

from graphflow.errors import UnsupportedError


def save_model(model: Any, *args: Any, **kwargs: Any) -> Any:
    raise UnsupportedError("Model.save is not supported yet.")


def save_weights(model: Any, *args: Any, **kwargs: Any) -> Any:
    raise UnsupportedError("Model.save_weights is not supported yet.")


def to_json(model: Any, *args: Any, **kwargs: Any) -> Any:
    raise UnsupportedError("Model.to_json is not supported yet.")
