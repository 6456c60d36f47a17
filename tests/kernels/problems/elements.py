"""Random problems element by element: activations, arithmetic, comparisons, selection, conversion."""

from __future__ import annotations

from typing import Any

from cases.problem import Given

from graphflow.kernels.elementwise import BINARIES
from graphflow.kernels.logic import COMPARISONS
from graphflow.ops.activation import LINEAR, NAMES
from graphflow.ops.chain import Link
from problems.draw import EXACT, VECTORS, Draw
from problems.problem import Family, Problem, case, of_itself, of_largest

LENGTHS = (*VECTORS, 32, 64)
POSITIVE = frozenset(("sqrt", "rsqrt", "log"))
NUMBERS: dict[str, dict[str, float]] = {
    "relu_general": {"alpha": 0.25, "beta": 2.0, "gamma": 0.5},
    "clip": {"alpha": -0.75, "beta": 1.25},
    "hard_sigmoid": {"alpha": 0.25, "beta": 0.5},
    "elu": {"alpha": 0.5},
    "affine": {"alpha": -2.0, "beta": 0.25},
}
ROUNDED_ONCE = frozenset(
    ("linear", "relu", "clip", "negative", "absolute", "square", "sqrt", "reciprocal", *(one[0] for one in EXACT))
)
"""Activations whose result is the exact one rounded once, for whole numbers."""


def unary(draw: Draw, kernel: str) -> Problem:
    name = kernel.removesuffix("_f32")
    kind = "positive" if name in POSITIVE and not draw.special else draw.kind()
    if kind == "normal" and draw.chance(0.3) and name != "exponential":
        kind = "wide"
    shape = (draw.batch(6), *draw.shape(draw.below(3), 5), draw.around(LENGTHS, 300))
    rounded = draw.whole and kind == "integers" and name in ROUNDED_ONCE
    bound = None if rounded else of_itself(4.0) if name not in ("gelu", "gelu_tanh", "silu") else of_largest(16.0)
    if name in ("affine", "hard_sigmoid", "relu_general"):
        bound = None if rounded else of_largest(8.0)
    return Problem(case(name, (draw.x(*shape, kind=kind),), **NUMBERS.get(name, {})), bound)


def broadcast(draw: Draw, count: int) -> list[tuple[int, ...]]:
    """Shapes that go together; one of full rank has the batch as its first axis."""
    rank = draw.below(6, 1)
    whole = (draw.batch(6), *(draw.below(7, 1) for _ in range(rank - 1)))
    if draw.chance(0.5):
        whole = (*whole[:-1], draw.around(LENGTHS, 150)) if rank > 1 else (draw.around(LENGTHS, 150),)
    shapes: list[tuple[int, ...]] = []
    for index in range(count):
        cut = 0 if index == 0 or draw.chance(0.7) else draw.below(rank + 1)
        axes = whole[cut:]
        keep = draw.pick((1.0, 1.0, 0.6))
        kept = [(axis == 0 and not cut) or draw.chance(keep) for axis in range(len(axes))]
        shapes.append(tuple(size if one else 1 for size, one in zip(axes, kept, strict=True)))
    return shapes


def _given(draw: Draw, shape: tuple[int, ...], rank: int, **options: Any) -> Given:
    return draw.x(*shape, batch=len(shape) == rank, **options)


def binary(draw: Draw, kernel: str) -> Problem:
    name = kernel.removesuffix("_f32")
    shapes = broadcast(draw, 2)
    rank = max(map(len, shapes))
    if draw.chance(0.3):
        shapes.reverse()
    inputs = tuple(_given(draw, shape, rank) for shape in shapes)
    exact = draw.pick(EXACT[:3]) if name == "divide" else draw.pick(EXACT)
    if draw.chance(0.5):
        return Problem(case(name, inputs, activation=exact if draw.whole else EXACT[0]), None)
    return Problem(
        case(name, inputs, activation=draw.epilogue()), None if draw.whole and name != "divide" else of_largest(16.0)
    )


