"""Bringing what the ring of keys sealed about requests under its current key; see `portal.resealing`.

That is the addresses of letters that wait, and what was typed and sent before it was known who asks. Everything else
about requests is under people's own keys, which `consents.key_rotation` wraps anew.
"""

import uuid
from collections import Counter
from typing import Any

from django.db import models, transaction
from django.db.models import Count

from portal import crypto, resealing
from portal.resealing import FIELD, Store, Turn
from portal.sealed import KeyId
from requests_app import letters, sealing
from requests_app.models import Letter, Request

_PLACES = [(model, name, context) for model, fields in sealing.FIELDS.items() for name, context in fields.items()]
"""Every field that may hold something sealed by the ring, in the order in which a rotation walks."""


@transaction.atomic
def letters_turn(*, after: uuid.UUID | None, limit: int) -> Turn:
    """Seal the addresses of the next letters anew; one that is being sent right now is left to the next walk."""
    page = _page(Letter, "sealed", after, limit)
    done = 0
    for letter in page:
        try:
            letter.sealed = crypto.reseal(letter.sealed, context=letters.context(letter.pk))
        except crypto.CryptoError:
            continue
        letter.save(update_fields=["sealed"])
        done += 1
    return Turn(done=done, failed=len(page) - done, next=page[-1].pk if len(page) == limit else None)


@transaction.atomic
def unknown_turn(*, after: tuple[int, uuid.UUID] | None, limit: int) -> Turn:
    """Seal the next values of one field anew; `after` says which field it is, and which row was the last."""
    place, last = after or (0, None)
    model, name, context = _PLACES[place]
    page = _page(model, name, last, limit)
    done = 0
    for row in page:
        request_id = row.pk if model is Request else row.request_id
        try:
            fresh = sealing.reseal(request_id, getattr(row, name), context=context)
        except crypto.CryptoError:
            continue
        # of the row alone: its status is guarded, and nothing else of it changes
        done += model.objects.filter(pk=row.pk).update(**{name: fresh})
    following = (place, page[-1].pk) if len(page) == limit else (place + 1, None)
    return Turn(done=done, failed=len(page) - done, next=following if following[0] < len(_PLACES) else None)


def _page(model: type[Any], name: str, after: uuid.UUID | None, limit: int) -> list[Any]:
    """The next rows whose value an older key of the ring sealed, locked; those that somebody holds are skipped."""
    rows = _by_ring(model, name).exclude(key=resealing.current_key(FIELD).encode()).order_by("pk")
    if after is not None:
        rows = rows.filter(pk__gt=after)
    return list(rows.select_for_update(skip_locked=True, of=("self",))[:limit])


def _by_ring(model: type[Any], name: str) -> "models.QuerySet[Any]":
    """Rows whose value the ring sealed, with the key's id; a person's own key has none."""
    rows = model.objects.filter(**{f"{name}__isnull": False}).annotate(key=KeyId(name))
    found: models.QuerySet[Any] = rows.exclude(key=b"")
    return found


def _held(model: type[Any], name: str) -> Counter[str]:
    counted = _by_ring(model, name).order_by().values_list("key").annotate(Count("pk"))
    return Counter({bytes(key).decode(errors="replace"): number for key, number in counted})


def _letters() -> dict[str, int]:
    return dict(_held(Letter, "sealed"))


def _unknown() -> dict[str, int]:
    return dict(sum((_held(model, name) for model, name, _ in _PLACES), Counter()))


LETTERS = Store("addresses of letters about requests", FIELD, _letters, letters_turn)
UNKNOWN = Store("requests of people not known yet", FIELD, _unknown, unknown_turn)
