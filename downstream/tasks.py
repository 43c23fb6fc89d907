"""The turns that beat gives to downstream, and the carrying out of one propagation. Tasks carry ids only."""

import os
import socket
import uuid
from typing import Any

from celery import current_app, shared_task

from downstream import arrivals, permits, propagation, purging, webhook_sending, webhooks
from portal import clock


@shared_task(name="downstream.tasks.turn")
def turn(**_: Any) -> None:
    """Plan what is behind, and hand what is due to the workers."""
    at = clock.now()
    try:
        propagation.plan(at=at)
    finally:
        # a dataset that cannot be planned does not keep the others' work from the workers
        for propagation_id in propagation.hand_over(at=at):
            current_app.send_task(propagation.CARRY_OUT_TASK, kwargs={"propagation_id": str(propagation_id)})


@shared_task(name="downstream.tasks.look_around")
def look_around(**_: Any) -> None:
    """Notice what others have changed in datasets; the next turn plans for it."""
    arrivals.look_around(at=clock.now())


@shared_task(name=propagation.CARRY_OUT_TASK)
def carry_out(*, propagation_id: str, **_: Any) -> None:
    holder = f"{socket.gethostname()}:{os.getpid()}"
    if not propagation.carry_out(propagation_id=uuid.UUID(propagation_id), holder=holder, clock=clock.now):
        # one that was verified before; what was verified just now lets other runs go first
        purging.carry_out(propagation_id=uuid.UUID(propagation_id), holder=holder, clock=clock.now)


@shared_task(name="downstream.tasks.mark_void_permits")
def mark_void_permits(**_: Any) -> None:
    """Write down which permits a hold has made void, so that their holders are told."""
    permits.mark_void(at=clock.now())


@shared_task(name="downstream.tasks.send_webhooks")
def send_webhooks(**_: Any) -> None:
    """Tell partners of what happened since the last turn."""
    webhooks.follow(at=clock.now())
    webhook_sending.deliver(clock=clock.now, seconds=20.0)
