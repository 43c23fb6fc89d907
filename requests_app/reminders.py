"""Reminding staff of deadlines: before, on the day, when one is missed, and the privacy managers after it.

Each notice is given once for each day that is due (`ClockNotice`), however often a turn runs, overlaps or is killed:
notice, timeline entry and the mail that waits are one transaction. A turn that was missed gives what holds now.
"""

import random
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from consents import letters as posting
from consents.models import Identifier
from consents.vocabulary import Scheme
from portal import actors, references, roles
from portal.models import User
from requests_app import legal_clock, timeline
from requests_app.models import ClockNotice, Request, StaffLetter
from requests_app.states import CLOSED, Channel, Status

logger = structlog.get_logger(__name__)

MOST = 2_000
"""Notices of one kind in one turn."""
OVERDUE, ESCALATED, SILENCE = "overdue", "escalated", "silence"
# code, and how many days are left: at least, at most
DUE = (("due_in_7", 3, 7), ("due_in_2", 1, 2), ("due_today", 0, 0), (OVERDUE, -9_999, -1), (ESCALATED, -9_999, -1))
ACKNOWLEDGE = (("acknowledge_in_2", 1, 2), ("acknowledge_today", 0, 0), ("acknowledge_overdue", -9_999, -1))
BY_MAIL = (Channel.MAIL, Channel.LETTER, Channel.PHONE, Channel.IN_PERSON)
"""Doors that do not answer by themselves. Imported requests came elsewhere first: whether they know is for staff."""
_BATCH = 100
_LISTED = 50
_FOUND = 200

# A day ends where the person lives, so what is left is counted there. A day more than any zone is ahead of UTC.
_WAITING = """
SELECT request.id, stage.code, request.day
  FROM (SELECT id, {day} AS day, {day} - (%(at)s AT TIME ZONE (terms ->> 'timezone'))::date AS days_left
          FROM requests_app_request
         WHERE status <> ALL(%(silent)s) AND {day} <= %(until)s {more}
           AND (%(only)s::uuid[] IS NULL OR id = ANY(%(only)s))) AS request
  JOIN unnest(%(codes)s::text[], %(least)s::int[], %(most)s::int[]) AS stage (code, least, most)
    ON request.days_left BETWEEN stage.least AND stage.most
 WHERE NOT EXISTS (SELECT 1 FROM requests_app_clocknotice AS given
                    WHERE given.request_id = request.id AND given.code = stage.code AND given.due_on = request.day)
 ORDER BY request.day, request.id
 LIMIT %(limit)s
"""
# While the clock stands still its day moves daily: that is no new day to be told of. A wait that began after the last
# day stops nothing.
_RUNS = """
AND NOT EXISTS (SELECT 1 FROM requests_app_pause AS wait
                 WHERE wait.request_id = requests_app_request.id AND wait.ended_at IS NULL
                   AND (terms -> 'pauses' ? wait.reason OR terms -> 'clock_starts' ? wait.reason)
                   AND (wait.began_at AT TIME ZONE (terms ->> 'timezone'))::date <= due_on)
"""
# materialized, so that LIMIT holds: a join may ask again after each row, and takes another that is not locked yet
_CLAIM = """
WITH due AS MATERIALIZED (
     SELECT id FROM requests_app_staffletter
      WHERE state = 'waiting' AND not_before <= %(at)s
      ORDER BY not_before LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED)
UPDATE requests_app_staffletter AS mine
   SET attempts = attempts + 1, not_before = %(until)s
  FROM due
 WHERE mine.id = due.id
RETURNING mine.id
"""


class Due(NamedTuple):
    """One notice to be given: of which request, which one, and of which day."""

    request: uuid.UUID
    code: str
    day: date


