"""Naming what was done where the ledger's rows no longer give the hashes that were sealed.

An event that was edited gives a hash that nobody sealed; one that was moved gives a hash that was sealed elsewhere.
So differences are collected over the whole log, and named together.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from django.db import connection

from consents import leaves
from consents.tree import HASH_BYTES

KEPT = 10_000
"""So many differences are kept in memory to be told apart; further ones are counted."""
LISTED = 100
"""So many findings of one kind are written out; further ones are counted."""

_ROWS = f"""
SELECT step.position, place.event_id, event.kind, CASE WHEN event.id IS NOT NULL THEN {leaves.LEAF_SQL} END
  FROM generate_series(%s::bigint, %s::bigint) AS step(position)
  LEFT JOIN consents_position AS place ON place.position = step.position
  LEFT JOIN consents_ledgerevent AS event ON event.id = place.event_id
 ORDER BY step.position
"""  # noqa: S608 - made of constants of our own


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was: a stable code, and what and where in words without personal data."""

    code: str
    message: str


@dataclass(frozen=True)
class Difference:
    """A position whose row does not give the hash that was sealed there; without event or kind, those are gone."""

    position: int
    event_id: str
    kind: str
    leaf: bytes
    sealed: bytes

    @property
    def where(self) -> str:
        return f"position {self.position} (event {self.event_id}, {self.kind})"


class Findings(list[Finding]):
    """Findings, of each kind no more than can be read."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def note(self, code: str, message: str) -> None:
        self.counts[code] += 1
        if self.counts[code] <= LISTED:
            self.append(Finding(code, message))

    def unlisted(self) -> int:
        """So many were found and not written out."""
        return sum(max(count - LISTED, 0) for count in self.counts.values())


def between(first: int, last: int, *, sealed: bytes) -> Iterator[Difference]:
    """The positions from `first` to `last` that differ from these hashes, laid end to end, as far as those reach."""
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, [first, last])
        rows = cursor.fetchall()
    for at, (position, event_id, kind, leaf) in enumerate(rows):
        hashed = sealed[at * HASH_BYTES : (at + 1) * HASH_BYTES]
        if leaf is None or (hashed and bytes(leaf) != hashed):
            yield Difference(position, str(event_id or ""), kind or "", bytes(leaf or b""), hashed)


@dataclass
class Differences:
    """Those found so far."""

    kept: list[Difference] = field(default_factory=list)
    more: int = 0

    def add(self, found: Iterable[Difference]) -> None:
        for one in found:
            if len(self.kept) < KEPT:
                self.kept.append(one)
            else:
                self.more += 1

    def name(self, findings: Findings) -> None:
        """Say what was done, a finding for each act as far as it can be told."""
        moved = self._moved()
        for one in self.kept:
            if not one.event_id:
                findings.note("position_missing", f"Position {one.position} is gone.")
            elif not one.kind:
                message = f"The event of position {one.position} is gone: event {one.event_id}."
                findings.note("event_missing", message)
            elif one.position not in moved:
                findings.note("event_edited", f"The row at {one.where} is not what was sealed: it was edited.")
        _swaps_and_shifts(moved, findings)
        findings.counts["event_edited"] += self.more

    def _moved(self) -> "dict[int, tuple[Difference, int]]":
        """By position: what stands there, and where it was sealed."""
        sealed_at = {one.sealed: one.position for one in self.kept if one.sealed}
        return {one.position: (one, sealed_at[one.leaf]) for one in self.kept if one.leaf in sealed_at}


def _swaps_and_shifts(moved: "dict[int, tuple[Difference, int]]", findings: Findings) -> None:
    left = dict(moved)
    for position, (one, origin) in moved.items():
        if position < origin and origin in moved and moved[origin][1] == position:
            other = moved[origin][0]
            findings.note("events_swapped", f"Two changed places: {one.where} and {other.where}.")
            del left[position], left[origin]
    steps = enumerate(sorted(left))
    for _, group in itertools.groupby(steps, key=lambda step: (left[step[1]][1] - step[1], step[1] - step[0])):
        positions = [position for _, position in group]
        first, origin = left[positions[0]]
        if len(positions) == 1:
            findings.note("events_moved", f"What stands at {first.where} was sealed at position {origin}.")
        else:
            span, by = f"positions {positions[0]} to {positions[-1]}", abs(origin - positions[0])
            way = "later" if origin > positions[0] else "earlier"
            findings.note("events_moved", f"What stands at {span} was sealed {by} {way}: it was renumbered.")
