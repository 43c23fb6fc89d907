"""Staff see what controllers instructed, how it stands, and what could not be told; nobody changes it there."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from consents.models import Partner, Subject
from portal.models import User
from requests_app import workflow
from requests_app.models import ControllerNotice, ControllerRequest
from tests.conftest import BY
from tests.requests_app.asking import SOON
from tests.requests_app.controlling import customer, instructed

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
LIST = "/admin/requests_app/controllerrequest/"


def page_of(sent: ControllerRequest) -> str:
    return reverse("admin:requests_app_controllerrequest_change", args=[sent.pk])


def test_the_list_says_how_each_stands(acme: Partner, alice: Subject, petra: User, signed_in: SignIn) -> None:
    known, unknown = instructed(acme), instructed(acme, subject_identities=customer("m_nobody"))
    page = signed_in(petra).get(LIST).content.decode()
    assert known.request is not None
    for shown in (known.request.reference, "nothing was held", "pending", "completed", page_of(unknown)):
        assert shown in page
    assert "m_nobody" not in page


def test_a_list_of_many_costs_as_few_queries(
    acme: Partner,
    alice: Subject,
    petra: User,
    signed_in: SignIn,
    django_assert_max_num_queries: Callable[[int], Callable],
) -> None:
    for _ in range(8):
        instructed(acme, "access")
    browser = signed_in(petra)
    browser.get(LIST)
    with django_assert_max_num_queries(12):
        assert browser.get(LIST).status_code == 200


def test_a_page_names_what_was_not_told(acme: Partner, alice: Subject, petra: User, signed_in: SignIn) -> None:
    sent = instructed(acme, status_callback_urls=["https://acme.example/hook"])
    assert sent.request is not None
    workflow.withdraw(request=sent.request, by=BY, at=SOON)
    ControllerNotice.objects.update(state="given_up", last_reason="unreachable")
    page = signed_in(petra).get(page_of(sent)).content.decode()
    for shown in ("https://acme.example/hook", "given up", "unreachable", "cancelled", str(sent.subject_request_id)):
        assert shown in page


def test_the_request_itself_says_who_instructs(acme: Partner, alice: Subject, petra: User, signed_in: SignIn) -> None:
    request = instructed(acme).request
    assert request is not None
    page = signed_in(petra).get(reverse("admin:requests_app_request_change", args=[request.pk])).content.decode()
    assert "as the controller of the data" in page
    assert "from a controller whose processor we are (OpenDSR) (acme)" in page
    assert "Acme" in page


@pytest.mark.parametrize("action", ["add/", "{}/delete/"])
def test_nobody_writes_there(acme: Partner, alice: Subject, petra: User, signed_in: SignIn, action: str) -> None:
    sent = instructed(acme)
    assert signed_in(petra).post(f"{LIST}{action.format(sent.pk)}").status_code == 403
    assert ControllerRequest.objects.count() == 1


def test_who_is_no_staff_sees_nothing(acme: Partner, alice: Subject, charlie: Subject, signed_in: SignIn) -> None:
    sent = instructed(acme)
    for path in (LIST, page_of(sent)):
        assert signed_in(charlie).get(path).status_code == 302
