"""The staff's site opens to staff with a second factor, and to nobody else."""

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client

from consents.models import Subject
from portal import demo_access, roles
from portal.models import AuditEntry, User
from tests.conftest import SignIn, staff_member

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
    def test_an_administrator_makes_an_account_without_a_password(self, ada: User, signed_in: SignIn) -> None:
        sent = {"username": "eve", "email": "eve@staff.example", "is_active": "on", "is_staff": "on"}
        assert signed_in(ada).post("/admin/portal/user/add/", sent).status_code == 302
        eve = User.objects.get(username="eve")
        assert not eve.has_usable_password()
        assert AuditEntry.objects.filter(action="account.save", object_id=str(eve.pk)).exists()

    @pytest.mark.parametrize("role", [roles.AGENT, roles.MANAGER, roles.AUDITOR])
    def test_nobody_else_makes_or_changes_one(self, bob: User, signed_in: SignIn, role: str) -> None:
        browser = signed_in(staff_member("eve", role))
        sent = {"username": "bob", "email": "eve2@staff.example", "is_active": "on", "is_staff": "on"}
        assert browser.post("/admin/portal/user/add/", sent | {"username": "other"}).status_code == 403
        assert browser.post(account(bob), sent).status_code == 403
        assert User.objects.get(username="bob").email == "bob@staff.example"

    def test_an_administrator_sees_accounts_and_nothing_of_people(self, ada: User, signed_in: SignIn) -> None:
        browser = signed_in(ada)
        assert browser.get("/admin/").status_code == 200
        assert browser.get("/admin/portal/user/").status_code == 200
        for model in ("consents/subject", "consents/ledgerevent", "requests_app/request", "auth/group"):
            assert browser.get(f"/admin/{model}/").status_code == 403, model

    def test_a_superusers_account_is_changed_by_a_superuser_alone(
        self, ada: User, petra: User, signed_in: SignIn
    ) -> None:
        root = User.objects.create(username="root", email="root@staff.example", is_staff=True, is_superuser=True)
        sent = {"username": "root", "email": "ada2@staff.example", "is_active": "on", "is_staff": "on"}
        assert signed_in(ada).post(account(root), sent).status_code == 403
        assert User.objects.get(username="root").email == "root@staff.example"
        other = User.objects.create(username="other", email="other@staff.example", is_staff=True, is_superuser=True)
        assert signed_in(other).post(account(root), sent).status_code == 302
        assert User.objects.get(username="root").email == "ada2@staff.example"

    @pytest.mark.parametrize("is_superuser", [False, True])
    def test_nobody_gives_themselves_a_role(self, ada: User, signed_in: SignIn, is_superuser: bool) -> None:
        User.objects.update(is_superuser=is_superuser)
        manager = Group.objects.get(name=roles.MANAGER)
        sent = {"username": "ada", "email": "ada@staff.example", "groups": [manager.pk], "is_active": "on"}
        assert signed_in(ada).post(account(ada), sent).status_code == 302
        ada.refresh_from_db()
        assert [group.name for group in ada.groups.all()] == [roles.ADMINISTRATOR]
        assert ada.is_staff

    def test_a_saved_change_is_audited_with_the_names_of_the_changed_fields(
        self, ada: User, bob: User, signed_in: SignIn
    ) -> None:
        sent = {"username": "bob", "email": "robert@staff.example", "is_active": "on", "is_staff": "on"}
        signed_in(ada).post(account(bob), sent | {"groups": [Group.objects.get(name=roles.MANAGER).pk]})
        entry = AuditEntry.objects.get(action="account.save")
        assert (entry.actor, entry.object_id) == (f"staff:{ada.pk}", str(bob.pk))
        assert entry.details == {"fields": ["email", "groups"]}

    def test_accounts_are_not_deleted(self, ada: User, bob: User, signed_in: SignIn) -> None:
        assert signed_in(ada).get(f"/admin/portal/user/{bob.pk}/delete/").status_code == 403


def account(user: User) -> str:
    return f"/admin/portal/user/{user.pk}/change/"
