"""Purposes, the ledger and the log's checkpoints, to be read."""

import uuid
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from consents import checkpoints
from consents.models import Checkpoint, LedgerEvent, Purpose, Recipient
from consents.vocabulary import Kind
from portal import audit, clock
from portal.staff_pages import FirstThousands, ReadOnlyAdmin, by, found, named, unbroken


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
    search_fields = ("subject_id",)
    search_help_text = _("A person's id; each look is recorded")
    paginator = FirstThousands
    exclude = ("evidence",)
    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[LedgerEvent]:
        every: QuerySet[LedgerEvent] = super().get_queryset(request)
        # ids follow time, and the primary key is in their order
        return every.select_related("placed").order_by("-id")

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[LedgerEvent]", search_term: str
    ) -> "tuple[QuerySet[LedgerEvent], bool]":
        if not search_term.strip():
            return queryset, False
        try:
            subject_id = uuid.UUID(search_term.strip())
        except ValueError:
            return queryset.none(), False
        history = queryset.filter(subject_id=subject_id)
        if history.order_by().exists():
            audit.record(at=clock.now(), by=by(request), action="subject.look_up", of=("subject", subject_id))
        return history, False

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """The filters beside the list, and no other: somebody's history is had by a search, which is recorded."""
        return lookup.partition("__")[0] in self.list_filter

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        event = found(self.get_queryset(request), object_id)
        if event is not None and event.subject_id is not None:
            of = ("subject", event.subject_id)
            audit.record(at=clock.now(), by=by(request), action="subject.look_at", of=of, details={"event": object_id})
        return super().change_view(request, object_id, *args, **kwargs)  # type: ignore[no-any-return]

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


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnlyAdmin):
    """What the house signed: so many entries, with this root."""

    list_display = ("size", "hexadecimal", "signed_at", "key_id")
    fields = ("size", "hexadecimal", "signed_at", "key_id", "note")
    readonly_fields = ("hexadecimal",)
    ordering = ("-id",)
    show_full_result_count = False

    @admin.display(description=_("root"))
    def hexadecimal(self, checkpoint: Checkpoint) -> str:
        return unbroken(bytes(checkpoint.root).hex())

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        lag = checkpoints.lag(at=clock.now())
        if lag.waiting:
            text = gettext("%(count)d events wait to be sealed, the oldest for %(seconds)d seconds.")
            messages.warning(request, text % {"count": lag.waiting, "seconds": lag.seconds})
        return super().changelist_view(request, extra_context)
