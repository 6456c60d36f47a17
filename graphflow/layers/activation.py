"""Activations as layers."""

from __future__ import annotations

from typing import Any

from graphflow import activations, ops
from graphflow.errors import ArgumentError, ShapeError
from graphflow.layers.arguments import name_positional
from graphflow.layers.layer import Layer
from graphflow.layers.registry import layer
from graphflow.layers.weights import WeightSettings
from graphflow.ops.operands import as_axis
from graphflow.spec import broadcast_shapes, format_shape, spec_of


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
class LeakyReLU(Layer):
    """x where x >= 0, slope * x otherwise.

    Args:
        alpha: the slope below zero, 0.3 by default; Keras 3 calls it `negative_slope`.

    Source: https://keras.io/api/layers/activation_layers/leaky_relu/
    """

    supports_masking = True

    def __init__(self, alpha: Any = 0.3, *, negative_slope: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        slope = alpha if negative_slope is None else negative_slope
        if not isinstance(slope, (int, float)) or (slope < 0 and self.era == "keras3"):
            raise ArgumentError(f"The slope of LeakyReLU must be a number of at least 0, received {slope!r}.")
        self.negative_slope = self.alpha = float(slope)

    def call(self, inputs: Any) -> Any:
        return ops.relu(inputs, self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        name = "negative_slope" if self.era == "keras3" else "alpha"
        return {**super().get_config(), name: self.negative_slope}


@layer()
class ELU(Layer):
    """x where x > 0, alpha * (exp(x) - 1) otherwise (Clevert et al., 2016).

    Source: https://keras.io/api/layers/activation_layers/elu/
    """

    supports_masking = True

    def __init__(self, alpha: Any = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(alpha, (int, float)):
            raise ArgumentError(f"alpha must be a number, received {alpha!r}.")
        self.alpha = float(alpha)

    def call(self, inputs: Any) -> Any:
        return ops.elu(inputs, self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha}


@layer()
class ThresholdedReLU(Layer):
    """x where x > theta, 0 otherwise (Konda et al., 2014). Keras 3 no longer has it.

    Source: https://faroit.com/keras-docs/2.1.6/layers/advanced-activations/#thresholdedrelu
    """

    supports_masking = True

    def __init__(self, theta: Any = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(theta, (int, float)) or theta < 0:
            raise ArgumentError(f"theta must be a number of at least 0, received {theta!r}.")
        self.theta = float(theta)

    def call(self, inputs: Any) -> Any:
        return inputs * ops.cast(ops.greater(inputs, self.theta), spec_of(inputs).dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "theta": self.theta}


@layer()
class PReLU(Layer):
    """x where x >= 0, alpha * x otherwise, with a weight alpha (He et al., 2015).

    Args:
        alpha_initializer, alpha_regularizer, alpha_constraint: of alpha, which has the input's shape without the batch.
        shared_axes: axes, the batch counted, along which one alpha serves all elements.

    Raises:
        ShapeError: an axis of unknown size that is not shared.

    Source: https://keras.io/api/layers/activation_layers/prelu/
    """

    supports_masking = True

    def __init__(self, *positional: Any, shared_axes: Any = None, **kwargs: Any) -> None:
        names = ("alpha_initializer", "alpha_regularizer", "alpha_constraint", "shared_axes")
        name_positional(kwargs, positional, names)
        shared_axes = kwargs.pop("shared_axes", shared_axes)
        self.settings = WeightSettings(kwargs, alpha="zeros")
        super().__init__(**kwargs)
        if isinstance(shared_axes, int):
            shared_axes = [shared_axes]
        self.shared_axes = None if shared_axes is None else [int(axis) for axis in shared_axes]
        self.alpha: Any = None

    def build(self, input_shape: Any) -> None:
        rank = len(input_shape)
        shared = {as_axis(axis, rank, "shared_axes") for axis in self.shared_axes or ()}
        shape = [1 if axis in shared else size for axis, size in enumerate(input_shape)][1:]
        if None in shape:
            raise ShapeError(
                f"PReLU needs the size of each axis that is not in shared_axes, received {format_shape(input_shape)}."
            )
        self.alpha = self.settings.add(self, "alpha", shape)

    def call(self, inputs: Any) -> Any:
        return ops.relu(inputs) - self.alpha * ops.relu(-inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.settings.get_config(), "shared_axes": self.shared_axes}


@layer()
class Softmax(Layer):
    """exp(x) / sum(exp(x)) over an axis or several.

    Args:
        axis: an integer or a list of them.

    Called with a `mask` that broadcasts to x, what is masked takes no part: 1e9 is subtracted from it as in tf.keras,
    so that a row masked throughout shares equally; in layers from Keras 3 files it is replaced by -1e9 and becomes 0.

    Source: https://keras.io/api/layers/activation_layers/softmax/
    """

    supports_masking = True

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any, mask: Any = None) -> Any:
        if mask is None:
            return ops.softmax(inputs, self.axis)
        self._check_mask(inputs, mask)
        large = -3e4 if spec_of(inputs).dtype == "float16" else -1e9
        if self.era != "keras3":
            adder = (1.0 - ops.cast(mask, spec_of(inputs).dtype)) * large
            return ops.softmax(inputs + adder, self.axis)
        if spec_of(mask).dtype != "bool":
            mask = ops.greater(mask, 0.5)
        return ops.where(mask, ops.softmax(ops.where(mask, inputs, large), self.axis), 0.0)

    @staticmethod
    def _check_mask(inputs: Any, mask: Any) -> None:
        shape, own = spec_of(inputs).shape, spec_of(mask).shape
        if len(own) > len(shape) or len(broadcast_shapes(own, shape)) != len(shape):
            raise ShapeError(
                f"A mask of Softmax must broadcast to its input: {format_shape(own)} does not to {format_shape(shape)}."
            )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}
