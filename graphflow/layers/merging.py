"""Layers of several inputs: arithmetic, Concatenate and Dot, with their lower-case functions."""

from __future__ import annotations

from functools import reduce
from typing import Any

from graphflow import config, ops
from graphflow.errors import ArgumentError, ArgumentTypeError, ShapeError
from graphflow.layers.layer import Layer
from graphflow.layers.nest import leaves
from graphflow.layers.registry import layer
from graphflow.ops.operands import as_axis
from graphflow.spec import format_shape, spec_of


class Merge(Layer):
    """Element-wise merging of a list of tensors whose shapes broadcast; lower ranks gain axes after the batch.

    Raises:
        ArgumentTypeError: something else than a list.
        ShapeError: shapes that do not broadcast, or different batch sizes.
    """

    supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        tensors = self._same_rank(self._checked(inputs))
        masks = [None] * len(tensors) if mask is None else list(leaves(mask))
        if self.era == "keras3" and any(one is not None for one in masks):
            return self.merge_masked(tensors, [_over(one, x) for one, x in zip(masks, tensors, strict=True)])
        return self.merge(tensors)

    def merge(self, tensors: list[Any]) -> Any:
        raise NotImplementedError

    def merge_masked(self, tensors: list[Any], masks: list[Any]) -> Any:
        """As Keras 3 merges where there are masks; each mask has its tensor's shape, or is None."""
        return self.merge(tensors)

    def _checked(self, inputs: Any) -> list[Any]:
        if not isinstance(inputs, (list, tuple)):
            raise ArgumentTypeError(f"{type(self).__name__} must be called on a list of tensors, received {inputs!r}.")
        if not inputs:
            raise ArgumentError(f"{type(self).__name__} needs at least one input.")
        batches = {spec_of(tensor).shape[:1] for tensor in inputs} - {(None,), ()}
        if len(batches) > 1:
            listed = ", ".join(format_shape(spec_of(tensor).shape) for tensor in inputs)
            raise ShapeError(f"Inputs to merge must have one batch size, received shapes {listed}.")
        return list(inputs)

    def _pair(self, inputs: Any) -> tuple[Any, Any]:
        tensors = self._checked(inputs)
        if len(tensors) != 2:
            raise ArgumentError(f"{type(self).__name__} takes exactly 2 inputs, received {len(tensors)}.")
        return tensors[0], tensors[1]

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
class Subtract(Merge):
    """The first of two tensors minus the second. Source: https://keras.io/api/layers/merging_layers/subtract/"""

    def merge(self, tensors: list[Any]) -> Any:
        first, second = self._pair(tensors)
        return ops.subtract(first, second)


@layer()
class Multiply(Merge):
    """The product of a list of tensors. Source: https://keras.io/api/layers/merging_layers/multiply/"""

    def merge(self, tensors: list[Any]) -> Any:
        return reduce(ops.multiply, tensors)

    def merge_masked(self, tensors: list[Any], masks: list[Any]) -> Any:
        kept = [x if one is None else ops.where(one, x, 1.0) for x, one in zip(tensors, masks, strict=True)]
        result = self.merge(kept)
        if any(one is None for one in masks):
            return result
        return ops.where(reduce(ops.logical_or, masks), result, 0.0)


@layer()
class Average(Merge):
    """The mean of a list of tensors. Source: https://keras.io/api/layers/merging_layers/average/"""

    def merge(self, tensors: list[Any]) -> Any:
        return reduce(ops.add, tensors) / len(tensors)


class _Extreme(Merge):
    function: Any

    def merge(self, tensors: list[Any]) -> Any:
        return reduce(type(self).function, tensors)

    def merge_masked(self, tensors: list[Any], masks: list[Any]) -> Any:
        """What is masked gives way to what is not."""
        result, kept = tensors[0], masks[0]
        for x, one in zip(tensors[1:], masks[1:], strict=True):
            x = x if one is None else ops.where(one, x, result)
            result = result if kept is None else ops.where(kept, result, x)
            kept = None if one is None or kept is None else ops.logical_or(kept, one)
            result = type(self).function(result, x)
        return result


@layer()
class Maximum(_Extreme):
    """The largest of a list of tensors. Source: https://keras.io/api/layers/merging_layers/maximum/"""

    function = staticmethod(ops.maximum)


