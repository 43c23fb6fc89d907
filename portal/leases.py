"""What every lease on a row has in common: it is kept alive while long work goes on, and it can be lost.

Who may take which lease, and the statements for that, are beside the table.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import DatabaseError, connection


class LeaseLost(Exception):
    """Somebody else does this work now; whoever sees this stops at once and writes nothing."""


@contextmanager
def heartbeat(extend: Callable[[], None]) -> Iterator[None]:
    """Extend the lease from a thread of its own, three times in each; `extend` raises LeaseLost."""
    done = threading.Event()
    thread = threading.Thread(target=_beat, args=(extend, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join(timeout=5)


def _beat(extend: Callable[[], None], done: threading.Event) -> None:
    try:
        while not done.wait(settings.LEASE.total_seconds() / 3):
            try:
                extend()
            except LeaseLost:
                # the worker learns of it at its next fence
                return
            except DatabaseError:
                # a connection that broke: the next beat takes a new one
                connection.close()
    finally:
        connection.close()
