"""Write docs/layers.md from the code: every layer with its arguments, shapes, masks, data formats, and an example.

Run `python docs/generate_layers.py` after a layer has changed; a test fails while the page is out of date.
"""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

from graphflow import layers
from graphflow.layers.layer import Layer, clear_session
from graphflow.layers.registry import LAYERS

PAGE = Path(__file__).parent / "layers.md"

EXAMPLES: dict[str, str] = {
    "Activation": 'Activation("relu")(Input((4,)))',
    "ActivityRegularization": "ActivityRegularization(l2=0.1)(Input((4,)))",
    "Add": "Add()([Input((4,)), Input((4,))])",
    "AdditiveAttention": "AdditiveAttention()([Input((5, 8)), Input((7, 8))])",
    "AlphaDropout": "AlphaDropout(0.2)(Input((4,)))",
    "Attention": "Attention()([Input((5, 8)), Input((7, 8))])",
    "Average": "Average()([Input((4,)), Input((4,))])",
    "AveragePooling1D": "AveragePooling1D(2)(Input((10, 3)))",
    "AveragePooling2D": "AveragePooling2D(2)(Input((10, 8, 3)))",
    "AveragePooling3D": "AveragePooling3D(2)(Input((10, 8, 6, 3)))",
    "BatchNormalization": "BatchNormalization()(Input((4,)))",
    "Bidirectional": "Bidirectional(LSTM(4))(Input((None, 3)))",
    "CenterCrop": "CenterCrop(24, 24)(Input((32, 32, 3)))",
    "Concatenate": "Concatenate()([Input((4,)), Input((3,))])",
    "Conv1D": 'Conv1D(8, 3, padding="causal")(Input((None, 4)))',
    "Conv1DTranspose": "Conv1DTranspose(8, 3, strides=2)(Input((10, 4)))",
    "Conv2D": 'Conv2D(8, 3, padding="same")(Input((28, 28, 1)))',
    "Conv2DTranspose": 'Conv2DTranspose(8, 3, strides=2, padding="same")(Input((14, 14, 4)))',
    "Conv3D": "Conv3D(8, 3)(Input((10, 10, 10, 1)))",
    "Conv3DTranspose": "Conv3DTranspose(8, 3, strides=2)(Input((5, 5, 5, 4)))",
    "ConvLSTM1D": "ConvLSTM1D(8, 3)(Input((None, 16, 4)))",
    "ConvLSTM2D": "ConvLSTM2D(8, 3)(Input((None, 16, 16, 4)))",
    "ConvLSTM3D": "ConvLSTM3D(8, 3)(Input((None, 8, 8, 8, 4)))",
    "Cropping1D": "Cropping1D(1)(Input((10, 3)))",
    "Cropping2D": "Cropping2D(((1, 2), (0, 1)))(Input((10, 8, 3)))",
    "Cropping3D": "Cropping3D(1)(Input((10, 8, 6, 3)))",
    "Dense": "Dense(32)(Input((16,)))",
    "DepthwiseConv1D": "DepthwiseConv1D(3)(Input((10, 4)))",
    "DepthwiseConv2D": "DepthwiseConv2D(3, depth_multiplier=2)(Input((28, 28, 4)))",
    "Dot": "Dot(axes=1)([Input((4,)), Input((4,))])",
    "Dropout": "Dropout(0.5)(Input((4,)))",
    "ELU": "ELU()(Input((4,)))",
    "EinsumDense": 'EinsumDense("abc,cd->abd", output_shape=(None, 8))(Input((5, 4)))',
    "Embedding": "Embedding(1000, 64)(Input((10,)))",
    "Flatten": "Flatten()(Input((8, 8, 3)))",
    "GRU": "GRU(4, return_sequences=True)(Input((None, 3)))",
    "GRUCell": "RNN(GRUCell(4))(Input((None, 3)))",
    "GaussianDropout": "GaussianDropout(0.2)(Input((4,)))",
    "GaussianNoise": "GaussianNoise(0.2)(Input((4,)))",
    "GlobalAveragePooling1D": "GlobalAveragePooling1D()(Input((None, 3)))",
    "GlobalAveragePooling2D": "GlobalAveragePooling2D()(Input((10, 8, 3)))",
    "GlobalAveragePooling3D": "GlobalAveragePooling3D()(Input((10, 8, 6, 3)))",
    "GlobalMaxPooling1D": "GlobalMaxPooling1D()(Input((None, 3)))",
    "GlobalMaxPooling2D": "GlobalMaxPooling2D(keepdims=True)(Input((10, 8, 3)))",
    "GlobalMaxPooling3D": "GlobalMaxPooling3D()(Input((10, 8, 6, 3)))",
    "GroupNormalization": "GroupNormalization(groups=2)(Input((10, 8)))",
    "Identity": "Identity()(Input((4,)))",
    "InputLayer": 'InputLayer((4,), name="x").output',
    "LSTM": "LSTM(4)(Input((None, 3)))",
    "LSTMCell": "RNN(LSTMCell(4))(Input((None, 3)))",
    "Lambda": "Lambda(lambda x: x ** 2)(Input((4,)))",
    "LayerNormalization": "LayerNormalization()(Input((5, 8)))",
    "LeakyReLU": "LeakyReLU()(Input((4,)))",
    "LocallyConnected1D": "LocallyConnected1D(8, 3)(Input((10, 4)))",
    "LocallyConnected2D": "LocallyConnected2D(8, 3)(Input((10, 10, 4)))",
    "Masking": "Masking(0.0)(Input((None, 3)))",
    "MaxPooling1D": "MaxPooling1D(2)(Input((10, 3)))",
    "MaxPooling2D": "MaxPooling2D(2)(Input((10, 8, 3)))",
    "MaxPooling3D": "MaxPooling3D(2)(Input((10, 8, 6, 3)))",
    "Maximum": "Maximum()([Input((4,)), Input((4,))])",
    "Minimum": "Minimum()([Input((4,)), Input((4,))])",
    "MultiHeadAttention": "MultiHeadAttention(num_heads=2, key_dim=4)(Input((5, 8)), Input((7, 8)))",
    "Multiply": "Multiply()([Input((4,)), Input((4,))])",
    "Normalization": "Normalization(mean=1.0, variance=4.0)(Input((4,)))",
    "PReLU": "PReLU()(Input((4,)))",
    "Permute": "Permute((2, 1))(Input((5, 8)))",
    "RNN": "RNN([LSTMCell(4), LSTMCell(6)])(Input((None, 3)))",
    "RandomBrightness": "RandomBrightness(0.2)(Input((8, 8, 3)))",
    "RandomContrast": "RandomContrast(0.2)(Input((8, 8, 3)))",
    "RandomCrop": "RandomCrop(6, 6)(Input((8, 8, 3)))",
    "RandomFlip": 'RandomFlip("horizontal")(Input((8, 8, 3)))',
    "RandomHeight": "RandomHeight(0.2)(Input((8, 8, 3)))",
    "RandomRotation": "RandomRotation(0.1)(Input((8, 8, 3)))",
    "RandomTranslation": "RandomTranslation(0.1, 0.1)(Input((8, 8, 3)))",
    "RandomWidth": "RandomWidth(0.2)(Input((8, 8, 3)))",
    "RandomZoom": "RandomZoom(0.1)(Input((8, 8, 3)))",
    "ReLU": "ReLU(max_value=6.0)(Input((4,)))",
    "RepeatVector": "RepeatVector(3)(Input((4,)))",
    "Rescaling": "Rescaling(1 / 255)(Input((8, 8, 3)))",
    "Reshape": "Reshape((-1, 2))(Input((8,)))",
    "Resizing": "Resizing(24, 24)(Input((32, 40, 3)))",
    "SeparableConv1D": "SeparableConv1D(8, 3)(Input((10, 4)))",
    "SeparableConv2D": "SeparableConv2D(8, 3)(Input((28, 28, 4)))",
    "SimpleRNN": "SimpleRNN(4)(Input((None, 3)))",
    "SimpleRNNCell": "RNN(SimpleRNNCell(4))(Input((None, 3)))",
    "Softmax": "Softmax()(Input((4,)))",
    "SpatialDropout1D": "SpatialDropout1D(0.2)(Input((10, 3)))",
    "SpatialDropout2D": "SpatialDropout2D(0.2)(Input((10, 8, 3)))",
    "SpatialDropout3D": "SpatialDropout3D(0.2)(Input((10, 8, 6, 3)))",
    "StackedRNNCells": "RNN(StackedRNNCells([GRUCell(4), GRUCell(6)]))(Input((None, 3)))",
    "Subtract": "Subtract()([Input((4,)), Input((4,))])",
    "ThresholdedReLU": "ThresholdedReLU(1.0)(Input((4,)))",
    "TimeDistributed": "TimeDistributed(Dense(4))(Input((10, 3)))",
    "UnitNormalization": "UnitNormalization()(Input((4,)))",
    "UpSampling1D": "UpSampling1D(2)(Input((10, 3)))",
    "UpSampling2D": 'UpSampling2D(2, interpolation="bilinear")(Input((10, 8, 3)))',
    "UpSampling3D": "UpSampling3D(2)(Input((10, 8, 6, 3)))",
    "ZeroPadding1D": "ZeroPadding1D(1)(Input((10, 3)))",
    "ZeroPadding2D": "ZeroPadding2D(((1, 2), (0, 1)))(Input((10, 8, 3)))",
    "ZeroPadding3D": "ZeroPadding3D(1)(Input((10, 8, 6, 3)))",
}
"""One call of each layer: an expression over the names of `graphflow.layers`, whose shape the page shows."""

