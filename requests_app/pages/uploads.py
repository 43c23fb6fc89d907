"""Pages that take files: nothing larger than they can keep is even read, and no form counts without its token."""

from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt, csrf_protect

from requests_app.pages.forms import MOST_FILES

_ROOM = 1 << 20
"""Bytes that a form needs beside its files."""

View = Callable[..., HttpResponseBase]


def bounded(too_large: View) -> Callable[[View], View]:
    """Answers with `too_large` what is announced as more than MOST_FILES of the largest file.

    The usual check of a form's token would read all of it first, so here the size is looked at before the token.
    """

    def wrap(view: View) -> View:
        checked = csrf_protect(view)

        @csrf_exempt
        @wraps(view)
        def wrapped(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            if _announced(request) > MOST_FILES * settings.LARGEST_FILE + _ROOM:
                return too_large(request, *args, **kwargs)
            return checked(request, *args, **kwargs)

        return wrapped

    return wrap


def _announced(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0
