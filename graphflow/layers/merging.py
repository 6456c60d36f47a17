"""Layers of several inputs: Add and Concatenate, with their lower-case functions."""

from __future__ import annotations

from functools import reduce
from typing import Any

from graphflow import ops
from graphflow.errors import ArgumentError, ArgumentTypeError
from graphflow.layers.layer import Layer
from graphflow.layers.nest import leaves
from graphflow.layers.registry import layer
from graphflow.spec import spec_of


class Merge(Layer):
    """Element-wise merging of a list of tensors whose shapes broadcast; lower ranks gain axes after the batch."""

    supports_masking = True

    def call(self, inputs: Any) -> Any:
        return self.merge(self._same_rank(self._checked(inputs)))

    def merge(self, tensors: list[Any]) -> Any:
        raise NotImplementedError

    def _checked(self, inputs: Any) -> list[Any]:
        if not isinstance(inputs, (list, tuple)):
            raise ArgumentTypeError(f"{type(self).__name__} must be called on a list of tensors, received {inputs!r}.")
        if not inputs:
            raise ArgumentError(f"{type(self).__name__} needs at least one input.")
        return list(inputs)

    @staticmethod
    def _same_rank(tensors: list[Any]) -> list[Any]:
        rank = max(len(spec_of(tensor).shape) for tensor in tensors)
        grown = []
        for tensor in tensors:
            while len(spec_of(tensor).shape) < rank:
                tensor = ops.expand_dims(tensor, 1)
            grown.append(tensor)
        return grown

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        masks = list(leaves(mask))
        if all(one is None for one in masks):
            return None
        if self.era == "keras3":
            return None if any(one is None for one in masks) else reduce(ops.logical_or, masks)
        return reduce(ops.logical_and, [one for one in masks if one is not None])


@layer()
class Add(Merge):
    """The sum of a list of tensors. Source: https://keras.io/api/layers/merging_layers/add/"""

    def merge(self, tensors: list[Any]) -> Any:
        return reduce(ops.add, tensors)


@layer()
class Concatenate(Merge):
    """A list of tensors one after another along an axis.

    Args:
        axis: of the inputs, the batch counted; their other sizes must be equal.

    Source: https://keras.io/api/layers/merging_layers/concatenate/
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any) -> Any:
        return ops.concatenate(self._checked(inputs), self.axis)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        masks = list(leaves(mask))
        if all(one is None for one in masks):
            return None
        full = []
        for tensor, one in zip(inputs, masks, strict=True):
            if one is None:
                full.append(ops.ones_like(tensor, "bool"))
            elif len(spec_of(one).shape) < len(spec_of(tensor).shape):
                full.append(ops.logical_or(ops.expand_dims(one, -1), ops.zeros_like(tensor, "bool")))
            else:
                full.append(one)
        joined = ops.concatenate(full, self.axis)
        return ops.any(joined, -1) if self.era == "keras3" else ops.all(joined, -1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


def add(inputs: Any, **kwargs: Any) -> Any:
    """The sum of a list of tensors; `Add` as a function."""
    return Add(**kwargs)(inputs)


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """A list of tensors one after another; `Concatenate` as a function."""
    return Concatenate(axis, **kwargs)(inputs)
