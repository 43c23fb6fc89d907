"""The gap-free change feed for partners: the log as one viewer may see it, with long poll."""

import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection

from consents import jurisdictions, log, sequencer, subjects
from consents.models import LedgerEvent, Subject
from consents.vocabulary import ANYWHERE, CONTACT_SCHEMES, EVERY, Kind
from portal.errors import DomainError

_STEP = 0.25
_SCOPE = ("purposes", "jurisdictions", "recipients")
_TOLD: dict[Kind, tuple[str, ...]] = {
    Kind.RULE: (
        *_SCOPE,
        *("rule", "turn", "effective_from", "effective_to", "legal_basis", "default", "gpc_denies", "notice"),
        *("notice_days", "consent_days", "admits_minors"),
    ),
    Kind.NOTICE: ("notice", "version", "material", "published_at", "effective_at"),
    Kind.HOLD_OPENED: (*_SCOPE, "hold", "data_from", "data_until"),
    Kind.HOLD_LIFTED: (*_SCOPE, "hold", "data_from", "data_until"),
    Kind.PEOPLE: ("jurisdictions",),
    Kind.EXPIRY: ("choice", "rule"),
}
"""What partners are told of an entry's details, by its kind. The rest is ours: an authority's case and reasons, how
many people there are, where somebody lived before, out of which file a choice came."""


class FeedError(DomainError):
    """The feed cannot be followed from there."""


@dataclass(frozen=True)
class Viewer:
    """What a partner's registration lets it see."""

    recipients: frozenset[str]
    jurisdictions: tuple[str, ...]
    schemes: tuple[str, ...]

    def sees_recipients(self, named: Iterable[str]) -> bool:
        return any(one == EVERY or one in self.recipients for one in (list(named) or [EVERY]))

    def sees_places(self, named: Iterable[str]) -> bool:
        return any(self._sees_place(one) for one in (list(named) or [ANYWHERE]))

    def of(self, details: dict[str, Any], told: Iterable[str]) -> dict[str, Any]:
        """Of an entry's details those named in `told`; of places and recipients those that this viewer sees."""
        result = {name: details[name] for name in told if name in details}
        if "jurisdictions" in result:
            result["jurisdictions"] = [one for one in result["jurisdictions"] if self._sees_place(one)]
        if "recipients" in result:
            result["recipients"] = [one for one in result["recipients"] if self.sees_recipients([one])]
        return result

    def _sees_place(self, scope: str) -> bool:
        return not self.jurisdictions or any(jurisdictions.meet(one, scope) for one in self.jurisdictions)

    def sees_people_of(self, code: str) -> bool:
        return not self.jurisdictions or any(jurisdictions.covers(one, code) for one in self.jurisdictions)


@dataclass(frozen=True)
class Feed:
    """Changes in order; `next` is the cursor, past also what this viewer may not see."""

    changes: list[dict[str, Any]]
    next: int
    more: bool


def wait(*, viewer: Viewer, after: int, limit: int, seconds: float) -> Feed:
    """`read`, waiting up to `seconds` for something that this viewer may see."""
    deadline = time.monotonic() + seconds
    while True:
        feed = read(viewer=viewer, after=after, limit=limit)
        if feed.changes or feed.more or time.monotonic() >= deadline:
            return feed
        after = feed.next
        if not connection.in_atomic_block:
            # back to the pool: a few who wait must not keep everybody else from the database
            connection.close()
        time.sleep(_STEP)


def read(*, viewer: Viewer, after: int, limit: int) -> Feed:
    """The next `limit` entries after a position, as far as they concern this viewer.

    Raises FeedError(`position_unknown`) beyond the log's end, where a follower would wait for what it has missed.
    """
    head = sequencer.head()
    if after > head:
        raise FeedError(
            "position_unknown", f"The log ends at {head}; follow it from there, or from the beginning.", field="after"
        )
    page = list(log.entries(after=after, until=head, limit=limit))
    named = _names(viewer, {event.subject_id for _, event in page if event.subject_id})
    changes = [
        _change(position, event, named, viewer)
        for position, event in page
        if viewer.sees_recipients(event.details.get("recipients") or [event.recipient])
        and (
            event.subject_id in named
            if event.subject_id
            else viewer.sees_places(event.details.get("jurisdictions") or [])
        )
    ]
    last = page[-1][0] if page else after
    return Feed(changes=changes, next=last, more=last < head)


def _names(viewer: Viewer, ids: set[uuid.UUID]) -> dict[uuid.UUID, dict[str, str] | None]:
    """Of these people, those the viewer may see, by its first opaque scheme; an erased one has no name left."""
    seen = {
        pk: None
        for pk, code in Subject.objects.filter(pk__in=ids).values_list("pk", "jurisdiction")
        if viewer.sees_people_of(code)
    }
    result: dict[uuid.UUID, dict[str, str] | None] = dict(seen)
    scheme = next((one for one in viewer.schemes if one not in CONTACT_SCHEMES), None)
    if scheme is not None:
        for pk, value in subjects.values(seen, scheme=scheme).items():
            result[pk] = {"scheme": scheme, "value": value}
    return result


def _change(
    position: int, event: LedgerEvent, named: dict[uuid.UUID, dict[str, str] | None], viewer: Viewer
) -> dict[str, Any]:
    return {
        "position": position,
        "kind": event.kind,
        "subject": named.get(event.subject_id) if event.subject_id else None,
        "purpose": event.purpose,
        "action": event.action,
        "recipient": event.recipient,
        "category": event.category,
        "details": viewer.of(event.details, _TOLD.get(Kind(event.kind), ())),
        "occurred_at": event.occurred_at.isoformat(),
        "recorded_at": event.recorded_at.isoformat(),
    }
