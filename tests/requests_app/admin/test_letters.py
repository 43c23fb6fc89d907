"""The staff's list of mail about requests: what became of it, no address, and writing again what was given up."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from consents import subjects
from consents.models import Subject
from portal.errors import Conflict
from portal.models import User
from portal.roles import AUDITOR
from requests_app import letters
from requests_app.models import Letter
from tests.conftest import BY, SignIn, staff_member
from tests.requests_app.asking import LATER, SOON, received

pytestmark = pytest.mark.django_db

LIST = "/admin/requests_app/letter/"


def given_up(alice: Subject, *, code: str = "extended") -> Letter:
    letter = letters.write(request=received(alice), code=code, at=SOON)
    assert letter is not None
    Letter.objects.update(state=Letter.GIVEN_UP, sealed=None, settled_at=LATER, last_reason="smtp_550")
    letter.refresh_from_db()
    return letter


def page_of(letter: Letter) -> str:
    return reverse("admin:requests_app_letter_change", args=[letter.pk])


def write_again(browser: Client, letter: Letter) -> Any:
    address = reverse("admin:requests_app_letter_write_again", args=[letter.pk])
    return browser.post(address, {"_form_submitted": "True"})


def test_the_list_says_what_became_of_a_letter_and_to_whom_it_went_nobody(
    alice: Subject, bob: User, signed_in: SignIn
) -> None:
    letter = letters.write(request=received(alice), code="extended", at=SOON)
    assert letter is not None
    browser = signed_in(bob)
    for page in (browser.get(LIST), browser.get(page_of(letter))):
        text = page.content.decode()
        assert letter.request.reference in text
        assert "waiting" in text
        assert "alice@" not in text


def test_an_agent_has_a_letter_written_again(alice: Subject, bob: User, signed_in: SignIn) -> None:
    letter = given_up(alice)
    browser = signed_in(bob)
    assert "Write it again" in browser.get(page_of(letter)).content.decode()
    assert write_again(browser, letter)["HX-Redirect"] == LIST
    fresh = Letter.objects.get(state=Letter.WAITING)
    assert (fresh.code, fresh.request_id) == ("extended", letter.request_id)
    told = letter.request.timeline.get(code="letter_written_again")
    assert (told.actor, told.details) == (f"staff:{bob.pk}", {"letter": "extended"})


@pytest.mark.parametrize("code", ["extended", "code"])
def test_what_is_on_its_way_or_would_have_run_out_is_not_written_again(
    alice: Subject, bob: User, signed_in: SignIn, code: str
) -> None:
    letter = (
        given_up(alice, code=code) if code == "code" else letters.write(request=received(alice), code=code, at=SOON)
    )
    assert letter is not None
    browser = signed_in(bob)
    assert "Write it again" not in browser.get(page_of(letter)).content.decode()
    assert write_again(browser, letter).status_code == 403
    with pytest.raises(Conflict) as refused:
        letters.write_again(letter=letter, by=BY, at=LATER)
    assert refused.value.code == "not_given_up"
    assert Letter.objects.count() == 1


def test_where_no_address_is_known_any_more_it_is_told(alice: Subject) -> None:
    letter = given_up(alice)
    subjects.forget(subject=alice, by=BY, at=LATER)
    with pytest.raises(Conflict) as refused:
        letters.write_again(letter=letter, by=BY, at=LATER)
    assert refused.value.code == "no_address"
    assert Letter.objects.count() == 1


def test_an_auditor_looks_and_changes_nothing(alice: Subject, signed_in: SignIn) -> None:
    letter = given_up(alice)
    browser = signed_in(staff_member("ada", AUDITOR))
    assert browser.get(LIST).status_code == 200
    assert write_again(browser, letter).status_code == 403
    assert signed_in(staff_member("nemo", None)).get(LIST).status_code == 403
    assert Letter.objects.count() == 1


def test_the_list_costs_the_same_however_long_it_is(
    alice: Subject, bob: User, signed_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    request = received(alice)
    for _ in range(12):
        letters.write(request=request, code="extended", at=SOON)
    browser = signed_in(bob)
    browser.get(LIST)
    with django_assert_max_num_queries(12):
        browser.get(LIST)
