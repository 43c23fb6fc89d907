"""Bringing a snapshot forward by the log: whom the entries since name is read again, everybody else stays.

Entries that wait for their position count too, so that a choice committed a moment ago is in the next answer. The log
says who; the tables say what. So reading somebody twice does no harm, and nothing depends on the order of entries.
"""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from django.db import connection

from consents import told
from consents.bulk_decisions import answers
from consents.bulk_decisions.building import with_room
from consents.bulk_decisions.hashed_names import hashed, table
from consents.bulk_decisions.snapshots import NOBODY, Snapshot
from consents.vocabulary import Kind

_MOST = 20
"""More than a twentieth of the people: reading everybody anew is faster."""
_FEW = 20_000
_BATCH = 5_000
_SPARE_NAMES = 200_000
_SPARE_SAYINGS = 50_000

_LOG = """
SELECT coalesce(log.head, 0),
       least(coalesce(log.horizon, '0')::text::bigint, pg_snapshot_xmin(pg_current_snapshot())::text::bigint),
       (SELECT event_id FROM consents_position WHERE position = %(position)s)
  FROM (VALUES (1)) AS one LEFT JOIN consents_sequencerstate AS log ON true
"""
# What lies below the horizon has its position; after a restore this cluster's own transactions lie below it.
_ENTRIES = """
SELECT event.id, event.kind, event.subject_id, event.details->>'people', place.position
  FROM consents_position AS place JOIN consents_ledgerevent AS event ON event.id = place.event_id
 WHERE place.position > %(position)s
UNION ALL
SELECT event.id, event.kind, event.subject_id, event.details->>'people', NULL
  FROM consents_ledgerevent AS event
 WHERE event.transaction_id >= %(horizon)s::text::xid8
   AND NOT EXISTS (SELECT FROM consents_position AS place WHERE place.event_id = event.id)
"""
_PEOPLE = """
SELECT person.id, person.jurisdiction, person.is_minor, person.erased_at,
       greatest(person.registered_at, person.amended_at, person.erased_at),
       array_remove(array_agg(name.value), NULL)
  FROM consents_subject AS person
  LEFT JOIN consents_identifier AS name ON name.subject_id = person.id AND name.scheme = %(scheme)s
 WHERE person.id = ANY(%(people)s) OR person.registered_in = ANY(%(events)s)
 GROUP BY person.id
"""
_SAID = """
SELECT subject_id, slot, purpose, recipient, category, action, event_id, occurred_at, recorded_at
  FROM consents_preference WHERE subject_id = ANY(%s)
"""


class TooFar(Exception):
    """The snapshot is of another log, or so far behind that it is built anew."""


@dataclass(frozen=True)
class _Entries:
    head: int
    people: set[uuid.UUID]
    registrations: set[uuid.UUID]
    registered: int
    unplaced: frozenset[uuid.UUID]


@dataclass(frozen=True)
class _One:
    """Somebody as the tables have them now."""

    pk: uuid.UUID
    jurisdiction: str
    is_minor: bool
    is_erased: bool
    latest: datetime
    names: Sequence[str]


