"""Sending the messages of `webhooks`: claimed by a lease, sent outside any transaction, settled after the answer.

A crash may send a message twice, never lose it: receivers know a repetition by `webhook-id` (Standard Webhooks).
"""

import json
import random
import time
import uuid
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet

from downstream import outbound, webhooks
from downstream.models import WebhookDelivery, WebhookSubscription
from downstream.outbound import OutboundError
from portal import actors
from portal.crypto import CryptoError

logger = structlog.get_logger(__name__)

Clock = Callable[[], datetime]
State = WebhookDelivery.State

_WAITS = tuple(timedelta(seconds=one) for one in (5, 60, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400))
"""Before each further try; after the last a message is given up, about three days after its cause."""
DISABLED_AFTER = timedelta(days=5)
"""Without one message delivered."""
_SECONDS = 10.0
_LEASE = timedelta(minutes=2)
_AT_ONCE = 8
_AT_ONCE_OF_ONE = 2
"""Of one partner's messages: a receiver that hangs keeps a message for ten seconds, and must not fill every place."""
_KEPT_ATTEMPTS = 12
_GONE = 410


@dataclass(frozen=True)
class Outcome:
    """One attempt: the HTTP status, or what went wrong before there was one."""

    status: int | None
    trouble: str = ""

    @property
    def is_delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True)
class Message:
    """A message, ready to be sent by a thread that touches no database."""

    url: str
    body: str
    headers: dict[str, str]


def deliver(*, clock: Clock, seconds: float) -> int:
    """Send what is due for about so many seconds; answers how many messages arrived. Not for use in a transaction."""
    arrived, end = 0, time.monotonic() + seconds
    sending: dict[Future[Outcome], WebhookDelivery] = {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while True:
            if time.monotonic() < end:
                for one in _claim(at=clock(), most=_AT_ONCE - len(sending)):
                    sending[pool.submit(_send, _message(one, at=clock()))] = one
            if not sending:
                return arrived
            # whatever is done makes room at once: nobody waits for the slowest
            for done in wait(sending, return_when=FIRST_COMPLETED).done:
                outcome = done.result()
                arrived += outcome.is_delivered
                _settle(sending.pop(done), outcome, at=clock())


def delay(*, attempts: int, jitter: float) -> timedelta | None:
    """How long to wait after the `attempts`-th failure, or None to give up; `jitter` is in [0, 1)."""
    if attempts > len(_WAITS):
        return None
    return _WAITS[attempts - 1] * (1 + jitter / 4)


@transaction.atomic
def _claim(*, at: datetime, most: int = _AT_ONCE) -> list[WebhookDelivery]:
    free = Q(lease_until__isnull=True) | Q(lease_until__lte=at)
    due = WebhookDelivery.objects.filter(free, state=State.PENDING, next_try_at__lte=at).order_by("next_try_at")
    fair = due.filter(pk__in=_fairly(due, at=at))
    found = list(fair.select_for_update(skip_locked=True, of=("self",)).select_related("subscription")[:most])
    token = uuid.uuid4()
    WebhookDelivery.objects.filter(pk__in=[one.pk for one in found]).update(token=token, lease_until=at + _LEASE)
    for one in found:
        one.token = token
    return found


def _fairly(due: "QuerySet[WebhookDelivery]", *, at: datetime) -> list[uuid.UUID]:
    """Of each partner the first few, less those that are on their way."""
    ids: list[uuid.UUID] = []
    for partner in due.order_by("subscription__partner").values_list("subscription__partner", flat=True).distinct():
        under_way = WebhookDelivery.objects.filter(
            subscription__partner=partner, state=State.PENDING, lease_until__gt=at
        ).count()
        theirs = due.filter(subscription__partner=partner).values_list("pk", flat=True)
        ids += theirs[: max(_AT_ONCE_OF_ONE - under_way, 0)]
    return ids


def _message(delivery: WebhookDelivery, *, at: datetime) -> Message | None:
    """The message as the standard has it; None where its keys cannot be opened."""
    message_id = f"msg_{delivery.pk.hex}"
    told = {"type": delivery.event, "timestamp": _text(delivery.created_at), "data": delivery.payload}
    body = json.dumps(told, separators=(",", ":"), sort_keys=True)
    try:
        keys = webhooks.keys_of(delivery.subscription, at=at)
    except CryptoError:
        return None
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(one.sign(message_id=message_id, at=at, body=body) for one in keys),
    }
    return Message(delivery.subscription.url, body, headers)


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _send(message: Message | None) -> Outcome:
    if message is None:
        return Outcome(None, "keys_unreadable")
    try:
        reply = outbound.call(
            "POST", message.url, body=message.body.encode(), headers=message.headers, seconds=_SECONDS
        )
    except OutboundError as error:
        return Outcome(None, error.code)
    return Outcome(reply.status)


@transaction.atomic
def _settle(delivery: WebhookDelivery, outcome: Outcome, *, at: datetime) -> None:
    # the webhook before its messages, as whoever disables it locks them: the other way round two would wait for ever
    webhook = WebhookSubscription.objects.select_for_update(no_key=True).filter(pk=delivery.subscription_id).first()
    locked = WebhookDelivery.objects.select_for_update().filter(pk=delivery.pk, token=delivery.token).first()
    if webhook is None or locked is None or locked.state != State.PENDING:
        # dropped meanwhile, or somebody else's since our lease ran out
        return
    locked.attempts += 1
    locked.log = [*locked.log, _entry(outcome, at)][-_KEPT_ATTEMPTS:]
    locked.token, locked.lease_until = None, None
    if outcome.is_delivered:
        locked.state, locked.delivered_at = State.DELIVERED, at
    else:
        pause = delay(attempts=locked.attempts, jitter=random.random())  # noqa: S311 -- spreads tries, no secret
        locked.state = State.FAILED if pause is None else State.PENDING
        locked.next_try_at = at + (pause or timedelta())
    locked.save()
    _judge(webhook, outcome, at=at)


def _entry(outcome: Outcome, at: datetime) -> dict[str, Any]:
    return {"at": at.isoformat(), "status": outcome.status, "trouble": outcome.trouble}


def _judge(subscription: WebhookSubscription, outcome: Outcome, *, at: datetime) -> None:
    """Whether the address still works; one that fails for days, or says that it is gone, is disabled."""
    if outcome.is_delivered:
        subscription.failing_since = None
    elif outcome.status == _GONE:
        webhooks.disable(subscription=subscription, why="It answered that it is gone (410).", by=actors.SYSTEM, at=at)
        return
    else:
        subscription.failing_since = subscription.failing_since or at
        if at - subscription.failing_since > DISABLED_AFTER:
            why = f"Nothing arrived there for {DISABLED_AFTER.days} days."
            webhooks.disable(subscription=subscription, why=why, by=actors.SYSTEM, at=at)
            logger.warning("webhook.disabled", webhook=str(subscription.pk))
            return
    subscription.save(update_fields=["failing_since"])
