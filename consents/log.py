"""Reading the sequenced log: what changed between two positions."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from consents import jurisdictions, purposes
from consents.models import LedgerEvent, Position
from consents.vocabulary import ANYWHERE, EVERY, Kind

_BATCH = 5_000


@dataclass
class Touched:
    """Whom the log's entries between two positions may concern."""

    subjects: set[uuid.UUID] = field(default_factory=set)
    erased: set[uuid.UUID] = field(default_factory=set)
    jurisdictions: set[str] = field(default_factory=set)

    def covers(self, code: str) -> bool:
        return not self.jurisdictions.isdisjoint(jurisdictions.widening(code))


def entries(*, after: int, until: int | None = None, limit: int | None = None) -> Iterator[tuple[int, LedgerEvent]]:
    """(position, event) in order, beyond `after`, up to and with `until`."""
    places = Position.objects.filter(position__gt=after).select_related("event").order_by("position")
    if until is not None:
        places = places.filter(position__lte=until)
    if limit is not None:
        places = places[:limit]
    for place in places.iterator(chunk_size=_BATCH):
        yield place.position, place.event


def touched(*, after: int, until: int, purposes: frozenset[str]) -> Touched:
    """Whom entries of (after, until] may concern, of those that bear on any of `purposes`."""
    result = Touched()
    for _, event in entries(after=after, until=until):
        if event.kind == Kind.ERASURE and event.subject_id:
            result.erased.add(event.subject_id)
        elif not _bears_on(event, purposes):
            continue
        elif event.subject_id:
            result.subjects.add(event.subject_id)
        elif event.kind in {Kind.RULE, Kind.HOLD_OPENED, Kind.NOTICE, Kind.PEOPLE}:
            # lifting a hold gives decisions back, not rows
            result.jurisdictions.update(event.details.get("jurisdictions") or [ANYWHERE])
    return result


def _bears_on(event: LedgerEvent, wanted: frozenset[str]) -> bool:
    named = set(event.details.get("purposes") or [event.purpose])
    return EVERY in named or any(purposes.covers(one, purpose) for purpose in wanted for one in named)
