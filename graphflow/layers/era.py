"""Whose rules a layer follows where the versions of Keras differ.

    documents   the layer was written in Python: the Keras 2 documents this project follows
    keras2      it was read from a file of Keras 1 or 2
    keras3      it was read from a file of Keras 3

A layer keeps the era it was made in. In a file a class can be called "graphflow>Name": then it follows the other era
than the file's, and the Keras of that era does not know it. What differs is listed in the documentation's table of
choices.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

OTHER = {"keras3": "keras2", "keras2": "keras3", "documents": "keras3"}
"""The era of a class called "graphflow>Name" in a file of each era."""

ERAS = ("documents", "keras2", "keras3")

_era: ContextVar[str] = ContextVar("graphflow_era", default="documents")


def current_era() -> str:
    return _era.get()


@contextmanager
def era(name: str) -> Iterator[None]:
    """Layers made inside follow the rules of this era."""
    token = _era.set(name)
    try:
        yield
    finally:
        _era.reset(token)
