"""/opendsr/v2/: OpenDSR 2.0 over HTTP, as a processor; what it means is in `requests_app.opendsr`."""

import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions
from rest_framework.permissions import AllowAny
from rest_framework.request import Request as Call
from rest_framework.views import APIView

from consents.api import partners
from consents.models import Partner
from downstream import opendsr_wire
from downstream.opendsr_wire import DOMAIN_HEADER, SIGNATURE_HEADER
from portal import clock
from portal.api_access import AddressThrottle
from portal.api_views import OneFormat, PartnerView
from portal.errors import Conflict, DomainError, Forbidden, NotFound, TooLarge
from requests_app import opendsr, opendsr_keys, opendsr_messages
from requests_app.api import sent as sending
from requests_app.api.answers import begun
from requests_app.opendsr_messages import Refused

LONGEST_BODY = 1 << 16
_NO_STORE = {"Cache-Control": "no-store"}


class _Spoken(APIView):
    """Base: answers that are signed, errors in the protocol's shape (section 7.6)."""

    content_negotiation_class = OneFormat

    def initial(self, request: Call, *args: Any, **kwargs: Any) -> None:
        if not settings.OPENDSR_DOMAIN:
            raise NotFound("not_spoken", "OpenDSR is not spoken here.")
        super().initial(request, *args, **kwargs)

    def handle_exception(self, exc: Exception) -> Any:
        if isinstance(exc, RequestDataTooBig):
            exc = _too_large()
        if isinstance(exc, DomainError):
            return _refusal(_status_of(exc), exc.code, exc.message, field=exc.field)
        if isinstance(exc, exceptions.APIException):
            return self._refused(exc)
        return super().handle_exception(exc)

    def _refused(self, error: exceptions.APIException) -> HttpResponse:
        status, headers = error.status_code, dict[str, str]()
        if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
            challenge = self.get_authenticate_header(self.request)
            status, headers = (401, {"WWW-Authenticate": challenge}) if challenge else (403, {})
        if isinstance(error, exceptions.Throttled):
            headers["Retry-After"] = str(getattr(error, "wait", None) or 1)
        return _refusal(status, error.default_code, str(error.detail), headers=headers)


class _OfControllers(_Spoken, PartnerView):
    required_scope = "opendsr"


class _OfAnybody(_Spoken):
    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (AddressThrottle,)


class Discovery(_OfAnybody):
    @extend_schema(exclude=True)
    def get(self, request: Call) -> HttpResponse:
        pairs = [{"identity_type": kind, "identity_format": form} for kind, form in opendsr_messages.IDENTITIES]
        told = {
            "api_version": opendsr_wire.VERSION,
            "supported_identities": pairs,
            "supported_subject_request_types": list(opendsr_wire.TYPES),
            "processor_certificate": opendsr.address("opendsr-certificate"),
        }
        return _answer(200, told)


class Certificate(_OfAnybody):
    @extend_schema(exclude=True)
    def get(self, request: Call) -> HttpResponse:
        return HttpResponse(opendsr_keys.certificate(at=clock.now()), content_type="application/x-pem-file")


class Requests(_OfControllers):
    @extend_schema(exclude=True)
    def post(self, request: Call) -> HttpResponse:
        controller, at, body = partners.of(request), clock.now(), _body(request)
        message = opendsr_wire.object_in(body)
        if message is None:
            raise Refused("malformed_json", "A request is a JSON object.", field="body")
        said = opendsr_messages.read(message, controller=controller, at=at)
        if said.request_type in opendsr.HANDED_OVER:
            _check_vouches(request, controller)
        sent = opendsr.instruct(
            controller=controller,
            sent=opendsr.Sent(said, message),
            sees=lambda subject: partners.sees(controller, subject),
            at=at,
        )
        return _answer(201, opendsr.receipt(sent, body=body), is_signed_inside=True)


