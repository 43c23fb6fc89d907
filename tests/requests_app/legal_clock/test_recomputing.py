"""All open requests at once: the same days as one by one, and nothing written that did not move."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consents.models import Subject
from portal.models import AuditEntry
from requests_app import legal_clock, rulebook
from requests_app.deadlines import DeadlineError
from requests_app.legal_clock import recomputing
from requests_app.models import Request, TimelineEntry
from requests_app.rulebook import Wait
from tests.requests_app.asking import asked
from tests.requests_app.legal_clock.running import due_dates, running, unsaved

RECEIVED = datetime(2026, 9, 3, 12, tzinfo=UTC)
PLACES = ["GB", "GB-SCT", "DE", "US-CA", "US-CO", "NZ", "BR", "TR"]


def later(days: int) -> datetime:
    return RECEIVED + timedelta(days=days)


def test_what_is_waited_for_moves_the_day_from_day_to_day_and_says_so(grace: Subject) -> None:
    (request,) = asked(grace, "access", at=RECEIVED)
    legal_clock.begin_pause(request=request, reason=Wait.CLARIFICATION, at=later(7))
    assert [legal_clock.recompute_all(at=later(days)) for days in (7, 12, 12, 20)] == [0, 1, 0, 1]
    request.refresh_from_db()
    assert request.due_on == date(2026, 10, 16)
    moves = [entry.details for entry in request.timeline.filter(code="clock_moved")]
    assert moves == [
        {"from": "2026-10-05", "to": "2026-10-08", "because": "waiting"},
        {"from": "2026-10-08", "to": "2026-10-16", "because": "waiting"},
    ]
    assert AuditEntry.objects.filter(action="request.clock_moved", object_id=str(request.pk)).count() == 2


def test_a_day_that_drifted_is_put_right(grace: Subject) -> None:
    (request,) = asked(grace, "access", at=RECEIVED)
    Request.objects.filter(pk=request.pk).update(due_on=date(2027, 1, 1), escalated_at=later(1))
    assert legal_clock.recompute_all(at=later(2)) == 1
    request.refresh_from_db()
    assert (request.due_on, request.escalated_at) == (date(2026, 10, 5), None)


def test_closed_requests_are_left_alone(db: None) -> None:
    request = unsaved("GB", "access", RECEIVED, status="expired", closed_at=later(1))
    request.due_on = date(2027, 1, 1)
    request.save()
    assert legal_clock.recompute_all(at=later(2)) == 0


def test_a_changed_rulebook_alone_moves_nothing(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = [unsaved(place, "access", RECEIVED) for place in PLACES]
    Request.objects.bulk_create(requests)
    before = due_dates([one.pk for one in requests])

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a running request asks for no rule")

    monkeypatch.setattr(rulebook, "rule_for", refuse)
    assert legal_clock.recompute_all(at=later(3)) == 0
    assert due_dates([one.pk for one in requests]) == before
    assert TimelineEntry.objects.count() == 0


def test_one_that_cannot_be_reckoned_does_not_keep_the_others(grace: Subject) -> None:
    broken = running("GB", "access", RECEIVED, [(Wait.CLARIFICATION, later(-3), later(-2))])
    good = running("GB", "access", RECEIVED, [(Wait.CLARIFICATION, later(7), later(17))])
    with pytest.raises(DeadlineError) as refused:
        legal_clock.recompute_all(at=later(20))
    assert refused.value.code == "pause_before_receipt"
    days = due_dates([broken.pk, good.pk])
    assert (days[broken.pk][0], days[good.pk][0]) == (date(2026, 10, 5), date(2026, 10, 13))


def test_the_number_of_queries_grows_with_chunks_and_not_with_requests(db: None) -> None:
    def queries(count: int) -> int:
        Request.objects.all().delete()
        Request.objects.bulk_create(
            [unsaved("GB", "access", RECEIVED - timedelta(days=number % 7)) for number in range(count)]
        )
        with CaptureQueriesContext(connection) as asked_for:
            legal_clock.recompute_all(at=later(2))
        return len(asked_for)

    assert queries(10) == queries(200)


def test_chunks_hang_together(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recomputing, "CHUNK", 3)
    requests = [
        running("GB", "access", RECEIVED, [(Wait.CLARIFICATION, later(7), later(7 + number))]) for number in range(10)
    ]
    # up to two days more lie on the weekend that the day is moved off anyway
    assert legal_clock.recompute_all(at=later(20)) == 7
    days = due_dates([one.pk for one in requests])
    assert days[requests[9].pk][0] == date(2026, 10, 12)


def test_the_command_says_how_many_moved(db: None, capsys: Any) -> None:
    running("GB", "access", RECEIVED, [(Wait.CLARIFICATION, later(7), later(17))])
    call_command("recompute_deadlines")
    assert "1 due date moved" in capsys.readouterr().out


waits = st.lists(st.tuples(st.sampled_from(Wait), st.integers(0, 60), st.integers(0, 90)), max_size=3)
moments = st.integers(0, 400 * 24).map(lambda hours: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(PLACES),
    st.sampled_from(["access", "erasure", "opt_out_sale"]),
    moments,
    waits,
    st.booleans(),
    st.integers(0, 120),
    st.one_of(st.none(), st.integers(0, 60)),
    st.one_of(st.none(), st.integers(0, 60)),
)
def test_all_at_once_gives_the_same_days_as_one_by_one(
    db: None,
    place: str,
    right: str,
    received: datetime,
    waited: list[tuple[Wait, int, int]],
    is_open: bool,
    after: int,
    chosen: int | None,
    reopened: int | None,
) -> None:
    spans: list[tuple[Wait, datetime, datetime | None]] = [
        (reason, received + timedelta(days=began), received + timedelta(days=began + length))
        for reason, began, length in waited
    ]
    if spans and is_open:
        spans[0] = (*spans[0][:2], None)
    request = running(place, right, received, spans)
    request.due_override = None if chosen is None else (received + timedelta(days=chosen)).date()
    request.reopened_at = None if reopened is None else received + timedelta(days=reopened)
    request.save()
    at = received + timedelta(days=after)
    legal_clock.recompute_all(at=at)
    deadline = legal_clock.of(request, at=at)
    assert due_dates([request.pk]) == {request.pk: (deadline.due, deadline.acknowledge_by)}
    # answered, so that the next example is not slowed down by it
    Request.objects.filter(pk=request.pk).update(status="withdrawn", closed_at=at)
