"""POST /api/v1/decisions/bulk: many ids in, allow or deny for each out; JSON for some, an Arrow stream for any number.

An Arrow stream is answered while it is still being sent, so neither side holds it whole.
"""

import io
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

import pyarrow as pa
import structlog
from django.core.handlers.wsgi import WSGIRequest
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from consents import arrow_streams, bulk_decisions, purposes
from consents.api import partners
from consents.api.serializers import PausedSpan, Problem, ZonedTime
from consents.bulk_decisions import Asking
from consents.evaluation import Question
from consents.models import Partner
from consents.vocabulary import EVERY, Category
from portal import clock, problems
from portal.api_bodies import JSONBody
from portal.api_views import PartnerView, StrictSerializer
from portal.errors import DomainError

logger = structlog.get_logger(__name__)

ARROW = "application/vnd.apache.arrow.stream"
MOST_IDS = 10_000
_READ_AHEAD = 1 << 20
_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""The end-of-stream marker of the Arrow IPC format."""
_BROKEN = b"\xff\xff\xff\xff\x08\x00\x00\x00" + b"\xff" * 8
"""No message of the format: every reader stops here with an error."""


class BulkQuery(StrictSerializer):
    """What is asked of every id."""

    scheme = serializers.CharField(max_length=40, help_text="What the ids are, such as account")
    purpose = serializers.CharField(max_length=80)
    recipient = serializers.CharField(max_length=50, default=EVERY, allow_blank=True)
    category = serializers.ChoiceField(choices=[(EVERY, "all"), *Category.choices], default=EVERY, allow_blank=True)
    at = ZonedTime(required=False, help_text="Any past moment (slower); now if absent")
    created_at = ZonedTime(required=False, help_text="When all of this data was made, for pauses of a span of data")
    ids = serializers.ChoiceField(
        choices=["returned", "left_out"], default="returned", help_text="Arrow only: whether `id` comes back too"
    )


class BulkIn(StrictSerializer):
    ids = serializers.ListField(child=serializers.CharField(max_length=255, allow_null=True), max_length=MOST_IDS)


class SpanOut(PausedSpan):
    """The same for some of those who were asked about."""

    jurisdictions = serializers.ListField(child=serializers.CharField(), help_text="Whose people; empty: everybody")


class BulkOut(serializers.Serializer[Any]):
    position = serializers.IntegerField(help_text="Everything up to this place in the log is in the answer")
    at = serializers.DateTimeField()
    allow = serializers.ListField(child=serializers.BooleanField(), help_text="For each id, in order")
    spans = SpanOut(many=True)


class ArrowRenderer(JSONRenderer):
    """So that clients may accept Arrow; what DRF renders itself is a refusal, and that stays JSON."""

    media_type = ARROW
    format = "arrow"


class ArrowParser(BaseParser):
    """Leaves the stream unread: it is answered as it comes in."""

    media_type = ARROW

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        return {}


class BulkDecisions(PartnerView):
    required_scope = "decisions:read"
    parser_classes = [JSONBody, ArrowParser]
    renderer_classes = [JSONRenderer, ArrowRenderer]

    @extend_schema(
        parameters=[BulkQuery],
        request={"application/json": BulkIn, ARROW: OpenApiTypes.BINARY},
        responses={
            (200, "application/json"): BulkOut,
            (200, ARROW): OpenApiTypes.BINARY,
            **{(status, problems.MEDIA_TYPE): Problem for status in (400, 401, 403, 404, 413, 415, 429)},
        },
        summary="May this purpose be served with these people's data? Ids in, allow or deny out",
        description=(
            f"JSON: up to {MOST_IDS} ids. Arrow ({ARROW}): a stream with the text column `id`, any number, not"
            f" compressed, in batches of at most {arrow_streams.MOST_ROWS} rows and"
            f" {arrow_streams.MOST_BYTES >> 20} MiB; the answer"
            " is the same stream with the boolean column `allow`, sent while yours comes in, so read while you send."
            " Position, time and paused spans are in the schema's metadata (`heed.position`, `heed.at`, `heed.spans`)."
        ),
    )
    def post(self, request: Request) -> Response | StreamingHttpResponse:
        asked = BulkQuery.parse(request.query_params.dict())
        kind = (request.content_type or "").partition(";")[0].strip().lower()
        if kind == ARROW:
            return _arrow(request, asked)
        if kind != "application/json":
            raise UnsupportedMediaType(kind)
        body = BulkIn(data=request.data)
        body.is_valid(raise_exception=True)
        asking = _begin(partners.of(request), asked)
        allow = asking.answer(body.validated_data["ids"]).to_pylist()
        return Response(
            {"position": asking.position, "at": asking.at.isoformat(), "allow": allow, "spans": _spans(asking)}
        )


def _begin(partner: Partner, asked: dict[str, Any]) -> Asking:
    partners.check_scheme_name(partner, asked["scheme"])
    purposes.get(asked["purpose"])
    recipient = partners.check_recipient(partner, asked["recipient"])
    now = clock.now()
    at: datetime | None = asked.get("at")
    if at is not None and at > now + clock.TOLERANCE:
        raise DomainError("time_in_future", "Nobody can decide as of the future.", field="at")
    return bulk_decisions.begin(
        scheme=asked["scheme"],
        question=Question(asked["purpose"], recipient, asked["category"], asked.get("created_at")),
        now=now,
        at=min(at, now) if at else None,
        within=partner.jurisdictions,
    )


def _arrow(request: Request, asked: dict[str, Any]) -> StreamingHttpResponse:
    partner = partners.of(request)
    try:
        body = io.BufferedReader(_Body(cast(WSGIRequest, request._request)), buffer_size=_READ_AHEAD)
        reader = arrow_streams.open_stream(body)
        names = reader.schema.names
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DomainError("not_arrow", "The body is not an Arrow IPC stream.") from error
    if names.count("id") != 1:
        raise DomainError("column_missing", "The stream needs one text column `id`.", field="id")
    bulk_decisions.check_type(reader.schema.field("id").type)
    asking = _begin(partner, asked)
    return StreamingHttpResponse(_answers(reader, asking, with_ids=asked["ids"] == "returned"), content_type=ARROW)


def _answers(reader: Any, asking: Asking, *, with_ids: bool) -> Iterator[memoryview | bytes]:
    allow = pa.field("allow", pa.bool_(), nullable=False)
    fields = [reader.schema.field("id"), allow] if with_ids else [allow]
    metadata: dict[bytes | str, bytes | str] = {
        "heed.position": str(asking.position),
        "heed.at": asking.at.isoformat(),
        "heed.spans": json.dumps(_spans(asking)),
    }
    schema = pa.schema(fields, metadata=metadata)
    yield memoryview(schema.serialize())
    try:
        for batch in arrow_streams.batches(reader):
            ids = batch.column("id")
            columns = [ids, asking.answer(ids)] if with_ids else [asking.answer(ids)]
            yield memoryview(pa.record_batch(columns, schema=schema).serialize())
    except (pa.ArrowException, OSError) as error:
        # the status is sent already; what follows is no message, so no reader takes the rest for all
        logger.warning("bulk_decisions.stream_broken", error=type(error).__name__)
        yield _BROKEN
    else:
        yield _END


class _Body(io.RawIOBase):
    """The request's body as it comes in; Django itself reads none that is sent in chunks of unknown length."""

    def __init__(self, request: WSGIRequest) -> None:
        self._source = request if request.META.get("CONTENT_LENGTH") else request.META["wsgi.input"]

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        read: bytes = self._source.read(len(buffer))
        buffer[: len(read)] = read
        return len(read)


def _spans(asking: Asking) -> list[dict[str, Any]]:
    return [
        {
            "hold": str(hold.pk),
            "jurisdictions": hold.jurisdictions,
            "data_from": hold.data_from.isoformat() if hold.data_from else None,
            "data_until": hold.data_until.isoformat() if hold.data_until else None,
        }
        for hold in asking.spans
    ]
