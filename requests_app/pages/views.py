"""People's pages about requests that they made: the list, one of them, taking it back, appealing."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from consents.models import Subject
from consents.pages.access import for_subject
from portal import actors, clock
from portal.errors import DomainError
from requests_app import messages as correspondence
from requests_app import workflow
from requests_app.models import Message, Request
from requests_app.pages import handing_out, own, showing, words
from requests_app.pages.forms import AppealForm, MessageForm, ProofForm


@require_GET
@for_subject
def listing(request: HttpRequest, subject: Subject) -> HttpResponse:
    ready = handing_out.with_answer(subject, at=clock.now())
    every = [showing.row(one) | {"is_ready": one.pk in ready} for one in showing.of_person(subject)]
    context = {
        "open": [one for one in every if one["closed_at"] is None],
        "closed": [one for one in every if one["closed_at"] is not None],
    }
    return render(request, "requests/list.html", context)


@never_cache
@require_GET
@for_subject
def detail(request: HttpRequest, subject: Subject, reference: str) -> HttpResponse:
    return page(request, own.request_of(subject, reference))


def page(request: HttpRequest, one: Request, *, status: int = 200, **forms: Any) -> HttpResponse:
    """The page of one request, with a form that was refused if there is one."""
    at = clock.now()
    context = showing.page(one, at=at, every_message=request.GET.get("messages") == "all")
    context |= {"message_form": MessageForm(), "proof_form": ProofForm(), **forms}
    context["form"] = next(iter(forms.values()), None)
    if one.messages.filter(direction=Message.FROM_STAFF, read_at__isnull=True).exists():
        correspondence.read(request=one, by_person=True, at=at)
    return render(request, "requests/detail.html", context, status=status)


@require_POST
@for_subject
def withdraw(request: HttpRequest, subject: Subject, reference: str) -> HttpResponse:
    one = own.request_of(subject, reference)
    try:
        workflow.withdraw(request=one, by=actors.subject(subject.pk), at=clock.now())
        messages.success(request, _("Your request is withdrawn."))
    except DomainError as error:
        messages.error(request, words.refusal(error))
    return redirect("request-detail", reference)


@never_cache
@require_http_methods(["GET", "POST"])
@for_subject
def appeal(request: HttpRequest, subject: Subject, reference: str) -> HttpResponse:
    """Asking for another look at an answer, or for one that is late, where the law of the place brings that to us."""
    one = own.request_of(subject, reference)
    way = showing.appeal(one, at=clock.now())
    if way["appeal"] is None:
        messages.error(request, _why_not(way))
        return redirect("request-detail", reference)
    form = AppealForm(request.POST if request.method == "POST" else None, is_silence=way["appeal"]["is_silence"])
    if form.is_bound and form.is_valid():
        lodged = _lodged(one, form, by=actors.subject(subject.pk))
        if lodged is not None:
            messages.success(request, _appealed(way["appeal"]))
            return redirect("request-detail", lodged.reference)
    context = {"form": form, "data_request": showing.row(one), **way}
    return render(request, "requests/appeal.html", context, status=400 if form.is_bound else 200)


def _why_not(way: dict[str, Any]) -> str:
    if way["appeal_opens"] is not None:
        day = date_format(way["appeal_opens"], pgettext("date format", "j F Y"))
        return _("We still have time to answer. If no answer comes, you can do this from %(day)s.") % {"day": day}
    return words.refusal_of("appeal_too_late" if way["appeal_over"] else "appeal_elsewhere")


def _appealed(said: dict[str, Any]) -> str:
    if said["is_silence"]:
        return _("We have it. Somebody who did not work on your request sees to it that you are answered.")
    return _("We have your appeal and look at our answer again.")


def _lodged(one: Request, form: AppealForm, *, by: str) -> Request | None:
    note, right = form.cleaned_data["note"], showing.follow_up_of(one)
    try:
        return workflow.appeal(request=one, right=right, note=note, by=by, at=clock.now())
    except DomainError as error:
        form.add_error(error.field if error.field in form.fields else None, words.refusal(error))
        return None
