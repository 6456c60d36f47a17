"""What Keras calls `utils`, for clients that are given or import it: a facade, each function on its own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from graphflow.errors import ArgumentError, DataError, UnsupportedError
from graphflow.layers.layer import Layer
from graphflow.layers.tensor import KerasTensor
from graphflow.models.forwards import forward
from graphflow.saving import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
    serialize_keras_object,
)
from graphflow.saving import deserialize_keras_object as _deserialize

__all__ = [
    "CustomObjectScope",
    "count_params",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "get_source_inputs",
    "layer_utils",
    "normalize",
    "plot_model",
    "register_keras_serializable",
    "serialize_keras_object",
    "to_categorical",
]

Array = np.ndarray[Any, Any]


def get_source_inputs(tensor: Any, layer: Layer | None = None, node_index: int | None = None) -> Any:
    """The tensors from which a symbolic tensor is computed: those of `Input`, each once.

    Args:
        tensor: a symbolic tensor; one without a history is returned as it is.
        layer, node_index: start from this call rather than the one that made the tensor.
    """
    if layer is None or node_index is None:
        if not isinstance(tensor, KerasTensor) or tensor._keras_history is None:
            return tensor
        layer, node_index, _ = tensor._keras_history
    found: dict[KerasTensor, None] = {}
    stack = [layer._inbound_nodes[node_index]]
    seen = set(stack)
    while stack:
        node = stack.pop()
        if node.is_input:
            found.update(dict.fromkeys(node.output_tensors))
        before = [parent for parent in node.parent_nodes if parent not in seen]
        seen.update(before)
        stack.extend(reversed(before))
    return list(found)


def count_params(weights: Any) -> int:
    """How many numbers these variables or arrays hold, each counted once."""
    return sum(int(np.prod(one.shape)) for one in {id(one): one for one in weights}.values())


layer_utils = SimpleNamespace(count_params=count_params, get_source_inputs=get_source_inputs)
"""The module of this name that some clients take from `utils`."""


def to_categorical(y: Any, num_classes: int | None = None, dtype: str = "float32") -> Array:
    """Class numbers of any shape to rows of zeros with a one at their place: y.shape + (num_classes,).

    Args:
        y: whole numbers; a last axis of one element is dropped.
        num_classes: the largest number plus one, unless given.

    Raises:
        ArgumentError: a number outside [0, num_classes).
    """
    classes = np.asarray(y).astype(np.int64)
    if classes.ndim > 1 and classes.shape[-1] == 1:
        classes = classes[..., 0]
    count = int(classes.max(initial=-1)) + 1 if num_classes is None else int(num_classes)
    outside = classes[(classes < 0) | (classes >= count)]
    if outside.size:
        raise ArgumentError(f"Classes must lie in [0, {count}), received {int(outside[0])}.")
    return np.asarray(classes[..., None] == np.arange(count), dtype)


def normalize(x: Any, axis: int = -1, order: int = 2) -> Array:
    """An array divided by its norms along an axis; where the norm is zero it stays as it is."""
    array = np.asarray(x)
    norms = np.linalg.norm(array, order, axis, keepdims=True)
    return np.asarray(array / np.where(norms == 0, 1, norms))


def get_file(
    fname: str | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str = "auto",
    cache_dir: str | None = None,
) -> str:
    """The path of a file that is on this machine already: at `origin`, or where Keras keeps what it has downloaded.

    Args:
        fname: its name in the cache; by default the last part of `origin`.
        origin: a path or file:// URL, used in place; of another URL only the cache is looked at.
        md5_hash, file_hash: what the file must hash to, by MD5 or, of 64 digits or when `hash_algorithm` says so,
            SHA-256.
        cache_subdir, cache_dir: the cache is cache_dir/cache_subdir; cache_dir is `$KERAS_HOME` or `~/.keras`.

    Raises:
        UnsupportedError: a file that would have to be downloaded, or an archive to be unpacked.
        FileNotFoundError: a local origin that is not there.
        DataError: the file hashes to something else.
    """
    if untar or extract:
        raise UnsupportedError("get_file unpacks no archives; unpack the file and give the path of what is in it.")
    if origin is None and fname is None:
        raise ArgumentError("get_file needs an origin or the name of a file in the cache.")
    parts = urlsplit(origin or "")
    local = Path(unquote(parts.path)) if parts.scheme == "file" else Path(origin or "")
    is_local = origin is not None and (parts.scheme == "file" or "://" not in origin)
    home = Path(cache_dir or os.environ.get("KERAS_HOME") or "~/.keras").expanduser()
    cached = home / cache_subdir / (fname or Path(unquote(parts.path)).name)
    path = local if is_local and local.is_file() else cached
    if not path.is_file():
        if is_local or origin is None:
            raise FileNotFoundError(f"There is no file at {local if is_local else cached}.")
        raise UnsupportedError(f"get_file opens no network connections. Download {origin} to {cached} yourself.")
    _check_hash(path, file_hash or md5_hash, hash_algorithm if file_hash else "md5")
    return str(path)


def _check_hash(path: Path, expected: str | None, algorithm: str) -> None:
    if expected is None:
        return
    if algorithm == "auto":
        algorithm = "sha256" if len(expected) == 64 else "md5"
    if algorithm not in ("sha256", "md5"):
        raise ArgumentError(f"hash_algorithm must be 'auto', 'sha256' or 'md5', received {algorithm!r}.")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if found != expected.lower():
        raise DataError(f"{path}: expected a file whose {algorithm} is {expected}, received {found}.")


def plot_model(*args: Any, **kwargs: Any) -> Any:
    """Draw a model; see `graphflow.inspect.plot.plot_model`."""
    return forward("plot_model")(*args, **kwargs)


def deserialize_keras_object(
    identifier: Any,
    module_objects: Mapping[str, Any] | None = None,
    custom_objects: Mapping[str, Any] | None = None,
    printable_module_name: str = "object",
) -> Any:
    """An object of a configuration, or of a name: one of the user's, else one of `module_objects`.

    Raises:
        ArgumentError: a name that is not known.
    """
    if not isinstance(identifier, str):
        return _deserialize(identifier, {**(module_objects or {}), **(custom_objects or {})})
    found = get_registered_object(identifier, custom_objects, module_objects)
    if found is None:
        raise ArgumentError(f"Unknown {printable_module_name}: {identifier!r}. Pass it in custom_objects.")
    return found() if isinstance(found, type) else found
