"""Models as files: which writer writes which form, told by how the file's name ends."""

from __future__ import annotations

import json
import os
from typing import Any

from graphflow.errors import ArgumentError, ArgumentTypeError, UnsupportedError

_FORMATS = {"keras": ".keras", "keras_v3": ".keras", "h5": ".h5", "hdf5": ".h5"}
_ELSEWHERE = {
    ".onnx": "Use model.export(path).",
    ".safetensors": "It holds weights only: use model.save_weights(path).",
}


def save_model(
    model: Any,
    filepath: str | os.PathLike[str],
    overwrite: bool = True,
    include_optimizer: bool = True,
    save_format: str | None = None,
    zipped: bool | None = None,
) -> None:
    """Write a model, configuration and weights, to a file that Keras opens too.

    Args:
        model: functional or Sequential.
        filepath: ends in `.keras` (Keras 3) or `.h5`, `.hdf5` (tf.keras 2). The file appears when it is whole.
        overwrite: whether a file that is there may be replaced.
        include_optimizer: whether the arguments of `compile` are written, as far as they are plain data.
        save_format: "keras" or "h5", as Keras has it; by default told by the name.
        zipped: True or None; `.keras` folders are not written.

    Raises:
        ArgumentError: a name that tells no format, or a file that may not be replaced.
        UnsupportedError: something that the format can not say; the message names the layer. Nothing is written then.

    Example:
        >>> import tempfile
        >>> import graphflow
        >>> from graphflow.layers import Dense
        >>> model = graphflow.Sequential([Dense(2, input_shape=(3,))])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(f"{folder}/model.keras")
        ...     graphflow.load_model(f"{folder}/model.keras").output_shape
        (None, 2)
    """
    path = os.fspath(filepath)
    if zipped is False:
        raise UnsupportedError("Folders in place of .keras files (zipped=False) are not written.")
    from graphflow.formats import write_keras_h5, write_keras_v3

    writer = write_keras_v3 if _model_ending(path, save_format) == ".keras" else write_keras_h5
    writer.write_model(model, path, overwrite, include_optimizer)


def _model_ending(path: str, save_format: str | None) -> str:
    if save_format is not None:
        if save_format == "tf":
            raise UnsupportedError("TensorFlow SavedModel folders (save_format='tf') are not written; use 'keras'.")
        if save_format not in _FORMATS:
            raise ArgumentError(f"save_format must be 'keras' or 'h5', received {save_format!r}.")
        wanted = _FORMATS[save_format]
        if wanted == ".keras" and not path.endswith(".keras"):
            raise ArgumentError(f"A file of save_format='keras' must end in .keras, received {path!r}.")
        return wanted
    for ending in (".keras", ".h5", ".hdf5"):
        if path.endswith(ending):
            return ".keras" if ending == ".keras" else ".h5"
    hint = next((text for ending, text in _ELSEWHERE.items() if path.endswith(ending)), "")
    raise ArgumentError(f"A model's file must end in .keras, .h5 or .hdf5, received {path!r}. {hint}".rstrip())


def save_weights(
    model: Any,
    filepath: str | os.PathLike[str],
    overwrite: bool = True,
    save_format: str | None = None,
    max_shard_size: Any = None,
) -> None:
    """Write the weights of a model, without its configuration.

    Args:
        model: any model.
        filepath: ends in `.weights.h5` (Keras 3's layout), `.h5` or `.hdf5` (Keras 2's layout), or `.safetensors`
            (names are the weights' paths; needs the package safetensors).
        overwrite: whether a file that is there may be replaced.
        save_format: "h5" as Keras 2 has it: the name may end as it likes.
        max_shard_size: None; weights are written to one file.

    Raises:
        ArgumentError: a name that tells no format, a file that may not be replaced, or a model without weights yet.
        UnsupportedError: a package that is missing, or several files.

    Example:
        >>> import tempfile
        >>> import graphflow
        >>> from graphflow.layers import Dense
        >>> model = graphflow.Sequential([Dense(2, input_shape=(3,))])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save_weights(f"{folder}/model.weights.h5")
    """
    path = os.fspath(filepath)
    if max_shard_size is not None:
        raise UnsupportedError("Weights are written to one file; max_shard_size is not supported.")
    if save_format not in (None, "h5"):
        raise UnsupportedError(f"save_weights with save_format={save_format!r} is not supported; use 'h5'.")
    if path.endswith(".safetensors"):
        from graphflow.formats.write_safetensors import write_weights

        write_weights(model, path, overwrite)
    elif path.endswith(".weights.h5"):
        from graphflow.formats.write_file import whole_file
        from graphflow.formats.write_weights import write_keras3_weights

        with whole_file(path, overwrite) as whole:
            write_keras3_weights(model, whole)
    elif save_format == "h5" or path.endswith((".h5", ".hdf5")):
        from graphflow.formats.write_keras_h5 import write_weights as write_h5_weights

        write_h5_weights(model, path, overwrite)
    else:
        raise ArgumentError(
            f"A file of weights must end in .weights.h5, .h5, .hdf5 or .safetensors, received {path!r}."
        )


def to_json(model: Any, **kwargs: Any) -> str:
    """A model's configuration as JSON, in Keras 3's form; `model_from_json` reads it.

    Args:
        model: functional or Sequential.
        kwargs: for `json.dumps`, such as `indent`.

    Raises:
        UnsupportedError: something that Keras 3's form can not say.

    Example:
        >>> import json
        >>> import graphflow
        >>> from graphflow.layers import Dense
        >>> json.loads(graphflow.Sequential([Dense(2, input_shape=(3,))]).to_json())["class_name"]
        'Sequential'
    """
    from graphflow.formats.keras_export_v3 import keras3_config

    try:
        return json.dumps(keras3_config(model), **kwargs)
    except TypeError as error:
        raise ArgumentTypeError(f"to_json: {error}") from None
