"""The code by mail that shows whose an address is: typed once, sent anew, and silent about who is known."""

import json
from importlib import import_module
from typing import Any

import pytest
from django.test import Client

from consents import subjects
from consents.models import Subject
from portal import crypto
from requests_app.models import Letter, Request
from requests_app.states import Status
from tests.conftest import lose_counts
from tests.requests_app.pages.walking import KEY, STRANGER, choose, send, text

pytestmark = [pytest.mark.usefixtures("world", "counts")]

CODE, SENT, WHO = "/requests/code/", "/requests/sent/", "/requests/new/who/"


@pytest.fixture
def counts(settings: Any) -> None:
    lose_counts(settings)


@pytest.fixture
def stranger() -> Client:
    return Client()


def ask(browser: Client, *rights: str, **details: Any) -> None:
    """All the way to the page that wants the code."""
    choose(browser, *rights, **details)
    browser.post(WHO, STRANGER)
    assert send(browser)["Location"] == CODE


def code() -> str:
    """What the newest letter brings."""
    letter = Letter.objects.filter(code="code").order_by("-written_at", "-pk")[0]
    address, brought = json.loads(crypto.unseal(letter.sealed or b"", context=b"request-letter:" + letter.pk.bytes))
    assert address == STRANGER["email"]
    return str(brought["code"])


def test_the_second_of_two_clicks_leads_to_what_was_sent(stranger: Client) -> None:
    ask(stranger, "access")
    sent, typed = stranger.session["request_sent"], {"code": code()}
    assert stranger.post(CODE, typed)["Location"] == SENT
    # it came before the first was answered
    session = stranger.session
    session["request_sent"] = sent
    session.save()
    assert stranger.post(CODE, typed)["Location"] == SENT
    assert stranger.session["request_sent"]["check"] is None


def test_a_no_of_a_stranger_is_taken_in_while_redis_is_away(stranger: Client, settings: Any) -> None:
    default = settings.CACHES["default"]
    settings.CACHES = {"default": {**default, "LOCATION": "redis://127.0.0.1:1/0"}}
    ask(stranger, "objection", purposes_objection=["ai-training"])
    assert stranger.post(CODE, {"code": code()})["Location"] == SENT
    assert Request.objects.get().status == Status.IN_PROGRESS


def test_a_stranger_objects_and_the_code_makes_it_count(stranger: Client) -> None:
    ask(stranger, "objection", purposes_objection=["ai-training"])
    assert stranger.post(CODE, {"code": code().lower()})["Location"] == SENT
    request = Request.objects.get()
    assert request.subject == subjects.get(subjects.name("email", STRANGER["email"]))
    assert request.carried_out_at is not None
    page = text(stranger.get(SENT))
    assert KEY.findall(page) == [request.reference]
    assert "It counts from now on." in page
    assert stranger.get(CODE)["Location"] == SENT


def test_what_could_do_harm_waits_for_a_second_proof(stranger: Client) -> None:
    ask(stranger, "access", "objection", purposes_objection=["ai-training"])
    stranger.post(CODE, {"code": code()})
    access = Request.objects.get(right="access")
    assert access.status == Status.VERIFYING
    page = text(stranger.get(SENT))
    assert "we have to be sure that it is you" in page
    assert access.reference in page


@pytest.mark.parametrize("typed", ["", "XXXX-XXXX", "x" * 41])
def test_a_wrong_code_is_refused_and_shows_nothing(stranger: Client, typed: str) -> None:
    ask(stranger, "access")
    answer = stranger.post(CODE, {"code": typed})
    assert answer.status_code == 400
    assert not KEY.search(text(answer))
    assert Request.objects.get().subject is None


def test_a_new_code_can_be_had(stranger: Client) -> None:
    ask(stranger, "access")
    first = code()
    assert stranger.post(CODE, {"again": "1"})["Location"] == CODE
    assert code() != first
    assert "A new code is on its way." in text(stranger.get(CODE))
    assert stranger.post(CODE, {"code": code()})["Location"] == SENT


def test_who_asks_for_codes_too_often_is_told_so(stranger: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(stranger, "access")
    codes: Any = import_module("requests_app.codes")
    monkeypatch.setattr(codes, "MOST_ASKED", 1)
    answer = stranger.post(CODE, {"again": "1"})
    assert answer.status_code == 429
    assert "too often just now" in text(answer)


def test_another_browser_cannot_use_it(stranger: Client) -> None:
    ask(stranger, "access")
    assert Client().post(CODE, {"code": code()})["Location"] == "/requests/new/"
    assert Request.objects.get().subject is None


def test_an_erased_address_gets_the_same_pages_and_then_the_reason(alice: Subject, stranger: Client) -> None:
    subjects.forget(subject=alice, by="system:heed", at=alice.registered_at)
    known = STRANGER | {"email": "alice@example.org"}
    choose(stranger, "access")
    stranger.post(WHO, known)
    assert send(stranger)["Location"] == CODE
    letter = Letter.objects.get(code="code")
    brought = json.loads(crypto.unseal(letter.sealed or b"", context=b"request-letter:" + letter.pk.bytes))[1]
    assert stranger.post(CODE, {"code": brought["code"]})["Location"] == SENT
    assert "We hold nothing under this address" in text(stranger.get(SENT))


def test_the_wrong_method_is_refused(stranger: Client) -> None:
    assert stranger.put(CODE).status_code == 405
