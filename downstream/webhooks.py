"""Webhooks as Standard Webhooks has them: who is told of what, their secrets, and the messages that have to go.

A message is a row, written in the transaction of its cause; `webhook_sending` sends it afterwards. Nothing in a message
names a person: it holds ids, and what they stand for is fetched over OAuth.
"""

import base64
import json
import os
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import IntegrityError, transaction
from standardwebhooks import Webhook

from consents.models import LedgerEvent, Partner
from consents.vocabulary import Kind
from downstream import outbound
from downstream.models import WebhookCursor, WebhookDelivery, WebhookSubscription
from downstream.outbound import OutboundError
from portal import actors, audit, crypto
from portal.errors import Conflict, DomainError, NotFound

EVENTS = (
    "propagation.planned",
    "permit.void",
    "hold.opened",
    "hold.lifted",
    "correction.requested",
    "correction.settled",
)
TEST = "webhook.test"
MOST = 20
"""Addresses of one partner."""
OLD_KEYS_LAST = timedelta(hours=24)
_SECRET_BYTES = 32
_HOLDS = {Kind.HOLD_OPENED: "hold.opened", Kind.HOLD_LIFTED: "hold.lifted"}
_TOLD_OF_HOLDS = ("hold", "purposes", "jurisdictions", "recipients", "data_from", "data_until")


class WebhookError(DomainError):
    """A subscription that cannot be as asked."""


