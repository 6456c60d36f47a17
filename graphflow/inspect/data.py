"""What every inspection returns: plain data that prints itself, and turns into dicts, JSON and pandas frames."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any, ClassVar

import numpy as np

from graphflow.errors import UnsupportedError


def plain(value: Any) -> Any:
    """Dataclasses, tuples and NumPy numbers as what JSON knows; arrays as nested lists."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value


def frame(rows: Sequence[Any]) -> Any:
    """Rows of one dataclass as a pandas frame, one column a field.

    Raises:
        UnsupportedError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise UnsupportedError(
            "A frame needs pandas, which is not installed: pip install 'graphflow-engine[tables]'."
        ) from None
    return pandas.DataFrame([{one.name: getattr(row, one.name) for one in fields(row)} for row in rows])


class Report:
    """The base of what inspections return.

    A subclass is a dataclass; `ROWS` names the field that is its table, `COMPUTED` the properties that belong to its
    data besides its fields.
    """

    __slots__ = ()

    ROWS: ClassVar[str] = "rows"
    COMPUTED: ClassVar[tuple[str, ...]] = ()

    def to_dict(self) -> dict[str, Any]:
        """The data as dicts, lists, strings and numbers; numbers that are not finite are strings."""
        found: dict[str, Any] = plain(self)
        return {**found, **{name: plain(getattr(self, name)) for name in self.COMPUTED}}

    def to_json(self, indent: int | None = 2) -> str:
        """The data as JSON."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)

    def to_frame(self) -> Any:
        """The report's table as a pandas frame.

        Raises:
            UnsupportedError: pandas is not installed.
        """
        return frame(getattr(self, self.ROWS))
