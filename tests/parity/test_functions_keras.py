"""Functions of TensorFlow and Keras 3 between layers: their files open here and give equal outputs."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import pytest
from formats.legacy_files import functional, given, layer, write_h5
from parity.compare import error
from parity.test_files_keras import SUFFIXES, compare

import graphflow

pytestmark = pytest.mark.oracle
Function = Callable[[Any, Any, Any], Any]

UNARY = "abs ceil cos erf exp expm1 floor negative round sigmoid sign sin softplus softsign square tanh tan atan sinh"
POSITIVE = "log log1p reciprocal rsqrt sqrt"
BINARY = "add subtract multiply divide maximum minimum squared_difference pow floordiv floormod divide_no_nan"
REDUCTIONS = "sum mean max min prod std variance logsumexp euclidean_norm"

TF_NN = "relu relu6 elu selu silu swish gelu leaky_relu softmax log_softmax sigmoid tanh"
OP_UNARY = (
    "abs arctan arcsinh ceil cos cosh erf exp exp2 expm1 floor hard_sigmoid hard_silu hard_tanh "
    "leaky_relu log_sigmoid log_softmax logsumexp negative ones_like relu relu6 selu sigmoid sign silu "
    "sin sinh softmax softplus softsign sparse_sigmoid squareplus square tan tanh tanh_shrink celu elu "
    "gelu hard_shrink soft_shrink "
)
OP_POSITIVE = "log log10 log1p log2 rsqrt sqrt"
OP_BINARY = "add subtract multiply divide true_divide maximum minimum power floor_divide mod logaddexp"
OP_REDUCTIONS = "sum mean max min prod std var logsumexp"

TF: dict[str, Function] = {
    **{name: lambda t, x, y, n=name: getattr(t.math, n)(x) for name in UNARY.split()},
    **{name: lambda t, x, y, n=name: getattr(t.math, n)(t.abs(x) + 0.5) for name in POSITIVE.split()},
    **{name: lambda t, x, y, n=name: getattr(t.math, n)(t.abs(x) + 0.5, y) for name in BINARY.split()},
    **{
        f"reduce_{name}": lambda t, x, y, n=name: getattr(t.math, f"reduce_{n}")(x, axis=[1, -1], keepdims=True)
        for name in REDUCTIONS.split()
    },
    **{f"nn.{name}": lambda t, x, y, n=name: getattr(t.nn, n)(x) for name in TF_NN.split()},
    "operators": lambda t, x, y: 2.0 - (x + y) * 3 / (1.5 + abs(y)) ** 2 - (-x),
    "constant first": lambda t, x, y: t.subtract(1.0, x) + 3.0 / (2.0 + t.abs(y)),
    "array constant": lambda t, x, y: x * np.arange(4.0, dtype="float32") + t.constant([[1.0], [2.0], [3.0]]),
    "compare": lambda t, x, y: t.cast(t.logical_and(x > y, t.logical_not(y <= 0.1)), "float32"),
    "where": lambda t, x, y: t.where(x > 0, x, y) + t.where(t.equal(x, y), 1.0, 2.0),
    "clip": lambda t, x, y: t.clip_by_value(x, -0.2, 0.3),
    "concat": lambda t, x, y: t.concat([x, y, x], axis=-1),
    "stack": lambda t, x, y: t.stack([x, y], axis=1),
    "stack one": lambda t, x, y: t.stack([x], axis=1),
    "unstack": lambda t, x, y: t.unstack(x, axis=1)[1],
    "split": lambda t, x, y: t.split(x, 2, axis=-1)[1] - t.split(x, [1, -1, 2], axis=2)[2],
    "slice": lambda t, x, y: x[:, 1:, ::2] + x[:, :-1, -1, None] + x[:, 0:1, 1:3],
    "ellipsis": lambda t, x, y: x[..., 1:3] + y[..., None, 0],
    "slice whole": lambda t, x, y: x[:, 0],
    "tf.slice": lambda t, x, y: t.slice(x, [0, 1, 0], [-1, 2, 3]),
    "reshape": lambda t, x, y: t.reshape(x, (-1, 12)),
    "reshape by shape": lambda t, x, y: t.reshape(x, [t.shape(x)[0], 4, 3]),
    "transpose": lambda t, x, y: t.transpose(x, [0, 2, 1]),
    "expand squeeze": lambda t, x, y: t.squeeze(t.expand_dims(x, 2), axis=[2]) + t.squeeze(t.expand_dims(y, -1), -1),
    "tile": lambda t, x, y: t.tile(x, [1, 2, 1]),
    "repeat": lambda t, x, y: t.repeat(x, 2, axis=1),
    "reverse": lambda t, x, y: t.reverse(x, axis=[1]),
    "pad": lambda t, x, y: t.pad(x, [[0, 0], [1, 2], [0, 1]], constant_values=0.5),
    "pad reflect": lambda t, x, y: t.pad(x, [[0, 0], [1, 1], [0, 0]], mode="REFLECT"),
    "gather": lambda t, x, y: t.gather(x, [2, 0], axis=1),
    "matmul": lambda t, x, y: t.matmul(x, y, transpose_b=True) + x @ t.linalg.matrix_transpose(y),
    "argmax": lambda t, x, y: t.cast(t.argmax(x, axis=-1), "float32"),
    "top_k": lambda t, x, y: t.math.top_k(x, k=2)[0],
    "one_hot": lambda t, x, y: t.one_hot(t.argmax(x, axis=1), 3),
    "cumsum": lambda t, x, y: t.cumsum(x, axis=1) + t.math.cumsum(x, axis=1, reverse=True),
    "l2_normalize": lambda t, x, y: t.nn.l2_normalize(x, axis=-1) + t.math.l2_normalize(y, axis=1),
    "norm": lambda t, x, y: t.norm(x, axis=-1),
    "moments": lambda t, x, y: t.nn.moments(x, axes=[1])[1],
    "add_n": lambda t, x, y: t.add_n([x, y, x]),
    "zeros_like": lambda t, x, y: t.ones_like(x) + t.zeros_like(y) + x,
    "identity": lambda t, x, y: t.identity(x) + t.stop_gradient(y),
    "broadcast_to": lambda t, x, y: t.broadcast_to(t.reduce_mean(x, axis=0, keepdims=True), [5, 3, 4]) + x,
    "backend": lambda t, x, y: t.keras.backend.mean(x, axis=-1) + t.keras.backend.sum(t.keras.backend.relu(y), 2),
    "resize up": lambda t, x, y: t.image.resize(t.expand_dims(x, -1), (6, 8)),
    "resize odd": lambda t, x, y: t.image.resize(t.expand_dims(x, -1), (5, 3)),
    "resize down": lambda t, x, y: t.image.resize(t.expand_dims(x, -1), (2, 2)),
    "resize nearest": lambda t, x, y: t.image.resize(t.expand_dims(x, -1), (7, 3), method="nearest"),
}


def test_what_tf_keras_forgets_to_write_is_said(tmp_path: Path) -> None:
    oracle, tf = importlib.import_module("tf_keras"), importlib.import_module("tensorflow")
    x, y = oracle.Input((3, 4)), oracle.Input((3, 4))
    oracle.Model([x, y], tf.einsum("bij,bkj->bik", x, y)).save(tmp_path / "model.h5")
    with pytest.raises(graphflow.errors.UnsupportedError, match=r"tf.einsum without its operands"):
        graphflow.load_model(tmp_path / "model.h5")


KERAS: dict[str, Function] = {
    **{name: lambda o, x, y, n=name: getattr(o, n)(x) for name in OP_UNARY.split()},
    **{name: lambda o, x, y, n=name: getattr(o, n)(o.abs(x) + 0.5) for name in OP_POSITIVE.split()},
    **{name: lambda o, x, y, n=name: getattr(o, n)(o.abs(x) + 0.5, y) for name in OP_BINARY.split()},
    **{name: lambda o, x, y, n=name: getattr(o, n)(x, axis=(1, 2), keepdims=True) for name in OP_REDUCTIONS.split()},
    "operators": lambda o, x, y: 2.0 - (x + y) * 3 / (1.5 + o.abs(y)) ** 2 - (-x),
    "compare": lambda o, x, y: o.cast(o.logical_and(x > y, o.logical_not(y <= 0.1)), "float32"),
    "where": lambda o, x, y: o.where(x > 0, x, y) + o.where(o.not_equal(x, y), 1.0, 2.0),
    "clip": lambda o, x, y: o.clip(x, -0.2, 0.3),
    "concatenate": lambda o, x, y: o.concatenate([x, y, x], axis=1),
    "stack": lambda o, x, y: o.stack([x, y], axis=1),
    "unstack": lambda o, x, y: o.unstack(x, axis=1)[1],
    "split": lambda o, x, y: o.split(x, 2, axis=-1)[1] - o.split(x, [1, 3], axis=2)[1],
    "slice": lambda o, x, y: x[:, 1:, ::2] + x[:, :-1, -1, None] + x[..., 1:3][:, 0:1],
    "reshape": lambda o, x, y: o.reshape(x, (-1, 12)) + o.reshape(y, (-1, 12)),
    "transpose": lambda o, x, y: o.transpose(x, (0, 2, 1)) + o.swapaxes(y, 1, 2) + o.moveaxis(x, 1, 2),
    "expand squeeze": lambda o, x, y: o.squeeze(o.expand_dims(x, 2), axis=2),
    "tile": lambda o, x, y: o.tile(x, (1, 2, 1)) + o.repeat(y, 2, axis=1),
    "flip": lambda o, x, y: o.flip(x, axis=1) + o.roll(y, 1, axis=1),
    "pad": lambda o, x, y: o.pad(x, ((0, 0), (1, 2), (0, 1)), constant_values=0.5),
    "pad reflect": lambda o, x, y: o.pad(x, ((0, 0), (1, 1), (0, 0)), mode="reflect"),
    "take": lambda o, x, y: o.take(x, [2, 0], axis=1),
    "matmul": lambda o, x, y: o.matmul(x, o.transpose(y, (0, 2, 1))),
    "einsum": lambda o, x, y: o.einsum("bij,bkj->bik", x, y),
    "argmax": lambda o, x, y: o.cast(o.argmax(x, axis=-1), "float32") + o.cast(o.argmin(y, axis=2), "float32"),
    "top_k": lambda o, x, y: o.top_k(x, 2)[0],
    "one_hot": lambda o, x, y: o.one_hot(o.argmax(x, axis=1), 3),
    "cumulative": lambda o, x, y: o.cumsum(x, axis=1) + o.cumprod(y, axis=2),
    "normalize": lambda o, x, y: o.normalize(x, axis=-1),
    "moments": lambda o, x, y: o.moments(x, axes=[1])[1],
    "triangles": lambda o, x, y: o.tril(x) + o.triu(y, 1),
    "any all": lambda o, x, y: o.cast(o.any(x > 0, axis=1), "float32") + o.cast(o.all(y > -1, axis=1), "float32"),
    "stop_gradient": lambda o, x, y: o.stop_gradient(x) + y,
    "resize": lambda o, x, y: o.image.resize(o.expand_dims(x, -1), (5, 7)),
}


@pytest.mark.parametrize("name", KERAS)
def test_an_operation_of_keras_3_between_layers(name: str, tmp_path: Path) -> None:
    oracle = importlib.import_module("keras")
    tensors = [oracle.Input((3, 4), name="x"), oracle.Input((3, 4), name="y")]
    model = oracle.Model(tensors, KERAS[name](oracle.ops, *tensors))
    rng = np.random.default_rng(3)
    compare(model, [rng.normal(0, 1, (5, 3, 4)).astype("float32") for _ in tensors], tmp_path)


@pytest.mark.parametrize("name", TF)
def test_a_function_of_tensorflow_between_layers(name: str, tmp_path: Path) -> None:
    oracle = importlib.import_module("tf_keras")
    tf = importlib.import_module("tensorflow")
    tensors = [oracle.Input((3, 4), name="x"), oracle.Input((3, 4), name="y")]
    model = oracle.Model(tensors, TF[name](tf, *tensors))
    rng = np.random.default_rng(3)
    arrays = [rng.normal(0, 1, (5, 3, 4)).astype("float32") for _ in tensors]
    compare(model, arrays, tmp_path, (".h5",) if name == "ellipsis" else SUFFIXES)  # .keras has no Ellipsis


RAW: dict[str, Function] = {
    "operators": lambda t, x, y: (2.0 - x * y) / (t.abs(y) + 1.5),
    "reduce": lambda t, x, y: t.reduce_mean(x, axis=[1], keepdims=True) + t.reduce_max(y, axis=1, keepdims=True),
    "slice": lambda t, x, y: x[:, 1:, ::2] + y[:, :-1, -1, None],
    "arrays": lambda t, x, y: t.concat([t.reshape(x, [-1, 12]), t.squeeze(t.expand_dims(y[:, 0], 1), [1])], axis=-1),
    "matmul": lambda t, x, y: t.nn.softmax(t.matmul(x, y, transpose_b=True)) + t.transpose(x, [0, 2, 1])[:, :3, :3],
    "cast": lambda t, x, y: t.where(t.greater(x, y), t.stack([x, y], 1)[:, 0], t.cast(t.less(x, 0.5), t.float32)),
}


@pytest.mark.parametrize("name", RAW)
def test_raw_operations_as_tf_keras_2_0_to_2_3_wrote_them(name: str, tmp_path: Path) -> None:
    """The graph of a function, each operation as a TensorFlowOpLayer in that version's layout."""
    tf = importlib.import_module("tensorflow")
    json_format = importlib.import_module("google.protobuf.json_format")
    spec = tf.TensorSpec((None, 3, 4), tf.float32)
    function = tf.function(lambda x, y: RAW[name](tf, x, y), input_signature=[spec, spec], autograph=False)
    operations = function.get_concrete_function().graph.get_operations()
    inputs = [one.name for one in operations if one.type == "Placeholder"]
    layers = [given(one, 3, 4) for one in inputs]
    constants = {one.name: tf.make_ndarray(one.get_attr("value")) for one in operations if one.type == "Const"}
    last = ""
    for one in operations:
        if one.type in ("Placeholder", "Const", "NoOp") or one.name.startswith("Identity"):
            continue
        sources = [source.op.name for source in one.inputs]
        held = {str(i): constants[source].tolist() for i, source in enumerate(sources) if source in constants}
        node = [
            [f"op_{source}" if source not in inputs else source, 0, 0, {}]
            for source in sources
            if source not in constants
        ]
        last = f"op_{one.name}"
        config = {"node_def": json_format.MessageToDict(one.node_def), "constants": held, "dtype": "float32"}
        layers.append(layer("TensorFlowOpLayer", last, [node], **config))
    places = [[one, 0, 0] for one in inputs]
    path = write_h5(tmp_path / "model.h5", functional("m", layers, places, [[last, 0, 0]]), {}, "2.4.0-tf")
    rng = np.random.default_rng(6)
    x, y = (rng.normal(0, 1, (5, 3, 4)).astype("float32") for _ in inputs)
    assert error([graphflow.load_model(path).predict_on_batch([x, y])], [np.asarray(function(x, y))]) <= 1e-5
