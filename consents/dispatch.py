"""Sending the letters of a round, so that a crash at any instant sends nobody two.

A batch is claimed for as long as a lease. Each letter of it is marked as being sent, and that is committed, before
the mail server sees it; it is settled after the server's answer. So a crash leaves at most one letter of a worker in
doubt: it is shown to staff as uncertain and never sent again by itself. The others are still to be sent.
"""

import random
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.mail import get_connection
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from consents import letters, subjects
from consents.letters import Outcome
from consents.models import Letter, Notice, NoticeDelivery, Subject
from consents.vocabulary import Scheme
from portal.crypto import CryptoError

_BATCH = 100
_MOST_TROUBLES = 30_000
_OPEN = (Letter.State.PENDING, Letter.State.SENDING)

State = NoticeDelivery.State
Clock = Callable[[], datetime]

# a round that was paused is given back as it is: without the last line it would be claimed again and again;
# materialized, so that LIMIT holds: a join may ask again after each row, and takes another that is not locked yet
_CLAIM = """
WITH due AS MATERIALIZED (
     SELECT id FROM consents_letter
      WHERE delivery_id = %(delivery)s AND state = 'pending' AND next_try_at <= %(at)s
      ORDER BY next_try_at LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED)
UPDATE consents_letter AS mine
   SET token = %(token)s, next_try_at = %(until)s
  FROM due
 WHERE mine.id = due.id
   AND EXISTS (SELECT FROM consents_noticedelivery WHERE id = %(delivery)s AND state = 'running')
RETURNING mine.id
"""
# whoever took the batch over meanwhile has another token; whoever paused the round is heard between two letters
_BEGIN = """
UPDATE consents_letter AS mine
   SET state = 'sending', attempts = attempts + 1, lease_until = %(until)s
  FROM consents_noticedelivery AS round
 WHERE mine.id = %(id)s AND mine.token = %(token)s AND mine.state = 'pending'
   AND round.id = mine.delivery_id AND round.state = 'running'
"""


def deliver(*, clock: Clock, seconds: float) -> int:
    """Send what is due for about so many seconds; answers how many letters were sent.

    Any number of workers may do this at once. Must run outside a transaction.
    """
    sent, end = 0, time.monotonic() + seconds
    doubt(at=clock())
    due = Q(next_try_at__isnull=True) | Q(next_try_at__lte=clock())
    for delivery in NoticeDelivery.objects.filter(due, state=State.RUNNING).order_by("created_at"):
        while time.monotonic() < end:
            token, ids = claim(delivery, at=clock())
            if not ids:
                break
            count, trouble = _send(delivery, token, ids, clock)
            sent += count
            if trouble:
                break
    finish(at=clock())
    return sent


def claim(delivery: NoticeDelivery, *, at: datetime, limit: int = _BATCH) -> tuple[uuid.UUID, list[int]]:
    """Take a batch of letters for as long as a lease; answers its token and the letters' ids."""
    token = uuid.uuid4()
    values: dict[str, Any] = {
        "token": token,
        "until": at + settings.LEASE,
        "delivery": delivery.pk,
        "at": at,
        "limit": limit,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, values)
        return token, [row[0] for row in cursor.fetchall()]


def _send(delivery: NoticeDelivery, token: uuid.UUID, ids: list[int], clock: Clock) -> tuple[int, bool]:
    """Send a claimed batch over one connection; answers how many were sent, and whether the server is in trouble."""
    texts = list(Notice.objects.filter(slug=delivery.slug, version=delivery.version).order_by("locale"))
    people = Subject.objects.in_bulk(Letter.objects.filter(pk__in=ids).values_list("subject_id", flat=True))
    sent, line = 0, get_connection()
    try:
        line.open()
        for letter in Letter.objects.filter(pk__in=ids).order_by("pk"):
            outcome = _post(line, letter, people.get(letter.subject_id), texts, token, clock)
            sent += outcome == letters.SENT
            if outcome is not None and outcome.stops:
                _trouble(delivery, outcome.reason, at=clock())
                return sent, True
    except OSError:
        # the server could not be reached at all: no letter was begun
        _trouble(delivery, "unreachable", at=clock())
        return sent, True
    finally:
        line.close()
        _release(token, at=clock())
    if sent and delivery.troubles:
        NoticeDelivery.objects.filter(pk=delivery.pk).update(trouble="", troubles=0, next_try_at=None)
    return sent, False


