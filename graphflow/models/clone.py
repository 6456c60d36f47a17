"""Copies of models with layers of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphflow.errors import ArgumentError, UnsupportedError
from graphflow.layers.layer import Layer
from graphflow.models.functional import Model


def clone_model(
    model: Any, input_tensors: Any = None, clone_function: Callable[[Layer], Layer] | None = None, **kwargs: Any
) -> Any:
    """A model of the same structure whose layers are new, with weights as their initializers make them.

    Args:
        model: functional or Sequential.
        input_tensors: not supported; call the copy on them.
        clone_function: not supported.

    Raises:
        ArgumentError: not a model.
        UnsupportedError: one of the arguments that are not supported.

    Source: https://keras.io/api/models/model_saving_apis/

    Example:
        >>> import graphflow
        >>> from graphflow.layers import Dense
        >>> from graphflow.models import clone_model
        >>> model = graphflow.Sequential([Dense(2, input_shape=(3,))])
        >>> copy = clone_model(model)
        >>> copy.layers[0].name == model.layers[0].name, copy.layers[0] is model.layers[0]
        (True, False)
    """
    if not isinstance(model, Model):
        raise ArgumentError(f"clone_model takes a model, received {model!r}.")
    given = {"input_tensors": input_tensors, "clone_function": clone_function, **kwargs}
    for name, value in given.items():
        if value is not None and value is not False:
            raise UnsupportedError(f"clone_model with {name} is not supported.")
    return type(model).from_config(model.get_config())
