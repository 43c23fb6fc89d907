"""The turns that beat gives to consents."""

from typing import Any

from celery import shared_task

from consents import checkpoints, sequencer
from portal import clock, nudge


@shared_task(name="consents.tasks.sequence")
def sequence(**_: Any) -> None:
    if sequencer.advance(at=clock.now()):
        nudge.after_commit(checkpoints.SEAL_TASK)


@shared_task(name=checkpoints.SEAL_TASK)
def seal(**_: Any) -> None:
    checkpoints.seal(at=clock.now())
