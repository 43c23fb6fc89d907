"""The staff's site: Django's admin in unfold's dress, open to those with a second factor."""

from typing import Any
from urllib.parse import urlencode

from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.sites import UnfoldAdminSite

from portal.accounts import signed_in_with_second_factor


class StaffSite(UnfoldAdminSite):  # type: ignore[misc]
    """Refuses a session that did not pass a second factor, and says how to get one."""

    index_title = gettext_lazy("Today")

    def has_permission(self, request: HttpRequest) -> bool:
        return bool(super().has_permission(request)) and signed_in_with_second_factor(request)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        here = request.GET.get("next") or reverse("admin:index")
        if not request.user.is_authenticated:
            return redirect(f"{reverse('account_login')}?{urlencode({'next': here})}")
        if not (request.user.is_active and request.user.is_staff):
            return render(request, "403.html", status=403)
        if self.has_permission(request):
            return redirect(reverse("admin:index"))
        if is_mfa_enabled(request.user):
            return redirect(f"{reverse('mfa_reauthenticate')}?{urlencode({'next': here})}")
        messages.info(request, _("Staff need a second factor. Set one up now; then you come in."))
        return redirect("mfa_activate_totp")

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return redirect("account_logout")
