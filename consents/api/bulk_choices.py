"""POST /api/v1/choices/bulk: any number of choices in one call, read as they come in."""

from collections.abc import Iterator
from typing import Any

import orjson
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request

from consents import ledger
from consents.api import bodies, partners
from consents.api.serializers import ChoiceIn, Problem
from consents.importing import arrow_rows, ndjson_rows, streams
from consents.importing.streams import Stream
from consents.models import ChoiceImport
from portal import clock, nudge, problems
from portal.api_views import PartnerView

NDJSON, ARROW = bodies.NDJSON.media_type, bodies.Arrow.media_type
_READERS: dict[str, Any] = {NDJSON: ("ndjson", ndjson_rows.read), ARROW: ("arrow", arrow_rows.read_stream)}
# the type is drf-spectacular's: (status, media type) or status
_PROBLEMS: dict[Any, Any] = {
    (status, problems.MEDIA_TYPE): Problem for status in (400, 401, 403, 404, 409, 415, 422, 429)
}


class BulkChoices(PartnerView):
    required_scope = "choices:write"
    parser_classes = (bodies.NDJSON, bodies.Arrow)

    @extend_schema(
        request={NDJSON: ChoiceIn, ARROW: OpenApiTypes.BINARY},
        responses={
            (200, NDJSON): OpenApiResponse(
                OpenApiTypes.STR,
                description="One object for each rejected row, `{line, code, message}`, then"
                " `{summary: {import, rows, recorded, repeated, rejected}}`",
            ),
            **_PROBLEMS,
        },
        parameters=[OpenApiParameter("Idempotency-Key", str, OpenApiParameter.HEADER)],
        summary="Record any number of choices",
        description=(
            "NDJSON: one body of POST /choices a line, beside which a `key` of the choice's own may stand; or an Arrow"
            " stream with the columns scheme, value, purpose, action, occurred_at and perhaps recipient, category,"
            " notice, evidence, key. Rows are recorded 10,000 at a time and stay recorded whatever happens later."
            " A row that was sent before is counted as repeated. After a break, send the whole again with the same"
            " Idempotency-Key: what is recorded is passed over, and the answer is that of one call. The same key with"
            " a body that does not begin with what is recorded is refused with 422. A body that breaks off or cannot"
            " be read on is refused with 400, which says how many rows are settled."
        ),
    )
    def post(self, request: Request) -> StreamingHttpResponse:
        partner = partners.of(request)
        media_type = request.content_type.partition(";")[0].strip().lower()
        if media_type not in _READERS:
            raise UnsupportedMediaType(media_type)
        form, read = _READERS[media_type]
        key = request.headers.get("Idempotency-Key")
        stream = Stream(rows=read(bodies.of(request)), form=form, key=key)
        try:
            one, repeated = streams.take(partner=partner, stream=stream, clock=clock.now)
        finally:
            # what was recorded before a refusal waits for its place in the log too
            nudge.after_commit(ledger.SEQUENCE_TASK)
        headers = {"Idempotency-Replayed": "true"} if repeated else {}
        return StreamingHttpResponse(_lines(one), content_type=NDJSON, headers=headers)


def _lines(one: ChoiceImport) -> Iterator[bytes]:
    for entry in streams.answer(one):
        yield orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
