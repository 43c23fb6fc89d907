"""What a request's clock says: frozen at receipt, in words, and what may follow its answer."""

from datetime import UTC, date, datetime, timedelta

import pytest

from consents.models import Subject
from requests_app import intake, legal_clock, workflow
from requests_app.appeals import AppealTo
from requests_app.deadlines import DeadlineError
from requests_app.models import Request
from requests_app.rulebook import Wait
from tests.conftest import BY, person
from tests.requests_app.asking import SOON, asked

RECEIVED = datetime(2026, 9, 3, 12, tzinfo=UTC)


def asked_from(place: str, *, at: datetime = RECEIVED, closed: datetime | None = None) -> Request:
    (request,) = asked(person("somebody", place), "access", at=at)
    if closed is not None:
        answered = Request.objects.filter(pk=request.pk)
        answered.update(status="in_progress")
        answered.update(status="fulfilled", closed_at=closed)
        request.refresh_from_db()
    return request


def follow_up(about: Request, *, right: str = "appeal", at: datetime) -> Request:
    assert about.subject is not None
    return asked(about.subject, right, at=at, about=about)[0]


def test_a_place_without_a_law_gets_the_house_rule_and_says_so_in_words(world: None) -> None:
    request = asked_from("TR")
    assert (request.rule, request.due_on) == ("*", date(2026, 10, 3))
    said = legal_clock.arithmetic(request)
    assert "house rule applies: 1 month" in said[0]
    assert said[-1].startswith("The answer is due by Saturday 3 October 2026")


def test_while_something_is_awaited_the_day_is_that_of_looking(grace: Subject) -> None:
    wish = intake.Asked(rights=("access",))
    (request,) = intake.receive(asked=wish, subject=grace, is_proven=False, by=BY, at=RECEIVED)
    assert legal_clock.of(request).due == request.due_on == date(2026, 10, 5)
    looked = legal_clock.of(request, at=RECEIVED + timedelta(days=10))
    assert (looked.due, looked.waiting) == (date(2026, 10, 13), (Wait.IDENTITY,))
    assert any("has not begun to run" in line for line in legal_clock.arithmetic(request, at=RECEIVED))


@pytest.mark.parametrize(
    ("place", "due", "extend_by"),
    [
        ("US-VA", date(2026, 11, 30), None),
        ("US-CO", date(2026, 11, 15), date(2026, 11, 15)),
        ("US-NJ", date(2026, 11, 15), None),
        # no time by the law: the time to answer stands in
        ("GB", date(2026, 11, 2), None),
    ],
)
def test_an_appeal_runs_on_the_days_that_its_law_gives_for_deciding(
    world: None, place: str, due: date, extend_by: date | None
) -> None:
    first = asked_from(place, closed=RECEIVED + timedelta(days=20))
    appeal = follow_up(first, at=datetime(2026, 10, 1, 12, tzinfo=UTC))
    assert (appeal.due_on, legal_clock.of(appeal).extend_by) == (due, extend_by)


def test_a_complaint_in_britain_is_to_be_acknowledged_within_thirty_days(grace: Subject) -> None:
    (first,) = asked(grace, "access", at=RECEIVED)
    complaint = follow_up(first, right="complaint", at=datetime(2026, 10, 1, 12, tzinfo=UTC))
    # the 31st is a Saturday
    assert complaint.acknowledge_by == date(2026, 11, 2)
    assert legal_clock.of(complaint).acknowledge_by == date(2026, 11, 2)


def test_colorado_may_take_sixty_days_more_for_an_appeal(world: None) -> None:
    appeal = follow_up(
        asked_from("US-CO", closed=RECEIVED + timedelta(days=20)), at=datetime(2026, 10, 1, 12, tzinfo=UTC)
    )
    longer = legal_clock.extend(request=appeal, reason="Many systems", by=BY, at=datetime(2026, 11, 1, tzinfo=UTC))
    assert longer.due_on == date(2027, 1, 14) == legal_clock.of(longer).due


def test_each_answer_says_who_hears_an_appeal_and_until_when(world: None) -> None:
    closed = datetime(2026, 9, 20, 12, tzinfo=UTC)
    virginia = legal_clock.onward(asked_from("US-VA", closed=closed), at=closed)
    assert (virginia.to, virginia.lodge_by) == (AppealTo.CONTROLLER, None)


def test_in_quebec_silence_opens_the_way_to_the_commission(world: None) -> None:
    silent = asked_from("CA-QC")
    assert silent.due_on == date(2026, 10, 3)
    assert legal_clock.onward(silent, at=datetime(2026, 10, 3, 12, tzinfo=UTC)).lodge_by is None
    late = datetime(2026, 10, 4, 12, tzinfo=UTC)
    assert legal_clock.onward(silent, at=late).lodge_by == date(2026, 11, 2)
    with pytest.raises(DeadlineError) as refused:
        legal_clock.onward(silent, at=late, is_lodged=True)
    assert refused.value.code == "appeal_elsewhere"


def test_an_appeal_that_comes_too_late_is_refused(world: None) -> None:
    first = asked_from("US-VA", closed=RECEIVED + timedelta(days=5))
    first.terms["appeal"] = {"to": "controller", "decide": "60 days", "window": "30 days"}
    last = RECEIVED + timedelta(days=35)
    assert legal_clock.onward(first, at=last, is_lodged=True).lodge_by == last.date()
    with pytest.raises(DeadlineError) as refused:
        legal_clock.onward(first, at=last + timedelta(days=1), is_lodged=True)
    assert refused.value.code == "appeal_too_late"


def test_a_closed_request_keeps_the_arithmetic_that_it_was_answered_under(grace: Subject) -> None:
    (request,) = asked(grace, "erasure", at=RECEIVED)
    before = legal_clock.arithmetic(request)
    workflow.withdraw(request=request, by=BY, at=SOON)
    assert legal_clock.arithmetic(Request.objects.get(pk=request.pk)) == before


def test_a_request_that_is_opened_again_has_its_time_anew(grace: Subject) -> None:
    (request,) = asked(grace, "access", at=RECEIVED)
    legal_clock.begin_pause(request=request, reason=Wait.CLARIFICATION, at=RECEIVED + timedelta(days=2))
    legal_clock.end_pause(request=request, reason=Wait.CLARIFICATION, at=RECEIVED + timedelta(days=30))
    request = legal_clock.extend(request=request, reason="Many systems", by=BY, at=RECEIVED + timedelta(days=31))
    request.reopened_at = datetime(2027, 2, 1, 12, tzinfo=UTC)
    request.save()
    assert legal_clock.recompute_all(at=request.reopened_at) == 1
    request.refresh_from_db()
    assert (request.due_on, legal_clock.of(request).extended) == (date(2027, 3, 1), False)
