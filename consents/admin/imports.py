"""Imports of choices: how far each got, and the lines it rejected, to be read and downloaded."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, StreamingHttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from consents.models import ChoiceImport, ImportRejection, ImportState
from portal import audit, clock
from portal.staff_pages import ReadOnlyAdmin, badge, by, found, lines, named

_KINDS = {ImportState.RUNNING: "info", ImportState.STOPPED: "danger", ImportState.DONE: "success"}
_SHOWN = 50


@admin.register(ChoiceImport)
class ChoiceImportAdmin(ReadOnlyAdmin):
    list_display = ("name", "progress", "rows_done", "accepted", "repeated", "rejected", "who", "started_at")
    list_filter = ("state", "format")
    ordering = ("-started_at",)
    fields = (
        "name",
        "format",
        "size",
        "progress",
        "reason",
        "who",
        "rows_done",
        "accepted",
        "repeated",
        "amended",
        "rejected",
        "rejected_lines",
        "started_at",
        "progressed_at",
        "finished_at",
    )
    readonly_fields = ("progress", "who", "rejected_lines")

    @admin.display(description=gettext_lazy("progress"), ordering="percent")
    def progress(self, one: ChoiceImport) -> str:
        words = f"{one.get_state_display()}, {one.percent} %" if one.percent < 100 else str(one.get_state_display())
        return badge(_KINDS[ImportState(one.state)], words)

    @admin.display(description=gettext_lazy("who"), ordering="by")
    def who(self, one: ChoiceImport) -> str:
        return named(one.by)

    @admin.display(description=gettext_lazy("rejected lines"))
    def rejected_lines(self, one: ChoiceImport) -> str:
        """The first ones, and all of them as a file."""
        if not one.rejected:
            return "–"
        first = one.rejections.order_by("line").values_list("line", "code", "message")[:_SHOWN]
        address = reverse("admin:consents_choiceimport_rejections", args=[one.pk])
        link = format_html('<a href="{}">{}</a>', address, _("All %d lines as CSV") % one.rejected)
        return lines([(link,), *first])

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.download_rejections)
        name = "consents_choiceimport_rejections"
        own: list[URLPattern] = [path("<path:object_id>/rejections.csv", view, name=name)]
        return own + super().get_urls()  # type: ignore[no-any-return]

    def download_rejections(self, request: HttpRequest, object_id: str) -> StreamingHttpResponse:
        if not request.user.has_perm("consents.view_importrejection"):
            raise PermissionDenied
        one = found(ChoiceImport.objects.all(), object_id)
        if one is None:
            raise Http404
        audit.record(at=clock.now(), by=by(request), action="import.download_rejections", of=("import", one.pk))
        headers = {"Content-Disposition": f'attachment; filename="rejections-{one.pk}.csv"'}
        return StreamingHttpResponse(_csv(one), content_type="text/csv; charset=utf-8", headers=headers)


@admin.register(ImportRejection)
class ImportRejectionAdmin(ReadOnlyAdmin):
    """Reached from its import; searched by code."""

    list_display = ("line", "code", "message", "taken_from")
    list_filter = ("code",)
    list_select_related = ("taken_from",)
    ordering = ("taken_from", "line")
    show_full_result_count = False


def _csv(one: ChoiceImport) -> Iterator[str]:
    yield _line(["line", "code", "message"])
    for row in one.rejections.order_by("line").values_list("line", "code", "message").iterator(chunk_size=2_000):
        yield _line(row)


def _line(values: Any) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(values)
    return buffer.getvalue()
