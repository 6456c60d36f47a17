"""Random models for tests of graphs: branches, shared layers, nested models, ops outside layers, several outputs."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from graphflow import Input, Model, Sequential
from graphflow.layers import Add, Concatenate, Dense, Layer, Multiply


class Halves(Layer):
    """A layer of two outputs."""

    def call(self, inputs: Any) -> Any:
        return [inputs[:, :2], inputs[:, 2:]]


def nested(name: str) -> Model:
    """A model with a branch and two inputs."""
    a, b = Input((4,), name=f"{name}_a"), Input((4,), name=f"{name}_b")
    both = Add(name="both")([Dense(4, name="left")(a), b])
    return Model([a, b], Dense(4, activation="tanh", name="out")(both), name=name)


@st.composite
def models(draw: st.DrawFn, most: int = 12) -> Model:
    """A model whose tensors have 4 features."""
    inputs = [Input((4,), name=f"in{index}") for index in range(draw(st.integers(1, 3)))]
    tensors: list[Any] = list(inputs)
    shared = Dense(4, activation="relu", name="shared")
    inner = nested("inner")
    chain = Sequential([Dense(4, name="one"), Dense(4, name="two")], name="chain")
    for index in range(draw(st.integers(1, most))):
        a, b = (draw(st.sampled_from(tensors)) for _ in range(2))
        kind = draw(
            st.sampled_from(["shared", "add", "concatenate", "inner", "chain", "op", "multiply", "halves", "twice"])
        )
        if kind == "shared":
            made = shared(a)
        elif kind == "add":
            made = Add(name=f"add{index}")([a, b])
        elif kind == "multiply":
            made = Multiply(name=f"multiply{index}")([a, a])
        elif kind == "concatenate":
            made = Dense(4, name=f"dense{index}")(Concatenate(name=f"join{index}")([a, b]))
        elif kind == "inner":
            made = inner([a, b])
        elif kind == "chain":
            made = chain(a)
        elif kind == "halves":
            first, second = Halves(name=f"halves{index}")(a)
            made = Concatenate(name=f"turned{index}")([second, first])
        elif kind == "twice":
            made = chain(inner({"inner_b": a, "inner_a": b}))
        else:
            made = (a - b) * 0.5 + a
        tensors.append(made)
    outputs = draw(st.lists(st.sampled_from(tensors[len(inputs) :]), min_size=1, max_size=3, unique_by=id))
    return Model(inputs, outputs if len(outputs) > 1 else outputs[0], name="random")


def arrays_for(model: Model, rows: int = 3) -> list[Any]:
    """Inputs for a model."""
    rng = np.random.default_rng(7)
    return [rng.standard_normal((rows, 4)).astype("float32") for _ in model.inputs]
