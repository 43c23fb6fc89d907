"""What a rotation of keys brings under the current one, in the tables that every app shares.

A `Store` is one kind of value that a key protects. A turn is one short transaction over the next rows; which key a
value carries says how far the rotation is, so it may be killed at any moment and begun again.
"""

import base64
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Left

from portal import crypto
from portal.accounts import SECOND_FACTOR_CONTEXT
from portal.models import RememberedAnswer, Session
from portal.sessions import CONTEXT as SESSION_CONTEXT

FIELD, INDEX = "field", "index"
_HEAD = 48
"""So many letters of base64 hold version, length and the longest key id."""


_joined: "dict[str, Store]" = {}


def join(store: "Store") -> None:
    """What an app above consents keeps sealed takes part in every rotation; called when the app is ready."""
    _joined[store.name] = store


def joined() -> "tuple[Store, ...]":
    return tuple(_joined.values())


@dataclass(frozen=True)
class Turn:
    """Values that are under the current key now, values that could not be brought there, and where the next begins."""

    done: int
    failed: int
    next: Any


@dataclass(frozen=True)
class Store:
    """One kind of value: which ring protects it, how many each key still does, and a turn; without one it stays."""

    name: str
    ring: str
    held: Callable[[], dict[str, int]]
    turn: Callable[..., Turn] | None = None

    def waiting(self) -> int:
        """Values that are not under the current key."""
        current = current_key(self.ring)
        return sum(number for key, number in self.held().items() if key != current)


def current_key(ring: str) -> str:
    keys: crypto.Ring = settings.FIELD_KEYS if ring == FIELD else settings.INDEX_KEYS
    return keys.current[0]


@transaction.atomic
def sessions_turn(*, after: str | None, limit: int) -> Turn:
    """Seal the next sessions anew; one that cannot be opened is a signed-out one, and goes."""
    page = list(
        Session.objects.filter(pk__gt=after or "").order_by("pk").values_list("pk", Left("session_data", _HEAD))[:limit]
    )
    old = [pk for pk, head in page if _key_of(head) != current_key(FIELD)]
    done = 0
    for session in Session.objects.select_for_update(skip_locked=True).filter(pk__in=old):
        try:
            fresh = crypto.reseal(base64.b64decode(session.session_data), context=SESSION_CONTEXT)
        except (crypto.CryptoError, ValueError):
            session.delete()
            continue
        session.session_data = base64.b64encode(fresh).decode()
        session.save(update_fields=["session_data"])
        done += 1
    return Turn(done=done, failed=0, next=page[-1][0] if len(page) == limit else None)


@transaction.atomic
def second_factors_turn(*, after: int | None, limit: int) -> Turn:
    """Seal the next second factors anew."""
    waiting = Authenticator.objects.select_for_update(skip_locked=True).filter(pk__gt=after or 0)
    page = list(waiting.order_by("pk")[:limit])
    done = failed = 0
    for factor in page:
        if all(_hex_key(one) == current_key(FIELD) for one in _secrets(factor.data)):
            continue
        try:
            factor.data = {name: _resealed(value) for name, value in factor.data.items()}
        except crypto.CryptoError:
            failed += 1
            continue
        factor.save(update_fields=["data"])
        done += 1
    return Turn(done=done, failed=failed, next=page[-1].pk if len(page) == limit else None)


def _sessions() -> dict[str, int]:
    heads = Session.objects.values_list(Left("session_data", _HEAD), flat=True)
    return dict(Counter(_key_of(head) for head in heads.iterator()))


def _second_factors() -> dict[str, int]:
    every = (secret for factor in Authenticator.objects.all() for secret in _secrets(factor.data))
    return dict(Counter(_hex_key(one) for one in every))


def _remembered() -> dict[str, int]:
    return dict(Counter(RememberedAnswer.objects.values_list("index_key", flat=True).iterator()))


def _key_of(head: str) -> str:
    try:
        return crypto.key_id_of(base64.b64decode(head[: len(head) // 4 * 4]))
    except (crypto.CryptoError, ValueError):
        return ""


def _secrets(data: dict[str, Any]) -> list[str]:
    """The sealed texts of a second factor: a secret, a seed, or codes taken over from elsewhere."""
    listed = [one if isinstance(one, list) else [one] for one in data.values()]
    return [text for texts in listed for text in texts if isinstance(text, str)]


def _resealed(value: Any) -> Any:
    if isinstance(value, list):
        return [_resealed(one) for one in value]
    if not isinstance(value, str):
        return value
    return crypto.reseal(_from_hex(value), context=SECOND_FACTOR_CONTEXT).hex()


def _hex_key(text: str) -> str:
    return crypto.key_id_of(_from_hex(text))


def _from_hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise crypto.CryptoError("unknown_format", "This second factor was not sealed by Heed.") from error


STORES = (
    Store("sessions", FIELD, _sessions, sessions_turn),
    Store("second factors", FIELD, _second_factors, second_factors_turn),
    # gone after seven days by themselves
    Store("remembered answers", INDEX, _remembered),
)
