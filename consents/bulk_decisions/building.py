"""Building a snapshot out of the tables: two COPY statements in one database snapshot."""

import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from django.db import connection, transaction

from consents.bulk_decisions.hashed_names import Collision, Hashes, NameTable, Seeds, hashed, seeds, table
from consents.bulk_decisions.snapshots import ACTIONS, NOBODY, Sayings, Scope, Snapshot, in_order, moment

_PIECE = 16 << 20
_APART = "\x1f"
_PEOPLE = """
COPY (SELECT name.value, person.id, person.jurisdiction, person.is_minor::int,
             (extract(epoch FROM greatest(person.registered_at, person.amended_at)) * 1000000)::bigint
        FROM consents_identifier AS name JOIN consents_subject AS person ON person.id = name.subject_id
       WHERE name.scheme = %(scheme)s AND name.value IS NOT NULL AND person.erased_at IS NULL)
TO STDOUT (FORMAT csv)
"""
_SAYINGS = """
COPY (SELECT subject_id, concat_ws(chr(31), slot, purpose, recipient, category), action,
             (extract(epoch FROM occurred_at) * 1000000)::bigint, (extract(epoch FROM recorded_at) * 1000000)::bigint
        FROM consents_preference)
TO STDOUT (FORMAT csv)
"""
_LOG = """
SELECT log.head, (SELECT event_id FROM consents_position WHERE position = log.head)
  FROM consents_sequencerstate AS log
"""


def with_room(size: int) -> int:
    """Rows for those who will be registered, so that not each of them moves the arrays."""
    return size + size // 16 + 1024


def build(scheme: str) -> Snapshot:
    """Everybody of this scheme, as the database has it now."""
    while True:
        salt = os.urandom(16)
        try:
            return _build(scheme, salt)
        except Collision:
            # once in some 300,000 times with ten million people
            continue


def _build(scheme: str, salt: bytes) -> Snapshot:
    keyed = seeds(salt)
    outermost = not connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if outermost:
            # both statements and the position from one snapshot of the database
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        position, marker = _log(cursor)
        people = _people(cursor, scheme, keyed)
        said = _said(cursor, keyed, people.hashes)
    return Snapshot(
        scheme=scheme,
        salt=salt,
        seeds=keyed,
        position=position,
        marker=marker,
        latest=moment(max(people.latest, said.latest)),
        names=people.names,
        people=people.hashes,
        profile=people.profile,
        profiles=people.profiles,
        sayings=said.sayings,
        scopes=said.scopes,
    )


def _log(cursor: Any) -> tuple[int, uuid.UUID | None]:
    cursor.execute(_LOG)
    return cursor.fetchone() or (0, None)


@dataclass(frozen=True)
class _People:
    hashes: Hashes
    names: NameTable
    profile: npt.NDArray[np.uint16]
    profiles: list[tuple[str, bool]]
    latest: int


def _people(cursor: Any, scheme: str, keyed: Seeds) -> _People:
    """Raises Collision."""
    words, pieces, codes, latest = _Words([f"{_APART}0"]), [], [], 0
    for name, person, place, minor, at in _pieces(cursor, _PEOPLE, {"scheme": scheme}, times=1):
        latest = max(latest, int(at.to_numpy().max()))
        pieces.append(
            (
                hashed(name, keyed.name),
                hashed(name, keyed.tag),
                hashed(person, keyed.person),
                hashed(person, keyed.tag),
            )
        )
        codes.append(words.codes(place + _APART + minor))
    names, tags, persons, person_tags = (_joined([piece[part] for piece in pieces]) for part in range(4))
    _check_apart(persons, person_tags)
    # row 0 is nobody
    hashes = np.unique(np.concatenate([np.zeros(1, dtype=np.uint64), persons]))
    rows = np.searchsorted(hashes, persons)
    profile = np.zeros(with_room(len(hashes)), dtype=np.uint16)
    if pieces:
        profile[rows] = np.concatenate(codes)
    profiles = [(place, minor == "1") for place, _, minor in (word.partition(_APART) for word in words.known)]
    return _People(hashes, table(names, tags, rows), profile, profiles, latest)


@dataclass(frozen=True)
class _Said:
    sayings: Sayings
    scopes: list[Scope]
    latest: int


def _said(cursor: Any, keyed: Seeds, people: Hashes) -> _Said:
    scopes, actions, latest = _Words(), _Words(ACTIONS), 0
    pieces = [Sayings.none()]
    for person, scope, action, occurred_at, recorded_at in _pieces(cursor, _SAYINGS, {}, times=2):
        hashes = hashed(person, keyed.person)
        rows = np.searchsorted(people, hashes)
        rows[rows == len(people)] = NOBODY
        # the others have no name in this scheme
        known = (people[rows] == hashes) & (rows != NOBODY)
        latest = max(latest, int(recorded_at.to_numpy().max()))
        piece = Sayings(
            rows.astype(np.int32), scopes.codes(scope), actions.codes(action).astype(np.uint8), occurred_at.to_numpy()
        )
        pieces.append(piece.chosen(known))
    named = [word.split(_APART) for word in scopes.known]
    return _Said(in_order(pieces), [(slot, purpose, who, what) for slot, purpose, who, what in named], latest)


class _Words:
    """Codes of the few words that a column repeats, in order of their first use."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self.known = list(known)

    def codes(self, column: pl.Series) -> npt.NDArray[np.uint16]:
        words = column.unique(maintain_order=True).to_list()
        self.known += [word for word in words if word not in self.known]
        coded = {word: self.known.index(word) for word in words}
        return column.replace_strict(coded, return_dtype=pl.UInt16).to_numpy()


def _pieces(cursor: Any, statement: str, values: dict[str, str], *, times: int) -> Iterator[list[pl.Series]]:
    """The columns of a COPY, some megabytes at a time; text, but the last `times` are numbers."""
    with cursor.copy(statement, values) as copy:
        lines: list[bytes] = []
        size = 0
        for line in copy:
            lines.append(bytes(line))
            size += len(line)
            if size >= _PIECE:
                yield _columns(lines, times)
                lines, size = [], 0
        if lines:
            yield _columns(lines, times)


def _columns(lines: list[bytes], times: int) -> list[pl.Series]:
    text = b"".join(lines)
    read = pl.read_csv(text, has_header=False, infer_schema=False).get_columns()
    return [*read[:-times], *(column.cast(pl.Int64) for column in read[-times:])]


def _joined(parts: list[Hashes]) -> Hashes:
    return np.concatenate([np.zeros(0, dtype=np.uint64), *parts])


def _check_apart(persons: Hashes, tags: Hashes) -> None:
    """Raise Collision where two people share a hash; one person of several names shares it with nobody."""
    order = np.argsort(persons)
    persons, tags = persons[order], tags[order]
    if bool(((persons[1:] == persons[:-1]) & (tags[1:] != tags[:-1])).any()):
        raise Collision
