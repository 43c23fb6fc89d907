"""What is answered to a person, through the partner's front end: messages, and the answer package."""

import itertools
from collections.abc import Iterator
from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request as Call
from rest_framework.response import Response

from consents.api import partners
from portal import actors, clock, idempotency
from portal.api_views import answered_once
from requests_app import front_ends
from requests_app.api import sent, shapes
from requests_app.api.views import WRITING, ReadingAndWriting
from requests_app.models import Message

# an OpenAPI security requirement
_VOUCHING: Any = [{"oauth2": ["requests:read", sent.VOUCH]}]
_LETTING_GO: Any = [{"oauth2": ["requests:write", sent.VOUCH]}]
_NO_STORE = {"Cache-Control": "no-store"}


class Messages(ReadingAndWriting):
    @extend_schema(
        parameters=[shapes.REFERENCE],
        responses={200: shapes.SaidsOut, **shapes.PROBLEMS},
        auth=_VOUCHING,
        operation_id="requests_messages_list",
        summary="What staff and the person wrote to each other; what staff wrote counts as read",
        description="Needs the scope requests:vouch: it is meant for the person's eyes.",
    )
    def get(self, request: Call, reference: str) -> Response:
        partner = partners.of(request)
        found = sent.one(partner, reference)
        sent.check_may_read(request, partner, found)
        said = [
            {
                "id": str(one.id),
                "sent_at": one.sent_at,
                "author": Message.FROM_STAFF if one.is_from_staff else Message.FROM_PERSON,
                "body": one.body,
            }
            for one in front_ends.read(request=found, at=clock.now())
        ]
        return Response({"messages": said}, headers=_NO_STORE)

    @extend_schema(
        request=shapes.MessageIn,
        parameters=[shapes.REFERENCE, shapes.KEY],
        responses={201: shapes.MessageOut, **shapes.PROBLEMS},
        auth=WRITING,
        summary="Write to our staff in the person's name",
    )
    def post(self, request: Call, reference: str) -> Response:
        partner, at = partners.of(request), clock.now()
        body = shapes.MessageIn.parse(request.data)["body"]
        found = sent.one(partner, reference)

        def act() -> idempotency.Answer:
            made = front_ends.write(request=found, body=body, by=actors.partner(partner.slug), at=at)
            return 201, {"id": str(made.pk), "sent_at": made.sent_at.isoformat()}

        return answered_once(request, client=partner.slug, asked=[reference, request.data], at=at, act=act)


class AnswerPackage(ReadingAndWriting):
    # a HEAD would count as a download of nothing
    http_method_names = ["get", "delete", "options"]

    @extend_schema(
        parameters=[shapes.REFERENCE],
        responses={(200, "application/zip"): OpenApiTypes.BINARY, **shapes.PROBLEMS},
        auth=_VOUCHING,
        summary="The answer package, a ZIP, where it is ready",
        description="Needs the scope requests:vouch: you hand it to whom you have verified.",
    )
    def get(self, request: Call, reference: str) -> StreamingHttpResponse:
        partner = partners.of(request)
        found = sent.one(partner, reference)
        sent.check_may_read(request, partner, found)
        pieces = front_ends.package(request=found, by=actors.partner(partner.slug), at=clock.now())
        headers = {**_NO_STORE, "Content-Disposition": f'attachment; filename="{found.reference}.zip"'}
        return StreamingHttpResponse(begun(pieces), content_type="application/zip", headers=headers)

    @extend_schema(
        request=None,
        parameters=[shapes.REFERENCE],
        responses={204: None, **shapes.PROBLEMS},
        auth=_LETTING_GO,
        summary="The person needs it no longer: it is deleted before its time",
        description=(
            "Of an erasure: every answer of the person's that it waits for (`waits_until`). Needs the scope"
            " requests:vouch."
        ),
    )
    def delete(self, request: Call, reference: str) -> Response:
        partner = partners.of(request)
        found = sent.one(partner, reference)
        sent.check_may_read(request, partner, found)
        front_ends.let_go(request=found, by=actors.partner(partner.slug), at=clock.now())
        return Response(status=204)


def begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The same pieces, the first of them read already: what is wrong with the file is refused in words."""
    first = next(pieces, b"")
    return itertools.chain([first], pieces)
