"""Kernels of the recurrent ops: one leaf projects the input, some steps at a time, and walks the sequence.

How a layer is divided among threads follows from its sizes. A recurrent matrix that fits into the cache beside the
rest is read by every thread, and the rows of the batch are divided, unless layers that do not depend on one another run
side by side; a larger one is divided by units among them, and so is a smaller one where there are not enough rows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from graphflow.kernels.isa import Isa
from graphflow.kernels.layout import (
    Array,
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
from graphflow.kernels.products import FLOPS_PER_NS
from graphflow.ops.activation import LINEAR

KINDS = ("lstm", "gru", "rnn")
"""The order of `GF_RECURRENT_KINDS`."""

ORDER = {"lstm": (0, 1, 3, 2), "gru": (0, 1, 2), "rnn": (0,)}
"""Which of Keras' gates stand side by side in a block, the one that `activation` is for last."""

SHARED_BYTES = 1 << 20
"""A recurrent matrix up to this size stays in the cache of every thread."""

DIVIDED_BYTES = 1 << 17
"""From this size on a recurrent matrix is divided by units, too, where there are fewer rows than threads: the work of a
step outweighs that threads wait for one another."""

PROJECTED_BYTES = 1 << 19
"""How much of the projected input is made at once, so that it stays in the cache, too."""

PROJECTED_ROWS = 112
"""How many rows the projection takes at once at least, so that reading its weights pays."""

STEP_NS = 60.0
"""A guess of what a step of a row takes beside its products and gates."""

LINE = 16
"""The floats of a cache line."""


def _refuse(call: Call) -> str | None:
    if not (call.known[1] and call.known[2]):
        return "the weights are computed during the run"
    if call.inputs[3] is not None and not call.known[3]:
        return "the bias is computed during the run"
    return not_float32(call, len(call.inputs) - 1)


def block_columns(units: int, gates: tuple[int, ...], vector: int) -> Array:
    """Where the columns of a layer's matrices come from: blocks of `vector` units, the gates of a block side by side.

    Args:
        gates: which gates there are, in their order within a block.

    Example:
        >>> block_columns(3, (1, 0), vector=2).tolist()
        [3, 4, 0, 1, 5, 2]
    """
    starts = range(0, units, vector)
    parts = [gate * units + np.arange(at, min(at + vector, units)) for at in starts for gate in gates]
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _large(units: int, gates: int) -> bool:
    """Whether a recurrent matrix is too large to be read by every thread."""
    return 4 * units * gates * units > SHARED_BYTES


