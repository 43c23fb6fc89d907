"""The days of every open request, reckoned anew: once a day, because what is waited for moves them.

Reads in chunks and reckons each combination of rule, day and waits once; writes only what moved.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from functools import partial
from typing import Any, NamedTuple

import structlog
from django.db import transaction
from django.db.models import BigIntegerField, F, Func, Value

from portal import actors
from requests_app import counting, rulebook, timeline
from requests_app.deadlines import DeadlineError, Pause
from requests_app.legal_clock import moving, reckoning
from requests_app.legal_clock.reckoning import Facts
from requests_app.models import Pause as PauseRow
from requests_app.models import Request, RequestQuerySet
from requests_app.rulebook import Rule, Wait

logger = structlog.get_logger(__name__)

CHUNK = 5_000
"""Rows read at once, and the most that one transaction changes."""


class _Row(NamedTuple):
    pk: uuid.UUID
    right: str
    place: str
    terms: int
    received: datetime
    identity: datetime | None
    extended: datetime | None
    until: date | None
    override: date | None
    due_on: date
    acknowledge_by: date | None


class _Days(NamedTuple):
    due_on: date
    acknowledge_by: date | None
    ends: datetime
    because: str


_FIELDS = ("pk", "right", "jurisdiction", "terms_hash", "received_at", "identity_confirmed_at", "extended_at")
_COLUMNS = (*_FIELDS, "extended_until", "due_override", "due_on", "acknowledge_by")
Waits = dict[uuid.UUID, list[tuple[str, datetime, datetime | None]]]


def recompute_all(*, at: datetime) -> int:
    """Reckon every open request under its frozen rule; answers how many moved, each told on its timeline.

    One that cannot be reckoned does not keep the others; the first such DeadlineError is raised at the end.
    """
    book = _Book(at)
    last, count = uuid.UUID(int=0), 0
    while rows := _read(Request.objects.filter(pk__gt=last), limit=CHUNK):
        waits = _waits(row.pk for row in rows)
        drifted = [row.pk for row in rows if book.has_drifted(row, waits)]
        if drifted:
            count += _write(drifted, book, at)
        last = rows[-1].pk
    if book.failures:
        raise book.failures[0]
    return count


class _Book:
    """Rules and results of one run, each worked out once."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.failures: list[DeadlineError] = []
        self._rules: dict[tuple[str, str, int], Rule] = {}
        self._known: dict[tuple[Any, ...], _Days] = {}

    def has_drifted(self, row: _Row, waits: Waits) -> bool:
        days = self.days(row, waits)
        return days is not None and (days.due_on, days.acknowledge_by) != (row.due_on, row.acknowledge_by)

    def days(self, row: _Row, waits: Waits) -> _Days | None:
        """What the clock says; None, and a line in the log, where the facts cannot be so."""
        try:
            return self._days(row, waits.get(row.pk, ()))
        except DeadlineError as error:
            logger.warning("deadline_not_reckoned", request_id=str(row.pk), code=error.code)
            self.failures.append(error)
            return None

    def _days(self, row: _Row, waits: Iterable[tuple[str, datetime, datetime | None]]) -> _Days:
        rule = self._rule(row)
        facts = _as_days(rule, row, waits)
        key = (row.right, row.place, row.terms, facts)
        found = self._known.get(key)
        if found is None:
            deadline = reckoning.reckon(rule, facts, at=self.at)
            because = "waiting" if deadline.waiting else "recomputed"
            found = _Days(deadline.due, deadline.acknowledge_by, deadline.ends, because)
            self._known[key] = found
        return found

    def _rule(self, row: _Row) -> Rule:
        # right and place beside the hash, so that no two laws can be taken for one
        key = (row.right, row.place, row.terms)
        if key not in self._rules:
            self._rules[key] = rulebook.thaw(Request.objects.values_list("terms", flat=True).get(pk=row.pk))
        return self._rules[key]


def _as_days(rule: Rule, row: _Row, waits: Iterable[tuple[str, datetime, datetime | None]]) -> Facts:
    """Everything as days where the person lives, so that all of one day are reckoned once."""
    day = partial(counting.day_of, rule)
    return Facts(
        received=day(row.received),
        identity_confirmed=day(row.identity) if row.identity else None,
        pauses=tuple(Pause(Wait(reason), day(began), day(ended) if ended else None) for reason, began, ended in waits),
        extended=day(row.extended) if row.extended else None,
        extended_until=row.until,
        due_override=row.override,
    )


@transaction.atomic
def _write(pks: list[uuid.UUID], book: _Book, at: datetime) -> int:
    """Look again under lock, because pauses may have ended since, and write what moved."""
    rows = _read(Request.objects.filter(pk__in=pks).select_for_update(no_key=True))
    waits = _waits(row.pk for row in rows)
    days = {row: found for row in rows if (found := book.days(row, waits)) is not None}
    changed = {row: found for row, found in days.items() if found[:2] != (row.due_on, row.acknowledge_by)}
    Request.objects.bulk_update(
        [
            Request(pk=row.pk, due_on=found.due_on, acknowledge_by=found.acknowledge_by)
            for row, found in changed.items()
        ],
        ["due_on", "acknowledge_by"],
        batch_size=1_000,
    )
    in_time = [row.pk for row, found in changed.items() if found.ends > at]
    Request.objects.filter(pk__in=in_time, escalated_at__isnull=False).update(escalated_at=None)
    told = {
        row.pk: moving.moved(row.due_on, found.due_on, found.because)
        for row, found in changed.items()
        if found.due_on != row.due_on
    }
    timeline.tell_each(told, "clock_moved", by=actors.SYSTEM, at=at)
    return len(told)


def _read(requests: RequestQuerySet, *, limit: int | None = None) -> list[_Row]:
    """Of these the open ones. The terms are large and nearly always the same, so their hash is read in their place."""
    hashed = Func(F("terms"), Value(0), function="jsonb_hash_extended", output_field=BigIntegerField())
    found = requests.open().annotate(terms_hash=hashed).order_by("pk")
    return [_Row(*one) for one in found.values_list(*_COLUMNS)[:limit]]


def _waits(pks: Iterable[uuid.UUID]) -> Waits:
    waits: Waits = defaultdict(list)
    found = PauseRow.objects.filter(request__in=list(pks)).order_by("began_at", "id")
    for pk, reason, began, ended in found.values_list("request_id", "reason", "began_at", "ended_at"):
        waits[pk].append((reason, began, ended))
    return dict(waits)
