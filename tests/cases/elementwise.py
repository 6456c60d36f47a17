"""Cases of activations, binary arithmetic, comparisons and the functions that run on NumPy."""

from __future__ import annotations

from typing import Any

from cases.problem import OpCase, x
from graphflow.ops.activation import NAMES

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
