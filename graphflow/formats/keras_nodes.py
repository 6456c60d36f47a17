"""The calls between layers: every version's inbound nodes as [{"args", "kwargs"}], and node indices that count from 0.

    Keras 3            [{"args": [tensor, ...], "kwargs": {...}}, ...]
    Keras 1 and 2      [[[layer, node, tensor], ...], ...]           a call takes one tensor or a list of them
    tf.keras           [[[layer, node, tensor, kwargs], ...], ...]   the same keyword arguments at each
    tf.keras functions [[layer, node, tensor, kwargs], ...]          nests are kept as the function took them

In tf.keras a constant among the tensors is ["_CONSTANT_VALUE", -1, value, kwargs], and a [layer, node, tensor] among
the keyword arguments is a tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from graphflow.formats.keras_description import Reading
from graphflow.formats.keras_ops import MODULES, TAKES_DTYPE, TF_RAW_MODULE
from graphflow.formats.keras_values import plain

CONSTANT = "_CONSTANT_VALUE"
_TF_OPS = ("TFOpLambda", "SlicingOpLambda")
_MODELS = ("Functional", "Model", "Sequential")
_OWN_ARGUMENTS = ("name", "trainable", "dtype")


def is_place(item: Any) -> bool:
    """Whether this is [layer, node, tensor], with keyword arguments or without."""
    return (
        isinstance(item, list)
        and len(item) in (3, 4)
        and isinstance(item[0], str)
        and all(isinstance(index, int) and not isinstance(index, bool) for index in item[1:3])
        and (len(item) == 3 or isinstance(item[3], dict))
    )


def describe_nodes(item: dict[str, Any], layer: dict[str, Any], reading: Reading) -> list[dict[str, Any]]:
    """The calls of one layer.

    Args:
        item: the layer as the file has it.
        layer: the layer's description.

    Raises:
        ModelFormatError: neither form.
    """
    nodes = item.get("inbound_nodes")
    if nodes is None:
        return []
    if not isinstance(nodes, list):
        raise reading.bad("inbound_nodes must be a list.")
    options: dict[str, Any] = {}
    if is_operation(layer):
        config = item.get("config") or {}
        left = _OWN_ARGUMENTS if item.get("class_name") not in TAKES_DTYPE else ("name", "trainable")
        options = {name: plain(value, reading) for name, value in config.items() if name not in left}
    made = layer["module"] == TF_RAW_MODULE and {
        "constants": (item.get("config") or {}).get("constants") or {},
        "attrs": ((item.get("config") or {}).get("node_def") or {}).get("attr") or {},
    }
    if made:
        calls = [_old(node, False, reading) for node in nodes]
        return [{"args": call["args"], "kwargs": made} for call in calls]
    is_function = item.get("class_name") in _TF_OPS
    return [_new(node, options, reading) if _is_new(node) else _old(node, is_function, reading) for node in nodes]


def _is_new(node: Any) -> bool:
    """Whether a call is Keras 3's, and not a dict of tensors that an inner model was called with."""
    return isinstance(node, dict) and isinstance(node.get("args"), list) and not is_place(node["args"])


def is_operation(layer: dict[str, Any]) -> bool:
    """Whether a description is that of an operation of Keras 3."""
    return str(layer["module"]).startswith(MODULES)


def _new(node: dict[str, Any], options: dict[str, Any], reading: Reading) -> dict[str, Any]:
    """A call of Keras 3, without `training`: what a model is run with takes its place there.

    It stands in files also where nobody asked for it, as the default of layers that change images at random.
    """
    args, kwargs = node.get("args", []), node.get("kwargs") or {}
    if not isinstance(args, list) or not isinstance(kwargs, dict):
        raise reading.bad("a call must have a list of args and an object of kwargs.")
    left_out = {"training"} | ({"mask"} if kwargs.get("mask") is None else set())
    kwargs = {name: plain(value, reading) for name, value in kwargs.items() if name not in left_out}
    options = {name: value for name, value in options.items() if name not in kwargs}
    return {"args": plain(args, reading), "kwargs": {**options, **kwargs}}


