"""One letter: what it says, in which language, and what a mail server's answer means."""

import smtplib
from datetime import timedelta
from typing import Any

import pytest
from django.core.mail import EmailMultiAlternatives

from consents import letters
from consents.models import Letter, Notice
from tests.consents.telling import TEXTS, published

pytestmark = pytest.mark.django_db

PENDING, FAILED, UNCERTAIN = Letter.State.PENDING, Letter.State.FAILED, Letter.State.UNCERTAIN


def letter(locale: str = "en", **changes: Any) -> EmailMultiAlternatives:
    published(**changes)
    texts = list(Notice.objects.filter(slug="terms", version=1).order_by("locale"))
    return letters.compose(texts, address="alice@example.org", locale=locale)


def html(one: EmailMultiAlternatives) -> str:
    (alternative,) = one.alternatives
    return str(alternative.content)  # type: ignore[attr-defined]


def test_it_says_what_is_new_why_it_came_and_where_to_read_on(settings: Any) -> None:
    settings.SITE_URL = "https://privacy.example"
    one = letter()
    assert one.subject == "Linkwell: New terms"
    for text in (str(one.body), html(one)):
        assert "https://privacy.example/notices/terms/1/" in text
        assert "https://privacy.example/choices/" in text
        assert "Why you get this letter" in text
        assert "2 March 2026" in text
        assert "no longer counts from that day on" in text


def test_it_holds_nothing_of_the_person() -> None:
    one = letter()
    assert one.to == ["alice@example.org"]
    assert "alice" not in f"{one.subject}{one.body}{html(one)}".lower()


def test_a_change_of_wording_says_nothing_of_agreements() -> None:
    assert "no longer counts" not in str(letter(is_material=False).body)


@pytest.mark.parametrize(("locale", "title"), [("de", "Neue Regeln"), ("de-AT", "Neue Regeln"), ("it", "New terms")])
def test_it_comes_in_the_persons_language_or_in_english(locale: str, title: str) -> None:
    one = letter(locale)
    assert title in one.subject
    assert title in str(one.body)


def test_a_title_is_no_markup_and_breaks_no_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TEXTS, "en", ("A <b>\nBcc: x", "Text"))
    one = letter()
    assert one.subject == "Linkwell: A <b> Bcc: x"
    assert "A &lt;b&gt;" in html(one)
    assert one.message()["Auto-Submitted"] == "auto-generated"


class Server:
    def __init__(self, error: Exception | None) -> None:
        self.error = error

    def send_messages(self, messages: list[Any]) -> int:
        if self.error:
            raise self.error
        return len(messages)


@pytest.mark.parametrize(
    ("error", "state", "reason", "stops"),
    [
        (None, Letter.State.SENT, "", False),
        (smtplib.SMTPRecipientsRefused({"a": (550, b"no such user alice")}), FAILED, "smtp_550", False),
        (smtplib.SMTPRecipientsRefused({"a": (450, b"later")}), PENDING, "smtp_450", False),
        (smtplib.SMTPRecipientsRefused({"a": (421, b"closing")}), PENDING, "smtp_421", True),
        (smtplib.SMTPDataError(554, b"spam"), FAILED, "smtp_554", False),
        (smtplib.SMTPDataError(452, b"full"), PENDING, "smtp_452", False),
        (smtplib.SMTPSenderRefused(553, b"who are you", "us"), PENDING, "smtp_553", True),
        (smtplib.SMTPNotSupportedError("SMTPUTF8"), FAILED, "address_unusable", False),
        (ValueError("header"), FAILED, "address_unusable", False),
        (smtplib.SMTPServerDisconnected("gone"), UNCERTAIN, "broken_off", True),
        (TimeoutError(), UNCERTAIN, "broken_off", True),
    ],
)
def test_what_the_servers_answer_means(error: Exception | None, state: str, reason: str, stops: bool) -> None:
    assert letters.post(Server(error), EmailMultiAlternatives()) == letters.Outcome(state, reason, stops)


def test_waits_double_up_to_six_hours_and_are_spread() -> None:
    minute = timedelta(minutes=1)
    assert [letters.delay(attempts=n, jitter=1) for n in (1, 2, 3)] == [minute, 2 * minute, 4 * minute]
    assert letters.delay(attempts=30_000, jitter=1) == timedelta(hours=6)
    assert letters.delay(attempts=1, jitter=0) == minute / 2
