"""Looking people up: by an exact identifier, each look in the audit trail."""

import uuid
from contextlib import suppress
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _

from consents import subjects
from consents.models import Partner, Preference, Subject
from consents.vocabulary import Scheme
from portal import audit, clock
from portal.staff_pages import ReadOnlyAdmin, by, found


@admin.register(Subject)
class SubjectAdmin(ReadOnlyAdmin):
    list_display = ("id", "jurisdiction", "registered_at", "erased_at")
    list_filter = ("jurisdiction",)
    search_fields = ("identifiers__value",)
    search_help_text = _("An account reference, a mail address, or an id – exactly as it is; each look is recorded")
    fields = ("id", "jurisdiction", "locale", "is_minor", "registered_at", "erased_at", "known_as", "says")
    readonly_fields = ("known_as", "says")
    show_full_result_count = False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Subject], search_term: str
    ) -> tuple[QuerySet[Subject], bool]:
        if not search_term:
            return queryset, False
        found = [_fingerprint(scheme, search_term) for scheme in (Scheme.ACCOUNT, Scheme.EMAIL)]
        wanted = Q(identifiers__fingerprint__in=[one for one in found if one])
        with suppress(ValueError):
            wanted |= Q(pk=uuid.UUID(search_term))
        return queryset.filter(wanted), True

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        if found(self.get_queryset(request), object_id) is not None:
            audit.record(at=clock.now(), by=by(request), action="subject.look_at", of=("subject", object_id))
        return super().change_view(request, object_id, *args, **kwargs)  # type: ignore[no-any-return]

    @admin.display(description=_("known as"))
    def known_as(self, subject: Subject) -> str:
        schemes = subject.identifiers.values_list("scheme", flat=True)
        named = [(scheme, subjects.values([subject.pk], scheme=scheme).get(subject.pk, "–")) for scheme in schemes]
        return format_html_join("\n", "<p>{}: {}</p>", named) or "–"

    @admin.display(description=_("says"))
    def says(self, subject: Subject) -> str:
        held = Preference.objects.filter(subject=subject).order_by("purpose")
        rows = [(one.purpose or "*", one.get_action_display(), f"{one.recorded_at:%Y-%m-%d %H:%M}") for one in held]
        return format_html_join("\n", "<p>{}: {} ({})</p>", rows) or "–"


def _fingerprint(scheme: str, term: str) -> bytes | None:
    try:
        return subjects.name(scheme, term).fingerprint
    except subjects.IdentifierError:
        return None


@admin.register(Partner)
class PartnerAdmin(ReadOnlyAdmin):
    list_display = ("name", "slug", "recipients", "jurisdictions", "schemes")
