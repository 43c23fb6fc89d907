"""Who may call the API and how often: OAuth scopes, and limits per client."""

import hashlib
import hmac
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from django.http import HttpRequest
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from portal import addresses, rate_limits

if TYPE_CHECKING:
    # settings name the classes below, and rest_framework.views reads settings
    from rest_framework.views import APIView


class PartnerHasScope(BasePermission):
    """The token is a partner's and holds the scope that the view names in `required_scope`."""

    message = "This token lacks the scope that the call needs."

    def has_permission(self, request: Request, view: "APIView") -> bool:
        token: Any = request.auth
        return token is not None and bool(token.allow_scopes([view.required_scope]))  # type: ignore[attr-defined]


class ClientThrottle(SimpleRateThrottle):
    """So many calls a minute for each client; the answer says how many are left (RateLimit fields)."""

    scope = "client"
    num_requests: int
    duration: int
    count: rate_limits.Count | None = None

    def allow_request(self, request: Request, view: "APIView") -> bool:
        application = getattr(request.auth, "application_id", None)
        if application is None:
            return True
        self.count = rate_limits.count(f"client:{application}", limit=self.num_requests, window=self.duration)
        return self.count.allowed

    def wait(self) -> float | None:
        return float(self.count.seconds) if self.count else None

    def fields(self) -> dict[str, str]:
        """`RateLimit-Policy` and `RateLimit` (IETF draft ratelimit-headers)."""
        if self.count is None:
            # refused before it was counted: no token
            return {}
        return {
            "RateLimit-Policy": f'"client";q={self.num_requests};w={self.duration}',
            "RateLimit": f'"client";r={self.count.left};t={self.count.seconds}',
        }


class AddressThrottle(SimpleRateThrottle):
    """So many calls a minute from one address, for what anybody may call. The address itself is kept nowhere."""

    scope = "address"

    def get_cache_key(self, request: Request, view: "APIView") -> str | None:
        return self.key_of(request)

    def key_of(self, request: HttpRequest | Request) -> str:
        """What the address is counted under: of IPv6 all that one caller has."""
        address = addresses.of_one_caller(self.get_ident(cast(Request, request)))
        # keyed, because the addresses there are can be counted through
        digest = hmac.digest(settings.SECRET_KEY.encode(), f"throttle:{address}".encode(), hashlib.sha256)
        return f"throttle:{self.scope}:{digest.hex()}"

    def allows(self, request: HttpRequest) -> bool:
        """The same for a page: of what comes in only META is read."""
        return self.allow_request(cast(Request, request), cast("APIView", None))


class TokenThrottle(AddressThrottle):
    """So many tokens a minute; see `portal.token_endpoint`."""

    scope = "token"
    num_requests: int
    duration: int
