"""Recurrent layers beside Keras 3 and tf_keras: random configurations with the same weights, and files of Keras 3."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphflow import Input, Model, layers
from graphflow.formats import load_model
from graphflow.layers.nest import leaves, transform

pytestmark = pytest.mark.oracle

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras")
tensorflow = pytest.importorskip("tensorflow")

Array = np.ndarray[Any, Any]
Config = dict[str, Any]
TOLERANCE = 1e-5
ROUNDS = 24
BATCH, STEPS, FEATURES = 4, 6, 3
ORACLES = ("keras", "tf_keras")
FLAGS = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask")


def oracle_layers(name: str) -> Any:
    return pytest.importorskip(name).layers


def flags(rng: np.random.Generator, oracle: str) -> Config:
    """The arguments of all recurrent layers, but for what the oracles get wrong.

    Unrolled and backwards they put zeros where the mask of the unreversed sequence has them; tf_keras can not put out a
    zero for the final step alone.
    """
    found = {name: bool(rng.random() < 0.4) for name in FLAGS}
    if (found["unroll"] and found["go_backwards"]) or (oracle == "tf_keras" and not found["return_sequences"]):
        found["zero_output_for_mask"] = False
    return found


def cell_config(rng: np.random.Generator, kind: str, oracle: str) -> Config:
    gates = ["sigmoid", "tanh"] + (["hard_sigmoid"] if oracle == "tf_keras" else ["relu6"])
    config: Config = {
        "units": int(rng.integers(1, 19)),
        "activation": str(rng.choice(["tanh", "tanh", "relu", "sigmoid", "softsign", "softmax", "linear"])),
        "use_bias": bool(rng.random() < 0.7),
    }
    if kind != "SimpleRNN":
        config["recurrent_activation"] = str(rng.choice(["sigmoid", *gates]))
    if kind == "LSTM":
        config["unit_forget_bias"] = bool(rng.random() < 0.5)
    if kind == "GRU":
        config["reset_after"] = bool(rng.random() < 0.5)
    return config


def masks(rng: np.random.Generator) -> Array:
    """Gaps, leading masked steps, a wholly masked and a wholly kept row."""
    mask = rng.random((BATCH, STEPS)) < 0.5
    mask[0, : STEPS // 2], mask[1], mask[2] = False, False, True
    return mask


def flat(outputs: Any) -> list[Array]:
    return [np.asarray(leaf) for leaf in leaves(list(outputs) if isinstance(outputs, tuple) else outputs)]


def symbolic(array: Array) -> Any:
    return Input(batch_shape=array.shape, dtype=array.dtype.name)


def compared(ours: Any, theirs: Any, x: Array, options: dict[str, Any], calls: int, seed: int) -> float:
    """The largest difference in several calls, relative to the largest output; both get the same random weights."""
    rng = np.random.default_rng(seed)
    tensor = symbolic(x)
    held = {name: [symbolic(one) for one in leaves(value)] for name, value in options.items()}
    given = {name: value if isinstance(options[name], list) else value[0] for name, value in held.items()}
    outputs = ours(tensor, **given)
    model = Model([tensor, *leaves(given)], outputs)
    fed = transform(tensorflow.constant, options)
    theirs(tensorflow.constant(x), **fed)
    drawn = [(variable.name, rng.normal(0, 0.4, variable.shape)) for variable in ours.weights]
    weights = [np.abs(value) + 0.2 if "variance" in name else value for name, value in drawn]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    if getattr(theirs, "stateful", False):
        (theirs.reset_state if hasattr(theirs, "reset_state") else theirs.reset_states)()
    worst = 0.0
    for call in range(calls):
        part = (x + call).astype("float32")
        expected = flat(theirs(tensorflow.constant(part), **fed))
        actual = flat(model.predict([part, *leaves(options)], batch_size=len(x)))
        assert [one.shape for one in actual] == [one.shape for one in expected]
        for one, other in zip(actual, expected, strict=True):
            worst = max(worst, float(np.abs(one - other).max() / max(np.abs(other).max(), 1e-6)))
    return worst


def rounds(name: str, oracle: str, count: int = ROUNDS) -> Iterator[tuple[int, np.random.Generator]]:
    for number in range(count):
        seed = zlib.crc32(f"{name}{oracle}{number}".encode())
        yield seed, np.random.default_rng(seed)


def calls_of(config: Config, options: dict[str, Any], oracle: str) -> int:
    """How many batches follow each other: given states begin every one of them here and in Keras 3, not in tf_keras;
    and gates that are no shares let rounding grow without bounds."""
    shares = config.get("recurrent_activation", "sigmoid") in ("sigmoid", "hard_sigmoid")
    known = oracle == "keras" or "initial_state" not in options
    return 3 if config["stateful"] and shares and known else 1


def call_options(rng: np.random.Generator, sizes: list[int], masked: bool = True) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if masked and rng.random() < 0.6:
        options["mask"] = masks(rng)
    if sizes and rng.random() < 0.4:
        options["initial_state"] = [rng.normal(size=(BATCH, size)).astype("float32") for size in sizes]
    return options


def sequence(rng: np.random.Generator, *shape: int) -> Array:
    return rng.normal(size=(BATCH, STEPS, *(shape or (FEATURES,)))).astype("float32")


@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.parametrize("kind", ["SimpleRNN", "LSTM", "GRU"])
def test_random_configurations_give_the_same_outputs(kind: str, oracle: str) -> None:
    theirs = oracle_layers(oracle)
    for seed, rng in rounds(kind, oracle, 2 * ROUNDS):
        config = {**cell_config(rng, kind, oracle), **flags(rng, oracle)}
        options = call_options(rng, [config["units"]] * (2 if kind == "LSTM" else 1))
        calls = calls_of(config, options, oracle)
        worst = compared(
            getattr(layers, kind)(**config), getattr(theirs, kind)(**config), sequence(rng), options, calls, seed
        )
        assert worst <= TOLERANCE, f"{config}, {sorted(options)}: {worst}"


def cells(module: Any, plan: list[tuple[str, Config]]) -> list[Any]:
    return [getattr(module, f"{kind}Cell")(**config) for kind, config in plan]


@pytest.mark.parametrize("oracle", ORACLES)
def test_cells_alone_and_stacked_give_the_same_outputs(oracle: str) -> None:
    theirs = oracle_layers(oracle)
    for seed, rng in rounds("RNN", oracle):
        kinds = [str(rng.choice(["SimpleRNN", "LSTM", "GRU"])) for _ in range(int(rng.integers(1, 4)))]
        plan = [(kind, cell_config(rng, kind, oracle)) for kind in kinds]
        shared = flags(rng, oracle)
        shared["return_state"] = shared["return_state"] and len(plan) == 1
        shared["stateful"] = shared["stateful"] and len(plan) == 1
        pair = [cells(module, plan) for module in (layers, theirs)]
        given = [one[0] if len(one) == 1 else one for one in pair]
        worst = compared(
            layers.RNN(given[0], **shared),
            theirs.RNN(given[1], **shared),
            sequence(rng),
            call_options(rng, []),
            2,
            seed,
        )
        assert worst <= TOLERANCE, f"{plan}, {shared}: {worst}"


@pytest.mark.parametrize("oracle", ORACLES)
def test_both_directions_give_the_same_outputs(oracle: str) -> None:
    theirs = oracle_layers(oracle)
    for seed, rng in rounds("Bidirectional", oracle):
        kind = str(rng.choice(["SimpleRNN", "LSTM", "GRU"]))
        config = {
            **cell_config(rng, kind, oracle),
            **flags(rng, oracle),
            "go_backwards": False,
            "zero_output_for_mask": False,
        }
        config["unroll"] = config["unroll"] and not config["return_sequences"]  # where they put zeros out; see flags
        if oracle == "keras" and config["return_state"]:
            config["stateful"] = False  # its masks of states are a generator that it multiplies
        mode = [None, "sum", "mul", "ave", "concat"][int(rng.integers(5))]
        own = rng.random() < 0.4
        pair = []
        for module in (layers, theirs):
            make = getattr(module, kind)
            back = make(**{**config, "activation": "tanh", "go_backwards": True}) if own else None
            pair.append(module.Bidirectional(make(**config), merge_mode=mode, backward_layer=back))
        options = call_options(rng, [config["units"]] * (4 if kind == "LSTM" else 2))
        worst = compared(pair[0], pair[1], sequence(rng), options, calls_of(config, options, oracle), seed)
        assert worst <= TOLERANCE, f"{kind}, {config}, {mode}, {own}, {sorted(options)}: {worst}"


INNER: dict[str, tuple[tuple[int, ...], Callable[[Any], Any]]] = {
    "dense": ((5,), lambda module: module.Dense(4, activation="relu")),
    "convolution": ((6, 5, 2), lambda module: module.Conv2D(3, 2, padding="same")),
    "pooling": ((6, 4), lambda module: module.MaxPooling1D(2)),
    "normalization": ((5,), lambda module: module.BatchNormalization()),
    "recurrent": ((4, 3), lambda module: module.GRU(3, return_sequences=True)),
}


@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.parametrize("inner", list(INNER))
def test_time_distributed_gives_the_same_outputs(inner: str, oracle: str) -> None:
    shape, make = INNER[inner]
    theirs = oracle_layers(oracle)
    for seed, rng in rounds(inner, oracle, 3):
        pair = layers.TimeDistributed(make(layers)), theirs.TimeDistributed(make(theirs))
        assert compared(*pair, np.abs(sequence(rng, *shape)), {}, 1, seed) <= TOLERANCE


@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.parametrize("rank", [1, 2])
def test_convolutional_lstms_give_the_same_outputs(rank: int, oracle: str) -> None:
    theirs = oracle_layers(oracle)
    for seed, rng in rounds(f"ConvLSTM{rank}D", oracle, 12):
        strided = rng.random() < 0.4
        config = {
            "filters": int(rng.integers(1, 5)),
            "kernel_size": int(rng.integers(1, 4)),
            "strides": 2 if strided else 1,
            "dilation_rate": 1 if strided else int(rng.integers(1, 3)),
            "padding": str(rng.choice(["valid", "same"])),
            "recurrent_activation": "sigmoid" if oracle == "keras" else str(rng.choice(["sigmoid", "hard_sigmoid"])),
            "activation": str(rng.choice(["tanh", "relu", "elu"])),
            "use_bias": bool(rng.random() < 0.7),
            **{name: bool(rng.random() < 0.4) for name in ("return_sequences", "return_state", "go_backwards")},
        }
        x = sequence(rng, *((9, 7)[:rank]), 2)
        options = call_options(rng, [])
        name = f"ConvLSTM{rank}D"
        worst = compared(getattr(layers, name)(**config), getattr(theirs, name)(**config), x, options, 1, seed)
        assert worst <= TOLERANCE, f"{config}, {sorted(options)}: {worst}"


def test_steps_that_a_mask_leaves_out_in_a_model() -> None:
    """Masks that come from an Embedding, and initial states beside them: tf_keras looks at both, Keras 3 does not."""
    tf_keras = pytest.importorskip("tf_keras")
    rng = np.random.default_rng(0)
    indices = rng.integers(0, 4, (BATCH, STEPS))
    state = rng.normal(size=(BATCH, 5)).astype("float32")
    pair = []
    for module, start in ((layers, Input), (tf_keras.layers, tf_keras.Input)):
        x, h = start((STEPS,), dtype="int32"), start((5,))
        embedded = module.Embedding(4, 3, mask_zero=True)(x)
        outputs = module.GRU(5, return_sequences=True)(embedded, initial_state=[h])
        pair.append((Model if module is layers else tf_keras.Model)([x, h], outputs))
    weights = [rng.normal(0, 0.4, weight.shape) for weight in pair[0].get_weights()]
    for model in pair:
        model.set_weights(weights)
    actual, expected = (model.predict([indices, state], verbose=0) for model in pair)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE * np.abs(expected).max())


def file_outputs(kl: Any, x: Any, words: Any, images: Any) -> list[Any]:
    """Each recurrent layer once, in the ways that files hold them."""
    e = kl.Embedding(50, 6, mask_zero=True)(words)
    _, h, c = kl.LSTM(6, return_state=True)(x)
    _, *both = kl.Bidirectional(kl.LSTM(4, return_state=True))(x)
    pair = kl.Bidirectional(kl.GRU(3), merge_mode="sum", backward_layer=kl.GRU(3, go_backwards=True, activation="relu"))
    inner = keras.Sequential([kl.Flatten(), kl.Dense(3)])
    return [
        kl.LSTM(4)(x),
        kl.LSTM(4, recurrent_activation="hard_sigmoid", unroll=True, dropout=0.2)(x),
        kl.GRU(4, return_sequences=True)(x),
        kl.GRU(3, reset_after=False)(e),
        kl.SimpleRNN(5, go_backwards=True)(e),
        kl.LSTM(3)(kl.LSTM(4, return_sequences=True)(e)),
        kl.Bidirectional(kl.LSTM(3, return_sequences=True))(e),
        pair(x),
        kl.Bidirectional(kl.RNN([kl.GRUCell(4), kl.SimpleRNNCell(3)]))(x),
        kl.RNN([kl.LSTMCell(4), kl.GRUCell(3), kl.GRUCell(2)], return_sequences=True)(e),
        kl.RNN(kl.LSTMCell(4, recurrent_activation="hard_sigmoid"))(x),
        kl.TimeDistributed(kl.Dense(3, activation="relu"))(x),
        kl.TimeDistributed(kl.Conv2D(3, 2))(images),
        kl.TimeDistributed(inner)(images),
        kl.ConvLSTM2D(3, 3, padding="same")(images),
        kl.ConvLSTM2D(2, (3, 2), return_sequences=True)(images),
        kl.LSTM(6, return_sequences=True)(e, initial_state=[h, c]),
        kl.Bidirectional(kl.LSTM(4))(e, initial_state=both),
    ]


def test_files_of_keras_3_open_and_give_the_same_outputs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tensors = keras.Input((7, 5)), keras.Input((7,), dtype="int32"), keras.Input((4, 6, 5, 3))
    theirs = keras.Model(list(tensors), file_outputs(keras.layers, *tensors))
    theirs.set_weights([rng.normal(0, 0.5, weight.shape) for weight in theirs.get_weights()])
    path = tmp_path / "recurrent.keras"
    theirs.save(path)
    ours = load_model(str(path))
    words = rng.integers(0, 50, (6, 7))
    words[rng.random((6, 7)) < 0.3], words[2], words[1, :3] = 0, 0, 0
    given = [rng.normal(size=(6, 7, 5)), words, rng.normal(size=(6, 4, 6, 5, 3))]
    given = [one.astype("float32") if one.dtype.kind == "f" else one for one in given]
    for index, (one, other) in enumerate(
        zip(ours.predict(given, verbose=0), theirs.predict(given, verbose=0), strict=True)
    ):
        np.testing.assert_allclose(one, other, rtol=0, atol=TOLERANCE * np.abs(other).max(), err_msg=str(index))
