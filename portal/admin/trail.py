"""The audit trail, to be read."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from portal.models import AuditEntry
from portal.staff_pages import FirstThousands, ReadOnlyAdmin, named


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "who", "did", "object_type", "object_id")
    fields = ("at", "who", "actor", "did", "object_type", "object_id", "details")
    readonly_fields = ("who", "did")
    list_filter = ("action", "object_type")
    # what an index finds, in a table that only grows
    search_fields = ("object_id__exact",)
    search_help_text = _("The id of a person, a request, a rule …")
    paginator = FirstThousands
    show_full_result_count = False
    ordering = ("-id",)

    @admin.display(description=_("who"), ordering="actor")
    def who(self, entry: AuditEntry) -> str:
        return named(entry.actor)

    @admin.display(description=_("did"), ordering="action")
    def did(self, entry: AuditEntry) -> str:
        """`request.look_at` as "request: look at"."""
        return entry.action.replace(".", ": ").replace("_", " ")
