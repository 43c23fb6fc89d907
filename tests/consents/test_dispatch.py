"""Sending letters: in batches, outside transactions, through every trouble of a mail server, twice to nobody."""

import smtplib
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection

from consents import deliveries, dispatch, letters, subjects
from consents.models import Letter, NoticeDelivery, Subject
from tests import plans
from tests.conftest import AT, BY, person
from tests.consents.telling import begin, published, states

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = timedelta(minutes=1)


class Moody(EmailBackend):
    """Raises what `errors` holds, one for each mail; `None` is a mail taken."""

    errors: list[Exception | None] = []
    opening: Exception | None = None
    on_mail: Callable[[], None] | None = None

    def open(self) -> bool:
        if Moody.opening:
            raise Moody.opening
        return True

    def send_messages(self, messages: Any) -> int:
        if Moody.on_mail:
            Moody.on_mail()
        error = Moody.errors.pop(0) if Moody.errors else None
        if error:
            raise error
        return int(super().send_messages(messages))


@pytest.fixture(autouse=True)
def server(settings: Any) -> Iterator[type[Moody]]:
    settings.EMAIL_BACKEND = "tests.consents.test_dispatch.Moody"
    Moody.errors, Moody.opening, Moody.on_mail = [], None, None
    yield Moody
    Moody.errors, Moody.opening, Moody.on_mail = [], None, None


@pytest.fixture(autouse=True)
def people(world: None) -> list[Subject]:
    published()
    return [person(name) for name in ("alice", "bert", "carla")]


def turn(at: datetime = AT, *, seconds: float = 20) -> int:
    return dispatch.deliver(clock=lambda: at, seconds=seconds)


def addressed() -> list[str]:
    return sorted(one.to[0] for one in mail.outbox)


EVERYONE = ["alice@example.org", "bert@example.org", "carla@example.org"]


def test_everyone_gets_one_letter_and_the_round_is_done() -> None:
    round_ = begin()
    assert turn() == 3
    assert addressed() == EVERYONE
    assert states() == {"sent": 3}
    round_.refresh_from_db()
    assert (round_.state, round_.finished_at) == (NoticeDelivery.State.DONE, AT)


def test_a_batch_is_no_larger_than_asked_for_whatever_the_plan() -> None:
    begin()
    plans.take_for_empty(Letter)
    NoticeDelivery.objects.all().delete()
    round_ = begin()
    assert [len(dispatch.claim(round_, at=AT, limit=2)[1]) for _ in range(3)] == [2, 1, 0]


def test_a_second_turn_sends_nothing() -> None:
    begin()
    assert [turn(), turn(), turn(AT + timedelta(days=30))] == [3, 0, 0]


def test_a_letter_is_sent_outside_any_transaction_after_it_was_marked(server: type[Moody]) -> None:
    seen = []
    server.on_mail = lambda: seen.append((connection.in_atomic_block, states().get("sending")))
    begin()
    turn()
    assert seen == [(False, 1)] * 3


def test_a_refused_address_has_failed_and_the_others_are_sent(server: type[Moody]) -> None:
    server.errors = [None, smtplib.SMTPRecipientsRefused({"x": (550, b"unknown")}), None]
    begin()
    assert turn() == 2
    assert Letter.objects.get(state="failed").reason == "smtp_550"


def test_what_is_put_off_is_tried_again_later_and_not_before(server: type[Moody]) -> None:
    server.errors = [smtplib.SMTPRecipientsRefused({"x": (450, b"greylisted")})]
    begin()
    assert turn() == 2
    assert turn(AT + timedelta(seconds=29)) == 0
    assert turn(AT + MINUTE) == 1
    assert addressed() == EVERYONE


def test_what_is_put_off_each_time_fails_in_the_end(server: type[Moody]) -> None:
    server.errors = [smtplib.SMTPRecipientsRefused({"x": (450, b"later")}) for _ in range(100)]
    begin()
    for day in range(letters.BUDGET):
        turn(AT + timedelta(days=day))
    assert states() == {"failed": 3}
    assert set(Letter.objects.values_list("reason", "attempts")) == {("smtp_450", letters.BUDGET)}


