"""What staff take down: whose it is, whether identity was shown, and what is refused."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from consents import subjects
from consents.models import Subject
from portal.errors import DomainError
from portal.models import AuditEntry
from requests_app import identity, legal_clock, rulebook, taking_down
from requests_app.intake import Asked
from requests_app.models import Request
from requests_app.states import CheckStatus, Status
from requests_app.taking_down import TakenDown
from tests.conftest import AT, BY
from tests.requests_app.asking import asked
from tests.requests_app.legal_clock.running import unsaved
from tests.requests_app.proving import ROB, SOON, typed

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]


def taken(
    *rights: str, scheme: str = "email", value: str = "alice@example.org", shown: str = "", **said: Any
) -> TakenDown:
    wish = Asked(rights=rights, **{"channel": "phone", **said})
    return TakenDown(wish, subjects.name(scheme, value), shown)


def take_in(*rights: str, **said: Any) -> list[Request]:
    return taking_down.take_in(taken=taken(*rights, **said), by=BY, at=AT)


def test_a_known_person_who_showed_themselves_is_in_the_queue_at_once(alice: Subject) -> None:
    yesterday = taking_down.received(AT.date() - timedelta(days=1), at=AT)
    objection, erasure = take_in(
        "objection", "erasure", shown="document", scope={"purposes": ["ai-training"]}, received_at=yesterday
    )
    assert (erasure.status, erasure.subject, erasure.channel) == (Status.RECEIVED, alice, "phone")
    assert (erasure.received_at, erasure.identity_confirmed_at) == (yesterday, yesterday)
    assert (objection.status, objection.group) == (Status.IN_PROGRESS, erasure.group)
    [check] = erasure.checks.all()
    assert (check.method, check.status, check.decided_by) == ("document", CheckStatus.PASSED, BY)
    assert [one.code for one in erasure.timeline.all()] == ["received", "proof_passed"]


def test_a_known_person_who_did_not_waits_for_a_code_to_their_own_address(alice: Subject) -> None:
    [request] = take_in("access", scheme="account", value="m_alice")
    assert (request.status, request.subject) == (Status.VERIFYING, alice)
    assert identity.ask_code(request=request, by=BY, at=AT).contact == "alice@example.org"


def test_somebody_unknown_waits_for_a_code_to_the_address(world: None) -> None:
    [request] = take_in("access", value="zoe@example.org", jurisdiction="GB")
    assert (request.status, request.subject, request.jurisdiction) == (Status.VERIFYING, None, "GB")


def test_somebody_unknown_who_showed_themselves_is_registered_by_the_address(world: None) -> None:
    [request] = take_in("access", value="zoe@example.org", jurisdiction="GB", shown="document")
    assert request.subject == subjects.find(subjects.name("email", "zoe@example.org"))
    assert request.status == Status.RECEIVED


def test_a_document_that_comes_later_names_who_wrote_a_letter(world: None) -> None:
    [request] = take_in("erasure", value="zoe@example.org", jurisdiction="GB", channel="letter")
    check = identity.require(request=request, method="document", by=BY, at=AT)
    identity.decide(check=check, passed=True, by=BY, at=SOON)
    zoe = subjects.get(subjects.name("email", "zoe@example.org"))
    request.refresh_from_db()
    assert (request.subject, request.status) == (zoe, Status.RECEIVED)
    assert zoe.identifiers.get().verified_at is None


def test_of_the_erased_a_document_brings_nothing_back(alice: Subject) -> None:
    subjects.forget(subject=alice, by=BY, at=AT)
    [request] = take_in("access", jurisdiction="GB", channel="letter")
    check = identity.require(request=request, method="document", by=BY, at=AT)
    identity.decide(check=check, passed=True, by=BY, at=SOON)
    request.refresh_from_db()
    assert identity.holds_nothing(request)


def refusal(*rights: str, **said: Any) -> tuple[str, str | None]:
    before = Request.objects.count(), AuditEntry.objects.count(), Subject.objects.count()
    with pytest.raises(DomainError) as refused:
        take_in(*rights, **said)
    assert (Request.objects.count(), AuditEntry.objects.count(), Subject.objects.count()) == before
    with pytest.raises(DomainError) as foreseen:
        taking_down.outlook(taken=taken(*rights, **said), by=BY, at=AT)
    assert (foreseen.value.code, foreseen.value.field) == (refused.value.code, refused.value.field)
    return refused.value.code, refused.value.field


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"value": "zoe@example.org"}, "jurisdiction_missing"),
        ({"value": "zoe@example.org", "jurisdiction": "Narnia"}, "unknown_jurisdiction"),
        ({"scheme": "account", "value": "nobody", "jurisdiction": "GB"}, "unknown_subject"),
        ({"shown": "passport"}, "unknown_method"),
        ({"shown": "code"}, "unknown_method"),
        ({"capacity": "heir"}, "requester_missing"),
        ({"requester": ROB}, "requester_of_oneself"),
        ({"scope": {"purposes": ["ai-training"]}}, "scope_not_taken"),
        ({"received_at": AT + timedelta(hours=1)}, "time_in_future"),
        ({"received_at": AT - timedelta(days=367)}, "time_too_old"),
        ({"note": "x" * 4_001}, "note_too_long"),
    ],
)
def test_what_cannot_be_taken_down_is_refused_and_foreseen(alice: Subject, said: dict[str, Any], code: str) -> None:
    assert refusal("access", **said)[0] == code


def test_the_erased_are_not_registered_again(alice: Subject) -> None:
    subjects.forget(subject=alice, by=BY, at=AT)
    before = Subject.objects.count()
    with pytest.raises(DomainError) as refused:
        take_in("access", jurisdiction="GB", shown="document")
    assert refused.value.code == "suppressed"
    assert Subject.objects.count() == before


def test_a_complaint_is_about_a_request_of_the_same_person(alice: Subject, charlie: Subject) -> None:
    theirs = asked(charlie, "access")[0]
    assert refusal("complaint", about=theirs) == ("unknown_request", "about")
    assert refusal("complaint") == ("about_missing", "about")
    mine = asked(alice, "access")[0]
    assert take_in("complaint", about=mine)[0].about == mine
    assert refusal("complaint", about=mine, value="zoe@example.org", jurisdiction="GB")[0] == "unknown_request"


def test_the_outlook_says_whose_it_is_and_what_it_repeats(alice: Subject) -> None:
    first = asked(alice, "access")[0]
    audited = AuditEntry.objects.count()
    outlook = taking_down.outlook(taken=taken("access", "erasure"), by=BY, at=AT)
    assert (outlook.subject, outlook.repeats) == (alice, {"access": first})
    assert AuditEntry.objects.count() == audited + 1
    assert AuditEntry.objects.filter(action="subject.look_up", object_id=str(alice.pk)).count() == 1
    assert Request.objects.count() == 1
    assert take_in("access", shown="document")[0].duplicate_of == first


def test_what_is_not_proven_is_no_duplicate_that_anybody_could_be_blocked_by(alice: Subject) -> None:
    typed("access", contact="alice@example.org")
    assert taking_down.outlook(taken=taken("access"), by=BY, at=AT).repeats == {}


@pytest.mark.parametrize(
    ("day", "at", "came"),
    [
        (date(2026, 3, 1), AT, datetime(2026, 3, 1, 10, 30, tzinfo=UTC)),
        (date(2026, 3, 2), datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(2026, 3, 2, 9, tzinfo=UTC)),
        (date(2026, 3, 2), datetime(2026, 3, 2, 15, tzinfo=UTC), datetime(2026, 3, 2, 10, 30, tzinfo=UTC)),
        # nine in the morning of the third, on the stamp of a house in Auckland
        (date(2026, 3, 3), datetime(2026, 3, 2, 20, tzinfo=UTC), datetime(2026, 3, 2, 20, tzinfo=UTC)),
    ],
)
def test_of_a_day_an_hour_counts_but_never_the_future(day: date, at: datetime, came: datetime) -> None:
    assert taking_down.received(day, at=at) == came
    with pytest.raises(DomainError, match="tomorrow"):
        taking_down.received(at.date() + timedelta(days=2), at=at)


def test_a_day_that_has_begun_nowhere_is_refused() -> None:
    first = datetime(2026, 3, 2, 10, tzinfo=UTC)
    assert taking_down.received(date(2026, 3, 3), at=first) == first
    with pytest.raises(DomainError, match="tomorrow"):
        taking_down.received(date(2026, 3, 3), at=first - timedelta(seconds=1))


@pytest.mark.parametrize("place", ["US-CA", "GB", "NZ"])
def test_the_clock_counts_from_the_day_on_the_stamp(place: str) -> None:
    """A letter of yesterday, whatever the hour at which it is written down."""
    stamp = date(2026, 3, 1)
    for hours in range(24, 48):
        came = taking_down.received(stamp, at=datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=hours))
        assert legal_clock.of(unsaved(place, "access", came)).received == stamp


def test_the_day_of_a_letter_is_that_day_wherever_the_person_lives() -> None:
    for day in (date(2026, 1, 15), date(2026, 7, 15)):
        came = taking_down.received(day, at=AT.replace(year=2027))
        there = {zone: came.astimezone(ZoneInfo(zone)).date() for zone in rulebook.load().zones.values()}
        assert set(there.values()) == {day}, there
