"""From the columns of a source to the inputs of a model; and which rows of a block break it.

`inputs={"seq": "sequence", "meta": ["a", "b", "c"]}` says which column, or which columns side by side, an input takes.
With `map=` the columns chosen go through a function of the user's, a block at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from graphflow.batch.block import Array, Bad, Block, Columns, beside, joined, take
from graphflow.batch.stacking import side_by_side
from graphflow.errors import ArgumentError, ArgumentTypeError, DataError, GraphflowError, ShapeError, nearest
from graphflow.runtime.feed import as_input
from graphflow.spec import TensorSpec, format_shape

Chosen = dict[str, tuple[str, ...]]


def parse_inputs(given: Sequence[str]) -> dict[str, Any]:
    """What `--input` says, as a dict.

    Raises:
        ArgumentError: not INPUT=col:COLUMN or INPUT=col:COLUMN,COLUMN..., or an input twice.

    Example:
        >>> parse_inputs(["seq=col:sequence", "meta=col:a,b,c"])
        {'seq': 'sequence', 'meta': ['a', 'b', 'c']}
    """
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        names = value.removeprefix("col:").split(",")
        if not equals or not value.startswith("col:") or not all(names) or not name:
            raise ArgumentError(f"An input is given as NAME=col:COLUMN or NAME=col:A,B,C, received {text!r}.")
        if name in found:
            raise ArgumentError(f"The input {name!r} is given twice.")
        found[name] = names[0] if len(names) == 1 else names
    return found


def choose(
    inputs: Any, names: Sequence[str], specs: Sequence[TensorSpec], columns: Sequence[str], ids: Sequence[str]
) -> Chosen:
    """The columns of each input.

    Args:
        inputs: what the user said, or None.
        names, specs: of the model's inputs; `names` is empty where a `map=` function makes them.
        columns, ids: of the source.

    Raises:
        ArgumentError: an unknown name, or nothing said where something must be.
    """
    for one in ids:
        if one not in columns:
            raise ArgumentError(f"The source has no identifier column {one!r}.{nearest(one, columns)}")
    if inputs is not None:
        if not isinstance(inputs, Mapping):
            raise ArgumentTypeError(f"inputs is a dict from input to column or columns, received {inputs!r}.")
        chosen = {str(name): (one,) if isinstance(one, str) else tuple(one) for name, one in inputs.items()}
        for name, wanted in chosen.items():
            if names and name not in names:
                raise ArgumentError(f"The model has no input {name!r}.{nearest(name, names)}")
            for one in wanted:
                if one not in columns:
                    raise ArgumentError(f"The source has no column {one!r} for {name!r}.{nearest(str(one), columns)}")
        missing = [name for name in names if name not in chosen]
        if missing:
            raise ArgumentError(f"inputs says nothing of the model's input {missing[0]!r}.")
        return chosen
    rest = tuple(one for one in columns if one not in ids)
    if not names:
        return {one: (one,) for one in columns}
    if all(name in columns for name in names):
        return {name: (name,) for name in names}
    if len(names) == len(rest) == 1:
        return {names[0]: rest}
    if len(names) == 1 and specs[0].shape[1:] == (len(rest),):
        return {names[0]: rest}
    if len(rest) == len(names) and all(one == f"data_{index}" for index, one in enumerate(rest)):
        return {name: (one,) for name, one in zip(names, rest, strict=True)}
    wanted_shapes = ", ".join(f"{n} {format_shape(spec.shape)}" for n, spec in zip(names, specs, strict=True))
    raise ArgumentError(
        f"Say which columns the model's inputs take: inputs={{...}} or --input NAME=col:COLUMN. The model takes "
        f"{wanted_shapes}; the source has {', '.join(columns) or 'no columns'}."
    )


def numbers(values: Array, name: str) -> Array:
    """A column as numbers.

    Args:
        values: numbers already, or Python values: text that is a number, numbers, or lists of them.
        name: of the column.

    Raises:
        DataError: a value that is no number.

    Example:
        >>> import numpy as np
        >>> numbers(np.array(["1.5", " nan"], object), "x")
        array([1.5, nan])
    """
    if values.dtype != object:
        if values.dtype.kind not in "fiub":
            raise DataError(f"column {name!r} holds {values.dtype}, which are not numbers")
        return values
    listed = values.tolist()
    if set(map(type, listed)) == {str}:
        return _parsed(listed, name)
    for one in listed:
        if one is None or type(one) in (str, dict):
            raise DataError(f"column {name!r}: {_shown(one)} is not a number")
    try:
        made = np.array(listed)
    except (ValueError, OverflowError):
        raise DataError(f"column {name!r}: its rows have unequal lengths or too large numbers") from None
    if made.dtype.kind not in "fiub":
        raise DataError(f"column {name!r}: {_shown(listed[0])} is not made of numbers only")
    return made


def _parsed(listed: list[str], name: str) -> Array:
    try:
        if "_" not in "".join(listed):
            try:
                return np.fromiter(map(int, listed), np.int64, len(listed))
            except (ValueError, OverflowError):
                return np.fromiter(map(float, listed), np.float64, len(listed))
    except ValueError:
        pass
    for one in listed:
        try:
            if "_" in one:
                raise ValueError
            float(one)
        except ValueError:
            raise DataError(f"column {name!r}: {_shown(one)} is not a number") from None
    raise DataError(f"column {name!r}: not numbers")


def _shown(value: Any) -> str:
    text = "an empty field" if value == "" else "null" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


class Mapper:
    """Makes a model's inputs from blocks.

    Args:
        chosen: the columns of each input, see `choose`.
        names, specs: of the model's inputs.
        function: the user's, from a dict of columns to a dict of inputs, or to the one input; or None.
    """

    def __init__(
        self, chosen: Chosen, names: Sequence[str], specs: Sequence[TensorSpec], function: Callable[..., Any] | None
    ) -> None:
        self.chosen = chosen
        self._names = list(names)
        self._specs = list(specs)
        self._function = function

    @property
    def calls_python(self) -> bool:
        """Whether a function of the user's makes the inputs, which may take any time."""
        return self._function is not None

    def columns(self, ids: Sequence[str]) -> list[str]:
        """The columns that must be read."""
        return list(dict.fromkeys([*(one for wanted in self.chosen.values() for one in wanted), *ids]))

    def together(self, ids: Sequence[str]) -> list[tuple[str, ...]]:
        """The columns of each input that takes several, where nothing else takes one of them."""
        used = [*(one for wanted in self.chosen.values() for one in wanted), *ids]
        sets = [names for names in self.chosen.values() if len(names) > 1]
        return [names for names in sets if all(used.count(one) == 1 for one in names)]

    def __call__(self, columns: Columns) -> list[Array]:
        """The inputs, in the model's order.

        Raises:
            GraphflowError: values that are no numbers, or do not fit an input.
            Exception: whatever the user's function raises.
        """
        if self._function is not None:
            return self._mapped(columns)
        made = []
        for name, spec in zip(self._names, self._specs, strict=True):
            wanted = self.chosen[name]
            parts = [numbers(columns[one], one) for one in _present(columns, wanted)]
            array = parts[0] if len(wanted) == 1 else side_by_side(parts, spec.dtype)
            made.append(as_input(array, spec, name))
        return made

    def _mapped(self, columns: Columns) -> list[Array]:
        assert self._function is not None
        rows = len(next(iter(columns.values())))
        given = {
            name: columns[wanted[0]]
            if len(wanted) == 1
            else side_by_side([columns[one] for one in _present(columns, wanted)])
            for name, wanted in self.chosen.items()
        }
        result = self._function(given)
        if not isinstance(result, Mapping):
            items = list(result) if isinstance(result, (list, tuple)) else [result]
            if len(items) != len(self._names):
                raise ArgumentTypeError(f"map= must give {', '.join(self._names)}; it gave {len(items)} arrays.")
            result = dict(zip(self._names, items, strict=True))
        if set(result) != set(self._names):
            raise ArgumentTypeError(f"map= must give {', '.join(self._names)}; it gave {', '.join(map(str, result))}.")
        made = [as_input(result[name], spec, name) for name, spec in zip(self._names, self._specs, strict=True)]
        for name, array in zip(self._names, made, strict=True):
            if len(array) != rows:
                raise ArgumentTypeError(f"map= gave {len(array)} rows of {name!r} for {rows}.")
        return made


