"""Bases of the API's views and messages."""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

from rest_framework import serializers
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from portal import idempotency


class OneFormat(DefaultContentNegotiation):
    """Where a view speaks one format alone there is nothing to negotiate, and no header to take apart."""

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        if len(renderers) == 1:
            return renderers[0], renderers[0].media_type
        return super().select_renderer(request, renderers, format_suffix)


class PartnerView(APIView):
    """Base of the API's views: names its scope, and adds the RateLimit fields to each answer."""

    required_scope: str
    content_negotiation_class = OneFormat

    def get_throttles(self) -> list[Any]:
        if not hasattr(self, "_throttles"):
            self._throttles = super().get_throttles()
        return self._throttles

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        final = super().finalize_response(request, response, *args, **kwargs)
        for throttle in self.get_throttles():
            for name, value in throttle.fields().items():
                final[name] = value
        return final


def answered_once(
    request: Request, *, client: str, asked: Any = None, at: datetime, act: Callable[[], idempotency.Answer]
) -> Response:
    """What `act` answers, or the first answer where `client` sent this Idempotency-Key before; a header says which.

    `asked` is what must be the same in a repetition, where that is more than the body. Raises IdempotencyError.
    """
    (status, body), repeated = idempotency.once(
        client=client,
        key=request.headers.get("Idempotency-Key"),
        request=request.data if asked is None else asked,
        at=at,
        act=act,
    )
    return Response(body, status=status, headers={"Idempotency-Replayed": "true"} if repeated else None)


@cache
def _instance(kind: type["StrictSerializer"]) -> "StrictSerializer":
    return kind()


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields that it does not know: a misspelt field is an error, not silence."""

    @classmethod
    def parse(cls, data: Any) -> dict[str, Any]:
        """The validated values. Raises ValidationError.

        One instance serves every call: making one copies all its fields, and validating keeps nothing in it.
        """
        if data is None:
            nothing = serializers.ErrorDetail("No data was sent.", code="null")
            raise serializers.ValidationError({"non_field_errors": [nothing]})
        parsed: dict[str, Any] = _instance(cls).run_validation(data)
        return parsed

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = sorted(set(data) - set(self.fields))
            if unknown:
                raise serializers.ValidationError(
                    {name: serializers.ErrorDetail("There is no such field.", code="unknown_field") for name in unknown}
                )
        return super().to_internal_value(data)
