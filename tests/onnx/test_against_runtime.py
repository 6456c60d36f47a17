"""Random nodes give what ONNX Runtime gives: windows, recurrences, sizes, products, in versions of the standard."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphflow.errors import GraphflowError
from graphflow.formats.limits import DEFAULT_LIMITS

pytestmark = [pytest.mark.oracle]
onnx = pytest.importorskip("onnx", reason="the files are made with the package onnx; make parity installs it")
runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is the oracle here; make parity installs it")

Rng = np.random.Generator


def compare(op: str, inputs: list[Any], outputs: int, opset: int, known: tuple[int, ...] = (), **attrs: Any) -> bool:
    """Run one node here and there; whether ONNX Runtime takes it at all."""
    names = [f"x{i}" if one is not None else "" for i, one in enumerate(inputs)]
    node = onnx.helper.make_node(op, names, [f"y{i}" for i in range(outputs)], **attrs)
    fed = {name: one for i, (name, one) in enumerate(zip(names, inputs, strict=True)) if name and i not in known}
    kinds = {name: onnx.helper.np_dtype_to_tensor_dtype(one.dtype) for name, one in fed.items()}
    infos = [onnx.helper.make_tensor_value_info(name, kinds[name], one.shape) for name, one in fed.items()]
    results = [onnx.helper.make_empty_tensor_value_info(f"y{i}") for i in range(outputs)]
    fixed = [onnx.numpy_helper.from_array(inputs[i], names[i]) for i in known if inputs[i] is not None]
    graph = onnx.helper.make_graph([node], "g", infos, results, fixed)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8)
    data = model.SerializeToString()
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    try:
        expected = runtime.InferenceSession(data, options).run(None, fed)
    except Exception:
        return False
    from graphflow.formats.onnx_read import model_from_bytes

    try:
        found = model_from_bytes(data, op, DEFAULT_LIMITS).run(list(fed.values()))
    except GraphflowError as error:
        raise AssertionError(f"{op} {attrs} {[one.shape for one in fed.values()]}: {error}") from error
    for ours, theirs in zip(found, expected, strict=True):
        where = f"{op} {attrs} {[None if one is None else one.shape for one in inputs]}"
        assert ours.dtype == theirs.dtype, where
        assert ours.shape == theirs.shape, where
        scale = max(float(np.abs(theirs[np.isfinite(theirs)]).max(initial=1)), 1.0) if theirs.size else 1.0
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5 * scale, err_msg=where)
    return True


def normal(rng: Rng, *shape: int) -> Any:
    return rng.normal(size=shape).astype(np.float32)


def window(rng: Rng, rank: int) -> dict[str, Any]:
    """Attributes of a window."""
    size = [int(one) for one in rng.integers(1, 4, rank)]
    attrs: dict[str, Any] = {"kernel_shape": size, "strides": [int(one) for one in rng.integers(1, 4, rank)]}
    if rng.random() < 0.3:
        attrs["auto_pad"] = str(rng.choice(["SAME_UPPER", "SAME_LOWER", "VALID"]))
        # where a stride is larger than its window, ONNX Runtime pads a negative amount
        attrs["strides"] = [min(one, of) for one, of in zip(attrs["strides"], size, strict=True)]
    elif rng.random() < 0.8:
        attrs["pads"] = [int(rng.integers(0, size[i % rank])) for i in range(2 * rank)]
    return attrs


def dilated(rng: Rng, attrs: dict[str, Any]) -> None:
    if "auto_pad" not in attrs and rng.random() < 0.4:
        attrs["dilations"] = [int(one) for one in rng.integers(1, 3, len(attrs["kernel_shape"]))]


def conv(rng: Rng) -> bool:
    rank, group = int(rng.integers(1, 4)), int(rng.choice([1, 1, 2, 4]))
    attrs = window(rng, rank)
    dilated(rng, attrs)
    per, filters = int(rng.integers(1, 4)), group * int(rng.integers(1, 4))
    x = normal(rng, int(rng.integers(1, 3)), per * group, *rng.integers(7, 12, rank))
    w, b = normal(rng, filters, per, *attrs["kernel_shape"]), normal(rng, filters)
    return compare("Conv", [x, w, b if rng.random() < 0.5 else None], 1, 11, (1, 2), group=group, **attrs)


def conv_transpose(rng: Rng) -> bool:
    rank, group = int(rng.integers(1, 3)), int(rng.choice([1, 1, 2]))
    attrs = window(rng, rank)
    if attrs.get("auto_pad") in ("SAME_UPPER", "SAME_LOWER"):
        del attrs["auto_pad"]
    dilated(rng, attrs)
    if rng.random() < 0.4:
        attrs["output_padding"] = [int(rng.integers(0, one)) for one in attrs["strides"]]
    per, filters = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    x = normal(rng, 2, per * group, *rng.integers(5, 9, rank))
    w, b = normal(rng, per * group, filters, *attrs["kernel_shape"]), normal(rng, filters * group)
    return compare("ConvTranspose", [x, w, b], 1, 11, (1, 2), group=group, **attrs)


def pool(rng: Rng) -> bool:
    rank, op = int(rng.integers(1, 4)), str(rng.choice(["MaxPool", "AveragePool", "LpPool"]))
    attrs = window(rng, rank)
    x = normal(rng, 2, 3, *rng.integers(6, 11, rank))
    if op == "LpPool":
        return compare(op, [x], 1, 11, p=2, **attrs)
    if "auto_pad" not in attrs and rng.random() < 0.5:
        attrs["ceil_mode"] = 1
    if op == "AveragePool":
        attrs["count_include_pad"] = int(rng.integers(0, 2))
        return compare(op, [x], 1, 11, **attrs)
    dilated(rng, attrs)
    return compare(op, [x], int(rng.integers(1, 3)), 12, **attrs)


def recurrent(rng: Rng) -> bool:
    op, gates = [("LSTM", 4), ("GRU", 3), ("RNN", 1)][rng.integers(3)]
    direction = str(rng.choice(["forward", "reverse", "bidirectional"]))
    ways = 2 if direction == "bidirectional" else 1
    steps, batch, features, units = (int(one) for one in rng.integers(1, 6, 4))
    x = normal(rng, steps, batch, features)
    w, r = normal(rng, ways, gates * units, features), normal(rng, ways, gates * units, units)
    b = normal(rng, ways, 2 * gates * units) if rng.random() < 0.7 else None
    lengths = rng.integers(1, steps + 1, batch).astype(np.int32) if rng.random() < 0.5 else None
    states = [normal(rng, ways, batch, units) if rng.random() < 0.5 else None for _ in range(2 if op == "LSTM" else 1)]
    attrs: dict[str, Any] = {"direction": direction, "hidden_size": units}
    inputs = [x, w, r, b, lengths, *states]
    if op == "LSTM":
        inputs.append(normal(rng, ways, 3 * units) if rng.random() < 0.3 else None)
        attrs["input_forget"] = int(rng.random() < 0.2)
        if rng.random() < 0.3:
            attrs["activations"] = ["Sigmoid", "Softsign", "Tanh"] * ways
    elif op == "GRU":
        attrs["linear_before_reset"] = int(rng.integers(0, 2))
    elif rng.random() < 0.5:
        attrs["activations"] = ["Relu"] * ways
    return compare(op, inputs, 3 if op == "LSTM" else 2, 14, (1, 2, 3), **attrs)


def resize(rng: Rng) -> bool:
    mode = str(rng.choice(["nearest", "linear", "cubic"]))
    x = normal(rng, 1, 2, *rng.integers(2, 7, 2))
    attrs: dict[str, Any] = {
        "mode": mode,
        "coordinate_transformation_mode": str(
            rng.choice(["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"])
        ),
    }
    if mode == "nearest":
        attrs["nearest_mode"] = str(rng.choice(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]))
    if rng.random() < 0.5:
        scales = np.array([1, 1, *rng.choice([1.0, 2.0, 3.0, 4.0], 2)], np.float32)
        return compare("Resize", [x, None, scales], 1, 13, (2,), **attrs)
    sizes = np.array([1, 2, *rng.integers(1, 13, 2)], np.int64)
    return compare("Resize", [x, None, None, sizes], 1, 13, (3,), **attrs)


def gemm(rng: Rng) -> bool:
    m, k, n = (int(one) for one in rng.integers(1, 7, 3))
    attrs = {"transA": int(rng.integers(0, 2)), "transB": int(rng.integers(0, 2))}
    attrs |= {"alpha": float(rng.choice([1, 0.5])), "beta": float(rng.choice([1, 2]))}
    a = normal(rng, *((k, m) if attrs["transA"] else (m, k)))
    b = normal(rng, *((n, k) if attrs["transB"] else (k, n)))
    c = [normal(rng, n), normal(rng, m, n), normal(rng, m, 1), normal(rng, 1, n), normal(rng), None][rng.integers(6)]
    return compare("Gemm", [a, b, c], 1, int(rng.choice([11, 13])), (1,), **attrs)


def normalization(rng: Rng) -> bool:
    kind, channels = int(rng.integers(5)), int(rng.integers(1, 5))
    x = normal(rng, 2, channels, *rng.integers(2, 6, int(rng.integers(1, 3))))
    if kind == 0:
        return compare("LRN", [x], 1, 13, size=int(rng.integers(1, 6)), alpha=0.1, beta=0.75, bias=1.5)
    if kind == 1:
        return compare("InstanceNormalization", [x, normal(rng, channels), normal(rng, channels)], 1, 6)
    if kind == 2:
        axis = int(rng.integers(1, x.ndim))
        scale = normal(rng, *x.shape[axis:])
        return compare("LayerNormalization", [x, scale, scale], int(rng.integers(1, 4)), 17, axis=axis)
    if kind == 3:
        return compare("LpNormalization", [x], 1, 1, axis=int(rng.integers(0, x.ndim)), p=int(rng.integers(1, 3)))
    statistics = [normal(rng, channels) for _ in range(3)]
    return compare("BatchNormalization", [x, *statistics, np.abs(normal(rng, channels))], 1, 15, (1, 2, 3, 4))


def structure(rng: Rng) -> bool:
    kind, x = int(rng.integers(7)), normal(rng, *rng.integers(2, 6, 3))
    ints = lambda low, high, *shape: rng.integers(low, high, shape).astype(np.int64)  # noqa: E731
    axis = int(rng.integers(-3, 3))
    if kind == 0:
        starts, ends, steps = ints(-7, 7, 2), ints(-9, 9, 2), rng.choice([-2, -1, 1, 2], 2).astype(np.int64)
        return compare("Slice", [x, starts, ends, np.array([0, 2]), steps], 1, 13, (1, 2, 3, 4))
    if kind == 1:
        return compare("Gather", [x, ints(-2, 2, 2, 3)], 1, 13, axis=axis)
    if kind == 2:
        return compare("GatherElements", [x, ints(-2, 2, *x.shape)], 1, 13, axis=axis)
    if kind == 3:
        mode = str(rng.choice(["constant", "reflect", "edge"]))
        return compare("Pad", [x, ints(0, 2, 6), np.float32(1.5)], 1, 13, (1, 2), mode=mode)
    if kind == 4:
        largest = int(rng.integers(0, 2))
        return compare("TopK", [x, np.array([2])], 2, 11, (1,), axis=axis, largest=largest)
    if kind == 5:
        return compare(
            "CumSum",
            [x, np.array(axis)],
            1,
            14,
            (1,),
            exclusive=int(rng.integers(0, 2)),
            reverse=int(rng.integers(0, 2)),
        )
    reduction = str(rng.choice(["none", "add", "mul"]))
    places = np.stack([rng.permutation(x.shape[0])[:2], rng.integers(0, x.shape[1], 2)], -1).astype(np.int64)
    return compare("ScatterND", [x, places, normal(rng, 2, x.shape[2])], 1, 16, reduction=reduction)


def image(rng: Rng) -> bool:
    if rng.random() < 0.3:
        boxes, scores = rng.random((2, 9, 4)).astype(np.float32), rng.random((2, 3, 9)).astype(np.float32)
        limits = [np.array([4]), np.array([0.3], np.float32), np.array([0.2], np.float32)]
        options = {"center_point_box": int(rng.integers(0, 2))}
        return compare("NonMaxSuppression", [boxes, scores, *limits], 1, 11, (2, 3, 4), **options)
    x, grid = normal(rng, 2, 3, *rng.integers(2, 7, 2)), (rng.random((2, 3, 4, 2)) * 3 - 1.5).astype(np.float32)
    attrs = {
        "mode": str(rng.choice(["linear", "nearest", "cubic"])),
        "padding_mode": str(rng.choice(["zeros", "border", "reflection"])),
        "align_corners": int(rng.integers(0, 2)),
    }
    return compare("GridSample", [x, grid], 1, 20, **attrs)


FAMILIES = {
    "image": (image, 40),
    "conv": (conv, 40),
    "conv_transpose": (conv_transpose, 25),
    "pool": (pool, 50),
    "recurrent": (recurrent, 40),
    "resize": (resize, 40),
    "gemm": (gemm, 25),
    "normalization": (normalization, 30),
    "structure": (structure, 60),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_random_nodes_are_onnx_runtimes(name: str) -> None:
    make, count = FAMILIES[name]
    taken = sum(make(np.random.default_rng(seed)) for seed in range(count))
    assert taken >= count // 2
