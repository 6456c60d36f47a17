"""Whole models go to ONNX and come out of ONNX Runtime with the same numbers: those of the tests, and what is theirs
alone: names, axes of any length, masks, states, cells, inner models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import models
from clients import CLIENTS
from clients.weights import images
from test_client_models import built

import graphflow
from graphflow import Input, Model, ops
from graphflow.errors import UnsupportedError
from graphflow.formats.onnx_write import NEWEST_OPSET, OLDEST_OPSET, operators, to_onnx
from graphflow.layers import GRU, LSTM, RNN, Bidirectional, Dense, Embedding, Lambda, Layer, Masking, SimpleRNN
from graphflow.layers.nest import leaves
from graphflow.samples import digits
from onnx_export.runtime import ALLOWED, ROOT, check, difference, fed, outputs_of, runner, tried_alongside

pytestmark = pytest.mark.oracle
Array = np.ndarray[Any, Any]


@pytest.mark.parametrize("opset", [OLDEST_OPSET, 17, NEWEST_OPSET])
@pytest.mark.parametrize("name", [name for name in models.MODELS if name != "mixed"])
def test_a_model_of_the_cases(name: str, opset: int) -> None:
    check(models.make(name), [models.data(name)], opset)


def test_a_function_that_could_not_be_traced_is_refused_by_its_layer() -> None:
    with pytest.raises(UnsupportedError, match=r"layer 'lambda.*could not be traced"):
        to_onnx(models.make("mixed"))


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("name", CLIENTS)
def test_a_client_s_network_has_one_transpose_at_most(name: str, data_format: str) -> None:
    before = graphflow.backend.image_data_format()
    try:
        model = built(name, data_format)
        proto = check(model, [images(model)])
    finally:
        graphflow.backend.set_image_data_format(before)
    kinds = [node.op_type for node in proto.graph.node]
    assert kinds.count("Transpose") == (1 if data_format == "channels_last" else 0)


def test_the_sample_of_digits_gives_the_numbers_that_keras_gave() -> None:
    model = graphflow.load_model(digits.MODEL)
    pictures = np.load(digits.IMAGES).astype("float32")
    found = outputs_of(to_onnx(model), {"image": pictures})
    assert difference(found, [np.load(digits.KERAS_OUTPUTS)]) <= ALLOWED


APART = frozenset(
    (
        *("test_cli.py", "test_docs.py", "test_floors.py", "test_ops.py", "test_processes.py", "test_scaling.py"),
        *("test_memory.py", "test_passes.py", "test_predict.py", "test_runtime.py"),
    )
)
"""Tests of no models or of large ones, and those that feed NaN or watch how an input is read."""


def test_weights_beside_the_file_are_found_by_the_runtime(tmp_path: Path) -> None:
    model, pictures = graphflow.load_model(digits.MODEL), np.load(digits.IMAGES).astype("float32")
    graphflow.export(model, tmp_path / "digits.onnx", external_data=True)
    found = runner(str(tmp_path / "digits.onnx")).run(None, {"image": pictures})
    assert difference(found, [model.predict(pictures)]) <= ALLOWED


@pytest.mark.parametrize("part", ["test_[c-l]*.py", "test_[m-s]*.py"])
def test_what_the_tests_predict_with_also_goes_through_onnx(part: str, tmp_path: Path) -> None:
    """The models of all fast tests, without listing them again; see `alongside`."""
    files = [path.name for path in sorted((ROOT / "tests").glob(part)) if path.name not in APART]
    found = tried_alongside(files, tmp_path)
    assert found["differed"] == []
    said = ("could not be traced", "it draws random numbers", "has a size that is not known, so its new")
    assert all(any(reason in message for reason in said) for message in found["refused"]), found["refused"]
    assert found["agreed"] >= 200


# -- names and axes


def test_names_are_the_model_s_and_unknown_sizes_have_names() -> None:
    words, image = Input((None,), dtype="int32", name="words"), Input((None, 8, 3), name="image")
    read = LSTM(4, return_sequences=True, name="reader")(Embedding(9, 4, name="table")(words))
    seen = ops.mean(Dense(4, name="seer")(image), axis=(1, 2))
    model = Model([words, image], [read, Dense(2, name="answer")(seen)])
    proto = to_onnx(model)

    def named(values: Any) -> dict[str, list[Any]]:
        dims = {one.name: one.type.tensor_type.shape.dim for one in values}
        return {name: [dim.dim_param or dim.dim_value for dim in shape] for name, shape in dims.items()}

    assert named(proto.graph.input) == {"words": ["batch", "time"], "image": ["batch", "dim_1", 8, 3]}
    assert named(proto.graph.output) == {"reader": ["batch", "time", 4], "answer": ["batch", 2]}
    weights = {one.name for one in proto.graph.initializer}
    assert {"table/embeddings", "reader/kernel", "reader/recurrent_kernel", "seer/kernel", "answer/bias"} <= weights
    origins = {node.name.split("/")[0] for node in proto.graph.node}
    assert {"table", "reader", "seer", "answer"} < origins
    assert all(one.startswith("mean") for one in origins - {"table", "reader", "seer", "answer"})
    rng = np.random.default_rng(0)
    session = runner(proto)
    for rows, steps, height in ((1, 1, 1), (3, 7, 2), (2, 12, 5)):
        arrays = [rng.integers(0, 9, (rows, steps)), rng.random((rows, height, 8, 3))]
        expected = model.predict_on_batch(arrays)
        assert difference(session.run(None, fed(model, arrays)), expected) <= ALLOWED


def test_two_sequences_may_have_two_lengths() -> None:
    a, b = Input((None, 3), name="a"), Input((None, 3), name="b")
    model = Model([a, b], ops.concatenate([a, b], 1))
    proto = to_onnx(model)
    assert [dim.dim_param for dim in proto.graph.input[0].type.tensor_type.shape.dim[:2]] == ["batch", "a_time"]
    assert proto.graph.output[0].type.tensor_type.shape.dim[1].dim_param == ""
    arrays = [np.ones((2, 4, 3), "float32"), np.zeros((2, 6, 3), "float32")]
    assert outputs_of(proto, fed(model, arrays))[0].shape == (2, 10, 3)


def test_an_output_that_is_an_input_or_another_output_has_a_name_of_its_own() -> None:
    x = Input((3,), name="x")
    hidden = Dense(2, name="hidden")(x)
    model = Model(x, [x, hidden, hidden])
    proto = to_onnx(model)
    names = [one.name for one in proto.graph.output]
    assert len(set(names)) == 3
    array = np.random.default_rng(0).random((4, 3)).astype("float32")
    assert difference(outputs_of(proto, {"x": array}), model.predict(array)) <= ALLOWED


def test_a_shared_weight_is_written_once() -> None:
    layer = Dense(5, name="shared")
    x, y = Input((4,), name="x"), Input((4,), name="y")
    proto = check(Model([x, y], layer(x) + layer(y)), [np.ones((2, 4)), np.full((2, 4), 2.0)])
    assert sorted(one.name for one in proto.graph.initializer) == ["shared/bias", "shared/kernel"]


@pytest.mark.parametrize("strides", [1, 2, 3])
@pytest.mark.parametrize("kind", ["Conv1D", "MaxPooling1D", "AveragePooling1D", "Conv2D", "AveragePooling2D"])
def test_windows_over_axes_of_any_length(kind: str, strides: int) -> None:
    rank = int(kind[-2])
    own: dict[str, Any] = {"filters": 3, "kernel_size": 4} if kind.startswith("Conv") else {"pool_size": 4}
    layer = getattr(graphflow.layers, kind)(padding="same", strides=strides, **own)
    x = Input((*(None,) * rank, 2), name="x")
    model = Model(x, layer(x))
    session = runner(to_onnx(model))
    for size in range(1, 12):
        array = np.random.default_rng(size).standard_normal((2, *(size,) * rank, 2)).astype("float32")
        assert difference(session.run(None, {"x": array}), [model.predict(array)]) <= ALLOWED


@pytest.mark.parametrize("activation", [None, "relu"])
@pytest.mark.parametrize("kind", ["MaxPooling2D", "AveragePooling2D", "Conv2D"])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_a_border_of_zeros_is_no_border_of_the_window(kind: str, padding: str, activation: str | None) -> None:
    """ONNX Runtime moves a border into the operator behind it, where a pooling's is another."""
    own: dict[str, Any] = {"filters": 2, "kernel_size": 3} if kind == "Conv2D" else {"pool_size": 3}
    x = Input((None, 9, 2), name="x")
    inside = graphflow.layers.Activation(activation)(x)
    padded = graphflow.layers.ZeroPadding2D(2)(inside)
    model = Model(x, getattr(graphflow.layers, kind)(padding=padding, strides=2, **own)(padded))
    array = -np.abs(np.random.default_rng(0).standard_normal((2, 8, 9, 2))).astype("float32")
    proto = check(model, [array])
    kinds = [node.op_type for node in proto.graph.node]
    assert ("Max" in kinds) == (kind == "MaxPooling2D" and activation is None)


