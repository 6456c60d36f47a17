"""The operation graph: what is legal is checked, edits keep the uses right, and it goes to text and data and back."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from cases.models import MODELS, as_list, data, make

from graphflow import Input, Model, ops
from graphflow.errors import ArgumentTypeError, GraphError
from graphflow.ir import Graph, GraphBuilder, Node, format_graph, verify
from graphflow.ir.data import from_data, to_data
from graphflow.layers import LSTM, Dense
from graphflow.ops.shape import reshape_to, shape
from graphflow.runtime import Session
from graphflow.spec import TensorSpec
from graphflow.variable import Variable


def small() -> tuple[Graph, list[Node]]:
    """x -> relu -> (add with itself) -> output."""
    builder = GraphBuilder("small")
    x = builder.input(TensorSpec((None, 3)), "x")
    y = ops.relu(x)
    builder.output(y + y, "y")
    return builder.graph, list(builder.graph.nodes)


@pytest.mark.parametrize("name", MODELS)
def test_lowered_graphs_are_legal_and_survive_data_and_pickle(name: str) -> None:
    model = make(name)
    graph = model.graph()
    verify(graph)
    again = from_data(to_data(graph))
    verify(again)
    assert format_graph(again) == format_graph(graph)
    assert to_data(again)["nodes"] == to_data(graph)["nodes"] or name == "mixed"
    if name == "mixed":
        return
    data_form = pickle.loads(pickle.dumps(to_data(graph)))
    x = data(name)
    for actual, expected in zip(Session(from_data(data_form)).run([x]), as_list(model.predict(x)), strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_text_shows_every_value_once() -> None:
    model = make("residual_dense")
    text = format_graph(model.graph())
    lines = text.splitlines()
    assert lines[0] == "graph residual_dense"
    assert lines[1] == "  input %x float32(None, 6)"
    assert lines[2].startswith("  %0 float32(None, 8) = dense(%x, @")
    assert lines[2].endswith("/kernel, @" + model.layers[1].name + "/bias, -)  # " + model.layers[1].name)
    assert lines[-2].startswith("  %3 float32(None, 8) = tanh(%2)")
    assert lines[-1].endswith("= %3")


def test_text_of_several_outputs_and_updates() -> None:
    x = Input(batch_shape=(2, 3, 4))
    model = Model(x, LSTM(5, stateful=True, name="memory")(x))
    text = format_graph(model.graph())
    assert "%0.0 float32(2, 5), %0.1 float32(2, 5), %0.2 float32(2, 5) = lstm(" in text
    assert "update @memory/state_0 = %0.1" in text
    assert "update @memory/state_1 = %0.2" in text
    verify(model.graph())


def test_uses_are_counted_and_replaced_everywhere() -> None:
    graph, (relu, add) = small()
    value = relu.outputs[0]
    assert value.uses == {add: 2}
    assert value.use_count == 2
    graph.replace_uses(value, graph.inputs[0])
    assert add.inputs == (graph.inputs[0], graph.inputs[0])
    assert value.uses == {}
    assert graph.inputs[0].uses == {relu: 1, add: 2}
    verify(graph)
    graph.remove(relu)
    assert list(graph.nodes) == [add]
    verify(graph)
    graph.replace_uses(add.outputs[0], graph.inputs[0])
    assert graph.outputs == [graph.inputs[0]]


def test_what_leaves_the_graph_follows_its_edits() -> None:
    graph, (relu, add) = small()
    first, last = relu.outputs[0], add.outputs[0]
    state = Variable(np.zeros((2, 3), "float32"), "state", "state")
    graph.add_output(last, "again")
    graph.add_output(first, "early")
    graph.add_update(state, first)
    assert [graph.is_output(value) for value in (graph.inputs[0], first, last)] == [False, True, True]
    graph.replace_uses(first, last)
    assert graph.outputs == [last, last, last]
    assert graph.updates == [(state, last)]
    assert not graph.is_output(first)
    graph.replace_uses(last, graph.inputs[0])
    assert set(graph.results()) == {graph.inputs[0]}
    assert graph.is_output(graph.inputs[0])
    graph.remove(add)


def test_other_outputs_leave_the_graph_as_it_was() -> None:
    graph, (relu, add) = small()
    seen = graph.with_outputs([relu.outputs[0]], ["relu"])
    assert (seen.outputs, seen.output_names) == ([relu.outputs[0]], ["relu"])
    assert seen.is_output(relu.outputs[0])
    assert not seen.is_output(add.outputs[0])
    assert graph.outputs == [add.outputs[0]]
    assert graph.is_output(add.outputs[0])
    assert not graph.is_output(relu.outputs[0])


def test_a_node_in_use_can_not_be_removed() -> None:
    graph, (relu, add) = small()
    for node in (relu, add):
        with pytest.raises(GraphError, match=f"{node.op.name}.*outputs are used"):
            graph.remove(node)


def test_order_puts_producers_first_whatever_was_added_first() -> None:
    graph, (relu, add) = small()
    late = graph.add(ops.OPS["tanh"], [graph.inputs[0]], {}, [graph.inputs[0].spec])
    graph.set_inputs(relu, [late.outputs[0]])
    assert graph.ordered() == [late, relu, add]
    verify(graph)


def broken(change: Any) -> Graph:
    graph, nodes = small()
    change(graph, *nodes)
    return graph


def make_cycle(graph: Graph, relu: Node, add: Node) -> None:
    graph.set_inputs(relu, [add.outputs[0]])


def change_spec(graph: Graph, relu: Node, add: Node) -> None:
    relu.outputs[0].spec = TensorSpec((None, 4))


def hide_a_use(graph: Graph, relu: Node, add: Node) -> None:
    graph.inputs[0].uses.clear()


def take_a_stranger(graph: Graph, relu: Node, add: Node) -> None:
    other, _ = small()
    graph.set_inputs(relu, [other.inputs[0]])


def give_a_stranger(graph: Graph, relu: Node, add: Node) -> None:
    _, (other, _) = small()
    graph.add_output(other.outputs[0], "other")


def swap_producers(graph: Graph, relu: Node, add: Node) -> None:
    relu.outputs[0].node = add


def say_another_stage(graph: Graph, relu: Node, add: Node) -> None:
    relu.outputs[0].stage = "bind"


def update_with_another_rank(graph: Graph, relu: Node, add: Node) -> None:
    graph.add_update(Variable(np.zeros(3, "float32"), "state", "state"), add.outputs[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (make_cycle, "cycle"),
        (change_spec, "inference says"),
        (hide_a_use, "uses of"),
        (take_a_stranger, "does not compute before"),
        (give_a_stranger, "not computed by this graph"),
        (say_another_stage, "said to be 'bind', it is 'run'"),
        (swap_producers, "does not know its producer|cycle"),
        (update_with_another_rank, "update of"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_not_legal_is_found(change: Any, message: str) -> None:
    with pytest.raises(GraphError, match=message):
        verify(broken(change))


def test_a_copy_is_the_same_graph_and_edits_of_one_leave_the_other() -> None:
    x, y = Input((5, 3)), Input((None, 3))
    both = reshape_to(ops.add(LSTM(4, return_sequences=True, stateful=False)(x), 2.0), (-1, shape(y)[1] * 4))
    graph = Model([x, y], [both, Dense(2)(x)]).graph()
    copied = graph.copied()
    verify(copied)
    assert format_graph(copied) == format_graph(graph) == format_graph(from_data(to_data(graph)))
    known = [[value.known is None for node in one.ordered() for value in node.outputs] for one in (graph, copied)]
    assert known[0] == known[1] and not all(known[0])
    assert not set(copied.nodes) & set(graph.nodes)
    assert not {v for n in copied.nodes for v in (*n.inputs, *n.outputs) if v} & {
        v for n in graph.nodes for v in n.inputs
    }
    assert copied.variables() == graph.variables()
    before = format_graph(graph)
    Session(copied)
    for node in reversed(copied.ordered()):
        copied.set_inputs(node, [])
    verify(graph)
    assert format_graph(graph) == before


def test_a_graph_that_takes_from_another_is_not_copied() -> None:
    with pytest.raises(GraphError, match="from another graph"):
        broken(take_a_stranger).copied()


def test_tensors_of_two_graphs_do_not_mix() -> None:
    first, second = GraphBuilder(), GraphBuilder()
    x = first.input(TensorSpec((2,)), "x")
    y = second.input(TensorSpec((2,)), "y")
    with pytest.raises(ArgumentTypeError, match="one graph was used in another"):
        ops.add(x, y)
    with pytest.raises(ArgumentTypeError, match="no numbers until the model runs"):
        np.asarray(x)
    with pytest.raises(ArgumentTypeError, match="truth"):
        bool(x > 0)


def test_stages_tell_what_can_be_computed_before_a_run() -> None:
    builder = GraphBuilder()
    x = builder.input(TensorSpec((None, 3)), "x")
    weight, state = Variable(np.ones((3, 3), "float32")), Variable(np.ones(3, "float32"), role="state")
    with builder.tracing():
        const = ops.full_like(builder.as_value(np.ones(3, "float32")).payload, 2.0)
        bound = ops.exp(weight) * 2.0
        moving = ops.tanh(state)
        builder.output(ops.matmul(x, bound) + moving + const, "y")
    found = {node.op.name: node.outputs[0].stage for node in builder.graph.nodes}
    assert found["exponential"] == "bind"
    assert found["multiply"] == "bind"
    assert found["tanh"] == "run"
    assert found["dense"] == "run"
    assert found["add"] == "run"


def test_stages_follow_edits_through_everything_behind() -> None:
    builder = GraphBuilder()
    x = builder.input(TensorSpec((3,)), "x")
    y = x
    for _ in range(4):
        y = ops.tanh(ops.relu(y))
    builder.output(y, "y")
    graph = builder.graph
    weight, constant = graph.variable(Variable(np.ones(3, "float32"))), graph.add_constant(np.ones(3), x.spec)
    for leaf, stage in ((weight, "bind"), (constant, "const"), (x.value, "run"), (weight, "bind")):
        (first,) = [node for node in graph.nodes if node.inputs[0] is not None and node.inputs[0].node is None]
        graph.replace_uses(first.inputs[0], leaf)
        assert {value.stage for node in graph.nodes for value in node.outputs} == {stage}
        verify(graph)


def test_variables_stand_for_themselves_once() -> None:
    layer = Dense(3, use_bias=False)
    a, b = Input((3,)), Input((3,))
    graph = Model([a, b], ops.add(layer(a), layer(b))).graph()
    assert graph.variables() == [layer.kernel]
    first, second = (node for node in graph.nodes if node.op.name == "dense")
    assert first.inputs[1] is second.inputs[1]


def test_origins_name_the_layers_a_node_comes_from() -> None:
    inner_x = Input((4,))
    inner = Model(inner_x, Dense(3, activation="relu", name="dense_in")(inner_x), name="inside")
    x = Input((4,))
    graph = Model(x, inner(x)).graph()
    assert [node.origin for node in graph.nodes] == [("inside", "dense_in")] * 2
    assert next(graph.nodes).place == "node 'dense' of layer 'inside/dense_in'"
