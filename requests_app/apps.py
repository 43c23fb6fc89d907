"""Requests as Django and the staff's pages call it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from portal import rotated_stores


class RequestsConfig(AppConfig):
    name = "requests_app"
    verbose_name = _("Data requests")

    def ready(self) -> None:
        # by name: their tables are not there yet while apps are loaded
        rotated_stores.add("requests_app.key_rotation.LETTERS")
        rotated_stores.add("requests_app.key_rotation.UNKNOWN")
        from requests_app import checks  # noqa: F401 -- registering the system checks
