"""What controllers whose processor we are instructed over OpenDSR, how it stands, and what could not be told them."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.staff_pages import FirstThousands, ReadOnlyAdmin, badge, lines, unbroken
from requests_app import opendsr
from requests_app.models import ControllerNotice, ControllerRequest

_COLOURS = {"pending": "info", "in_progress": "warning", "completed": "success", "cancelled": "default"}
_UNTOLD = (ControllerNotice.State.PENDING, ControllerNotice.State.GIVEN_UP)


@admin.register(ControllerRequest)
class ControllerRequestAdmin(ReadOnlyAdmin):
    empty_title = gettext_lazy("No controller has instructed us")
    empty_text = gettext_lazy("What controllers send over OpenDSR is listed here; a partner needs the scope opendsr.")
    list_display = ("received_at", "partner", "subject_request_type", "regulation", "state", "ours")
    list_select_related = ("request",)
    list_filter = ("subject_request_type", "partner")
    paginator = FirstThousands
    show_full_result_count = False
    fields = (
        "partner",
        "subject_request_id",
        "subject_request_type",
        "regulation",
        "received_at",
        "expected_at",
        "state",
        "ours",
        "addresses",
        "unheard",
    )
    readonly_fields = ("state", "ours", "addresses", "unheard")

    def get_queryset(self, request: HttpRequest) -> "QuerySet[ControllerRequest]":
        every: QuerySet[ControllerRequest] = super().get_queryset(request)
        return every.select_related("request")

    @admin.display(description=gettext_lazy("stands"))
    def state(self, sent: ControllerRequest) -> str:
        word = opendsr.standing(sent)
        return badge(_COLOURS[word], word.replace("_", " "))

    @admin.display(description=gettext_lazy("our request"))
    def ours(self, sent: ControllerRequest) -> str:
        if sent.request is None:
            return _("none: nothing was held of whom it names")
        address = reverse("admin:requests_app_request_change", args=[sent.request.pk])
        return format_html('<a class="text-link" href="{}">{}</a>', address, unbroken(sent.request.reference))

    @admin.display(description=gettext_lazy("told at"))
    def addresses(self, sent: ControllerRequest) -> str:
        return lines((one.url, one.told_status.replace("_", " ")) for one in sent.callbacks.all())

    @admin.display(description=gettext_lazy("not told yet"))
    def unheard(self, sent: ControllerRequest) -> str:
        waiting = ControllerNotice.objects.filter(callback__controller_request=sent, state__in=_UNTOLD)
        return lines(_notice_line(one) for one in waiting.select_related("callback"))


def _notice_line(one: ControllerNotice) -> tuple[Any, ...]:
    changed = date_format(one.changed_at, "DATETIME_FORMAT")
    return changed, opendsr.word_of(one.status).replace("_", " "), one.get_state_display(), one.last_reason
