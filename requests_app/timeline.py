"""What happened to a request: one entry on its timeline and one in the audit trail, in the caller's transaction."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from portal import audit
from requests_app import sealing
from requests_app.models import Request, TimelineEntry


def tell(
    request: Request,
    code: str,
    *,
    by: str,
    at: datetime,
    details: dict[str, Any] | None = None,
    words: str = "",
) -> None:
    """Write down what happened. `details` hold nothing personal; `words` are what somebody typed, and are sealed.

    Nobody's words are kept while it is not known who asks: no key could make them unreadable later.
    """
    sealed = None
    if words.strip() and request.subject_id is not None:
        sealed = sealing.seal(request, words.strip(), context=sealing.WORDS)
    TimelineEntry.objects.create(request=request, at=at, actor=by, code=code, details=details or {}, sealed=sealed)
    audit.record(at=at, by=by, action=f"request.{code}", of=("request", request.pk), details=details)


def tell_many(
    requests: Sequence[Request], code: str, *, by: str, at: datetime, details: dict[str, Any] | None = None
) -> None:
    """The same for several at once: two statements, however many they are."""
    TimelineEntry.objects.bulk_create(
        [TimelineEntry(request=one, at=at, actor=by, code=code, details=details or {}) for one in requests]
    )
    audit.record_many(
        at=at, by=by, action=f"request.{code}", object_type="request", object_ids=[one.pk for one in requests]
    )


def tell_each(details: Mapping[uuid.UUID, dict[str, Any]], code: str, *, by: str, at: datetime) -> None:
    """The same for several at once, each request with details of its own."""
    TimelineEntry.objects.bulk_create(
        [TimelineEntry(request_id=pk, at=at, actor=by, code=code, details=said) for pk, said in details.items()]
    )
    audit.record_many(at=at, by=by, action=f"request.{code}", object_type="request", object_ids=details)


def words(request: Request, entry: TimelineEntry) -> str | None:
    """What was typed with an entry; None where nothing was, or the person was erased."""
    return sealing.unseal(request, entry.sealed, context=sealing.WORDS)
