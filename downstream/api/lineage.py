"""POST /api/v1/lineage: OpenLineage RunEvents, at the address where its clients send them."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from consents.api import partners
from consents.api.serializers import Problem
from consents.models import Partner
from downstream import lineage, openlineage
from downstream.openlineage import Event, EventError
from portal import clock, problems
from portal.api_views import PartnerView
from portal.errors import DomainError

_MOST_EVENTS = 100
_PROBLEMS: dict[Any, Any] = {(status, problems.MEDIA_TYPE): Problem for status in (400, 401, 403, 404, 413, 415, 429)}


class RefusedEvent(serializers.Serializer[Any]):
    index = serializers.IntegerField(help_text="Its place in the list, from 0")
    code = serializers.CharField()
    field = serializers.CharField()
    detail = serializers.CharField()


class LineageOut(serializers.Serializer[Any]):
    recorded = serializers.IntegerField()
    repeated = serializers.IntegerField(help_text="The same run, type and time was sent before")
    refused = RefusedEvent(many=True, help_text="Of a list alone; the others are recorded")


class Lineage(PartnerView):
    required_scope = "lineage:write"

    @extend_schema(
        request=OpenApiTypes.ANY,
        responses={200: LineageOut, 201: LineageOut, **_PROBLEMS},
        summary="Report what a run read and wrote: an OpenLineage RunEvent, or a list of them",
        description=(
            "RunEvents of OpenLineage 2-0-2; facets that are not known are passed over. A dataset is known by its"
            " place (namespace and name, or a name in the facet symlinks), or as namespace `heed` and its slug as the"
            " name; its version is the newest at the run's start, or the one in the facet version. A model is an"
            " output named `heed` and `model/<name>`, or one whose facet datasetType says MODEL. An event is known"
            " by run, type and time, and counts once. A list may hold 100 events, each of which stands for itself;"
            " an event 200 inputs and 200 outputs."
        ),
    )
    def post(self, request: Request) -> Response:
        partner, sent = partners.of(request), request.data
        events = sent if isinstance(sent, list) else [sent]
        if len(events) > _MOST_EVENTS:
            raise DomainError("too_many_events", f"A list holds at most {_MOST_EVENTS:,} events.")
        outcomes = _take_in(partner, events)
        refusals = [(index, one) for index, one in enumerate(outcomes) if isinstance(one, EventError)]
        if refusals and not isinstance(sent, list):
            raise refusals[0][1]
        answer: dict[str, Any] = {
            "recorded": outcomes.count(True),
            "repeated": outcomes.count(False),
            "refused": [
                {"index": index, "code": one.code, "field": one.field or "", "detail": one.message}
                for index, one in refusals
            ],
        }
        return Response(answer, status=201 if answer["recorded"] else 200)


def _take_in(partner: Partner, sent: list[Any]) -> list[bool | EventError]:
    """What came of each; all are read before one is taken in."""
    read = [_read(one) for one in sent]
    events = [one for one in read if isinstance(one, Event)]
    taken = iter(lineage.take_in_all(events=events, partner=partner.slug, owners=partner.recipients, at=clock.now()))
    return [next(taken) if isinstance(one, Event) else one for one in read]


def _read(sent: Any) -> Event | EventError:
    try:
        return openlineage.read(sent)
    except EventError as refusal:
        return refusal
