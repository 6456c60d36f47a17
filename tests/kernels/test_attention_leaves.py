"""Batched products, sample normalisation and mask leaves against float64, and their promise: same item, same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from leaf_harness import ISAS, at_page_end, guarded, run_leaf

from graphflow.kernels import _leaf, logic
from graphflow.kernels.contraction import plan_product

RNG = np.random.default_rng
LINEAR = {"act": _leaf.ACTIVATIONS.index("linear"), "alpha": 0.0, "beta": 0.0, "gamma": 0.0}
RELU = {**LINEAR, "act": _leaf.ACTIVATIONS.index("relu")}


def product(isa: str, a: Any, b: Any, ranges: Any = None, block_m: int = 0, block_n: int = 0, **more: Any) -> Any:
    """y (batch, m, n) = a (batch, m, k) . b, b (batch, k, n) or, if `turned`, (batch, n, k)."""
    turned, bias, act = more.get("turned", False), more.get("bias"), more.get("act", LINEAR)
    tile = _leaf.TABLES[isa]["tile_n"]
    batch, m, k = a.shape
    n = b.shape[1] if turned else b.shape[2]
    block_m, block_n = block_m or max(m, 1), block_n or -(-max(n, 1) // tile) * tile
    y, check = guarded((batch, m, n))
    items = batch * -(-m // block_m) * -(-n // block_n)
    steps = {"n0": 1, "n1": 1, "n2": 1, "n3": batch, "a3": m * k, "b3": k * n, "y3": m * n}
    steps |= {f"{name}{i}": 0 for name in "aby" for i in range(3)}
    strides = {"lda": k, "sk": 1 if turned else n, "sn": k if turned else 1, "ldy": n}
    fields = {**steps, **strides, "m": m, "n": n, "k": k, "block_m": block_m, "block_n": block_n, **act}
    if items:
        code = run_leaf(
            isa,
            "matmul_f32",
            items,
            4 * max(k, 1) * block_n,
            ranges,
            a=at_page_end(a),
            b=at_page_end(b),
            bias=bias,
            y=y,
            **fields,
        )
        assert code[0] == 0
    check()
    return y


def sizes(isa: str) -> list[tuple[int, int, int]]:
    table = _leaf.TABLES[isa]
    rows, columns, vector = table["tile_m"], table["tile_n"], table["vector"]
    return [
        (m, n, k)
        for m in (1, 2, 3, rows - 1, rows, rows + 1, 3 * rows + 2)
        for n in (1, vector - 1, vector, vector + 1, columns, columns + 3, 4 * columns + 1)
        for k in (1, 2, 3, 4, 5, 33)
    ]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("turned", [False, True])
def test_products_of_whole_numbers_are_exact(isa: str, turned: bool) -> None:
    rng = RNG(1)
    for m, n, k in sizes(isa):
        a = rng.integers(-9, 10, (2, m, k)).astype("float32")
        b = rng.integers(-9, 10, (2, n, k) if turned else (2, k, n)).astype("float32")
        expected = a @ (b.transpose(0, 2, 1) if turned else b)
        np.testing.assert_array_equal(product(isa, a, b, turned=turned), expected, err_msg=f"{m} {n} {k}")


@pytest.mark.parametrize("isa", ISAS)
def test_bias_activation_and_no_depth(isa: str) -> None:
    rng = RNG(2)
    a, b = rng.integers(-4, 5, (3, 7, 6)).astype("float32"), rng.integers(-4, 5, (3, 6, 41)).astype("float32")
    bias = rng.integers(-4, 5, 41).astype("float32")
    np.testing.assert_array_equal(product(isa, a, b, bias=bias, act=RELU), np.maximum(a @ b + bias, 0))
    np.testing.assert_array_equal(product(isa, a[:, :, :0], b[:, :0], bias=bias), np.broadcast_to(bias, (3, 7, 41)))


@pytest.mark.parametrize("isa", ISAS)
def test_an_element_has_the_same_bits_in_every_blocking_range_and_layout(isa: str) -> None:
    rng = RNG(3)
    tile = _leaf.TABLES[isa]["tile_n"]
    a, b = (
        rng.standard_normal((2, 29, 37)).astype("float32"),
        rng.standard_normal((2, 37, 3 * tile + 5)).astype("float32"),
    )
    expected = product(isa, a, b)
    np.testing.assert_allclose(expected, a.astype("f8") @ b, rtol=0, atol=1e-5)
    for block_m, block_n in ((1, tile), (5, 2 * tile), (29, tile)):
        np.testing.assert_array_equal(product(isa, a, b, block_m=block_m, block_n=block_n), expected)
    turned = np.ascontiguousarray(b.transpose(0, 2, 1))
    np.testing.assert_array_equal(product(isa, a, turned, turned=True), expected)
    items = 2 * 4 * 6
    backwards = [(i, i + 1) for i in reversed(range(items))]
    np.testing.assert_array_equal(product(isa, a, b, backwards, block_m=5, block_n=tile), expected)
    for row in range(29):
        alone = product(isa, np.ascontiguousarray(a[:, row : row + 1]), b)
        np.testing.assert_array_equal(alone[:, 0], expected[:, row])


@pytest.mark.parametrize(
    ("equation", "copies"),
    [
        ("btnh,bsnh->bnts", 0),
        ("bnts,bsnh->btnh", 0),
        ("aecd,abcd->acbe", 0),
        ("abc,acd->abd", 0),
        ("abc,cde->abde", 0),
        ("abc,abd->acd", 1),
        ("abcdef,afg->abcdeg", 0),
        ("ab,ab->ab", 0),
        ("ab,bc->ca", 1),
    ],
)
def test_products_are_planned_without_copies_where_strides_allow_it(equation: str, copies: int) -> None:
    operands, out = equation.split("->")
    first, second = operands.split(",")
    lengths = {label: 2 + index for index, label in enumerate(sorted(set(first + second)))}
    plan = plan_product(first, [lengths[one] for one in first], second, [lengths[one] for one in second], out)
    assert plan is not None
    assert sum(one is not None for one in plan.copies) == copies


def test_what_is_no_product_is_not_planned() -> None:
    assert plan_product("aab", (2, 2, 3), "bc", (3, 4), "ac") is None
    assert plan_product("ab", (2, 3), "cd", (4, 5), "ac") is None


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("rms", [0, 1])
def test_layer_norm_is_that_of_float64(isa: str, rms: int) -> None:
    rng = RNG(4)
    for n in (1, 2, 7, 16, 63, 64, 65, 127, 128, 1000, 1024, 1025, 5000):
        x = (rng.standard_normal((5, n)) * 3 + 10).astype("float32")
        gamma, beta = rng.standard_normal((2, n)).astype("float32")
        wide = x.astype("f8")
        centred = wide - wide.mean(-1, keepdims=True)
        unit = (wide if rms else centred) / np.sqrt(wide.var(-1, keepdims=True) + 1e-3)
        for scale, shift in ((gamma, beta), (gamma, None), (None, beta), (None, None)):
            expected = unit * (1 if scale is None else scale) + (0 if shift is None else shift)
            y, check = guarded(x.shape)
            fields = {
                "x": at_page_end(x),
                "scale": scale,
                "shift": shift,
                "rows": 5,
                "n": n,
                "rms": rms,
                "epsilon": 1e-3,
            }
            assert run_leaf(isa, "layer_norm_f32", 5, y=y, **fields)[0] == 0
            check()
            np.testing.assert_allclose(y, expected, rtol=0, atol=4e-5 * max(1.0, np.abs(expected).max()))
            again, _ = guarded(x.shape)
            run_leaf(isa, "layer_norm_f32", 5, ranges=[(3, 5), (0, 1), (1, 3)], y=again, **fields)
            np.testing.assert_array_equal(again, y)


@pytest.mark.parametrize("isa", ISAS)
def test_group_norm_is_that_of_float64_in_every_blocking(isa: str) -> None:
    rng = RNG(5)
    for batch, pixels, channels, groups in (
        (2, 1, 6, 3),
        (3, 65, 8, 2),
        (2, 200, 12, 12),
        (1, 9, 40, 1),
        (2, 64, 1200, 2),
    ):
        x = (rng.standard_normal((batch, pixels, channels)) * 2 + 5).astype("float32")
        gamma, beta = rng.standard_normal((2, channels)).astype("float32")
        grouped = x.astype("f8").reshape(batch, pixels, groups, -1)
        centred = grouped - grouped.mean((1, 3), keepdims=True)
        expected = (centred / np.sqrt(grouped.var((1, 3), keepdims=True) + 0.01)).reshape(x.shape) * gamma + beta
        results = []
        for block in {1, groups, max(1, groups // 2)}:
            y, check = guarded(x.shape)
            parts = -(-groups // block)
            code = run_leaf(
                isa,
                "group_norm_f32",
                batch * parts,
                12 * block * channels // groups,
                x=at_page_end(x),
                scale=gamma,
                shift=beta,
                y=y,
                batch=batch,
                pixels=pixels,
                channels=channels,
                groups=groups,
                block=block,
                epsilon=0.01,
            )
            assert code[0] == 0
            check()
            results.append(y)
        np.testing.assert_allclose(results[0], expected, rtol=0, atol=3e-5 * np.abs(expected).max())
        for other in results[1:]:
            np.testing.assert_array_equal(other, results[0])


def strided(name: str, shape: tuple[int, ...], full: tuple[int, ...]) -> dict[str, int]:
    steps, step = [0] * 4, 1
    for axis in reversed(range(4)):
        steps[axis] = 0 if shape[axis] == 1 else step
        step *= shape[axis]
    return {f"{name}{axis}": one for axis, one in enumerate(steps)}


FULL = (2, 3, 4, 37)
SHAPES = (FULL, (1, 3, 1, 37), (2, 1, 4, 1), (1, 1, 1, 1))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", logic.TYPES)
def test_comparisons_and_logic_are_numpy_s(isa: str, dtype: str) -> None:
    rng = RNG(6)
    names = (*logic.COMPARISONS, "neither")
    for first in SHAPES:
        for second in SHAPES:
            a, b = (rng.integers(0, 3, shape).astype(dtype) for shape in (first, second))
            if dtype == "float32" and a.size > 4:
                a.ravel()[1:4] = np.nan, np.inf, -0.0
            for kind, name in enumerate(names):
                y, check = guarded(FULL, 7, np.uint8)
                sizes_of = {f"n{axis}": size for axis, size in enumerate(FULL)}
                steps = strided("a", first, FULL) | strided("b", second, FULL)
                run_leaf(
                    isa, "compare", 24, a=a, b=b, y=y, type=logic.TYPES.index(dtype), kind=kind, **sizes_of, **steps
                )
                check()
                expected = ~np.logical_or(a, b) if name == "neither" else getattr(np, name)(a, b)
                np.testing.assert_array_equal(y, np.broadcast_to(expected, FULL), err_msg=name)


@pytest.mark.parametrize("isa", ISAS)
def test_selection_takes_every_element_as_it_is(isa: str) -> None:
    rng = RNG(7)
    for conditions in SHAPES:
        for first in SHAPES:
            for second in SHAPES:
                c = (rng.random(conditions) > 0.5).astype(np.uint8)
                a, b = (rng.standard_normal(shape).astype("float32") for shape in (first, second))
                a.ravel()[0] = np.nan
                y, check = guarded(FULL)
                fields = {f"n{axis}": size for axis, size in enumerate(FULL)}
                for name, shape in (("c", conditions), ("a", first), ("b", second)):
                    fields |= strided(name, shape, FULL)
                run_leaf(isa, "where_f32", 24, ranges=[(20, 24), (0, 20)], c=c, a=a, b=b, y=y, **fields)
                check()
                np.testing.assert_array_equal(y, np.broadcast_to(np.where(c, a, b), FULL))


@pytest.mark.parametrize("isa", ISAS)
def test_conversions_bands_and_any_and_all(isa: str) -> None:
    rng = RNG(8)
    for source in logic.TYPES:
        x = rng.integers(-3, 4, 133).astype(source)
        if source == "float32":
            x[:3] = np.nan, -0.0, 1e-45
        if source == "int64":
            x[:2] = 2**62 + 1, -(2**53) - 1
        for target, dtype in (("float32", np.float32), ("bool", np.uint8)):
            y, check = guarded(133, 9, dtype)
            run_leaf(isa, "cast", 133, x=x, y=y, **{"from": logic.TYPES.index(source), "to": logic.TYPES.index(target)})
            check()
            np.testing.assert_array_equal(y, x.astype(target).astype(dtype))
    for low, high in ((0, 2**62), (-2, 1), (3, 2)):
        y, check = guarded((6, 9), 9, np.uint8)
        run_leaf(isa, "band", 6, y=y, rows=6, columns=9, low=low, high=high)
        check()
        distance = np.arange(6)[:, None] - np.arange(9)
        np.testing.assert_array_equal(y, (distance >= low) & (distance <= high))
    for middle, inner in ((1, 1), (40, 1), (5, 33), (0, 3), (0, 1)):
        for every in (0, 1):
            x = (rng.random((4, middle, inner)) > (0.05 if every else 0.95)).astype(np.uint8)
            y, check = guarded((4, inner), 9, np.uint8)
            run_leaf(isa, "hold", 4, x=x, y=y, outer=4, middle=middle, inner=inner, all=every)
            check()
            np.testing.assert_array_equal(y, x.all(1) if every else x.any(1))
