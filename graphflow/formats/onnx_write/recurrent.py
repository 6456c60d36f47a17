"""LSTM, GRU and simple recurrence as the operators of ONNX.

ONNX orders gates differently (LSTM: i, o, f, c), has the time axis first, and knows no masks, only lengths. A mask is
said through lengths: the steps that count are moved to the front of each row, keeping their sequence; the operator runs
over as many as there are; and step t of the result is the output after the last step that counts up to t. That is
exact for any mask. What these operators can not say (other activations, weights that are computed in the run) is made a
`scan` before anything is written: see `as_scans`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphflow import ops
from graphflow.formats.onnx_write.movement import sliced
from graphflow.formats.onnx_write.writer import Array, Converter, Writer
from graphflow.ir.graph import Graph, Node, Value
from graphflow.ir.rewrite import Rewriter
from graphflow.layers.rnn import zero_rows
from graphflow.ops.activation import Numbers, activate

TIME_FIRST = (1, 0, 2)

ACTIVATIONS: dict[str, tuple[str, int]] = {
    "tanh": ("Tanh", 0),
    "sigmoid": ("Sigmoid", 0),
    "relu": ("Relu", 0),
    "softsign": ("Softsign", 0),
    "softplus": ("Softplus", 0),
    "elu": ("Elu", 1),
    "hard_sigmoid": ("HardSigmoid", 2),
    "affine": ("Affine", 2),
}
"""Our rows that ONNX' recurrent operators take: their name there, and how many numbers they have."""

GATES: dict[str, tuple[str, int, tuple[int, ...]]] = {
    "lstm": ("LSTM", 2, (0, 3, 1, 2)),
    "gru": ("GRU", 1, (0, 1, 2)),
    "rnn": ("RNN", 1, (0,)),
}
"""The operator, how many states it has, and which of our gates stand in its places."""


def _rows(node: Node) -> list[Numbers]:
    """The activations in ONNX' sequence: of the gates, then of the candidate, then of the output."""
    activation = node.attrs["activation"]
    if node.op.name == "lstm":
        return [node.attrs["gate"], activation, activation]
    return [node.attrs["gate"], activation] if node.op.name == "gru" else [activation]


def can_be_said(node: Node) -> bool:
    """Whether the operator of ONNX computes what this node does."""
    weights = [value for value in node.inputs[1:4] if value is not None]
    known = all(value.stage != "run" for value in weights)
    return known and all(row[0] in ACTIVATIONS for row in _rows(node))


def as_scans(graph: Graph) -> None:
    """Replace what the operators can not say by scans."""
    for node in graph.ordered():
        if node.op.name in GATES and not can_be_said(node):
            _replace_by_scan(graph, node)


