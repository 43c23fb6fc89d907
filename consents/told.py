"""What is known of a person when a decision is made about them: who they are and what they last said, as of a moment.

One statement reads the person, their preferences and the rulebook's token. Only where that does not do, because the
rulebook changed or something was written after the moment asked for, a second one brings the rest.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypedDict

import orjson
from django.db import connection

from consents import jurisdictions, regime
from consents.models import Subject
from consents.regime import Book
from consents.subjects import Name
from consents.vocabulary import PROTECTIVE, SLOT_OF, Action, Kind


@dataclass(frozen=True, slots=True)
class Person:
    """Of a person, as much as decides."""

    pk: uuid.UUID
    jurisdiction: str
    is_minor: bool
    registered_at: datetime
    erased_at: datetime | None = None
    amended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """What a person last said in one scope."""

    slot: str
    purpose: str
    recipient: str
    category: str
    action: str
    event_id: uuid.UUID
    occurred_at: datetime
    recorded_at: datetime | None = None


@dataclass(frozen=True)
class Told:
    """What one read brought: the rulebook, the person (None: nobody of that name), what they said, the log's head.

    `at` is the moment it is as of. `lives_in` is where the person lives now, which says who may ask about them.
    """

    book: Book
    person: Person | None
    said: Sequence[Held]
    was_erased: bool
    position: int
    at: datetime
    lives_in: str | None


def person(subject: Subject) -> Person:
    """The part of a subject that decides."""
    return Person(
        subject.pk,
        subject.jurisdiction,
        subject.is_minor,
        subject.registered_at,
        subject.erased_at,
        subject.amended_at,
    )


def is_within(jurisdiction: str, scopes: Sequence[str]) -> bool:
    """Whether one of the scopes takes the jurisdiction in; no scopes at all take in everyone."""
    return not scopes or any(jurisdictions.covers(one, jurisdiction) for one in scopes)


# A function of the database (migration 0025): its plans are made once a session and not at each question, and one value
# comes back, where taking apart rows of many columns costs more than all the rest. Being STABLE it reads one snapshot.
_READ = "SELECT consents_told(%s, %s, %s, %s)"
_MANY = """
SELECT subject_id, slot, purpose, recipient, category, action, event_id, occurred_at, recorded_at
  FROM consents_preference
 WHERE subject_id = ANY(%(subjects)s) AND purpose = ANY(%(purposes)s)
