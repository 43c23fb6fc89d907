"""Filters of the queue that a member of staff keeps under a name."""

import uuid
from urllib.parse import parse_qsl, urlencode

from django.db import IntegrityError, transaction

from portal.errors import Conflict, DomainError
from portal.models import User
from requests_app.models import SavedView

LONGEST = 400
MOST = 20
_KEPT = frozenset({"view", "status", "right", "jurisdiction", "staff", "channel", "o"})


class SavedViewError(DomainError):
    """A view that cannot be kept as it was sent."""


def of(staff: User) -> list[SavedView]:
    """What this member of staff has kept, by name."""
    return list(SavedView.objects.filter(staff=staff).order_by("name")[:MOST])


def save(*, staff: User, name: str, query: str) -> SavedView:
    """Keep the filters of an address; one of the same name is replaced. Raises SavedViewError, Conflict(`too_many`).

    What was searched for is not kept: it may be somebody's.
    """
    name = " ".join(name.split())
    if not 1 <= len(name) <= 40:
        raise SavedViewError("name_missing", "Give the view a name of at most 40 letters.", field="name")
    kept = urlencode([(key, value) for key, value in parse_qsl(query) if key in _KEPT])[:LONGEST]
    standing = SavedView.objects.filter(staff=staff)
    if standing.exclude(name=name).count() >= MOST:
        raise Conflict("too_many", f"You keep {MOST} views already; forget one first.")
    try:
        with transaction.atomic():
            saved, _ = SavedView.objects.update_or_create(staff=staff, name=name, defaults={"query": kept})
    except IntegrityError as error:
        raise Conflict("saved_twice", "It was saved a moment ago.") from error
    return saved


def forget(*, staff: User, pk: uuid.UUID) -> bool:
    """Answers whether there was one of theirs."""
    deleted, _ = SavedView.objects.filter(staff=staff, pk=pk).delete()
    return bool(deleted)
