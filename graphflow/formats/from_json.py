"""Models from JSON configurations, with new weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from graphflow.formats.keras_description import build
from graphflow.formats.keras_files import describe_json
from graphflow.formats.limits import DEFAULT_LIMITS, Limits
from graphflow.registry import custom_object_scope
from graphflow.variable import Variable


def model_from_json(
    json_string: str | bytes,
    custom_objects: Mapping[str, Any] | None = None,
    *,
    where: str = "<json>",
    limits: Limits = DEFAULT_LIMITS,
) -> Any:
    """Make a model of a configuration: `Model.to_json`'s, or that of any Keras.

    Args:
        json_string: the text.
        custom_objects: the classes and functions that the configuration names, by name.
        where: what messages call the text.
        limits: budgets for sizes.

    Returns:
        A `Model` or `Sequential` whose weights are as its initializers make them.

    Raises:
        ModelFormatError: not a configuration, or classes that are not known.
        UnsupportedError: something that graphflow does not have.

    Example:
        >>> import graphflow
        >>> from graphflow.formats.from_json import model_from_json
        >>> from graphflow.layers import Dense
        >>> text = graphflow.Sequential([Dense(2, input_shape=(3,))]).to_json()
        >>> model_from_json(text).output_shape
        (None, 2)
    """
    with custom_object_scope(custom_objects):
        model = build(describe_json(json_string, where, limits))
    for variable in model.variables:
        initialize(variable)
    return model


def initialize(variable: Variable) -> None:
    """Give a variable the value that its initializer makes."""
    if variable.role in ("weight", "statistic") and variable.initializer is not None:
        made = variable.initializer(variable.shape, dtype=variable.dtype)
        variable.assign(np.asarray(made, variable.dtype))
