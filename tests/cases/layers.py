"""Cases of every layer class: arguments, inputs, and whether Keras has the same layer to compare with."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np

import graphflow
from cases.problem import Array, Given, x
from cases.window_layers import PLAIN, SPATIAL
from graphflow.layers.registry import LAYERS

IMAGE, IMAGE_FIRST = x(2, 9, 8, 6), x(2, 6, 9, 8)
STEPS, STEPS_FIRST = x(3, 7, 4), x(3, 4, 7)


@dataclass(frozen=True)
class LayerCase:
    """One layer on one input.

    Args:
        layer: name of the class.
        config: its arguments.
        inputs: what it is called on; several make a list.
        in_keras: whether Keras 3 takes the same arguments to the same result on a CPU.
    """

    layer: str
    config: dict[str, Any]
    inputs: tuple[Given, ...]
    in_keras: bool = True
    tag: str = field(default="")

    @property
    def name(self) -> str:
        shown = "-".join(f"{key}={getattr(value, '__name__', value)}" for key, value in self.config.items())
        shapes = "-".join("x".join(map(str, one.shape)) for one in self.inputs)
        return f"{self.layer}({shown})_{shapes}{self.tag}".replace(" ", "")

    def make(self, **more: Any) -> Any:
        return LAYERS.classes[self.layer](**{**self.config, **more})

    def arrays(self) -> list[Array]:
        rng = np.random.default_rng(zlib.crc32(self.name.encode()))
        return [one.make(rng) for one in self.inputs]

    def symbolic(self) -> list[Any]:
        return [graphflow.Input(one.shape[1:], dtype=one.dtype) for one in self.inputs]

    def call(self, layer: Any, tensors: list[Any]) -> Any:
        return layer(tensors[0] if len(tensors) == 1 and self.layer not in ("Add", "Concatenate") else tensors)

    def model(self, layer: Any = None) -> Any:
        """A model of the layer alone, with random weights that are not zero."""
        tensors = self.symbolic()
        layer = layer or self.make()
        model = graphflow.Model(tensors, self.call(layer, tensors))
        randomize(layer)
        return model


def randomize(layer: Any, seed: int = 5) -> None:
    """Random weights; variances stay positive."""
    rng = np.random.default_rng(seed)
    values = []
    for variable in layer.weights:
        value = rng.normal(0, 0.5, variable.shape)
        values.append(np.abs(value) + 0.2 if "variance" in variable.name else value)
    layer.set_weights(values)


def _core() -> list[LayerCase]:
    cases = [
        LayerCase("Dense", {"units": units, "activation": activation, "use_bias": bias}, (x(3, 5),))
        for units, activation, bias in ((1, None, True), (7, "relu", True), (4, "softmax", False), (9, "gelu", True))
    ]
    activations = (
        "elu",
        "selu",
        "softplus",
        "softsign",
        "tanh",
        "sigmoid",
        "exponential",
        "silu",
        "relu6",
        "log_softmax",
    )
    cases += [LayerCase("Dense", {"units": 4, "activation": name}, (x(2, 3, 5),)) for name in activations]
    cases += [LayerCase("Dense", {"units": 4, "activation": "hard_sigmoid"}, (x(2, 5),), in_keras=False)]
    cases += [LayerCase("Activation", {"activation": name}, (x(3, 5, 4),)) for name in ("relu", "tanh", "leaky_relu")]
    cases += [LayerCase("Dropout", {"rate": 0.4, "seed": 3}, (x(3, 5),))]
    cases += [LayerCase("Dropout", {"rate": 0.4, "noise_shape": (None, 1), "seed": 3}, (x(3, 5),), in_keras=False)]
    for data_format, given in product(
        ("channels_last", "channels_first"), (x(3, 5), STEPS, IMAGE, x(2, 2, 3, 4, 5), x(4))
    ):
        cases.append(LayerCase("Flatten", {"data_format": data_format}, (given,), in_keras=len(given.shape) > 1))
    cases += [
        LayerCase("Embedding", {"input_dim": 9, "output_dim": 5}, (x(3, 6, dtype="int32", low=0, high=9),)),
        LayerCase(
            "Embedding", {"input_dim": 9, "output_dim": 1, "mask_zero": True}, (x(3, 6, dtype="int32", low=0, high=9),)
        ),
        LayerCase("Embedding", {"input_dim": 4, "output_dim": 3}, (x(2, 3, 2, dtype="int64", low=0, high=4),)),
        LayerCase("Embedding", {"input_dim": 4, "output_dim": 3}, (x(6, 2, kind="integers", low=0, high=4),)),
        LayerCase(
            "Embedding", {"input_dim": 4, "output_dim": 0}, (x(2, 3, dtype="int32", low=0, high=4),), in_keras=False
        ),
        LayerCase("Lambda", {"function": lambda v: v**2}, (x(3, 5),), in_keras=False),
        LayerCase("Lambda", {"function": lambda v: v[:, ::-1] + 1, "output_shape": (5,)}, (x(3, 5),), in_keras=False),
        LayerCase("Lambda", {"function": _scaled, "arguments": {"by": 3.0}}, (x(3, 5),), in_keras=False),
        LayerCase("Lambda", {"function": _two_results}, (x(3, 5), x(3, 5)), in_keras=False),
        LayerCase("ReLU", {}, (x(3, 5),)),
        LayerCase("ReLU", {"max_value": 1.0}, (x(3, 5),)),
        LayerCase("ReLU", {"max_value": 0.9, "negative_slope": 0.2, "threshold": 0.3}, (x(3, 4, 5),)),
        LayerCase("Softmax", {}, (x(3, 5),)),
        LayerCase("Softmax", {"axis": 1}, (x(3, 5, 4),)),
        LayerCase("Softmax", {"axis": [1, 2]}, (x(3, 5, 4),)),
        LayerCase("Add", {}, (x(3, 5), x(3, 5), x(3, 5))),
        LayerCase("Add", {}, (x(3, 4, 5), x(3, 1, 5))),
        LayerCase("Add", {}, (x(3, 4, 5), x(3, 5))),
        LayerCase("Concatenate", {}, (x(3, 5), x(3, 2))),
        LayerCase("Concatenate", {"axis": 1}, (x(3, 2, 5), x(3, 4, 5), x(3, 1, 5))),
    ]
    for axis, given in ((-1, x(4, 6)), (-1, IMAGE), (1, IMAGE_FIRST), (2, STEPS)):
        for center, scale in product((False, True), repeat=2):
            config = {"axis": axis, "epsilon": 0.01, "center": center, "scale": scale}
            cases.append(LayerCase("BatchNormalization", config, (given,)))
    return cases


def _scaled(v: Any, by: float) -> Any:
    return v * by


def _two_results(pair: Any) -> Any:
    product_of = pair[0] * pair[1]
    return [product_of, graphflow.ops.sum(product_of, -1)]


def _convolutions() -> list[LayerCase]:
    cases = []
    for data_format in ("channels_last", "channels_first"):
        last = data_format == "channels_last"
        image, steps = (IMAGE, STEPS) if last else (IMAGE_FIRST, STEPS_FIRST)
        settings: tuple[dict[str, Any], ...] = (
            {"filters": 4, "kernel_size": 3},
            {"filters": 5, "kernel_size": (3, 2), "padding": "same", "activation": "relu"},
            {"filters": 2, "kernel_size": 1, "strides": (2, 1), "use_bias": False},
            {"filters": 6, "kernel_size": 3, "strides": 2, "padding": "same", "activation": "tanh"},
            {"filters": 3, "kernel_size": (2, 3), "dilation_rate": (2, 3)},
            {"filters": 6, "kernel_size": 3, "groups": 3, "padding": "same"},
            {"filters": 4, "kernel_size": 3, "activation": "softmax"},
        )
        # an activation along an axis looks at another one in the transposed result, and TensorFlow has no grouped
        # convolution with padding on a CPU that it does not compute itself, so both stand for graphflow alone there
        for config in settings:
            softmax = config.get("activation") == "softmax" and not last
            cases.append(LayerCase("Conv2D", {**config, "data_format": data_format}, (image,), in_keras=not softmax))
        settings = (
            {"filters": 4, "kernel_size": 3},
            {"filters": 5, "kernel_size": 2, "padding": "causal", "dilation_rate": 2, "activation": "relu"},
            {"filters": 3, "kernel_size": 3, "padding": "causal", "strides": 2},
            {"filters": 4, "kernel_size": 4, "padding": "same", "strides": 3},
            {"filters": 4, "kernel_size": 3, "groups": 2, "use_bias": False},
        )
        cases += [LayerCase("Conv1D", {**config, "data_format": data_format}, (steps,)) for config in settings]
        for kind, padding in product(("Max", "Average"), ("valid", "same")):
            shared = {"padding": padding, "data_format": data_format}
            for size, strides in ((2, None), (3, 2), (3, 1)):
                config = {"pool_size": size, "strides": strides, **shared}
                cases.append(LayerCase(f"{kind}Pooling1D", config, (steps,)))
                cases.append(LayerCase(f"{kind}Pooling2D", config, (image,)))
            cases.append(LayerCase(f"{kind}Pooling2D", {"pool_size": (2, 3), "strides": (3, 1), **shared}, (image,)))
        for kind, keepdims in product(("Max", "Average"), (False, True)):
            shared = {"keepdims": keepdims, "data_format": data_format}
            cases.append(LayerCase(f"Global{kind}Pooling1D", shared, (steps,)))
            cases.append(LayerCase(f"Global{kind}Pooling2D", shared, (image,)))
    return cases


def _recurrent() -> list[LayerCase]:
    cases = []
    for sequences, backwards, bias in product((False, True), repeat=3):
        config = {"units": 5, "return_sequences": sequences, "go_backwards": backwards, "use_bias": bias}
        cases.append(LayerCase("LSTM", config, (STEPS,)))
    cases += [
        LayerCase("LSTM", {"units": 3, "return_state": True}, (STEPS,)),
        LayerCase("LSTM", {"units": 3, "return_state": True, "return_sequences": True, "unroll": True}, (STEPS,)),
        LayerCase("LSTM", {"units": 3, "activation": "relu", "recurrent_activation": "tanh"}, (STEPS,)),
        LayerCase("LSTM", {"units": 3, "recurrent_activation": "hard_sigmoid"}, (STEPS,), in_keras=False),
        LayerCase("LSTM", {"units": 33, "unit_forget_bias": False}, (x(2, 9, 17),)),
    ]
    for name, sequences, backwards in product(("SimpleRNN", "GRU"), (False, True), (False, True)):
        config = {"units": 4, "return_sequences": sequences, "go_backwards": backwards, "use_bias": not backwards}
        cases.append(LayerCase(name, config, (STEPS,)))
        cases.append(LayerCase(name, {**config, "return_state": True, "activation": "softmax"}, (STEPS,)))
    for after in (False, True):
        cases.append(LayerCase("GRU", {"units": 18, "reset_after": after, "activation": "relu"}, (x(2, 9, 5),)))
    for rank, last in product((1, 2, 3), (True, False)):
        sizes = (7, 6, 5)[:rank]
        shape = (2, 3, *sizes, 2) if last else (2, 3, 2, *sizes)
        config = {
            "filters": 3,
            "kernel_size": 3,
            "padding": "same" if last else "valid",
            "recurrent_activation": "sigmoid",
            "return_sequences": last,
            **({} if last else {"data_format": "channels_first"}),
        }
        cases.append(LayerCase(f"ConvLSTM{rank}D", config, (x(*shape),), in_keras=last))
    config = {"filters": 2, "kernel_size": (2, 3), "strides": 2, "use_bias": False, "recurrent_activation": "sigmoid"}
    cases.append(LayerCase("ConvLSTM2D", {**config, "return_state": True}, (x(2, 3, 7, 6, 2),)))
    return cases


def _windows() -> list[LayerCase]:
    cases = [LayerCase(layer, config, (x(*shape),), in_keras=known) for layer, config, shape, known in PLAIN]
    for layer, config, shape, known in SPATIAL:
        given = {"channels_last": shape, "channels_first": (shape[0], shape[-1], *shape[1:-1])}
        cases += [
            LayerCase(layer, {**config, "data_format": name}, (x(*one),), in_keras=known) for name, one in given.items()
        ]
    return cases


def _further() -> list[LayerCase]:
    two = (x(3, 4, 5), x(3, 4, 5))
    rows: tuple[tuple[Any, ...], ...] = (
        *((name, {}, two) for name in ("Subtract", "Multiply", "Average", "Maximum", "Minimum")),
        *((name, {}, (*two, x(3, 5))) for name in ("Multiply", "Average", "Maximum", "Minimum")),
        ("Dot", {"axes": 2}, (x(3, 4, 5), x(3, 6, 5))),
        ("Dot", {"axes": (1, 2), "normalize": True}, (x(3, 4, 5), x(3, 6, 4))),
        ("Dot", {"axes": 1}, (x(3, 5), x(3, 5))),
        ("Reshape", {"target_shape": (5, -1)}, (x(3, 4, 5),)),
        ("Permute", {"dims": (2, 1)}, (STEPS,)),
        ("RepeatVector", {"n": 3}, (x(3, 5),)),
        ("Masking", {"mask_value": 2.0}, (x(3, 4, 1, kind="integers", low=0, high=3),)),
        ("LeakyReLU", {"alpha": 0.1}, (x(3, 5),)),
        ("ELU", {"alpha": 0.4}, (x(3, 5),)),
        ("PReLU", {"shared_axes": [1]}, (STEPS,)),
        ("LayerNormalization", {"axis": [1, 2], "epsilon": 0.1}, (STEPS,)),
        ("LayerNormalization", {"scale": False, "rms_scaling": True}, (x(3, 40),)),
        ("GroupNormalization", {"groups": 3, "center": False}, (IMAGE,)),
        ("GroupNormalization", {"groups": 2, "axis": 1}, (IMAGE_FIRST,)),
        ("UnitNormalization", {"axis": 1}, (STEPS,)),
        ("SpatialDropout1D", {"rate": 0.3}, (STEPS,)),
        ("SpatialDropout2D", {"rate": 0.3}, (IMAGE,)),
        ("SpatialDropout3D", {"rate": 0.3}, (x(2, 2, 3, 4, 5),)),
        ("GaussianNoise", {"stddev": 0.3}, (x(3, 5),)),
        ("GaussianDropout", {"rate": 0.3}, (x(3, 5),)),
        ("AlphaDropout", {"rate": 0.3}, (x(3, 5),)),
        ("ActivityRegularization", {"l1": 0.1, "l2": 0.2}, (x(3, 5),)),
        ("Attention", {"use_scale": True}, (x(3, 4, 5), x(3, 6, 5))),
        ("Attention", {"score_mode": "concat", "use_scale": True}, (x(3, 4, 5), x(3, 6, 2), x(3, 6, 5))),
        ("AdditiveAttention", {"use_scale": True}, (x(3, 4, 5), x(3, 6, 5))),
        ("EinsumDense", {"equation": "abc,cd->abd", "output_shape": (None, 3), "bias_axes": "d"}, (STEPS,)),
        ("EinsumDense", {"equation": "abc,bcd->abd", "output_shape": (7, 3), "activation": "relu"}, (STEPS,)),
        ("Identity", {}, (x(3, 5),)),
        ("Rescaling", {"scale": 0.5, "offset": -1.0}, (IMAGE,)),
        ("Normalization", {"mean": 0.5, "variance": 2.0, "invert": True}, (x(3, 5),)),
    )
    cases = [LayerCase(*row) for row in (*rows, *_images())]
    theta = LayerCase("ThresholdedReLU", {"theta": 0.5}, (x(3, 5),), in_keras=False)
    return [*cases, theta, LayerCase("Normalization", {"axis": (1,)}, (STEPS,), in_keras=False)]


def _images() -> list[tuple[Any, ...]]:
    size = {"height": 5, "width": 6}
    small = (x(2, 3, 8, 2),)
    return [
        ("Resizing", size, (IMAGE,)),
        ("Resizing", {**size, "interpolation": "nearest"}, (IMAGE,)),
        ("Resizing", {"height": 18, "width": 16}, (IMAGE,)),
        ("Resizing", {**size, "interpolation": "bicubic", "antialias": True}, (IMAGE,)),
        ("Resizing", {**size, "crop_to_aspect_ratio": True}, small),
        ("Resizing", {**size, "pad_to_aspect_ratio": True, "fill_value": 0.5}, small),
        ("Resizing", {**size, "data_format": "channels_first"}, (IMAGE_FIRST,), False),
        ("Resizing", {**size, "interpolation": "gaussian"}, (IMAGE,), False),
        ("CenterCrop", size, (IMAGE,)),
        ("CenterCrop", size, small),
        ("RandomBrightness", {"factor": (-0.2, 0.2)}, (IMAGE,)),
        ("RandomContrast", {"factor": (0.1, 0.2)}, (IMAGE,)),
        ("RandomCrop", {**size, "seed": 1}, (IMAGE,), False),
        ("RandomFlip", {"mode": "horizontal"}, (IMAGE,)),
        ("RandomHeight", {"factor": 0.2}, (IMAGE,), False),
        ("RandomRotation", {"factor": (-0.1, 0.1)}, (IMAGE,)),
        ("RandomTranslation", {"height_factor": 0.1, "width_factor": 0.2}, (IMAGE,)),
        ("RandomWidth", {"factor": 0.2}, (IMAGE,), False),
        ("RandomZoom", {"height_factor": 0.1}, (IMAGE,)),
    ]


CASES: list[LayerCase] = [*_core(), *_convolutions(), *_windows(), *_recurrent(), *_further()]

NO_CASE = {
    "MultiHeadAttention": "called on several arguments: tests/test_more_layers.py and tests/parity",
    "Bidirectional": "tests/test_recurrent.py",
    "GRUCell": "tests/test_recurrent.py",
    "InputLayer": "it is what a case begins with",
    "LSTMCell": "tests/test_recurrent.py",
    "RNN": "tests/test_recurrent.py",
    "SimpleRNNCell": "tests/test_recurrent.py",
    "StackedRNNCells": "tests/test_recurrent.py",
    "TimeDistributed": "tests/test_recurrent.py",
    "Model": "tests/test_models.py and tests/parity",
    "Sequential": "tests/test_models.py and tests/parity",
}
"""Classes that are not layers of one call, and where they are tested."""
