"""Remembering for a moment what the database said: bounded in time and in number, per process."""

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ShortMemory(Generic[K, V]):
    """Answers of a look-up, each good for `seconds`. What was not found is never kept."""

    def __init__(self, *, seconds: float, most: int = 10_000) -> None:
        self._seconds, self._most = seconds, most
        self._held: dict[K, tuple[float, V]] = {}
        self._lock = threading.Lock()

    def recall(self, key: K, look_up: Callable[[], V | None], *, now: float) -> V | None:
        """What is remembered, else what `look_up` answers. `now` is in seconds of a clock that never goes back."""
        held = self._held.get(key)
        if held is not None and now - held[0] < self._seconds:
            return held[1]
        found = look_up()
        with self._lock:
            if found is None:
                self._held.pop(key, None)
            else:
                if len(self._held) >= self._most:
                    self._held.clear()
                self._held[key] = (now, found)
        return found

    def clear(self) -> None:
        with self._lock:
            self._held.clear()