def _post(
    line: object, letter: Letter, person: Subject | None, texts: list[Notice], token: uuid.UUID, clock: Clock
) -> Outcome | None:
    """One letter: begun, sent, settled; None where it is no longer ours to send."""
    address, nothing = _address(person)
    if person is None or address is None:
        _settle(letter, token, nothing, at=clock())
        return nothing
    message = letters.compose(texts, address=address, locale=person.locale)
    if not _begin(letter, token, at=clock()):
        return None
    outcome = letters.post(line, message)
    _settle(letter, token, outcome, at=clock())
    return outcome


def _address(person: Subject | None) -> tuple[str | None, Outcome]:
    if person is None or person.erased_at is not None:
        return None, Outcome(Letter.State.NO_ADDRESS, "erased")
    try:
        return subjects.contact(person, Scheme.EMAIL), Outcome(Letter.State.NO_ADDRESS)
    except CryptoError as error:
        return None, Outcome(Letter.State.FAILED, error.code)


def _begin(letter: Letter, token: uuid.UUID, *, at: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN, {"id": letter.pk, "token": token, "until": at + settings.LEASE})
        letter.attempts += cursor.rowcount
        return bool(cursor.rowcount == 1)


def _settle(letter: Letter, token: uuid.UUID, outcome: Outcome, *, at: datetime) -> None:
    """Write what became of it, unless staff or another batch decided meanwhile."""
    changes: dict[str, object] = {"state": outcome.state, "reason": outcome.reason, "lease_until": None}
    if outcome.state == Letter.State.PENDING and outcome.stops:
        changes |= {"attempts": letter.attempts - 1, "next_try_at": at}
    elif outcome.state == Letter.State.PENDING and letter.attempts < letters.BUDGET:
        changes["next_try_at"] = at + letters.delay(attempts=letter.attempts, jitter=_jitter())
        changes["token"] = None
    elif outcome.state == Letter.State.PENDING:
        changes |= {"state": Letter.State.FAILED, "settled_at": at}
    else:
        changes["settled_at"] = at
    open_ones = (*_OPEN, Letter.State.UNCERTAIN)
    Letter.objects.filter(pk=letter.pk, token=token, state__in=open_ones).update(**changes)


def _release(token: uuid.UUID, *, at: datetime) -> None:
    """What of a batch was not begun is due again at once."""
    Letter.objects.filter(token=token, state=Letter.State.PENDING).update(token=None, next_try_at=at)


def _trouble(delivery: NoticeDelivery, reason: str, *, at: datetime) -> None:
    delivery.refresh_from_db(fields=["troubles"])
    troubles = min(delivery.troubles + 1, _MOST_TROUBLES)
    wait = letters.delay(attempts=troubles, jitter=_jitter())
    NoticeDelivery.objects.filter(pk=delivery.pk).update(trouble=reason, troubles=troubles, next_try_at=at + wait)


def _jitter() -> float:
    return random.random()  # noqa: S311 -- spreads retries, guards nothing


def doubt(*, at: datetime) -> int:
    """Letters whose sender went away in the middle: nobody knows, so they wait for a person. Answers how many."""
    broken = Letter.objects.filter(state=Letter.State.SENDING, lease_until__lt=at)
    return broken.update(state=Letter.State.UNCERTAIN, reason="broken_off", lease_until=None, settled_at=at)


def finish(*, at: datetime) -> int:
    """Rounds without a letter to be sent are done; answers how many."""
    left = Letter.objects.filter(delivery=OuterRef("pk"), state__in=_OPEN)
    running = NoticeDelivery.objects.filter(~Exists(left), state=State.RUNNING)
    return running.update(state=State.DONE, finished_at=at, trouble="", next_try_at=None)
