"""The snippets of the documents this project follows, as they are written there, each with numbers to check."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphflow import backend as K
from graphflow.errors import ShapeError
from graphflow.layers import RNN, Activation, Conv2D, Dense, Embedding, Flatten, Input, Lambda, Layer, add
from graphflow.models import Model, Sequential

Array = np.ndarray[Any, Any]


def close(actual: Any, expected: Array) -> None:
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def floats(rng: np.random.Generator, *shape: int) -> Array:
    return rng.standard_normal(shape).astype("float32")


def test_dense_in_a_sequential(rng: np.random.Generator) -> None:
    model = Sequential()
    model.add(Dense(32, input_shape=(16,)))
    model.add(Dense(32))
    assert model.input_shape == (None, 16)
    assert model.output_shape == (None, 32)
    x = floats(rng, 5, 16)
    kernel1, bias1, kernel2, bias2 = model.get_weights()
    close(model.predict(x), (x @ kernel1 + bias1) @ kernel2 + bias2)


def test_conv2d_then_flatten_with_channels_first(rng: np.random.Generator) -> None:
    model = Sequential()
    model.add(Conv2D(64, 3, input_shape=(3, 32, 32), padding="same", data_format="channels_first"))
    assert model.output_shape == (None, 64, 32, 32)
    model.add(Flatten(data_format="channels_first"))
    assert model.output_shape == (None, 65536)
    x = floats(rng, 2, 3, 32, 32)
    kernel, bias = model.get_weights()
    padded = np.pad(np.moveaxis(x, 1, -1), ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    close(model.predict(x), np.einsum("bhwcij,ijcn->bhwn", windows, kernel).reshape(2, -1) + np.tile(bias, 1024))


def test_conv2d_then_flatten_with_the_default_format(rng: np.random.Generator) -> None:
    model = Sequential()
    model.add(Conv2D(64, 3, input_shape=(3, 32, 32), padding="same"))
    assert model.output_shape == (None, 3, 32, 64)
    model.add(Flatten())
    assert model.output_shape == (None, 6144)
    x = floats(rng, 2, 3, 32, 32)
    kernel, bias = model.get_weights()
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), (3, 3), axis=(1, 2))
    close(model.predict(x), np.einsum("bhwcij,ijcn->bhwn", windows, kernel).reshape(2, -1) + np.tile(bias, 96))


def test_logistic_regression(rng: np.random.Generator) -> None:
    x = Input(shape=(32,))
    y = Dense(16, activation="softmax")(x)
    model = Model(x, y)
    rows = floats(rng, 4, 32)
    kernel, bias = model.get_weights()
    powers = np.exp(rows @ kernel + bias)
    close(model.predict(rows), powers / powers.sum(1, keepdims=True))


def test_a_model_of_two_inputs_under_the_old_argument_names(rng: np.random.Generator) -> None:
    a = Input(shape=(8,))
    b = Input(shape=(8,))
    c = add([a, b])
    model = Model(input=[a, b], output=c)
    first, second = floats(rng, 3, 8), floats(rng, 3, 8)
    close(model.predict([first, second]), first + second)


def test_activation_after_dense(rng: np.random.Generator) -> None:
    model = Sequential([Dense(64, input_shape=(10,)), Activation("tanh")])
    x = floats(rng, 3, 10)
    kernel, bias = model.get_weights()
    close(model.predict(x), np.tanh(x @ kernel + bias))


def test_lambda_of_a_square(rng: np.random.Generator) -> None:
    model = Sequential()
    model.add(Input((4,)))
    model.add(Lambda(lambda x: x**2))
    x = floats(rng, 3, 4)
    close(model.predict(x), x**2)


def antirectifier(x: Any) -> Any:
    x -= K.mean(x, axis=1, keepdims=True)
    x = K.l2_normalize(x, axis=1)
    pos = K.relu(x)
    neg = K.relu(-x)
    return K.concatenate([pos, neg], axis=1)


def antirectifier_output_shape(input_shape: Any) -> tuple[Any, ...]:
    shape = list(input_shape)
    assert len(shape) == 2
    shape[-1] *= 2
    return tuple(shape)


def test_the_antirectifier_does_not_change_the_callers_array(rng: np.random.Generator) -> None:
    x = floats(rng, 3, 6)
    kept = x.copy()
    centred = x - x.mean(1, keepdims=True)
    unit = centred / np.sqrt((centred**2).sum(1, keepdims=True))
    expected = np.concatenate([np.maximum(unit, 0), np.maximum(-unit, 0)], 1)

    layer = Lambda(antirectifier, output_shape=antirectifier_output_shape)
    close(layer(x), expected)
    np.testing.assert_array_equal(x, kept)
    model = Sequential()
    model.add(Dense(6, input_shape=(6,)))
    model.add(layer)
    assert model.output_shape == (None, 12)
    model.set_weights([np.eye(6), np.zeros(6)])
    close(model.predict(x), expected)
    np.testing.assert_array_equal(x, kept)


def hadamard_product_sum(tensors: Any) -> Any:
    out1 = tensors[0] * tensors[1]
    out2 = K.sum(out1, axis=-1)
    return [out1, out2]


def hadamard_product_sum_output_shape(input_shapes: Any) -> Any:
    shape1 = list(input_shapes[0])
    shape2 = list(input_shapes[1])
    assert shape1 == shape2
    return [tuple(shape1), tuple(shape2[:-1])]


def test_the_hadamard_product_and_its_sum(rng: np.random.Generator) -> None:
    x1 = Dense(32)(Input((32,)))
    x2 = Dense(32)(Input((32,)))
    layer = Lambda(hadamard_product_sum, hadamard_product_sum_output_shape)
    x_hadamard, x_sum = layer([x1, x2])
    assert x_hadamard.shape == (None, 32)
    assert x_sum.shape == (None,)
    first, second = floats(rng, 3, 32), floats(rng, 3, 32)
    product, total = layer([first, second])
    close(product, first * second)
    close(total, (first * second).sum(-1))
    in1, in2 = Input((32,)), Input((32,))
    model = Model([in1, in2], layer([in1, in2]))
    product, total = model.predict([first, second])
    close(product, first * second)
    close(total, (first * second).sum(-1))
    with pytest.raises(ShapeError, match="output_shape says"):
        Lambda(hadamard_product_sum, lambda shapes: [shapes[0], shapes[1]])([in1, in2])


class MinimalRNNCell(Layer):
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

    def call(self, inputs: Any, states: Any) -> Any:
        prev_output = states[0]
        h = K.dot(inputs, self.kernel)
        output = h + K.dot(prev_output, self.recurrent_kernel)
        return output, [output]


def recurred(x: Array, kernel: Array, recurrent_kernel: Array) -> Array:
    """All outputs of the minimal cell."""
    h = np.zeros((len(x), kernel.shape[1]), "float32")
    outputs = []
    for step in range(x.shape[1]):
        h = x[:, step] @ kernel + h @ recurrent_kernel
        outputs.append(h)
    return np.stack(outputs, 1)


def test_an_rnn_of_a_users_cell(rng: np.random.Generator) -> None:
    cell = MinimalRNNCell(32)
    x = Input((None, 5))
    layer = RNN(cell)
    y = layer(x)
    assert y.shape == (None, 32)
    assert [variable.shape for variable in layer.weights] == [(5, 32), (32, 32)]
    weights = [floats(rng, *variable.shape) * 0.2 for variable in layer.weights]
    layer.set_weights(weights)
    steps = floats(rng, 3, 7, 5)
    close(Model(x, y).predict(steps), recurred(steps, *weights)[:, -1])


def test_an_rnn_of_users_cells_stacked(rng: np.random.Generator) -> None:
    cells = [MinimalRNNCell(32), MinimalRNNCell(64)]
    x = Input((None, 5))
    layer = RNN(cells)
    y = layer(x)
    assert y.shape == (None, 64)
    weights = [floats(rng, *variable.shape) * 0.2 for variable in layer.weights]
    layer.set_weights(weights)
    steps = floats(rng, 3, 7, 5)
    close(Model(x, y).predict(steps), recurred(recurred(steps, *weights[:2]), *weights[2:])[:, -1])


def test_an_embedding_of_random_integers() -> None:
    model = Sequential()
    model.add(Embedding(1000, 64, input_length=10))
    input_array = np.random.randint(1000, size=(32, 10))
    assert input_array.dtype == np.int64
    model.compile("rmsprop", "mse")
    output_array = model.predict(input_array)
    assert output_array.shape == (32, 10, 64)
    np.testing.assert_array_equal(output_array, model.get_weights()[0][input_array])
