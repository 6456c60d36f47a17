"""Normalisation: by the batch, by the sample, by groups of channels, to length one."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow import config, ops
from graphflow.errors import ArgumentError, ArgumentTypeError, ShapeError
from graphflow.layers.arguments import name_positional
from graphflow.layers.layer import Layer
from graphflow.layers.registry import layer
from graphflow.layers.weights import WeightSettings
from graphflow.ops.operands import as_axes, as_axis
from graphflow.spec import format_shape, spec_of

_SHARED = ("beta_regularizer", "gamma_regularizer", "beta_constraint", "gamma_constraint")
_POSITIONAL = (
    "momentum",
    "epsilon",
    "center",
    "scale",
    "beta_initializer",
    "gamma_initializer",
    "moving_mean_initializer",
    "moving_variance_initializer",
    *_SHARED,
)
_LAYER_POSITIONAL = ("epsilon", "center", "scale", "beta_initializer", "gamma_initializer", *_SHARED)


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

    In training the statistics are the batch's, and the moving ones are updated; unless `trainable` is False. In layers
    from Keras 3 files the statistics leave out what a mask leaves out; in others the moving variance of images and
    volumes is the unbiased estimate, as in tf.keras.

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

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        rank = len(spec_of(inputs).shape)
        axis = as_axis(self.axis, rank)
        order = (*(i for i in range(rank) if i != axis), axis)
        x = ops.transpose(inputs, order)
        mean, variance = self.moving_mean, self.moving_variance
        if training and self.trainable:
            mean, variance = self._batch_statistics(x, mask if self.era == "keras3" else None)
        y = ops.batch_norm(x, mean, variance, self.gamma, self.beta, self.epsilon)
        return ops.transpose(y, tuple(int(i) for i in np.argsort(order)))

    def _batch_statistics(self, x: Any, mask: Any) -> tuple[Any, Any]:
        shape = spec_of(x).shape
        axes = tuple(range(len(shape) - 1))
        if mask is None:
            mean, variance = ops.mean(x, axes), ops.var(x, axes)
        else:
            mean, variance = self._masked_statistics(x, mask, axes)
        unbiased = variance
        rank = len(shape)
        if self.era != "keras3" and rank in (4, 5) and as_axis(self.axis, rank) in (1, rank - 1):
            count = ops.sum(ops.ones_like(x), axes)
            unbiased = variance * count / ops.maximum(count - 1.0, 1.0)
        for variable, value in ((self.moving_mean, mean), (self.moving_variance, unbiased)):
            self.update(variable, variable * self.momentum + value * (1 - self.momentum))
        return mean, variance

    @staticmethod
    def _masked_statistics(x: Any, mask: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
        if len(spec_of(mask).shape) != len(spec_of(x).shape) - 1:
            raise ShapeError(
                "The mask of BatchNormalization must have one axis less than its input, received "
                f"{format_shape(spec_of(mask).shape)} for {format_shape(spec_of(x).shape)}."
            )
        kept = ops.logical_and(ops.expand_dims(mask, -1), ops.ones_like(x, "bool"))
        count = ops.sum(ops.cast(kept, spec_of(x).dtype), axes) + config.epsilon()
        mean = ops.sum(ops.where(kept, x, 0.0), axes) / count
        return mean, ops.sum(ops.square(ops.where(kept, x - mean, 0.0)), axes) / count

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


@layer("LayerNormalizationV2")
class LayerNormalization(Layer):
    """gamma * (x - mean) / sqrt(variance + epsilon) + beta, with each sample's own statistics (Ba et al., 2016).

    Args:
        axis: the axis, or axes, that the statistics are taken over; gamma and beta have their sizes.
        epsilon: added to the variance.
        center, scale: whether there is a beta, a gamma.
        rms_scaling: leave the mean in x and have no beta, as Keras 3 does.
        beta_initializer, gamma_initializer: of the weights, and a regularizer and constraint of each.

    Raises:
        ShapeError: an axis of unknown size.

    Source: https://keras.io/api/layers/normalization_layers/layer_normalization/
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, *positional: Any, rms_scaling: bool = False, **kwargs: Any) -> None:
        name_positional(kwargs, positional, _LAYER_POSITIONAL)
        self.settings = WeightSettings(kwargs, gamma="ones", beta="zeros")
        self.epsilon = float(kwargs.pop("epsilon", 1e-3))
        self.center = bool(kwargs.pop("center", True))
        self.scale = bool(kwargs.pop("scale", True))
        super().__init__(**kwargs)
        if not isinstance(axis, (int, list, tuple)) or isinstance(axis, bool):
            raise ArgumentTypeError(f"axis must be an integer or a list of them, received {axis!r}.")
        self.axis = axis if isinstance(axis, int) else list(axis)
        self.rms_scaling = bool(rms_scaling)
        self.gamma: Any = None
        self.beta: Any = None

    def build(self, input_shape: Any) -> None:
        shape = tuple(input_shape[axis] for axis in as_axes(self.axis, len(input_shape)))
        if None in shape:
            raise ShapeError(f"Axis {self.axis} of the input must be known, received {format_shape(input_shape)}.")
        if self.scale or self.rms_scaling:
            self.gamma = self.settings.add(self, "gamma", shape)
        if self.center and not self.rms_scaling:
            self.beta = self.settings.add(self, "beta", shape)

    def call(self, inputs: Any) -> Any:
        rank = len(spec_of(inputs).shape)
        axes = as_axes(self.axis, rank)
        order = (*(i for i in range(rank) if i not in axes), *axes)
        x = ops.transpose(inputs, order)
        y = ops.layer_norm(x, self.gamma, self.beta, len(axes), self.epsilon, self.rms_scaling)
        return ops.transpose(y, tuple(int(i) for i in np.argsort(order)))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "rms_scaling": self.rms_scaling,
            **self.settings.get_config(),
        }