def row_block(batch: int, threads: int, isa: Isa, most: int) -> int:
    """How many rows are walked together: even parts of what a thread gets, at most so many tiles."""
    each = -(-batch // threads)
    blocks = -(-each // (most * isa.tile_m))
    return max(1, -(-each // max(1, blocks)))


def _given(call: Call, index: int) -> Ref | None:
    return None if call.inputs[index] is None else operand(index)


def _packs(call: Call, kind: str, units: int) -> tuple[list[Pack], dict[str, Ref | None]]:
    """The packed weights, and the fields that point to them."""
    isa, order = call.isa, ORDER[kind]
    packs: list[Pack] = []
    fields: dict[str, Ref | None] = dict.fromkeys(("w", "bias", "u", "uh", "inner"))

    def add(field: str, source: int, gates: tuple[int, ...], make: Callable[[Array], Array]) -> None:
        columns = block_columns(units, gates, isa.vector)
        packs.append(Pack(f"recurrent {kind} {field} {gates} {isa.name}", (source,), lambda w: make(w[..., columns])))
        fields[field] = Ref("packed", len(packs) - 1)

    def panels(matrix: Array) -> Array:
        return pack_panels(matrix, isa)

    after = bool(call.attrs.get("reset_after", True))
    add("w", 1, order, panels)
    add("u", 2, order if after else order[:2], panels)
    if not after:
        add("uh", 2, order[2:], panels)
    if call.inputs[3] is not None:
        double = kind == "gru" and after
        add("bias", 3, order, lambda b: np.ascontiguousarray(b[0] if double else b, np.float32))
        if double:
            add("inner", 3, order, lambda b: np.ascontiguousarray(b[1], np.float32))
    return packs, fields


def _clear(ref: Ref, words: int) -> Step:
    """A step that sets so many words of four bytes to zero."""
    sizes = {f"{name}{axis}": value for axis in range(4) for name, value in (("n", 0), ("m", 1), ("p", 0))}
    fields = {"x": ref, "y": ref, "itemsize": 4, "value": 0, **sizes, "m3": words}
    return Step("pad", fields, 1, 0.0)


def _lay(call: Call, kind: str) -> Layout:
    x, recurrent = call.inputs[0], call.inputs[2]
    assert x is not None and recurrent is not None
    batch, steps, features = (dimension(size) for size in x.shape)
    units, gates, isa, attrs = dimension(recurrent.shape[0]), len(ORDER[kind]), call.isa, call.attrs
    large, whole = _large(units, gates), max(isa.tile_n, units)
    share = -(-units // (call.threads * isa.tile_n)) * isa.tile_n
    divisible = not call.beside and 0 < share < units and 4 * units * gates * units >= DIVIDED_BYTES
    part = share if divisible and (large or batch < call.threads) else whole
    parts, most_parts = max(1, -(-units // part)), max(1, -(-units // (share if divisible else whole)))
    tiles = 4 if large else 1
    rows = row_block(batch, 1 if parts > 1 else call.threads, isa, tiles)
    blocks = -(-batch // rows)
    at_once = max(PROJECTED_ROWS, PROJECTED_BYTES // max(1, 4 * gates * units))
    chunk = max(1, min(steps, at_once // rows))
    chunk = max(1, -(-steps // max(1, -(-steps // chunk))))

    def floats(rows: int) -> int:
        """What is enough for fewer rows, too: those of a block, and `chunk`, do not always grow with the batch."""
        most = min(rows, tiles * isa.tile_m)
        states = most * (3 * units + most_parts)
        return states + gates * units * (most + min(max(at_once, most), most * steps))

    step_ns = STEP_NS + gates * units * (0.5 + 2.0 * (units + features) / FLOPS_PER_NS[isa.name])
    packs, weights = _packs(call, kind, units)
    # a batch of fewer rows may be divided where this one is not: then it finds room and all steps
    fewer = batch if parts > 1 else call.threads - 1
    divided = -(-fewer // row_block(fewer, 1, isa, tiles))
    counters = LINE * (most_parts + 1)
    work_step = -(-floats(fewer) // LINE) * LINE
    shared = [4 * divided * counters, 4 * divided * work_step] if most_parts > 1 else []
    states = len(call.outputs) - 1
    sequences = attrs["sequences"]
    walk = Step(
        leaf="recurrent_f32",
        fields={
            "x": operand(0),
            **weights,
            "h0": _given(call, 4),
            "c0": _given(call, 5) if states == 2 else None,
            "mask": _given(call, len(call.inputs) - 1),
            "y": result() if sequences else None,
            "last": None if sequences else result(),
            "h": result(1),
            "c": result(2) if states == 2 else None,
            "counters": Ref("work", 0) if shared else None,
            "work": Ref("work", 1) if shared else None,
            "kind": KINDS.index(kind),
            "batch": batch,
            "steps": steps,
            "features": features,
            "units": units,
            "ldx": features,
            "ldy": units,
            "part": part,
            "chunk": chunk,
            "block_m": rows,
            "work_step": work_step,
            "reverse": int(attrs["reverse"]),
            "flip": int(attrs.get("flip", False)),
            "zero_output": int(attrs["zero_output"]),
            "reset_after": int(attrs.get("reset_after", True)),
            **act_fields(attrs["activation"]),
            **act_fields(attrs.get("gate", LINEAR), "gate"),
        },
        items=blocks * parts,
        nanoseconds=batch * steps * step_ns,
        limit=1,
        scratch=0 if parts > 1 else 4 * floats(batch),
    )
    clear = [_clear(Ref("work", 0), divided * counters)] if shared else []
    return Layout([*clear, walk], packs, work=shared)


GAPS = frozenset((0,))
"""Of the operands, those that may have gaps: the input; and so may the first result, the output."""


def _beside(call: Call, kind: str) -> bool:
    recurrent = call.inputs[2]
    return recurrent is not None and not _large(dimension(recurrent.shape[0]), len(ORDER[kind]))


ROWS = tuple(
    KernelDef(
        f"{kind}_f32",
        kind,
        "fma k, steps",
        _refuse,
        partial(_lay, kind=kind),
        strided=GAPS,
        beside=partial(_beside, kind=kind),
    )
    for kind in KINDS
)
