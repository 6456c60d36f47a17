"""How versions of Keras stored the weights of one layer, where it is not as they are kept here.

A layout gives the shapes that the file must hold and makes the layer's weights of them. Of those that a class may
have, the one whose shapes the file holds is taken: no two agree, but for Keras 1's kernels, where the version decides.

Source: `preprocess_weights_for_loading` of Keras 2.2.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from graphflow.errors import UnsupportedError
from graphflow.layers.layer import Layer
from graphflow.variable import Variable

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]
CONVOLUTIONS = ("Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "Conv3DTranspose")
MIRRORED = (*CONVOLUTIONS, "ConvLSTMCell")
NOT_MIRRORED = ("DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D")


@dataclass(frozen=True, slots=True)
class Stored:
    """Who stored the weights.

    Args:
        is_keras1: kernels and recurrent weights have Keras 1's shapes.
        is_modern: Keras 3 wrote the file.
        mirrored: kernels were applied mirrored, as Theano did.
    """

    is_keras1: bool = False
    is_modern: bool = False
    mirrored: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """The shapes of the arrays in the file, and what makes the layer's weights of them; None: they are the weights."""

    shapes: tuple[Shape, ...]
    convert: Callable[[list[Array]], list[Array]] | None = None


def layout_of(owner: Layer, variables: Sequence[Variable], found: Sequence[Shape], stored: Stored) -> Layout:
    """The layout of a layer's weights.

    Args:
        owner: the layer.
        variables: its weights that lie together.
        found: the shapes of the arrays in the file, from the first that is this layer's.

    Returns:
        The layout that fits; if none does, the plain one.

    Raises:
        UnsupportedError: weights that were applied in a way which is not known.
    """
    plain = Layout(tuple(variable.shape for variable in variables))
    layout = plain
    for other in (*_candidates(owner, variables, stored), plain):
        if tuple(found[: len(other.shapes)]) == other.shapes:
            layout = other
            break
    if not stored.mirrored:
        return layout
    name = type(owner).__name__
    if name in NOT_MIRRORED:
        raise UnsupportedError(f"Layer {owner.name!r}: {name} of a model that Theano ran is not supported.")
    if name not in MIRRORED:
        return layout
    convert = layout.convert or (lambda arrays: arrays)
    return Layout(layout.shapes, lambda arrays: [_mirrored(one) for one in convert(arrays)])


def _mirrored(array: Array) -> Array:
    """A kernel turned round along its spatial axes; other arrays as they are."""
    return array[tuple(slice(None, None, -1) for _ in array.shape[:-2])] if array.ndim > 2 else array


def _candidates(owner: Layer, variables: Sequence[Variable], stored: Stored) -> Iterator[Layout]:
    shapes = [variable.shape for variable in variables]
    name = type(owner).__name__
    if name in ("LSTMCell", "GRUCell") and len(shapes) == 3:
        yield from _cudnn(owner, shapes)
    if not stored.is_keras1:
        return
    if name in CONVOLUTIONS or name in ("SeparableConv2D", "SeparableConv1D"):
        yield from _kernels(owner, shapes)
    if name in ("LSTMCell", "GRUCell", "ConvLSTMCell") and len(shapes) == 3:
        yield from _gates(owner, shapes)


def _cudnn(owner: Any, shapes: list[Shape]) -> Iterator[Layout]:
    """CuDNN's: each gate's matrices transposed, and two biases, which an LSTM adds."""
    gates = shapes[0][-1] // max(owner.units, 1)
    if gates == 3 and not owner.reset_after:
        return

    def convert(arrays: list[Array]) -> list[Array]:
        kernel, recurrent, bias = arrays
        kernel = np.hstack([one.T.reshape(one.shape, order="F") for one in np.hsplit(kernel, gates)])
        recurrent = np.hstack([one.T for one in np.hsplit(recurrent, gates)])
        both = bias.reshape(2, -1)
        return [kernel, recurrent, both if gates == 3 else both.sum(0)]

    yield Layout((shapes[0], shapes[1], (2 * shapes[1][-1],)), convert)


_AXES: dict[tuple[str, str], tuple[int, ...]] = {
    ("Conv2D", "channels_first"): (2, 3, 1, 0),
    ("Conv3D", "channels_first"): (2, 3, 4, 1, 0),
    ("Conv2DTranspose", "channels_first"): (2, 3, 0, 1),
    ("Conv2DTranspose", "channels_last"): (0, 1, 3, 2),
    ("SeparableConv2D", "channels_first"): (2, 3, 1, 0),
}
"""Keras 1's axes in the order that kernels have here, by class and data format."""


def _kernels(owner: Any, shapes: list[Shape]) -> Iterator[Layout]:
    name = type(owner).__name__
    if name == "Conv1D":
        length, depth, filters = shapes[0]
        legacy = Layout(
            ((filters, depth, length, 1), *shapes[1:]),
            lambda arrays: [arrays[0][:, :, :, 0].transpose(2, 1, 0), *arrays[1:]],
        )
        modern = Layout(((length, 1, depth, filters), *shapes[1:]), lambda arrays: [arrays[0][:, 0], *arrays[1:]])
        yield from (modern, legacy)
        return
    axes = _AXES.get((name, owner.data_format))
    if axes is None:
        return
    turned = [_stored_shape(shape, axes) if len(shape) == len(axes) else shape for shape in shapes]
    yield Layout(
        tuple(turned), lambda arrays: [one.transpose(axes) if one.ndim == len(axes) else one for one in arrays]
    )


def _stored_shape(shape: Shape, axes: Shape) -> Shape:
    """The shape that becomes `shape` when its axes are taken in this order."""
    found = [0] * len(shape)
    for size, axis in zip(shape, axes, strict=True):
        found[axis] = size
    return tuple(found)


def _gates(owner: Any, shapes: list[Shape]) -> Iterator[Layout]:
    """Keras 1's: kernel, recurrent kernel and bias of each gate; an LSTM's in the order i, c, f, o."""
    order = (0, 1, 2) if type(owner).__name__ == "GRUCell" else (0, 2, 1, 3)
    count = len(order)
    if shapes[2] != (shapes[0][-1],):
        return
    first = type(owner).__name__ == "ConvLSTMCell" and owner.data_format == "channels_first"
    each: list[Shape] = []
    for shape in shapes:
        one = (*shape[:-1], shape[-1] // count)
        each.append(_stored_shape(one, (2, 3, 1, 0)) if first and len(one) == 4 else one)

    def convert(arrays: list[Array]) -> list[Array]:
        if first:
            arrays = [one.transpose(2, 3, 1, 0) if one.ndim == 4 else one for one in arrays]
        return [np.concatenate([arrays[3 * gate + kind] for gate in order], axis=-1) for kind in range(3)]

    yield Layout(tuple(each * count), convert)
