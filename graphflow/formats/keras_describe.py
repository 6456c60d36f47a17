"""Configurations of layers and models, of every version of Keras, as the description that `keras_description` tells of.

What is common to the versions is here; `keras_legacy` has what Keras 1 and 2 say otherwise, `keras_nodes` the calls
between layers, `keras_values` the values of arguments.
"""

from __future__ import annotations

from typing import Any

from graphflow.formats.keras_description import Reading
from graphflow.formats.keras_legacy import as_modern
from graphflow.formats.keras_nodes import describe_nodes, from_zero, is_place
from graphflow.formats.keras_ops import MODULES, TF_RAW_MODULE, reader
from graphflow.formats.keras_values import argument
from graphflow.formats.limits import shown
from graphflow.layers.applications import is_of_an_application
from graphflow.layers.registry import LAYERS
from graphflow.registry import OWN, custom_objects

MODELS = ("Functional", "Sequential", "Model")
_TF_OPS = ("TFOpLambda", "SlicingOpLambda")


def describe_model(item: Any, reading: Reading) -> dict[str, Any]:
    """The description of a whole model.

    Raises:
        ModelFormatError: not a configuration of Keras; the message names the layer.
    """
    item = _object(item, reading)
    config = item.get("config")
    if isinstance(config, list):  # Keras 1 and 2.0: a Sequential is the list of its layers
        reading.quirk("list")
        config = {"layers": config}
    elif not isinstance(config, dict) or not isinstance(config.get("layers"), list):
        raise reading.bad(
            f"a model must list its layers, the class {shown(str(item.get('class_name')))} holds none. Only functional "
            "and Sequential models describe their graph in the file."
        )
    if reading.is_keras1:
        reading.quirk("keras 1")
    return _model({**item, "config": config}, reading)


def describe_layer(item: Any, reading: Reading) -> dict[str, Any]:
    """The description of a layer, model or operation inside a model, without its calls."""
    item = _object(item, reading)
    config = item.get("config")
    name = str(item.get("name") or (config.get("name") if isinstance(config, dict) else "") or item.get("class_name"))
    with reading.inside(name):
        if isinstance(config, list) and item.get("class_name") == "Sequential":
            reading.quirk("list")
            item = {**item, "config": {"name": name, "layers": config}}
        elif not isinstance(config, dict):
            raise reading.bad(f"a layer's configuration must be an object, received {type(config).__name__}.")
        inner = isinstance(item["config"].get("layers"), list) and _is_model(item)
        made = _model(item, reading) if inner else _plain_layer(item, reading)
        made["name"] = name
        reading.sharing.note(item, made)
        return made


def _is_model(item: dict[str, Any]) -> bool:
    """Whether a description with "layers" is that of a model and not of a layer of the user's that says so."""
    if item.get("class_name") in MODELS or "input_layers" in item["config"]:
        return True
    return _custom(item) is None


def _model(item: dict[str, Any], reading: Reading) -> dict[str, Any]:
    config = dict(item["config"])
    class_name = str(item.get("class_name"))
    described: dict[str, Any] = {"module": "keras", "class_name": class_name, "name": config.get("name")}
    if class_name not in MODELS:
        _require_class(item, "model class", reading)
        described.update({key: item[key] for key in ("registered_name",) if item.get(key)})
    if "input_layers" not in config:
        layers = [describe_layer(one, reading) for one in config["layers"]]
        build = config.get("build_input_shape") or (item.get("build_config") or {}).get("input_shape")
        kept = {"name": config.get("name"), "layers": layers, "build_input_shape": argument("shape", build, reading)}
        if "trainable" in config:
            kept["trainable"] = config["trainable"]
        return {**described, "config": kept}
    places = {key: _nest(config.get(key), reading) for key in ("input_layers", "output_layers")}
    for key, nested in places.items():
        if not reading.is_modern and isinstance(nested, list) and len(nested) == 1 and is_place(nested[0]):
            places[key] = nested[0]  # before Keras 3 a list of one was that one
    layers = []
    for one in config["layers"]:
        layer = describe_layer(one, reading)
        with reading.inside(layer["name"]):
            layer["inbound_nodes"] = describe_nodes(_object(one, reading), layer, reading)
        layers.append(layer)
    from_zero(layers, places, reading)
    kept = {"name": config.get("name"), "trainable": config.get("trainable", True), "layers": layers, **places}
    return {**described, "config": kept}


