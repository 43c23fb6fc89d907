"""Counting calls in windows of time, across processes, without asking Redis at each call.

Every process counts for itself and adds what it counted to Redis' total at most a few times a second, where it learns
of the others'. So a client may go over its limit by what arrives in that fraction of a second, and while Redis is away
each process goes on counting alone: a call is never refused, nor let through for good, because the cache is gone.
"""

import threading
import time
from dataclasses import dataclass, field

import structlog
from django.core.cache import cache
from redis.exceptions import RedisError

logger = structlog.get_logger(__name__)

_EVERY = 0.2
"""Seconds between two looks at the total."""
_KEPT = 10_000
"""Clients that a process keeps in mind; beyond, it begins anew, and the totals are in Redis."""


@dataclass(frozen=True)
class Count:
    """Where a client stands: calls left in this window, and seconds until the next one."""

    allowed: bool
    left: int
    seconds: int


@dataclass
class _Window:
    number: int
    total: int = 0
    unsent: int = 0
    asked: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


_windows: dict[str, _Window] = {}
_now = time.time


def count(key: str, *, limit: int, window: int) -> Count:
    """Count one call against `limit` calls in `window` seconds."""
    now = _now()
    number, into = divmod(now, window)
    mine = _window(key, int(number))
    with mine.lock:
        allowed = mine.total < limit
        if allowed:
            mine.total += 1
            mine.unsent += 1
        # also while refused, so that it is noticed when somebody empties the cache
        if now - mine.asked >= _EVERY:
            mine.asked = now
            _share(key, mine, window)
            allowed = allowed and mine.total <= limit
        return Count(allowed=allowed, left=max(limit - mine.total, 0), seconds=max(int(window - into), 1))


def forget() -> None:
    """Begin anew in this process."""
    _windows.clear()


def _window(key: str, number: int) -> _Window:
    found = _windows.get(key)
    if found is None or found.number != number:
        if len(_windows) >= _KEPT:
            _windows.clear()
        found = _windows[key] = _Window(number)
    return found


def _share(key: str, mine: _Window, window: int) -> None:
    name = f"calls:{key}:{mine.number}"
    try:
        cache.add(name, 0, timeout=window * 2)
        mine.total = cache.incr(name, mine.unsent)
        mine.unsent = 0
    except (RedisError, OSError, ValueError):
        # ValueError: the key went between the two calls
        logger.warning("rate_limits.alone")
