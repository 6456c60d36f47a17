"""Which kind of file a path is, told by its first bytes and, where those say nothing, by its name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from graphflow.errors import ModelFormatError, UnsupportedError

FileKind = Literal["keras", "hdf5", "json", "safetensors", "onnx"]

_MARKS: tuple[tuple[bytes, FileKind], ...] = ((b"PK\x03\x04", "keras"), (b"\x89HDF\r\n\x1a\n", "hdf5"))
_ENDINGS: tuple[tuple[str, FileKind], ...] = ((".safetensors", "safetensors"), (".onnx", "onnx"))


def identify(path: str | os.PathLike[str]) -> FileKind:
    """The kind of a file that holds a model, its configuration or its weights.

    Args:
        path: the file.

    Raises:
        OSError: the file is missing or not readable.
        UnsupportedError: a kind that is known and not read; the message says how to turn it into one that is.
        ModelFormatError: a directory, a device, or a file of no known kind.

    Example:
        >>> from graphflow.formats.identify import identify
        >>> from graphflow.samples import digits
        >>> identify(digits.MODEL)
        'keras'
    """
    name = os.fspath(path)
    if Path(name).is_dir():
        if (Path(name) / "saved_model.pb").exists() or (Path(name) / "keras_metadata.pb").exists():
            raise UnsupportedError(
                f"{name}: TensorFlow SavedModel directories are not read, since they hold a program. Load it in "
                "TensorFlow and save it as .keras."
            )
        raise ModelFormatError(f"{name}: expected a model file, received a directory.")
    if not Path(name).exists() and Path(f"{name}.index").exists():
        raise UnsupportedError(
            f"{name}: TensorFlow checkpoints are not read. Load it in TensorFlow and call save_weights('x.weights.h5')."
        )
    if Path(name).exists() and not Path(name).is_file():
        raise ModelFormatError(f"{name}: a model must be a regular file.")
    with Path(name).open("rb") as file:
        start = file.read(16)
    if not start:
        raise ModelFormatError(f"{name}: the file is empty.")
    for mark, kind in _MARKS:
        if start.startswith(mark):
            return kind
    for ending, kind in _ENDINGS:
        if name.endswith(ending):
            return kind
    if start.lstrip()[:1] == b"{":
        return "json"
    if start[8:9] == b"{" and start[5:8] == bytes(3):
        return "safetensors"
    raise ModelFormatError(
        f"{name}: not a model file of a known format (.keras, .h5, .weights.json, .json, .safetensors, .onnx): "
        f"it begins with {start[:8]!r}."
    )
