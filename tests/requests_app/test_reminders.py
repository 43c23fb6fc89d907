"""Staff hear of deadlines: once each, in time, and the managers when one is missed."""

import threading
import uuid
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.core import mail
from django.db import connection

from consents.models import Subject
from portal.models import User
from requests_app import intake, legal_clock, reminders, timeline, workflow
from requests_app.models import ClockNotice, Letter, Request, StaffLetter
from requests_app.rulebook import Wait
from requests_app.states import Channel
from tests.conftest import BY, person
from tests.requests_app.asking import asked
from tests.requests_app.legal_clock.running import unsaved

RECEIVED = datetime(2026, 9, 1, 12, tzinfo=UTC)
DUE = date(2026, 10, 1)


def days_before(left: int) -> datetime:
    """Noon of the day on which so many days are left."""
    return datetime(2026, 10, 1, 12, tzinfo=UTC) - timedelta(days=left)


def given() -> list[str]:
    return sorted(ClockNotice.objects.values_list("code", flat=True))


def told_to(user: User) -> list[tuple[str, str]]:
    """(code, day) of every line that waits for this member of staff."""
    letters = StaffLetter.objects.filter(to=user).order_by("written_at")
    return [(code, day) for letter in letters for _, code, day in letter.lines]


@pytest.fixture
def request_of_grace(grace: Subject) -> Request:
    (request,) = asked(grace, "access", at=RECEIVED)
    assert request.due_on == DUE
    return request


@pytest.mark.parametrize(
    ("left", "codes"),
    [
        (8, []),
        (7, ["due_in_7"]),
        (3, ["due_in_7"]),
        (2, ["due_in_2"]),
        (1, ["due_in_2"]),
        (0, ["due_today"]),
        (-1, ["escalated", "overdue"]),
        (-30, ["escalated", "overdue"]),
    ],
)
def test_each_day_has_its_notice(request_of_grace: Request, left: int, codes: list[str]) -> None:
    assert reminders.remind(at=days_before(left)) == len(codes)
    assert given() == codes


def test_a_notice_is_given_once_however_often_the_turn_runs(request_of_grace: Request, petra: User) -> None:
    for left in (7, 7, 6, 2, 2, 1, 0, 0, -1, -1, -2):
        reminders.remind(at=days_before(left))
    assert given() == ["due_in_2", "due_in_7", "due_today", "escalated", "overdue"]
    codes = [entry.details["notice"] for entry in request_of_grace.timeline.filter(code="reminded")]
    assert codes == ["due_in_7", "due_in_2", "due_today", "overdue"]
    assert request_of_grace.timeline.get(code="escalated").details["due_on"] == DUE.isoformat()
    assert told_to(petra) == [(code, "2026-10-01") for code in ("due_in_7", "due_in_2", "due_today", "escalated")]


def test_a_day_ends_where_the_person_lives(world: None) -> None:
    (request,) = asked(person("kim", "US-CA"), "erasure", at=RECEIVED)
    ended = datetime.combine(request.due_on + timedelta(days=1), datetime.min.time(), tzinfo=UTC)
    reminders.remind(at=ended + timedelta(hours=6, minutes=59))
    assert given() == ["due_today"]
    reminders.remind(at=ended + timedelta(hours=7))
    assert given() == ["due_today", "escalated", "overdue"]
    request.refresh_from_db()
    assert request.escalated_at == ended + timedelta(hours=7)


def test_a_day_that_moved_has_notices_of_its_own(request_of_grace: Request) -> None:
    reminders.remind(at=days_before(2))
    legal_clock.extend(request=request_of_grace, reason="Many systems", by=BY, at=days_before(1))
    assert reminders.remind(at=days_before(0)) == 0
    assert reminders.remind(at=datetime(2026, 11, 30, 12, tzinfo=UTC)) == 1
    days = ClockNotice.objects.filter(code="due_in_2").values_list("due_on", flat=True)
    assert sorted(days) == [DUE, date(2026, 12, 1)]


def test_who_works_on_it_is_reminded_and_the_managers_hear_of_a_missed_day(
    request_of_grace: Request, bob: User, petra: User, mona: User
) -> None:
    workflow.start(request=request_of_grace, staff=bob, by=BY, at=RECEIVED)
    for left in (2, -1):
        reminders.remind(at=days_before(left))
    assert told_to(bob) == [("due_in_2", "2026-10-01"), ("overdue", "2026-10-01")]
    assert told_to(petra) == told_to(mona) == [("escalated", "2026-10-01")]


def test_the_managers_are_reminded_of_what_nobody_can_be_reminded_of(
    request_of_grace: Request, bob: User, petra: User
) -> None:
    workflow.start(request=request_of_grace, staff=bob, by=BY, at=RECEIVED)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    reminders.remind(at=days_before(2))
    assert (told_to(bob), told_to(petra)) == ([], [("due_in_2", "2026-10-01")])


