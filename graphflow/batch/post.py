"""What a job does to a model's outputs before they are written: one row for each name.

softmax        numbers to shares that sum to one, over the last axis
argmax         the index of the largest, over the last axis; of equal ones the first
top-K          the K largest, as columns NAME_index and NAME_value
threshold:T    whether a number is at least T
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphflow.errors import ArgumentError, ArgumentTypeError, ShapeError, nearest

Array = np.ndarray[Any, Any]
Columns = dict[str, Array]


def softmax(name: str, array: Array, _: str) -> Columns:
    """Shares, in the array's own dtype; of whole numbers as float32."""
    if array.shape[-1] == 0:
        return {name: array}
    array = array if array.dtype.kind == "f" else array.astype(np.float32)
    raised = np.exp(array - array.max(axis=-1, keepdims=True))
    return {name: raised / raised.sum(axis=-1, keepdims=True)}


def argmax(name: str, array: Array, _: str) -> Columns:
    """Indices as int64."""
    return {name: array.argmax(axis=-1)}


def top(name: str, array: Array, argument: str) -> Columns:
    """Indices and values of the largest, largest first; of equal ones the first first."""
    count = int(argument)
    if count > array.shape[-1]:
        raise ShapeError(f"top-{count} of output {name!r} needs {count} numbers a row, it has {array.shape[-1]}.")
    numbers = array if array.dtype.kind == "f" else array.astype(np.int64)
    order = np.argsort(-numbers, axis=-1, kind="stable")[..., :count]
    return {f"{name}_index": order, f"{name}_value": np.take_along_axis(array, order, -1)}


def threshold(name: str, array: Array, argument: str) -> Columns:
    """Truth values."""
    least = float(argument)
    return {name: array >= (array.dtype.type(least) if array.dtype.kind == "f" else least)}


STEPS: dict[str, tuple[Callable[[str, Array, str], Columns], str]] = {
    "softmax": (softmax, ""),
    "argmax": (argmax, ""),
    "top": (top, "a number of places, as in top-3"),
    "threshold": (threshold, "a number, as in threshold:0.5"),
}
"""Name to function and what its argument is."""


def parse(step: str) -> tuple[str, str]:
    """The name and the argument of a step.

    Raises:
        ArgumentError: an unknown name, or an argument that does not fit.

    Example:
        >>> parse("top-3"), parse("threshold:0.5")
        (('top', '3'), ('threshold', '0.5'))
    """
    if not isinstance(step, str):
        raise ArgumentTypeError(f"A step of post is a name such as 'argmax', received {step!r}.")
    name, colon, argument = step.partition(":")
    if not colon and name.startswith("top-"):
        name, argument = "top", name[4:]
    if name not in STEPS:
        raise ArgumentError(f"post has no step {step!r}.{nearest(name, ('softmax', 'argmax', 'top-K', 'threshold:T'))}")
    wanted = STEPS[name][1]
    try:
        if name == "top" and int(argument) < 1:
            raise ValueError
        if name == "threshold":
            float(argument)
    except ValueError:
        raise ArgumentError(f"The step {step!r} of post needs {wanted}.") from None
    if argument and not wanted:
        raise ArgumentError(f"The step {name!r} of post takes no argument, received {step!r}.")
    return name, argument


class Post:
    """Steps for the outputs of a job.

    Args:
        given: None; a step; a list of steps, one after another; or a dict of these by output name.
        outputs: the names of the outputs.

    Raises:
        ArgumentError: an unknown step or output.

    Example:
        >>> import numpy as np
        >>> Post(["softmax", "top-1"], ["y"])({"y": np.array([[0.0, 9.0]])})["y_index"]
        array([[1]])
    """

    def __init__(self, given: Any, outputs: Sequence[str]) -> None:
        if given is not None and not isinstance(given, (str, list, tuple, Mapping)):
            raise ArgumentTypeError(f"post is a step, a list of steps or a dict of them, received {given!r}.")
        by_name = given if isinstance(given, Mapping) else dict.fromkeys(outputs, given or ())
        self.steps: dict[str, list[tuple[str, str]]] = {}
        for name, steps in by_name.items():
            if name not in outputs:
                raise ArgumentError(f"post names the output {name!r}.{nearest(str(name), outputs)}")
            self.steps[name] = [parse(step) for step in ([steps] if isinstance(steps, str) else steps)]
        self._outputs = list(outputs)

    def names(self) -> list[str]:
        """The names of the columns that come out.

        Example:
            >>> Post("top-2", ["y"]).names()
            ['y_index', 'y_value']
        """
        made: list[str] = []
        for output in self._outputs:
            names = [output]
            for step, _ in self.steps.get(output, ()):
                if step == "top":
                    last = names.pop()
                    names += [f"{last}_index", f"{last}_value"]
            made += names
        return made

    def __call__(self, outputs: Columns) -> Columns:
        """The outputs after their steps; a step that makes two columns hands on the values."""
        made: Columns = {}
        for name, array in outputs.items():
            columns = {name: array}
            for step, argument in self.steps.get(name, ()):
                last = list(columns)[-1]
                if columns[last].ndim < 2 and step != "threshold":
                    raise ShapeError(f"{step} of output {name!r} needs an axis besides the rows.")
                columns.update(STEPS[step][0](last, columns.pop(last), argument))
            made.update(columns)
        return made
