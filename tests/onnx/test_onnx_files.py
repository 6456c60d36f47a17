"""Opening ONNX files: what they may not do, what is refused by name, and how the model is called."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphflow
from graphflow.errors import ArgumentError, GraphflowError, ModelFormatError, UnsupportedError
from graphflow.formats.limits import Limits

pytestmark = [pytest.mark.oracle]
onnx = pytest.importorskip("onnx", reason="the files are made with the package onnx; make parity installs it")
helper, numpy_helper, FLOAT, INT64 = onnx.helper, onnx.numpy_helper, onnx.TensorProto.FLOAT, onnx.TensorProto.INT64


def saved(path: Path, nodes: list[Any], opset: int = 20, imports: Any = (), **parts: Any) -> Path:
    """A model file of one input x (None, 3) and one output y."""
    inputs = parts.pop("inputs", [helper.make_tensor_value_info("x", FLOAT, ["n", 3])])
    outputs = parts.pop("outputs", [helper.make_tensor_value_info("y", FLOAT, None)])
    functions = parts.pop("functions", [])
    graph = helper.make_graph(nodes, "main", inputs, outputs, **parts)
    sets = [helper.make_opsetid("", opset), *(helper.make_opsetid(one, 1) for one in imports)]
    model = helper.make_model(graph, opset_imports=sets, functions=functions)
    path.write_bytes(model.SerializeToString())
    return path


def external(name: str, shape: list[int], **entries: Any) -> Any:
    tensor = onnx.TensorProto(name=name, data_type=FLOAT, dims=shape, data_location=onnx.TensorProto.EXTERNAL)
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def with_weight(path: Path, tensor: Any) -> Path:
    return saved(path, [helper.make_node("Add", ["x", "w"], ["y"], name="sum")], initializer=[tensor])


# -- external data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "model"
    (inside / "sub").mkdir(parents=True)
    (tmp_path / "secret.bin").write_bytes(np.arange(3, dtype=np.float32).tobytes())
    (inside / "w.bin").write_bytes(np.arange(6, dtype=np.float32).tobytes())
    (inside / "sub" / "w.bin").write_bytes(np.arange(6, dtype=np.float32).tobytes())
    (inside / "link.bin").symlink_to(inside / "w.bin")
    (inside / "out.bin").symlink_to(tmp_path / "secret.bin")
    (inside / "folder").symlink_to(tmp_path)
    os.link(tmp_path / "secret.bin", inside / "hard.bin")
    os.mkfifo(inside / "pipe.bin")
    (inside / "empty.bin").write_bytes(b"")
    return inside


@pytest.mark.parametrize("location", ["w.bin", "sub/w.bin", "./w.bin"])
def test_external_data_in_the_models_folder_are_read(folder: Path, location: str) -> None:
    model = graphflow.load_model(with_weight(folder / "m.onnx", external("w", [3], location=location, offset=4)))
    np.testing.assert_array_equal(model(np.zeros((1, 3), np.float32)), [[1, 2, 3]])
    again = pickle.loads(pickle.dumps(model))
    (folder / "w.bin").unlink()
    np.testing.assert_array_equal(again(np.zeros((1, 3), np.float32)), [[1, 2, 3]])


BAD_PLACES = [
    "../secret.bin",
    "sub/../../secret.bin",
    "/etc/hostname",
    "link.bin",
    "out.bin",
    "folder/secret.bin",
    "hard.bin",
    "pipe.bin",
    "sub",
    "missing.bin",
    "empty.bin",
    "",
    ".",
    "a\\..\\b",
    "C:w.bin",
    "file:///etc/hostname",
    "sub//w.bin",
    "w.bin\0",
]


@pytest.mark.parametrize("location", BAD_PLACES)
def test_external_data_elsewhere_are_refused(folder: Path, location: str) -> None:
    path = with_weight(folder / "m.onnx", external("w", [3], location=location))
    opened: list[str] = []
    watching = [True]

    def watch(event: str, args: Any) -> None:
        if watching[0] and event == "open" and isinstance(args[0], str):
            opened.append(args[0])

    sys.addaudithook(watch)
    try:
        with pytest.raises(ModelFormatError, match="'w'"):
            graphflow.load_model(path)
    finally:
        watching[0] = False
    assert not [one for one in opened if "secret" in one or "hostname" in one]


@pytest.mark.parametrize(
    "entries",
    [
        {"offset": -4},
        {"offset": 16},
        {"offset": 10**30},
        {"offset": 2**63},
        {"offset": "x"},
        {"length": 8},
        {"length": -1},
        {"offset": "٣"},
    ],
    ids=str,
)
def test_a_range_outside_external_data_is_refused(folder: Path, entries: dict[str, Any]) -> None:
    path = with_weight(folder / "m.onnx", external("w", [3], location="w.bin", **entries))
    with pytest.raises(ModelFormatError, match="external data"):
        graphflow.load_model(path)


# -- sizes


def test_tensors_whose_sizes_lie_are_refused(tmp_path: Path) -> None:
    good = numpy_helper.from_array(np.ones(3, np.float32), "w")
    for change, message in (
        ({"raw_data": b"1234"}, "expected 12 bytes, received 4"),
        ({"dims": [2**40, 2**40]}, "too many bytes"),
        ({"dims": [-1]}, "is no shape"),
        ({"data_type": 99}, "no element type 99"),
        ({"data_type": 8}, "STRING"),
    ):
        tensor = onnx.TensorProto()
        tensor.CopyFrom(good)
        for key, value in change.items():
            if key == "dims":
                del tensor.dims[:]
                tensor.dims.extend(value)
            else:
                setattr(tensor, key, value)
        with pytest.raises((ModelFormatError, UnsupportedError), match=message):
            graphflow.load_model(with_weight(tmp_path / "m.onnx", tensor))
    with pytest.raises(ModelFormatError, match=r"Limits\(array_bytes="):
        graphflow.load_model(with_weight(tmp_path / "m.onnx", good), limits=Limits(array_bytes=8))


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    path = with_weight(tmp_path / "m.onnx", numpy_helper.from_array(np.ones(3, np.float32), "w"))
    data = path.read_bytes()
    for index, bad in enumerate((data[:-7], b"\x08\x07garbage" * 5, b"")):
        broken = tmp_path / f"{index}.onnx"
        broken.write_bytes(bad)
        with pytest.raises((ModelFormatError, UnsupportedError)):
            graphflow.load_model(broken)
    with pytest.raises(ModelFormatError, match=r"file_bytes"):
        graphflow.load_model(path, limits=Limits(file_bytes=10))


# -- functions and subgraphs


def function(name: str, nodes: list[Any]) -> Any:
    sets = [helper.make_opsetid("", 20), helper.make_opsetid("own", 1)]
    return helper.make_function("own", name, ["a"], ["b"], nodes, sets)


def test_functions_are_written_out(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Relu", ["a"], ["t"], name="inner"),
        helper.make_node("Add", ["t", "t"], ["b"], name="twice"),
    ]
    call = helper.make_node("Double", ["x"], ["m"], domain="own", name="first")
    again = helper.make_node("Double", ["m"], ["y"], domain="own", name="second")
    path = saved(tmp_path / "m.onnx", [call, again], imports=["own"], functions=[function("Double", nodes)])
    model = graphflow.load_model(path)
    np.testing.assert_array_equal(model(np.array([[-1, 1, 2]], np.float32)), [[0, 4, 8]])
    assert {node.origin for node in model.graph().nodes} == {
        (outer, inner) for outer in ("first", "second") for inner in ("inner", "twice")
    }


def test_functions_that_call_themselves_or_double_are_refused(tmp_path: Path) -> None:
    cycle = [function("A", [helper.make_node("A", ["a"], ["b"], domain="own")])]
    path = saved(
        tmp_path / "a.onnx", [helper.make_node("A", ["x"], ["y"], domain="own")], imports=["own"], functions=cycle
    )
    with pytest.raises(ModelFormatError, match="deeper than"):
        graphflow.load_model(path)
    doubling = [function("F0", [helper.make_node("Relu", ["a"], ["b"])])]
    for level in range(1, 40):
        name = f"F{level - 1}"
        nodes = [helper.make_node(name, ["a"], ["t"], domain="own"), helper.make_node(name, ["t"], ["b"], domain="own")]
        doubling.append(function(f"F{level}", nodes))
    last = helper.make_node("F39", ["x"], ["y"], domain="own")
    path = saved(tmp_path / "d.onnx", [last], imports=["own"], functions=doubling)
    with pytest.raises(ModelFormatError, match=r"too many nodes.*Limits\(nodes="):
        graphflow.load_model(path, limits=Limits(nodes=5_000))


def field(number: int, payload: bytes) -> bytes:
    """A length-delimited field of a protobuf message."""
    length, size = b"", len(payload)
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + payload


def nested_if(depth: int) -> Any:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y0"])], "g", [], [helper.make_tensor_value_info("y0", FLOAT, None)]
    )
    for level in range(1, depth):
        node = helper.make_node("If", ["c"], [f"y{level}"], then_branch=graph, else_branch=graph)
        graph = helper.make_graph([node], "g", [], [helper.make_tensor_value_info(f"y{level}", FLOAT, None)])
    return graph


def test_subgraphs_may_be_nested_but_not_without_end(tmp_path: Path) -> None:
    condition = numpy_helper.from_array(np.array(True), "c")
    for depth in (70, 10_000):
        graph = b""
        for _ in range(depth):
            branch = field(1, b"then_branch") + field(6, graph) + b"\xa0\x01\x05"
            graph = field(1, field(4, b"If") + field(2, b"t") + field(5, branch))
        (tmp_path / "m.onnx").write_bytes(b"\x08\x09" + field(7, graph) + field(8, b"\x10\x14"))
        with pytest.raises(ModelFormatError, match=r"deeper than|not an ONNX file"):
            graphflow.load_model(tmp_path / "m.onnx")
    graph = nested_if(8)
    node = helper.make_node("If", ["c"], ["y"], then_branch=graph, else_branch=graph)
    model = graphflow.load_model(saved(tmp_path / "n.onnx", [node], initializer=[condition]))
    np.testing.assert_array_equal(model(np.ones((1, 3), np.float32)), np.ones((1, 3)))


# -- refusals


def test_everything_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Frobnicate", ["x"], ["t"], name="one"),
        helper.make_node("Relu", ["t"], ["u"], name="two", sharpness=3),
        helper.make_node("Foo", ["u"], ["y"], name="three", domain="com.example"),
    ]
    with pytest.raises(UnsupportedError) as caught:
        graphflow.load_model(saved(tmp_path / "m.onnx", nodes, imports=["com.example"]))
    for part in ("'Frobnicate'", "'one'", "version 20", "'sharpness'", "'two'", "'Foo'", "'com.example'", "'three'"):
        assert part in str(caught.value)


def test_an_operator_set_from_the_future_and_values_from_nowhere_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="version 99"):
        graphflow.load_model(saved(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], opset=99))
    model = graphflow.load_model(saved(tmp_path / "n.onnx", [helper.make_node("Add", ["x", "z"], ["y"], name="sum")]))
    with pytest.raises(ModelFormatError, match=r"'sum'.*'z'"):
        model(np.ones((1, 3), np.float32))


# -- calling


def two_inputs(path: Path) -> Any:
    info = helper.make_tensor_value_info
    inputs = [info("x", FLOAT, ["n", 3]), info("s", FLOAT, ["n", 1])]
    nodes = [helper.make_node("Mul", ["x", "s"], ["y"], name="a/b"), helper.make_node("Shape", ["x"], ["z"])]
    outputs = [info("y", FLOAT, ["n", 3]), info("z", INT64, [2])]
    return graphflow.load_model(saved(path, nodes, inputs=inputs, outputs=outputs))


def test_a_model_is_called_in_order_by_list_and_by_name(tmp_path: Path) -> None:
    model = two_inputs(tmp_path / "m.onnx")
    x, s = np.arange(6, dtype=np.float32).reshape(2, 3), np.full((2, 1), 2, np.float32)
    for outputs in (model(x, s), model([x, s]), model({"s": s, "x": x})):
        np.testing.assert_array_equal(outputs[0], x * 2)
        np.testing.assert_array_equal(outputs[1], [2, 3])
    assert model.input_names == ["x", "s"]
    assert model.output_names == ["y", "z"]
    assert [one.shape for one in model.inputs] == [(None, 3), (None, 1)]
    assert next(iter(model.graph().nodes)).origin == ("a", "b")
    with pytest.raises(ArgumentError, match="unknown: t"):
        model({"x": x, "t": s})
    with pytest.raises(ArgumentError, match="2 inputs"):
        model(x)


def test_predict_goes_over_the_rows_in_batches(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])])
    x = np.random.default_rng(0).normal(size=(70, 3)).astype(np.float32)
    model = graphflow.load_model(path)
    np.testing.assert_array_equal(model.predict(x, batch_size=32), np.maximum(x, 0))
    np.testing.assert_array_equal(model.predict([x]), np.maximum(x, 0))
    fixed = [helper.make_tensor_value_info("x", FLOAT, [10, 3])]
    model = graphflow.load_model(saved(path, [helper.make_node("Relu", ["x"], ["y"])], inputs=fixed))
    np.testing.assert_array_equal(model.predict(x), np.maximum(x, 0))


def test_a_model_that_needs_its_data_runs_on_arrays_and_says_so_when_asked_for_a_graph(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.onnx", [helper.make_node("NonZero", ["x"], ["y"], name="where")])
    model = graphflow.load_model(path)
    np.testing.assert_array_equal(model(np.array([[0, 1, 0]], np.float32)), [[0], [1]])
    with pytest.raises(UnsupportedError, match=r"'where'.*depends on data"):
        model.graph()


def test_broken_bytes_end_in_errors_of_our_own(tmp_path: Path) -> None:
    weight = numpy_helper.from_array(np.arange(12, dtype=np.float32).reshape(3, 4), "w")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], name="product"),
        helper.make_node("LeakyRelu", ["a"], ["b"], alpha=0.3),
        helper.make_node("Softmax", ["b"], ["c"], axis=1),
        helper.make_node("Transpose", ["c"], ["y"], perm=[1, 0]),
    ]
    data = saved(tmp_path / "m.onnx", nodes, initializer=[weight]).read_bytes()
    rng = np.random.default_rng(7)
    ran = 0
    for _ in range(600):
        broken = bytearray(data)
        for _ in range(rng.integers(1, 3)):
            at = int(rng.integers(len(broken)))
            if rng.random() < 0.8:
                broken[at] = int(rng.integers(256))
            else:
                del broken[at : at + int(rng.integers(1, 5))]
        (tmp_path / "b.onnx").write_bytes(bytes(broken))
        try:
            model = graphflow.load_model(tmp_path / "b.onnx", limits=Limits(array_bytes=1 << 20))
            model(np.ones((2, 3), np.float32))
            ran += 1
        except GraphflowError:
            pass
    assert ran > 50
