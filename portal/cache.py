"""Django's cache in Redis that may be away: then nothing is remembered, and nobody is turned away for it.

What counts (codes asked for, calls made) counts too little meanwhile; what has to hold is counted in PostgreSQL.
"""

from collections.abc import Callable
from typing import Any

import structlog
from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

logger = structlog.get_logger(__name__)


class Cache(RedisCache):
    """Every call answers as an empty cache does where Redis cannot be asked."""

    def add(self, *args: Any, **kwargs: Any) -> bool:
        return bool(_or(True, super().add, *args, **kwargs))

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        return _or(default, super().get, key, default, version)

    def set(self, *args: Any, **kwargs: Any) -> None:
        _or(None, super().set, *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> bool:
        return bool(_or(False, super().delete, *args, **kwargs))

    def incr(self, key: Any, delta: int = 1, version: Any = None) -> int:
        """Raises ValueError, as for a key that is not there."""
        found = _or(None, super().incr, key, delta, version)
        if found is None:
            raise ValueError("Redis is away")
        return int(found)


def _or(otherwise: Any, ask: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return ask(*args, **kwargs)
    except (RedisError, OSError):
        logger.warning("cache.away")
        return otherwise
