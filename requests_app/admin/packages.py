"""The answer to a request, as staff make it: building, looking through it, leaving out what is others', releasing."""

from collections.abc import Callable, Iterator
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods

from portal import audit, clock, downloads, nudge
from portal.errors import DomainError, NoRoom
from portal.staff_pages import ReadOnlyAdmin, badge, by, found, named
from requests_app import evidence, packages
from requests_app.admin import package_files
from requests_app.admin.package_forms import RedactionForm
from requests_app.models import Package, Redaction, Request
from requests_app.packages import previews, redaction
from requests_app.states import Ground, PackageStatus

CARRY_OUT = "requests_app.carry_out"
KINDS = {
    PackageStatus.WAITING: "info",
    PackageStatus.BUILDING: "info",
    PackageStatus.REVIEW: "warning",
    PackageStatus.READY: "success",
    PackageStatus.FAILED: "danger",
    PackageStatus.DELETED: "default",
}
_BOX = "row"
_REASONS = {NoRoom.code: gettext_lazy("there is no room left where files are kept; tell those who run the servers")}


@admin.register(Package)
class PackageAdmin(ReadOnlyAdmin):
    empty_title = gettext_lazy("No answer package yet")
    empty_text = gettext_lazy("They are built on the pages of access and portability requests.")
    list_display = ("answer_to", "state", "large", "asked_at", "released_at", "expires_at")
    list_filter = ("status",)
    list_select_related = ("request",)
    fields = (
        *("answer_to", "state", "large", "sha256", "asked_at", "asked_who", "attempts", "progress", "last_reason"),
        *("built_at", "released_at", "expires_at", "deleted_at", "fetched"),
    )
    readonly_fields = ("answer_to", "state", "large", "asked_who", "fetched")

    @admin.display(description=gettext_lazy("answer to"))
    def answer_to(self, package: Package) -> str:
        address = reverse("admin:requests_app_package_answer", args=[package.request_id])
        return format_html('<a class="text-link" href="{}">{}</a>', address, package.request.reference)

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def state(self, package: Package) -> str:
        return badge(KINDS[PackageStatus(package.status)], str(package.get_status_display()))

    @admin.display(description=gettext_lazy("size"), ordering="size")
    def large(self, package: Package) -> str:
        return filesizeformat(package.size) if package.size else "–"

    @admin.display(description=gettext_lazy("asked by"))
    def asked_who(self, package: Package) -> str:
        return named(package.asked_by)

    @admin.display(description=gettext_lazy("fetched"))
    def fetched(self, package: Package) -> int:
        return package.downloads.count()

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own = [
            path("of/<uuid:request_id>/", view(self.answer_view), name="requests_app_package_answer"),
            path("of/<uuid:request_id>/evidence.zip", view(evidence_view), name="requests_app_request_evidence"),
            path("<uuid:package_id>/answer.zip", view(look_into_view), name="requests_app_package_file"),
        ]
        return [*own, *super().get_urls()]

    @method_decorator(require_http_methods(["GET", "POST"]))
    def answer_view(self, request: HttpRequest, request_id: object) -> HttpResponse:
        """One page: how far the answer is, its parts, rows of one of them, and what is left out."""
        one = _request(request, request_id)
        form = RedactionForm(request.POST if request.POST.get("act") == "redact" else None)
        if request.method == "POST":
            done = _acted(request, one, form)
            if done is not None:
                return done
        # what is left out, and why, names people too
        audit.record(at=clock.now(), by=by(request), action="request.look_at_answer", of=("request", one.pk))
        context = {**self.admin_site.each_context(request), **_shown(request, one), "form": form}
        return TemplateResponse(request, "admin/requests_app/package/answer.html", context)


@require_GET
def look_into_view(request: HttpRequest, package_id: object) -> HttpResponseBase:
    """The package as the person gets it, for whoever has to release it; audited."""
    _need(request)
    package = found(Package.objects.select_related("request"), str(package_id))
    if package is None:
        raise Http404
    try:
        content = packages.look_into(package=package, by=by(request), at=clock.now())
    except DomainError as error:
        messages.error(request, error.message)
        return redirect("admin:requests_app_package_answer", package.request_id)
    return _zip(content, name=f"{package.request.reference}.zip", size=package.size)


@require_GET
def evidence_view(request: HttpRequest, request_id: object) -> HttpResponseBase:
    """Everything about the request as one signed file, for an authority; audited."""
    one = _request(request, request_id)
    content = evidence.export(request=one, by=by(request), at=clock.now())
    return _zip(content, name=evidence.file_name(one))


def _zip(content: Iterator[bytes], *, name: str, size: int | None = None) -> HttpResponseBase:
    return downloads.as_attachment(content, name=name, content_type="application/zip", size=size)


def _request(request: HttpRequest, request_id: object) -> Request:
    _need(request)
    one = found(Request.objects.select_related("subject"), str(request_id))
    if one is None:
        raise Http404
    return one


def _need(request: HttpRequest) -> None:
    if not request.user.has_perm(CARRY_OUT):
        raise PermissionDenied


