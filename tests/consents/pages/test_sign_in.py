"""Signing in with a code sent by mail, through the real pages."""

import re

import pytest
from allauth.account import urls as allauth_urls
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.contrib.auth import SESSION_KEY
from django.core import mail
from django.test import Client

from consents import subjects
from consents.models import Subject
from portal import account_urls, demo_access
from portal.models import User
from tests.conftest import AT, BY, SignIn
from tests.consents.asking import tables_as_text

ASK, CONFIRM = "/account/login/code/", "/account/login/code/confirm/"
NOT_TO_BE_FOUND = [
    "/account/signup/",
    "/account/email/",
    "/account/confirm-email/",
    "/account/confirm-email/x/",
    "/account/password/change/",
    "/account/password/set/",
    "/account/password/reset/",
    "/account/password/reset/done/",
    "/account/password/reset/key/done/",
    "/account/password/reset/key/x-x/",
]
CODE = re.compile(r"\b[A-Z0-9]{4}-[A-Z0-9]{4}\b")

pytestmark = pytest.mark.usefixtures("own_cache")


def ask(browser: Client, email: str) -> str:
    """Ask for a code; answers the page that comes then."""
    response = browser.post(ASK, {"email": email}, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def code() -> str:
    found = CODE.search(str(mail.outbox[-1].body))
    assert found, mail.outbox[-1].body
    return found.group()


def is_signed_in(browser: Client) -> bool:
    return browser.get("/choices/").status_code == 200


def test_a_person_signs_in_with_the_code_from_the_mail(alice: Subject) -> None:
    browser = Client()
    ask(browser, "Alice@Example.org")
    assert mail.outbox[0].to == ["alice@example.org"]
    response = browser.post(CONFIRM, {"code": code()})
    assert (response.status_code, response["Location"]) == (302, "/choices/")
    assert is_signed_in(browser)


def test_a_code_serves_once(alice: Subject) -> None:
    browser, other = Client(), Client()
    ask(browser, "alice@example.org")
    used = code()
    browser.post(CONFIRM, {"code": used})
    ask(other, "alice@example.org")
    other.post(CONFIRM, {"code": used})
    assert not is_signed_in(other)


def test_a_code_serves_only_the_browser_that_asked(alice: Subject) -> None:
    ask(Client(), "alice@example.org")
    other = Client()
    other.post(CONFIRM, {"code": code()})
    assert not is_signed_in(other)


def test_signing_in_leaves_no_readable_address_and_no_code_in_the_database(alice: Subject) -> None:
    browser = Client()
    ask(browser, "alice@example.org")
    during = tables_as_text().lower()
    browser.post(CONFIRM, {"code": code()})
    for everything in (during, tables_as_text().lower()):
        assert "example.org" not in everything
        assert code().lower() not in everything
        assert code().replace("-", "").lower() not in everything
        assert b"alice@".hex() not in everything


def test_an_unknown_address_gets_the_same_page(alice: Subject) -> None:
    known = ask(Client(), "alice@example.org")
    unknown = ask(Client(), "nobody@example.org")
    assert plain(known) == plain(unknown)


def plain(page: str) -> str:
    return re.sub(r'(name="csrfmiddlewaretoken" value|nonce)="[^"]+"', "", page)


def test_an_unknown_address_gets_a_mail_without_a_code(world: None) -> None:
    ask(Client(), "nobody@example.org")
    assert [message.to for message in mail.outbox] == [["nobody@example.org"]]
    assert not CODE.search(str(mail.outbox[0].body))
    assert not User.objects.exists()


def test_an_erased_person_is_unknown(alice: Subject) -> None:
    subjects.forget(subject=alice, by=BY, at=AT)
    ask(Client(), "alice@example.org")
    assert not User.objects.exists()


@pytest.mark.parametrize("email", ["", "alice", "alice@", "alice@example", "a b@example.org"])
def test_what_is_no_address_is_refused(world: None, email: str) -> None:
    response = Client().post(ASK, {"email": email})
    assert response.status_code in {200, 400}
    assert not mail.outbox


def test_three_wrong_codes_end_the_attempt(alice: Subject) -> None:
    browser = Client()
    ask(browser, "alice@example.org")
    for _ in range(3):
        browser.post(CONFIRM, {"code": "WRONG1"})
    browser.post(CONFIRM, {"code": code()})
    assert not is_signed_in(browser)


def test_a_wrong_code_may_be_mistyped_once(alice: Subject) -> None:
    browser = Client()
    ask(browser, "alice@example.org")
    page = browser.post(CONFIRM, {"code": "WRONG1"}).content.decode()
    assert "Error:" in page
    browser.post(CONFIRM, {"code": code()})
    assert is_signed_in(browser)


def test_a_code_is_asked_for_only_so_often(alice: Subject) -> None:
    for _ in range(30):
        Client().post(ASK, {"email": "alice@example.org"})
    assert 0 < len(mail.outbox) < 30


@pytest.mark.parametrize("browser_of", ["a stranger", "a person", "staff"])
@pytest.mark.parametrize("path", NOT_TO_BE_FOUND)
def test_nothing_of_an_account_is_changed_by_its_pages(
    alice: Subject, petra: User, signed_in: SignIn, browser_of: str, path: str
) -> None:
    browser = {"a stranger": Client, "a person": lambda: signed_in(alice), "staff": lambda: signed_in(petra)}[
        browser_of
    ]()
    sent = {"email": "new@example.org", "action_add": "", "password1": "long-Enough-9", "password2": "long-Enough-9"}
    assert browser.get(path).status_code == 404
    assert browser.post(path, sent).status_code == 404
    assert not EmailAddress.objects.exists()
    assert not any(user.has_usable_password() for user in User.objects.all())


def test_every_address_of_allauth_that_is_not_used_is_covered_above() -> None:
    """So that a release of allauth that brings a new page opens none here."""
    unused = {str(one.pattern) for one in account_urls.urlpatterns if one.callback is account_urls.nothing}
    assert {re.sub(r"<[^>]+>", "x", one) for one in unused} == {
        one.removeprefix("/account/") for one in NOT_TO_BE_FOUND
    }


def test_allauth_finds_every_name_it_asks_for() -> None:
    ours = {one.name for one in account_urls.urlpatterns}
    theirs = {one.name for one in allauth_urls.urlpatterns}
    assert theirs <= ours


@pytest.mark.parametrize("path", ["", "totp/activate/", "totp/deactivate/", "recovery-codes/", "reauthenticate/"])
def test_a_person_has_no_second_factor_to_be_locked_out_by(alice: Subject, signed_in: SignIn, path: str) -> None:
    assert signed_in(alice).get(f"/account/2fa/{path}").status_code == 404


def test_signing_in_keeps_no_address_beside_the_sealed_one(alice: Subject, bob: User) -> None:
    for address in ("alice@example.org", "bob@staff.example"):
        browser = Client()
        ask(browser, address)
        browser.post(CONFIRM, {"code": code()})
        assert SESSION_KEY in browser.session
    assert not EmailAddress.objects.exists()


def test_signing_out_takes_a_click(alice: Subject) -> None:
    browser = Client()
    ask(browser, "alice@example.org")
    browser.post(CONFIRM, {"code": code()})
    assert browser.get("/account/logout/").status_code == 200
    assert is_signed_in(browser)
    assert browser.post("/account/logout/")["Location"] == "/"
    assert not is_signed_in(browser)


def test_where_one_wanted_to_go_is_where_one_arrives(alice: Subject) -> None:
    browser = Client()
    browser.post(ASK, {"email": "alice@example.org", "next": "/history/"})
    assert browser.post(CONFIRM, {"code": code(), "next": "/history/"})["Location"] == "/history/"


def test_nobody_is_sent_to_another_site(alice: Subject) -> None:
    browser = Client()
    browser.post(ASK, {"email": "alice@example.org", "next": "https://evil.example/"})
    response = browser.post(CONFIRM, {"code": code(), "next": "https://evil.example/"})
    assert response["Location"] == "/choices/"


def test_staff_sign_in_by_their_business_address(bob: User) -> None:
    browser = Client()
    ask(browser, "BOB@staff.example")
    response = browser.post(CONFIRM, {"code": code()})
    assert response["Location"] == "/admin/"


def test_staff_enrol_a_second_factor_at_their_first_sign_in_and_use_it_at_the_next(bob: User) -> None:
    first, second = Client(), Client()
    ask(first, "bob@staff.example")
    first.post(CONFIRM, {"code": code()})
    assert first.get("/admin/", follow=True).redirect_chain[-1][0] == "/account/2fa/totp/activate/"
    secret = first.session["mfa.totp.secret"]
    enrolled = first.post("/account/2fa/totp/activate/", {"code": demo_access.current_code(secret)})
    assert enrolled["Location"] == "/account/2fa/recovery-codes/"
    assert first.get(enrolled["Location"], follow=True).status_code == 200
    one = Authenticator.objects.get(user=bob, type=Authenticator.Type.RECOVERY_CODES).wrap().get_unused_codes()[0]
    ask(second, "bob@staff.example")
    assert second.post(CONFIRM, {"code": code()})["Location"].startswith("/account/2fa/authenticate/")
    assert second.post("/account/2fa/authenticate/", {"code": one})["Location"] == "/admin/"
    assert second.get("/admin/").status_code == 200


def test_staff_who_were_switched_off_are_unknown(bob: User) -> None:
    User.objects.update(is_active=False)
    browser = Client()
    ask(browser, "bob@staff.example")
    assert not CODE.search(str(mail.outbox[0].body))
