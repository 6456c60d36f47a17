"""The public functions of `graphflow.ops` against NumPy's own: dtypes, numbers, axes, operators and refusals."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from graphflow import ops
from graphflow.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from graphflow.layers.tensor import KerasTensor, infer_only
from graphflow.ops.dispatch import tracing
from graphflow.spec import TensorSpec

A = np.random.default_rng(1).standard_normal((3, 4, 5)).astype("float32")
B = np.random.default_rng(2).standard_normal((3, 4, 5)).astype("float32")
M = np.random.default_rng(3).standard_normal((5, 2)).astype("float32")
I = np.random.default_rng(4).integers(-9, 9, (3, 4, 5)).astype("int32")  # noqa: E741

Call = Callable[[Any], Any]
SAME_AS_NUMPY: dict[str, tuple[Call, Call]] = {
    "add": (lambda x: ops.add(x, B), lambda x: x + B),
    "radd": (lambda x: 2 + x, lambda x: 2 + x),
    "rsub": (lambda x: 1.5 - x, lambda x: 1.5 - x),
    "rdiv": (lambda x: 1 / x, lambda x: 1 / x),
    "pow": (lambda x: x**2, lambda x: x**2),
    "neg": (lambda x: -x, lambda x: -x),
    "abs": (lambda x: abs(x), np.abs),
    "floordiv": (lambda x: x // 0.3, lambda x: x // np.float32(0.3)),
    "mod": (lambda x: x % 0.7, lambda x: x % np.float32(0.7)),
    "matmul": (lambda x: x @ M, lambda x: x @ M),
    "rmatmul": (lambda x: M.T[None] @ ops.transpose(x, (0, 2, 1)), lambda x: M.T @ x.transpose(0, 2, 1)),
    "slice": (lambda x: x[:, 1:3, ::-2], lambda x: x[:, 1:3, ::-2]),
    "newaxis": (lambda x: x[:, None, ..., 2], lambda x: x[:, None, ..., 2]),
    "index": (lambda x: x[:, -1], lambda x: x[:, -1]),
    "less": (lambda x: x < 0.25, lambda x: x < 0.25),
    "and": (lambda x: (x > -1) & (x < 1), lambda x: (x > -1) & (x < 1)),
    "not": (lambda x: ~(x > 0), lambda x: ~(x > 0)),
    "where": (lambda x: ops.where(x > 0, x, 0.0), lambda x: np.where(x > 0, x, 0)),
    "var": (lambda x: ops.var(x, (1, 2)), lambda x: x.var((1, 2))),
    "std": (lambda x: ops.std(x, -1, True), lambda x: x.std(-1, keepdims=True)),
    "mean_all": (lambda x: ops.mean(x), lambda x: x.mean()),
    "argmax": (lambda x: ops.argmax(x, 1), lambda x: x.argmax(1)),
    "l2_normalize": (lambda x: ops.l2_normalize(x, 1), lambda x: x / np.sqrt((x**2).sum(1, keepdims=True))),
    "stack": (lambda x: ops.stack([x, x + 1], 2), lambda x: np.stack([x, x + 1], 2)),
    "split": (lambda x: ops.split(x, 2, 1)[1], lambda x: np.split(x, 2, 1)[1]),
    "dot": (lambda x: ops.dot(x, M), lambda x: np.dot(x, M)),
    "tile": (lambda x: ops.tile(x, (2, 1)), lambda x: np.tile(x, (2, 1))),
    "flip": (lambda x: ops.flip(x, (1, -1)), lambda x: np.flip(x, (1, 2))),
    "squeeze": (lambda x: ops.squeeze(x[:, :1]), lambda x: x[:, :1].squeeze()),
    "clip": (lambda x: ops.clip(x, -0.5, 0.5), lambda x: np.clip(x, -0.5, 0.5)),
    "relu": (
        lambda x: ops.relu(x, 0.1, 1.0, 0.5),
        lambda x: np.where(x >= 1, 1, np.where(x >= 0.5, x, 0.1 * (x - 0.5))),
    ),
    "elu": (lambda x: ops.elu(x, 0.5), lambda x: np.where(x > 0, x, 0.5 * np.expm1(x))),
    "gelu": (lambda x: ops.gelu(x, False), lambda x: 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))),
    "softplus": (lambda x: ops.softplus(x), lambda x: np.log1p(np.exp(x))),
    "log_softmax": (lambda x: ops.log_softmax(x), lambda x: x - np.log(np.exp(x).sum(-1, keepdims=True))),
    "hard_sigmoid": (lambda x: ops.hard_sigmoid(x), lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    "np.exp": (lambda x: np.exp(x), np.exp),
    "np.maximum": (lambda x: np.maximum(x, 0.1), lambda x: np.maximum(x, np.float32(0.1))),
    "np.sum": (lambda x: np.sum(x, axis=1), lambda x: x.sum(1)),
    "np.concatenate": (lambda x: np.concatenate([x, x], axis=1), lambda x: np.concatenate([x, x], 1)),
    "array_first": (lambda x: B * x, lambda x: B * x),
}


@pytest.mark.parametrize("name", SAME_AS_NUMPY)
def test_functions_and_operators_mean_what_numpy_means(name: str) -> None:
    ours, theirs = SAME_AS_NUMPY[name]
    actual, expected = np.asarray(ours(A)), np.asarray(theirs(A))
    assert actual.shape == expected.shape
    np.testing.assert_allclose(actual, expected, rtol=2e-5, atol=2e-6)
    with tracing(lambda *_: None):
        symbolic = ours(KerasTensor(TensorSpec(A.shape)))
    assert symbolic.shape == expected.shape
    assert symbolic.dtype == actual.dtype


def test_numbers_follow_the_dtype_of_the_tensor() -> None:
    x = KerasTensor(TensorSpec((None, 3), "int32"))
    with tracing(lambda *_: None):
        assert (x + 1).dtype == "int32"
        assert (x + 1.5).dtype == "float32"
        assert (x / 2).dtype == "float32"
        assert ops.mean(x).dtype == "float32"
        assert ops.sum(x > 0).dtype == "int32"
        assert (KerasTensor(TensorSpec((2,), "float64")) + np.ones(2, "float32")).dtype == "float64"
        assert (KerasTensor(TensorSpec((2,))) * np.ones(2)).dtype == "float32"
        assert ops.concatenate([x, KerasTensor(TensorSpec((None, 1)))]).dtype == "float32"


def test_integers_reduce_exactly() -> None:
    assert ops.sum(I).dtype == np.int32
    assert int(ops.sum(I)) == int(I.sum())
    assert int(ops.prod(np.array([3, 5, 7], "int64"))) == 105


def test_dot_contracts_the_axis_before_the_last_of_the_second_operand() -> None:
    right = np.random.default_rng(5).standard_normal((2, 5, 6)).astype("float32")
    np.testing.assert_allclose(ops.dot(A, right), np.einsum("abk,ckd->abcd", A, right), rtol=1e-5, atol=1e-6)


def test_dropout_zeros_its_share_and_scales_the_rest() -> None:
    x = np.ones((200, 50), "float32")
    seed = np.array([7, 0])
    dropped = ops.dropout(x, 0.25, seed)
    assert set(np.unique(dropped)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs((dropped == 0).mean() - 0.25) < 0.02
    np.testing.assert_array_equal(dropped, ops.dropout(x, 0.25, seed))
    assert not np.array_equal(dropped, ops.dropout(x, 0.25, seed + 1))
    shared = ops.dropout(x, 0.5, seed, (None, 1))
    assert (shared == shared[:, :1]).all()
    assert 0 < (shared[:, 0] == 0).mean() < 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ops.add(A, np.ones((4, 4), "float32")), ShapeError, "can not be broadcast together"),
        (lambda: ops.reshape(A, (7, -1)), ShapeError, r"Can not reshape \(3, 4, 5\) into \(7, -1\)"),
        (lambda: ops.reshape(A, (-1, -1)), ArgumentError, "one -1"),
        (lambda: ops.transpose(A, (0, 1)), ShapeError, "permutation of the 3 axes"),
        (lambda: ops.squeeze(A, 0), ShapeError, "axis 0 has 3"),
        (lambda: ops.concatenate([A, M]), ShapeError, "must have one rank"),
        (lambda: ops.concatenate([A, A[:, :2]], 0), ShapeError, "Sizes of axis 1"),
        (lambda: ops.concatenate([]), ArgumentError, "at least one tensor"),
        (lambda: ops.split(A, 3, 1), ShapeError, "can not be split into 3 equal parts"),
        (lambda: ops.split(A, (1, 2), 1), ShapeError, "do not add up to the 4"),
        (lambda: ops.getitem(A, (0, 9)), ShapeError, "Index 9 is out of range for axis 1"),
        (lambda: ops.getitem(A, (0, 0, 0, 0)), ArgumentError, "Too many indices"),
        (lambda: ops.getitem(A, [0, 1]), ArgumentError, "integers, slices, Ellipsis and None"),
        (lambda: ops.sum(A, 3), ArgumentError, r"\[-3, 3\)"),
        (lambda: ops.sum(A, (0, 0)), ArgumentError, "one axis twice"),
        (lambda: ops.dense(A, A), ShapeError, "an input and a matrix"),
        (lambda: ops.dense(A, np.ones((4, 2), "float32")), ShapeError, "must be equal, received 5 and 4"),
        (lambda: ops.matmul(A, B), ShapeError, "received 5 and 4"),
        (lambda: ops.conv(A, np.ones((3, 4, 2), "float32")), ShapeError, "5 channels"),
        (lambda: ops.conv(A, np.ones((9, 5, 2), "float32")), ShapeError, "larger than the input"),
        (lambda: ops.max_pool(A, 2, padding="causal"), ArgumentError, "'valid', 'same'"),
        (lambda: ops.cast(A, "complex64"), DTypeError, "complex64"),
        (lambda: ops.add(A, "one"), ArgumentTypeError, "'one'"),
        (lambda: ops.add(A, None), ArgumentTypeError, "None"),
        (lambda: ops.broadcast_to(np.ones(3, "float32"), (1,)), ShapeError, r"\(3,\) to \(1,\)"),
        (lambda: ops.pad(np.ones(3, "float32"), ((-1, 0),)), ArgumentError, "-1"),
        (lambda: ops.max(np.ones((0, 3), "float32"), 0), ShapeError, "empty|no elements|at least one"),
        (lambda: ops.embedding(np.array([True]), M), DTypeError, "bool"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(call: Callable[[], Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_tile_may_add_axes_as_numpy_does() -> None:
    np.testing.assert_array_equal(ops.tile(np.arange(3.0, dtype="float32"), (2, 2)), np.tile(np.arange(3.0), (2, 2)))


def test_a_slice_that_ends_where_it_begins_is_known_to_be_empty() -> None:
    x = KerasTensor(TensorSpec((None, None, 3)))
    with tracing(infer_only):
        assert x[:, :0].shape == (None, 0, 3)
        assert x[:, 0:0:2].shape == (None, 0, 3)
        assert x[:, :0:-1].shape == (None, None, 3)
        assert ops.pad(ops.flatten(x[:, :0]), ((0, 0), (0, 4))).shape == (None, 4)