@transaction.atomic
def remind(*, at: datetime) -> int:
    """Give the notices that are due, at most MOST of each kind; answers how many.

    Requests that somebody holds right now come next time.
    """
    wanted = [one.request for one in _waiting(at)]
    # looked at again once they are ours: whoever held them a moment ago may have given the same notice
    ours = Request.objects.filter(pk__in=wanted).select_for_update(no_key=True, skip_locked=True)
    found = _waiting(at, only=list(ours.values_list("pk", flat=True)))
    ClockNotice.objects.bulk_create(
        [ClockNotice(request_id=one.request, code=one.code, due_on=one.day, at=at) for one in found]
    )
    escalated = [one for one in found if one.code == ESCALATED]
    Request.objects.filter(pk__in=[one.request for one in escalated]).update(escalated_at=at)
    for code in dict.fromkeys(one.code for one in found):
        said = {one.request: {"notice": code, "due_on": one.day.isoformat()} for one in found if one.code == code}
        timeline.tell_each(said, code if code == ESCALATED else "reminded", by=actors.SYSTEM, at=at)
    _write(found, at)
    return len(found)


def escalate(*, request: Request, follow: Request, at: datetime) -> None:
    """Somebody appeals or complains because no answer came: put both before the privacy managers now.

    The caller holds the request's lock, in its transaction; of a missed day the managers hear once.
    """
    found = [Due(follow.pk, SILENCE, follow.due_on)]
    notice = {"request": request, "code": ESCALATED, "due_on": request.due_on}
    if not ClockNotice.objects.filter(**notice).exists():
        ClockNotice.objects.create(**notice, at=at)
        request.escalated_at = at
        request.save(update_fields=["escalated_at"])
        told = {"notice": ESCALATED, "due_on": request.due_on.isoformat()}
        timeline.tell(request, ESCALATED, by=actors.SYSTEM, at=at, details=told)
        found.append(Due(request.pk, ESCALATED, request.due_on))
    _write(found, at)


