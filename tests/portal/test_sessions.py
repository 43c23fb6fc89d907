"""Sessions hold an address and a code while somebody signs in, so they are sealed."""

import base64
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from consents import subjects
from consents.models import Subject
from portal import sessions
from portal.crypto import Ring
from portal.models import Session
from portal.sessions import SessionStore
from tests.conftest import AT

pytestmark = pytest.mark.django_db


def stored(**content: Any) -> SessionStore:
    session = SessionStore()
    session.update(content)
    session.save()
    return session


def test_a_session_is_read_back() -> None:
    session = stored(email="alice@example.org", code="AB12CD")
    assert dict(SessionStore(session.session_key).items()) == {"email": "alice@example.org", "code": "AB12CD"}


def test_nothing_in_the_table_can_be_read() -> None:
    stored(email="alice@example.org", code="AB12CD")
    data = Session.objects.get().session_data
    for text in (data.encode(), base64.b64decode(data)):
        assert b"alice" not in text
        assert b"AB12CD" not in text


@pytest.mark.parametrize("data", ["", "not base64!", "AAAA", "eyJhIjoxfQ==", "é"])
def test_an_unreadable_session_is_a_signed_out_one(data: str) -> None:
    session = stored(a=1)
    Session.objects.update(session_data=data)
    assert dict(SessionStore(session.session_key).items()) == {}


def test_a_session_of_a_lost_key_is_a_signed_out_one(settings: Any) -> None:
    session = stored(a=1)
    settings.FIELD_KEYS = Ring({"new": bytes(32)})
    assert dict(SessionStore(session.session_key).items()) == {}


def test_a_session_says_whose_it_is_from_the_sign_in_on(alice: Subject, signed_in: Callable[..., Client]) -> None:
    stored(email="somebody@example.org")
    stored(account_login={"user_pk": uuid4().hex})
    stored(account_login="nonsense", _auth_user_id="nobody")
    assert Session.objects.filter(account_id__isnull=False).count() == 1
    browser = signed_in(alice)
    account = subjects.account_of(alice, at=AT)
    assert Session.objects.filter(account_id=account.pk).count() == 1
    assert sessions.end_all(account_id=account.pk) == 1
    assert browser.get("/choices/").status_code == 302
    assert Session.objects.count() == 3
