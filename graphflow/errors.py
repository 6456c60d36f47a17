"""Every exception graphflow raises on purpose.

A message says the rule that was broken, what was expected, what was received, and where. The place (layer, op, file)
is added once, by the outermost code that knows it, through `located`.
"""

from __future__ import annotations

from collections.abc import Iterable


class GraphflowError(Exception):
    """Base of all errors raised on purpose."""


class ShapeError(GraphflowError, ValueError):
    """A shape, rank or size breaks the rule of the operation it was given to."""


class DTypeError(GraphflowError, TypeError):
    """A data type can not be used where it was given, or not without losing values."""


class ArgumentError(GraphflowError, ValueError):
    """An argument of a layer, op or function has a value outside its documented range."""


class ArgumentTypeError(GraphflowError, TypeError):
    """An argument has the wrong kind, or its name is not one the function knows."""


class GraphError(GraphflowError, ValueError):
    """A graph of layers or operations is not connected, not acyclic, or otherwise not well formed."""


class DataError(GraphflowError, ValueError):
    """The values in an input break a rule, such as an embedding index outside its table."""


class ModelFormatError(GraphflowError, ValueError):
    """A file is not what its format says it must be."""


class UnsupportedError(GraphflowError, NotImplementedError):
    """A request that is well formed, but that graphflow can not carry out; the message names what is missing."""


def located(error: GraphflowError, place: str, kind: str = "layer") -> GraphflowError:
    """A copy of `error` whose message begins with `place`.

    Each kind of place ("op", "layer", "file") is said once, by the innermost code that knows it: an error that has a
    place of this kind already is returned as it is.
    """
    kinds: frozenset[str] = getattr(error, "kinds", frozenset())
    if kind in kinds:
        return error
    copy = type(error)(f"{place}: {error}")
    copy.kinds = kinds | {kind}  # type: ignore[attr-defined]
    return copy


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the closest known one, else all of them."""
    from difflib import get_close_matches

    names = sorted(known)
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    return f" Did you mean {close[0]!r}?" if close else f" Known: {', '.join(names)}."
