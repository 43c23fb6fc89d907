"""GET /api/v1/suppression/{purpose}: every key that must not be used for a purpose, at a position of the log."""

from collections.abc import Iterator
from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from consents import purposes
from consents.api import partners
from consents.evaluation import Question
from consents.models import Partner
from consents.vocabulary import EVERY, Category, Scheme
from downstream import suppression, suppression_formats
from downstream.api import caching, shapes, visible
from downstream.suppression import SuppressionError, SuppressionList, Wanted
from portal import clock
from portal.api_views import PartnerView, StrictSerializer

_TYPES = {
    "parquet": "application/vnd.apache.parquet",
    "ndjson": "application/x-ndjson",
    "arrow": "application/vnd.apache.arrow.stream",
    "roaring": "application/octet-stream",
}
_WRITERS: dict[str, Any] = {
    "parquet": suppression_formats.parquet,
    "ndjson": suppression_formats.ndjson,
    "arrow": suppression_formats.arrow,
}


class SuppressionQuery(StrictSerializer):
    format = serializers.ChoiceField(choices=list(_TYPES), default="parquet")
    scheme = serializers.CharField(max_length=40, required=False, help_text="By which names; account if absent")
    dataset = serializers.CharField(
        max_length=50, required=False, help_text="Its keys as its column holds them, for its owner and category"
    )
    recipient = serializers.CharField(max_length=50, required=False, allow_blank=True, help_text="Who would use it")
    category = serializers.ChoiceField(choices=[(EVERY, "all"), *Category.choices], required=False, allow_blank=True)


class Suppression(PartnerView):
    required_scope = "suppression:read"

    @extend_schema(
        parameters=[SuppressionQuery, shapes.IF_NONE_MATCH],
        responses={
            **{(200, kind): OpenApiTypes.BINARY for kind in _TYPES.values()},
            304: OpenApiResponse(description="As you have it"),
            **shapes.PROBLEMS,
        },
        summary="Every key that must not be used for this purpose",
        description=(
            "The same answers as decisions, for everybody registered by names of the scheme, and whoever is being"
            " erased. `Heed-Position`: everything up to this place in the log is in it; the files say so in their"
            " metadata (`heed.position`), NDJSON in its last line. `Heed-Erased-Not-Listed`: names of erased people,"
            " which nobody has any more. `Heed-Keys` of a bitmap: `integer` where all keys are whole numbers, else"
            " `sha256-64`, the first eight bytes of the key's SHA-256, big-endian. Holds over a span of data are in"
            " `heed.spans`: leave out rows made in them too."
        ),
    )
    def get(self, request: Request, purpose: str) -> Response | StreamingHttpResponse:
        partner = partners.of(request)
        asked = SuppressionQuery.parse(request.query_params.dict())
        purposes.get(purpose)
        listed = suppression.begin(_wanted(partner, purpose, asked), now=clock.now())
        made = caching.tag([listed.state, suppression_formats.metadata(listed, timeless=True), asked["format"]])
        headers = _headers(listed) | (caching.headers(made) if listed.state else {"Cache-Control": "private, no-store"})
        if listed.state and caching.is_known(request, made):
            return Response(status=304, headers=headers)
        return _file(listed, asked["format"], headers)


def _wanted(partner: Partner, purpose: str, asked: dict[str, Any]) -> Wanted:
    """Raises PartnerError, NotFound, SuppressionError."""
    within = tuple(partner.jurisdictions)
    if "dataset" not in asked:
        scheme = partners.check_scheme_name(partner, asked.get("scheme", Scheme.ACCOUNT))
        recipient = partners.check_recipient(partner, asked.get("recipient", EVERY))
        return Wanted(Question(purpose, recipient, asked.get("category", EVERY)), scheme, within)
    for name in ("scheme", "recipient", "category"):
        if name in asked:
            raise SuppressionError("dataset_says_so", f"The dataset has its own {name}; leave it out.", field=name)
    dataset = visible.dataset(partner, asked["dataset"])
    if not dataset.serves(purpose) and not any(purposes.covers(one, purpose) for one in dataset.purposes):
        raise SuppressionError("purpose_not_served", "The dataset does not serve this purpose.", field="dataset")
    if not dataset.key_hash:
        partners.check_scheme_name(partner, dataset.key_scheme, field="dataset")
    question = Question(purpose, dataset.owner_id, dataset.category)
    return Wanted(question, dataset.key_scheme, within, dataset)


def _headers(listed: SuppressionList) -> dict[str, str]:
    return {
        "Heed-Position": str(listed.position),
        "Heed-Erased-Not-Listed": str(listed.erased_not_listed),
    }


def _file(listed: SuppressionList, form: str, headers: dict[str, str]) -> StreamingHttpResponse:
    name = f"{listed.wanted.question.purpose}-{listed.position}.{form}"
    headers = {**headers, "Content-Disposition": f'attachment; filename="{name}"'}
    if form == "roaring":
        made = suppression_formats.bitmap(listed)
        headers["Heed-Keys"] = made.of
        return StreamingHttpResponse(made.pieces, content_type=_TYPES[form], headers=headers)
    pieces: Iterator[bytes] = _WRITERS[form](listed)
    return StreamingHttpResponse(pieces, content_type=_TYPES[form], headers=headers)
