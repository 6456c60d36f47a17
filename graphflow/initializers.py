"""Initial values of weights. With a seed they are reproducible; each call of one object goes on in its sequence.

Source of the scaled families: Glorot and Bengio 2010, He et al. 2015, LeCun et al. 1998, Saxe et al. 2014;
https://keras.io/api/layers/initializers/
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from graphflow.errors import ArgumentError, ShapeError, UnsupportedError
from graphflow.registry import Configured, Registry

Array = np.ndarray[Any, Any]


class Initializer(Configured):
    """Makes the initial value of a weight: `initializer(shape, dtype)`."""

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        raise UnsupportedError(f"The initializer {type(self).__name__} does not define `__call__`.")


REGISTRY: Registry[Initializer] = Registry("initializer", Initializer)
get = REGISTRY.get


class _Random(Initializer):
    def __init__(self, seed: int | None = None) -> None:
        self.seed = seed

    @cached_property
    def _generator(self) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64(_plain_seed(self.seed)))

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


def _plain_seed(seed: Any) -> int | None:
    if isinstance(seed, dict):
        seed = (seed.get("config") or {}).get("seed")
    return None if seed is None else int(seed) % 2**63


@REGISTRY.add("zero")
class Zeros(Initializer):
    """All zeros."""

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        return np.zeros(shape, dtype)


@REGISTRY.add("one")
class Ones(Initializer):
    """All ones."""

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        return np.ones(shape, dtype)


@REGISTRY.add()
class Constant(Initializer):
    """One value, or an array that broadcasts to the shape."""

    def __init__(self, value: Any = 0.0) -> None:
        self.value = value

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        return np.array(np.broadcast_to(np.asarray(self.value, dtype), tuple(shape)))

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value}


@REGISTRY.add("normal")
class RandomNormal(_Random):
    """Normal with a mean and a standard deviation."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean, self.stddev = mean, stddev

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        return self._generator.normal(self.mean, self.stddev, shape).astype(dtype)

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed}


@REGISTRY.add("uniform")
class RandomUniform(_Random):
    """Uniform between two bounds."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.minval, self.maxval = minval, maxval

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        return self._generator.uniform(self.minval, self.maxval, shape).astype(dtype)

    def get_config(self) -> dict[str, Any]:
        return {"minval": self.minval, "maxval": self.maxval, "seed": self.seed}


def _truncated(generator: np.random.Generator, stddev: float, shape: Sequence[int]) -> Array:
    values = generator.normal(0.0, 1.0, shape)
    outside = np.abs(values) > 2
    while outside.any():
        values[outside] = generator.normal(0.0, 1.0, int(outside.sum()))
        outside = np.abs(values) > 2
    return values * stddev


@REGISTRY.add()
class TruncatedNormal(_Random):
    """Normal, drawn again beyond two standard deviations."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean, self.stddev = mean, stddev

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        return (_truncated(self._generator, self.stddev, shape) + self.mean).astype(dtype)

    def get_config(self) -> dict[str, Any]:
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed}


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """How many inputs and outputs a unit of a weight of this shape has."""
    if len(shape) < 2:
        size = shape[0] if shape else 1
        return size, size
    window = math.prod(shape[:-2])
    return shape[-2] * window, shape[-1] * window


@REGISTRY.add()
class VarianceScaling(_Random):
    """Variance scale / fan, by a uniform, normal or truncated normal distribution."""

    def __init__(
        self, scale: float = 1.0, mode: str = "fan_in", distribution: str = "truncated_normal", seed: int | None = None
    ) -> None:
        super().__init__(seed)
        mode, distribution = mode.lower(), distribution.lower()
        if scale <= 0:
            raise ArgumentError(f"scale must be positive, received {scale}.")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise ArgumentError(f"mode must be 'fan_in', 'fan_out' or 'fan_avg', received {mode!r}.")
        distribution = "truncated_normal" if distribution == "normal" else distribution
        if distribution not in ("uniform", "truncated_normal", "untruncated_normal"):
            raise ArgumentError(
                f"distribution must be uniform, truncated_normal or untruncated_normal, received {distribution!r}."
            )
        self.scale, self.mode, self.distribution = scale, mode, distribution

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        fan_in, fan_out = fans(shape)
        fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, fan)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return self._generator.uniform(-limit, limit, shape).astype(dtype)
        if self.distribution == "untruncated_normal":
            return self._generator.normal(0.0, math.sqrt(variance), shape).astype(dtype)
        # 0.8796... is the standard deviation of a unit normal truncated at two
        return _truncated(self._generator, math.sqrt(variance) / 0.87962566103423978, shape).astype(dtype)

    def get_config(self) -> dict[str, Any]:
        return {"scale": self.scale, "mode": self.mode, "distribution": self.distribution, "seed": self.seed}


class _Scaled(VarianceScaling):
    settings: tuple[float, str, str]

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(*self.settings, seed=seed)

    def get_config(self) -> dict[str, Any]:
        return {"seed": self.seed}


@REGISTRY.add()
class GlorotUniform(_Scaled):
    """Uniform, variance 2 / (fan_in + fan_out)."""

    settings = (1.0, "fan_avg", "uniform")


@REGISTRY.add()
class GlorotNormal(_Scaled):
    """Truncated normal, variance 2 / (fan_in + fan_out)."""

    settings = (1.0, "fan_avg", "truncated_normal")


@REGISTRY.add()
class HeUniform(_Scaled):
    """Uniform, variance 2 / fan_in."""

    settings = (2.0, "fan_in", "uniform")


@REGISTRY.add()
class HeNormal(_Scaled):
    """Truncated normal, variance 2 / fan_in."""

    settings = (2.0, "fan_in", "truncated_normal")


@REGISTRY.add()
class LecunUniform(_Scaled):
    """Uniform, variance 1 / fan_in."""

    settings = (1.0, "fan_in", "uniform")


@REGISTRY.add()
class LecunNormal(_Scaled):
    """Truncated normal, variance 1 / fan_in."""

    settings = (1.0, "fan_in", "truncated_normal")


@REGISTRY.add("OrthogonalInitializer")
class Orthogonal(_Random):
    """A matrix with orthonormal rows or columns, times gain."""

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        if len(shape) < 2:
            raise ShapeError(f"Orthogonal needs a shape of at least two dimensions, received {tuple(shape)}.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        normal = self._generator.normal(0.0, 1.0, (max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(normal)
        q = q * np.sign(np.diag(r))
        return (self.gain * (q.T if rows < columns else q).reshape(shape)).astype(dtype)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain, "seed": self.seed}


@REGISTRY.add("IdentityInitializer")
class Identity(Initializer):
    """The identity matrix, times gain."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: str = "float32") -> Array:
        if len(shape) != 2:
            raise ShapeError(f"Identity needs a shape of two dimensions, received {tuple(shape)}.")
        return np.asarray(self.gain * np.eye(shape[0], shape[1]), dtype)

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}