"""
# What was said by then, and what was corrected since.
_EVENTS = f"""(
SELECT coalesce(json_agg(event), '[]') FROM (
  SELECT id, subject_id, kind, action, purpose, recipient, category, occurred_at, recorded_at, details,
         transaction_id::text::bigint AS transaction_id
    FROM consents_ledgerevent
   WHERE subject_id = ANY(%(subjects)s)
     AND (kind = '{Kind.CHOICE}' AND purpose = ANY(%(purposes)s) AND recorded_at <= %(at)s
          OR kind = '{Kind.AMENDMENT}' AND recorded_at > %(at)s)) AS event)::text"""  # noqa: S608 -- constants


class _Event(TypedDict):
    """An entry of the ledger as `_EVENTS` tells it: ids and times as text."""

    id: str
    subject_id: str
    kind: str
    action: str
    purpose: str
    recipient: str
    category: str
    occurred_at: str
    recorded_at: str
    details: dict[str, Any]
    transaction_id: int


# With `now`, `at` is what the asker's clock shows. What another machine, whose clock is ahead, has committed was
# written earlier all the same: it counts, and the answer is as of the latest moment that it needs.


def of_subject(subject_id: uuid.UUID | None, *, purposes: Sequence[str], at: datetime, now: bool = False) -> Told:
    """What is known of this person; of None, the rulebook alone (at most two statements)."""
    return _read([None, None, subject_id, purposes], purposes=purposes, at=at, now=now)


def of_name(name: Name, *, purposes: Sequence[str], at: datetime, now: bool = False) -> Told:
    """The same of whoever is called so (at most two statements)."""
    return _read([name.scheme, name.fingerprints, None, purposes], purposes=purposes, at=at, now=now)


def moments(one: Person, said: Iterable[Held]) -> Iterator[datetime]:
    """When what is known of a person was written, as far as the clocks of those who wrote it tell."""
    yield from (at for at in (one.registered_at, one.erased_at, one.amended_at) if at is not None)
    yield from (held.recorded_at for held in said if held.recorded_at is not None)


def of_many(people: Sequence[Person], *, purposes: Sequence[str], at: datetime) -> list[tuple[Person, Sequence[Held]]]:
    """Each person as they were at `at`, and what they had said (one statement, one more for the past)."""
    said = said_now([one.pk for one in people], purposes=purposes)
    found: list[tuple[Person, Sequence[Held]]] = [(one, said.get(one.pk, [])) for one in people]
    past = [one for one, held in found if _was_otherwise(one, held, at)]
    if not past:
        return found
    _, events = _more(book=False, people=past, purposes=purposes, at=at)
    then = {one.pk: _replayed(one, events.get(one.pk, ()), at) for one in past}
    return [then.get(one.pk, (one, held)) for one, held in found]


def said_now(subject_ids: Sequence[uuid.UUID], *, purposes: Sequence[str]) -> dict[uuid.UUID, list[Held]]:
    """What each of these people says now (one statement)."""
    said: dict[uuid.UUID, list[Held]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_MANY, {"subjects": list(subject_ids), "purposes": list(purposes)})
        for subject_id, *row in cursor.fetchall():
            said[subject_id].append(Held(*row))
    return said


def _read(asked: list[Any], *, purposes: Sequence[str], at: datetime, now: bool) -> Told:
    with connection.cursor() as cursor:
        cursor.execute(_READ, asked)
        token, head, was_erased, who, rows = orjson.loads(cursor.fetchone()[0])
    known = _person(who) if who else None
    lives_in = known.jurisdiction if known else None
    said: Sequence[Held] = [_held(row) for row in rows or ()]
    book = regime.kept(uuid.UUID(token) if token else None)
    past = not now and known is not None and _was_otherwise(known, said, at)
    if book is None or past:
        brought, events = _more(book=book is None, people=[known] if known and past else [], purposes=purposes, at=at)
        book = book or brought
        if known is not None and past:
            known, said = _replayed(known, events.get(known.pk, ()), at)
    assert book is not None  # noqa: S101 -- kept, or brought just now
    if now:
        at = max(at, book.latest, *(moments(known, said) if known else ()))
    return Told(book, known, said, was_erased, head or 0, at, lives_in)


def _person(row: list[Any]) -> Person:
    pk, jurisdiction, is_minor, *moments = row
    registered_at, erased_at, amended_at = (datetime.fromisoformat(one) if one else None for one in moments)
    assert registered_at is not None  # noqa: S101 -- the column has no null
    return Person(uuid.UUID(pk), jurisdiction, is_minor, registered_at, erased_at, amended_at)


def _held(row: list[Any]) -> Held:
    slot, purpose, recipient, category, action, event_id, occurred_at, recorded_at = row
    occurred, recorded = datetime.fromisoformat(occurred_at), datetime.fromisoformat(recorded_at)
    return Held(slot, purpose, recipient, category, action, uuid.UUID(event_id), occurred, recorded)


def as_it_was(one: Person, *, at: datetime) -> Person:
    """Who the person was at `at` (one statement where they were corrected since)."""
    if not _was_otherwise(one, (), at):
        return one
    _, events = _more(book=False, people=[one], purposes=[], at=at)
    return _replayed(one, events.get(one.pk, ()), at)[0]


def _was_otherwise(one: Person, said: Iterable[Held], at: datetime) -> bool:
    """Whether something written after `at` hides what stood then."""
    if one.amended_at is not None and one.amended_at > at:
        return True
    return any(held.recorded_at is not None and held.recorded_at > at for held in said)


def _more(
    *, book: bool, people: Sequence[Person], purposes: Sequence[str], at: datetime
) -> tuple[Book | None, dict[uuid.UUID, list[_Event]]]:
    """The rulebook, the people's events, or both, in one statement."""
    wanted = f"SELECT {regime.BOOK if book else 'NULL'}, {_EVENTS if people else 'NULL'}"
    with connection.cursor() as cursor:
        cursor.execute(wanted, {"subjects": [one.pk for one in people], "purposes": list(purposes), "at": at})
        written, events = cursor.fetchone()
    by_person: dict[uuid.UUID, list[_Event]] = defaultdict(list)
    for event in orjson.loads(events or "[]"):
        by_person[uuid.UUID(event["subject_id"])].append(event)
    return regime.take_in(written) if written else None, by_person


def _replayed(one: Person, events: Iterable[_Event], at: datetime) -> tuple[Person, list[Held]]:
    """Who the person was at `at`, and what they had said, out of the ledger."""
    latest: dict[tuple[str, ...], tuple[tuple[object, ...], Held]] = {}
    corrected = []
    for event in events:
        if event["kind"] == Kind.AMENDMENT:
            corrected.append(event)
            continue
        occurred_at, action = datetime.fromisoformat(event["occurred_at"]), Action(event["action"])
        scope = (SLOT_OF[action].value, event["purpose"], event["recipient"], event["category"])
        rank = (occurred_at, action in PROTECTIVE, event["transaction_id"], event["id"])
        if scope not in latest or rank > latest[scope][0]:
            recorded_at = datetime.fromisoformat(event["recorded_at"])
            held = Held(*scope, action.value, uuid.UUID(event["id"]), occurred_at, recorded_at)
            latest[scope] = (rank, held)
    return _as_of(one, corrected), [held for _, held in latest.values()]


def _as_of(one: Person, corrected: Sequence[_Event]) -> Person:
    """The person before these corrections: each tells what was."""
    for event in sorted(corrected, key=lambda event: (event["transaction_id"], event["id"]), reverse=True):
        was = event["details"].get("was", {})
        one = replace(
            one,
            jurisdiction=was.get("jurisdiction", one.jurisdiction),
            is_minor=was.get("is_minor", one.is_minor),
        )
    return one
