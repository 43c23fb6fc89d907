"""Mail about requests: written with the change, sent after it, and telling whoever reads the mailbox nothing."""

import email
import email.policy
import re
import smtplib
import uuid
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.utils import translation

from consents import subjects
from consents.models import Subject
from portal import crypto
from portal.models import User
from requests_app import intake, letters, tasks
from requests_app.intake import Requester
from requests_app.models import Letter, Request
from requests_app.states import Capacity, Right
from tests import plans
from tests.conftest import AT, BY
from tests.requests_app import posting
from tests.requests_app.asking import LATER, SOON, asked, received

pytestmark = pytest.mark.django_db

REFERENCE = "Q-01JAR4NQ0E7Y5S2VB6KXTW9M3P"
MUCH_LATER = AT + timedelta(days=30)
NEVER = re.compile(
    r"eras|delete my|access|portab|rectif|correct|restrict|object|withdraw|consent|sell|sale|opt.out|appeal|complain|"
    r"lösch|auskunft|übertrag|berichtig|einschränk|widersp|widerruf|einwillig|verkauf|beschwer|"
    r"efface|accès|portab|rectif|limit|oppos|retir|consent|vente|recours|réclam|alice|refus|denied|abgelehnt|ablehn",
    re.IGNORECASE,
)


def written(request: Request, kind: str = "message_waits", **extra: str) -> Letter:
    letter = letters.write(request=request, code=kind, at=SOON, extra=extra)
    assert letter is not None
    return letter


def whole(message: Any) -> str:
    return f"{message.subject}\n{message.body}\n{message.alternatives[0][0]}"


def test_a_letter_goes_to_the_persons_address_once(alice: Subject) -> None:
    letter = written(received(alice))
    assert letters.send_due(at=LATER) == 1
    assert letters.send_due(at=MUCH_LATER) == 0
    (sent,) = mail.outbox
    assert sent.to == ["alice@example.org"]
    assert sent.extra_headers["Auto-Submitted"] == "auto-generated"
    assert str(letter.pk) in sent.extra_headers["Message-ID"]
    letter.refresh_from_db()
    assert (letter.state, letter.sealed, letter.settled_at) == (Letter.SENT, None, LATER)


def test_one_turn_sends_all_that_is_due_whatever_the_plan(alice: Subject) -> None:
    request = received(alice)
    written(request)
    plans.take_for_empty(Letter)
    for _ in range(4):
        written(request)
    assert letters.send_due(at=LATER) == 4
    assert set(Letter.objects.values_list("state", "attempts")) == {(Letter.SENT, 1)}


@pytest.mark.parametrize("code", sorted(letters.CODES))
def test_no_letter_says_what_is_asked_or_by_whom(code: str) -> None:
    brought = {"code": "BCDF-GHJK"} if code == "code" else {}
    for locale in ("en", "de", "fr", "pt-br"):
        letter = letters.compose(
            code=code, reference=REFERENCE, locale=locale, address="alice@example.org", brought=brought
        )
        said = whole(letter)
        assert REFERENCE in letter.body
        assert "\\" not in letter.body
        assert not NEVER.search(said), said
        assert ("BCDF-GHJK" in said) == (code == "code")
        links = set(re.findall(r"https?://[^\s\"<>]+", said))
        assert all(link.endswith(f"/requests/{REFERENCE}/") for link in links)
        assert bool(links) == (code not in letters.WITHOUT_PAGE)
        # why it came, in every letter
        assert len(letter.body.partition("-- \n")[2].split()) > 15


def test_nothing_of_the_request_but_its_reference_reaches_the_letter(alice: Subject) -> None:
    request = received(alice, note="7 Acacia Road")
    written(request)
    letters.send_due(at=LATER)
    said = whole(mail.outbox[0])
    assert request.reference in said
    assert not re.search(r"acacia|m_alice|alice|erasure", said, re.IGNORECASE)


@pytest.mark.parametrize("locale", ["en", "de", "fr"])
def test_the_letter_of_a_refusal_reads_like_that_of_any_answer(locale: str) -> None:
    refused, done = (
        letters.compose(code=code, reference="Q-1", locale=locale, address="a@example.org", brought={})
        for code in ("refused", "fulfilled")
    )
    assert whole(refused) == whole(done)


def test_every_code_has_its_text_and_every_text_its_code() -> None:
    for code in letters.CODES:
        get_template(f"requests/email/{code}.txt")
    with pytest.raises(TemplateDoesNotExist):
        get_template("requests/email/nonsense.txt")


def test_an_unknown_code_is_refused(alice: Subject) -> None:
    with pytest.raises(ValueError, match="nonsense"):
        letters.write(request=received(alice), code="nonsense", at=SOON)


