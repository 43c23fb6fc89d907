"""The staff's site opens to staff with a second factor, and to nobody else."""

from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.db import connection
from django.test import Client

from consents.models import Subject
from portal import demo_access
from portal.models import AuditEntry, User
from tests.conftest import staff_member

SignIn = Callable[..., Client]
SECRET = "JBSWY3DPEHPK3PXP"


def test_a_stranger_is_sent_to_sign_in_and_back(db: None) -> None:
    response = Client().get("/admin/consents/hold/", follow=True)
    assert response.redirect_chain[-1][0] == "/account/login/?next=%2Fadmin%2Fconsents%2Fhold%2F"


def test_staff_with_a_second_factor_come_in(bob: User, signed_in: SignIn) -> None:
    assert signed_in(bob).get("/admin/").status_code == 200


@pytest.mark.parametrize("path", ["/admin/", "/admin/consents/subject/", "/admin/portal/auditentry/"])
def test_staff_without_one_are_sent_to_set_one_up_and_see_nothing(bob: User, signed_in: SignIn, path: str) -> None:
    response = signed_in(bob, second_factor=False).get(path, follow=True)
    where = [address for address, _ in response.redirect_chain]
    assert any("/account/2fa/" in address or "/account/reauthenticate/" in address for address in where), where


def test_staff_with_one_who_did_not_use_it_are_asked_for_it(bob: User, signed_in: SignIn) -> None:
    TOTP.activate(bob, SECRET)
    response = signed_in(bob, second_factor=False).get("/admin/", follow=True)
    assert response.redirect_chain[-1][0].startswith("/account/2fa/reauthenticate/?next=%2Fadmin%2F")


def test_the_code_of_the_second_factor_opens_the_site(bob: User, signed_in: SignIn) -> None:
    TOTP.activate(bob, SECRET)
    browser = signed_in(bob, second_factor=False)
    sent = {"code": demo_access.current_code(SECRET), "next": "/admin/"}
    assert browser.post("/account/2fa/reauthenticate/", sent)["Location"] == "/admin/"
    assert browser.get("/admin/").status_code == 200


def test_the_secret_of_a_second_factor_is_sealed(bob: User) -> None:
    TOTP.activate(bob, SECRET)
    with connection.cursor() as cursor:
        cursor.execute("SELECT data::text FROM mfa_authenticator")
        assert SECRET not in cursor.fetchone()[0]
    assert Authenticator.objects.get().wrap().validate_code(demo_access.current_code(SECRET))


def test_people_are_told_that_it_is_not_theirs(alice: Subject, signed_in: SignIn) -> None:
    response = signed_in(alice).get("/admin/", follow=True)
    assert response.status_code == 403
    assert "not yours to see" in response.content.decode()


def test_staff_without_a_role_see_no_data(db: None, signed_in: SignIn) -> None:
    browser = signed_in(staff_member("newcomer", None))
    assert browser.get("/admin/consents/subject/").status_code == 403


def test_an_agent_does_not_see_the_audit_trail_and_a_manager_does(bob: User, petra: User, signed_in: SignIn) -> None:
    assert signed_in(bob).get("/admin/portal/auditentry/").status_code == 403
    assert signed_in(petra).get("/admin/portal/auditentry/").status_code == 200


def test_without_a_second_factor_asked_for_staff_come_in(bob: User, signed_in: SignIn, settings: Any) -> None:
    settings.STAFF_MFA = False
    assert signed_in(bob, second_factor=False).get("/admin/").status_code == 200


# a rule's next version has a form of its own, see tests/consents/admin/test_rules.py
@pytest.mark.parametrize("model", ["ledgerevent", "notice", "purpose", "partner", "subject"])
def test_nothing_is_edited_in_place(petra: User, world: None, signed_in: SignIn, model: str) -> None:
    browser = signed_in(petra)
    assert browser.get(f"/admin/consents/{model}/").status_code == 200
    assert browser.get(f"/admin/consents/{model}/add/").status_code == 403


class TestStaffAccounts:
    def test_a_manager_makes_an_account_without_a_password(self, petra: User, signed_in: SignIn) -> None:
        sent = {"username": "eve", "email": "eve@staff.example", "is_active": "on", "is_staff": "on"}
        assert signed_in(petra).post("/admin/portal/user/add/", sent).status_code == 302
        eve = User.objects.get(username="eve")
        assert not eve.has_usable_password()
        assert AuditEntry.objects.filter(action="account.save", object_id=str(eve.pk)).exists()

    def test_an_agent_makes_none(self, bob: User, signed_in: SignIn) -> None:
        assert signed_in(bob).get("/admin/portal/user/add/").status_code == 403

    def test_accounts_are_not_deleted(self, petra: User, bob: User, signed_in: SignIn) -> None:
        assert signed_in(petra).get(f"/admin/portal/user/{bob.pk}/delete/").status_code == 403
