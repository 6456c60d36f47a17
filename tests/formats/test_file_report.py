"""`inspect_file` and `graphflow inspect-file`: what a file is, told without building a model of it."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import graphflow
from graphflow import Input, Model, Sequential
from graphflow.cli import main
from graphflow.errors import ModelFormatError, UnsupportedError
from graphflow.formats import FileReport, inspect_file
from graphflow.layers import Concatenate, Dense
from graphflow.samples import digits


def two_inputs() -> Model:
    left, right = Input((3,), name="left"), Input((None, 4), name="right", dtype="float32")
    shared = Dense(4, name="shared")
    seen = shared(left)
    mixed = Concatenate(name="mixed")([seen, Dense(4, name="other")(seen)])
    return Model([left, right], [mixed, Dense(2, name="words")(right)], name="both")


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_whole_model(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"model{ending}"
    two_inputs().save(path)
    report = inspect_file(path)
    assert report.bytes == path.stat().st_size
    assert report.format.startswith("Keras")
    assert report.model == "both"
    assert [(one.name, one.shape) for one in report.inputs] == [("left", (None, 3)), ("right", (None, None, 4))]
    assert {one.dtype for one in report.inputs} == {"float32"}
    assert [one.name for one in report.outputs] == ["mixed", "words"]
    assert dict(report.layers)["mixed"] == "Concatenate"
    assert report.parameters == 16 + 20 + 10
    assert sorted(one.shape for one in report.arrays) == [(2,), (3, 4), (4,), (4,), (4, 2), (4, 4)]
    assert report.opens
    assert json.loads(report.to_json())["inputs"][0]["shape"] == [None, 3]
    text = str(report)
    for line in (
        "model: both",
        "input: right (None, None, 4) float32",
        "parameters: 46 in 6 arrays",
        "  mixed: Concat",
    ):
        assert line in text


def test_inner_models_and_sequential(tmp_path: Path) -> None:
    inner = Sequential([Dense(2, input_shape=(3,), name="deep")], name="inner")
    model = Sequential([Input((3,), name="start"), inner, Dense(1, name="end")])
    model.save(tmp_path / "m.keras")
    report = inspect_file(tmp_path / "m.keras")
    assert ("inner/deep", "Dense") in report.layers
    assert [one.name for one in report.outputs] == ["end"]
    assert report.inputs[0].shape == (None, 3)


WEIGHTS = (("x.weights.h5", "Keras 3 weights"), ("x.h5", "Keras 2 weights"), ("x.safetensors", "safetensors"))


@pytest.mark.parametrize(("name", "format"), WEIGHTS)
def test_weights_alone(tmp_path: Path, name: str, format: str) -> None:
    if name.endswith("safetensors"):
        pytest.importorskip("safetensors", reason="the writer of .safetensors needs it")
    two_inputs().save_weights(tmp_path / name)
    report = inspect_file(tmp_path / name)
    assert report.format.startswith(format)
    assert report.parameters == 46
    assert not report.layers
    assert not report.opens
    assert "(3, 4) float32" in str(report)


def test_shards(tmp_path: Path) -> None:
    for index, shape in enumerate([(3, 4), (4,)]):
        with h5py.File(tmp_path / f"x_{index}.weights.h5", "w") as file:
            file[f"layers/dense/vars/{index}"] = np.zeros(shape, "f4")
    entry = ["x_0.weights.h5", "x_1.weights.h5"]
    (tmp_path / "x.weights.json").write_text(json.dumps({"weight_map": {"/layers/dense/vars": entry}}))
    report = inspect_file(tmp_path / "x.weights.json")
    assert (report.format, report.parameters, report.details["shards"]) == ("Keras 3 sharded weights", 16, entry)


def test_a_configuration(tmp_path: Path) -> None:
    layers = [
        {"class_name": "Dense", "config": {"name": "d", "units": 2, "batch_input_shape": [None, 3]}},
        {"class_name": "Lambda", "config": {"name": "code", "function": ["4wEAAA==", None, None]}},
        {"class_name": "Capsule", "config": {"name": "own"}},
    ]
    item = {"class_name": "Sequential", "keras_version": "2.2.4", "backend": "tensorflow", "config": layers}
    (tmp_path / "m.json").write_text(json.dumps(item))
    report = inspect_file(tmp_path / "m.json")
    assert report.writer == "Keras 2.2.4, tensorflow backend"
    assert [(layer, name) for _, name, layer in report.needs] == [("code", "code"), ("own", "Capsule")]
    assert not report.opens
    assert report.inputs[0].shape == (None, 3)
    assert any("plain list" in quirk for quirk in report.quirks)
    assert "needs: layer class 'Capsule' of layer 'own' in custom_objects" in str(report)


def test_quirks_of_an_old_file(tmp_path: Path) -> None:
    layer = {"class_name": "LSTM", "config": {"name": "l", "units": 2, "batch_input_shape": [None, 4, 3]}}
    config = {"class_name": "Sequential", "config": [layer]}
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.0.5"
        file.create_group("model_weights").attrs["layer_names"] = []
    report = inspect_file(tmp_path / "m.h5")
    assert report.format == "Keras 2 (.h5)"
    assert any("hard_sigmoid by default" in quirk and layers == ("l",) for quirk, layers in report.quirks.items())


def test_refusals_of_other_things(tmp_path: Path) -> None:
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"")
    with pytest.raises(UnsupportedError, match=r"saved: TensorFlow SavedModel.*save it as \.keras"):
        inspect_file(tmp_path / "saved")
    with pytest.raises(ModelFormatError, match="received a directory"):
        inspect_file(tmp_path)
    (tmp_path / "text.txt").write_text("hello, world")
    with pytest.raises(ModelFormatError, match=r"text.txt: not a model file of a known format .*b'hello, w'"):
        inspect_file(tmp_path / "text.txt")
    with h5py.File(tmp_path / "data.h5", "w") as file:
        file["temperature"] = 1
    with pytest.raises(ModelFormatError, match=r"data.h5: an HDF5 file, but not one of Keras.*temperature"):
        inspect_file(tmp_path / "data.h5")
    with pytest.raises(FileNotFoundError):
        inspect_file(tmp_path / "none.keras")


def test_onnx(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="ONNX files are parsed by it")
    make = onnx.helper
    x = make.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", 3])
    y = make.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["batch", 3])
    nodes = [
        make.make_node("Add", ["x", "w"], ["a"]),
        make.make_node("Add", ["a", "w"], ["b"]),
        make.make_node("Whatever", ["b"], ["y"], domain="own", name="odd"),
    ]
    weight = onnx.numpy_helper.from_array(np.zeros(3, "f4"), "w")
    opsets = [make.make_opsetid("", 17), make.make_opsetid("own", 1)]
    model = make.make_model(
        make.make_graph(nodes, "g", [x], [y], [weight]), opset_imports=opsets, producer_name="me", producer_version="7"
    )
    onnx.save(model, tmp_path / "m.onnx")
    report = inspect_file(tmp_path / "m.onnx")
    assert report.writer == "me 7"
    assert [(one.name, one.shape, one.dtype) for one in report.inputs] == [("x", (None, 3), "float32")]
    assert report.details["operators"] == {"Add": 2, "own.Whatever": 1}
    assert report.details["opsets"] == {"ai.onnx": 17, "own": 1}
    assert report.parameters == 3
    assert len(report.refusals) == 1
    assert "Whatever" in report.refusals[0]


def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["inspect-file", str(digits.MODEL)]) == 0
    text = capsys.readouterr().out
    assert "parameters: 18,074 in" in text
    assert "input: image (None, 8, 8, 1) float32" in text
    assert main(["inspect-file", str(digits.MODEL), "--json", "--untrusted"]) == 0
    assert json.loads(capsys.readouterr().out)["parameters"] == 18074
    (tmp_path / "bad.keras").write_bytes(b"PK\3\4")
    assert main(["inspect-file", str(tmp_path / "bad.keras")]) == 2
    assert "bad.keras" in capsys.readouterr().err


def test_names_of_strangers_do_not_reach_the_terminal_raw(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    evil = "\x1b[2Jevil\u202e"
    layer = {"class_name": "Dense", "config": {"name": evil, "units": 2, "batch_input_shape": [None, 3]}}
    item = {"class_name": "Sequential", "keras_version": evil, "config": [layer]}
    (tmp_path / "m.json").write_text(json.dumps(item))
    assert main(["inspect-file", str(tmp_path / "m.json")]) == 0
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert r"\x1b[2Jevil\u202e: Dense" in text


def test_no_model_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        "import sys; from graphflow.layers.layer import Layer; from graphflow.formats import inspect_file\n"
        "def refuse(self, *args, **kwargs): raise SystemExit('a layer was made')\n"
        "Layer.__init__ = refuse\n"
        "sys.exit(0 if inspect_file(sys.argv[1]).parameters else 1)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(digits.MODEL)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_member_of_weights_that_is_missing(tmp_path: Path) -> None:
    with zipfile.ZipFile(digits.MODEL) as source, zipfile.ZipFile(tmp_path / "m.keras", "w") as target:
        for name in ("metadata.json", "config.json"):
            target.writestr(name, source.read(name))
    with pytest.raises(ModelFormatError, match=r"m.keras: there is no member 'model.weights.h5'"):
        inspect_file(tmp_path / "m.keras")


def test_the_report_is_public() -> None:
    found: Any = graphflow.formats.inspect_file(digits.MODEL)
    assert isinstance(found, FileReport)
