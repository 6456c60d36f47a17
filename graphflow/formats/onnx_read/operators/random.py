"""Random numbers, the same in every run and others for every node (`seed` chooses among them), and dropout."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

from graphflow import ops
from graphflow.errors import UnsupportedError
from graphflow.formats.onnx_read.operators.elementwise import target_dtype
from graphflow.formats.onnx_read.program import Call
from graphflow.formats.onnx_read.registry import operator
from graphflow.ops.known import value_of
from graphflow.ops.operands import cast_to, dtype_of


def _seed(node: Call, seed: float | None) -> Any:
    number = 0 if seed is None else struct.unpack("<I", struct.pack("<f", seed))[0] + 1
    return np.asarray([zlib.crc32(node.name.encode()), number], np.int64)


def _dtype(code: int | None, like: Any) -> str:
    if code is not None:
        return target_dtype(code)
    return str(dtype_of(like)) if dtype_of(like) in ("float16", "bfloat16", "float32", "float64") else "float32"


def _uniform(node: Call, like: Any, dtype: str, low: float, high: float, seed: float | None) -> Any:
    made = ops.random_uniform(ops.zeros_like(like, "float32"), _seed(node, seed))
    return cast_to(ops.add(ops.multiply(made, np.float32(high - low)), np.float32(low)), dtype)


def _normal(node: Call, like: Any, dtype: str, mean: float, scale: float, seed: float | None) -> Any:
    return cast_to(ops.random_normal(ops.zeros_like(like, "float32"), _seed(node, seed), mean, scale), dtype)


@operator("RandomUniformLike")
def random_uniform_like(
    node: Call, x: Any, *, dtype: int | None = None, low: float = 0.0, high: float = 1.0, seed: float | None = None
) -> Any:
    return _uniform(node, x, _dtype(dtype, x), low, high, seed)


@operator("RandomUniform")
def random_uniform(
    node: Call, *, shape: tuple[int, ...], dtype: int = 1, low: float = 0.0, high: float = 1.0, seed: Any = None
) -> Any:
    return _uniform(node, np.zeros(shape, np.float32), target_dtype(dtype), low, high, seed)


@operator("RandomNormalLike")
def random_normal_like(
    node: Call, x: Any, *, dtype: int | None = None, mean: float = 0.0, scale: float = 1.0, seed: float | None = None
) -> Any:
    return _normal(node, x, _dtype(dtype, x), mean, scale, seed)


@operator("RandomNormal")
def random_normal(
    node: Call, *, shape: tuple[int, ...], dtype: int = 1, mean: float = 0.0, scale: float = 1.0, seed: Any = None
) -> Any:
    return _normal(node, np.zeros(shape, np.float32), target_dtype(dtype), mean, scale, seed)


@operator("Bernoulli", since=15)
def bernoulli(node: Call, x: Any, *, dtype: int | None = None, seed: float | None = None) -> Any:
    noise = ops.random_uniform(ops.zeros_like(x, "float32"), _seed(node, seed))
    hit = ops.less(noise, cast_to(x, "float32"))
    return cast_to(hit, str(dtype_of(x)) if dtype is None else target_dtype(dtype))


@operator("Multinomial", since=7)
def multinomial(node: Call, x: Any, *, dtype: int = 6, sample_size: int = 1, seed: float | None = None) -> Any:
    """Classes by their logarithmic probabilities: each sample is the largest of them after Gumbel noise."""
    if target_dtype(dtype) not in ("int32", "int64"):
        raise UnsupportedError("Multinomial gives int32 or int64.")
    wide = ops.tile(ops.expand_dims(x, 1), (1, sample_size, 1))
    noise = ops.random_uniform(ops.zeros_like(wide, "float32"), _seed(node, seed))
    gumbel = ops.negative(ops.log(ops.negative(ops.log(ops.maximum(noise, np.float32(1e-30))))))
    return cast_to(ops.argmax(ops.add(cast_to(wide, "float32"), gumbel), -1), target_dtype(dtype))


@operator("Dropout", since=12)
def dropout(node: Call, x: Any, ratio: Any = None, training: Any = None, *, seed: int = 0) -> Any:
    if training is not None and bool(value_of(training, "Whether it is trained").item()):
        rate = 0.5 if ratio is None else float(value_of(ratio, "The ratio").item())
        if rate:
            raise UnsupportedError("Dropout in training is not supported.")
    return x, ops.ones_like(x, "bool") if node.wants(1) else None


@operator("Dropout", since=7)
def dropout_by_attribute(node: Call, x: Any, *, ratio: float = 0.5) -> Any:
    """The mask had the data's type up to version 9."""
    mask = None
    if node.wants(1):
        mask = ops.ones_like(x, "bool" if node.version >= 10 else dtype_of(x))
    return x, mask


@operator("Dropout")
def dropout_old(node: Call, x: Any, *, ratio: float = 0.5, is_test: int = 0) -> Any:
    if not is_test:
        raise UnsupportedError("Dropout in training (is_test=0) is not supported.")
    return dropout_by_attribute(node, x)
