"""Models: where the front end and the runtime meet."""

from graphflow.models.functional import Functional, Model
from graphflow.models.sequential import Sequential

__all__ = ["Functional", "Model", "Sequential", "load_model"]


def __getattr__(name: str) -> object:
    if name == "load_model":
        from graphflow.models.forwards import forward

        return forward("load_model")
    raise AttributeError(f"module 'graphflow.models' has no attribute {name!r}")
