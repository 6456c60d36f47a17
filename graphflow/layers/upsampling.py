"""UpSampling in one to three dimensions."""

from __future__ import annotations

from typing import Any

from graphflow import ops
from graphflow.errors import ArgumentError, UnsupportedError
from graphflow.layers.arguments import positive
from graphflow.layers.padding import SpatialLayer
from graphflow.layers.registry import layer
from graphflow.ops.resize import MODES, OTHER_MODES
from graphflow.window import as_sizes


class _UpSampling(SpatialLayer):
    interpolation = "nearest"

    def __init__(self, size: Any = 2, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self._factors = as_sizes(size, self.rank, "size")

    @property
    def size(self) -> Any:
        return self._factors

    def call(self, inputs: Any) -> Any:
        return ops.resize(inputs, self._factors, self._axes(inputs), self.interpolation)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


@layer()
class UpSampling1D(_UpSampling):
    """Every step repeated: (batch, steps, channels) to (batch, size * steps, channels).

    Args:
        size: an integer.

    Raises:
        ArgumentError: a size below 1.
        ShapeError: an input of another rank.

    Source: https://keras.io/api/layers/reshaping_layers/up_sampling1d/
    """

    rank = 1
    default_format = "channels_last"
    has_format = False

    def __init__(self, size: Any = 2, **kwargs: Any) -> None:
        super().__init__(positive(size, "size"), **kwargs)

    @property
    def size(self) -> Any:
        return self._factors[0]


@layer()
class UpSampling2D(_UpSampling):
    """Images made larger: (batch, height, width, channels) to (batch, size[0] * height, size[1] * width, channels).

    Args:
        size: an integer, or a pair (height, width).
        data_format: "channels_last" or "channels_first"; None: the configured one.
        interpolation: "nearest" or "bilinear".

    Raises:
        ArgumentError: a size below 1, or an unknown interpolation.
        UnsupportedError: another interpolation of Keras.
        ShapeError: an input of another rank.

    Source: https://keras.io/api/layers/reshaping_layers/up_sampling2d/

    Example:
        >>> from graphflow.layers import Input, UpSampling2D
        >>> UpSampling2D((2, 3), interpolation="bilinear")(Input(shape=(8, 8, 1))).shape
        (None, 16, 24, 1)
    """

    rank = 2

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(size, data_format, **kwargs)
        name = interpolation.lower() if isinstance(interpolation, str) else interpolation
        if name in OTHER_MODES:
            raise UnsupportedError(f"The interpolation {name!r} is not supported; there are 'nearest' and 'bilinear'.")
        if name not in MODES:
            raise ArgumentError(f"interpolation must be 'nearest' or 'bilinear', received {interpolation!r}.")
        self.interpolation = name

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "interpolation": self.interpolation}


@layer()
class UpSampling3D(_UpSampling):
    """Volumes made larger by repetition: (batch, depth, height, width, channels) to (batch, new sizes ..., channels).

    Args:
        size: an integer, or a triple (depth, height, width).
        data_format: "channels_last" or "channels_first"; None: the configured one.

    Raises:
        ArgumentError: a size below 1.
        ShapeError: an input of another rank.

    Source: https://keras.io/api/layers/reshaping_layers/up_sampling3d/
    """

    rank = 3
