"""Requests that run already: rows with frozen rules, however many, without going through the door for each."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from uuid_utils.compat import uuid7

from requests_app import legal_clock
from requests_app.models import Pause, Request
from requests_app.rulebook import Wait


def unsaved(place: str, right: str, received: datetime, *, is_proven: bool = True, **said: Any) -> Request:
    """One request of nobody in particular, with its clock set."""
    request = Request(right=right, jurisdiction=place, received_at=received, group=uuid7(), **said)
    legal_clock.set_at_receipt(request, is_proven=is_proven)
    return request


def running(place: str, right: str, received: datetime, waits: Sequence[tuple[Wait, datetime, datetime | None]]) -> Any:
    """One request that is stored with the waits that it had, and not reckoned again yet."""
    request = unsaved(place, right, received)
    request.save()
    Pause.objects.bulk_create(
        [Pause(request=request, reason=reason, began_at=began, ended_at=ended) for reason, began, ended in waits]
    )
    return request


def due_dates(pks: Sequence[uuid.UUID]) -> dict[uuid.UUID, Any]:
    """(due, to be acknowledged by) of each as stored."""
    found = Request.objects.filter(pk__in=pks).values_list("pk", "due_on", "acknowledge_by")
    return {pk: (due, acknowledge) for pk, due, acknowledge in found}