# -- masks, states and cells

MASKS = np.array(
    [
        [1, 1, 1, 1, 1, 1],
        [1, 1, 1, 0, 0, 0],
        [0, 0, 1, 1, 1, 1],
        [1, 0, 1, 0, 0, 1],
        [0, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 0],
    ],
    bool,
)
"""All steps, the first, the last, some, none, one."""


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("flags", range(8))
@pytest.mark.parametrize("kind", [LSTM, GRU, SimpleRNN])
def test_any_mask_is_said_through_lengths(kind: Any, flags: int, given: bool) -> None:
    sequences, backwards, zero = bool(flags & 1), bool(flags & 2), bool(flags & 4)
    layer = kind(
        4,
        return_sequences=sequences,
        go_backwards=backwards,
        zero_output_for_mask=zero,
        return_state=True,
    )
    x, mask = Input((6, 3), name="x"), Input((6,), dtype="bool", name="mask")
    states = [Input((4,), name=f"state_{index}") for index in range(2 if kind is LSTM else 1)] if given else []
    model = Model([x, mask, *states], layer(x, mask=mask, initial_state=states or None))
    rng = np.random.default_rng(flags)
    arrays = [rng.standard_normal((6, 6, 3)), MASKS, *(rng.standard_normal((6, 4)) for _ in states)]
    proto = check(model, [np.asarray(array, "bool" if array.dtype == bool else "float32") for array in arrays])
    kinds = {node.op_type for node in proto.graph.node}
    assert kind.__name__.replace("Simple", "") in kinds and "Scan" not in kinds


