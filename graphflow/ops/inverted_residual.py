"""The inverted residual block as one operation: two pointwise convolutions around a depthwise one.

Nobody writes it; a pass makes it of the three convolutions that MobileNetV2 and its kin are built from, so that what
lies between them need not leave the cache.
"""

from __future__ import annotations

from typing import Any

from graphflow.errors import ShapeError
from graphflow.ops.activation import LINEAR
from graphflow.ops.conv import CONV
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec, format_shape

POINTWISE: Attrs = {"strides": (1, 1), "padding": "valid", "dilation": (1, 1), "groups": 1}


def parts(attrs: Attrs, hidden: int) -> tuple[Attrs, Attrs, Attrs]:
    """The attributes of the three convolutions: expansion, depthwise of `hidden` channels, projection."""
    return (
        {**POINTWISE, "activation": attrs.get("expand_activation", LINEAR)},
        {
            "strides": attrs["strides"],
            "padding": attrs["padding"],
            "dilation": attrs["dilation"],
            "groups": hidden,
            "activation": attrs.get("depthwise_activation", LINEAR),
        },
        {**POINTWISE, "activation": attrs.get("activation", LINEAR)},
    )


def depthwise_input(attrs: Attrs, x: TensorSpec, expand: TensorSpec | None) -> TensorSpec:
    """The spec of what the depthwise convolution reads."""
    return x if expand is None else x.with_shape((*x.shape[:-1], expand.shape[-1]))


def _infer(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    x, expand, expand_bias, depthwise, depthwise_bias, project, bias, residual = specs
    if depthwise.rank != 4 or depthwise.shape[2] != 1:
        raise ShapeError(
            f"A depthwise kernel has shape (height, width, 1, channels), received {format_shape(depthwise.shape)}."
        )
    for name, kernel in (("expand", expand), ("project", project)):
        if kernel is not None and (kernel.rank != 4 or kernel.shape[:2] != (1, 1)):
            raise ShapeError(
                f"The kernel to {name} has shape (1, 1, channels, filters), received {format_shape(kernel.shape)}."
            )
    first, middle, last = parts(attrs, depthwise.shape[-1])
    if expand is not None:
        (x,) = CONV.infer(first, (x, expand, expand_bias, None), values)
    (x,) = CONV.infer(middle, (x, depthwise, depthwise_bias, None), values)
    return CONV.infer(last, (x, project, bias, residual), values)


def _reference(
    attrs: Attrs,
    x: Array,
    expand: Array | None,
    expand_bias: Array | None,
    depthwise: Array,
    depthwise_bias: Array | None,
    project: Array,
    bias: Array | None,
    residual: Array | None,
) -> Any:
    first, middle, last = parts(attrs, depthwise.shape[-1])
    if expand is not None:
        x = CONV.reference(first, x, expand, expand_bias, None)
    x = CONV.reference(middle, x, depthwise, depthwise_bias, None)
    return CONV.reference(last, x, project, bias, residual)


INVERTED_RESIDUAL = define("inverted_residual", _infer, _reference, tolerance=4e-5)
"""Inputs: x (batch, height, width, channels); the kernel (1, 1, channels, hidden) that expands it and its bias, both
None where nothing is expanded; the depthwise kernel (height, width, 1, hidden) and its bias; the kernel (1, 1, hidden,
filters) that projects and its bias; the residual. A bias, and the residual, may be None.

Attributes: `strides`, `padding`, `dilation` of the depthwise convolution, as `conv` has them; `expand_activation`,
`depthwise_activation`, `activation`: rows of `ops.activation`.

Source: Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, 2018. https://arxiv.org/abs/1801.04381
"""
