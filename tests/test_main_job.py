"""The main job: a Keras file goes in, Keras' numbers come out; and what models promise of rows and history."""

import pickle

import numpy as np
import pytest

import graphflow
from graphflow.layers import (
    LSTM,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Embedding,
    GlobalAveragePooling2D,
    Input,
    InputLayer,
)
from graphflow.samples import digits

SPLITS = (1, 2, 3, 7, 16, 33)


def four_inputs() -> graphflow.Model:
    """Four inputs and two outputs, a shared layer, a nested model, and ops outside any layer."""
    left, right = Input((12, 12, 3), name="left"), Input((12, 12, 3), name="right")
    vector, tokens = Input((5,), name="vector"), Input((None,), dtype="int32", name="tokens")
    shared = Conv2D(8, 3, padding="same", name="shared")
    joined = shared(left) * 0.5 + BatchNormalization(name="norm")(shared(right))
    inner_input = Input((8,), name="inner_input")
    inner = graphflow.Model(inner_input, Dense(6, activation="tanh", name="inner_dense")(inner_input), name="inner")
    pooled = GlobalAveragePooling2D(name="pool")(joined)
    words = LSTM(7, name="words")(Embedding(20, 4, mask_zero=True, name="table")(tokens))
    every = Concatenate(name="every")([inner(pooled), Dense(6, activation="relu", name="to_six")(vector), words])
    classes = Dense(3, activation="softmax", name="classes")(every)
    return graphflow.Model([left, right, vector, tokens], [classes, Dense(1, name="score")(every)], name="four")


def four_arrays(rows: int) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    images = [rng.standard_normal((rows, 12, 12, 3)).astype("float32") for _ in range(2)]
    return [*images, rng.standard_normal((rows, 5)).astype("float32"), rng.integers(0, 20, (rows, 9)).astype("int32")]


def assert_rows_keep_their_bits(model: graphflow.Model, arrays: list[np.ndarray]) -> None:
    """Every split of the batch and every number of threads gives the same bits."""
    rows = len(arrays[0])
    expected = None
    try:
        for threads in (1, 2):
            graphflow.set_num_threads(threads)
            for size in (*SPLITS, rows):
                outputs = model.predict(arrays, batch_size=size, verbose=0)
                outputs = outputs if isinstance(outputs, list) else [outputs]
                expected = expected or outputs
                for one, other in zip(outputs, expected, strict=True):
                    assert one.tobytes() == other.tobytes(), f"batch {size}, {threads} threads"
    finally:
        graphflow.set_num_threads(None)


def test_digits_are_kerass() -> None:
    model = graphflow.load_model(digits.MODEL)
    images, labels, expected = (np.load(path) for path in (digits.IMAGES, digits.LABELS, digits.KERAS_OUTPUTS))
    outputs = model.predict(images, verbose=0)
    assert np.abs(outputs - expected).max() <= 1e-5 * np.abs(expected).max()
    accuracy = (outputs.argmax(1) == labels).mean()
    assert accuracy == (expected.argmax(1) == labels).mean()
    assert accuracy > 0.95


def test_digits_rows_keep_their_bits() -> None:
    assert_rows_keep_their_bits(graphflow.load_model(digits.MODEL), [np.load(digits.IMAGES)])


def test_four_inputs_rows_keep_their_bits() -> None:
    assert_rows_keep_their_bits(four_inputs(), four_arrays(50))


def test_history_leads_back_to_the_inputs() -> None:
    model = four_inputs()
    found, stack, seen = set(), list(model.outputs), set()
    while stack:
        layer, node_index, tensor_index = stack.pop()._keras_history
        if (layer, node_index) in seen:
            continue
        seen.add((layer, node_index))
        node = layer._inbound_nodes[node_index]
        assert 0 <= tensor_index < len(node.output_tensors)
        if isinstance(layer, InputLayer):
            found.add(layer.name)
        stack.extend(node.input_tensors)
    assert found == {"left", "right", "vector", "tokens"}
    names = {layer.name for layer, _ in seen}
    assert {"shared", "inner", "words"} <= names
    assert {index for layer, index in seen if layer.name == "shared"} == {0, 1}
    assert len([name for name in names if name.startswith(("multiply", "add"))]) == 2


def test_a_pickled_model_predicts_the_same_bits() -> None:
    model, arrays = four_inputs(), four_arrays(5)
    copy = pickle.loads(pickle.dumps(model))
    for one, other in zip(model.predict(arrays, verbose=0), copy.predict(arrays, verbose=0), strict=True):
        assert one.tobytes() == other.tobytes()
    assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]


@pytest.mark.parametrize("reference", [False, True])
def test_kernels_and_references_agree(reference: bool) -> None:
    model, arrays = four_inputs(), four_arrays(6)
    with graphflow.knobs(reference=reference, passes_off="all" if reference else ""):
        outputs = model.predict(arrays, verbose=0)
    with graphflow.knobs(reference=True):
        expected = pickle.loads(pickle.dumps(model)).predict(arrays, verbose=0)
    for one, other in zip(outputs, expected, strict=True):
        assert np.abs(one - other).max() <= 1e-5 * np.abs(other).max()


def test_a_chain_of_twenty_thousand_layers() -> None:
    tensor = start = Input((4,))
    shared = [Dense(4, use_bias=False) for _ in range(3)]
    weights = np.diag([1.0, -1.0, 2.0, 0.5]).astype("float32")
    for index in range(20_000):
        tensor = shared[index](tensor) if index < 3 else tensor + 1.0
    for layer in shared:
        layer.set_weights([weights])
    model = graphflow.Model(start, tensor)
    given = np.array([[1.0, 2.0, 3.0, 4.0]], "float32")
    assert np.array_equal(model.predict(given, verbose=0), given @ weights @ weights @ weights + 19_997)
