"""Asking a worker to turn now instead of at the next beat. A nudge may be lost: beat turns anyway.

One turn takes in everything that was committed before it, so a burst of changes sends one nudge at once and one at its
end, not one a change.
"""

import threading
import time

import kombu.exceptions
import structlog
from celery import current_app
from django.db import transaction

logger = structlog.get_logger(__name__)

APART = 0.2
"""Seconds between two nudges of the same task by one process."""

_lock = threading.Lock()
_last: dict[str, float] = {}
_waiting: set[str] = set()


def after_commit(task: str) -> None:
    """Send the task by name once the current transaction is committed; a broker that is away is no error."""
    transaction.on_commit(lambda: _soon(task))


def _soon(task: str) -> None:
    with _lock:
        wait = _last.get(task, 0.0) + APART - time.monotonic()
        if wait > 0:
            if task not in _waiting:
                _waiting.add(task)
                timer = threading.Timer(wait, _at_the_end, [task])
                # a process that ends does not wait for it: beat turns
                timer.daemon = True
                timer.start()
            return
        _last[task] = time.monotonic()
    _send(task)


def _at_the_end(task: str) -> None:
    with _lock:
        _waiting.discard(task)
        _last[task] = time.monotonic()
    _send(task)


def _send(task: str) -> None:
    try:
        current_app.send_task(task, retry=False)
    except (kombu.exceptions.OperationalError, OSError):
        logger.warning("nudge.lost", task=task)
