"""Graphs for networkx and back: equal outputs, nothing lost, and what can not be built refused."""

from __future__ import annotations

from typing import Any

import networkx as nx
import numpy as np
import pytest
from graphs.random_models import Halves, arrays_for, models
from hypothesis import given
from hypothesis import strategies as st

from graphflow import Input, Model, Session, ops
from graphflow.errors import ArgumentError, ArgumentTypeError, GraphError, UnsupportedError
from graphflow.inspect.graphs import from_networkx, graph_data, to_networkx
from graphflow.layers import LSTM, RNN, Add, Conv2D, Dense, Flatten, SimpleRNNCell
from graphflow.models.graph_model import GraphModel, ValueSpec


def assert_equal_outputs(ours: Any, model: Any, arrays: list[Any]) -> None:
    for found, expected in zip(as_list(ours.predict(arrays)), as_list(model.predict(arrays)), strict=True):
        np.testing.assert_array_equal(found, expected)


def as_list(outputs: Any) -> list[Any]:
    return outputs if isinstance(outputs, list) else [outputs]


@given(models(), st.booleans())
def test_layers_go_to_networkx_and_back(model: Model, expand: bool) -> None:
    graph = to_networkx(model, expand_nested=expand)
    assert nx.is_directed_acyclic_graph(graph)
    again = from_networkx(graph)
    assert_equal_outputs(again, model, arrays_for(model))
    assert again.count_params() == model.count_params()
    for variable in model.variables:
        variable.assign(variable.value + 1)
    assert not any(np.may_share_memory(a.value, b.value) for a in model.variables for b in again.variables)


@given(models())
def test_operations_go_to_networkx_and_back(model: Model) -> None:
    graph = to_networkx(model, "op")
    assert nx.is_directed_acyclic_graph(graph)
    assert_equal_outputs(from_networkx(graph), model, arrays_for(model))
    assert sum(held["flops"] for _, held in graph.nodes(data=True)) == sum(
        held["flops"] for _, held in to_networkx(model, expand_nested=True).nodes(data=True)
    )


@given(models(), st.sampled_from(["layer", "op", "plan"]))
def test_nodes_come_after_their_inputs_and_groups_stand_together(model: Model, level: str) -> None:
    data = graph_data(model, level, expand_nested=True)
    place = {node.id: index for index, node in enumerate(data.nodes)}
    assert len(place) == len(data.nodes)
    assert all(place[edge.source] < place[edge.target] for edge in data.edges)
    met: set[str] = set()
    before: tuple[str, ...] = ()
    for node in data.nodes:
        entered = set(node.path) - set(before)
        assert not entered & met
        met |= entered
        before = node.path
    assert met == set(data.groups)


def test_two_edges_between_the_same_nodes_are_both_kept() -> None:
    x = Input((4,), name="x")
    graph = to_networkx(Model(x, Add(name="sum")([x, x])))
    assert graph.edges["x", "sum"]["tensors"] == [(0, 0), (0, 1)]
    first, second = Halves(name="halves")(x)
    graph = to_networkx(Model(x, Add(name="sum")([second, first])))
    assert graph.edges["halves", "sum"]["tensors"] == [(1, 0), (0, 1)]


def test_attributes_say_what_the_layers_are() -> None:
    x = Input((8, 8, 3), name="x")
    model = Model(x, Dense(5, name="y")(Flatten(name="flat")(Conv2D(2, 3, name="conv")(x))))
    graph = to_networkx(model)
    conv = graph.nodes["conv"]
    assert (conv["kind"], conv["shapes"], conv["dtypes"]) == ("Conv2D", [(None, 6, 6, 2)], ["float32"])
    assert (conv["parameters"], conv["macs"], conv["bytes"]) == (56, 6 * 6 * 2 * 27, 6 * 6 * 2 * 4)
    assert conv["config"]["kernel_size"] == (3, 3)
    assert graph.edges["x", "conv"]["shapes"] == [(None, 8, 8, 3)]
    plan = to_networkx(model, "plan", input_shapes=(4, 8, 8, 3))
    assert plan.nodes["conv/conv"]["shapes"] == [(4, 6, 6, 2)]
    assert plan.nodes["conv/conv"]["macs"] == 4 * 6 * 6 * 2 * 27
    assert plan.graph["details"]["arena_bytes"] > 0


def test_seconds_of_a_profile_find_their_layers() -> None:
    x = Input((4,), name="x")
    model = Model(x, Dense(2, name="y")(Model(x, Dense(3, name="inside")(x), name="inner")(x)))
    seconds = {"y": 2.0, "inner/inside": 3.0}
    assert to_networkx(model, times=seconds).nodes["inner"]["seconds"] == 3.0
    expanded = to_networkx(model, expand_nested=True, times=seconds)
    assert nx.get_node_attributes(expanded, "seconds") == {
        "x": None, "inner/x": None, "inner/inside": 3.0, "y": 2.0,
    }  # fmt: skip
    for node in expanded:
        for target in expanded.successors(node):
            expanded.edges[node, target]["weight"] = expanded.nodes[target]["seconds"] or 0
    assert nx.dag_longest_path(expanded)[-1] == "y"