class OneRequest(_OfControllers):
    @extend_schema(exclude=True)
    def get(self, request: Call, request_id: str) -> HttpResponse:
        controller = partners.of(request)
        sent = opendsr.find(controller=controller, request_id=request_id)
        is_told = opendsr.may_be_told(sent, controller=controller, vouches=sending.vouches(request, controller))
        return _answer(200, opendsr.status_object(sent, opendsr.standing(sent), is_told=is_told, at=clock.now()))

    @extend_schema(exclude=True)
    def delete(self, request: Call, request_id: str) -> HttpResponse:
        at = clock.now()
        sent = opendsr.find(controller=partners.of(request), request_id=request_id)
        opendsr.cancel(sent=sent, at=at)
        return _answer(202, opendsr.cancellation(sent, at=at), is_signed_inside=True)


class Results(_OfControllers):
    # a HEAD would count as a download of nothing
    http_method_names = ["get", "options"]

    @extend_schema(exclude=True)
    def get(self, request: Call, request_id: str) -> StreamingHttpResponse:
        controller = partners.of(request)
        sent = opendsr.find(controller=controller, request_id=request_id)
        _check_vouches(request, controller)
        if not opendsr.may_be_told(sent, controller=controller, vouches=True):
            raise NotFound("no_results", "There is nothing to fetch: not yet, or no longer.")
        pieces = opendsr.results(sent=sent, at=clock.now())
        headers = {**_NO_STORE, "Content-Disposition": f'attachment; filename="{sent.subject_request_id}.zip"'}
        return StreamingHttpResponse(begun(pieces), content_type="application/zip", headers=headers)


def _check_vouches(call: Call, controller: Partner) -> None:
    """What we answer goes to those alone who say whom they hand it to."""
    if not sending.vouches(call, controller):
        raise Forbidden("results_not_yours", f"Access and portability need the scope {sending.VOUCH} too.")


def _body(request: Call) -> bytes:
    """The bytes as they came: they go back as they were. Raises TooLarge, Refused."""
    if request.content_type.partition(";")[0].strip().lower() != "application/json":
        raise Refused("wrong_content_type", "Send application/json.", field="body")
    body: bytes = request._request.body
    if len(body) > LONGEST_BODY:
        raise _too_large()
    return body


def _too_large() -> TooLarge:
    return TooLarge("body_too_large", f"A body has at most {LONGEST_BODY:,} bytes.", field="body")


def _status_of(error: DomainError) -> int:
    # whatever else is wrong is 400 in this protocol, also what can no longer be cancelled (section 7.5)
    kinds = {NotFound: 404, Forbidden: 403, Conflict: 409, TooLarge: 413, opendsr_keys.KeyTrouble: 503}
    return next((status for kind, status in kinds.items() if isinstance(error, kind)), 400)


def _refusal(
    status: int, code: str, message: str, *, field: str | None = None, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    error = {"domain": field or "request", "reason": code, "message": message}
    told = {"error": {"code": status, "message": message, "errors": [error]}}
    try:
        return _answer(status, told, headers=headers)
    except opendsr_keys.KeyTrouble:
        # with nothing to sign by there is still something to say
        return HttpResponse(json.dumps(told), status=status, content_type="application/json", headers=_NO_STORE)


def _answer(
    status: int, told: dict[str, Any], *, is_signed_inside: bool = False, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """Signed in its header. Inside, by `processor_signature`, what can be signed is all but that member itself."""
    if is_signed_inside:
        told = {**told, "processor_signature": opendsr_keys.sign(json.dumps(told).encode())}
    body = json.dumps(told).encode()
    # where it is not spoken the domain is empty, and nobody believes it
    signed = {DOMAIN_HEADER: settings.OPENDSR_DOMAIN, SIGNATURE_HEADER: opendsr_keys.sign(body)}
    return HttpResponse(
        body, status=status, content_type="application/json", headers={**_NO_STORE, **signed, **(headers or {})}
    )