@layer()
class Minimum(_Extreme):
    """The smallest of a list of tensors. Source: https://keras.io/api/layers/merging_layers/minimum/"""

    function = staticmethod(ops.minimum)


@layer()
class Dot(Merge):
    """For each sample, the product of two tensors summed over an axis of each.

    The result has the axes of the first without its axis, then those of the second without batch and axis:
    (batch, a, k) and (batch, k, b) with axes (2, 1) give (batch, a, b); vectors give (batch, 1).

    Args:
        axes: an integer, or one for each input; the batch counted, and never the batch.
        normalize: whether the inputs are scaled to length one along their axis before, so that vectors give cosines.

    Raises:
        ShapeError: sizes along the axes that differ.

    Source: https://keras.io/api/layers/merging_layers/dot/
    """

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axes, int):
            if not isinstance(axes, (list, tuple)):
                raise ArgumentTypeError(f"axes must be an integer or two of them, received {axes!r}.")
            if len(axes) != 2 or not all(isinstance(axis, int) for axis in axes):
                raise ArgumentError(f"axes must be an integer or two of them, received {axes!r}.")
        self.axes = axes
        self.normalize = bool(normalize)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        pair = self._pair(inputs)
        ranks = [len(spec_of(x).shape) for x in pair]
        wanted = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        axes = [as_axis(axis, rank, "axes") for axis, rank in zip(wanted, ranks, strict=True)]
        if 0 in axes or min(ranks) < 2:
            raise ArgumentError(f"Dot sums over an axis behind the batch, received axes {self.axes!r}.")
        first, second = pair
        if self.normalize:
            first, second = (self._unit(x, axis) for x, axis in zip(pair, axes, strict=True))
        labels = [[chr(ord("A" if side else "b") + i) for i in range(rank)] for side, rank in enumerate(ranks)]
        for own, axis in zip(labels, axes, strict=True):
            own[0], own[axis] = "a", "k"
        left, right = ("".join(own) for own in labels)
        out = "a" + "".join(one for one in left[1:] + right[1:] if one != "k")
        result = ops.einsum(f"{left},{right}->{out}", first, second)
        return ops.expand_dims(result, 1) if len(out) == 1 else result

    def _unit(self, x: Any, axis: int) -> Any:
        if self.era != "keras3":
            return ops.l2_normalize(x, axis)
        return x * ops.minimum(ops.rsqrt(ops.sum(ops.square(x), axis, True)), 1.0 / config.epsilon())

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


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

    def call(self, inputs: Any, mask: Any = None) -> Any:
        return ops.concatenate(self._joined(inputs), self.axis)

    def _joined(self, inputs: Any) -> list[Any]:
        if isinstance(inputs, (list, tuple)) and inputs and self.axis in (0, -len(spec_of(inputs[0]).shape)):
            return list(inputs)
        return self._checked(inputs)

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


def _over(mask: Any, x: Any) -> Any:
    """A mask of a tensor's leading axes as one of its shape."""
    if mask is None:
        return None
    while len(spec_of(mask).shape) < len(spec_of(x).shape):
        mask = ops.expand_dims(mask, -1)
    return ops.logical_and(mask, ops.ones_like(x, "bool"))


def add(inputs: Any, **kwargs: Any) -> Any:
    """The sum of a list of tensors; `Add` as a function."""
    return Add(**kwargs)(inputs)


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """A list of tensors one after another; `Concatenate` as a function."""
    return Concatenate(axis, **kwargs)(inputs)


def subtract(inputs: Any, **kwargs: Any) -> Any:
    """The first of two tensors minus the second; `Subtract` as a function."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Any, **kwargs: Any) -> Any:
    """The product of a list of tensors; `Multiply` as a function."""
    return Multiply(**kwargs)(inputs)


def average(inputs: Any, **kwargs: Any) -> Any:
    """The mean of a list of tensors; `Average` as a function."""
    return Average(**kwargs)(inputs)


def maximum(inputs: Any, **kwargs: Any) -> Any:
    """The largest of a list of tensors; `Maximum` as a function."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Any, **kwargs: Any) -> Any:
    """The smallest of a list of tensors; `Minimum` as a function."""
    return Minimum(**kwargs)(inputs)


def dot(inputs: Any, axes: Any = -1, normalize: bool = False, **kwargs: Any) -> Any:
    """The product of two tensors summed over an axis of each; `Dot` as a function."""
    return Dot(axes, normalize, **kwargs)(inputs)
