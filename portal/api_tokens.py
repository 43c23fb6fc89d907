"""Bearer tokens of the API, remembered for a few seconds, so that a busy client's calls cost no query for it.

A token that is revoked, or whose client goes, opens nothing from `KEPT` seconds later on at the latest. In mind are
only digests of tokens (SHA-256), never a token.
"""

import hashlib
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from oauth2_provider.contrib.rest_framework import OAuth2Authentication
from oauth2_provider.models import get_access_token_model
from rest_framework.request import Request

from portal import clock
from portal.memory import ShortMemory

KEPT = 5.0
"""Seconds."""


@dataclass(frozen=True)
class Token:
    """What a call may do: whose it is, for what, until when."""

    application_id: int
    scopes: frozenset[str]
    expires: datetime

    def allow_scopes(self, scopes: list[str]) -> bool:
        return self.scopes.issuperset(scopes)


_memory: ShortMemory[bytes, Token] = ShortMemory(seconds=KEPT)


class BearerTokens(OAuth2Authentication):  # type: ignore[misc]
    """Tokens of the client credentials grant (RFC 6749, section 4.4), sent as RFC 6750 says."""

    def authenticate(self, request: Request) -> tuple[None, Any] | None:
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            return None
        found = _memory.recall(hashlib.sha256(token.encode()).digest(), lambda: _look_up(token), now=time.monotonic())
        if found is None or found.expires <= clock.now():
            # what the toolkit's authenticate_header says of the refusal (RFC 6750, section 3.1)
            refusal = {"error": "invalid_token", "error_description": "The access token is not valid."}
            setattr(request, "oauth2_error", refusal)  # noqa: B010 -- the toolkit's attribute, unknown to DRF's types
            return None
        return None, found


def forget() -> None:
    """Ask the database again for every token, in this process."""
    _memory.clear()


def _look_up(token: str) -> Token | None:
    row = (
        get_access_token_model()
        .objects.filter(token_checksum=hashlib.sha256(token.encode()).hexdigest(), application__isnull=False)
        .values_list("application_id", "scope", "expires")
        .first()
    )
    if row is None:
        return None
    return Token(application_id=row[0], scopes=frozenset(row[1].split()), expires=row[2])
