"""What a case of an op is: its attributes, and how its inputs are made."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Given:
    """One input of an op.

    Args:
        shape, dtype: of the array.
        kind: "normal", "positive", "integers" (in [low, high)), "special" (with NaN, infinities and signed zeros),
            "wide" (magnitudes from 1e-8 to 1e8), or "small" (a third of "normal").
        known: whether it is a weight, known before a run.
        batch: whether its first axis is the batch.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    kind: str = "normal"
    low: int = -5
    high: int = 6
    known: bool = False
    batch: bool = True

    def make(self, rng: np.random.Generator) -> Array:
        if self.dtype == "bool":
            return rng.random(self.shape) < 0.6
        if self.kind == "integers" or np.dtype(self.dtype).kind in "iu":
            low = max(self.low, 0) if self.dtype.startswith("u") else self.low
            return rng.integers(low, self.high, self.shape).astype(self.dtype)
        values = rng.standard_normal(self.shape)
        if self.kind == "positive":
            values = np.abs(values) + 0.05
        elif self.kind == "wide":
            values = values * 10.0 ** rng.integers(-8, 9, self.shape)
        elif self.kind == "small":
            values = values / 3
        elif self.kind == "special" and values.size:
            flat = values.reshape(-1)
            for index, value in enumerate((np.nan, np.inf, -np.inf, 0.0, -0.0)):
                flat[(3 * index + 1) % flat.size] = value
        return np.asarray(values, self.dtype)


@dataclass(frozen=True)
class OpCase:
    """One problem for one op."""

    op: str
    inputs: tuple[Given | None, ...]
    attrs: dict[str, Any] = field(default_factory=dict)
    tag: str = ""

    @property
    def name(self) -> str:
        shapes = "-".join("none" if one is None else "x".join(map(str, one.shape)) or "scalar" for one in self.inputs)
        dtype = next((one.dtype for one in self.inputs if one is not None), "")
        return "_".join(part for part in (self.op, shapes, dtype, self.tag) if part)

    def arrays(self) -> list[Array | None]:
        """The inputs, the same in every run."""
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        return [None if one is None else one.make(rng) for one in self.inputs]


def x(*shape: int, **options: Any) -> Given:
    """An input that is given at every run."""
    return Given(shape, **options)


def w(*shape: int, **options: Any) -> Given:
    """A weight."""
    return Given(shape, known=True, batch=False, **options)
