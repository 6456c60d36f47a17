"""A densely connected network (Huang et al., 2016)."""

from __future__ import annotations

from typing import Any


def build(backend: Any, layers: Any, models: Any, utils: Any, blocks: tuple[int, ...] = (2, 3, 2)) -> Any:
    """Blocks of so many steps, each of which adds 6 channels, with halving transitions between them."""
    first = backend.image_data_format() == "channels_first"
    bn_axis = 1 if first else 3

    def step(x: Any, growth: int, name: str) -> Any:
        y = layers.BatchNormalization(axis=bn_axis, epsilon=1.001e-5, name=name + "_0_bn")(x)
        y = layers.Activation("relu", name=name + "_0_relu")(y)
        y = layers.Conv2D(4 * growth, 1, use_bias=False, name=name + "_1_conv")(y)
        y = layers.BatchNormalization(axis=bn_axis, epsilon=1.001e-5, name=name + "_1_bn")(y)
        y = layers.Activation("relu", name=name + "_1_relu")(y)
        y = layers.Conv2D(growth, 3, padding="same", use_bias=False, name=name + "_2_conv")(y)
        return layers.Concatenate(axis=bn_axis, name=name + "_concat")([x, y])

    def transition(x: Any, reduction: float, name: str) -> Any:
        x = layers.BatchNormalization(axis=bn_axis, epsilon=1.001e-5, name=name + "_bn")(x)
        x = layers.Activation("relu", name=name + "_relu")(x)
        x = layers.Conv2D(int(backend.int_shape(x)[bn_axis] * reduction), 1, use_bias=False, name=name + "_conv")(x)
        return layers.AveragePooling2D(2, strides=2, name=name + "_pool")(x)

    img_input = layers.Input(shape=(3, 33, 40) if first else (33, 40, 3))
    x = layers.ZeroPadding2D(padding=((3, 3), (3, 3)))(img_input)
    x = layers.Conv2D(12, 7, strides=2, use_bias=False, name="conv1/conv")(x)
    x = layers.BatchNormalization(axis=bn_axis, epsilon=1.001e-5, name="conv1/bn")(x)
    x = layers.Activation("relu", name="conv1/relu")(x)
    x = layers.ZeroPadding2D(padding=((1, 1), (1, 1)))(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    for block, steps in enumerate(blocks):
        for index in range(steps):
            x = step(x, 6, f"conv{block + 2}_block{index + 1}")
        if block + 1 < len(blocks):
            x = transition(x, 0.5, f"pool{block + 2}")
    x = layers.BatchNormalization(axis=bn_axis, epsilon=1.001e-5, name="bn")(x)
    x = layers.Activation("relu", name="relu")(x)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    x = layers.Dense(9, activation="softmax", name="fc9")(x)
    return models.Model(img_input, x, name="densenet")
