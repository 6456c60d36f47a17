"""Write the files that the peers open, once, by Keras, from the same weights. Needs the `oracle` extra.

    python -m benchmarks.export_onnx [--cache FOLDER]
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import onnx

from benchmarks import zoo
from benchmarks.files import CASES, DEFAULT_CACHE, fetch

VOCABULARY = 200


def build_mixed() -> keras.Model:
    """A model of four inputs and two outputs with a shared layer, a nested model, operations outside layers, a
    convolution with batch normalisation, an embedding and an LSTM."""
    layers, ops = keras.layers, keras.ops
    patch = keras.Input((None, None, 8), name="patch")
    x = layers.Conv2D(16, 3, padding="same", use_bias=False, name="nested_conv")(patch)
    x = layers.BatchNormalization(name="nested_norm")(x)
    nested = keras.Model(patch, layers.ReLU(name="nested_relu")(x), name="nested")

    image = keras.Input((24, 24, 3), name="image")
    tokens = keras.Input((20,), dtype="int32", name="tokens")
    left = keras.Input((32,), name="left")
    right = keras.Input((32,), name="right")

    y = layers.Conv2D(8, 3, padding="same", use_bias=False, name="stem_conv")(image)
    y = layers.BatchNormalization(name="stem_norm")(y)
    y = layers.Activation("relu", name="stem_relu")(y)
    y = layers.MaxPooling2D(2, name="stem_pool")(nested(y))
    y = layers.Conv2D(32, 3, activation="relu", name="head_conv")(y)
    y = layers.GlobalAveragePooling2D(name="head_pool")(y)

    words = layers.Embedding(VOCABULARY, 24, name="words")(tokens)
    words = layers.LSTM(32, name="reader")(words)

    shared = layers.Dense(32, activation="tanh", name="shared")
    a, b = shared(left), shared(right)
    both = ops.concatenate([a * b, ops.relu(a - b), y, words], axis=-1)
    hidden = layers.Dense(64, activation="relu", name="hidden")(both)
    label = layers.Dense(10, activation="softmax", name="label")(hidden)
    score = layers.Dense(1, activation="sigmoid", name="score")(hidden + 0.5)
    return keras.Model([image, tokens, left, right], [label, score], name="mixed")


def seed_weights(model: keras.Model, seed: int) -> None:
    """Set every weight to seeded numbers of the size that its layer would have after training."""
    generator = np.random.default_rng(seed)
    values = []
    for weight in model.weights:
        shape = tuple(weight.shape)
        if weight.dtype.startswith(("int", "uint")):
            values.append(np.asarray(weight))
        elif weight.name in ("gamma", "moving_variance"):
            values.append(generator.uniform(0.5, 1.5, shape))
        elif len(shape) == 1:
            values.append(generator.normal(0.0, 0.1, shape))
        else:
            values.append(generator.normal(0.0, 1.0 / np.sqrt(np.prod(shape[:-1])), shape))
    model.set_weights([value.astype(weight.dtype) for value, weight in zip(values, model.weights, strict=True)])


def export(cache: Path, name: str) -> str:
    """Write one model as ONNX with its inputs beside it; returns the count of each ONNX operation."""
    model = keras.models.load_model(cache / f"{name}.keras", compile=False)
    zeros = [np.zeros((1, *tensor.shape[1:]), tensor.dtype) for tensor in model.inputs]
    model(zeros if len(zeros) > 1 else zeros[0])
    target = cache / f"{name}.onnx"
    model.export(target, format="onnx", verbose=False)
    inputs = [
        {
            "name": tensor.name,
            "shape": list(tensor.shape[1:]),
            "dtype": tensor.dtype,
            "high": VOCABULARY if tensor.dtype.startswith("int") else None,
        }
        for tensor in model.inputs
    ]
    counts = Counter(node.op_type for node in onnx.load(target).graph.node)
    record = {"inputs": inputs, "keras": keras.__version__, "onnx_operations": counts}
    (cache / f"{name}.json").write_text(json.dumps(record, indent=1))
    return ", ".join(f"{count} {op}" for op, count in counts.most_common())


def main() -> None:
    """Fetch, build and export every model of the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, default=DEFAULT_CACHE, help="folder of the model files")
    parser.add_argument("--models", nargs="+", choices=[case.name for case in CASES], help="only these")
    given = parser.parse_args()
    cache: Path = given.cache
    fetch(cache)
    keras.utils.set_random_seed(3)
    mixed = build_mixed()
    seed_weights(mixed, 3)
    mixed.save(cache / "mixed.keras")
    for name, build in zoo.MODELS.items():
        if not (cache / f"{name}.keras").exists():
            model = build()
            seed_weights(model, 3)
            model.save(cache / f"{name}.keras")
    for case in CASES:
        if given.models is None or case.name in given.models:
            print(f"{case.name}: {export(cache, case.name)}", flush=True)


if __name__ == "__main__":
    main()
