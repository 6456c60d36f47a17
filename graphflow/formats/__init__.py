"""Files in and out: every reader and writer of a model format, in one registry."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from graphflow.errors import ModelFormatError, UnsupportedError
from graphflow.formats.identify import FileKind, identify
from graphflow.formats.limits import DEFAULT_LIMITS, Limits

__all__ = ["DEFAULT_LIMITS", "FORMATS", "FileReport", "Limits", "inspect_file", "load_model"]


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


FORMATS: dict[FileKind, tuple[str, Reader]] = {
    "keras": ("Keras 3 (.keras)", _keras_v3),
    "hdf5": ("Keras in HDF5 (.h5, .hdf5)", _keras_h5),
    "onnx": ("ONNX (.onnx)", _onnx),
}
"""Every format that holds whole models, by the kind that `identify` tells: its name and its reader."""

ELSEWHERE: dict[FileKind, str] = {
    "json": "holds a configuration or an index of weights, and no model. model_from_json makes a model of a "
    "configuration, model.load_weights(path) takes weights",
    "safetensors": "holds weights alone. Build the model and call its load_weights(path)",
}
"""Kinds of files that hold less than a model, and what to do with them."""


def __getattr__(name: str) -> Any:
    """`inspect_file` and `FileReport`, imported when they are first asked for."""
    if name in ("FileReport", "inspect_file"):
        from graphflow.formats import file_report

        return getattr(file_report, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_model(
    path: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
    *,
    limits: Limits = DEFAULT_LIMITS,
    untrusted: bool = False,
) -> Any:
    """Open a model file. Nothing that is in the file is ever run.

    Args:
        path: a `.keras` file of Keras 3 or tf.keras, an `.h5` or `.hdf5` file of any Keras, or an `.onnx` file.
        custom_objects: the classes and functions that the file names, by name. A Lambda layer whose function was saved
            as bytecode takes its function by the layer's name.
        compile: whether to keep the compile arguments that the file holds, in `model.compiled_with`.
        safe_mode: accepted for Keras' sake. There is no unsafe mode.
        limits: budgets for sizes; see `graphflow.formats.Limits`.
        untrusted: let no library that files can crash read the file in this process. What Keras writes needs none;
            where HDF5's library is needed, for compressed weights, it runs in a process of its own with limits on
            memory and time, and a crash of it is a `ModelFormatError`. See docs/safety.md.

    Returns:
        A `Model` or `Sequential`; of an `.onnx` file a `GraphModel`.

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
    kind = identify(name)
    if kind in ELSEWHERE:
        raise ModelFormatError(f"{name}: this file {ELSEWHERE[kind]}.")
    if untrusted and kind == "onnx":
        raise UnsupportedError(f"{name}: ONNX files are parsed by the package onnx; untrusted=True is for Keras files.")
    from graphflow.formats.hdf5 import in_child

    _, read = FORMATS[kind]
    with in_child() if untrusted else nullcontext():
        return read(name, custom_objects, compile, limits)
