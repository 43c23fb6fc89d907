"""Webhooks: whom we tell, by which signatures, and that what has to go is written with its cause."""

import base64
import json

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import transaction
from standardwebhooks import Webhook

from consents import holds
from consents.models import Partner, Subject
from consents.vocabulary import Action
from downstream import propagation, webhooks
from downstream.models import Dataset, WebhookDelivery, WebhookSubscription
from portal import crypto
from portal.errors import DomainError
from tests.conftest import AT, BY, partner, sequenced
from tests.downstream.acting import LATER, carry_out, planned, run_all, say
from tests.downstream.copies import copy_at

URL = "https://hooks.northlight.example/heed"


def subscribed(to: Partner, *events: str, url: str = URL) -> WebhookSubscription:
    made, _ = webhooks.subscribe(partner=to, url=url, events=events or webhooks.EVENTS, by=BY, at=AT)
    return made


def test_both_signatures_verify_and_neither_after_a_change(northlight: Partner) -> None:
    made, secret = webhooks.subscribe(partner=northlight, url=URL, events=["permit.void"], by=BY, at=AT)
    (keys,) = webhooks.keys_of(made, at=AT)
    symmetric, asymmetric = keys.sign(message_id="msg_1", at=AT, body='{"a":1}').split()
    assert symmetric == Webhook(secret).sign("msg_1", AT, '{"a":1}')
    public = Ed25519PublicKey.from_public_bytes(base64.b64decode(made.public_key.removeprefix("whpk_")))
    signature = base64.b64decode(asymmetric.removeprefix("v1a,"))
    public.verify(signature, f'msg_1.{int(AT.timestamp())}.{{"a":1}}'.encode())
    with pytest.raises(InvalidSignature):
        public.verify(signature, f'msg_1.{int(AT.timestamp())}.{{"a":2}}'.encode())


def test_secrets_are_sealed_and_bound_to_their_webhook(northlight: Partner) -> None:
    made, secret = webhooks.subscribe(partner=northlight, url=URL, events=["permit.void"], by=BY, at=AT)
    other = subscribed(northlight, url=f"{URL}/2")
    assert base64.b64decode(secret.removeprefix("whsec_")) not in bytes(made.sealed_keys)
    other.sealed_keys = made.sealed_keys
    with pytest.raises(crypto.CryptoError):
        webhooks.keys_of(other, at=AT)


def test_old_keys_sign_beside_new_ones_for_a_day(northlight: Partner) -> None:
    made = subscribed(northlight)
    before = webhooks.keys_of(made, at=AT)
    fresh = webhooks.rotate_secret(subscription=made, by=BY, at=AT)
    made.refresh_from_db()
    now = webhooks.keys_of(made, at=AT)
    assert [one.shown for one in now] == [fresh, before[0].shown]
    assert [one.shown for one in webhooks.keys_of(made, at=AT + webhooks.OLD_KEYS_LAST)] == [fresh]


@pytest.mark.parametrize(
    ("url", "events", "code"),
    [
        ("http://hooks.example/heed", ["permit.void"], "invalid_address"),
        ("https://user:secret@hooks.example/", ["permit.void"], "invalid_address"),
        ("ftp://hooks.example/", ["permit.void"], "invalid_address"),
        ("https://", ["permit.void"], "invalid_address"),
        (URL, ["everything"], "unknown_event"),
        (URL, [], "unknown_event"),
    ],
)
def test_what_cannot_be_told_is_not_taken_in(northlight: Partner, url: str, events: list[str], code: str) -> None:
    with pytest.raises(DomainError) as caught:
        webhooks.subscribe(partner=northlight, url=url, events=events, by=BY, at=AT)
    assert caught.value.code == code
    assert not WebhookSubscription.objects.exists()


