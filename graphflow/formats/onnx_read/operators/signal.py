"""Spectra, and weights of mel scales."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow import ops
from graphflow.errors import ModelFormatError
from graphflow.formats.onnx_read.operators.elementwise import target_dtype
from graphflow.formats.onnx_read.program import Call
from graphflow.formats.onnx_read.registry import operator
from graphflow.ops.indexing import gather_axis
from graphflow.ops.known import dimension, value_of
from graphflow.ops.sampling import dft


def _whole(x: Any, what: str) -> int:
    return int(value_of(x, what).reshape(-1)[0])


def _transformed(x: Any, length: Any, axis: int, inverse: int, onesided: int) -> Any:
    return dft(x, axis, None if length is None else _whole(length, "The length"), bool(inverse), bool(onesided))


@operator("DFT", since=20)
def dft_by_input(
    node: Call, x: Any, length: Any = None, axis: Any = None, *, inverse: int = 0, onesided: int = 0
) -> Any:
    at = -2 if axis is None else _whole(axis, "The axis")
    return _transformed(x, length, at + 1 if at < 0 else at, inverse, onesided)


@operator("DFT", since=17)
def dft_by_attribute(
    node: Call, x: Any, length: Any = None, *, axis: int = 1, inverse: int = 0, onesided: int = 0
) -> Any:
    return _transformed(x, length, axis + 1 if axis < 0 else axis, inverse, onesided)


@operator("STFT", since=17)
def stft(node: Call, x: Any, step: Any, window: Any = None, length: Any = None, *, onesided: int = 1) -> Any:
    stride, signal = _whole(step, "The step between frames"), dimension(x, 1)
    if length is not None:
        size = _whole(length, "The length of a frame")
    else:
        size = signal if window is None else dimension(window, 0)
    if stride < 1 or size < 1 or size > signal:
        raise ModelFormatError(f"Frames of {size} elements every {stride} do not fit a signal of {signal}.")
    starts = np.arange(0, signal - size + 1, stride)
    frames = gather_axis(x, starts[:, None] + np.arange(size), 1)
    if window is not None:
        frames = ops.multiply(frames, ops.reshape(window, (size, 1)))
    return dft(frames, 2, None, False, bool(onesided))


@operator("MelWeightMatrix", since=17)
def mel_weights(
    node: Call, bins: Any, length: Any, rate: Any, lower: Any, upper: Any, *, output_datatype: int = 1
) -> Any:
    """Triangles between neighbouring centres, whose places are whole bins of the spectrum."""
    count, size = _whole(bins, "The number of bins"), _whole(length, "The length")
    low, high = (2595 * np.log10(1 + float(value_of(one).reshape(-1)[0]) / 700) for one in (lower, upper))
    mels = low + np.arange(count + 2) * (high - low) / (count + 2)
    hertz = 700 * (10 ** (mels / 2595) - 1)
    places = ((size + 1) * hertz // _whole(rate, "The sample rate")).astype(np.int64)
    made = np.zeros((size // 2 + 1, count))
    for index in range(count):
        first, centre, last = places[index : index + 3]
        if first == centre:
            made[centre, index] = 1
        for at in range(first, centre + 1 if first != centre else first):
            made[at, index] = (at - first) / (centre - first)
        for at in range(centre, last) if last > centre else ():
            made[at, index] = (last - at) / (last - centre)
    return made.astype(target_dtype(output_datatype))