def test_a_line_that_breaks_leaves_one_letter_in_doubt_and_never_sends_it_again(server: type[Moody]) -> None:
    server.errors = [None, smtplib.SMTPServerDisconnected("gone")]
    round_ = begin()
    assert turn() == 1
    assert states() == {"sent": 1, "uncertain": 1, "pending": 1}
    round_.refresh_from_db()
    assert round_.trouble == "broken_off"
    assert turn(AT + MINUTE) == 1
    assert turn(AT + timedelta(days=9)) == 0
    assert states() == {"sent": 2, "uncertain": 1}
    round_.refresh_from_db()
    assert (round_.state, round_.trouble) == ("done", "")


@pytest.mark.parametrize("error", [ConnectionRefusedError(), smtplib.SMTPAuthenticationError(535, b"no")])
def test_a_server_that_cannot_be_reached_costs_no_letter_an_attempt(server: type[Moody], error: Exception) -> None:
    server.opening = error
    round_ = begin()
    for number in range(3):
        assert turn(AT + number * timedelta(hours=1)) == 0
    round_.refresh_from_db()
    assert (round_.trouble, round_.troubles) == ("unreachable", 3)
    assert set(Letter.objects.values_list("state", "attempts")) == {("pending", 0)}
    server.opening = None
    assert turn(AT + timedelta(days=1)) == 3
    round_.refresh_from_db()
    assert round_.trouble == ""


def test_a_server_in_trouble_is_left_alone_for_a_while(server: type[Moody]) -> None:
    server.errors = [smtplib.SMTPSenderRefused(451, b"busy", "us")]
    begin()
    assert turn() == 0
    assert states() == {"pending": 3}
    assert turn(AT + timedelta(seconds=29)) == 0
    assert turn(AT + MINUTE) == 3


def test_a_pause_is_heard_between_two_letters(server: type[Moody], django_assert_max_num_queries: Any) -> None:
    round_ = begin()
    server.on_mail = lambda: NoticeDelivery.objects.update(state="paused")  # type: ignore[assignment, return-value]
    # and the rest of the turn is not spent on claiming the round over and over
    with django_assert_max_num_queries(40):
        assert turn() == 1
    server.on_mail = None
    assert turn(AT + MINUTE) == 0
    deliveries.resume(delivery=round_, by=BY, at=AT)
    assert turn(AT + MINUTE) == 2
    assert addressed() == EVERYONE


def test_who_was_erased_since_the_round_began_is_not_written_to(people: list[Subject]) -> None:
    begin()
    subjects.forget(subject=people[0], by=BY, at=AT)
    assert turn() == 2
    assert Letter.objects.get(subject_id=people[0].pk).reason == "erased"
    assert addressed() == EVERYONE[1:]


def test_an_address_that_cannot_be_opened_fails_alone(people: list[Subject]) -> None:
    begin()
    subjects.Identifier.objects.filter(subject=people[0], scheme="email").update(sealed=b"nonsense")
    assert turn() == 2
    assert Letter.objects.get(state="failed").subject_id == people[0].pk


def test_a_batch_that_nobody_finished_is_taken_over_and_its_first_holder_sends_nothing_more() -> None:
    round_ = begin()
    token, ids = dispatch.claim(round_, at=AT)
    assert dispatch.claim(round_, at=AT)[1] == []
    assert turn(AT + timedelta(minutes=5)) == 3
    assert dispatch._send(round_, token, ids, lambda: AT) == (0, False)
    assert addressed() == EVERYONE


def test_a_sender_that_went_away_leaves_a_letter_in_doubt_and_is_believed_when_it_comes_back() -> None:
    round_ = begin()
    token, ids = dispatch.claim(round_, at=AT, limit=1)
    letter = Letter.objects.get(pk=ids[0])
    assert dispatch._begin(letter, token, at=AT)
    assert dispatch.doubt(at=AT + timedelta(seconds=1)) == 0
    assert dispatch.doubt(at=AT + timedelta(minutes=5)) == 1
    dispatch._settle(letter, token, letters.SENT, at=AT + timedelta(minutes=6))
    assert states() == {"sent": 1, "pending": 2}


def test_a_fault_of_our_own_in_composing_marks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    begin()
    with monkeypatch.context() as broken:
        broken.setattr(letters, "compose", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            turn()
    assert set(Letter.objects.values_list("state", "attempts")) == {("pending", 0)}
    assert turn() == 3


def test_two_at_once_share_the_letters() -> None:
    for number in range(40):
        person(f"p{number}")
    begin()
    sent: list[int] = []

    def work() -> None:
        try:
            sent.append(turn())
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for one in workers:
        one.start()
    for one in workers:
        one.join(timeout=60)
    assert sum(sent) == 43
    assert len(addressed()) == len(set(addressed())) == 43
