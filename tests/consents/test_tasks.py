"""Beat's turns of consents: each makes its one call, and sequencing hands on to sealing."""

import pytest
from django.conf import settings

from consents import checkpoints, tasks
from portal import nudge
from tests.consents.sealing import fill

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def nudged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    sent: list[str] = []
    monkeypatch.setattr(nudge, "_send", sent.append)
    return sent


def test_what_was_placed_is_sealed_without_waiting_for_beat(nudged: list[str]) -> None:
    fill(2)
    while not nudged:
        # other test processes' transactions hold the horizon back
        tasks.sequence()
    assert nudged == [checkpoints.SEAL_TASK]
    tasks.seal(unknown="to an older worker")
    assert checkpoints.tree_size() == 2


def test_a_turn_without_news_hands_nothing_on(nudged: list[str]) -> None:
    tasks.sequence()
    assert nudged == []


def test_beat_seals_after_it_sequences() -> None:
    names = [turn["task"] for turn in settings.CELERY_BEAT_SCHEDULE.values()]
    assert {"consents.tasks.sequence", checkpoints.SEAL_TASK} <= set(names)
