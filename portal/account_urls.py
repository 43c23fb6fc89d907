"""Signing in and out, and the staff's second factor: what Heed uses of allauth, and nothing else of it.

With the rest, whoever borrowed a session could add an address or a password to the account and come back for good.
Its names still lead somewhere, because allauth's own code asks for them; there is nothing to find at the address.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from allauth.account import views as account
from allauth.mfa.base import views as second_factor
from allauth.mfa.recovery_codes import views as recovery_codes
from allauth.mfa.totp import views as totp
from django.http import Http404, HttpRequest, HttpResponseBase
from django.urls import path

View = Callable[..., HttpResponseBase]


def nothing(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
    """A page of allauth's that Heed does not have."""
    raise Http404


def _for_staff(view: View) -> View:
    """People have no second factor: one that somebody else set up would lock them out."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and not request.user.is_staff:
            raise Http404
        return view(request, *args, **kwargs)

    return guarded


_USED = [
    path("login/", account.login, name="account_login"),
    path("login/code/", account.request_login_code, name="account_request_login_code"),
    path("login/code/confirm/", account.confirm_login_code, name="account_confirm_login_code"),
    path("logout/", account.logout, name="account_logout"),
    path("inactive/", account.account_inactive, name="account_inactive"),
    path("reauthenticate/", _for_staff(account.reauthenticate), name="account_reauthenticate"),
    # asked for between the code and the session, when nobody is signed in yet
    path("2fa/authenticate/", second_factor.authenticate, name="mfa_authenticate"),
    path("2fa/", _for_staff(second_factor.index), name="mfa_index"),
    path("2fa/reauthenticate/", _for_staff(second_factor.reauthenticate), name="mfa_reauthenticate"),
    path("2fa/totp/activate/", _for_staff(totp.activate_totp), name="mfa_activate_totp"),
    path("2fa/totp/deactivate/", _for_staff(totp.deactivate_totp), name="mfa_deactivate_totp"),
    path("2fa/recovery-codes/", _for_staff(recovery_codes.view_recovery_codes), name="mfa_view_recovery_codes"),
    path(
        "2fa/recovery-codes/generate/",
        _for_staff(recovery_codes.generate_recovery_codes),
        name="mfa_generate_recovery_codes",
    ),
    path(
        "2fa/recovery-codes/download/",
        _for_staff(recovery_codes.download_recovery_codes),
        name="mfa_download_recovery_codes",
    ),
]
_UNUSED = [
    path("signup/", nothing, name="account_signup"),
    path("email/", nothing, name="account_email"),
    path("confirm-email/", nothing, name="account_email_verification_sent"),
    path("confirm-email/<str:key>/", nothing, name="account_confirm_email"),
    path("password/change/", nothing, name="account_change_password"),
    path("password/set/", nothing, name="account_set_password"),
    path("password/reset/", nothing, name="account_reset_password"),
    path("password/reset/done/", nothing, name="account_reset_password_done"),
    path("password/reset/key/done/", nothing, name="account_reset_password_from_key_done"),
    path("password/reset/key/<str:uidb36>-<str:key>/", nothing, name="account_reset_password_from_key"),
]
urlpatterns = [*_USED, *_UNUSED]
