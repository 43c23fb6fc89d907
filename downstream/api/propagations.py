"""Runs as the partners see them that hold copies: what is due, whose rows have to go, and what came of it."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from consents.api import partners
from consents.api.serializers import Problem, ZonedTime
from consents.models import Partner
from downstream import acknowledging
from downstream.acknowledging import KeyCount, Said
from downstream.propagation_states import Status
from portal import clock, problems
from portal.api_views import PartnerView, StrictSerializer

NDJSON = "application/x-ndjson"
_MOST_ROWS = 2**63 - 1
_STATES = f"One of {', '.join(Status.values)}"
_PROBLEMS: dict[Any, Any] = {(status, problems.MEDIA_TYPE): Problem for status in (400, 401, 403, 404, 409, 413, 429)}


class PropagationsQuery(StrictSerializer):
    dataset = serializers.SlugField(required=False, help_text="Its slug")
    state = serializers.ChoiceField(
        choices=Status.choices, required=False, help_text="`awaiting`: what is asked of you now"
    )
    after = serializers.UUIDField(required=False, help_text="`next` of the page before")
    limit = serializers.IntegerField(min_value=1, max_value=500, default=100)


class PropagationOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    dataset = serializers.CharField()
    state = serializers.CharField(help_text=_STATES)
    position = serializers.IntegerField(help_text="Of the log: every no up to it has arrived once this is verified")
    planned_at = serializers.DateTimeField()
    deadline = serializers.DateTimeField()
    verified_at = serializers.DateTimeField(allow_null=True)
    people = serializers.IntegerField(help_text="Whose rows have to go")
    in_spans = serializers.IntegerField(help_text="Of those, people of whom only rows made in spans of time go")
    key_scheme = serializers.CharField(help_text="What the keys are")
    key_column = serializers.CharField(help_text="What the column is called that holds them, as registered")
    created_column = serializers.CharField(help_text="The column that says when a row was made; may be empty")
    yours = serializers.BooleanField(help_text="You hold this dataset: fetch the keys, remove, acknowledge")
    reason = serializers.CharField(help_text="Why it is open still, where something was wrong")


class PropagationsOut(serializers.Serializer[Any]):
    propagations = PropagationOut(many=True)
    next = serializers.UUIDField(allow_null=True, help_text="Ask with this as `after` for more; null at the end")


class KeyIn(StrictSerializer):
    key = serializers.CharField(max_length=255, trim_whitespace=False)
    rows_found = serializers.IntegerField(min_value=0, max_value=_MOST_ROWS)
    rows_removed = serializers.IntegerField(min_value=0, max_value=_MOST_ROWS)


class AckIn(StrictSerializer):
    """What you did, or why you could not. With `keys`, people read how many rows of theirs are gone."""

    position = serializers.IntegerField(min_value=0, max_value=_MOST_ROWS)
    status = serializers.ChoiceField(choices=["completed", "failed"], default="completed")
    reason = serializers.CharField(
        max_length=500, required=False, help_text="Why it failed; staff read it, so name no person"
    )
    rows_found = serializers.IntegerField(min_value=0, max_value=_MOST_ROWS, required=False)
    rows_removed = serializers.IntegerField(min_value=0, max_value=_MOST_ROWS, required=False)
    rows_after = serializers.IntegerField(min_value=0, max_value=_MOST_ROWS, required=False)
    digest_before = serializers.RegexField(
        r"^[0-9a-f]{64}\Z", required=False, help_text="SHA-256 over your copy's content, hexadecimal"
    )
    digest_after = serializers.RegexField(r"^[0-9a-f]{64}\Z", required=False)
    verified_at = ZonedTime(required=False, help_text="When you looked again and found none of the keys")
    version = serializers.CharField(max_length=120, required=False, help_text="What you call the version it became")
    keys = serializers.ListField(child=KeyIn(), max_length=50_000, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["status"] == "failed":
            if not attrs.get("reason", "").strip():
                raise serializers.ValidationError({"reason": "Say why it failed."}, code="required")
            return attrs
        wanted = ("rows_found", "rows_removed", "rows_after", "digest_before", "digest_after", "verified_at")
        missing = [name for name in wanted if name not in attrs]
        if missing:
            required = serializers.ErrorDetail("This field is required.", code="required")
            raise serializers.ValidationError({name: [required] for name in missing})
        return attrs


class AckOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    state = serializers.CharField(help_text=_STATES)
    position = serializers.IntegerField()
    repeated = serializers.BooleanField(help_text="You said exactly this before")


class NDJSONRenderer(JSONRenderer):
    """So that clients may accept NDJSON; what DRF renders itself is a refusal, and that stays JSON."""

    media_type = NDJSON
    format = "ndjson"


class Propagations(PartnerView):
    required_scope = "propagations:read"

    @extend_schema(
        parameters=[PropagationsQuery],
        responses={200: PropagationsOut, **_PROBLEMS},
        operation_id="propagations_list",
        summary="Runs that remove people from the datasets of whom you speak for",
    )
    def get(self, request: Request) -> Response:
        partner = partners.of(request)
        asked = PropagationsQuery.parse(request.query_params.dict())
        rows = acknowledging.visible(partner).order_by("pk")
        for name, path in (("dataset", "dataset__slug"), ("state", "status"), ("after", "pk__gt")):
            if name in asked:
                rows = rows.filter(**{path: asked[name]})
        page = list(rows[: asked["limit"] + 1])
        shown = page[: asked["limit"]]
        more = shown[-1].pk if len(page) > len(shown) else None
        told = [_out(partner, one) for one in acknowledging.counted(shown)]
        return Response({"propagations": told, "next": more})


class OnePropagation(PartnerView):
    required_scope = "propagations:read"

    @extend_schema(responses={200: PropagationOut, **_PROBLEMS}, summary="One run: its position, deadline and people")
    def get(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002 -- the address's own word
        partner = partners.of(request)
        (run,) = acknowledging.counted([acknowledging.get(partner, id)])
        return Response(_out(partner, run))


class Keys(PartnerView):
    required_scope = "propagations:read"
    renderer_classes = [JSONRenderer, NDJSONRenderer]

    @extend_schema(
        responses={(200, NDJSON): OpenApiTypes.STR, **_PROBLEMS},
        summary="The keys whose rows have to go, one a line",
        description=(
            'Each line is `{"key": "m_42", "spans": []}`. Without spans every row of the key goes; with spans, pairs of'
            ' times (from, before; null for open), those made in one of them. The last line is `{"end": n}`, n being'
            " the number of keys: without it the stream was cut off."
        ),
    )
    def get(self, request: Request, id: uuid.UUID) -> StreamingHttpResponse:  # noqa: A002 -- the address's own word
        partner = partners.of(request)
        found = acknowledging.keys(partner=partner, propagation_id=id, at=clock.now())
        return StreamingHttpResponse(_lines(found), content_type=NDJSON, headers={"Cache-Control": "no-store"})


def _lines(found: Iterator[dict[str, object]]) -> Iterator[bytes]:
    count = 0
    for one in found:
        count += 1
        yield json.dumps(one).encode() + b"\n"
    yield json.dumps({"end": count}).encode() + b"\n"


class Ack(PartnerView):
    required_scope = "propagations:ack"

    @extend_schema(
        request=AckIn,
        responses={200: AckOut, **_PROBLEMS},
        summary="Say what came of a run",
        description=(
            "The same acknowledgement again is answered as the first was, so that no Idempotency-Key is needed. One"
            " that contradicts itself is refused and kept, and the run stays open with the reason."
        ),
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:  # noqa: A002 -- the address's own word
        partner = partners.of(request)
        sent = AckIn.parse(request.data)
        keys = sent.pop("keys", None)
        counted = None if keys is None else tuple(KeyCount(**one) for one in keys)
        verdict = acknowledging.acknowledge(
            partner=partner, propagation_id=id, said=Said(**sent, keys=counted), at=clock.now()
        )
        run = verdict.propagation
        return Response(
            {"id": run.pk, "state": run.status, "position": run.to_position, "repeated": verdict.is_repeated}
        )


def _out(partner: Partner, run: Any) -> dict[str, Any]:
    return {
        "id": run.pk,
        "dataset": run.dataset.slug,
        "state": run.status,
        "position": run.to_position,
        "planned_at": run.planned_at.isoformat(),
        "deadline": run.deadline.isoformat(),
        "verified_at": run.verified_at.isoformat() if run.verified_at else None,
        "people": run.people,
        "in_spans": run.in_spans,
        "key_scheme": run.dataset.key_scheme,
        "key_column": run.dataset.key_column,
        "created_column": run.dataset.created_column,
        "yours": acknowledging.is_holder(partner, run),
        "reason": run.reason if acknowledging.is_holder(partner, run) else "",
    }
