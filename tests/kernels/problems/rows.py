"""Random reductions, softmax, normalisations, recurrences and look-ups."""

from __future__ import annotations

from typing import Any

from graphflow.kernels.reduction import REDUCTIONS
from problems.draw import VECTORS, Draw
from problems.elements import LENGTHS
from problems.problem import Family, Problem, case, of_largest

TANH, SIGMOID, RELU = ("tanh", 0.0, 0.0, 0.0), ("sigmoid", 0.0, 0.0, 0.0), ("relu", 0.0, 0.0, 0.0)
HARD = ("hard_sigmoid", 0.2, 0.5, 0.0)


def reduce(draw: Draw, kernel: str) -> Problem:
    op = kernel.removesuffix("_f32")
    rank = draw.below(5, 1)
    shape = (
        draw.below(6, 1),
        *(draw.around(LENGTHS, 90, 0) if draw.chance(0.3) else draw.below(6, 1) for _ in range(rank)),
    )
    first = draw.below(rank + 1)
    axes = tuple(range(first, draw.below(rank + 2, first + 1)))
    exact = op in ("max", "min") or (draw.whole and op == "sum")
    attrs = {"axes": axes, "keepdims": draw.chance(0.5)}
    return Problem(case(op, (draw.x(*shape),), **attrs), None if exact else of_terms, first > 0)


def of_terms(problem: Problem, arrays: Any, exact: Any) -> list[Any]:
    """Units of the sum of the sizes of what is added."""
    from graphflow.ops import OPS

    return [16 * 2.0**-24 * one for one in OPS[problem.case.op].run_reference(problem.case.attrs, [abs(arrays[0])])]


def softmax(draw: Draw, kernel: str) -> Problem:
    rank = draw.below(3, 1)
    shape = (draw.batch(6), *draw.shape(rank - 1, 5, 0), draw.around(LENGTHS, 300, 0))
    last = draw.below(rank + 1, 1)
    attrs = {"axes": tuple(range(len(shape) - last, len(shape))), "log": draw.chance(0.4)}
    kind = "wide" if draw.chance(0.2) and not attrs["log"] else draw.kind()
    return Problem(case("softmax", (draw.x(*shape, kind=kind),), **attrs), of_largest(24.0))


def layer_norm(draw: Draw, kernel: str) -> Problem:
    last = draw.below(3, 1)
    tail = tuple(draw.around(LENGTHS, 120, 0) if last == 1 else draw.below(12, 1) for _ in range(last))
    x = draw.x(draw.batch(6), *draw.shape(draw.below(2), 5), *tail)
    scales = (draw.maybe(draw.w(*tail), 0.7), draw.maybe(draw.w(*tail), 0.7))
    attrs = {"last": last, "epsilon": draw.pick((1e-3, 1e-2)), "rms": draw.chance(0.4)}
    return Problem(case("layer_norm", (x, *scales), **attrs), of_largest(64.0))


def group_norm(draw: Draw, kernel: str) -> Problem:
    groups = draw.below(7, 1)
    channels = groups * draw.below(9, 1)
    x = draw.x(draw.batch(6), *draw.shape(draw.below(3), 6, 0), channels)
    scales = (draw.maybe(draw.w(channels), 0.7), draw.maybe(draw.w(channels), 0.7))
    return Problem(case("group_norm", (x, *scales), groups=groups, epsilon=draw.pick((1e-3, 1e-2))), of_largest(64.0))


def recurrent(draw: Draw, kernel: str) -> Problem:
    op = kernel.removesuffix("_f32")
    gates = {"lstm": 4, "gru": 3, "rnn": 1}[op]
    batch, steps = draw.batch(9), draw.below(7, 1)
    if draw.chance(0.02):
        steps = 0
    features, units = draw.below(12, 1), draw.around(VECTORS, 40, 0)
    if draw.chance(0.5):
        units = draw.below(6, 1)
    after = draw.chance(0.5)
    bias = (2, 3 * units) if op == "gru" and after else (gates * units,)
    x = draw.x(batch, steps, features, kind="normal")
    weights = (draw.w(features, gates * units, kind="normal"), draw.w(units, gates * units, kind="small"))
    states = tuple(draw.maybe(draw.x(batch, units, kind="normal"), 0.4) for _ in range(2 if op == "lstm" else 1))
    mask = draw.maybe(draw.x(batch, steps, dtype="bool"), 0.4)
    attrs: dict[str, Any] = {
        "activation": draw.pick((TANH, TANH, RELU)),
        "sequences": draw.chance(0.5),
        "reverse": draw.chance(0.5),
        "zero_output": draw.chance(0.4),
    }
    if draw.chance(0.4):
        attrs["flip"] = True
    if op != "rnn":
        attrs["gate"] = draw.pick((SIGMOID, HARD))
    if op == "gru":
        attrs["reset_after"] = after
    inputs = (x, *weights, draw.maybe(draw.w(*bias, kind="normal"), 0.7), *states, mask)
    return Problem(case(op, inputs, **attrs), of_largest(300.0, 0.1))


def embedding(draw: Draw, kernel: str) -> Problem:
    vocabulary, dtype = draw.below(20, 1), draw.pick(("int32", "int64", "float32"))
    whole = {"dtype": dtype, "kind": "integers", "low": 0, "high": vocabulary}
    indices = draw.x(draw.batch(6), *draw.shape(draw.below(3), 6), **whole)
    table = (draw.w if draw.chance(0.7) else draw.x)(vocabulary, draw.around(LENGTHS, 90), batch=False)
    return Problem(case("embedding", (indices, table)), None)


FAMILIES = {
    **{f"{name}_f32": Family(reduce) for name in REDUCTIONS},
    **{f"{name}_f32": Family(recurrent) for name in ("lstm", "gru", "rnn")},
    "softmax_f32": Family(softmax),
    "layer_norm_f32": Family(layer_norm),
    "group_norm_f32": Family(group_norm),
    "embedding_f32": Family(embedding),
}
