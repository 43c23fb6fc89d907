"""Signs receipts and hands them out in each format.

What is signed is the whole document, proof included, as one JWS; the type in its header says which format it
is of. A JSON file is the document with its JWS beside it, a PDF has the JWS attached, and its document tells
the printed file's digest.
"""

import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models

from consents.models import LedgerEvent
from consents.receipts import jsonld, kantara, pdf, statement
from consents.receipts.statement import Statement
from consents.vocabulary import Kind
from portal import signing
from portal.errors import NotFound

JSONLD, KANTARA, PDF = "heed-receipt+ld+json", "heed-receipt+kantara+json", "heed-receipt+pdf"
TYPES = frozenset({JSONLD, KANTARA, PDF})
"""The `typ` of a receipt's JWS; none of them opens as another."""

KINDS = (Kind.CHOICE, Kind.EXPIRY)
"""What a person gets a receipt for: what they chose, and that an agreement of theirs lapsed."""


class Format(models.TextChoices):
    """In which form a receipt is asked for."""

    JSONLD = "jsonld"
    KANTARA = "kantara"
    PDF = "pdf"
    JWS = "jws"


MEDIA_TYPES = {
    Format.JSONLD: "application/ld+json",
    Format.KANTARA: "application/json",
    Format.PDF: "application/pdf",
    Format.JWS: "application/jose",
}
_ENDINGS = {Format.JSONLD: ".jsonld", Format.KANTARA: ".kantara.json", Format.PDF: ".pdf", Format.JWS: ".jws"}


@dataclass(frozen=True)
class File:
    """A receipt to download."""

    name: str
    media_type: str
    content: bytes


def find(event_id: uuid.UUID, *, subject_id: uuid.UUID | None = None) -> LedgerEvent:
    """The event to write a receipt of, of this person if one is named. Raises NotFound(`unknown_receipt`)."""
    events = LedgerEvent.objects.filter(pk=event_id, kind__in=KINDS, subject_id__isnull=False)
    event = (events if subject_id is None else events.filter(subject_id=subject_id)).first()
    if event is None:
        raise NotFound("unknown_receipt", "There is no such receipt.")
    return event


def issue(event: LedgerEvent, *, wanted: str, base: str, language: str, at: datetime) -> File:
    """The signed receipt of this event in one format, as it stands at `at`."""
    form = Format(wanted)
    said = statement.gather(event, base=base, language=language, at=at)
    name = f"{jsonld.reference(said)}{_ENDINGS[form]}"
    return File(name=name, media_type=MEDIA_TYPES[form], content=_write(said, form))


def _write(said: Statement, form: Format) -> bytes:
    if form == Format.PDF:
        return _pdf(said)
    if form == Format.KANTARA:
        return _beside(kantara.document(said), typ=KANTARA)
    document = jsonld.document(said)
    if form == Format.JWS:
        return signing.seal_jws(document, typ=JSONLD).encode()
    return _beside(document, typ=JSONLD)


def _beside(document: dict[str, Any], *, typ: str) -> bytes:
    file = document | {"jws": signing.seal_jws(document, typ=typ)}
    return json.dumps(file, ensure_ascii=False, indent=2).encode()


def _pdf(said: Statement) -> bytes:
    """Printed with zeros where the signed receipt will be, digested, signed, and the zeros replaced.

    So the signature covers every byte of the file but itself, whatever a later version would print.
    """
    document = jsonld.document(said)
    # the digest has always the same length, and so has the signature
    blank = b"0" * len(_sealed(document, digest="0" * 64))
    printed = pdf.render(document, verify_url=said.verify_url, attachment=blank)
    token = _sealed(document, digest=hashlib.sha256(printed).hexdigest())
    return printed.replace(blank, token)


def _sealed(document: dict[str, Any], *, digest: str) -> bytes:
    return signing.seal_jws(document | {"print": {"sha256": digest}}, typ=PDF).encode()
