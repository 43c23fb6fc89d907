"""What staff read about the time that is left, and that lists and numbers hold just those of which it is said."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from consents.models import Subject
from portal import clock
from portal.models import User
from requests_app import legal_clock, periods, remaining
from requests_app.models import Request
from requests_app.states import Status
from tests.conftest import AT, SignIn, person
from tests.requests_app.asking import asked
from tests.requests_app.legal_clock.running import unsaved

DUE = date(2026, 3, 31)
# the first and the last place where a day begins and an odd one, which no rule names, and all of the rulebook
ZONES = sorted({"Pacific/Kiritimati", "Etc/GMT+12", "Asia/Kathmandu", *remaining.zones()})
LISTS: list[tuple[Callable[[datetime], Q], Callable[[int], bool]]] = [
    (remaining.overdue, lambda left: left < 0),
    (remaining.due_today, lambda left: left == 0),
    (remaining.due_soon, lambda left: 0 <= left <= remaining.SOON_DAYS),
]


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


@pytest.fixture
def everywhere(db: None) -> None:
    """One request for each zone and each day of five weeks around a change of the clocks in Europe and America."""
    made = []
    for zone in ZONES:
        for number in range(36):
            one = unsaved("GB", "access", AT)
            one.terms["timezone"], one.due_on = zone, date(2026, 10, 18) + timedelta(days=number)
            made.append(one)
    Request.objects.bulk_create(made)


moments = st.integers(0, 25 * 24 * 4).map(lambda n: datetime(2026, 10, 22, tzinfo=UTC) + timedelta(minutes=15 * n))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moments)
# half past midnight in New York, a week of 169 hours before the end of the fifth of November there
@example(datetime(2026, 10, 29, 4, 30, tzinfo=UTC))
# the last hour of a day at one end of the world, and the first at the other
@example(datetime(2026, 11, 1, 11, 59, 59, tzinfo=UTC))
@example(datetime(2026, 11, 1, 10, 0, tzinfo=UTC))
# where the database and Python may know different zones, in Vancouver
@example(datetime(2026, 11, 12, 7, 30, tzinfo=UTC))
def test_a_list_holds_just_those_whose_words_say_so(everywhere: None, at: datetime) -> None:
    rows = list(Request.objects.defer("terms").annotate(zone=remaining.ZONE))
    assert len(rows) == len(ZONES) * 36
    for listed, says in LISTS:
        held = set(Request.objects.filter(listed(at)).values_list("pk", flat=True))
        wrong = [
            (one.terms["timezone"], one.due_on)
            for one in rows
            if (one.pk in held) != says(remaining.days_left(one, at=at))
        ]
        assert wrong == []


def test_the_database_knows_every_zone_of_the_rulebook(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_timezone_names")
        assert set(ZONES) <= {name for (name,) in cursor.fetchall()}


def test_the_stored_end_is_near_enough_to_search_by(everywhere: None) -> None:
    """Midnight comes twice where the clocks go back from one, and the database may know another year's changes."""
    for one in Request.objects.all():
        ends = datetime.combine(one.due_on + timedelta(days=1), time(), tzinfo=periods.zone(one.terms["timezone"]))
        assert abs(one.due_at - ends.astimezone(UTC)) <= timedelta(hours=1)


def test_the_stored_end_follows_whoever_writes_the_day_or_the_terms(grace: Subject) -> None:
    request = asked(grace, "access")[0]
    assert request.due_at == legal_clock.of(request).ends
    Request.objects.update(terms={**request.terms, "timezone": "Asia/Tokyo"}, due_on=DUE)
    assert Request.objects.get().due_at == datetime(2026, 3, 31, 15, tzinfo=UTC)
    with pytest.raises(IntegrityError, match="days_end_somewhere"), transaction.atomic():
        Request.objects.update(terms={})


def test_a_list_and_a_number_agree_with_the_page_of_a_request(
    world: None, petra: User, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one's day is over while the other's has hours to go."""
    tokyo, honolulu = (asked(person(name, place), "access")[0] for name, place in (("jun", "JP"), ("kai", "US-HI")))
    Request.objects.update(due_on=DUE)
    at = datetime.combine(DUE, time(16), tzinfo=UTC)
    browser = signed_in(petra)
    monkeypatch.setattr(clock, "now", lambda: at)
    words = {
        one: browser.get(f"/admin/requests_app/request/{one.pk}/change/").content.decode() for one in (tokyo, honolulu)
    }
    assert "overdue by 1 day" in words[tokyo]
    assert "due today" in words[honolulu]
    for view, held in (("overdue", tokyo), ("today", honolulu), ("soon", honolulu)):
        page = browser.get("/admin/requests_app/request/", {"view": view}).content.decode()
        assert [one for one in (tokyo, honolulu) if one.reference in page] == [held]
    numbers = {tile.label: tile.number for tile in browser.get("/admin/").context["tiles"]}
    assert {numbers[label] for label in ("Overdue requests", "Due today", "Due within a week")} == {1}
