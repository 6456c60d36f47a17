"""Where convolution and pooling windows lie: ONNX's attributes as amounts of padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphflow.errors import ModelFormatError, UnsupportedError
from graphflow.window import pad_amounts, span

Amounts = tuple[tuple[int, int], ...]
AUTO_PADS = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")


def per_axis(given: Any, rank: int, default: int, what: str) -> tuple[int, ...]:
    """An attribute with a number for each spatial axis.

    Raises:
        ModelFormatError: another number of them.
    """
    sizes = (default,) * rank if not given else tuple(int(one) for one in given)
    if len(sizes) != rank:
        raise ModelFormatError(f"{what} must have {rank} numbers, received {sizes}.")
    return sizes


def amounts(
    spatial: Sequence[int | None],
    size: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
    auto_pad: str,
    pads: Any,
) -> Amounts | None:
    """(before, after) for each spatial axis; None where it depends on a size that is not known.

    Raises:
        UnsupportedError: an unknown auto_pad, or negative padding.
    """
    if auto_pad not in AUTO_PADS:
        raise UnsupportedError(f"auto_pad={auto_pad!r} is not supported; there are {', '.join(AUTO_PADS)}.")
    rank = len(size)
    if auto_pad in ("NOTSET", "VALID"):
        given = per_axis(pads if auto_pad == "NOTSET" else None, 2 * rank, 0, "pads")
        if min(given, default=0) < 0:
            raise UnsupportedError(f"Negative pads, {given}, are not supported.")
        return tuple(zip(given[:rank], given[rank:], strict=True))
    found = []
    for n, k, s, d in zip(spatial, size, strides, dilation, strict=True):
        if n is None and s > 1:
            return None
        before, after = pad_amounts(span(k, d) if n is None else n, k, s, "same", d)
        found.append((before, after) if auto_pad == "SAME_UPPER" else (after, before))
    return tuple(found)


def is_same(
    spatial: Sequence[int | None],
    size: Sequence[int],
    strides: Sequence[int],
    dilation: Sequence[int],
    padding: Amounts,
) -> bool:
    """Whether these amounts are those of padding "same"."""
    found = amounts(spatial, size, strides, dilation, "SAME_UPPER", None)
    return found == padding
