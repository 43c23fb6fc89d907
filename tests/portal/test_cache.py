"""While Redis is away each process remembers alone: nobody is turned away, and what is limited stays so."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.core.cache import cache

from portal import demo_access, one_time_codes, staff_pages
from portal.models import User
from tests.conftest import SignIn

pytestmark = pytest.mark.usefixtures("away")


@pytest.fixture
def away(settings: Any) -> None:
    default = settings.CACHES["default"]
    settings.CACHES = {"default": {**default, "LOCATION": "redis://127.0.0.1:1/0", "KEY_PREFIX": uuid.uuid4().hex}}


SECRET = "JBSWY3DPEHPK3PXP"
FACTOR = "/account/2fa/reauthenticate/"


def test_this_process_remembers() -> None:
    cache.set("colour", "green")
    assert cache.get("colour", "none") == "green"
    assert cache.add("colour", "red") is False
    assert cache.delete("colour") is True
    assert cache.get_or_set("colour", "red") == "red"
    with pytest.raises(ValueError, match="away"):
        cache.incr("count")


def test_codes_that_are_asked_for_are_counted() -> None:
    counts = [one_time_codes.count("place", "somebody", window=timedelta(hours=1)) for _ in range(3)]
    assert counts == [1, 2, 3]


def test_a_second_factor_is_not_guessed_without_end(bob: User, signed_in: SignIn) -> None:
    TOTP.activate(bob, SECRET)
    browser = signed_in(bob, second_factor=False)
    for _ in range(20):
        browser.post(FACTOR, {"code": "not it"})
    browser.post(FACTOR, {"code": demo_access.current_code(SECRET), "next": "/admin/"})
    assert browser.get("/admin/").status_code == 302


def test_a_code_of_a_second_factor_serves_once(bob: User, signed_in: SignIn) -> None:
    TOTP.activate(bob, SECRET)
    sent = {"code": demo_access.current_code(SECRET), "next": "/admin/"}
    first, second = (signed_in(bob, second_factor=False) for _ in range(2))
    assert first.post(FACTOR, sent)["Location"] == "/admin/"
    second.post(FACTOR, sent)
    assert second.get("/admin/").status_code == 302


@pytest.mark.django_db
def test_staff_read_who_acted() -> None:
    assert staff_pages.named("staff:5b2dbd6c-4e0e-4d2f-9d12-4f6d3c9a4d2e") == "a former member of staff"
