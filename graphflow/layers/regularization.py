"""Layers that change their input in training only, and one that only adds a penalty."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from graphflow import config, ops
from graphflow.errors import ArgumentError, ArgumentTypeError, ShapeError
from graphflow.layers.layer import Layer
from graphflow.layers.registry import layer
from graphflow.regularizers import L1L2
from graphflow.spec import Shape, format_shape, spec_of


def share(value: Any, name: str = "rate") -> float:
    """A number in [0, 1).

    Raises:
        ArgumentError: anything else.
    """
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 1:
        raise ArgumentError(f"{name} must be in [0, 1), received {value!r}.")
    return float(value)


class Noise(Layer):
    """Draws random numbers in training, from a counter-based seed that advances after each call.

    Args:
        seed: for reproducible numbers; None: another sequence for each layer.
    """

    supports_masking = True

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        start = int.from_bytes(os.urandom(4), "little") if seed is None else seed
        self.seed_state = self.add_weight(
            (2,), lambda shape, dtype: np.array([start, 0], dtype), "int64", False, "seed", role="seed"
        )

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not training or not self.is_active:
            return inputs
        result = self.disturb(inputs)
        self.update(self.seed_state, self.seed_state + np.array([0, 1]))
        return result

    @property
    def is_active(self) -> bool:
        """Whether training changes anything."""
        return True

    def disturb(self, inputs: Any) -> Any:
        """The input with noise drawn from `seed_state`."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}


@layer()
class Dropout(Noise):
    """In training, zeros for a share `rate` of the input's elements and 1 / (1 - rate) times the rest; else nothing.

    Args:
        rate: in [0, 1).
        noise_shape: the shape of the mask, None where it is the input's.
        seed: for reproducible masks.

    Source: https://keras.io/api/layers/regularization_layers/dropout/
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = share(rate)
        self.noise_shape = _noise_shape(noise_shape)

    @property
    def is_active(self) -> bool:
        return self.rate > 0

    def disturb(self, inputs: Any) -> Any:
        return ops.dropout(inputs, self.rate, self.seed_state, self.noise_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "noise_shape": self.noise_shape}


def _noise_shape(shape: Any) -> Shape | None:
    if shape is None:
        return None
    if isinstance(shape, str) or not hasattr(shape, "__iter__"):
        raise ArgumentTypeError(f"noise_shape must be a sequence of integers or None, received {shape!r}.")
    sizes = tuple(shape)
    if any(size is not None and (not isinstance(size, (int, np.integer)) or size < 1) for size in sizes):
        raise ArgumentError(f"noise_shape must hold positive integers or None, received {sizes!r}.")
    return tuple(None if size is None else int(size) for size in sizes)


class SpatialDropout(Dropout):
    """Dropout of whole channels; the rank of the input is fixed by the class."""

    rank: int

    def __init__(self, rate: float, data_format: str | None = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, None, seed, **kwargs)
        self.data_format = config.as_data_format(data_format)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        shape = spec_of(inputs).shape
        if len(shape) != self.rank:
            raise ShapeError(f"{type(self).__name__} needs rank {self.rank}, received {format_shape(shape)}.")
        return super().call(inputs, training)

    def disturb(self, inputs: Any) -> Any:
        ones = (1,) * (self.rank - 2)
        shape = (None, None, *ones) if self.data_format == "channels_first" else (None, *ones, None)
        return ops.dropout(inputs, self.rate, self.seed_state, shape)

    def get_config(self) -> dict[str, Any]:
        base = super().get_config()
        base.pop("noise_shape")
        return {**base, "data_format": self.data_format}


@layer()
class SpatialDropout1D(SpatialDropout):
    """Dropout of whole channels of (batch, steps, channels) (Tompson et al., 2015).

    Source: https://keras.io/api/layers/regularization_layers/spatial_dropout1d/
    """

    rank = 3

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, "channels_last", seed, **kwargs)

    def get_config(self) -> dict[str, Any]:
        base = super().get_config()
        base.pop("data_format")
        return base


@layer()
class SpatialDropout2D(SpatialDropout):
    """Dropout of whole channels of images, in either data format.

    Source: https://keras.io/api/layers/regularization_layers/spatial_dropout2d/
    """

    rank = 4


@layer()
class SpatialDropout3D(SpatialDropout):
    """Dropout of whole channels of volumes, in either data format.

    Source: https://keras.io/api/layers/regularization_layers/spatial_dropout3d/
    """

    rank = 5


@layer()
class GaussianNoise(Noise):
    """In training, adds normal numbers of mean 0.

    Args:
        stddev: their standard deviation, at least 0.

    Source: https://keras.io/api/layers/regularization_layers/gaussian_noise/
    """

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        if not isinstance(stddev, (int, float)) or not 0 <= stddev < math.inf:
            raise ArgumentError(f"stddev must be a number of at least 0, received {stddev!r}.")
        self.stddev = float(stddev)

    @property
    def is_active(self) -> bool:
        return self.stddev > 0

    def disturb(self, inputs: Any) -> Any:
        return inputs + ops.random_normal(inputs, self.seed_state, 0.0, self.stddev)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stddev": self.stddev}


@layer()
class GaussianDropout(Noise):
    """In training, multiplies by normal numbers of mean 1 and variance rate / (1 - rate) (Srivastava et al., 2014).

    Source: https://keras.io/api/layers/regularization_layers/gaussian_dropout/
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = share(rate)

    @property
    def is_active(self) -> bool:
        return self.rate > 0

    def disturb(self, inputs: Any) -> Any:
        stddev = math.sqrt(self.rate / (1.0 - self.rate))
        return inputs * ops.random_normal(inputs, self.seed_state, 1.0, stddev)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}


@layer()
class AlphaDropout(Noise):
    """Dropout to the value that keeps mean and variance of SELU's outputs (Klambauer et al., 2017).

    Args:
        rate: in [0, 1).
        noise_shape: the shape of the mask, None where it is the input's.
        seed: for reproducible masks.

    Source: https://keras.io/api/layers/regularization_layers/alpha_dropout/
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = share(rate)
        self.noise_shape = _noise_shape(noise_shape)

    @property
    def is_active(self) -> bool:
        return self.rate > 0

    def disturb(self, inputs: Any) -> Any:
        low = -1.6732632423543772 * 1.0507009873554805
        kept = ops.greater_equal(ops.random_uniform(inputs, self.seed_state, self.noise_shape), self.rate)
        scale = ((1 - self.rate) * (1 + self.rate * low**2)) ** -0.5
        return ops.where(kept, inputs, low) * scale - scale * low * self.rate

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "noise_shape": self.noise_shape}


@layer()
class ActivityRegularization(Layer):
    """Passes its input on and adds l1 * sum(|x|) + l2 * sum(x squared), divided by the batch size, to the losses.

    Source: https://keras.io/api/layers/regularization_layers/activity_regularization/
    """

    supports_masking = True

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=L1L2(l1, l2), **kwargs)
        self.l1, self.l2 = float(l1), float(l2)

    def call(self, inputs: Any) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        base = super().get_config()
        base.pop("activity_regularizer", None)
        return {**base, "l1": self.l1, "l2": self.l2}
