"""The turns that beat gives to requests."""

import os
import socket
from typing import Any

from celery import shared_task

from portal import actors, clock, nudge
from requests_app import packages, workflow
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


@shared_task(name=packages.BUILD_TASK)
def build_packages(**_: Any) -> None:
    """Build the next answer package; where there was one, the next turn comes at once."""
    if packages.build_next(holder=f"{socket.gethostname()}:{os.getpid()}", clock=clock.now):
        nudge.after_commit(packages.BUILD_TASK)


@shared_task(name="requests_app.tasks.delete_expired_packages")
def delete_expired_packages(**_: Any) -> None:
    packages.delete_expired(at=clock.now())
