"""What must hold of every request's clock: a pause never shortens, an extension is never without its notice, and who
asks later is answered no earlier.
"""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consents.models import Subject
from portal.errors import DomainError
from requests_app import legal_clock, rulebook
from requests_app.deadlines import Deadline
from requests_app.legal_clock import reckoning
from requests_app.models import Letter, Pause, Request
from requests_app.rulebook import Wait
from tests.conftest import BY
from tests.requests_app.asking import asked
from tests.requests_app.legal_clock.running import unsaved

PLACES = sorted({*rulebook.load().entries, "DE", "FR", "GB-SCT", "GB-NIR", "TR"} - {"EEA", "*"})
places = st.sampled_from(PLACES)
rights = st.sampled_from(["access", "erasure", "opt_out_sale", "appeal", "complaint"])
moments = st.integers(0, 3 * 365 * 24).map(lambda hours: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours))
waits = st.lists(st.tuples(st.sampled_from(Wait), st.integers(0, 100), st.integers(0, 60)), max_size=3)
maybe_days = st.one_of(st.none(), st.integers(0, 90))
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def clock(request: Request, waited: list[tuple[Wait, int, int]], *, from_: datetime | None = None) -> Deadline:
    """What the request's clock says after these waits (days after receipt, length)."""
    begin = from_ or request.received_at
    pauses = [
        Pause(reason=reason, began_at=begin + timedelta(days=after), ended_at=begin + timedelta(days=after + length))
        for reason, after, length in waited
    ]
    return reckoning.reckon(rulebook.thaw(request.terms), reckoning.facts_of(request, pauses))


def that_count(request: Request, waited: list[tuple[Wait, int, int]]) -> list[tuple[Wait, int, int]]:
    """Without the waits that move the start: from another start the months have other lengths."""
    starts_at = rulebook.thaw(request.terms).starts_at
    return [wait for wait in waited if wait[0] not in starts_at]


def chosen(request: Request, days: int | None) -> Request:
    request.due_override = None if days is None else (request.received_at + timedelta(days=days)).date()
    return request


@unhurried
@given(places, rights, moments, waits, waits, maybe_days)
def test_a_pause_never_shortens(
    place: str,
    right: str,
    received: datetime,
    few: list[tuple[Wait, int, int]],
    more: list[tuple[Wait, int, int]],
    days: int | None,
) -> None:
    request = chosen(unsaved(place, right, received), days)
    few, more = that_count(request, few), that_count(request, more)
    assert clock(request, few).due <= clock(request, few + more).due


@unhurried
@given(places, rights, moments, st.integers(0, 400), waits)
def test_who_asks_later_is_answered_no_earlier(
    place: str, right: str, received: datetime, gap: int, waited: list[tuple[Wait, int, int]]
) -> None:
    # under one rule: a law that changes in between may serve those better who ask later
    later = received + timedelta(days=gap)
    first, second = unsaved(place, right, received), unsaved(place, right, later)
    first.terms = second.terms
    assert clock(first, waited, from_=later).due <= clock(second, waited).due


@unhurried
@given(places, rights, moments, waits, st.integers(0, 90))
def test_what_staff_choose_is_never_later_than_the_law(
    place: str, right: str, received: datetime, waited: list[tuple[Wait, int, int]], days: int
) -> None:
    request = unsaved(place, right, received)
    lawful = clock(request, waited).due
    day = (received + timedelta(days=days)).date()
    assert clock(chosen(request, days), waited).due == min(day, lawful)


@settings(unhurried, max_examples=40)
@given(st.integers(0, 130), st.text(max_size=20), st.one_of(st.none(), st.integers(-5, 150)))
def test_an_extension_is_never_without_its_notice(grace: Subject, after: int, reason: str, until: int | None) -> None:
    received = datetime(2026, 9, 3, 12, tzinfo=UTC)
    (request,) = asked(grace, "access", at=received)
    at = received + timedelta(days=after)
    named = None if until is None else date(2026, 10, 5) + timedelta(days=until)
    try:
        request = legal_clock.extend(request=request, reason=reason, until=named, by=BY, at=at)
    except DomainError:
        request = Request.objects.get(pk=request.pk)
    was_extended = request.due_on > date(2026, 10, 5)
    assert was_extended == (request.extended_at is not None)
    assert Letter.objects.filter(request=request, code="extended").count() == was_extended
    assert request.timeline.filter(code="extended", sealed__isnull=False).count() == was_extended
    Request.objects.filter(pk=request.pk).update(status="withdrawn", closed_at=at)


@pytest.mark.parametrize("place", PLACES)
def test_wherever_somebody_lives_the_clock_can_be_said(place: str) -> None:
    request = unsaved(place, "access", datetime(2026, 9, 3, 12, tzinfo=UTC))
    said = [str(step) for step in clock(request, [(Wait.IDENTITY, 0, 3), (Wait.CLARIFICATION, 2, 3)]).explanation]
    assert said
    assert all("%(" not in line for line in said)
