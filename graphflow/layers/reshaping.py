"""Layers that change the shape and order of their input."""

from __future__ import annotations

from typing import Any

from graphflow import config, ops
from graphflow.errors import ArgumentError, ShapeError
from graphflow.layers.arguments import positive
from graphflow.layers.layer import Layer
from graphflow.layers.registry import layer
from graphflow.ops.array import channels_last
from graphflow.ops.shape import sizes
from graphflow.spec import element_count, format_shape, spec_of


@layer()
class Flatten(Layer):
    """(batch, ...) to (batch, product of the rest); with channels_first the channels are moved last before.

    Source: https://keras.io/api/layers/reshaping_layers/flatten/
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = config.as_data_format(data_format)

    def call(self, inputs: Any) -> Any:
        shape = spec_of(inputs).shape
        if len(shape) == 1:
            return ops.expand_dims(inputs, 1)
        if self.data_format == "channels_first" and len(shape) > 2:
            inputs = channels_last(inputs)
        return ops.flatten(inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


@layer()
class Reshape(Layer):
    """(batch, ...) to (batch, *target_shape), in the same order.

    Args:
        target_shape: without the batch; one size may be -1, for what is left over.

    Raises:
        ShapeError: the sizes do not multiply to those of a sample.

    Source: https://keras.io/api/layers/reshaping_layers/reshape/
    """

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = tuple(int(size) for size in target_shape)
        if self.target_shape.count(-1) > 1 or any(size < -1 for size in self.target_shape):
            raise ArgumentError(
                f"target_shape may hold one -1 and no other negative size, received {self.target_shape}."
            )

    def call(self, inputs: Any) -> Any:
        shape = spec_of(inputs).shape
        target = list(self.target_shape)
        total = element_count(shape[1:])
        rest = element_count([size for size in target if size != -1]) or 0
        if total is not None and -1 in target and rest and total % rest == 0:
            target[target.index(-1)] = total // rest
        if total is not None and (-1 in target or element_count(target) != total):
            raise ShapeError(
                f"A sample of {total} elements, of shape {format_shape(shape[1:])}, can not be reshaped into "
                f"{format_shape(self.target_shape)}."
            )
        return ops.reshape(inputs, (-1 if total else sizes(inputs)[0], *target))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": self.target_shape}


@layer()
class Permute(Layer):
    """The axes behind the batch in another order.

    Args:
        dims: the axes of the input, counted from 1, in the order of the output.

    Raises:
        ShapeError: an input of another rank.

    Source: https://keras.io/api/layers/reshaping_layers/permute/
    """

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(int(dim) for dim in dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ArgumentError(f"dims must be a permutation of 1 to {len(self.dims)}, received {self.dims}.")

    def call(self, inputs: Any) -> Any:
        shape = spec_of(inputs).shape
        if len(shape) != len(self.dims) + 1:
            raise ShapeError(f"Permute{self.dims} needs rank {len(self.dims) + 1}, received {format_shape(shape)}.")
        return ops.transpose(inputs, (0, *self.dims))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dims": self.dims}


@layer()
class RepeatVector(Layer):
    """(batch, features) to (batch, n, features), each row n times.

    Raises:
        ShapeError: an input that is no matrix.

    Source: https://keras.io/api/layers/reshaping_layers/repeat_vector/
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = positive(n, "n")

    def call(self, inputs: Any) -> Any:
        shape = spec_of(inputs).shape
        if len(shape) != 2:
            raise ShapeError(f"RepeatVector needs an input (batch, features), received {format_shape(shape)}.")
        return ops.tile(ops.expand_dims(inputs, 1), (1, self.n, 1))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n": self.n}
