"""Random products: dense, with weights or without, batched, and by equations."""

from __future__ import annotations

from problems.draw import TILES_M, TILES_N, VECTORS, Draw
from problems.problem import Bound, Family, Problem, case, of_products


def bound_of(draw: Draw) -> Bound | None:
    return None if draw.whole else of_products()


def dense(draw: Draw, kernel: str) -> Problem:
    m = draw.around(TILES_M, 60, 0.03)
    k, n = draw.around((8, 32), 90, 0.02), draw.around((*VECTORS, *TILES_N), 150)
    outer = draw.pick(((m,), (m,), (draw.batch(4), m), (1, m, 1), ()))
    x = draw.x(*outer, k, batch=bool(outer))
    residual = draw.maybe(draw.x(*outer, n, batch=bool(outer)), 0.3)
    attrs = {"activation": draw.epilogue()} if draw.chance(0.8) else {}
    if kernel == "matmul_dense_f32":
        moving = (draw.x(k, n, batch=False), draw.maybe(draw.x(n, batch=False)), None)
        return Problem(case("dense", (x, *moving), **attrs), bound_of(draw), bool(outer))
    weights = (draw.w(k, n), draw.maybe(draw.w(n)), residual)
    return Problem(case("dense", (x, *weights), **attrs), bound_of(draw), bool(outer))


def matmul(draw: Draw, kernel: str) -> Problem:
    m, n = (draw.around((*TILES_M, *VECTORS, *TILES_N), 70, 0.02) for _ in range(2))
    k = draw.around((4, 16), 40, 0.02)
    rank = draw.below(4)
    outer = [draw.batch(4) if draw.chance(0.7) else 1 for _ in range(rank)]
    left = [size if draw.chance(0.8) else 1 for size in outer]
    right = [size if draw.chance(0.7) else 1 for size in outer][draw.pick((0, 0, 0, rank)) :]
    both = len(right) == len(left) > 0 and right[0] == left[0]
    alone = not right or (len(right) == len(left) and right[0] == 1)
    known = alone and draw.chance(0.5)
    first = draw.x(*left, m, k, batch=bool(left))
    second = draw.w(*right, k, n) if known else draw.x(*right, k, n, batch=both)
    return Problem(
        case("matmul", (first, second), activation=draw.epilogue()),
        bound_of(draw),
        bool(left) and (both or alone),
    )


def _shuffled(draw: Draw, labels: str) -> str:
    return "".join(draw.rng.permutation(list(labels)).tolist()) if labels else ""


def einsum(draw: Draw, kernel: str) -> Problem:
    """The first label is a batch's, kept first everywhere when rows are to be told apart."""
    letters = iter("bcdefghijklm")
    counts = (draw.below(3), draw.below(3), draw.below(3), draw.below(3))
    around, rows, columns, depth = ("".join(next(letters) for _ in range(count)) for count in counts)
    first = "a" + _shuffled(draw, around + rows + depth)
    weights = not around and draw.chance(0.3)
    second = _shuffled(draw, columns + depth) if weights else "a" + _shuffled(draw, around + columns + depth)
    out = "a" + _shuffled(draw, around + rows + columns)
    sizes = {
        label: draw.around((4, 6, 8), 20, 0.01) if draw.chance(0.4) else draw.below(5, 1) for label in first + second
    }
    sizes["a"] = draw.batch(4)
    left, right = (tuple(sizes[label] for label in labels) for labels in (first, second))
    other = draw.w(*right) if weights else draw.x(*right)
    return Problem(
        case("einsum", (draw.x(*left), other), equation=f"{first},{second}->{out}", activation=draw.epilogue()),
        bound_of(draw),
    )


FAMILIES = {
    "gemm_f32": Family(dense),
    "matmul_dense_f32": Family(dense),
    "matmul_f32": Family(matmul),
    "einsum_f32": Family(einsum),
}
