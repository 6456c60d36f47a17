"""Layers that change images at random in training only: at inference they pass them on, and RandomCrop resizes.

Training itself is not what graphflow is for: a layer called with `training=True` says so by an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphflow import ops
from graphflow.errors import ArgumentError, UnsupportedError
from graphflow.layers.arguments import positive
from graphflow.layers.image import ImageLayer
from graphflow.layers.registry import layer
from graphflow.ops.resample import METHODS, resample

FILL_MODES = ("constant", "nearest", "reflect", "wrap")
FILL_INTERPOLATIONS = ("bilinear", "nearest")


def _one_of(value: Any, known: Sequence[str], name: str) -> Any:
    if value not in known:
        raise ArgumentError(f"{name} must be one of {', '.join(known)}, received {value!r}.")
    return value


def _factor(value: Any, name: str, low: float = -1.0, high: float = 1.0) -> Any:
    """A number, or a pair of them, in [low, high]."""
    parts = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    fits = len(parts) == 2 or not isinstance(value, (list, tuple))
    if not fits or not all(isinstance(one, (int, float, np.number)) and low <= one <= high for one in parts):
        raise ArgumentError(f"{name} must be a number, or two of them, in [{low:g}, {high:g}], received {value!r}.")
    return parts if isinstance(value, (list, tuple)) else value


def _range(value: Any) -> tuple[float, float]:
    parts = tuple(value) if isinstance(value, (list, tuple)) else ()
    if len(parts) != 2:
        raise ArgumentError(f"value_range must be two numbers, received {value!r}.")
    return parts


class Augmentation(ImageLayer):
    """What these layers share.

    Args:
        seed: of the random numbers in training.
        settings: the other arguments, by name: they become attributes and come back in the configuration.
    """

    casts = True

    def __init__(self, settings: dict[str, Any], seed: int | None, data_format: str | None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self._settings = {**settings, "seed": seed}
        for name, value in self._settings.items():
            setattr(self, name, value)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        self.image_axes(inputs)
        if training:
            raise UnsupportedError(f"{type(self).__name__} {self.name!r} with training=True is not supported.")
        return self.pass_on(inputs)

    def pass_on(self, inputs: Any) -> Any:
        """What becomes of images at inference."""
        return ops.cast(inputs, self.dtype) if self.casts or self.era != "keras3" else inputs

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._settings}


@layer()
class RandomFlip(Augmentation):
    """In training, images mirrored at random; at inference, images as they are.

    Args:
        mode: "horizontal", "vertical" or "horizontal_and_vertical".
        seed: of the random numbers.
        data_format: "channels_last" or "channels_first"; None: the configured one.

    Raises:
        ArgumentError: an unknown mode.
        UnsupportedError: called with `training=True`.
        ShapeError: an input of another rank than 3 and 4.

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_flip/

    Example:
        >>> import numpy as np
        >>> from graphflow.layers import RandomFlip
        >>> RandomFlip("horizontal")(np.arange(4.0).reshape(2, 2, 1), training=False)[..., 0].tolist()
        [[0.0, 1.0], [2.0, 3.0]]
    """

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        known = ("horizontal", "vertical", "horizontal_and_vertical")
        super().__init__({"mode": _one_of(mode, known, "mode")}, seed, data_format, **kwargs)


def _filled(fill_mode: str, interpolation: str, fill_value: float) -> dict[str, Any]:
    return {
        "fill_mode": _one_of(fill_mode, FILL_MODES, "fill_mode"),
        "interpolation": _one_of(interpolation, FILL_INTERPOLATIONS, "interpolation"),
        "fill_value": fill_value,
    }


@layer()
class RandomRotation(Augmentation):
    """In training, images turned at random; at inference, images as they are.

    Args:
        factor: the largest turn either way, as a part of a full one, or the two bounds.
        fill_mode: "reflect", "wrap", "constant" or "nearest"; fill_value: for "constant".
        interpolation: "bilinear" or "nearest".
        seed, data_format: as `RandomFlip`.

    Raises:
        ArgumentError: a factor that is no number or pair, an unknown mode or interpolation.
        UnsupportedError, ShapeError: as `RandomFlip`.

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_rotation/
    """

    def __init__(
        self,
        factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        settings = {"factor": _factor(factor, "factor", -np.inf, np.inf)}
        super().__init__({**settings, **_filled(fill_mode, interpolation, fill_value)}, seed, data_format, **kwargs)


class _TwoFactors(Augmentation):
    """A height_factor and a width_factor."""

    def __init__(self, height: Any, width: Any, filled: dict[str, Any], *rest: Any, **kwargs: Any) -> None:
        settings = {
            "height_factor": _factor(height, "height_factor"),
            "width_factor": None if width is None else _factor(width, "width_factor"),
        }
        super().__init__({**settings, **filled}, *rest, **kwargs)


@layer()
class RandomZoom(_TwoFactors):
    """In training, images zoomed at random; at inference, images as they are.

    Args:
        height_factor: the largest change of the height, as a part of it, or the two bounds; negative zooms in.
        width_factor: the same of the width; None: as much as the height.
        fill_mode, interpolation, seed, fill_value, data_format: as `RandomRotation`.

    Raises:
        ArgumentError: a factor that is no number or pair in [-1, 1], an unknown mode or interpolation.
        UnsupportedError, ShapeError: as `RandomFlip`.

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_zoom/
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        filled = _filled(fill_mode, interpolation, fill_value)
        super().__init__(height_factor, width_factor, filled, seed, data_format, **kwargs)


