"""The turns that beat gives to consents."""

from typing import Any

from celery import shared_task

from consents import contact_verification, sequencer
from portal import clock


@shared_task(name="consents.tasks.sequence")
def sequence(**_: Any) -> None:
    sequencer.advance(at=clock.now())


@shared_task(name="consents.tasks.forget_expired_contacts")
def forget_expired_contacts(**_: Any) -> None:
    contact_verification.forget_expired(at=clock.now())
