"""Models: where the front end and the runtime meet."""

from graphflow.models.clone import clone_model
from graphflow.models.functional import Functional, Model
from graphflow.models.sequential import Sequential

__all__ = ["Functional", "Model", "Sequential", "clone_model", "load_model", "model_from_json", "save_model"]

_ABOVE = {"load_model": "load_model", "model_from_json": "model_from_json", "save_model": "save"}
"""Functions of floors above, by their rows in the table of forwards."""


def __getattr__(name: str) -> object:
    if name in _ABOVE:
        from graphflow.models.forwards import forward

        return forward(_ABOVE[name])
    raise AttributeError(f"module 'graphflow.models' has no attribute {name!r}")
