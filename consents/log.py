"""Reading the sequenced log: what changed between two positions."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

from consents import jurisdictions, purposes
from consents.models import LedgerEvent, Position
from consents.vocabulary import ANYWHERE, EVERY, Kind

_PAGE = 2_000


@dataclass
class Touched:
    """Whom the log's entries between two positions may concern."""

    subjects: set[uuid.UUID] = field(default_factory=set)
    erased: set[uuid.UUID] = field(default_factory=set)
    registrations: set[uuid.UUID] = field(default_factory=set)
    """Events that tell of newcomers, whom `Subject.registered_in` names."""
    jurisdictions: set[str] = field(default_factory=set)

    def covers(self, code: str) -> bool:
        return not self.jurisdictions.isdisjoint(jurisdictions.widening(code))


def entries(*, after: int, until: int | None = None, limit: int | None = None) -> Iterator[tuple[int, LedgerEvent]]:
    """(position, event) in order, beyond `after`, up to and with `until`; two statements a page."""
    left = limit
    while True:
        size = _PAGE if left is None else min(_PAGE, left)
        page = _page(after, until, size)
        yield from page
        left = None if left is None else left - len(page)
        if len(page) < size or left == 0:
            return
        after = page[-1][0]


def _page(after: int, until: int | None, size: int) -> list[tuple[int, LedgerEvent]]:
    places = Position.objects.filter(position__gt=after)
    if until is not None:
        places = places.filter(position__lte=until)
    found = list(places.order_by("position").values_list("position", "event_id")[:size])
    ids = [pk for _, pk in found]
    if not ids:
        return []
    # the range tells the planner in which months they lie; a join would have it look through all of them
    events = LedgerEvent.objects.filter(pk__gte=min(ids), pk__lte=max(ids)).in_bulk(ids)
    return [(position, events[pk]) for position, pk in found]


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
        elif event.kind == Kind.PEOPLE:
            result.registrations.add(event.pk)
        elif event.kind in {Kind.RULE, Kind.HOLD_OPENED, Kind.NOTICE}:
            # lifting a hold gives decisions back, not rows
            result.jurisdictions.update(event.details.get("jurisdictions") or [ANYWHERE])
    return result


def _bears_on(event: LedgerEvent, wanted: frozenset[str]) -> bool:
    named = set(event.details.get("purposes") or [event.purpose])
    return EVERY in named or any(purposes.covers(one, purpose) for purpose in wanted for one in named)