def send_due(*, clock: Callable[[], datetime]) -> int:
    """Send the letters to staff that wait; answers how many were sent. Must run outside a transaction.

    A crash between sending and settling sends one again: a reminder twice is better than none.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"at": clock(), "until": clock() + settings.LEASE, "limit": _BATCH})
        ids = [row[0] for row in cursor.fetchall()]
    if not ids:
        return 0
    sent, line = 0, get_connection()
    for letter in StaffLetter.objects.filter(pk__in=ids).select_related("to"):
        outcome = posting.post(line, compose(letter)) if _is_reached(letter.to) else posting.Outcome("", "nobody")
        _settle(letter, outcome, at=clock())
        sent += outcome == posting.SENT
    return sent


def compose(letter: StaffLetter) -> EmailMultiAlternatives:
    """Plain text: how many requests want what, their references and where they are."""
    with translation.override("en"):
        groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for request, code, day in letter.lines:
            pk = uuid.UUID(request)
            path = reverse("admin:requests_app_request_change", args=[pk])
            line = {"reference": references.encode("Q", pk), "day": date.fromisoformat(day)}
            groups[code].append({**line, "address": f"{settings.SITE_URL}{path}"})
        queue = f"{settings.SITE_URL}{reverse('admin:requests_app_request_changelist')}"
        shown = [(code, lines[:_LISTED], max(0, len(lines) - _LISTED)) for code, lines in groups.items()]
        context = {"groups": shown, "queue": queue, "count": len({request for request, *_ in letter.lines})}
        text = render_to_string("admin/requests_app/reminders.txt", context)
    subject, _, body = text.strip().partition("\n")
    mail = EmailMultiAlternatives(subject, body.lstrip("\n"), to=[letter.to.email])
    # RFC 3834: so that absence notes and the like do not answer
    mail.extra_headers = {"Auto-Submitted": "auto-generated"}
    return mail


def acknowledge_receipts(*, at: datetime) -> int:
    """Confirm by mail what came through doors that do not answer, where the law wants it; answers how many were.

    At most _FOUND in a turn. Whoever left no address is passed over, so that they do not keep the others waiting.
    """
    addresses = Identifier.objects.filter(subject=OuterRef("subject"), scheme=Scheme.EMAIL)
    left = Q(sealed_contact__isnull=False) | Q(sealed_requester__isnull=False)
    waiting = Request.objects.open().filter(
        Exists(addresses) | left, acknowledged_at__isnull=True, acknowledge_by__isnull=False, channel__in=BY_MAIL
    )
    told = 0
    for pk in waiting.order_by("acknowledge_by", "pk").values_list("pk", flat=True):
        told += legal_clock.acknowledge_by_mail(request=Request(pk=pk), at=at)
        if told == _FOUND:
            break
    return told


def _waiting(at: datetime, *, only: list[uuid.UUID] | None = None) -> list[Due]:
    """What is to be told now and was not yet, the most urgent first."""
    values: dict[str, Any] = {"at": at, "only": only, "limit": MOST}
    values["silent"] = sorted({*CLOSED, Status.VERIFYING})
    found: list[Due] = []
    kinds = (
        (DUE, "due_on", _RUNS),
        (ACKNOWLEDGE, "acknowledge_by", "AND acknowledged_at IS NULL"),
    )
    with connection.cursor() as cursor:
        for stages, day, more in kinds:
            codes, least, most = (list(column) for column in zip(*stages, strict=True))
            furthest = at.date() + timedelta(days=max(stage[2] for stage in stages) + 1)
            stage: dict[str, Any] = {"codes": codes, "least": least, "most": most, "until": furthest}
            # the names of columns are constants of this function
            cursor.execute(_WAITING.format(day=day, more=more), {**values, **stage})
            found += [Due(*row) for row in cursor.fetchall()]
    return found


def _write(found: Sequence[Due], at: datetime) -> None:
    """One letter for each member of staff: to whoever works on it, else and after the deadline to the managers."""
    working = Request.objects.filter(pk__in={one.request for one in found}, assigned_to__isnull=False)
    assigned = {one.pk: one.assigned_to for one in working.select_related("assigned_to")}
    managers = list(User.objects.filter(groups__name=roles.MANAGER, is_active=True).exclude(email="").order_by("pk"))
    for_whom: dict[User, list[Due]] = defaultdict(list)
    for one in found:
        assignee = assigned.get(one.request)
        is_theirs = assignee is not None and _is_reached(assignee) and one.code != ESCALATED
        if is_theirs and assignee is not None:
            for_whom[assignee].append(one)
        elif one.code != OVERDUE:
            # what is overdue comes before the managers as escalated anyway
            for manager in managers:
                for_whom[manager].append(one)
    if found and not for_whom:
        logger.warning("nobody_to_remind", notices=len(found))
    StaffLetter.objects.bulk_create(
        [StaffLetter(to=user, lines=_lines(dues), not_before=at, written_at=at) for user, dues in for_whom.items()]
    )


def _lines(dues: Iterable[Due]) -> list[tuple[str, str, str]]:
    return [(str(one.request), one.code, one.day.isoformat()) for one in dues]


def _is_reached(user: User) -> bool:
    return user.is_active and user.is_staff and bool(user.email)


def _settle(letter: StaffLetter, outcome: posting.Outcome, *, at: datetime) -> None:
    """Sent, or again later; given up after so many attempts, or where mail can never reach them."""
    letter.last_reason = outcome.reason
    can_try_again = outcome.state in {"pending", "uncertain"} and letter.attempts < posting.BUDGET
    if can_try_again:
        jitter = random.random()  # noqa: S311 -- spreads retries, guards nothing
        letter.not_before = at + posting.delay(attempts=letter.attempts, jitter=jitter)
    else:
        letter.state = StaffLetter.SENT if outcome == posting.SENT else StaffLetter.GIVEN_UP
        letter.settled_at = at
    letter.save(update_fields=["last_reason", "not_before", "state", "settled_at"])
