"""What staff and a person write to each other: sealed, limited, read once, and told by mail without a word of it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError

from consents import subjects
from consents.models import Subject
from portal import actors, audit
from portal.errors import Conflict, DomainError, Forbidden, NotFound, TooLarge
from portal.models import User
from requests_app import attachments, intake, letters, messages, workflow
from requests_app.messages import MessageError, TooMany
from requests_app.models import Attachment, Letter, Message, Request
from requests_app.states import Status
from tests.conftest import AT, BY, person
from tests.requests_app.asking import LATER, SOON, received, started, withdrawn
from tests.requests_app.files import PDF, upload

pytestmark = pytest.mark.django_db

WORDS = "I live at 7 Acacia Road."


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.FILES_DIR = tmp_path / "files"
    return tmp_path / "files" / attachments.FOLDER


def sent(request: Request, body: str = "Which address do you mean?", **more: Any) -> Message:
    return messages.send(request=request, body=body, by=BY, at=SOON, **more)


def wrote(request: Request, body: str = WORDS, **more: Any) -> Message:
    return messages.write(
        request=request, body=body, by=actors.subject(request.subject_id or ""), **{"at": SOON, **more}
    )


# --- writing and reading


def test_both_sides_read_what_the_other_wrote_in_order(alice: Subject) -> None:
    request = received(alice)
    sent(request)
    wrote(request, at=LATER)
    shown = messages.read(request=request, by_person=True, at=LATER)
    assert [(one.is_from_staff, one.body) for one in shown] == [(True, "Which address do you mean?"), (False, WORDS)]
    assert [one.author for one in shown] == [BY, actors.subject(alice.pk)]


def test_a_message_is_new_to_its_reader_once(alice: Subject) -> None:
    request = received(alice)
    sent(request)
    wrote(request)
    assert messages.unread([request.pk], by_person=True) == {request.pk: 1}
    assert messages.unread([request.pk], by_person=False) == {request.pk: 1}
    (first, second) = messages.read(request=request, by_person=True, at=LATER)
    assert (first.is_new, first.read_at, second.is_new, second.read_at) == (True, LATER, False, None)
    assert messages.unread([request.pk], by_person=True) == {}
    assert messages.unread([request.pk], by_person=False) == {request.pk: 1}
    again = messages.read(request=request, by_person=True, at=LATER + timedelta(days=1))
    assert (again[0].is_new, again[0].read_at) == (False, LATER)


def test_what_is_unread_is_counted_for_many_at_once(
    alice: Subject, charlie: Subject, django_assert_num_queries: Any
) -> None:
    mine, theirs = received(alice), received(charlie)
    sent(mine)
    sent(mine)
    wrote(theirs)
    with django_assert_num_queries(1):
        assert messages.unread([mine.pk, theirs.pk], by_person=True) == {mine.pk: 2}


def test_reading_costs_the_same_however_much_was_written(alice: Subject, django_assert_max_num_queries: Any) -> None:
    request = Request.objects.select_related("subject").get(pk=received(alice).pk)
    for number in range(6):
        sent(request, files=[upload(f"{number}.pdf", PDF)])
    # three for rows, two for keys, and the bounds of the transaction
    with django_assert_max_num_queries(7):
        shown = messages.read(request=request, by_person=True, at=LATER)
    assert [one.files[0].name for one in shown] == [f"{number}.pdf" for number in range(6)]


def test_bodies_are_sealed_and_gone_with_the_person(alice: Subject) -> None:
    request = received(alice)
    kept = wrote(request, files=[upload("my house.pdf", PDF)])
    assert b"Acacia" not in bytes(kept.sealed_body)
    subjects.forget(subject=alice, by=BY, at=LATER)
    (shown,) = messages.read(request=Request.objects.get(), by_person=False, at=LATER)
    assert (shown.body, shown.files[0].name) == (None, "")
    with pytest.raises(Conflict) as refused:
        sent(Request.objects.get())
    assert refused.value.code == "erased"


def test_the_timeline_tells_that_and_not_what(alice: Subject) -> None:
    request = received(alice)
    message = wrote(request, files=[upload("a.pdf", PDF)])
    sent(request)
    told = request.timeline.get(code="message_from_person")
    assert (told.details, told.actor) == ({"message": str(message.pk), "files": 1}, actors.subject(alice.pk))
    assert request.timeline.get(code="message_from_staff").actor == BY


def test_line_ends_and_blanks_around_are_made_plain(alice: Subject) -> None:
    request = received(alice)
    wrote(request, "  one\r\ntwo\n\n")
    assert messages.read(request=request, by_person=False, at=LATER)[0].body == "one\ntwo"


def test_a_stranger_is_written_to_before_it_is_known_who_they_are(world: None) -> None:
    wish = intake.Asked(rights=("access",), jurisdiction="US")
    contact = subjects.name("email", "new@example.org")
    (request,) = intake.receive_unproven(asked=wish, contact=contact, by=BY, at=AT)
    sent(request)
    assert Letter.objects.get().code == "message_waits"
    assert messages.read(request=request, by_person=False, at=LATER)[0].body == "Which address do you mean?"


# --- mail


def test_mail_says_that_something_waits_and_once_is_enough(alice: Subject) -> None:
    request = received(alice)
    sent(request)
    sent(request)
    assert Letter.objects.filter(code="message_waits").count() == 1
    letters.send_due(at=LATER)
    sent(request)
    assert Letter.objects.filter(code="message_waits").count() == 2


def test_nobody_is_mailed_what_they_wrote_themselves(alice: Subject) -> None:
    wrote(received(alice))
    assert not Letter.objects.exists()


# --- who may


def test_only_staff_write_to_people(alice: Subject) -> None:
    with pytest.raises(Forbidden):
        messages.send(request=received(alice), body="hello", by=actors.subject(alice.pk), at=SOON)
    assert not Message.objects.exists()


@pytest.mark.parametrize("by", ["charlie", "staff", "partner", "agent", ""])
def test_somebody_elses_request_is_as_unknown_as_none(alice: Subject, charlie: Subject, by: str) -> None:
    who = {"charlie": actors.subject(charlie.pk), "staff": BY, "partner": actors.partner("acme"), "agent": "agent:x"}
    with pytest.raises(NotFound):
        messages.write(request=received(alice), body="hello", by=who.get(by, by), at=SOON)
    assert not Message.objects.exists()


def test_the_partner_that_brought_a_request_writes_about_it(alice: Subject) -> None:
    wish = intake.Asked(rights=("access",), partner="acme", channel="api")
    (request,) = intake.receive(asked=wish, subject=alice, by=actors.partner("acme"), at=AT)
    messages.write(request=request, body="hello", by=actors.partner("acme"), at=SOON)
    with pytest.raises(NotFound):
        messages.write(request=request, body="hello", by=actors.partner("umbra"), at=SOON)


# --- limits


@pytest.mark.parametrize(
    ("body", "error", "code"),
    [
        ("", MessageError, "message_empty"),
        (" \n ", MessageError, "message_empty"),
        ("x" * 10_001, TooLarge, "message_too_long"),
        ("a\0b", MessageError, "message_unreadable"),
        ("a\x1b[2Jb", MessageError, "message_unreadable"),
    ],
)
@pytest.mark.parametrize("act", [sent, wrote])
def test_what_cannot_be_sent_is_refused(
    alice: Subject, act: Any, body: str, error: type[DomainError], code: str
) -> None:
    request = received(alice)
    with pytest.raises(error) as refused:
        act(request, body)
    assert (refused.value.code, refused.value.field) == (code, "body")
    assert not Message.objects.exists()


def test_a_mark_that_was_left_in_a_text_is_not_sent(alice: Subject) -> None:
    with pytest.raises(MessageError) as refused:
        sent(received(alice), "We answer by [extended_until?].")
    assert refused.value.code == "unfilled"
    # who writes to us may well
    wrote(received(alice), "What is [extended_until?]")


def test_a_file_needs_no_words(alice: Subject) -> None:
    wrote(received(alice), "", files=[upload("a.pdf", PDF)])
    assert Attachment.objects.get().message == Message.objects.get()


def test_too_many_files_are_refused_before_any_is_read(alice: Subject, folder: Path) -> None:
    with pytest.raises(TooLarge) as refused:
        wrote(received(alice), files=[upload(f"{number}.pdf", PDF) for number in range(11)])
    assert refused.value.code == "too_many_files"
    assert not folder.exists()


def test_a_message_with_a_file_that_is_refused_is_not_sent(alice: Subject, folder: Path) -> None:
    request = received(alice)
    with pytest.raises(DomainError):
        wrote(request, files=[upload("a.pdf", PDF), upload("b.exe", PDF)])
    assert not Message.objects.exists()
    assert not Attachment.objects.exists()
    assert not [path for path in folder.glob("*/*") if path.is_file()]


def test_a_person_writes_so_often_a_day_and_staff_as_they_need(alice: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MOST_A_DAY", 3)
    request = received(alice)
    for _ in range(3):
        wrote(request)
    with pytest.raises(TooMany):
        wrote(request)
    for _ in range(4):
        sent(request)
    wrote(received(alice), "another request")
    wrote(request, at=SOON + timedelta(days=1))


def test_nothing_is_kept_where_the_trail_fails(alice: Subject, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = received(alice)

    def fail(**_: Any) -> None:
        raise DatabaseError

    monkeypatch.setattr(audit, "record", fail)
    with pytest.raises(DatabaseError):
        sent(request, files=[upload("a.pdf", PDF)])
    assert not Message.objects.exists()
    assert not Letter.objects.exists()
    assert not [path for path in folder.glob("*/*") if path.is_file()]


# --- closed requests


@pytest.mark.parametrize("act", [sent, wrote])
def test_a_request_that_was_taken_back_takes_no_message(alice: Subject, bob: User, act: Any) -> None:
    request = withdrawn(alice, bob)
    assert not messages.can_write(request, at=SOON)
    with pytest.raises(Conflict) as refused:
        act(request)
    assert refused.value.code == "request_closed"


def answered(request: Request) -> Request:
    """As one that was answered a moment ago; how it got there does not matter here."""
    request.status, request.closed_at, request.carried_out_at = Status.PARTIALLY_FULFILLED, LATER, LATER
    return request


def test_an_answer_can_be_written_about_until_it_can_no_longer_be_appealed(
    alice: Subject, charlie: Subject, bob: User
) -> None:
    alice.jurisdiction = "US-VA"
    alice.save()
    request = answered(started(alice, bob))
    assert messages.can_write(request, at=LATER)
    # where the law sets no time, for as long as the house says
    other = answered(started(charlie, bob))
    last = LATER + messages.AFTER_ANSWER
    assert messages.can_write(other, at=last)
    assert not messages.can_write(other, at=last + timedelta(days=1))
    with pytest.raises(Conflict):
        messages.check_can_write(other, at=last + timedelta(days=1))


def test_the_last_day_to_write_ends_where_the_person_lives(world: None, bob: User) -> None:
    """Seven in the evening of the last day in California, while it is the next day in UTC."""
    request = answered(started(person("kim", "US-CA"), bob))
    last = LATER + messages.AFTER_ANSWER
    evening = last.replace(hour=3) + timedelta(days=1)
    assert messages.can_write(request, at=evening)
    assert not messages.can_write(request, at=evening + timedelta(hours=6))


# --- waiting for the person


def test_who_was_waited_for_has_the_request_go_on(alice: Subject, bob: User, monkeypatch: pytest.MonkeyPatch) -> None:
    resumed: list[Any] = []
    monkeypatch.setattr(workflow, "resume", lambda **said: resumed.append(said), raising=False)
    request = started(alice, bob)
    wrote(request)
    assert not resumed
    Request.objects.filter(pk=request.pk).update(status=Status.AWAITING_SUBJECT)
    request.refresh_from_db()
    sent(request)
    assert not resumed
    wrote(request, at=LATER)
    (said,) = resumed
    assert (said["request"].pk, said["by"], said["at"]) == (request.pk, actors.subject(alice.pk), LATER)
