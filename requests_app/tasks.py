"""The turns that beat gives to requests."""

from typing import Any

from celery import shared_task

from portal import actors, clock
from requests_app import attachments, identity, importing, letters, looking, steps, workflow
from requests_app.models import Request


@shared_task(name="requests_app.tasks.close_verified")
def close_verified(**_: Any) -> None:
    """Settle what has arrived, close what is settled; one that cannot be closed does not keep the others open."""
    looking.look(at=clock.now())
    steps.settle_due(at=clock.now())
    failures: list[Exception] = []
    for request in workflow.closing_by_themselves():
        try:
            workflow.close_if_verified(request=request, by=actors.SYSTEM, at=clock.now())
        except Exception as failure:
            failures.append(failure)
    if failures:
        raise failures[0]


@shared_task(name=letters.SEND_TASK)
def send_letters(**_: Any) -> None:
    letters.send_due(at=clock.now())


@shared_task(name="requests_app.tasks.sweep_files")
def sweep_files(**_: Any) -> None:
    attachments.sweep(at=clock.now())
@shared_task(name="requests_app.tasks.expire_unproven")
def expire_unproven(**_: Any) -> None:
    """Let requests run out that nobody proved, and codes and proofs that are out of time."""
    identity.expire(at=clock.now())


@shared_task(name=importing.TASK)
def take_in_imports(**_: Any) -> None:
    """Take in the files of requests that staff approved."""
    importing.take_in_waiting(clock=clock.now)
