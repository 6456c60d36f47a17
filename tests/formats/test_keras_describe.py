"""Descriptions of Keras files: one form for all versions, and everything that is missing in one error."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats.legacy_files import functional, given, layer

import graphflow
from graphflow import ops
from graphflow.errors import GraphflowError, ModelFormatError, UnsupportedError
from graphflow.formats.keras_description import QUIRKS, version_numbers
from graphflow.formats.keras_files import build, describe_json, read_description
from graphflow.formats.keras_ops import CONFIGURED, ROWS, reader
from graphflow.formats.keras_tf_ops import TF_FUNCTIONS
from graphflow.samples import digits
from graphflow.saving import custom_object_scope


def tensor(name: str, node: int = 0, place: int = 0) -> dict[str, Any]:
    return {"class_name": "__keras_tensor__", "config": {"shape": [None, 3], "keras_history": [name, node, place]}}


def modern(class_name: str, name: str, *calls: Any, module: str = "keras.layers", **config: Any) -> dict[str, Any]:
    """A layer as Keras 3 writes it; a call is its args."""
    nodes = [{"args": list(args), "kwargs": {}} for args in calls]
    item = {"module": module, "class_name": class_name, "config": {"name": name, "trainable": True, **config}}
    return {**item, "registered_name": None, "name": name, "inbound_nodes": nodes}


def keras3(layers: list[Any], inputs: Any, outputs: Any, name: str = "m") -> dict[str, Any]:
    config = {"name": name, "trainable": True, "layers": layers, "input_layers": inputs, "output_layers": outputs}
    module = "keras.src.models.functional"
    return {"module": module, "class_name": "Functional", "config": config, "registered_name": "Functional"}


def entering(name: str, *shape: int) -> dict[str, Any]:
    return modern("InputLayer", name, batch_shape=[None, *shape], dtype="float32") | {"inbound_nodes": []}


def test_keras_3_counts_calls_of_an_inner_model_from_1_only_among_the_outputs() -> None:
    inner = keras3(
        [entering("ix", 3), modern("Dense", "d", [tensor("ix")], units=3)], ["ix", 0, 0], ["d", 0, 0], "inner"
    )
    inner |= {"name": "inner", "inbound_nodes": [{"args": [tensor("x")], "kwargs": {}}]}
    inner["inbound_nodes"].append({"args": [tensor("inner", 0)], "kwargs": {}})
    add = modern("Add", "add", [[tensor("inner", 0), tensor("inner", 1)]])
    add["inbound_nodes"] = [{"args": [[tensor("inner", 0), tensor("inner", 1)]], "kwargs": {}}]
    text = json.dumps(
        keras3([entering("x", 3), inner, add], ["x", 0, 0], [["add", 0, 0], ["inner", 1, 0], ["inner", 2, 0]])
    )
    described = describe_json(text)
    assert described.model["config"]["output_layers"] == [["add", 0, 0], ["inner", 0, 0], ["inner", 1, 0]]
    assert described.quirks == {"nested indices": ("inner",)}
    model = build(described)
    kernel = np.random.default_rng(0).normal(0, 1, (3, 3)).astype("float32")
    model.set_weights([kernel, np.zeros(3)])
    x = np.ones((2, 3), "float32")
    total, once, twice = model.predict(x, verbose=0)
    np.testing.assert_allclose(once, x @ kernel, rtol=1e-5)
    np.testing.assert_allclose(twice, x @ kernel @ kernel, rtol=1e-5)
    np.testing.assert_allclose(total, once + twice, rtol=1e-5)


def test_operations_are_told_from_layers_of_the_same_name() -> None:
    op = modern("Multiply", "multiply", [tensor("x"), tensor("y")], module="keras.src.ops.numpy")
    item = modern("GetItem", "get_item", [tensor("multiply")], module="keras.src.ops.numpy")
    part = {"class_name": "__slice__", "config": {"start": 1, "stop": None, "step": None}}
    whole = {"class_name": "__slice__", "config": {"start": None, "stop": None, "step": None}}
    item["inbound_nodes"] = [{"args": [tensor("multiply"), [whole, part]], "kwargs": {}}]
    merge = modern("Multiply", "both")
    merge["inbound_nodes"] = [{"args": [[tensor("get_item"), tensor("get_item")]], "kwargs": {}}]
    layers = [entering("x", 3), entering("y", 3), op, item, merge]
    model = build(describe_json(json.dumps(keras3(layers, [["x", 0, 0], ["y", 0, 0]], ["both", 0, 0]))))
    x, y = np.array([[1, 2, 3]], "float32"), np.array([[4, 5, 6]], "float32")
    np.testing.assert_array_equal(model.predict([x, y], verbose=0), [[100, 324]])
    assert [one.name for one in model.layers] == ["x", "y", "both"]


def test_registered_names_come_before_class_names() -> None:
    class Mine(graphflow.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return inputs * 2.0

    item = modern("Dense", "d", [tensor("x")], module="app") | {"registered_name": "app>Dense"}
    text = json.dumps(keras3([entering("x", 3), item], ["x", 0, 0], ["d", 0, 0]))
    assert [(need.kind, need.name) for need in describe_json(text).needs] == [("layer class", "Dense")]
    with custom_object_scope({"app>Dense": Mine}):
        described = describe_json(text)
        model = build(described)
    assert described.needs == () and described.quirks == {"custom": ("d",)}
    np.testing.assert_array_equal(model.predict(np.ones((1, 3)), verbose=0), [[2, 2, 2]])


def test_functions_are_found_wherever_keras_3_puts_them() -> None:
    function = {"module": "builtins", "class_name": "function", "config": "twice", "registered_name": "app>twice"}
    leaky = {"module": "keras.layers", "class_name": "LeakyReLU", "config": {"name": "l", "negative_slope": 0.5}}
    cell = {"module": "keras.layers", "class_name": "SimpleRNNCell", "config": {"units": 3, "activation": function}}
    layers = [
        entering("x", 3),
        modern(
            "Dense",
            "d",
            [tensor("x")],
            units=3,
            activation=function,
            kernel_initializer={"class_name": "Mine", "config": {}},
        ),
        modern("Dense", "e", [tensor("d")], units=3, activation=leaky),
        modern("RepeatVector", "r", [tensor("e")], n=2),
        modern("RNN", "s", [tensor("r")], cell=cell),
    ]
    text = json.dumps(keras3(layers, ["x", 0, 0], ["s", 0, 0]))

    class Mine:
        def __call__(self, shape: Any, dtype: Any = None) -> Any:
            return np.ones(shape)

    needs = {(need.kind, need.name, need.layer) for need in describe_json(text).needs}
    assert needs == {
        ("activation", "twice", "d"),
        ("initializer", "Mine", "d"),
        ("activation", "twice", "s/SimpleRNNCell"),
    }
    with custom_object_scope({"app>twice": lambda v: v * 2.0, "Mine": Mine}):
        model = build(describe_json(text))
    model.set_weights([np.eye(3), np.zeros(3), -np.eye(3), np.zeros(3), np.eye(3), np.zeros((3, 3)), np.zeros(3)])
    np.testing.assert_allclose(model.predict(np.ones((1, 3)), verbose=0), [[-2, -2, -2]])


@pytest.mark.parametrize("code", ["__lambda__", "list"])
def test_bytecode_is_refused_and_the_function_is_passed_by_name(code: str) -> None:
    held: Any = ["4wEAAAA=", None, None]
    if code == "__lambda__":
        held = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None, "closure": None}}
    text = json.dumps(
        keras3([entering("x", 3), modern("Lambda", "f", [tensor("x")], function=held)], ["x", 0, 0], ["f", 0, 0])
    )
    with pytest.raises(
        ModelFormatError, match=r"bytecode.*'f' of layer 'f'.*never run.*custom_objects=\{'f': \.\.\.\}"
    ):
        build(describe_json(text))
    with custom_object_scope({"f": lambda v: ops.square(v)}):
        model = build(describe_json(text))
    np.testing.assert_array_equal(model.predict(np.full((1, 3), 3.0), verbose=0), [[9, 9, 9]])


def test_tf_keras_2_12_names_its_groups_otherwise(tmp_path: Path) -> None:
    """The samples' file, with the group names of tf.keras 2.12."""
    h5py = pytest.importorskip("h5py")
    old, new = tmp_path / "weights.h5", tmp_path / "model.keras"
    with zipfile.ZipFile(digits.MODEL) as archive:
        old.write_bytes(archive.read("model.weights.h5"))
        with h5py.File(old, "a") as file:
            file.move("layers", "_layer_checkpoint_dependencies")
        with zipfile.ZipFile(new, "w") as made:
            for name in ("metadata.json", "config.json"):
                made.writestr(name, archive.read(name))
            made.write(old, "model.weights.h5")
    images = np.load(digits.IMAGES)[:8]
    expected = graphflow.load_model(digits.MODEL).predict(images, verbose=0)
    np.testing.assert_array_equal(graphflow.load_model(new).predict(images, verbose=0), expected)


