"""Kernels of the recurrent ops: one product projects all steps, then one leaf walks them."""

from __future__ import annotations

from typing import Any

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
    pack_panels,
    result,
)
from graphflow.kernels.products import FLOPS_PER_NS, gemm_step


def _refuse(call: Call) -> str | None:
    if not (call.known[1] and call.known[2]):
        return "the weights are computed during the run"
    return not_float32(call, len(call.inputs) - 1)


def _sizes(call: Call) -> tuple[int, int, int, int]:
    """Batch, steps, features, units."""
    x, recurrent = call.inputs[0], call.inputs[2]
    assert x is not None and recurrent is not None
    batch, steps, features = (dimension(size) for size in x.shape)
    return batch, steps, features, dimension(recurrent.shape[0])


def _given(call: Call, index: int) -> Ref | None:
    return None if call.inputs[index] is None else operand(index)


def _project(call: Call, gates: int) -> Step:
    """x . kernel + bias, for all steps at once, into the first work buffer."""
    batch, steps, features, units = _sizes(call)
    epilogue = {"bias": _given(call, 3), "residual": None, **act_fields()}
    packed, work = Ref("packed", 0), Ref("work", 0)
    return gemm_step(operand(0), packed, work, batch * steps, gates * units, features, call, epilogue)


def _walk(call: Call, leaf: str, gates: int, floats: int, **fields: Any) -> Step:
    """The step that walks the sequence; `floats`: scratch of each row, in units."""
    batch, steps, _, units = _sizes(call)
    block = max(1, min(256, -(-batch // call.threads)))
    sequences = call.attrs["sequences"]
    return Step(
        leaf=leaf,
        fields={
            "z": Ref("work", 0),
            "u": Ref("packed", 1),
            "mask": _given(call, len(call.inputs) - 1),
            "y": result() if sequences else None,
            "last": None if sequences else result(),
            "h": result(1),
            "batch": batch,
            "steps": steps,
            "units": units,
            "reverse": int(call.attrs["reverse"]),
            "zero_output": int(call.attrs["zero_output"]),
            "block_m": block,
            **act_fields(call.attrs["activation"]),
            **fields,
        },
        items=batch,
        nanoseconds=batch * steps * (2.0 * gates * units * units / FLOPS_PER_NS[call.isa.name] + 0.5 * gates * units),
        limit=block,
        scratch=4 * block * floats * units,
    )


def _layout(call: Call, gates: int, walk: Step, parts: tuple[tuple[int, int], ...]) -> Layout:
    """`parts`: the column ranges, in units, of the recurrent matrix that are packed by themselves."""
    batch, steps, _, units = _sizes(call)
    isa = call.isa
    packs = [Pack(f"panels {isa.name}", (1,), lambda w: pack_panels(w, isa))]
    for first, last in parts:
        columns = slice(first * units, last * units)
        name = f"panels {isa.name}" if last - first == gates else f"panels {isa.name} columns {first} to {last} units"
        packs.append(Pack(name, (2,), lambda w, columns=columns: pack_panels(w[:, columns], isa)))
    return Layout([_project(call, gates), walk], packs, work=[4 * batch * steps * gates * units])


def _lay_lstm(call: Call) -> Layout:
    gate = act_fields(call.attrs["gate"], "gate")
    walk = _walk(call, "lstm_f32", 4, 8, h0=_given(call, 4), c0=_given(call, 5), c=result(2), **gate)
    return _layout(call, 4, walk, ((0, 4),))


def _lay_gru(call: Call) -> Layout:
    after, units = call.attrs["reset_after"], _sizes(call)[3]
    inner = Ref("in", 3, 4 * 3 * units) if after and call.inputs[3] is not None else None
    gate = act_fields(call.attrs["gate"], "gate")
    own = {"uh": Ref("packed", 2), "bias": inner, "h0": _given(call, 4), "reset_after": int(after), **gate}
    return _layout(call, 3, _walk(call, "gru_f32", 3, 5, **own), ((0, 2), (2, 3)))


def _lay_rnn(call: Call) -> Layout:
    return _layout(call, 1, _walk(call, "rnn_f32", 1, 2, h0=_given(call, 4)), ((0, 1),))


ROWS = (
    KernelDef("lstm_f32", "lstm", "fma k, steps", _refuse, _lay_lstm),
    KernelDef("gru_f32", "gru", "fma k, steps", _refuse, _lay_gru),
    KernelDef("rnn_f32", "rnn", "fma k, steps", _refuse, _lay_rnn),
)
