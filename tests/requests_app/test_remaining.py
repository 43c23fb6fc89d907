"""What staff read about the time that is left."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from requests_app import remaining
from requests_app.models import Request
from requests_app.states import Status

DUE = date(2026, 3, 31)


@pytest.mark.parametrize(
    ("today", "kind", "words"),
    [
        (date(2026, 3, 10), "success", "31 Mar 2026 – 21 days left"),
        (date(2026, 3, 24), "warning", "31 Mar 2026 – 7 days left"),
        (date(2026, 3, 30), "warning", "31 Mar 2026 – 1 day left"),
        (date(2026, 3, 31), "warning", "31 Mar 2026 – due today"),
        (date(2026, 4, 1), "danger", "31 Mar 2026 – overdue by 1 day"),
        (date(2026, 4, 9), "danger", "31 Mar 2026 – overdue by 9 days"),
    ],
)
def test_an_open_request_counts_its_days(today: date, kind: str, words: str) -> None:
    request = Request(due_on=DUE, terms={"timezone": "UTC"})
    assert remaining.in_words(request, at=datetime.combine(today, time(12), tzinfo=UTC)) == (kind, words)


@pytest.mark.parametrize(
    ("zone", "hour", "words"),
    [
        ("Pacific/Auckland", 10, "due today"),
        ("Pacific/Auckland", 12, "overdue by 1 day"),
        ("America/Los_Angeles", 30, "due today"),
        ("America/Los_Angeles", 32, "overdue by 1 day"),
    ],
)
def test_a_day_ends_where_the_person_lives(zone: str, hour: int, words: str) -> None:
    at = datetime.combine(DUE, time(), tzinfo=UTC) + timedelta(hours=hour)
    assert words in remaining.in_words(Request(due_on=DUE, terms={"timezone": zone}), at=at)[1]


def test_a_closed_request_counts_none() -> None:
    closed = Request(due_on=DUE, status=Status.WITHDRAWN)
    assert remaining.in_words(closed, at=datetime(2027, 1, 1, tzinfo=UTC)) == ("default", "closed")