def _old(node: Any, is_function: bool, reading: Reading) -> dict[str, Any]:
    leaves = list(_leaves(node))
    if not leaves:
        raise reading.bad(f"a call must take [layer, node, tensor], received {node!r:.80}.")
    kwargs = leaves[0][3] if len(leaves[0]) == 4 else {}
    made = {name: _tensors(value, reading) for name, value in kwargs.items() if not (name == "mask" and value is None)}
    inputs = _inputs(node, reading)
    if not is_function and isinstance(inputs, list) and len(inputs) == 1:
        inputs = inputs[0]
    return {"args": [inputs], "kwargs": made}


def _leaves(node: Any) -> Iterator[list[Any]]:
    if _is_input(node):
        yield node
    elif isinstance(node, (list, dict)):
        for item in node.values() if isinstance(node, dict) else node:
            yield from _leaves(item)


def _is_input(item: Any) -> bool:
    return is_place(item) or (isinstance(item, list) and len(item) in (3, 4) and item[:2] == [CONSTANT, -1])


def _inputs(node: Any, reading: Reading) -> Any:
    """The first argument of a call."""
    if isinstance(node, list) and node[:2] == [CONSTANT, -1] and _is_input(node):
        reading.quirk("constant")
        return plain(node[2], reading)
    if is_place(node):
        return _tensor(node)
    if isinstance(node, dict):
        return {key: _inputs(item, reading) for key, item in node.items()}
    if isinstance(node, list):
        return [_inputs(item, reading) for item in node]
    raise reading.bad(f"a call must take [layer, node, tensor], received {node!r:.80}.")


def _tensors(value: Any, reading: Reading) -> Any:
    """A keyword argument, with tensors where it names them."""
    if is_place(value) and len(value) == 3:
        return _tensor(value)
    if isinstance(value, list):
        return [_tensors(item, reading) for item in value]
    if isinstance(value, dict) and "class_name" not in value:
        return {key: _tensors(item, reading) for key, item in value.items()}
    return plain(value, reading)


def _tensor(place: list[Any]) -> dict[str, Any]:
    return {"class_name": "__keras_tensor__", "config": {"keras_history": place[:3]}}


def from_zero(layers: list[dict[str, Any]], places: dict[str, Any], reading: Reading) -> None:
    """Let the indices of calls count from 0 within the file.

    Keras 1 and 2 count those of an inner model from 1, since it had a call of its own; Keras 3 does so only in
    input_layers and output_layers, and only for functional models. Which holds is told by the indices themselves where
    they can only mean one thing.
    """
    counts = {layer["name"]: len(layer.get("inbound_nodes") or ()) for layer in layers}
    inner = {layer["name"]: layer for layer in layers if "layers" in (layer.get("config") or {})}
    if not inner:
        return
    found: dict[str, set[int]] = {name: set() for name in inner}
    in_places: dict[str, set[int]] = {name: set() for name in inner}

    def note(into: dict[str, set[int]]) -> Callable[[list[Any]], list[Any]]:
        def keep(place: list[Any]) -> list[Any]:
            if place[0] in into:
                into[place[0]].add(place[1])
            return place

        return keep

    calls = [node for layer in layers for node in layer["inbound_nodes"]]
    _replace_histories(calls, note(found))
    _replace_places(places, note(in_places))
    from_one = set()
    for name, layer in inner.items():
        indices = in_places[name] if reading.is_modern else found[name] | in_places[name]
        if not indices or 0 in indices:
            continue
        if max(indices) >= counts[name] or layer["class_name"] != "Sequential" or not reading.is_modern:
            from_one.add(name)
            with reading.inside(name):
                reading.quirk("nested indices")

    def lower(place: list[Any]) -> list[Any]:
        return [place[0], place[1] - 1, *place[2:]] if place[0] in from_one else place

    if not reading.is_modern:
        _replace_histories(calls, lower)
    for key in places:
        places[key] = _replace_places(places[key], lower)


def _replace_histories(structure: Any, change: Callable[[list[Any]], list[Any]]) -> None:
    """Change the histories of all tensors in calls, in place."""
    if isinstance(structure, dict):
        if structure.get("class_name") == "__keras_tensor__":
            config = structure["config"]
            config["keras_history"] = change(config["keras_history"])
            return
        structure = list(structure.values())
    if isinstance(structure, (list, tuple)):
        for item in structure:
            _replace_histories(item, change)


def _replace_places(nested: Any, change: Callable[[list[Any]], list[Any]]) -> Any:
    if is_place(nested):
        return change(nested)
    if isinstance(nested, dict):
        return {key: _replace_places(item, change) for key, item in nested.items()}
    return [_replace_places(item, change) for item in nested]
