"""Every layer through files: back into graphflow, and into Keras 3 and tf_keras where they have it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases.layers import CASES, LayerCase
from formats.round_trips import assert_same_outputs, assert_same_weights, structure
from parity.compare import Comparison, problems
from parity.rows import ROWS, Row

import graphflow
from graphflow import Input, Model, Sequential
from graphflow import layers as L
from graphflow.errors import UnsupportedError
from graphflow.formats.write_eras import SAME
from graphflow.layers.registry import LAYERS

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

H5_REFUSES = {
    ("LayerNormalization", "rms_scaling"),
    ("MultiHeadAttention", "use_gate"),
    ("MultiHeadAttention", "sliding_window"),
    ("Resizing", "antialias"),
    ("Resizing", "pad_to_aspect_ratio"),
    *((name, "data_format") for name in ("CenterCrop", "RandomCrop", "Resizing", "ZeroPadding1D")),
}
"""Layers with arguments that tf.keras does not have."""
OTHERWISE = {("RandomCrop", ".keras")}
"""What the Keras of a file computes in another way, so that it goes by a name of graphflow's own."""
H5_REFUSES_ACTIVATIONS = frozenset(
    (
        *("celu", "hard_shrink", "hard_silu", "hard_tanh", "log_sigmoid", "soft_shrink", "sparse_sigmoid"),
        *("squareplus", "tanh_shrink"),
    )
)


def is_refused(layer: str, config: dict[str, Any]) -> bool:
    neutral = (None, False, "channels_last")
    arguments = {(layer, name) for name, value in config.items() if value not in neutral}
    return bool(arguments & H5_REFUSES) or config.get("activation") in H5_REFUSES_ACTIVATIONS


def through(model: Any, path: Path, custom: dict[str, Any] | None = None) -> Any:
    model.save(path)
    return graphflow.load_model(path, custom_objects=custom)


def functions(case: LayerCase) -> dict[str, Any]:
    """The functions of a case, by the names a file has them by."""
    return {getattr(one, "__name__", "?"): one for one in case.config.values() if callable(one)}


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("name", sorted({case.layer for case in CASES}))
def test_every_layer_comes_back_as_it_was(name: str, ending: str, tmp_path: Path) -> None:
    for number, case in enumerate(one for one in CASES if one.layer == name):
        layer = case.make()
        model = case.model(layer)
        path = tmp_path / f"{number}{ending}"
        if ending == ".h5" and is_refused(name, case.config):
            with pytest.raises(UnsupportedError, match=layer.name):
                model.save(path)
            assert not list(tmp_path.glob(f"*{number}.h5*"))
            continue
        custom = functions(case)
        if isinstance(layer, L.Lambda):
            custom[layer.name] = layer.function
        back = through(model, path, custom)
        arrays = case.arrays()
        if not isinstance(layer, L.Lambda):
            assert structure(back) == structure(model), case.name
        assert_same_weights(back, model)
        ours, theirs = back.predict_on_batch(arrays), model.predict_on_batch(arrays)
        assert_same_outputs(ours, theirs, exact=name not in SAME or ending == ".h5")


def _wrapped() -> dict[str, Model]:
    """Models of layers in layers."""
    steps, image = Input((5, 4), name="steps"), Input((3, 6, 5, 2), name="images")
    frame = Sequential([L.Conv2D(3, 2, input_shape=(6, 5, 2)), L.BatchNormalization(), L.Flatten()])
    shared = L.LSTM(3, return_state=True, return_sequences=True)
    states = shared(steps)
    again = shared(steps, initial_state=states[1:])
    inner_input = Input((4,))
    inner = Model(inner_input, [L.Dense(2)(inner_input), L.Dense(3)(inner_input)], name="inner")
    last = L.Lambda(lambda x: x[:, -1], name="last")(steps)
    pair = inner(last)
    outer = Model(last_input := Input((4,)), inner(last_input)[1], name="outer")
    return {
        "Bidirectional": Model(steps, L.Bidirectional(L.GRU(3), merge_mode="sum")(steps)),
        "Bidirectional, two": Model(
            steps, L.Bidirectional(L.LSTM(3), backward_layer=L.LSTM(3, go_backwards=True, activation="relu"))(steps)
        ),
        "TimeDistributed model": Model(image, L.TimeDistributed(frame)(image)),
        "TimeDistributed": Model(steps, L.TimeDistributed(L.Dense(2))(steps)),
        "RNN": Model(steps, L.RNN(L.LSTMCell(3), return_sequences=True)(steps)),
        "StackedRNNCells": Model(steps, L.RNN([L.GRUCell(3), L.LSTMCell(2), L.SimpleRNNCell(4)])(steps)),
        "states": Model(steps, again),
        "MultiHeadAttention": Model(steps, L.MultiHeadAttention(2, 3)(steps, steps, use_causal_mask=True)),
        "inner models": Model(steps, [*pair, outer(last)]),
        "ConvLSTM": Model(image, L.ConvLSTM2D(2, 2, recurrent_activation="sigmoid")(image)),
    }


