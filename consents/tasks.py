"""The turns that beat gives to consents."""

from typing import Any

from celery import shared_task

from consents import checkpoints, contact_verification, deliveries, dispatch, expiry, notice_turns, rules, sequencer
from portal import clock, nudge

_DELIVERING_SECONDS = 4.0
"""Shorter than beat's pace, so that letters never keep the workers from carrying a no to the datasets."""


@shared_task(name="consents.tasks.sequence")
def sequence(**_: Any) -> None:
    if sequencer.advance(at=clock.now()):
        nudge.after_commit(checkpoints.SEAL_TASK)


@shared_task(name=checkpoints.SEAL_TASK)
def seal(**_: Any) -> None:
    checkpoints.seal(at=clock.now())


@shared_task(name=deliveries.DELIVER_TASK)
def deliver(**_: Any) -> None:
    dispatch.deliver(clock=clock.now, seconds=_DELIVERING_SECONDS)


@shared_task(name="consents.tasks.expire")
def expire(**_: Any) -> None:
    expiry.expire(at=clock.now())


@shared_task(name="consents.tasks.forget_expired_contacts")
def forget_expired_contacts(**_: Any) -> None:
    contact_verification.forget_expired(at=clock.now())


@shared_task(name="consents.tasks.tell_turns")
def tell_turns(**_: Any) -> None:
    rules.tell_turns(at=clock.now())
    notice_turns.tell(at=clock.now())
