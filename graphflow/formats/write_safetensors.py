"""Weights as safetensors: one flat table of names and arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow.errors import ArgumentError, UnsupportedError
from graphflow.formats.keras_weights import weight_groups
from graphflow.formats.write_file import whole_file
from graphflow.models import Model
from graphflow.variable import Variable


def named_weights(model: Any) -> dict[str, np.ndarray[Any, Any]]:
    """A model's weights by path: "dense/kernel"; where inner models have the same one, "dense/kernel_1".

    Raises:
        ArgumentError: a layer that has not been built.

    Example:
        >>> from graphflow import Sequential
        >>> from graphflow.formats.write_safetensors import named_weights
        >>> from graphflow.layers import Dense
        >>> list(named_weights(Sequential([Dense(2, input_shape=(3,), name="last")])))
        ['last/kernel', 'last/bias']
    """
    for group in weight_groups(model):
        if isinstance(group.layer, Model) and not group.layer.built:
            raise ArgumentError(f"Layer {group.layer.name!r} has no weights to write yet: call the model first.")
    return {name: variable.value for name, variable in named_variables(model).items()}


def named_variables(model: Any) -> dict[str, Variable]:
    """The variables of a model's weights by path; a path that is taken is counted up."""
    named: dict[str, Variable] = {}
    for variable in model.weights:
        name, count = variable.path, 0
        while name in named:
            count += 1
            name = f"{variable.path}_{count}"
        named[name] = variable
    return named


def write_weights(model: Any, path: str, overwrite: bool = True) -> None:
    """Write a model's weights.

    Raises:
        UnsupportedError: the package safetensors is missing.
    """
    try:
        from safetensors.numpy import save_file
    except ImportError:
        raise UnsupportedError(
            "Writing .safetensors needs the package safetensors: pip install 'graphflow-engine[safetensors]'."
        ) from None
    arrays = {name: np.ascontiguousarray(array) for name, array in named_weights(model).items()}
    with whole_file(path, overwrite) as whole:
        mode = whole.stat().st_mode
        save_file(arrays, whole, metadata={"format": "graphflow"})  # makes the file anew, for its owner alone
        whole.chmod(mode)