WRAPPED = list(_wrapped())


def _fed(model: Model) -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(7)
    return [rng.normal(size=(2, *tensor.shape[1:])).astype("float32") for tensor in model.inputs]


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("name", WRAPPED)
def test_layers_in_layers_come_back(name: str, ending: str, tmp_path: Path) -> None:
    model = _wrapped()[name]
    back = through(model, tmp_path / f"model{ending}", {"last": lambda x: x[:, -1]})
    assert_same_weights(back, model)
    assert_same_outputs(back.predict_on_batch(_fed(model)), model.predict_on_batch(_fed(model)), exact=True)


def test_every_layer_class_is_tried() -> None:
    tried = {case.layer for case in CASES} | {name.split(",")[0] for name in WRAPPED}
    inner = {"RNN", "GRUCell", "LSTMCell", "SimpleRNNCell", "StackedRNNCells", "InputLayer", "Sequential", "Model"}
    assert {cls.__name__ for cls in LAYERS.classes.values() if cls.__module__.startswith("graphflow")} <= tried | inner


def _runs_on_cpu(row: Row, config: dict[str, Any]) -> bool:
    return config.get("data_format") != "channels_first" or row.takes == "as is" or row.native


@pytest.mark.oracle
@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.layer}-{row.count}")
def test_keras_opens_every_layer(row: Row, ending: str, tmp_path: Path) -> None:
    import keras
    import tf_keras

    oracle = keras if ending == ".keras" else tf_keras
    if not hasattr(oracle.layers, row.layer) or (row.layer, ending) in OTHERWISE:
        pytest.skip(f"{oracle.__name__} has no {row.layer}; the file says so by a name of graphflow's own")
    for number, (config, shape, masked) in enumerate(problems(row, 0)):
        comparison = Comparison(row, config, shape, masked)
        model = comparison.model()
        path = tmp_path / f"{number}{ending}"
        if ending == ".h5" and is_refused(row.layer, config):
            with pytest.raises(UnsupportedError):
                model.save(path)
            continue
        model.save(path)
        theirs = oracle.models.load_model(path, compile=False)
        assert_same_weights(theirs, model)
        if _runs_on_cpu(row, config):
            given = [*comparison._given, *([] if comparison.mask is None else [comparison.mask])]
            found = theirs(given if len(given) > 1 else given[0], training=False)
            assert_same_outputs(list(found) if isinstance(found, (list, tuple)) else [found], comparison.ours(model))
        oracle.backend.clear_session()


@pytest.mark.oracle
@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("name", [name for name in WRAPPED if name != "inner models"])
def test_keras_opens_layers_in_layers(name: str, ending: str, tmp_path: Path) -> None:
    import keras
    import tf_keras

    model = _wrapped()[name]
    model.save(tmp_path / f"model{ending}")
    theirs = (keras if ending == ".keras" else tf_keras).models.load_model(tmp_path / f"model{ending}", compile=False)
    assert_same_weights(theirs, model)
    given = _fed(model)
    found = theirs(given if len(given) > 1 else given[0], training=False)
    assert_same_outputs(found, model.predict_on_batch(given))
