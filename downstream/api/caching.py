"""Answers that callers may keep and ask about again (RFC 9110, section 13.1.2)."""

import hashlib
import json
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response


def tag(said: Any) -> str:
    """Weak: it stands for what is said, not for the bytes."""
    text = json.dumps(said, sort_keys=True, default=str)
    return f'W/"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


def is_known(request: Request, made: str) -> bool:
    """Whether the caller has just this."""
    sent = {one.strip() for one in request.headers.get("If-None-Match", "").split(",")}
    return made in sent or "*" in sent


def headers(made: str) -> dict[str, str]:
    return {"ETag": made, "Cache-Control": "private, no-cache", "Vary": "Authorization"}


def answer(request: Request, said: Any, *, content_type: str | None = None) -> Response:
    """The answer, or 304 where the caller has it."""
    made = tag(said)
    if is_known(request, made):
        return Response(status=304, headers=headers(made))
    return Response(said, headers=headers(made), content_type=content_type)
