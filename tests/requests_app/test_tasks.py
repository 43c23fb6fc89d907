"""Beat's turns of requests: each makes its one call, and beat knows them."""

from datetime import timedelta

import pytest
from celery import current_app
from django.conf import settings
from django.core import mail

from portal import clock
from portal.models import User
from requests_app import tasks
from requests_app.models import ClockNotice, Request, StaffLetter
from tests.requests_app.legal_clock.running import unsaved

TURNS = ("recompute_deadlines", "remind_of_deadlines", "send_reminders", "acknowledge_receipts")


@pytest.mark.django_db(transaction=True)
def test_what_is_overdue_is_told_and_mailed_by_the_turns(petra: User) -> None:
    Request.objects.bulk_create([unsaved("GB", "access", clock.now() - timedelta(days=90)) for _ in range(3)])
    tasks.recompute_deadlines(unknown="to an older worker")
    tasks.remind_of_deadlines(unknown="to an older worker")
    tasks.send_reminders(unknown="to an older worker")
    tasks.acknowledge_receipts(unknown="to an older worker")
    assert ClockNotice.objects.filter(code="escalated").count() == 3
    assert StaffLetter.objects.get().state == StaffLetter.SENT
    assert [one.to for one in mail.outbox] == [[petra.email]]


def test_beat_gives_each_its_turn() -> None:
    scheduled = {turn["task"] for turn in settings.CELERY_BEAT_SCHEDULE.values()}
    names = {f"requests_app.tasks.{name}" for name in TURNS}
    assert names <= scheduled
    assert names <= set(current_app.tasks)
