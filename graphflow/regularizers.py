"""Penalties on weights and activities. Source: https://keras.io/api/layers/regularizers/"""

from __future__ import annotations

import math
from typing import Any

from graphflow import config, ops
from graphflow.errors import ArgumentError, ShapeError, UnsupportedError
from graphflow.registry import Configured, Registry


class Regularizer(Configured):
    """A penalty: from a tensor or array to a scalar."""

    def __call__(self, x: Any) -> Any:
        raise UnsupportedError(f"The regularizer {type(self).__name__} does not define `__call__`.")


def _factor(value: Any, name: str) -> float:
    if value is None or isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ArgumentError(f"{name} must be a finite number of at least 0, received {value!r}.")
    return float(value)


REGISTRY: Registry[Regularizer] = Registry("regularizer", Regularizer)
get = REGISTRY.get


@REGISTRY.add("l1_l2")
class L1L2(Regularizer):
    """l1 * sum(|x|) + l2 * sum(x squared)."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = _factor(l1 or 0, "l1"), _factor(l2 or 0, "l2")

    def __call__(self, x: Any) -> Any:
        return self.l1 * ops.sum(ops.absolute(x)) + self.l2 * ops.sum(ops.square(x))

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


@REGISTRY.add()
class L1(Regularizer):
    """l1 * sum(|x|)."""

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = _factor(l1, "l1")

    def __call__(self, x: Any) -> Any:
        return self.l1 * ops.sum(ops.absolute(x))

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


@REGISTRY.add()
class L2(Regularizer):
    """l2 * sum(x squared)."""

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = _factor(l2, "l2")

    def __call__(self, x: Any) -> Any:
        return self.l2 * ops.sum(ops.square(x))

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


@REGISTRY.add("orthogonal_regularizer")
class OrthogonalRegularizer(Regularizer):
    """factor times the mean |cosine| between two different rows of a matrix, or columns (`mode`)."""

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = _factor(factor, "factor")
        if mode not in ("rows", "columns"):
            raise ArgumentError(f"mode must be 'rows' or 'columns', received {mode!r}.")
        self.mode = mode

    def __call__(self, x: Any) -> Any:
        if len(x.shape) != 2:
            raise ShapeError(f"OrthogonalRegularizer needs a matrix, received shape {x.shape}.")
        rows = x if self.mode == "rows" else ops.transpose(x)
        size = int(rows.shape[0])
        unit = rows * ops.minimum(ops.rsqrt(ops.sum(ops.square(rows), 1, True)), 1.0 / config.epsilon())
        products = ops.absolute(ops.matmul(unit, ops.transpose(unit)))
        between = ops.sum(products) - ops.sum(ops.einsum("ii->i", products))
        return self.factor * between / max(size * (size - 1), 1)

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "mode": self.mode}


def l1_l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    """Both penalties."""
    return L1L2(l1, l2)


l1 = L1
l2 = L2
orthogonal_regularizer = OrthogonalRegularizer
