"""Layers with windows against loops written from Keras' definitions, with their kernels, folds and refusals."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

import graphflow
from graphflow import Input, Model, layers, ops
from graphflow.errors import ArgumentError, ArgumentTypeError, ShapeError, UnsupportedError
from graphflow.layers import BatchNormalization, registry

Array = np.ndarray[Any, Any]


def run(layer: Any, x: Array, *weights: Array) -> Array:
    """The output of a model of one layer with these weights."""
    tensor = Input(x.shape[1:])
    model = Model(tensor, layer(tensor))
    layer.set_weights(weights)
    result: Array = model.predict(x)
    return result


def kernels(layer: Any, shape: tuple[int, ...]) -> list[str]:
    """What computes each step of a model of one layer."""
    tensor = Input(shape[1:])
    plan = Model(tensor, layer(tensor)).session().plan([shape])
    return [node.kernel.name if node.kernel else node.reason for node in plan.nodes]


def normal(rng: np.random.Generator, *shape: int) -> Array:
    return rng.normal(size=shape).astype(np.float32)


def upside_down(x: Array, kernel: Array, stride: int, kept: int, cut: int) -> Array:
    """Transposed convolution in one dimension by its definition: every element of x adds a kernel to y."""
    y = np.zeros((len(x), x.shape[1] * stride + len(kernel) + kept, kernel.shape[1]))
    for i, k in product(range(x.shape[1]), range(len(kernel))):
        y[:, i * stride + k] += x[:, i].astype(np.float64) @ kernel[k].T
    return y[:, cut : cut + kept]


@pytest.mark.parametrize(
    ("stride", "kernel", "padding", "extra", "kept", "cut"),
    [
        (1, 3, "valid", None, 8, 0),
        (1, 3, "same", None, 6, 1),
        (2, 3, "valid", None, 13, 0),
        (2, 3, "same", None, 12, 0),
        (2, 4, "same", None, 12, 1),
        (2, 5, "same", None, 12, 1),
        (3, 2, "valid", None, 18, 0),
        (3, 2, "same", None, 18, 0),
        (2, 3, "valid", 1, 14, 0),
        (2, 3, "same", 0, 11, 1),
        (2, 3, "same", 1, 12, 0),
        (4, 7, "same", 3, 24, 1),
    ],
)
def test_a_transposed_convolution_adds_a_kernel_for_every_element(
    stride: int, kernel: int, padding: str, extra: int | None, kept: int, cut: int
) -> None:
    rng = np.random.default_rng(1)
    x, w, b = normal(rng, 2, 6, 3), normal(rng, kernel, 5, 3), normal(rng, 5)
    layer = layers.Conv1DTranspose(5, kernel, stride, padding, extra)
    actual = run(layer, x, w, b)
    assert actual.shape == (2, kept, 5) == (2, *layer.output_shape[1:])
    np.testing.assert_allclose(actual, upside_down(x, w, stride, kept, cut) + b, atol=2e-5)


def test_a_transposed_convolution_in_two_dimensions_is_the_convolution_s_gradient() -> None:
    """The sum of conv(u) * v is the sum of u * conv_transpose(v), whatever u and v are."""
    rng = np.random.default_rng(2)
    for padding, size, strides, kernel in product(("valid", "same"), (7, 8), ((1, 1), (2, 3)), ((3, 2), (2, 5))):
        u, w = normal(rng, 2, size, 9, 4), normal(rng, *kernel, 4, 5)
        there = ops.conv(u, w, None, strides, padding)
        v = normal(rng, *there.shape)
        layer = layers.Conv2DTranspose(4, kernel, strides, padding, use_bias=False)
        back = run(layer, v, w)[:, :size, :9]
        missing = [(0, 0), *((0, n - m) for n, m in zip((size, 9), back.shape[1:3], strict=True)), (0, 0)]
        if padding == "valid" or all(n % s == 0 for n, s in zip((size, 9), strides, strict=True)):
            np.testing.assert_allclose(np.sum(there * v), np.sum(u * np.pad(back, missing)), rtol=1e-4)


def test_a_depthwise_convolution_keeps_channels_apart() -> None:
    rng = np.random.default_rng(3)
    x, w, b = normal(rng, 2, 7, 6, 5), normal(rng, 3, 2, 5, 2), normal(rng, 10)
    actual = run(layers.DepthwiseConv2D((3, 2), depth_multiplier=2), x, w, b)
    for c, m in product(range(5), range(2)):
        alone = ops.conv(x[..., c : c + 1], w[:, :, c : c + 1, m : m + 1])
        np.testing.assert_allclose(actual[..., 2 * c + m], alone[..., 0] + b[2 * c + m], atol=1e-5)
    assert kernels(layers.DepthwiseConv2D(3), (1, 8, 8, 40)) == ["depthwise_nhwc_f32"]


def test_a_separable_convolution_is_its_two_halves() -> None:
    rng = np.random.default_rng(4)
    x, first, second, b = normal(rng, 2, 9, 4), normal(rng, 3, 4, 2), normal(rng, 1, 8, 3), normal(rng, 3)
    for padding in ("valid", "same", "causal"):
        layer = layers.SeparableConv1D(3, 3, 2, padding, depth_multiplier=2)
        between = ops.depthwise_conv(x, first, None, 2, padding)
        np.testing.assert_allclose(run(layer, x, first, second, b), between @ second[0] + b, atol=1e-5)
    assert [weight.name for weight in layer.weights] == ["depthwise_kernel", "pointwise_kernel", "bias"]


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_a_locally_connected_layer_has_a_kernel_for_every_place(data_format: str) -> None:
    rng = np.random.default_rng(5)
    first = data_format == "channels_first"
    x, w, b = normal(rng, 3, 4, 5, 2), normal(rng, 8, 12, 3), normal(rng, 2, 4, 3)
    actual = run(
        layers.LocallyConnected2D(3, (3, 2), data_format=data_format), np.moveaxis(x, -1, 1) if first else x, w, b
    )
    added = b.reshape(3, 2, 4).transpose(1, 2, 0) if first else b  # Keras reshapes it, whatever the format
    for i, j in product(range(2), range(4)):
        window = x[:, i : i + 3, j : j + 2]
        flat = (np.moveaxis(window, -1, 1) if first else window).reshape(3, 12)
        found = actual[:, :, i, j] if first else actual[:, i, j]
        np.testing.assert_allclose(found, flat @ w[i * 4 + j] + added[i, j], atol=1e-5)


@pytest.mark.parametrize("implementation", [2, 3])
def test_every_implementation_of_a_locally_connected_layer_gives_the_same_numbers(implementation: int) -> None:
    rng = np.random.default_rng(6)
    x, w = normal(rng, 2, 6, 3), normal(rng, 4, 9, 5)
    expected = run(layers.LocallyConnected1D(5, 3, use_bias=False), x, w)
    layer = layers.LocallyConnected1D(5, 3, use_bias=False, implementation=implementation)
    if implementation == 2:
        stored = normal(rng, 6, 3, 4, 5)  # what does not connect is there, and not used
        for place, tap in product(range(4), range(3)):
            stored[place + tap, :, place] = w[place].reshape(3, 3, 5)[tap]
    else:
        stored = w.transpose(0, 2, 1).reshape(-1)
    np.testing.assert_allclose(run(layer, x, stored), expected, atol=1e-6)


def test_windows_in_three_dimensions_are_those_of_two_where_one_is_flat() -> None:
    rng = np.random.default_rng(7)
    x = normal(rng, 2, 1, 6, 7, 4)
    w, b = normal(rng, 1, 3, 2, 4, 5), normal(rng, 5)
    flat = run(layers.Conv2D(5, (3, 2), padding="same"), x[:, 0], w[0], b)
    np.testing.assert_allclose(run(layers.Conv3D(5, (1, 3, 2), padding="same"), x, w, b)[:, 0], flat, atol=1e-5)
    for name in ("MaxPooling", "AveragePooling"):
        two, three = getattr(layers, f"{name}2D"), getattr(layers, f"{name}3D")
        np.testing.assert_array_equal(run(three((1, 2, 3)), x)[:, 0], run(two((2, 3)), x[:, 0]))
    np.testing.assert_allclose(run(layers.GlobalAveragePooling3D(), x), x.mean((1, 2, 3)), atol=1e-6)
    np.testing.assert_array_equal(run(layers.GlobalMaxPooling3D(keepdims=True), x), x.max((1, 2, 3), keepdims=True))


def test_borders_and_cuts_take_each_of_their_forms() -> None:
    x = np.arange(2 * 5 * 6 * 3, dtype=np.float32).reshape(2, 5, 6, 3) + 1
    for given, full in ((2, ((2, 2), (2, 2))), ((1, 2), ((1, 1), (2, 2))), (((0, 1), (2, 0)), ((0, 1), (2, 0)))):
        pad, crop = layers.ZeroPadding2D(given), layers.Cropping2D(given)
        assert pad.get_config()["padding"] == full == crop.get_config()["cropping"]
        padded = run(pad, x)
        np.testing.assert_array_equal(padded, np.pad(x, ((0, 0), *full, (0, 0))))
        np.testing.assert_array_equal(run(crop, padded), x)
    assert layers.ZeroPadding1D(3).padding == (3, 3)
    assert layers.Cropping1D((0, 2)).cropping == (0, 2)
    assert kernels(layers.ZeroPadding2D(1), x.shape) == ["pad"]
    assert kernels(layers.Cropping2D(1), x.shape) == ["getitem"]


def test_upsampling_repeats_or_steps_between_centres() -> None:
    x = np.array([[[1.0], [3.0], [7.0]]], np.float32)
    np.testing.assert_array_equal(run(layers.UpSampling1D(2), x)[0, :, 0], [1, 1, 3, 3, 7, 7])
    smooth = run(layers.UpSampling2D((1, 2), interpolation="bilinear"), x[:, None])
    np.testing.assert_allclose(smooth[0, 0, :, 0], [1, 1.5, 2.5, 4, 6, 7])
    cube = np.arange(16, dtype=np.float32).reshape(1, 2, 2, 2, 2)
    expected = cube.repeat(2, 1).repeat(3, 2).repeat(2, 3)
    np.testing.assert_array_equal(run(layers.UpSampling3D((2, 3, 2)), cube), expected)


@pytest.mark.parametrize("name", ["Conv2DTranspose", "DepthwiseConv2D", "SeparableConv2D"])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_batch_norm_and_activation_join_the_kernel(name: str, data_format: str) -> None:
    rng = np.random.default_rng(8)
    arguments = (6, 3) if name != "DepthwiseConv2D" else (3,)
    layer = getattr(layers, name)(*arguments, strides=2, padding="same", data_format=data_format)
    norm = BatchNormalization(axis=1 if data_format == "channels_first" else -1)
    tensor = Input((6, 9, 8) if data_format == "channels_first" else (9, 8, 6))
    model = Model(tensor, norm(layer(tensor)))
    for one in (layer, norm):
        one.set_weights([np.abs(normal(rng, *weight.shape)) + 0.1 for weight in one.weights])
    x = normal(rng, 2, *tensor.shape[1:])
    with graphflow.knobs(reference=True, passes_off="all"):
        expected = Model(tensor, model.outputs[0]).predict(x)
    np.testing.assert_allclose(model.predict(x), expected, rtol=0, atol=2e-5 * np.abs(expected).max())
    planned = [node.node.op.name for node in model.session().plan([x.shape]).nodes]
    assert "batch_norm" not in planned


def test_a_row_has_the_same_bits_in_every_batch_and_on_every_number_of_threads() -> None:
    rng = np.random.default_rng(9)
    x = normal(rng, 5, 33, 29, 24)
    for layer in (
        layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2),
        layers.Conv2DTranspose(20, 3, 2, "same", activation="tanh"),
        layers.UpSampling2D(2, interpolation="bilinear"),
    ):
        tensor = Input(x.shape[1:])
        model = Model(tensor, layer(tensor))
        with graphflow.knobs(threads=1):
            whole = Model(tensor, model.outputs[0]).predict(x)
        with graphflow.knobs(threads=2):
            both = Model(tensor, model.outputs[0]).predict(x)
        np.testing.assert_array_equal(whole, both)
        np.testing.assert_array_equal(np.concatenate([model.predict(row[None]) for row in x]), whole)


def test_a_nan_stays_in_its_channel_of_a_depthwise_convolution() -> None:
    rng = np.random.default_rng(10)
    x, w = normal(rng, 1, 9, 9, 20), normal(rng, 3, 3, 20, 1)
    clean = run(layers.DepthwiseConv2D(3, padding="same", use_bias=False), x, w)
    x[0, 4, 4, 7] = np.nan
    found = run(layers.DepthwiseConv2D(3, padding="same", use_bias=False), x, w)
    touched = np.zeros(found.shape, bool)
    touched[0, 3:6, 3:6, 7] = True
    assert np.isnan(found[touched]).all()
    np.testing.assert_array_equal(found[~touched], clean[~touched])


OLD_NAMES = {
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "Convolution2DTranspose": "Conv2DTranspose",
    "Deconvolution2D": "Conv2DTranspose",
    "Deconvolution3D": "Conv3DTranspose",
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
    "MaxPool3D": "MaxPooling3D",
    "AvgPool3D": "AveragePooling3D",
    "GlobalMaxPool3D": "GlobalMaxPooling3D",
    "GlobalAvgPool3D": "GlobalAveragePooling3D",
}


@pytest.mark.parametrize(("old", "new"), OLD_NAMES.items())
def test_old_names_are_the_classes_of_today(old: str, new: str) -> None:
    assert registry.LAYERS.classes[old] is getattr(layers, new)


def test_positions_are_those_of_keras_2() -> None:
    transposed = layers.Conv2DTranspose(3, 2, (2, 2), "same", (1, 1), "channels_first", (1, 1), "relu", False)
    assert transposed.output_padding == (1, 1)
    assert transposed.data_format == "channels_first"
    assert not transposed.use_bias
    volume = layers.Conv3DTranspose(3, 2, 1, "valid", None, "channels_last", "relu")
    assert volume.get_config()["activation"] == "relu"
    depthwise = layers.DepthwiseConv2D(3, (1, 1), "same", 2, "channels_last", (2, 2), "tanh")
    assert (depthwise.depth_multiplier, depthwise.dilation_rate) == (2, (2, 2))
    separable = layers.SeparableConv2D(4, 3, (1, 1), "same", "channels_last", (2, 2), 3, "tanh", False)
    assert (separable.depth_multiplier, separable.use_bias) == (3, False)
    local = layers.LocallyConnected1D(4, 3, 1, "valid", "channels_last", "tanh", False)
    assert (local.get_config()["activation"], local.use_bias) == ("tanh", False)


REFUSED: list[tuple[Any, type[Exception], str]] = [
    (lambda: layers.Conv2DTranspose(3, 2, 2, output_padding=2), ArgumentError, r"below strides, received \(2, 2\)"),
    (lambda: layers.Conv2DTranspose(3, 2, 2, dilation_rate=2), ArgumentError, "strides above 1"),
    (lambda: layers.Conv1DTranspose(3, 2, padding="causal"), ArgumentError, "'valid', 'same', received 'causal'"),
    (lambda: layers.Conv3D(0, 2), ArgumentError, "filters must be a positive integer, received 0"),
    (lambda: layers.DepthwiseConv2D(3, depth_multiplier=0), ArgumentError, "depth_multiplier must be a positive"),
    (lambda: layers.DepthwiseConv1D(3, padding="causal"), ArgumentError, "received 'causal'"),
    (lambda: layers.SeparableConv2D(3, (1, 2, 3)), ArgumentError, "tuple of 2 integers"),
    (lambda: layers.Conv3DTranspose(3, 2, depth=1), ArgumentTypeError, "does not take the argument 'depth'"),
    (lambda: layers.LocallyConnected2D(3, 2, padding="same"), ArgumentError, "takes padding 'valid' only"),
    (lambda: layers.LocallyConnected1D(3, 2, implementation=4), ArgumentError, "1, 2 or 3, received 4"),
    (lambda: layers.LocallyConnected1D(3, 2)(Input((None, 2))), ShapeError, r"must be known, received.*\(None,\)"),
    (lambda: layers.ZeroPadding2D((1, 2, 3)), ArgumentError, "2 entries, one for each dimension, received"),
    (lambda: layers.ZeroPadding1D(-1), ArgumentError, "at least 0, received -1"),
    (lambda: layers.Cropping1D(2)(Input((4, 1))), ShapeError, r"leave something, received \(2, 2\) for \(None, 4, 1\)"),
    (lambda: layers.UpSampling1D((2,)), ArgumentError, "size must be a positive integer"),
    (lambda: layers.UpSampling2D(interpolation="bicubic"), UnsupportedError, "'bicubic' is not supported"),
    (lambda: layers.UpSampling2D(interpolation="linear"), ArgumentError, "received 'linear'"),
    (lambda: layers.UpSampling3D()(Input((4, 4, 1))), ShapeError, "input of rank 5, received"),
    (lambda: layers.Conv3D(2, 3)(Input((2, 5, 5, 1))), ShapeError, "A window of 3 .* larger than the input of 2"),
    (lambda: layers.Conv2DTranspose(2, 3)(Input((5, 5, None))), ShapeError, "channels must be known"),
    (lambda: layers.DepthwiseConv2D(2)(Input((5, 5))), ShapeError, "input of rank 4"),
]


@pytest.mark.parametrize(("make", "kind", "message"), REFUSED, ids=[message for _, _, message in REFUSED])
def test_what_does_not_fit_is_refused_with_rule_and_value(make: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        make()


def test_sizes_may_be_left_open() -> None:
    rng = np.random.default_rng(11)
    for name, arguments in (("Conv2DTranspose", (3, 3, 2)), ("DepthwiseConv2D", (3,)), ("UpSampling2D", (2,))):
        layer = getattr(layers, name)(*arguments)
        tensor = Input((None, None, 2))
        model = Model(tensor, layer(tensor))
        assert model.output_shape[1:3] == (None, None)
        for size in (5, 8):
            x = normal(rng, 2, size, size + 1, 2)
            np.testing.assert_allclose(model.predict(x), np.asarray(layer(x)), atol=1e-5)
