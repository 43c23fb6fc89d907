"""What the list of propagations can be narrowed to, so that each number of the first page opens what it counted."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from downstream.models import Propagation, Target
from portal import clock


class _OneChoice(admin.SimpleListFilter):
    """All, or those alone that the filter means."""

    choice: str

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(self.choice, self.words())]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Propagation]) -> QuerySet[Propagation]:
        return queryset.filter(pk__in=self.meant()) if self.value() == self.choice else queryset

    def words(self) -> str:
        raise NotImplementedError

    def meant(self) -> "QuerySet[Any, Any]":
        raise NotImplementedError


class LateFilter(_OneChoice):
    """Runs that are not done although their deadline is over."""

    title = gettext_lazy("deadline")
    parameter_name, choice = "deadline", "past"

    def words(self) -> str:
        return _("past, and not verified")

    def meant(self) -> "QuerySet[Any, Any]":
        return Propagation.objects.open().filter(deadline__lt=clock.now()).values("pk")


class GapFilter(_OneChoice):
    """Runs that looked for somebody whom the dataset does not name by anything known, or whose rows it cannot date."""

    title = gettext_lazy("people it cannot tell of")
    parameter_name, choice = "gaps", "some"

    def words(self) -> str:
        return _("some")

    def meant(self) -> "QuerySet[Any, Any]":
        return Target.objects.gaps().values("propagation_id")
