"""Cases of normalisations, softmax, reductions and recurrences."""

from __future__ import annotations

from itertools import product
from typing import Any

from cases.problem import OpCase, w, x
from graphflow import ops
from graphflow.ir import Body, GraphBuilder
from graphflow.spec import TensorSpec

RELU = ("relu", 0.0, 0.0, 0.0)
TANH, SIGMOID = ("tanh", 0.0, 0.0, 0.0), ("sigmoid", 0.0, 0.0, 0.0)


def normalizations() -> list[OpCase]:
    stats = (w(6), w(6, kind="positive"))
    cases = [
        OpCase("batch_norm", (x(3, 6), *stats, w(6), w(6)), {"epsilon": 1e-3}),
        OpCase("batch_norm", (x(3, 4, 5, 6), *stats, None, w(6)), {"epsilon": 1e-3, "activation": RELU}),
        OpCase("batch_norm", (x(0, 6), *stats, w(6), None), {"epsilon": 0.1}),
        OpCase(
            "batch_norm",
            (x(3, 6), x(6, batch=False), x(6, kind="positive", batch=False), None, None),
            {"epsilon": 1e-3},
            "moving",
        ),
    ]
    for log, (shape, axes) in product(
        (False, True), (((3, 7), (1,)), ((2, 3, 5), (1,)), ((2, 3, 5), (1, 2)), ((4, 1), (1,)), ((0, 3), (1,)))
    ):
        cases += [OpCase("softmax", (x(*shape),), {"axes": axes, "log": log}, f"{axes}{log}")]
    for log in (False, True):
        cases += [OpCase("softmax", (x(3, 65, kind="wide"),), {"axes": (1,), "log": log}, f"wide{log}")]
    for name in ("sum", "mean", "prod", "max", "min"):
        for shape, axes in (
            ((3, 7), (1,)),
            ((3, 7), (0,)),
            ((2, 3, 4, 5), (1, 2)),
            ((2, 3, 4, 5), (1, 3)),
            ((2, 3, 9), (0, 1, 2)),
            ((5, 1), (1,)),
            ((0, 3), (1,)),
        ):
            for keepdims in (False, True):
                cases += [OpCase(name, (x(*shape),), {"axes": axes, "keepdims": keepdims}, f"{axes}{keepdims}")]
        cases += [OpCase(name, (x(3, 40, dtype="float64"),), {"axes": (1,), "keepdims": False})]
        if name != "mean":
            cases += [OpCase(name, (x(3, 4, dtype="int32"),), {"axes": (1,), "keepdims": False})]
    cases += [
        OpCase(name, (x(3, 6, kind="special"),), {"axes": (1,), "keepdims": False}, "special")
        for name in ("sum", "max", "min")
    ]
    cases += [
        OpCase(name, (x(3, 64, 64, 17),), {"axes": (1, 2), "keepdims": False}, "in_parts")
        for name in ("sum", "mean", "max", "min")
    ]
    for name in ("any", "all"):
        cases += [
            OpCase(name, (x(3, 4, dtype="bool"),), {"axes": (1,), "keepdims": True}),
            OpCase(name, (x(3, 0, dtype="bool"),), {"axes": (1,), "keepdims": False}),
        ]
    for name, axis in product(("argmax", "argmin"), (0, 1, 2)):
        cases += [OpCase(name, (x(3, 4, 5, kind="integers", low=0, high=3),), {"axis": axis}, f"{axis}")]
    return cases


def recurrences() -> list[OpCase]:
    cases = []
    base = {"activation": TANH, "gate": SIGMOID, "sequences": False, "reverse": False, "zero_output": False}
    for sequences, reverse, masked in product((False, True), repeat=3):
        attrs = {**base, "sequences": sequences, "reverse": reverse, "zero_output": masked and reverse}
        mask = x(5, 6, dtype="bool") if masked else None
        cases += [
            OpCase(
                "lstm",
                (x(5, 6, 3), w(3, 28), w(7, 28), w(28), None, None, mask),
                attrs,
                f"{sequences}{reverse}{masked}",
            )
        ]
    cases += [
        OpCase(
            "lstm",
            (x(3, 4, 2), w(2, 20), w(5, 20), None, x(3, 5), x(3, 5), None),
            {**base, "sequences": True},
            "states",
        ),
        OpCase(
            "lstm",
            (x(3, 4, 2), w(2, 20), w(5, 20), None, None, None, x(3, 4, dtype="bool")),
            {**base, "sequences": True, "reverse": True, "flip": True},
            "flipped",
        ),
        OpCase(
            "lstm",
            (x(3, 4, 2), w(2, 20), w(5, 20), None, None, None, None),
            {**base, "sequences": True, "flip": True, "activation": RELU, "gate": ("softplus", 0.0, 0.0, 0.0)},
            "flipped softplus",
        ),
        *(
            OpCase(
                "lstm",
                (x(2, 5, 3), w(3, 12), w(3, 12), w(12), None, None, None),
                {**base, "sequences": sequences, "reverse": reverse, "flip": True},
                f"flipped{sequences}{reverse}",
            )
            for sequences, reverse in product((False, True), repeat=2)
        ),
        OpCase("lstm", (x(1, 1, 1), w(1, 4), w(1, 4), w(4), None, None, None), base),
        OpCase("lstm", (x(0, 4, 2), w(2, 12), w(3, 12), w(12), None, None, None), base),
        OpCase("lstm", (x(2, 0, 3), w(3, 8), w(2, 8), w(8), None, None, None), base, "no_steps"),
        OpCase(
            "lstm",
            (x(2, 3, 4), w(4, 132), w(33, 132), w(132), None, None, None),
            {**base, "activation": RELU, "gate": ("hard_sigmoid", 0.2, 0.5, 0.0)},
            "relu",
        ),
        OpCase(
            "lstm",
            (x(2, 3, 2, dtype="float64"), w(2, 8, dtype="float64"), w(2, 8, dtype="float64"), None, None, None, None),
            base,
        ),
    ]
    return [*cases, *_gru(base), *_rnn({key: value for key, value in base.items() if key != "gate"})]