def bring_forward(snapshot: Snapshot, *, at: datetime) -> None:
    """Take in what the log has since the snapshot's position. Raises TooFar. Call it holding the snapshot's lock."""
    entries = _entries(snapshot)
    if len(entries.people) + entries.registered > max(_FEW, snapshot.size // _MOST):
        raise TooFar
    for people in _people(snapshot, entries):
        _take_in(snapshot, people, at=at)
    if len(snapshot.later_sayings) > _SPARE_SAYINGS:
        snapshot.fold()
    snapshot.unplaced = entries.unplaced
    if entries.head > snapshot.position:
        snapshot.position, snapshot.marker = entries.head, _event_at(entries.head)


def _entries(snapshot: Snapshot) -> _Entries:
    with connection.cursor() as cursor:
        cursor.execute(_LOG, {"position": snapshot.position})
        head, horizon, marker = cursor.fetchone()
        if head < snapshot.position or marker != snapshot.marker:
            raise TooFar
        # what is placed between these statements is found by its position, so nothing falls between them
        cursor.execute(_ENTRIES, {"position": snapshot.position, "horizon": str(horizon)})
        rows = cursor.fetchall()
    new = [row for row in rows if row[0] not in snapshot.unplaced or row[4] is not None]
    registrations = [row for row in new if row[1] == Kind.PEOPLE and row[2] is None]
    return _Entries(
        head=max([head, *(row[4] for row in rows if row[4] is not None)]),
        people={row[2] for row in new if row[2] is not None},
        registrations={row[0] for row in registrations},
        registered=sum(int(row[3] or 0) for row in registrations),
        unplaced=frozenset(row[0] for row in rows if row[4] is None),
    )


def _event_at(position: int) -> uuid.UUID | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT event_id FROM consents_position WHERE position = %s", [position])
        row = cursor.fetchone()
    return row[0] if row else None


def _people(snapshot: Snapshot, entries: _Entries) -> Iterator[list[_One]]:
    """Everybody whom the entries name, in batches."""
    named = sorted(entries.people)
    batches: list[tuple[list[uuid.UUID], list[uuid.UUID]]] = [
        (named[start : start + _BATCH], []) for start in range(0, len(named), _BATCH)
    ]
    if entries.registrations:
        batches.append(([], sorted(entries.registrations)))
    for people, events in batches:
        with connection.cursor() as cursor:
            cursor.execute(_PEOPLE, {"scheme": snapshot.scheme, "people": people, "events": events})
            rows = cursor.fetchall()
        yield [_One(row[0], row[1], row[2], row[3] is not None, row[4], row[5]) for row in rows]


def _take_in(snapshot: Snapshot, people: list[_One], *, at: datetime) -> None:
    # whoever has no name in this scheme and never had one is nobody here
    rows = snapshot.rows_of(_hashes_of(snapshot, people)).tolist()
    known = [(one, row) for one, row in zip(people, rows, strict=True) if row != NOBODY or one.names]
    if not known:
        return
    placed = [(one, row if row != NOBODY else _new_row(snapshot, one)) for one, row in known]
    said = _said([one.pk for one, _ in placed])
    for one, row in placed:
        code = NOBODY if one.is_erased else snapshot.profile_code(one.jurisdiction, one.is_minor)
        snapshot.profile[row] = code
        snapshot.later_sayings[row] = said.get(one.pk, [])
        moments = [held.recorded_at for held in said.get(one.pk, []) if held.recorded_at is not None]
        snapshot.latest = max([snapshot.latest, one.latest, *moments])
    for kept in snapshot.answers.values():
        answers.bring_up(snapshot, kept, (row for _, row in placed), at=max(at, kept.since))
    # last: whoever finds a new name finds its answer
    _take_in_names(snapshot, placed)


def _hashes_of(snapshot: Snapshot, people: Sequence[_One]) -> Any:
    return hashed(pl.Series([str(one.pk) for one in people], dtype=pl.String), snapshot.seeds.person)


def _new_row(snapshot: Snapshot, one: _One) -> int:
    row = snapshot.size
    if row >= len(snapshot.profile):
        _make_room(snapshot, row)
    snapshot.later_people[int(_hashes_of(snapshot, [one])[0])] = row
    return row


def _make_room(snapshot: Snapshot, row: int) -> None:
    more = with_room(row) - len(snapshot.profile)
    snapshot.profile = np.concatenate([snapshot.profile, np.zeros(more, dtype=np.uint16)])
    for kept in snapshot.answers.values():
        kept.allow = np.concatenate([kept.allow, np.zeros(more, dtype=bool)])


def _said(people: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[told.Held]]:
    said: dict[uuid.UUID, list[told.Held]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_SAID, [list(people)])
        for subject_id, *row in cursor.fetchall():
            said.setdefault(subject_id, []).append(told.Held(*row))
    return said


def _take_in_names(snapshot: Snapshot, placed: Sequence[tuple[_One, int]]) -> None:
    """Names that are new go into the second table. Raises TooFar where a name moved to somebody else."""
    texts = [(name, row) for one, row in placed for name in one.names]
    if not texts:
        return
    names = pl.Series([name for name, _ in texts], dtype=pl.String)
    rows = np.array([row for _, row in texts], dtype=np.int64)
    hashes, tags = hashed(names, snapshot.seeds.name), hashed(names, snapshot.seeds.tag)
    found = snapshot.find(hashes, tags)
    if bool(((found != NOBODY) & (found != rows)).any()):
        raise TooFar
    fresh = np.flatnonzero(found == NOBODY)
    if not len(fresh):
        return
    for number in fresh.tolist():
        snapshot.later_names[int(hashes[number])] = (int(tags[number]), int(rows[number]))
    if len(snapshot.later_names) > _SPARE_NAMES:
        raise TooFar
    every = list(snapshot.later_names.items())
    snapshot.later_table = table(
        np.array([key for key, _ in every], dtype=np.uint64),
        np.array([tag for _, (tag, _) in every], dtype=np.uint64),
        np.array([row for _, (_, row) in every], dtype=np.int64),
    )
