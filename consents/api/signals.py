"""Signals over the API: what browsers told a partner, and what a content's host must tell others."""

import hashlib
import json
from datetime import datetime
from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from consents import browser_signals, content_usage, jurisdictions, ledger, sequencer, subjects
from consents.api import partners
from consents.api.serializers import NamedSubject, Problem, ZonedTime
from consents.models import LedgerEvent, Partner, Subject
from consents.vocabulary import EVERY, Action
from portal import actors, clock, nudge, problems
from portal.api_views import PartnerView, StrictSerializer, answered_once

_PROBLEMS: dict[Any, Any] = {(status, problems.MEDIA_TYPE): Problem for status in (400, 401, 403, 404, 409, 413, 429)}


class TrueOrFalse(serializers.BooleanField):
    """JSON's true or false alone: a "1" or "yes" may have meant something else."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class SignalIn(StrictSerializer):
    """What a browser of this person told you."""

    subject = NamedSubject()
    gpc = TrueOrFalse(help_text="true: it sent Sec-GPC: 1; false: the person said that it ended")
    occurred_at = ZonedTime(help_text="RFC 3339 with zone; at most five minutes ahead of our clock")


class SignalOut(serializers.Serializer[Any]):
    recorded = serializers.BooleanField(help_text="false where it is on record already, or was set aside")
    gpc = serializers.BooleanField(help_text="What stands on record now")
    id = serializers.UUIDField(allow_null=True)
    receipt = serializers.CharField(allow_null=True, help_text="The receipt's reference, where it was recorded")


class ContentUsageQuery(StrictSerializer):
    subject = serializers.CharField(
        max_length=300, help_text="scheme:value of an opaque scheme, such as account:m_42; never an address"
    )
    jurisdiction = serializers.CharField(max_length=6, required=False, help_text="Answers for people nobody registered")


class CategoryOut(serializers.Serializer[Any]):
    allow = serializers.BooleanField()
    code = serializers.CharField(help_text="The decisive reason")


class ContentUsageOut(serializers.Serializer[Any]):
    headers = serializers.DictField(child=serializers.CharField(), help_text="Send these with the content, as they are")
    categories = serializers.DictField(child=CategoryOut(), help_text="By category of the AIPREF vocabulary")
    at = serializers.DateTimeField()
    position = serializers.IntegerField(help_text="The log's head when this was decided")


class Signals(PartnerView):
    required_scope = "choices:write"

    @extend_schema(
        request=SignalIn,
        responses={201: SignalOut, 200: SignalOut, (422, problems.MEDIA_TYPE): Problem, **_PROBLEMS},
        parameters=[OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER)],
        summary="Record that a person's browser sends an opt-out signal, or no longer does",
    )
    def post(self, request: Request) -> Response:
        partner = partners.of(request)
        asked = SignalIn.parse(request.data)
        answer = answered_once(request, client=partner.slug, at=clock.now(), act=lambda: _record(partner, asked))
        nudge.after_commit(ledger.SEQUENCE_TASK)
        return answer


def note(
    request: Request, *, subject: Subject, partner: Partner, occurred_at: datetime, at: datetime
) -> LedgerEvent | None:
    """Record the signal that the caller passed on in its own header; anything but `Sec-GPC: 1` is none."""
    if not browser_signals.is_sent(request.headers.get(browser_signals.HEADER)):
        return None
    by = actors.partner(partner.slug)
    return browser_signals.record_gpc(subject=subject, present=True, by=by, at=at, occurred_at=occurred_at)


def _record(partner: Partner, sent: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    subject = partners.get_subject(partner, subjects.name(**sent["subject"]))
    if not sent["gpc"]:
        # a signal protects everywhere, so whoever ends it must speak for every recipient
        partners.check_recipient(partner, EVERY)
    event = browser_signals.record_gpc(
        subject=subject,
        present=sent["gpc"],
        by=actors.partner(partner.slug),
        at=clock.now(),
        occurred_at=sent["occurred_at"],
    )
    stands = browser_signals.standing(subject)
    body = {
        "recorded": event is not None,
        "gpc": stands is not None and stands.action == Action.SIGNAL_ON,
        "id": str(event.pk) if event else None,
        "receipt": ledger.reference(event.pk) if event else None,
    }
    return 201 if event else 200, body


class ContentUsage(PartnerView):
    required_scope = "decisions:read"

    @extend_schema(
        parameters=[ContentUsageQuery, OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER)],
        responses={200: ContentUsageOut, 304: OpenApiResponse(description="As you have it"), **_PROBLEMS},
        summary="Which headers the host of this person's content must send (AIPREF, TDMRep)",
    )
    def get(self, request: Request) -> Response:
        partner = partners.of(request)
        asked = ContentUsageQuery.parse(request.query_params.dict())
        partners.check_recipient(partner, EVERY)
        jurisdiction = jurisdictions.check(asked["jurisdiction"]) if "jurisdiction" in asked else None
        subject, jurisdiction = partners.whom(partner, asked["subject"], jurisdiction)
        at = clock.now()
        answer = content_usage.of(subject=subject, jurisdiction=jurisdiction, at=at)
        said = {
            "headers": answer.headers,
            "categories": {
                category: {"allow": decision.allow, "code": decision.decisive.code}
                for category, decision in answer.by_category.items()
            },
        }
        tag = _tag(said)
        caching = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
        if tag in {one.strip() for one in request.headers.get("If-None-Match", "").split(",")}:
            return Response(status=304, headers=caching)
        body = {**said, "at": at.isoformat(), "position": sequencer.head()}
        return Response(body, headers=caching)


def _tag(said: dict[str, Any]) -> str:
    """Weak: it stands for what is said, and not for the moment and the position at which it was asked."""
    return f'W/"{hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]}"'
