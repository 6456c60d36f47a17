"""Recurrent layers over any cell, against plain NumPy loops written from the documents' words."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphflow
from graphflow import Input, Model, Sequential, layers
from graphflow import backend as K
from graphflow.errors import ArgumentError, ArgumentTypeError, ShapeError
from graphflow.layers import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    Dense,
    GRUCell,
    Layer,
    LSTMCell,
    SimpleRNN,
    SimpleRNNCell,
    StackedRNNCells,
    TimeDistributed,
)
from graphflow.layers.nest import leaves

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(5)
X = RNG.standard_normal((5, 7, 3)).astype("float32")
MASK = np.array(
    [
        [1, 1, 1, 1, 1, 1, 1],
        [1, 0, 1, 0, 0, 1, 1],
        [0, 0, 0, 1, 1, 0, 1],
        [0, 0, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0],
    ],
    bool,
)
CLOSE = {"rtol": 1e-4, "atol": 1e-6}


class MinimalRNNCell(Layer):
    """The documents' own example."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        self.units = units
        self.state_size = units
        super().__init__(**kwargs)

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer="uniform", name="kernel")
        self.recurrent_kernel = self.add_weight(
            shape=(self.units, self.units), initializer="uniform", name="recurrent_kernel"
        )
        self.built = True

    def call(self, inputs: Any, states: Any) -> Any:  # type: ignore[override]
        h = K.dot(inputs, self.kernel)
        output = h + K.dot(states[0], self.recurrent_kernel)
        return output, [output]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


def minimal(weights: list[Array]) -> Callable[..., Any]:
    def step(x: Array, states: list[Array]) -> tuple[Array, list[Array]]:
        h = x @ weights[0] + states[0] @ weights[1]
        return h, [h]

    return step


def loop(
    step: Any, states: list[Array], x: Array = X, mask: Array | None = None, backwards: bool = False, zero: bool = False
) -> tuple[Array, list[Array]]:
    """All outputs in processing order and the final states: a masked step holds the state and repeats the previous
    output (zeros before the first unmasked step)."""
    outputs: list[Array] = []
    shown = None
    for t in reversed(range(x.shape[1])) if backwards else range(x.shape[1]):
        output, new = step(x[:, t].astype("float64"), states)
        live = np.ones(len(x), bool) if mask is None else mask[:, t]
        shown = np.zeros_like(output) if shown is None else shown
        row = (slice(None), *(None,) * (output.ndim - 1))
        shown = np.where(live[row], output, 0 if zero else shown)
        states = [np.where(live[:, None], a, b) for a, b in zip(new, states, strict=True)]
        outputs.append(shown)
    return np.stack(outputs, 1), states


def run(layer: Any, x: Array = X, mask: Array | None = None, **given: Any) -> list[Array]:
    """The outputs of a model of one layer; random weights."""
    tensors = [Input(x.shape[1:])]
    options: dict[str, Any] = {}
    arrays = [x]
    if mask is not None:
        options["mask"] = Input(mask.shape[1:], dtype="bool")
        tensors, arrays = [*tensors, options["mask"]], [*arrays, mask]
    for name, values in given.items():
        options[name] = [Input(value.shape[1:]) for value in values]
        tensors, arrays = [*tensors, *options[name]], [*arrays, *values]
    outputs = layer(tensors[0], **options)
    scatter(layer)
    model = Model(tensors, outputs)
    found = list(leaves(model.predict(arrays)))
    by_layer = list(leaves(layer(x, **{"mask": mask, **given} if mask is not None else given)))
    with graphflow.knobs(reference=True, passes_off="all"):
        reference = list(leaves(Model(tensors, outputs).predict(arrays)))
    rows = [list(leaves(model.predict([array[i : i + 1] for array in arrays]))) for i in range(len(x))]
    twin = list(leaves(pickle.loads(pickle.dumps(model)).predict(arrays)))
    for index, one in enumerate(found):
        np.testing.assert_allclose(by_layer[index], one, **CLOSE)
        np.testing.assert_allclose(reference[index], one, **CLOSE)
        np.testing.assert_array_equal(np.concatenate([row[index] for row in rows]), one)
        np.testing.assert_array_equal(twin[index], one)
    return found