def _nest(places: Any, reading: Reading) -> Any:
    """A nest of [layer, node, tensor], checked."""
    if is_place(places):
        return [str(places[0]), int(places[1]), int(places[2])]
    if isinstance(places, dict):
        if places.get("class_name") == "__tuple__":
            places = places.get("items")
        else:
            return {key: _nest(one, reading) for key, one in places.items()}
    if not isinstance(places, list):
        raise reading.bad(f"inputs and outputs must be lists of [layer, node, tensor], received {places!r:.80}.")
    return [_nest(one, reading) for one in places]


def _plain_layer(item: dict[str, Any], reading: Reading) -> dict[str, Any]:
    own = str(item.get("class_name"))
    if own.startswith(OWN):
        item = {**item, "class_name": own.removeprefix(OWN), "registered_name": own}
    if not reading.is_modern:
        item = as_modern(item, reading)
    config, class_name, module = item["config"], str(item.get("class_name")), str(item.get("module") or "")
    described = {"module": "keras.layers", "class_name": class_name}
    if reading.is_modern and not module and "trainable" not in config and reader(MODULES[-1], class_name):
        module = MODULES[-1]  # the legacy writer leaves out which of its modules a class is from; layers say trainable
    if class_name == "TensorFlowOpLayer":
        return _raw_operation(config, reading)
    if class_name in _TF_OPS or module.startswith(MODULES):
        return _operation(item, class_name, module, reading)
    if _custom(item) is None and is_of_an_application(module, class_name):
        item = {**item, "registered_name": OWN + class_name}
    if item.get("registered_name"):
        described["registered_name"] = item["registered_name"]
    if class_name == "Lambda" and _custom(item) is None:
        from graphflow.formats.keras_lambda import lambda_config

        return {**described, "config": lambda_config(config, reading)}
    found = _require_class(item, "layer class", reading)
    builtin = found is None or found is LAYERS.classes.get(class_name)
    return {**described, "config": _arguments(class_name, config, reading, builtin)}


def _arguments(class_name: str, config: dict[str, Any], reading: Reading, builtin: bool) -> dict[str, Any]:
    """A layer's arguments as its class here takes them; a user's class gets all that the file says."""
    from graphflow.formats.keras_config import without_ignored

    kept = without_ignored(class_name, config, reading) if builtin else config
    return {name: argument(name, value, reading) for name, value in kept.items()}


def _operation(item: dict[str, Any], class_name: str, module: str, reading: Reading) -> dict[str, Any]:
    """An operation between layers: Keras 3's, or a function of TensorFlow."""
    if class_name in _TF_OPS:
        reading.quirk("tf function")
        module, class_name = "tf", str(item["config"].get("function"))
        label = f"the TensorFlow function tf.{class_name}"
    else:
        reading.quirk("keras operation")
        label = f"the operation {module}.{class_name}"
    if reader(module, class_name) is None:
        reading.refuse(f"{label} is not supported.")
    return {"module": module, "class_name": class_name, "config": {}}


def _raw_operation(config: dict[str, Any], reading: Reading) -> dict[str, Any]:
    """A TensorFlowOpLayer of tf.keras 2.0 to 2.3."""
    reading.quirk("tf function")
    definition = config.get("node_def")
    if not isinstance(definition, dict):
        reading.refuse("a TensorFlowOpLayer whose operation is not written as JSON is not supported.")
        definition = {}
    name = str(definition.get("op"))
    if reader(TF_RAW_MODULE, name) is None:
        reading.refuse(f"the raw TensorFlow operation {name:.80} is not supported.")
    return {"module": TF_RAW_MODULE, "class_name": name, "config": {}}


def _custom(item: dict[str, Any]) -> Any:
    known = custom_objects()
    names = (item.get("registered_name"), item.get("class_name"))
    return next((known[name] for name in names if isinstance(name, str) and name in known), None)


def _require_class(item: dict[str, Any], kind: str, reading: Reading) -> Any:
    """The class of a description; noted as missing when it is not known."""
    found = _custom(item)
    if found is not None:
        reading.quirk("custom")
        return found
    name = str(item.get("class_name"))
    registered = item.get("registered_name")
    foreign = isinstance(registered, str) and registered not in (name, f"keras>{name}", f"Keras>{name}")
    found = None if foreign or kind == "model class" else LAYERS.classes.get(name)
    if found is None:
        reading.need(kind, name)
    return found


def _object(value: Any, reading: Reading) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise reading.bad(f"expected a JSON object, received {type(value).__name__}.")
    return value
