"""Django's cache in Redis that may be away: then each process remembers alone, and nobody is turned away for it.

What counts (codes asked for, calls made, tries at a second factor) goes on counting in each process: too little where
there are several, and never nothing. A code of a second factor that was used is known in the process that saw it.
"""

from collections.abc import Callable
from typing import Any

import structlog
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

logger = structlog.get_logger(__name__)


_MOST = 10_000
"""Entries that a process keeps meanwhile."""


class Cache(RedisCache):
    """Every call is answered from this process's memory where Redis cannot be asked."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._alone = LocMemCache("while Redis is away", {**params, "OPTIONS": {"MAX_ENTRIES": _MOST}})

    def add(self, *args: Any, **kwargs: Any) -> bool:
        return bool(_or(self._alone.add, super().add, *args, **kwargs))

    def get(self, *args: Any, **kwargs: Any) -> Any:
        return _or(self._alone.get, super().get, *args, **kwargs)

    def set(self, *args: Any, **kwargs: Any) -> None:
        _or(self._alone.set, super().set, *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> bool:
        return bool(_or(self._alone.delete, super().delete, *args, **kwargs))

    def incr(self, key: Any, delta: int = 1, version: Any = None) -> int:
        """Raises ValueError, as for a key that is not there: whoever counts has a way of its own then."""
        found = _or(lambda *_: None, super().incr, key, delta, version)
        if found is None:
            raise ValueError("Redis is away")
        return int(found)


def _or(alone: Callable[..., Any], ask: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return ask(*args, **kwargs)
    except (RedisError, OSError):
        logger.warning("cache.away")
        return alone(*args, **kwargs)
