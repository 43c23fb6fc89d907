"""The OAuth endpoints that check a client's secret, limited: each guess costs a slow hash."""

import base64
import hashlib
from contextlib import suppress
from typing import Any
from urllib.parse import unquote_plus

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from oauth2_provider import views

from portal import problems, rate_limits
from portal.api_access import TokenThrottle

PER_CLIENT = 5
"""As often as from one address may be asked for one client, from wherever: it may run in several places."""


class _Limited:
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        wait = _seconds_to_wait(request)
        return _refused(wait) if wait else super().dispatch(request, *args, **kwargs)  # type: ignore[misc]


@method_decorator(csrf_exempt, name="dispatch")
class TokenView(_Limited, views.TokenView):  # type: ignore[misc]
    """The toolkit's."""


@method_decorator(csrf_exempt, name="dispatch")
class RevokeTokenView(_Limited, views.RevokeTokenView):  # type: ignore[misc]
    """The toolkit's."""


def _seconds_to_wait(request: HttpRequest) -> int:
    """0 where the call may be answered. The address comes first: who is refused by it uses up no client's calls."""
    throttle = TokenThrottle()
    limit, window = throttle.num_requests, throttle.duration
    counts = [(throttle.key_of(request), limit)]
    counts += [
        (f"token:client:{hashlib.sha256(one.encode()).hexdigest()}", limit * PER_CLIENT) for one in _ids(request)
    ]
    for key, most in counts:
        count = rate_limits.count(key, limit=most, window=window)
        if not count.allowed:
            return count.seconds
    return 0


def _ids(request: HttpRequest) -> set[str]:
    """Every client id in the call, wherever the toolkit may look for it."""
    found = {*request.POST.getlist("client_id"), *request.GET.getlist("client_id")}
    kind, _, sent = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "basic":
        # what is no client's is refused further on, before any secret is looked at
        with suppress(ValueError):
            found.add(unquote_plus(base64.b64decode(sent).decode().partition(":")[0]))
    return found


def _refused(wait: int) -> HttpResponse:
    problem = problems.body(429, "throttled", f"That was asked for too often. Try again in {wait} seconds.")
    return JsonResponse(
        # what clients of OAuth look for (RFC 6749, section 5.2)
        {**problem, "error": "temporarily_unavailable"},
        status=429,
        content_type=problems.MEDIA_TYPE,
        headers={"Retry-After": str(wait), "Cache-Control": "no-store"},
    )
