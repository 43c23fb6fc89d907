"""What is typed and sent about a request, sealed: under the person's own key once it is known who they are.

Before that the ring of keys seals it, bound to the request. Destroying a person's key makes all of it unreadable.
"""

import json
import uuid
from collections.abc import Sequence
from typing import Any

from consents import personal_keys
from consents.models import Subject
from portal import crypto
from requests_app.models import Attachment, IdentityCheck, Message, Proposal, Request

NOTE, DETAILS, REQUESTER, CONTACT = "request", "request-details", "request-requester", "request-contact"
MESSAGE, FILE_NAME, FILE_KEY = "request-message", "request-file-name", "request-file-key"
REASON, TARGET, EVIDENCE, WORDS = "request-reason", "request-check-target", "request-evidence", "request-words"
PACKAGE_KEY, REDACTION, UNSEEN = "request-package-key", "request-redaction", "request-unseen-files"

FIELDS: dict[type[Any], dict[str, str]] = {
    Request: {
        "sealed_note": NOTE,
        "sealed_details": DETAILS,
        "sealed_requester": REQUESTER,
        "sealed_contact": CONTACT,
    },
    Message: {"sealed_body": MESSAGE},
    Attachment: {"sealed_name": FILE_NAME, "sealed_key": FILE_KEY},
    Proposal: {"sealed_reason": REASON},
    IdentityCheck: {"sealed_target": TARGET},
}
"""What may have been sealed before it was known who asks."""


def seal(request: Request, text: str, *, context: str) -> bytes:
    """Seal something about a request. Raises Conflict(`erased`)."""
    if request.subject_id is None:
        return crypto.seal(text.encode(), context=_bound(request.pk, context))
    return personal_keys.seal(_person(request), text, context=context)


def unseal(request: Request, sealed: crypto.Sealed | None, *, context: str) -> str | None:
    """Open what `seal` made; None where there is nothing, or the person was erased. Raises CryptoError."""
    if sealed is None:
        return None
    if crypto.key_id_of(sealed):
        return crypto.unseal(sealed, context=_bound(request.pk, context)).decode()
    return personal_keys.unseal(_person(request), sealed, context=context)


def unseal_all(request: Request, values: Sequence[tuple[crypto.Sealed | None, str]]) -> list[str | None]:
    """`unseal` for several values, each with its context, with one look at the person's key."""
    return unseal_each([(request, one, context) for one, context in values])


def unseal_each(values: Sequence[tuple[Request, crypto.Sealed | None, str]]) -> list[str | None]:
    """The same for values of several requests, all of one person."""
    persons = [(one, context) for _, one, context in values if one is not None and not crypto.key_id_of(one)]
    opened = iter(personal_keys.unseal_all(_person(values[0][0]), persons) if persons else [])
    return [
        next(opened) if one is not None and not crypto.key_id_of(one) else unseal(request, one, context=context)
        for request, one, context in values
    ]


def seal_json(request: Request, content: Any, *, context: str) -> bytes:
    """The same for what is no plain text."""
    return seal(request, json.dumps(content), context=context)


def unseal_json(request: Request, sealed: crypto.Sealed | None, *, context: str) -> Any:
    """Open what `seal_json` made; None where there is nothing, or the person was erased."""
    text = unseal(request, sealed, context=context)
    return None if text is None else json.loads(text)


def adopt(request: Request, subject: Subject) -> None:
    """It is known now who asks: bring everything typed so far under their own key, within this transaction.

    The caller holds the request's lock and saves it.
    """
    for model, fields in FIELDS.items():
        rows = [request] if model is Request else list(model.objects.filter(request=request))
        for row in rows:
            changed = {
                name: _moved(request.pk, subject, sealed, context)
                for name, context in fields.items()
                if (sealed := getattr(row, name)) is not None and crypto.key_id_of(sealed)
            }
            for name, fresh in changed.items():
                setattr(row, name, fresh)
            if row is not request and changed:
                model.objects.filter(pk=row.pk).update(**changed)
    request.subject, request.contact_fingerprint = subject, None


def reseal(pk: uuid.UUID, sealed: crypto.Sealed, *, context: str) -> bytes:
    """What the ring sealed about the request with this id, under the ring's current key. Raises CryptoError."""
    return crypto.reseal(sealed, context=_bound(pk, context))


def _moved(pk: uuid.UUID, subject: Subject, sealed: crypto.Sealed, context: str) -> bytes:
    return personal_keys.seal(subject, crypto.unseal(sealed, context=_bound(pk, context)).decode(), context=context)


def _person(request: Request) -> Subject:
    assert request.subject is not None  # noqa: S101 -- whoever calls knows that somebody is named
    return request.subject


def _bound(pk: uuid.UUID, context: str) -> bytes:
    return context.encode() + b":" + pk.bytes
