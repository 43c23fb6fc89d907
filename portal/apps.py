"""The portal's own application, and the admin site that asks for a second factor."""

from typing import Any

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = _("House")

    def ready(self) -> None:
        from portal import checks, clock, partitions  # noqa: F401 -- checks: registering them

        def make_partitions(**_: Any) -> None:
            partitions.keep_ready(at=clock.now())

        # a release brings the coming months along: migrate runs as the tables' owner
        post_migrate.connect(make_partitions, sender=self, weak=False, dispatch_uid="make_partitions")


class StaffAdminConfig(AdminConfig):
    default_site = "portal.staff_site.StaffSite"