def chain(draw: Draw, kernel: str) -> Problem:
    """Links that round nothing: sums of small whole numbers, or only what picks and turns."""
    shapes = broadcast(draw, 1 + draw.below(6))
    rank = max(map(len, shapes))
    inputs = tuple(_given(draw, shape, rank) for shape in shapes)
    kinds = ("add", "subtract", "maximum", "minimum") if draw.whole else ("maximum", "minimum")
    activations = (LINEAR, ("relu", 0.0, 0.0, 0.0), ("absolute", 0.0, 0.0, 0.0), ("clip", -2.0, 6.0, 0.0))
    links: list[Link] = []
    for at in range(draw.below(10)):
        newest = len(inputs) + at - 1
        first = newest if at and draw.chance(0.7) else draw.below(newest + 1)
        second = draw.below(newest + 1)
        op = draw.pick((*kinds, ""))
        links.append(Link(op, first, second if op else -1, draw.pick(activations)))
    for index in range(len(inputs)):  # the result is as large as all of them together
        links.append(Link("maximum", index, len(inputs) + len(links) - 1 if links else index, LINEAR))
    return Problem(case("chain", inputs, links=tuple(links)), None)


def compare(draw: Draw, kernel: str) -> Problem:
    logical = kernel.startswith("logical")
    dtype = "bool" if logical else draw.pick(("float32", "int32", "int64", "bool"))
    shapes = broadcast(draw, 1 if kernel == "logical_not" else 2)
    rank = max(map(len, shapes))
    kind = {"kind": draw.pick(("integers", "special"))} if dtype == "float32" else {}
    return Problem(case(kernel, tuple(_given(draw, shape, rank, dtype=dtype, **kind) for shape in shapes)), None)


def where(draw: Draw, kernel: str) -> Problem:
    shapes = broadcast(draw, 3)
    rank = max(map(len, shapes))
    condition, first, second = shapes
    inputs = (_given(draw, condition, rank, dtype="bool"), _given(draw, first, rank), _given(draw, second, rank))
    return Problem(case("where", inputs), None)


def cast(draw: Draw, kernel: str) -> Problem:
    given, wanted = draw.pick(("float32", "int32", "int64", "bool")), draw.pick(("float32", "bool"))
    shape = (draw.batch(6), *draw.shape(draw.below(3), 6), draw.around(LENGTHS, 200))
    high = draw.pick((3, 10**6, 2**31 - 1))
    kind = (
        {"kind": draw.pick(("integers", "special", "normal"))} if given == "float32" else {"low": -high, "high": high}
    )
    return Problem(case("cast", (draw.x(*shape, dtype=given, **kind),), dtype=wanted), None)


def batch_norm(draw: Draw, kernel: str) -> Problem:
    channels = draw.around(LENGTHS, 200)
    x = draw.x(draw.batch(6), *draw.shape(draw.below(3), 5), channels)
    statistics = (draw.w(channels), draw.w(channels, kind="positive"))
    scales = (draw.maybe(draw.w(channels), 0.7), draw.maybe(draw.w(channels), 0.7))
    epsilon = draw.pick((1e-3, 1e-5, 0.1))
    attrs: dict[str, Any] = {"activation": draw.epilogue()} if draw.chance(0.6) else {}
    if attrs and attrs["activation"][0] == "relu_general":
        attrs = {}
    return Problem(case("batch_norm", (x, *statistics, *scales), epsilon=epsilon, **attrs), of_largest(32.0))


FAMILIES = {
    **{f"{name}_f32": Family(unary) for name in NAMES},
    **{f"{name}_f32": Family(binary) for name in BINARIES},
    **{name: Family(compare) for name in (*COMPARISONS, "logical_not")},
    "chain_f32": Family(chain),
    "where_f32": Family(where),
    "cast": Family(cast),
    "batch_norm_f32": Family(batch_norm),
}
