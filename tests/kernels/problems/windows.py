"""Random convolutions, transposed and locally connected ones, pooling and enlarging."""

from __future__ import annotations

import math
from typing import Any

from graphflow.errors import ShapeError
from graphflow.ops.activation import LINEAR
from graphflow.ops.local import local_sizes
from graphflow.window import output_size
from problems.draw import EXACT, TILES_N, VECTORS, Draw
from problems.problem import EPS, Family, Problem, case, of_largest, of_products
from problems.products import bound_of

MOST = {1: 60, 2: 17, 3: 8}
"""The largest size of a dimension, by rank."""


def _padding(draw: Draw, rank: int) -> Any:
    options: list[Any] = ["valid", "same", "same"]
    if rank == 1:
        options.append("causal")
    options.append(tuple((draw.below(4), draw.below(4)) for _ in range(rank)))
    return draw.pick(options)


def _window(draw: Draw, rank: int) -> tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]:
    """Sizes, taps and attributes of a convolution that has at least one window, unless a size is zero."""
    while True:
        taps = tuple(draw.pick((1, 1, 2, 3, 3, 3, 4, 5)) for _ in range(rank))
        plain = draw.chance(0.4)
        strides = tuple(1 if plain else draw.pick((1, 1, 2, 3)) for _ in range(rank))
        dilation = tuple(1 if draw.chance(0.7) else draw.pick((1, 2, 3)) for _ in range(rank))
        padding = _padding(draw, rank)
        size = draw.shape(rank, MOST[rank], 0.005)
        try:
            around = padding if isinstance(padding, tuple) else (padding,) * rank
            found = [output_size(*one) for one in zip(size, taps, strides, around, dilation, strict=True)]
        except ShapeError:
            continue
        if all(one is not None and one >= 0 for one in found):
            return size, taps, {"strides": strides, "dilation": dilation, "padding": padding}


def _finished(draw: Draw, op: str, x: Any, kernel: Any, bias: Any, out: tuple[int, ...], **attrs: Any) -> Problem:
    residual = draw.maybe(draw.x(*out), 0.3)
    whole = case(op, (x, kernel, bias, residual), **attrs, activation=draw.epilogue())
    return Problem(whole, bound_of(draw))


def _out(size: tuple[int, ...], taps: tuple[int, ...], attrs: dict[str, Any]) -> tuple[int, ...]:
    padding = attrs["padding"]
    around = padding if isinstance(padding, tuple) else (padding,) * len(size)
    columns = zip(size, taps, attrs["strides"], around, attrs["dilation"], strict=True)
    return tuple(output_size(*one) or 0 for one in columns)


def conv(draw: Draw, kernel: str) -> Problem:
    rank = draw.pick((1, 2, 2, 3))
    size, taps, attrs = _window(draw, rank)
    groups = draw.pick((1, 1, 1, 2, 3, 5))
    most = 12 if math.prod(taps) > 9 else 40
    in_c, out_c = draw.around(VECTORS, most, 0.01), draw.around((*VECTORS, *TILES_N), 70)
    if groups > 1:
        in_c, out_c = max(2, min(in_c, 5)), min(out_c, 20)
    batch, channels, filters = draw.batch(5), in_c * groups, out_c * groups
    x, weights = draw.x(batch, *size, channels), draw.w(*taps, in_c, filters)
    out = (batch, *_out(size, taps, attrs), filters)
    return _finished(draw, "conv", x, weights, draw.maybe(draw.w(filters)), out, groups=groups, **attrs)


def depthwise(draw: Draw, kernel: str) -> Problem:
    rank = draw.pick((1, 2, 2, 2, 3))
    size, taps, attrs = _window(draw, rank)
    channels = max(2, draw.around(VECTORS, 70))
    multiplier = draw.pick((1, 1, 1, 2, 3))
    batch, filters = draw.batch(5), channels * multiplier
    x, weights = draw.x(batch, *size, channels), draw.w(*taps, 1, filters)
    out = (batch, *_out(size, taps, attrs), filters)
    return _finished(draw, "conv", x, weights, draw.maybe(draw.w(filters)), out, groups=channels, **attrs)


