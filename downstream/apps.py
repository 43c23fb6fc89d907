"""Downstream as Django and the staff's pages call it."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DownstreamConfig(AppConfig):
    name = "downstream"
    verbose_name = _("Training data")
