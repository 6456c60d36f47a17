"""The layers that Keras keeps beside models of its own, for files of these models; new models have no need of them.

Keras does not register them, so that a class of the user's may have the same name: a file's description means one of
these only where it names their module.
"""

from __future__ import annotations

import re
from typing import Any

from graphflow.errors import ArgumentError, ShapeError, UnsupportedError
from graphflow.layers.layer import Layer
from graphflow.layers.regularization import share
from graphflow.registry import register_own
from graphflow.spec import format_shape


class LayerScale(Layer):
    """x times a weight for each channel: of ConvNeXt.

    Args:
        init_values: what the weights begin as.
        projection_dim: the number of channels.

    Raises:
        ShapeError: an input with another number of channels.

    Source: https://arxiv.org/abs/2103.17239, section 3.

    Example:
        >>> from graphflow import Input
        >>> LayerScale(1e-6, 8)(Input((4, 4, 8))).shape
        (None, 4, 4, 8)
    """

    def __init__(self, init_values: float, projection_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.init_values, self.projection_dim = float(init_values), int(projection_dim)
        self.gamma: Any = None

    def build(self, input_shape: Any) -> None:
        if input_shape[-1] not in (None, self.projection_dim, 1) and self.projection_dim != 1:
            raise ShapeError(
                f"projection_dim {self.projection_dim} must be the number of channels, received an input of shape "
                f"{format_shape(input_shape)}."
            )
        start = {"class_name": "Constant", "config": {"value": self.init_values}}
        self.gamma = self.add_weight((self.projection_dim,), start, name="gamma")

    def call(self, inputs: Any) -> Any:
        return inputs * self.gamma

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "init_values": self.init_values, "projection_dim": self.projection_dim}


class StochasticDepth(Layer):
    """Its input: what it drops, it drops in training.

    Args:
        drop_path_rate: the share of samples that are dropped in training, in [0, 1).

    Raises:
        UnsupportedError: called with training=True.

    Source: https://arxiv.org/abs/1603.09382

    Example:
        >>> from graphflow import Input
        >>> StochasticDepth(0.1)(Input((4, 4, 8))).shape
        (None, 4, 4, 8)
    """

    def __init__(self, drop_path_rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.drop_path_rate = share(drop_path_rate, "drop_path_rate")

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if training and self.drop_path_rate:
            raise UnsupportedError("StochasticDepth drops samples in training; here it runs without.")
        return inputs

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "drop_path_rate": self.drop_path_rate}


class CustomScaleLayer(Layer):
    """The first of two inputs plus `scale` times the second: of Inception-ResNet.

    Args:
        scale: a number.

    Raises:
        ArgumentError: other than two inputs.

    Source: https://arxiv.org/abs/1602.07261, section 3.3.

    Example:
        >>> from graphflow import Input
        >>> CustomScaleLayer(0.17)([Input((4, 8)), Input((4, 8))]).shape
        (None, 4, 8)
    """

    def __init__(self, scale: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = float(scale)

    def call(self, inputs: Any) -> Any:
        if len(inputs) != 2:
            raise ArgumentError(f"CustomScaleLayer takes two inputs, received {len(inputs)}.")
        return inputs[0] + inputs[1] * self.scale

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale}


MODULES: dict[type[Layer], str] = {
    LayerScale: "keras.src.applications.convnext",
    StochasticDepth: "keras.src.applications.convnext",
    CustomScaleLayer: "keras.src.applications.inception_resnet_v2",
}
"""The module that Keras 3 names in files."""

for _cls in MODULES:
    register_own(_cls.__name__, _cls)


def is_of_an_application(module: str, class_name: str) -> bool:
    """Whether a file means one of these layers, whichever Keras wrote it.

    Example:
        >>> is_of_an_application("tf_keras.src.applications.convnext", "LayerScale")
        True
        >>> is_of_an_application("my.convnext", "LayerScale")
        False
    """
    found = re.fullmatch(r"(?:tf_)?keras(?:\.src)?(\.applications\.\w+)", module)
    ending = found and found[1]
    return any(cls.__name__ == class_name and known.endswith(str(ending)) for cls, known in MODULES.items())
