"""The API of consents: each view parses, makes one domain call, renders."""

from datetime import datetime
from typing import Any

from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from consents import change_feed, decisions, evaluation, jurisdictions, ledger, subjects
from consents.api import partners, signals
from consents.api.serializers import (
    ChangesOut,
    ChangesQuery,
    ChoiceIn,
    ChoiceOut,
    DecisionOut,
    DecisionQuery,
    Problem,
)
from consents.models import LedgerEvent, Partner
from consents.vocabulary import Action, Source
from portal import actors, clock, nudge, problems
from portal.api_views import PartnerView, answered_once
from portal.errors import DomainError

# the type is drf-spectacular's: (status, media type) or status
_PROBLEMS: dict[Any, Any] = {(status, problems.MEDIA_TYPE): Problem for status in (400, 401, 403, 404, 409, 413, 429)}


class Choices(PartnerView):
    required_scope = "choices:write"

    @extend_schema(
        request=ChoiceIn,
        responses={201: ChoiceOut, (422, problems.MEDIA_TYPE): Problem, **_PROBLEMS},
        parameters=[OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER)],
        summary="Record one choice of one person",
    )
    def post(self, request: Request) -> Response:
        partner = partners.of(request)
        sent = ChoiceIn.parse(request.data)
        at = clock.now()
        answer = answered_once(
            request, client=partner.slug, at=at, act=lambda: (201, _record(request, partner, sent, at))
        )
        nudge.after_commit(ledger.SEQUENCE_TASK)
        return answer


def _record(request: Request, partner: Partner, sent: dict[str, Any], at: datetime) -> dict[str, Any]:
    subject = partners.get_locked(partner, subjects.name(**sent["subject"]))
    recipient = partners.check_recipient(partner, sent["recipient"])
    event = ledger.record_of_locked(
        subject=subject,
        scope=ledger.Scope(sent["purpose"], recipient, sent["category"]),
        action=Action(sent["action"]),
        origin=ledger.Origin(
            source=Source.PARTNER,
            by=actors.partner(partner.slug),
            notice=sent["notice"],
            evidence=sent["evidence"],
        ),
        at=at,
        occurred_at=sent["occurred_at"],
    )
    signals.note(request, subject=subject, partner=partner, occurred_at=sent["occurred_at"], at=at)
    return _choice_out(event)


def _choice_out(event: LedgerEvent) -> dict[str, Any]:
    reference = ledger.reference(event.pk)
    return {
        "id": str(event.pk),
        "subject": str(event.subject_id),
        "position": None,
        "receipt": reference,
        "receipt_url": reverse("receipt", args=[reference]),
        "recorded_at": event.recorded_at.isoformat(),
    }


class Decisions(PartnerView):
    required_scope = "decisions:read"

    @extend_schema(
        parameters=[DecisionQuery],
        responses={200: DecisionOut, **_PROBLEMS},
        summary="May this purpose be served with this person's data?",
    )
    def get(self, request: Request) -> Response:
        partner = partners.of(request)
        asked, now = DecisionQuery.parse(request.query_params.dict()), clock.now()
        at = asked.get("at", now)
        if at > now + clock.TOLERANCE:
            raise DomainError("time_in_future", "Nobody can decide as of the future.", field="at")
        question = evaluation.Question(
            asked["purpose"],
            partners.check_recipient(partner, asked["recipient"]),
            asked["category"],
            asked.get("created_at"),
        )
        answer = decisions.decide_named(
            name=partners.named(partner, asked["subject"]),
            question=question,
            # a partner's clock may run ahead; an answer as of then could not be replayed
            at=min(at, now),
            jurisdiction=jurisdictions.check(asked["jurisdiction"]) if "jurisdiction" in asked else None,
            within=partner.jurisdictions,
            now="at" not in asked,
        )
        return Response(_decision_out(answer))


def _decision_out(answer: decisions.NamedDecision) -> dict[str, Any]:
    decision = answer.decision
    return {
        "allow": decision.allow,
        "gap": decision.is_gap,
        "at": answer.at.isoformat(),
        "position": answer.position,
        "reasons": [{"code": one.code, "effect": one.effect, "text": one.text} for one in decision.reasons],
        "rule": decision.rule.pk if decision.rule else None,
        "hold": decision.hold.pk if decision.hold else None,
        "choice": decision.choice.event_id if decision.choice else None,
        "spans": [
            {"hold": str(hold.pk), "data_from": hold.data_from, "data_until": hold.data_until}
            for hold in decision.spans
        ],
    }


class Changes(PartnerView):
    required_scope = "changes:read"

    @extend_schema(
        parameters=[ChangesQuery],
        responses={200: ChangesOut, **_PROBLEMS},
        summary="What changed since a position of the log, gap-free",
    )
    def get(self, request: Request) -> Response:
        partner = partners.of(request)
        asked = ChangesQuery.parse(request.query_params.dict())
        feed = change_feed.wait(
            viewer=change_feed.Viewer(
                recipients=frozenset(partner.recipients),
                jurisdictions=tuple(partner.jurisdictions),
                schemes=tuple(partner.schemes),
            ),
            after=asked["after"],
            limit=asked["limit"],
            seconds=asked["wait"],
        )
        return Response({"changes": feed.changes, "next": feed.next, "more": feed.more})
