"""The queue of propagations, with their failures."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action
from unfold.enums import ActionVariant

from downstream import propagation
from downstream.admin.purges import RETRY, BytesFilter, PurgesMixin
from downstream.admin.run_filters import GapFilter, LateFilter
from downstream.models import Propagation, Target
from downstream.propagation_states import Status
from portal import clock
from portal.staff_dialogs import ConfirmForm, asking
from portal.staff_pages import ReadOnlyAdmin, attempt, badge, by, found

_KINDS = {
    Status.PLANNED: "info",
    Status.WORKING: "info",
    Status.AWAITING: "info",
    Status.FAILED: "warning",
    Status.STOPPED: "danger",
    Status.VERIFIED: "success",
}


@admin.register(Propagation)
class PropagationAdmin(PurgesMixin, ReadOnlyAdmin):
    list_display = ("dataset", "state", "why", "people", "done", "bytes_state")
    list_filter = ("status", LateFilter, GapFilter, "purge", BytesFilter, "dataset")
    list_select_related = ("dataset",)
    fields = (
        "dataset",
        "state",
        "reason",
        "reason_code",
        "attempts",
        "next_try_at",
        "people",
        "cannot_name",
        "cannot_tell",
        "stretch",
        "is_full",
        "planned_at",
        "deadline",
        "verified_at",
        "looked_again",
        "rows_after",
        "digest_before",
        "digest_after",
        "bytes_state",
        "purge_reason",
        "purge_deadline",
        "kept",
        "residue_words",
        "purged_at",
    )
    readonly_fields = (
        "state",
        "people",
        "cannot_name",
        "cannot_tell",
        "stretch",
        "looked_again",
        "bytes_state",
        "kept",
        "residue_words",
    )
    actions_detail = ("retry_now", "look_again")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Propagation]:
        every: QuerySet[Propagation] = super().get_queryset(request)
        timeless = Q(targets__is_gap=True, targets__reason_code=Target.NO_TIME)
        nameless = Count("targets", filter=Q(targets__is_gap=True) & ~timeless)
        return every.annotate(targeted=Count("targets"), nameless=nameless, timeless=Count("targets", filter=timeless))

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def state(self, run: Propagation) -> str:
        late = run.is_late(clock.now())
        words = _("%s – late") % run.get_status_display() if late else run.get_status_display()
        return badge("danger" if late else _KINDS[Status(run.status)], words)

    @admin.display(description=gettext_lazy("people"), ordering="targeted")
    def people(self, run: Any) -> int:
        return int(run.targeted)

    @admin.display(description=gettext_lazy("people it cannot name"))
    def cannot_name(self, run: Any) -> int:
        return int(run.nameless)

    @admin.display(description=gettext_lazy("people whose rows of a span it cannot tell"))
    def cannot_tell(self, run: Any) -> str:
        if not run.timeless:
            return "0"
        return str(_("%d, because the dataset did not say when its rows were made") % run.timeless)

    @admin.display(description=gettext_lazy("places in the log"), ordering="to_position")
    def stretch(self, run: Propagation) -> str:
        return format_html('<span class="nowrap">{} → {}</span>', run.from_position, run.to_position)

    @admin.display(description=gettext_lazy("looked again at"))
    def looked_again(self, run: Propagation) -> str:
        return files_in_words(run.files_by_index) if run.verified_at else "–"

    @admin.display(description=gettext_lazy("reason"), ordering="reason_code")
    def why(self, run: Propagation) -> str:
        return format_html('<div class="why">{}</div>', run.reason or "–")

    @admin.display(description=gettext_lazy("verified"), ordering="verified_at")
    def done(self, run: Propagation) -> str:
        if run.verified_at is None:
            due = date_format(run.deadline, "DATETIME_FORMAT")
            return format_html('<div class="until">{}</div>', _("due by %s") % due)
        return format_html('<span class="nowrap">{}</span>', date_format(run.verified_at, "DATETIME_FORMAT"))

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
        variant=ActionVariant.PRIMARY,
        dialog=asking(
            title=gettext_lazy("Try this propagation again"),
            says=gettext_lazy("It begins where it stopped, with a fresh number of attempts. What is in place stays."),
            button=gettext_lazy("Try again"),
        ),
    )
    def retry_now(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        run = Propagation.objects.get(pk=object_id)
        return attempt(
            request,
            lambda: propagation.retry_now(propagation=run, by=by(request), at=clock.now()),
            done=_("It is waiting for a worker now."),
            then=reverse("admin:downstream_propagation_change", args=[object_id]),
        )


def files_in_words(not_read: int) -> str:
    """What a run read when it looked again."""
    if not not_read:
        return str(_("every file"))
    return str(_("every file but %d, unchanged since every key in them was last read") % not_read)
