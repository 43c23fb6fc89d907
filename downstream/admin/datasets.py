"""Datasets as staff see them, and what they decide about one."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action

from consents import sequencer
from consents.models import Purpose
from downstream import registry, statements
from downstream.admin import versions
from downstream.admin.forms import ColumnForm
from downstream.admin.holders import HolderFields
from downstream.admin.purges import RetentionMixin
from downstream.models import Dataset, Target
from downstream.propagation_states import Status
from portal import clock
from portal.staff_pages import ReadOnlyAdmin, attempt, badge, by, found, lines

_WORDS = {
    statements.SILENT: gettext_lazy("says nothing"),
    statements.UNREADABLE: gettext_lazy("cannot be read"),
}
DESCRIBE = "downstream.describe_dataset"


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
