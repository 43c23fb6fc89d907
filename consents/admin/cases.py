"""Regulators' cases: opening, noting, linking holds, closing."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action
from unfold.enums import ActionVariant

from consents import cases
from consents.admin.rule_forms import CaseForm, LinkForm, NoteForm
from consents.models import RegulatorCase
from portal import clock
from portal.errors import DomainError
from portal.staff_dialogs import ConfirmForm, asking
from portal.staff_pages import ReadOnlyAdmin, attempt, badge, by, found, lines, named

HANDLE = "consents.handle_case"


@admin.register(RegulatorCase)
class RegulatorCaseAdmin(ReadOnlyAdmin):
    add_label = gettext_lazy("Open a case")
    empty_title = gettext_lazy("No case was ever opened")
    empty_text = gettext_lazy("Open one when an authority asks, and link the holds that follow from it.")
    list_display = ("title", "authority", "reference", "state", "opened_at", "closed_at")
    list_filter = ("authority",)
    fields = ("title", "authority", "reference", "state", "notes", "linked", "happened")
    readonly_fields = ("state", "linked", "happened")
    actions_detail = ("note", "link_hold", "close")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(HANDLE))

    def has_handle_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        if not self.has_add_permission(request):
            return False
        still_open = RegulatorCase.objects.filter(closed_at__isnull=True)
        return object_id is None or found(still_open, object_id) is not None

    @admin.display(description=gettext_lazy("state"))
    def state(self, case: RegulatorCase) -> str:
        return badge("warning", _("open")) if case.is_open else badge("default", _("closed"))

    @admin.display(description=gettext_lazy("holds"))
    def linked(self, case: RegulatorCase) -> str:
        return lines(
            (
                format_html(
                    '<a class="text-link" href="{}">{}</a>', reverse("admin:consents_hold_change", args=[one.pk]), one
                ),
                badge("warning", _("in force")) if one.is_open else badge("default", _("lifted")),
            )
            for one in case.holds.all()
        )

    @admin.display(description=gettext_lazy("what happened"))
    def happened(self, case: RegulatorCase) -> str:
        told: list[tuple[Any, str, str]] = [(case.opened_at, _("opened"), case.opened_by)]
        told += [(one.written_at, one.text, one.written_by) for one in case.entries.all()]
        if case.closed_at:
            told.append((case.closed_at, _("closed"), case.closed_by))
        return lines((date_format(at, "DATETIME_FORMAT"), what, named(who)) for at, what, who in told)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = CaseForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                case = cases.open(**form.cleaned_data, by=by(request), at=clock.now())
            except DomainError as error:
                form.add_error(error.field, error.message)
            else:
                messages.success(request, _("The case is open. Link the holds that follow from it."))
                return redirect(_address(str(case.pk)))
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": _("Open a case"), "form": form}
        return TemplateResponse(request, "admin/consents/regulatorcase/open.html", context)

    @action(
        description=gettext_lazy("Add a note"),
        permissions=["handle"],
        variant=ActionVariant.PRIMARY,
        dialog={
            "title": gettext_lazy("Add a note"),
            "description": gettext_lazy("What was asked, answered or agreed."),
            "form_class": NoteForm,
            "form_submit_text": gettext_lazy("Write it down"),
        },
    )
    def note(self, request: HttpRequest, form: NoteForm, object_id: str) -> HttpResponse:
        case = RegulatorCase.objects.get(pk=object_id)
        return attempt(
            request,
            lambda: cases.note(case=case, text=form.cleaned_data["text"], by=by(request), at=clock.now()),
            done=_("It is written down."),
            then=_address(object_id),
        )

    @action(
        description=gettext_lazy("Link a hold"),
        permissions=["handle"],
        dialog={
            "title": gettext_lazy("Link a hold"),
            "description": gettext_lazy("Holds that belong to no case yet."),
            "form_class": LinkForm,
            "form_submit_text": gettext_lazy("Link it"),
        },
    )
    def link_hold(self, request: HttpRequest, form: LinkForm, object_id: str) -> HttpResponse:
        case = RegulatorCase.objects.get(pk=object_id)
        return attempt(
            request,
            lambda: cases.link(case=case, hold=form.cleaned_data["hold"], by=by(request), at=clock.now()),
            done=_("The hold belongs to this case now."),
            then=_address(object_id),
        )

    @action(
        description=gettext_lazy("Close the case"),
        permissions=["handle"],
        variant=ActionVariant.DANGER,
        dialog=asking(
            title=gettext_lazy("Close this case"),
            says=gettext_lazy("Its holds stay in force until two people lift them. A closed case takes no more notes."),
            button=gettext_lazy("Close the case"),
        ),
    )
    def close(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        case = RegulatorCase.objects.get(pk=object_id)
        return attempt(
            request,
            lambda: cases.close(case=case, by=by(request), at=clock.now()),
            done=_("The case is closed."),
            then=_address(object_id),
        )


def _address(case_id: str) -> str:
    return reverse("admin:consents_regulatorcase_change", args=[case_id])