def test_a_file_of_weights_alone_says_so(tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    with zipfile.ZipFile(digits.MODEL) as archive:
        path.write_bytes(archive.read("model.weights.h5"))
    with pytest.raises(ModelFormatError, match="no attribute 'model_config'"):
        graphflow.load_model(path)
    shutil.copy(digits.MODEL, tmp_path / "other.h5")  # the content decides, not the name
    assert read_description(tmp_path / "other.h5").format == "Keras 3 (.keras)"


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([given("x", 3), layer("Dense", "d", [[["gone", 0, 0, {}]]], units=2)], "'gone', which is not in the model"),
        ([given("x", 3), layer("Dense", "d", [[["d", 0, 0, {}]]], units=2)], "cycle"),
        ([given("x", 3), layer("Dense", "d", [[["x", 0, 5, {}]]], units=2)], "no tensor"),
        ([given("x", 3), layer("Dense", "d", [["x"]], units=2)], r"must take \[layer, node, tensor\]"),
        ([given("x", 3), {"class_name": "Dense", "config": 3, "name": "d"}], "layer 'd': a layer's configuration"),
        ([given("x", 3), layer("Dense", "d", [[["x", 0, 0, {}]]], units=-2)], "units must be a positive integer"),
    ],
)
def test_bad_configurations_are_one_clear_error(layers: list[Any], message: str) -> None:
    text = json.dumps(functional("m", layers, [["x", 0, 0]], [["d", 0, 0]]) | {"keras_version": "2.2.4"})
    with pytest.raises(GraphflowError, match=message):
        build(describe_json(text))


