"""Single layers by short descriptions: what `benchmarks.kernels` and `benchmarks.layers` time.

    conv 56 56 64 64 3        height, width, channels, filters, kernel size (borders kept, ReLU behind it)
    conv 56 56 128 128 3 s2   with stride 2; d2 for a dilation; `linear` for no activation
    gemm 1024 1024 1024       rows, inner size, columns

`KINDS` lists them all. Weights are seeded and of the size that trained ones have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np


class Problem(NamedTuple):
    """A description that was read.

    Args:
        text: it, as it was given.
        kind: a key of `KINDS`.
        sizes: its numbers.
        stride, dilation: from words like `s2` and `d4`; 0 where not said.
        activation: "relu", or "linear" where that was said.
        batch: samples.
    """

    text: str
    kind: str
    sizes: tuple[int, ...]
    stride: int
    dilation: int
    activation: str
    batch: int = 1


class Kind(NamedTuple):
    """A kind of layer.

    Args:
        sizes: what its numbers are.
        build: from a problem to the shapes of the inputs without the batch, and what is done with them.
        bound: "compute", or "memory" where bytes set the time.
    """

    sizes: str
    build: Callable[[Problem], tuple[list[tuple[int, ...]], Callable[..., Any]]]
    bound: str = "compute"


def parse(text: str, batch: int = 1) -> Problem:
    """Read a description.

    Raises:
        ValueError: it is none; the message says what there is.

    Example:
        >>> parse("conv 56 56 64 128 3 s2").sizes
        (56, 56, 64, 128, 3)
        >>> parse("conv 56 56")
        Traceback (most recent call last):
        ValueError: 'conv' takes height width channels filters kernel [s d linear], received 'conv 56 56'.
    """
    kind, *words = text.split()
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is none of: {', '.join(KINDS)}.")
    sizes = tuple(int(word) for word in words if word.isdigit())
    marks = {word[0]: int(word[1:]) for word in words if word[:1] in "sd" and word[1:].isdigit()}
    others = [word for word in words if not word.isdigit() and word[1:] != str(marks.get(word[0]))]
    if len(sizes) != len(KINDS[kind].sizes.split()) or set(others) - {"linear"}:
        raise ValueError(f"{kind!r} takes {KINDS[kind].sizes} [s d linear], received {text!r}.")
    activation = "linear" if others else "relu"
    return Problem(text, kind, sizes, marks.get("s", 0), marks.get("d", 0), activation, batch)


# -- what each kind is


def _layer(name: str, shape: tuple[int, ...], *args: Any, **options: Any) -> tuple[list[tuple[int, ...]], Any]:
    from graphflow import layers

    return [shape], getattr(layers, name)(*args, **options)


def _windowed(problem: Problem, padding: str = "same") -> dict[str, Any]:
    given: dict[str, Any] = {"padding": padding, "activation": problem.activation}
    if problem.stride:
        given["strides"] = problem.stride
    if problem.dilation:
        given["dilation_rate"] = problem.dilation
    return given


def _conv(dimensions: int) -> Callable[[Problem], Any]:
    def build(problem: Problem) -> Any:
        *space, channels, filters, kernel = problem.sizes
        options = _windowed(problem, "causal" if dimensions == 1 else "same")
        return _layer(f"Conv{dimensions}D", (*space, channels), filters, kernel, **options)

    return build


def _transposed(problem: Problem) -> Any:
    *space, channels, filters, kernel = problem.sizes
    return _layer("Conv2DTranspose", (*space, channels), filters, kernel, **_windowed(problem))


def _depthwise(problem: Problem) -> Any:
    *shape, kernel = problem.sizes
    return _layer("DepthwiseConv2D", tuple(shape), kernel, **_windowed(problem))


def _dense(problem: Problem) -> Any:
    inner, columns = problem.sizes
    return _layer("Dense", (inner,), columns, activation=problem.activation)


def _gemm(problem: Problem) -> Any:
    rows, inner, columns = problem.sizes
    return _layer("Dense", (rows, inner), columns, activation=problem.activation)


def _matmul(problem: Problem) -> Any:
    from graphflow import ops

    rows, inner, columns = problem.sizes
    return [(rows, inner), (inner, columns)], ops.matmul


def _pool(kind: str, dimensions: int = 2) -> Callable[[Problem], Any]:
    def build(problem: Problem) -> Any:
        *shape, size = problem.sizes
        strides = problem.stride or size
        padding = "valid" if strides == size else "same"
        return _layer(f"{kind}Pooling{dimensions}D", tuple(shape), size, strides=strides, padding=padding)

    return build


def _global(kind: str) -> Callable[[Problem], Any]:
    return lambda problem: _layer(f"Global{kind}Pooling2D", problem.sizes)


def _activation(name: str) -> Callable[[Problem], Any]:
    return lambda problem: _layer("Activation", problem.sizes, name)


def _add(problem: Problem) -> Any:
    from graphflow import layers

    return [problem.sizes] * 2, lambda a, b: layers.Add()([a, b])


def _multiply(problem: Problem) -> Any:
    from graphflow import layers

    return [problem.sizes] * 2, lambda a, b: layers.Multiply()([a, b])


def _chain(problem: Problem) -> Any:
    from graphflow import ops

    return [problem.sizes] * 2, lambda a, b: ops.absolute(ops.maximum(a, b) * 0.5 + a)


def _permute(problem: Problem) -> Any:
    return _layer("Permute", problem.sizes, (3, 1, 2))


def _softmax(problem: Problem) -> Any:
    return _layer("Softmax", problem.sizes)


def _layer_norm(problem: Problem) -> Any:
    return _layer("LayerNormalization", problem.sizes)


def _sum(axis: int) -> Callable[[Problem], Any]:
    def build(problem: Problem) -> Any:
        from graphflow import ops

        return [problem.sizes], lambda x: ops.sum(x, axis=axis)

    return build


IMAGE = "height width channels"
KINDS: dict[str, Kind] = {
    "conv": Kind(f"{IMAGE} filters kernel", _conv(2)),
    "conv1d": Kind("steps channels filters kernel", _conv(1)),
    "conv3d": Kind("depth height width channels filters kernel", _conv(3)),
    "transposed": Kind(f"{IMAGE} filters kernel", _transposed),
    "depthwise": Kind(f"{IMAGE} kernel", _depthwise),
    "dense": Kind("inner columns", _dense),
    "gemm": Kind("rows inner columns", _gemm),
    "matmul": Kind("rows inner columns", _matmul),
    "max_pool": Kind(f"{IMAGE} window", _pool("Max"), "memory"),
    "average_pool": Kind(f"{IMAGE} window", _pool("Average"), "memory"),
    "max_pool1d": Kind("steps channels window", _pool("Max", 1), "memory"),
    "max_pool3d": Kind("depth height width channels window", _pool("Max", 3), "memory"),
    "global_average": Kind(IMAGE, _global("Average"), "memory"),
    "global_max": Kind(IMAGE, _global("Max"), "memory"),
    "relu": Kind("elements", _activation("relu"), "memory"),
    "sigmoid": Kind("elements", _activation("sigmoid"), "memory"),
    "tanh": Kind("elements", _activation("tanh"), "memory"),
    "gelu": Kind("elements", _activation("gelu"), "memory"),
    "add": Kind("elements", _add, "memory"),
    "multiply": Kind("elements", _multiply, "memory"),
    "chain": Kind("elements", _chain, "memory"),
    "softmax": Kind("rows columns", _softmax, "memory"),
    "layer_norm": Kind("rows columns", _layer_norm, "memory"),
    "permute": Kind(IMAGE, _permute, "memory"),
    "sum_rows": Kind("rows columns", _sum(1), "memory"),
    "sum_last": Kind("rows columns", _sum(-1), "memory"),
}
"""Name to kind. `max_pool` and `average_pool` move by their window unless `s` says otherwise, and keep borders then;
`conv1d` is causal; `matmul` has two computed operands; `chain` is |max(a, b) / 2 + a|;
`sum_rows` adds rows up, `sum_last` columns."""


def model_of(problem: Problem) -> Any:
    """The problem as a graphflow model with seeded weights."""
    from graphflow import Input, Model

    shapes, function = KINDS[problem.kind].build(problem)
    inputs = [Input(shape, name=f"x{index}") for index, shape in enumerate(shapes)]
    output = function(*inputs)
    weights = getattr(function, "get_weights", list)()
    if weights:
        function.set_weights(list(_seeded(weights)))
    return Model(inputs, output)


def _seeded(weights: Sequence[Any]) -> Iterator[Any]:
    generator = np.random.default_rng(3)
    for weight in weights:
        scale = 0.1 if weight.ndim == 1 else 1.0 / np.sqrt(np.prod(weight.shape[:-1]))
        yield generator.normal(float(weight.ndim == 1), scale, weight.shape).astype(weight.dtype)
