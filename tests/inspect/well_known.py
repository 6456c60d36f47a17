"""Three well-known networks at full size, described with zeros for weights, so that nothing is computed for them."""

from __future__ import annotations

from typing import Any

from graphflow import Input, Model
from graphflow import layers as L

ZEROS = {"kernel_initializer": "zeros"}


def vgg16() -> Model:
    """Simonyan and Zisserman, 2014, configuration D."""
    x = inputs = Input((224, 224, 3))
    for filters, repeats in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(repeats):
            x = L.Conv2D(filters, 3, padding="same", activation="relu", **ZEROS)(x)
        x = L.MaxPooling2D()(x)
    x = L.Flatten()(x)
    for units, activation in ((4096, "relu"), (4096, "relu"), (1000, "softmax")):
        x = L.Dense(units, activation=activation, **ZEROS)(x)
    return Model(inputs, x, name="vgg16")


def _normalised(x: Any, filters: int, size: int, strides: int = 1, padding: str = "valid") -> Any:
    x = L.Conv2D(filters, size, strides=strides, padding=padding, **ZEROS)(x)
    return L.BatchNormalization()(x)


def resnet50() -> Model:
    """He et al., 2015, with the stride in the first of a block's convolutions."""
    x = inputs = Input((224, 224, 3))
    x = L.ReLU()(_normalised(L.ZeroPadding2D(3)(x), 64, 7, 2))
    x = L.MaxPooling2D(3, strides=2)(L.ZeroPadding2D(1)(x))
    for stage, (filters, repeats) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for block in range(repeats):
            strides = 2 if stage and not block else 1
            kept = x if block else _normalised(x, 4 * filters, 1, strides)
            x = L.ReLU()(_normalised(x, filters, 1, strides))
            x = L.ReLU()(_normalised(x, filters, 3, padding="same"))
            x = L.ReLU()(L.Add()([kept, _normalised(x, 4 * filters, 1)]))
    x = L.GlobalAveragePooling2D()(x)
    return Model(inputs, L.Dense(1000, activation="softmax", **ZEROS)(x), name="resnet50")


def mobilenet_v2() -> Model:
    """Sandler et al., 2018, width 1."""

    def conv(x: Any, filters: int, size: int = 1, strides: int = 1, relu: bool = True) -> Any:
        x = L.Conv2D(filters, size, strides=strides, padding="same", use_bias=False, **ZEROS)(x)
        x = L.BatchNormalization()(x)
        return L.ReLU(6.0)(x) if relu else x

    x = inputs = Input((224, 224, 3))
    x = conv(x, 32, 3, 2)
    blocks = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    for expansion, filters, repeats, first in blocks:
        for index in range(repeats):
            strides = 1 if index else first
            kept = x
            inside = conv(x, expansion * x.shape[-1]) if expansion > 1 else x
            inside = L.DepthwiseConv2D(
                3, strides=strides, padding="same", use_bias=False, depthwise_initializer="zeros"
            )(inside)
            inside = L.ReLU(6.0)(L.BatchNormalization()(inside))
            x = conv(inside, filters, relu=False)
            x = L.Add()([kept, x]) if index else x
    x = L.GlobalAveragePooling2D()(conv(x, 1280))
    return Model(inputs, L.Dense(1000, activation="softmax", **ZEROS)(x), name="mobilenetv2")
