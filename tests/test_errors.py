"""The words of errors: the rule, what was expected and received, and the layer or input by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphflow
from graphflow import Input, Model, Sequential, initializers
from graphflow.errors import (
    ArgumentError,
    ArgumentTypeError,
    DataError,
    DTypeError,
    GraphError,
    GraphflowError,
    ShapeError,
    UnsupportedError,
)
from graphflow.layers import (
    LSTM,
    Activation,
    Add,
    AveragePooling2D,
    BatchNormalization,
    Concatenate,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    GlobalMaxPooling2D,
    MaxPooling1D,
    ReLU,
)

Case = tuple[Callable[[], Any], type[GraphflowError], tuple[str, ...]]


def dense_twice() -> Any:
    layer = Dense(3, name="it")
    layer(Input((4,)))
    return layer(Input((5,)))


CALLS: dict[str, Case] = {
    "rank of a convolution": (lambda: Conv2D(2, 3, name="it")(Input((8, 3))), ShapeError, ("rank 4", "(None, 8, 3)")),
    "rank of pooling": (lambda: MaxPooling1D(name="it")(Input((8,))), ShapeError, ("rank 3", "(None, 8)")),
    "rank of global pooling": (
        lambda: GlobalMaxPooling2D(name="it")(Input((8, 3))),
        ShapeError,
        ("rank 4", "(None, 8, 3)"),
    ),
    "rank of an LSTM": (lambda: LSTM(2, name="it")(Input((8,))), ShapeError, ("(batch, steps, features)", "(None, 8)")),
    "rank of dense": (lambda: Dense(2, name="it")(Input(())), ShapeError, ("rank 2 or more", "(None,)")),
    "last dimension": (dense_twice, ShapeError, ("must be equal, received 5 and 4", "(None, 5)")),
    "unknown last dimension": (lambda: Dense(2, name="it")(Input((None,))), ShapeError, ("None",)),
    "unknown channels": (
        lambda: Conv1D(2, 3, name="it")(Input((8, None))),
        ShapeError,
        ("channels must be known", "(None, 8, None)"),
    ),
    "unknown axis": (lambda: BatchNormalization(name="it")(Input((None,))), ShapeError, ("must be known",)),
    "unknown features": (
        lambda: LSTM(2, name="it")(Input((4, None))),
        ShapeError,
        ("known features", "(None, 4, None)"),
    ),
    "kernel larger than its input": (
        lambda: Conv2D(2, 5, name="it")(Input((4, 9, 1))),
        ShapeError,
        ("window of 5", "input of 4", "padding='same'"),
    ),
    "dilated kernel": (
        lambda: Conv1D(2, 3, dilation_rate=4, name="it")(Input((8, 1))),
        ShapeError,
        ("window of 9", "dilation 4", "input of 8"),
    ),
    "pool larger than its input": (
        lambda: AveragePooling2D(3, name="it")(Input((2, 9, 1))),
        ShapeError,
        ("window of 3", "input of 2"),
    ),
    "channels and groups": (
        lambda: Conv1D(4, 3, groups=2, name="it")(Input((8, 5))),
        ShapeError,
        ("channels, 5", "groups, 2"),
    ),
    "shapes to add": (
        lambda: Add(name="it")([Input((3,)), Input((4,))]),
        ShapeError,
        ("(None, 3)", "(None, 4)", "broadcast"),
    ),
    "shapes to concatenate": (
        lambda: Concatenate(1, name="it")([Input((3, 2)), Input((3, 4))]),
        ShapeError,
        ("axis 2", "(None, 3, 4)"),
    ),
    "axis to concatenate": (
        lambda: Concatenate(3, name="it")([Input((3,)), Input((3,))]),
        ArgumentError,
        ("[-2, 2)", "3"),
    ),
    "merge of one tensor": (lambda: Add(name="it")(Input((3,))), ArgumentTypeError, ("list of tensors",)),
    "axis of normalisation": (
        lambda: BatchNormalization(axis=4, name="it")(Input((3,))),
        ArgumentError,
        ("[-2, 2)", "4"),
    ),
    "length of an embedding": (
        lambda: Embedding(9, 2, input_length=5, name="it")(Input((6,))),
        ShapeError,
        ("input_length is 5", "(None, 6)"),
    ),
    "states": (
        lambda: LSTM(2, name="it")(Input((3, 2)), initial_state=[Input((2,))]),
        ArgumentError,
        ("2 states", "received 1"),
    ),
}


@pytest.mark.parametrize("what", CALLS)
def test_a_call_that_does_not_fit_names_the_layer_and_both_sizes(what: str) -> None:
    call, error, words = CALLS[what]
    with pytest.raises(error) as caught:
        call()
    message = str(caught.value)
    assert "'it'" in message, message
    for word in words:
        assert word in message, message
    assert message.count("layer 'it'") == 1


ARGUMENTS: dict[str, Case] = {
    "zero units": (lambda: Dense(0), ArgumentError, ("units", "positive integer", "0")),
    "negative filters": (lambda: Conv1D(-3, 2), ArgumentError, ("filters", "-3")),
    "half a unit": (lambda: LSTM(2.5), ArgumentError, ("units", "2.5")),
    "zero kernel": (lambda: Conv2D(2, (3, 0)), ArgumentError, ("kernel_size", "at least 1", "(3, 0)")),
    "kernel of another rank": (lambda: Conv2D(2, (3, 3, 3)), ArgumentError, ("kernel_size", "tuple of 2", "(3, 3, 3)")),
    "zero strides": (lambda: MaxPooling1D(2, strides=0), ArgumentError, ("strides", "at least 1")),
    "strides with dilation": (
        lambda: Conv2D(2, 3, strides=2, dilation_rate=2),
        ArgumentError,
        ("strides", "dilation_rate", "(2, 2)"),
    ),
    "filters and groups": (lambda: Conv2D(5, 3, groups=2), ArgumentError, ("multiple of groups", "5", "2")),
    "zero groups": (lambda: Conv2D(4, 3, groups=0), ArgumentError, ("groups", "positive")),
    "padding": (lambda: Conv2D(2, 3, padding="smae"), ArgumentError, ("padding", "'same'", "'smae'")),
    "causal in two dimensions": (lambda: Conv2D(2, 3, padding="causal"), ArgumentError, ("padding", "'causal'")),
    "data format": (
        lambda: Conv2D(2, 3, data_format="nhwc"),
        ArgumentError,
        ("data_format", "'channels_last'", "'nhwc'"),
    ),
    "activation": (lambda: Dense(2, activation="rellu"), ArgumentError, ("'rellu'", "'relu'")),
    "activation layer": (lambda: Activation("sofmax"), ArgumentError, ("'sofmax'", "'softmax'")),
    "activation of another kind": (lambda: Dense(2, activation=3), ArgumentTypeError, ("name or a function", "3")),
    "initializer": (
        lambda: Dense(2, kernel_initializer="glorot_unifrom"),
        ArgumentError,
        ("'glorot_unifrom'", "'glorot_uniform'"),
    ),
    "regularizer": (lambda: Dense(2, kernel_regularizer="l3"), ArgumentError, ("regularizer", "'l3'")),
    "constraint": (lambda: Dense(2, kernel_constraint="max_nrom"), ArgumentError, ("constraint", "'max_norm'")),
    "argument": (lambda: Dense(2, kernal_initializer="ones"), ArgumentTypeError, ("Dense", "'kernal_initializer'")),
    "argument given twice": (
        lambda: Dense(2, None, True, "ones", kernel_initializer="ones"),
        ArgumentTypeError,
        ("kernel_initializer", "twice"),
    ),
    "too many arguments": (lambda: Conv1D(*range(1, 20)), ArgumentTypeError, ("Too many positional",)),
    "rate": (lambda: Dropout(1.0), ArgumentError, ("[0, 1)", "1.0")),
    "slope": (lambda: ReLU(negative_slope=-1.0), ArgumentError, ("negative_slope", "-1.0")),
    "rows of a table": (lambda: Embedding(0, 4), ArgumentError, ("input_dim", "0")),
    "dtype": (lambda: Dense(2, dtype="floot32"), DTypeError, ("'floot32'", "float32")),
    "name": (lambda: Dense(2, name=7), ArgumentTypeError, ("name", "7")),
    "input without a shape": (lambda: Input(), ArgumentError, ("shape",)),
    "negative input size": (lambda: Input((3, -2)), ShapeError, ("-2",)),
    "scale": (lambda: initializers.VarianceScaling(scale=0), ArgumentError, ("scale", "0")),
    "orthogonal vector": (lambda: initializers.Orthogonal()((3,)), ShapeError, ("two dimensions", "(3,)")),
    "knob": (lambda: graphflow.knobs(tread=1).__enter__(), ArgumentError, ("'tread'", "'threads'")),
    "kind of a knob": (
        lambda: graphflow.knobs(threads="2").__enter__(),
        ArgumentTypeError,
        ("'threads'", "int", "'2'"),
    ),
    "threads": (lambda: graphflow.set_num_threads(0), ArgumentError, ("1 to 64", "0")),
    "chain of no layers": (lambda: Sequential([3]), ArgumentTypeError, ("takes layers", "3")),
    "chain without an input": (
        lambda: Sequential([Dense(2)], name="it").predict([[1]]),
        ArgumentError,
        ("'it'", "input_shape"),
    ),
    "training": (lambda: Sequential([Dense(2, input_shape=(1,))]).fit(), UnsupportedError, ("fit",)),
}


@pytest.mark.parametrize("what", ARGUMENTS)
def test_an_argument_out_of_range_is_named_with_its_value(what: str) -> None:
    call, error, words = ARGUMENTS[what]
    with pytest.raises(error) as caught:
        call()
    for word in words:
        assert word in str(caught.value)


def test_errors_are_also_of_the_kinds_that_keras_raises() -> None:
    assert issubclass(ShapeError, ValueError)
    assert issubclass(ArgumentError, ValueError)
    assert issubclass(GraphError, ValueError)
    assert issubclass(DataError, ValueError)
    assert issubclass(DTypeError, TypeError)
    assert issubclass(ArgumentTypeError, TypeError)
    assert issubclass(UnsupportedError, NotImplementedError)


def test_an_output_that_does_not_follow_from_the_inputs_is_named() -> None:
    a, b = Input((3,), name="a"), Input((3,), name="forgotten")
    y = Add(name="sum")([Dense(3, name="left")(a), b])
    with pytest.raises(GraphError, match="not connected") as caught:
        Model(a, y)
    assert "'forgotten'" in str(caught.value)
    assert "(None, 3)" in str(caught.value)
    assert "'left'" in str(caught.value)


def test_two_layers_of_one_name_are_both_shown() -> None:
    x = Input((3,))
    with pytest.raises(GraphError, match="must be unique") as caught:
        Model(x, Dense(2, name="same")(Activation("relu", name="same")(x)))
    assert "Dense name=same" in str(caught.value)
    assert "Activation name=same" in str(caught.value)
    with pytest.raises(ArgumentError, match="'same' is there already"):
        Sequential([Dense(2, name="same"), Dense(2, name="same")])


def test_a_model_s_ends_must_be_symbolic_tensors() -> None:
    with pytest.raises(ArgumentTypeError, match="inputs must be tensors that come from Input"):
        Model(np.zeros((2, 2)), Dense(2)(Input((2,))))
    with pytest.raises(ArgumentError, match="needs inputs and outputs"):
        Model(Input((2,)))
    with pytest.raises(ArgumentError, match=r"no layer 'dens'.*'dense_x'"):
        Model(x := Input((2,)), Dense(2, name="dense_x")(x)).get_layer("dens")


@pytest.mark.parametrize("use", [np.asarray, bool, float, list], ids=lambda use: use.__name__)
def test_a_symbolic_tensor_is_not_taken_for_numbers(use: Any) -> None:
    with pytest.raises(TypeError):
        use(Input((3,)))
