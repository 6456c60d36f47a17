"""Random sizes and settings: around the tiles of every instruction set, with zeros, ones and odd numbers among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from cases.problem import Given

from graphflow.kernels.isa import available
from graphflow.ops.activation import LINEAR, Numbers

T = TypeVar("T")

VECTORS = sorted({isa.vector for isa in available().values()})
TILES_M = sorted({isa.tile_m for isa in available().values()})
TILES_N = sorted({isa.tile_n for isa in available().values()})

EXACT: tuple[Numbers, ...] = (
    LINEAR,
    ("relu", 0.0, 0.0, 0.0),
    ("clip", -2.0, 6.0, 0.0),
    ("relu_general", 0.25, 9.0, 2.0),
    ("relu_general", 0.5, float("inf"), 0.0),
    ("negative", 0.0, 0.0, 0.0),
    ("absolute", 0.0, 0.0, 0.0),
    ("hard_sigmoid", 0.25, 0.5, 0.0),
    ("affine", 2.0, -3.0, 0.0),
)
"""Activations that take whole numbers to numbers that float32 has."""

SMOOTH: tuple[Numbers, ...] = (
    ("sigmoid", 0.0, 0.0, 0.0),
    ("tanh", 0.0, 0.0, 0.0),
    ("elu", 0.7, 0.0, 0.0),
    ("selu", 0.0, 0.0, 0.0),
    ("softplus", 0.0, 0.0, 0.0),
    ("softsign", 0.0, 0.0, 0.0),
    ("silu", 0.0, 0.0, 0.0),
    ("gelu", 0.0, 0.0, 0.0),
    ("gelu_tanh", 0.0, 0.0, 0.0),
    ("erf", 0.0, 0.0, 0.0),
    ("relu_general", 0.3, 2.0, 0.0),
)


class Draw:
    """What generators draw from.

    Args:
        rng: random numbers; all of a problem follows from them.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.special = self.chance(0.06)
        """Whether there are NaN and infinities among the inputs."""
        self.whole = not self.special and self.chance(0.5)
        """Whether there are whole numbers only, whose sums are exact."""

    def chance(self, part: float) -> bool:
        return bool(self.rng.random() < part)

    def below(self, high: int, low: int = 0) -> int:
        """A whole number in [low, high)."""
        return int(self.rng.integers(low, high))

    def pick(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def around(self, tiles: Sequence[int], most: int = 80, zero: float = 0.01) -> int:
        """A size below, at or above a tile or two, or one, or rarely zero."""
        if self.chance(zero):
            return 0
        if self.chance(0.25):
            return self.below(6, 1)
        size = self.pick(tiles) * self.pick((1, 1, 1, 2, 2, 3, 5)) + self.pick((-1, 0, 0, 1, 1, 3))
        return max(1, min(size, most))

    def batch(self, most: int = 6, zero: float = 0.02) -> int:
        return 0 if self.chance(zero) else self.below(most, 1)

    def shape(self, rank: int, most: int, zero: float = 0.02) -> tuple[int, ...]:
        return tuple(0 if self.chance(zero) else self.below(most, 1) for _ in range(rank))

    def epilogue(self) -> Numbers:
        """An activation of a product; with whole numbers one whose result is exact."""
        if self.chance(0.4):
            return LINEAR
        return self.pick(EXACT if self.whole else (*SMOOTH, *EXACT[:3], *EXACT[5:]))

    def kind(self) -> str:
        """What the values of an input are like."""
        return "special" if self.special else "integers" if self.whole else "normal"

    def x(self, *shape: int, **options: Any) -> Given:
        """An input that is given at every run; its first axis is the batch unless `batch` is False."""
        return Given(tuple(shape), **{"kind": self.kind(), "low": -4, "high": 5, **options})

    def w(self, *shape: int, **options: Any) -> Given:
        """A weight."""
        kind = "integers" if self.whole else "normal"
        return Given(tuple(shape), **{"kind": kind, "low": -4, "high": 5, "known": True, "batch": False, **options})

    def maybe(self, given: Given, part: float = 0.5) -> Given | None:
        return given if self.chance(part) else None
