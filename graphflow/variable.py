"""`Variable`: a named array that outlives a run: a weight, a recurrent state, a moving statistic or a seed.

Graphs refer to variables and never copy them. `version` grows with every assignment, so that whatever was computed from
a variable knows when to compute it again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphflow.epoch import EPOCH
from graphflow.errors import ArgumentError, DataError, ShapeError
from graphflow.operand import Operand
from graphflow.spec import TensorSpec, dtype_name, format_shape

ROLES = ("weight", "statistic", "state", "seed")


class Variable(Operand):
    """A value that graphs refer to.

    Args:
        value: the initial array.
        name: shown in messages and written to files.
        role: `"weight"` (trained), `"statistic"` (moving averages), `"state"` (recurrent) or `"seed"`.
        trainable: whether training may change it.
    """

    __slots__ = (
        "_value",
        "constraint",
        "initializer",
        "name",
        "path",
        "regularizer",
        "released",
        "role",
        "spec",
        "trainable",
        "version",
    )

    def __init__(self, value: Any, name: str = "variable", role: str = "weight", trainable: bool = True) -> None:
        if role not in ROLES:
            raise ArgumentError(f"The role of a variable must be one of {', '.join(ROLES)}, received {role!r}.")
        is_stand_in = isinstance(value, np.ndarray) and value.size > 1 and not any(value.strides)
        array = value if is_stand_in else np.ascontiguousarray(value).reshape(np.shape(value))
        self.spec = TensorSpec(array.shape, dtype_name(array.dtype))
        self.name = name
        self.path = name
        self.role = role
        self.trainable = trainable
        self.version = 0
        self.released = False
        self.initializer: Any = None
        self.regularizer: Any = None
        self.constraint: Any = None
        self._value = array

    @property
    def shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self._value.shape
        return shape

    @property
    def dtype(self) -> str:
        return self.spec.dtype

    @property
    def ndim(self) -> int:
        return self._value.ndim

    @property
    def value(self) -> np.ndarray[Any, Any]:
        """The array itself; assign with `assign`, never in place.

        Raises:
            DataError: it was released.
        """
        if self.released:
            raise DataError(
                f"The values of variable {self.path!r} were released by a session that keeps them in the form its "
                "kernels read; open the model anew, or set its weights."
            )
        return self._value

    def release(self) -> None:
        """Let go of the values; the shape stays, and assigning brings values back."""
        self._value = np.broadcast_to(np.zeros((), self._value.dtype), self._value.shape)
        self.released = True

    @property
    def changes_in_runs(self) -> bool:
        """Whether runs themselves assign it, so that nothing may be computed from it beforehand."""
        return self.role in ("state", "seed")

    def numpy(self) -> np.ndarray[Any, Any]:
        """A copy of the value."""
        return self.value.copy()

    def assign(self, value: Any) -> Variable:
        """Replace the value.

        Args:
            value: an array of the variable's shape; it is cast to the variable's dtype.

        Raises:
            ShapeError: another shape.
        """
        array = np.array(value, dtype=self.spec.dtype, order="C")
        if array.shape != self._value.shape:
            raise ShapeError(
                f"Variable {self.path!r} has shape {format_shape(self._value.shape)}, "
                f"received a value of shape {format_shape(array.shape)}."
            )
        self._value = array
        self.released = False
        self._count()
        return self

    def _count(self) -> None:
        self.version += 1
        if not self.changes_in_runs:
            EPOCH[0] += 1

    def adopt(self, array: np.ndarray[Any, Any]) -> None:
        """As `assign`, for an array of the right shape and dtype that nobody else will change; it is not copied."""
        if array.shape != self._value.shape or array.dtype != self._value.dtype or not array.flags.c_contiguous:
            self.assign(array)
            return
        self._value = array
        self.released = False
        self._count()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return np.array(self.value, dtype=dtype)

    def __getstate__(self) -> dict[str, Any]:
        kept = {name: getattr(self, name) for name in ("name", "path", "role", "trainable", "version")}
        return {**kept, "value": self.value}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["value"], state["name"], state["role"], state["trainable"])  # type: ignore[misc]
        self.path, self.version = state["path"], state["version"]

    def __len__(self) -> int:
        return len(self._value)

    def __repr__(self) -> str:
        return f"<Variable {self.path} shape={format_shape(self.shape)} dtype={self.dtype} role={self.role}>"
