"""The dense product, and what all kernels on the row-GEMM share."""

from __future__ import annotations

import math
from typing import Any

from graphflow.kernels.isa import Isa
from graphflow.kernels.layout import (
    Call,
    KernelDef,
    Layout,
    Pack,
    Ref,
    Step,
    act_fields,
    dimension,
    not_float32,
    operand,
    result,
)
from graphflow.kernels.packing import pack_panels
from graphflow.ops.activation import LINEAR

EPILOGUES = frozenset(("bias", "residual", "activation"))
STRIDED = frozenset((0, 3))
"""The operands of a product with an epilogue that may have gaps: the input and the residual."""

RESIDUAL = (3,)
"""The operand of such a product that its result may overwrite: each of its elements is read just before that."""

FLOPS_PER_NS = {"avx512": 150.0, "avx2": 80.0, "base": 20.0}
"""A guess of what the GEMM reaches on one thread, to decide whether threads should share a step."""


CACHE_BYTES_PER_NS = 30.0
"""A guess of what one thread reads beyond its second-level cache."""


MOST_BLOCK = 1 << 20
"""Bytes of the left matrix that a block of rows may have, to stay in the second-level cache while panels pass."""


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step


def row_block(rows: int, k: int, n: int, isa: Isa) -> int:
    """How many rows of a product one item takes: even parts of about a hundred, fewer of a shallow or very deep one."""
    most = isa.tile_m * (8 if isa.tile_m > 8 else 16)
    if (k <= 64 and n >= 128) or 4 * most * k > MOST_BLOCK:
        most //= 2
    parts = max(1, -(-rows // most))
    return _round_up(-(-max(rows, 1) // parts), isa.tile_m)


DEEP_K, WHOLE_K, BLOCK_K, FEWEST_PANELS = 4096, 2048, 1536, 8
LINE = 16
"""Floats in a cache line."""
WAITING = 512
"""Columns whose sums wait for the rest of their k elements: GF_WAITING of gemm.h."""


def depth_block(k: int, n: int, isa: Isa) -> int:
    """How many elements of k are taken at a time from rows copied side by side; 0: all, from the rows as they lie.

    A copy pays where enough panels read it, and where rows would fall into the same places of the first-level cache or
    a block of them not stay in the second.
    """
    if isa.tile_m <= 8 or n < FEWEST_PANELS * isa.tile_n or k < 512 or (k % 512 and k <= DEEP_K):
        return 0
    parts = 1 if k <= WHOLE_K else -(-k // BLOCK_K)
    return _round_up(-(-k // parts), LINE)


def parts_scratch(block_m: int, block_k: int, k: int) -> int:
    """Bytes that `gf_multiply_in_parts` of gemm.h wants."""
    return 4 * block_m * ((-(-block_k // LINE) | 1) * LINE + (WAITING if block_k < k else 0)) if block_k else 0


def even_block(rows: int, isa: Isa, threads: int) -> int:
    """As `row_block` of rows that are copied: about a hundred, and as many blocks for each thread."""
    most = isa.tile_m * 8
    every = 4 * threads if threads > 1 and rows >= 2 * threads * most else 1
    parts = max(1, round(rows / most / every)) * every
    return -(-max(rows, 1) // parts)


def column_block(blocks: int, n: int, isa: Isa, threads: int, narrowest: int = 2) -> int:
    """How many columns one item takes: all of them, unless there are too few row blocks to keep the threads busy."""
    whole = _round_up(max(n, 1), isa.tile_n)
    if threads == 1 or blocks >= 2 * threads:
        return whole
    parts = -(-2 * threads // blocks)
    return max(min(whole, narrowest * isa.tile_n), _round_up(-(-n // parts), isa.tile_n))


def epilogue_fields(call: Call, bias: int, residual: int) -> dict[str, Any]:
    """The fields of an epilogue whose bias and residual are these inputs."""
    return {
        "bias": None if call.inputs[bias] is None else operand(bias),
        "residual": None if call.inputs[residual] is None else operand(residual),
        **act_fields(call.attrs.get("activation", LINEAR)),
    }


def refuse_weights(call: Call) -> str | None:
    """The reason why a product with packed weights can not be one with these, or None."""
    if not call.known[1]:
        return "the weights are computed during the run"
    residual = call.inputs[3]
    if residual is not None and residual.shape != call.outputs[0].shape:
        return "the residual is broadcast"
    return not_float32(call)


def gemm_step(x: Ref, w: Ref, y: Ref, m: int, n: int, k: int, call: Call, epilogue: dict[str, Any]) -> Step:
    """y (m, n) = act(x (m, k) . w + bias + residual), all without gaps."""
    block_k = depth_block(k, n, call.isa)
    block_m = even_block(m, call.isa, call.threads) if block_k else row_block(m, k, n, call.isa)
    blocks = -(-m // block_m) if m else 0
    block_n = column_block(max(blocks, 1), n, call.isa, call.threads, 4 if m <= 2 else 2)
    return Step(
        leaf="gemm_f32",
        fields={
            "x": x,
            "w": w,
            "y": y,
            "m": m,
            "n": n,
            "k": k,
            "ldx": k,
            "ldr": n,
            "ldy": n,
            "block_m": block_m,
            "block_n": block_n,
            "block_k": block_k,
            **epilogue,
        },
        items=blocks * -(-n // block_n),
        nanoseconds=max(
            2.0 * m * n * k / FLOPS_PER_NS[call.isa.name], 4.0 * (k * n + m * k + m * n) / CACHE_BYTES_PER_NS
        ),
        scratch=parts_scratch(block_m, block_k, k),
    )


def _lay_dense(call: Call) -> Layout:
    x, kernel = call.inputs[0], call.inputs[1]
    assert x is not None and kernel is not None
    k, n = kernel.shape
    m = math.prod(x.shape[:-1])  # type: ignore[arg-type]
    isa = call.isa
    pack = Pack(f"panels {isa.name}", (1,), lambda w: pack_panels(w, isa))
    epilogue = epilogue_fields(call, 2, 3)
    step = gemm_step(operand(0), Ref("packed", 0), result(), m, dimension(n), dimension(k), call, epilogue)
    return Layout([step], [pack], in_place=RESIDUAL)


def _three(values: Any, fill: int) -> tuple[int, int, int]:
    filled = (fill,) * (3 - len(values)) + tuple(values)
    return filled[0], filled[1], filled[2]


def spatial_fields(name: str, values: Any, fill: int = 1) -> dict[str, int]:
    """`name_d`, `name_h`, `name_w` of up to three sizes."""
    return {f"{name}_{axis}": size for axis, size in zip("dhw", _three(values, fill), strict=True)}


ROWS = (KernelDef("gemm_f32", "dense", "fma k", refuse_weights, _lay_dense, EPILOGUES, STRIDED),)