def _replace_by_scan(graph: Graph, node: Node) -> None:
    rewriter, attrs, kind = Rewriter(graph, node), node.attrs, node.op.name
    x, kernel, recurrent, bias, *rest = (rewriter.tensor(value) for value in node.inputs)
    given, mask = rest[:-1], rest[-1]
    units = recurrent.shape[0]
    states = [zero_rows(x, (units,), x.dtype) if state is None else state for state in given]
    after = kind == "gru" and attrs["reset_after"]
    outer, inner = (bias[0], bias[1]) if after and bias is not None else (bias, None)
    projected = ops.dense(x, kernel, outer)

    def cell(z: Any, held: Sequence[Any]) -> tuple[Any, ...]:
        if kind == "rnn":
            return (activate(attrs["activation"], z + ops.dense(held[0], recurrent)),)
        if kind == "lstm":
            h, c = held
            i, f, candidate, o = ops.split(z + ops.dense(h, recurrent), 4, 1)
            i, f, o = (activate(attrs["gate"], part) for part in (i, f, o))
            c = f * c + i * activate(attrs["activation"], candidate)
            return o * activate(attrs["activation"], c), c
        (h,) = held
        split, both = 2 * units, ops.dense(h, recurrent[:, : 2 * units], None if inner is None else inner[: 2 * units])
        update, reset = ops.split(activate(attrs["gate"], z[:, :split] + both), 2, 1)
        product = ops.dense(h if after else reset * h, recurrent[:, split:], None if inner is None else inner[split:])
        candidate = activate(attrs["activation"], z[:, split:] + (reset * product if after else product))
        return (update * h + (1 - update) * candidate,)

    def plain(z: Any, *held: Any) -> tuple[list[Any], list[Any]]:
        made = cell(z, held)
        return [made[0]], list(made)

    def masked(z: Any, live: Any, *parts: Any) -> tuple[list[Any], list[Any]]:
        held, shown, live = parts[:-1], parts[-1], ops.expand_dims(live, 1)
        made = cell(z, held)
        output = ops.where(live, made[0], 0.0 if attrs["zero_output"] else shown)
        return [output], [*(ops.where(live, new, old) for new, old in zip(made, held, strict=True)), output]

    way = {"reverse": attrs["reverse"], "collect": attrs["sequences"]}
    with rewriter.tracing():
        if mask is None:
            outputs, finals = ops.scan(plain, [projected], states, **way)
        else:
            start = zero_rows(x, (units,), x.dtype)
            outputs, finals = ops.scan(masked, [projected, mask], [*states, start], **way)
    if attrs["sequences"] and attrs.get("flip"):
        with rewriter.tracing():
            outputs = [ops.flip(outputs[0], 1)]
    for old, new in zip(node.outputs, [outputs[0], *finals[: len(states)]], strict=True):
        rewriter.replace(old, new)
    graph.remove(node)


# -- the operators


def _gates_first(weights: Array, places: Sequence[int]) -> Array:
    """(..., gates * units) as ONNX has it: (gates * units, ...), gates in its places."""
    parts = np.split(weights, len(places), axis=-1)
    return np.concatenate([parts[place].T for place in places], axis=0)


def _biases(w: Writer, node: Node, bias: Value | None, places: Sequence[int]) -> str:
    """Both biases, of the input and of the recurrent product; Keras has the second for GRU alone."""
    if bias is None:
        return ""
    given = w.known(bias)
    outer, inner = given if given.ndim == 2 else (given, np.zeros_like(given))
    both = np.concatenate([_gates_first(outer, places), _gates_first(inner, places)])
    return w.weight(bias, both[None], node.op.name)


def _activations(node: Node) -> dict[str, Any]:
    """The attributes that name the activations, unless they are the usual ones."""
    rows = _rows(node)
    usual = {"lstm": ["sigmoid", "tanh", "tanh"], "gru": ["sigmoid", "tanh"], "rnn": ["tanh"]}[node.op.name]
    if [row[0] for row in rows] == usual:
        return {}
    alphas = [row[1] for row in rows if ACTIVATIONS[row[0]][1] > 0]
    betas = [row[2] for row in rows if ACTIVATIONS[row[0]][1] > 1]
    return {
        "activations": [ACTIVATIONS[row[0]][0] for row in rows],
        **({"activation_alpha": alphas} if alphas else {}),
        **({"activation_beta": betas} if betas else {}),
    }


