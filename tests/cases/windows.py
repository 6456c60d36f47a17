"""Cases of products, lookups, convolutions and pooling: sizes below, at and above the kernels' tiles."""

from __future__ import annotations

from itertools import product
from typing import Any

from cases.problem import OpCase, w, x

RELU = ("relu", 0.0, 0.0, 0.0)


def products() -> list[OpCase]:
    sizes = ((1, 1, 1), (5, 3, 2), (1, 37, 19), (17, 64, 33), (0, 4, 3), (29, 1, 65), (130, 20, 7))
    cases = [OpCase("dense", (x(m, k), w(k, n), w(n), None)) for m, k, n in sizes]
    cases += [OpCase("dense", (x(m, k), w(k, n), None, None)) for m, k, n in sizes[1:4]]
    cases += [
        OpCase("dense", (x(5, 7), w(7, 9), w(9), x(5, 9)), {"activation": ("tanh", 0.0, 0.0, 0.0)}, "residual"),
        OpCase("dense", (x(5, 7), w(7, 9), w(9), x(1, 9, batch=False)), {}, "broadcast_residual"),
        OpCase("dense", (x(2, 3, 5, 7), w(7, 9), w(9), None)),
        OpCase("dense", (x(4, 6), x(6, 3, batch=False), None, None), {}, "moving_weights"),
        OpCase("dense", (x(4, 6, dtype="float64"), w(6, 3, dtype="float64"), None, None)),
        OpCase("dense", (x(4, 6, dtype="int32"), w(6, 3, dtype="int32"), None, None)),
        OpCase("dense", (x(4, 0), w(0, 3), w(3), None)),
        OpCase("dense", (x(7, batch=False), w(7, 3), w(3), None)),
        OpCase("matmul", (x(3, 4, 5), x(3, 5, 2))),
        OpCase("matmul", (x(2, 1, 4, 5), x(2, 3, 5, 1))),
        OpCase("matmul", (x(0, 4, 5), x(0, 5, 2))),
        OpCase("matmul", (x(2, 4, 5), x(2, 5, 0)), {}, "no_columns"),
        OpCase("matmul", (x(2, 0, 3, 5), x(2, 1, 5, 4)), {}, "no_products"),
        OpCase("dense", (x(4, 3), w(3, 0), None, None), {}, "no_columns"),
        OpCase("embedding", (x(3, 5, dtype="int32", low=0, high=11), w(11, 7))),
        OpCase("embedding", (x(3, 5, dtype="int64", low=0, high=11), w(11, 1))),
        OpCase("embedding", (x(6, kind="integers", low=0, high=4), w(4, 9))),
        OpCase("embedding", (x(3, 2, dtype="uint8", low=0, high=4), w(4, 3))),
        OpCase("embedding", (x(0, 5, dtype="int32", low=0, high=4), w(4, 3))),
        OpCase("embedding", (x(3, 5, dtype="int32", low=0, high=4), w(4, 0))),
        OpCase("embedding", (x(3, 5, dtype="int32", low=0, high=4), w(4, 3, 2))),
    ]
    return cases


def _conv_attrs(rank: int, **given: Any) -> dict[str, Any]:
    return {"strides": (1,) * rank, "padding": "valid", "dilation": (1,) * rank, "groups": 1, **given}


