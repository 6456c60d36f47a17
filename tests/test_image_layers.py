"""Layers of images: sizes, aspect ratios, what they refuse, and files between the rules of Keras 2 and Keras 3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphflow
from graphflow import layers
from graphflow.errors import ArgumentError, ShapeError, UnsupportedError
from graphflow.layers.era import era
from graphflow.ops.resample import room

X = np.arange(2 * 4 * 6 * 1, dtype="float32").reshape(2, 4, 6, 1)
RANDOM: dict[str, dict[str, Any]] = {
    "RandomBrightness": {"factor": 0.2},
    "RandomContrast": {"factor": 0.2},
    "RandomCrop": {"height": 2, "width": 3},
    "RandomFlip": {},
    "RandomHeight": {"factor": 0.2},
    "RandomRotation": {"factor": 0.2},
    "RandomTranslation": {"height_factor": 0.2, "width_factor": (-0.1, 0.1)},
    "RandomWidth": {"factor": (0.1, 0.3)},
    "RandomZoom": {"height_factor": 0.2},
}


def run(layer: Any, x: Any = X, shape: Any = None) -> Any:
    tensor = graphflow.Input(x.shape[1:] if shape is None else shape, dtype=x.dtype)
    return graphflow.Model(tensor, layer(tensor)).predict(x, verbose=0)


def test_half_the_size_is_the_mean_of_four() -> None:
    expected = X.reshape(2, 2, 2, 3, 2, 1).mean((2, 4))
    np.testing.assert_allclose(run(layers.Resizing(2, 3)), expected, rtol=1e-6)
    np.testing.assert_allclose(run(layers.Resizing(2, 3), shape=(None, None, 1)), expected, rtol=1e-6)


def test_channels_first_is_channels_last_moved() -> None:
    first = np.moveaxis(X, -1, 1)
    for last in (layers.Resizing(3, 5), layers.CenterCrop(2, 3), layers.Resizing(7, 5, pad_to_aspect_ratio=True)):
        other = type(last)(**{**last.get_config(), "data_format": "channels_first", "name": "other"})
        np.testing.assert_array_equal(np.moveaxis(run(other, first), 1, -1), run(last))


def test_cropping_keeps_the_middle_and_padding_all() -> None:
    cropped = run(layers.Resizing(4, 4, crop_to_aspect_ratio=True))
    np.testing.assert_array_equal(cropped, X[:, :, 1:5])
    padded = run(layers.Resizing(6, 6, pad_to_aspect_ratio=True, fill_value=-1.0))
    np.testing.assert_array_equal(padded[:, 1:5], X)
    assert (padded[:, [0, 5]] == -1).all()


def test_the_middle_is_cut_out_and_smaller_images_are_resized() -> None:
    np.testing.assert_array_equal(run(layers.CenterCrop(2, 3)), X[:, 1:3, 1:4])
    np.testing.assert_array_equal(run(layers.CenterCrop(2, 3), shape=(None, None, 1)), X[:, 1:3, 1:4])
    larger = run(layers.CenterCrop(8, 8))
    np.testing.assert_allclose(larger, run(layers.Resizing(8, 8), X[:, :, 1:5]))


@pytest.mark.parametrize(
    ("fit", "given", "target", "expected"),
    [
        ("crop", (10, 4), (3, 3), [(-3, -3), (0, 0)]),
        ("crop", (4, 9), (2, 2), [(0, 0), (-2, -3)]),
        ("crop", (2, 50), (50, 1), [(0, 0), (-24, -25)]),
        ("pad", (4, 9), (2, 2), [(2, 2), (0, 0)]),
        ("center", (5, 9), (2, 3), [(-1, -2), (-3, -3)]),
        ("stretch", (5, 9), (2, 3), [(0, 0), (0, 0)]),
    ],
)
def test_what_is_cut_and_added(fit: str, given: Any, target: Any, expected: Any) -> None:
    assert room(fit, given, target) == expected


@pytest.mark.parametrize("name", RANDOM)
def test_at_inference_images_stay_and_training_is_refused_by_name(name: str) -> None:
    layer = getattr(layers, name)(**RANDOM[name], name="it")
    expected = run(layers.Resizing(2, 3, crop_to_aspect_ratio=True)) if name == "RandomCrop" else X
    np.testing.assert_array_equal(run(layer), expected)
    with pytest.raises(UnsupportedError, match=f"{name} 'it' with training=True"):
        layer(X, training=True)
    with pytest.raises(ShapeError, match="rank 4"):
        layer(graphflow.Input((4, 5, 6, 1)))


def test_random_crop_of_keras3_passes_images_on() -> None:
    with era("keras3"):
        np.testing.assert_array_equal(run(layers.RandomCrop(2, 3)), X)


@pytest.mark.parametrize("name", [name for name in RANDOM if name not in ("RandomHeight", "RandomWidth")])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_files_carry_them(name: str, suffix: str, tmp_path: Path) -> None:
    tensor = graphflow.Input((4, 6, 1))
    model = graphflow.Model(tensor, getattr(layers, name)(**RANDOM[name])(tensor))
    model.save(tmp_path / f"model{suffix}")
    back = graphflow.load_model(tmp_path / f"model{suffix}")
    np.testing.assert_array_equal(back.predict(X, verbose=0), model.predict(X, verbose=0))


def test_a_call_in_training_has_no_form_in_files_of_keras3(tmp_path: Path) -> None:
    tensor = graphflow.Input((4,))
    model = graphflow.Model(tensor, layers.Dropout(0.5, name="drop")(tensor, training=True))
    with pytest.raises(UnsupportedError, match=r"layer 'drop'.*training=True"):
        model.save(tmp_path / "model.keras")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Resizing(0, 3), "height must be a positive integer, received 0"),
        (lambda: layers.Resizing(2, 3, interpolation="linear"), "received 'linear'"),
        (lambda: layers.Resizing(2, 3, fill_mode="reflect"), "fill_mode must be 'constant'"),
        (lambda: layers.Resizing(2, 3, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True), "both"),
        (lambda: layers.RandomFlip("diagonal"), "received 'diagonal'"),
        (lambda: layers.RandomZoom(1.5), "height_factor must be a number"),
        (lambda: layers.RandomContrast(0.1, value_range=3), "value_range must be two numbers"),
        (lambda: layers.RandomRotation((0.1, 0.2, 0.3)), "factor must be a number"),
    ],
)
def test_what_is_refused(make: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        make()
