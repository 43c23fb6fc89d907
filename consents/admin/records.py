"""Notices, purposes and the ledger, to be read."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from consents.models import LedgerEvent, Notice, Purpose, Recipient
from consents.vocabulary import Kind
from portal.staff_pages import ReadOnlyAdmin, named


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    list_display = ("title", "slug", "version", "locale", "published_at", "effective_at")
    list_filter = ("slug", "locale")


@admin.register(Purpose)
class PurposeAdmin(ReadOnlyAdmin):
    list_display = ("name", "slug", "dpv_term")


@admin.register(Recipient)
class RecipientAdmin(ReadOnlyAdmin):
    list_display = ("name", "country", "is_controller")


@admin.register(LedgerEvent)
class LedgerEventAdmin(ReadOnlyAdmin):
    list_display = ("place", "kind", "action", "purpose", "door", "who", "recorded_at")
    list_filter = ("kind", "action", "source")
    search_fields = ("=subject_id",)
    exclude = ("evidence",)
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerEvent]:
        every: QuerySet[LedgerEvent] = super().get_queryset(request)
        return every.select_related("placed").order_by("-recorded_at")

    @admin.display(description=_("position"))
    def place(self, event: LedgerEvent) -> str:
        placed = getattr(event, "placed", None)
        return str(placed.position) if placed else "…"

    @admin.display(description=_("came"), ordering="source")
    def door(self, event: LedgerEvent) -> str:
        """Only people's choices come through a door; the rest is of our own making."""
        return str(event.get_source_display()) if event.kind == Kind.CHOICE else "–"

    @admin.display(description=_("who"), ordering="actor")
    def who(self, event: LedgerEvent) -> str:
        return named(event.actor)