def scatter(layer: Layer) -> None:
    rng = np.random.default_rng(2)
    layer.set_weights([rng.normal(0, 0.4, weight.shape) for weight in layer.get_weights()])


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("mask", [None, MASK], ids=["kept", "masked"])
@pytest.mark.parametrize("zero", [False, True])
def test_a_user_s_cell_is_repeated(unroll: bool, backwards: bool, mask: Array | None, zero: bool) -> None:
    options = {"go_backwards": backwards, "unroll": unroll, "zero_output_for_mask": zero, "return_state": True}
    layer = RNN(MinimalRNNCell(4), return_sequences=True, **options)
    sequence, state = run(layer, mask=mask)
    outputs, states = loop(minimal(layer.get_weights()), [np.zeros((5, 4))], X, mask, backwards, zero)
    np.testing.assert_allclose(sequence, outputs, **CLOSE)
    np.testing.assert_allclose(state, states[0], **CLOSE)
    final, _ = run(RNN(MinimalRNNCell(4), **options), mask=mask)
    np.testing.assert_allclose(final, outputs[:, -1], **CLOSE)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize(
    ("make", "cell"),
    [
        (SimpleRNN, SimpleRNNCell(4)),
        (LSTM, LSTMCell(4)),
        (GRU, GRUCell(4)),
        (lambda units, **kw: GRU(units, reset_after=False, **kw), GRUCell(4, reset_after=False)),
    ],
)
def test_layers_with_a_kernel_are_their_cells_repeated(make: Any, cell: Any, backwards: bool, zero: bool) -> None:
    options = {"go_backwards": backwards, "zero_output_for_mask": zero, "return_state": True, "return_sequences": True}
    alone = type(cell).from_config({**cell.get_config(), "name": None})
    for mask in (None, MASK):
        state = [RNG.standard_normal((5, 4)).astype("float32") for _ in leaves(cell.state_size)]
        at_once = run(make(4, **options), mask=mask, initial_state=state)
        repeated = run(RNN(alone, **options), mask=mask, initial_state=state)
        for one, other in zip(at_once, repeated, strict=True):
            np.testing.assert_allclose(one, other, **CLOSE)


def test_stacked_cells_are_layers_on_top_of_each_other() -> None:
    stack = RNN([MinimalRNNCell(4), LSTMCell(3), MinimalRNNCell(2)], return_sequences=True, return_state=True)
    x = Input((None, 3))
    outputs = stack(x)
    assert [tensor.shape for tensor in leaves(outputs[1:])] == [(None, 4), (None, 3), (None, 3), (None, 2)]
    assert [len(list(leaves(entry))) for entry in outputs[1:]] == [1, 2, 1]
    found = run(stack)
    weights = stack.get_weights()
    assert [weight.shape for weight in weights] == [(3, 4), (4, 4), (4, 12), (3, 12), (12,), (3, 2), (2, 2)]
    first, second, third = RNN(MinimalRNNCell(4), True), LSTM(3, return_sequences=True), RNN(MinimalRNNCell(2), True)
    tower = Sequential([Input((7, 3)), first, second, third])
    tower.set_weights(weights)
    np.testing.assert_allclose(found[0], tower.predict(X), **CLOSE)
    states = [RNG.standard_normal((5, size)).astype("float32") for size in (4, 3, 3, 2)]
    assert np.abs(run(stack, initial_state=states)[0] - found[0]).max() > 1e-2


class Mixer(Layer):
    """Two states, one of them a vector of another size than the output, and constants."""

    state_size = ([4], 2)
    output_size = 3

    def build(self, input_shape: Any) -> None:
        self.mix = self.add_weight((4, 3), "glorot_uniform", name="mix")

    def call(self, inputs: Any, states: Any, constants: Any = None) -> Any:  # type: ignore[override]
        (wide,), narrow = states
        wide = wide + K.concatenate([inputs, inputs[:, :1]])
        if constants is not None:
            wide = wide * constants[0] + constants[1]
        narrow = narrow + wide[:, :2]
        return K.dot(wide, self.mix), [[wide], narrow]


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("mask", [None, MASK], ids=["kept", "masked"])
def test_nested_states_and_constants(unroll: bool, mask: Array | None) -> None:
    layer = RNN(Mixer(), return_sequences=True, return_state=True, unroll=unroll)
    constants = [RNG.standard_normal((5, 4)).astype("float32") * 0.3 for _ in range(2)]
    sequence, wide, narrow = run(layer, mask=mask, constants=constants)

    def step(x: Array, states: list[Array]) -> tuple[Array, list[Array]]:
        wide = (states[0] + np.concatenate([x, x[:, :1]], 1)) * constants[0] + constants[1]
        return wide @ layer.get_weights()[0], [wide, states[1] + wide[:, :2]]

    outputs, states = loop(step, [np.zeros((5, 4)), np.zeros((5, 2))], mask=mask)
    np.testing.assert_allclose(sequence, outputs, **CLOSE)
    np.testing.assert_allclose(wide, states[0], **CLOSE)
    np.testing.assert_allclose(narrow, states[1], **CLOSE)
    x, a, b = Input((7, 3)), Input((4,)), Input((4,))
    listed = RNN.from_config(layer.get_config())
    assert listed.get_config()["num_constants"] == 2
    assert listed([x, a, b])[0].shape == (None, 7, 3)


