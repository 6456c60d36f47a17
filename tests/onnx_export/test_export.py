"""What is written and what is refused, which files there are afterwards, and what the page says: without a runtime."""

from __future__ import annotations

import importlib
import json
import pkgutil
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphflow
from graphflow import Input, Model, ops
from graphflow.cli import main
from graphflow.errors import ArgumentError, ArgumentTypeError, UnsupportedError
from graphflow.formats.onnx_write import NEWEST_OPSET, operators, proto, to_onnx
from graphflow.formats.onnx_write.entries import Entry, Names, without_unused
from graphflow.formats.onnx_write.rows import CONVERTERS
from graphflow.layers import (
    LSTM,
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    Lambda,
    MaxPooling2D,
    Reshape,
)
from graphflow.ops import OPS
from graphflow.samples import digits

ROOT = Path(__file__).parents[2]
MISSING = "onnx is an optional extra: install graphflow-engine[onnx]"


def small() -> Any:
    x = Input((4,), name="x")
    return Model(x, Dense(3, name="dense")(x))


def test_every_op_has_a_converter() -> None:
    for module in pkgutil.iter_modules(ops.__path__):
        importlib.import_module(f"graphflow.ops.{module.name}")
    assert set(OPS) - set(CONVERTERS) == set()
    assert set(CONVERTERS) - set(OPS) == set()


def test_the_page_is_that_of_the_code() -> None:
    generator = runpy.run_path(str(ROOT / "docs" / "generate_onnx_export.py"))
    assert (ROOT / "docs" / "onnx-export.md").read_text() == generator["page"]()


# -- orders of axes


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_a_convolutional_network_is_transposed_at_its_ends_alone(data_format: str) -> None:
    form = {"data_format": data_format}
    axis = -1 if data_format == "channels_last" else 1
    x = Input((16, 12, 3) if axis == -1 else (3, 16, 12))
    y = BatchNormalization(axis=axis)(Conv2D(8, 3, padding="same", activation="relu", **form)(x))
    z = Add()([y, Conv2D(8, 1, **form)(y)])
    z = Concatenate(axis=axis)([MaxPooling2D(2, **form)(z), MaxPooling2D(2, **form)(ops.tanh(z))])
    end = Model(x, Dense(2)(GlobalAveragePooling2D(**form)(z)))
    assert operators(end).get("Transpose", 0) == (1 if axis == -1 else 0)
    assert operators(Model(x, Activation("relu")(z))).get("Transpose", 0) == (2 if axis == -1 else 0)
    assert operators(Model(x, Dense(2)(Flatten()(z)))).get("Transpose", 0) == (2 if axis == -1 else 0)


def test_recurrent_layers_on_top_of_each_other_are_transposed_twice() -> None:
    x = Input((None, 3))
    y = LSTM(4, return_sequences=True)(LSTM(4, return_sequences=True)(x))
    assert operators(Model(x, LSTM(4)(y))) == {"Transpose": 1, "LSTM": 3, "Squeeze": 3}
    assert operators(Model(x, y))["Transpose"] == 2


def test_transposes_that_undo_each_other_are_not_written() -> None:
    x = Input((4, 5, 6))
    y = ops.tanh(ops.transpose(x, (0, 3, 1, 2)))
    assert operators(Model(x, ops.transpose(y, (0, 2, 3, 1)))) == {"Tanh": 1}


def test_axes_of_one_element_are_reshaped() -> None:
    x = Input((8, 8, 1))
    assert operators(Model(x, Conv2D(1, 3)(x))) == {"Reshape": 2, "Conv": 1}
    gate = Reshape((1, 1, 6))(Input((6,)))
    assert operators(Model(_input_of(gate), Conv2D(3, 1)(gate))) == {"Reshape": 2, "Conv": 1}


def _input_of(tensor: Any) -> Any:
    layer, index, _ = tensor._keras_history
    return layer._inbound_nodes[index].input_tensors[0]


def test_what_follows_from_weights_alone_is_computed_beforehand() -> None:
    x = Input((4,))
    layer = Dense(3, use_bias=False)
    layer(x)
    model = Model(
        x, Lambda(lambda v: ops.matmul(v, ops.transpose(ops.tanh(layer.kernel) * 2) @ layer.kernel))(x @ layer.kernel)
    )
    assert operators(model) == {"MatMul": 2}


# -- what is refused


@pytest.mark.parametrize("opset", [12, NEWEST_OPSET + 1, "17", True, 17.0])
def test_an_opset_outside_the_range_is_refused(opset: Any) -> None:
    with pytest.raises(ArgumentError, match=f"from 13 to {NEWEST_OPSET}, received {opset!r}"):
        operators(small(), opset=opset)


def test_what_can_not_be_said_is_refused_with_its_layer() -> None:
    x = Input((4,), name="x")
    inner_in = Input((4,))
    inner = Model(inner_in, Lambda(lambda v: np.asarray(v) * 2, output_shape=(4,), name="secret")(inner_in), name="in")
    with pytest.raises(UnsupportedError, match="node 'opaque' of layer 'in/secret' can not be written as ONNX"):
        operators(Model(x, inner(x)))
    dropped = graphflow.layers.Dropout(0.5, name="drop")(x, training=True)
    with pytest.raises(UnsupportedError, match=r"layer 'drop'.*random numbers"):
        operators(Model(x, dropped))
    with pytest.raises(UnsupportedError, match=r"'triangle'.*Trilu needs opset 14 or newer, received opset=13"):
        operators(Model(x, Lambda(lambda v: _triangle(ops.expand_dims(v, 1)))(x)), opset=13)


