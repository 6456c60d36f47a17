"""Layers of Keras 1 and 2 as Keras 3 would describe them: other class names, other argument names, other defaults.

The tables of names are in `keras_legacy_names`; weights that were stored otherwise are `keras_h5_layouts`' work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphflow.formats.keras_description import Reading
from graphflow.formats.keras_legacy_names import (
    CLASSES,
    KERAS1_ARGUMENTS,
    KERAS1_CLASS_ARGUMENTS,
    MERGE_CLASSES,
    WITHOUT_NUMBERS,
)

_GATED = ("LSTM", "GRU", "LSTMCell", "GRUCell")
_CONV_GATED = ("ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "ConvLSTM2DCell")
_RESETTING = ("GRU", "GRUCell")
Config = dict[str, Any]


def as_modern(item: dict[str, Any], reading: Reading) -> dict[str, Any]:
    """A layer of Keras 1 or 2 under Keras 3's names of class and arguments.

    Args:
        item: {"class_name", "config", ...}.

    Returns:
        A new object; what other versions mean by an argument that is not there is written out in it.
    """
    class_name, config = str(item.get("class_name")), dict(item["config"])
    extra: Config = {}
    if class_name in CLASSES:
        class_name, extra = CLASSES[class_name]
    if item.get("class_name") in ("CuDNNLSTM", "CuDNNGRU"):
        reading.quirk("cudnn")
    if class_name == "Merge":
        class_name, config = _merge(config, reading)
    config = _renamed(class_name, config)
    config = {**config, **extra}
    for change in (_sizes, _defaults, _axis, _penalties):
        config = change(class_name, config, reading)
    return {**item, "class_name": class_name, "config": config}


def _renamed(class_name: str, config: Config) -> Config:
    """Keras 1's names of arguments; Keras 2 took them, too."""
    names = {**KERAS1_ARGUMENTS, **KERAS1_CLASS_ARGUMENTS.get(class_name, {})}
    kept: Config = {}
    for name, value in config.items():
        if name in WITHOUT_NUMBERS.get(class_name, ()):
            continue
        modern = names.get(name, name)
        if modern not in config or modern == name:
            kept[modern] = value
    if kept.get("data_format") in ("th", "tf"):
        kept["data_format"] = {"th": "channels_first", "tf": "channels_last"}[kept["data_format"]]
    if kept.get("data_format") == "default":
        del kept["data_format"]
    return kept


def _sizes(class_name: str, config: Config, reading: Reading) -> Config:
    """Sizes that Keras 1 gave one by one."""
    for names in (("nb_row", "nb_col"), ("kernel_dim1", "kernel_dim2", "kernel_dim3")):
        if all(name in config for name in names):
            config["kernel_size"] = [config.pop(name) for name in names]
    forget = config.pop("forget_bias_init", None)
    if forget is not None and class_name in _GATED:
        config.setdefault("unit_forget_bias", forget == "one")
    padding = config.get("padding")
    if class_name == "ZeroPadding2D":
        if isinstance(padding, dict):
            sides = ("top_pad", "bottom_pad"), ("left_pad", "right_pad")
            config["padding"] = [[padding.get(side, 0) for side in pair] for pair in sides]
        elif isinstance(padding, list) and len(padding) == 4:
            config["padding"] = [padding[:2], padding[2:]]
    if class_name == "Conv2DTranspose" and reading.is_keras1:
        config.pop("output_shape", None)
    if class_name == "BatchNormalization" and config.pop("mode", 0) not in (0, None):
        reading.refuse("BatchNormalization with a mode other than 0, which uses each batch's own statistics.")
    return config


def _defaults(class_name: str, config: Config, reading: Reading) -> Config:
    """What a version meant by an argument that it did not write."""
    old = reading.numbers < (2, 3, 0) and not (reading.version.endswith("-tf") and reading.numbers >= (2, 2, 4))
    if "recurrent_activation" not in config and (class_name in _CONV_GATED or (old and class_name in _GATED)):
        config["recurrent_activation"] = "hard_sigmoid"
        reading.quirk("hard_sigmoid default")
    cell = config.get("cell")
    stacked = isinstance(cell, dict) and cell.get("class_name") == "StackedRNNCells"
    if class_name == "RNN" and stacked and config.get("return_state") and reading.numbers < (2, 2, 5) and old:
        reading.refuse("an RNN of stacked cells that returns its states, which this version lists from the last cell.")
    if class_name in _RESETTING and "reset_after" not in config:
        config["reset_after"] = False
        reading.quirk("reset_after")
    return config


def _axis(class_name: str, config: Config, reading: Reading) -> Config:
    """tf.keras wrote the axis of BatchNormalization as a list of one."""
    axis = config.get("axis")
    if class_name == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        config["axis"] = axis[0]
    return config


def _penalties(class_name: str, config: Config, reading: Reading) -> Config:
    """Keras 1's regularizers and constraints, which gave a name where Keras 2 gives a class."""
    for name, value in config.items():
        change: Callable[[Config], Any] | None = _PENALTIES.get(name.rpartition("_")[2])
        if change is not None and isinstance(value, dict) and "class_name" not in value and "name" in value:
            config[name] = change(value)
    return config


def _regularizer(value: Config) -> Any:
    l1, l2 = (float(value.get(key) or 0.0) for key in ("l1", "l2"))
    return {"class_name": "L1L2", "config": {"l1": l1, "l2": l2}}


def _constraint(value: Config) -> Any:
    rest = {{"m": "max_value"}.get(key, key): item for key, item in value.items() if key != "name"}
    return {"class_name": value["name"], "config": rest}


_PENALTIES: dict[str, Callable[[Config], Any]] = {"regularizer": _regularizer, "constraint": _constraint}


def _merge(config: Config, reading: Reading) -> tuple[str, Config]:
    """Keras 1's Merge as the layer that its mode names."""
    mode = config.get("mode")
    kept: Config = {key: value for key, value in config.items() if key in ("name", "trainable")}
    if config.get("layers"):
        reading.refuse("a Merge layer that holds its branches is not supported; use the functional form.")
    if mode not in MERGE_CLASSES:
        reading.refuse(f"Merge with mode={mode!r:.80} is not supported.")
        return "Add", kept
    if mode == "concat":
        kept["axis"] = config.get("concat_axis", -1)
    if mode == "dot":
        kept["axes"] = config.get("dot_axes", -1)
    return MERGE_CLASSES[mode], kept
