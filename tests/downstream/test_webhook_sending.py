"""Messages go out signed, are tried again, and are given up at an address that is gone."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from standardwebhooks import Webhook

from consents.models import Partner
from downstream import webhook_sending, webhooks
from downstream.models import WebhookDelivery, WebhookSubscription
from downstream.webhook_sending import DISABLED_AFTER, delay
from portal.models import AuditEntry
from tests.conftest import AT, BY, partner
from tests.downstream import listener
from tests.downstream.listener import Listener

State = WebhookDelivery.State


@pytest.fixture
def partners_server() -> Iterator[Listener]:
    with listener.running() as running:
        yield running


@pytest.fixture
def hook(transactional_db: None, northlight: Partner, partners_server: Listener) -> tuple[WebhookSubscription, str]:
    return webhooks.subscribe(partner=northlight, url=partners_server.url, events=["permit.void"], by=BY, at=AT)


def announce(*, at: Any = AT) -> WebhookDelivery:
    webhooks.announce(event="permit.void", payload={"permit": "p1"}, at=at)
    return WebhookDelivery.objects.latest("id")


def deliver(at: Any = AT) -> int:
    return webhook_sending.deliver(clock=lambda: at, seconds=5)


def test_a_receivers_library_verifies_what_it_gets(
    hook: tuple[WebhookSubscription, str], partners_server: Listener
) -> None:
    now = timezone.now()
    message = announce(at=now)
    assert deliver(now) == 1
    ((headers, body),) = partners_server.heard
    told = Webhook(hook[1]).verify(body, headers)
    assert told == {"type": "permit.void", "timestamp": told["timestamp"], "data": {"permit": "p1"}}
    assert headers["webhook-id"] == f"msg_{message.pk.hex}"
    message.refresh_from_db()
    assert (message.state, message.attempts, message.log[0]["status"]) == (State.DELIVERED, 1, 204)
    assert deliver(now) == 0


def test_after_a_rotation_the_old_secret_still_verifies(
    hook: tuple[WebhookSubscription, str], partners_server: Listener
) -> None:
    fresh = webhooks.rotate_secret(subscription=hook[0], by=BY, at=timezone.now())
    now = timezone.now()
    announce(at=now)
    deliver(now)
    ((headers, body),) = partners_server.heard
    for secret in (hook[1], fresh):
        assert Webhook(secret).verify(body, headers)["type"] == "permit.void"


def test_a_failure_is_tried_again_later_under_the_same_id(
    hook: tuple[WebhookSubscription, str], partners_server: Listener
) -> None:
    partners_server.answers = [500, 302, 204]
    message = announce()
    at = AT
    for arrived in (0, 0, 1):
        assert deliver(at) == arrived
        assert deliver(at) == 0
        message.refresh_from_db()
        at = message.next_try_at
    ids = {headers["webhook-id"] for headers, _ in partners_server.heard}
    assert (len(partners_server.heard), len(ids)) == (3, 1), "a redirect is an answer and not followed"
    assert [one["status"] for one in message.log] == [500, 302, 204]
    hook[0].refresh_from_db()
    assert hook[0].failing_since is None


def test_waits_grow_and_end() -> None:
    waits = [delay(attempts=number, jitter=0.0) for number in range(1, 12)]
    known = [one for one in waits if one is not None]
    assert known == sorted(known)
    assert waits[-1] is None
    assert sum(known, timedelta()) > timedelta(days=3)
    assert delay(attempts=1, jitter=0.99) > delay(attempts=1, jitter=0.0)  # type: ignore[operator]


def test_an_address_that_fails_for_days_is_disabled_and_staff_can_read_why(
    hook: tuple[WebhookSubscription, str], partners_server: Listener
) -> None:
    # two messages, twice: they go side by side, so one answer less would be anybody's
    partners_server.answers = [500] * 4
    announce()
    waiting = announce()
    deliver()
    later = AT + DISABLED_AFTER + timedelta(hours=1)
    deliver(later)
    hook[0].refresh_from_db()
    assert hook[0].disabled_at == later
    assert "5 days" in hook[0].disabled_reason
    waiting.refresh_from_db()
    assert waiting.state == State.DROPPED
    assert AuditEntry.objects.filter(action="webhook.disable").count() == 1
    assert webhooks.announce(event="permit.void", payload={}, at=later) == 0


def test_an_address_that_says_it_is_gone_is_disabled_at_once(
    hook: tuple[WebhookSubscription, str], partners_server: Listener
) -> None:
    partners_server.answers = [410]
    announce()
    deliver()
    hook[0].refresh_from_db()
    assert hook[0].disabled_at == AT


def test_a_message_whose_sender_died_is_sent_by_the_next(
    hook: tuple[WebhookSubscription, str], partners_server: Listener
) -> None:
    announce()
    (claimed,) = webhook_sending._claim(at=AT)
    assert deliver() == 0
    assert deliver(AT + timedelta(minutes=3)) == 1
    webhook_sending._settle(claimed, webhook_sending.Outcome(500), at=AT)
    assert WebhookDelivery.objects.get().state == State.DELIVERED, "a zombie changes nothing"


def test_a_server_that_is_away_is_written_down_without_its_words(northlight: Partner) -> None:
    webhooks.subscribe(partner=northlight, url="http://127.0.0.1:9/hook", events=["permit.void"], by=BY, at=AT)
    message = announce()
    deliver()
    message.refresh_from_db()
    assert (message.state, message.log[0]["trouble"]) == (State.PENDING, "unreachable")


def test_nobody_is_named_in_what_is_sent(hook: tuple[WebhookSubscription, str], partners_server: Listener) -> None:
    announce()
    deliver()
    assert set(json.loads(partners_server.heard[0][1])) == {"type", "timestamp", "data"}


def test_a_receiver_that_hangs_keeps_nobody_else_waiting(
    hook: tuple[WebhookSubscription, str], partners_server: Listener
) -> None:
    other = partner("other", recipients=["linkwell"], schemes=[])
    with listener.running() as slow:
        slow.seconds = 1.0
        webhooks.subscribe(partner=other, url=slow.url, events=["permit.void"], by=BY, at=AT)
        for _ in range(20):
            webhooks.announce(event="permit.void", payload={}, at=AT, partner="other")
            webhooks.announce(event="permit.void", payload={}, at=AT + timedelta(seconds=1), partner="northlight")
        webhook_sending.deliver(clock=lambda: AT + timedelta(seconds=2), seconds=0.9)
    assert hook[0].deliveries.filter(state=State.DELIVERED).count() == 20
    assert 0 < len(slow.heard) <= 4


@pytest.mark.parametrize("status", [204, 410])
def test_a_message_is_settled_after_its_webhook_is_locked(hook: tuple[WebhookSubscription, str], status: int) -> None:
    announce()
    (claimed,) = webhook_sending._claim(at=AT)

    def settle() -> None:
        webhook_sending._settle(claimed, webhook_sending.Outcome(status), at=AT)
        connection.close()

    waiting = threading.Thread(target=settle)
    with transaction.atomic():
        WebhookSubscription.objects.select_for_update().get()
        waiting.start()
        _until_somebody_waits()
        # whoever disables the webhook goes on to its messages
        assert WebhookDelivery.objects.select_for_update(nowait=True).get().state == State.PENDING
    waiting.join(timeout=10)
    assert WebhookDelivery.objects.get().state == State.DELIVERED or status == 410


def _until_somebody_waits() -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone() != (0,):
                return
        time.sleep(0.02)
    raise AssertionError("Nobody waits for a lock.")
