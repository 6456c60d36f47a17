"""Images at another size: the functions of TensorFlow and Keras 3, for sizes known beforehand.

Each axis is resampled by itself. The centres of elements lie at halves; output i lies at (i + 1/2) n / m - 1/2 of the
input. nearest takes the element that this place lies in, bilinear the two around it, weighted.

Source: https://www.tensorflow.org/api_docs/python/tf/image/resize
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphflow import ops
from graphflow.errors import UnsupportedError
from graphflow.ops.indexing import gather_axis
from graphflow.ops.operands import shape_of


def resize_images(
    images: Any,
    size: Sequence[int],
    method: str = "bilinear",
    preserve_aspect_ratio: bool = False,
    antialias: bool = False,
    name: Any = None,
) -> Any:
    """tf.image.resize of (batch, height, width, channels), or of one image without batch.

    Raises:
        UnsupportedError: another method than nearest and bilinear; antialiasing; an image of unknown size.
    """
    if preserve_aspect_ratio or antialias or method not in ("bilinear", "nearest"):
        raise UnsupportedError(
            f"Resizing by {method!r:.40} with preserve_aspect_ratio={preserve_aspect_ratio!r:.10} and "
            f"antialias={antialias!r:.10} is not supported; 'bilinear' and 'nearest' without these are."
        )
    first = len(shape_of(images)) - 3
    for axis, target in zip((first, first + 1), size, strict=True):
        images = _resampled(images, axis, int(target), method)
    return images


def _resampled(x: Any, axis: int, target: int, method: str) -> Any:
    shape = shape_of(x)
    given = shape[axis]
    if given is None:
        raise UnsupportedError("Resizing images of unknown size is not supported.")
    if method == "nearest":
        if given == target:
            return x
        places = np.minimum(np.floor((np.arange(target) + 0.5) * (given / target)), given - 1)
        return gather_axis(x, places.astype(np.int32), axis)
    if given == target:
        return ops.cast(x, "float32")
    order = [other for other in range(len(shape)) if other != axis] + [axis]
    back = [order.index(other) for other in range(len(shape))]
    return ops.transpose(ops.dense(ops.transpose(ops.cast(x, "float32"), order), _weights(given, target)), back)


def _weights(given: int, target: int) -> np.ndarray[Any, Any]:
    """The matrix that makes `target` elements of `given` ones."""
    places = (np.arange(target) + 0.5) * (given / target) - 0.5
    lower = np.floor(places)
    share = (places - lower).astype(np.float32)
    matrix = np.zeros((given, target), np.float32)
    columns = np.arange(target)
    np.add.at(matrix, (np.clip(lower, 0, given - 1).astype(int), columns), 1 - share)
    np.add.at(matrix, (np.clip(lower + 1, 0, given - 1).astype(int), columns), share)
    return matrix