INNER = frozenset(("Functional", "Model", "Sequential"))


def own_layers() -> dict[str, type[Layer]]:
    """The classes of the registry that are layers, under their own names."""
    return {
        name: cls
        for name, cls in sorted(LAYERS.classes.items())
        if name == cls.__name__ and name not in INNER and cls.__module__.startswith("graphflow.layers")
    }


def _evaluate(expression: str) -> Any:
    return eval(expression, vars(layers))


def masks_of(cls: type[Layer]) -> str:
    """What a layer does with the mask of its input."""
    own = cls.compute_mask is not Layer.compute_mask
    takes = "mask" in inspect.signature(cls.call).parameters
    if own and takes:
        return "takes one, and decides what it passes on"
    if own:
        return "makes or changes it"
    if takes:
        return "takes one" + (" and passes it on" if cls.supports_masking else " and passes none on")
    return "passes it on" if cls.supports_masking else "refuses one"


def _section(name: str, cls: type[Layer]) -> str:
    clear_session()
    result = _evaluate(EXAMPLES[name])
    tensor = result[0] if isinstance(result, list) else result
    made = tensor._keras_history.layer
    layer = made if type(made) is cls else made.cell
    config = layer.get_config()
    text = re.sub(r"\n\s*Example:\n(\s*>>>.*\n?|\s*\.\.\..*\n?|\s*[^\s>].*\n?)*", "\n", inspect.getdoc(cls) or "")
    lines = [f"## {name}", "", _docstring(text.strip()), ""]
    lines += ["Configuration of the example below: " + _arguments(config) + ".", "", f"Masks: {masks_of(cls)}."]
    if "data_format" in config:
        lines += ["Data formats: `channels_last` and `channels_first`."]
    lines += ["", "```python", f">>> {EXAMPLES[name]}.shape", repr(tensor.shape), "", "```", ""]
    return "\n".join(lines)


