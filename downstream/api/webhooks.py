"""Partners' webhooks: subscribing, testing, the log of messages, new secrets."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from consents.api import partners
from consents.api.serializers import Problem
from downstream import webhooks
from downstream.models import WebhookDelivery, WebhookSubscription
from portal import actors, clock, nudge, problems
from portal.api_views import PartnerView, StrictSerializer

SEND_TASK = "downstream.tasks.send_webhooks"
_PROBLEMS: dict[Any, Any] = {(status, problems.MEDIA_TYPE): Problem for status in (400, 401, 403, 404, 409, 429)}


class WebhookIn(StrictSerializer):
    url = serializers.CharField(max_length=1_000, help_text="Begins with https:// and leads to a public address")
    events = serializers.ListField(
        child=serializers.ChoiceField(choices=webhooks.EVENTS), allow_empty=False, max_length=len(webhooks.EVENTS)
    )


class WebhookOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    url = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
    public_key = serializers.CharField(help_text="Verifies `v1a` signatures (Ed25519)")
    created_at = serializers.DateTimeField()
    failing_since = serializers.DateTimeField(allow_null=True)
    disabled_at = serializers.DateTimeField(allow_null=True)
    disabled_reason = serializers.CharField()


class NewWebhookOut(WebhookOut):
    secret = serializers.CharField(help_text="Verifies `v1` signatures (HMAC-SHA256). Shown this once")


class WebhooksOut(serializers.Serializer[Any]):
    webhooks = WebhookOut(many=True)


class DeliveriesQuery(StrictSerializer):
    before = serializers.UUIDField(required=False, help_text="`next` of the page before")
    limit = serializers.IntegerField(min_value=1, max_value=200, default=50)


class DeliveryOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    event = serializers.CharField()
    state = serializers.CharField(help_text=f"One of {', '.join(WebhookDelivery.State.values)}")
    payload = serializers.DictField()
    created_at = serializers.DateTimeField()
    next_try_at = serializers.DateTimeField(allow_null=True)
    delivered_at = serializers.DateTimeField(allow_null=True)
    attempts = serializers.ListField(child=serializers.DictField())


class DeliveriesOut(serializers.Serializer[Any]):
    deliveries = DeliveryOut(many=True, help_text="The newest first")
    next = serializers.UUIDField(allow_null=True)


class _Managing(PartnerView):
    required_scope = "webhooks:manage"


class Webhooks(_Managing):
    @extend_schema(
        request=WebhookIn,
        responses={201: NewWebhookOut, **_PROBLEMS},
        summary="Subscribe an address",
        description=(
            "An address that is subscribed already is refused (409), so that no Idempotency-Key is needed: a remembered"
            " answer would keep the secret."
        ),
    )
    def post(self, request: Request) -> Response:
        partner = partners.of(request)
        sent = WebhookIn.parse(request.data)
        made, secret = webhooks.subscribe(
            partner=partner, url=sent["url"], events=sent["events"], by=actors.partner(partner.slug), at=clock.now()
        )
        return Response({**_out(made), "secret": secret}, status=201, headers={"Cache-Control": "no-store"})

    @extend_schema(operation_id="webhooks_list", responses={200: WebhooksOut, **_PROBLEMS}, summary="Your webhooks")
    def get(self, request: Request) -> Response:
        mine = WebhookSubscription.objects.filter(partner=partners.of(request))
        return Response({"webhooks": [_out(one) for one in mine]})


class OneWebhook(_Managing):
    @extend_schema(responses={200: WebhookOut, **_PROBLEMS}, summary="One of your webhooks")
    def get(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002 -- the address's own word
        return Response(_out(webhooks.get(partner=partners.of(request), webhook_id=id)))

    @extend_schema(responses={204: None, **_PROBLEMS}, summary="Unsubscribe, and forget its messages")
    def delete(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002 -- the address's own word
        partner = partners.of(request)
        found = webhooks.get(partner=partner, webhook_id=id)
        webhooks.unsubscribe(subscription=found, by=actors.partner(partner.slug), at=clock.now())
        return Response(status=204)


class Test(_Managing):
    @extend_schema(request=None, responses={202: DeliveryOut, **_PROBLEMS}, summary="Send a message of no meaning")
    def post(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002 -- the address's own word
        found = webhooks.get(partner=partners.of(request), webhook_id=id)
        made = webhooks.test(subscription=found, at=clock.now())
        nudge.after_commit(SEND_TASK)
        return Response(_delivery_out(made), status=202)


class RotateSecret(_Managing):
    @extend_schema(
        request=None,
        responses={200: NewWebhookOut, **_PROBLEMS},
        summary="New keys; for a day messages are signed by the old ones too",
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002 -- the address's own word
        partner = partners.of(request)
        found = webhooks.get(partner=partner, webhook_id=id)
        secret = webhooks.rotate_secret(subscription=found, by=actors.partner(partner.slug), at=clock.now())
        found.refresh_from_db()
        return Response({**_out(found), "secret": secret}, headers={"Cache-Control": "no-store"})


class Deliveries(_Managing):
    @extend_schema(
        parameters=[DeliveriesQuery], responses={200: DeliveriesOut, **_PROBLEMS}, summary="What was sent, and when"
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002 -- the address's own word
        found = webhooks.get(partner=partners.of(request), webhook_id=id)
        asked = DeliveriesQuery.parse(request.query_params.dict())
        rows = found.deliveries.order_by("-id")
        if "before" in asked:
            rows = rows.filter(pk__lt=asked["before"])
        page = list(rows[: asked["limit"] + 1])
        shown = page[: asked["limit"]]
        more = shown[-1].pk if len(page) > len(shown) else None
        return Response({"deliveries": [_delivery_out(one) for one in shown], "next": more})


class Redeliver(_Managing):
    @extend_schema(
        request=None, responses={202: DeliveryOut, **_PROBLEMS}, summary="Send a message again, under the id it had"
    )
    def post(self, request: Request, id: uuid.UUID, delivery: uuid.UUID) -> Response:  # noqa: A002 -- as above
        partner = partners.of(request)
        found = webhooks.get(partner=partner, webhook_id=id)
        again = webhooks.redeliver(
            subscription=found, delivery_id=delivery, by=actors.partner(partner.slug), at=clock.now()
        )
        nudge.after_commit(SEND_TASK)
        return Response(_delivery_out(again), status=202)


def _out(one: WebhookSubscription) -> dict[str, Any]:
    return {
        "id": one.pk,
        "url": one.url,
        "events": one.events,
        "public_key": one.public_key,
        "created_at": one.created_at,
        "failing_since": one.failing_since,
        "disabled_at": one.disabled_at,
        "disabled_reason": one.disabled_reason,
    }


def _delivery_out(one: WebhookDelivery) -> dict[str, Any]:
    return {
        "id": one.pk,
        "event": one.event,
        "state": one.state,
        "payload": one.payload,
        "created_at": one.created_at,
        "next_try_at": one.next_try_at if one.state == WebhookDelivery.State.PENDING else None,
        "delivered_at": one.delivered_at,
        "attempts": one.log,
    }
