"""Small models that passes change and the runtime runs: each with its input shapes, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import graphflow
from cases.layers import randomize
from graphflow import Input, Model, ops
from graphflow.layers import (
    GRU,
    LSTM,
    Activation,
    Add,
    BatchNormalization,
    Bidirectional,
    Concatenate,
    Conv1D,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePooling2D,
    Lambda,
    MaxPooling2D,
    ReLU,
    SimpleRNN,
    Softmax,
    ZeroPadding2D,
)

Array = np.ndarray[Any, Any]


def conv_bn_relu(x: Any) -> Any:
    return Activation("relu")(BatchNormalization()(Conv2D(7, 3, padding="same")(x)))


def dense_bn(x: Any) -> Any:
    return BatchNormalization(scale=False)(Dense(9, use_bias=False)(x))


def residual(x: Any) -> Any:
    left = BatchNormalization()(Conv2D(6, 3, padding="same")(x))
    right = Conv2D(6, 1)(x)
    return Activation("relu")(Add()([left, right]))


def residual_identity(x: Any) -> Any:
    hidden = Conv2D(6, 1, activation="relu")(x)
    return Activation("relu")(Add()([Conv2D(6, 3, padding="same")(hidden), hidden]))


def residual_dense(x: Any) -> Any:
    return Activation("tanh")(Add()([Dense(8)(x), Dense(8)(x)]))


def shared_value(x: Any) -> Any:
    hidden = Conv2D(4, 3)(x)
    return Add()([Activation("relu")(hidden), Activation("tanh")(hidden)])


def shared_layer(x: Any) -> Any:
    layer = Dense(5, activation="relu")
    return Add()([layer(x), layer(ops.flip(x, 1))])


def shared_before_norm(x: Any) -> Any:
    hidden = Conv2D(4, 3)(x)
    return [BatchNormalization()(hidden), hidden]


def output_in_between(x: Any) -> Any:
    hidden = Dense(6)(x)
    return [hidden, Activation("relu")(hidden)]


def activation_chain(x: Any) -> Any:
    y = Dense(6, activation="tanh")(x)
    for name in ("relu", "sigmoid", "softplus", "elu", "softmax"):
        y = Activation(name)(y)
    return y


def channels_first(x: Any) -> Any:
    first = {"data_format": "channels_first"}
    y = Activation("relu")(BatchNormalization(axis=1)(Conv2D(5, 3, padding="same", **first)(x)))
    y = MaxPooling2D(2, **first)(Conv2D(4, 3, **first)(y))
    return Dense(3)(Flatten(**first)(y))


def twice_the_same(x: Any) -> Any:
    hidden = Dense(5)(x)
    return Add()([hidden, hidden])


def identities(x: Any) -> Any:
    y = ops.transpose(ops.transpose(x, (0, 2, 1)), (0, 2, 1))
    y = ops.reshape(Activation("linear")(ops.cast(y, "float32")), (-1, 4, 5))
    return Dense(3)(ops.transpose(ops.transpose(y, (0, 2, 1)), (0, 2, 1)) + 0.0 * np.float32(2))


def bias_by_hand(x: Any) -> Any:
    weight = Dense(5, use_bias=False)
    return ops.relu(weight(x) + np.linspace(-1, 1, 5, dtype="float32"))


def gated(x: Any) -> Any:
    return Dense(6, activation="sigmoid")(x) * Dense(6, activation="tanh")(x)


def sequence(x: Any) -> Any:
    y = Conv1D(6, 3, padding="causal", activation="relu")(x)
    return Dense(2)(LSTM(5)(LSTM(7, return_sequences=True)(y)))


def mixed(x: Any) -> Any:
    y = Lambda(lambda v: np.asarray(v) * 2)(Conv2D(3, 3, activation="relu")(x))
    return Softmax()(Dense(4)(GlobalAveragePooling2D()(Concatenate()([y, y]))))


def unused_work(x: Any) -> Any:
    Dense(7)(x)
    return Dense(2)(x)


def padded(x: Any) -> Any:
    y = Activation("relu")(Conv2D(4, 3, strides=2)(ZeroPadding2D(((1, 0), (2, 1)))(x)))
    y = MaxPooling2D(3, 2)(ZeroPadding2D(1)(y))
    return MaxPooling2D(2)(ZeroPadding2D(1)(Conv2D(3, 1)(y)))


def padded_channels_first(x: Any) -> Any:
    y = ZeroPadding2D((2, 1), data_format="channels_first")(x)
    return Conv2D(4, 3, data_format="channels_first")(y)


def padded_too_much(x: Any) -> Any:
    y = Activation("relu")(x)
    return [MaxPooling2D(2)(ZeroPadding2D(2)(y)), Conv2D(2, 3, padding="same")(ZeroPadding2D(1)(y))]


def computed_twice(x: Any) -> Any:
    layer = Dense(5)
    a, b = Activation("tanh")(layer(x)), Activation("tanh")(layer(x))
    return Dense(2)(Concatenate()([a, b, Activation("sigmoid")(b)]))


def mobile(x: Any) -> Any:
    """Blocks of MobileNetV2: without expansion, with a residual, and one whose expansion is used elsewhere, too."""
    y = ReLU(6.0)(BatchNormalization()(DepthwiseConv2D(3, padding="same", use_bias=False)(x)))
    y = BatchNormalization()(Conv2D(6, 1, use_bias=False)(y))
    z = ReLU(6.0)(BatchNormalization()(Conv2D(19, 1, use_bias=False)(y)))
    z = ReLU(6.0)(BatchNormalization()(DepthwiseConv2D(3, padding="same", use_bias=False)(z)))
    y = Add()([y, BatchNormalization()(Conv2D(6, 1, use_bias=False)(z))])
    z = Conv2D(9, 1, activation="relu")(y)
    return [Conv2D(4, 1)(DepthwiseConv2D(3, strides=2)(ZeroPadding2D(((0, 1), (0, 1)))(z))), z]


def both_ways(x: Any) -> Any:
    """Recurrent layers in both directions, and some whose input or output is turned round by hand."""
    y = Bidirectional(LSTM(5, return_sequences=True))(x)
    y = Bidirectional(GRU(4, return_sequences=True), merge_mode="sum")(y)
    z = SimpleRNN(3, return_sequences=True, go_backwards=True)(ops.flip(y, 1))
    kept = GRU(3, return_sequences=True)(y)
    return [Bidirectional(LSTM(2))(y), z[:, ::-1] * kept, ops.flip(kept, 1), ops.flip(LSTM(3)(y), 1)]


def nothing(x: Any) -> Any:
    return x


MODELS: dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]] = {
    "conv_bn_relu": (conv_bn_relu, (9, 8, 3)),
    "dense_bn": (dense_bn, (6,)),
    "residual": (residual, (7, 7, 5)),
    "residual_identity": (residual_identity, (7, 7, 5)),
    "residual_dense": (residual_dense, (6,)),
    "shared_value": (shared_value, (6, 6, 2)),
    "shared_layer": (shared_layer, (6,)),
    "shared_before_norm": (shared_before_norm, (6, 6, 2)),
    "output_in_between": (output_in_between, (4,)),
    "activation_chain": (activation_chain, (5,)),
    "channels_first": (channels_first, (3, 8, 8)),
    "twice_the_same": (twice_the_same, (4,)),
    "identities": (identities, (4, 5)),
    "bias_by_hand": (bias_by_hand, (6,)),
    "gated": (gated, (5,)),
    "sequence": (sequence, (9, 4)),
    "mixed": (mixed, (7, 7, 2)),
    "unused_work": (unused_work, (4,)),
    "padded": (padded, (11, 12, 3)),
    "padded_channels_first": (padded_channels_first, (3, 7, 6)),
    "padded_too_much": (padded_too_much, (7, 7, 2)),
    "computed_twice": (computed_twice, (6,)),
    "mobile": (mobile, (13, 12, 5)),
    "both_ways": (both_ways, (7, 4)),
    "nothing": (nothing, (4,)),
}


def make(name: str) -> Model:
    """The model of a name, with random weights."""
    function, shape = MODELS[name]
    x = Input(shape, name="x")
    model = graphflow.Model(x, function(x), name=name)
    randomize(model)
    return model


def data(name: str, rows: int = 5) -> Array:
    return np.random.default_rng(rows).standard_normal((rows, *MODELS[name][1])).astype("float32")


def as_list(outputs: Any) -> list[Array]:
    return outputs if isinstance(outputs, list) else [outputs]
