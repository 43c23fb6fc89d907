"""Bringing people's keys and fingerprints under the current keys of the rings, while everybody works.

People's values are sealed under a key of their own, so only that key is wrapped anew; its value never changes, and
nothing that was sealed has to be touched. Fingerprints are made again from the names. Those of erased people cannot
be, nor those of keys and files that were sent: nothing is left to make them from, so their index key stays in the ring.
Which key a row carries is in the row, so a rotation may be killed at any moment, begun again, or run twice at once.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Count

from consents import checkpoints, subjects
from consents.models import ChoiceImport, ContactVerification, Identifier, ImportedKey, Subject, Suppressed
from portal import audit, crypto, resealing
from portal.resealing import FIELD, INDEX, Store, Turn
from portal.sealed import KeyId

PEOPLE, IDENTIFIERS, ERASED = "people's keys", "identifiers", "names of erased people"
SENT_KEYS, SENT_BODIES = "keys of choices that were sent", "digests of imports"


@dataclass(frozen=True)
class KeyState:
    """One key: what it still protects, by kind of value, and what becomes of it."""

    ring: str
    key: str
    in_ring: bool
    is_current: bool
    protects: dict[str, int]

    @property
    def may_go(self) -> bool:
        """Whether it may be removed from the environment."""
        return self.in_ring and not self.is_current and not self.protects

    @property
    def is_missing(self) -> bool:
        """Whether something needs it and it is not there."""
        return not self.in_ring and bool(self.protects)


def rotate(store: Store, *, batch: int) -> Iterator[Turn]:
    """Walk once over one kind of value, a turn (a short transaction) a time.

    Rows that somebody else holds at that moment are left to the next walk; so are names that changed hands.
    """
    if store.turn is None or not store.waiting():
        return
    after = None
    while True:
        turn = store.turn(after=after, limit=batch)
        yield turn
        if turn.next is None:
            return
        after = turn.next


def resign(*, at: datetime) -> bool:
    """Sign the log's present size by the current signing key, unless it was; what older keys signed stays as it is."""
    last = checkpoints.latest()
    if last is None or last.key_id == settings.SIGNING_KEYS.current[0]:
        return False
    return checkpoints.resign(at=at)


def enter(*, counts: dict[str, int], by: str, at: datetime) -> None:
    """Enter a rotation in the audit trail: how many values of each kind came under the current key."""
    for ring in (FIELD, INDEX):
        done = {one.name: counts[one.name] for one in stores() if one.ring == ring and counts.get(one.name)}
        if done:
            audit.record(at=at, by=by, action="keys.rotate", of=("key", resealing.current_key(ring)), details=done)


def stores() -> tuple[Store, ...]:
    """Everything that a key of the two rings protects, in whatever app."""
    return (*STORES, *resealing.joined())


def states() -> list[KeyState]:
    """Every key of the two rings, and any that values name and the ring lacks."""
    found = []
    for ring, keys in ((FIELD, settings.FIELD_KEYS), (INDEX, settings.INDEX_KEYS)):
        held = {store.name: store.held() for store in stores() if store.ring == ring}
        named = {key for by_key in held.values() for key in by_key}
        for key in [*keys.keys, *sorted(named - set(keys.keys))]:
            protects = {name: by_key[key] for name, by_key in held.items() if by_key.get(key)}
            found.append(KeyState(ring, key, key in keys.keys, key == keys.current[0], protects))
    return found


def missing_keys() -> list[tuple[str, str]]:
    """(ring, key id) that rows name and the environment lacks; looks up each key once, in indexes."""
    field = {bytes(one).decode(errors="replace") for one in _distinct(_PEOPLES_KEYS)}
    index = {
        str(one) for table in ("consents_identifier", "consents_suppressed") for one in _distinct(_index_keys(table))
    }
    lacking = [(FIELD, key) for key in sorted(field - set(settings.FIELD_KEYS.keys))]
    # no key noted: made before Heed did so, under whichever was first then
    return lacking + [(INDEX, key) for key in sorted(index - set(settings.INDEX_KEYS.keys) - {""})]


@transaction.atomic
def rewrap_turn(*, after: uuid.UUID | None, limit: int) -> Turn:
    """Wrap the next people's keys under the current field key. An erasure waits for this turn, or this one skips it."""
    rows = _waiting_people(after, limit)
    ids, keys = [], []
    for subject in rows:
        try:
            keys.append(crypto.rewrap(subject.wrapped_key or b"", subject_id=str(subject.pk)))
            ids.append(subject.pk)
        except crypto.CryptoError:
            continue
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE consents_subject SET wrapped_key = fresh.key"
            " FROM unnest(%s::uuid[], %s::bytea[]) AS fresh (id, key)"
            " WHERE consents_subject.id = fresh.id AND wrapped_key IS NOT NULL",
            [ids, keys],
        )
    return Turn(done=len(ids), failed=len(rows) - len(ids), next=rows[-1].pk if len(rows) == limit else None)