def test_an_edited_graph_is_another_model() -> None:
    x = Input((4,), name="x")
    model = Model(x, Dense(2, name="y")(Dense(4, activation="relu", name="middle")(x)))
    graph = to_networkx(model)
    graph.remove_node("middle")
    graph.add_edge("x", "y", tensors=[(0, 0)])
    rows = np.ones((2, 4), "float32")
    kernel, bias = model.get_layer("y").get_weights()
    np.testing.assert_allclose(from_networkx(graph).predict(rows), rows @ kernel + bias, rtol=1e-6)
    graph.nodes["y"]["config"]["units"] = 3
    with pytest.raises(GraphError, match="weights of shapes"):
        from_networkx(graph)
    graph.nodes["y"]["source"] = None
    assert from_networkx(graph).output_shape == (None, 3)
    graph.remove_edge("x", "y")
    with pytest.raises(GraphError, match="takes 1 tensors; edges lead to its inputs \\[\\]"):
        from_networkx(graph)


def test_what_is_no_graph_of_ours_is_refused() -> None:
    x = Input((4,), name="x")
    model = Model(x, Dense(2, name="y")(Dense(4, name="middle")(x)))
    with pytest.raises(ArgumentTypeError, match="DiGraph"):
        from_networkx(nx.DiGraph())
    with pytest.raises(UnsupportedError, match="level 'plan'"):
        from_networkx(to_networkx(model, "plan"))
    with pytest.raises(UnsupportedError, match="Session has no graph of layers"):
        to_networkx(model.session(), "layer")
    with pytest.raises(ArgumentError, match="'layer', 'op', 'plan'"):
        to_networkx(model, "layers")
    graph = to_networkx(model)
    graph.add_edge("y", "middle", tensors=[(0, 0)])
    with pytest.raises(GraphError, match="cycle"):
        from_networkx(graph)
    graph = to_networkx(model)
    graph.add_edge("x", "y", tensors=[(0, 0)])
    with pytest.raises(GraphError, match="Two edges lead to input 0 of node 'y'"):
        from_networkx(graph)
    graph = to_networkx(model)
    graph.edges["middle", "y"]["tensors"] = [(2, 0)]
    with pytest.raises(GraphError, match="there is no output 2"):
        from_networkx(graph)


def test_states_and_bodies_of_operation_graphs_are_kept() -> None:
    x = Input(batch_shape=(2, 3, 4), name="x")
    hidden = LSTM(3, stateful=True, return_sequences=True, name="lstm")(x)
    model = Model(x, RNN([SimpleRNNCell(2), SimpleRNNCell(2)], name="rnn")(hidden))
    rows = np.random.default_rng(1).standard_normal((2, 3, 4)).astype("float32")
    again = from_networkx(to_networkx(model, "op"))
    expected = [model.predict(rows) for _ in range(2)]
    model.reset_states()
    for one in expected:
        np.testing.assert_array_equal(again.predict(rows), one)
    assert not np.array_equal(*expected)


def test_sessions_and_graphs_have_operations() -> None:
    x = Input((4,), name="x")
    model = Model(x, Dense(2, name="y")(x))
    names = ["x", "y/dense"]
    for subject in (model, model.session(), model.graph(), Session(model.graph())):
        assert list(to_networkx(subject, "op")) == names
        assert list(to_networkx(subject, "plan")) == names
    assert list(to_networkx(model.session())) == names


class Halved:
    """A program of ops, as files of other systems become."""

    variables = ()

    def __call__(self, operands: Any, scope: Any) -> Any:
        with scope(("part", "half")):
            return [ops.multiply(operands[0], 0.5), ops.concatenate([operands[0], operands[0]], axis=0)]


def test_models_without_layers_have_operations() -> None:
    outputs = [ValueSpec("y", None, "float32"), ValueSpec("z", None, "float32")]
    model = GraphModel(Halved(), [ValueSpec("x", (None, 2), "float32")], outputs, "halved")
    graph = to_networkx(model)
    assert graph.graph["level"] == "op"
    assert list(graph) == ["x", "part/half/multiply", "part/half/concatenate"]
    assert graph.edges["x", "part/half/concatenate"]["tensors"] == [(0, 0), (0, 1)]
    rows = np.ones((3, 2), "float32")
    for found, expected in zip(from_networkx(graph).run([rows]), model.run([rows]), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert next(iter(to_networkx(model, "plan", input_shapes=(3, 2)))) == "x"
    with pytest.raises(UnsupportedError, match="GraphModel has no graph of layers"):
        to_networkx(model, "layer")
    free = GraphModel(Halved(), [ValueSpec("x", None, "float32")], outputs, "free")
    assert to_networkx(free, input_shapes=[(4, 2)]).nodes["part/half/concatenate"]["shapes"] == [(8, 2)]
    assert model._repr_svg_().startswith("<svg")
