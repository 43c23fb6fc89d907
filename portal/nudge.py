"""Asking a worker to turn now instead of at the next beat. A nudge may be lost: beat turns anyway."""

import kombu.exceptions
import structlog
from celery import current_app
from django.db import transaction

logger = structlog.get_logger(__name__)


def after_commit(task: str) -> None:
    """Send the task by name once the current transaction is committed; a broker that is away is no error."""
    transaction.on_commit(lambda: _send(task))


def _send(task: str) -> None:
    try:
        current_app.send_task(task, retry=False)
    except (kombu.exceptions.OperationalError, OSError):
        logger.warning("nudge.lost", task=task)
