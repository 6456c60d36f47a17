"""Handwritten digits: a small convolutional classifier, made by Keras, and 100 held-out real images."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent
MODEL = _FOLDER / "digits.keras"
IMAGES = _FOLDER / "images.npy"
LABELS = _FOLDER / "labels.npy"
KERAS_OUTPUTS = _FOLDER / "keras_outputs.npy"
