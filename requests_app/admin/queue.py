"""The request queue and the page of one request."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import action, display

from consents import subjects
from portal import audit, clock
from portal.staff_dialogs import ConfirmForm
from portal.staff_pages import ReadOnlyAdmin, attempt, by, found
from requests_app import legal_clock, workflow
from requests_app.models import Request
from requests_app.rights import erasure
from requests_app.states import Status

CARRY_OUT = "requests_app.carry_out"


@admin.register(Request)
class RequestAdmin(ReadOnlyAdmin):
    list_display = (
        "reference",
        "right",
        "state",
        "clock_state",
        "jurisdiction",
        "received_at",
        "assigned_to",
    )
    list_filter = ("status", "right", "jurisdiction")
    list_select_related = ("assigned_to",)
    fields = (
        "reference",
        "right",
        "state",
        "jurisdiction",
        "subject",
        "received_at",
        "clock_state",
        "counted",
        "note",
        "assigned_to",
        "systems",
        "happened",
    )
    readonly_fields = ("reference", "state", "clock_state", "counted", "note", "systems", "happened")
    actions_detail = ("start", "carry_out")

    @display(
        description=gettext_lazy("status"),
        label={"received": "info", "in_progress": "warning", "fulfilled": "success", "withdrawn": "info"},
    )
    def state(self, request: Request) -> tuple[str, str]:
        carried_out = _(" – leaving the datasets") if request.carried_out_at and not request.is_closed else ""
        return request.status, f"{request.get_status_display()}{carried_out}"

    @display(
        description=gettext_lazy("due"),
        ordering="due_on",
        label={"overdue": "danger", "soon": "warning", "fine": "success", "closed": "info"},
    )
    def clock_state(self, request: Request) -> tuple[str, str]:
        if request.is_closed:
            return "closed", _("closed")
        left = (request.due_on - clock.now().date()).days
        shown = f"{request.due_on:%Y-%m-%d}"
        if left < 0:
            return "overdue", _("%(date)s – overdue by %(days)d days") % {"date": shown, "days": -left}
        return ("soon" if left <= 7 else "fine"), _("%(date)s – %(days)d days left") % {
            "date": shown,
            "days": left,
        }

    @admin.display(description=gettext_lazy("how it was counted"))
    def counted(self, request: Request) -> str:
        steps = [(step,) for step in legal_clock.arithmetic(request)]
        return format_html_join("\n", "<p>{}</p>", steps)

    @admin.display(description=gettext_lazy("what they wrote"))
    def note(self, request: Request) -> str:
        if request.sealed_note is None:
            return "–"
        return subjects.unseal(request.subject, request.sealed_note, context="request") or _("erased")

    @admin.display(description=gettext_lazy("datasets"))
    def systems(self, request: Request) -> str:
        if request.carried_out_at is None:
            return _("nothing was set going yet")
        stops = erasure.stops(subject=request.subject, event_id=request.event_id, at=clock.now())
        rows = [(stop.dataset.name, stop.state.replace("_", " "), stop.rows_removed) for stop in stops]
        return format_html_join("\n", "<p>{}: {} ({})</p>", rows)

    @admin.display(description=gettext_lazy("timeline"))
    def happened(self, request: Request) -> str:
        rows = [(f"{one.at:%Y-%m-%d %H:%M}", one.code.replace("_", " "), one.actor) for one in request.timeline.all()]
        return format_html_join("\n", "<p>{} · {} · {}</p>", rows)

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        if found(self.get_queryset(request), object_id) is not None:
            audit.record(at=clock.now(), by=by(request), action="request.look_at", of=("request", object_id))
        return super().change_view(request, object_id, *args, **kwargs)  # type: ignore[no-any-return]

    def has_start_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return _may(request, object_id, lambda one: workflow.can_move(one, Status.IN_PROGRESS))

    def has_carry_out_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return _may(request, object_id, workflow.can_carry_out)

    @action(
        description=gettext_lazy("Start work"),
        permissions=["start"],
        dialog={
            "title": gettext_lazy("Start work on this request"),
            "description": gettext_lazy("It is assigned to you, and the person sees that somebody took it up."),
            "form_class": ConfirmForm,
            "form_submit_text": gettext_lazy("Start"),
        },
    )
    def start(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        found = Request.objects.get(pk=object_id)
        return attempt(
            request,
            lambda: workflow.start(request=found, staff=request.user, by=by(request), at=clock.now()),  # type: ignore[arg-type]
            done=_("The request is yours."),
            then=reverse("admin:requests_app_request_change", args=[object_id]),
        )

    @action(
        description=gettext_lazy("Carry out the erasure"),
        permissions=["carry_out"],
        dialog={
            "title": gettext_lazy("Carry out this erasure"),
            "description": gettext_lazy(
                "The person's rows leave every dataset, and then their addresses and their key are destroyed. "
                "This cannot be undone. The request closes by itself once every dataset is verified."
            ),
            "form_class": ConfirmForm,
            "form_submit_text": gettext_lazy("Erase for good"),
        },
    )
    def carry_out(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        found = Request.objects.get(pk=object_id)
        return attempt(
            request,
            lambda: workflow.carry_out(request=found, by=by(request), at=clock.now()),
            done=_("The erasure is on its way. The request closes once every dataset is verified."),
            then=reverse("admin:requests_app_request_change", args=[object_id]),
        )


def _may(request: HttpRequest, object_id: str | None, can: Callable[[Request], bool]) -> bool:
    """Whether the role allows it, and the state of this request too."""
    if object_id is None or not request.user.has_perm(CARRY_OUT):
        return bool(request.user.has_perm(CARRY_OUT))
    one = found(Request.objects.all(), object_id)
    return one is not None and can(one)
