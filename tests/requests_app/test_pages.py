"""People's pages about requests: raising one, following it, taking it back; nobody sees another's."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import translation

from consents.models import Subject
from portal.models import User
from requests_app.models import Request
from requests_app.states import Status
from tests.conftest import staff_member
from tests.requests_app.asking import carried_out, received, started, withdrawn

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
GOOD = {"right": "erasure", "note": "", "understood": "on"}
UNKNOWN = ("Q-0000-0000-0000-0000-0000-0000-00", "Q-", "nonsense", "R-123", "x" * 300, "%00")


def page_of(request: Request) -> str:
    return f"/requests/{request.reference}/"


@pytest.mark.parametrize("path", ["/requests/", "/requests/new/", "/requests/Q-1/"])
def test_they_ask_to_sign_in_first(world: None, path: str) -> None:
    answer = Client().get(path)
    assert (answer.status_code, answer["Location"].partition("?")[0]) == (302, "/account/login/")


@pytest.mark.parametrize("path", ["/requests/", "/requests/new/"])
def test_staff_without_a_record_of_their_own_are_told_so(petra: User, signed_in: SignIn, path: str) -> None:
    assert signed_in(petra).get(path).status_code == 403


def test_a_request_is_raised_and_leads_to_its_page(alice: Subject, signed_in: SignIn) -> None:
    browser = signed_in(alice)
    answer = browser.post("/requests/new/", GOOD | {"note": "I moved"})
    request = Request.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, page_of(request))
    page = browser.get(page_of(request)).content.decode()
    assert request.reference in page
    assert request.timeline.get().actor == f"subject:{alice.pk}"
    assert request.reference in browser.get("/requests/").content.decode()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"right": ""}, "right"),
        ({"right": "access"}, "right"),
        ({"right": "nonsense"}, "right"),
        ({"understood": ""}, "understood"),
        ({"note": "x" * 4_001}, "note"),
        ({"note": "a\0b"}, "note"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    alice: Subject, signed_in: SignIn, wrong: dict[str, str], field: str
) -> None:
    answer = signed_in(alice).post("/requests/new/", GOOD | wrong)
    assert answer.status_code == 400
    assert list(answer.context["form"].errors) == [field]
    assert not Request.objects.exists()


def test_an_empty_form_names_everything_that_is_missing(alice: Subject, signed_in: SignIn) -> None:
    answer = signed_in(alice).post("/requests/new/", {"note": ""})
    assert sorted(answer.context["form"].errors) == ["right", "understood"]


def test_the_same_asked_again_is_taken_in_and_linked(alice: Subject, signed_in: SignIn) -> None:
    first = received(alice)
    assert signed_in(alice).post("/requests/new/", GOOD).status_code == 302
    assert Request.objects.exclude(pk=first.pk).get().duplicate_of == first


def test_another_persons_request_is_as_unknown_as_none(alice: Subject, charlie: Subject, signed_in: SignIn) -> None:
    request = received(alice, note="mine alone")
    browser = signed_in(charlie)
    assert browser.get(page_of(request)).status_code == 404
    assert browser.post(f"{page_of(request)}withdraw/").status_code == 404
    assert request.reference not in browser.get("/requests/").content.decode()
    request.refresh_from_db()
    assert request.status == Status.RECEIVED


@pytest.mark.parametrize("reference", UNKNOWN)
def test_an_unknown_reference_is_not_found(alice: Subject, signed_in: SignIn, reference: str) -> None:
    browser = signed_in(alice)
    assert browser.get(f"/requests/{reference}/").status_code == 404
    assert browser.post(f"/requests/{reference}/withdraw/").status_code == 404


@pytest.mark.parametrize("make", [received, lambda one: started(one, staff_member("bo", None))])
def test_a_person_takes_their_request_back(alice: Subject, signed_in: SignIn, make: Callable[..., Request]) -> None:
    request = make(alice)
    browser = signed_in(alice)
    assert f"{page_of(request)}withdraw/" in browser.get(page_of(request)).content.decode()
    answer = browser.post(f"{page_of(request)}withdraw/", follow=True)
    assert "Your request is withdrawn" in answer.content.decode()
    request.refresh_from_db()
    assert (request.status, request.timeline.last().actor) == (Status.WITHDRAWN, f"subject:{alice.pk}")  # type: ignore[union-attr]
    assert f"{page_of(request)}withdraw/" not in browser.get(page_of(request)).content.decode()


@pytest.mark.parametrize(
    ("make", "told"), [(carried_out, "can no longer be taken back"), (withdrawn, "cannot become withdrawn")]
)
def test_what_can_no_longer_be_taken_back_is_told(
    alice: Subject, bob: User, signed_in: SignIn, make: Callable[..., Request], told: str
) -> None:
    request = make(alice, bob)
    browser = signed_in(alice)
    assert f"{page_of(request)}withdraw/" not in browser.get(page_of(request)).content.decode()
    before = request.timeline.count()
    answer = browser.post(f"{page_of(request)}withdraw/", follow=True)
    assert told in answer.content.decode()
    assert request.timeline.count() == before


def test_taking_back_is_a_post(alice: Subject, signed_in: SignIn) -> None:
    request = received(alice)
    assert signed_in(alice).get(f"{page_of(request)}withdraw/").status_code == 405
    request.refresh_from_db()
    assert request.status == Status.RECEIVED


@pytest.mark.parametrize("path", ["/requests/new/", "withdraw/"])
def test_a_post_from_elsewhere_changes_nothing(alice: Subject, signed_in: SignIn, path: str) -> None:
    request = received(alice)
    browser = signed_in(alice)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = browser.cookies
    answer = strict.post(path if path.startswith("/") else f"{page_of(request)}{path}", GOOD)
    assert answer.status_code == 403
    request.refresh_from_db()
    assert (request.status, Request.objects.count()) == (Status.RECEIVED, 1)


@pytest.mark.parametrize(("path", "method"), [("/requests/", "post"), ("/requests/new/", "put")])
def test_the_wrong_method_is_refused(alice: Subject, signed_in: SignIn, path: str, method: str) -> None:
    assert getattr(signed_in(alice), method)(path).status_code == 405


def test_each_state_has_its_page(alice: Subject, bob: User, signed_in: SignIn) -> None:
    request = carried_out(alice, bob, note="7 Acacia Road")
    page = signed_in(alice).get(page_of(request))
    assert page.status_code == 200
    assert len(page.context["timeline"]) == 3
    assert page.context["arithmetic"]
    # the note was for staff; the page does not repeat it
    assert "Acacia" not in page.content.decode()


@pytest.mark.parametrize("language", ["de", "fr"])
def test_every_page_reads_in_each_language(alice: Subject, signed_in: SignIn, language: str) -> None:
    request = received(alice)
    browser = signed_in(alice)
    for path in ("/requests/", "/requests/new/", page_of(request)):
        # what a request switches to stays on for the tests that follow
        with translation.override("en"):
            answer = browser.get(path, headers={"Accept-Language": language})
        assert f'lang="{language}"' in answer.content.decode()
