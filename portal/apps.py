"""The portal's own application, and the admin site that asks for a second factor."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig
from django.utils.translation import gettext_lazy as _


class PortalConfig(AppConfig):
    name = "portal"
    verbose_name = _("House")

    def ready(self) -> None:
        from portal import checks  # noqa: F401 -- registering the system checks


class StaffAdminConfig(AdminConfig):
    default_site = "portal.staff_site.StaffSite"
