"""What staff see of exemptions: which dataset keeps whose rows through an erasure, by which law, who decided it."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from downstream.models import Exemption
from portal.staff_pages import ReadOnlyAdmin, badge, named


@admin.register(Exemption)
class ExemptionAdmin(ReadOnlyAdmin):
    empty_title = gettext_lazy("No dataset is exempted from an erasure")
    empty_text = gettext_lazy("An exemption is proposed in the request, and approved by a colleague.")
    list_display = ("at", "dataset", "subject_id", "ground", "state")
    list_filter = ("dataset", "ground")
    list_select_related = ("dataset", "ended")
    search_fields = ("=subject_id", "=request_id")
    search_help_text = gettext_lazy("A person's or a request's id")
    show_full_result_count = False
    fields = ("dataset", "subject_id", "ground", "legal_ground", "proposed", "approved", "request_id", "at", "state")
    readonly_fields = ("proposed", "approved", "state")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[Exemption]":
        every: QuerySet[Exemption] = super().get_queryset(request)
        return every.defer("fingerprints")

    @admin.display(description=gettext_lazy("proposed by"))
    def proposed(self, exemption: Exemption) -> str:
        return named(exemption.by)

    @admin.display(description=gettext_lazy("approved by"))
    def approved(self, exemption: Exemption) -> str:
        return named(exemption.seconded_by)

    @admin.display(description=gettext_lazy("state"))
    def state(self, exemption: Exemption) -> str:
        ended = getattr(exemption, "ended", None)
        if ended is None:
            return badge("info", _("in force"))
        return badge("success", _("ended %s") % date_format(ended.at, "DATE_FORMAT"))
