"""What staff see and do about the bytes of removed rows: how long old versions are kept, and looking again."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanWidget,
)

from downstream import purging, registry
from downstream.models import Dataset, Propagation
from downstream.propagation_states import Purge
from portal import clock
from portal.staff_pages import attempt, badge, by, found

RETRY = "downstream.retry_propagation"
RETENTION = "downstream.decide_retention"
_KINDS = {
    Purge.WAITING: "info",
    Purge.WORKING: "info",
    Purge.FAILED: "warning",
    Purge.STOPPED: "danger",
    Purge.PURGED: "success",
}


class RetentionForm(BaseDialogForm):  # type: ignore[misc]
    """How long old versions are kept, and why."""

    hours = forms.IntegerField(
        label=gettext_lazy("Hours"),
        min_value=0,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=gettext_lazy("0: erase at once. Empty: what the store itself is set to keep."),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"), max_length=1000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2})
    )


class LookAgainForm(BaseDialogForm):  # type: ignore[misc]
    """Whether other names of old files are deleted, which nobody can see from here."""

    links_are_gone = forms.BooleanField(
        label=gettext_lazy("Other names (hard links) of the old files are deleted"),
        required=False,
        widget=UnfoldBooleanWidget,
    )


class BytesFilter(admin.SimpleListFilter):
    """By whether removed rows' bytes are gone in time."""

    title = gettext_lazy("bytes")
    parameter_name = "bytes"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("kept", _("still kept")), ("late", _("kept past their deadline"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Propagation]) -> QuerySet[Propagation]:
        if self.value() not in {"kept", "late"}:
            return queryset
        kept = queryset.filter(pk__in=Propagation.objects.kept().values("pk"))
        return kept if self.value() == "kept" else kept.filter(purge_deadline__lt=clock.now())


class PurgesMixin:
    """The part of a propagation's page that speaks of bytes."""

    @admin.display(description=gettext_lazy("bytes"), ordering="purge")
    def bytes_state(self, run: Propagation) -> str:
        if not run.purge:
            return "–"
        if run.is_kept_too_long(clock.now()):
            return badge("danger", _("%s – late") % run.get_purge_display())
        return badge(_KINDS[Purge(run.purge)], run.get_purge_display())

    @admin.display(description=gettext_lazy("what the last search found"))
    def residue_words(self, run: Propagation) -> str | SafeString:
        said = run.residue
        if not said:
            return _("Nobody has searched yet.")
        rows = [
            _("%(looked_at)d places searched for %(people)d keys") % said,
            *(f"{trace['place']}: {trace['kind'].replace('_', ' ')}" for trace in said["found"]),
            *(_("cannot be searched from here: %s") % place.replace("_", " ") for place in said["unreachable"]),
        ]
        if said["found_in_all"] > len(said["found"]):
            rows.append(_("and %d more") % (said["found_in_all"] - len(said["found"])))
        return format_html_join("", "<div>{}</div>", ((row,) for row in rows))

    @admin.display(description=gettext_lazy("old versions kept until"))
    def kept(self, run: Propagation) -> str | SafeString:
        if run.kept_until is None or run.purge == Purge.PURGED:
            return "–"
        return format_html('<span class="nowrap">{}</span>', date_format(run.kept_until, "DATETIME_FORMAT"))

    def has_look_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        if not request.user.has_perm(RETRY):
            return False
        if object_id is None:
            return True
        waiting = Propagation.objects.filter(purge__in=[Purge.WAITING, Purge.FAILED, Purge.STOPPED])
        return found(waiting, object_id) is not None

    @action(
        description=gettext_lazy("Search for the bytes again"),
        icon="search",
        permissions=["look"],
        dialog={
            "title": gettext_lazy("Erase what may be erased, and search again"),
            "description": gettext_lazy(
                "What the store's retention or your decision still keeps stays. What is found is named on this page."
            ),
            "form_class": LookAgainForm,
            "form_submit_text": gettext_lazy("Search again"),
        },
    )
    def look_again(self, request: HttpRequest, form: LookAgainForm, object_id: str) -> HttpResponse:
        run, gone = Propagation.objects.get(pk=object_id), form.cleaned_data["links_are_gone"]
        return attempt(
            request,
            lambda: purging.look_again(propagation=run, links_are_gone=gone, by=by(request), at=clock.now()),
            done=_("It is waiting for a worker now."),
            then=reverse("admin:downstream_propagation_change", args=[object_id]),
        )


class RetentionMixin:
    """The part of a dataset's page on which staff decide how long old versions are kept."""

    @admin.display(description=gettext_lazy("retention of old versions"))
    def retention(self, dataset: Dataset) -> str:
        if registry.is_remote(dataset):
            return _("what its holder decides")
        if dataset.retention_hours is None:
            return _("what the store is set to keep")
        return _("%d hours, as decided") % dataset.retention_hours

    def has_retention_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm(RETENTION)) and (
            object_id is None or found(registry.ours(), object_id) is not None
        )

    @action(
        description=gettext_lazy("Retention"),
        permissions=["retention"],
        dialog={
            "title": gettext_lazy("How long may old versions be kept?"),
            "description": gettext_lazy(
                "Old versions hold the rows of people who were removed. Whoever reads an old version loses it then; "
                "the decision and its reason stay in the audit trail."
            ),
            "form_class": RetentionForm,
            "form_submit_text": gettext_lazy("Decide"),
        },
    )
    def decide_retention(self, request: HttpRequest, form: RetentionForm, object_id: str) -> HttpResponse:
        dataset, decided = Dataset.objects.get(pk=object_id), form.cleaned_data
        return attempt(
            request,
            lambda: purging.decide_retention(
                dataset=dataset, hours=decided["hours"], reason=decided["reason"], by=by(request), at=clock.now()
            ),
            done=_("Old versions are looked at again now."),
            then=reverse("admin:downstream_dataset_change", args=[object_id]),
        )