def convolutions() -> list[OpCase]:
    cases = []
    for padding, strides, dilation in product(("valid", "same"), (1, 2, 3), (1, 2)):
        if strides > 1 and dilation > 1:
            continue
        tag = f"{padding}{strides}{dilation}"
        attrs = _conv_attrs(2, padding=padding, strides=(strides, strides), dilation=(dilation, dilation))
        cases += [OpCase("conv", (x(2, 11, 9, 5), w(3, 3, 5, 7), w(7), None), attrs, tag)]
        one = _conv_attrs(1, padding=padding, strides=(strides,), dilation=(dilation,))
        cases += [OpCase("conv", (x(3, 13, 4), w(4, 4, 6), None, None), one, tag)]
    cases += [
        OpCase(
            "conv", (x(2, 13, 4), w(3, 4, 6), w(6), None), _conv_attrs(1, padding="causal", dilation=(2,)), "causal"
        ),
        OpCase("conv", (x(2, 13, 4), w(3, 4, 6), w(6), None), _conv_attrs(1, padding="causal", strides=(2,)), "causal"),
        OpCase("conv", (x(2, 8, 8, 6), w(3, 3, 2, 9), w(9), None), _conv_attrs(2, groups=3, padding="same"), "groups"),
        OpCase("conv", (x(2, 7, 7, 8), w(3, 3, 1, 8), w(8), None), _conv_attrs(2, groups=8), "depthwise"),
        OpCase("conv", (x(2, 5, 6, 3), w(1, 1, 3, 33), w(33), None), _conv_attrs(2), "pointwise"),
        OpCase("conv", (x(3, 17, 16, 32), w(3, 3, 32, 40), w(40), None), _conv_attrs(2, padding="same"), "large map"),
        OpCase("conv", (x(3, 12, 12, 96), w(3, 3, 96, 40), w(40), None), _conv_attrs(2), "small map"),
        OpCase("conv", (x(3, 6, 6, 96), w(3, 3, 96, 40), None, None), _conv_attrs(2, padding="same"), "smaller map"),
        OpCase("conv", (x(2, 5, 6, 3), w(1, 1, 3, 4), None, None), _conv_attrs(2, strides=(2, 2)), "pointwise2"),
        OpCase("conv", (x(2, 7, 4, 3), w(5, 1, 3, 2), None, None), _conv_attrs(2, strides=(1, 3)), "uneven"),
        OpCase(
            "conv",
            (x(2, 4, 5, 6, 3), w(2, 3, 2, 3, 4), w(4), None),
            _conv_attrs(3, padding="same", strides=(1, 2, 2)),
            "3d",
        ),
        OpCase(
            "conv", (x(2, 6, 6, 3), w(3, 3, 3, 4), w(4), x(2, 4, 4, 4)), _conv_attrs(2, activation=RELU), "residual"
        ),
        OpCase("conv", (x(0, 6, 6, 3), w(3, 3, 3, 4), w(4), None), _conv_attrs(2)),
        OpCase("conv", (x(2, 6, 6, 3), w(3, 3, 3, 0), None, None), _conv_attrs(2), "no_filters"),
        OpCase(
            "conv",
            (x(2, 4, 20, 20, 40), w(1, 3, 3, 40, 64), None, None),
            _conv_attrs(3, padding=((0, 2), (1, 1), (1, 1))),
            "behind",
        ),
        OpCase("conv", (x(2, 0, 6, 3), w(4, 3, 3, 2), None, None), _conv_attrs(2, padding="same"), "no_pixels"),
        OpCase("conv", (x(2, 5, 6, 3), w(1, 1, 3, 4), w(4), None), _conv_attrs(2, padding=((1, 2), (0, 1))), "frame"),
        OpCase("conv", (x(1, 3, 5, 6, 3), w(1, 1, 1, 3, 4), None, None), _conv_attrs(3, padding=((0, 1),) * 3), "3d"),
        OpCase("conv", (x(1, 1, 1, 1), w(1, 1, 1, 1), None, None), _conv_attrs(2)),
        OpCase("conv", (x(2, 5, 5, 2, dtype="float64"), w(3, 3, 2, 2, dtype="float64"), None, None), _conv_attrs(2)),
        OpCase("conv", (x(1, 33, 31, 16), w(3, 3, 16, 40), w(40), None), _conv_attrs(2, padding="same"), "large"),
    ]
    for name, padding in product(("max_pool", "average_pool"), ("valid", "same")):
        for size, strides, shape in (
            ((2, 2), (2, 2), (2, 8, 6, 5)),
            ((3, 3), (2, 2), (2, 9, 7, 1)),
            ((3, 2), (1, 3), (2, 5, 5, 17)),
            ((3,), (2,), (3, 7, 4)),
            ((2, 2, 2), (1, 2, 2), (1, 4, 3, 5, 3)),
            ((1, 1), (1, 1), (1, 1, 1, 1)),
            ((2, 2), (2, 2), (0, 4, 4, 3)),
        ):
            cases += [OpCase(name, (x(*shape),), {"size": size, "strides": strides, "padding": padding}, padding)]
        cases += [
            OpCase(name, (x(2, 5, 3, dtype="float64"),), {"size": (2,), "strides": (1,), "padding": padding}, padding)
        ]
    cases += [
        OpCase("max_pool", (x(2, 6, 5, kind="special"),), {"size": (3,), "strides": (1,), "padding": "same"}, "special")
    ]
    return cases


def _transpose_attrs(rank: int, **given: Any) -> dict[str, Any]:
    return {"strides": (1,) * rank, "padding": "valid", "dilation": (1,) * rank, "output_padding": None, **given}


