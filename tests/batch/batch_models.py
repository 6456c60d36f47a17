"""Small models and rows for tests of jobs."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow import Input, Model
from graphflow.layers import Concatenate, Dense, Embedding, Flatten

Array = np.ndarray[Any, Any]
ROWS, WIDTH = 230, 4


def vector_model() -> Model:
    """One input of four numbers, one output of three."""
    rng = np.random.default_rng(1)
    x = Input((WIDTH,), name="x")
    hidden = Dense(8, activation="tanh", weights=[rng.standard_normal((WIDTH, 8)), rng.standard_normal(8)])(x)
    weights = [rng.standard_normal((8, 3)), rng.standard_normal(3)]
    return Model(x, Dense(3, activation="softmax", weights=weights, name="classes")(hidden))


def two_inputs() -> Model:
    """Integers and numbers in, two outputs."""
    rng = np.random.default_rng(2)
    words, meta = Input((5,), dtype="int32", name="words"), Input((2,), name="meta")
    table = Flatten()(Embedding(20, 3, weights=[rng.standard_normal((20, 3))])(words))
    joined = Concatenate()([table, meta])
    kernels = [rng.standard_normal((17, 2)), rng.standard_normal((17, 1))]
    first = Dense(2, use_bias=False, weights=kernels[:1], name="pair")(joined)
    return Model([words, meta], [first, Dense(1, use_bias=False, weights=kernels[1:], name="score")(joined)])


def vectors(rows: int = ROWS, seed: int = 3) -> Array:
    """Rows for `vector_model`."""
    return np.random.default_rng(seed).standard_normal((rows, WIDTH)).astype("float32")
