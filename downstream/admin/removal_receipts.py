"""Removal receipts, as staff look them up for one person."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from consents.models import Identifier
from consents.vocabulary import Scheme
from downstream.admin.propagations import files_in_words
from downstream.models import RemovalReceipt
from portal.staff_pages import ReadOnlyAdmin


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
