"""What Keras' backend says of itself: settings, names, and the learning phase."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from graphflow.config import (
    as_data_format,
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from graphflow.errors import ShapeError, UnsupportedError
from graphflow.layers import layer as _layer
from graphflow.ops import cast, where
from graphflow.ops.operands import shape_of
from graphflow.ops.shape import reshape_to, sizes

__all__ = [
    "backend",
    "clear_session",
    "epsilon",
    "floatx",
    "get_uid",
    "image_data_format",
    "in_test_phase",
    "in_train_phase",
    "learning_phase",
    "learning_phase_scope",
    "name_scope",
    "normalize_data_format",
    "reset_uids",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_learning_phase",
    "switch",
]

normalize_data_format = as_data_format
_uids: Counter[str] = Counter()


def backend() -> str:
    """ "graphflow".

    Clients ask in order to warn of "theano", whose kernels are flipped, or to insist on "tensorflow" where they call it
    directly. Neither is so here, and kernels have TensorFlow's layout.
    """
    return "graphflow"


def get_uid(prefix: str = "") -> int:
    """1 for the first call with a prefix, then 2, and so on."""
    _uids[prefix] += 1
    return _uids[prefix]


def reset_uids() -> None:
    """Let `get_uid` begin again at 1."""
    _uids.clear()


def clear_session() -> None:
    """Let automatic layer names and `get_uid` begin again. There is no other global state."""
    reset_uids()
    _layer.clear_session()


@contextmanager
def name_scope(name: str) -> Iterator[str]:
    """A `with` block that yields the name; layers keep theirs, since a graph remembers the layers its nodes are of."""
    yield name


def learning_phase() -> int:
    """1 while what is computed or lowered is for training, else 0."""
    return int(_layer.is_training())


def set_learning_phase(value: Any) -> None:
    """Accepts 0, which is so anyway.

    Raises:
        UnsupportedError: 1; call a layer or model with `training=True`, or use `learning_phase_scope(1)`.
    """
    if value:
        raise UnsupportedError(
            "set_learning_phase(1) is not supported, since models run for inference unless a call says otherwise; "
            "pass training=True to the call, or use learning_phase_scope(1)."
        )


@contextmanager
def learning_phase_scope(value: Any) -> Iterator[None]:
    """Layers called on arrays inside compute as in training (1) or not (0)."""
    with _layer.training_mode(bool(value)):
        yield


def _called(choice: Any) -> Any:
    return choice() if callable(choice) else choice


def switch(condition: Any, then_expression: Any, else_expression: Any) -> Any:
    """`then_expression` where `condition` is true, else `else_expression`; both are computed.

    Args:
        condition: a scalar, or of the leading axes of the expressions.
        then_expression, else_expression: tensors, or functions of no arguments giving them.

    Raises:
        ShapeError: a condition of more axes than the expressions.
    """
    then, other = _called(then_expression), _called(else_expression)
    missing = len(shape_of(then)) - len(shape_of(condition))
    if missing < 0:
        raise ShapeError(
            f"switch needs a condition of no more axes than its expressions, received {len(shape_of(condition))} and "
            f"{len(shape_of(then))}."
        )
    if len(shape_of(condition)) and missing > 0:
        condition = reshape_to(condition, (*sizes(condition), *(1,) * missing))
    return where(cast(condition, "bool"), then, other)


def in_train_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """`x` in training, else `alt`; tensors, or functions of no arguments giving them."""
    training = learning_phase() if training is None else training
    if isinstance(training, (bool, int, np.bool_, np.integer)):
        return _called(x if training else alt)
    return switch(training, x, alt)


def in_test_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """`alt` in training, else `x`."""
    return in_train_phase(alt, x, training)
