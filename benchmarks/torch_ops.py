"""What the operations of ONNX are in PyTorch: one function for each, whose keyword parameters are its attributes.

A function gets a `Recorder` (`benchmarks.torch_graph`) and the node's inputs, and answers with the value, or a list of
them, that `record(function, ...)` gave. Inputs that say how (shapes, axes, pads) must be constants: `ints` reads them.
Attributes that a function does not name, and operations that are not in `OPERATIONS`, are refused by name, so that
nothing is ever timed that computes something else.

Source: the operators' definitions of ONNX, https://onnx.ai/onnx/operators/.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from benchmarks.torch_graph import NotCovered, Recorder, Value


def ints(value: Value) -> list[int]:
    """The numbers of a constant."""
    return [int(one) for one in value.constant().reshape(-1).tolist()]


# -- windows


def pairs(
    spatial: Sequence[int], kernel: Sequence[int], strides: Any, dilations: Any, pads: Any, auto_pad: str
) -> list[tuple[int, int]]:
    """What stands before and after each dimension."""
    rank = len(spatial)
    if auto_pad in ("NOTSET", "VALID"):
        given = list(pads or [0] * 2 * rank)
        return list(zip(given[:rank], given[rank:], strict=True))
    if auto_pad not in ("SAME_UPPER", "SAME_LOWER"):
        raise NotCovered(f"auto_pad {auto_pad!r}")
    found = []
    for size, k, stride, dilation in zip(spatial, kernel, strides, dilations, strict=True):
        whole = max(0, (-(-size // stride) - 1) * stride + (k - 1) * dilation + 1 - size)
        small, large = whole // 2, whole - whole // 2
        found.append((small, large) if auto_pad == "SAME_UPPER" else (large, small))
    return found


def border(record: Recorder, x: Value, around: Sequence[tuple[int, int]], value: float) -> Value:
    """x with a border on its last dimensions."""
    flat = [amount for pair in reversed(around) for amount in pair]
    return record(F.pad, x, flat, value=value) if any(flat) else x


def conv(
    record: Recorder,
    x: Value,
    w: Value,
    bias: Value | None = None,
    *,
    strides: Any = None,
    dilations: Any = None,
    pads: Any = None,
    auto_pad: str = "NOTSET",
    group: int = 1,
    kernel_shape: Any = None,
) -> Value:
    rank = x.rank - 2
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    around = pairs(x.shape[2:], w.shape[2:], strides, dilations, pads, auto_pad)
    function = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[rank]
    padding = [before for before, _ in around]
    if any(before != after for before, after in around):
        x, padding = border(record, x, around, 0.0), [0] * rank
    return record(function, x, record.filters(w), bias, strides, padding, dilations, group)


def conv_transpose(
    record: Recorder,
    x: Value,
    w: Value,
    bias: Value | None = None,
    *,
    strides: Any = None,
    dilations: Any = None,
    pads: Any = None,
    auto_pad: str = "NOTSET",
    group: int = 1,
    kernel_shape: Any = None,
    output_padding: Any = None,
    output_shape: Any = None,
) -> Value:
    rank = x.rank - 2
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    extra = output_padding or [0] * rank
    full = [
        (size - 1) * stride + (k - 1) * dilation + 1 + more
        for size, k, stride, dilation, more in zip(x.shape[2:], w.shape[2:], strides, dilations, extra, strict=True)
    ]
    if auto_pad in ("SAME_UPPER", "SAME_LOWER") or output_shape:
        wanted = list(output_shape or [size * stride for size, stride in zip(x.shape[2:], strides, strict=True)])
        total = [max(0, a - b) for a, b in zip(full, wanted, strict=True)]
        upper = auto_pad != "SAME_LOWER"
        cut = [(n // 2, n - n // 2) if upper else (n - n // 2, n // 2) for n in total]
    else:
        cut = pairs(x.shape[2:], w.shape[2:], strides, dilations, pads, "NOTSET")
    function = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}[rank]
    if all(before == after for before, after in cut):
        padding = [before for before, _ in cut]
        return record(function, x, record.filters(w), bias, strides, padding, extra, group, dilations)
    y = record(function, x, record.filters(w), bias, strides, 0, extra, group, dilations)
    return border(record, y, [(-before, -after) for before, after in cut], 0.0)


def _ceiling(x: Value, kernel: Any, strides: Any, dilations: Any, around: list[tuple[int, int]]) -> None:
    """Let the last window of each dimension begin inside, by a wider border."""
    for axis, (size, k, stride, dilation) in enumerate(zip(x.shape[2:], kernel, strides, dilations, strict=True)):
        before, after = around[axis]
        rest = size + before + after - (k - 1) * dilation - 1
        last = -(-rest // stride) * stride
        if last >= size + before:
            last -= stride
        around[axis] = (before, after + last - rest if last > rest else after)


def max_pool(
    record: Recorder,
    x: Value,
    *,
    kernel_shape: Any,
    strides: Any = None,
    dilations: Any = None,
    pads: Any = None,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    storage_order: int = 0,
) -> Value:
    rank = x.rank - 2
    strides, dilations = strides or [1] * rank, dilations or [1] * rank
    around = pairs(x.shape[2:], kernel_shape, strides, dilations, pads, auto_pad)
    if ceil_mode:
        _ceiling(x, kernel_shape, strides, dilations, around)
    padding = [before for before, _ in around]
    uneven = any(before != after for before, after in around)
    if uneven or any(2 * before > k for before, k in zip(padding, kernel_shape, strict=True)):
        x, padding = border(record, x, around, -math.inf), [0] * rank
    function = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}[rank]
    return record(function, x, list(kernel_shape), strides, padding, dilations)


def average_pool(
    record: Recorder,
    x: Value,
    *,
    kernel_shape: Any,
    strides: Any = None,
    pads: Any = None,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
    dilations: Any = None,
) -> Value:
    rank = x.rank - 2
    strides = strides or [1] * rank
    if ceil_mode or max(dilations or [1]) > 1:
        raise NotCovered("AveragePool with ceil_mode or dilations")
    around = pairs(x.shape[2:], kernel_shape, strides, [1] * rank, pads, auto_pad)
    function: Any = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}[rank]
    kernel = list(kernel_shape)
    if all(before == after and 2 * before <= k for (before, after), k in zip(around, kernel, strict=True)):
        padding = [before for before, _ in around]
        return record(function, x, kernel, strides, padding, False, bool(count_include_pad))
    y = record(function, border(record, x, around, 0.0), kernel, strides)
    if count_include_pad:
        return y
    flat = [amount for pair in reversed(around) for amount in pair]
    share = function(F.pad(torch.ones(1, 1, *x.shape[2:]), flat), kernel, strides)
    return record(torch.mul, y, record.constant(1.0 / share))


def global_pool(kind: Any) -> Callable[..., Value]:
    """Over every dimension behind the channels, which stay."""
    return lambda record, x: record(kind, x, list(range(2, x.rank)), True)


# -- products


def matmul(record: Recorder, a: Value, b: Value) -> Value:
    if b.is_constant and b.rank == 2:
        return record(F.linear, a, record.changed(b, lambda array: array.t().contiguous()))
    return record(torch.matmul, a, b)


def gemm(
    record: Recorder,
    a: Value,
    b: Value,
    c: Value | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
) -> Value:
    a = record(torch.t, a) if transA else a
    if b.is_constant:
        w = record.changed(b, lambda array: alpha * (array if transB else array.t()).contiguous())
        if c is None:
            return record(F.linear, a, w)
        c = record.changed(c, lambda array: beta * array) if c.is_constant else record(torch.mul, c, beta)
        return record(F.linear, a, w, c) if c.rank == 1 else record(torch.add, record(F.linear, a, w), c)
    y = record(torch.matmul, a, record(torch.t, b) if transB else b)
    y = record(torch.mul, y, alpha) if alpha != 1.0 else y
    if c is None:
        return y
    return record(torch.add, y, record(torch.mul, c, beta) if beta != 1.0 else c)


def einsum(record: Recorder, *operands: Value, equation: str) -> Value:
    return record(torch.einsum, equation, *operands)


# -- element by element, reductions, normalisation


def one(function: Any) -> Callable[..., Value]:
    """An operation of one tensor without attributes."""
    return lambda record, x: record(function, x)


def two(function: Any) -> Callable[..., Value]:
    """An operation of two tensors."""
    return lambda record, a, b: record(function, a, b)


def several(function: Any) -> Callable[..., Value]:
    """An operation that takes any number of tensors, two at a time."""

    def fold(record: Recorder, first: Value, *others: Value) -> Value:
        for other in others:
            first = record(function, first, other)
        return first

    return fold


def divide(record: Recorder, a: Value, b: Value) -> Value:
    whole = not a.tensor.is_floating_point()
    return record(torch.div, a, b, rounding_mode="trunc") if whole else record(torch.div, a, b)


def clip(
    record: Recorder, x: Value, low: Value | None = None, high: Value | None = None, *, min: Any = None, max: Any = None
) -> Value:
    bounds = [given.constant().item() if given else number for given, number in ((low, min), (high, max))]
    return record(F.relu6, x) if bounds == [0.0, 6.0] else record(torch.clamp, x, *bounds)


def leaky_relu(record: Recorder, x: Value, *, alpha: float = 0.01) -> Value:
    return record(F.leaky_relu, x, alpha)


def elu(record: Recorder, x: Value, *, alpha: float = 1.0) -> Value:
    return record(F.elu, x, alpha)


def gelu(record: Recorder, x: Value, *, approximate: str = "none") -> Value:
    return record(F.gelu, x, approximate=approximate)


def hard_sigmoid(record: Recorder, x: Value, *, alpha: float = 0.2, beta: float = 0.5) -> Value:
    return record(torch.clamp, record(torch.add, record(torch.mul, x, alpha), beta), 0.0, 1.0)


def softmax(record: Recorder, x: Value, *, axis: int = -1) -> Value:
    return record(torch.softmax, x, axis)


def log_softmax(record: Recorder, x: Value, *, axis: int = -1) -> Value:
    return record(torch.log_softmax, x, axis)


def reduction(function: Any) -> Callable[..., Value]:
    """Over some axes, by an attribute or an input; over all without."""

    def reduce(
        record: Recorder,
        x: Value,
        given: Value | None = None,
        *,
        axes: Any = None,
        keepdims: int = 1,
        noop_with_empty_axes: int = 0,
    ) -> Value:
        chosen = ints(given) if given is not None else list(axes or [])
        if not chosen and noop_with_empty_axes:
            return x
        return record(function, x, chosen or list(range(x.rank)), bool(keepdims))

    return reduce


def batch_normalization(
    record: Recorder, x: Value, scale: Value, shift: Value, mean: Value, variance: Value, **attributes: Any
) -> Value:
    if attributes.get("training_mode"):
        raise NotCovered("BatchNormalization in training")
    return record(F.batch_norm, x, mean, variance, scale, shift, eps=attributes.get("epsilon", 1e-5))


def layer_normalization(
    record: Recorder,
    x: Value,
    scale: Value,
    shift: Value | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> Value:
    return record(F.layer_norm, x, list(x.shape[axis % x.rank :]), scale, shift, epsilon)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": global_pool(torch.mean),
    "GlobalMaxPool": global_pool(torch.amax),
    "MatMul": matmul,
    "Gemm": gemm,
    "Einsum": einsum,
    "Relu": one(torch.relu),
    "Sigmoid": one(torch.sigmoid),
    "Tanh": one(torch.tanh),
    "Exp": one(torch.exp),
    "Log": one(torch.log),
    "Sqrt": one(torch.sqrt),
    "Reciprocal": one(torch.reciprocal),
    "Abs": one(torch.abs),
    "Neg": one(torch.neg),
    "Erf": one(torch.erf),
    "Sin": one(torch.sin),
    "Cos": one(torch.cos),
    "Floor": one(torch.floor),
    "Ceil": one(torch.ceil),
    "Round": one(torch.round),
    "Sign": one(torch.sign),
    "Not": one(torch.logical_not),
    "Softplus": one(F.softplus),
    "Softsign": one(F.softsign),
    "Selu": one(F.selu),
    "HardSwish": one(F.hardswish),
    "LeakyRelu": leaky_relu,
    "Elu": elu,
    "Gelu": gelu,
    "HardSigmoid": hard_sigmoid,
    "Clip": clip,
    "Softmax": softmax,
    "LogSoftmax": log_softmax,
    "Add": two(torch.add),
    "Sub": two(torch.sub),
    "Mul": two(torch.mul),
    "Div": divide,
    "Pow": two(torch.pow),
    "Max": several(torch.maximum),
    "Min": several(torch.minimum),
    "Sum": several(torch.add),
    "Less": two(torch.lt),
    "LessOrEqual": two(torch.le),
    "Greater": two(torch.gt),
    "GreaterOrEqual": two(torch.ge),
    "Equal": two(torch.eq),
    "And": two(torch.logical_and),
    "Or": two(torch.logical_or),
    "Where": lambda record, c, a, b: record(torch.where, c, a, b),
    "ReduceMean": reduction(torch.mean),
    "ReduceSum": reduction(torch.sum),
    "ReduceMax": reduction(torch.amax),
    "ReduceMin": reduction(torch.amin),
    "BatchNormalization": batch_normalization,
    "LayerNormalization": layer_normalization,
}
"""Name to function; `benchmarks.torch_shapes` and `benchmarks.torch_recurrent` hold the others."""
