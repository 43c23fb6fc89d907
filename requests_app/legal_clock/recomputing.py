"""The days of every open request, reckoned anew: every hour, because what is waited for moves them.

Reads in chunks and reckons each combination of rule, day and waits once; writes only what moved.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import structlog
from django.db import connection, transaction
from django.db.models import BigIntegerField, F, Func, QuerySet, Value

from portal import actors
from requests_app import rulebook, timeline
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
    reopened: datetime | None
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


_FIELDS = ("pk", "right", "jurisdiction", "terms_hash", "received_at", "reopened_at")
_COLUMNS = (
    *_FIELDS,
    "identity_confirmed_at",
    "extended_at",
    "extended_until",
    "due_override",
    "due_on",
    "acknowledge_by",
)
_Waits = dict[uuid.UUID, list[tuple[str, datetime, datetime | None]]]

_UPDATE = """
UPDATE requests_app_request AS request
   SET due_on = new.due_on,
       acknowledge_by = new.acknowledge_by,
       escalated_at = CASE WHEN new.is_ahead THEN NULL ELSE request.escalated_at END
  FROM unnest(%s::uuid[], %s::date[], %s::date[], %s::boolean[]) AS new (id, due_on, acknowledge_by, is_ahead)
 WHERE request.id = new.id
"""


def recompute_all(*, at: datetime) -> int:
    """Reckon every open request under its frozen rule; answers how many moved, each told on its timeline.

    One that cannot be reckoned does not keep the others; the first such DeadlineError is raised at the end.
    """
    book = _Book(at)
    last, count = uuid.UUID(int=0), 0
    while rows := _read(Request.objects.filter(pk__gt=last), limit=CHUNK):
        waits = _waits(PauseRow.objects.filter(request_id__gte=rows[0].pk, request_id__lte=rows[-1].pk))
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
        self._rules: dict[tuple[str, str, int], tuple[Rule, ZoneInfo]] = {}
        self._known: dict[tuple[Any, ...], _Days] = {}

    def has_drifted(self, row: _Row, waits: _Waits) -> bool:
        days = self.days(row, waits)
        return days is not None and (days.due_on, days.acknowledge_by) != (row.due_on, row.acknowledge_by)

    def days(self, row: _Row, waits: _Waits) -> _Days | None:
        """What the clock says; None, and a line in the log, where the facts cannot be so."""
        # right and place beside the hash, so that no two laws can be taken for one
        law = (row.right, row.place, row.terms)
        try:
            rule, zone = self._rules.get(law) or self._thaw(law, row.pk)
            # as `reckoning.facts_of` has it
            begins = row.reopened or row.received
            mine = [wait for wait in waits.get(row.pk, ()) if row.reopened is None or wait[1] >= begins]
            happened = (_day(begins, zone), row.identity and _day(row.identity, zone), tuple(_as_days(mine, zone)))
            extended = _day(row.extended, zone) if row.extended and row.extended >= begins else None
            key = (law, *happened, extended, row.until, row.override)
            return self._known.get(key) or self._reckon(rule, key)
        except DeadlineError as error:
            logger.warning("deadline_not_reckoned", request_id=str(row.pk), code=error.code)
            self.failures.append(error)
            return None

    def _thaw(self, law: tuple[str, str, int], pk: uuid.UUID) -> tuple[Rule, ZoneInfo]:
        rule = rulebook.thaw(Request.objects.values_list("terms", flat=True).get(pk=pk))
        self._rules[law] = rule, rule.zone
        return self._rules[law]

    def _reckon(self, rule: Rule, key: tuple[Any, ...]) -> _Days:
        """`key` is the law and then the facts, as days where the person lives."""
        deadline = reckoning.reckon(rule, Facts(*key[1:]), at=self.at)
        because = "waiting" if deadline.waiting else "recomputed"
        found = _Days(deadline.due, deadline.acknowledge_by, deadline.ends, because)
        self._known[key] = found
        return found


def _day(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


def _as_days(waits: Iterable[tuple[str, datetime, datetime | None]], zone: ZoneInfo) -> Iterator[Pause]:
    for reason, began, ended in waits:
        yield Pause(Wait(reason), _day(began, zone), ended and _day(ended, zone))


@transaction.atomic
def _write(pks: list[uuid.UUID], book: _Book, at: datetime) -> int:
    """Look again under lock, because pauses may have ended since, and write what moved."""
    rows = _read(Request.objects.filter(pk__in=pks).select_for_update(no_key=True))
    waits = _waits(PauseRow.objects.filter(request_id__in=pks))
    days = {row: found for row in rows if (found := book.days(row, waits)) is not None}
    changed = {row: found for row, found in days.items() if found[:2] != (row.due_on, row.acknowledge_by)}
    columns = [(row.pk, found.due_on, found.acknowledge_by, found.ends > at) for row, found in changed.items()]
    with connection.cursor() as cursor:
        cursor.execute(_UPDATE, [list(column) for column in zip(*columns, strict=True)] or [[], [], [], []])
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


def _waits(pauses: QuerySet[PauseRow]) -> _Waits:
    waits: _Waits = defaultdict(list)
    ordered = pauses.order_by("began_at", "id")
    for pk, reason, began, ended in ordered.values_list("request_id", "reason", "began_at", "ended_at"):
        waits[pk].append((reason, began, ended))
    return dict(waits)
