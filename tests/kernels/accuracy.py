"""The largest error of every function of one element, in units in the last place, on every instruction set.

    PYTHONPATH=tests/kernels python -m accuracy         measures and writes the tables of docs/accuracy.md

A unit in the last place is the distance of float32 numbers at the exact result, 2^-149 among the denormal ones. The
exact result is computed in float64; where a formula would cancel there, it is written so that it does not.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from leaf_harness import ISAS, run_leaf

from graphflow.kernels import _leaf

Array = np.ndarray[Any, Any]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "accuracy.md"
BEGIN, END = "<!-- measured -->", "<!-- end -->"
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
ROOT_2_PI = math.sqrt(2 / math.pi)


def each(function: Callable[[float], float]) -> Callable[[Array], Array]:
    """A function of `math` for arrays."""
    found = np.frompyfunc(function, 1, 1)
    return lambda x: found(x).astype(np.float64)


_erf, _erfc = each(math.erf), each(math.erfc)


def logistic(x: Array) -> Array:
    return np.where(x < 0, np.exp(np.minimum(x, 0)), 1.0) / (1.0 + np.exp(-np.abs(x)))


def relu_general(x: Array) -> Array:
    return np.where(x >= 6, 6.0, np.where(x >= 1, x, 0.25 * (x - 1)))


def gelu(x: Array) -> Array:
    return x * (_erfc(-x / math.sqrt(2)) / 2)


def gelu_tanh(x: Array) -> Array:
    return x * logistic(2 * ROOT_2_PI * (x + 0.044715 * x**3))


class Function(NamedTuple):
    """A row of the table.

    Args:
        numbers: alpha, beta, gamma.
        exact: from float64 to float64.
        bound: units in the last place; 0.5: rounded correctly.
    """

    numbers: tuple[float, float, float]
    exact: Callable[[Array], Array]
    bound: float


NONE = (0.0, 0.0, 0.0)
FUNCTIONS: dict[str, Function] = {
    "linear": Function(NONE, lambda x: x, 0.0),
    "relu": Function(NONE, lambda x: np.maximum(x, 0), 0.0),
    "relu_general": Function((0.25, 6.0, 1.0), relu_general, 1.0),
    "clip": Function((-1.5, 2.0, 0.0), lambda x: np.clip(x, -1.5, 2), 0.0),
    "sigmoid": Function(NONE, logistic, 2.0),
    "tanh": Function(NONE, np.tanh, 2.0),
    "hard_sigmoid": Function((0.25, 0.5, 0.0), lambda x: np.clip(0.25 * x + 0.5, 0, 1), 1.0),
    "elu": Function((0.5, 0.0, 0.0), lambda x: np.where(x > 0, x, 0.5 * np.expm1(np.minimum(x, 0))), 2.0),
    "selu": Function(NONE, lambda x: SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0))), 4.0),
    "softplus": Function(NONE, lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))), 4.0),
    "softsign": Function(NONE, lambda x: x / (1 + np.abs(x)), 2.0),
    "exponential": Function(NONE, np.exp, 2.0),
    "silu": Function(NONE, lambda x: x * logistic(x), 4.0),
    "gelu": Function(NONE, gelu, 4.0),
    "gelu_tanh": Function(NONE, gelu_tanh, 4.0),
    "affine": Function((0.25, -3.0, 0.0), lambda x: 0.25 * x - 3, 0.5),
    "negative": Function(NONE, lambda x: -x, 0.0),
    "absolute": Function(NONE, np.abs, 0.0),
    "square": Function(NONE, lambda x: x * x, 0.5),
    "sqrt": Function(NONE, np.sqrt, 0.5),
    "rsqrt": Function(NONE, lambda x: 1 / np.sqrt(x), 1.5),
    "reciprocal": Function(NONE, lambda x: 1 / x, 0.5),
    "log": Function(NONE, np.log, 2.0),
    "erf": Function(NONE, _erf, 2.0),
}


def numbers_of(name: str) -> dict[str, Any]:
    """The epilogue arguments of a leaf."""
    alpha, beta, gamma = FUNCTIONS[name].numbers
    return {"act": _leaf.ACTIVATIONS.index(name), "alpha": alpha, "beta": beta, "gamma": gamma}


def compute(isa: str, name: str, x: Array, ranges: list[tuple[int, int]] | None = None) -> Array:
    """The leaf's answer."""
    y = np.full_like(x, np.nan)
    assert run_leaf(isa, "unary_f32", x.size, ranges=ranges, x=x, y=y, n=x.size, **numbers_of(name))[0] == 0
    return y


def exact(name: str, x: Array) -> Array:
    """The reference's answer, in float64."""
    with np.errstate(all="ignore"):
        return FUNCTIONS[name].exact(x.astype(np.float64))


def errors(y: Array, wanted: Array) -> Array:
    """Units in the last place between a float32 answer and the exact one; infinite where one is finite and one not."""
    with np.errstate(all="ignore"):
        rounded = wanted.astype(np.float32)
        size = np.maximum(np.abs(wanted), float(np.finfo(np.float32).tiny))
        found = np.abs(y - wanted) / 2.0 ** (np.floor(np.log2(size)) - 23)
        same = (y == rounded) | (np.isnan(y) & np.isnan(rounded))
    return np.where(np.isfinite(rounded) & np.isfinite(y), found, np.where(same, 0.0, np.inf))


def sweep(step: int, dense: int) -> Iterator[Array]:
    """Every `step`-th float32 of all, denormals among them, and `dense` of each of some ranges; edges with both."""
    edges = np.array([0.0, 1.0, 87.33, 88.72, 103.9, 104.0, 0.625, 0.9, 4.0, 1.5, 15.0, 20.0, 2.0**-126], np.float32)
    near = np.concatenate([edges.view(np.int32) + offset for offset in range(-200, 201)])
    near = near[near >= 0].view(np.float32)
    yield np.concatenate([near, -near, [np.inf, -np.inf]]).astype(np.float32)
    rng = np.random.default_rng(0)
    for low, high in ((-1, 1), (-20, 20), (-110, 110), (0, 1e-37)):
        yield rng.uniform(low, high, dense).astype(np.float32)
    for start in range(0, 2**32, step << 18):
        bits = np.arange(start, min(start + (step << 18), 2**32), step, dtype=np.uint64).astype(np.uint32)
        x = bits.view(np.float32)
        yield x[~np.isnan(x)]


class Worst(NamedTuple):
    """The largest error, and where."""

    error: float
    at: float


def measure(name: str, step: int, dense: int) -> dict[str, Worst]:
    """The largest error of a function on every instruction set."""
    found = dict.fromkeys(ISAS, Worst(0.0, 0.0))
    for x in sweep(step, dense):
        wanted = exact(name, x)
        for isa in ISAS:
            error = errors(compute(isa, name, x), wanted)
            worst = int(error.argmax())
            found[isa] = max(found[isa], Worst(float(error[worst]), float(x[worst])))
    return found


def main() -> None:
    step = int(sys.argv[1]) if len(sys.argv) > 1 else 1499
    lines = [f"| function | at most | {' | '.join(ISAS)} | worst at |", "|---|---|" + "---|" * (len(ISAS) + 1)]
    for name, function in FUNCTIONS.items():
        found = measure(name, step, 400_000)
        worst = max(found.values())
        cells = " | ".join(f"{found[isa].error:.2f}" for isa in ISAS)
        lines.append(f"| {name} | {function.bound:g} | {cells} | {worst.at:.9g} |")
        print(lines[-1], flush=True)
    if PAGE.exists():
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
