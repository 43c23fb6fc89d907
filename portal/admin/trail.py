"""The audit trail, to be read."""

from django.contrib import admin

from portal.models import AuditEntry
from portal.staff_pages import ReadOnlyAdmin


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ("at", "actor", "action", "object_type", "object_id")
    list_filter = ("action", "object_type")
    search_fields = ("actor", "object_id")
    date_hierarchy = "at"
    show_full_result_count = False
