"""Files that Keras 3 and tf_keras write, `.keras` and `.h5`, with every layer: they open here and give equal outputs.

The layers and their arguments are those of the parity rows. Each row is one model, whose outputs are the layer with
each value of each argument.
"""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import pytest
from parity.compare import configurations, error, inputs_of
from parity.rows import ROWS, Row

import graphflow
from graphflow.layers.registry import LAYERS

pytestmark = pytest.mark.oracle
ORACLES = ("keras", "tf_keras")
SUFFIXES = (".keras", ".h5")
Built = tuple[Any, Any]


def _settings(row: Row) -> Iterator[dict[str, Any]]:
    """A row's configurations with each argument at each value, without those that a TensorFlow CPU does not run."""
    for config in configurations(row, 1):
        if config.get("data_format") != "channels_first" or row.takes == "as is" or row.native:
            yield config


def _row_model(row: Row, oracle: Any) -> Any:
    shape = row.shapes[0]
    kind = {"dtype": "int32"} if row.integers else {}
    tensors = [oracle.Input(shape[1:], name=f"in_{index}", **kind) for index in range(row.count)]
    if row.masked:
        tensors.append(oracle.Input((shape[1],), dtype="bool", name="mask"))
    outputs: list[Any] = []
    for config in _settings(row):
        try:
            layer = getattr(oracle.layers, row.layer)(**config)
            outputs += _flat(_call(row, layer, tensors, row.masked and len(outputs) % 2 == 1))
        except (TypeError, ValueError):  # an argument, or a value of it, that this Keras does not have
            continue
    return oracle.Model(tensors, outputs) if outputs else None


def _call(row: Row, layer: Any, tensors: list[Any], masked: bool) -> Any:
    given, options = tensors[: row.count], {"mask": tensors[-1]} if masked else {}
    if row.takes == "list":
        return layer(given, **options)
    return layer(*given, **options) if row.takes == "arguments" else layer(given[0], **options)


def _flat(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


def randomize(model: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = []
    for weight in model.weights:
        if weight.name.split("/")[-1].removesuffix(":0") in ("mean", "variance", "count"):  # of a Normalization
            values.append(np.asarray(weight))
            continue
        value = rng.normal(0, 0.5, tuple(weight.shape)).astype("float32")
        label = getattr(weight, "path", "") + weight.name
        values.append(np.abs(value) + 0.2 if "variance" in label else value)
    model.set_weights(values)


def compare(theirs: Any, arrays: list[Any], folder: Path, suffixes: tuple[str, ...] = SUFFIXES) -> None:
    """Save a model of Keras in each format, open the files here, and compare outputs and layers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = [np.asarray(one) for one in _flat(theirs(arrays if len(arrays) > 1 else arrays[0], training=False))]
        for suffix in suffixes:
            path = folder / f"model{suffix}"
            theirs.save(path)
            ours = graphflow.load_model(path)
            outputs = [np.asarray(one) for one in _flat(ours.predict_on_batch(arrays))]
            assert error(outputs, expected) <= 1e-5, f"{suffix}: {error(outputs, expected):.2e}"
            names = [one.name for one in theirs.layers if type(one).__name__ in LAYERS.classes]
            assert {one.name for one in ours.layers} == set(names)
            if len(names) == len(
                getattr(theirs, "operations", theirs.layers)
            ):  # else functions, of several operations here, change how deep one is
                assert [one.name for one in ours.layers] == names


NOT_SAVED = {("keras", "RandomBrightness"): ".h5"}
"""What the library itself can not save: Keras 3.15 fails to copy the layer's value_range."""


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.layer}-{row.count}")
def test_a_file_with_a_layer_at_each_value_of_its_arguments(row: Row, name: str, tmp_path: Path) -> None:
    oracle = importlib.import_module(name)
    if not hasattr(oracle.layers, row.layer):
        assert name != row.oracle
        return
    model = _row_model(row, oracle)
    if model is None:
        assert name != row.oracle
        return
    randomize(model, 3)
    arrays = inputs_of(row, row.shapes[0], 4)
    if row.masked:
        arrays.append(np.random.default_rng(5).random(row.shapes[0][:2]) > 0.35)
    suffixes = tuple(suffix for suffix in SUFFIXES if NOT_SAVED.get((name, row.layer)) != suffix)
    compare(model, arrays, tmp_path, suffixes)


def time_distributed(k: Any) -> Built:
    x = k.Input((4, 6, 5, 3))
    y = k.layers.TimeDistributed(k.layers.Conv2D(4, 3, activation="relu"))(x)
    return x, k.layers.TimeDistributed(k.layers.BatchNormalization())(y)


def bidirectional(k: Any) -> Built:
    x = k.Input((5, 3))
    y = k.layers.Bidirectional(k.layers.GRU(4, return_sequences=True), merge_mode="sum")(k.layers.Masking()(x))
    back = k.layers.SimpleRNN(2, go_backwards=True)
    return x, k.layers.Bidirectional(k.layers.LSTM(3), merge_mode="concat")(y) + k.layers.Bidirectional(
        k.layers.SimpleRNN(2), backward_layer=back, merge_mode=None
    )(y)[0][:, :1]


def cells(k: Any) -> Built:
    x = k.Input((5, 3))
    stacked = k.layers.RNN([k.layers.LSTMCell(4), k.layers.GRUCell(3, reset_after=False)], return_sequences=True)
    cell = k.layers.StackedRNNCells([k.layers.SimpleRNNCell(4), k.layers.SimpleRNNCell(2)])
    return x, k.layers.RNN(cell)(stacked(x))


def states(k: Any) -> Built:
    x, y = k.Input((5, 3)), k.Input((4, 2))
    _, h, c = k.layers.LSTM(4, return_state=True)(x)
    return [x, y], k.layers.LSTM(4, return_sequences=True)(y, initial_state=[h, c])


def stateful(k: Any) -> Built:
    x = k.Input(batch_shape=(3, 5, 3))
    return x, k.layers.GRU(4, stateful=True, return_sequences=True)(x)


def conv_lstm(k: Any) -> Built:
    x, y = k.Input((3, 6, 2)), k.Input((2, 3, 4, 3, 2))
    outputs = [k.layers.ConvLSTM1D(3, 2)(x), k.layers.ConvLSTM3D(2, 2, padding="same")(y)]
    return [x, y], outputs


def masked(k: Any) -> Built:
    x = k.Input((6,), dtype="int32")
    y = k.layers.Embedding(9, 4, mask_zero=True)(x)
    return x, k.layers.LSTM(3)(k.layers.Dropout(0.5)(k.layers.Dense(4)(y)))


def normalization(k: Any) -> Built:
    x = k.Input((3,))
    adapted = k.layers.Normalization(), k.layers.Normalization(invert=True)
    for layer in adapted:
        layer.adapt(np.random.default_rng(1).normal(3, 2, (20, 3)).astype("float32"))
    return x, [k.layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0, 5.0, 6.0])(x), *(one(x) for one in adapted)]


