"""Middleware that people's and staff's pages need and the API does not: sessions, languages, forms, page headers.

A call of a partner, an agent or a controller carries a token and wants JSON, so below `/api/`, `/drp/` and `/opendsr/`
these step aside. They are subclasses, because Django and the admin look for the originals by class.
"""

from typing import Any

from csp.middleware import CSPMiddleware
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django_htmx.middleware import HtmxMiddleware
from whitenoise.middleware import WhiteNoiseMiddleware

from portal import pages
from portal.errors import NoRoom

PREFIX = "/api/v1/"
_CALLS = (PREFIX, "/drp/v1/", "/opendsr/")
_BROWSED = ("/api/v1/docs/", "/api/v1/schema/")


def is_call(request: HttpRequest) -> bool:
    """Whether this is a call of the API, and not a page about it."""
    return request.path_info.startswith(_CALLS) and not request.path_info.startswith(_BROWSED)


class _PagesOnly:
    get_response: Any

    def __call__(self, request: HttpRequest) -> Any:
        if is_call(request):
            return self.get_response(request)
        return super().__call__(request)  # type: ignore[misc]


class ContentSecurityPolicy(_PagesOnly, CSPMiddleware):
    """django-csp's."""


class StaticFiles(_PagesOnly, WhiteNoiseMiddleware):  # type: ignore[misc]
    """whitenoise's."""


class Sessions(_PagesOnly, SessionMiddleware):
    """Django's."""


class Languages(_PagesOnly, LocaleMiddleware):
    """Django's; calls are answered in English, whatever page this thread served before."""

    def __call__(self, request: HttpRequest) -> Any:
        if not is_call(request):
            return super().__call__(request)
        with translation.override("en"):
            return self.get_response(request)


class Forms(_PagesOnly, CsrfViewMiddleware):
    """Django's; API calls bring a token of their own, no cookie. What a form brings may find no room to be kept in.

    The check of a form's token reads all of it, files too, so there may be no room before the page is reached.
    """

    def process_view(self, request: HttpRequest, *args: Any) -> Any:
        try:
            return None if is_call(request) else super().process_view(request, *args)
        except NoRoom:
            return pages.no_room(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return pages.no_room(request) if isinstance(error, NoRoom) else None


class Authentication(_PagesOnly, AuthenticationMiddleware):
    """Django's."""


class Messages(_PagesOnly, MessageMiddleware):
    """Django's."""


class Frames(_PagesOnly, XFrameOptionsMiddleware):
    """Django's."""


class Htmx(_PagesOnly, HtmxMiddleware):
    """django-htmx's."""
