"""Telling agents of every change of status (Data Rights Protocol 1.0, `status_callback`).

The rows are written by a trigger in the transaction of the change. They are claimed by a lease, sent outside any
transaction, one after another of each request, and settled after the answer: a crash may tell twice, never not at all.
"""

import json
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from downstream import outbound, webhook_sending
from downstream.outbound import OutboundError
from requests_app import drp
from requests_app.models import AgentNotice, AgentRequest

Clock = Callable[[], datetime]
State = AgentNotice.State

_SECONDS = 10.0
_LEASE = timedelta(minutes=2)
_AT_ONCE = 8
_AT_ONCE_OF_ONE = 2
"""Of one agent's: one that hangs must not fill every place."""


def deliver(*, clock: Clock, seconds: float) -> int:
    """Send what is due for about so many seconds; answers how many notices arrived. Not for use in a transaction."""
    arrived, end = 0, time.monotonic() + seconds
    sending: dict[Future[str], AgentNotice] = {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while True:
            skipped = False
            if time.monotonic() < end:
                for one in _claim(at=clock(), most=_AT_ONCE - len(sending)):
                    news = _news(one)
                    if news == drp.told(one.agent_request):
                        skipped = True
                        _settle(one, news, "", at=clock(), state=State.SKIPPED)
                        continue
                    body = json.dumps(drp.status_object(one.agent_request, news)).encode()
                    sending[pool.submit(_send, one.agent_request.status_callback, body)] = one
            if skipped:
                # that has made room for the next of its request
                continue
            if not sending:
                return arrived
            for done in wait(sending, return_when=FIRST_COMPLETED).done:
                one, trouble = sending.pop(done), done.result()
                arrived += _settle(one, _news(one), trouble, at=clock(), state=State.SENT)


def _news(notice: AgentNotice) -> drp.Standing:
    request = notice.agent_request.request
    if request is None:
        return drp.of_status(notice.status, notice.ground, is_known=True)
    return drp.of_request(request, notice.status, notice.ground)


def _claimable(*, at: datetime) -> "QuerySet[AgentNotice]":
    free = Q(lease_until__isnull=True) | Q(lease_until__lte=at)
    due = Q(next_try_at__isnull=True) | Q(next_try_at__lte=at)
    before = AgentNotice.objects.filter(
        agent_request=OuterRef("agent_request"), state=State.PENDING, pk__lt=OuterRef("pk")
    )
    return AgentNotice.objects.filter(free, due, ~Exists(before), state=State.PENDING)


@transaction.atomic
def _claim(*, at: datetime, most: int) -> list[AgentNotice]:
    under_way = Counter(
        AgentNotice.objects.filter(state=State.PENDING, lease_until__gt=at).values_list(
            "agent_request__agent", flat=True
        )
    )
    busy = [agent for agent, count in under_way.items() if count >= _AT_ONCE_OF_ONE]
    free = _claimable(at=at).exclude(agent_request__agent__in=busy)
    every = free.select_for_update(skip_locked=True, of=("self",)).order_by("id")
    taken: list[AgentNotice] = []
    for one in every.select_related("agent_request__agent", "agent_request__request__subject")[: _AT_ONCE * 8]:
        agent = one.agent_request.agent_id
        if len(taken) < most and under_way[agent] < _AT_ONCE_OF_ONE:
            under_way[agent] += 1
            taken.append(one)
    token = uuid.uuid4()
    AgentNotice.objects.filter(pk__in=[one.pk for one in taken]).update(token=token, lease_until=at + _LEASE)
    for one in taken:
        one.token = token
    return taken


def _send(url: str, body: bytes) -> str:
    """Empty where it arrived, else what went wrong."""
    try:
        reply = outbound.call("POST", url, body=body, headers={"content-type": "application/json"}, seconds=_SECONDS)
    except OutboundError as error:
        return error.code
    return "" if 200 <= reply.status < 300 else str(reply.status)


@transaction.atomic
def _settle(notice: AgentNotice, news: drp.Standing, trouble: str, *, at: datetime, state: str) -> bool:
    """Write down how it went; answers whether the agent knows it now."""
    locked = AgentNotice.objects.select_for_update().filter(pk=notice.pk, token=notice.token).first()
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
        AgentRequest.objects.filter(pk=locked.agent_request_id).update(told_status=news.status, told_reason=news.reason)
    locked.save()
    return not trouble and state == State.SENT
