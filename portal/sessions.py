"""Sessions in the database, encrypted: while somebody signs in they hold an address and a code.

Each names the account it is of, so that an erasure ends them without opening everybody's.
"""

import base64
import json
import uuid
from datetime import datetime
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from portal import crypto
from portal.models import Session

CONTEXT = b"session"
_PENDING = "account_login"
"""Where allauth keeps a sign-in that waits for its code."""


class SessionStore(DatabaseStore):
    """Django's database sessions with the content sealed under the field key."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        session = super().create_model_instance(data)
        return Session(
            session_key=session.session_key,
            session_data=session.session_data,
            expire_date=session.expire_date,
            account_id=_account(data),
        )

    def encode(self, session_dict: dict[str, Any]) -> str:
        plain = self.serializer().dumps(session_dict)
        return base64.b64encode(crypto.seal(plain, context=CONTEXT)).decode()

    def decode(self, session_data: str | bytes) -> dict[str, Any]:
        try:
            sealed = base64.b64decode(session_data)
            return dict(self.serializer().loads(crypto.unseal(sealed, context=CONTEXT)))
        except (crypto.CryptoError, ValueError, json.JSONDecodeError):
            # An unreadable session is a signed-out one, as with Django's own stores.
            return {}


def end_all(*, account_id: uuid.UUID) -> int:
    """Sign this account out everywhere, pending sign-ins included; answers how many sessions ended."""
    ended, _ = Session.objects.filter(account_id=account_id).delete()
    return ended


def forget_ended(*, at: datetime) -> int:
    """Delete sessions that ran out; answers how many."""
    deleted, _ = Session.objects.filter(expire_date__lt=at).delete()
    return deleted


def _account(data: dict[str, Any]) -> uuid.UUID | None:
    """The account that is signed in, or about to be."""
    pending = data.get(_PENDING)
    named = data.get(SESSION_KEY) or (pending.get("user_pk") if isinstance(pending, dict) else None)
    try:
        return uuid.UUID(str(named)) if named else None
    except ValueError:
        return None
