"""Staff's part in showing who asks: a code read out, a proof asked for and decided; and who may."""

from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from consents.models import Subject
from portal import clock
from portal.models import User
from portal.roles import AUDITOR
from requests_app import identity
from requests_app.models import IdentityCheck, Request
from requests_app.states import CheckStatus, Status
from tests.conftest import BY, SignIn, staff_member
from tests.requests_app.asking import asked
from tests.requests_app.proving import unshown

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world")]
ACTIONS = {
    "send_code": {},
    "type_code": {"code": "BBBB-BBBB"},
    "require_proof": {"method": "document"},
    "decide_proof": {"passed": "yes"},
}


@pytest.fixture
def request_(alice: Subject) -> Request:
    return unshown(alice, "erasure", channel="phone", at=clock.now(), locale="de")[0]


said_on_page: list[str] = []
"""What the deeds' own pages answered, the last one last."""


def do(browser: Client, action: str, one: Request, **said: str) -> Any:
    answer = browser.post(reverse("admin:requests_app_request_do", args=[one.pk, action]), said)
    said_on_page.append(answer.content.decode())
    return answer


def page(browser: Client, one: Request) -> str:
    return browser.get(reverse("admin:requests_app_request_change", args=[one.pk])).content.decode()


def test_a_code_that_is_read_out_proves_the_address(request_: Request, bob: User, signed_in: SignIn) -> None:
    browser = signed_in(bob)
    do(browser, "send_code", request_)
    [sent] = mail.outbox
    assert sent.to == ["alice@example.org"]
    code = next(line.strip() for line in sent.body.splitlines() if line.startswith("    "))
    assert code not in page(browser, request_)
    do(browser, "type_code", request_, code="BBBB-BBBB")
    assert "This code does not serve" in said_on_page[-1]
    do(browser, "type_code", request_, code=code)
    shown = page(browser, request_)
    assert "The code is right." in shown
    # the erasure waits for a second proof
    assert "a second proof, which staff choose" in shown


@pytest.mark.parametrize(("passed", "status"), [("yes", Status.RECEIVED), ("no", Status.VERIFYING)])
def test_a_document_is_asked_for_and_decided(
    request_: Request, bob: User, signed_in: SignIn, passed: str, status: str
) -> None:
    browser = signed_in(bob)
    do(browser, "require_proof", request_, method="document")
    assert IdentityCheck.objects.get().asked_by == f"staff:{bob.pk}"
    do(browser, "decide_proof", request_, passed=passed)
    request_.refresh_from_db()
    assert request_.status == status
    assert IdentityCheck.objects.get().decided_by == f"staff:{bob.pk}"


def test_a_proof_that_cannot_be_asked_for_is_said(request_: Request, bob: User, signed_in: SignIn) -> None:
    browser = signed_in(bob)
    do(browser, "require_proof", request_, method="callback")
    assert "No verified telephone number is known" in said_on_page[-1]
    assert not IdentityCheck.objects.exists()


@pytest.mark.parametrize(("action", "said"), [("require_proof", {"method": "passport"}), ("decide_proof", {})])
def test_a_dialog_filled_in_wrongly_changes_nothing(
    request_: Request, bob: User, signed_in: SignIn, action: str, said: dict[str, str]
) -> None:
    identity.require(request=request_, method="document", by=BY, at=clock.now())
    do(signed_in(bob), action, request_, **said)
    assert IdentityCheck.objects.get().status == CheckStatus.PENDING


@pytest.mark.parametrize("action", ACTIONS)
def test_what_is_proven_offers_no_proof(alice: Subject, bob: User, signed_in: SignIn, action: str) -> None:
    one = asked(alice, "access")[0]
    browser = signed_in(bob)
    assert do(browser, action, one, **ACTIONS[action]).status_code == 400
    assert reverse("admin:requests_app_request_do", args=[one.pk, action]) not in page(browser, one)
    assert not mail.outbox


@pytest.mark.parametrize("action", ACTIONS)
def test_an_auditor_proves_nothing(request_: Request, signed_in: SignIn, action: str) -> None:
    identity.require(request=request_, method="document", by=BY, at=clock.now())
    assert do(signed_in(staff_member("ada", AUDITOR)), action, request_, **ACTIONS[action]).status_code == 403
    assert IdentityCheck.objects.get().status == CheckStatus.PENDING
    assert not mail.outbox


def test_a_mail_that_fails_is_said_and_its_code_is_void(
    request_: Request, bob: User, signed_in: SignIn, settings: Any
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    browser = signed_in(bob)
    do(browser, "send_code", request_)
    assert "could not be sent" in said_on_page[-1]
    assert IdentityCheck.objects.get().code_digest is None