def winograd(draw: Draw, kernel: str) -> Problem:
    """3x3 in the last two dimensions, any taps in the first of three; whatever the rule says of their sizes."""
    draw.whole = draw.whole and "2x2" in kernel
    deep = draw.chance(0.4)
    taps = (draw.pick((1, 2, 3, 3)), 3, 3) if deep else (3, 3)
    size = tuple(draw.below(7 if deep else 15, 1) for _ in taps)
    padding: Any = draw.pick(("same", "valid", tuple((draw.below(3), draw.below(3)) for _ in taps)))
    if padding != "same":
        size = tuple(max(one, k) for one, k in zip(size, taps, strict=True))
    in_c, out_c = draw.around(VECTORS, 20 if deep else 40, 0), draw.around((*VECTORS, *TILES_N), 100, 0)
    attrs = {"strides": (1,) * len(taps), "dilation": (1,) * len(taps), "padding": padding}
    batch = draw.batch(4)
    out = (batch, *_out(size, taps, attrs), out_c)
    x, weights = draw.x(batch, *size, in_c), draw.w(*taps, in_c, out_c)
    made = _finished(draw, "conv", x, weights, draw.maybe(draw.w(out_c)), out, groups=1, **attrs)
    return Problem(made.case, None if draw.whole else of_nearby(40.0 if "2x2" in kernel else 250.0))


def of_nearby(factor: float) -> Any:
    """As `of_products`, but relative to the largest sum of sizes in the image: what is nearby takes part."""
    inner = of_products(factor)

    def bound(problem: Problem, arrays: Any, exact: Any) -> list[Any]:
        found = []
        for one in inner(problem, arrays, exact):
            axes = tuple(range(1, one.ndim))
            finite = one.copy()
            finite[~(one < float("inf"))] = 0.0
            found.append(finite.max(axes, initial=factor * EPS, keepdims=True) + 0.0 * finite)
        return found

    return bound


def inverted_residual(draw: Draw, kernel: str) -> Problem:
    """Blocks of any window, with and without an expansion, a residual and activations between."""
    size, taps, attrs = _window(draw, 2)
    hidden, filters = max(2, draw.around((*VECTORS, *TILES_N), 70, 0)), draw.around((*VECTORS, *TILES_N), 40, 0)
    expands, batch = draw.chance(0.75), draw.batch(4)
    channels = draw.around(VECTORS, 20, 0) if expands else hidden
    expand = (draw.w(1, 1, channels, hidden), draw.maybe(draw.w(hidden))) if expands else (None, None)
    depthwise = (draw.w(*taps, 1, hidden), draw.maybe(draw.w(hidden)))
    project = (draw.w(1, 1, hidden, filters), draw.maybe(draw.w(filters)))
    residual = draw.maybe(draw.x(batch, *_out(size, taps, attrs), filters), 0.3)
    for name, present in (("expand_activation", expands), ("depthwise_activation", True), ("activation", True)):
        if present:
            attrs[name] = draw.pick(EXACT[:3]) if draw.whole and name != "activation" else draw.epilogue()
    inputs = (draw.x(batch, *size, channels), *expand, *depthwise, *project, residual)
    plain = of_products(60.0)

    def bound(problem: Problem, arrays: Any, exact: Any) -> list[Any]:
        between = {
            name: ("affine", abs(attrs[name][1]), abs(attrs[name][2]), 0.0) if attrs[name][0] == "affine" else LINEAR
            for name in ("expand_activation", "depthwise_activation")
            if name in attrs
        }  # the sizes of what is summed next: 2x - 3 stretches them
        return list(plain(Problem(case("inverted_residual", inputs, **attrs | between), None), arrays, exact))

    return Problem(case("inverted_residual", inputs, **attrs), None if draw.whole else bound)


