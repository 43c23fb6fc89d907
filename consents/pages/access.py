"""Whose pages these are: the signed-in person, or nobody."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render

from consents.models import Subject


def subject_of(request: HttpRequest) -> Subject | None:
    """The living person who is signed in."""
    if not request.user.is_authenticated:
        return None
    return Subject.objects.filter(account=request.user, erased_at__isnull=True).first()


def for_subject(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Sign in first; staff without a person's record get a page that says so."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        subject = subject_of(request)
        if subject is None:
            return render(request, "consents/no_subject.html", status=403)
        return view(request, subject, *args, **kwargs)

    return login_required(wrapped)
