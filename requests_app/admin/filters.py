"""What the queue can be narrowed to. Each choice is answered from an index over what is open."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy

from consents import subjects
from portal import clock
from portal.countries import name_of
from portal.models import User
from requests_app import remaining
from requests_app.models import Request
from requests_app.states import CLOSED, Channel, Right, Status

_OPEN = ~Q(status__in=sorted(CLOSED))
_PROVEN = ~Q(status=Status.VERIFYING)
NOBODY = "nobody"

_VIEWS: dict[str, tuple[Any, Callable[[User, datetime], Q]]] = {
    "mine": (gettext_lazy("mine"), lambda user, at: _OPEN & Q(assigned_to=user)),
    "unassigned": (gettext_lazy("nobody's"), lambda user, at: _OPEN & _PROVEN & Q(assigned_to__isnull=True)),
    "overdue": (gettext_lazy("overdue"), lambda user, at: _OPEN & remaining.overdue(at)),
    "today": (gettext_lazy("due today"), lambda user, at: _OPEN & remaining.due_today(at)),
    "soon": (gettext_lazy("due within a week"), lambda user, at: _OPEN & remaining.due_soon(at)),
    "waiting": (gettext_lazy("waiting for the person"), lambda user, at: Q(status=Status.AWAITING_SUBJECT)),
    "second": (gettext_lazy("waiting for a second pair of eyes"), lambda user, at: Q(status=Status.IN_REVIEW)),
    "escalated": (gettext_lazy("escalated"), lambda user, at: _OPEN & Q(escalated_at__isnull=False)),
    "unproven": (gettext_lazy("identity not shown yet"), lambda user, at: Q(status=Status.VERIFYING)),
    "closed": (gettext_lazy("closed"), lambda user, at: Q(status__in=sorted(CLOSED))),
}
"""By name: what staff read, and which requests it holds."""


def views(shown: str) -> list[tuple[Any, str, bool]]:
    """Each view as (words, its address on the list, whether it is the one that is shown)."""
    every = [("", gettext_lazy("open")), *((name, words) for name, (words, _) in _VIEWS.items())]
    return [(words, f"?view={name}" if name else "?", name == shown) for name, words in every]


class ViewFilter(admin.SimpleListFilter):
    """By what has to be done; without a choice, all that is open and proven."""

    title = gettext_lazy("view")
    parameter_name = "view"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(name, words) for name, (words, _) in _VIEWS.items()] + [("every", gettext_lazy("every request"))]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        yield {**first, "display": gettext_lazy("open")}
        yield from others

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Request]") -> "QuerySet[Request]":
        chosen = self.value()
        if chosen == "every":
            return queryset
        if chosen not in _VIEWS:
            return queryset.filter(_OPEN & _PROVEN)
        assert isinstance(request.user, User)  # noqa: S101 -- the staff's site lets nobody else in
        return queryset.filter(_VIEWS[chosen][1](request.user, clock.now()))


class _ByValue(admin.SimpleListFilter):
    """By one column's value; the choices are known beforehand, since DISTINCT would read every request."""

    column: str

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Request]") -> "QuerySet[Request]":
        chosen = self.value()
        if chosen is None:
            return queryset
        # a hand-made address names nothing, and fails in no other way
        known = {str(value) for value, _ in self.lookup_choices}
        return queryset.filter(**{self.column: chosen}) if chosen in known else queryset.none()


class RightFilter(_ByValue):
    title = gettext_lazy("right")
    parameter_name = column = "right"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Right.choices)


class StatusFilter(_ByValue):
    title = gettext_lazy("status")
    parameter_name = column = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Status.choices)


class ChannelFilter(_ByValue):
    title = gettext_lazy("came in")
    parameter_name = column = "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Channel.choices)


class PlaceFilter(_ByValue):
    """Where people live; a country's requests by its own code, a part's by the part's."""

    title = gettext_lazy("lives in")
    parameter_name = column = "jurisdiction"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return sorted(((code, name_of(code)) for code in subjects.places()), key=lambda one: str(one[1]))


class StaffFilter(_ByValue):
    """Whose it is."""

    title = gettext_lazy("assigned to")
    parameter_name = "staff"
    column = "assigned_to"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        staff = User.objects.filter(is_staff=True, is_active=True).order_by("username").values_list("pk", "username")
        return [(NOBODY, gettext_lazy("nobody")), *((str(pk), name) for pk, name in staff)]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Request]") -> "QuerySet[Request]":
        if self.value() == NOBODY:
            return queryset.filter(assigned_to__isnull=True)
        return super().queryset(request, queryset)
