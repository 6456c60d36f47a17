"""Random numbers from an explicit seed: the same seed and shape give the same numbers (Philox, counter-based)."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow.ops.dispatch import apply
from graphflow.ops.elementwise import cast, greater_equal, multiply
from graphflow.ops.operands import dtype_of, floating
from graphflow.ops.registry import Array, Attrs, define
from graphflow.spec import TensorSpec


def _infer_uniform(attrs: Attrs, specs: Any, values: Any) -> tuple[TensorSpec, ...]:
    shape = specs[0].shape
    if attrs["shape"] is not None:
        shape = tuple(size if given is None else given for size, given in zip(shape, attrs["shape"], strict=True))
    return (specs[0].with_shape(shape),)


def _uniform_reference(attrs: Attrs, like: Array, seed: Array) -> Array:
    (spec,) = _infer_uniform(attrs, (TensorSpec(like.shape, like.dtype.name),), ())
    generator = np.random.Generator(np.random.Philox(key=np.asarray(seed, np.uint64)))
    return generator.random(spec.shape, np.float32).astype(like.dtype)  # type: ignore[arg-type]


UNIFORM = define("random_uniform", _infer_uniform, _uniform_reference, effect="random")


def dropout(x: Any, rate: float, seed: Any, noise_shape: Any = None) -> Any:
    """x with a share `rate` of its elements set to zero, the rest scaled by 1 / (1 - rate) (Srivastava et al., 2014).

    Args:
        rate: in [0, 1).
        seed: two integers, the key of the generator.
        noise_shape: the shape of the mask, None where it is x's; elements that share a mask are dropped together.
    """
    x = floating(x)
    shape = None if noise_shape is None else tuple(noise_shape)
    noise = apply(UNIFORM, (x, seed), {"shape": shape})
    return multiply(multiply(x, cast(greater_equal(noise, rate), dtype_of(x))), 1.0 / (1.0 - rate))
