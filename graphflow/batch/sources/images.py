"""Folders of images as a source: each file a row, its path the identifier.

The model's input says neither size nor scale, so both are declared: `resize=(height, width)` and `scale`:

    "none"      numbers from 0 to 255
    "unit"      from 0 to 1
    "signed"    from -1 to 1
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphflow.batch.block import Bad, Block, Cursor, objects
from graphflow.batch.identity import file_identity
from graphflow.batch.sources.base import Source
from graphflow.errors import ArgumentError, UnsupportedError, nearest

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
MODES = {"rgb": "RGB", "grayscale": "L", "rgba": "RGBA"}
SCALES = {"none": (1.0, 0.0), "unit": (1 / 255, 0.0), "signed": (1 / 127.5, -1.0)}
"""Name to factor and summand."""
RESAMPLING = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")


class ImageSource(Source):
    """Image files, as the columns `image` (height, width, channels) float32, and `path`.

    Args:
        files: paths, in the order of the rows.
        resize: height and width.
        scale: "none", "unit" or "signed".
        color: "rgb", "grayscale" or "rgba".
        resample: how sizes are changed; a name of Pillow's.

    Raises:
        UnsupportedError: Pillow is not installed.
        ArgumentError: an argument that is not one of those.
    """

    random_access = True
    columns = ("image", "path")

    def __init__(
        self,
        files: Sequence[Path],
        resize: Sequence[int] | None = None,
        scale: str = "none",
        color: str = "rgb",
        resample: str = "bilinear",
    ) -> None:
        try:
            import PIL.Image  # noqa: F401
        except ImportError:
            raise UnsupportedError("Images need the package Pillow: pip install 'graphflow-engine[images]'.") from None
        for name, value, known in (
            ("scale", scale, SCALES),
            ("color", color, MODES),
            ("resample", resample, RESAMPLING),
        ):
            if value not in known:
                raise ArgumentError(f"Images have no {name} {value!r}.{nearest(str(value), known)}")
        if resize is None or len(resize) != 2 or not all(isinstance(one, int) and one > 0 for one in resize):
            raise ArgumentError(f"Images need resize=(height, width), two positive integers; received {resize!r}.")
        self._files = list(files)
        self._options: dict[str, Any] = {"resize": list(resize), "scale": scale, "color": color, "resample": resample}
        self.rows = len(self._files)

    def identity(self) -> dict[str, Any]:
        return {"kind": "images", "files": [file_identity(path) for path in self._files], **self._options}

    def read(self, start: int, cursor: Cursor | None, size: int, columns: Sequence[str]) -> Iterator[Block]:
        for at in range(start, len(self._files), size):
            stop = min(at + size, len(self._files))
            images, paths, bad = [], [], []
            for row in range(at, stop):
                path = self._files[row]
                try:
                    images.append(self._image(path))
                except FileNotFoundError as error:
                    bad.append(Bad(row, f"{path}, row {row}", f"it is gone: {error.strerror}"))
                except (OSError, ValueError, SyntaxError, MemoryError) as error:
                    if isinstance(error, OSError) and error.errno is not None:
                        raise
                    bad.append(Bad(row, f"{path}, row {row}", f"not a readable image: {error}"))
                else:
                    paths.append(str(path))
            made = {"image": np.stack(images) if images else np.zeros((0, *self._shape), "float32")}
            every = {**made, "path": objects(paths)}
            yield Block(at, stop - at, {name: every[name] for name in columns}, bad)

    @property
    def _shape(self) -> tuple[int, int, int]:
        height, width = self._options["resize"]
        return int(height), int(width), len(MODES[str(self._options["color"])].replace("L", "1"))

    def _image(self, path: Path) -> np.ndarray[Any, Any]:
        from PIL import Image

        height, width, channels = self._shape
        try:
            with Image.open(path) as opened:
                image = opened.convert(MODES[str(self._options["color"])])
        except Image.DecompressionBombError as error:
            raise ValueError(str(error)) from None
        if image.size != (width, height):
            image = image.resize((width, height), Image.Resampling[str(self._options["resample"]).upper()])
        factor, summand = SCALES[str(self._options["scale"])]
        array = np.asarray(image, "float32").reshape(height, width, channels)
        return array if factor == 1.0 else array * np.float32(factor) + np.float32(summand)

    def place(self, row: int) -> str:
        return f"{self._files[row]}, row {row}" if row < len(self._files) else f"row {row}"
