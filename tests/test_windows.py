"""Concatenation without copies: pieces are computed where they will lie, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphflow
from graphflow import Input, Model, ops
from graphflow.layers import (
    GRU,
    LSTM,
    Activation,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Bidirectional,
    Concatenate,
    Conv2D,
    Conv2DTranspose,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
    Multiply,
    Reshape,
)
from graphflow.layers.nest import leaves


def dense_block(x: Any) -> Any:
    for _ in range(4):
        y = Activation("relu")(BatchNormalization()(x))
        y = Conv2D(5, 3, padding="same")(Conv2D(8, 1, activation="relu")(y))
        x = Concatenate()([x, y])
    return GlobalAveragePooling2D()(Activation("relu")(BatchNormalization()(x)))


def block_after_pool(x: Any) -> Any:
    return dense_block(MaxPooling2D(2)(Conv2D(6, 3)(x)))


def inception(x: Any) -> Any:
    towers = [Conv2D(3, 1)(x), Conv2D(4, 3, padding="same")(Conv2D(2, 1)(x)), Conv2D(2, 5, padding="same")(x)]
    return Concatenate()([*towers, AveragePooling2D(3, 1, padding="same")(x), MaxPooling2D(3, 1, padding="same")(x)])


def nested(x: Any) -> Any:
    inner = Concatenate()([Conv2D(3, 1)(x), Conv2D(2, 1)(x)])
    outer = Concatenate()([Conv2D(4, 3, padding="same")(inner), inner, Conv2D(1, 1)(x)])
    return Conv2D(3, 2)(outer)


def upward(x: Any) -> Any:
    low = Conv2D(6, 3, strides=2, padding="same", activation="relu")(x)
    same = Conv2D(3, 3, padding="same")(x)
    return Conv2D(2, 3)(Concatenate()([same, Conv2DTranspose(4, 3, strides=2, padding="same")(low)]))


def residual_in_a_window(x: Any) -> Any:
    a = Conv2D(3, 1)(x)
    b = Add()([a, Conv2D(3, 3, padding="same")(x)])
    return Conv2D(2, 1)(Concatenate()([a, b]))


def piece_is_an_output(x: Any) -> Any:
    a, b = Conv2D(3, 1)(x), Conv2D(2, 1)(x)
    return [a, Concatenate()([a, b])]


def whole_is_an_output(x: Any) -> Any:
    whole = Concatenate()([Conv2D(3, 1)(x), Conv2D(2, 1)(x)])
    return [whole, Conv2D(2, 2)(whole)]


def piece_twice(x: Any) -> Any:
    a = Conv2D(3, 1)(x)
    return Conv2D(2, 1)(Concatenate()([a, Conv2D(1, 1)(x), a]))


def two_wholes(x: Any) -> Any:
    a, b = Conv2D(3, 1)(x), Conv2D(2, 1)(x)
    return Conv2D(2, 1)(Concatenate()([a, b])), Conv2D(2, 1)(Concatenate()([b, a]))


def inner_piece_joined_again(x: Any) -> Any:
    a = Conv2D(3, 1)(x)
    inner = Concatenate()([a, Conv2D(2, 1)(x)])
    return Conv2D(2, 1)(Concatenate()([a, inner]))


def reader_without_gaps(x: Any) -> Any:
    a, b = Conv2D(3, 1)(x), Conv2D(3, 1)(x)
    return [Conv2D(2, 1)(Concatenate()([a, b])), Multiply()([a, b])]


def reshaped_piece(x: Any) -> Any:
    a = Conv2D(3, 1)(x)
    return [Concatenate()([a, Conv2D(2, 1)(x)]), Dense(2)(Flatten()(a))]


def other_axis(x: Any) -> Any:
    return Concatenate(axis=1)([Conv2D(3, 1)(x), Conv2D(3, 3, padding="same")(x)])


def overwritten_whole(x: Any) -> Any:
    whole = Concatenate()([Conv2D(3, 1)(x), Conv2D(2, 1)(x)])
    return Conv2D(2, 1)(Activation("relu")(BatchNormalization()(Activation("tanh")(whole))))


def both_directions(x: Any) -> Any:
    y = Bidirectional(LSTM(5, return_sequences=True))(Reshape((64, 4))(x))
    y = Bidirectional(GRU(3))(Bidirectional(GRU(6, return_sequences=True))(y))
    return Dense(2)(y)


def read_from_a_window(x: Any) -> Any:
    y = Reshape((64, 4))(x)
    a = LSTM(5, return_sequences=True)(y)
    return [LSTM(3)(a), Dense(2)(Concatenate()([a, GRU(2, return_sequences=True)(a)]))]


def state_is_joined(x: Any) -> Any:
    _, h, c = LSTM(5, return_state=True)(Reshape((64, 4))(x))
    return Dense(2)(Concatenate()([h, c]))


COPIES: dict[Callable[..., Any], int] = {
    dense_block: 1,
    block_after_pool: 0,
    inception: 0,
    nested: 0,
    upward: 0,
    residual_in_a_window: 0,
    piece_is_an_output: 1,
    whole_is_an_output: 0,
    piece_twice: 2,
    two_wholes: 2,
    inner_piece_joined_again: 1,
    reader_without_gaps: 2,
    reshaped_piece: 1,
    other_axis: 2,
    overwritten_whole: 0,
    both_directions: 0,
    read_from_a_window: 0,
    state_is_joined: 2,
}
"""Models, and how many pieces of concatenations are still copied."""


def made(build: Callable[..., Any]) -> Model:
    x = Input((8, 8, 4))
    model = Model(x, build(x))
    rng = np.random.default_rng(3)
    model.set_weights(
        [rng.uniform(0.2, 1.0, w.shape) * rng.choice([-1, 1]) ** (w.ndim > 1) for w in model.get_weights()]
    )
    return model


@pytest.mark.parametrize("build", COPIES, ids=lambda build: build.__name__)
def test_pieces_are_computed_in_place(build: Callable[..., Any]) -> None:
    model = made(build)
    x = np.random.default_rng(4).standard_normal((5, 8, 8, 4)).astype("float32")
    session = model.session()
    results = session.run([x])
    plan = session.plan([x.shape])
    joins = [one for one in plan.nodes if one.node.op.name == "concatenate"]
    assert sum(len(one.layout.steps) for one in joins) == COPIES[build]
    with graphflow.knobs(reference=True):
        references = list(leaves(Model(model.inputs, model.outputs).predict(x)))
    for actual, expected in zip(results, references, strict=True):
        np.testing.assert_allclose(actual, expected, atol=2e-6 * np.abs(expected).max())
    for actual, whole in zip(session.run([x[:3]]), results, strict=True):
        np.testing.assert_array_equal(actual, whole[:3])


def test_no_buffers_overlap_that_are_in_use_together() -> None:
    session = made(block_after_pool).session()
    plan = session.plan([(2, 8, 8, 4)])
    blocks = plan.storage.arena
    for i, one in enumerate(blocks):
        for other in blocks[:i]:
            apart = one.last < other.first or other.last < one.first
            assert apart or one.index + one.size <= other.index or other.index + other.size <= one.index


def test_a_dense_block_takes_one_buffer() -> None:
    plan = made(dense_block).session().plan([(1, 8, 8, 4)])
    whole = 8 * 8 * (4 + 4 * 5) * 4
    assert [one.size for one in plan.storage.arena].count(whole) == 1
    assert plan.arena_bytes < 2.5 * whole


def channel_halves(x: Any) -> Any:
    a, b = ops.split(Conv2D(6, 1)(x), 2, axis=-1)
    return Concatenate()([Conv2D(4, 3, padding="same")(a), Conv2D(2, 1)(b)])


def shuffle_unit(x: Any) -> Any:
    left, right = ops.split(Conv2D(8, 1)(x), 2, axis=-1)
    right = Conv2D(4, 1)(DepthwiseConv2D(3, padding="same")(Conv2D(4, 1)(right)))
    whole = Concatenate()([left, right])
    return Conv2D(3, 1)(whole[..., 2:7])


def split_of_the_input(x: Any) -> Any:
    a, b = ops.split(x, [1, 3], axis=-1)
    return [MaxPooling2D(2)(a), BatchNormalization()(b)]


def last_step(x: Any) -> Any:
    steps = LSTM(5, return_sequences=True)(Reshape((64, 4))(x))
    return [Dense(3)(steps[:, -1]), Dense(2)(steps[:, ::2]), Dense(2)(steps[:, 0])]


def part_is_an_output(x: Any) -> Any:
    a, b = ops.split(Conv2D(6, 1)(x), 2, axis=-1)
    return [a, Conv2D(2, 1)(b)]


def part_without_a_reader_of_gaps(x: Any) -> Any:
    a, b = ops.split(Conv2D(6, 1)(x), 2, axis=-1)
    return Conv2D(2, 1)(a * ops.sigmoid(b))


def slice_of_a_slice(x: Any) -> Any:
    y = Conv2D(6, 1)(x)[:, 1:7, :, 1:]
    return Conv2D(2, 3)(y[..., 2:])


def row_of_a_split(x: Any) -> Any:
    a, _ = ops.split(Reshape((64, 6))(Conv2D(6, 1)(x)), 2, axis=-1)
    return Dense(2)(a[:, 5])


def overwritten_source(x: Any) -> Any:
    y = Conv2D(6, 1)(x)
    part = y[..., 1:4]
    return [Activation("tanh")(BatchNormalization()(y)), Conv2D(2, 1)(part)]


def cut_batch(x: Any) -> Any:
    y = Conv2D(6, 1)(x)
    return Conv2D(2, 1)(y[::-1])


PARTS: dict[Callable[..., Any], tuple[int, int]] = {
    channel_halves: (0, 0),
    shuffle_unit: (0, 0),
    split_of_the_input: (0, 0),
    last_step: (0, 0),
    part_is_an_output: (1, 1),
    part_without_a_reader_of_gaps: (2, 2),
    slice_of_a_slice: (1, 1),
    row_of_a_split: (1, 1),
    overwritten_source: (0, 0),
    cut_batch: (1, 1),
}
"""Models, and how many parts are still copied in a batch of 5 and in one of 1."""


@pytest.mark.parametrize("build", PARTS, ids=lambda build: build.__name__)
def test_parts_are_read_where_they_lie(build: Callable[..., Any]) -> None:
    model = made(build)
    x = np.random.default_rng(4).standard_normal((5, 8, 8, 4)).astype("float32")
    for batch, copies in zip((5, 1), PARTS[build], strict=True):
        session = model.session()
        results = session.run([x[:batch]])
        plan = session.plan([x[:batch].shape])
        cuts = [one for one in plan.nodes if one.node.op.name in ("getitem", "split")]
        assert cuts
        assert sum(len(one.layout.steps) for one in cuts) == copies
        with graphflow.knobs(reference=True):
            references = list(leaves(Model(model.inputs, model.outputs).predict(x[:batch])))
        for actual, expected in zip(results, references, strict=True):
            np.testing.assert_allclose(actual, expected, atol=2e-6 * np.abs(expected).max())
        if build is not cut_batch:
            for actual, whole in zip(session.run([x[: batch // 2 + 1]]), results, strict=True):
                np.testing.assert_array_equal(actual, whole[: batch // 2 + 1])
