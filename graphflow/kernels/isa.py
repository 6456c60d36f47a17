"""The instruction sets this processor has, and the one in use."""

from __future__ import annotations

from typing import Any, NamedTuple

from graphflow.errors import ArgumentError
from graphflow.knobs import get as knob


class Isa(NamedTuple):
    """One instruction set.

    Args:
        name: "avx512", "avx2" or "base".
        vector: float32 lanes of a vector.
        tile_m, tile_n: rows and columns of the GEMM tile.
        leaves: the address of each compiled leaf.
    """

    name: str
    vector: int
    tile_m: int
    tile_n: int
    leaves: dict[str, int]


_found: dict[str, Isa] = {}


def available() -> dict[str, Isa]:
    """The instruction sets of this processor, worst first."""
    if not _found:
        from graphflow.kernels import _leaf

        for name, table in _leaf.TABLES.items():
            _found[name] = Isa(name, table["vector"], table["tile_m"], table["tile_n"], table["leaves"])
    return _found


def current() -> Isa:
    """The instruction set in use: the knob's, else the best.

    Raises:
        ArgumentError: the knob names one that this processor does not have.
    """
    name: Any = knob("isa")
    known = available()
    if not name:
        return list(known.values())[-1]
    if name not in known:
        raise ArgumentError(f"The knob isa names {name!r}; this processor has {', '.join(known)}.")
    return known[name]
