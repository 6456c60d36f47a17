"""Ops between layers through files: each row of the two tables, back into graphflow and into Keras and tf_keras."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from formats.round_trips import assert_same_outputs

import graphflow
from graphflow import Input, Model, ops
from graphflow.activations import hard_sigmoid
from graphflow.errors import UnsupportedError
from graphflow.formats.write_ops import KERAS3
from graphflow.formats.write_tf_ops import TF_BINARY, TF_OTHER, TF_UNARY
from graphflow.ops.registry import OPS

Op = Callable[[Any, Any], Any]

CASES: dict[str, Op] = {
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: 1.5 - x,
    "multiply": lambda x, y: x * np.arange(4, dtype="float32"),
    "divide": lambda x, y: x / y,
    "floor_divide": lambda x, y: ops.floor_divide(x, y),
    "mod": lambda x, y: ops.mod(x, y),
    "power": lambda x, y: y**2,
    "maximum": lambda x, y: ops.maximum(x, 0.5),
    "minimum": lambda x, y: ops.minimum(x, y),
    "matmul": lambda x, y: ops.matmul(x, ops.transpose(y, (0, 2, 1))),
    "equal": lambda x, y: ops.cast(ops.equal(x, y), "float32"),
    "not_equal": lambda x, y: ops.cast(ops.not_equal(x, y), "float32"),
    "less": lambda x, y: ops.cast(ops.less(x, y), "float32"),
    "less_equal": lambda x, y: ops.cast(ops.less_equal(x, 0.3), "float32"),
    "greater": lambda x, y: ops.cast(x > y, "int32"),
    "greater_equal": lambda x, y: ops.cast(ops.greater_equal(x, y), "float32"),
    "logical_and": lambda x, y: ops.cast(ops.logical_and(x > 0.3, y > 0.3), "float32"),
    "logical_or": lambda x, y: ops.cast(ops.logical_or(x > 0.3, y > 0.3), "float32"),
    "logical_not": lambda x, y: ops.cast(ops.logical_not(x > 0.3), "float32"),
    "negative": lambda x, y: -x,
    "absolute": lambda x, y: ops.absolute(x - y),
    "square": lambda x, y: ops.square(x),
    "sqrt": lambda x, y: ops.sqrt(y),
    "rsqrt": lambda x, y: ops.rsqrt(y),
    "reciprocal": lambda x, y: ops.reciprocal(y),
    "exponential": lambda x, y: ops.exp(x),
    "expm1": lambda x, y: ops.expm1(x),
    "log": lambda x, y: ops.log(y),
    "log1p": lambda x, y: ops.log1p(y),
    "sin": lambda x, y: ops.sin(x),
    "cos": lambda x, y: ops.cos(x),
    "tanh": lambda x, y: ops.tanh(x),
    "floor": lambda x, y: ops.floor(3 * x),
    "ceil": lambda x, y: ops.ceil(3 * x),
    "round": lambda x, y: ops.round(3 * x),
    "sign": lambda x, y: ops.sign(x - y),
    "erf": lambda x, y: ops.erf(x),
    "where": lambda x, y: ops.where(x > y, x, 0.0),
    "relu": lambda x, y: ops.relu(x - y),
    "relu_general": lambda x, y: ops.relu(x - y, negative_slope=0.2),
    "clip": lambda x, y: ops.clip(x, 0.2, 0.7),
    "sigmoid": lambda x, y: ops.sigmoid(x),
    "selu": lambda x, y: ops.selu(x - y),
    "elu": lambda x, y: ops.elu(x - y),
    "softplus": lambda x, y: ops.softplus(x),
    "softsign": lambda x, y: ops.softsign(x),
    "silu": lambda x, y: ops.silu(x),
    "gelu": lambda x, y: ops.gelu(x, approximate=False),
    "gelu_tanh": lambda x, y: ops.gelu(x),
    "hard_sigmoid": lambda x, y: ops.hard_sigmoid(x),
    "sum": lambda x, y: ops.sum(x, axis=(1, 2)),
    "mean": lambda x, y: ops.mean(x, axis=1, keepdims=True),
    "prod": lambda x, y: ops.prod(x, axis=-1),
    "max": lambda x, y: ops.max(x, axis=1),
    "min": lambda x, y: ops.min(x, axis=2),
    "any": lambda x, y: ops.cast(ops.any(x > 0.9, axis=1), "float32"),
    "all": lambda x, y: ops.cast(ops.all(x > 0.1, axis=1), "float32"),
    "softmax": lambda x, y: ops.softmax(x) + ops.log_softmax(y, axis=1),
    "cast": lambda x, y: ops.cast(x, "float64"),
    "reshape": lambda x, y: ops.reshape(x, (-1, 2, 6)),
    "expand_dims": lambda x, y: ops.expand_dims(x, 2),
    "squeeze": lambda x, y: ops.squeeze(x[:, :1], 1),
    "transpose": lambda x, y: ops.transpose(x, (0, 2, 1)),
    "concatenate": lambda x, y: ops.concatenate([x, y, x], 1),
    "split": lambda x, y: ops.split(x, [1, 2], axis=1)[1] * ops.split(y, 3, axis=1)[0],
    "pad": lambda x, y: ops.pad(x, ((0, 0), (1, 0), (0, 2)), 0.5),
    "getitem": lambda x, y: x[:, 1:, ::2] * y[:, -1:, 0:1],
    "tile": lambda x, y: ops.tile(x, (1, 2, 1)),
    "repeat": lambda x, y: ops.repeat(x, 2, 1),
    "flip": lambda x, y: ops.flip(x, 1),
    "full_like": lambda x, y: ops.zeros_like(x) + ops.ones_like(y),
    "argmax": lambda x, y: ops.argmax(x, -1),
    "argmin": lambda x, y: ops.argmin(x, 1),
    "cumsum": lambda x, y: ops.cumsum(x, 1),
    "cumprod": lambda x, y: ops.cumprod(x, 1),
    "einsum": lambda x, y: ops.einsum("bij,bkj->bik", x, y),
    "one_hot": lambda x, y: ops.one_hot(ops.argmax(x, -1), 4),
}
TF = TF_BINARY.keys() | TF_UNARY.keys() | TF_OTHER.keys()


def made(name: str) -> Model:
    x, y = Input((3, 4), name="x"), Input((3, 4), name="y")
    return Model([x, y], CASES[name](x, y))


def given() -> list[np.ndarray[Any, Any]]:
    rng = np.random.default_rng(4)
    return [rng.uniform(0.05, 1, (2, 3, 4)).astype("float32") for _ in range(2)]


def test_every_row_has_a_case() -> None:
    assert CASES.keys() == KERAS3.keys()
    assert KERAS3.keys() >= TF
    assert KERAS3.keys() <= OPS.keys()


@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("name", CASES)
def test_an_op_comes_back(name: str, ending: str, tmp_path: Path) -> None:
    model = made(name)
    if ending == ".h5" and name not in TF:
        with pytest.raises(UnsupportedError, match=f"op '{name}.*'.*HDF5"):
            model.save(tmp_path / "model.h5")
        assert not list(tmp_path.iterdir())
        return
    model.save(tmp_path / f"model{ending}")
    back = graphflow.load_model(tmp_path / f"model{ending}")
    assert_same_outputs(back.predict_on_batch(given()), model.predict_on_batch(given()), exact=True)
    assert back.input_names == model.input_names


@pytest.mark.oracle
@pytest.mark.parametrize("ending", [".keras", ".h5"])
@pytest.mark.parametrize("name", CASES)
def test_keras_opens_an_op(name: str, ending: str, tmp_path: Path) -> None:
    import keras
    import tf_keras

    if ending == ".h5" and name not in TF:
        pytest.skip("refused by name, as test_an_op_comes_back holds")
    model = made(name)
    model.save(tmp_path / f"model{ending}")
    theirs = (keras if ending == ".keras" else tf_keras).models.load_model(tmp_path / f"model{ending}", compile=False)
    assert_same_outputs(theirs(given()), model.predict_on_batch(given()))


def test_an_op_that_keras_does_not_have_is_refused_by_name(tmp_path: Path) -> None:
    x = Input((3,), name="x")
    model = Model(x, hard_sigmoid(x))
    with pytest.raises(UnsupportedError, match=r"op 'hard_sigmoid.*slope"):
        model.save(tmp_path / "model.keras")
    assert not list(tmp_path.iterdir())
