"""Downstream as Django and the staff's pages call it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DownstreamConfig(AppConfig):
    name = "downstream"
    verbose_name = _("Training data")

    def ready(self) -> None:
        from downstream import webhook_rotation
        from portal import resealing

        resealing.join(webhook_rotation.STORE)