def test_a_cell_s_own_initial_state_begins_every_row() -> None:
    class Started(MinimalRNNCell):
        def get_initial_state(self, batch_size: Any = None) -> Any:
            return [np.full((batch_size, 4), 0.5, "float32")]

    layer = RNN(Started(4))
    x = Input((7, 3))
    model = Model(x, layer(x))
    scatter(layer)
    expected, _ = loop(minimal(layer.get_weights()), [np.full((5, 4), 0.5)])
    np.testing.assert_allclose(model.predict(X), expected[:, -1], **CLOSE)


def test_a_stateful_cell_continues_its_rows() -> None:
    layer = RNN([MinimalRNNCell(4), GRUCell(2)], stateful=True, return_sequences=True, batch_input_shape=(5, None, 3))
    model = Sequential([layer])
    scatter(layer)
    parts = [model.predict(X[:, :3], batch_size=5), model.predict(X[:, 3:4], batch_size=5)]
    parts.append(model.predict(X[:, 4:], batch_size=5))
    model.reset_states()
    np.testing.assert_allclose(np.concatenate(parts, 1), model.predict(X, batch_size=5), **CLOSE)
    assert [variable.shape for variable in layer.states] == [(5, 4), (5, 2)]
    with pytest.raises(ShapeError, match=r"\(5, None, 3\).*\(2, 7, 3\)"):
        model.predict(X[:2])


@pytest.mark.parametrize("mask", [None, MASK], ids=["kept", "masked"])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave", None])
def test_both_directions_are_merged(mode: Any, sequences: bool, mask: Array | None) -> None:
    layer = Bidirectional(RNN(MinimalRNNCell(4), return_sequences=sequences, return_state=True), merge_mode=mode)
    *outputs, forward, backward = run(layer, mask=mask)
    weights = layer.get_weights()
    zeros = [np.zeros((5, 4))]
    one, (state,) = loop(minimal(weights[:2]), zeros, mask=mask, zero=sequences)
    other, (last,) = loop(minimal(weights[2:]), zeros, mask=mask, backwards=True, zero=sequences)
    one, other = (one, other[:, ::-1]) if sequences else (one[:, -1], other[:, -1])
    wanted = {
        "concat": [np.concatenate([one, other], -1)],
        "sum": [one + other],
        "mul": [one * other],
        "ave": [(one + other) / 2],
        None: [one, other],
    }[mode]
    for actual, expected in zip([*outputs, forward, backward], [*wanted, state, last], strict=True):
        np.testing.assert_allclose(actual, expected, **CLOSE)


def test_both_directions_take_states_and_another_layer_for_the_way_back() -> None:
    layer = Bidirectional(GRU(4), backward_layer=SimpleRNN(4, go_backwards=True), merge_mode="sum")
    states = [RNG.standard_normal((5, 4)).astype("float32") for _ in range(2)]
    (found,) = run(layer, initial_state=states)
    x, h = Input((7, 3)), Input((4,))
    forward, backward = GRU(4), SimpleRNN(4, go_backwards=True)
    first, second = Model([x, h], forward(x, initial_state=h)), Model([x, h], backward(x, initial_state=h))
    forward.set_weights(layer.get_weights()[:3])
    backward.set_weights(layer.get_weights()[3:])
    np.testing.assert_allclose(found, first.predict([X, states[0]]) + second.predict([X, states[1]]), **CLOSE)
    assert layer.forward_layer.name.startswith("forward_gru")
    again = Bidirectional.from_config(layer.get_config())
    assert repr(again.get_config()) == repr(layer.get_config())


def test_time_distributed_applies_its_layer_to_every_step() -> None:
    layer = TimeDistributed(Dense(4, activation="relu"))
    (found,) = run(layer)
    kernel, bias = layer.get_weights()
    np.testing.assert_allclose(found, np.maximum(X @ kernel + bias, 0), **CLOSE)
    x = Input((None, None, 3))
    model = Model(x, TimeDistributed(LSTM(2))(x))
    for steps in (2, 3):
        assert model.predict(np.zeros((2, steps, 5, 3), "float32")).shape == (2, steps, 2)
    words = Input((6,), dtype="int32")
    carried = TimeDistributed(Dense(2))(layers.Embedding(9, 3, mask_zero=True)(words))
    assert carried._keras_mask.shape == (None, 6)