@dataclass(frozen=True)
class Keys:
    """What signs: the HMAC secret and the Ed25519 seed, 32 bytes each."""

    secret: bytes = field(repr=False)
    seed: bytes = field(repr=False)

    @property
    def shown(self) -> str:
        """The secret as receivers' libraries take it."""
        return "whsec_" + base64.b64encode(self.secret).decode()

    @property
    def public(self) -> str:
        """The public key, for receivers that verify `v1a`."""
        key = Ed25519PrivateKey.from_private_bytes(self.seed).public_key()
        return "whpk_" + base64.b64encode(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()

    def sign(self, *, message_id: str, at: datetime, body: str) -> str:
        """Both signatures, as the header `webhook-signature` has them."""
        symmetric = Webhook(self.secret).sign(message_id, at, body)
        signed = f"{message_id}.{int(at.timestamp())}.{body}".encode()
        asymmetric = Ed25519PrivateKey.from_private_bytes(self.seed).sign(signed)
        return f"{symmetric} v1a,{base64.b64encode(asymmetric).decode()}"


@transaction.atomic
def subscribe(
    *, partner: Partner, url: str, events: Sequence[str], by: str, at: datetime
) -> tuple[WebhookSubscription, str]:
    """Take an address in; answers it and its secret, which is never shown again.

    Raises WebhookError(`invalid_address` | `unknown_event` | `too_many`), Conflict(`already_subscribed`).
    """
    try:
        outbound.check(url)
    except OutboundError as error:
        raise WebhookError(error.code, error.message, field="url") from None
    unknown = sorted(set(events) - set(EVENTS))
    if unknown or not events:
        raise WebhookError("unknown_event", f"Events are: {', '.join(EVENTS)}.", field="events")
    if WebhookSubscription.objects.filter(partner=partner).active().count() >= MOST:
        raise WebhookError("too_many", f"A partner has at most {MOST} webhooks.")
    keys = _new_keys()
    subscription = WebhookSubscription(
        partner=partner, url=url, events=sorted(set(events)), public_key=keys.public, created_at=at
    )
    subscription.sealed_keys = _sealed(keys, subscription.pk)
    try:
        with transaction.atomic():
            subscription.save(force_insert=True)
    except IntegrityError as error:
        raise Conflict("already_subscribed", "This address is subscribed already.", field="url") from error
    _audit(subscription, "subscribe", by=by, at=at, events=subscription.events)
    return subscription, keys.shown


def get(*, partner: Partner, webhook_id: uuid.UUID) -> WebhookSubscription:
    """One of the partner's own. Raises NotFound."""
    found = WebhookSubscription.objects.filter(partner=partner, pk=webhook_id).first()
    if found is None:
        raise NotFound("unknown_webhook", "You have no such webhook.")
    return found


@transaction.atomic
def unsubscribe(*, subscription: WebhookSubscription, by: str, at: datetime) -> None:
    """Forget the address, its secrets and its messages."""
    _audit(subscription, "unsubscribe", by=by, at=at)
    # before its messages, which are deleted first
    WebhookSubscription.objects.select_for_update().filter(pk=subscription.pk).first()
    subscription.delete()


@transaction.atomic
def rotate_secret(*, subscription: WebhookSubscription, by: str, at: datetime) -> str:
    """New keys from now on; the old ones sign beside them for a day. Answers the new secret, which is shown once."""
    locked = WebhookSubscription.objects.select_for_update().get(pk=subscription.pk)
    keys = _new_keys()
    locked.sealed_previous, locked.previous_until = locked.sealed_keys, at + OLD_KEYS_LAST
    locked.sealed_keys, locked.public_key = _sealed(keys, locked.pk), keys.public
    locked.save()
    _audit(locked, "rotate_secret", by=by, at=at)
    return keys.shown


@transaction.atomic
def disable(*, subscription: WebhookSubscription, why: str, by: str, at: datetime) -> None:
    """Send nothing more there: what waits is dropped, and staff read why."""
    WebhookSubscription.objects.filter(pk=subscription.pk, disabled_at__isnull=True).update(
        disabled_at=at, disabled_reason=why
    )
    waiting = WebhookDelivery.objects.filter(subscription=subscription, state=WebhookDelivery.State.PENDING)
    waiting.update(state=WebhookDelivery.State.DROPPED, token=None, lease_until=None)
    _audit(subscription, "disable", by=by, at=at, why=why)


def announce(
    *,
    event: str,
    payload: dict[str, Any],
    at: datetime,
    partner: str | None = None,
    recipients: Collection[str] | None = None,
) -> int:
    """Write a message for everybody who wants to hear of this; answers how many. Call it in the cause's transaction.

    Goes to one partner, to those who speak for one of the recipients, or, with neither, to all. Nothing in the payload
    may name a person.
    """
    wanted = WebhookSubscription.objects.active().filter(events__contains=[event])
    if partner is not None:
        wanted = wanted.filter(partner_id=partner)
    if recipients is not None:
        wanted = wanted.filter(partner__recipients__overlap=list(recipients))
    fresh = [_delivery(one, event, payload, at) for one in wanted]
    WebhookDelivery.objects.bulk_create(fresh)
    return len(fresh)


@transaction.atomic
def follow(*, at: datetime) -> int:
    """Tell of the holds that entered the log since the last turn; answers how many messages there are.

    The log's positions are gap-free, and the place reached is kept in the same transaction: none is told twice or lost.
    """
    cursor = WebhookCursor.objects.select_for_update(skip_locked=True).first()
    if cursor is None:
        _begin_following()
        return 0
    told = 0
    news = LedgerEvent.objects.filter(kind__in=_HOLDS, placed__position__gt=cursor.position)
    for found in news.select_related("placed").order_by("placed__position"):
        payload = {name: found.details.get(name) for name in _TOLD_OF_HOLDS}
        cursor.position = found.placed.position
        concerned = found.details.get("recipients") or None
        told += announce(
            event=_HOLDS[Kind(found.kind)],
            payload={**payload, "position": cursor.position},
            recipients=concerned,
            at=at,
        )
    cursor.save()
    return told


def _begin_following() -> None:
    """Whoever subscribes wants news, not history. Nothing where another worker is at it."""
    last = LedgerEvent.objects.filter(kind__in=_HOLDS, placed__isnull=False).order_by("-placed__position").first()
    position = last.placed.position if last else 0
    WebhookCursor.objects.bulk_create([WebhookCursor(pk=1, position=position)], ignore_conflicts=True)


@transaction.atomic
def test(*, subscription: WebhookSubscription, at: datetime) -> WebhookDelivery:
    """A message that says nothing but that it is one. Raises Conflict(`webhook_disabled`)."""
    _check_active(subscription)
    delivery = _delivery(subscription, TEST, {"webhook": str(subscription.pk)}, at)
    delivery.save(force_insert=True)
    return delivery


@transaction.atomic
def redeliver(*, subscription: WebhookSubscription, delivery_id: uuid.UUID, by: str, at: datetime) -> WebhookDelivery:
    """Send a message once more, under the id that it had. Raises NotFound, Conflict."""
    _check_active(subscription)
    found = WebhookDelivery.objects.select_for_update().filter(subscription=subscription, pk=delivery_id).first()
    if found is None:
        raise NotFound("unknown_delivery", "This webhook has no such message.")
    if found.state == WebhookDelivery.State.PENDING:
        raise Conflict("still_pending", "This message is still to be sent.")
    found.state, found.attempts, found.next_try_at = WebhookDelivery.State.PENDING, 0, at
    found.save()
    _audit(subscription, "redeliver", by=by, at=at, delivery=str(found.pk))
    return found


def keys_of(subscription: WebhookSubscription, *, at: datetime) -> list[Keys]:
    """What signs its messages: the keys, and for a day the ones before. Raises CryptoError."""
    sealed = [subscription.sealed_keys]
    if subscription.sealed_previous is not None and subscription.previous_until and at < subscription.previous_until:
        sealed.append(subscription.sealed_previous)
    return [_unsealed(one, subscription.pk) for one in sealed]


def context(webhook_id: uuid.UUID) -> bytes:
    """What its sealed keys are bound to."""
    return b"webhook:" + str(webhook_id).encode()


def _new_keys() -> Keys:
    return Keys(os.urandom(_SECRET_BYTES), os.urandom(_SECRET_BYTES))


def _sealed(keys: Keys, webhook_id: uuid.UUID) -> bytes:
    plain = json.dumps({"secret": keys.secret.hex(), "seed": keys.seed.hex()}).encode()
    return crypto.seal(plain, context=context(webhook_id))


def _unsealed(sealed: crypto.Sealed, webhook_id: uuid.UUID) -> Keys:
    plain = json.loads(crypto.unseal(sealed, context=context(webhook_id)))
    return Keys(bytes.fromhex(plain["secret"]), bytes.fromhex(plain["seed"]))


def _delivery(subscription: WebhookSubscription, event: str, payload: dict[str, Any], at: datetime) -> WebhookDelivery:
    return WebhookDelivery(subscription=subscription, event=event, payload=payload, created_at=at, next_try_at=at)


def _check_active(subscription: WebhookSubscription) -> None:
    if subscription.disabled_at is not None:
        raise Conflict("webhook_disabled", "This webhook was disabled; subscribe anew once the address works again.")


def _audit(subscription: WebhookSubscription, deed: str, *, by: str, at: datetime, **details: object) -> None:
    told = {"partner": subscription.partner_id, **details}
    audit.record(at=at, by=by or actors.SYSTEM, action=f"webhook.{deed}", of=("webhook", subscription.pk), details=told)
