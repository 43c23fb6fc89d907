"""The turns that beat gives to requests."""

import os
import socket
import uuid
from collections.abc import Callable
from typing import Any

from celery import shared_task

from portal import actors, clock, nudge
from requests_app import (
    attachments,
    drp_callbacks,
    identity,
    importing,
    legal_clock,
    letters,
    looking,
    opendsr_callbacks,
    packages,
    reminders,
    steps,
    workflow,
)
from requests_app.models import Request


@shared_task(name="requests_app.tasks.close_verified")
def close_verified(**_: Any) -> None:
    """Settle what has arrived, close what is settled; whatever fails does not keep the rest waiting."""
    failures: list[Exception] = []
    for turn in (looking.look, looking.follow, steps.settle_due):
        try:
            turn(at=clock.now())
        except Exception as failure:
            failures.append(failure)
    # by their numbers: rows with their frozen rules would fill the memory where many close at once
    for pk in workflow.closing_by_themselves(at=clock.now()).values_list("pk", flat=True):
        _each(failures, pk, workflow.close_if_verified)
    for pk in workflow.left_behind().values_list("pk", flat=True):
        _each(failures, pk, workflow.take_along)
    if failures:
        raise failures[0]


def _each(failures: list[Exception], pk: uuid.UUID, turn: Callable[..., object]) -> None:
    try:
        turn(request=Request.objects.get(pk=pk), by=actors.SYSTEM, at=clock.now())
    except Exception as failure:
        failures.append(failure)


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


@shared_task(name=packages.BUILD_TASK)
def build_packages(**_: Any) -> None:
    """Build the next answer package; where there was one, the next turn comes at once."""
    if packages.build_next(holder=f"{socket.gethostname()}:{os.getpid()}", clock=clock.now):
        nudge.after_commit(packages.BUILD_TASK)


@shared_task(name="requests_app.tasks.delete_expired_packages")
def delete_expired_packages(**_: Any) -> None:
    packages.delete_expired(at=clock.now())


@shared_task(name="requests_app.tasks.tell_agents")
def tell_agents(**_: Any) -> None:
    """Tell authorised agents of what changed about their requests."""
    drp_callbacks.deliver(clock=clock.now, seconds=20.0)


@shared_task(name="requests_app.tasks.tell_controllers")
def tell_controllers(**_: Any) -> None:
    """Tell controllers whose processor we are of what changed about their requests."""
    opendsr_callbacks.deliver(clock=clock.now, seconds=20.0)


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
