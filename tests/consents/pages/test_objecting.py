"""Objecting without an account, through the real pages: one way for every address."""

import re
from smtplib import SMTPRecipientsRefused
from typing import Any

import pytest
from django.core import mail
from django.http import HttpResponse
from django.test import Client
from django.utils import translation

from consents import subjects
from consents.models import ContactVerification, LedgerEvent, Subject
from tests.conftest import AT, BY, SignIn
from tests.consents.asking import tables_as_text
from tests.consents.pages.test_sign_in import CODE, plain

FILLED: dict[str, Any] = {"purposes": ["ai-training"], "country": "US", "email": "zoe@example.org"}

pytestmark = pytest.mark.usefixtures("world", "own_cache")


def ask(browser: Client, path: str = "/object/", **changes: Any) -> HttpResponse:
    return browser.post(path, FILLED | changes, follow=True)  # type: ignore[return-value]


def code() -> str:
    found = CODE.search(str(mail.outbox[-1].body))
    assert found, mail.outbox[-1].body
    return found.group()


def say(browser: Client, path: str = "/object/", **changes: Any) -> str:
    """The whole way; answers the last page."""
    assert "Type the code" in ask(browser, path, **changes).content.decode()
    return browser.post("/object/code/", {"code": code()}, follow=True).content.decode()


def choices() -> list[LedgerEvent]:
    return list(LedgerEvent.objects.filter(kind="choice").order_by("id"))


def test_it_is_found_from_the_first_page_and_from_sign_in() -> None:
    assert 'href="/object/?country=DE"' in Client().get("/?country=DE").content.decode()
    assert 'href="/object/"' in Client().get("/").content.decode()
    assert 'href="/object/"' in Client().get("/account/login/code/").content.decode()


def test_a_member_is_not_sent_there(alice: Subject, signed_in: SignIn) -> None:
    assert 'href="/object/' not in signed_in(alice).get("/").content.decode()


def test_ai_training_and_the_chosen_country_are_filled_in() -> None:
    page = Client().get("/object/?country=de").content.decode()
    assert re.search(r'value="ai-training"[^>]*checked', page)
    assert '<option value="DE" selected>' in page


def test_the_whole_way_gives_a_receipt_for_each_purpose() -> None:
    page = say(Client(), purposes=["ai-training", "marketing"])
    assert "Your objection is recorded." in page
    assert len(re.findall(r"R-[0-9A-Z]{26}", page)) == 2
    assert [(event.purpose, event.action, event.notice) for event in choices()] == [
        ("ai-training", "object", "ai-training/1"),
        ("marketing", "object", ""),
    ]
    assert subjects.find(subjects.name("email", "zoe@example.org"))


def test_the_signal_of_the_browser_is_theirs_too(alice: Subject) -> None:
    browser = Client(headers={"sec-gpc": "1"})
    say(browser)
    assert [event.action for event in choices()] == ["object", "signal_on"]
    subjects.forget(subject=alice, by=BY, at=AT)
    say(browser, email="alice@example.org")
    assert [event.action for event in choices()] == ["object", "signal_on", "object"]


def test_the_same_way_says_yes_again() -> None:
    say(Client())
    page = say(Client(), "/object/undo/")
    assert "Your yes is recorded." in page
    assert [event.action for event in choices()] == ["object", "grant"]


def test_the_mail_says_why_it_came_and_names_nothing_but_the_code() -> None:
    ask(Client(), content="my poem")
    [message] = mail.outbox
    assert (message.to, message.subject) == (["zoe@example.org"], "Your code")
    assert "somebody wrote your address on our page for people without an account" in str(message.body)
    for told in (str(message.body), str(message.alternatives[0][0])):  # type: ignore[attr-defined]
        assert "poem" not in told
        assert "zoe" not in told


