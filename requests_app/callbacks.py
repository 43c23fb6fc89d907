"""Telling others of every change of a request's status, whatever protocol they speak (`Line` says which).

Notices are rows, written by a trigger in the transaction of the change. They are claimed by a lease, sent outside any
transaction, one after another of each thread, and settled after the answer: a crash may tell twice, never not at all.
"""

import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Generic, TypeVar

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from downstream import outbound, webhook_sending
from downstream.outbound import OutboundError
from portal.errors import DomainError
from requests_app.models import StatusNotice

Clock = Callable[[], datetime]
State = StatusNotice.State
Notice = TypeVar("Notice", bound=StatusNotice)

_SECONDS = 10.0
_LEASE = timedelta(minutes=2)
_AT_ONCE = 8
_AT_ONCE_OF_ONE = 2
"""Of one receiver's: one that hangs must not fill every place."""
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Message:
    """What is sent to whom."""

    url: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Line(Generic[Notice]):
    """How one protocol tells of changes."""

    notices: Callable[[], "QuerySet[Notice]"]
    """Every notice, with what its message needs."""
    thread: str
    """The field whose notices go one after another."""
    receiver: str
    """The path to whose they are, of whom few are told at once."""
    message: Callable[[Notice, datetime], Message | None]
    """What there is to tell; None where it is nothing new in the protocol's words."""
    heard: Callable[[Notice], None]
    """Write down that they know it now."""


def deliver(line: Line[Notice], *, clock: Clock, seconds: float) -> int:
    """Send what is due for about so many seconds; answers how many notices arrived. Not for use in a transaction."""
    arrived, end = 0, time.monotonic() + seconds
    sending: dict[Future[str], Notice] = {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while True:
            skipped = False
            if time.monotonic() < end:
                for one in claim(line, at=clock(), most=_AT_ONCE - len(sending)):
                    try:
                        message = line.message(one, clock())
                    except DomainError as error:
                        # such as a key that cannot be read just now: tried again like what did not arrive
                        _settle(line, one, error.code, at=clock(), state=State.SENT)
                        continue
                    if message is None:
                        skipped = True
                        _settle(line, one, "", at=clock(), state=State.SKIPPED)
                    else:
                        sending[pool.submit(_send, message)] = one
            if skipped:
                # that has made room for the next of its thread
                continue
            if not sending:
                return arrived
            for done in wait(sending, return_when=FIRST_COMPLETED).done:
                arrived += _settle(line, sending.pop(done), done.result(), at=clock(), state=State.SENT)


@transaction.atomic
def claim(line: Line[Notice], *, at: datetime, most: int) -> list[Notice]:
    """Take what is due, up to so many, until its lease is over."""
    every = line.notices()
    under_way = Counter(every.filter(state=State.PENDING, lease_until__gt=at).values_list(line.receiver, flat=True))
    busy = [one for one, count in under_way.items() if count >= _AT_ONCE_OF_ONE]
    free = _claimable(line, at=at).exclude(**{f"{line.receiver}__in": busy})
    taken: list[Notice] = []
    for one in free.select_for_update(skip_locked=True, of=("self",)).order_by("id")[: _AT_ONCE * 8]:
        receiver = attrgetter(line.receiver.replace("__", "."))(one)
        if len(taken) < most and under_way[receiver] < _AT_ONCE_OF_ONE:
            under_way[receiver] += 1
            taken.append(one)
    token = uuid.uuid4()
    every.filter(pk__in=[one.pk for one in taken]).update(token=token, lease_until=at + _LEASE)
    for one in taken:
        one.token = token
    return taken


def _claimable(line: Line[Notice], *, at: datetime) -> "QuerySet[Notice]":
    free = Q(lease_until__isnull=True) | Q(lease_until__lte=at)
    due = Q(next_try_at__isnull=True) | Q(next_try_at__lte=at)
    before = line.notices().filter(
        **{line.thread: OuterRef(line.thread), "state": State.PENDING, "pk__lt": OuterRef("pk")}
    )
    return line.notices().filter(free, due, ~Exists(before), state=State.PENDING)


def _send(message: Message) -> str:
    """Empty where it arrived, else what went wrong."""
    try:
        reply = outbound.call("POST", message.url, body=message.body, headers=message.headers, seconds=_SECONDS)
    except OutboundError as error:
        return error.code
    return "" if 200 <= reply.status < 300 else str(reply.status)


@transaction.atomic
def _settle(line: Line[Notice], notice: Notice, trouble: str, *, at: datetime, state: str) -> bool:
    """Write down how it went; answers whether they know it now."""
    locked = line.notices().select_for_update(of=("self",)).filter(pk=notice.pk, token=notice.token).first()
    if locked is None or locked.state != State.PENDING:
        # somebody else's since our lease ran out
        return False
    locked.token, locked.lease_until, locked.last_reason = None, None, trouble
    if trouble:
        locked.attempts += 1
        pause = webhook_sending.delay(attempts=locked.attempts, jitter=random.random())  # noqa: S311 -- no secret
        locked.state = State.GIVEN_UP if pause is None else State.PENDING
        locked.next_try_at = at + (pause or timedelta())
    else:
        locked.state = state
        line.heard(locked)
    locked.save()
    return not trouble and state == State.SENT
