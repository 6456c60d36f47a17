"""Layers that bring images to a size: Resizing and CenterCrop."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow import config, ops
from graphflow.errors import ArgumentError, ShapeError, UnsupportedError
from graphflow.layers.arguments import positive
from graphflow.layers.layer import Layer
from graphflow.layers.registry import layer
from graphflow.ops.operands import dtype_of
from graphflow.ops.resample import METHODS, resample
from graphflow.spec import format_shape, spec_of


class ImageLayer(Layer):
    """A layer of images (batch, height, width, channels), or of one image without batch, in either data format."""

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = config.as_data_format(data_format)

    def image_axes(self, inputs: Any) -> tuple[int, int]:
        """Where height and width are.

        Raises:
            ShapeError: an input of another rank than 3 and 4.
        """
        shape = spec_of(inputs).shape
        if len(shape) not in (3, 4):
            raise ShapeError(
                f"{type(self).__name__} needs images of rank 4, or one of rank 3, received {format_shape(shape)}."
            )
        return (-2, -1) if self.data_format == "channels_first" else (-3, -2)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


@layer()
class Resizing(ImageLayer):
    """Images resized: (batch, any height, any width, channels) to (batch, height, width, channels).

    Args:
        height, width: of the output, in elements.
        interpolation: "bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian" or "mitchellcubic".
        crop_to_aspect_ratio: whether the middle of an image is cut out first, as large as it is with the output's
            aspect ratio; else the image is stretched.
        pad_to_aspect_ratio: whether the image is filled up on two sides to the output's aspect ratio.
        fill_mode: "constant"; fill_value: what it is filled up with.
        antialias: whether an image that becomes smaller is smoothed.
        data_format: "channels_last" or "channels_first"; None: the configured one.

    Raises:
        ArgumentError: a size below 1, an unknown interpolation or fill mode, or both ways to an aspect ratio.
        ShapeError: an input of another rank than 3 and 4.

    Source: https://keras.io/api/layers/preprocessing_layers/image_preprocessing/resizing/

    Example:
        >>> from graphflow.layers import Input, Resizing
        >>> Resizing(224, 224, crop_to_aspect_ratio=True)(Input(shape=(None, None, 3))).shape
        (None, 224, 224, 3)
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.height, self.width = positive(height, "height"), positive(width, "width")
        self.interpolation = interpolation.lower() if isinstance(interpolation, str) else interpolation
        self.crop_to_aspect_ratio, self.pad_to_aspect_ratio = bool(crop_to_aspect_ratio), bool(pad_to_aspect_ratio)
        self.fill_mode, self.fill_value, self.antialias = fill_mode, float(fill_value), bool(antialias)
        if self.interpolation not in METHODS:
            raise ArgumentError(f"interpolation must be one of {', '.join(METHODS)}, received {interpolation!r}.")
        if fill_mode != "constant":
            raise ArgumentError(f"fill_mode must be 'constant', received {fill_mode!r}.")
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise ArgumentError("Images are either cropped or padded to an aspect ratio; both were asked for.")

    def call(self, inputs: Any) -> Any:
        axes, given = self.image_axes(inputs), dtype_of(inputs)
        x = inputs if self.era == "keras3" else ops.cast(inputs, self.dtype)
        fit = "crop" if self.crop_to_aspect_ratio else "pad" if self.pad_to_aspect_ratio else "stretch"
        size = (self.height, self.width)
        y = resample(x, size, axes, self.interpolation, self.antialias, fit, self.fill_value)
        if self.era != "keras3" or dtype_of(y) == given:
            return y
        if given == "bool":
            raise UnsupportedError("Images of bool can not be interpolated; cast them before.")
        limits = np.iinfo(given)
        return ops.cast(ops.clip(ops.round(y), float(limits.min), float(limits.max)), given)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "height": self.height,
            "width": self.width,
            "interpolation": self.interpolation,
            "crop_to_aspect_ratio": self.crop_to_aspect_ratio,
            "pad_to_aspect_ratio": self.pad_to_aspect_ratio,
            "fill_mode": self.fill_mode,
            "fill_value": self.fill_value,
            "antialias": self.antialias,
        }


@layer()
class CenterCrop(ImageLayer):
    """The middle of images: (batch, any height, any width, channels) to (batch, height, width, channels).

    Of images that are smaller on any side, the largest part with the output's aspect ratio, resized (bilinear).

    Args:
        height, width: of the output, in elements.
        data_format: "channels_last" or "channels_first"; None: the configured one.

    Raises:
        ArgumentError: a size below 1.
        ShapeError: an input of another rank than 3 and 4.

    Source: https://keras.io/api/layers/preprocessing_layers/image_preprocessing/center_crop/
    """

    def __init__(self, height: int, width: int, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self.height, self.width = positive(height, "height"), positive(width, "width")

    def call(self, inputs: Any) -> Any:
        size, axes = (self.height, self.width), self.image_axes(inputs)
        return resample(ops.cast(inputs, self.dtype), size, axes, fit="center")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "height": self.height, "width": self.width}
