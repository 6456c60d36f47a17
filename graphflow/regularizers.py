"""Penalties on weights and activities. Source: https://keras.io/api/layers/regularizers/"""

from __future__ import annotations

from typing import Any

from graphflow import ops
from graphflow.registry import Configured, Registry


class Regularizer(Configured):
    """A penalty: from a tensor or array to a scalar."""

    def __call__(self, x: Any) -> Any:
        raise NotImplementedError


REGISTRY: Registry[Regularizer] = Registry("regularizer", Regularizer)
get = REGISTRY.get


@REGISTRY.add("l1_l2")
class L1L2(Regularizer):
    """l1 * sum(|x|) + l2 * sum(x squared)."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = float(l1 or 0), float(l2 or 0)

    def __call__(self, x: Any) -> Any:
        return self.l1 * ops.sum(ops.absolute(x)) + self.l2 * ops.sum(ops.square(x))

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


@REGISTRY.add()
class L1(Regularizer):
    """l1 * sum(|x|)."""

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = float(l1)

    def __call__(self, x: Any) -> Any:
        return self.l1 * ops.sum(ops.absolute(x))

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1}


@REGISTRY.add()
class L2(Regularizer):
    """l2 * sum(x squared)."""

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = float(l2)

    def __call__(self, x: Any) -> Any:
        return self.l2 * ops.sum(ops.square(x))

    def get_config(self) -> dict[str, Any]:
        return {"l2": self.l2}


def l1_l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    """Both penalties."""
    return L1L2(l1, l2)


l1 = L1
l2 = L2
