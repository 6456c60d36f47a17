"""The recurrent operations of ONNX as `torch.nn.LSTM`, `GRU` and `RNN`; form as in `benchmarks.torch_ops`.

    gates    ONNX             torch.nn
    LSTM     i, o, f, c       i, f, c, o
    GRU      z, r, h          r, z, h

Both lay weights as (gates * units, features) and have two biases; ONNX puts them behind one another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from benchmarks.torch_graph import NotCovered, Recorder, Value

ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
"""Where each gate of torch.nn is among ONNX's."""
DEFAULTS = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}
ENDS = {0: "", 1: "_reverse"}


def _reordered(array: torch.Tensor, kind: str) -> torch.Tensor:
    parts = array.chunk(len(ORDER[kind]), 0)
    return torch.cat([parts[index] for index in ORDER[kind]])


def _module(kind: str, w: torch.Tensor, r: torch.Tensor, b: torch.Tensor | None, units: int) -> torch.nn.Module:
    """A module of torch.nn with the weights of both directions, or one."""
    both = w.shape[0] == 2
    module: Any = getattr(torch.nn, kind)(w.shape[2], units, bias=b is not None, bidirectional=both)
    for direction in range(w.shape[0]):
        end = f"l0{ENDS[direction]}"
        values = {f"weight_ih_{end}": w[direction], f"weight_hh_{end}": r[direction]}
        if b is not None:
            values[f"bias_ih_{end}"], values[f"bias_hh_{end}"] = b[direction].chunk(2)
        for name, value in values.items():
            getattr(module, name).data.copy_(_reordered(value, kind))
    module.eval()
    made: torch.nn.Module = module
    return made


def recurrent(kind: str) -> Callable[..., list[Value]]:
    """LSTM, GRU or RNN."""

    def build(
        record: Recorder,
        x: Value,
        w: Value,
        r: Value,
        b: Value | None = None,
        lengths: Value | None = None,
        h0: Value | None = None,
        c0: Value | None = None,
        peepholes: Value | None = None,
        *,
        hidden_size: int,
        direction: str = "forward",
        layout: int = 0,
        activations: Any = None,
        linear_before_reset: int = 0,
        input_forget: int = 0,
        clip: float | None = None,
    ) -> list[Value]:
        ways = 2 if direction == "bidirectional" else 1
        if activations is not None and tuple(activations) != DEFAULTS[kind] * ways:
            raise NotCovered(f"{kind} with activations {list(activations)}")
        if kind == "GRU" and not linear_before_reset:
            raise NotCovered("GRU with the reset gate before the product")
        if peepholes is not None or input_forget or clip or layout:
            raise NotCovered(f"{kind} with peepholes, a coupled gate, clipping or another layout")
        if lengths is not None and not (lengths.is_constant and set(lengths.constant().tolist()) == {x.shape[0]}):
            raise NotCovered(f"{kind} with lengths of sequences")
        bias = b.constant() if b is not None else None
        module = record.module(_module(kind, w.constant(), r.constant(), bias, hidden_size))
        if direction == "reverse":
            x = record(torch.flip, x, [0])
        if h0 is None:
            y, last = record.call(module, 2 + (kind == "LSTM"), x)
        else:
            y, last = record.call(module, 2 + (kind == "LSTM"), x, (h0, c0) if kind == "LSTM" else h0)
        steps, batch = x.shape[:2]
        y = record(torch.reshape, y, [steps, batch, ways, hidden_size])
        if direction == "reverse":
            y = record(torch.flip, y, [0])
        return [record(torch.permute, y, [0, 2, 1, 3]), *last]

    return build


OPERATIONS: dict[str, Callable[..., Any]] = {kind: recurrent(kind) for kind in ORDER}
"""Name to function."""
