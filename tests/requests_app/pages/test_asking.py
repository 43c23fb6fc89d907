"""Asking step by step, signed in and not; what is missing is said at its field, and it is sent once."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import translation

from consents import decisions, evaluation
from consents.models import Subject
from portal import clock
from portal.models import User
from requests_app import sealing
from requests_app.models import Request
from requests_app.pages import asking
from requests_app.states import Capacity, Channel, Status
from tests.conftest import SignIn, lose_counts
from tests.requests_app.asking import received
from tests.requests_app.pages.walking import FOR_A_CHILD, STRANGER, choose, draft_of, send, text

pytestmark = pytest.mark.usefixtures("world", "counts")

NEW, DETAILS, WHO, CHECK, SENT = (
    "/requests/new/",
    "/requests/new/details/",
    "/requests/new/who/",
    "/requests/new/check/",
    "/requests/sent/",
)


@pytest.fixture
def counts(settings: Any) -> None:
    lose_counts(settings)


@pytest.fixture
def stranger() -> Client:
    return Client()


def test_a_member_asks_for_two_rights_in_one_go(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    answer = choose(browser, "access", "objection", purposes_objection=["ai-training"], note="since May")
    assert answer["Location"] == CHECK
    page = text(browser.get(CHECK))
    assert "Use my data to train AI" in page
    assert "since May" in page
    assert send(browser)["Location"] == SENT
    objection, access = Request.objects.order_by("pk")
    assert (objection.right, access.right) == ("objection", "access")
    assert objection.group == access.group
    assert (objection.scope, access.scope) == ({"purposes": ["ai-training"]}, {})
    assert (access.status, access.channel, access.subject) == (Status.RECEIVED, Channel.PAGES, alice)
    page = text(browser.get(SENT))
    assert objection.reference in page
    assert access.reference in page


def test_an_objection_to_training_takes_two_clicks_and_counts(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    assert browser.post(NEW, {"quick": "1"})["Location"] == CHECK
    assert send(browser)["Location"] == SENT
    request = Request.objects.get()
    assert (request.right, request.carried_out_at is None) == ("objection", False)
    question = evaluation.Question("ai-training")
    assert not decisions.decide(subject=alice, question=question, at=clock.now(), now=True).allow
    assert "It counts from now on." in text(browser.get(SENT))


@pytest.mark.parametrize("country", ["GB", "US-CA", "BR"])
def test_each_right_says_how_long_the_law_allows(stranger: Client, country: str) -> None:
    said = {
        "GB": "1 month, or 3 months",
        "US-CA": "45 days, or 90 days",
        "BR": "The law: an answer within 15 days.",
    }
    assert said[country] in text(stranger.get(f"{NEW}?country={country}"))
    assert said[country] not in text(stranger.get(NEW))


def test_where_no_law_is_known_the_house_rule_is_named_as_such(stranger: Client) -> None:
    assert "No law sets a time where you live" in text(stranger.get(f"{NEW}?country=US"))


def test_a_place_of_no_name_changes_nothing(stranger: Client) -> None:
    page = stranger.get(f"{NEW}?country=XX")
    assert page.status_code == 200
    assert "The law: an answer" not in text(page)


@pytest.mark.parametrize("wrong", [{}, {"rights": ["nonsense"]}, {"rights": ["appeal"]}, {"rights": ["acc\0ess"]}])
def test_a_right_has_to_be_chosen(stranger: Client, wrong: dict[str, Any]) -> None:
    answer = stranger.post(NEW, wrong)
    assert answer.status_code == 400
    assert 'href="#id_rights' in text(answer)
    assert stranger.get(DETAILS)["Location"] == NEW


@pytest.mark.parametrize(
    ("rights", "given", "wrong"),
    [
        (["objection"], {}, ["purposes_objection"]),
        (["objection"], {"purposes_objection": ["nonsense"]}, ["purposes_objection"]),
        (["withdraw_consent"], {}, ["purposes_withdraw_consent"]),
        (["opt_out_sale"], {}, ["purposes_opt_out_sale"]),
        (["rectification"], {"about": "my name"}, ["correct"]),
        (["erasure"], {}, ["understood"]),
        (["access"], {"note": "x" * 4_001}, ["note"]),
        (["access"], {"note": "a\0b"}, ["note"]),
        (["erasure", "objection"], {}, ["purposes_objection", "understood"]),
    ],
)
def test_what_is_missing_is_said_at_its_field(
    stranger: Client, rights: list[str], given: dict[str, Any], wrong: list[str]
) -> None:
    answer = choose(stranger, *rights, **given)
    assert answer.status_code == 400
    assert sorted(answer.context["form"].errors) == wrong  # type: ignore[attr-defined]
    assert stranger.get(CHECK)["Location"] == DETAILS
    assert not Request.objects.exists()


def test_a_restriction_may_be_of_every_use(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    choose(browser, "restriction")
    assert "Every use" in text(browser.get(CHECK))
    send(browser)
    assert Request.objects.get().scope == {}


def test_what_was_filled_in_is_still_there_when_one_goes_back(stranger: Client) -> None:
    choose(stranger, "rectification", about="My name", correct="Zoë")
    stranger.post(WHO, STRANGER)
    assert "My name" in text(stranger.get(DETAILS))
    assert "zoe@example.org" in text(stranger.get(WHO))
    assert 'value="rectification" id="id_rights_3" checked' in text(stranger.get(NEW))


def test_other_rights_chosen_later_ask_for_their_details(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    choose(browser, "access")
    assert browser.get(CHECK).status_code == 200
    browser.post(NEW, {"rights": ["access", "erasure"]})
    assert browser.get(CHECK)["Location"] == DETAILS


@pytest.mark.parametrize(("page", "leads_to"), [(DETAILS, NEW), (WHO, NEW), (CHECK, NEW), (SENT, NEW)])
def test_nobody_begins_in_the_middle(stranger: Client, page: str, leads_to: str) -> None:
    assert stranger.get(page)["Location"] == leads_to


def test_who_is_signed_in_is_not_asked_who_they_are(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    assert choose(browser, "access")["Location"] == CHECK
    assert browser.get(WHO)["Location"] == CHECK


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"country": ""}, ["country"]),
        ({"country": "XX"}, ["country"]),
        ({"email": "nobody"}, ["email"]),
        ({"email": ""}, ["email"]),
        ({"capacity": "friend"}, ["capacity"]),
        ({"capacity": "heir"}, ["contact", "name", "relation"]),
        ({"capacity": "agent", "name": "Yan", "relation": "Power of attorney", "contact": "nobody"}, ["contact"]),
    ],
)
def test_who_somebody_is_has_to_be_said(stranger: Client, given: dict[str, Any], wrong: list[str]) -> None:
    choose(stranger, "access")
    answer = stranger.post(WHO, STRANGER | given)
    assert (answer.status_code, sorted(answer.context["form"].errors)) == (400, wrong)
    assert stranger.get(CHECK)["Location"] == WHO


@pytest.mark.parametrize("email", ["alice@example.org", "zoe@example.org"])
def test_a_stranger_and_a_member_get_the_same_pages(alice: Subject, stranger: Client, email: str) -> None:
    choose(stranger, "access")
    assert stranger.post(WHO, STRANGER | {"email": email})["Location"] == CHECK
    assert send(stranger)["Location"] == "/requests/code/"
    request = Request.objects.get()
    assert (request.status, request.subject, request.jurisdiction) == (Status.VERIFYING, None, "US")
    page = text(stranger.get("/requests/code/"))
    assert request.reference not in page
    assert stranger.get(SENT)["Location"] == "/requests/code/"
    assert "sent a mail with a code" in page


def test_whoever_asks_for_another_is_written_down_sealed(stranger: Client) -> None:
    choose(stranger, "access")
    assert stranger.post(WHO, FOR_A_CHILD)["Location"] == CHECK
    assert "Evidence of your authority" in text(stranger.get(CHECK))
    send(stranger)
    request = Request.objects.get()
    assert request.capacity == Capacity.PARENT
    who = sealing.unseal_json(request, request.sealed_requester, context=sealing.REQUESTER)
    assert who == ["Yan Doe", "yan@example.org", "I am her father."]
    assert sealing.unseal_json(request, request.sealed_contact, context=sealing.CONTACT) == ["email", "zoe@example.org"]


def test_evidence_of_authority_comes_with_it(stranger: Client) -> None:
    choose(stranger, "access")
    stranger.post(WHO, FOR_A_CHILD)
    send(stranger, evidence=[SimpleUploadedFile("birth.txt", b"A certificate of birth, in words.")])
    request = Request.objects.get()
    assert [one.use for one in request.attachments.all()] == ["authority"]


def test_evidence_that_is_refused_leaves_nothing_behind(stranger: Client, settings: Any) -> None:
    settings.LARGEST_FILE = 1024
    choose(stranger, "access")
    stranger.post(WHO, FOR_A_CHILD)
    answer = send(stranger, evidence=[SimpleUploadedFile("birth.txt", b"x" * 1025)])
    assert answer.status_code == 400
    assert "That file is too large" in text(answer)
    assert not Request.objects.exists()


def test_what_is_too_large_altogether_is_not_even_read(stranger: Client, settings: Any) -> None:
    choose(stranger, "access")
    stranger.post(WHO, FOR_A_CHILD)
    draft = draft_of(stranger)
    settings.LARGEST_FILE = 16
    large = SimpleUploadedFile("birth.txt", b"x" * (1 << 20) + b"more than there is room for" * 4)
    answer = stranger.post(CHECK, {"draft": draft, "evidence": [large]})
    assert answer.status_code == 413
    assert "too large altogether" in text(answer)
    assert not Request.objects.exists()


def test_more_files_than_are_taken_are_refused(stranger: Client) -> None:
    choose(stranger, "access")
    stranger.post(WHO, FOR_A_CHILD)
    six = [SimpleUploadedFile(f"{number}.txt", b"words") for number in range(6)]
    assert send(stranger, evidence=six).status_code == 400
    assert not Request.objects.exists()


def test_a_second_click_sends_nothing_twice(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    choose(browser, "access")
    draft = draft_of(browser)
    kept = browser.session["request_draft"]
    for _ in range(2):
        assert browser.post(CHECK, {"draft": draft})["Location"] == SENT
    # the second click of two that were under way at once: its session still holds the draft
    session = browser.session
    session["request_draft"] = kept
    session.pop("request_sent")
    session.save()
    assert browser.post(CHECK, {"draft": draft})["Location"] == SENT
    assert Request.objects.get().reference in text(browser.get(SENT))


def test_back_after_sending_leads_to_what_was_sent(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    choose(browser, "access")
    send(browser)
    assert browser.get(CHECK)["Location"] == SENT
    assert "checked" not in text(browser.get(NEW))


def test_the_same_asked_again_is_taken_in_linked_and_said(alice: Subject, signed_in: SignIn) -> None:
    first = received(alice, right="access")
    browser = signed_in(alice)
    choose(browser, "access")
    send(browser)
    assert Request.objects.exclude(pk=first.pk).get().duplicate_of == first
    assert first.reference in text(browser.get(SENT))


def test_who_sends_too_often_is_told_so(stranger: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MOST_SENT", 1)
    for expected in (302, 429):
        choose(stranger, "access")
        stranger.post(WHO, STRANGER)
        answer = send(stranger)
        assert answer.status_code == expected
    assert "too often just now" in text(answer)
    assert Request.objects.count() == 1


def test_staff_without_a_record_of_their_own_are_told_so(petra: User, signed_in: SignIn) -> None:
    assert signed_in(petra).get(NEW).status_code == 403


@pytest.mark.parametrize("page", [NEW, DETAILS, WHO, CHECK])
def test_a_post_from_elsewhere_changes_nothing(alice: Subject, signed_in: SignIn, page: str) -> None:
    browser = signed_in(alice)
    choose(browser, "access")
    draft = draft_of(browser)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browser.cookies
    assert strict.post(page, {"draft": draft, "quick": "1"}).status_code == 403
    assert not Request.objects.exists()


@pytest.mark.parametrize(("page", "method"), [(NEW, "put"), (DETAILS, "delete"), (CHECK, "put"), (SENT, "post")])
def test_the_wrong_method_is_refused(stranger: Client, page: str, method: str) -> None:
    assert getattr(stranger, method)(page).status_code == 405


@pytest.mark.parametrize("language", ["de", "fr"])
def test_every_step_reads_in_each_language(stranger: Client, language: str) -> None:
    choose(stranger, "erasure", understood="on")
    stranger.post(WHO, STRANGER)
    for page in (NEW, DETAILS, WHO, CHECK):
        # what a request switches to stays on for the tests that follow
        with translation.override("en"):
            answer = stranger.get(page, headers={"Accept-Language": language})
        assert f'lang="{language}"' in text(answer)
