"""Random numbers from an explicit seed: the same seed and shape give the same numbers (Philox, counter-based)."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow.errors import ShapeError
from graphflow.ops.dispatch import apply
from graphflow.ops.elementwise import add, cast, greater_equal, multiply
from graphflow.ops.operands import dtype_of, floating
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec, format_shape


def _infer_uniform(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    shape = specs[0].shape
    if attrs["shape"] is not None:
        if len(attrs["shape"]) != len(shape):
            raise ShapeError(
                f"noise_shape must have one entry per axis of {format_shape(shape)}, received {attrs['shape']}."
            )
        shape = tuple(size if given is None else given for size, given in zip(shape, attrs["shape"], strict=True))
    return (specs[0].with_shape(shape),)


def _generator(attrs: Attrs, like: Array, seed: Array) -> tuple[np.random.Generator, Any]:
    (spec,) = _infer_uniform(attrs, (TensorSpec(like.shape, like.dtype.name),), ())
    return np.random.Generator(np.random.Philox(key=np.asarray(seed, np.uint64))), spec.shape


def _uniform_reference(attrs: Attrs, like: Array, seed: Array) -> Array:
    generator, shape = _generator(attrs, like, seed)
    return np.asarray(generator.random(shape, np.float32), like.dtype)


def _normal_reference(attrs: Attrs, like: Array, seed: Array) -> Array:
    generator, shape = _generator(attrs, like, seed)
    return np.asarray(generator.standard_normal(shape, np.float32), like.dtype)


UNIFORM = define("random_uniform", _infer_uniform, _uniform_reference, effect="random")
NORMAL = define("random_normal", _infer_uniform, _normal_reference, effect="random")


def random_uniform(like: Any, seed: Any, shape: Any = None) -> Any:
    """Numbers in [0, 1), of like's shape and dtype.

    Args:
        seed: two integers, the key of the generator.
        shape: another shape of the same rank, None where it is like's.
    """
    return apply(UNIFORM, (floating(like), seed), {"shape": None if shape is None else tuple(shape)})


def random_normal(like: Any, seed: Any, mean: float = 0.0, stddev: float = 1.0) -> Any:
    """Normal numbers of like's shape and dtype; `seed`: two integers, the key of the generator."""
    noise = apply(NORMAL, (floating(like), seed), {"shape": None})
    return add(multiply(noise, stddev), mean)


def dropout(x: Any, rate: float, seed: Any, noise_shape: Any = None) -> Any:
    """x with a share `rate` of its elements set to zero, the rest scaled by 1 / (1 - rate) (Srivastava et al., 2014).

    Args:
        rate: in [0, 1).
        seed: two integers, the key of the generator.
        noise_shape: the shape of the mask, None where it is x's; elements that share a mask are dropped together.
    """
    x = floating(x)
    noise = random_uniform(x, seed, noise_shape)
    return multiply(multiply(x, cast(greater_equal(noise, rate), dtype_of(x))), 1.0 / (1.0 - rate))
