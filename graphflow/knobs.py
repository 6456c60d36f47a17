"""The environment variables that change how graphflow runs, each declared in one row, with a scoped override.

    with graphflow.knobs(debug=1, isa="avx2"):
        model.predict(x)

Models that were planned before keep their plans; knobs are read when a graph is tuned and planned.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from graphflow.epoch import EPOCH
from graphflow.errors import ArgumentError, ArgumentTypeError, nearest


class Knob(NamedTuple):
    name: str
    kind: type
    default: Any
    doc: str

    @property
    def variable(self) -> str:
        return f"GRAPHFLOW_{self.name.upper()}"


KNOBS: tuple[Knob, ...] = (
    Knob(
        "debug",
        int,
        0,
        "1: plan summary; 3: verify the graph after each pass; 4: check every step against the reference",
    ),
    Knob("reference", bool, False, "run every operation on its NumPy reference"),
    Knob("isa", str, "", "use the kernels of this instruction set (avx512, avx2, base); empty: the best the CPU has"),
    Knob("threads", int, 0, "threads that run one model; 0: as many as the process may use"),
    Knob("passes_off", str, "", "names of graph passes to leave out, separated by commas; 'all' leaves out every one"),
    Knob("precision", str, "", "'strict' or 'default', for sessions made from now on; empty: as graphflow.config says"),
    Knob(
        "winograd_memory",
        int,
        -1,
        "most bytes that Winograd's weights may take beyond direct ones, for sessions made from now on; "
        "-1: as graphflow.config says, -2: no bound",
    ),
)

_ROWS = {knob.name: knob for knob in KNOBS}
_overrides: ContextVar[dict[str, Any]] = ContextVar("graphflow_knobs", default={})  # noqa: B039


def _parse(knob: Knob, text: str) -> Any:
    if knob.kind is bool:
        if text.lower() in ("1", "true", "yes", "on"):
            return True
        if text.lower() in ("", "0", "false", "no", "off"):
            return False
    elif knob.kind is int:
        try:
            return int(text)
        except ValueError:
            pass
    else:
        return text
    raise ArgumentError(f"The environment variable {knob.variable} must be a {knob.kind.__name__}, received {text!r}.")


def parsed(name: str, text: str) -> Any:
    """The value of a knob as its environment variable would give it.

    Raises:
        ArgumentError: a name that is no knob, or a text that is no value of it.
    """
    if name not in _ROWS:
        raise ArgumentError(f"Unknown knob {name!r}.{nearest(name, _ROWS)}")
    return _parse(_ROWS[name], text)


def get(name: str) -> Any:
    """The value of a knob: the innermost override, else the environment variable, else the default."""
    overrides = _overrides.get()
    if name in overrides:
        return overrides[name]
    knob = _ROWS[name]
    text = os.environ.get(knob.variable)
    return knob.default if text is None else _parse(knob, text)


@contextmanager
def knobs(**values: Any) -> Iterator[None]:
    """Override knobs inside a `with` block, in this thread or task only.

    Args:
        **values: names and values of the rows of `KNOBS`.

    Raises:
        ArgumentError: a name that is no knob.
        ArgumentTypeError: a value of the wrong kind.

    Example:
        >>> import graphflow
        >>> with graphflow.knobs(debug=0):
        ...     pass
    """
    for name, value in values.items():
        if name not in _ROWS:
            raise ArgumentError(f"Unknown knob {name!r}.{nearest(name, _ROWS)}")
        if not isinstance(value, _ROWS[name].kind):
            kind = _ROWS[name].kind.__name__
            raise ArgumentTypeError(f"Knob {name!r} must be a {kind}, received {value!r}.")
    token = _overrides.set({**_overrides.get(), **values})
    EPOCH[0] += 1
    try:
        yield
    finally:
        _overrides.reset(token)
        EPOCH[0] += 1
