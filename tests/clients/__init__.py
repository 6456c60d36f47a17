"""Networks as clients write them: functions of the modules `backend`, `layers`, `models` and `utils`, Keras 2 style."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clients import densenet, resnet, separable

CLIENTS: dict[str, Callable[..., Any]] = {
    "densenet": densenet.build,
    "resnet": resnet.build,
    "separable": separable.build,
}
"""Name to the function that builds a model from the four modules."""