def _arguments(config: dict[str, Any]) -> str:
    shown = {
        key: value for key, value in config.items() if key not in ("name", "trainable", "dtype", "batch_input_shape")
    }
    return ", ".join(f"`{key}={_value(value)}`" for key, value in shown.items()) or "no arguments"


def _value(value: Any) -> str:
    if isinstance(value, dict) and "class_name" in value:
        return str(value["class_name"])
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    return getattr(value, "__name__", None) or repr(value)


def _docstring(text: str) -> str:
    """Sections of a docstring as paragraphs and lists."""
    lines, inside = [], False
    for line in text.splitlines():
        if line.strip() in ("Args:", "Raises:", "Returns:"):
            lines += ["", f"{line.strip()}", ""]
            inside = True
        elif inside and re.match(r"^    \S", line):
            lines.append(f"- {line.strip()}")
        elif inside and line.startswith("     "):
            lines.append(f"  {line.strip()}")
        else:
            inside = inside and not line.strip()
            lines.append(line)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def page() -> str:
    """The whole page."""
    head = [
        "# Layers",
        "",
        "Made from the code by `docs/generate_layers.py`. Every layer also takes `name`, `dtype`, `trainable` and",
        "`weights`; as the first of a Sequential, `input_shape`, `batch_input_shape`, `batch_size`, `input_dim` and",
        "`input_length`. Where Keras 2 and Keras 3 differ, see [choices.md](choices.md).",
        "",
        "```python",
        ">>> from graphflow.layers import *",
        "",
        "```",
        "",
    ]
    return "\n".join(head) + "\n" + "\n".join(_section(name, cls) for name, cls in own_layers().items())


if __name__ == "__main__":
    PAGE.write_text(page())
