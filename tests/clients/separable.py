"""Separable convolutions (Chollet, 2016) in residual branches that a Lambda scales (Szegedy et al., 2016)."""

from __future__ import annotations

from typing import Any


def build(backend: Any, layers: Any, models: Any, utils: Any, classes: int = 7) -> Any:
    """An entry of plain convolution, two scaled branches, a depthwise reduction, and a squeeze-and-excite gate."""
    first = backend.image_data_format() == "channels_first"
    channel_axis = 1 if first else 3
    img_input = layers.Input(shape=(3, 24, 21) if first else (24, 21, 3))

    def conv(x: Any, filters: int, size: Any, strides: int = 1, padding: str = "same", name: str | None = None) -> Any:
        x = layers.Conv2D(filters, size, strides=strides, padding=padding, use_bias=False, name=name)(x)
        bn_name = None if name is None else name + "_bn"
        x = layers.BatchNormalization(axis=channel_axis, scale=False, name=bn_name)(x)
        return layers.Activation("relu", name=None if name is None else name + "_ac")(x)

    def scaled_branch(x: Any, scale: float, name: str) -> Any:
        wide = layers.SeparableConv2D(12, (3, 3), padding="same", use_bias=False, name=name + "_sep")(x)
        wide = layers.BatchNormalization(axis=channel_axis, name=name + "_sep_bn")(wide)
        long = conv(x, 8, (1, 7), name=name + "_row")
        long = conv(long, 10, (7, 1), name=name + "_column")
        mixed = layers.Concatenate(axis=channel_axis, name=name + "_mixed")([wide, long])
        up = layers.Conv2D(backend.int_shape(x)[channel_axis], 1, padding="same", name=name + "_up")(mixed)
        x = layers.Lambda(
            lambda inputs, scale: inputs[0] + inputs[1] * scale,
            output_shape=backend.int_shape(x)[1:],
            arguments={"scale": scale},
            name=name,
        )([x, up])
        return layers.Activation("relu", name=name + "_ac")(x)

    x = conv(img_input, 16, 3, strides=2, padding="valid", name="entry")
    x = scaled_branch(x, 0.17, "block1")
    x = scaled_branch(x, 0.2, "block2")
    x = layers.DepthwiseConv2D((3, 3), strides=(2, 2), padding="same", depth_multiplier=2, name="reduce")(x)
    x = layers.ReLU(6.0, name="reduce_relu")(x)

    filters = backend.int_shape(x)[channel_axis]
    gate = layers.GlobalAveragePooling2D(name="gate_squeeze")(x)
    gate = layers.Reshape((filters, 1, 1) if first else (1, 1, filters), name="gate_reshape")(gate)
    gate = layers.Conv2D(filters // 4, 1, activation="relu", name="gate_reduce")(gate)
    gate = layers.Conv2D(filters, 1, activation="sigmoid", name="gate_expand")(gate)
    x = layers.multiply([x, gate], name="gate_excite")

    x = layers.GlobalMaxPooling2D(name="max_pool")(x)
    x = layers.Dropout(0.2, name="dropout")(x)
    x = layers.Dense(classes, activation="softmax", name="predictions")(x)
    return models.Model(img_input, x, name="separable")
