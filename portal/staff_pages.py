"""Bases of the staff's pages: nothing is edited in place, what changes goes through a domain call.

Also the few pieces that these pages are written with: badges, lines, who acted.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.contrib import messages
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect
from unfold.admin import ModelAdmin

from portal import actors
from portal.errors import DomainError
from portal.models import User

M = TypeVar("M", bound=Model)
_NAMES_KEPT_SECONDS = 60


# subscripting needs django-stubs at run time
class FirstThousands(Paginator):  # type: ignore[type-arg]
    """Pages of a list without end: counts no further than anybody turns pages, whatever the table holds."""

    furthest = 10_000
    object_list: "QuerySet[Any]"

    @cached_property
    def count(self) -> int:
        return self.object_list.order_by()[: self.furthest].count()


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

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """None for what is no id at all: the database refuses NUL even in a question."""
        return None if "\0" in object_id else super().get_object(request, object_id, from_field)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Titled by what is listed, not by what Django would have the reader select."""
        title = capfirst(str(self.opts.verbose_name_plural))
        shown = super().changelist_view(request, {"title": title, **(extra_context or {})})
        return shown  # type: ignore[no-any-return]


def found(rows: "QuerySet[M]", object_id: str) -> M | None:
    """The row with this id, as it came in an address; None for one that is no id at all."""
    if "\0" in object_id:
        return None
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


def badge(kind: str, text: str) -> SafeString:
    """A state in words and colour: info, success, warning or danger. Looks the same in lists and on detail pages."""
    return SafeString(render_to_string("unfold/helpers/label.html", {"type": kind, "text": text}))


def lines(rows: Iterable[tuple[Any, ...]], *, otherwise: str = "–") -> SafeString:
    """One line for each row, its parts beside each other."""
    shown = [(format_html_join("", "<span>{}</span>", ((part,) for part in row)),) for row in rows]
    if not shown:
        return format_html("{}", otherwise)
    return format_html('<div class="lines">{}</div>', format_html_join("", '<div class="line">{}</div>', shown))


def unbroken(text: str) -> SafeString:
    """A reference or id that must stay on one line."""
    return format_html('<span class="reference">{}</span>', text)


def named(actor: str) -> str:
    """Who acted, as colleagues call them: ledger and audit hold only `kind:id`."""
    kind, _colon, identifier = actor.partition(":")
    if kind == "staff":
        return str(cache.get_or_set(f"staff-name:{identifier}", lambda: _username(identifier), _NAMES_KEPT_SECONDS))
    words = {
        "subject": _("the person"),
        "system": "Heed",
        "command": _("command %s") % identifier,
        "partner": _("partner %s") % identifier,
        "agent": _("agent %s") % identifier,
    }
    return words.get(kind, actor or "–")


def _username(identifier: str) -> str:
    user = found(User.objects.all(), identifier)
    return user.username if user else _("a former member of staff")
