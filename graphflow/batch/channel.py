"""`Channel`: a bounded queue between two stages, which either side can end."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any


class Cancelled(Exception):  # noqa: N818
    """The job is being stopped; a stage that meets this ends."""


class Channel:
    """Items in order, at most `size` of them waiting.

    Args:
        size: items that may wait.

    `waited_put` and `waited_get` are the seconds that each side has waited for the other.

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
        self.waited_put = 0.0
        self.waited_get = 0.0

    def put(self, item: Any) -> None:
        """Add an item, when there is room.

        Raises:
            Cancelled: the job is being stopped.
        """
        with self._changed:
            if len(self._items) >= self._size and not self._cancelled:
                start = time.perf_counter()
                while len(self._items) >= self._size and not self._cancelled:
                    self._changed.wait()
                self.waited_put += time.perf_counter() - start
            if self._cancelled:
                raise Cancelled
            self._items.append(item)
            self._changed.notify_all()

    def get(self) -> Any:
        """The next item, when there is one.

        Raises:
            Cancelled: the job is being stopped.
        """
        with self._changed:
            if not self._items and not self._cancelled:
                start = time.perf_counter()
                while not self._items and not self._cancelled:
                    self._changed.wait()
                self.waited_get += time.perf_counter() - start
            if self._cancelled:
                raise Cancelled
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def cancel(self) -> None:
        """Let both sides end."""
        with self._changed:
            self._cancelled = True
            self._items.clear()
            self._changed.notify_all()
