"""Masks: who makes them, passes them on, uses them, and who refuses them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphflow import Input, Model
from graphflow.errors import ArgumentError
from graphflow.layers import (
    LSTM,
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    MaxPooling1D,
    ReLU,
    Softmax,
)

IDS = np.array([[3, 1, 0, 0], [2, 0, 5, 0], [1, 2, 3, 4], [0, 0, 0, 4]])


def embedded(mask_zero: bool = True) -> tuple[Any, Any]:
    ids = Input((None,), dtype="int32")
    return ids, Embedding(6, 3, mask_zero=mask_zero, embeddings_initializer="normal", name="table")(ids)


def table_of(model: Model) -> np.ndarray[Any, Any]:
    value: np.ndarray[Any, Any] = model.get_layer("table").get_weights()[0]
    return value


def test_average_pooling_counts_live_steps_only() -> None:
    ids, x = embedded()
    model = Model(ids, GlobalAveragePooling1D()(x))
    table = table_of(model)
    expected = np.stack([table[row[row != 0]].mean(0) for row in IDS])
    np.testing.assert_allclose(model.predict(IDS), expected, rtol=1e-5, atol=1e-7)
    kept = Model(ids, GlobalAveragePooling1D(keepdims=True)(x)).predict(IDS)
    np.testing.assert_allclose(kept[:, 0], expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("sequences", [False, True])
def test_a_masked_step_holds_state_and_output_of_an_lstm(sequences: bool) -> None:
    ids, x = embedded()
    lstm = LSTM(4, return_sequences=sequences)
    model = Model(ids, lstm(x))
    actual = model.predict(IDS)
    table = table_of(model)
    tensor = Input((None, 3))
    plain = Model(tensor, lstm(tensor))
    for row, given in zip(actual, IDS, strict=True):
        live = np.flatnonzero(given)
        expected = plain.predict(table[given[live]][None])[0]
        if not sequences:
            np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-6)
            continue
        held = np.zeros(4, "float32")
        for step in range(len(given)):
            held = expected[list(live).index(step)] if step in live else held
            np.testing.assert_allclose(row[step], held, rtol=1e-5, atol=1e-6)


def test_masked_outputs_may_be_zeros() -> None:
    ids, x = embedded()
    model = Model(ids, LSTM(4, return_sequences=True, zero_output_for_mask=True)(x))
    y = model.predict(IDS)
    assert (y[IDS == 0] == 0).all()
    assert np.abs(y[IDS != 0]).min() > 0


@pytest.mark.parametrize("layer", [Dense(3), Activation("tanh"), Dropout(0.5), BatchNormalization(), ReLU()], ids=repr)
def test_masks_pass_through(layer: Any) -> None:
    ids, x = embedded()
    y = layer(x)
    assert y._keras_mask is not None
    assert y._keras_mask.shape == (None, None)
    model = Model(ids, GlobalAveragePooling1D()(y))
    inner = Model(ids, y).predict(IDS)
    expected = np.stack([values[row != 0].mean(0) for values, row in zip(inner, IDS, strict=True)])
    np.testing.assert_allclose(model.predict(IDS), expected, rtol=1e-5, atol=1e-6)


def test_an_lstm_passes_the_mask_of_sequences_and_ends_it_else() -> None:
    _, x = embedded()
    assert LSTM(2, return_sequences=True)(x)._keras_mask is not None
    assert LSTM(2)(x)._keras_mask is None
    outputs = LSTM(2, return_sequences=True, return_state=True)(x)
    assert [one._keras_mask is not None for one in outputs] == [True, False, False]


def test_merging_takes_both_masks_together() -> None:
    first, second = Input((4,), dtype="int32"), Input((4,), dtype="int32")
    table = Embedding(6, 3, mask_zero=True, name="table")
    merged = Add()([table(first), table(second)])
    model = Model([first, second], GlobalAveragePooling1D()(merged))
    other = IDS[:, ::-1].copy()
    values = table.get_weights()[0]
    both = (IDS != 0) & (other != 0)
    total = values[IDS] + values[other]
    live = both.any(1)
    expected = np.stack([one[keep].mean(0) for one, keep in zip(total[live], both[live], strict=True)])
    np.testing.assert_allclose(model.predict([IDS[live], other[live]]), expected, rtol=1e-5, atol=1e-6)


def test_concatenating_joins_masks_along_time() -> None:
    first, second = Input((4,), dtype="int32"), Input((3, 3))
    table = Embedding(6, 3, mask_zero=True)
    joined = Concatenate(axis=1)([table(first), second])
    model = Model([first, second], GlobalAveragePooling1D()(joined))
    rest = np.random.default_rng(0).standard_normal((4, 3, 3)).astype("float32")
    values = table.get_weights()[0]
    expected = np.stack([np.vstack([values[row[row != 0]], more]).mean(0) for row, more in zip(IDS, rest, strict=True)])
    np.testing.assert_allclose(model.predict([IDS, rest]), expected, rtol=1e-5, atol=1e-6)


def test_concatenating_features_keeps_steps_that_are_live_in_both() -> None:
    first, second = Input((4,), dtype="int32"), Input((4,), dtype="int32")
    table = Embedding(6, 3, mask_zero=True)
    model = Model([first, second], GlobalAveragePooling1D()(Concatenate()([table(first), table(second)])))
    other = np.array([[1, 2, 3, 4], [0, 0, 1, 1], [0, 2, 0, 2], [5, 5, 5, 5]])
    values, both = table.get_weights()[0], (IDS != 0) & (other != 0)
    joined = np.concatenate([values[IDS], values[other]], -1)
    expected = np.stack([one[keep].mean(0) for one, keep in zip(joined, both, strict=True)])
    np.testing.assert_allclose(model.predict([IDS, other]), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "layer",
    [Flatten(), Conv1D(2, 2), MaxPooling1D(2), GlobalMaxPooling1D()],
    ids=lambda layer: type(layer).__name__,
)
def test_a_layer_that_takes_no_mask_refuses_a_live_one_by_name(layer: Any) -> None:
    ids = Input((4,), dtype="int32")
    x = Embedding(6, 3, mask_zero=True)(ids)
    with pytest.raises(ArgumentError, match="does not support masks") as caught:
        layer(x)
    assert repr(layer.name) in str(caught.value)


@pytest.mark.parametrize("consumer", [LSTM(4), GlobalAveragePooling1D()], ids=lambda layer: type(layer).__name__)
def test_a_mask_given_by_hand_is_one_made_by_a_layer(consumer: Any) -> None:
    x, mask = Input((4, 3)), Input((4,), dtype="bool")
    model = Model([x, mask], consumer(x, mask=mask))
    data = np.random.default_rng(3).standard_normal((4, 4, 3)).astype("float32")
    live = IDS != 0
    whole = model.predict([data, np.ones_like(live)])
    masked = model.predict([data, live])
    assert np.abs(whole - masked)[[0, 1, 3]].min() > 0
    np.testing.assert_allclose(whole[2], masked[2], rtol=1e-6)
    changed = np.where(live[..., None], data, 99.0).astype("float32")
    np.testing.assert_array_equal(model.predict([changed, live])[:, :], masked)


def test_a_mask_given_by_hand_passes_through_a_layer_when_the_model_runs() -> None:
    x, mask = Input((4, 3)), Input((4,), dtype="bool")
    pooled = GlobalAveragePooling1D()(Dense(3, kernel_initializer="identity")(x, mask=mask))
    data = np.random.default_rng(3).standard_normal((4, 4, 3)).astype("float32")
    live = IDS != 0
    expected = np.stack([one[keep].mean(0) for one, keep in zip(data, live, strict=True)])
    np.testing.assert_allclose(Model([x, mask], pooled).predict([data, live]), expected, rtol=1e-5, atol=1e-6)


def test_softmax_gives_masked_elements_nothing() -> None:
    x, mask = Input((4,)), Input((4,), dtype="bool")
    model = Model([x, mask], Softmax()(x, mask=mask))
    data = np.random.default_rng(3).standard_normal((4, 4)).astype("float32")
    live = IDS != 0
    powers = np.exp(data) * live
    np.testing.assert_allclose(model.predict([data, live]), powers / powers.sum(1, keepdims=True), rtol=1e-5, atol=1e-7)


def test_masks_go_through_a_model_used_as_a_layer() -> None:
    inner_x = Input((4, 3))
    inner = Model(inner_x, Dense(3, kernel_initializer="identity")(inner_x))
    ids, x = Input((4,), dtype="int32"), None
    x = Embedding(6, 3, mask_zero=True, name="table")(ids)
    model = Model(ids, GlobalAveragePooling1D()(inner(x)))
    table = table_of(model)
    expected = np.stack([table[row[row != 0]].mean(0) for row in IDS])
    np.testing.assert_allclose(model.predict(IDS), expected, rtol=1e-5, atol=1e-6)
