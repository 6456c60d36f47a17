"""Nodes of which kernels are asked the same share a layout, and only those do."""

from __future__ import annotations

import numpy as np

from graphflow import Input, Model
from graphflow import layers as L
from graphflow.runtime import Session


def test_equal_layers_share_a_layout_and_others_do_not() -> None:
    x = Input((8,))
    y = L.Dense(8, activation="tanh")(x)
    y = L.Dense(8, activation="tanh")(y)
    y = L.Dense(8, activation="relu")(y)
    session = Session(Model(x, L.Dense(4, activation="relu")(y)).graph())
    for batch in (1, 5):
        first, second, third, fourth = (one.layout for one in session.plan([(batch, 8)]).nodes)
        assert first is second
        assert len({id(first), id(third), id(fourth)}) == 3


def test_other_numbers_are_another_layout() -> None:
    x = Input((8,))
    y = L.LeakyReLU(0.25)(L.Dense(8)(x))
    session = Session(Model(x, L.LeakyReLU(0.5)(L.Dense(8)(y))).graph())
    first, second = (one.layout for one in session.plan([(3, 8)]).nodes)
    assert first is not second


def test_smaller_batches_of_shared_layouts_give_the_same_bits() -> None:
    x = y = Input((12, 12, 4))
    for _ in range(5):
        y = L.Conv2D(4, 3, padding="same", activation="relu")(y)
    model = Model(x, L.Dense(6)(L.Flatten()(y)))
    given = np.random.default_rng(3).standard_normal((9, 12, 12, 4)).astype("float32")
    scaled = Session(model.graph())
    whole = scaled.run([given])[0]
    assert len({id(one.scaling.layout) for one in scaled.plan([given.shape]).nodes if one.scaling}) < 6
    for rows in (1, 2, 4, 8):
        part = scaled.run([np.ascontiguousarray(given[:rows])])[0]
        np.testing.assert_array_equal(part, whole[:rows])
        np.testing.assert_array_equal(part, Session(model.graph()).run([given[:rows]])[0])
