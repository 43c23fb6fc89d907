"""Where OpenDSR processors report that a request's status changed (OpenDSR 2.0, status callbacks)."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from downstream import callbacks, propagation
from downstream.opendsr_wire import DOMAIN_HEADER, SIGNATURE_HEADER
from portal import clock, nudge
from portal.api_access import AddressThrottle


class RawBody(BaseParser):
    """The bytes as they came: they are not parsed before their signature is verified."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return {}


class Callbacks(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (AddressThrottle,)
    parser_classes = (RawBody,)

    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        callbacks.hear(
            domain=request.headers.get(DOMAIN_HEADER, ""),
            signature=request.headers.get(SIGNATURE_HEADER, ""),
            body=request._request.body,
            at=clock.now(),
        )
        nudge.after_commit(propagation.TURN_TASK)
        return Response(status=202)
