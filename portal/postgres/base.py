"""A pool that asks a connection whether it still lives once a second at most, not at each request.

Django's own asks each time it hands one out (CONN_HEALTH_CHECKS): a statement more for every request, half of what a
decision costs. A connection that worked within the last second is trusted; after a restart of the database at most the
requests of that second fail.
"""

import time
from collections.abc import Callable
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.postgresql import base
from psycopg import Connection
from psycopg_pool import ConnectionPool

TRUSTED = 1.0
"""Seconds."""

_seen: "WeakKeyDictionary[Connection[Any], float]" = WeakKeyDictionary()


def check(connection: "Connection[Any]") -> None:
    """Raises psycopg.OperationalError when the connection is dead; the pool then takes another."""
    now = time.monotonic()
    if now - _seen.get(connection, float("-inf")) > TRUSTED:
        ConnectionPool.check_connection(connection)
        _seen[connection] = now


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's, with that pool."""

    # Django's own, which its types leave out
    _connection_pools: ClassVar[dict[str, "ConnectionPool[Any]"]]
    _configure_connection: "Callable[[Connection[Any]], None]"

    @property
    def pool(self) -> "ConnectionPool[Any] | None":
        options = self.settings_dict["OPTIONS"].get("pool")
        if self.alias == NO_DB_ALIAS or not options:
            return None
        if self.alias not in self._connection_pools:
            made: ConnectionPool[Any] = ConnectionPool(
                kwargs={**self.get_connection_params(), "autocommit": True},
                open=False,
                configure=self._configure_connection,
                check=check,
                **options,
            )
            # of two threads that make one at once, the first one's stays
            self._connection_pools.setdefault(self.alias, made)
        return self._connection_pools[self.alias]