@pytest.mark.parametrize(("locale", "language"), [("de", "de"), ("fr", "fr"), ("de-AT", "de"), ("pt-br", "en")])
def test_the_letters_language_is_the_requests_whatever_is_on(alice: Subject, locale: str, language: str) -> None:
    request = received(alice)
    request.locale = locale
    with translation.override("fr" if language == "en" else "en"):
        written(request)
        letters.send_due(at=LATER)
    assert f'<html lang="{language}">' in str(mail.outbox[0].alternatives[0][0])


# --- to whom


def for_child(alice: Subject, contact: str, capacity: str = Capacity.PARENT) -> Request:
    who = Requester("Carol", contact, "mother")
    return asked(alice, Right.ACCESS, capacity=capacity, requester=who)[0]


@pytest.mark.parametrize(
    ("capacity", "contact", "to"),
    [
        (Capacity.PARENT, "carol@example.net", "carol@example.net"),
        (Capacity.PARENT, "", "alice@example.org"),
        (Capacity.PARENT, "+44 20 7946 0000", None),
        (Capacity.HEIR, "carol@example.net", "carol@example.net"),
        (Capacity.HEIR, "", None),
    ],
)
def test_who_asks_for_somebody_is_answered_where_they_said(
    alice: Subject, capacity: str, contact: str, to: str | None
) -> None:
    letter = letters.write(request=for_child(alice, contact, capacity), code="acknowledged", at=SOON)
    letters.send_due(at=LATER)
    assert [sent.to for sent in mail.outbox] == ([[to]] if to else [])
    assert (letter is None) == (to is None)


def test_somebody_not_known_yet_is_answered_at_the_address_they_typed(world: None) -> None:
    wish = intake.Asked(rights=("access",), jurisdiction="US")
    contact = subjects.name("email", "new@example.org")
    (request,) = intake.receive_unproven(asked=wish, contact=contact, by=BY, at=AT)
    written(request, "code", code="BCDF-GHJK")
    letters.send_due(at=LATER)
    assert mail.outbox[0].to == ["new@example.org"]
    assert "BCDF-GHJK" in mail.outbox[0].body


def test_a_second_code_goes_to_the_second_address(alice: Subject) -> None:
    written(received(alice), "code", code="BCDF-GHJK", address="second@example.org")
    letters.send_due(at=LATER)
    assert mail.outbox[0].to == ["second@example.org"]
    assert "second@example.org" not in mail.outbox[0].body


def test_who_has_no_address_gets_none(world: None) -> None:
    newcomer = subjects.Newcomer(names=(subjects.name("account", "m_dora"),), jurisdiction="US")
    dora = subjects.register(newcomer=newcomer, by=BY, at=AT)
    assert letters.write(request=received(dora), code="acknowledged", at=SOON) is None
    assert not Letter.objects.exists()


def test_the_confirmation_of_an_erasure_arrives_after_the_key_is_gone(alice: Subject) -> None:
    request = received(alice)
    written(request, "erased")
    subjects.forget(subject=alice, by=BY, at=SOON)
    letters.send_due(at=LATER)
    (sent,) = mail.outbox
    assert sent.to == ["alice@example.org"]
    assert request.reference in sent.body
    assert Letter.objects.get().sealed is None
    assert letters.write(request=Request.objects.get(), code="fulfilled", at=LATER) is None


def test_nothing_readable_waits_in_the_table(alice: Subject) -> None:
    letter = written(received(alice), "code", code="BCDF-GHJK")
    kept = bytes(letter.sealed or b"")
    assert b"alice" not in kept
    assert b"BCDF" not in kept
    assert crypto.key_id_of(kept) != ""
    with pytest.raises(crypto.CryptoError):
        crypto.unseal(kept, context=letters.context(uuid.uuid4()))


@pytest.mark.django_db(transaction=True)
def test_a_letter_of_a_change_that_was_rolled_back_is_never_sent(alice: Subject) -> None:
    with transaction.atomic():
        written(received(alice))
        transaction.set_rollback(True)
    assert letters.send_due(at=LATER) == 0
    assert not mail.outbox


# --- trouble

Server = Callable[..., posting.Moody]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    """Put a mail server with moods in place: exceptions to raise, one a letter."""

    def put(*moods: Exception | None, opens: bool = True) -> posting.Moody:
        moody = posting.Moody(list(moods), opens=opens)
        monkeypatch.setattr(letters, "get_connection", lambda: moody)
        return moody

    return put


def refused_recipient(code: int) -> smtplib.SMTPRecipientsRefused:
    return smtplib.SMTPRecipientsRefused({"alice@example.org": (code, b"no")})


def test_refused_for_good_is_given_up_and_staff_see_it(alice: Subject, server: Server) -> None:
    letter = written(received(alice))
    server(refused_recipient(550))
    assert letters.send_due(at=LATER) == 0
    letter.refresh_from_db()
    assert (letter.state, letter.sealed, letter.last_reason) == (Letter.GIVEN_UP, None, "smtp_550")
    told = letter.request.timeline.get(code="letter_given_up")
    assert told.details == {"letter": "message_waits", "reason": "smtp_550"}


