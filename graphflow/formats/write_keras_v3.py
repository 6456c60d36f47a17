"""`.keras` files: a ZIP of `metadata.json`, `config.json` and `model.weights.h5`, stored, as Keras 3 writes them.

Two files of one model are equal byte for byte but for the date in `metadata.json`. The weights begin at a multiple of
64 bytes, so that a reader can map them.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import zipfile
from datetime import datetime
from typing import IO, Any

from graphflow.formats.keras_export import standalone
from graphflow.formats.keras_export_v3 import keras3_config
from graphflow.formats.write_file import scratch_file, whole_file
from graphflow.formats.write_weights import write_keras3_weights

KERAS_VERSION = "3.10.0"
"""The version whose form is written."""

ALIGNMENT = 64
_LOCAL_HEADER, _WIDE_SIZES, _PADDING_ID = 30, 20, 0xD935


def write_model(
    model: Any,
    path: str | os.PathLike[str],
    overwrite: bool = True,
    with_compile: bool = True,
    date: datetime | None = None,
) -> None:
    """Write a `.keras` file.

    Args:
        model: functional or Sequential.
        path: of the file; it appears when it is whole.
        overwrite: whether a file that is there may be replaced.
        with_compile: whether the compile arguments are written, as far as they are plain data.
        date: what `date_saved` says; by default now.

    Raises:
        ArgumentError: a file that may not be replaced.
        UnsupportedError: something that Keras 3's form can not say; the message names the layer. Nothing is written.
    """
    model = standalone(model)
    config = json.dumps(keras3_config(model, with_compile))
    saved = (date or datetime.now()).strftime("%Y-%m-%d@%H:%M:%S")
    metadata = json.dumps({"keras_version": KERAS_VERSION, "date_saved": saved})
    with whole_file(path, overwrite) as whole, scratch_file(whole) as weights:
        write_keras3_weights(model, weights, by_graph=True)
        with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(_member("metadata.json"), metadata)
            archive.writestr(_member("config.json"), config)
            with weights.open("rb") as file:
                _copy(archive, "model.weights.h5", file, weights.stat().st_size)


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    member.external_attr = 0o644 << 16
    return member


def _copy(archive: zipfile.ZipFile, name: str, file: IO[bytes], size: int) -> None:
    """Add a member from a file, its data aligned."""
    member = _member(name)
    member.file_size = size
    assert archive.fp is not None
    sizes = _WIDE_SIZES if size * 1.05 > zipfile.ZIP64_LIMIT else 0
    at = archive.fp.tell() + _LOCAL_HEADER + len(name) + sizes + 4
    gap = -at % ALIGNMENT
    member.extra = struct.pack("<HH", _PADDING_ID, gap) + bytes(gap)
    with archive.open(member, "w") as target:
        shutil.copyfileobj(file, target, 1 << 20)
