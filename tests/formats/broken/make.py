"""Good files, and ways to spoil them: the parts that `cases` is made of."""

from __future__ import annotations

import copy
import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from graphflow import Input, Model
from graphflow.layers import LSTM, BatchNormalization, Concatenate, Conv2D, Dense, Embedding, Flatten, Reshape

Config = dict[str, Any]


@cache
def good(ending: str) -> bytes:
    """A file of a small model of many kinds of layers."""
    image, words = Input((4, 4, 2), name="image"), Input((3,), dtype="int32", name="words")
    seen = BatchNormalization(name="norm")(Conv2D(3, 2, name="conv")(image))
    read = LSTM(2, name="lstm")(Embedding(5, 4, name="table")(words))
    joined = Concatenate(name="join")([Flatten(name="flat")(seen), read])
    out = Dense(4, name="last")(Reshape((29,), name="again")(joined))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{ending}"
        model = Model([image, words], out, name="good")
        (model.save if ending in (".keras", ".h5") else model.save_weights)(path)
        return path.read_bytes()


def members(data: bytes) -> dict[str, bytes]:
    """The members of a `.keras` file."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(parts: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """A ZIP file of members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return buffer.getvalue()


def config_of(data: bytes) -> Config:
    """The configuration of a `.keras` file."""
    config: Config = json.loads(members(data)["config.json"])
    return config


def layer(config: Config, name: str) -> Config:
    """The description of one layer."""
    found: Config = next(one for one in config["config"]["layers"] if one["config"]["name"] == name)
    return found


def with_config(change: Callable[[Config], Any]) -> bytes:
    """A `.keras` file whose configuration was changed; what `change` returns replaces it unless that is None."""
    config = copy.deepcopy(config_of(good(".keras")))
    changed = change(config)
    return with_text(json.dumps(config if changed is None else changed).encode())


def with_text(text: bytes) -> bytes:
    """A `.keras` file of another `config.json`."""
    return zipped({**members(good(".keras")), "config.json": text})


def with_layer(name: str, **arguments: Any) -> bytes:
    """A `.keras` file in which arguments of one layer were changed."""
    return with_config(lambda config: layer(config, name)["config"].update(arguments))


def with_item(name: str, **keys: Any) -> bytes:
    """A `.keras` file in which the description of one layer was changed."""
    return with_config(lambda config: layer(config, name).update(keys))


def spoiled(data: bytes, change: Callable[[h5py.File], Any], **options: Any) -> bytes:
    """An HDF5 file, changed."""
    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+", **options) as file:
        change(file)
    return buffer.getvalue()


def with_weights(change: Callable[[h5py.File], Any]) -> bytes:
    """A `.keras` file whose weights were changed."""
    parts = members(good(".keras"))
    return zipped({**parts, "model.weights.h5": spoiled(parts["model.weights.h5"], change)})


def with_h5(change: Callable[[h5py.File], Any]) -> bytes:
    """An `.h5` file, changed."""
    return spoiled(good(".h5"), change)


def with_h5_config(change: Callable[[Config], Any]) -> bytes:
    """An `.h5` file whose configuration was changed."""

    def apply(file: h5py.File) -> None:
        config = json.loads(file.attrs["model_config"])
        change(config)
        file.attrs["model_config"] = json.dumps(config)

    return with_h5(apply)


def replaced(path: str, make: Callable[[h5py.File, str], Any]) -> Callable[[h5py.File], None]:
    """A change that puts something else at a path."""

    def apply(file: h5py.File) -> None:
        del file[path]
        make(file, path)

    return apply


def patched(data: bytes, at: int, new: bytes) -> bytes:
    """Bytes written over others."""
    assert 0 <= at < len(data)
    return data[:at] + new + data[at + len(new) :]


def virtual(file: h5py.File, path: str) -> None:
    """A dataset whose data are in another file."""
    layout = h5py.VirtualLayout((29, 4), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (29, 4))
    file.create_virtual_dataset(path, layout)


def array(*shape: int, dtype: str = "f4") -> Callable[[h5py.File, str], Any]:
    """What makes a dataset of zeros."""
    return lambda file, path: file.create_dataset(path, data=np.zeros(shape, dtype))


def doubling(levels: int) -> Config:
    """Models inside models, each called twice: as many calls as 2 to the power of the levels."""

    def tensor(name: str, node: int) -> Config:
        return {"class_name": "__keras_tensor__", "config": {"shape": [None, 2], "keras_history": [name, node, 0]}}

    inner: Config = {"module": "keras.layers", "class_name": "Dense", "config": {"name": "d", "units": 2}, "name": "d"}
    for level in range(levels):
        name = inner["config"]["name"]
        nodes = [{"args": [tensor("x", 0)], "kwargs": {}}, {"args": [tensor(name, 0)], "kwargs": {}}]
        start = {"module": "keras.layers", "class_name": "InputLayer", "name": "x", "inbound_nodes": []}
        inner = {
            "module": "keras.src.models.functional",
            "class_name": "Functional",
            "name": f"m{level}",
            "config": {
                "name": f"m{level}",
                "layers": [
                    {**start, "config": {"name": "x", "batch_shape": [None, 2], "dtype": "float32"}},
                    {**inner, "inbound_nodes": nodes},
                ],
                "input_layers": [["x", 0, 0]],
                "output_layers": [[name, 1, 0]],
            },
        }
    return inner
