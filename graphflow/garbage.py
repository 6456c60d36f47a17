"""Putting off full garbage collections while many objects are made that all stay.

CPython looks through every object that is alive each time those that outlived two collections have grown by a quarter.
A graph of 100,000 nodes is millions of objects, none of which is garbage, so that lowering, tuning and planning it
would spend a third of their time in such collections, more where the process holds much else.

    collections         while put off
    of young objects    as ever: what dies young is freed as soon as before, cycles as well
    full                none; what they would have freed waits for the first one afterwards

Reference counting, which frees all that is in no cycle, is not concerned.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

NEVER = (1 << 31) - 1
"""As the third threshold: more collections of the second generation than a process sees."""

_lock = threading.Lock()
_inside: list[int] = []
_before: tuple[int, int, int] = (0, 0, 0)


@contextmanager
def full_collections_put_off() -> Iterator[None]:
    """Let no full collection start inside, in any thread.

    For a step that ends by itself, makes much and drops little. It nests, threads may overlap, a child made by `fork`
    keeps it only for the thread that it inherits. Whether the collector is enabled is left as it is, and thresholds
    that were changed meanwhile stay as they were changed.

    Example:
        >>> import gc
        >>> before = gc.get_threshold()
        >>> with full_collections_put_off():
        ...     gc.get_threshold()[:2] == before[:2]
        True
        >>> gc.get_threshold() == before
        True
    """
    thread = threading.get_ident()
    try:
        _enter(thread)
        yield
    finally:
        _leave(thread)


def _enter(thread: int) -> None:
    global _before
    with _lock:
        if not _inside:
            _before = gc.get_threshold()
        _inside.append(thread)
        if len(_inside) == 1:
            gc.set_threshold(*_before[:2], NEVER)


def _leave(thread: int) -> None:
    with _lock:
        if thread in _inside:
            _inside.remove(thread)
            _restore()


def _restore() -> None:
    if not _inside and gc.get_threshold() == (*_before[:2], NEVER):
        gc.set_threshold(*_before)


def _after_fork() -> None:
    """Of the threads only the one that forked is there."""
    global _inside, _lock
    _lock = threading.Lock()
    if _inside:
        _inside = [thread for thread in _inside if thread == threading.get_ident()]
        _restore()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