def scans() -> list[OpCase]:
    builder = GraphBuilder("body")
    specs = ((None, 3), (None,), (None, 4), (None, 2), (3, 4), (4, 4))
    x_t, live, h, c, kernel, recurrent = (
        builder.input(TensorSpec(shape, "bool" if len(shape) == 1 else "float32"), f"in_{index}")
        for index, shape in enumerate(specs)
    )
    new = ops.where(ops.expand_dims(live, 1), ops.tanh(ops.dense(x_t, kernel) + ops.dense(h, recurrent)), h)
    for index, tensor in enumerate((new, ops.sum(new, 1), new, c + new[:, :2])):
        builder.output(tensor, f"out_{index}")
    attrs = {"body": Body(builder.graph), "sequences": 2, "states": 2}
    cases = []
    for reverse, collect in product((False, True), repeat=2):
        for batch, steps in ((5, 6), (1, 1), (0, 3), (2, 0)):
            inputs = (x(batch, steps, 3), x(batch, steps, dtype="bool"), x(batch, 4), x(batch, 2), w(3, 4), w(4, 4))
            way = {"reverse": reverse, "collect": collect}
            cases.append(OpCase("scan", inputs, {**attrs, **way}, f"{reverse}{collect}"))
    return cases


def _gru(base: dict[str, Any]) -> list[OpCase]:
    cases = []
    for sequences, reverse, masked, after in product((False, True), repeat=4):
        attrs = {**base, "sequences": sequences, "reverse": reverse, "zero_output": masked and reverse}
        bias = w(2, 21) if after else w(21)
        cases += [
            OpCase(
                "gru",
                (x(5, 6, 3), w(3, 21), w(7, 21), bias, None, x(5, 6, dtype="bool") if masked else None),
                {**attrs, "reset_after": after},
                f"{sequences}{reverse}{masked}{after}",
            )
        ]
    for after in (False, True):
        attrs = {**base, "sequences": True, "reset_after": after}
        hard = {**attrs, "activation": RELU, "gate": ("hard_sigmoid", 0.2, 0.5, 0.0)}
        kind = {"dtype": "float64"}
        cases += [
            OpCase("gru", (x(3, 4, 2), w(2, 15), w(5, 15), None, x(3, 5), None), attrs, f"state{after}"),
            OpCase("gru", (x(1, 1, 1), w(1, 3), w(1, 3), None, None, None), attrs, f"{after}"),
            OpCase("gru", (x(0, 4, 2), w(2, 9), w(3, 9), None, None, None), attrs, f"{after}"),
            OpCase("gru", (x(2, 0, 3), w(3, 6), w(2, 6), None, None, None), {**attrs, "sequences": False}, f"{after}"),
            OpCase("gru", (x(2, 3, 4), w(4, 99), w(33, 99), None, None, None), hard, f"relu{after}"),
            OpCase("gru", (x(2, 3, 2, **kind), w(2, 6, **kind), w(2, 6, **kind), None, None, None), attrs, f"{after}"),
        ]
    return cases


def _rnn(base: dict[str, Any]) -> list[OpCase]:
    cases = []
    for sequences, reverse, masked in product((False, True), repeat=3):
        attrs = {**base, "sequences": sequences, "reverse": reverse, "zero_output": masked and reverse}
        inputs = (x(5, 6, 3), w(3, 7), w(7, 7), w(7), None, x(5, 6, dtype="bool") if masked else None)
        cases += [OpCase("rnn", inputs, attrs, f"{sequences}{reverse}{masked}")]
    kind = {"dtype": "float64"}
    return [
        *cases,
        OpCase("rnn", (x(3, 4, 2), w(2, 5), w(5, 5), None, x(3, 5), None), {**base, "sequences": True}, "state"),
        OpCase("rnn", (x(1, 1, 1), w(1, 1), w(1, 1), w(1), None, None), base),
        OpCase("rnn", (x(0, 4, 2), w(2, 3), w(3, 3), w(3), None, None), base),
        OpCase("rnn", (x(2, 0, 3), w(3, 2), w(2, 2), w(2), None, None), base, "no_steps"),
        OpCase("rnn", (x(2, 3, 4), w(4, 33), w(33, 33), w(33), None, None), {**base, "activation": RELU}, "relu"),
        OpCase("rnn", (x(2, 3, 2, **kind), w(2, 2, **kind), w(2, 2, **kind), None, None, None), base),
    ]