def test_one_turn_writes_one_letter_to_each(grace: Subject, petra: User) -> None:
    asked(grace, "access", "rectification", at=RECEIVED)
    asked(person("gwen", "GB"), "erasure", at=RECEIVED - timedelta(days=5))
    assert reminders.remind(at=days_before(2)) == 4
    assert StaffLetter.objects.count() == 1
    assert len(told_to(petra)) == 3


def test_what_waits_for_proof_or_is_closed_reminds_nobody(grace: Subject) -> None:
    wish = intake.Asked(rights=("access",))
    intake.receive(asked=wish, subject=grace, is_proven=False, by=BY, at=RECEIVED)
    (closed,) = asked(grace, "rectification", at=RECEIVED)
    workflow.withdraw(request=closed, by=BY, at=RECEIVED)
    assert reminders.remind(at=days_before(-5)) == 0


def test_while_the_clock_stands_still_nobody_is_reminded_of_its_day(request_of_grace: Request) -> None:
    legal_clock.begin_pause(request=request_of_grace, reason=Wait.CLARIFICATION, at=days_before(5))
    assert [reminders.remind(at=days_before(left)) for left in (5, 2, 0, -3)] == [0, 0, 0, 0]
    legal_clock.recompute_all(at=days_before(-3))
    assert reminders.remind(at=days_before(-3)) == 0
    legal_clock.end_pause(request=request_of_grace, reason=Wait.CLARIFICATION, at=days_before(-3))
    assert reminders.remind(at=days_before(-3)) == 1
    assert ClockNotice.objects.get().due_on == date(2026, 10, 9)


def test_a_wait_that_the_law_does_not_know_or_that_came_too_late_saves_nobody(
    request_of_grace: Request, world: None
) -> None:
    (unpaused,) = asked(person("kim", "US-CA"), "erasure", at=RECEIVED - timedelta(days=20))
    legal_clock.begin_pause(request=unpaused, reason=Wait.CLARIFICATION, at=days_before(20))
    legal_clock.begin_pause(request=request_of_grace, reason=Wait.CLARIFICATION, at=days_before(-1))
    reminders.remind(at=days_before(-2))
    assert given() == ["escalated", "escalated", "overdue", "overdue"]


def test_receipt_that_was_not_confirmed_is_reminded_of(world: None) -> None:
    request = unsaved("US-CA", "access", RECEIVED, channel=Channel.LETTER)
    request.save()
    assert request.acknowledge_by == date(2026, 9, 16)
    for day in (13, 14, 16, 18):
        reminders.remind(at=datetime(2026, 9, day, 20, tzinfo=UTC))
    assert given() == ["acknowledge_in_2", "acknowledge_overdue", "acknowledge_today"]
    legal_clock.acknowledge(request=request, by=BY, at=datetime(2026, 9, 18, tzinfo=UTC))
    assert reminders.remind(at=datetime(2026, 9, 19, tzinfo=UTC)) == 0


def test_a_turn_that_fails_leaves_nothing_and_the_next_makes_up_for_it(
    request_of_grace: Request, petra: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(reminders, "_write", refuse)
        with pytest.raises(RuntimeError, match="killed"):
            reminders.remind(at=days_before(2))
    assert (given(), request_of_grace.timeline.filter(code="reminded").count()) == ([], 0)
    assert reminders.remind(at=days_before(2)) == 1
    assert told_to(petra) == [("due_in_2", "2026-10-01")]


@pytest.mark.django_db(transaction=True)
def test_two_turns_at_once_give_each_notice_once(grace: Subject, petra: User) -> None:
    requests = [unsaved("GB", "access", RECEIVED) for _ in range(60)]
    Request.objects.bulk_create(requests)
    barrier, counts, failures = threading.Barrier(3), [], []

    def turn() -> None:
        try:
            barrier.wait(timeout=30)
            counts.append(reminders.remind(at=days_before(-1)))
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=turn) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    counts.append(reminders.remind(at=days_before(-1)))
    assert (failures, sum(counts)) == ([], 120)
    assert ClockNotice.objects.count() == 120
    assert len(told_to(petra)) == 60


def test_a_turn_gives_no_more_than_it_may_and_the_next_goes_on(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reminders, "MOST", 4)
    Request.objects.bulk_create([unsaved("GB", "access", RECEIVED) for _ in range(10)])
    assert [reminders.remind(at=days_before(1)) for _ in range(4)] == [4, 4, 2, 0]


