"""Datasets, the queue of propagations with their failures, and removal receipts."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display

from consents import sequencer
from downstream import propagation
from downstream.models import Dataset, Propagation, RemovalReceipt
from downstream.propagation_states import Status
from portal import clock
from portal.staff_dialogs import ConfirmForm
from portal.staff_pages import ReadOnlyAdmin, attempt, by, found

RETRY = "downstream.retry_propagation"


@admin.register(Dataset)
class DatasetAdmin(ReadOnlyAdmin):
    list_display = ("name", "owner", "purposes", "row_count", "file_count", "freshness", "verified_at")
    search_fields = ("name", "slug")

    @display(
        description=gettext_lazy("state"),
        label={"verified": "success", "behind": "warning", "stopped": "danger", "retired": "info"},
    )
    def freshness(self, dataset: Dataset) -> tuple[str, str]:
        if dataset.retired_at:
            return "retired", _("retired")
        if dataset.propagations.filter(status=Status.STOPPED).exists():
            return "stopped", _("stopped: waits for a person")
        behind = sequencer.head() - dataset.position
        return ("behind", _("%d behind the log") % behind) if behind else ("verified", _("verified up to date"))


@admin.register(Propagation)
class PropagationAdmin(ReadOnlyAdmin):
    list_display = (
        "dataset",
        "from_position",
        "to_position",
        "state",
        "people",
        "planned_at",
        "deadline",
        "verified_at",
        "reason",
    )
    list_filter = ("status", "dataset")
    list_select_related = ("dataset",)
    exclude = ("fencing_token", "lease_holder", "handed_over_at")
    actions_detail = ("retry_now",)

    @display(
        description=gettext_lazy("status"),
        label={
            "planned": "info",
            "working": "info",
            "failed": "warning",
            "stopped": "danger",
            "verified": "success",
        },
    )
    def state(self, run: Propagation) -> tuple[str, str]:
        late = _(" – late") if run.is_late(clock.now()) else ""
        return run.status, f"{run.get_status_display()}{late}"

    @admin.display(description=gettext_lazy("people"))
    def people(self, run: Propagation) -> int:
        return run.targets.count()

    def has_retry_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        if not request.user.has_perm(RETRY):
            return False
        if object_id is None:
            return True
        failed = Propagation.objects.filter(status__in=[Status.FAILED, Status.STOPPED])
        return found(failed, object_id) is not None

    @action(
        description=gettext_lazy("Try again now"),
        icon="refresh",
        permissions=["retry"],
        dialog={
            "title": gettext_lazy("Try this propagation again"),
            "description": gettext_lazy(
                "It begins where it stopped, with a fresh number of attempts. What is in place stays."
            ),
            "form_class": ConfirmForm,
            "form_submit_text": gettext_lazy("Try again"),
        },
    )
    def retry_now(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        run = Propagation.objects.get(pk=object_id)
        return attempt(
            request,
            lambda: propagation.retry_now(propagation=run, by=by(request), at=clock.now()),
            done=_("It is waiting for a worker now."),
            then=reverse("admin:downstream_propagation_change", args=[object_id]),
        )


@admin.register(RemovalReceipt)
class RemovalReceiptAdmin(ReadOnlyAdmin):
    list_display = ("verified_at", "dataset", "subject_id", "rows_found", "rows_removed", "position")
    list_filter = ("dataset",)
    search_fields = ("=subject_id",)
    list_select_related = ("dataset",)
    show_full_result_count = False
