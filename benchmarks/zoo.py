"""The networks that people run, built by Keras with seeded weights; `benchmarks.export_onnx` writes their files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers as L

VOCABULARY = 200
"""Integer inputs are below it."""


def application(name: str, size: int = 224) -> Callable[[], keras.Model]:
    """A network of keras.applications without its trained weights."""
    return lambda: getattr(keras.applications, name)(weights=None, input_shape=(size, size, 3))


def unet() -> keras.Model:
    """Four steps down and up with skip connections, 128 x 128 pixels (Ronneberger et al., 2015)."""

    def twice(x: Any, filters: int) -> Any:
        for _ in range(2):
            x = L.Conv2D(filters, 3, padding="same", use_bias=False)(x)
            x = L.ReLU()(L.BatchNormalization()(x))
        return x

    image = keras.Input((128, 128, 3), name="image")
    x, skips = image, []
    for filters in (32, 64, 128, 256):
        skips.append(twice(x, filters))
        x = L.MaxPooling2D(2)(skips[-1])
    x = twice(x, 512)
    for filters, skip in zip((256, 128, 64, 32), reversed(skips), strict=True):
        x = L.Conv2DTranspose(filters, 2, strides=2)(x)
        x = twice(L.Concatenate()([skip, x]), filters)
    return keras.Model(image, L.Conv2D(1, 1, activation="sigmoid")(x), name="unet")


def wavenet() -> keras.Model:
    """Gated causal convolutions of growing dilation with skips (van den Oord et al., 2016), 1,024 steps."""
    sound = keras.Input((1024, 1), name="sound")
    x, skips = L.Conv1D(64, 2, padding="causal")(sound), []
    for dilation in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512):
        signal = L.Conv1D(64, 2, padding="causal", dilation_rate=dilation, activation="tanh")(x)
        gate = L.Conv1D(64, 2, padding="causal", dilation_rate=dilation, activation="sigmoid")(x)
        y = L.Multiply()([signal, gate])
        skips.append(L.Conv1D(64, 1)(y))
        x = L.Add()([x, L.Conv1D(64, 1)(y)])
    y = L.ReLU()(L.Add()(skips))
    y = L.Conv1D(128, 1, activation="relu")(y)
    return keras.Model(sound, L.Conv1D(256, 1, activation="softmax")(y), name="wavenet")


def classifier(kind: Any) -> Callable[[], keras.Model]:
    """Two recurrent layers over an embedding, 100 tokens, two classes."""

    def build() -> keras.Model:
        tokens = keras.Input((100,), dtype="int32", name="tokens")
        x = L.Embedding(VOCABULARY, 64)(tokens)
        x = kind(128)(kind(128, return_sequences=True)(x))
        return keras.Model(tokens, L.Dense(2, activation="softmax")(x))

    return build


def lstm_tagger() -> keras.Model:
    """An LSTM in both directions that names every token of 100."""
    tokens = keras.Input((100,), dtype="int32", name="tokens")
    x = L.Embedding(VOCABULARY, 100)(tokens)
    x = L.Bidirectional(L.LSTM(100, return_sequences=True))(x)
    return keras.Model(tokens, L.Dense(17, activation="softmax")(x), name="lstm_tagger")


def video() -> keras.Model:
    """3D convolutions over 16 frames of 64 x 64 pixels (Tran et al., 2015, with fewer filters)."""
    frames = keras.Input((16, 64, 64, 3), name="frames")
    x = L.MaxPooling3D((1, 2, 2))(L.Conv3D(32, 3, padding="same", activation="relu")(frames))
    for filters in (64, 128, 128):
        x = L.MaxPooling3D(2)(L.Conv3D(filters, 3, padding="same", activation="relu")(x))
    x = L.Dense(256, activation="relu")(L.Flatten()(x))
    return keras.Model(frames, L.Dense(10, activation="softmax")(x), name="video")


def mlp() -> keras.Model:
    """Three hidden layers of 1,024."""
    x = given = keras.Input((784,), name="x")
    for _ in range(3):
        x = L.Dense(1024, activation="relu")(x)
    return keras.Model(given, L.Dense(10, activation="softmax")(x), name="mlp")


def mixed() -> keras.Model:
    """A model of four inputs and two outputs with a shared layer, a nested model, operations outside layers, a
    convolution with batch normalisation, an embedding and an LSTM."""
    ops = keras.ops
    patch = keras.Input((None, None, 8), name="patch")
    x = L.Conv2D(16, 3, padding="same", use_bias=False, name="nested_conv")(patch)
    x = L.BatchNormalization(name="nested_norm")(x)
    nested = keras.Model(patch, L.ReLU(name="nested_relu")(x), name="nested")

    image = keras.Input((24, 24, 3), name="image")
    tokens = keras.Input((20,), dtype="int32", name="tokens")
    left = keras.Input((32,), name="left")
    right = keras.Input((32,), name="right")

    y = L.Conv2D(8, 3, padding="same", use_bias=False, name="stem_conv")(image)
    y = L.BatchNormalization(name="stem_norm")(y)
    y = L.Activation("relu", name="stem_relu")(y)
    y = L.MaxPooling2D(2, name="stem_pool")(nested(y))
    y = L.Conv2D(32, 3, activation="relu", name="head_conv")(y)
    y = L.GlobalAveragePooling2D(name="head_pool")(y)

    words = L.Embedding(VOCABULARY, 24, name="words")(tokens)
    words = L.LSTM(32, name="reader")(words)

    shared = L.Dense(32, activation="tanh", name="shared")
    a, b = shared(left), shared(right)
    both = ops.concatenate([a * b, ops.relu(a - b), y, words], axis=-1)
    hidden = L.Dense(64, activation="relu", name="hidden")(both)
    label = L.Dense(10, activation="softmax", name="label")(hidden)
    score = L.Dense(1, activation="sigmoid", name="score")(hidden + 0.5)
    return keras.Model([image, tokens, left, right], [label, score], name="mixed")


MODELS: dict[str, Callable[[], keras.Model]] = {
    "mixed": mixed,
    "vgg16": application("VGG16"),
    "resnet50": application("ResNet50"),
    "mobilenet_v2": application("MobileNetV2"),
    "densenet121": application("DenseNet121"),
    "inception_v3": application("InceptionV3", 299),
    "unet": unet,
    "wavenet": wavenet,
    "lstm_classifier": classifier(L.LSTM),
    "gru_classifier": classifier(L.GRU),
    "lstm_tagger": lstm_tagger,
    "video": video,
    "mlp": mlp,
}
"""Name to builder."""


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