@layer()
class RandomTranslation(_TwoFactors):
    """In training, images shifted at random; at inference, images as they are.

    Args:
        height_factor, width_factor: the largest shift either way, as a part of height and width, or the two bounds.
        fill_mode, interpolation, seed, fill_value, data_format: as `RandomRotation`.

    Raises:
        ArgumentError: a factor that is no number or pair in [-1, 1], an unknown mode or interpolation.
        UnsupportedError, ShapeError: as `RandomFlip`.

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_translation/
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        filled = _filled(fill_mode, interpolation, fill_value)
        super().__init__(height_factor, width_factor, filled, seed, data_format, **kwargs)


@layer()
class RandomContrast(Augmentation):
    """In training, contrast changed at random; at inference, images as they are.

    Args:
        factor: the largest change either way, or the two bounds, at least 0.
        value_range: the lowest and the highest value of the images.
        seed, data_format: as `RandomFlip`.

    Raises:
        ArgumentError: a factor that is no number or pair of at least 0, or a range that is no pair.
        UnsupportedError, ShapeError: as `RandomFlip`.

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_contrast/
    """

    casts = False

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        settings = {"factor": _factor(factor, "factor", 0.0, np.inf), "value_range": _range(value_range)}
        super().__init__(settings, seed, data_format, **kwargs)


@layer()
class RandomBrightness(Augmentation):
    """In training, brightness changed at random; at inference, images as they are.

    Args:
        factor: the largest change either way, as a part of the range of values, or the two bounds.
        value_range: the lowest and the highest value of the images.
        seed, data_format: as `RandomFlip`.

    Raises:
        ArgumentError: a factor that is no number or pair in [-1, 1], or a range that is no pair.
        UnsupportedError, ShapeError: as `RandomFlip`.

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_brightness/
    """

    casts = False

    def __init__(
        self,
        factor: Any,
        value_range: Any = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        settings = {"factor": _factor(factor, "factor"), "value_range": _range(value_range)}
        super().__init__(settings, seed, data_format, **kwargs)


@layer()
class RandomCrop(Augmentation):
    """In training, images cut to (height, width) at random places.

    At inference, as Keras 2 has it, the largest middle part with the output's aspect ratio is resized (bilinear). Keras
    3 passes images on at their full size, and so does a layer from one of its files.

    Args:
        height, width: of the output, in elements.
        seed, data_format: as `RandomFlip`.

    Raises:
        ArgumentError: a size below 1.
        UnsupportedError, ShapeError: as `RandomFlip`.

    Source: https://keras.io/api/layers/preprocessing_layers/image_augmentation/random_crop/
    """

    casts = False

    def __init__(
        self, height: int, width: int, seed: int | None = None, data_format: str | None = None, **kwargs: Any
    ) -> None:
        settings = {"height": positive(height, "height"), "width": positive(width, "width")}
        super().__init__(settings, seed, data_format, **kwargs)

    def pass_on(self, inputs: Any) -> Any:
        if self.era == "keras3":
            return inputs
        size = (self._settings["height"], self._settings["width"])
        return resample(ops.cast(inputs, self.dtype), size, self.image_axes(inputs), fit="crop")


class _OneSide(Augmentation):
    """RandomHeight and RandomWidth, which only Keras 2 has: channels last, and integers stay."""

    def __init__(self, factor: Any, interpolation: str = "bilinear", seed: int | None = None, **kwargs: Any) -> None:
        name = interpolation.lower() if isinstance(interpolation, str) else interpolation
        settings = {"factor": _factor(factor, "factor", -1.0, np.inf), "interpolation": name}
        _one_of(name, METHODS, "interpolation")
        super().__init__(settings, seed, "channels_last", **kwargs)

    def pass_on(self, inputs: Any) -> Any:
        return inputs

    def get_config(self) -> dict[str, Any]:
        base = super().get_config()
        base.pop("data_format")
        return base


@layer()
class RandomHeight(_OneSide):
    """In training, images (batch, height, width, channels) of a random height; at inference, images as they are.

    Args:
        factor: the largest change either way, as a part of the height, or the two bounds.
        interpolation: as `Resizing` has it.
        seed: of the random numbers.

    Raises:
        ArgumentError: a factor that is no number or pair of at least -1, or an unknown interpolation.
        UnsupportedError, ShapeError: as `RandomFlip`.

    Source: https://www.tensorflow.org/api_docs/python/tf/keras/layers/RandomHeight
    """


@layer()
class RandomWidth(_OneSide):
    """In training, images (batch, height, width, channels) of a random width; at inference, images as they are.

    Args:
        factor: the largest change either way, as a part of the width, or the two bounds.
        interpolation: as `Resizing` has it.
        seed: of the random numbers.

    Raises:
        ArgumentError, UnsupportedError, ShapeError: as `RandomHeight`.

    Source: https://www.tensorflow.org/api_docs/python/tf/keras/layers/RandomWidth
    """