@layer()
class GroupNormalization(Layer):
    """Each group of channels normalised over all positions of a sample (Wu and He, 2018).

    Args:
        groups: into how many the channels are divided; -1: each channel for itself.
        axis: the axis of the channels.
        epsilon: added to the variance.
        center, scale: whether there is a beta, a gamma, of one number per channel.
        beta_initializer, gamma_initializer: of the weights, and a regularizer and constraint of each.

    Raises:
        ArgumentError: groups that do not divide the channels.

    Source: https://keras.io/api/layers/normalization_layers/group_normalization/
    """

    supports_masking = True

    def __init__(self, groups: int = 32, axis: int = -1, *positional: Any, **kwargs: Any) -> None:
        name_positional(kwargs, positional, _LAYER_POSITIONAL)
        self.settings = WeightSettings(kwargs, gamma="ones", beta="zeros")
        self.epsilon = float(kwargs.pop("epsilon", 1e-3))
        self.center = bool(kwargs.pop("center", True))
        self.scale = bool(kwargs.pop("scale", True))
        super().__init__(**kwargs)
        if not isinstance(groups, int) or (groups < 1 and groups != -1):
            raise ArgumentError(f"groups must be a positive integer or -1, received {groups!r}.")
        self.groups, self.axis = groups, axis
        self.gamma: Any = None
        self.beta: Any = None

    def build(self, input_shape: Any) -> None:
        size = input_shape[as_axis(self.axis, len(input_shape))]
        if size is None:
            raise ShapeError(f"Axis {self.axis} of the input must be known, received {format_shape(input_shape)}.")
        self.groups = size if self.groups == -1 else self.groups
        if size % self.groups:
            raise ArgumentError(f"groups must divide the {size} channels, received {self.groups}.")
        if self.scale:
            self.gamma = self.settings.add(self, "gamma", (size,))
        if self.center:
            self.beta = self.settings.add(self, "beta", (size,))

    def call(self, inputs: Any) -> Any:
        rank = len(spec_of(inputs).shape)
        axis = as_axis(self.axis, rank)
        order = (*(i for i in range(rank) if i != axis), axis)
        y = ops.group_norm(ops.transpose(inputs, order), self.groups, self.gamma, self.beta, self.epsilon)
        return ops.transpose(y, tuple(int(i) for i in np.argsort(order)))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "groups": self.groups,
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            **self.settings.get_config(),
        }


@layer()
class UnitNormalization(Layer):
    """x divided by its Euclidean length over an axis or several.

    Source: https://keras.io/api/layers/normalization_layers/unit_normalization/
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axis, (int, list, tuple)) or isinstance(axis, bool):
            raise ArgumentTypeError(f"axis must be an integer or a list of them, received {axis!r}.")
        self.axis = axis if isinstance(axis, int) else list(axis)

    def call(self, inputs: Any) -> Any:
        if self.era != "keras3":
            return ops.l2_normalize(inputs, self.axis)
        return inputs * ops.minimum(ops.rsqrt(ops.sum(ops.square(inputs), self.axis, True)), 1e12)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}
