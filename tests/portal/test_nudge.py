"""A nudge may be lost: beat turns anyway."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from celery import signals
from django.db import transaction

from portal import nudge

ALONE = """
import django
django.setup()
from portal import nudge
nudge._send("consents.tasks.sequence")
print("went on")
"""


def test_a_broker_that_is_away_is_no_error() -> None:
    environment = {**os.environ, "REDIS_URL": "redis://127.0.0.1:1/0", "DJANGO_SETTINGS_MODULE": "portal.settings"}
    run = subprocess.run(
        [sys.executable, "-c", ALONE],
        env=environment,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=60,
        check=False,
    )
    assert "went on" in run.stdout, run.stderr
    assert "nudge.lost" in run.stderr


@pytest.mark.django_db(transaction=True)
def test_a_nudge_goes_out_when_the_change_is_committed_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    # of a test that ran a moment ago
    monkeypatch.setattr(nudge, "_last", {})
    sent: list[str] = []

    def keep(sender: str, **_: object) -> None:
        sent.append(sender)

    signals.before_task_publish.connect(keep)
    with transaction.atomic():
        nudge.after_commit("consents.tasks.sequence")
        assert sent == []
    assert sent == ["consents.tasks.sequence"]
    signals.before_task_publish.disconnect(keep)
