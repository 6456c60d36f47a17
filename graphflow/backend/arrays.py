"""Shape and order of elements, selection, and constant padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphflow import ops
from graphflow.config import as_data_format

__all__ = [
    "batch_flatten",
    "concatenate",
    "expand_dims",
    "flatten",
    "gather",
    "one_hot",
    "permute_dimensions",
    "repeat",
    "repeat_elements",
    "reshape",
    "reverse",
    "spatial_2d_padding",
    "spatial_3d_padding",
    "squeeze",
    "stack",
    "temporal_padding",
    "tile",
    "transpose",
]


def reshape(x: Any, shape: Any) -> Any:
    """`x` with another full shape; sizes may be -1 (once) or elements of `shape(x)`."""
    return ops.reshape(x, shape)


def flatten(x: Any) -> Any:
    """All elements along one axis."""
    return ops.reshape(x, (-1,))


def batch_flatten(x: Any) -> Any:
    """(batch, ...) to (batch, product of the rest)."""
    return ops.flatten(x)


def expand_dims(x: Any, axis: int = -1) -> Any:
    """A new axis of one element at `axis` of the result."""
    return ops.expand_dims(x, axis)


def squeeze(x: Any, axis: int) -> Any:
    """`x` without an axis of one element."""
    return ops.squeeze(x, axis)


def transpose(x: Any) -> Any:
    """The axes in reverse order."""
    return ops.transpose(x)


def permute_dimensions(x: Any, pattern: Sequence[int]) -> Any:
    """The axes in the order `pattern`, such as (0, 2, 1)."""
    return ops.transpose(x, pattern)


def concatenate(tensors: Sequence[Any], axis: int = -1) -> Any:
    """Tensors one after another along an axis."""
    return ops.concatenate(tensors, axis)


def stack(x: Sequence[Any], axis: int = 0) -> Any:
    """Tensors of one shape along a new axis."""
    return ops.stack(x, axis)


def tile(x: Any, n: Any) -> Any:
    """`x` repeated as a whole, `n` times along each axis; an integer for one axis."""
    return ops.tile(x, (n,) if isinstance(n, int) else n)


def repeat(x: Any, n: int) -> Any:
    """(batch, features) to (batch, n, features)."""
    return ops.repeat(ops.expand_dims(x, 1), n, 1)


def repeat_elements(x: Any, rep: int, axis: int) -> Any:
    """Each element repeated `rep` times along an axis."""
    return ops.repeat(x, rep, axis)


def reverse(x: Any, axes: Any) -> Any:
    """The elements in reverse order along an axis or several."""
    return ops.flip(x, axes)


def gather(reference: Any, indices: Any) -> Any:
    """Rows of `reference` by integers of any shape: indices.shape + reference.shape[1:]."""
    return ops.gather(indices, reference)


def one_hot(indices: Any, num_classes: int) -> Any:
    """Integers to rows of zeros with a one at their place: indices.shape + (num_classes,), float32."""
    return ops.one_hot(indices, num_classes)


def temporal_padding(x: Any, padding: Sequence[int] = (1, 1)) -> Any:
    """Zeros before and after the middle axis of (batch, steps, features)."""
    return ops.pad(x, ((0, 0), padding, (0, 0)))


def _padded(x: Any, padding: Sequence[Sequence[int]], data_format: str | None) -> Any:
    batch = channels = (0, 0)
    last = as_data_format(data_format) == "channels_last"
    return ops.pad(x, (batch, *padding, channels) if last else (batch, channels, *padding))


def spatial_2d_padding(
    x: Any, padding: Sequence[Sequence[int]] = ((1, 1), (1, 1)), data_format: str | None = None
) -> Any:
    """Zeros around the height and width of images."""
    return _padded(x, padding, data_format)


def spatial_3d_padding(
    x: Any, padding: Sequence[Sequence[int]] = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None
) -> Any:
    """Zeros around the three spatial axes of volumes."""
    return _padded(x, padding, data_format)
