"""How allauth behaves here: nobody signs up, second factors are sealed, messages hold no address."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.http import HttpRequest

from portal import crypto

SECOND_FACTOR_CONTEXT = b"second-factor"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """People come from the company's own register; nobody invents an account here."""
        return False

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        if request.user.is_staff:
            return "/admin/"
        return str(super().get_login_redirect_url(request))


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    def encrypt(self, text: str) -> str:
        return crypto.seal(text.encode(), context=SECOND_FACTOR_CONTEXT).hex()

    def decrypt(self, encrypted_text: str) -> str:
        return crypto.unseal(bytes.fromhex(encrypted_text), context=SECOND_FACTOR_CONTEXT).decode()


def signed_in_with_second_factor(request: HttpRequest) -> bool:
    """Whether this session passed a second factor, or the installation does not ask for one."""
    if not settings.STAFF_MFA:
        return True
    methods: list[dict[str, Any]] = request.session.get(AUTHENTICATION_METHODS_SESSION_KEY, [])
    return any(method.get("method") == "mfa" for method in methods)
