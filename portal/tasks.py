"""Housekeeping turns of the shared floor."""

from typing import Any

from celery import shared_task

from portal import clock, idempotency


@shared_task(name="portal.tasks.forget_old_answers")
def forget_old_answers(**_: Any) -> None:
    idempotency.forget_old(at=clock.now())
