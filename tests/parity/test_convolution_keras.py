"""Convolutions, pooling, padding, cropping and upsampling beside Keras 3 and tf_keras, in random configurations.

Channels first is compared with Keras' channels last, on the transposed input.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphflow
from graphflow import layers

pytestmark = pytest.mark.oracle

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras")

Config = dict[str, Any]
ROUNDS = 36
TOLERANCE = 1e-5


def pick(rng: np.random.Generator, *options: Any) -> Any:
    return options[int(rng.integers(len(options)))]


def sizes(rng: np.random.Generator, rank: int, low: int, high: int) -> Any:
    """An integer, or one for each dimension."""
    several = tuple(int(rng.integers(low, high + 1)) for _ in range(rank))
    return several[0] if rank == 1 or rng.random() < 0.3 else several


def pairs(rng: np.random.Generator, rank: int, high: int) -> Any:
    """Padding or cropping in one of its three forms."""
    both = tuple((int(rng.integers(high + 1)), int(rng.integers(high + 1))) for _ in range(rank))
    if rank == 1:
        return pick(rng, both[0], both[0][0])
    return pick(rng, both, tuple(one[0] for one in both), both[0][0])


def shared(rng: np.random.Generator, *weights: str) -> Config:
    """Activation, bias, and initializers that only matter to the configuration."""
    config = {
        "activation": pick(rng, None, "relu", "tanh", "sigmoid", "elu", "relu6"),
        "use_bias": pick(rng, True, True, False),
    }
    if rng.random() < 0.3:
        config |= {f"{name}_initializer": "he_normal" for name in weights}
        config |= {"bias_initializer": "ones", f"{weights[0]}_regularizer": "l2", f"{weights[0]}_constraint": "non_neg"}
    return config


def window(rng: np.random.Generator, rank: int, *paddings: str) -> Config:
    """Kernel, strides or dilation, padding."""
    config = {"kernel_size": sizes(rng, rank, 1, 4), "padding": pick(rng, *paddings)}
    if rng.random() < 0.6:
        config["strides"] = sizes(rng, rank, 1, 3)
    elif rng.random() < 0.6:
        config["dilation_rate"] = sizes(rng, rank, 1, 3)
    return config


def conv(rng: np.random.Generator, rank: int) -> Config:
    groups = pick(rng, 1, 1, 2, 3)
    paddings = ("valid", "same", "causal") if rank == 1 else ("valid", "same")
    return {
        **window(rng, rank, *paddings),
        **shared(rng, "kernel"),
        "filters": groups * int(rng.integers(1, 4)),
        "groups": groups,
    }


def transposed(rng: np.random.Generator, rank: int) -> Config:
    config = {
        **window(rng, rank, "valid", "same"),
        **shared(rng, "kernel"),
        "filters": int(rng.integers(1, 6)),
    }
    strides = config.get("strides", 1)
    strides = (strides,) * rank if isinstance(strides, int) else strides
    kernel = config["kernel_size"]
    kernel = (kernel,) * rank if isinstance(kernel, int) else kernel
    if rng.random() < 0.5 and "dilation_rate" not in config:
        config["output_padding"] = tuple(int(rng.integers(s)) for s in strides)
        # TensorFlow refuses an output that it would not make this input of
        if config["padding"] == "same" and any(
            not 1 <= k % 2 + p <= s for k, p, s in zip(kernel, config["output_padding"], strides, strict=True)
        ):
            del config["output_padding"]
    return config


def depthwise(rng: np.random.Generator, rank: int) -> Config:
    """TensorFlow takes equal strides only, but where it takes the convolution apart."""
    config = {
        **window(rng, rank, "valid", "same"),
        **shared(rng, "depthwise"),
        "depth_multiplier": int(rng.integers(1, 4)),
    }
    if "strides" in config:
        config["strides"] = int(rng.integers(1, 4))
        if rng.random() < 0.3:
            config["dilation_rate"] = sizes(rng, rank, 1, 3)
    return config


def separable(rng: np.random.Generator, rank: int) -> Config:
    return {
        **depthwise(rng, rank),
        **shared(rng, "depthwise", "pointwise"),
        "filters": int(rng.integers(1, 6)),
    }


def pooling(rng: np.random.Generator, rank: int) -> Config:
    return {
        "pool_size": sizes(rng, rank, 1, 4),
        "strides": pick(rng, None, sizes(rng, rank, 1, 3)),
        "padding": pick(rng, "valid", "same"),
    }


def upsampling(rng: np.random.Generator, rank: int) -> Config:
    config: Config = {"size": sizes(rng, rank, 1, 4)}
    return config if rank != 2 else {**config, "interpolation": pick(rng, "nearest", "bilinear")}


KINDS: dict[str, tuple[Callable[[np.random.Generator, int], Config], tuple[int, ...]]] = {
    "Conv{}D": (conv, (1, 2, 3)),
    "Conv{}DTranspose": (transposed, (1, 2, 3)),
    "DepthwiseConv{}D": (depthwise, (1, 2)),
    "SeparableConv{}D": (separable, (1, 2)),
    "MaxPooling{}D": (pooling, (1, 2, 3)),
    "AveragePooling{}D": (pooling, (1, 2, 3)),
    "GlobalMaxPooling{}D": (lambda rng, rank: {"keepdims": bool(rng.integers(2))}, (1, 2, 3)),
    "GlobalAveragePooling{}D": (lambda rng, rank: {"keepdims": bool(rng.integers(2))}, (1, 2, 3)),
    "ZeroPadding{}D": (lambda rng, rank: {"padding": pairs(rng, rank, 3)}, (1, 2, 3)),
    "Cropping{}D": (lambda rng, rank: {"cropping": pairs(rng, rank, 2)}, (1, 2, 3)),
    "UpSampling{}D": (upsampling, (1, 2, 3)),
}
CASES = [(kind.format(rank), make, rank) for kind, (make, ranks) in KINDS.items() for rank in ranks]
WITHOUT_FORMAT = ("Cropping1D", "UpSampling1D")


def random_weights(rng: np.random.Generator, shapes: list[tuple[int, ...]]) -> list[Any]:
    return [rng.normal(0, 0.5, shape).astype(np.float32) for shape in shapes]


def expected_of(module: Any, name: str, config: Config, x: Any, weights: list[Any]) -> Any:
    """The oracle's answer; Keras 3 computes channels last, since TensorFlow refuses some layers channels first on a
    CPU, and computes
    a few of them wrongly there: its own two formats differ."""
    if config.get("data_format") == "channels_first" and module is keras:
        last = {**config, "data_format": "channels_last"}
        y = expected_of(module, name, last, np.moveaxis(x, 1, -1), weights)
        return y if y.ndim == 2 else np.moveaxis(y, -1, 1)
    layer = getattr(module.layers, name)(**config)
    layer.build(x.shape)
    layer.set_weights(weights)
    return np.asarray(layer(x))


def compare(module: Any, name: str, config: Config, x: Any, rng: np.random.Generator, free: bool) -> float:
    """The largest difference of one layer, relative to the largest output; `free`: sizes are not known beforehand."""
    layer = getattr(layers, name)(**config)
    rank = x.ndim - 2
    first = config.get("data_format") == "channels_first"
    shape = list(x.shape[1:])
    if free:
        shape = [x.shape[1]] + [None] * rank if first else [None] * rank + [x.shape[-1]]
    tensor = graphflow.Input(shape)
    model = graphflow.Model(tensor, layer(tensor))
    weights = random_weights(rng, [variable.shape for variable in layer.weights])
    layer.set_weights(weights)
    expected = expected_of(module, name, config, x, weights)
    actual = model.predict(x)
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    largest = float(np.abs(expected).max(initial=0.0))
    return float(np.abs(actual - expected).max(initial=0.0)) / (largest or 1.0)


def image(rng: np.random.Generator, rank: int, config: Config, least: int = 10) -> Any:
    """An input of batch 1 to 3 that no window is larger than; channels that every number of groups divides."""
    high = {1: 30, 2: 16, 3: 12}[rank]
    spatial = [int(rng.integers(least, high + 1)) for _ in range(rank)]
    channels = int(config.get("groups", 1)) * int(rng.integers(1, 5))
    shape = (channels, *spatial) if config.get("data_format") == "channels_first" else (*spatial, channels)
    return rng.normal(size=(int(rng.integers(1, 4)), *shape)).astype(np.float32)


@pytest.mark.parametrize(("name", "make", "rank"), CASES, ids=[name for name, _, _ in CASES])
def test_random_configurations_give_the_outputs_of_keras(name: str, make: Any, rank: int) -> None:
    rng = np.random.default_rng(len(name) * 7919 + rank)
    errors = []
    for round_ in range(ROUNDS):
        config = make(rng, rank)
        if name not in WITHOUT_FORMAT:
            config["data_format"] = ("channels_last", "channels_first")[round_ % 2]
        x = image(rng, rank, config)
        error = compare(keras, name, config, x, rng, free=bool(rng.integers(2)))
        assert error <= TOLERANCE, (name, config, x.shape, error)
        errors.append(error)
    print(f"{name}: {max(errors):.1e} in {ROUNDS}")


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("implementation", [1, 2, 3])
def test_locally_connected_layers_give_the_outputs_of_tf_keras(rank: int, implementation: int) -> None:
    tf_keras = pytest.importorskip("tf_keras")
    rng = np.random.default_rng(rank * 10 + implementation)
    for round_ in range(12):
        config = {
            **shared(rng, "kernel"),
            "filters": int(rng.integers(1, 4)),
            "kernel_size": sizes(rng, rank, 1, 4),
            "strides": sizes(rng, rank, 1, 3),
            "padding": "valid" if implementation == 1 else pick(rng, "valid", "same"),
            "data_format": ("channels_last", "channels_first")[round_ % 2],
            "implementation": implementation,
        }
        x = image(rng, rank, config, least=5)
        error = compare(tf_keras, f"LocallyConnected{rank}D", config, x, rng, free=False)
        assert error <= TOLERANCE, (config, x.shape, error)


@pytest.mark.parametrize(("name", "make", "rank"), CASES, ids=[name for name, _, _ in CASES])
def test_files_of_keras_open_with_the_same_outputs(name: str, make: Any, rank: int, tmp_path: Any) -> None:
    rng = np.random.default_rng(len(name) * 104729 + rank)
    for round_ in range(4):
        config = make(rng, rank)
        x = image(rng, rank, config)
        tensor = keras.Input(x.shape[1:])
        theirs = keras.Model(tensor, getattr(keras.layers, name)(**config)(tensor))
        theirs.set_weights(random_weights(rng, [tuple(weight.shape) for weight in theirs.weights]))
        path = tmp_path / f"{round_}.keras"
        theirs.save(path)
        expected, actual = np.asarray(theirs(x)), graphflow.load_model(path).predict(x)
        assert actual.shape == expected.shape
        assert np.abs(actual - expected).max(initial=0.0) <= TOLERANCE * np.abs(expected).max(initial=0.0)


def test_a_configuration_of_graphflow_makes_the_layer_of_keras() -> None:
    rng = np.random.default_rng(3)
    for name, make, rank in CASES:
        ours = getattr(layers, name)(**make(rng, rank))
        theirs = getattr(keras.layers, name).from_config(ours.get_config())
        mine, other = ours.get_config(), theirs.get_config()
        for key in set(mine) & set(other) - {"dtype", "name", "activation"}:
            if not key.endswith(("_initializer", "_regularizer", "_constraint")):
                assert mine[key] == other[key], (name, key)
        unknown = set(other) - set(mine) - {"activity_regularizer"}
        assert not unknown, (name, unknown)
