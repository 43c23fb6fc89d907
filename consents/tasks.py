"""The turns that beat gives to consents."""

from typing import Any

from celery import shared_task

from consents import rules, sequencer
from portal import clock


@shared_task(name="consents.tasks.sequence")
def sequence(**_: Any) -> None:
    sequencer.advance(at=clock.now())


@shared_task(name="consents.tasks.tell_turns")
def tell_turns(**_: Any) -> None:
    rules.tell_turns(at=clock.now())
