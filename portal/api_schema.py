"""How the API's calls are described in OpenAPI."""

from typing import Any

from drf_spectacular.openapi import AutoSchema


class PartnerSchema(AutoSchema):
    """Says of each call which scope its token needs."""

    def get_auth(self) -> list[dict[str, Any]]:
        every: list[dict[str, Any]] = super().get_auth()
        scope = getattr(self.view, "required_scope", None)
        return [{"oauth2": [scope]}] if scope else every
