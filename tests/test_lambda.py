"""Lambda layers: traced where ops can say what happens, called at run time where real numbers are needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphflow
from graphflow import Input, Model, ops
from graphflow.errors import ArgumentError, ArgumentTypeError, ShapeError
from graphflow.layers import Dense, Embedding, GlobalAveragePooling1D, Lambda

X = np.random.default_rng(8).standard_normal((5, 4)).astype("float32")


def run(function: Any, x: Any = X, **options: Any) -> tuple[Any, list[str]]:
    """What a Lambda gives for an array, and the ops its graph has."""
    tensor = Input(x.shape[1:])
    model = Model(tensor, Lambda(function, **options)(tensor))
    return model.predict(x), [node.op.name for node in model.graph().nodes]


def antirectifier(x: Any) -> Any:
    x -= ops.mean(x, axis=1, keepdims=True)
    x = ops.l2_normalize(x, axis=1)
    return ops.concatenate([ops.relu(x), ops.relu(-x)], axis=1)


def test_the_antirectifier_of_the_documents_is_traced() -> None:
    kept = X.copy()
    y, nodes = run(antirectifier, output_shape=lambda shape: (shape[0], 2 * shape[1]))
    centred = X - X.mean(1, keepdims=True)
    centred /= np.sqrt((centred**2).sum(1, keepdims=True))
    np.testing.assert_allclose(y, np.hstack([np.maximum(centred, 0), np.maximum(-centred, 0)]), rtol=1e-5, atol=1e-6)
    assert "opaque" not in nodes
    np.testing.assert_array_equal(X, kept)


def test_the_hadamard_product_sum_of_the_documents_gives_two_tensors() -> None:
    def hadamard_product_sum(tensors: Any) -> Any:
        out = tensors[0] * tensors[1]
        return [out, ops.sum(out, axis=-1)]

    def output_shape(shapes: Any) -> Any:
        assert shapes == [(None, 4), (None, 4)]
        return [shapes[0], shapes[0][:-1]]

    a, b = Input((4,)), Input((4,))
    first, second = Lambda(hadamard_product_sum, output_shape)([a, b])
    assert (first.shape, second.shape) == ((None, 4), (None,))
    product, total = Model([a, b], [first, second]).predict([X, X + 1])
    np.testing.assert_allclose(product, X * (X + 1), rtol=1e-6)
    np.testing.assert_allclose(total, (X * (X + 1)).sum(1), rtol=1e-5, atol=1e-6)


def test_numpy_functions_that_ops_know_are_traced() -> None:
    y, nodes = run(lambda v: np.tanh(np.maximum(v, 0.1)) + np.sum(v, axis=1, keepdims=True))
    np.testing.assert_allclose(y, np.tanh(np.maximum(X, 0.1)) + X.sum(1, keepdims=True), rtol=1e-5, atol=1e-6)
    assert "opaque" not in nodes


REAL_NUMBERS: dict[str, Any] = {
    "linalg": lambda v: v / np.linalg.norm(v, axis=1, keepdims=True),
    "ufunc that no op means": lambda v: np.arctan(v),
    "function that no op means": lambda v: np.sort(v, axis=1),
    "a value's truth": lambda v: v * 2 if np.sum(v) > 1e9 else v * 3,
    "a method of arrays": lambda v: v.clip(-0.5, 0.5),
    "a number taken out": lambda v: v * (1 + 0 * float(v[:1, 0].sum())),
    "an array made": lambda v: np.asarray(v) @ np.ones((4, 2), "float32"),
}


@pytest.mark.parametrize("what", REAL_NUMBERS)
@pytest.mark.parametrize("rows", [1, 5])
def test_a_function_that_needs_real_numbers_is_called_at_run_time(what: str, rows: int) -> None:
    function = REAL_NUMBERS[what]
    y, nodes = run(function, X[:rows])
    np.testing.assert_allclose(y, function(X[:rows]), rtol=1e-6)
    assert nodes == ["opaque"]


def test_an_opaque_function_may_take_and_give_several_tensors() -> None:
    def swap(pair: Any) -> Any:
        first, second = (np.asarray(one) for one in pair)
        return [second + 1, first @ np.ones((4, 2), "float32")]

    a, b = Input((4,)), Input((3,))
    model = Model([a, b], Lambda(swap, output_shape=[(3,), (2,)])([a, b]))
    first, second = model.predict([X, X[:, :3]])
    np.testing.assert_allclose(first, X[:, :3] + 1, rtol=1e-6)
    np.testing.assert_allclose(second, X @ np.ones((4, 2)), rtol=1e-5, atol=1e-6)


def test_an_opaque_function_stands_between_compiled_layers() -> None:
    x = Input((4,))
    before = Dense(6, activation="relu")
    hidden = before(x)
    model = Model(x, Dense(2, kernel_initializer="ones")(Lambda(lambda v: np.asarray(v)[:, ::-1].copy())(hidden)))
    expected = np.maximum(X @ before.kernel.value, 0).sum(1, keepdims=True).repeat(2, 1)
    np.testing.assert_allclose(model.predict(X, batch_size=2), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("function", "output_shape", "message"),
    [
        (lambda v: v[:, :2], (3,), r"output_shape says \(None, 3\), the function returned \(None, 2\)"),
        (lambda v: v, lambda shape: (shape[0], 5), r"\(None, 5\).*\(None, 4\)"),
        (lambda v: [v, v], (4,), "describes 1 outputs, the function returned 2"),
        (lambda v: v, (4, 1), r"\(None, 4, 1\)"),
    ],
)
def test_an_output_shape_that_the_trace_contradicts_is_an_error(function: Any, output_shape: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message) as caught:
        Lambda(function, output_shape=output_shape, name="liar")(Input((4,)))
    assert "'liar'" in str(caught.value)


def test_an_output_shape_that_an_opaque_function_contradicts_is_an_error_at_run_time() -> None:
    x = Input((4,))
    model = Model(x, Lambda(lambda v: np.asarray(v)[:, :2], output_shape=(3,), name="liar")(x))
    with pytest.raises(ShapeError, match=r"returned shape \(5, 2\), \(None, 3\) was declared") as caught:
        model.predict(X)
    assert "'liar'" in str(caught.value)


def test_an_output_shape_may_be_a_list() -> None:
    y, _ = run(lambda v: v * 2, output_shape=lambda shape: [shape[0], shape[1]])
    np.testing.assert_array_equal(y, X * 2)


def test_arguments_reach_the_function() -> None:
    y, _ = run(lambda v, factor, shift=0: v * factor + shift, arguments={"factor": 3.0, "shift": 1})
    np.testing.assert_allclose(y, X * 3 + 1, rtol=1e-6)


def test_a_function_may_ask_for_training_and_mask() -> None:
    x = Input((4,))
    model = Model(x, Lambda(lambda v, training: v * 2 if training else v)(x))
    np.testing.assert_array_equal(model(X), X)
    np.testing.assert_array_equal(model(X, training=True), X * 2)
    ids = Input((3,), dtype="int32")
    masked = Embedding(5, 2, mask_zero=True, embeddings_initializer="ones")(ids)
    counted = Lambda(lambda v, mask: ops.sum(ops.cast(mask, "float32"), 1))(masked)
    np.testing.assert_array_equal(Model(ids, counted).predict(np.array([[1, 0, 2], [0, 0, 3]])), [2, 1])


def test_a_mask_function_makes_the_mask_also_of_an_identity() -> None:
    x = Input((3, 2))
    masking = Lambda(lambda v: v, mask=lambda v, mask: ops.any(ops.not_equal(v, 0.0), -1))
    model = Model(x, GlobalAveragePooling1D()(masking(x)))
    data = np.array([[[2.0, 4.0], [0, 0], [4, 0]]], "float32")
    np.testing.assert_allclose(model.predict(data), [[3.0, 2.0]], rtol=1e-6)


def test_a_live_mask_into_a_lambda_without_one_is_refused() -> None:
    ids = Input((3,), dtype="int32")
    masked = Embedding(5, 2, mask_zero=True)(ids)
    with pytest.raises(ArgumentError, match="does not support masks") as caught:
        Lambda(lambda v: v * 2, name="careless")(masked)
    assert "'careless'" in str(caught.value)


def test_only_functions_are_taken() -> None:
    with pytest.raises(ArgumentTypeError, match="needs a function, received 3"):
        Lambda(3)


def test_an_error_of_the_function_itself_is_not_hidden() -> None:
    def broken(v: Any) -> Any:
        raise RuntimeError("the user's own mistake")

    with pytest.raises(RuntimeError, match="own mistake"):
        Lambda(broken)(Input((4,)))


def test_a_weight_used_inside_is_read_at_every_run() -> None:
    other = Dense(2, use_bias=False)
    other(Input((4,)))
    x = Input((4,))
    model = Model(x, Lambda(lambda v: ops.matmul(v, other.kernel))(x))
    np.testing.assert_allclose(model.predict(X), X @ other.kernel.value, rtol=1e-5, atol=1e-6)
    other.set_weights([np.full((4, 2), 2.0)])
    np.testing.assert_allclose(model.predict(X), (X * 2).sum(1, keepdims=True).repeat(2, 1), rtol=1e-5, atol=1e-5)
    with graphflow.knobs(reference=True):
        again = Model(x, model.outputs[0])
        np.testing.assert_allclose(again.predict(X), model.predict(X), rtol=1e-5, atol=1e-5)


def test_a_function_that_changes_its_argument_in_place_changes_nobody_s_array() -> None:
    kept = X.copy()
    Lambda(antirectifier)(kept)
    np.testing.assert_array_equal(kept, X)

    def in_place(v: Any) -> Any:
        values = np.asarray(v)
        values -= 5
        return values.copy()

    x = Input((4,))
    hidden = Dense(4, kernel_initializer="identity")(x)
    changed, beside = Lambda(in_place, output_shape=(4,)), Lambda(in_place, output_shape=(4,))
    model = Model(x, [changed(x), beside(hidden), ops.tanh(hidden)])
    first, second, third = model.predict_on_batch(kept)
    np.testing.assert_array_equal(kept, X)
    np.testing.assert_allclose(first, X - 5, rtol=1e-6)
    np.testing.assert_allclose(second, X - 5, rtol=1e-6)
    np.testing.assert_allclose(third, np.tanh(X), rtol=1e-5, atol=1e-6)
