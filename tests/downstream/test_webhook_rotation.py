"""Webhooks' secrets take part in a rotation of the field keys, and sign as before afterwards."""

from typing import Any

import pytest

from consents import key_rotation
from consents.models import Partner
from downstream import webhook_rotation, webhooks
from downstream.models import WebhookSubscription
from portal.crypto import Ring
from tests.conftest import AT, BY


def rotate() -> tuple[int, int]:
    turns = list(key_rotation.rotate(webhook_rotation.STORE, batch=1))
    return sum(one.done for one in turns), sum(one.failed for one in turns)


@pytest.fixture
def hooks(northlight: Partner) -> list[WebhookSubscription]:
    made = [
        webhooks.subscribe(partner=northlight, url=f"https://n.example/{n}", events=["permit.void"], by=BY, at=AT)[0]
        for n in range(2)
    ]
    webhooks.rotate_secret(subscription=made[0], by=BY, at=AT)
    return list(WebhookSubscription.objects.order_by("pk"))


def test_secrets_come_under_the_new_key_and_stay_the_same(hooks: list[WebhookSubscription], settings: Any) -> None:
    before = [webhooks.keys_of(one, at=AT) for one in hooks]
    assert webhook_rotation.STORE in key_rotation.stores()
    settings.FIELD_KEYS = Ring({"fresh": b"k" * 32, **settings.FIELD_KEYS.keys})
    assert (rotate(), rotate()) == ((3, 0), (0, 0))
    assert webhook_rotation.held() == {"fresh": 3}
    settings.FIELD_KEYS = Ring({"fresh": b"k" * 32})
    assert [webhooks.keys_of(one, at=AT) for one in WebhookSubscription.objects.order_by("pk")] == before


def test_what_cannot_be_opened_stays_and_is_counted(hooks: list[WebhookSubscription], settings: Any) -> None:
    settings.FIELD_KEYS = Ring({"fresh": b"k" * 32})
    assert rotate() == (0, 3)
