"""What a Keras file or JSON text says, without building the model: `read_description` and `describe_json`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphflow.errors import ModelFormatError
from graphflow.formats import keras_h5, keras_v3
from graphflow.formats.json_text import parse_json
from graphflow.formats.keras_describe import describe_model
from graphflow.formats.keras_description import Description, Reading, build, wrong_shape_is_a_bad_file
from graphflow.formats.limits import DEFAULT_LIMITS, Limits

__all__ = ["Description", "build", "describe_json", "read_description"]


def read_description(path: str | os.PathLike[str], limits: Limits = DEFAULT_LIMITS) -> Description:
    """Describe a `.keras`, `.h5` or `.hdf5` file of a whole model, or a `.json` file of one without weights.

    Args:
        path: the file.
        limits: budgets.

    Returns:
        The description; what is missing from custom_objects is in its `needs`.

    Raises:
        OSError: the file is missing or not readable.
        ModelFormatError: not such a file, or a damaged one.

    Example:
        >>> from graphflow.formats.keras_files import read_description
        >>> from graphflow.samples import digits
        >>> described = read_description(digits.MODEL)
        >>> described.format, described.keras_version[0], [name for _, name in described.layers()][:2]
        ('Keras 3 (.keras)', '3', ['InputLayer', 'Conv2D'])
    """
    name = os.fspath(path)
    with Path(name).open("rb") as file:
        start = file.read(8)
    if start.startswith(b"PK\x03\x04"):
        return keras_v3.describe_file(name, limits)
    if start == b"\x89HDF\r\n\x1a\n":
        return keras_h5.describe_file(name, limits)
    if start.lstrip()[:1] == b"{":
        limits.check("member_bytes", Path(name).stat().st_size, name, "bytes of JSON")
        return describe_json(Path(name).read_bytes(), name, limits)
    raise ModelFormatError(f"{name}: neither a .keras nor an HDF5 file, nor JSON: it begins with {start!r}.")


def describe_json(text: str | bytes, where: str = "<json>", limits: Limits = DEFAULT_LIMITS) -> Description:
    """Describe what `model.to_json()` of any Keras wrote.

    Args:
        text: JSON.
        where: as messages shall name it.
        limits: budgets.

    Raises:
        ModelFormatError: not JSON, or not a model.

    Example:
        >>> from graphflow.formats.keras_files import build, describe_json
        >>> layer = '{"class_name": "Dense", "config": {"name": "d", "units": 2, "batch_input_shape": [null, 3]}}'
        >>> model = '{"class_name": "Sequential", "keras_version": "2.0.5", "config": [' + layer + ']}'
        >>> described = describe_json(model)
        >>> described.keras_version, build(described).output_shape
        ('2.0.5', (None, 2))
    """
    data = text.encode() if isinstance(text, str) else text
    item = parse_json(data, where, limits)
    if not isinstance(item, dict):
        raise ModelFormatError(f"{where}: expected a JSON object, received {type(item).__name__}.")
    reading = Reading(where, _version(item), str(item.get("backend") or ""), limits)
    with wrong_shape_is_a_bad_file(where):
        model = describe_model(item, reading)
    return reading.finish("Keras configuration (JSON)", model, item.get("compile_config"))


def _version(item: Mapping[str, Any]) -> str | None:
    """The version that wrote a configuration; Keras 3 gives none, but names modules of its own."""
    if isinstance(item.get("keras_version"), str):
        return str(item["keras_version"])
    return "3" if "module" in item else None