def _triangle(x: Any) -> Any:
    from graphflow.ops.indexing import triangle

    return triangle(x)


def test_only_models_and_graphs_are_exported(tmp_path: Path) -> None:
    with pytest.raises(ArgumentTypeError, match="Expected a model or a graph, received 'model'"):
        operators("model")
    with pytest.raises(ArgumentError, match="format='tf_saved_model'"):
        small().export(tmp_path / "m", format="tf_saved_model")
    assert operators(small().graph()) == operators(small()) == {"Gemm": 1}


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UnsupportedError, match=r"onnx, which is not installed: pip install 'graphflow-engine\[onnx\]'"):
        graphflow.export(small(), tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


# -- files


def weights_of(path: Path) -> dict[str, Any]:
    onnx = pytest.importorskip("onnx", reason=MISSING)
    model = onnx.load(str(path))
    onnx.checker.check_model(str(path), full_check=True)
    return {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}


@pytest.mark.parametrize("external", [False, True])
def test_weights_stand_in_the_file_or_in_one_beside_it(tmp_path: Path, external: bool) -> None:
    pytest.importorskip("onnx", reason=MISSING)
    x = Input((64,), name="x")
    model = Model(x, Dense(3, name="b")(Dense(50, name="a")(x)))
    path = tmp_path / "model.onnx"
    model.export(path, external_data=external)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["model.onnx", *(["model.onnx.data"] if external else [])]
    assert (path.stat().st_size < 2000) == external
    found = weights_of(path)
    assert set(found) == {"a/kernel", "a/bias", "b/kernel", "b/bias"}
    for layer in model.layers[1:]:
        for variable in layer.weights:
            np.testing.assert_array_equal(found[variable.path], variable.value)


def test_above_what_a_file_holds_weights_go_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnx", reason=MISSING)
    monkeypatch.setattr(proto, "MOST_INSIDE", 1000)
    x = Input((64,), name="x")
    model = Model(x, Dense(50, name="a")(x))
    with pytest.raises(ArgumentError, match=r"13,000 bytes of weights .*external_data=True"):
        model.export(tmp_path / "no.onnx", external_data=False)
    assert list(tmp_path.iterdir()) == []
    model.export(tmp_path / "m.onnx")
    assert (tmp_path / "m.onnx.data").stat().st_size >= 12_800
    np.testing.assert_array_equal(weights_of(tmp_path / "m.onnx")["a/kernel"], model.layers[1].kernel.value)


def test_a_model_that_is_refused_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"before")
    x = Input((4,))
    with pytest.raises(UnsupportedError):
        graphflow.export(Model(x, Lambda(lambda v: np.asarray(v), output_shape=(4,))(x)), path, opset=20)
    assert [one.name for one in tmp_path.iterdir()] == ["m.onnx"] and path.read_bytes() == b"before"


def test_two_exports_of_a_model_are_the_same_bytes(tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason=MISSING)
    model = graphflow.load_model(digits.MODEL)
    graphflow.export(model, tmp_path / "a.onnx")
    model.predict(np.load(digits.IMAGES)[:2])
    graphflow.export(model, tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_the_opset_asked_for_is_that_of_the_file() -> None:
    pytest.importorskip("onnx", reason=MISSING)
    made = to_onnx(small(), opset=15)
    assert [(one.domain, one.version) for one in made.opset_import] == [("", 15)]
    assert made.producer_name == "graphflow"


# -- the command


def test_the_command_writes_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx", reason=MISSING)
    out = tmp_path / "digits.onnx"
    assert main(["export", str(digits.MODEL), str(out), "--opset", "17", "--external-data"]) == 0
    assert capsys.readouterr() == ("", "")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["digits.onnx", "digits.onnx.data"]
    assert weights_of(out)


def test_the_command_says_what_it_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnx", reason=MISSING)
    out = tmp_path / "digits.onnx"
    assert main(["export", str(digits.MODEL), str(out), "--json", "--opset", "15"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["opset"] == 15 and report["operators"]["Conv"] == 4
    assert report["files"] == {str(out): out.stat().st_size}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["m.pb"], "the ending '.pb' is not known"),
        (["m.onnx", "--opset", "5"], "opset must be an integer from 13 to 26, received 5"),
        (["m.onnx", "--opset", "x"], "argument --opset: invalid int value: 'x'"),
        (["no/m.onnx", "--opset", "17"], "no/.m.onnx."),
    ],
)
def test_mistakes_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: Any, message: str
) -> None:
    pytest.importorskip("onnx", reason=MISSING)
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(digits.MODEL), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


# -- parts


def test_names_are_given_once() -> None:
    names = Names()
    names.reserve(["x", "y"])
    made = [names.new(name) for name in ("x", "a", "a", "a_1", "x", "b")]
    assert len({*made, "x", "y"}) == len(made) + 2
    assert made[1] == "a" and made[5] == "b"


def test_entries_that_nothing_needs_go() -> None:
    kept = Entry("Relu", ["x"], ["a"])
    entries = [kept, Entry("Tanh", ["a"], ["b"]), Entry("Exp", ["b"], ["c"])]
    assert without_unused(entries, ["a"]) == [kept]
    assert len(without_unused(entries, ["c"])) == 3
