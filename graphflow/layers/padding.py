"""ZeroPadding and Cropping in one to three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphflow import config, ops
from graphflow.errors import ArgumentError, ShapeError
from graphflow.layers.layer import Layer
from graphflow.layers.registry import layer
from graphflow.spec import Shape, format_shape, spec_of
from graphflow.window import as_sizes

Pairs = tuple[tuple[int, int], ...]


class SpatialLayer(Layer):
    """What these layers share: a rank, and a data format that says where the spatial axes are."""

    rank = 0
    default_format: str | None = None
    has_format = True

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = config.as_data_format(data_format or self.default_format)

    def _axes(self, inputs: Any) -> range:
        shape = spec_of(inputs).shape
        if len(shape) != self.rank + 2:
            raise ShapeError(
                f"{type(self).__name__} needs an input of rank {self.rank + 2}, received {format_shape(shape)}."
            )
        start = 2 if self.data_format == "channels_first" else 1
        return range(start, start + self.rank)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **({"data_format": self.data_format} if self.has_format else {})}


def as_pairs(value: Any, rank: int, name: str) -> Pairs:
    """An integer, one for each dimension, or a pair (before, after) for each, as pairs.

    Raises:
        ArgumentError: another number of them, or one that is negative or not an integer.
    """
    if rank == 1:
        first, second = as_sizes(value, 2, name, minimum=0)
        return ((first, second),)
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == rank:
        return tuple((one[0], one[1]) for one in (as_sizes(size, 2, name, minimum=0) for size in value))
    if isinstance(value, Sequence):
        raise ArgumentError(f"{name} must have {rank} entries, one for each dimension, received {value!r}.")
    return tuple((size, size) for size in as_sizes(value, rank, name, minimum=0))


class _ZeroPadding(SpatialLayer):
    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self._pairs = as_pairs(padding, self.rank, "padding")

    @property
    def padding(self) -> Any:
        return self._pairs[0] if self.rank == 1 else self._pairs

    def call(self, inputs: Any) -> Any:
        axes = self._axes(inputs)
        amounts = [self._pairs[axis - axes.start] if axis in axes else (0, 0) for axis in range(self.rank + 2)]
        return ops.pad(inputs, amounts)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.padding}


@layer()
class ZeroPadding1D(_ZeroPadding):
    """Zeros before and after the steps: (batch, steps, channels) to (batch, before + steps + after, channels).

    Args:
        padding: an integer for both ends, or a pair (before, after).
        data_format: "channels_last" (the default, whatever is configured) or "channels_first".

    Raises:
        ArgumentError: a negative number, or another number of them.
        ShapeError: an input of another rank.

    Source: https://keras.io/api/layers/reshaping_layers/zero_padding1d/
    """

    rank = 1
    default_format = "channels_last"

    def __init__(self, padding: Any = 1, *, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding, data_format, **kwargs)


@layer()
class ZeroPadding2D(_ZeroPadding):
    """Zeros around images: (batch, height, width, channels) to (batch, new height, new width, channels).

    Args:
        padding: an integer, a pair (height, width), or a pair of pairs ((top, bottom), (left, right)).
        data_format: "channels_last" or "channels_first"; None: the configured one.

    Raises:
        ArgumentError, ShapeError: as `ZeroPadding1D`.

    Source: https://keras.io/api/layers/reshaping_layers/zero_padding2d/

    Example:
        >>> from graphflow.layers import Input, ZeroPadding2D
        >>> ZeroPadding2D(((0, 1), (2, 3)))(Input(shape=(28, 28, 1))).shape
        (None, 29, 33, 1)
    """

    rank = 2


@layer()
class ZeroPadding3D(_ZeroPadding):
    """Zeros around volumes: (batch, depth, height, width, channels) to (batch, new sizes ..., channels).

    Args:
        padding: an integer, a triple, or a triple of pairs (before, after).
        data_format: "channels_last" or "channels_first"; None: the configured one.

    Raises:
        ArgumentError, ShapeError: as `ZeroPadding1D`.

    Source: https://keras.io/api/layers/reshaping_layers/zero_padding3d/
    """

    rank = 3


class _Cropping(SpatialLayer):
    def __init__(self, cropping: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(data_format, **kwargs)
        self._pairs = as_pairs(cropping, self.rank, "cropping")

    @property
    def cropping(self) -> Any:
        return self._pairs[0] if self.rank == 1 else self._pairs

    def call(self, inputs: Any) -> Any:
        axes = self._axes(inputs)
        shape: Shape = spec_of(inputs).shape
        key: list[slice] = [slice(None)] * len(shape)
        for axis, (before, after) in zip(axes, self._pairs, strict=True):
            size = shape[axis]
            if size is not None and before + after >= size:
                raise ShapeError(f"cropping must leave something, received {self.cropping} for {format_shape(shape)}.")
            key[axis] = slice(before or None, -after or None)
        return ops.getitem(inputs, tuple(key))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cropping": self.cropping}


@layer()
class Cropping1D(_Cropping):
    """Steps cut off at both ends: (batch, steps, channels) to (batch, steps - before - after, channels).

    Args:
        cropping: an integer for both ends, or a pair (before, after).

    Raises:
        ArgumentError: a negative number, or another number of them.
        ShapeError: an input of another rank, or one of which nothing is left.

    Source: https://keras.io/api/layers/reshaping_layers/cropping1d/
    """

    rank = 1
    default_format = "channels_last"
    has_format = False

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(cropping, **kwargs)


@layer()
class Cropping2D(_Cropping):
    """Rows and columns cut off: (batch, height, width, channels) to (batch, new height, new width, channels).

    Args:
        cropping: an integer, a pair (height, width), or a pair of pairs ((top, bottom), (left, right)).
        data_format: "channels_last" or "channels_first"; None: the configured one.

    Raises:
        ArgumentError, ShapeError: as `Cropping1D`.

    Source: https://keras.io/api/layers/reshaping_layers/cropping2d/

    Example:
        >>> from graphflow.layers import Cropping2D, Input
        >>> Cropping2D(((0, 1), (2, 3)))(Input(shape=(28, 28, 1))).shape
        (None, 27, 23, 1)
    """

    rank = 2

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(cropping, data_format, **kwargs)


@layer()
class Cropping3D(_Cropping):
    """Planes cut off: (batch, depth, height, width, channels) to (batch, new sizes ..., channels).

    Args:
        cropping: an integer, a triple, or a triple of pairs (before, after).
        data_format: "channels_last" or "channels_first"; None: the configured one.

    Raises:
        ArgumentError, ShapeError: as `Cropping1D`.

    Source: https://keras.io/api/layers/reshaping_layers/cropping3d/
    """

    rank = 3
