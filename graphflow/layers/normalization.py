"""BatchNormalization."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow import ops
from graphflow.errors import ShapeError
from graphflow.layers.arguments import name_positional
from graphflow.layers.layer import Layer
from graphflow.layers.registry import layer
from graphflow.layers.weights import WeightSettings
from graphflow.ops.operands import as_axis
from graphflow.spec import format_shape, spec_of

_POSITIONAL = ("momentum", "epsilon", "center", "scale")


@layer("BatchNormalizationV1", "BatchNormalizationV2")
class BatchNormalization(Layer):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta along one axis (Ioffe and Szegedy, 2015).

    Args:
        axis: the axis that keeps its own statistics.
        momentum: of the moving averages.
        epsilon: added to the variance.
        center, scale: whether there is a beta, a gamma.
        beta_initializer, gamma_initializer, moving_mean_initializer, moving_variance_initializer: of the weights, and
            a regularizer and constraint of each.

    In training the statistics are the batch's, and the moving ones are updated.

    Source: https://keras.io/api/layers/normalization_layers/batch_normalization/
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, *positional: Any, **kwargs: Any) -> None:
        name_positional(kwargs, positional, _POSITIONAL)
        self.settings = WeightSettings(kwargs, gamma="ones", beta="zeros", moving_mean="zeros", moving_variance="ones")
        self.momentum = float(kwargs.pop("momentum", 0.99))
        self.epsilon = float(kwargs.pop("epsilon", 1e-3))
        self.center = bool(kwargs.pop("center", True))
        self.scale = bool(kwargs.pop("scale", True))
        super().__init__(**kwargs)
        if isinstance(axis, (list, tuple)) and len(axis) == 1:
            axis = axis[0]
        self.axis = axis
        self.gamma: Any = None
        self.beta: Any = None
        self.moving_mean: Any = None
        self.moving_variance: Any = None

    def build(self, input_shape: Any) -> None:
        axis = as_axis(self.axis, len(input_shape))
        size = input_shape[axis]
        if size is None:
            raise ShapeError(f"Axis {self.axis} of the input must be known, received {format_shape(input_shape)}.")
        if self.scale:
            self.gamma = self.settings.add(self, "gamma", (size,))
        if self.center:
            self.beta = self.settings.add(self, "beta", (size,))
        self.moving_mean = self.settings.add(self, "moving_mean", (size,), trainable=False, role="statistic")
        self.moving_variance = self.settings.add(self, "moving_variance", (size,), trainable=False, role="statistic")

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        rank = len(spec_of(inputs).shape)
        axis = as_axis(self.axis, rank)
        order = (*(i for i in range(rank) if i != axis), axis)
        x = ops.transpose(inputs, order)
        mean, variance = self.moving_mean, self.moving_variance
        if training and self.trainable:
            mean, variance = self._batch_statistics(x)
        y = ops.batch_norm(x, mean, variance, self.gamma, self.beta, self.epsilon)
        return ops.transpose(y, tuple(int(i) for i in np.argsort(order)))

    def _batch_statistics(self, x: Any) -> tuple[Any, Any]:
        axes = tuple(range(len(spec_of(x).shape) - 1))
        mean, variance = ops.mean(x, axes), ops.var(x, axes)
        for variable, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            self.update(variable, variable * self.momentum + value * (1 - self.momentum))
        return mean, variance

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            **self.settings.get_config(),
        }
