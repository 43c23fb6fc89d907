"""The turns that beat gives to requests."""

from typing import Any

from celery import shared_task

from portal import actors, clock
from requests_app import legal_clock, reminders, workflow
from requests_app.models import Request


@shared_task(name="requests_app.tasks.close_verified")
def close_verified(**_: Any) -> None:
    """Close the erasures that have arrived everywhere; one that cannot be closed does not keep the others open."""
    failures: list[Exception] = []
    for request in Request.objects.open().filter(carried_out_at__isnull=False):
        try:
            workflow.close_if_verified(request=request, by=actors.SYSTEM, at=clock.now())
        except Exception as failure:
            failures.append(failure)
    if failures:
        raise failures[0]


@shared_task(name="requests_app.tasks.recompute_deadlines")
def recompute_deadlines(**_: Any) -> None:
    legal_clock.recompute_all(at=clock.now())


@shared_task(name="requests_app.tasks.remind_of_deadlines")
def remind_of_deadlines(**_: Any) -> None:
    while reminders.remind(at=clock.now()):
        pass


@shared_task(name="requests_app.tasks.send_reminders")
def send_reminders(**_: Any) -> None:
    reminders.send_due(clock=clock.now)


@shared_task(name="requests_app.tasks.acknowledge_receipts")
def acknowledge_receipts(**_: Any) -> None:
    reminders.acknowledge_receipts(at=clock.now())
