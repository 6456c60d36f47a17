"""A residual network with bottlenecks (He et al., 2015), in both data formats."""

from __future__ import annotations

from typing import Any


def build(
    backend: Any,
    layers: Any,
    models: Any,
    utils: Any,
    input_tensor: Any = None,
    input_shape: tuple[int, ...] | None = None,
    classes: int = 10,
) -> Any:
    """Three stages of two bottlenecks each, from 8 filters on."""
    first = backend.image_data_format() == "channels_first"
    bn_axis = 1 if first else 3
    if input_shape is None:
        input_shape = (3, 35, 32) if first else (35, 32, 3)

    def normalized(x: Any, name: str) -> Any:
        return layers.BatchNormalization(axis=bn_axis, epsilon=1.001e-5, name=name)(x)

    def bottleneck(x: Any, filters: int, stride: int, name: str, shortcut: bool) -> Any:
        kept = x
        if shortcut:
            kept = layers.Conv2D(4 * filters, 1, strides=stride, name=name + "_0_conv")(x)
            kept = normalized(kept, name + "_0_bn")
        x = layers.Conv2D(filters, 1, strides=stride, name=name + "_1_conv")(x)
        x = normalized(x, name + "_1_bn")
        x = layers.Activation("relu", name=name + "_1_relu")(x)
        x = layers.Conv2D(filters, (3, 3), padding="same", name=name + "_2_conv", kernel_initializer="he_normal")(x)
        x = normalized(x, name + "_2_bn")
        x = layers.Activation("relu", name=name + "_2_relu")(x)
        x = layers.Conv2D(4 * filters, 1, name=name + "_3_conv")(x)
        x = normalized(x, name + "_3_bn")
        x = layers.Add(name=name + "_add")([kept, x])
        return layers.Activation("relu", name=name + "_out")(x)

    if input_tensor is None:
        img_input = layers.Input(shape=input_shape)
    elif not backend.is_keras_tensor(input_tensor):
        img_input = layers.Input(tensor=input_tensor, shape=input_shape)
    else:
        img_input = input_tensor

    x = layers.ZeroPadding2D(padding=((3, 3), (3, 3)), name="conv1_pad")(img_input)
    x = layers.Conv2D(8, 7, strides=2, use_bias=True, name="conv1_conv")(x)
    x = normalized(x, "conv1_bn")
    x = layers.Activation("relu", name="conv1_relu")(x)
    x = layers.ZeroPadding2D(padding=(1, 1), name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for stage, filters in enumerate((8, 12, 16)):
        stride = 1 if stage == 0 else 2
        x = bottleneck(x, filters, stride, f"conv{stage + 2}_block1", True)
        x = bottleneck(x, filters, 1, f"conv{stage + 2}_block2", False)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    x = layers.Dense(classes, activation="softmax", name="probs")(x)

    inputs = utils.get_source_inputs(input_tensor) if input_tensor is not None else img_input
    return models.Model(inputs, x, name="resnet")
