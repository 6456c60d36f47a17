"""Files in and out: every reader and writer of a model format, in one registry."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from graphflow.errors import ModelFormatError, UnsupportedError
from graphflow.formats.limits import DEFAULT_LIMITS, Limits

__all__ = ["DEFAULT_LIMITS", "FORMATS", "Limits", "load_model"]


Reader = Callable[[str, Mapping[str, Any] | None, bool, Limits], Any]
"""From path, custom objects, compile and limits to a model."""


def _keras_v3(path: str, custom_objects: Mapping[str, Any] | None, compile: bool, limits: Limits) -> Any:
    from graphflow.formats.keras_v3 import read_model

    return read_model(path, custom_objects, compile, limits)


def _keras_h5(path: str, custom_objects: Mapping[str, Any] | None, compile: bool, limits: Limits) -> Any:
    from graphflow.formats.keras_h5 import read_model

    return read_model(path, custom_objects, compile, limits)


def _onnx(path: str, custom_objects: Mapping[str, Any] | None, compile: bool, limits: Limits) -> Any:
    from graphflow.formats.onnx_read import read_model

    return read_model(path, custom_objects, compile, limits)


FORMATS: tuple[tuple[str, bytes | str, Reader], ...] = (
    ("Keras 3 (.keras)", b"PK\x03\x04", _keras_v3),
    ("Keras in HDF5 (.h5, .hdf5)", b"\x89HDF\r\n\x1a\n", _keras_h5),
    ("ONNX (.onnx)", ".onnx", _onnx),
)
"""Every readable format: its name, the bytes it begins with or else how its file's name ends, its reader."""


def load_model(
    path: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
    *,
    limits: Limits = DEFAULT_LIMITS,
) -> Any:
    """Open a model file. Nothing that is in the file is ever run.

    Args:
        path: a `.keras` file.
        custom_objects: the classes and functions that the file names, by name. A Lambda layer whose function was saved
            as bytecode takes its function by the layer's name.
        compile: whether to keep the compile arguments that the file holds, in `model.compiled_with`.
        safe_mode: accepted for Keras' sake. There is no unsafe mode.
        limits: budgets for sizes; see `graphflow.formats.Limits`.

    Returns:
        A `Model` or `Sequential`.

    Raises:
        OSError: the file is missing or not readable.
        ModelFormatError: the file is not what it should be; the message names the file, the member and the rule.
        UnsupportedError: the file is fine but needs something that graphflow does not have.

    Example:
        >>> import graphflow
        >>> from graphflow.samples import digits
        >>> graphflow.load_model(digits.MODEL).output_shape
        (None, 10)
    """
    name = os.fspath(path)
    if Path(name).is_dir():
        if (Path(name) / "saved_model.pb").exists():
            raise UnsupportedError(
                f"{name}: TensorFlow SavedModel directories are not read, since they hold a program. Load it in "
                "TensorFlow and save it as .keras."
            )
        raise ModelFormatError(f"{name}: expected a model file, received a directory.")
    with Path(name).open("rb") as file:
        start = file.read(8)
    for _, mark, read in FORMATS:
        if start.startswith(mark) if isinstance(mark, bytes) else name.endswith(mark):
            return read(name, custom_objects, compile, limits)
    known = ", ".join(label for label, _, _ in FORMATS)
    raise ModelFormatError(f"{name}: not a model file of a known format ({known}): it begins with {start!r}.")
