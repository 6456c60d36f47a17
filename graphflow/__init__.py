"""graphflow: a static-graph dataflow engine with the Keras functional API and fast CPU kernels."""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

from graphflow.knobs import knobs

if TYPE_CHECKING:
    from graphflow import (
        activations,
        backend,
        batch,
        config,
        constraints,
        initializers,
        inspect,
        layers,
        models,
        ops,
        regularizers,
        saving,
        utils,
    )
    from graphflow.formats import load_model
    from graphflow.formats.onnx_write import export
    from graphflow.layers import Input
    from graphflow.models import Model, Sequential
    from graphflow.runtime import Session, get_num_threads, set_num_threads

__version__ = "0.1.0"

_LAZY: dict[str, str] = {
    "Input": "graphflow.layers",
    "Model": "graphflow.models",
    "Sequential": "graphflow.models",
    "Session": "graphflow.runtime",
    "export": "graphflow.formats.onnx_write",
    "get_num_threads": "graphflow.runtime",
    "load_model": "graphflow.formats",
    "set_num_threads": "graphflow.runtime",
}
_MODULES = (
    "activations",
    "backend",
    "batch",
    "config",
    "constraints",
    "initializers",
    "inspect",
    "layers",
    "models",
    "ops",
    "regularizers",
    "saving",
    "utils",
)

__all__ = [
    "Input",
    "Model",
    "Sequential",
    "Session",
    "__version__",
    "activations",
    "backend",
    "batch",
    "config",
    "constraints",
    "export",
    "get_num_threads",
    "initializers",
    "inspect",
    "knobs",
    "layers",
    "load_model",
    "models",
    "ops",
    "regularizers",
    "saving",
    "set_num_threads",
    "utils",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        found = getattr(_import_module(_LAZY[name]), name)
    elif name in _MODULES:
        found = _import_module(f"graphflow.{name}")
    else:
        raise AttributeError(f"module 'graphflow' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return __all__
