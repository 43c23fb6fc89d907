"""How the API's calls are described in OpenAPI."""

from typing import Any

from drf_spectacular.contrib.django_oauth_toolkit import DjangoOAuthToolkitScheme
from drf_spectacular.openapi import AutoSchema


class PartnerSchema(AutoSchema):
    """Says of each call which scope its token needs."""

    def get_auth(self) -> list[dict[str, Any]]:
        every: list[dict[str, Any]] = super().get_auth()
        scope = getattr(self.view, "required_scope", None)
        return [{"oauth2": [scope]}] if scope else every


class BearerTokensScheme(DjangoOAuthToolkitScheme):  # type: ignore[no-untyped-call]
    """The same OAuth 2.0 scheme as the toolkit's own class, whose subclass ours is."""

    target_class = "portal.api_tokens.BearerTokens"
