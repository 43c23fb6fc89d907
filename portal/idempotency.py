"""Idempotency-Key: a repeated call gets the first answer and writes nothing.

The remembered answer is written in the same transaction as the effect, so either both exist or none.
A second caller with the same key waits on the unique index until the first has committed or failed.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

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
    key = hashed(key)
    # keyed: the request names a person, and a plain digest could be guessed
    digests = crypto.blind_indexes("idempotency", json.dumps(request, sort_keys=True, default=str))
    with transaction.atomic():
        if not _begun(client, key, digests[0], at):
            first = RememberedAnswer.objects.get(client=client, key=key)
            return _repeat(first, digests), True
        status, body = act()
        RememberedAnswer.objects.filter(client=client, key=key).update(status=status, body=body)
        return (status, body), False


def was_used(*, client: str, key: str | None) -> bool:
    """Whether `once` would repeat an answer: then nothing has to be made ready for it. Raises IdempotencyError."""
    if key is None:
        return False
    check_key(key)
    return RememberedAnswer.objects.filter(client=client, key=hashed(key)).exists()


def _begun(client: str, key: str, digest: bytes, at: datetime) -> bool:
    """Take the key, waiting for whoever holds it right now; False where it was used before."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO portal_rememberedanswer (client, key, request_digest, index_key, status, body, created_at)"
            " VALUES (%s, %s, %s, %s, 0, '{}', %s) ON CONFLICT (client, key) DO NOTHING",
            [client, key, digest, crypto.current_index_key(), at],
        )
        taken: bool = cursor.rowcount == 1
        return taken


def check_key(key: str) -> None:
    """Raises IdempotencyError(`idempotency_key_invalid`)."""
    if not key or len(key) > _LONGEST or not key.isprintable():
        raise IdempotencyError(
            "idempotency_key_invalid", f"Idempotency-Key must be 1 to {_LONGEST} printable characters."
        )


def hashed(key: str) -> str:
    """The form in which a key is kept: callers put people's names into keys (SHA-256, hexadecimal digits)."""
    return hashlib.sha256(key.encode()).hexdigest()


def forget_old(*, at: datetime) -> int:
    """Delete answers kept longer than seven days; answers how many."""
    deleted, _ = RememberedAnswer.objects.filter(created_at__lt=at - KEPT).delete()
    return deleted


def _repeat(first: RememberedAnswer, digests: list[bytes]) -> Answer:
    # any key of the ring: the first call may have come before a rotation
    if bytes(first.request_digest) not in digests:
        raise IdempotencyError(
            "idempotency_key_reused", "This Idempotency-Key was used with another request; send a new key."
        )
    return first.status, first.body
