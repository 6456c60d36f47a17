"""PyTorch's reading of ONNX files, held to ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.oracle

REASON = "translates ONNX files to PyTorch, which is no dependency of anything else"
Array = np.ndarray[Any, Any]


def weights(*shape: int) -> Array:
    made = np.random.default_rng(sum(shape)).standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
    return made.astype("float32")


def conv(shape: tuple[int, ...], kernel: tuple[int, ...], **attributes: Any) -> tuple[Any, ...]:
    return "Conv", [shape], [weights(*kernel), weights(kernel[0])], attributes


def turned(shape: tuple[int, ...], kernel: tuple[int, ...], filters: int, **attributes: Any) -> tuple[Any, ...]:
    return "ConvTranspose", [shape], [weights(*kernel), weights(filters)], attributes


def pool(kind: str, shape: tuple[int, ...], **attributes: Any) -> tuple[Any, ...]:
    return kind, [shape], [], attributes


def recurrent(kind: str, gates: int, direction: str = "forward", **attributes: Any) -> tuple[Any, ...]:
    ways = 2 if direction == "bidirectional" else 1
    arrays = [weights(ways, gates * 5, 3), weights(ways, gates * 5, 5), weights(ways, 2 * gates * 5)]
    return kind, [(7, 2, 3)], arrays, {"hidden_size": 5, "direction": direction, **attributes}


def numbers(*values: int) -> Array:
    return np.array(values, "int64")


CASES: dict[str, tuple[Any, ...]] = {
    "conv 1d": conv((2, 3, 11), (4, 3, 3), pads=[1, 1], strides=[2]),
    "conv 1d causal": conv((2, 3, 11), (4, 3, 3), pads=[4, 0], dilations=[2]),
    "conv 2d same upper": conv((2, 3, 8, 9), (6, 3, 3, 2), auto_pad="SAME_UPPER", strides=[2, 2]),
    "conv 2d same lower": conv((2, 3, 8, 9), (6, 3, 4, 2), auto_pad="SAME_LOWER"),
    "conv 2d uneven": conv((2, 3, 8, 9), (6, 3, 3, 3), pads=[0, 1, 2, 1]),
    "conv 2d groups": conv((2, 4, 8, 9), (8, 2, 3, 3), group=2, dilations=[1, 2]),
    "conv 2d depthwise": conv((2, 4, 8, 9), (4, 1, 3, 3), group=4, pads=[1, 1, 1, 1]),
    "conv 3d": conv((1, 2, 5, 6, 7), (3, 2, 2, 3, 3), pads=[0, 1, 1, 1, 1, 1]),
    "transposed": turned((2, 3, 4, 5), (3, 4, 2, 2), 4, strides=[2, 2]),
    "transposed uneven": turned((2, 3, 4, 5), (3, 4, 3, 3), 4, strides=[2, 2], pads=[0, 1, 1, 0]),
    "transposed same": turned((2, 3, 4, 5), (3, 4, 3, 4), 4, strides=[2, 3], auto_pad="SAME_UPPER"),
    "transposed groups": turned((2, 4, 5), (4, 3, 3), 6, group=2, output_padding=[1], strides=[2]),
    "max pool": pool("MaxPool", (2, 3, 9, 8), kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 0]),
    "max pool uneven": pool("MaxPool", (2, 3, 9, 8), kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"),
    "max pool ceiling": pool("MaxPool", (2, 3, 9, 8), kernel_shape=[2, 3], strides=[2, 3], ceil_mode=1),
    "max pool 3d": pool("MaxPool", (2, 3, 4, 9, 8), kernel_shape=[1, 2, 2], strides=[1, 2, 2]),
    "average pool": pool("AveragePool", (2, 3, 9), kernel_shape=[3], strides=[1], pads=[1, 1]),
    "average pool counted": pool(
        "AveragePool", (2, 3, 9, 8), kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1
    ),
    "average pool uneven": pool(
        "AveragePool", (2, 3, 9, 8), kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"
    ),
    "global average": pool("GlobalAveragePool", (2, 3, 4, 5)),
    "global max": pool("GlobalMaxPool", (2, 3, 4, 5)),
    "lstm": recurrent("LSTM", 4),
    "lstm reverse": recurrent("LSTM", 4, "reverse"),
    "lstm both": recurrent("LSTM", 4, "bidirectional"),
    "gru": recurrent("GRU", 3, linear_before_reset=1),
    "gru both": recurrent("GRU", 3, "bidirectional", linear_before_reset=1),
    "rnn": recurrent("RNN", 1, "reverse"),
    "matmul": ("MatMul", [(2, 7, 5)], [weights(5, 3)], {}),
    "matmul of two": ("MatMul", [(2, 7, 5), (2, 5, 3)], [], {}),
    "gemm": ("Gemm", [(4, 5)], [weights(3, 5), weights(3)], {"transB": 1, "alpha": 0.5, "beta": 2.0}),
    "gemm turned": ("Gemm", [(5, 4)], [weights(5, 3), weights(4, 3)], {"transA": 1}),
    "clip to 6": ("Clip", [(4, 5)], [np.float32(0), np.float32(6)], {}),
    "softmax": ("Softmax", [(2, 3, 4)], [], {"axis": 1}),
    "reduce mean": ("ReduceMean", [(2, 3, 4)], [numbers(1, -1)], {"keepdims": 0}),
    "reduce max of all": ("ReduceMax", [(2, 3, 4)], [], {}),
    "layer norm": ("LayerNormalization", [(2, 3, 4)], [weights(4), weights(4)], {"epsilon": 1e-3}),
    "pad": ("Pad", [(2, 3, 4)], [numbers(0, 1, 0, 0, 2, 3), np.float32(0.5)], {}),
    "slice": ("Slice", [(2, 6, 7)], [numbers(-5, 5), numbers(9, -9), numbers(1, 2), numbers(2, -3)], {}),
    "slice backwards": ("Slice", [(2, 6, 7)], [numbers(-1), numbers(-99), numbers(1), numbers(-1)], {}),
    "gather": ("Gather", [(2, 3, 4)], [np.array([[2, 0], [1, 1]])], {"axis": 1}),
    "split": ("Split", [(2, 7)], [numbers(3, 4)], {"axis": 1}),
    "expand": ("Expand", [(2, 1, 4)], [numbers(5, 1, 3, 1)], {}),
    "tile": ("Tile", [(2, 3)], [numbers(2, 3)], {}),
    "reshape": ("Reshape", [(2, 3, 4)], [numbers(0, -1)], {}),
    "flatten": ("Flatten", [(2, 3, 4)], [], {"axis": 2}),
    "hard sigmoid": ("HardSigmoid", [(3, 4)], [], {"alpha": 0.3}),
    "leaky": ("LeakyRelu", [(3, 4)], [], {"alpha": 0.3}),
    "greatest": ("Max", [(3, 4), (4,), (3, 1)], [], {}),
    "resized": (
        "Resize",
        [(1, 2, 3, 4)],
        [np.zeros(0, "float32"), np.array([1, 1, 2, 3], "float32")],
        {"mode": "linear"},
    ),
}


def model_file(path: Path, nodes: list[Any], shapes: list[tuple[int, ...]], arrays: dict[str, Array], out: int) -> str:
    from onnx import TensorProto, helper, numpy_helper, save

    inputs = [helper.make_tensor_value_info(f"x{i}", TensorProto.FLOAT, shape) for i, shape in enumerate(shapes)]
    outputs = [helper.make_tensor_value_info(f"y{i}", TensorProto.FLOAT, None) for i in range(out)]
    constants = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "case", inputs, outputs, constants)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)
    return str(path)


def both(path: str, shapes: list[tuple[int, ...]]) -> list[tuple[Array, Array]]:
    """Outputs of PyTorch and of ONNX Runtime."""
    import onnxruntime

    from benchmarks.torch_engine import PyTorch

    generator = np.random.default_rng(5)
    arrays = [generator.standard_normal(shape).astype("float32") for shape in shapes]
    engine = PyTorch()
    engine.load(path, 1)
    engine.bind(arrays)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    wanted = session.run(None, {f"x{i}": array for i, array in enumerate(arrays)})
    engine.run()
    assert all(np.array_equal(given, kept) for given, kept in zip(engine._given, arrays, strict=True))
    return list(zip(engine.run(), wanted, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_a_node_gives_what_onnx_runtime_gives(name: str, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason=REASON)
    from onnx import helper

    kind, shapes, arrays, attributes = CASES[name]
    outputs = {"LSTM": 3, "GRU": 2, "RNN": 2, "Split": 2}.get(kind, 1)
    names = [f"x{i}" for i in range(len(shapes))] + [f"c{i}" for i in range(len(arrays))]
    if kind == "Resize":
        names = ["x0", "", "c1"]
    node = helper.make_node(kind, names, [f"y{i}" for i in range(outputs)], "it", **attributes)
    constants = {f"c{i}": np.asarray(array) for i, array in enumerate(arrays)}
    for got, wanted in both(model_file(tmp_path / "m.onnx", [node], shapes, constants, outputs), shapes):
        assert got.shape == wanted.shape
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


def test_shapes_that_are_computed_are_constants(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason=REASON)
    from onnx import helper

    nodes = [
        helper.make_node("Shape", ["x0"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["first"], axis=0),
        helper.make_node("Concat", ["first", "rest"], ["wanted"], axis=0),
        helper.make_node("Reshape", ["x0", "wanted"], ["y0"]),
    ]
    constants = {"zero": numbers(0), "rest": numbers(-1)}
    path = model_file(tmp_path / "m.onnx", nodes, [(3, 2, 5)], constants, 1)
    ((got, wanted),) = both(path, [(3, 2, 5)])
    np.testing.assert_array_equal(got, wanted)
    assert got.shape == (3, 10)


def test_rectifying_in_place_leaves_alone_what_others_read(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason=REASON)
    from onnx import helper

    nodes = [
        helper.make_node("Add", ["x0", "one"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["rectified"]),
        helper.make_node("Mul", ["sum", "rectified"], ["product"]),
        helper.make_node("Relu", ["product"], ["y0"]),
        helper.make_node("Relu", ["x0"], ["y1"]),
    ]
    path = model_file(tmp_path / "m.onnx", nodes, [(3, 4)], {"one": np.full((), 0.1, "float32")}, 2)
    for got, wanted in both(path, [(3, 4)]):
        np.testing.assert_allclose(got, wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "attributes", "said"),
    [
        ("CumSum", {}, "Not translated to PyTorch: CumSum"),
        ("Pad", {"mode": "reflect"}, "Pad 'it': Pad of mode 'reflect'"),
    ],
)
def test_what_is_not_translated_is_refused_by_name(
    kind: str, attributes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason=REASON)
    from onnx import helper

    from benchmarks.torch_graph import NotCovered, build, read

    node = helper.make_node(kind, ["x0", "c0"], ["y0"], "it", **attributes)
    constant = numbers(0, 1, 0, 1) if kind == "Pad" else np.array(1)
    path = model_file(tmp_path / "m.onnx", [node], [(3, 4)], {"c0": constant}, 1)
    with pytest.raises(NotCovered, match=said):
        build(read(path), [np.zeros((3, 4), "float32")])
