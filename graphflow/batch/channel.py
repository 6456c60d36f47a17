"""`Channel` and `Turns`: bounded queues between stages, which either side can end."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any


class Cancelled(Exception):  # noqa: N818
    """The job is being stopped; a stage that meets this ends."""


class Channel:
    """Items in order, at most `size` of them waiting.

    Args:
        size: items that may wait.

    Example:
        >>> channel = Channel(2)
        >>> channel.put("a")
        >>> channel.get()
        'a'
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: deque[Any] = deque()
        self._changed = threading.Condition()
        self._cancelled = False

    def put(self, item: Any) -> None:
        """Add an item, when there is room.

        Raises:
            Cancelled: the job is being stopped.
        """
        with self._changed:
            self._wait_while(self._full)
            self._items.append(item)
            self._changed.notify_all()

    def get(self) -> Any:
        """The next item, when there is one.

        Raises:
            Cancelled: the job is being stopped.
        """
        with self._changed:
            self._wait_while(self._empty)
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def look(self) -> Any:
        """The next item, when there is one; it keeps its place until `get` takes it.

        Raises:
            Cancelled: the job is being stopped.
        """
        with self._changed:
            self._wait_while(self._empty)
            return self._items[0]

    def cancel(self) -> None:
        """Let both sides end."""
        with self._changed:
            self._cancelled = True
            self._items.clear()
            self._changed.notify_all()

    def _full(self) -> bool:
        return len(self._items) >= self._size

    def _empty(self) -> bool:
        return not self._items

    def _wait_while(self, held_up: Callable[[], bool]) -> None:
        while held_up() and not self._cancelled:
            self._changed.wait()
        if self._cancelled:
            raise Cancelled


class Turns(Channel):
    """Items that several threads take, work on, and give back, to be passed on in the order in which they came.

    Whoever gives back the item that is next passes it on, with those behind it that are done already.

    Args:
        size: items that may wait to be taken.
        ahead: items that may be taken and not yet passed on.
        passed: called with each item in order, by one thread at a time; it may wait.

    Example:
        >>> done = []
        >>> turns = Turns(4, 4, done.append)
        >>> for item in "abc":
        ...     turns.put(item)
        >>> (first, a), (second, b) = turns.take(), turns.take()
        >>> turns.give(second, b.upper())
        >>> done
        []
        >>> turns.give(first, a.upper())
        >>> done
        ['A', 'B']
    """

    def __init__(self, size: int, ahead: int, passed: Callable[[Any], None]) -> None:
        super().__init__(size)
        self._ahead, self._pass = ahead, passed
        self._taken = 0
        self._next = 0
        self._done: dict[int, Any] = {}
        self._passing = False
        self._closed = False

    def take(self) -> tuple[int, Any] | None:
        """The next item and its number; None when no more are to be taken.

        Raises:
            Cancelled: the job is being stopped.
        """
        with self._changed:
            self._wait_while(lambda: not self._closed and (self._empty() or self._held_up()))
            if self._closed:
                return None
            if self._full():
                self._changed.notify_all()
            self._taken += 1
            return self._taken - 1, self._items.popleft()

    def close(self) -> None:
        """Let nobody take another item; those that are taken are still given back and passed on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def give(self, number: int, item: Any) -> None:
        """Give back what became of an item.

        Raises:
            Cancelled: the job is being stopped.
        """
        with self._changed:
            self._done[number] = item
            if self._passing:
                return
            self._passing = True
        while True:
            with self._changed:
                if self._next not in self._done:
                    self._passing = False
                    return
                item = self._done.pop(self._next)
                if self._held_up():
                    self._changed.notify_all()
                self._next += 1
            self._pass(item)

    def _held_up(self) -> bool:
        return self._taken - self._next >= self._ahead
