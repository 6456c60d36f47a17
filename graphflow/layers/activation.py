"""Activations as layers."""

from __future__ import annotations

from typing import Any

from graphflow import activations, ops
from graphflow.errors import ArgumentError
from graphflow.layers.layer import Layer
from graphflow.layers.registry import layer


@layer()
class Activation(Layer):
    """An activation function as a layer: a name, or any function of a tensor.

    Source: https://keras.io/api/layers/core_layers/activation/
    """

    supports_masking = True

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: Any) -> Any:
        return self.activation(inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


@layer()
class ReLU(Layer):
    """max_value where x >= max_value, x where threshold <= x < max_value, negative_slope * (x - threshold) otherwise.

    Source: https://keras.io/api/layers/activation_layers/relu/
    """

    supports_masking = True

    def __init__(self, max_value: Any = None, negative_slope: Any = 0.0, threshold: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if max_value is not None and max_value < 0:
            raise ArgumentError(f"max_value must not be negative, received {max_value}.")
        if negative_slope is None or negative_slope < 0:
            raise ArgumentError(f"negative_slope must be a number of at least 0, received {negative_slope}.")
        if threshold is None or threshold < 0:
            raise ArgumentError(f"threshold must be a number of at least 0, received {threshold}.")
        self.max_value = None if max_value is None else float(max_value)
        self.negative_slope = float(negative_slope)
        self.threshold = float(threshold)

    def call(self, inputs: Any) -> Any:
        return ops.relu(inputs, self.negative_slope, self.max_value, self.threshold)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_value": self.max_value,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
        }


@layer()
class Softmax(Layer):
    """exp(x) / sum(exp(x)) over an axis or several; masked elements (mask of x's shape) get nothing.

    Source: https://keras.io/api/layers/activation_layers/softmax/
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is not None:
            inputs = inputs + (1.0 - ops.cast(mask, inputs.dtype)) * -3.4028235e38
        return ops.softmax(inputs, self.axis)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}
