"""RFC 9457 problem details: the one mapper from errors to API answers."""

from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler

from portal.errors import Conflict, DomainError, Forbidden, NoRoom, NotFound, TooLarge
from portal.idempotency import IdempotencyError

MEDIA_TYPE = "application/problem+json"


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER: every refusal leaves as application/problem+json with a stable `code`."""
    if isinstance(error, DomainError):
        return _response(_status_of(error), error.code, error.message, _field_errors(error))
    if isinstance(error, NoRoom):
        return _response(status.HTTP_507_INSUFFICIENT_STORAGE, error.code, error.message, None)
    if isinstance(error, RequestDataTooBig):
        most = f"{settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,}"
        return _response(413, "body_too_large", f"The body of a JSON call has at most {most} bytes.", None)
    response = exception_handler(error, context)
    if response is None:
        return None
    if isinstance(error, exceptions.ValidationError):
        answer = _response(400, "invalid", "The request was not understood; see `errors`.", _flatten(error.detail))
    else:
        answer = _response(response.status_code, _code_of(error), _detail_of(response.data), None)
    for name, value in response.headers.items():
        if name.lower() not in {"content-type", "content-length"}:
            answer[name] = value
    return answer


def _status_of(error: DomainError) -> int:
    if isinstance(error, NotFound):
        return status.HTTP_404_NOT_FOUND
    if isinstance(error, Forbidden):
        return status.HTTP_403_FORBIDDEN
    if isinstance(error, Conflict):
        return status.HTTP_409_CONFLICT
    if isinstance(error, TooLarge):
        return status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    if isinstance(error, IdempotencyError) and error.code == "idempotency_key_reused":
        return status.HTTP_422_UNPROCESSABLE_ENTITY
    return status.HTTP_400_BAD_REQUEST


def body(code: int, slug: str, detail: str) -> dict[str, Any]:
    """The members of a problem; `slug` is the stable code."""
    return {
        "type": "about:blank",
        "title": slug.replace("_", " "),
        "status": code,
        "code": slug,
        "detail": detail,
    }


def _response(code: int, slug: str, detail: str, errors: list[dict[str, str]] | None) -> Response:
    problem = body(code, slug, detail)
    if errors:
        problem["errors"] = errors
    return Response(problem, status=code, content_type=MEDIA_TYPE)


def _field_errors(error: DomainError) -> list[dict[str, str]] | None:
    if error.field is None:
        return None
    return [{"field": error.field, "code": error.code, "detail": error.message}]


def _code_of(error: Exception) -> str:
    if isinstance(error, Http404):
        return "not_found"
    if isinstance(error, PermissionDenied):
        return "permission_denied"
    return str(getattr(error, "default_code", "error"))


def _detail_of(data: Any) -> str:
    return str(data.get("detail", data)) if isinstance(data, dict) else str(data)


def _flatten(detail: Any, prefix: str = "") -> list[dict[str, str]]:
    if isinstance(detail, dict):
        return [
            row for name, inner in detail.items() for row in _flatten(inner, f"{prefix}.{name}" if prefix else name)
        ]
    if isinstance(detail, list):
        return [row for inner in detail for row in _flatten(inner, prefix)]
    # what was sent is quoted, and may hold half of a surrogate pair, which no answer can
    field, told = (text.encode(errors="replace").decode() for text in (prefix or "body", str(detail)))
    return [{"field": field, "code": str(getattr(detail, "code", "invalid")), "detail": told}]
