"""Imports of requests: uploading a file, what is wrong with it, having it taken in, how far that is."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action
from unfold.enums import ActionVariant

from portal import audit, clock, nudge
from portal.errors import DomainError
from portal.staff_dialogs import ConfirmForm, asking
from portal.staff_pages import ReadOnlyAdmin, attempt, badge, by, found, lines, named
from requests_app import import_rows, importing
from requests_app.admin import import_preview
from requests_app.admin.intake_forms import ImportForm
from requests_app.models import ImportState, RequestImport
from requests_app.rights import rectification
from requests_app.states import FOLLOW_UPS, Right

CARRY_OUT = "requests_app.carry_out"
_KINDS = {
    ImportState.CHECKED: "warning",
    ImportState.WAITING: "info",
    ImportState.DONE: "success",
    ImportState.DROPPED: "default",
}
_SHOWN = 50


@admin.register(RequestImport)
class RequestImportAdmin(ReadOnlyAdmin):
    add_label = gettext_lazy("Upload a file")
    empty_title = gettext_lazy("No file was imported yet")
    empty_text = gettext_lazy("Upload requests that another system holds. Nothing is taken in before you looked at it.")
    list_display = ("name", "progress", "rows", "accepted", "repeated", "refused", "who", "checked_at")
    list_filter = ("state",)
    fields = (
        "name",
        "progress",
        "next_step",
        "rows",
        "accepted",
        "repeated",
        "refused",
        "refused_lines",
        "understood_lines",
        "who",
        "approver",
        "checked_at",
        "finished_at",
    )
    readonly_fields = ("progress", "next_step", "refused_lines", "understood_lines", "who", "approver")
    actions_detail = ("take_in", "give_up")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(CARRY_OUT))

    def has_decide_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        if not self.has_add_permission(request):
            return False
        undecided = RequestImport.objects.filter(state=ImportState.CHECKED)
        return object_id is None or found(undecided, object_id) is not None

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def progress(self, one: RequestImport) -> str:
        words = str(one.get_state_display())
        if one.state == ImportState.WAITING and one.rows_done:
            words = _("%(done)d of %(rows)d rows") % {"done": one.rows_done, "rows": one.rows}
        return badge(_KINDS[ImportState(one.state)], words)

    @admin.display(description=gettext_lazy("what comes next"))
    def next_step(self, one: RequestImport) -> str:
        if one.state == ImportState.CHECKED:
            return ngettext(
                "Have the %d row taken in that nothing is wrong with, or give the file up and upload it mended.",
                "Have the %d rows taken in that nothing is wrong with, or give the file up and upload it mended.",
                one.rows - one.refused,
            ) % (one.rows - one.refused)
        if one.state == ImportState.WAITING:
            return _("Nothing for you to do: a worker takes the rows in. Look at this page again in a while.")
        return _("Nothing: the file is deleted.")

    @admin.display(description=gettext_lazy("uploaded by"), ordering="by")
    def who(self, one: RequestImport) -> str:
        return named(one.by)

    @admin.display(description=gettext_lazy("had it taken in"))
    def approver(self, one: RequestImport) -> str:
        return named(one.approved_by) if one.approved_by else "–"

    @admin.display(description=gettext_lazy("refused lines"))
    def refused_lines(self, one: RequestImport) -> str:
        """The first ones, and all of them as a file."""
        if not one.refused:
            return "–"
        first = one.refusals.order_by("line", "pk")[:_SHOWN]
        address = reverse("admin:requests_app_requestimport_refusals", args=[one.pk])
        link = format_html('<a class="text-link" href="{}">{}</a>', address, _("All %d lines as CSV") % one.refused)
        shown = [(_("line %d") % why.line, why.column or "–", why.code, why.message) for why in first]
        return lines([(link,), *shown])

    @admin.display(description=gettext_lazy("lines to be taken in"))
    def understood_lines(self, one: RequestImport) -> str:
        """Where it is shown how they are read, as long as the file is there."""
        if one.sealed_key is None or one.rows == one.refused:
            return "–"
        address = reverse("admin:requests_app_requestimport_read", args=[one.pk])
        return format_html('<a class="text-link" href="{}">{}</a>', address, _("See how they are read (audited)"))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.download)
        guarded = self.admin_site.admin_view
        own: list[URLPattern] = [
            path("empty.csv", guarded(self.empty), name="requests_app_requestimport_empty"),
            path("<path:object_id>/refusals.csv", view, name="requests_app_requestimport_refusals"),
            path("<path:object_id>/read/", guarded(self.read), name="requests_app_requestimport_read"),
        ]
        return own + super().get_urls()  # type: ignore[no-any-return]  # unfold has no types

    def download(self, request: HttpRequest, object_id: str) -> StreamingHttpResponse:
        if not request.user.has_perm("requests_app.view_requestimport"):
            raise PermissionDenied
        one = found(RequestImport.objects.all(), object_id)
        if one is None:
            raise Http404
        at = clock.now()
        audit.record(at=at, by=by(request), action="request_import.download", of=("request_import", one.pk))
        headers = {"Content-Disposition": f'attachment; filename="refused-{one.pk}.csv"'}
        return StreamingHttpResponse(_csv(one), content_type="text/csv; charset=utf-8", headers=headers)

    def read(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What the lines say that would be taken in: of people, so each look is recorded."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        one = found(RequestImport.objects.all(), object_id)
        if one is None:
            raise Http404
        start = request.GET.get("from", "0")
        at = clock.now()
        try:
            shown = import_preview.context(one, start=int(start) if start.isdecimal() else 0, at=at)
        except DomainError as error:
            messages.error(request, error.message)
            return redirect("admin:requests_app_requestimport_change", one.pk)
        audit.record(at=at, by=by(request), action="request_import.look_into", of=("request_import", one.pk))
        context = {**self.admin_site.each_context(request), **shown, "one": one, "title": _("How it is read")}
        return TemplateResponse(request, "admin/requests_app/requestimport/read.html", context)

    def empty(self, request: HttpRequest) -> HttpResponse:
        """A file with the header alone, to be filled in."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        headers = {"Content-Disposition": 'attachment; filename="requests.csv"'}
        return HttpResponse(import_preview.empty_file(), content_type="text/csv; charset=utf-8", headers=headers)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
        if form.is_valid():
            file = form.cleaned_data["file"]
            try:
                one = importing.check(name=file.name, parts=file.chunks(), by=by(request), at=clock.now())
            except DomainError as error:
                form.add_error("file", error.message)
            else:
                messages.success(request, _("The file was looked through. Nothing was taken in yet."))
                return redirect("admin:requests_app_requestimport_change", one.pk)
        context = {
            **self.admin_site.each_context(request),
            "form": form,
            "title": _("Imports of requests"),
            "required": import_rows.REQUIRED,
            "optional": (*import_rows.OPTIONAL, *import_rows.USES, *import_rows.PARTS),
            "most": rectification.MOST,
            "rights": [one.value for one in Right if one not in FOLLOW_UPS],
        }
        status = 400 if form.errors else 200
        return TemplateResponse(request, "admin/requests_app/requestimport/upload.html", context, status=status)

    @action(
        description=gettext_lazy("Take the requests in"),
        permissions=["decide"],
        variant=ActionVariant.PRIMARY,
        dialog=asking(
            title=gettext_lazy("Take these requests in"),
            says=gettext_lazy(
                "Every line that is not refused becomes requests, on the clock from the day it was received. "
                "What needs no staff is carried out at once where identity was shown. You are recorded as who decided."
            ),
            button=gettext_lazy("Take them in"),
        ),
    )
    def take_in(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        one = RequestImport.objects.get(pk=object_id)

        def approve() -> None:
            importing.approve(one=one, by=by(request), at=clock.now())
            nudge.after_commit(importing.TASK)

        return attempt(request, approve, done=_("The requests are being taken in."), then=_page(object_id))

    @action(
        description=gettext_lazy("Give the file up"),
        permissions=["decide"],
        variant=ActionVariant.DANGER,
        dialog=asking(
            title=gettext_lazy("Give this file up"),
            says=gettext_lazy("Nothing is taken in, and the file is deleted."),
            button=gettext_lazy("Delete the file"),
        ),
    )
    def give_up(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        one = RequestImport.objects.get(pk=object_id)
        return attempt(
            request,
            lambda: importing.drop(one=one, by=by(request), at=clock.now()),
            done=_("The file is deleted; nothing was taken in."),
            then=_page(object_id),
        )


def _page(object_id: str) -> str:
    return reverse("admin:requests_app_requestimport_change", args=[object_id])


def _csv(one: RequestImport) -> Iterator[str]:
    for row in importing.report(one):
        buffer = io.StringIO()
        csv.writer(buffer).writerow(row)
        yield buffer.getvalue()