def shared(k: Any) -> Built:
    a, b = k.Input((5,), name="a"), k.Input((5,), name="b")
    layer = k.layers.Dense(5, name="shared")
    return [a, b], k.layers.Subtract()([layer(layer(a)), layer(b)])


def nested(k: Any) -> Built:
    inner_x = k.Input((4,))
    hidden = k.layers.BatchNormalization()(k.layers.Dense(4)(inner_x))
    inner = k.Model(inner_x, [hidden, k.layers.Dense(4)(hidden)], name="inner")
    outer_x = k.Input((4,))
    first, second = inner(outer_x)
    outer = k.Model(outer_x, k.layers.Add()([first, inner(second)[1]]), name="outer")
    a, b = k.Input((4,), name="a"), k.Input((4,), name="b")
    tail = k.Sequential([k.Input((4,)), k.layers.Dense(3), k.layers.BatchNormalization()], name="tail")
    return [a, b], [outer(a), [tail(outer(b)), tail(inner(a)[0])], inner(b)[1]]


def nested_outputs_alone(k: Any) -> Built:
    x = k.Input((4,))
    inner = k.Model(i := k.Input((4,)), k.layers.Dense(4)(i), name="inner")
    return x, inner(inner(x))


def frozen(k: Any) -> Built:
    x = k.Input((4,))
    i = k.Input((4,))
    frozen_norm = k.layers.BatchNormalization(trainable=False)
    y = k.layers.Dense(4)(frozen_norm(k.layers.BatchNormalization()(k.layers.Dense(4)(i))))
    inner = k.Model(i, y, name="half_frozen")
    j = k.Input((4,))
    other = k.Model(j, k.layers.BatchNormalization()(k.layers.Dense(4)(j)), name="frozen")
    other.trainable = False
    wrapped = k.layers.TimeDistributed(k.layers.BatchNormalization(), trainable=False)
    z = k.layers.Reshape((2, 2))(other(inner(x)))
    return x, wrapped(z)