@pytest.mark.parametrize("activation", ["gelu", "selu", "exponential", "softmax"])
@pytest.mark.parametrize("kind", [LSTM, GRU, SimpleRNN])
def test_activations_that_onnx_s_operators_do_not_have_make_a_scan(kind: Any, activation: str) -> None:
    x, mask = Input((None, 3), name="x"), Input((None,), dtype="bool", name="mask")
    model = Model([x, mask], kind(4, activation=activation, return_sequences=True)(x, mask=mask))
    rng = np.random.default_rng(1)  # small numbers: an exponential of exponentials makes much of every rounding
    model.set_weights([0.05 * rng.standard_normal(weight.shape) for weight in model.get_weights()])
    array = 0.3 * rng.standard_normal((6, 6, 3)).astype("float32")
    proto = check(model, [array, MASKS])
    assert "Scan" in {node.op_type for node in proto.graph.node}


class Remembering(Layer):
    """A user's cell of two states that it multiplies and adds, with a constant."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.state_size = units, [units, units]

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.built = True

    def call(self, inputs: Any, states: Any) -> Any:
        fast, slow = states
        fast = ops.tanh(ops.matmul(inputs, self.kernel) + 0.5 * fast)
        slow = 0.9 * slow + 0.1 * ops.softmax(fast)
        return fast * slow + ops.flip(slow, 1), [fast, slow]


@pytest.mark.parametrize("flags", range(8))
def test_a_user_s_cell_is_a_scan(flags: int) -> None:
    sequences, backwards, state = bool(flags & 1), bool(flags & 2), bool(flags & 4)
    cells = [Remembering(4), graphflow.layers.GRUCell(3)]
    layer = RNN(cells, return_sequences=sequences, go_backwards=backwards, return_state=state)
    x = Input((None, 5), name="x")
    model = Model(x, list(leaves(layer(x))))
    models.randomize(model)
    session = runner(to_onnx(model))
    for steps in (1, 2, 9):
        array = np.random.default_rng(steps).standard_normal((3, steps, 5)).astype("float32")
        expected = [np.asarray(one) for one in leaves(model.predict(array))]
        assert difference(session.run(None, {"x": array}), expected) <= ALLOWED
    assert operators(model)["Scan"] == 1


def test_the_states_of_a_stateful_model_go_in_and_come_out() -> None:
    x = Input(batch_shape=(2, None, 3), name="x")
    model = Model(x, Dense(2)(GRU(4, stateful=True, name="memory")(x)))
    models.randomize(model)
    rng = np.random.default_rng(3)
    parts = rng.standard_normal((3, 2, 5, 3)).astype("float32")
    model.predict_on_batch(parts[0])
    proto = to_onnx(model)
    (state,) = [one.name for one in proto.graph.input if one.name != "x"]
    assert [one.name for one in proto.graph.output] == [model.output_names[0], f"{state}/next"]
    assert {one.key: one.value for one in proto.metadata_props} == {f"state {state}": f"{state}/next"}
    session = runner(proto)
    first, after = session.run(None, {"x": parts[1]})
    assert difference([first], [model.predict_on_batch(parts[1])]) <= ALLOWED
    second, _ = session.run(None, {"x": parts[2], state: after})
    assert difference([second], [model.predict_on_batch(parts[2])]) <= ALLOWED
    assert np.abs(session.run(None, {"x": parts[2]})[0] - second).max() > 1e-4


def test_a_masked_sentence_through_both_directions_and_an_inner_model() -> None:
    words = Input((None,), dtype="int32", name="words")
    inner_in = Input((None, 6))
    inner = Model(inner_in, Bidirectional(LSTM(5))(Masking(0.0)(inner_in)), name="inner")
    model = Model(words, Dense(3, activation="softmax")(inner(Embedding(20, 6, mask_zero=True)(words))))
    models.randomize(model)
    tokens = np.random.default_rng(0).integers(1, 20, (5, 9))
    tokens[1, 4:] = 0
    tokens[2, :3] = 0
    tokens[3] = 0
    check(model, [tokens])


def test_a_lambda_that_is_traced_is_written_as_its_ops() -> None:
    x = Input((6,), name="x")
    model = Model(x, Lambda(lambda v: ops.l2_normalize(v - ops.mean(v, 1, True), 1) ** 2)(x))
    proto = check(model, [np.random.default_rng(0).standard_normal((4, 6)).astype("float32")])
    assert {"ReduceMean", "Sub", "ReduceSum"} <= {node.op_type for node in proto.graph.node}


# -- real files


@pytest.mark.download
@pytest.mark.parametrize("name", ["1fd8", "8c22", "cb97"])
def test_the_models_of_deeplc(name: str) -> None:
    found = sorted((ROOT / ".cache" / "deeplc" / "mods").glob(f"*_{name}*.keras"))
    assert found, "run tests/real/test_deeplc.py first, which fetches the files"
    model = graphflow.load_model(found[0])
    rng = np.random.default_rng(0)
    arrays = [rng.random((5, *tensor.shape[1:]), dtype=np.float32) for tensor in model.inputs]
    proto = check(model, arrays)
    kinds = [node.op_type for node in proto.graph.node]
    assert (len(kinds), kinds.count("Transpose")) == (55, 6)