def test_an_address_is_subscribed_once_and_addresses_are_few(
    northlight: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribed(northlight)
    with pytest.raises(DomainError) as caught:
        subscribed(northlight)
    assert caught.value.code == "already_subscribed"
    monkeypatch.setattr(webhooks, "MOST", 1)
    with pytest.raises(DomainError) as caught:
        subscribed(northlight, url=f"{URL}/2")
    assert caught.value.code == "too_many"


def test_a_message_is_for_whom_it_concerns(northlight: Partner, acme: Partner) -> None:
    stranger = partner("stranger", recipients=["nobody"], schemes=["account"])
    for number, one in enumerate((northlight, acme, stranger)):
        subscribed(one, "permit.void", url=f"{URL}/{number}")
    told = [
        webhooks.announce(event="permit.void", payload={}, recipients=["northlight"], at=AT),
        webhooks.announce(event="permit.void", payload={}, partner="northlight", at=AT),
        webhooks.announce(event="permit.void", payload={}, at=AT),
        webhooks.announce(event="hold.opened", payload={}, at=AT),
    ]
    assert told == [2, 1, 3, 0]


def test_a_message_of_a_cause_that_did_not_happen_is_not_there(northlight: Partner) -> None:
    subscribed(northlight)
    with transaction.atomic():
        assert webhooks.announce(event="permit.void", payload={}, at=AT) == 1
        transaction.set_rollback(True)
    assert not WebhookDelivery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_holds_are_told_once_each_without_their_reasons(northlight: Partner, alice: Subject) -> None:
    subscribed(northlight)
    holds.open(scope=holds.HoldScope(jurisdictions=["GB"]), reason="of before", by=BY, at=AT)
    sequenced()
    webhooks.follow(at=AT)
    assert not WebhookDelivery.objects.exists(), "whoever subscribes wants news, not history"
    hold = holds.open(scope=holds.HoldScope(jurisdictions=["US"]), reason="ICO wrote", by=BY, at=LATER)
    holds.open(scope=holds.HoldScope(recipients=["linkwell"]), reason="of others", by=BY, at=LATER)
    sequenced()
    assert [webhooks.follow(at=LATER), webhooks.follow(at=LATER)] == [1, 0]
    holds.ask_to_lift(hold=hold, by=BY, at=LATER)
    holds.lift(hold=hold, by="staff:other", at=LATER)
    sequenced()
    webhooks.follow(at=LATER)
    told = list(WebhookDelivery.objects.order_by("created_at", "id"))
    assert [one.event for one in told] == ["hold.opened", "hold.lifted"]
    assert told[0].payload["hold"] == str(hold.pk)
    assert told[0].payload["jurisdictions"] == ["US"]
    assert "ICO" not in json.dumps([one.payload for one in told])


@pytest.mark.django_db(transaction=True)
def test_a_holder_with_a_webhook_is_told_once_of_its_run_and_of_nobody(
    northlight: Partner, alice: Subject, charlie: Subject
) -> None:
    subscribed(northlight)
    copy_at(northlight, kind="webhook")
    sequenced()
    run_all()
    say(alice, Action.DENY)
    run = planned()
    for _ in range(3):
        assert not carry_out(run)
    message = WebhookDelivery.objects.get()
    assert (message.event, message.payload["propagation"]) == ("propagation.planned", str(run.pk))
    assert message.payload["url"].endswith(f"/api/v1/propagations/{run.pk}")
    assert "alice" not in json.dumps(message.payload)
    assert str(alice.pk) not in json.dumps(message.payload)
    webhooks.disable(subscription=message.subscription, why="gone", by=BY, at=LATER)
    assert not carry_out(run)
    run.refresh_from_db()
    assert (run.status, run.reason_code) == ("stopped", "no_webhook")
    subscribed(northlight)
    propagation.retry_now(propagation=run, by=BY, at=LATER)
    assert not carry_out(run)
    run.refresh_from_db()
    assert run.status == "awaiting"
    assert Dataset.objects.get().position < run.to_position
