"""Projections of weights after a training step. Source: https://keras.io/api/layers/constraints/"""

from __future__ import annotations

from typing import Any

from graphflow import ops
from graphflow.errors import UnsupportedError
from graphflow.registry import Configured, Registry


class Constraint(Configured):
    """A projection: from a tensor or array to one of its shape."""

    def __call__(self, w: Any) -> Any:
        raise UnsupportedError(f"The constraint {type(self).__name__} does not define `__call__`.")


REGISTRY: Registry[Constraint] = Registry("constraint", Constraint)
get = REGISTRY.get


def _norm(w: Any, axis: Any) -> Any:
    return ops.sqrt(ops.sum(ops.square(w), axis, True))


@REGISTRY.add("max_norm")
class MaxNorm(Constraint):
    """Norms along `axis` at most `max_value`."""

    def __init__(self, max_value: float = 2, axis: Any = 0) -> None:
        self.max_value, self.axis = max_value, axis

    def __call__(self, w: Any) -> Any:
        norms = _norm(w, self.axis)
        return w * (ops.clip(norms, 0, self.max_value) / (norms + 1e-7))

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


@REGISTRY.add("non_neg", "nonneg")
class NonNeg(Constraint):
    """No negative elements."""

    def __call__(self, w: Any) -> Any:
        return ops.relu(w)


@REGISTRY.add("unit_norm")
class UnitNorm(Constraint):
    """Norms of one along `axis`."""

    def __init__(self, axis: Any = 0) -> None:
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        return w / (_norm(w, self.axis) + 1e-7)

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


@REGISTRY.add("min_max_norm")
class MinMaxNorm(Constraint):
    """Norms along `axis` moved towards [min_value, max_value] at `rate`."""

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0) -> None:
        self.min_value, self.max_value, self.rate, self.axis = min_value, max_value, rate, axis

    def __call__(self, w: Any) -> Any:
        norms = _norm(w, self.axis)
        wanted = self.rate * ops.clip(norms, self.min_value, self.max_value) + (1 - self.rate) * norms
        return w * (wanted / (norms + 1e-7))

    def get_config(self) -> dict[str, Any]:
        return {"min_value": self.min_value, "max_value": self.max_value, "rate": self.rate, "axis": self.axis}


max_norm = MaxNorm
non_neg = NonNeg
unit_norm = UnitNorm
min_max_norm = MinMaxNorm