def transposed_convolutions() -> list[OpCase]:
    cases = []
    for padding, (strides, kernel), extra in product(
        ("valid", "same"), ((1, 3), (2, 3), (2, 2), (3, 2), (4, 5)), (None, 0)
    ):
        attrs = _transpose_attrs(2, padding=padding, strides=(strides, strides))
        attrs |= {} if extra is None else {"output_padding": (extra, strides - 1)}
        tag = f"{padding}{strides}{extra}"
        cases += [OpCase("conv_transpose", (x(2, 9, 8, 5), w(kernel, kernel, 7, 5), w(7), None), attrs, tag)]
    cases += [
        OpCase("conv_transpose", (x(2, 7, 3), w(3, 5, 3), w(5), None), _transpose_attrs(1, dilation=(2,))),
        OpCase(
            "conv_transpose",
            (x(2, 6, 3), w(4, 2, 3), None, None),
            _transpose_attrs(1, dilation=(3,), padding="same"),
            "dilated",
        ),
        OpCase(
            "conv_transpose",
            (x(2, 3, 4, 5, 6), w(3, 2, 3, 4, 6), w(4), None),
            _transpose_attrs(3, strides=(2, 1, 3), padding="same"),
            "3d",
        ),
        OpCase(
            "conv_transpose",
            (x(2, 5, 5, 3), w(3, 3, 9, 3), w(9), x(2, 10, 10, 9)),
            _transpose_attrs(2, strides=(2, 2), padding="same", activation=("tanh", 0.0, 0.0, 0.0)),
            "residual",
        ),
        OpCase(
            "conv_transpose",
            (x(2, 14, 14, 16), w(2, 2, 33, 16), w(33), None),
            _transpose_attrs(2, strides=(2, 2), activation=RELU),
            "pixels",
        ),
        OpCase(
            "conv_transpose",
            (x(2, 1, 5, 3), w(3, 3, 4, 3), w(4), None),
            _transpose_attrs(2, strides=(3, 1), padding="same", output_padding=(0, 0)),
            "one_row_of_a_stride",
        ),
        OpCase(
            "conv_transpose",
            (x(2, 1, 11), w(1, 16, 11), None, None),
            _transpose_attrs(1, strides=(4,), padding="same", output_padding=(0,)),
            "one_pixel",
        ),
        OpCase("conv_transpose", (x(0, 5, 3), w(3, 4, 3), w(4), None), _transpose_attrs(1, strides=(2,))),
        OpCase("conv_transpose", (x(2, 5, 3), x(3, 4, 3, batch=False), None, None), _transpose_attrs(1), "moving"),
        OpCase(
            "conv_transpose",
            (x(2, 4, 3, dtype="float64"), w(3, 4, 3, dtype="float64"), None, None),
            _transpose_attrs(1, strides=(2,)),
        ),
    ]
    return cases


def inverted_residuals() -> list[OpCase]:
    name = "inverted_residual"
    cases = []
    for padding, strides, channels, hidden in product(("valid", "same"), (1, 2), (5, 16), (19, 70)):
        attrs = {"strides": (strides, strides), "padding": padding, "dilation": (1, 1)}
        attrs |= {"expand_activation": RELU, "depthwise_activation": ("clip", -0.5, 1.0, 0.0)}
        weights = (w(1, 1, channels, hidden), w(hidden), w(3, 3, 1, hidden), w(hidden), w(1, 1, hidden, 7), w(7))
        cases += [OpCase(name, (x(2, 13, 15, channels), *weights, None), attrs, f"{padding}{strides}")]
    plain: dict[str, Any] = {"strides": (1, 1), "padding": "same", "dilation": (1, 1)}
    inside = (w(1, 1, 6, 40), w(40), w(3, 3, 1, 40), w(40), w(1, 1, 40, 6), w(6))
    few = (w(1, 1, 6, 40), None, w(3, 2, 1, 40), None, w(1, 1, 40, 9), None)
    alone = (None, None, w(3, 3, 1, 24), w(24), w(1, 1, 24, 16), w(16))
    moving = (x(1, 1, 6, 40, batch=False), w(40), w(3, 3, 1, 40), w(40), w(1, 1, 40, 6), w(6))
    double = tuple(None if one is None else w(*one.shape, dtype="float64") for one in inside)
    silu = {"expand_activation": ("silu", 0.0, 0.0, 0.0), "depthwise_activation": ("silu", 0.0, 0.0, 0.0)}
    return [
        *cases,
        OpCase(name, (x(3, 12, 11, 6), *inside, x(3, 12, 11, 6)), {**plain, **silu, "activation": RELU}, "residual"),
        OpCase(name, (x(2, 33, 31, 6), *inside, x(2, 33, 31, 6)), plain, "large"),
        OpCase(name, (x(2, 5, 4, 6), *inside, x(2, 5, 4, 6)), {**plain, "expand_activation": RELU}, "small"),
        OpCase(name, (x(2, 14, 12, 6), *few, None), {**plain, "padding": ((1, 2), (0, 1)), "strides": (2, 1)}, "few"),
        OpCase(name, (x(2, 17, 14, 6), *few, None), {**plain, "padding": "valid", "dilation": (2, 3)}, "dilated"),
        OpCase(name, (x(2, 15, 13, 24), *alone, None), {**plain, "depthwise_activation": RELU}, "alone"),
        OpCase(name, (x(0, 12, 11, 6), *inside, None), plain),
        OpCase(name, (x(2, 12, 11, 6), *moving, None), plain, "moving"),
        OpCase(name, (x(2, 12, 11, 6), *inside, x(1, 12, 11, 6, batch=False)), plain, "broadcast"),
        OpCase(name, (x(2, 12, 11, 6, dtype="float64"), *double, None), plain),
    ]


