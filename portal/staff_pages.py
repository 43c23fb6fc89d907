"""Bases of the staff's pages: nothing is edited in place, what changes goes through a domain call."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django_htmx.http import HttpResponseClientRedirect
from unfold.admin import ModelAdmin

from portal import actors
from portal.errors import DomainError

M = TypeVar("M", bound=Model)


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]
    """Shows rows that the house itself writes."""

    list_filter_submit = True
    list_fullwidth = True
    compressed_fields = True

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def found(rows: "QuerySet[M]", object_id: str) -> M | None:
    """The row with this id, as it came in an address; None for one that is no id at all."""
    try:
        return rows.filter(pk=object_id).first()
    except (ValidationError, ValueError):
        return None


def by(request: HttpRequest) -> str:
    """The acting member of staff, as ledger and audit name them."""
    return actors.staff(str(request.user.pk))


def attempt(request: HttpRequest, act: Callable[[], Any], *, done: str, then: str) -> HttpResponse:
    """Make the one domain call, say how it went, and go on to `then`."""
    try:
        act()
        messages.success(request, done)
    except DomainError as error:
        messages.error(request, error.message)
    return HttpResponseClientRedirect(then)
