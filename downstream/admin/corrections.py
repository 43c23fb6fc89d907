"""What staff see of corrections, and settle by hand where whoever keeps the data does not call the API."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget

from downstream import corrections
from downstream.models import Correction
from portal import clock
from portal.staff_pages import ReadOnlyAdmin, attempt, badge, by, found, named

SETTLE = "downstream.settle_correction"


class SettleForm(BaseDialogForm):  # type: ignore[misc]  # unfold has no types
    """What came of it."""

    outcome = forms.ChoiceField(
        label=gettext_lazy("Outcome"), choices=Correction.Outcome.choices, widget=UnfoldAdminSelectWidget
    )


@admin.register(Correction)
class CorrectionAdmin(ReadOnlyAdmin):
    empty_title = gettext_lazy("Nothing has to be corrected")
    empty_text = gettext_lazy("A rectification that is carried out asks for a correction in every dataset.")
    list_display = ("asked_at", "dataset", "subject_id", "rows", "due_at", "status")
    list_filter = ("state", "dataset")
    list_select_related = ("dataset",)
    search_fields = ("=subject_id", "=request_id")
    search_help_text = gettext_lazy("A person's or a request's id")
    show_full_result_count = False
    fields = (
        "dataset",
        "subject_id",
        "request_id",
        "rows",
        "reason_code",
        "status",
        "outcome",
        "asked",
        "asked_at",
        "due_at",
        "settled",
        "settled_at",
    )
    readonly_fields = ("status", "asked", "settled")
    actions_detail = ("settle",)

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def status(self, correction: Correction) -> str:
        if correction.state == Correction.State.DONE:
            return badge("success", correction.get_outcome_display())
        late = clock.now() > correction.due_at
        return badge("danger", _("open – late")) if late else badge("info", _("open"))

    @admin.display(description=gettext_lazy("asked by"))
    def asked(self, correction: Correction) -> str:
        return named(correction.asked_by)

    @admin.display(description=gettext_lazy("settled by"))
    def settled(self, correction: Correction) -> str:
        return named(correction.settled_by)

    def has_settle_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm(SETTLE)) and (
            object_id is None or found(Correction.objects.open(), object_id) is not None
        )

    @action(
        description=gettext_lazy("Settle"),
        icon="check",
        permissions=["settle"],
        dialog={
            "title": gettext_lazy("Whoever keeps the data has put it right"),
            "description": gettext_lazy("Say so once they told you. What was wrong stands in the request."),
            "form_class": SettleForm,
            "form_submit_text": gettext_lazy("Settle"),
        },
    )
    def settle(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        correction = Correction.objects.get(pk=object_id)
        outcome = form.cleaned_data["outcome"]
        return attempt(
            request,
            lambda: corrections.settle(correction=correction, outcome=outcome, by=by(request), at=clock.now()),
            done=_("The correction is settled."),
            then=reverse("admin:downstream_correction_change", args=[object_id]),
        )
