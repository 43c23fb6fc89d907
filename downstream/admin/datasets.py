"""Datasets, the queue of propagations with their failures, and removal receipts."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action
from unfold.enums import ActionVariant

from consents import sequencer
from consents.models import Identifier, Purpose
from consents.vocabulary import Scheme
from downstream import propagation, registry, statements
from downstream.admin import versions
from downstream.admin.forms import ColumnForm
from downstream.admin.holders import HolderFields
from downstream.admin.purges import BytesFilter, PurgesMixin, RetentionMixin
from downstream.admin.run_filters import GapFilter, LateFilter
from downstream.models import Dataset, Propagation, RemovalReceipt, Target
from downstream.propagation_states import Status
from portal import clock
from portal.staff_dialogs import ConfirmForm, asking
from portal.staff_pages import ReadOnlyAdmin, attempt, badge, by, found, lines

RETRY = "downstream.retry_propagation"
_WORDS = {
    statements.SILENT: gettext_lazy("says nothing"),
    statements.UNREADABLE: gettext_lazy("cannot be read"),
}
DESCRIBE = "downstream.describe_dataset"
_KINDS = {
    Status.PLANNED: "info",
    Status.WORKING: "info",
    Status.AWAITING: "info",
    Status.FAILED: "warning",
    Status.STOPPED: "danger",
    Status.VERIFIED: "success",
}


@admin.register(Dataset)
class DatasetAdmin(RetentionMixin, HolderFields, ReadOnlyAdmin):
    empty_title = gettext_lazy("No dataset is registered")
    empty_text = gettext_lazy("An operator registers one with manage.py register_dataset.")
    list_display = ("name", "owner", "serves", "freshness", "own_no", "row_count", "file_count", "verified_at")
    search_fields = ("name", "slug")
    list_select_related = ("owner",)
    fields = (
        "name",
        "public_name",
        "freshness",
        "owner",
        "serves",
        "category",
        "location",
        "kind",
        "engine",
        "holder",
        "open_requests",
        "last_answer",
        "key_column",
        "key_scheme",
        "key_hash",
        "created_column",
        "deadline_hours",
        "window_minutes",
        "purge_deadline_hours",
        "retention",
        "position",
        "row_count",
        "file_count",
        "own_no",
        "own_words",
        "statements_read_at",
        "registered_at",
        "verified_at",
        "retired_at",
    )
    readonly_fields = (
        "freshness",
        "serves",
        "own_no",
        "own_words",
        "holder",
        "open_requests",
        "last_answer",
        "retention",
    )
    actions_detail = ("list_versions", "croissant_metadata", "name_created_column", "decide_retention")

    def has_versions_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """Of what others hold nobody here can name a version; what does not exist is refused by the page itself."""
        one = None if object_id is None else found(Dataset.objects.all(), object_id)
        return one is None or not registry.is_remote(one)

    @action(description=gettext_lazy("Versions"), icon="history", permissions=["versions"])
    def list_versions(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return versions.page(request, object_id)

    @action(description=gettext_lazy("Croissant metadata"), icon="download", permissions=["versions"])
    def croissant_metadata(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return versions.metadata(request, object_id)

    def has_describe_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm(DESCRIBE)) and (
            object_id is None or found(Dataset.objects.living(), object_id) is not None
        )

    @action(
        description=gettext_lazy("Creation time"),
        permissions=["describe"],
        dialog={
            "title": gettext_lazy("Which column tells when a row was made?"),
            "description": gettext_lazy(
                "A timestamp (UTC where it has no zone), a date or ISO 8601 text. Rows without a readable time count "
                "as made in every span. Holds over a span of data are carried out once it is named."
            ),
            "form_class": ColumnForm,
            "form_submit_text": gettext_lazy("Name it"),
        },
    )
    def name_created_column(self, request: HttpRequest, form: ColumnForm, object_id: str) -> HttpResponse:
        dataset = Dataset.objects.get(pk=object_id)
        column = form.cleaned_data["column"]
        return attempt(
            request,
            lambda: registry.name_created_column(dataset=dataset, column=column, by=by(request), at=clock.now()),
            done=_("Holds over a span of data go by this column now."),
            then=reverse("admin:downstream_dataset_change", args=[object_id]),
        )

    @admin.display(description=gettext_lazy("serves"))
    def serves(self, dataset: Dataset) -> str:
        names = dict(Purpose.objects.values_list("slug", "name"))
        return ", ".join(names.get(slug, slug) for slug in dataset.purposes)

    @admin.display(description=gettext_lazy("state"))
    def freshness(self, dataset: Dataset) -> str:
        if dataset.retired_at:
            return badge("default", _("retired"))
        if dataset.propagations.filter(status=Status.STOPPED).exists():
            return badge("danger", _("stopped: waits for you"))
        if Target.objects.gaps().filter(propagation__dataset=dataset, reason_code=Target.NO_TIME).exists():
            return badge("danger", _("gap: no times"))
        if dataset.versions.filter(has_arrivals=True, children__isnull=True).exists():
            return badge("warning", _("new files: being looked through"))
        behind = sequencer.head() - dataset.position
        return badge("warning", _("%d behind the log") % behind) if behind else badge("success", _("up to date"))

    @admin.display(description=gettext_lazy("rows that say no themselves"))
    def own_no(self, dataset: Dataset) -> str:
        """Rows that must not be trained on whatever their authors told us; a warning while they are there."""
        if not statements.has_columns(dataset):
            return "–"
        if dataset.statements_read_at is None or "failed" in dataset.row_statements:
            return badge("warning", _("not read"))
        rows = statements.still_there(dataset)
        if not rows:
            return badge("success", _("none"))
        return badge("danger", _("%d rows say no by themselves and are still there") % rows)

    @admin.display(description=gettext_lazy("what its rows say themselves"))
    def own_words(self, dataset: Dataset) -> str:
        counted = dataset.row_statements
        if "failed" in counted:
            return str(counted["reason"])
        if not counted:
            return "–"
        shown = [(_WORDS.get(words, words), rows) for words, rows in counted["values"].items()]
        shown.append((_("of those that say no, of people who said yes to us"), counted["disallowed_of_yes"]))
        return lines(shown)


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
            return format_html('<span class="nowrap">{}</span>', _("due by %s") % due)
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


@admin.register(RemovalReceipt)
class RemovalReceiptAdmin(ReadOnlyAdmin):
    list_display = ("verified_at", "dataset", "person", "rows_found", "rows_removed", "who_says_so", "position")
    list_filter = ("dataset",)
    search_fields = ("=subject_id",)
    search_help_text = gettext_lazy("A person's id, as their page shows it")
    list_select_related = ("dataset",)
    show_full_result_count = False
    fields = (
        "dataset",
        "person",
        "rows_found",
        "rows_removed",
        "which_rows",
        "who_says_so",
        "verified_at",
        "looked_again",
        "position",
        "propagation_id",
        "digest_before",
        "digest_after",
        "files",
    )
    readonly_fields = ("person", "which_rows", "who_says_so", "looked_again")

    @admin.display(description=gettext_lazy("who says so"))
    def who_says_so(self, receipt: RemovalReceipt) -> str:
        if not receipt.attested_by:
            return _("we looked again")
        words = _("%s, who holds it") if receipt.is_counted else _("%s, who holds it and did not count")
        return words % receipt.attested_by

    @admin.display(description=gettext_lazy("looked again at"))
    def looked_again(self, receipt: RemovalReceipt) -> str:
        return "–" if receipt.attested_by else files_in_words(receipt.files_by_index)

    @admin.display(description=gettext_lazy("speaks of"))
    def which_rows(self, receipt: RemovalReceipt) -> str:
        return spans_in_words(receipt.spans) or _("every row of the person")

    def get_queryset(self, request: HttpRequest) -> QuerySet[RemovalReceipt]:
        every: QuerySet[RemovalReceipt] = super().get_queryset(request)
        accounts = Identifier.objects.filter(subject_id=OuterRef("subject_id"), scheme=Scheme.ACCOUNT)
        return every.annotate(account=Subquery(accounts.values("value")[:1]))

    @admin.display(description=gettext_lazy("person"), ordering="account")
    def person(self, receipt: Any) -> str:
        address = reverse("admin:consents_subject_change", args=[receipt.subject_id])
        return format_html('<a class="text-link" href="{}">{}</a>', address, receipt.account or receipt.subject_id)


def files_in_words(not_read: int) -> str:
    """What a run read when it looked again."""
    if not not_read:
        return str(_("every file"))
    return str(_("every file but %d, unchanged since every key in them was last read") % not_read)


def spans_in_words(spans: list[list[str | None]]) -> str:
    """Of which rows a receipt speaks, where that is not every row; days as they are in UTC."""
    told = []
    for start, end in spans:
        begin, stop = (date_format(datetime.fromisoformat(one), "DATE_FORMAT") if one else None for one in (start, end))
        if begin and stop:
            told.append(_("only rows made from %(start)s to before %(end)s") % {"start": begin, "end": stop})
        elif begin:
            told.append(_("only rows made from %s on") % begin)
        elif stop:
            told.append(_("only rows made before %s") % stop)
    return "; ".join(told)
