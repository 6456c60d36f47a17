"""Recurrent layers: states given, returned and kept between batches, directions, and what they refuse."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

import graphflow
from graphflow import Input, Model, Sequential
from graphflow.errors import ArgumentError, ShapeError
from graphflow.layers import LSTM, Dense

Array = np.ndarray[Any, Any]
LONG = np.random.default_rng(4).standard_normal((3, 12, 2)).astype("float32")


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def by_hand(layer: LSTM, x: Array, h: Array | None = None, c: Array | None = None) -> tuple[Array, Array, Array]:
    """All outputs and the final states, in float64, from the definition."""
    kernel, recurrent, bias = (value.astype("float64") for value in layer.get_weights())
    h = np.zeros((len(x), layer.units)) if h is None else h
    c = np.zeros((len(x), layer.units)) if c is None else c
    outputs = []
    for step in range(x.shape[1]):
        i, f, g, o = np.split(x[:, step] @ kernel + h @ recurrent + bias, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs, 1), h, c


def test_an_lstm_is_its_definition() -> None:
    layer = LSTM(5, return_sequences=True, return_state=True)
    x = Input((None, 2))
    model = Model(x, layer(x))
    for steps in (1, 4, 12):
        for actual, expected in zip(model.predict(LONG[:, :steps]), by_hand(layer, LONG[:, :steps]), strict=True):
            np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-6)


def test_states_given_at_the_call_begin_the_sequence() -> None:
    layer = LSTM(5)
    x, h, c = Input((12, 2)), Input((5,)), Input((5,))
    model = Model([x, h, c], layer(x, initial_state=[h, c]))
    states = np.random.default_rng(1).standard_normal((2, 3, 5)).astype("float32")
    expected = by_hand(layer, LONG, *states)[1]
    np.testing.assert_allclose(model.predict([LONG, *states]), expected, rtol=1e-4, atol=1e-6)
    listed = Model([x, h, c], layer([x, h, c]))
    np.testing.assert_array_equal(listed.predict([LONG, *states]), model.predict([LONG, *states]))
    assert np.abs(model.predict([LONG, 0 * states[0], 0 * states[1]]) - expected).max() > 1e-3


def test_an_encoder_s_states_begin_a_decoder() -> None:
    x, y = Input((None, 2)), Input((None, 2))
    encoder, decoder = LSTM(4, return_state=True), LSTM(4, return_sequences=True)
    _, h, c = encoder(x)
    model = Model([x, y], decoder(y, initial_state=[h, c]))
    _, h_end, c_end = by_hand(encoder, LONG[:, :5])
    expected, _, _ = by_hand(decoder, LONG[:, 5:], h_end, c_end)
    np.testing.assert_allclose(model.predict([LONG[:, :5], LONG[:, 5:]]), expected, rtol=1e-4, atol=1e-6)


def test_going_backwards_is_going_forwards_over_the_reversed_sequence() -> None:
    forwards, backwards = LSTM(4, return_sequences=True), LSTM(4, return_sequences=True, go_backwards=True)
    x = Input((12, 2))
    first, second = Model(x, forwards(x)), Model(x, backwards(x))
    backwards.set_weights(forwards.get_weights())
    np.testing.assert_array_equal(second.predict(LONG), first.predict(LONG[:, ::-1]))


def stateful(**options: Any) -> tuple[Sequential, LSTM]:
    layer = LSTM(4, stateful=True, batch_input_shape=(3, None, 2), **options)
    return Sequential([layer]), layer


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("reference", [False, True])
def test_a_stateful_layer_over_batches_is_one_long_run(sequences: bool, reference: bool) -> None:
    with graphflow.knobs(reference=reference):
        model, layer = stateful(return_sequences=sequences)
        parts = [model.predict(LONG[:, start:stop], batch_size=3) for start, stop in ((0, 5), (5, 6), (6, 12))]
    outputs, h, c = by_hand(layer, LONG)
    if sequences:
        np.testing.assert_allclose(np.concatenate(parts, 1), outputs, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(parts[-1][:, -1] if sequences else parts[-1], outputs[:, -1], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(layer.states[0].value, h, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(layer.states[1].value, c, rtol=1e-4, atol=1e-6)


def test_states_are_reset_on_layer_and_model_and_may_be_given() -> None:
    model, layer = stateful()
    fresh = model.predict(LONG, batch_size=3)
    assert np.abs(model.predict(LONG, batch_size=3) - fresh).max() > 1e-4
    model.reset_states()
    np.testing.assert_array_equal(model.predict(LONG, batch_size=3), fresh)
    layer.reset_states()
    np.testing.assert_array_equal(model.predict(LONG, batch_size=3), fresh)
    given = np.random.default_rng(1).standard_normal((2, 3, 4)).astype("float32")
    layer.reset_states(list(given))
    np.testing.assert_allclose(model.predict(LONG, batch_size=3), by_hand(layer, LONG, *given)[1], rtol=1e-4, atol=1e-6)
    with pytest.raises(ArgumentError, match="has 2 states, received 1"):
        layer.reset_states([given[0]])
    with pytest.raises(ShapeError, match=r"\(3, 4\)"):
        layer.reset_states([given[0][:2], given[1][:2]])
    with pytest.raises(ArgumentError, match="is not stateful"):
        LSTM(2).reset_states()


def test_states_are_no_weights_and_travel_in_pickles() -> None:
    model, layer = stateful()
    assert [variable.name for variable in layer.weights] == ["kernel", "recurrent_kernel", "bias"]
    model.predict(LONG[:, :6], batch_size=3)
    twin = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(twin.predict(LONG[:, 6:], batch_size=3), model.predict(LONG[:, 6:], batch_size=3))
    np.testing.assert_allclose(layer.states[0].value, by_hand(layer, LONG)[1], rtol=1e-4, atol=1e-6)


def test_a_run_that_fails_leaves_the_states_as_they_were() -> None:
    x = Input(batch_shape=(3, 4, 2))
    layer = LSTM(4, stateful=True)
    hidden = layer(x)

    def fail(v: Any) -> Any:
        values = np.asarray(v)
        if values.any():
            raise RuntimeError("on purpose")
        return values

    model = Model(x, graphflow.layers.Lambda(fail, output_shape=(4,))(hidden))
    with pytest.raises(RuntimeError, match="on purpose"):
        model.predict(LONG[:, :4], batch_size=3)
    assert not layer.states[0].value.any()


def test_another_batch_size_is_refused_by_a_stateful_layer() -> None:
    model, _ = stateful()
    with pytest.raises(ShapeError, match=r"\(3, None, 2\).*\(2, 12, 2\)"):
        model.predict(LONG[:2])
    with pytest.raises(ArgumentError, match="fixed batch size") as caught:
        LSTM(3, stateful=True, name="rememberer")(Input((5, 2)))
    assert "'rememberer'" in str(caught.value)


def test_the_number_of_steps_may_vary_from_run_to_run() -> None:
    model = Sequential([LSTM(3, return_sequences=True, input_shape=(None, 2)), Dense(2)])
    whole = model.predict(LONG)
    for steps in (1, 7, 12, 3):
        np.testing.assert_allclose(model.predict(LONG[:, :steps]), whole[:, :steps], rtol=1e-5, atol=1e-6)


def test_two_stateful_layers_keep_their_own_states() -> None:
    first = LSTM(4, stateful=True, return_sequences=True, batch_input_shape=(3, 6, 2))
    second = LSTM(5, stateful=True)
    model = Sequential([first, second])
    model.predict(LONG[:, :6], batch_size=3)
    final = model.predict(LONG[:, 6:], batch_size=3)
    expected = by_hand(second, by_hand(first, LONG)[0])[1]
    np.testing.assert_allclose(final, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("states", "message"),
    [([np.zeros((3, 4), "float32")], "has 2 states, received 1"), ([np.zeros((3, 5), "float32")] * 2, r"\(batch, 4\)")],
)
def test_states_that_do_not_fit_are_refused(states: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LSTM(4)(Input((12, 2)), initial_state=states)