@pytest.mark.parametrize("trouble", [refused_recipient(450), smtplib.SMTPDataError(451, b"later")])
def test_refused_for_now_is_tried_again_later(alice: Subject, server: Server, trouble: Exception) -> None:
    letter = written(received(alice))
    moody = server(trouble, None)
    assert letters.send_due(at=LATER) == 0
    letter.refresh_from_db()
    assert letter.not_before > LATER
    assert letters.send_due(at=LATER) == 0
    assert letters.send_due(at=letter.not_before) == 1
    assert len(moody.taken) == 1


def test_put_off_for_ever_it_is_given_up_after_its_budget(alice: Subject, server: Server) -> None:
    letter = written(received(alice))
    server(*[refused_recipient(450)] * 50)
    at, tries = LATER, 0
    while letter.state == Letter.WAITING:
        letters.send_due(at=at)
        letter.refresh_from_db()
        at, tries = letter.not_before, tries + 1
    assert tries == letters.BUDGET
    assert at - LATER > timedelta(hours=12)


def test_a_broken_line_has_the_letter_sent_again_under_the_same_id(alice: Subject, server: Server) -> None:
    letter = written(received(alice))
    moody = server(ConnectionResetError(), None)
    letters.send_due(at=LATER)
    letter.refresh_from_db()
    assert (letter.state, letter.last_reason) == (Letter.WAITING, "broken_off")
    letters.send_due(at=letter.not_before)
    assert len({one.extra_headers["Message-ID"] for one in moody.asked}) == 1
    assert len(moody.asked) == 2


def test_a_server_in_trouble_ends_the_turn_and_costs_no_try(alice: Subject, server: Server) -> None:
    request = received(alice)
    first, second = written(request), written(request, "acknowledged")
    moody = server(smtplib.SMTPSenderRefused(451, b"busy", "us"))
    assert letters.send_due(at=LATER) == 0
    assert len(moody.asked) == 1
    assert {one.attempts for one in Letter.objects.filter(pk__in=[first.pk, second.pk])} == {0}


def test_trouble_of_ours_never_gives_a_letter_up(alice: Subject, server: Server) -> None:
    letter = written(received(alice))
    Letter.objects.update(attempts=letters.BUDGET - 1)
    server(smtplib.SMTPSenderRefused(451, b"busy", "us"))
    letters.send_due(at=LATER)
    letter.refresh_from_db()
    assert (letter.state, letter.attempts) == (Letter.WAITING, letters.BUDGET - 1)


def test_an_unreachable_server_claims_nothing(alice: Subject, server: Server) -> None:
    letter = written(received(alice))
    server(opens=False)
    assert letters.send_due(at=LATER) == 0
    letter.refresh_from_db()
    assert (letter.attempts, letter.not_before) == (0, SOON)


def test_without_letters_no_server_is_asked(alice: Subject, server: Server) -> None:
    moody = server()
    assert letters.send_due(at=LATER) == 0
    assert not moody.opened


def test_a_letter_that_kills_its_senders_is_given_up(alice: Subject) -> None:
    letter = written(received(alice))
    Letter.objects.update(attempts=letters.BUDGET)
    assert letters.send_due(at=LATER) == 0
    letter.refresh_from_db()
    assert (letter.state, letter.last_reason) == (Letter.GIVEN_UP, "broken_off")
    assert not mail.outbox


def test_a_claimed_letter_is_not_due_to_anybody_else(alice: Subject) -> None:
    letter = written(received(alice))
    lease = LATER + timedelta(seconds=30)
    claimed = letters._claim(LATER, until=lease)
    assert claimed == letter
    assert letters._claim(LATER, until=lease) is None
    # whoever took it over after the lease is the one who settles it
    again = letters._claim(lease, until=MUCH_LATER)
    assert again == letter
    assert claimed is not None
    letters._settle(claimed, letters.posting.SENT, at=MUCH_LATER)
    letter.refresh_from_db()
    assert letter.state == Letter.WAITING


def test_beat_turns_it(alice: Subject, settings: Any) -> None:
    written(received(alice))
    tasks.send_letters(told_by="an older release")
    assert len(mail.outbox) == 1
    turns = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert {letters.SEND_TASK, "requests_app.tasks.sweep_files"} <= turns


def test_a_letter_is_mail_that_parses(alice: Subject, bob: User) -> None:
    written(received(alice))
    letters.send_due(at=LATER)
    parsed = email.message_from_bytes(mail.outbox[0].message().as_bytes(), policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    assert [part.get_content_type() for part in parsed.iter_parts()] == ["text/plain", "text/html"]