def test_the_mail_names_references_and_nothing_else(request_of_grace: Request, petra: User) -> None:
    reminders.remind(at=days_before(-1))
    assert reminders.send_due(clock=lambda: days_before(-1)) == 1
    (sent,) = mail.outbox
    assert (sent.to, sent.subject) == ([petra.email], "Heed: 1 request with a deadline")
    assert request_of_grace.reference in sent.body
    assert f"/admin/requests_app/request/{request_of_grace.pk}/" in sent.body
    assert "The deadline was missed" in sent.body
    assert "grace" not in sent.body
    letter = StaffLetter.objects.get()
    assert (letter.state, letter.settled_at) == (StaffLetter.SENT, days_before(-1))
    assert reminders.send_due(clock=lambda: days_before(-2)) == 0


def test_a_long_list_is_cut_and_says_so(petra: User) -> None:
    lines = [(str(uuid.uuid4()), "overdue", "2026-10-01") for _ in range(60)]
    letter = StaffLetter(to=petra, lines=lines, not_before=RECEIVED, written_at=RECEIVED)
    body = reminders.compose(letter).body
    assert ("and 10 more" in str(body), str(body).count("/admin/requests_app/request/")) == (True, 51)


class Away:
    """A mail server that does not answer."""

    def send_messages(self, _: object) -> None:
        raise OSError


def test_a_letter_waits_longer_each_time_and_is_given_up_in_the_end(
    request_of_grace: Request, petra: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    reminders.remind(at=days_before(2))
    monkeypatch.setattr(reminders, "get_connection", Away)
    at, waits = days_before(2), []
    for _ in range(8):
        assert reminders.send_due(clock=partial(min, at, at)) == 0
        letter = StaffLetter.objects.get()
        waits.append(letter.not_before - at)
        at = letter.not_before + timedelta(seconds=1)
    assert all(timedelta(seconds=20) < wait for wait in waits[:-1])
    assert (letter.state, letter.last_reason) == (StaffLetter.GIVEN_UP, "broken_off")


def test_who_left_gets_no_mail(request_of_grace: Request, petra: User) -> None:
    reminders.remind(at=days_before(2))
    User.objects.filter(pk=petra.pk).update(is_active=False)
    assert reminders.send_due(clock=lambda: days_before(2)) == 0
    assert (StaffLetter.objects.get().state, mail.outbox) == (StaffLetter.GIVEN_UP, [])


@pytest.mark.parametrize(
    ("channel", "place", "count"),
    [("letter", "US-CA", 1), ("phone", "US-CA", 1), ("letter", "DE", 0), ("pages", "US-CA", 0), ("import", "US-CA", 0)],
)
def test_receipt_is_confirmed_by_mail_where_the_law_wants_it_and_no_door_did(
    world: None, channel: str, place: str, count: int
) -> None:
    wish = intake.Asked(rights=("access",), channel=channel)
    (request,) = intake.receive(asked=wish, subject=person("kim", place), by=BY, at=RECEIVED)
    assert reminders.acknowledge_receipts(at=RECEIVED + timedelta(minutes=1)) == count
    assert reminders.acknowledge_receipts(at=RECEIVED + timedelta(minutes=2)) == 0
    assert Letter.objects.filter(code="acknowledged").count() == count
    assert request.timeline.filter(code="acknowledged").count() == count


def test_where_no_address_is_known_staff_confirm_receipt_by_hand(world: None) -> None:
    unsaved("US-CA", "access", RECEIVED, channel=Channel.LETTER).save()
    assert reminders.acknowledge_receipts(at=RECEIVED) == 0
    assert Request.objects.get().acknowledged_at is None


def test_whoever_left_no_address_keeps_nobody_waiting(world: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reminders, "_FOUND", 1)
    unsaved("US-CA", "access", RECEIVED, channel=Channel.LETTER).save()
    wish = intake.Asked(rights=("access",), channel=Channel.LETTER)
    intake.receive(asked=wish, subject=person("kim", "US-CA"), by=BY, at=RECEIVED + timedelta(days=1))
    assert reminders.acknowledge_receipts(at=RECEIVED + timedelta(days=1)) == 1


def test_looking_for_what_is_due_costs_the_same_however_many_are_reminded_of(
    db: None, django_assert_num_queries: Any
) -> None:
    Request.objects.bulk_create([unsaved("GB", "access", RECEIVED) for _ in range(30)])
    reminders.remind(at=days_before(-1))
    # two looks before and two after the lock, and nothing to write
    with django_assert_num_queries(8, exact=False):
        assert reminders.remind(at=days_before(-1)) == 0


def test_words_of_a_reminder_are_nobodys(request_of_grace: Request) -> None:
    reminders.remind(at=days_before(2))
    entry = request_of_grace.timeline.get(code="reminded")
    assert timeline.words(request_of_grace, entry) is None
    assert entry.actor == "system:heed"
