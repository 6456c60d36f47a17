"""`trace`: every value by name, equal to what a model cut at that layer gives."""

from __future__ import annotations

import numpy as np
import pytest
from subjects import bare, chain, program, several, stateful, walked

from graphflow import Input, Model
from graphflow import layers as L
from graphflow.errors import ArgumentError
from graphflow.inspect import trace


def test_each_layer_gives_what_a_model_cut_there_gives(rng) -> None:
    model = chain()
    x = rng.standard_normal((3, 12, 12, 3)).astype("float32")
    found = trace(model, x)
    assert found.names == ["conv", "norm", "relu", "pool", "drop", "probs"]
    for layer in model.layers:
        cut = Model(model.input, layer.output)
        np.testing.assert_allclose(found[layer.name], cut.predict(x, verbose=0), rtol=2e-5, atol=2e-6)
    np.testing.assert_array_equal(found["drop"], found["pool"])


def test_nested_models_have_paths_and_shared_layers_a_value_for_each_call(rng) -> None:
    model = several()
    a, b = rng.standard_normal((2, 2, 8)).astype("float32")
    words, steps = np.array([[1, 2, 3, 0, 0]] * 2), rng.standard_normal((2, 5, 3)).astype("float32")
    found = trace(model, [a, b, words, steps])
    kernel, bias = model.get_layer("inner").get_layer("first").get_weights()
    np.testing.assert_allclose(found["inner/first"], a @ kernel + bias, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["inner/first#1"], b @ kernel + bias, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found["inner#1"], np.maximum(found["inner/first#1"], 0))
    assert sum(name.startswith("both/") for name in found) == 2 and "both" in found
    np.testing.assert_allclose(found["left"], model.predict([a, b, words, steps], verbose=0)[0], rtol=1e-4, atol=1e-5)
    by_name = trace(model, {"words": words, "steps": steps, "b": b, "a": a})
    np.testing.assert_array_equal(by_name["right"], found["right"])


def test_several_outputs_of_one_layer_are_numbered() -> None:
    x = Input((4, 3))
    output, h, c = L.LSTM(2, return_state=True, name="lstm")(x)
    found = trace(Model(x, [output, h, c]))
    assert found.names == ["lstm[0]", "lstm[1]", "lstm[2]"]
    np.testing.assert_array_equal(found["lstm[0]"], found["lstm[1]"])


def test_ops_of_a_graph_without_layers_have_the_names_of_its_nodes() -> None:
    x = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
    model = program()
    found = trace(model, x)
    assert found.names == ["MatMul_0", "Relu_1", "Sum_2"]
    np.testing.assert_allclose(found["MatMul_0"], x @ model.program.w.value, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found["Sum_2"], model(x), rtol=1e-6)
    assert trace(model, x, level="op").names == ["MatMul_0:dense", "Relu_1:relu", "Sum_2:sum"]
    assert trace(bare(), np.ones((1, 3), "float32")).names == ["multiply", "tanh", "add"]


def test_states_stay_as_they_are() -> None:
    model = stateful()
    x = np.ones((2, 4, 3), "float32")
    first = trace(model, x)["kept"]
    np.testing.assert_array_equal(trace(model, x)["kept"], first)
    np.testing.assert_allclose(model.predict_on_batch(x), first, rtol=1e-6)
    assert not np.allclose(trace(model, x)["kept"], first)


def test_where_numbers_stop_being_finite_is_seen() -> None:
    x = Input((3,), name="x")
    model = Model(x, L.Dense(2, name="after")(L.Lambda(lambda v: v / (v - 1.0), name="division")(x)))
    found = trace(model, np.array([[1.0, 2.0, 3.0]]))
    assert [one.name for one in found.strange] == ["division", "after"]
    row = next(one for one in found.rows if one.name == "division")
    assert (row.strange, row.least, row.most) == (1, 1.5, 2.0)


def test_made_up_inputs_stay_within_the_tables_of_embeddings() -> None:
    words = Input((100,), dtype="int64")
    model = Model(words, L.Embedding(3, 2, name="table")(L.Reshape((10, 10))(words)))
    first, again = trace(model), trace(model)
    np.testing.assert_array_equal(first["table"], again["table"])
    assert not np.array_equal(first["table"], trace(model, seed=1)["table"])


def test_scans_are_traced_as_a_whole(rng) -> None:
    model = walked()
    x = rng.standard_normal((2, 6, 5)).astype("float32")
    found = trace(model, x)
    np.testing.assert_allclose(found["end"], model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
    assert found["walk"].shape == (2, 4)


def test_unknown_names_and_levels_are_refused_with_the_nearest() -> None:
    found = trace(chain())
    with pytest.raises(ArgumentError, match=r"no value 'cnv'.*conv"):
        found["cnv"]
    with pytest.raises(ArgumentError, match="level must be"):
        trace(chain(), level="plan")
