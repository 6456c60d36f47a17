"""How steps of two engines are laid side by side."""

from __future__ import annotations

from benchmarks.profiles import Row, Step, layer_of, layers_before, node_times, side_by_side
from graphflow import Input, Model
from graphflow.inspect import explain
from graphflow.layers import Add, BatchNormalization, Conv2D, Dense, Flatten, ReLU


def event(name: str, op: str, index: int, dur: int) -> dict[str, object]:
    return {"cat": "Node", "name": name, "dur": dur, "args": {"op_name": op, "node_index": str(index)}}


def test_a_node_has_the_median_of_its_times() -> None:
    events = [event("a/Relu_kernel_time", "Relu", 0, dur) for dur in (9, 3, 4)]
    others = [event("a/Relu_fence_before", "Relu", 0, 50), {"cat": "Session", "name": "model_run", "dur": 70}]
    assert node_times([*others, *events, event("a/Relu_kernel_time", "Relu", 1, 6)]) == [
        Step("a/Relu", "Relu", 4),
        Step("a/Relu", "Relu", 6),
    ]


def test_the_longest_layer_in_a_nodes_name_counts() -> None:
    layers = ["relu", "relu_1", "both", "both/left"]
    assert layer_of("net_1/relu_1/Relu:0_nchwc", layers, numbered=True) == "relu"
    assert layer_of("net_1/relu_1_2/Relu", layers, numbered=True) == "relu_1"
    assert layer_of("net_1/relu_1/Relu", layers, numbered=False) == "relu_1"
    assert layer_of("both/left/LSTM", layers, numbered=False) == "both/left"
    assert layer_of("Conv__349:0_nchwc", layers, numbered=True) is None


def test_layers_without_a_step_count_where_they_were_joined_or_else_before() -> None:
    own = [Step("conv", "conv_nhwc_f32", 3.0), Step("dense", "gemm_f32", 1.0)]
    peer = [
        Step("Reorder_1", "Reorder", 0.5),
        Step("conv/Conv", "Conv", 2.0),
        Step("relu/Relu", "Relu", 4.0),
        Step("flatten/Reshape", "Reshape", 8.0),
        Step("fused dense/MatMul", "FusedGemm", 16.0),
        Step("Reorder_2", "Reorder", 32.0),
    ]
    before = {"relu": "conv", "flatten": "relu", "dense": "flatten"}
    assert side_by_side(own, peer, {"relu": "conv"}, before, False) == [
        Row("conv", 3.0, 14.5, "conv_nhwc_f32", "Reorder, Conv, Relu, Reshape"),
        Row("dense", 1.0, 48.0, "gemm_f32", "FusedGemm, Reorder"),
    ]


def test_records_of_a_model_say_where_its_layers_went() -> None:
    x = Input((8, 8, 3), name="x")
    y = ReLU(name="relu")(BatchNormalization(name="norm")(Conv2D(4, 3, padding="same", name="first")(x)))
    z = Add(name="sum")([Conv2D(4, 1, name="second")(y), y])
    model = Model(x, Dense(2, name="dense")(Flatten(name="flat")(z)))
    into = {one.layer: one.into for one in explain(model).changes}
    assert (into["norm"], into["relu"], into["sum"]) == ("first", "first", "second")
    before = layers_before(model)
    assert before == {
        "first": "x",
        "norm": "first",
        "relu": "norm",
        "second": "relu",
        "sum": "second",
        "flat": "sum",
        "dense": "flat",
    }