def depthwise_convolutions() -> list[OpCase]:
    cases = []
    for padding, strides, kernel, channels in product(("valid", "same"), (1, 2), (3, 5), (8, 19, 70)):
        attrs = _conv_attrs(2, padding=padding, strides=(strides, strides), groups=channels)
        weights = (w(kernel, kernel, 1, channels), w(channels), None)
        cases += [OpCase("conv", (x(2, 13, 15, channels), *weights), attrs, f"depthwise_{padding}{strides}")]
    cases += [
        OpCase(
            "conv",
            (x(2, 9, 11, 12), w(3, 2, 1, 36), w(36), x(2, 9, 11, 36)),
            _conv_attrs(2, groups=12, padding="same", dilation=(2, 1), activation=("silu", 0.0, 0.0, 0.0)),
            "depthwise_multiplied",
        ),
        OpCase("conv", (x(2, 11, 5), w(4, 1, 10), None, None), _conv_attrs(1, groups=5, padding="causal"), "depthwise"),
        OpCase(
            "conv",
            (x(2, 5, 6, 7, 6), w(2, 3, 3, 1, 6), w(6), None),
            _conv_attrs(3, groups=6, padding="same", strides=(1, 2, 1)),
            "depthwise_3d",
        ),
        OpCase("conv", (x(0, 6, 6, 3), w(3, 3, 1, 3), w(3), None), _conv_attrs(2, groups=3), "depthwise"),
    ]
    return cases


def local_connections() -> list[OpCase]:
    attrs: dict[str, Any] = {"size": (3, 2), "strides": (1, 2), "padding": "valid"}
    same = {**attrs, "padding": "same", "strides": (2, 2)}
    name = "locally_connected"
    return [
        OpCase(name, (x(3, 7, 8, 5), w(20, 30, 9), w(5, 4, 9), None), attrs),
        OpCase(name, (x(17, 5, 4, 3), w(6, 18, 33), None, None), same, "same"),
        OpCase(
            name,
            (x(2, 6, 4), w(4, 12, 5), w(4, 5), x(2, 4, 5)),
            {"size": (3,), "strides": (1,), "padding": "valid", "activation": RELU},
            "residual",
        ),
        OpCase(name, (x(0, 6, 4), w(4, 12, 5), None, None), {"size": (3,), "strides": (1,), "padding": "valid"}),
        OpCase(
            name,
            (x(2, 5, 2, dtype="float64"), w(3, 6, 4, dtype="float64"), None, None),
            {"size": (3,), "strides": (1,), "padding": "valid"},
        ),
    ]


def enlargements() -> list[OpCase]:
    cases = []
    for axes, factors, shape in (
        ((1, 2), (2, 3), (2, 5, 4, 7)),
        ((2, 3), (3, 2), (2, 3, 5, 4)),
        ((1, 2), (1, 2), (1, 3, 3, 64)),
        ((1, 2), (4, 1), (2, 1, 6, 20)),
        ((1,), (3,), (2, 5, 4)),
        ((1, 2), (2, 2), (0, 3, 3, 2)),
    ):
        for mode in ("nearest", "bilinear"):
            attrs = {"axes": axes, "factors": factors, "mode": mode}
            cases.append(OpCase("resize", (x(*shape),), attrs, mode))
    volume = {"axes": (1, 2, 3), "factors": (2, 3, 2), "mode": "nearest"}
    return [
        *cases,
        OpCase("resize", (x(2, 3, 2, 4, 5),), volume),
        OpCase("resize", (x(2, 3, 2, 4, 5),), {**volume, "mode": "bilinear"}, "bilinear"),
        OpCase("resize", (x(2, 3, 2, 4, 1, dtype="int32"),), volume),
        OpCase(
            "resize", (x(2, 3, 4, dtype="float64"),), {"axes": (1,), "factors": (2,), "mode": "bilinear"}, "bilinear"
        ),
    ]
