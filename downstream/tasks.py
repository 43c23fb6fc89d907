"""The turns that beat gives to downstream, and the carrying out of one propagation. Tasks carry ids only."""

import os
import socket
import uuid
from typing import Any

from celery import current_app, shared_task

from downstream import propagation, purging
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


@shared_task(name=propagation.CARRY_OUT_TASK)
def carry_out(*, propagation_id: str, **_: Any) -> None:
    holder = f"{socket.gethostname()}:{os.getpid()}"
    propagation.carry_out(propagation_id=uuid.UUID(propagation_id), holder=holder, clock=clock.now)
    # what was just verified is looked at right away: most stores keep nothing old
    purging.carry_out(propagation_id=uuid.UUID(propagation_id), holder=holder, clock=clock.now)
