"""/drp/v1/: the Data Rights Protocol 1.0 over HTTP; what it means is in `requests_app.drp`."""

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions
from rest_framework.request import Request as Call
from rest_framework.response import Response
from rest_framework.views import APIView

from consents import ledger
from portal import actors, clock, nudge, rate_limits
from portal.api_access import ClientThrottle, TokenThrottle
from portal.api_views import OneFormat
from portal.errors import Conflict, DomainError, Forbidden, NotFound, TooLarge
from requests_app import agents, drp, drp_messages
from requests_app.models import Agent

LONGEST_BODY = 1 << 16
_TYPES = {"text/plain", "application/json", ""}
_NO_STORE = {"Cache-Control": "no-store"}


class _Endpoint(APIView):
    """Base: tokens of the protocol's own, error bodies of the protocol's own."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    content_negotiation_class = OneFormat

    def initial(self, request: Call, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if not settings.DRP_BUSINESS_ID:
            raise NotFound("not_spoken", "This business does not speak the Data Rights Protocol.")

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, drp_messages.Refused):
            return _error(400, exc.code, exc.message, fatal=exc.fatal)
        if isinstance(exc, DomainError):
            return _error(_status_of(exc), exc.code, exc.message)
        if isinstance(exc, RequestDataTooBig):
            return _error(413, "body_too_large", f"A body has at most {LONGEST_BODY:,} bytes.")
        if isinstance(exc, exceptions.APIException):
            answer = _error(exc.status_code, exc.default_code, str(exc.detail))
            if isinstance(exc, exceptions.Throttled):
                answer["Retry-After"] = str(getattr(exc, "wait", 1))
            return answer
        return super().handle_exception(exc)


class OneAgent(_Endpoint):
    """Pair-wise key set-up, and whether a token serves. Every failure is 403 with an empty body."""

    @extend_schema(exclude=True)
    def post(self, request: Call, agent_id: str) -> Response | HttpResponse:
        _check_rate(TokenThrottle().key_of(request), TokenThrottle())
        agent, at = agents.find(agent_id), clock.now()
        if agent is None:
            return HttpResponse(status=403)
        try:
            drp_messages.open_signed(_body(request), agent=agent, key=agents.key_of(agent), at=at)
        except (DomainError, RequestDataTooBig):
            return HttpResponse(status=403)
        token = agents.new_token(agent=agent, by=actors.agent(agent.pk), at=at)
        return Response({"agent-id": agent.pk, "token": token}, headers=_NO_STORE)

    @extend_schema(exclude=True)
    def get(self, request: Call, agent_id: str) -> Response | HttpResponse:
        try:
            agent = _agent(request)
        except Forbidden:
            return HttpResponse(status=403)
        return Response({}) if agent.pk == agent_id else HttpResponse(status=403)


class DataRightsRequests(_Endpoint):
    @extend_schema(exclude=True)
    def post(self, request: Call) -> Response:
        agent, at = _agent(request), clock.now()
        message = drp_messages.open_signed(_body(request), agent=agent, key=agents.key_of(agent), at=at)
        sent = drp.exercise(agent=agent, asked=drp_messages.read(message), at=at)
        nudge.after_commit(ledger.SEQUENCE_TASK)
        return Response(drp.status_object(sent, drp.told(sent)), headers=_NO_STORE)


class OneDataRightsRequest(_Endpoint):
    @extend_schema(exclude=True)
    def get(self, request: Call, request_id: str) -> Response:
        sent = drp.find(agent=_agent(request), request_id=request_id)
        return Response(drp.status_object(sent, drp.standing(sent)), headers=_NO_STORE)

    @extend_schema(exclude=True)
    def delete(self, request: Call, request_id: str) -> Response:
        agent, at = _agent(request), clock.now()
        sent = drp.find(agent=agent, request_id=request_id)
        drp_messages.open_reason(_body(request), agent=agent, key=agents.key_of(agent), at=at)
        revoked = drp.revoke(sent=sent, at=at)
        return Response(drp.status_object(revoked, drp.standing(revoked)), headers=_NO_STORE)


def _agent(request: Call) -> Agent:
    """Whose token came with the call. Raises Forbidden, Throttled."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    agent = agents.of_token(token.strip()) if kind.lower() == "bearer" and token.strip() else None
    if agent is None:
        _check_rate(TokenThrottle().key_of(request), TokenThrottle())
        raise Forbidden("unknown_token", "This token is no agent's; set yourself up anew.")
    _check_rate(f"agent:{agent.pk}", ClientThrottle())
    return agent


def _check_rate(key: str, throttle: ClientThrottle | TokenThrottle) -> None:
    """Raises Throttled."""
    count = rate_limits.count(key, limit=throttle.num_requests, window=throttle.duration)
    if not count.allowed:
        raise exceptions.Throttled(wait=count.seconds)


def _body(request: Call) -> bytes:
    """The bytes as they came, not parsed before their signature is verified. Raises TooLarge, Refused."""
    kind = request.content_type.partition(";")[0].strip().lower()
    if kind not in _TYPES:
        raise drp_messages.Refused("wrong_content_type", "Send text/plain, or application/json.")
    body: bytes = request._request.body
    if len(body) > LONGEST_BODY:
        raise TooLarge("body_too_large", f"A body has at most {LONGEST_BODY:,} bytes.")
    return body


def _status_of(error: DomainError) -> int:
    # what is not the agent's own is forbidden, whether there is such a thing or not
    if isinstance(error, Forbidden) or error.code == "unknown_request":
        return 403
    if isinstance(error, NotFound):
        return 404
    if isinstance(error, Conflict):
        return 409
    return 413 if isinstance(error, TooLarge) else 400


def _error(status: int, code: str, message: str, *, fatal: bool = False) -> Response:
    said: dict[str, Any] = {"code": code, "message": message}
    return Response({**said, "fatal": True} if fatal else said, status=status, headers=_NO_STORE)
