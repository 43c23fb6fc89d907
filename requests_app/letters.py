"""Mail about a request that waits to be sent: written in the transaction of what it tells of."""

import json
from datetime import datetime
from typing import Any

from consents import subjects
from consents.vocabulary import Scheme
from portal import crypto
from requests_app import sealing
from requests_app.models import Letter, Request

CONTEXT = b"request-letter"


def write(*, request: Request, code: str, at: datetime, extra: dict[str, Any] | None = None) -> Letter | None:
    """A letter to whoever asks, else to the person; None where no address is known."""
    address = _address(request)
    if address is None:
        return None
    letter = Letter(request=request, code=code, locale=request.locale, not_before=at, written_at=at)
    letter.sealed = crypto.seal(
        json.dumps({"to": address, **(extra or {})}).encode(), context=CONTEXT + letter.pk.bytes
    )
    letter.save()
    return letter


def _address(request: Request) -> str | None:
    typed = sealing.unseal_json(request, request.sealed_contact, context=sealing.CONTACT)
    if typed and typed[0] == Scheme.EMAIL:
        return str(typed[1])
    return subjects.contact(request.subject) if request.subject else None
