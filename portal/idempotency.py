"""Idempotency-Key: a repeated call gets the first answer and writes nothing.

The remembered answer is written in the same transaction as the effect, so either both exist or none.
A second caller with the same key waits on the unique index until the first has committed or failed.
"""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from portal import crypto
from portal.errors import DomainError
from portal.models import RememberedAnswer

KEPT = timedelta(days=7)
_LONGEST = 255

Answer = tuple[int, dict[str, Any]]


class IdempotencyError(DomainError):
    """The key cannot be used for this call."""


def once(*, client: str, key: str | None, request: Any, at: datetime, act: Callable[[], Answer]) -> tuple[Answer, bool]:
    """Run `act` unless `client` used `key` before; answer it and whether it is a repetition.

    Raises IdempotencyError(`idempotency_key_reused`) when the key came with another request.
    """
    if key is None:
        with transaction.atomic():
            return act(), False
    check_key(key)
    # keyed: the request names a person, and a plain digest could be guessed
    digest = crypto.blind_index("idempotency", json.dumps(request, sort_keys=True, default=str))
    with transaction.atomic():
        mine, created = RememberedAnswer.objects.get_or_create(
            client=client, key=key, defaults={"request_digest": digest, "created_at": at}
        )
        if not created:
            return _repeat(mine, digest), True
        mine.status, mine.body = act()
        mine.save(update_fields=["status", "body"])
        return (mine.status, mine.body), False


def check_key(key: str) -> None:
    """Raises IdempotencyError(`idempotency_key_invalid`)."""
    if not key or len(key) > _LONGEST or not key.isprintable():
        raise IdempotencyError(
            "idempotency_key_invalid", f"Idempotency-Key must be 1 to {_LONGEST} printable characters."
        )


def forget_old(*, at: datetime) -> int:
    """Delete answers kept longer than seven days; answers how many."""
    deleted, _ = RememberedAnswer.objects.filter(created_at__lt=at - KEPT).delete()
    return deleted


def _repeat(first: RememberedAnswer, digest: bytes) -> Answer:
    if bytes(first.request_digest) != digest:
        raise IdempotencyError(
            "idempotency_key_reused", "This Idempotency-Key was used with another request; send a new key."
        )
    return first.status, first.body
