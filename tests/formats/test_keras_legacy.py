"""Files of Keras 1 and 2, written by hand in each version's layout; outputs against NumPy, or a twin built here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats.legacy_files import dense, functional, given, layer, normal, step, write_h5

import graphflow
from graphflow import Input, Model, Sequential
from graphflow.errors import ModelFormatError, UnsupportedError
from graphflow.formats.keras_files import read_description
from graphflow.layers import (
    GRU,
    LSTM,
    Activation,
    Bidirectional,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Embedding,
    SimpleRNN,
    TimeDistributed,
)

Array = np.ndarray[Any, Any]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.h5"


def hard_sigmoid(x: Array) -> Array:
    return np.clip(0.2 * x + 0.5, 0, 1)


def close(ours: Any, expected: Any) -> None:
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-5 * max(np.abs(expected).max(), 1e-30))


def test_a_sequential_of_keras_1_is_a_list_and_has_kernels_of_theanos_order(path: Path, rng: Any) -> None:
    kernel, bias = normal(rng, 4, 3, 2, 5), normal(rng, 4)  # filters, depth, rows, columns
    last = normal(rng, 4 * 5 * 2, 6), normal(rng, 6)
    shared = {"W_regularizer": {"name": "WeightRegularizer", "l1": 0.0, "l2": 0.1}, "b_regularizer": None}
    conv = {"nb_filter": 4, "nb_row": 2, "nb_col": 5, "border_mode": "valid", "subsample": [1, 1], "bias": True}
    config = [
        step("Convolution2D", "c", batch_input_shape=[None, 3, 6, 6], input_dtype="float32", init="glorot_uniform")
        | {"name": "c"},
        step("MaxPooling2D", "p", pool_size=[1, 1], strides=[1, 1], border_mode="valid", dim_ordering="th"),
        step("Flatten", "f"),
        step("Dense", "d", output_dim=6, init="uniform", activation="tanh", input_dim=None, bias=True, **shared),
        step("Dropout", "drop", p=0.5),
    ]
    config[0]["config"] |= {**conv, "activation": "relu", "dim_ordering": "th", "W_constraint": {"name": "NonNeg"}}
    weights = {"c": [("c_W", kernel), ("c_b", bias)], "p": [], "f": [], "drop": []}
    weights["d"] = [("d_W", last[0]), ("d_b", last[1])]
    model = graphflow.load_model(write_h5(path, {"class_name": "Sequential", "config": config}, weights, None, None))
    x = normal(rng, 2, 3, 6, 6)
    hidden = np.zeros((2, 4, 5, 2))
    for row in range(5):
        for column in range(2):
            hidden[:, :, row, column] = np.einsum("bdrc,fdrc->bf", x[:, :, row : row + 2, column : column + 5], kernel)
    hidden = np.maximum(hidden + bias[:, None, None], 0)
    close(model.predict(x, verbose=0), np.tanh(hidden.reshape(2, -1) @ last[0] + last[1]))
    assert {"keras 1", "list"} <= read_description(path).quirks.keys()


def test_a_model_that_theano_ran_has_mirrored_kernels(path: Path, rng: Any) -> None:
    kernel, bias = normal(rng, 2, 3, 3, 4), normal(rng, 4)
    config = [step("Conv2D", "c", filters=4, kernel_size=[2, 3], batch_input_shape=[None, 5, 6, 3])]
    weights = {"c": [("c/kernel", kernel), ("c/bias", bias)]}
    write_h5(path, {"class_name": "Sequential", "config": config}, weights, "2.0.8", "theano")
    twin = Sequential([Conv2D(4, (2, 3), input_shape=(5, 6, 3))])
    twin.set_weights([kernel[::-1, ::-1], bias])
    x = normal(rng, 2, 5, 6, 3)
    close(graphflow.load_model(path).predict(x, verbose=0), twin.predict(x, verbose=0))
    assert read_description(path).quirks["theano"] == ("",)


@pytest.mark.parametrize(
    ("name", "arguments", "build", "shape", "axes"),
    [
        ("Conv1D", {}, lambda: Conv1D(4, 3, input_shape=(7, 2)), (None, 7, 2), None),
        (
            "Conv2DTranspose",
            {"dim_ordering": "tf"},
            lambda: Conv2DTranspose(4, (2, 3), input_shape=(5, 6, 3)),
            (None, 5, 6, 3),
            (0, 1, 3, 2),
        ),
        (
            "Conv2DTranspose",
            {"dim_ordering": "th"},
            lambda: Conv2DTranspose(4, (2, 3), input_shape=(3, 5, 6), data_format="channels_first"),
            (None, 3, 5, 6),
            (2, 3, 0, 1),
        ),
    ],
)
def test_kernels_of_keras_1(path: Path, rng: Any, name: str, arguments: Any, build: Any, shape: Any, axes: Any) -> None:
    twin = Sequential([build()])
    kernel, bias = (normal(rng, *one.shape) for one in twin.weights)
    twin.set_weights([kernel, bias])
    sizes = {"nb_row": 2, "nb_col": 3} if axes else {"filter_length": 3}
    config = [
        step(
            name.replace("Conv2DTranspose", "Deconvolution2D").replace("Conv1D", "Convolution1D"),
            "c",
            nb_filter=4,
            batch_input_shape=list(shape),
            **sizes,
            **arguments,
        )
    ]
    forms = [kernel.transpose(axes)] if axes else [kernel[:, None], kernel.transpose(2, 1, 0)[..., None]]
    x = normal(rng, 2, *shape[1:])
    for stored in forms:
        weights = {"c": [("c_W", np.ascontiguousarray(stored)), ("c_b", bias)]}
        write_h5(path, {"class_name": "Sequential", "config": config}, weights, "1.2.2")
        close(graphflow.load_model(path).predict(x, verbose=0), twin.predict(x, verbose=0))


def test_an_lstm_of_keras_1_has_twelve_arrays(path: Path, rng: Any) -> None:
    parts = {gate: (normal(rng, 3, 4), normal(rng, 4, 4), normal(rng, 4)) for gate in "icfo"}
    config = {"output_dim": 4, "inner_activation": "hard_sigmoid", "activation": "tanh", "init": "glorot_uniform"}
    config |= {"inner_init": "orthogonal", "forget_bias_init": "one", "dropout_W": 0.1, "dropout_U": 0.0}
    config |= {"consume_less": "cpu", "batch_input_shape": [None, 5, 3], "input_dim": 3, "input_length": None}
    config |= {"return_sequences": True, "go_backwards": False, "stateful": False, "unroll": False}
    arrays = [(f"l_{kind}_{gate}", part) for gate in "icfo" for kind, part in zip("WUb", parts[gate], strict=True)]
    write_h5(path, {"class_name": "Sequential", "config": [step("LSTM", "l", **config)]}, {"l": arrays}, None, None)
    x = normal(rng, 2, 5, 3)
    h = c = np.zeros((2, 4))
    expected = []
    for t in range(5):
        z = {gate: x[:, t] @ w + h @ u + b for gate, (w, u, b) in parts.items()}
        c = hard_sigmoid(z["f"]) * c + hard_sigmoid(z["i"]) * np.tanh(z["c"])
        h = hard_sigmoid(z["o"]) * np.tanh(c)
        expected.append(h)
    close(graphflow.load_model(path).predict(x, verbose=0), np.stack(expected, 1))


def test_a_gru_of_keras_1_has_nine_arrays(path: Path, rng: Any) -> None:
    parts = {gate: (normal(rng, 3, 4), normal(rng, 4, 4), normal(rng, 4)) for gate in "zrh"}
    config = {
        "output_dim": 4,
        "inner_activation": "hard_sigmoid",
        "activation": "tanh",
        "batch_input_shape": [None, 5, 3],
    }
    arrays = [(f"g_{kind}_{gate}", part) for gate in "zrh" for kind, part in zip("WUb", parts[gate], strict=True)]
    write_h5(path, {"class_name": "Sequential", "config": [step("GRU", "g", **config)]}, {"g": arrays}, None, None)
    x = normal(rng, 2, 5, 3)
    h = np.zeros((2, 4))
    for t in range(5):
        (wz, uz, bz), (wr, ur, br), (wh, uh, bh) = parts.values()
        z, r = hard_sigmoid(x[:, t] @ wz + h @ uz + bz), hard_sigmoid(x[:, t] @ wr + h @ ur + br)
        h = z * h + (1 - z) * np.tanh(x[:, t] @ wh + (r * h) @ uh + bh)
    close(graphflow.load_model(path).predict(x, verbose=0), h)
    assert read_description(path).quirks["reset_after"] == ("g",)


def test_merge_of_keras_1(path: Path, rng: Any) -> None:
    layers = [given("a", 3), given("b", 3)]
    for mode in ("sum", "mul", "concat"):
        layers.append(layer("Merge", mode, [[["a", 0, 0], ["b", 0, 0]]], mode=mode, concat_axis=1))
    places = [[name, 0, 0] for name in ("sum", "mul", "concat")]
    write_h5(path, functional("m", layers, [["a", 0, 0], ["b", 0, 0]], places), {}, None, None)
    a, b = normal(rng, 2, 3), normal(rng, 2, 3)
    total, product, joined = graphflow.load_model(path).predict([a, b], verbose=0)
    close(total, a + b)
    close(product, a * b)
    close(joined, np.concatenate([a, b], 1))


def nested_file(path: Path, rng: Any, first: int) -> tuple[Any, ...]:
    """A shared inner model, whose calls are counted from `first`, in lists of lists of outputs."""
    inner = functional(
        "inner",
        [
            given("ix", 4),
            layer("Dense", "dense", [[["ix", 0, 0, {}]]], units=4, activation="relu"),
            layer("BatchNormalization", "bn", [[["dense", 0, 0, {}]]], axis=[1], epsilon=0.01, momentum=0.9),
            layer("Dense", "again", [[["bn", 0, 0, {}]]], units=4, use_bias=False),
        ],
        [["ix", 0, 0]],
        [["again", 0, 0], ["dense", 0, 0]],
    )
    layers = [
        given("a", 4),
        given("b", 4),
        {**inner, "name": "inner", "inbound_nodes": [[["a", 0, 0, {}]], [["b", 0, 0, {}]], [["inner", first, 1, {}]]]},
        layer("Add", "add", [[["inner", first + 1, 0, {}], ["inner", first + 2, 0, {}]]]),
        layer("Dense", "dense", [[["add", 0, 0, {}]], [["a", 0, 0, {}]]], units=3),
    ]
    outputs = [["dense", 0, 0], [["dense", 1, 0], [["inner", first, 1]]]]
    _, (k1, b1) = dense(rng, "dense", 4, 4)
    _, (k2, b2) = dense(rng, "dense", 4, 3)
    gamma, beta, mean = (normal(rng, 4) for _ in range(3))
    variance, again = np.abs(normal(rng, 4)) + 0.2, normal(rng, 4, 4)
    flat = [k1, b1, ("bn/gamma:0", gamma), ("bn/beta:0", beta), ("again/kernel:0", again)]
    flat += [("bn/moving_mean:0", mean), ("bn/moving_variance:0", variance)]  # trainable ones of all layers come first
    weights = {"a": [], "b": [], "inner": flat, "add": [], "dense": [k2, b2]}
    write_h5(path, functional("outer", layers, [["a", 0, 0], ["b", 0, 0]], outputs), weights, "2.2.4", as_bytes=False)
    return k1[1], b1[1], gamma, beta, mean, variance, again, k2[1], b2[1]


@pytest.mark.parametrize("first", [0, 1])
def test_nested_and_shared_models_with_nested_outputs(path: Path, rng: Any, first: int) -> None:
    k1, b1, gamma, beta, mean, variance, again, k2, b2 = nested_file(path, rng, first)
    model = graphflow.load_model(path)
    a, b = normal(rng, 3, 4), normal(rng, 3, 4)

    def inner(x: Array) -> tuple[Array, Array]:
        hidden = np.maximum(x @ k1 + b1, 0)
        return ((hidden - mean) / np.sqrt(variance + 0.01) * gamma + beta) @ again, hidden

    outputs = model.predict([a, b], verbose=0)
    close(outputs[0], (inner(b)[0] + inner(inner(a)[1])[0]) @ k2 + b2)
    close(outputs[1][0], a @ k2 + b2)
    close(outputs[1][1][0], inner(a)[1])
    assert ("nested indices" in read_description(path).quirks) == bool(first)
    assert [one for one, _ in read_description(path).layers()][2:4] == ["inner", "inner/ix"]


def test_gates_follow_the_version_of_the_file(path: Path, rng: Any) -> None:
    kernel, recurrent, bias = normal(rng, 3, 16), normal(rng, 4, 16), normal(rng, 16)
    x = 3 * normal(rng, 2, 5, 3)
    expected = {}
    for gate in ("hard_sigmoid", "keras3_hard_sigmoid", "sigmoid"):
        twin = Sequential([LSTM(4, recurrent_activation=gate, input_shape=(5, 3))])
        twin.set_weights([kernel, recurrent, bias])
        expected[gate] = twin.predict(x, verbose=0)
    cases = {
        ("2.0.5", None): "hard_sigmoid",
        ("2.0.5", "hard_sigmoid"): "hard_sigmoid",
        ("2.11.0", "hard_sigmoid"): "hard_sigmoid",
        ("2.2.4-tf", None): "sigmoid",
        ("2.13.1", None): "sigmoid",
        ("3.3.3", "hard_sigmoid"): "keras3_hard_sigmoid",
    }
    for (version, written), means in cases.items():
        extra = {} if written is None else {"recurrent_activation": written}
        config = [step("LSTM", "l", units=4, batch_input_shape=[None, 5, 3], implementation=1, **extra)]
        weights = {"l": [("l/kernel:0", kernel), ("l/recurrent_kernel:0", recurrent), ("l/bias:0", bias)]}
        write_h5(path, {"class_name": "Sequential", "config": {"name": "s", "layers": config}}, weights, version)
        close(graphflow.load_model(path).predict(x, verbose=0), expected[means])


def test_cudnn_layers_become_plain_ones(path: Path, rng: Any) -> None:
    def for_cudnn(kernel: Array, gates: int) -> Array:
        return np.hstack([part.T.reshape(part.shape) for part in np.hsplit(kernel, gates)])

    lstm = normal(rng, 3, 16), normal(rng, 4, 16), normal(rng, 32)
    gru = normal(rng, 4, 6), normal(rng, 2, 6), normal(rng, 12)
    weights = {
        "l": [
            ("l/kernel:0", for_cudnn(lstm[0], 4)),
            ("l/recurrent_kernel:0", np.hstack([part.T for part in np.hsplit(lstm[1], 4)])),
            ("l/bias:0", lstm[2]),
        ],
        "g": [
            ("g/kernel:0", for_cudnn(gru[0], 3)),
            ("g/recurrent_kernel:0", np.hstack([part.T for part in np.hsplit(gru[1], 3)])),
            ("g/bias:0", gru[2]),
        ],
    }
    config = [
        step("CuDNNLSTM", "l", units=4, return_sequences=True, batch_input_shape=[None, 5, 3], go_backwards=False),
        step("CuDNNGRU", "g", units=2, return_sequences=False),
    ]
    write_h5(path, {"class_name": "Sequential", "config": {"name": "s", "layers": config}}, weights, "2.2.4")
    twin = Sequential([LSTM(4, return_sequences=True, input_shape=(5, 3)), GRU(2, reset_after=True)])
    twin.set_weights([*lstm[:2], lstm[2][:16] + lstm[2][16:], *gru[:2], gru[2].reshape(2, 6)])
    x = normal(rng, 3, 5, 3)
    close(graphflow.load_model(path).predict(x, verbose=0), twin.predict(x, verbose=0))
    assert read_description(path).quirks["cudnn"] == ("l", "g")


def test_stateful_masked_and_wrapped_recurrent_layers(path: Path, rng: Any) -> None:
    def cell(class_name: str, name: str, **more: Any) -> Any:
        config = {"units": 3, "activation": "tanh", "return_sequences": True, "return_state": False}
        return step(class_name, name, **config, **more)

    config = [
        step("Embedding", "e", input_dim=7, output_dim=4, mask_zero=True, input_length=5, batch_input_shape=[2, 5]),
        step("Bidirectional", "b", layer=cell("SimpleRNN", "inner"), merge_mode="concat"),
        step("TimeDistributed", "t", layer=step("Dense", "d", units=4, activation="relu")),
        cell("SimpleRNN", "r", stateful=True) | {},
    ]
    config[-1]["config"]["return_sequences"] = False
    config[0]["config"]["dtype"] = "float32"
    twin = Sequential(
        [
            Embedding(7, 4, mask_zero=True, batch_input_shape=(2, 5)),
            Bidirectional(SimpleRNN(3, return_sequences=True)),
            TimeDistributed(Dense(4, activation="relu")),
            SimpleRNN(3, stateful=True),
        ]
    )
    values = [normal(rng, *one.shape) for one in twin.weights]
    twin.set_weights(values)
    names = iter(values)
    weights = {
        name: [(f"{name}/{index}:0", next(names)) for index in range(count)]
        for name, count in (("e", 1), ("b", 6), ("t", 2), ("r", 3))
    }
    write_h5(path, {"class_name": "Sequential", "config": {"name": "s", "layers": config}}, weights, "2.2.4")
    model = graphflow.load_model(path)
    x = np.array([[1, 2, 3, 0, 0], [4, 0, 0, 0, 0]])
    for _ in range(2):  # the second call continues the states of the first
        close(model.predict(x, verbose=0), twin.predict(x, verbose=0))
    model.reset_states()
    twin.reset_states()
    close(model.predict(x, verbose=0), twin.predict(x, verbose=0))


def test_states_are_further_inputs_of_a_call(path: Path, rng: Any) -> None:
    lstm = {"units": 4, "activation": "tanh", "recurrent_activation": "hard_sigmoid", "return_state": True}
    layers = [
        given("x", 5, 3),
        given("y", None, 2),
        layer("LSTM", "encoder", [[["x", 0, 0, {}]]], **lstm),
        layer(
            "LSTM",
            "decoder",
            [[["y", 0, 0, {}], ["encoder", 0, 1, {}], ["encoder", 0, 2, {}]]],
            **{**lstm, "return_state": False, "return_sequences": True},
        ),
    ]
    x, y = Input((5, 3)), Input((None, 2))
    _, h, c = LSTM(4, recurrent_activation="hard_sigmoid", return_state=True)(x)
    decoder = LSTM(4, recurrent_activation="hard_sigmoid", return_sequences=True)
    twin = Model([x, y], decoder(y, initial_state=[h, c]))
    values = [normal(rng, *one.shape) for one in twin.weights]
    twin.set_weights(values)
    weights: Any = {"x": [], "encoder": values[:3], "y": [], "decoder": values[3:]}
    weights = {name: [(f"{name}/w{i}", one) for i, one in enumerate(arrays)] for name, arrays in weights.items()}
    write_h5(path, functional("m", layers, [["x", 0, 0], ["y", 0, 0]], [["decoder", 0, 0]]), weights, "2.2.2")
    arrays = [normal(rng, 2, 5, 3), normal(rng, 2, 6, 2)]
    close(graphflow.load_model(path).predict(arrays, verbose=0), twin.predict(arrays, verbose=0))


def test_functions_of_tensorflow_and_constants(path: Path, rng: Any) -> None:
    def call(name: str, function: str, node: Any, kind: str = "TFOpLambda") -> Any:
        return layer(kind, name, [node], function=function, dtype="float32")

    every = {"start": None, "stop": None, "step": None}
    layers = [
        given("x", 4),
        given("y", 4),
        call("tf.concat", "concat", [["x", 0, 0, {"axis": -1}], ["y", 0, 0, {"axis": -1}]]),
        call("tf.math.subtract", "math.subtract", ["_CONSTANT_VALUE", -1, 2.0, {"y": ["tf.concat", 0, 0]}]),
        call("tf.math.multiply", "math.multiply", ["tf.math.subtract", 0, 0, {"y": ["tf.concat", 0, 0]}]),
        call(
            "tf.__operators__.getitem",
            "__operators__.getitem",
            ["tf.math.multiply", 0, 0, {"slice_spec": [every, {"start": 1, "stop": None, "step": 2}]}],
            "SlicingOpLambda",
        ),
        layer(
            "Add",
            "add",
            [[["tf.__operators__.getitem", 0, 0, {}], ["_CONSTANT_VALUE", -1, [[1, 2, 3, 4]], {}]]],
        ),
    ]
    write_h5(path, functional("m", layers, [["x", 0, 0], ["y", 0, 0]], [["add", 0, 0]], "Functional"), {}, "2.6.0")
    x, y = normal(rng, 3, 4), normal(rng, 3, 4)
    both = np.concatenate([x, y], -1)
    close(graphflow.load_model(path).predict([x, y], verbose=0), ((2 - both) * both)[:, 1::2] + [1, 2, 3, 4])
    layers[2]["config"]["function"] = "io.read_file"
    write_h5(path, functional("m", layers, [["x", 0, 0], ["y", 0, 0]], [["add", 0, 0]], "Functional"), {}, "2.6.0")
    with pytest.raises(UnsupportedError, match=r"layer 'tf.concat': the TensorFlow function tf.io.read_file"):
        graphflow.load_model(path)


def test_names_over_64_kilobytes_are_split(path: Path, rng: Any) -> None:
    names = [f"{index:03}" * 800 for index in range(40)]
    config = [step("Dense", names[0], units=3, batch_input_shape=[None, 3])]
    config += [step("Dense", name, units=3, activation="linear") for name in names[1:]]
    weights = dict(dense(rng, name, 3, 3) for name in names)
    write_h5(path, {"class_name": "Sequential", "config": {"name": "s", "layers": config}}, weights, "2.1.6-tf")
    x = expected = normal(rng, 2, 3)
    for (_, kernel), (_, bias) in weights.values():
        expected = expected @ kernel + bias
    close(graphflow.load_model(path).predict(x, verbose=0), expected)


def test_tuples_shapes_and_numbers_in_the_forms_of_tf_keras(path: Path, rng: Any) -> None:
    def pair(*items: Any) -> Any:
        return {"class_name": "__tuple__", "items": list(items)}

    layers = [
        {**given("x", 4, 6, 2), "config": {"name": "x", "ragged": False, "dtype": "float32"}},
        layer(
            "Conv2D",
            "c",
            [[["x", 0, 0, {}]]],
            filters=3,
            kernel_size=pair(2, 2),
            strides=pair(1, 2),
            groups=1,
            dtype={"class_name": "Policy", "config": {"name": "float32"}},
        ),
        layer("LeakyReLU", "r", [[["c", 0, 0, {}]]], alpha={"type": "ndarray", "value": 0.25}),
        layer("Reshape", "s", [[["r", 0, 0, {}]]], target_shape=pair(9, 3)),
        layer("BatchNormalization", "n", [[["s", 0, 0, {}]]], axis=[2], epsilon=0.1, fused=None, renorm=False),
    ]
    layers[0]["config"]["batch_input_shape"] = {"class_name": "TensorShape", "items": [None, 4, 6, 2]}
    kernel, bias, beta, mean = normal(rng, 2, 2, 2, 3), normal(rng, 3), normal(rng, 3), normal(rng, 3)
    gamma, variance = np.abs(normal(rng, 3)) + 0.1, np.abs(normal(rng, 3)) + 0.1
    norm = [(f"n/{index}", one) for index, one in enumerate((gamma, beta, mean, variance))]
    weights = {"x": [], "c": [("c/kernel:0", kernel), ("c/bias:0", bias)], "n": norm}
    file = functional("m", layers, [["x", 0, 0]], [["n", 0, 0]], "Functional")
    training = {"loss": "mse", "metrics": [], "optimizer_config": {"class_name": "Adam", "config": {}}}
    model = graphflow.load_model(write_h5(path, file, weights, "2.8.0", training=training))
    twin = Sequential([Conv2D(3, 2, strides=(1, 2), input_shape=(4, 6, 2))])
    twin.set_weights([kernel, bias])
    x = normal(rng, 2, 4, 6, 2)
    hidden = twin.predict(x, verbose=0)
    hidden = np.where(hidden > 0, hidden, 0.25 * hidden).reshape(2, 9, 3)
    close(model.predict(x, verbose=0), (hidden - mean) / np.sqrt(variance + 0.1) * gamma + beta)
    assert model.compiled_with == {"optimizer": {"class_name": "Adam", "config": {}}, "loss": "mse", "metrics": []}
    assert graphflow.load_model(path, compile=False).compiled_with is None


def test_arguments_that_would_change_numbers_are_refused(path: Path) -> None:
    config = [step("SimpleRNN", "r", units=2, batch_input_shape=[None, 3, 2], time_major=True)]
    write_h5(path, {"class_name": "Sequential", "config": config}, {}, "2.4.0")
    with pytest.raises(UnsupportedError, match=r"layer 'r': SimpleRNN with time_major=True"):
        graphflow.load_model(path)


def needing_file(path: Path) -> None:
    inner = functional(
        "inner",
        [
            given("ix", 3),
            layer("Scale", "scale", [[["ix", 0, 0, {}]]], factor=3.0),
            layer("Dense", "d", [[["scale", 0, 0, {}]]], units=3, activation="<lambda>", kernel_initializer="mine"),
        ],
        [["ix", 0, 0]],
        [["d", 0, 0]],
    )
    code = ["4wEAAAAAAAAAAAAAAAEAAAACAAAA", None, None]
    layers = [
        given("x", 3),
        {**inner, "name": "inner", "inbound_nodes": [[["x", 0, 0, {}]]]},
        layer("Lambda", "named", [[["inner", 1, 0, {}]]], function="double", function_type="function", arguments={}),
        layer("Lambda", "coded", [[["named", 0, 0, {}]]], function=code, function_type="lambda", arguments={"by": 5.0}),
        layer("Activation", "act", [[["coded", 0, 0, {}]]], activation="<lambda>"),
        layer("RepeatVector", "rep", [[["act", 0, 0, {}]]], n=2),
        layer("TimeDistributed", "td", [[["rep", 0, 0, {}]]], layer=step("Scale", "again", factor=1.0)),
    ]
    weights = {"inner": [("d/kernel:0", np.eye(3, dtype="float32")), ("d/bias:0", np.zeros(3, "float32"))]}
    write_h5(path, functional("m", layers, [["x", 0, 0]], [["act", 0, 0]]), weights, "2.2.4")


def test_everything_that_is_missing_stands_in_one_error(path: Path) -> None:
    needing_file(path)
    with pytest.raises(ModelFormatError) as caught:
        graphflow.load_model(path)
    for part in (
        "layer class 'Scale' of layers 'inner/scale', 'td/again'",
        "activation '<lambda>' of layers 'inner/d', 'act'",
        "initializer 'mine' of layer 'inner/d'",
        "Lambda layer's function 'double' of layer 'named'",
        "Lambda layer's function (bytecode) 'coded' of layer 'coded'",
        "never run",
        "custom_objects={'Scale': ..., '<lambda>': ..., 'mine': ..., 'double': ..., 'coded': ...}",
    ):
        assert part in str(caught.value)
    assert {need.name for need in read_description(path).needs} == {"Scale", "<lambda>", "mine", "double", "coded"}


def test_custom_objects_reach_every_place(path: Path, rng: Any) -> None:
    needing_file(path)

    class Times(graphflow.layers.Layer):
        def __init__(self, factor: float, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.factor = factor

        def call(self, inputs: Any) -> Any:
            return inputs * self.factor

    custom = {
        "Scale": Times,
        "<lambda>": lambda v: v + 1.0,
        "mine": lambda shape, dtype=None: np.zeros(shape),
        "double": lambda v: v * 2.0,
        "coded": lambda v, by: v - by,
    }
    x = normal(rng, 4, 3)
    model = graphflow.load_model(path, custom_objects=custom)
    close(model.predict(x, verbose=0), (3 * x + 1) * 2 - 5 + 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"d": [("d/kernel:0", np.zeros((4, 2), "float32")), ("d/bias:0", np.zeros(2, "float32"))]}, r"shape \(3, 2\)"),
        ({"d": [("d/kernel:0", np.zeros((3, 2), "float32"))]}, "has 2 weights, the file holds 1"),
        ({"other": [("o/w", np.zeros(3, "float32"))], "d": []}, r"shape|weights"),
        ({}, "layers without weights in the file: 'd'"),
    ],
)
def test_weights_that_are_not_the_models_are_refused(path: Path, change: Any, message: str) -> None:
    config = [step("Dense", "d", units=2, batch_input_shape=[None, 3])]
    write_h5(path, {"class_name": "Sequential", "config": config}, change, "2.2.4")
    with pytest.raises(ModelFormatError, match=message):
        graphflow.load_model(path)


def test_the_twins_differ_from_each_other(rng: Any) -> None:
    """The comparisons above could tell a wrong gate or order: the alternatives give other numbers."""
    x = 3 * normal(rng, 2, 4)
    both = [Sequential([Activation(name, input_shape=(4,))]) for name in ("hard_sigmoid", "keras3_hard_sigmoid")]
    assert np.abs(both[0].predict(x, verbose=0) - both[1].predict(x, verbose=0)).max() > 0.01