def _present(columns: Columns, wanted: Sequence[str]) -> Sequence[str]:
    """The names under which columns are there: their own, or the one that they have as a matrix."""
    name = beside(wanted)
    return [name] if name in columns else wanted


def apply_to_rows(
    function: Callable[[Columns], list[Array]], columns: Columns, rows: int, describe: Callable[[Exception], str]
) -> tuple[list[Array] | None, Array, dict[int, str]]:
    """What a function gives for the rows that it takes, found by halving blocks that it refuses.

    Args:
        function: of columns.
        columns: with `rows` rows.
        describe: from an exception to the reason that is reported.

    Returns:
        The results, None if no row was taken; the indices of the rows taken; the reason for each other one.

    Raises:
        ArgumentTypeError: the function is wrong, whatever the row.
    """
    taken: list[tuple[Array, list[Array]]] = []
    refused: dict[int, str] = {}
    stack = [(0, rows)]
    while stack:
        start, stop = stack.pop()
        if start == stop:
            continue
        try:
            made = function(take(columns, slice(start, stop)))
            if taken and any(a.shape[1:] != b.shape[1:] for a, b in zip(made, taken[0][1], strict=True)):
                raise ShapeError("its shape is not that of the rows before it")
        except (ArgumentTypeError, MemoryError):
            raise
        except Exception as error:
            if stop - start == 1:
                refused[start] = describe(error)
            else:
                middle = (start + stop) // 2
                stack += [(middle, stop), (start, middle)]
        else:
            taken.append((np.arange(start, stop), made))
    if not taken:
        return None, np.zeros(0, np.int64), refused
    results = [joined([made[index] for _, made in taken]) for index in range(len(taken[0][1]))]
    return results, joined([rows for rows, _ in taken]), refused


def reason_of(error: Exception) -> str:
    """An exception as the reason of a bad row."""
    text = str(error) or type(error).__name__
    return text if isinstance(error, GraphflowError) else f"{type(error).__name__}: {text}"


def refused_rows(block: Block, refused: Mapping[int, str], place: Callable[[int], str]) -> list[Bad]:
    """The bad rows that good ones turned out to be.

    Args:
        block: the rows.
        refused: the reason, by index among the good rows.
        place: from a row's number to where it is.
    """
    rows = block.good_rows()
    shown = [column for column in block.columns.values() if column.dtype == object]
    found = []
    for index, reason in sorted(refused.items()):
        row = int(rows[index])
        where = place(row)
        if block.lines is not None:
            path, line = block.lines[index]
            where = f"{path}, row {row} (line {line})"
        text = ",".join(str(column[index]) for column in shown)[:200]
        found.append(Bad(row, where, reason, text))
    return found