@pytest.mark.parametrize("cell", [LSTMCell, GRUCell, SimpleRNNCell])
def test_training_drops_the_same_parts_in_all_steps(cell: Any) -> None:
    layer = RNN(cell(64, dropout=0.5, use_bias=False, seed=3), return_sequences=True)
    x = Input((4, 50))
    model = Model(x, layer(x))
    ones = np.ones((2, 4, 50), "float32")
    kernel, recurrent = layer.get_weights()
    layer.set_weights([np.tile(np.eye(50, 64), kernel.shape[1] // 64), 0 * recurrent])
    first, second = model(ones, training=True), model(ones, training=True)
    assert np.abs(first - second).max() > 0.01
    plain = model(ones)
    share = np.mean(np.abs(first[:, 0] - plain[:, 0]) > 1e-6)
    assert share > 0.2
    np.testing.assert_array_equal(np.unique(np.abs(first[:, 0] - plain[:, 0]) > 1e-6).size, 2)
    if cell is SimpleRNNCell:
        np.testing.assert_array_equal(first[:, 1:], np.repeat(first[:, :1], 3, 1))
    np.testing.assert_allclose(plain, model.predict(ones), **CLOSE)


def test_a_dropout_layer_inside_a_cell_drops_other_parts_in_every_step() -> None:
    class Dropping(MinimalRNNCell):
        def __init__(self, units: int, **kwargs: Any) -> None:
            super().__init__(units, **kwargs)
            self.drop = layers.Dropout(0.5, seed=1)

        def call(self, inputs: Any, states: Any, training: bool | None = None) -> Any:  # type: ignore[override]
            dropped = self.drop(inputs, training=training)
            return dropped, [states[0]]

    cell = Dropping(50)
    x = Input((4, 50))
    model = Model(x, RNN(cell, return_sequences=True)(x))
    found = model(np.ones((2, 4, 50), "float32"), training=True)
    assert set(np.unique(found)) == {0.0, 2.0}
    assert all((found[:, t] != found[:, t + 1]).any() for t in range(3))
    assert cell.drop.seed_state.value[1] == 4
    np.testing.assert_array_equal(model.predict(np.ones((2, 4, 50), "float32")), 1.0)


class Stateless(Layer):
    def call(self, inputs: Any, states: Any) -> Any:  # type: ignore[override]
        return inputs, []


class Growing(MinimalRNNCell):
    def call(self, inputs: Any, states: Any) -> Any:
        return inputs, [K.concatenate([states[0], states[0]])]


REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: RNN(Stateless()), ArgumentError, "'state_size'"),
    (lambda: RNN(3), ArgumentError, "'call'"),
    (lambda: RNN([]), ArgumentError, "at least one cell"),
    (lambda: StackedRNNCells(MinimalRNNCell(2)), ArgumentError, "list of at least one cell"),
    (lambda: RNN(MinimalRNNCell(0))(Input((7, 3))), ValueError, "0"),
    (lambda: RNN(Growing(4))(Input((7, 3))), ShapeError, r"keep the shape of its states.*\(None, 4\).*\(None, 8\)"),
    (lambda: RNN(MinimalRNNCell(4), unroll=True)(Input((None, 3))), ArgumentError, "known number of steps"),
    (lambda: RNN(MinimalRNNCell(4), stateful=True)(Input((7, 3))), ArgumentError, "fixed batch size"),
    (lambda: GRU(4)(Input((7, 3)), initial_state=[Input((5,))]), ShapeError, r"\(batch, 4\), received \(None, 5\)"),
    (lambda: SimpleRNN(4)(Input((7, 3)), initial_state=[Input((4,))] * 2), ArgumentError, "1 states, received 2"),
    (lambda: GRU(4)(Input((3,))), ShapeError, r"\(batch, steps, features\)"),
    (lambda: GRU(0), ArgumentError, "units"),
    (lambda: LSTM(2, dropout=1.5), ArgumentError, r"dropout must be in \[0, 1\)"),
    (lambda: LSTM(2, reset_after=True), ArgumentTypeError, "reset_after"),
    (lambda: Bidirectional(LSTM(2), merge_mode="max"), ArgumentError, "merge_mode"),
    (lambda: Bidirectional(LSTM(2), backward_layer=LSTM(2)), ArgumentError, "opposite directions"),
    (
        lambda: Bidirectional(LSTM(2), backward_layer=LSTM(2, go_backwards=True, return_sequences=True)),
        ArgumentError,
        "same return_sequences",
    ),
    (lambda: Bidirectional(Dense(2)), ArgumentTypeError, "recurrent layers"),
    (lambda: TimeDistributed(4), ArgumentTypeError, "takes a layer"),
    (lambda: TimeDistributed(Dense(2))(Input((3,))), ShapeError, r"\(batch, steps, \.\.\.\)"),
    (lambda: layers.ConvLSTM2D(2, 3)(Input((4, None, 5, 1))), ShapeError, "known sizes"),
    (lambda: layers.ConvLSTM2D(2, 3, strides=2, dilation_rate=2), ArgumentError, "dilation_rate"),
]


@pytest.mark.parametrize(("make", "kind", "message"), REFUSED, ids=[str(index) for index in range(len(REFUSED))])
def test_what_does_not_fit_is_refused(make: Callable[[], Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        make()
