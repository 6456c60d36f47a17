"""Models of every kind that inspections must take: chains, graphs, nested, shared, stateful, with scans and opaque."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow import Input, Model, Sequential, ops
from graphflow import layers as L
from graphflow.ir.build import GraphBuilder
from graphflow.ir.graph import Graph
from graphflow.models.graph_model import GraphModel, ValueSpec
from graphflow.spec import TensorSpec
from graphflow.variable import Variable


class Cell(L.Layer):
    """A cell of one product, which runs as a scan."""

    state_size = 4

    def build(self, shape: Any) -> None:
        self.w = self.add_weight((shape[-1], 4), name="w")

    def call(self, inputs: Any, states: Any) -> Any:
        h = ops.tanh(ops.dot(inputs, self.w) + states[0])
        return h, [h]


def chain() -> Model:
    return Sequential(
        [L.Conv2D(8, 3, input_shape=(12, 12, 3), name="conv"), L.BatchNormalization(name="norm"), L.ReLU(name="relu"),
         L.GlobalAveragePooling2D(name="pool"), L.Dropout(0.5, name="drop"), L.Dense(5, "softmax", name="probs")],
        name="chain",
    )  # fmt: skip


def several() -> Model:
    """Four inputs of different kinds, a nested model called twice, two outputs."""
    inner = Sequential([L.Dense(6, input_shape=(8,), name="first"), L.ReLU(name="bend")], name="inner")
    a, b = Input((8,), name="a"), Input((8,), name="b")
    words, steps = Input((5,), dtype="int32", name="words"), Input((5, 3), name="steps")
    seen = L.LSTM(4, name="lstm")(L.Embedding(50, 6, mask_zero=True, name="table")(words))
    told = L.Bidirectional(L.GRU(3), name="both")(steps)
    joined = L.Concatenate(name="joined")([inner(a), inner(b), seen, told])
    return Model([a, b, words, steps], [L.Dense(3, name="left")(joined), L.Dense(2, name="right")(joined)], name="four")


def walked() -> Model:
    x = Input((6, 5), name="x")
    return Model(x, L.Dense(2, name="end")(L.RNN(Cell(name="cell"), name="walk")(x)), name="walked")


def stateful() -> Model:
    x = Input(batch_shape=(2, 4, 3), name="x")
    return Model(x, L.LSTM(5, stateful=True, name="kept")(x), name="stateful")


def odd() -> Model:
    x = Input((4,), name="x")
    twice = L.Lambda(lambda v: np.asarray(v) * 2, output_shape=(4,), name="twice")
    return Model(x, L.Dense(3, name="dense")(twice(x)), name="odd")


class Program:
    """What a file of another system becomes: ops and names of nodes, no layers."""

    def __init__(self) -> None:
        rng = np.random.default_rng(3)
        self.w = Variable(rng.standard_normal((4, 6)).astype("float32"), name="w")
        self.variables = (self.w,)

    def __call__(self, operands: Any, scope: Any) -> Any:
        with scope(("MatMul_0",)):
            y = ops.dot(operands[0], self.w)
        with scope(("Relu_1",)):
            y = ops.relu(y)
        with scope(("Sum_2",)):
            return [ops.sum(y, axis=1)]


def program() -> GraphModel:
    return GraphModel(Program(), [ValueSpec("x", (None, 4), "float32")], [ValueSpec("y", None, "float32")], "program")


def bare() -> Graph:
    builder = GraphBuilder("bare")
    x = builder.input(TensorSpec((None, 3)), "x")
    builder.output(ops.tanh(x * 2.0) + 1.0, "y")
    return builder.graph


SUBJECTS = {
    "chain": chain,
    "several": several,
    "walked": walked,
    "stateful": stateful,
    "odd": odd,
    "program": program,
    "bare": bare,
    "session": lambda: chain().session(),
}
