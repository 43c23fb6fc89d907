"""Which OAuth scopes a client may ask for: those of its partner's registration."""

from typing import Any

from oauth2_provider.scopes import SettingsScopes

from consents.models import Partner


class PartnerScopes(SettingsScopes):  # type: ignore[misc]
    """All scopes are in settings; a client that is no partner may have none of them."""

    def get_available_scopes(
        self, application: Any = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> list[str]:
        every = list(super().get_available_scopes(application, request))
        if application is None:
            return every
        allowed = Partner.objects.filter(application=application).values_list("scopes", flat=True).first() or []
        return [one for one in every if one in allowed]
