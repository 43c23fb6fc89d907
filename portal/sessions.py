"""Sessions in the database, encrypted: while somebody signs in they hold an address and a code."""

import base64
import json
from typing import Any

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore

from portal import crypto

_CONTEXT = b"session"


class SessionStore(DatabaseStore):
    """Django's database sessions with the content sealed under the field key."""

    def encode(self, session_dict: dict[str, Any]) -> str:
        plain = self.serializer().dumps(session_dict)
        return base64.b64encode(crypto.seal(plain, context=_CONTEXT)).decode()

    def decode(self, session_data: str | bytes) -> dict[str, Any]:
        try:
            sealed = base64.b64decode(session_data)
            return dict(self.serializer().loads(crypto.unseal(sealed, context=_CONTEXT)))
        except (crypto.CryptoError, ValueError, json.JSONDecodeError):
            # An unreadable session is a signed-out one, as with Django's own stores.
            return {}
