"""Corrections as the partners see them that keep the data: what has to be put right where, and that it was."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from consents.api import partners
from consents.api.serializers import Problem
from consents.models import Partner
from downstream import corrections
from downstream.models import Correction
from portal import clock, problems
from portal.api_views import PartnerView, StrictSerializer

_STATES = f"One of {', '.join(Correction.State.values)}"
_PROBLEMS: dict[Any, Any] = {(status, problems.MEDIA_TYPE): Problem for status in (400, 401, 403, 404, 409, 429)}


class CorrectionsQuery(StrictSerializer):
    dataset = serializers.SlugField(required=False, help_text="Its slug")
    state = serializers.ChoiceField(choices=Correction.State.choices, required=False)
    after = serializers.UUIDField(required=False, help_text="`next` of the page before")
    limit = serializers.IntegerField(min_value=1, max_value=500, default=100)


class CorrectionOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    dataset = serializers.CharField()
    state = serializers.CharField(help_text=_STATES)
    outcome = serializers.CharField(help_text="Empty while it is open")
    rows = serializers.IntegerField(allow_null=True, help_text="Of the person, when it was asked; null: not known")
    asked_at = serializers.DateTimeField()
    deadline = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)
    key_scheme = serializers.CharField(help_text="What the keys are")
    key_column = serializers.CharField()
    yours = serializers.BooleanField(help_text="Fetch the keys, put the data right, acknowledge")


class CorrectionsOut(serializers.Serializer[Any]):
    corrections = CorrectionOut(many=True)
    next = serializers.UUIDField(allow_null=True, help_text="Ask with this as `after` for more; null at the end")


class CorrectionKeysOut(serializers.Serializer[Any]):
    keys = serializers.ListField(child=serializers.CharField(), help_text="None once the person was forgotten")


class CorrectionAckIn(StrictSerializer):
    outcome = serializers.ChoiceField(choices=Correction.Outcome.choices, default=Correction.Outcome.CORRECTED)


class CorrectionAckOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    state = serializers.CharField(help_text=_STATES)
    outcome = serializers.CharField()
    repeated = serializers.BooleanField(help_text="You said exactly this before")


class Corrections(PartnerView):
    required_scope = "propagations:read"

    @extend_schema(
        parameters=[CorrectionsQuery],
        responses={200: CorrectionsOut, **_PROBLEMS},
        operation_id="corrections_list",
        summary="Data to be put right in the datasets of whom you speak for",
    )
    def get(self, request: Request) -> Response:
        partner = partners.of(request)
        asked = CorrectionsQuery.parse(request.query_params.dict())
        rows = corrections.visible(partner).order_by("pk")
        for name, path in (("dataset", "dataset__slug"), ("state", "state"), ("after", "pk__gt")):
            if name in asked:
                rows = rows.filter(**{path: asked[name]})
        page = list(rows[: asked["limit"] + 1])
        shown = page[: asked["limit"]]
        more = shown[-1].pk if len(page) > len(shown) else None
        return Response({"corrections": [_out(partner, one) for one in shown], "next": more})


class OneCorrection(PartnerView):
    required_scope = "propagations:read"

    @extend_schema(responses={200: CorrectionOut, **_PROBLEMS}, summary="One correction: where, and by when")
    def get(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002 -- the address's own word
        partner = partners.of(request)
        return Response(_out(partner, corrections.get(partner, id)))


class CorrectionKeys(PartnerView):
    required_scope = "propagations:read"

    @extend_schema(
        responses={200: CorrectionKeysOut, **_PROBLEMS}, summary="What the dataset calls the person whose data is wrong"
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002 -- the address's own word
        found = corrections.keys(partner=partners.of(request), correction_id=id, at=clock.now())
        return Response({"keys": found}, headers={"Cache-Control": "no-store"})


class CorrectionAck(PartnerView):
    required_scope = "propagations:ack"

    @extend_schema(
        request=CorrectionAckIn,
        responses={200: CorrectionAckOut, **_PROBLEMS},
        summary="Say that the data is put right",
        description="The same acknowledgement again is answered as the first was, so no Idempotency-Key is needed.",
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002 -- the address's own word
        sent = CorrectionAckIn.parse(request.data)
        settled = corrections.acknowledge(partner=partners.of(request), correction_id=id, at=clock.now(), **sent)
        one = settled.correction
        return Response({"id": one.pk, "state": one.state, "outcome": one.outcome, "repeated": settled.is_repeated})


def _out(partner: Partner, correction: Correction) -> dict[str, Any]:
    return {
        "id": correction.pk,
        "dataset": correction.dataset.slug,
        "state": correction.state,
        "outcome": correction.outcome,
        "rows": correction.rows,
        "asked_at": correction.asked_at.isoformat(),
        "deadline": correction.due_at.isoformat(),
        "settled_at": correction.settled_at.isoformat() if correction.settled_at else None,
        "key_scheme": correction.dataset.key_scheme,
        "key_column": correction.dataset.key_column,
        "yours": corrections.is_theirs(partner, correction.dataset),
    }
