"""The turns that beat gives to requests."""

from typing import Any

from celery import shared_task

from portal import actors, clock
from requests_app import drp_callbacks, workflow
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


@shared_task(name="requests_app.tasks.tell_agents")
def tell_agents(**_: Any) -> None:
    """Tell authorised agents of what changed about their requests."""
    drp_callbacks.deliver(clock=clock.now, seconds=20.0)