def conv_transpose(draw: Draw, kernel: str) -> Problem:
    rank = draw.pick((1, 2, 2, 3))
    taps = tuple(draw.pick((1, 2, 3, 4, 5)) for _ in range(rank))
    dilated = draw.chance(0.2)
    strides = tuple(1 if dilated else draw.pick((1, 2, 2, 3, 4)) for _ in range(rank))
    dilation = tuple(draw.pick((1, 2, 3)) if dilated else 1 for _ in range(rank))
    size = draw.shape(rank, {1: 20, 2: 7, 3: 4}[rank], 0.0)
    extra = tuple(draw.below(s) for s in strides) if draw.chance(0.4) else None
    filters, channels, batch = draw.around((*VECTORS, *TILES_N), 50), draw.around(VECTORS, 20, 0), draw.batch(4)
    inputs = (draw.x(batch, *size, channels), draw.w(*taps, filters, channels), draw.maybe(draw.w(filters)), None)
    padding = draw.pick(("valid", "same"))
    attrs = {"strides": strides, "dilation": dilation, "padding": padding, "output_padding": extra}
    return Problem(case("conv_transpose", inputs, **attrs, activation=draw.epilogue()), bound_of(draw))


def local(draw: Draw, kernel: str) -> Problem:
    rank = draw.pick((1, 2, 2, 3))
    taps, strides = tuple(draw.below(4, 1) for _ in range(rank)), tuple(draw.below(4, 1) for _ in range(rank))
    size = tuple(one + draw.below({1: 9, 2: 5, 3: 2}[rank]) for one in taps)
    attrs = {"size": taps, "strides": strides, "padding": draw.pick(("valid", "same"))}
    out = tuple(one or 0 for one in local_sizes(attrs, size))
    channels, filters, batch = draw.below(6, 1), draw.around((*VECTORS, *TILES_N), 40), draw.batch(9)
    places, k = math.prod(out), math.prod(taps) * channels
    x, weights = draw.x(batch, *size, channels), draw.w(places, k, filters)
    return _finished(
        draw, "locally_connected", x, weights, draw.maybe(draw.w(*out, filters)), (batch, *out, filters), **attrs
    )


def pool(draw: Draw, kernel: str) -> Problem:
    rank = draw.pick((1, 2, 2, 3))
    while True:
        size = draw.shape(rank, MOST[rank], 0.0)
        taps, strides = (tuple(draw.pick((1, 2, 2, 3, 4)) for _ in range(rank)) for _ in range(2))
        padding = draw.pick(("valid", "same"))
        if padding == "same" or all(n >= k for n, k in zip(size, taps, strict=True)):
            break
    op = kernel.removesuffix("_nhwc_f32")
    x = draw.x(draw.batch(5), *size, draw.around(VECTORS, 70))
    exact = op == "max_pool"
    return Problem(
        case(op, (x,), size=taps, strides=strides, padding=padding),
        None if exact else of_largest(2.0) if draw.whole else of_largest(8.0),
    )


def resize(draw: Draw, kernel: str) -> Problem:
    mode = "nearest" if "nearest" in kernel else "bilinear"
    rank = draw.pick((1, 2, 2)) if mode == "bilinear" else draw.pick((1, 2, 2, 3))
    before, after = draw.below(2), draw.below(2)
    axes = tuple(range(1 + before, 1 + before + rank))
    shape = (draw.batch(4), *draw.shape(before, 4), *draw.shape(rank, 7), *draw.shape(after, 40))
    factors = tuple(draw.below(5, 1) for _ in range(rank))
    attrs = {"axes": axes, "factors": factors, "mode": mode}
    return Problem(case("resize", (draw.x(*shape),), **attrs), None if mode == "nearest" else of_largest(8.0))


FAMILIES = {
    "conv_nhwc_f32": Family(conv),
    "depthwise_nhwc_f32": Family(depthwise),
    "inverted_residual_nhwc_f32": Family(inverted_residual, forced=True),
    "inverted_residual_separate_f32": Family(inverted_residual, forced=True),
    "winograd2x2_nhwc_f32": Family(winograd, forced=True),
    "winograd4x4_nhwc_f32": Family(winograd, forced=True),
    "conv_transpose_nhwc_f32": Family(conv_transpose),
    "locally_connected_f32": Family(local),
    "max_pool_nhwc_f32": Family(pool),
    "average_pool_nhwc_f32": Family(pool),
    "resize_nearest": Family(resize),
    "resize_bilinear_f32": Family(resize),
}
