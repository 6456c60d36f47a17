"""Cases of activations, binary arithmetic, comparisons and the functions that run on NumPy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from cases.problem import OpCase, x
from graphflow.ops.activation import NAMES
from graphflow.ops.chain import Link

RELU = ("relu", 0.0, 0.0, 0.0)
_ACTIVATION_ATTRS: dict[str, dict[str, Any]] = {
    "relu_general": {"alpha": 0.3, "beta": 2.0, "gamma": 0.5},
    "clip": {"alpha": -0.75, "beta": 1.25},
    "hard_sigmoid": {"alpha": 0.2, "beta": 0.5},
    "elu": {"alpha": 0.7},
    "affine": {"alpha": -1.5, "beta": 0.25},
}
_POSITIVE = ("sqrt", "rsqrt", "log", "reciprocal")


def activations() -> list[OpCase]:
    cases = []
    for name in NAMES:
        attrs = _ACTIVATION_ATTRS.get(name, {})
        kind = "positive" if name in _POSITIVE else "normal"
        cases += [
            OpCase(name, (x(*shape, kind=kind),), attrs) for shape in ((3, 7), (1, 1), (0, 5), (5, 3, 11), (2, 1031))
        ]
        cases += [OpCase(name, (x(4, 9, kind="special"),), attrs, "special")]
        cases += [OpCase(name, (x(3, 5, kind=kind, dtype="float64"),), attrs)]
    cases += [OpCase(name, (x(3, 5, dtype="int32"),)) for name in ("linear", "relu", "negative", "absolute", "square")]
    cases += [OpCase("clip", (x(3, 5, dtype="int32"),), {"alpha": -2.0, "beta": 3.0}, "integers")]
    cases += [OpCase(name, (x(6, 50, kind="wide"),)) for name in ("tanh", "sigmoid", "softplus", "erf", "gelu", "silu")]
    return cases


def binaries() -> list[OpCase]:
    both = (
        ((3, 7), (3, 7)),
        ((3, 7), (7,)),
        ((4, 1, 5), (4, 3, 1)),
        ((1, 5), (6, 5)),
        ((2, 3, 4, 5), (3, 1, 5)),
        ((0, 4), (0, 4)),
        ((2, 3, 1, 2, 1, 3), (2, 1, 4, 2, 5, 3)),
        ((1, 1), (1, 1)),
        ((2, 9001), (2, 9001)),
    )
    cases = []
    for name in ("add", "subtract", "multiply", "divide", "maximum", "minimum", "floor_divide", "mod", "power"):
        kind = "positive" if name in ("power", "divide", "floor_divide", "mod") else "normal"
        for first, second in both:
            batch = len(second) == len(first) and second[0] == first[0]
            cases.append(OpCase(name, (x(*first, kind=kind, batch=batch), x(*second, kind=kind, batch=batch))))
        cases.append(OpCase(name, (x(3, 4, dtype="float64", kind=kind), x(3, 4, dtype="float64", kind=kind))))
        if name != "divide":
            cases.append(OpCase(name, (x(3, 4, dtype="int32"), x(3, 4, dtype="int32", low=1))))
        if name != "power":
            cases.append(OpCase(name, (x(3, 8, kind="special"), x(3, 8)), {}, "special"))
        if name in ("add", "multiply"):
            cases.append(OpCase(name, (x(3, 8), x(3, 8)), {"activation": RELU}, "relu"))
    for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
        cases += [
            OpCase(name, (x(3, 7, kind="integers"), x(3, 7, kind="integers"))),
            OpCase(name, (x(2, 3, kind="special"), x(3))),
        ]
        cases += [OpCase(name, (x(0, 3, dtype="int64"), x(1, 3, dtype="int64", batch=False)))]
    for name in ("logical_and", "logical_or"):
        cases += [
            OpCase(name, (x(3, 7, dtype="bool"), x(3, 7, dtype="bool"))),
            OpCase(name, (x(2, 3, dtype="bool"), x(3, dtype="bool", batch=False))),
        ]
    for name in ("sin", "cos", "log1p", "expm1", "floor", "ceil", "round", "sign"):
        kind = "positive" if name == "log1p" else "normal"
        cases += [
            OpCase(name, (x(3, 7, kind=kind),)),
            OpCase(name, (x(0, 2),)),
            OpCase(name, (x(2, 2, dtype="float64", kind=kind),)),
        ]
    cases += [OpCase("sign", (x(3, 4, dtype="int32"),)), OpCase("logical_not", (x(3, 4, dtype="bool"),))]
    cases += [OpCase("round", (x(2, 6, kind="integers", dtype="float32"),))]
    return cases


def chains() -> list[OpCase]:
    """Chains as passes make them, and random ones: operands of every broadcast, results used more than once."""
    none = ("linear", 0.0, 0.0, 0.0)
    gate = (Link("", 0, -1, ("sigmoid", 0.0, 0.0, 0.0)), Link("multiply", 0, 1, none))
    cases = [
        OpCase("chain", (x(*shape),), {"links": gate}, "gate") for shape in ((3, 5), (2, 3, 4, 33), (0, 3), (2, 3000))
    ]
    rng = np.random.default_rng(5)
    for number in range(40):
        shape = tuple(int(size) for size in rng.choice([1, 2, 3, 7, 16, 40, 600, 1500], rng.integers(1, 5)))
        shape = shape if math.prod(shape) < 200_000 else shape[:2]
        operands = [x(*shape)]
        for _ in range(rng.integers(0, 6)):
            keep = rng.random(len(shape)) < 0.6
            other = [size if kept else 1 for size, kept in zip(shape, keep, strict=True)][
                rng.integers(0, len(shape) + 1) :
            ]
            whole = len(other) == len(shape) and keep[0]
            operands.append(x(*other, batch=bool(whole)))
        links: list[Link] = []
        for at in range(rng.integers(1, 16)):
            first, second = (int(rng.integers(0, len(operands) + at)) for _ in range(2))
            first = len(operands) + at - 1 if at and rng.random() < 0.7 else first
            act = (str(rng.choice(["linear", "relu", "tanh", "sigmoid", "softsign"])), 0.0, 0.0, 0.0)
            op = str(rng.choice(["add", "subtract", "multiply", "maximum", "minimum"]))
            links.append(Link(op, first, second, act) if rng.random() < 0.6 else Link("", first, -1, act))
        links.append(Link("add", len(operands) + len(links) - 1, 0, none))  # as large as the whole
        cases.append(OpCase("chain", tuple(operands), {"links": tuple(links)}, f"{number}"))
    return cases
