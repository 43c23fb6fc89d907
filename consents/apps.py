"""Consents as Django and the staff's pages call it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConsentsConfig(AppConfig):
    name = "consents"
    verbose_name = _("Choices")

    def ready(self) -> None:
        from consents import checks  # noqa: F401 -- registering the system checks
