"""`predict`: batches in, outputs of all rows out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np

from graphflow.errors import ArgumentError, ArgumentTypeError, ShapeError
from graphflow.runtime.feed import as_array, check_shape
from graphflow.runtime.session import Session

Array = np.ndarray[Any, Any]
DEFAULT_BATCH = 32


def is_batches(x: Any) -> bool:
    """Whether `x` gives batches one after another, and is not itself arrays."""
    if isinstance(x, (np.ndarray, list, tuple, dict, Mapping)) or hasattr(x, "shape"):
        return False
    return isinstance(x, (Iterator, Iterable)) or hasattr(x, "__getitem__")


@contextmanager
def progress(total: int | None, unit: str, verbose: Any) -> Iterator[Callable[[int], Any]]:
    """A bar on a terminal, and nothing elsewhere; yields what to call with the number of finished units."""
    if verbose not in ("auto", 0, 1, 2, True, False):
        raise ArgumentError(f"verbose must be 'auto', 0, 1 or 2, received {verbose!r}.")
    if not verbose or not sys.stderr.isatty() or total == 1:
        yield lambda done: None
        return
    from tqdm import tqdm

    with tqdm(total=total, unit=unit, file=sys.stderr) as bar:
        yield bar.update


def predict_arrays(
    session: Session, inputs: Sequence[Any], batch_size: int | None, verbose: Any, steps: int | None
) -> list[Array]:
    """The outputs for whole arrays, computed in batches straight into the result."""
    size = DEFAULT_BATCH if batch_size is None else batch_size
    if not isinstance(size, (int, np.integer)) or isinstance(size, bool) or size < 1:
        raise ArgumentError(f"batch_size must be a positive integer, received {batch_size!r}.")
    sources = [
        one if hasattr(one, "shape") and hasattr(one, "__getitem__") else as_array(one, name)
        for one, name in zip(inputs, session.input_names, strict=True)
    ]
    rows = _rows(session, sources)
    for source, value in zip(sources, session.graph.inputs, strict=True):
        rest = value.spec.with_shape((None, *value.spec.shape[1:]))
        check_shape(tuple(int(size) for size in source.shape), rest, value.name)
    check_steps(steps)
    if steps is not None:
        rows = min(rows, int(steps) * int(size))
    starts = range(0, max(rows, 1), int(size))
    collected: list[list[Array]] = []
    results: list[Array] = []
    with progress(len(starts), "batch", verbose) as advance:
        for start in starts:
            stop = min(start + int(size), rows)
            batch = [source[start:stop] for source in sources]
            if not collected and not results:
                first = session.run(batch)
                if all(one.ndim and one.shape[0] == stop - start for one in first):
                    results = [_grown(one, rows) for one in first]
                else:
                    collected = [[one] for one in first]
            elif results:
                session.run(batch, out=[result[start:stop] for result in results])
            else:
                for held, one in zip(collected, session.run(batch), strict=True):
                    held.append(one)
            advance(1)
    return results or [_joined(held) for held in collected]


def check_steps(steps: int | None) -> None:
    """Check the number of batches to stop after.

    Raises:
        ArgumentError: neither None nor a positive integer.
    """
    if steps is not None and (not isinstance(steps, (int, np.integer)) or isinstance(steps, bool) or steps < 1):
        raise ArgumentError(f"steps must be a positive integer or None, received {steps!r}.")


def _rows(session: Session, sources: Sequence[Any]) -> int:
    for name, source in zip(session.input_names, sources, strict=False):
        if not len(source.shape):
            raise ShapeError(f"Input {name!r} needs a batch axis, received a scalar.")
    counts = {int(source.shape[0]) for source in sources}
    if len(counts) > 1:
        listed = ", ".join(
            f"{name}: {source.shape[0]}" for name, source in zip(session.input_names, sources, strict=False)
        )
        raise ShapeError(f"All inputs must have the same number of rows, received {listed}.")
    if not counts:
        raise ArgumentError("predict needs at least one input.")
    return counts.pop()


def _grown(first: Array, rows: int) -> Array:
    if first.shape[0] == rows:
        return first
    result = np.empty((rows, *first.shape[1:]), first.dtype)
    result[: first.shape[0]] = first
    return result


def _joined(parts: list[Array]) -> Array:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def predict_batches(
    session: Session, batches: Any, steps: int | None, verbose: Any, flat: Callable[[Any], list[Any]]
) -> list[Array]:
    """The outputs for batches from an iterator; of a tuple (x, y, ...) the first is the input."""
    check_steps(steps)
    collected: list[list[Array]] = []
    iterator = islice(iter(batches), steps) if steps is not None else iter(batches)
    with progress(steps, "batch", verbose) as advance:
        for batch in iterator:
            x = batch[0] if isinstance(batch, tuple) else batch
            outputs = session.run(flat(x))
            if not collected:
                collected = [[] for _ in outputs]
            for held, one in zip(collected, outputs, strict=True):
                held.append(one)
            advance(1)
    if not collected:
        raise ArgumentTypeError("predict received an iterator that gave no batches.")
    return [_joined(held) for held in collected]