def colliding(k: Any) -> Built:
    def inner(name: str) -> Any:
        i = k.Input((4,), name="x")
        return k.Model(i, k.layers.Dense(4, name="dense")(i), name=name)

    x = k.Input((4,), name="x")
    return x, k.layers.Dense(4, name="dense")(inner("one")(inner("two")(x)))


def dictionaries(k: Any) -> Built:
    a, b = k.Input((4,), name="a"), k.Input((3,), name="b")
    inner = k.Model({"p": a, "q": b}, {"s": k.layers.Concatenate()([a, b]), "t": k.layers.Dense(2)(b)}, name="inner")
    x, y = k.Input((4,), name="x"), k.Input((3,), name="y")
    made = inner({"p": x, "q": y})
    return [x, y], [made["t"], made["s"]]


def sequential(k: Any) -> Built:
    layers = [k.layers.Conv1D(4, 3, activation="swish"), k.layers.Flatten()]
    model = k.Sequential([k.Input((6, 3)), *layers, k.layers.Dense(3, activation="hard_sigmoid")])
    return model, None


def regularized(k: Any) -> Built:
    x = k.Input((4,))
    y = k.layers.Dense(
        4,
        kernel_initializer=k.initializers.Identity(0.5) if hasattr(k.initializers, "Identity") else "zeros",
        kernel_regularizer=k.regularizers.L1L2(0.1, 0.2),
        bias_constraint=k.constraints.MaxNorm(2),
        activity_regularizer="l2",
    )(x)
    return x, k.layers.Dense(2, activation=k.layers.LeakyReLU())(y)


def gates(k: Any) -> Built:
    x = k.Input((4, 3))
    return x, [
        k.layers.LSTM(3, recurrent_activation="hard_sigmoid")(x),
        k.layers.GRU(3, recurrent_activation="hard_sigmoid", reset_after=False)(x),
        k.layers.Activation("hard_sigmoid")(x),
    ]


BUILDERS: tuple[Callable[[Any], Built], ...] = (
    time_distributed,
    bidirectional,
    cells,
    states,
    stateful,
    conv_lstm,
    masked,
    normalization,
    shared,
    nested,
    nested_outputs_alone,
    frozen,
    colliding,
    dictionaries,
    sequential,
    regularized,
    gates,
)


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_a_file_of_a_whole_model(build: Callable[[Any], Built], name: str, tmp_path: Path) -> None:
    oracle = importlib.import_module(name)
    inputs, outputs = build(oracle)
    model = inputs if outputs is None else oracle.Model(inputs, outputs)
    randomize(model, 7)
    rng = np.random.default_rng(8)
    arrays = []
    for tensor in model.inputs:
        shape = [3 if size is None else size for size in tensor.shape]
        whole = "int" in str(tensor.dtype)
        arrays.append(rng.integers(0, 9, shape).astype("int32") if whole else rng.random(shape, dtype=np.float32) - 0.3)
    compare(model, arrays, tmp_path)


def test_training_in_a_call_gives_way_to_what_the_model_is_run_with(tmp_path: Path) -> None:
    """Keras 3 writes `training` for layers that change images, where nobody asked for it, and looks at none of it."""
    keras = importlib.import_module("keras")
    x = keras.Input((4, 4, 3))
    y = keras.layers.Dropout(0.5)(keras.layers.RandomFlip()(x), training=True)
    model = keras.Model(x, keras.layers.Rescaling(2.0)(y))
    assert '"training": true' in model.to_json()
    data = np.random.default_rng(3).random((2, 4, 4, 3), dtype=np.float32)
    np.testing.assert_array_equal(model.predict(data, verbose=0), 2 * data)
    compare(model, [data], tmp_path)


ELSEWHERE = {
    "Bidirectional": bidirectional,
    "ConvLSTM1D": conv_lstm,
    "ConvLSTM3D": conv_lstm,
    "Functional": nested,
    "GRUCell": cells,
    "InputLayer": nested,
    "LSTMCell": cells,
    "Lambda": "tests/formats/test_keras_legacy.py: its function is the user's",
    "Normalization": normalization,
    "RNN": cells,
    "Sequential": sequential,
    "SimpleRNNCell": cells,
    "StackedRNNCells": cells,
    "TimeDistributed": time_distributed,
}
"""Layers that no row has, and the model that has them."""


def test_every_layer_is_in_a_file() -> None:
    classes = {one.__name__ if one.__name__ != "Model" else "Functional" for one in set(LAYERS.classes.values())}
    ours = {name for name in classes if LAYERS.classes[name].__module__.startswith("graphflow.")}
    assert ours - {row.layer for row in ROWS} - ELSEWHERE.keys() == set()
