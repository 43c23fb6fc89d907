"""Housekeeping turns of the shared floor."""

from typing import Any

from celery import shared_task

from portal import clock, idempotency, partitions, sessions


@shared_task(name="portal.tasks.forget_old_answers")
def forget_old_answers(**_: Any) -> None:
    idempotency.forget_old(at=clock.now())


@shared_task(name="portal.tasks.forget_ended_sessions")
def forget_ended_sessions(**_: Any) -> None:
    sessions.forget_ended(at=clock.now())


@shared_task(name="portal.tasks.make_partitions")
def make_partitions(**_: Any) -> None:
    partitions.keep_ready(at=clock.now())
