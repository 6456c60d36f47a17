"""`python -m graphflow.samples PREDICTIONS.npy`: look at some of the digits, and compare with the truth and with Keras.

`python -m graphflow.samples --paths` prints where the model and the images are, so that

    graphflow predict $(python -m graphflow.samples --paths) -o predictions.npy

makes the predictions that this command shows.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphflow.errors import GraphflowError, ModelFormatError, ShapeError
from graphflow.inspect import encodable, escaped
from graphflow.samples import digits
from graphflow.spec import format_shape

Array = np.ndarray[Any, Any]

SHADES = " ░▒▓█"
ASCII_SHADES = " .+#@"
SHOWN, ACROSS = 8, 4
GAP = "   "


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code: 0, or 2 for a file that can not be read or has another shape."""
    parser = argparse.ArgumentParser(prog="python -m graphflow.samples", description="Look at predictions.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("predictions", metavar="PREDICTIONS.npy", nargs="?", help="probabilities, one row per image")
    what.add_argument("--paths", action="store_true", help="print where the model and the images are")
    args = parser.parse_args(argv)
    if args.paths:
        print(digits.MODEL, digits.IMAGES, sep="\n")
        return 0
    try:
        text = report(read_predictions(Path(args.predictions)), getattr(sys.stdout, "encoding", None))
    except (GraphflowError, OSError) as error:
        print(f"graphflow: error: {escaped(error)}", file=sys.stderr)
        return 2
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def read_predictions(path: Path) -> Array:
    """The predictions in a file.

    Raises:
        ModelFormatError: not a `.npy` file.
        ShapeError: not one row of ten probabilities for each image.
    """
    try:
        found: Array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ModelFormatError(f"{path}: not a .npy file of numbers.") from error
    wanted = np.load(digits.KERAS_OUTPUTS).shape
    if not isinstance(found, np.ndarray) or found.shape != wanted or found.dtype.kind != "f":
        received = format_shape(found.shape) if isinstance(found, np.ndarray) else "an archive"
        raise ShapeError(f"{path}: expected floats of shape {format_shape(wanted)}, received {received}.")
    return found


def report(predictions: Array, encoding: str | None) -> str:
    """Pictures of some images, wrong predictions first, then the accuracy and the largest difference to Keras."""
    images, labels, keras = np.load(digits.IMAGES), np.load(digits.LABELS), np.load(digits.KERAS_OUTPUTS)
    classes = predictions.argmax(axis=1)
    chosen = np.argsort(classes == labels, kind="stable")[:SHOWN]
    shades = SHADES if encodable(SHADES, encoding) == SHADES else ASCII_SHADES
    lines = []
    for start in range(0, len(chosen), ACROSS):
        pictures = []
        for index in chosen[start : start + ACROSS]:
            share = predictions[index, classes[index]]
            caption = [f"{classes[index]} ({share:.1%})", f"true: {labels[index]}"]
            pictures.append(picture(images[index, :, :, 0], caption, shades))
        lines += [GAP.join(row).rstrip() for row in zip(*pictures, strict=True)] + [""]
    right, keras_right = int((classes == labels).sum()), int((keras.argmax(axis=1) == labels).sum())
    lines.append(f"accuracy: {right} of {len(labels)} (Keras: {keras_right} of {len(labels)})")
    lines.append(f"largest difference to Keras' outputs: {np.abs(predictions - keras).max():.1e}")
    return "\n".join(lines)


def picture(image: Array, caption: Sequence[str], shades: str) -> list[str]:
    """An image of values 0..1 as lines of characters, two for each pixel, with lines of text under it."""
    levels = np.clip(np.rint(image * (len(shades) - 1)), 0, len(shades) - 1).astype(int)
    rows = ["".join(shades[level] * 2 for level in row) for row in levels]
    return rows + [line.ljust(2 * image.shape[1]) for line in caption]


if __name__ == "__main__":
    sys.exit(main())