class _Steps:
    """The steps that a mask counts: moved to the front, and where each step of the result is found.

    Args:
        x, mask: (batch, steps, features) and (batch, steps), in the sequence they are walked.
    """

    def __init__(self, w: Writer, x: str, mask: str) -> None:
        self.w = w
        numbers = w.cast(mask, "int64")
        self.place = w.emit("CumSum", [numbers, w.ints(1)])
        self.length = w.reduce("ReduceSum", numbers, [1], False)
        steps = w.emit("Gather", [w.emit("Shape", [mask]), w.ints([1])], axis=0)
        reach = w.emit("Range", [w.ints(0), w.squeeze(steps, [0]), w.ints(1)])
        behind = w.emit("Mul", [w.emit("Sub", [w.ints(1), numbers]), steps])
        _, first = w.emit_many("TopK", [w.emit("Add", [reach, behind]), steps], 2, axis=1, largest=0)
        self.moved = w.emit("GatherND", [x, w.unsqueeze(first, [2])], batch_dims=1)
        self.lengths = w.cast(w.emit("Max", [self.length, w.ints(1)]), "int32")

    def spread(self, output: str, mask: str, zero: str, blank: bool) -> str:
        """The output of each step from those of the steps that count; zeros before the first, or at all others."""
        w = self.w
        before = w.emit("Max", [w.emit("Sub", [self.place, w.ints(1)]), w.ints(0)])
        found = w.emit("GatherND", [output, w.unsqueeze(before, [2])], batch_dims=1)
        live = mask if blank else w.emit("Greater", [self.place, w.ints(0)])
        return w.emit("Where", [w.unsqueeze(live, [2]), found, zero])

    def state(self, made: str, before: str) -> str:
        """The final state; where no step counts, the one from before."""
        some = self.w.unsqueeze(self.w.emit("Greater", [self.length, self.w.ints(0)]), [1])
        return self.w.emit("Where", [some, made, before])


def _recurrent(w: Writer, node: Node) -> None:
    x, kernel, recurrent, bias, *rest = node.inputs
    states, mask = rest[:-1], rest[-1]
    assert x is not None and kernel is not None and recurrent is not None
    attrs = node.attrs
    kind, count, places = GATES[node.op.name]
    zero = w.number(0, x)
    marked: _Steps | None = None
    live = ""
    if mask is not None:
        walked, live = w.get(x), w.get(mask)
        if attrs["reverse"]:
            walked, live = (sliced(w, one, {1: (None, None, -1)}) for one in (walked, live))
        marked = _Steps(w, walked, live)
        steps = w.emit("Transpose", [marked.moved], perm=TIME_FIRST)
    else:
        steps = w.get(x, TIME_FIRST)
    given = [
        steps,
        w.weight(kernel, _gates_first(w.known(kernel), places)[None], node.op.name),
        w.weight(recurrent, _gates_first(w.known(recurrent), places)[None], node.op.name),
        _biases(w, node, bias, places),
        "" if marked is None else marked.lengths,
        *("" if state is None else w.unsqueeze(w.get(state), [0]) for state in states),
    ]
    every, *finals = w.emit_many(
        kind,
        given,
        count + 1,
        hidden_size=recurrent.spec.shape[0],
        direction="reverse" if attrs["reverse"] and marked is None else None,
        linear_before_reset=1 if attrs.get("reset_after") else None,
        **_activations(node),
    )
    last = [w.squeeze(final, [0]) for final in finals]
    if marked is not None:
        last = [
            marked.state(made, zero if state is None else w.get(state))
            for made, state in zip(last, states, strict=True)
        ]
    for value, name in zip(node.outputs[1:], last, strict=True):
        w.put(value, name)
    if marked is not None:
        whole = w.emit("Transpose", [w.squeeze(every, [1])], perm=TIME_FIRST)
        spread = marked.spread(whole, live, zero, attrs["zero_output"])
        if attrs["sequences"]:
            w.put(node.outputs[0], sliced(w, spread, {1: (None, None, -1)}) if attrs.get("flip") else spread)
        else:
            w.put(node.outputs[0], w.emit("Gather", [spread, w.ints(-1)], axis=1))
    elif attrs["sequences"]:
        outputs = w.squeeze(every, [1])
        turned = attrs["reverse"] != attrs.get("flip", False)
        outputs = sliced(w, outputs, {0: (None, None, -1)}) if turned else outputs
        w.put(node.outputs[0], outputs, TIME_FIRST)
    else:
        w.put(node.outputs[0], last[0])


CONVERTERS: dict[str, Converter] = dict.fromkeys(GATES, _recurrent)
