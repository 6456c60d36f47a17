"""The arithmetic of convolution and pooling windows: the only place where it is written.

For a dimension of n elements, a kernel of k, stride s and dilation d, the window spans (k - 1) d + 1 elements.

    valid    out = ceil((n - span + 1) / s)          no padding
    same     out = ceil(n / s)                       max((out - 1) s + span - n, 0) in all, the smaller half first
    causal   out = ceil(n / s)                       span - 1 before, none after
    (b, a)   out = floor((n + b + a - span) / s) + 1 b before, a after; in tuned graphs only

A transposed window puts element i at i s ... i s + span - 1 of a longer axis, of which `out` elements are kept:

    valid    out = (n - 1) s + max(span, s)          none cut before
    same     out = n s                               max((n - 1) s + span - out, 0) cut in all, the smaller half first

and with an output padding p, valid: out = (n - 1) s + span + p, same: out = (n - 1) s + span mod 2 + p.

Source: https://keras.io/api/layers/convolution_layers/ and the definitions of TensorFlow's padding schemes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphflow.errors import ArgumentError, ShapeError

PADDINGS = ("valid", "same", "causal")
Padding = str | tuple[int, int]
"""How one dimension is padded: by name, or so much before and after."""


def as_sizes(value: Any, rank: int, name: str, minimum: int = 1) -> tuple[int, ...]:
    """An integer or a tuple of `rank` integers as a tuple of `rank` integers.

    Raises:
        ArgumentError: another length, something that is not an integer, or one below `minimum`.
    """
    sizes = (value,) * rank if isinstance(value, (int, np.integer)) and not isinstance(value, bool) else value
    if not isinstance(sizes, Sequence) or isinstance(sizes, str) or len(sizes) != rank:
        raise ArgumentError(f"{name} must be an integer or a tuple of {rank} integers, received {value!r}.")
    for size in sizes:
        if not isinstance(size, (int, np.integer)) or isinstance(size, bool) or size < minimum:
            raise ArgumentError(f"{name} must hold integers of at least {minimum}, received {value!r}.")
    return tuple(int(size) for size in sizes)


def as_padding(value: Any, allowed: Sequence[str] = ("valid", "same")) -> str:
    """A padding name in lower case.

    Raises:
        ArgumentError: not one of `allowed`.
    """
    name = value.lower() if isinstance(value, str) else value
    if name not in allowed:
        raise ArgumentError(f"padding must be one of {', '.join(map(repr, allowed))}, received {value!r}.")
    return str(name)


def paddings(padding: Any, rank: int) -> tuple[Padding, ...]:
    """The padding of each dimension: one name for all, or a pair for each."""
    return (padding,) * rank if isinstance(padding, str) else tuple(padding)


def span(kernel: int, dilation: int) -> int:
    """How many input elements a window reaches across."""
    return (kernel - 1) * dilation + 1


def output_size(size: int | None, kernel: int, stride: int, padding: Padding, dilation: int = 1) -> int | None:
    """How many windows fit, None when the size is not known.

    Raises:
        ShapeError: a kernel larger than the input, with padding 'valid'.
    """
    if size is None:
        return None
    if not isinstance(padding, str):
        size, padding = size + sum(padding), "valid"
    if padding == "valid":
        reach = span(kernel, dilation)
        if reach > size:
            raise ShapeError(
                f"A window of {reach} (kernel {kernel}, dilation {dilation}) is larger than the input of {size}. "
                "Use padding='same' or a smaller kernel."
            )
        return (size - reach) // stride + 1
    return -(-size // stride)


def pad_amounts(size: int, kernel: int, stride: int, padding: Padding, dilation: int = 1) -> tuple[int, int]:
    """How many elements to add before and after."""
    if not isinstance(padding, str):
        return padding
    if padding == "valid":
        return 0, 0
    reach = span(kernel, dilation)
    if padding == "causal":
        return reach - 1, 0
    total = max((-(-size // stride) - 1) * stride + reach - size, 0)
    return total // 2, total - total // 2


def transposed_size(
    size: int | None, kernel: int, stride: int, padding: str, dilation: int = 1, output_padding: int | None = None
) -> int | None:
    """How many elements a transposed window makes of `size`, None when that is not known."""
    if size is None:
        return None
    reach = span(kernel, dilation)
    if padding == "valid":
        extra = max(stride - reach, 0) if output_padding is None else output_padding
        return max((size - 1) * stride + reach + extra, 0)
    if output_padding is None:
        return size * stride
    return max((size - 1) * stride + reach % 2 + output_padding, 0)


def transposed_cut(
    size: int, kernel: int, stride: int, padding: str, dilation: int = 1, output_padding: int | None = None
) -> int:
    """How many elements of a transposed window's axis lie before the first that is kept."""
    kept = transposed_size(size, kernel, stride, padding, dilation, output_padding) or 0
    total = (size - 1) * stride + span(kernel, dilation) - kept
    return 0 if padding == "valid" else max(total, 0) // 2
