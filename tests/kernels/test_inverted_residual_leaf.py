"""The inverted residual leaf against its three parts, one after another: the same bits, in any strips and bands."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from leaf_harness import ISAS, at_page_end, guarded, pack_panels, run_leaf

from graphflow.kernels import _leaf

Array = np.ndarray[Any, Any]
ACTIVATIONS = {
    "linear": (0.0, 0.0, 0.0),
    "relu": (0.0, 0.0, 0.0),
    "clip": (-0.5, 2.0, 0.0),
    "silu": (0.0, 0.0, 0.0),
    "relu_general": (0.25, 3.0, 0.0),
}


def normal(rng: np.random.Generator, *shape: int) -> Array:
    return rng.standard_normal(shape).astype(np.float32)


def activation(rng: np.random.Generator, prefix: str) -> dict[str, Any]:
    name = str(rng.choice(list(ACTIVATIONS)))
    alpha, beta, gamma = ACTIVATIONS[name]
    key = "" if prefix == "act" else f"{prefix}_"
    numbers = {f"{key}alpha": alpha, f"{key}beta": beta, f"{key}gamma": gamma}
    return {prefix: _leaf.ACTIVATIONS.index(name), **numbers}


def plain(fields: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The activation of a part, by the names that a leaf of its own has for it."""
    names = ("act", *(f"{prefix}_{name}" for name in ("alpha", "beta", "gamma")))
    return dict(zip(("act", "alpha", "beta", "gamma"), (fields[prefix], *(fields[n] for n in names[1:])), strict=True))


def product(isa: str, x: Array, w: Array, bias: Array | None, residual: Array | None, act: dict[str, Any]) -> Array:
    """act(x . w + bias + residual) by the leaf of matrix products."""
    k, n = w.shape
    rows = x.size // k
    y = np.full((*x.shape[:-1], n), np.nan, np.float32)
    run_leaf(
        isa, "gemm_f32", 1 if rows else 0, x=x, w=pack_panels(w, isa), bias=bias, residual=residual, y=y, m=rows, n=n,
        k=k, ldx=k, ldr=n, ldy=n, block_m=max(rows, 1), block_n=-(-n // 64) * 64, block_k=0,
        **act,
    )  # fmt: skip
    return y


def problem(rng: np.random.Generator, isa: str) -> dict[str, Any]:
    """Sizes around those of the tiles, any window and any activations."""
    vector, tile_n = _leaf.TABLES[isa]["vector"], _leaf.TABLES[isa]["tile_n"]
    kernel = [int(v) for v in rng.choice([1, 2, 3, 3, 3, 5], 2)]
    strides = [int(v) for v in rng.choice([1, 1, 2, 3], 2)]
    dilation = [1, 1] if max(strides) > 1 else [int(v) for v in rng.choice([1, 1, 2], 2)]
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    before = [int(rng.integers(0, r)) for r in reach]
    after = [int(rng.integers(0, r)) for r in reach]
    size = [
        max(int(rng.integers(1, top)), r - b - a) for top, r, b, a in zip((14, 31), reach, before, after, strict=True)
    ]
    out = [(n + b + a - r) // s + 1 for n, b, a, r, s in zip(size, before, after, reach, strides, strict=True)]
    expands = bool(rng.integers(4))
    hidden = int(rng.choice([1, vector - 1, vector, tile_n, tile_n + 3, 2 * tile_n + vector, 3 * tile_n - 1]))
    return {
        "batch": int(rng.integers(1, 3)),
        "in_c": int(rng.integers(1, 40)) if expands else hidden,
        "hidden": hidden,
        "out_c": int(rng.choice([1, 7, vector, vector + 3, tile_n + 1, 2 * tile_n])),
        "size": size,
        "out": out,
        "kernel": kernel,
        "stride": strides,
        "dilation": dilation,
        "pad": before,
        "expands": expands,
        "projects": bool(rng.integers(5)),
    }


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("seed", range(60))
def test_the_block_has_the_bits_of_its_parts(isa: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = problem(rng, isa)
    (in_h, in_w), (out_h, out_w), (kernel_h, kernel_w) = p["size"], p["out"], p["kernel"]
    batch, in_c, hidden = p["batch"], p["in_c"], p["hidden"]
    out_c = p["out_c"] if p["projects"] else hidden
    acts = {**activation(rng, "expand_act"), **activation(rng, "depthwise_act"), **activation(rng, "act")}
    x = normal(rng, batch, in_h, in_w, in_c)
    w_expand = normal(rng, in_c, hidden) if p["expands"] else None
    w_depthwise = normal(rng, kernel_h, kernel_w, hidden)
    w = normal(rng, hidden, out_c) if p["projects"] else None
    bias_expand, bias_depthwise, bias = (normal(rng, n) if rng.integers(3) else None for n in (hidden, hidden, out_c))
    residual = normal(rng, batch, out_h, out_w, out_c) if p["projects"] and rng.integers(2) else None
    window = {
        f"{name}_{axis}": value
        for name in ("kernel", "stride", "dilation", "pad")
        for axis, value in zip("hw", p[name], strict=True)
    }
    sizes = {"in_h": in_h, "in_w": in_w, "out_h": out_h, "out_w": out_w}

    e = x if w_expand is None else product(isa, x, w_expand, bias_expand, None, plain(acts, "expand_act"))
    d = np.full((batch, out_h, out_w, hidden), np.nan, np.float32)
    flat = {"in_d": 1, "out_d": 1, "kernel_d": 1, "stride_d": 1, "dilation_d": 1, "pad_d": 0}
    run_leaf(
        isa, "depthwise_f32", batch * out_h, x=e, w=w_depthwise, bias=bias_depthwise, residual=None, y=d, batch=batch,
        channels=hidden, multiplier=1, **flat, **sizes, **window, ldx=hidden, ldr=hidden, ldy=hidden,
        **plain(acts, "depthwise_act"),
    )  # fmt: skip
    last = {name: acts[name] for name in ("act", "alpha", "beta", "gamma")}
    expected = d if w is None else product(isa, d, w, bias, residual, last)
    assert not np.isnan(expected).any()

    for strip, rows in ((out_h, 1), (int(rng.integers(1, out_h + 1)), int(rng.integers(1, out_h + 2)))):
        depth = (rows - 1) * p["stride"][0] + (kernel_h - 1) * p["dilation"][0] + 1
        scratch = (depth * in_w * hidden if p["expands"] else 0) + (rows * out_w * hidden if p["projects"] else 0)
        items = batch * -(-out_h // strip)
        cuts = sorted({0, items, *rng.integers(0, items + 1, 2).tolist()})
        y, check = guarded((batch, out_h, out_w, out_c))
        run_leaf(
            isa, "inverted_residual_f32", items, 4 * scratch, list(pairwise(cuts))[::-1], x=at_page_end(x),
            w_expand=None if w_expand is None else at_page_end(pack_panels(w_expand, isa)),
            bias_expand=None if bias_expand is None else at_page_end(bias_expand),
            w_depthwise=at_page_end(w_depthwise),
            bias_depthwise=None if bias_depthwise is None else at_page_end(bias_depthwise),
            w=None if w is None else at_page_end(pack_panels(w, isa)),
            bias=None if bias is None else at_page_end(bias),
            residual=None if residual is None else at_page_end(residual), y=y, batch=batch, in_c=in_c, hidden=hidden,
            out_c=out_c, **sizes, **window, ldx=in_c, ldr=out_c, ldy=out_c, strip=strip, rows=rows, **acts,
        )  # fmt: skip
        check()
        np.testing.assert_array_equal(y, expected)