def _acted(request: HttpRequest, one: Request, form: RedactionForm) -> HttpResponse | None:
    """Do what a button asks for and show the page anew; None where the form has to be looked at first."""
    act = request.POST.get("act", "")
    if act == "find":
        return None
    if act == "redact":
        if not form.is_valid():
            return None
        try:
            _redact(request, one, form)
        except DomainError as error:
            form.add_error(error.field if error.field in form.fields else None, error.message)
            return None
        messages.success(request, _("It is left out of the next build."))
        return redirect(request.get_full_path())
    if act not in _ACTS:
        raise Http404
    try:
        messages.success(request, _ACTS[act](request, one))
    except DomainError as error:
        messages.error(request, error.message)
    return redirect(request.get_full_path())


def _redact(request: HttpRequest, one: Request, form: RedactionForm) -> None:
    said = form.cleaned_data
    packages.redact(
        request=one,
        what=form.what(request.GET.get("part", ""), request.POST.getlist(_BOX)),
        ground=said["ground"],
        reason=said["reason"],
        by=by(request),
        at=clock.now(),
    )


def _build(request: HttpRequest, one: Request) -> str:
    packages.ask(request=one, by=by(request), at=clock.now())
    nudge.after_commit(packages.BUILD_TASK)
    return _("The answer is being built. This page shows how far it is.")


def _release(request: HttpRequest, one: Request) -> str:
    package = found(one.packages.all(), request.POST.get("package", ""))
    if package is None:
        raise Http404
    packages.release(package=package, by=by(request), at=clock.now())
    return _("The person can fetch it now, and is written to.")


def _undo(request: HttpRequest, one: Request) -> str:
    mine = found(one.redactions.all(), request.POST.get("redaction", ""))
    if mine is None:
        raise Http404
    packages.undo(redaction=mine, by=by(request), at=clock.now())
    return _("Taken back. The next build has it again.")


_ACTS: dict[str, Callable[[HttpRequest, Request], str]] = {
    "build": _build,
    "release": _release,
    "undo": _undo,
    **package_files.ACTS,
}


def _shown(request: HttpRequest, one: Request) -> dict[str, Any]:
    at, package = clock.now(), packages.newest(one)
    names = packages.names(one, at=at) if packages.can_ask(one) else []
    titles = {redaction.EVERYWHERE: _("Everywhere"), **dict(names)}
    part = request.GET.get("part", "")
    return {
        "title": _("Answer to %s") % one.reference,
        "data_request": one,
        "package": package,
        "state": badge(KINDS[PackageStatus(package.status)], str(package.get_status_display())) if package else "",
        "last_reason": _REASONS.get(package.last_reason, package.last_reason) if package else "",
        "fetched": package.downloads.count() if package else 0,
        "can_ask": packages.can_ask(one),
        "why_not": _why_not(lambda: packages.check_can_ask(one)),
        "can_release": package is not None and packages.can_release(package),
        "why_no_release": _why_not(lambda: packages.check_can_release(package)) if package else "",
        "parts": [(name, title, _counts(package, name)) for name, title in names],
        "part": part,
        "find": _find(request),
        "preview": _preview(request, one, part) if any(name == part for name, _title in names) else None,
        "files": package_files.shown(one, package),
        "redactions": [_redaction(each, titles) for each in one.redactions.select_related("request__subject")],
    }


def _find(request: HttpRequest) -> str:
    """What rows have to hold. It is sent, and in no address, because it names people."""
    return request.POST.get("find", "")[:200]


def _preview(request: HttpRequest, one: Request, part: str) -> dict[str, Any] | None:
    try:
        seen = previews.look(request=one, part=part, find=_find(request), by=by(request), at=clock.now())
    except DomainError as error:
        messages.error(request, error.message)
        return None
    rows = [
        {
            "mark": row.mark,
            "is_out": row.after is None,
            "notes": package_files.notes(row),
            "cells": [(column.title, *_cells(row, column.name)) for column in seen.columns],
        }
        for row in seen.rows
    ]
    return {"seen": seen, "rows": rows}


def _cells(row: previews.Seen, name: str) -> tuple[Any, Any, bool]:
    """The value as it is, as the person gets it, and whether they differ."""
    before = row.before.get(name)
    after = None if row.after is None else row.after.get(name)
    return before, after, row.after is not None and before != after


def _counts(package: Package | None, name: str) -> dict[str, Any] | None:
    found = next((part for part in package.parts if part["name"] == name), None) if package else None
    return found and {**found, "left_out": [*_left_out(found)]}


def _left_out(counts: dict[str, Any]) -> Iterator[str]:
    """How many rows, and values within others, on which ground."""
    for ground, rows in counts["rows_left_out"].items():
        words = ngettext("%(count)d row: %(ground)s", "%(count)d rows: %(ground)s", rows)
        yield words % {"count": rows, "ground": Ground(ground).label}
    for ground, values in counts["entries_left_out"].items():
        words = ngettext("%(count)d value: %(ground)s", "%(count)d values: %(ground)s", values)
        yield words % {"count": values, "ground": Ground(ground).label}


def _redaction(one: Redaction, titles: dict[str, str]) -> dict[str, Any]:
    what = redaction.what_of(one)
    return {
        "pk": one.pk,
        "what": what,
        "part": titles.get(what.part, what.part) if what else "",
        "ground": Ground(one.ground).label,
        "reason": redaction.reason_of(one),
        "who": named(one.made_by),
        "made_at": one.made_at,
        "undone_at": one.undone_at,
    }


def _why_not(check: Callable[[], None]) -> str:
    try:
        check()
    except DomainError as error:
        return error.message
    return ""
