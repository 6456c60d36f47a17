"""`.keras` files: a ZIP of `metadata.json`, `config.json` and `model.weights.h5`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphflow.errors import GraphflowError, ModelFormatError, UnsupportedError
from graphflow.formats.container import open_archive
from graphflow.formats.hdf5 import open_h5
from graphflow.formats.json_text import parse_json
from graphflow.formats.keras_config import HOLDS_LAYER, layer_config, plain
from graphflow.formats.keras_ops import reader
from graphflow.formats.keras_weights import load_weights
from graphflow.formats.limits import Limits
from graphflow.layers.era import era
from graphflow.layers.holder import deferred_weights
from graphflow.models.config import make_layer
from graphflow.registry import custom_object_scope, custom_objects

WEIGHTS = "model.weights.h5"


def read_model(path: str, custom: Mapping[str, Any] | None, compile: bool, limits: Limits) -> Any:
    """Read a model; the arguments are those of `load_model`."""
    with open_archive(path, limits) as archive:
        metadata = _object(parse_json(archive.read("metadata.json"), archive.place("metadata.json"), limits), path)
        config = _object(parse_json(archive.read("config.json"), archive.place("config.json"), limits), path)
        version = str(metadata.get("keras_version", ""))
        where = archive.place("config.json")
        with custom_object_scope(custom), era("keras3" if version.startswith("3") else "keras2"), deferred_weights():
            model = _make(config, where)
        if WEIGHTS not in archive.names:
            raise ModelFormatError(f"{path}: there is no member {WEIGHTS!r}.")
        with open_h5(archive.mapped(WEIGHTS), archive.place(WEIGHTS), limits) as file:
            load_weights(file, model)
    if compile and isinstance(config.get("compile_config"), dict):
        model.compiled_with = config["compile_config"]
    return model


def _object(value: object, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ModelFormatError(f"{where}: expected a JSON object, received {type(value).__name__}.")
    return value


def _make(config: dict[str, Any], where: str) -> Any:
    if config.get("class_name") not in ("Functional", "Sequential", "Model"):
        raise UnsupportedError(
            f"{where}: the model's class is {config.get('class_name')!r}; only functional and Sequential models "
            "describe their graph in the file."
        )
    try:
        described = _described(config, where)
        if not described["config"].get("build_input_shape") and config.get("build_config"):
            described["config"]["build_input_shape"] = config["build_config"].get("input_shape")
        return make_layer(described, reader)
    except GraphflowError as error:
        raise type(error)(f"{where}: {error}") if where not in str(error) else error from None
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ModelFormatError(
            f"{where}: the configuration is not one of Keras': {type(error).__name__}: {error}"
        ) from None


def _described(item: dict[str, Any], where: str) -> dict[str, Any]:
    """A layer's or model's description with Keras' special objects replaced, inner models included."""
    config = _object(item.get("config"), where)
    name = str(item.get("class_name"))
    module = str(item.get("module"))
    described = {
        key: item[key] for key in ("module", "class_name", "registered_name", "name") if item.get(key) is not None
    }
    place = f"{where}: layer {config.get('name', item.get('name'))!r}"
    if "layers" in config:
        inner = {**config, "layers": [_described(_object(one, where), where) for one in config["layers"]]}
        described["config"] = inner
    elif module.startswith("keras.src.ops") or reader(module, name) is not None:
        if reader(module, name) is None and name not in custom_objects():
            raise UnsupportedError(f"{place}: the operation {module}.{name} is not supported.")
        described["config"] = {}
    elif name == "Lambda":
        described["config"] = _lambda(config, place)
    else:
        inner = _inner_layers(config, where)
        rest = {key: value for key, value in config.items() if key not in inner}
        described["config"] = {**layer_config(name, rest, place), **inner}
    options = {key: plain(value, place) for key, value in config.items()} if module.startswith("keras.src.ops") else {}
    options.pop("name", None)
    described["inbound_nodes"] = [_node(node, options, place) for node in item.get("inbound_nodes") or []]
    return described


def _inner_layers(config: dict[str, Any], where: str) -> dict[str, Any]:
    """The arguments of a layer that are layers themselves, described as they are."""
    found: dict[str, Any] = {}
    for key in HOLDS_LAYER:
        if isinstance(config.get(key), dict) and "class_name" in config[key]:
            found[key] = _described(config[key], where)
    if isinstance(config.get("cells"), list):
        found["cells"] = [_described(_object(cell, where), where) for cell in config["cells"]]
    return found


def _node(node: Any, options: dict[str, Any], where: str) -> dict[str, Any]:
    if not isinstance(node, dict):
        raise UnsupportedError(f"{where}: inbound nodes in the form of tf.keras are not read yet.")
    kwargs = {key: value for key, value in (node.get("kwargs") or {}).items() if not (key == "mask" and value is None)}
    options = {key: value for key, value in options.items() if key not in kwargs and key not in ("trainable", "dtype")}
    return {"args": plain(node.get("args", []), where), "kwargs": {**options, **plain(kwargs, where)}}


def _lambda(config: dict[str, Any], where: str) -> dict[str, Any]:
    function = config.get("function")
    kept = {key: value for key, value in config.items() if key in ("name", "trainable", "dtype", "arguments")}
    given = custom_objects().get(str(config.get("name")))
    if given is None and isinstance(function, dict) and function.get("class_name") == "function":
        given = custom_objects().get(str(function.get("config")))
    if given is None:
        raise ModelFormatError(
            f"{where}: a Lambda layer holds Python code, which is never run. Pass its function by the layer's name: "
            f"custom_objects={{{str(config.get('name'))!r}: function}}."
        )
    shape = config.get("output_shape")
    return {
        **layer_config("Lambda", kept, where),
        "function": given,
        "output_shape": shape if isinstance(shape, list) else None,
    }
