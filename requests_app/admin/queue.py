"""The request queue and the page of one request."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import Case, Q, QuerySet, When
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import action
from unfold.enums import ActionVariant

from consents import subjects
from consents.vocabulary import Scheme
from downstream import journeys
from portal import audit, clock
from portal.countries import name_of
from portal.staff_dialogs import ConfirmForm, asking
from portal.staff_pages import ReadOnlyAdmin, attempt, badge, by, found, lines, named, unbroken
from requests_app import legal_clock, remaining, sealing, workflow
from requests_app.admin.intake import IntakePages
from requests_app.admin.proofs import PROOF_ACTIONS, ProofPages
from requests_app.models import Request
from requests_app.rights import erasure
from requests_app.states import CLOSED, Status

CARRY_OUT = "requests_app.carry_out"
_KINDS = {
    Status.RECEIVED: "info",
    Status.VERIFYING: "default",
    Status.IN_PROGRESS: "warning",
    Status.AWAITING_SUBJECT: "default",
    Status.IN_REVIEW: "warning",
    Status.PARTIALLY_FULFILLED: "success",
    Status.REFUSED: "danger",
    Status.EXPIRED: "default",
    Status.FULFILLED: "success",
    Status.WITHDRAWN: "default",
}
_HAPPENED = {
    "received": gettext_lazy("received"),
    "started": gettext_lazy("work started"),
    "carried_out": gettext_lazy("erasure set going in every dataset"),
    "withdrawn": gettext_lazy("withdrawn"),
    "fulfilled": gettext_lazy("every dataset verified; identifiers and key destroyed"),
}
_STOPS = {
    journeys.WAITING: ("info", gettext_lazy("waiting")),
    journeys.WORKING: ("info", gettext_lazy("under way")),
    journeys.FAILED: ("danger", gettext_lazy("failed: see propagations")),
    journeys.LATE: ("danger", gettext_lazy("late")),
    journeys.REMOVED: ("success", gettext_lazy("removed, looked again")),
    journeys.ASKED: ("info", gettext_lazy("asked, waits for its holder")),
    journeys.TOLD_REMOVED: ("success", gettext_lazy("removed, its holder says")),
    journeys.TOLD_NOT_IN: ("success", gettext_lazy("nothing of theirs was in it, its holder says")),
    journeys.NOT_IN: ("success", gettext_lazy("nothing of theirs was in it")),
    journeys.GAP: ("danger", gettext_lazy("cannot tell: it does not name them by anything known")),
}


class ClockFilter(admin.SimpleListFilter):
    """By what the legal clock says."""

    title = gettext_lazy("clock")
    parameter_name = "clock"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("open", _("open")), ("soon", _("due within a week")), ("overdue", _("overdue"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Request]) -> QuerySet[Request]:
        today = clock.now().date()
        wanted = {
            "open": Q(),
            "soon": Q(due_on__range=(today, today + timedelta(days=remaining.SOON_DAYS))),
            "overdue": Q(due_on__lt=today),
        }
        chosen = wanted.get(self.value() or "")
        return queryset if chosen is None else queryset.exclude(status__in=CLOSED).filter(chosen)


@admin.register(Request)
class RequestAdmin(IntakePages, ProofPages, ReadOnlyAdmin):
    empty_title = gettext_lazy("No request yet")
    empty_text = gettext_lazy("People make them on their pages; each appears here with its deadline.")
    list_display = ("asked", "state", "due", "lives_in", "received_on", "handled_by")
    list_filter = (ClockFilter, "status", "right", "jurisdiction")
    list_select_related = ("assigned_to",)
    # what is open before what is closed, the most urgent first
    ordering = (Case(When(status__in=CLOSED, then=1), default=0), "due_on", "id")
    fields = (
        "shown_reference",
        "right",
        "state",
        "next_step",
        "due",
        "counted",
        "person",
        "identity",
        "lives_in",
        "received_at",
        "note",
        "handled_by",
        "systems",
        "happened",
    )
    readonly_fields = tuple(name for name in fields if name not in {"right", "received_at"})
    actions_detail = ("start", "carry_out", *PROOF_ACTIONS)

    @admin.display(description=gettext_lazy("request"), ordering="right")
    def asked(self, request: Request) -> str:
        return format_html("{}<br>{}", request.get_right_display(), unbroken(request.reference))

    @admin.display(description=gettext_lazy("reference"))
    def shown_reference(self, request: Request) -> str:
        return unbroken(request.reference)

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def state(self, request: Request) -> str:
        leaving = bool(request.carried_out_at) and not request.is_closed
        words = _("leaving the datasets") if leaving else request.get_status_display()
        return badge(_KINDS[Status(request.status)], words)

    @admin.display(description=gettext_lazy("due"), ordering="due_on")
    def due(self, request: Request) -> str:
        return badge(*remaining.in_words(request, today=clock.now().date()))

    @admin.display(description=gettext_lazy("lives in"), ordering="jurisdiction")
    def lives_in(self, request: Request) -> str:
        return name_of(request.jurisdiction)

    @admin.display(description=gettext_lazy("received"), ordering="received_at")
    def received_on(self, request: Request) -> str:
        return format_html('<span class="nowrap">{}</span>', date_format(request.received_at, "DATE_FORMAT"))

    @admin.display(description=gettext_lazy("assigned to"), ordering="assigned_to__username")
    def handled_by(self, request: Request) -> str:
        return request.assigned_to.username if request.assigned_to else "–"

    @admin.display(description=gettext_lazy("what comes next"))
    def next_step(self, request: Request) -> str:
        if request.is_closed:
            return _("Nothing: it is closed.")
        if request.carried_out_at:
            return _("Nothing for you to do: it closes by itself once every dataset is verified.")
        if request.status == Status.RECEIVED:
            return _("Start work on it. Then it can be carried out.")
        return _("Carry out the erasure. It closes by itself once every dataset is verified.")

    @admin.display(description=gettext_lazy("person"))
    def person(self, request: Request) -> str:
        if request.subject_id is None:
            return _("not known yet")
        known = subjects.values([request.subject_id], scheme=Scheme.ACCOUNT).get(request.subject_id)
        address = reverse("admin:consents_subject_change", args=[request.subject_id])
        return format_html('<a class="text-link" href="{}">{}</a>', address, known or request.subject_id)

    @admin.display(description=gettext_lazy("how it was counted"))
    def counted(self, request: Request) -> str:
        return lines((step,) for step in legal_clock.arithmetic(request))

    @admin.display(description=gettext_lazy("what they wrote"))
    def note(self, request: Request) -> str:
        if request.sealed_note is None:
            return "–"
        return sealing.unseal(request, request.sealed_note, context=sealing.NOTE) or _("erased")

    @admin.display(description=gettext_lazy("datasets"))
    def systems(self, request: Request) -> str:
        if request.carried_out_at is None:
            return _("nothing was set going yet")
        stops = erasure.stops(request, at=clock.now())
        return lines((stop.dataset.name, badge(*_arrived(stop))) for stop in stops)

    @admin.display(description=gettext_lazy("timeline"))
    def happened(self, request: Request) -> str:
        told = request.timeline.all()
        return lines((date_format(one.at, "DATETIME_FORMAT"), _told(one.code), named(one.actor)) for one in told)

    def change_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
        if found(self.get_queryset(request), object_id) is not None:
            audit.record(at=clock.now(), by=by(request), action="request.look_at", of=("request", object_id))
        return super().change_view(request, object_id, *args, **kwargs)  # type: ignore[no-any-return]

    def has_start_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return _may(request, object_id, workflow.can_start)

    def has_carry_out_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return _may(request, object_id, workflow.can_carry_out)

    @action(
        description=gettext_lazy("Start work"),
        permissions=["start"],
        variant=ActionVariant.PRIMARY,
        dialog=asking(
            title=gettext_lazy("Start work on this request"),
            says=gettext_lazy("It is assigned to you, and the person sees that somebody took it up."),
            button=gettext_lazy("Start"),
        ),
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
        variant=ActionVariant.DANGER,
        dialog=asking(
            title=gettext_lazy("Carry out this erasure"),
            says=gettext_lazy(
                "The person's rows leave every dataset, and then their addresses and their key are destroyed. "
                "This cannot be undone. The request closes by itself once every dataset is verified."
            ),
            button=gettext_lazy("Erase for good"),
        ),
    )
    def carry_out(self, request: HttpRequest, form: ConfirmForm, object_id: str) -> HttpResponse:
        found = Request.objects.get(pk=object_id)
        return attempt(
            request,
            lambda: workflow.carry_out(request=found, by=by(request), at=clock.now()),
            done=_("The erasure is on its way. The request closes once every dataset is verified."),
            then=reverse("admin:requests_app_request_change", args=[object_id]),
        )


def _arrived(stop: journeys.Stop) -> tuple[str, str]:
    """The badge of one dataset on an erasure's way."""
    kind, words = _STOPS[stop.state]
    if not stop.rows_removed:
        return kind, str(words)
    rows = ngettext("%(count)d row", "%(count)d rows", stop.rows_removed) % {"count": stop.rows_removed}
    return kind, f"{words} – {rows}"


def _told(code: str) -> str:
    return str(_HAPPENED.get(code, code.replace("_", " ")))


def _may(request: HttpRequest, object_id: str | None, can: Callable[[Request], bool]) -> bool:
    """Whether the role allows it, and the state of this request too."""
    if object_id is None or not request.user.has_perm(CARRY_OUT):
        return bool(request.user.has_perm(CARRY_OUT))
    one = found(Request.objects.all(), object_id)
    return one is not None and can(one)
