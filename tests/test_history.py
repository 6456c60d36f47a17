"""What calls leave behind: histories, nodes, shared layers, names; and the graph that can be walked back from them."""

from __future__ import annotations

import numpy as np
import pytest

from graphflow import Input, Model, Sequential, ops
from graphflow.errors import ArgumentError, GraphError
from graphflow.layers import LSTM, Add, Concatenate, Dense, Flatten, InputLayer, Lambda, layer


def test_a_tensor_knows_the_call_that_made_it() -> None:
    x = Input((4,), name="x")
    dense = Dense(3, name="d")
    y = dense(x)
    assert x._keras_history.layer.name == "x"
    assert isinstance(x._keras_history.layer, InputLayer)
    assert tuple(y._keras_history) == (dense, 0, 0)
    assert y._keras_history.operation is dense
    assert y._keras_shape == y.shape == (None, 3)
    assert (dense.input, dense.output) == (x, y)
    assert (dense.input_shape, dense.output_shape) == ((None, 4), (None, 3))


def test_a_shared_layer_has_one_node_for_each_call_and_one_set_of_weights() -> None:
    a, b = Input((4,)), Input((4,))
    dense = Dense(3)
    first, second = dense(a), dense(b)
    assert (first._keras_history.node_index, second._keras_history.node_index) == (0, 1)
    assert [node.input_tensors for node in dense._inbound_nodes] == [[a], [b]]
    assert dense.get_input_at(1) is b
    assert dense.get_output_at(0) is first
    assert dense.get_output_shape_at(1) == (None, 3)
    assert len(dense.weights) == 2
    model = Model([a, b], Concatenate()([first, second]))
    x, y = np.random.default_rng(0).standard_normal((2, 5, 4)).astype("float32")
    kernel = dense.kernel.value
    np.testing.assert_allclose(model.predict([x, y]), np.hstack([x @ kernel, y @ kernel]), rtol=1e-5, atol=1e-5)


def test_the_graph_can_be_walked_back() -> None:
    a, b = Input((4,), name="a"), Input((4,), name="b")
    left, right = Dense(3, name="left")(a), Dense(3, name="right")(b)
    merge = Add(name="merge")
    merge([left, right])
    (node,) = merge._inbound_nodes
    assert [one.name for one in node.inbound_layers] == ["left", "right"]
    assert node.node_indices == [0, 0]
    assert node.tensor_indices == [0, 0]
    assert node.operation is node.layer is merge
    assert [parent.operation.name for parent in node.parent_nodes] == ["left", "right"]
    assert node.input_shapes == [(None, 3), (None, 3)]
    assert left._keras_history.layer._outbound_nodes == [node]
    up = node
    while up.parent_nodes:
        up = up.parent_nodes[0]
    assert up.operation.name == "a"
    assert up.is_input


def test_several_outputs_have_positions() -> None:
    lstm = LSTM(3, return_state=True)
    outputs = lstm(Input((5, 2)))
    assert [tensor._keras_history.tensor_index for tensor in outputs] == [0, 1, 2]
    assert lstm.output_shape == [(None, 3)] * 3
    y = Dense(2)(outputs[2])
    assert y._keras_history.layer._inbound_nodes[0].tensor_indices == 2


def test_operators_on_symbolic_tensors_are_recorded() -> None:
    x = Input((4,))
    y = ops.relu(x * 2 + 1)[:, :2]
    model = Model(x, y)
    data = np.array([[-3.0, 1.0, 0.0, 2.0]], "float32")
    np.testing.assert_array_equal(model.predict(data), [[0.0, 3.0]])
    assert [one.name for one in model.layers] == [x._keras_history.layer.name]
    assert len(model.operations) == 5


def test_an_op_with_a_symbolic_tensor_second_and_a_variable_are_recorded() -> None:
    x = Input((2, 3))
    weight = Dense(4)
    weight(Input((3,)))
    y = ops.matmul(np.eye(2, dtype="float32")[None], x) - ops.dense(x, weight.kernel)[:, :, :3]
    model = Model(x, y)
    data = np.random.default_rng(0).standard_normal((2, 2, 3)).astype("float32")
    expected = data - (data @ weight.kernel.value)[:, :, :3]
    np.testing.assert_allclose(model.predict(data), expected, rtol=1e-5, atol=1e-6)


def test_automatic_names_count_up_in_snake_case() -> None:
    layer.clear_session()
    names = [Dense(1).name, Dense(1).name, Flatten().name, LSTM(1).name, Input((1,)).name]
    assert names == ["dense", "dense_1", "flatten", "lstm", "input_layer"]


def test_a_layer_that_was_not_called_has_no_input() -> None:
    dense = Dense(3, name="lonely")
    for what in ("input", "output", "input_shape", "output_shape"):
        with pytest.raises(ArgumentError, match="'lonely' has not been called"):
            getattr(dense, what)
    with pytest.raises(ArgumentError, match="no call 2"):
        dense(Input((2,)))
        dense.get_output_at(2)
    with pytest.raises(ArgumentError, match="has not been built"):
        Dense(2).count_params()


def test_a_layer_that_returns_its_input_still_makes_a_tensor_of_its_own() -> None:
    x = Input((4,))
    y = Lambda(lambda v: v, name="same")(x)
    assert y is not x
    assert y._keras_history.layer.name == "same"
    data = np.arange(8, dtype="float32").reshape(2, 4)
    np.testing.assert_array_equal(Model(x, [y, Dense(2)(y)]).predict(data)[0], data)


def test_a_tensor_from_inside_a_call_can_not_be_used_outside() -> None:
    kept = []

    def function(v: object) -> object:
        kept.append(v * 2)
        return kept[-1] + 1

    Lambda(function)(Input((3,)))
    with pytest.raises(TypeError, match="tensors that come from Input"):
        Model(Input((3,)), kept[0])


def test_a_model_is_a_layer_of_another() -> None:
    inner = Sequential([Dense(3, input_shape=(4,), name="one"), Dense(2, activation="relu", name="two")], name="inner")
    a, b = Input((4,)), Input((4,))
    model = Model([a, b], Add()([inner(a), inner(b)]))
    assert len(inner._inbound_nodes) == 2
    assert [one.name for one in model.layers if one.name == "inner"] == ["inner"]
    assert len(model.weights) == 4
    x, y = np.random.default_rng(0).standard_normal((2, 3, 4)).astype("float32")
    np.testing.assert_allclose(model.predict([x, y]), inner.predict(x) + inner.predict(y), rtol=1e-5, atol=1e-6)
    origins = {node.origin[:2] for node in model.graph().nodes}
    assert ("inner", "one") in origins


def test_five_thousand_layers_are_no_recursion() -> None:
    x = y = Input((2,))
    same = Lambda(lambda v: v + 1)
    for _ in range(5_000):
        y = same(y)
    model = Model(x, y)
    np.testing.assert_array_equal(model.graph().outputs[0].spec.shape, (None, 2))


def test_the_same_tensor_twice_among_inputs_is_refused() -> None:
    x = Input((3,))
    with pytest.raises(GraphError, match="listed twice"):
        Model([x, x], Dense(2)(x))
