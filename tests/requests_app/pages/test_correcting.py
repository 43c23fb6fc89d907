"""Naming what has to be corrected, several things in one go, on a page that needs no script."""

import re
from typing import Any

import pytest

from consents.models import Subject
from requests_app import sealing
from requests_app.models import Request
from requests_app.rights import rectification
from tests.conftest import SignIn
from tests.requests_app.pages.walking import choose, send, text

pytestmark = pytest.mark.usefixtures("world", "own_cache")

NEW, DETAILS, CHECK = "/requests/new/", "/requests/new/details/", "/requests/new/check/"


def test_what_is_to_be_corrected_is_kept_sealed(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    choose(browser, "rectification", about="Surname", wrong="Dough", correct="Doe")
    send(browser)
    request = Request.objects.get()
    kept = sealing.unseal_json(request, request.sealed_details, context=sealing.DETAILS)
    assert kept == {"corrections": [{"what": "Surname", "wrong": "Dough", "right": "Doe"}]}


def numbered(number: int, **said: str) -> dict[str, str]:
    """The fields of one correction, counted from 0."""
    return {f"{part}_{number}" if number else part: value for part, value in said.items()}


def corrected() -> list[tuple[str, str, str]]:
    request = Request.objects.get()
    return [(one["what"], one["wrong"], one["right"]) for one in rectification.corrections(request)]


def test_several_corrections_are_named_without_a_script(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    browser.post(NEW, {"rights": ["rectification", "erasure", "objection"]})
    first = {"about": "Surname", "wrong": "Dough", "correct": "Doe"}
    # not everything is filled in yet, and nothing of it is lost
    added = browser.post(DETAILS, {**first, "purposes_objection": ["ai-training"], "note": "Since May.", "add": "1"})
    assert added["Location"] == f"{DETAILS}#correction-2"
    page = browser.get(DETAILS)
    form = page.context["form"]
    assert [form[name].value() for name in (*first, "about_1", "note")] == ["Surname", "Dough", "Doe", "", "Since May."]
    assert form["purposes_objection"].value() == ["ai-training"]
    assert "Correction 2" in text(page)
    # sent as it is, it says what is missing
    again = browser.post(DETAILS, {**first, **numbered(1, about="Town", wrong="", correct=""), "note": ""})
    assert (again.status_code, set(again.context["form"].errors)) == (
        400,
        {"correct_1", "understood", "purposes_objection"},
    )
    second = numbered(1, about="Town", wrong="", correct="Cork")
    browser.post(DETAILS, {**first, **second, "understood": "on", "purposes_objection": ["ai-training"], "note": ""})
    page = text(browser.get(CHECK))
    assert page.index("Doe") < page.index("Cork")
    send(browser)
    request = Request.objects.get(right="rectification")
    kept = rectification.corrections(request)
    assert [one["what"] for one in kept] == ["Surname", "Town"]


def test_a_correction_that_is_left_empty_is_none(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    blank = numbered(0, about=" ", wrong="", correct="")
    town = numbered(1, about="Town", wrong="Bonn", correct="Cork")
    assert choose(browser, "rectification", **blank, **town)["Location"] == CHECK
    send(browser)
    assert corrected() == [("Town", "Bonn", "Cork")]


def test_nothing_filled_in_is_asked_for_once(alice: Subject, signed_in: SignIn) -> None:
    answer: Any = choose(signed_in(alice), "rectification", about="", correct="", about_1="", correct_1="")
    assert (answer.status_code, set(answer.context["form"].errors)) == (400, {"about", "correct"})


def test_the_same_thing_is_named_once(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    twice = {**numbered(0, about="Surname", correct="Doe"), **numbered(1, about="SURNAME ", correct="Do")}
    for pressed in ({}, {"add": "1"}):
        answer: Any = choose(browser, "rectification", **twice, **pressed)
        assert answer.status_code == 400
        assert answer.context["form"].errors == {"about_1": ["You have named this already. Say it once."]}


def test_there_is_room_for_twenty(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    many: dict[str, str] = {}
    for number in range(25):
        many |= numbered(number, about=f"thing {number}", correct="right")
    answer: Any = choose(browser, "rectification", **many, add="1")
    page = text(browser.get(answer["Location"]))
    assert "Correction 20" in page
    assert "Correction 21" not in page
    assert 'name="add"' not in page
    send(browser)
    assert len(corrected()) == 20


def test_what_is_too_long_is_said_before_there_is_room_for_more(alice: Subject, signed_in: SignIn) -> None:
    answer: Any = choose(signed_in(alice), "rectification", about="x" * 501, add="1")
    assert (answer.status_code, set(answer.context["form"].errors)) == (400, {"about"})


def test_return_in_a_field_goes_on_and_adds_nothing(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    choose(browser, "rectification", about="Surname", correct="Doe")
    page = text(browser.get(DETAILS))
    form = page[page.index('<form method="post" novalidate>') :]
    buttons = re.findall(r"<button[^>]*>", form)
    assert "name=" not in buttons[0]
    assert 'name="add"' in buttons[1]


def test_what_was_filled_in_before_there_could_be_several_is_still_sent(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    choose(browser, "rectification", about="Surname", wrong="Dough", correct="Doe")
    session = browser.session
    kept = session["request_draft"]
    del kept["corrections"]
    session["request_draft"] = {**kept, "about": "Surname", "wrong": "Dough", "correct": "Doe"}
    session.save()
    send(browser)
    assert corrected() == [("Surname", "Dough", "Doe")]