def test_what_graphflow_lacks_is_listed_at_once() -> None:
    layers = [
        entering("x", 3),
        modern("Svd", "svd", [tensor("x")], module="keras.src.ops.linalg"),
        modern("Dense", "d", [tensor("svd")], units=3, lora_rank=4),
        modern("Dense", "e", [tensor("d")], units=3, dtype={"class_name": "Int8Policy", "config": {"name": "int8"}}),
    ]
    described = describe_json(json.dumps(keras3(layers, ["x", 0, 0], ["e", 0, 0])))
    assert len(described.refusals) == 3
    with pytest.raises(
        UnsupportedError, match=r"'svd': the operation .*Svd.*'d': Dense with lora_rank=4.*'e': the dtype"
    ):
        build(described)


def test_tables_hold_functions_that_can_be_called() -> None:
    for name in (*ROWS, *CONFIGURED):
        assert callable(reader("keras.src.ops.numpy", name))
    assert all(callable(function) for function in TF_FUNCTIONS.values())
    assert not ROWS.keys() & CONFIGURED.keys()
    assert reader("os", "system") is None
    assert reader("tf", "io.read_file") is None
    assert all(text[0].islower() or text[0] == "a" for text in QUIRKS.values())


def test_versions_are_read_by_their_numbers() -> None:
    assert version_numbers("2.2.4-tf") == (2, 2, 4)
    assert version_numbers("3") == (3, 0, 0)
    assert version_numbers("nonsense") == version_numbers(None) == (1, 0, 0)
