"""Receipts through the API: for partners those of people they may see, and checking for anybody."""

import uuid
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from consents import ledger
from consents.api import partners
from consents.api.serializers import Problem, ReceiptQuery, VerdictOut
from consents.models import LedgerEvent, Partner, Subject
from consents.receipts import issuing, reading, verifying
from consents.vocabulary import EVERY
from portal import clock, problems, references
from portal.api_access import AddressThrottle
from portal.api_views import PartnerView
from portal.errors import NotFound

_PROBLEMS: dict[Any, Any] = {(status, problems.MEDIA_TYPE): Problem for status in (400, 401, 403, 404, 429)}
_FILES: dict[Any, Any] = {(200, one): OpenApiTypes.BINARY for one in issuing.MEDIA_TYPES.values()}


class Receipt(PartnerView):
    required_scope = "choices:read"

    @extend_schema(
        parameters=[
            ReceiptQuery,
            OpenApiParameter("id", str, OpenApiParameter.PATH, description="R-… or the event's id"),
        ],
        responses={**_FILES, **_PROBLEMS},
        summary="The signed receipt of one choice",
    )
    def get(self, request: Request, id: str) -> HttpResponse:  # noqa: A002 -- named so in the address
        asked = ReceiptQuery.parse(request.query_params.dict())
        event = _visible(partners.of(request), issuing.find(_event_id(id)))
        file = issuing.issue(
            event,
            wanted=asked["format"],
            base=request.build_absolute_uri("/"),
            language=asked["language"],
            at=clock.now(),
        )
        return HttpResponse(file.content, content_type=file.media_type)


def _event_id(text: str) -> uuid.UUID:
    """From the reference, or the event's id as POST /choices answers it. Raises NotFound."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return references.decode("R", text)


def _visible(partner: Partner, event: LedgerEvent) -> LedgerEvent:
    """The event, if the partner may see the person and speaks for the recipient; else as unknown as none."""
    subject = Subject.objects.filter(pk__in=[event.subject_id], erased_at__isnull=True).first()
    recipient_seen = event.recipient == EVERY or event.recipient in partner.recipients
    if subject is None or not recipient_seen or not partners.sees(partner, subject):
        raise NotFound("unknown_receipt", "There is no such receipt.")
    return event


class _AnyBody(BaseParser):
    """The body as it came, whatever it calls itself, and no more of it than is looked at."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return bytes(stream.read(reading.LARGEST + 1))


class VerifyReceipt(APIView):
    """Public, and nothing of what is brought is kept."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (AddressThrottle,)
    parser_classes = (_AnyBody,)

    @extend_schema(
        request={
            "application/json": OpenApiTypes.OBJECT,
            "application/jose": OpenApiTypes.STR,
            "application/pdf": bytes,
        },
        responses={200: VerdictOut, (413, problems.MEDIA_TYPE): Problem, **_PROBLEMS},
        auth=[],
        summary="Check a receipt: its JSON, JWS or PDF as the body",
    )
    def post(self, request: Request) -> Response:
        brought = request.data if isinstance(request.data, bytes) else b""
        return Response(_verdict_out(verifying.verify(brought)))


def _verdict_out(verdict: verifying.Verdict) -> dict[str, Any]:
    event = verdict.event
    return {
        "valid": verdict.valid,
        "proven": verdict.proven,
        "type": verdict.typ,
        "receipt": ledger.reference(uuid.UUID(event["id"])) if event else None,
        "event": event or None,
        "checks": [
            {"name": one.name, "outcome": one.outcome, "detail": one.detail, "places": list(one.places)}
            for one in verdict.checks
        ],
    }