@transaction.atomic
def reindex_turn(*, after: int | None, limit: int) -> Turn:
    """Make the next fingerprints again under the current index key, from the names."""
    rows = _waiting_identifiers(after or 0, limit)
    fresh: dict[int, bytes] = {}
    for row in rows:
        try:
            named = subjects.name_of(row)
        except crypto.CryptoError:
            continue
        if named is not None:
            fresh[row.pk] = named.fingerprint
    done = _fingerprint(fresh)
    return Turn(done=done, failed=len(rows) - done, next=rows[-1].pk if len(rows) == limit else None)


def _waiting_people(after: uuid.UUID | None, limit: int) -> list[Subject]:
    """The next people whose key another key wraps, locked; those whom somebody holds are skipped."""
    waiting = Subject.objects.filter(wrapped_key__isnull=False).annotate(key=KeyId("wrapped_key"))
    waiting = waiting.exclude(key=resealing.current_key(FIELD).encode()).order_by("pk")
    if after is not None:
        waiting = waiting.filter(pk__gt=after)
    return list(waiting.select_for_update(skip_locked=True, no_key=True)[:limit])


def _waiting_identifiers(after: int, limit: int) -> list[Identifier]:
    waiting = Identifier.objects.filter(pk__gt=after).exclude(index_key=crypto.current_index_key())
    waiting = waiting.select_related("subject").order_by("pk")
    return list(waiting.select_for_update(skip_locked=True, of=("self",))[:limit])


def _fingerprint(fresh: dict[int, bytes]) -> int:
    """Write these fingerprints, all at once or, where a name is somebody else's too, one by one; answers how many."""
    try:
        with transaction.atomic():
            return _write(list(fresh), list(fresh.values()))
    except IntegrityError:
        if len(fresh) == 1:
            return 0
    return sum(_fingerprint({pk: fingerprint}) for pk, fingerprint in fresh.items())


def _write(ids: list[int], fingerprints: list[bytes]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE consents_identifier SET fingerprint = fresh.fingerprint, index_key = %s"
            " FROM unnest(%s::bigint[], %s::bytea[]) AS fresh (id, fingerprint)"
            " WHERE consents_identifier.id = fresh.id",
            [crypto.current_index_key(), ids, fingerprints],
        )
    return len(ids)


_KEY_ID = "substring(wrapped_key from 3 for get_byte(wrapped_key, 1))"
_PEOPLES_KEYS = ("consents_subject", _KEY_ID, "wrapped_key IS NOT NULL")


def _index_keys(table: str) -> tuple[str, str, str]:
    return (table, "index_key", "true")


def _distinct(place: tuple[str, str, str]) -> list[Any]:
    """The different values of an indexed expression, by one look into the index for each (a loose index scan)."""
    table, what, where = place
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE key AS ("  # noqa: S608 -- the places above
            f" (SELECT {what} AS id FROM {table} WHERE {where} ORDER BY {what} LIMIT 1)"
            f" UNION ALL SELECT (SELECT {what} FROM {table} WHERE {where} AND {what} > key.id ORDER BY {what} LIMIT 1)"
            " FROM key WHERE key.id IS NOT NULL"
            ") SELECT id FROM key WHERE id IS NOT NULL"
        )
        return [row[0] for row in cursor.fetchall()]


def _peoples_keys() -> dict[str, int]:
    rows = Subject.objects.filter(wrapped_key__isnull=False).annotate(key=KeyId("wrapped_key")).values_list("key")
    return {bytes(key).decode(errors="replace"): number for key, number in rows.annotate(Count("pk")).order_by()}


def _identifiers() -> dict[str, int]:
    return dict(Identifier.objects.values_list("index_key").annotate(Count("pk")).order_by())


def _erased() -> dict[str, int]:
    return dict(Suppressed.objects.values_list("index_key").annotate(Count("pk")).order_by())


def _sent_keys() -> dict[str, int]:
    return dict(ImportedKey.objects.values_list("index_key").annotate(Count("pk")).order_by())


def _sent_bodies() -> dict[str, int]:
    digests = ChoiceImport.objects.exclude(digest="")
    return dict(digests.values_list("index_key").annotate(Count("pk")).order_by())


STORES = (
    Store(PEOPLE, FIELD, _peoples_keys, rewrap_turn),
    *resealing.STORES,
    # gone after a quarter of an hour by themselves
    Store("contacts that wait for their codes", FIELD, ContactVerification.by_field_key),
    Store(IDENTIFIERS, INDEX, _identifiers, reindex_turn),
    # append-only, and nothing is left to make them from
    Store(ERASED, INDEX, _erased),
    # nor these from: without its key, what is sent again is not known again
    Store(SENT_KEYS, INDEX, _sent_keys),
    Store(SENT_BODIES, INDEX, _sent_bodies),
)
LASTING = frozenset({ERASED, SENT_KEYS, SENT_BODIES})
"""What no rotation brings under another key, and no time takes away."""
