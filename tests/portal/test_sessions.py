"""Sessions hold an address and a code while somebody signs in, so they are sealed."""

import base64
from typing import Any

import pytest

from portal.crypto import Ring
from portal.models import Session
from portal.sessions import SessionStore

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
