"""`compare` finds a fault put into one layer, wherever it is; `diff` says what it is without running anything."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from subjects import chain, program, several, walked

from graphflow import Input, Model, Sequential, ops
from graphflow import layers as L
from graphflow.errors import ArgumentError
from graphflow.inspect import compare, diff


def twin(model: Model) -> Model:
    made = type(model).from_config(model.get_config())
    made.set_weights(model.get_weights())
    return made


FAULTY = ["conv", "norm", "probs"]


@pytest.mark.parametrize("layer", FAULTY)
def test_a_weight_changed_in_one_layer_is_found_there(layer: str) -> None:
    model = chain()
    other = twin(model)
    assert compare(model, other).same and not diff(model, other)
    weight = other.get_layer(layer).weights[0]
    values = weight.numpy()
    values.flat[3] += 0.25
    weight.assign(values)
    found = compare(model, other)
    assert not found and found.culprit is not None and found.culprit.name == found.culprit.layer == layer
    assert found.culprit.largest > 0 and "1 numbers, by up to 0.25" in found.cause[0]
    assert f"first difference is at '{layer}'" in str(found)
    (row,) = diff(model, other).rows
    assert (row.kind, row.layer, row.changed) == ("weight", layer, 1) and abs(row.largest - 0.25) < 1e-6


@pytest.mark.parametrize("layer", ["inner/first", "table", "lstm", "right"])
def test_a_fault_in_a_model_of_four_inputs_is_found(layer: str) -> None:
    model = several()
    other = twin(model)
    faulty = other
    for name in layer.split("/"):
        faulty = faulty.get_layer(name)
    faulty.weights[0].assign(faulty.weights[0].numpy() * 1.5 + 0.01)
    found = compare(model, other)
    assert found.culprit is not None and found.culprit.layer == layer
    assert {one.layer for one in diff(model, other).rows} == {layer}


def test_another_activation_is_found_and_named() -> None:
    model = chain()
    other = Sequential(name="other")
    for layer in model.layers:
        config = layer.get_config()
        if layer.name == "probs":
            config["activation"] = "sigmoid"
        made = type(layer).from_config(config)
        other.add(made if other.layers else _with_input(made, (12, 12, 3), other))
    other.set_weights(model.get_weights())
    found = compare(model, other)
    assert found.culprit is not None and found.culprit.name == "probs"
    assert found.cause == ("config activation: softmax and sigmoid",)


def _with_input(layer, shape, model):
    model.add(Input(shape))
    return layer


def test_layers_of_other_names_are_matched_by_place() -> None:
    def build(prefix: str) -> Model:
        x = Input((4,), name="x")
        y = L.Dense(5, "relu", name=f"{prefix}1", kernel_initializer="ones")(x)
        return Model(x, L.Dense(2, name=f"{prefix}2", kernel_initializer="ones")(y))

    a, b = build("a"), build("b")
    found = compare(a, b)
    assert found.same and {one.matched for one in found.rows} == {"place"}
    assert [(one.kind, one.before, one.after) for one in diff(a, b).rows] == [
        ("renamed", "a1", "b1"),
        ("renamed", "a2", "b2"),
    ]
    b.layers[-1].weights[1].assign([0.0, 3.0])
    assert compare(a, b).culprit.name == "a2"


def test_another_form_of_a_model_is_matched_by_value() -> None:
    graph_model = program()
    x = Input((4,), name="x")
    still = L.Dropout(0.5, name="still")(L.Dense(6, use_bias=False, name="product")(x))
    bent = L.ReLU(name="bent")(still)
    model = Model(x, L.Lambda(lambda v: ops.sum(v, axis=1), name="total")(bent))
    model.set_weights([graph_model.program.w.value])
    found = compare(model, graph_model)
    assert found.same
    assert [(one.name, one.other, one.matched) for one in found.rows] == [
        ("product", "MatMul_0:dense", "value"),
        ("still", "MatMul_0:dense", "value"),
        ("bent", "Relu_1:relu", "value"),
        ("total", "Sum_2:sum", "value"),
        ("total", "y", "place"),
    ]
    graph_model.program.w.assign(graph_model.program.w.value + 1)
    assert compare(model, graph_model).culprit.layer == "product"


@pytest.mark.parametrize(
    "settings", [{"reference": True}, {"isa": "base"}, {"passes_off": "all"}, {"precision": "strict"}, {"threads": 2}]
)
@pytest.mark.parametrize("build", [chain, several, walked])
def test_other_settings_of_one_model_agree(build, settings) -> None:
    found = compare(build(), settings=settings, tolerance=1e-5)
    assert found.same, str(found)
    assert next(iter(settings)) in found.second


def test_a_difference_that_only_the_whole_shows_is_said_to_be_of_a_pass(monkeypatch) -> None:

    module = sys.modules["graphflow.inspect.compare"]
    real = module._outputs
    monkeypatch.setattr(
        module, "_outputs", lambda a, b, tolerance: real(a, [(name, array + 1) for name, array in b], tolerance)
    )
    found = compare(chain(), settings={"reference": True})
    assert found.culprit.kind == "output" and "a pass or a plan" in str(found)


def test_nan_equals_itself_and_nothing_else() -> None:
    x = Input((2,))
    model = Model(x, L.Dense(2, name="d", kernel_initializer="zeros")(x))
    model.layers[-1].bias.assign([np.nan, 1.0])
    assert compare(model, twin(model)).same
    other = twin(model)
    other.layers[-1].bias.assign([0.0, 1.0])
    found = compare(model, other)
    assert found.culprit.at[-1] == 0 and found.culprit.largest == float("inf")


def test_compare_needs_something_to_compare_with() -> None:
    with pytest.raises(ArgumentError, match="second model, or settings"):
        compare(chain())


def test_layers_added_removed_and_moved_are_named() -> None:
    x = Input((4,), name="x")
    a = Model(x, L.Dense(2, name="end")(L.ReLU(name="bend")(L.Dense(4, name="start")(x))), name="a")
    y = Input((4,), name="x")
    b = Model(y, L.Dense(2, name="end")(L.Dense(4, name="start")(L.Dropout(0.1, name="drop")(y))), name="b")
    b.set_weights(a.get_weights())
    found = [(one.kind, one.layer) for one in diff(a, b).rows]
    assert ("removed", "bend") in found and ("added", "drop") in found
    assert ("inputs", "start") in found and ("inputs", "end") in found
    assert not any(kind == "weight" for kind, _ in found)


def test_shapes_of_weights_and_ops_of_graphs_are_compared() -> None:
    x = Input((4,), name="x")
    a, b = Model(x, L.Dense(2, name="d")(x)), Model(x, L.Dense(3, name="d")(x))
    shapes = {one.what: (one.before, one.after) for one in diff(a, b).rows if one.kind == "weight"}
    assert shapes == {"kernel": ("(4, 2)", "(4, 3)"), "bias": ("(2,)", "(3,)")}
    first, second = program(), program()
    assert not diff(first, second)
    second.program.w.assign(second.program.w.value * 2)
    (row,) = diff(first, second).rows
    assert (row.kind, row.layer, row.changed) == ("weight", "MatMul_0", 24)


def test_functions_are_compared_by_what_they_do() -> None:
    def build(factor: float) -> Model:
        x = Input((4,), name="x")
        return Model(x, L.Lambda(lambda v: v * factor, name=f"times{factor}")(x))

    assert not diff(build(2), build(2))
    kinds = [(one.kind, one.what) for one in diff(build(2), build(3)).rows]
    assert kinds == [("renamed", ""), ("config", "function")]
