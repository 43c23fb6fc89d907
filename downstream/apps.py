"""Downstream as Django and the staff's pages call it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from portal import rotated_stores


class DownstreamConfig(AppConfig):
    name = "downstream"
    verbose_name = _("Training data")

    def ready(self) -> None:
        # by name: their tables are not there yet while apps are loaded
        rotated_stores.add("downstream.key_rotation.STORE")
        rotated_stores.add("downstream.webhook_rotation.STORE")
