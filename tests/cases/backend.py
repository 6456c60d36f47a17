"""Problems for every function of Keras' backend: what it is asked, and NumPy's answer.

`ask` takes the backend first, so that the same problem can be put to another one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Problem:
    """One call of a backend function.

    Args:
        name: of the function.
        inputs: arrays whose first axis is the batch.
        ask: from a backend and the inputs to the answer.
        answer: from the inputs to NumPy's answer.
        tag: tells problems of one function apart.
    """

    name: str
    inputs: tuple[Array, ...]
    ask: Callable[..., Any]
    answer: Callable[..., Any]
    tag: str = ""

    @property
    def id(self) -> str:
        return f"{self.name}-{self.tag}" if self.tag else self.name


def _floats(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


X, Y = _floats(1, 3, 4, 5), _floats(2, 3, 4, 5)
POSITIVE = np.abs(X) + np.float32(0.1)
ROWS = _floats(3, 3, 6)
IMAGES, STEPS, VOLUMES = _floats(4, 2, 7, 6, 3), _floats(5, 2, 9, 3), _floats(6, 2, 5, 4, 6, 2)
KERNEL1, KERNEL2, KERNEL3 = _floats(7, 3, 3, 4), _floats(8, 3, 2, 3, 4), _floats(9, 2, 2, 3, 2, 3)
MATRIX, CUBE = _floats(10, 5, 7), _floats(11, 2, 5, 3)
POINTWISE = _floats(15, 1, 1, 12, 5)
VECTOR = _floats(12, 5)
INTEGERS = np.random.default_rng(13).integers(-4, 5, (3, 4)).astype("int32")
INDICES = np.random.default_rng(14).integers(0, 5, (3, 4)).astype("int32")
BOOLS = X > 0.2
FIRST = np.ascontiguousarray(np.moveaxis(IMAGES, -1, 1))


def _convolved(x: Array, kernel: Array, strides: tuple[int, ...], same: bool, dilation: int = 1) -> Array:
    """Convolution as a sum over kernel positions."""
    spatial = kernel.shape[:-2]
    sizes, padding = [], [(0, 0)]
    for n, k, s in zip(x.shape[1:-1], spatial, strides, strict=True):
        reach = (k - 1) * dilation + 1
        size = -(-n // s) if same else (n - reach) // s + 1
        total = max((size - 1) * s + reach - n, 0) if same else 0
        sizes.append(size)
        padding.append((total // 2, total - total // 2))
    x = np.pad(x, [*padding, (0, 0)])
    y = np.zeros((len(x), *sizes, kernel.shape[-1]), "float32")
    for place in np.ndindex(*spatial):
        window = tuple(
            slice(p * dilation, p * dilation + (size - 1) * s + 1, s)
            for p, size, s in zip(place, sizes, strides, strict=True)
        )
        y += x[(slice(None), *window)] @ kernel[place]
    return y


def _by_channel(x: Array, kernel: Array, strides: tuple[int, ...], same: bool) -> Array:
    """Each channel convolved with kernels of its own."""
    parts = [_convolved(x[..., [c]], kernel[..., [c], :], strides, same) for c in range(x.shape[-1])]
    return np.concatenate(parts, -1)


def _doubled(x: Array) -> Array:
    """Twice as wide: each element a quarter of the way to its neighbours, and the edges themselves."""
    left = np.concatenate([x[:, :, :1], x[:, :, :-1]], 2)
    right = np.concatenate([x[:, :, 1:], x[:, :, -1:]], 2)
    both = np.stack([0.75 * x + 0.25 * left, 0.75 * x + 0.25 * right], 3)
    return both.reshape(*x.shape[:2], -1, x.shape[3])


def _pooled(x: Array, size: tuple[int, ...], strides: tuple[int, ...], reduce: Callable[..., Any]) -> Array:
    """Pooling without padding."""
    counts = [(n - k) // s + 1 for n, k, s in zip(x.shape[1:-1], size, strides, strict=True)]
    y = np.zeros((len(x), *counts, x.shape[-1]), "float32")
    for place in np.ndindex(*counts):
        window = tuple(slice(p * s, p * s + k) for p, s, k in zip(place, strides, size, strict=True))
        y[(slice(None), *place)] = reduce(x[(slice(None), *window)], axis=tuple(range(1, x.ndim - 1)))
    return y


def _last(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    return lambda x: np.moveaxis(function(np.moveaxis(x, 1, -1)), -1, 1)


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _normalized(x: Array, axis: Any) -> Array:
    return x / np.sqrt(np.maximum((x**2).sum(axis, keepdims=True), 1e-12))


def _softmax(x: Array, axis: int) -> Array:
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def _relu(x: Array, alpha: float, top: float, threshold: float) -> Array:
    return np.where(x >= top, top, np.where(x >= threshold, x, alpha * (x - threshold)))


def _same(name: str, x: Array, function: Callable[[Array], Any], tag: str = "") -> Problem:
    """A function of one tensor."""
    return Problem(name, (x,), lambda k, x: getattr(k, name)(x), function, tag)


def _two(name: str, function: Callable[[Array, Array], Any]) -> list[Problem]:
    """A function of two tensors, and of a tensor and a number."""
    return [
        Problem(name, (X, Y), lambda k, x, y: getattr(k, name)(x, y), function),
        Problem(name, (X,), lambda k, x: getattr(k, name)(x, 0.25), lambda x: function(x, np.float32(0.25)), "number"),
    ]


def _reductions(name: str, x: Array, function: Callable[..., Any]) -> list[Problem]:
    return [
        Problem(name, (x,), lambda k, x: getattr(k, name)(x), lambda x: function(x)),
        Problem(name, (x,), lambda k, x: getattr(k, name)(x, axis=1), lambda x: function(x, axis=1), "axis"),
        Problem(
            name,
            (x,),
            lambda k, x: getattr(k, name)(x, axis=[1, -1], keepdims=True),
            lambda x: function(x, axis=(1, -1), keepdims=True),
            "keepdims",
        ),
    ]


def _logsumexp(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    return np.log(np.exp(x).sum(axis=axis, keepdims=keepdims))


ARITHMETIC: list[Problem] = [
    _same("abs", X, np.abs),
    _same("abs", INTEGERS, np.abs, "integers"),
    _same("square", X, np.square),
    _same("sqrt", POSITIVE, np.sqrt),
    _same("exp", X, np.exp),
    _same("log", POSITIVE, np.log),
    _same("sign", X, np.sign),
    _same("round", X * 3, np.round),
    _same("round", np.array([[0.5, 1.5, 2.5, -0.5, -1.5]], "float32"), np.round, "halves"),
    _same("sin", X, np.sin),
    _same("cos", X, np.cos),
    Problem("pow", (POSITIVE,), lambda k, x: k.pow(x, 1.5), lambda x: x**1.5),
    Problem("pow", (X,), lambda k, x: k.pow(x, 2), lambda x: x**2, "square"),
    Problem("clip", (X,), lambda k, x: k.clip(x, -0.5, 0.75), lambda x: np.clip(x, -0.5, 0.75)),
    Problem("clip", (X,), lambda k, x: k.clip(x, 0.5, -0.75), lambda x: np.full_like(x, 0.5), "crossed"),
    *(_two("maximum", np.maximum) + _two("minimum", np.minimum)),
    *(_two("equal", np.equal) + _two("not_equal", np.not_equal)),
    *(_two("greater", np.greater) + _two("greater_equal", np.greater_equal)),
    *(_two("less", np.less) + _two("less_equal", np.less_equal)),
    Problem("equal", (INTEGERS,), lambda k, x: k.equal(x, 2), lambda x: x == 2, "integers"),
    *_reductions("sum", X, np.sum),
    *_reductions("mean", X, np.mean),
    *_reductions("max", X, np.max),
    *_reductions("min", X, np.min),
    *_reductions("prod", X, np.prod),
    *_reductions("std", X, np.std),
    *_reductions("var", X, np.var),
    *_reductions("any", BOOLS, np.any),
    *_reductions("all", BOOLS, np.all),
    *_reductions("logsumexp", X, _logsumexp),
    _same("argmax", X, lambda x: x.argmax(-1)),
    _same("argmin", X, lambda x: x.argmin(-1)),
    Problem("argmax", (X,), lambda k, x: k.argmax(x, axis=1), lambda x: x.argmax(1), "axis"),
    Problem("argmin", (X,), lambda k, x: k.argmin(x, axis=1), lambda x: x.argmin(1), "axis"),
    _same("cumsum", X, lambda x: x.cumsum(0)),
    _same("cumprod", X, lambda x: x.cumprod(0)),
    Problem("cumsum", (X,), lambda k, x: k.cumsum(x, axis=-1), lambda x: x.cumsum(-1), "axis"),
    Problem("cumprod", (X,), lambda k, x: k.cumprod(x, axis=1), lambda x: x.cumprod(1), "axis"),
    Problem("l2_normalize", (X,), lambda k, x: k.l2_normalize(x, axis=1), lambda x: _normalized(x, 1)),
    Problem("l2_normalize", (X,), lambda k, x: k.l2_normalize(x), lambda x: _normalized(x, None), "all"),
]

ARRAYS: list[Problem] = [
    Problem("reshape", (X,), lambda k, x: k.reshape(x, (-1, 10, 2)), lambda x: x.reshape(-1, 10, 2)),
    Problem(
        "reshape", (X,), lambda k, x: k.reshape(x, (k.shape(x)[0], -1)), lambda x: x.reshape(len(x), -1), "one_size"
    ),
    Problem(
        "reshape",
        (STEPS,),
        lambda k, x: k.reshape(x, k.concatenate([k.shape(x)[:1], [3], [-1]], axis=0)),
        lambda x: x.reshape(len(x), 3, -1),
        "computed",
    ),
    Problem(
        "reshape",
        (X,),
        lambda k, x: k.reshape(x, k.stack([k.shape(x)[0] * k.shape(x)[1], k.shape(x)[2]])),
        lambda x: x.reshape(-1, 5),
        "product",
    ),
    _same("shape", X, lambda x: np.array(x.shape, "int32")),
    _same("flatten", X, np.ravel),
    _same("batch_flatten", X, lambda x: x.reshape(len(x), -1)),
    _same("expand_dims", X, lambda x: x[..., None]),
    Problem("expand_dims", (X,), lambda k, x: k.expand_dims(x, 1), lambda x: x[:, None], "axis"),
    Problem("squeeze", (X[:, :, :1],), lambda k, x: k.squeeze(x, 2), lambda x: x[:, :, 0]),
    _same("transpose", X, np.transpose),
    Problem(
        "permute_dimensions", (X,), lambda k, x: k.permute_dimensions(x, (0, 2, 1)), lambda x: x.transpose(0, 2, 1)
    ),
    Problem("concatenate", (X, Y), lambda k, x, y: k.concatenate([x, y]), lambda x, y: np.concatenate([x, y], -1)),
    Problem(
        "concatenate",
        (X, Y),
        lambda k, x, y: k.concatenate([x, y], axis=1),
        lambda x, y: np.concatenate([x, y], 1),
        "1",
    ),
    Problem("stack", (X, Y), lambda k, x, y: k.stack([x, y]), lambda x, y: np.stack([x, y])),
    Problem("stack", (X, Y), lambda k, x, y: k.stack([x, y], axis=-1), lambda x, y: np.stack([x, y], -1), "last"),
    Problem("tile", (X,), lambda k, x: k.tile(x, [1, 2, 3]), lambda x: np.tile(x, (1, 2, 3))),
    Problem("repeat", (ROWS,), lambda k, x: k.repeat(x, 4), lambda x: np.repeat(x[:, None], 4, 1)),
    Problem("repeat_elements", (X,), lambda k, x: k.repeat_elements(x, 3, axis=1), lambda x: np.repeat(x, 3, 1)),
    Problem("reverse", (X,), lambda k, x: k.reverse(x, 1), lambda x: x[:, ::-1]),
    Problem("reverse", (X,), lambda k, x: k.reverse(x, [1, 2]), lambda x: x[:, ::-1, ::-1], "two"),
    Problem("gather", (INDICES,), lambda k, x: k.gather(k.constant(MATRIX), x), lambda x: MATRIX[x]),
    Problem("one_hot", (INDICES,), lambda k, x: k.one_hot(x, 6), lambda x: np.eye(6, dtype="float32")[x]),
    _same("temporal_padding", STEPS, lambda x: np.pad(x, ((0, 0), (1, 1), (0, 0)))),
    Problem(
        "temporal_padding",
        (STEPS,),
        lambda k, x: k.temporal_padding(x, (2, 0)),
        lambda x: np.pad(x, ((0, 0), (2, 0), (0, 0))),
        "sides",
    ),
    Problem(
        "spatial_2d_padding",
        (IMAGES,),
        lambda k, x: k.spatial_2d_padding(x, ((1, 2), (0, 3)), "channels_last"),
        lambda x: np.pad(x, ((0, 0), (1, 2), (0, 3), (0, 0))),
    ),
    Problem(
        "spatial_2d_padding",
        (FIRST,),
        lambda k, x: k.spatial_2d_padding(x, data_format="channels_first"),
        lambda x: np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))),
        "first",
    ),
    Problem(
        "spatial_3d_padding",
        (VOLUMES,),
        lambda k, x: k.spatial_3d_padding(x, ((1, 0), (0, 2), (1, 1))),
        lambda x: np.pad(x, ((0, 0), (1, 0), (0, 2), (1, 1), (0, 0))),
    ),
    _same("zeros_like", X, np.zeros_like),
    _same("ones_like", X, np.ones_like),
    Problem(
        "ones_like", (X,), lambda k, x: k.ones_like(x, dtype="int32"), lambda x: np.ones(x.shape, "int32"), "dtype"
    ),
    Problem("cast", (INTEGERS,), lambda k, x: k.cast(x, "float32"), lambda x: x.astype("float32")),
    Problem("cast", (X,), lambda k, x: k.cast(x, "int32"), lambda x: x.astype("int32"), "integers"),
    _same("stop_gradient", X, lambda x: x),
]

NETWORK: list[Problem] = [
    _same("relu", X, lambda x: np.maximum(x, 0)),
    Problem(
        "relu",
        (X,),
        lambda k, x: k.relu(x, alpha=0.1, max_value=1.0, threshold=0.25),
        lambda x: _relu(x, 0.1, 1.0, 0.25),
        "general",
    ),
    Problem("relu", (X,), lambda k, x: k.relu(x, 0.2), lambda x: np.where(x > 0, x, 0.2 * x), "leaky"),
    Problem("relu", (X,), lambda k, x: k.relu(x, max_value=0.5), lambda x: np.clip(x, 0, 0.5), "capped"),
    _same("sigmoid", X, _sigmoid),
    _same("hard_sigmoid", X * 3, lambda x: np.clip(0.2 * x + 0.5, 0, 1)),
    _same("tanh", X, np.tanh),
    _same("softplus", X, lambda x: np.log1p(np.exp(x))),
    _same("softsign", X, lambda x: x / (1 + np.abs(x))),
    _same("elu", X, lambda x: np.where(x > 0, x, np.expm1(x))),
    Problem("elu", (X,), lambda k, x: k.elu(x, 0.5), lambda x: np.where(x > 0, x, 0.5 * np.expm1(x)), "alpha"),
    _same("softmax", X, lambda x: _softmax(x, -1)),
    Problem("softmax", (X,), lambda k, x: k.softmax(x, axis=1), lambda x: _softmax(x, 1), "axis"),
    Problem("dot", (X,), lambda k, x: k.dot(x, k.constant(MATRIX)), lambda x: x @ MATRIX),
    Problem("dot", (ROWS[:, :5],), lambda k, x: k.dot(x, k.constant(MATRIX)), lambda x: x @ MATRIX, "rows"),
    Problem(
        "dot", (X,), lambda k, x: k.dot(x, k.constant(CUBE)), lambda x: np.einsum("abk,ckd->abcd", x, CUBE), "cube"
    ),
    Problem("batch_dot", (X, Y), lambda k, x, y: k.batch_dot(x, y, axes=2), lambda x, y: x @ y.transpose(0, 2, 1)),
    Problem(
        "batch_dot",
        (X, _floats(20, 3, 5, 2)),
        lambda k, x, y: k.batch_dot(x, y),
        lambda x, y: x @ y,
        "default",
    ),
    Problem(
        "batch_dot",
        (ROWS, ROWS[::-1].copy()),
        lambda k, x, y: k.batch_dot(x, y, axes=1),
        lambda x, y: (x * y).sum(1, keepdims=True),
        "rows",
    ),
    Problem(
        "batch_dot",
        (X, ROWS[:, :4]),
        lambda k, x, y: k.batch_dot(x, y, axes=[1, 1]),
        lambda x, y: np.einsum("bij,bi->bj", x, y),
        "matrix_by_row",
    ),
    Problem(
        "batch_dot",
        (ROWS[:, :4], X),
        lambda k, x, y: k.batch_dot(x, y, axes=(1, 1)),
        lambda x, y: np.einsum("bi,bij->bj", x, y),
        "row_by_matrix",
    ),
    Problem(
        "batch_dot",
        (X, _floats(21, 3, 2, 4, 6)),
        lambda k, x, y: k.batch_dot(x, y, axes=(1, 2)),
        lambda x, y: np.einsum("bij,bkil->bjkl", x, y),
        "four_axes",
    ),
    Problem("bias_add", (X,), lambda k, x: k.bias_add(x, k.constant(VECTOR)), lambda x: x + VECTOR),
    Problem(
        "bias_add",
        (FIRST,),
        lambda k, x: k.bias_add(x, k.constant(VECTOR[:3]), data_format="channels_first"),
        lambda x: x + VECTOR[:3, None, None],
        "first",
    ),
    Problem(
        "bias_add",
        (FIRST,),
        lambda k, x: k.bias_add(x, k.constant(IMAGES[0]), data_format="channels_first"),
        lambda x: x + IMAGES[0].reshape(FIRST[0].shape),
        "whole_first",
    ),
    Problem("bias_add", (IMAGES,), lambda k, x: k.bias_add(x, k.constant(IMAGES[1])), lambda x: x + IMAGES[1], "whole"),
    Problem(
        "batch_normalization",
        (IMAGES,),
        lambda k, x: k.batch_normalization(
            x,
            k.constant([0.1, 0.2, 0.3]),
            k.constant([1.0, 2.0, 3.0]),
            k.constant([1.0, 0, -1]),
            k.constant([2.0, 1, 3]),
        ),
        lambda x: (x - [0.1, 0.2, 0.3]) / np.sqrt(np.array([1, 2, 3]) + 1e-3) * [2, 1, 3] + [1, 0, -1],
    ),
    Problem(
        "conv1d", (STEPS,), lambda k, x: k.conv1d(x, k.constant(KERNEL1)), lambda x: _convolved(x, KERNEL1, (1,), False)
    ),
    Problem(
        "conv1d",
        (STEPS,),
        lambda k, x: k.conv1d(x, k.constant(KERNEL1), padding="causal", dilation_rate=2),
        lambda x: _convolved(np.pad(x, ((0, 0), (4, 0), (0, 0))), KERNEL1, (1,), False, 2),
        "causal",
    ),
    Problem(
        "conv2d",
        (IMAGES,),
        lambda k, x: k.conv2d(x, k.constant(KERNEL2), strides=(2, 1), padding="same"),
        lambda x: _convolved(x, KERNEL2, (2, 1), True),
    ),
    Problem(
        "conv2d",
        (IMAGES,),
        lambda k, x: k.conv2d(x, k.constant(KERNEL2), dilation_rate=(2, 2), data_format="channels_last"),
        lambda x: _convolved(x, KERNEL2, (1, 1), False, 2),
        "dilated",
    ),
    Problem(
        "conv2d",
        (FIRST,),
        lambda k, x: k.conv2d(x, k.constant(KERNEL2), data_format="channels_first"),
        _last(lambda x: _convolved(x, KERNEL2, (1, 1), False)),
        "first",
    ),
    Problem(
        "conv3d",
        (VOLUMES,),
        lambda k, x: k.conv3d(x, k.constant(KERNEL3), strides=(1, 2, 1)),
        lambda x: _convolved(x, KERNEL3, (1, 2, 1), False),
    ),
    Problem(
        "depthwise_conv2d",
        (IMAGES,),
        lambda k, x: k.depthwise_conv2d(x, k.constant(KERNEL2), strides=(2, 2), padding="same"),
        lambda x: _by_channel(x, KERNEL2, (2, 2), True),
    ),
    Problem(
        "depthwise_conv2d",
        (IMAGES,),
        lambda k, x: k.depthwise_conv2d(x, k.constant(KERNEL2), data_format="channels_last"),
        lambda x: _by_channel(x, KERNEL2, (1, 1), False),
        "valid",
    ),
    Problem(
        "separable_conv2d",
        (IMAGES,),
        lambda k, x: k.separable_conv2d(x, k.constant(KERNEL2), k.constant(POINTWISE)),
        lambda x: _by_channel(x, KERNEL2, (1, 1), False) @ POINTWISE[0, 0],
    ),
    Problem(
        "resize_images",
        (IMAGES,),
        lambda k, x: k.resize_images(x, 2, 3, "channels_last"),
        lambda x: x.repeat(2, 1).repeat(3, 2),
    ),
    Problem(
        "resize_images",
        (FIRST,),
        lambda k, x: k.resize_images(x, 2, 3, "channels_first"),
        lambda x: x.repeat(2, 2).repeat(3, 3),
        "first",
    ),
    Problem(
        "resize_images",
        (IMAGES,),
        lambda k, x: k.resize_images(x, 1, 2, "channels_last", interpolation="bilinear"),
        _doubled,
        "bilinear",
    ),
    Problem(
        "resize_volumes",
        (VOLUMES,),
        lambda k, x: k.resize_volumes(x, 2, 1, 3, "channels_last"),
        lambda x: x.repeat(2, 1).repeat(3, 3),
    ),
    Problem("pool2d", (IMAGES,), lambda k, x: k.pool2d(x, (2, 3)), lambda x: _pooled(x, (2, 3), (1, 1), np.max)),
    Problem(
        "pool2d",
        (IMAGES,),
        lambda k, x: k.pool2d(x, (2, 2), strides=(2, 2), pool_mode="avg"),
        lambda x: _pooled(x, (2, 2), (2, 2), np.mean),
        "average",
    ),
    Problem(
        "pool2d",
        (FIRST,),
        lambda k, x: k.pool2d(x, (2, 2), data_format="channels_first"),
        _last(lambda x: _pooled(x, (2, 2), (1, 1), np.max)),
        "first",
    ),
    Problem(
        "pool3d", (VOLUMES,), lambda k, x: k.pool3d(x, (2, 2, 3)), lambda x: _pooled(x, (2, 2, 3), (1, 1, 1), np.max)
    ),
    Problem(
        "switch",
        (X, Y),
        lambda k, x, y: k.switch(k.greater(x, y), x, lambda: y * 2),
        lambda x, y: np.where(x > y, x, y * 2),
    ),
    Problem(
        "switch",
        (BOOLS[:, 0, 0], X, Y),
        lambda k, c, x, y: k.switch(c, x, y),
        lambda c, x, y: np.where(c[:, None, None], x, y),
        "rows",
    ),
    Problem(
        "switch",
        (X, Y),
        lambda k, x, y: k.switch(k.greater(k.sum(x), k.sum(y)), x, y),
        lambda x, y: x if x.sum() > y.sum() else y,
        "scalar",
    ),
    Problem("in_train_phase", (X,), lambda k, x: k.in_train_phase(lambda: x * 2, x), lambda x: x),
    Problem(
        "in_train_phase", (X,), lambda k, x: k.in_train_phase(x * 2, x, training=True), lambda x: x * 2, "training"
    ),
    Problem("in_test_phase", (X,), lambda k, x: k.in_test_phase(x * 2, lambda: x), lambda x: x * 2),
]

PROBLEMS: list[Problem] = [*ARITHMETIC, *ARRAYS, *NETWORK]

NO_PROBLEM: dict[str, str] = {
    **dict.fromkeys(("backend", "epsilon", "floatx", "image_data_format", "normalize_data_format"), "settings"),
    **dict.fromkeys(("set_epsilon", "set_floatx", "set_image_data_format"), "settings"),
    **dict.fromkeys(("clear_session", "get_uid", "reset_uids", "name_scope"), "names"),
    **dict.fromkeys(("learning_phase", "learning_phase_scope", "set_learning_phase"), "the learning phase"),
    **dict.fromkeys(("arange", "constant", "eye", "ones", "zeros", "variable", "placeholder"), "takes no tensor"),
    **dict.fromkeys(
        ("count_params", "dtype", "int_shape", "ndim", "is_keras_tensor", "is_sparse"), "answers no tensor"
    ),
    **dict.fromkeys(("get_value", "set_value", "batch_get_value", "batch_set_value", "eval"), "variables"),
    **dict.fromkeys(("cast_to_floatx", "function"), "settings and models"),
}
"""Functions that are tested by themselves, and why."""
