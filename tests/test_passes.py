"""Graph passes: alone, off and together they leave the answer where the reference has it, and do what they say."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from cases.layers import randomize
from cases.models import MODELS, Array, data, make

import graphflow
from graphflow import Input, Model, ops
from graphflow.errors import ArgumentError
from graphflow.ir import Graph, GraphBuilder, verify
from graphflow.ir.record import Journal
from graphflow.layers import (
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Conv1D,
    Conv2D,
    Conv2DTranspose,
    Dense,
)
from graphflow.passes import PIPELINE, tune
from graphflow.runtime import Session
from graphflow.spec import TensorSpec

PASSES = {one.__name__: one for one in PIPELINE}
PAIRS = [",".join(pair) for pair in combinations(PASSES, 2)]


def tuned(name: str, **options: Any) -> Graph:
    graph = make(name).graph()
    tune(graph, **options)
    verify(graph)
    return graph


def counts(graph: Graph) -> Counter[str]:
    return Counter(node.op.name for node in graph.nodes)


def assert_near(actual: list[Array], expected: list[Array]) -> None:
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=0, atol=5e-5 * np.abs(other).max())


def reference(model: Model, x: Array) -> list[Array]:
    with graphflow.knobs(reference=True, passes_off="all"):
        return Session(model.graph()).run([x])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("off", ["", "all", *PASSES, *PAIRS])
def test_passes_off_leave_the_answer_where_it_is(name: str, off: str) -> None:
    model = make(name)
    x = data(name)
    expected = reference(model, x)
    assert max(np.abs(array).max() for array in expected) > 0
    with graphflow.knobs(passes_off=off, debug=3):
        assert_near(Session(model.graph()).run([x]), expected)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("only", PASSES)
def test_one_pass_alone_leaves_the_answer_where_it_is(name: str, only: str) -> None:
    model = make(name)
    x = data(name)
    graph = model.graph()
    before = len(graph)
    changed = PASSES[only](graph, journal := Journal())
    verify(graph)
    assert changed == bool(journal.records)
    assert {record.rule for record in journal.records} <= {only}
    assert len(graph) <= before or only == "fold_scale"
    with graphflow.knobs(reference=True, passes_off="all"):
        assert_near(Session(graph).run([x]), reference(model, x))


@pytest.mark.parametrize("name", MODELS)
def test_running_the_passes_again_changes_nothing(name: str) -> None:
    graph = tuned(name)
    before = counts(graph)
    assert tune(graph).records == []
    assert counts(graph) == before


@pytest.mark.parametrize(
    ("name", "maker"), [("conv_bn_relu", "conv"), ("dense_bn", "dense"), ("channels_first", "conv")]
)
def test_batch_norm_is_folded_away(name: str, maker: str) -> None:
    assert counts(make(name).graph())["batch_norm"] == 1
    found = counts(tuned(name))
    assert found["batch_norm"] == 0
    assert found[maker] == counts(make(name).graph())[maker]


def ancestors(node: Any) -> set[Any]:
    found, stack = set(), list(node.inputs)
    while stack:
        value = stack.pop()
        if value is not None and value not in found:
            found.add(value)
            stack.extend(value.node.inputs if value.node is not None else ())
    return found


def run_counts(graph: Graph) -> Counter[str]:
    """How often each op is computed in every run."""
    return Counter(node.op.name for node in graph.nodes if any(value.kind == "input" for value in ancestors(node)))


FUSED: dict[str, dict[str, int]] = {
    "conv_bn_relu": {"conv": 1},
    "dense_bn": {"dense": 1},
    "residual": {"conv": 2},
    "residual_identity": {"conv": 2},
    "residual_dense": {"dense": 2},
    "shared_value": {"conv": 1, "chain": 1},
    "shared_before_norm": {"conv": 1, "batch_norm": 1},
    "output_in_between": {"dense": 1, "relu": 1},
    "activation_chain": {"dense": 1, "chain": 1, "softmax": 1},
    "twice_the_same": {"dense": 1, "add": 1},
    "bias_by_hand": {"dense": 1},
    "gated": {"dense": 2, "multiply": 1},
    "unused_work": {"dense": 1},
    "padded": {"conv": 2, "max_pool": 2, "pad": 1},
    "padded_channels_first": {"transpose": 2, "conv": 1},
    "padded_too_much": {"relu": 1, "pad": 2, "max_pool": 1, "conv": 1},
    "computed_twice": {"dense": 2, "sigmoid": 1, "concatenate": 1},
    "mobile": {"inverted_residual": 3, "conv": 1},
    "both_ways": {"lstm": 5, "gru": 3, "rnn": 1, "concatenate": 2, "add": 1, "multiply": 1, "flip": 2},
    "nothing": {},
}


@pytest.mark.parametrize("name", FUSED)
def test_what_runs_after_tuning_is_this_and_nothing_else(name: str) -> None:
    assert dict(run_counts(tuned(name))) == FUSED[name]


def test_transposes_that_undo_each_other_are_gone() -> None:
    assert counts(tuned("identities"))["transpose"] == 0
    assert counts(tuned("identities"))["linear"] == 0


def test_a_channels_first_model_is_transposed_once_where_it_begins() -> None:
    assert counts(make("channels_first").graph())["transpose"] > 3
    assert counts(tuned("channels_first"))["transpose"] == 1


def test_epilogues_hold_what_they_took_in() -> None:
    (conv,) = (node for node in tuned("conv_bn_relu").nodes if node.op.name == "conv")
    assert conv.attrs["activation"][0] == "relu"
    assert conv.inputs[2] is not None
    last = list(tuned("residual").ordered())[-1]
    assert last.op.name == "conv"
    assert last.inputs[3] is not None
    assert last.attrs["activation"][0] == "relu"
    (dense,) = (node for node in tuned("bias_by_hand").nodes if node.op.name == "dense")
    assert dense.inputs[2] is not None and dense.inputs[2].spec == TensorSpec((5,))


def test_a_value_that_leaves_the_model_is_never_fused_away() -> None:
    x = Input((4,))
    hidden = Dense(6)(x)
    normed = BatchNormalization()(hidden)
    model = Model(x, [hidden, normed, Activation("relu")(normed), Activation("relu")(hidden)])
    randomize(model)
    given = np.random.default_rng(0).standard_normal((3, 4)).astype("float32")
    graph = model.graph()
    tune(graph)
    verify(graph)
    assert run_counts(graph) == {"dense": 1, "batch_norm": 1, "relu": 2}
    assert_near(model.predict(given), reference(model, given))


def test_statistics_that_change_are_not_folded() -> None:
    x = Input((4,))
    model = Model(x, BatchNormalization()(Dense(6)(x)))
    graph = model.graph(training=True)
    tune(graph)
    assert counts(graph)["batch_norm"] == 1


def test_a_convolution_with_an_activation_of_its_own_keeps_the_norm_behind_it() -> None:
    x = Input((7, 7, 3))
    model = Model(x, BatchNormalization()(Conv2D(4, 3, activation="tanh")(x)))
    randomize(model)
    graph = model.graph()
    tune(graph)
    assert run_counts(graph) == {"conv": 1, "batch_norm": 1}
    given = np.random.default_rng(0).standard_normal((2, 7, 7, 3)).astype("float32")
    assert_near([model.predict(given)], reference(model, given))


@pytest.mark.parametrize("groups", [1, 2])
def test_a_folded_norm_scales_each_filter_of_each_group(groups: int) -> None:
    x = Input((9, 4))
    model = Model(x, BatchNormalization()(Conv1D(6, 3, groups=groups)(x)))
    randomize(model)
    given = np.random.default_rng(0).standard_normal((3, 9, 4)).astype("float32")
    assert_near([model.predict(given)], reference(model, given))


def test_a_residual_of_another_shape_is_added_apart() -> None:
    a, b = Input((6, 6, 3)), Input((1, 1, 4))
    model = Model([a, b], Add()([Conv2D(4, 3)(a), b]))
    graph = model.graph()
    tune(graph)
    assert run_counts(graph) == {"conv": 1, "add": 1}


def test_constants_are_computed_once_when_small() -> None:
    builder = GraphBuilder()
    x = builder.input(TensorSpec((None, 4)), "x")
    small = builder.apply(ops.OPS["exponential"], [np.zeros(4, "float32")], {})
    builder.output(x + small, "y")
    tune(builder.graph)
    (add,) = builder.graph.nodes
    np.testing.assert_array_equal(add.inputs[1].payload, np.ones(4))
    large = GraphBuilder()
    x = large.input(TensorSpec((None, 1)), "x")
    wide = large.apply(ops.OPS["broadcast_to"], [np.zeros((1, 1), "float32")], {"shape": (1, 1_000_000)})
    large.output(x + wide, "y")
    tune(large.graph)
    assert counts(large.graph)["broadcast_to"] == 1


def test_the_pipeline_stops_after_a_named_pass() -> None:
    assert counts(tuned("conv_bn_relu", until="remove_identities"))["batch_norm"] == 1
    folded = tuned("conv_bn_relu", until="fold_scale")
    assert counts(folded)["batch_norm"] == 0
    assert counts(folded)["relu"] == 1
    assert counts(tuned("conv_bn_relu", until="fuse_epilogue"))["relu"] == 0
    with pytest.raises(ArgumentError, match="'fuse_epilogue'"):
        tune(make("gated").graph(), until="fuse_epilogues")


def test_the_journal_says_what_happened_where() -> None:
    model = make("conv_bn_relu")
    conv, norm, relu = model.layers[1:]
    records = [(one.rule, one.origin, one.into) for one in Session(model.graph()).journal.records]
    assert ("fold_scale", (norm.name,), (conv.name,)) in records
    assert ("fuse_epilogue", (relu.name,), (conv.name,)) in records
    assert any(conv.name in one.what for one in Session(model.graph()).journal.records)


def _check_folded(model: Model, left: dict[str, int], shape: tuple[int, ...] = (3, 7, 7, 4)) -> None:
    randomize(model)
    graph = model.graph()
    tune(graph)
    verify(graph)
    assert run_counts(graph) == left
    given = np.random.default_rng(1).standard_normal(shape).astype("float32")
    assert_near(Session(model.graph()).run([given]), reference(model, given))


VECTOR = np.linspace(0.5, 2.0, 6, dtype="float32")


@pytest.mark.parametrize(
    "after",
    [
        lambda y: y * 0.5 - 3.0,
        lambda y: 2.0 - y * VECTOR,
        lambda y: ops.negative(y / VECTOR) + VECTOR.reshape(1, 1, 1, 6),
        lambda y: BatchNormalization()(BatchNormalization()(y) * VECTOR + 1.0),
    ],
)
@pytest.mark.parametrize(
    "maker", [Conv2D(6, 3), Conv2D(6, 3, groups=2, use_bias=False), Conv2DTranspose(6, 3, strides=2), Dense(6)]
)
def test_a_run_of_scales_and_shifts_joins_the_product_before_it(maker: Any, after: Any) -> None:
    x = Input((7, 7, 4))
    y = type(maker).from_config(maker.get_config())(x)
    name = {"Conv2D": "conv", "Conv2DTranspose": "conv_transpose", "Dense": "dense"}[type(maker).__name__]
    _check_folded(Model(x, after(y)), {name: 1})


@pytest.mark.parametrize(
    "other", [lambda y: y * ops.sum(y, axis=-1, keepdims=True), lambda y: y * y, lambda y: 2.0 / y]
)
def test_what_is_no_known_scale_stays(other: Any) -> None:
    x = Input((7, 7, 4))
    model = Model(x, other(Conv2D(6, 3)(x)))
    graph = model.graph()
    tune(graph)
    assert sum(run_counts(graph).values()) > 1


def test_a_scale_behind_a_value_used_elsewhere_stays() -> None:
    x = Input((7, 7, 4))
    y = Conv2D(6, 3)(x)
    _check_folded(Model(x, [y, y * 2.0]), {"conv": 1, "multiply": 1})


CHANNELS = np.array([0.2, 1.0, 3.0, 0.5], "float32")


@pytest.mark.parametrize(
    ("before", "maker", "left"),
    [
        (lambda x: x * CHANNELS, lambda: Conv2D(6, 3, padding="same"), {"conv": 1}),
        (lambda x: x / 127.5 - 1.0, lambda: Conv2D(6, 3, strides=2), {"conv": 1}),
        (lambda x: (x - CHANNELS) / CHANNELS, lambda: Dense(6), {"dense": 1}),
        (lambda x: x * CHANNELS, lambda: Conv2DTranspose(6, 3), {"conv_transpose": 1}),
        (lambda x: x * 0.25 + 1.0, lambda: Conv2D(6, 3, groups=2), {"conv": 1}),
        # the border is zero behind the shift, not before it
        (lambda x: x * CHANNELS + 1.0, lambda: Conv2D(6, 3, padding="same"), {"batch_norm": 1, "conv": 1}),
        (lambda x: x + CHANNELS, lambda: Conv2DTranspose(6, 3), {"add": 1, "conv_transpose": 1}),
        (lambda x: x * CHANNELS, lambda: Conv2D(6, 3, groups=2), {"multiply": 1, "conv": 1}),
    ],
)
def test_scales_and_shifts_before_a_product_join_it(before: Any, maker: Any, left: dict[str, int]) -> None:
    x = Input((7, 7, 4))
    _check_folded(Model(x, maker()(before(x))), left)


def test_a_scale_behind_a_concatenation_joins_every_part() -> None:
    x = Input((7, 7, 4))
    parts = [Conv2D(2, 3, padding="same")(x), Conv2D(3, 1)(x), Conv2DTranspose(1, 1)(x)]
    model = Model(x, BatchNormalization()(Concatenate()(parts)) * VECTOR)
    _check_folded(model, {"conv": 2, "conv_transpose": 1, "concatenate": 1})
    mixed = Model(x, BatchNormalization()(Concatenate()([Conv2D(2, 1)(x), x])))
    _check_folded(mixed, {"conv": 1, "concatenate": 1, "batch_norm": 1})
    along = Model(x, Concatenate(axis=1)([Conv2D(6, 1)(x), Conv2D(6, 1)(x)]) * VECTOR)
    _check_folded(along, {"conv": 2, "concatenate": 1, "multiply": 1})


def test_scales_and_shifts_that_stay_are_one() -> None:
    x = Input((7, 7, 4))
    _check_folded(Model(x, ops.relu((x * CHANNELS + 1.0) / 3.0)), {"batch_norm": 1})


def _chained(build: Any, left: dict[str, int], shape: tuple[int, ...] = (3, 7, 7, 4)) -> None:
    x = Input(shape[1:])
    model = Model(x, build(x))
    randomize(model)
    graph = model.graph()
    tune(graph)
    verify(graph)
    assert run_counts(graph) == left
    given = np.random.default_rng(1).standard_normal(shape).astype("float32")
    chained = Session(model.graph()).run([given])
    assert_near(chained, reference(model, given))
    with graphflow.knobs(passes_off="fuse_elementwise"):
        for one, other in zip(chained, Session(model.graph()).run([given]), strict=True):
            np.testing.assert_array_equal(one, other)


def test_elementwise_ops_are_one_loop_with_the_same_bits() -> None:
    _chained(lambda x: x * ops.sigmoid(x), {"chain": 1})
    _chained(lambda x: ops.tanh(x * CHANNELS + 1.0) * 0.5 - ops.square(x), {"chain": 1, "batch_norm": 1})
    _chained(lambda x: ops.maximum(x, 0.1 * x) / (1.0 + ops.exp(x)), {"chain": 1})


def test_a_chain_ends_where_a_value_is_used_outside() -> None:
    def build(x: Any) -> Any:
        y = ops.tanh(ops.square(x))
        return [ops.sum(y, axis=-1), ops.exp(y) * x]

    _chained(build, {"chain": 2, "sum": 1})


def test_a_gate_broadcasts_into_a_chain() -> None:
    def build(x: Any) -> Any:
        gate = ops.mean(x, axis=(1, 2), keepdims=True)
        return ops.relu(x * ops.sigmoid(gate) + x * 2.0)

    _chained(build, {"mean": 1, "sigmoid": 1, "chain": 1})


def test_long_chains_are_cut() -> None:
    def build(x: Any) -> Any:
        for _ in range(5):
            x = ops.tanh(x * 1.5)
        x = ops.sin(x)
        for _ in range(18):
            x = ops.sigmoid(x * 1.5)
        return x

    _chained(build, {"chain": 3, "sin": 1})  # 18 links behind the sine, 16 in a chain at most


def test_a_chain_of_many_operands_is_cut() -> None:
    inputs = [Input((5,)) for _ in range(9)]
    y = inputs[0]
    for other in inputs[1:]:
        y = ops.tanh(y) - other
    graph = Model(inputs, y).graph()
    tune(graph)
    assert run_counts(graph) == {"chain": 2}
    assert max(len(node.inputs) for node in graph.nodes) <= 6