def test_pages_and_mails_are_the_same_for_the_known_the_unknown_and_the_erased(alice: Subject) -> None:
    gone = subjects.register(
        newcomer=subjects.Newcomer((subjects.name("email", "gone@example.org"),), "US"), by=BY, at=AT
    )
    subjects.forget(subject=gone, by=BY, at=AT)
    seen = set()
    for email in ("alice@example.org", "nobody@example.org", "gone@example.org"):
        browser = Client()
        asked = ask(browser, email=email)
        text = str(mail.outbox[-1].body).replace(code(), "CODE")
        said = browser.post("/object/code/", {"code": code()}, follow=True)
        last = re.sub(r"R-[0-9A-Z]{26}", "REFERENCE", plain(said.content.decode()))
        seen.add((plain(asked.content.decode()), text, mail.outbox[-1].subject, last, said.status_code))
    assert len(seen) == 1
    assert len(choices()) == 3


def test_whoever_is_erased_stays_so_and_nothing_of_them_is_written(alice: Subject) -> None:
    subjects.forget(subject=alice, by=BY, at=AT)
    say(Client(), email="alice@example.org", content="the poem of alice")
    everything = tables_as_text()
    for secret in ("alice", "poem"):
        assert secret not in everything
        assert secret.encode().hex() not in everything
    assert subjects.find(subjects.name("email", "alice@example.org")) is None


def test_no_address_and_no_code_is_readable_in_the_database_meanwhile() -> None:
    browser = Client()
    ask(browser)
    everything = tables_as_text().lower()
    for secret in ("zoe@", "example.org", code().lower(), code().replace("-", "").lower()):
        assert secret not in everything
        assert secret.encode().hex() not in everything


def test_a_code_serves_only_the_browser_that_asked() -> None:
    ask(Client())
    other = Client()
    assert other.post("/object/code/", {"code": code()})["Location"] == "/object/"
    ask(other, email="other@example.org")
    first, second = (CODE.search(str(message.body)) for message in mail.outbox)
    assert first
    assert second
    assert other.post("/object/code/", {"code": first.group()}).status_code == 400
    assert not choices()


def test_a_wrong_code_is_refused_beside_its_field_and_may_be_tried_again() -> None:
    browser = Client()
    ask(browser)
    wrong = browser.post("/object/code/", {"code": "BBBB-BBBB"})
    assert wrong.status_code == 400
    assert "This code does not serve" in wrong.content.decode()
    assert not choices()
    assert browser.post("/object/code/", {"code": code().lower()}).status_code == 302


def test_a_new_code_replaces_the_one_before() -> None:
    browser = Client()
    ask(browser)
    before = code()
    page = browser.post("/object/code/", {"again": "1"}, follow=True).content.decode()
    assert "A new code is on its way." in page
    assert browser.post("/object/code/", {"code": before}).status_code == 400
    assert browser.post("/object/code/", {"code": code()}).status_code == 302


def test_a_new_code_for_what_ran_out_begins_again() -> None:
    browser = Client()
    ask(browser)
    ContactVerification.objects.all().delete()
    response = browser.post("/object/code/", {"again": "1"}, follow=True)
    assert response.redirect_chain == [("/object/", 302)]  # type: ignore[attr-defined]
    assert "This took too long." in response.content.decode()


def test_too_many_mails_from_one_caller_to_one_address_are_refused() -> None:
    for _ in range(5):
        assert ask(Client()).status_code == 200
    refused = ask(Client())
    assert refused.status_code == 429
    assert "asked for too often" in refused.content.decode()
    assert len(mail.outbox) == 5
    browser = Client()
    ask(browser, email="other@example.org")
    for _ in range(5):
        page = browser.post("/object/code/", {"again": "1"}, follow=True).content.decode()
    assert "asked for too often" in page


def test_where_an_address_had_its_mails_the_page_is_as_always_and_earlier_codes_serve() -> None:
    first = Client(REMOTE_ADDR="198.51.100.1")
    shown = ask(first)
    kept = code()
    for number in range(2, 21):
        ask(Client(REMOTE_ADDR=f"198.51.100.{number}"))
    late = Client(REMOTE_ADDR="198.51.100.99")
    silent = ask(late)
    assert len(mail.outbox) == 20
    assert plain(silent.content.decode()) == plain(shown.content.decode())
    assert late.post("/object/code/", {"code": kept}).status_code == 400
    page = first.post("/object/code/", {"again": "1"}, follow=True).content.decode()
    assert "the code that you have still works" in page
    assert first.post("/object/code/", {"code": kept}).status_code == 302


