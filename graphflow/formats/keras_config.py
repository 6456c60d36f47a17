"""Keras' configurations as graphflow's: what newer and older versions of Keras say otherwise, in tables.

Arguments that carry no numbers are dropped; arguments that would are dropped only at the value that changes nothing,
and refused else.
"""

from __future__ import annotations

from typing import Any

from graphflow.errors import ModelFormatError, UnsupportedError
from graphflow.registry import custom_objects

IGNORED: frozenset[str] = frozenset(
    (
        "implementation",
        "dynamic",
        "ragged",
        "optional",
        "autocast",
        "use_cudnn",
        "renorm_momentum",
        "synchronized",
        "fused",
    )
)
"""Arguments that never change a number."""

KEPT = frozenset((("LocallyConnected1D", "implementation"), ("LocallyConnected2D", "implementation")))
"""Ignored arguments that some classes need all the same: this one says how weights are stored."""

NEUTRAL: dict[str, Any] = {
    "quantization_config": None,
    "lora_rank": None,
    "lora_alpha": None,
    "time_major": False,
    "renorm": False,
    "renorm_clipping": None,
    "virtual_batch_size": None,
    "sparse": False,
}
"""Arguments that change nothing at this value, for layers that do not take them."""

HOLDS_LAYER = ("layer", "cell", "backward_layer")
"""Arguments that are the description of a layer; of `cells` each item is one."""

TAKES_SPARSE = frozenset(("InputLayer",))


def layer_config(class_name: str, config: dict[str, Any], where: str) -> dict[str, Any]:
    """A layer's arguments as its class here takes them.

    Raises:
        UnsupportedError: an argument that graphflow does not have, at a value that matters.
    """
    kept: dict[str, Any] = {}
    for name, value in config.items():
        if name in IGNORED and (class_name, name) not in KEPT:
            continue
        if name in NEUTRAL and not (name == "sparse" and class_name in TAKES_SPARSE):
            if value != NEUTRAL[name]:
                raise UnsupportedError(f"{where}: {class_name} with {name}={value!r} is not supported.")
            continue
        kept[name] = plain(value, where)
        if name in ("activation", "recurrent_activation") and kept[name] == "hard_sigmoid":
            kept[name] = "keras3_hard_sigmoid"
    return kept


def plain(value: Any, where: str) -> Any:
    """A value of a configuration, with Keras' special objects made into Python's.

    Raises:
        ModelFormatError: bytecode, or a special object of another kind than is known.
    """
    if isinstance(value, list):
        return [plain(item, where) for item in value]
    if not isinstance(value, dict):
        return value
    name = value.get("class_name")
    if name == "__tuple__":
        return tuple(plain(item, where) for item in value.get("items", ()))
    if name == "__lambda__":
        raise ModelFormatError(f"{where}: a function is stored as bytecode, which is never run.")
    if name == "DTypePolicy" or (name is not None and value.get("module") == "keras" and "Policy" in str(name)):
        return policy_name(value, where)
    if name == "function":
        return function_named(value.get("config"), where)
    if name == "__slice__":
        config = value.get("config", {})
        return slice(config.get("start"), config.get("stop"), config.get("step"))
    if name == "__ellipsis__":
        return Ellipsis
    if name in ("__numpy__", "__tensor__"):
        return _array(value.get("config", {}), where)
    if name == "__keras_tensor__":
        return value
    if name is not None and "config" in value:
        config = value["config"]
        kept = config if not isinstance(config, dict) else {k: plain(v, where) for k, v in config.items()}
        return {**value, "config": kept}
    return {key: plain(item, where) for key, item in value.items()}


def policy_name(value: dict[str, Any], where: str) -> str:
    """The dtype of a policy that computes and stores in one.

    Raises:
        UnsupportedError: a mixed or quantised policy.
    """
    name = str((value.get("config") or {}).get("name"))
    if value.get("class_name") != "DTypePolicy" or name.startswith("mixed_"):
        raise UnsupportedError(f"{where}: the dtype policy {value.get('class_name')} {name!r} is not supported.")
    return name


def function_named(name: Any, where: str) -> Any:
    """A function that is stored by its name: the user's, or the name itself for one of Keras'."""
    from graphflow.activations import ACTIVATIONS

    found = custom_objects().get(str(name))
    if found is None and name not in ACTIVATIONS:
        raise ModelFormatError(
            f"{where}: the function {name!r} is not known. Pass it as custom_objects={{{str(name)!r}: function}}."
        )
    return found if found is not None else name


def _array(config: dict[str, Any], where: str) -> Any:
    import numpy as np

    try:
        return np.asarray(config["value"], config.get("dtype"))
    except (KeyError, TypeError, ValueError):
        raise ModelFormatError(f"{where}: a constant is not an array of numbers.") from None
