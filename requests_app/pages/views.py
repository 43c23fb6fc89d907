"""People's pages about requests: raising one, following it, taking it back."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from consents.models import Subject
from consents.pages.access import for_subject
from downstream import journeys
from portal import actors, clock, references
from portal.errors import DomainError, NotFound
from requests_app import intake, legal_clock, workflow
from requests_app.models import Request
from requests_app.pages.forms import RequestForm
from requests_app.rights import erasure
from requests_app.states import Status

_HAPPENED = {
    "received": gettext_lazy("We received your request."),
    "started": gettext_lazy("Somebody of our privacy staff took it up."),
    "carried_out": gettext_lazy("The erasure was set going in every dataset."),
    "withdrawn": gettext_lazy("You took the request back."),
    "fulfilled": gettext_lazy("Every dataset was checked again, or whoever keeps it told us; your data is erased."),
}
_SYSTEM_STATES = {
    journeys.WAITING: gettext_lazy("waiting"),
    journeys.WORKING: gettext_lazy("being removed now"),
    journeys.FAILED: gettext_lazy("not yet: something went wrong, we are on it"),
    journeys.LATE: gettext_lazy("late: this should have been done by now"),
    journeys.REMOVED: gettext_lazy("removed, and checked again"),
    journeys.ASKED: gettext_lazy("asked: we wait for the answer of whoever keeps it"),
    journeys.TOLD_REMOVED: gettext_lazy("removed, as whoever keeps it told us"),
    journeys.TOLD_NOT_IN: gettext_lazy("nothing of yours was in it, as whoever keeps it told us"),
    journeys.NOT_IN: gettext_lazy("nothing of yours was in it"),
    journeys.EXEMPT: gettext_lazy("kept, and not used: a law obliges us to keep it"),
    journeys.GAP: gettext_lazy("we cannot tell yet"),
}


@require_GET
@for_subject
def listing(request: HttpRequest, subject: Subject) -> HttpResponse:
    mine = Request.objects.filter(subject=subject).order_by("-received_at")
    return render(request, "requests/list.html", {"requests": [_shown(one) for one in mine]})


@require_http_methods(["GET", "POST"])
@for_subject
def new(request: HttpRequest, subject: Subject) -> HttpResponse:
    form = RequestForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            asked = intake.Asked(rights=(form.cleaned_data["right"],), note=form.cleaned_data["note"])
            (received,) = intake.receive(asked=asked, subject=subject, by=actors.subject(subject.pk), at=clock.now())
        except DomainError as error:
            form.add_error(error.field if error.field in form.fields else None, _(error.message))
        else:
            messages.success(request, _("We have your request. Your reference: %s") % received.reference)
            return redirect("request-detail", received.reference)
    return render(request, "requests/new.html", {"form": form}, status=400 if form.errors else 200)


@require_GET
@for_subject
def detail(request: HttpRequest, subject: Subject, reference: str) -> HttpResponse:
    mine = _mine(subject, reference)
    return render(
        request,
        "requests/detail.html",
        {
            "data_request": _shown(mine),
            "arithmetic": legal_clock.arithmetic(mine),
            "timeline": [(entry.at, _HAPPENED.get(entry.code, entry.code)) for entry in mine.timeline.all()],
            "waiting_for": _waiting_for(mine),
            "systems": _systems(mine),
            "can_withdraw": workflow.can_withdraw(mine),
        },
    )


@require_POST
@for_subject
def withdraw(request: HttpRequest, subject: Subject, reference: str) -> HttpResponse:
    mine = _mine(subject, reference)
    try:
        workflow.withdraw(request=mine, by=actors.subject(subject.pk), at=clock.now())
        messages.success(request, _("Your request is withdrawn."))
    except DomainError as error:
        messages.error(request, _(error.message))
    return redirect("request-detail", reference)


def _mine(subject: Subject, reference: str) -> Request:
    """The reader's own request; somebody else's is as unknown as none."""
    try:
        pk = references.decode("Q", reference)
    except NotFound as error:
        raise Http404 from error
    found = Request.objects.filter(pk=pk, subject=subject).first()
    if found is None:
        raise Http404
    return found


def _shown(one: Request) -> dict[str, Any]:
    return {
        "reference": one.reference,
        "right": one.right,
        "right_label": one.get_right_display(),
        "status_label": one.get_status_display(),
        "received_at": one.received_at,
        "due_on": None if one.is_closed else one.due_on,
    }


def _waiting_for(one: Request) -> str:
    if one.is_closed:
        return ""
    if one.carried_out_at is not None:
        return _("our workers: your data is leaving the datasets")
    return _("us") if one.status == Status.IN_PROGRESS else _("our privacy staff")


def _systems(one: Request) -> list[tuple[str, Any]]:
    if one.carried_out_at is None:
        return []
    stops = erasure.stops(one, at=clock.now())
    return [(stop.dataset.public_name, _SYSTEM_STATES[stop.state]) for stop in stops]