def test_somebody_elses_asking_and_guessing_ends_nobodys_objection() -> None:
    mine, theirs = Client(), Client(REMOTE_ADDR="198.51.100.7")
    ask(mine)
    kept = code()
    ask(theirs)
    for _ in range(6):
        theirs.post("/object/code/", {"code": "BBBB-BBBB"})
    assert mine.post("/object/code/", {"code": kept}).status_code == 302


def test_a_new_code_that_cannot_be_sent_leaves_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    browser = Client()
    ask(browser)

    def refuse(*_: object, **__: object) -> None:
        raise SMTPRecipientsRefused({})

    with monkeypatch.context() as broken:
        broken.setattr("consents.pages.objecting.EmailMultiAlternatives.send", refuse)
        browser.post("/object/code/", {"again": "1"})
    assert browser.post("/object/code/", {"code": code()}).status_code == 302


def test_all_addresses_of_one_ipv6_caller_are_one_caller() -> None:
    for number in range(30):
        browser = Client(REMOTE_ADDR=f"2001:db8::{number:x}")
        assert ask(browser, email=f"person{number}@example.org").status_code == 200
    assert ask(Client(REMOTE_ADDR="2001:db8::ffff"), email="one-more@example.org").status_code == 429
    assert ask(Client(REMOTE_ADDR="2001:db8:1::1"), email="one-more@example.org").status_code == 200


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"purposes": []}, "Tick at least one."),
        ({"purposes": ["nothing"]}, "Select a valid choice"),
        ({"country": ""}, "Choose your country."),
        ({"country": "XX"}, "Select a valid choice"),
        ({"email": ""}, "Write your mail address."),
        ({"email": "nobody"}, "This is not a mail address."),
        ({"email": "a@b.c\r\nBcc: d@e.f"}, "This is not a mail address."),
        ({"content": "x" * 2001}, "at most 2000 characters"),
    ],
)
def test_what_is_missing_is_said_beside_its_field_and_no_mail_goes_out(changes: dict[str, Any], words: str) -> None:
    response = ask(Client(), **changes)
    assert response.status_code == 400
    page = response.content.decode()
    assert words in page
    assert "error-summary" in page
    assert not mail.outbox
    assert not ContactVerification.objects.exists()


def test_a_mail_that_cannot_be_sent_is_told_and_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise SMTPRecipientsRefused({})

    monkeypatch.setattr("consents.pages.objecting.EmailMultiAlternatives.send", refuse)
    response = ask(Client())
    assert response.status_code == 502
    assert "The mail could not be sent." in response.content.decode()
    assert not ContactVerification.objects.exists()


@pytest.mark.parametrize("path", ["/object/code/", "/object/done/"])
def test_without_having_asked_one_begins_at_the_beginning(path: str) -> None:
    assert Client().get(path)["Location"] == "/object/"


def test_a_minor_is_registered_as_one() -> None:
    say(Client(), is_minor="on")
    assert Subject.objects.get().is_minor


def test_only_pages_that_take_something_take_it() -> None:
    assert Client().delete("/object/").status_code == 405
    assert Client().post("/object/done/").status_code == 405
    assert Client(enforce_csrf_checks=True).post("/object/", FILLED).status_code == 403


def test_the_page_and_the_mail_speak_the_readers_language(world: None) -> None:
    browser = Client(headers={"accept-language": "fr"})
    ask(browser)
    browser.post("/object/code/", {"code": re.findall(r"\b[A-Z0-9]{4}-[A-Z0-9]{4}\b", str(mail.outbox[-1].body))[0]})
    assert Subject.objects.get().locale == "fr"
    translation.activate("en")
