"""What passes between a person and staff about one request: messages, files, proofs, the answer package."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from consents.models import Subject
from consents.pages.access import for_subject, subject_of
from portal import actors, clock
from portal.errors import DomainError
from requests_app import attachments
from requests_app import messages as correspondence
from requests_app.models import IdentityCheck, Request
from requests_app.pages import codes, own, showing, views, words
from requests_app.pages.drafts import Sent
from requests_app.pages.forms import MessageForm, ProofForm
from requests_app.pages.uploads import bounded
from requests_app.states import FileUse


def _too_large(request: HttpRequest, reference: str) -> HttpResponseBase:
    subject = subject_of(request)
    if subject is None:
        return redirect("request-detail", reference)
    one = own.request_of(subject, reference)
    messages.error(request, words.TOO_LARGE)
    return views.page(request, one, status=413)


@bounded(_too_large)
@require_POST
@for_subject
def write(request: HttpRequest, subject: Subject, reference: str) -> HttpResponse:
    """A message to staff, with files if there are any."""
    one = own.request_of(subject, reference)
    if not correspondence.can_write(one, at=clock.now()):
        messages.error(request, words.refusal_of("request_closed"))
        return redirect("request-detail", reference)
    form = MessageForm(request.POST, request.FILES)
    if form.is_valid() and _written(one, form, by=actors.subject(subject.pk)):
        messages.success(request, _("Your message is sent."))
        return _to(one, "messages")
    return views.page(request, one, status=400, message_form=form)


@bounded(_too_large)
@require_POST
@for_subject
def prove(request: HttpRequest, subject: Subject, reference: str) -> HttpResponse:
    """A document that staff asked for, to see who somebody is."""
    one = own.request_of(subject, reference)
    check = showing.proof_wanted(one, at=clock.now())
    if check is None:
        messages.error(request, _("We wait for no document from you at present."))
        return redirect("request-detail", reference)
    form = ProofForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            _proven(one, check, form.cleaned_data["document"], by=actors.subject(subject.pk))
            messages.success(request, _("We have your document. Our staff look at it; then it is deleted."))
            return redirect("request-detail", reference)
        except DomainError as error:
            form.add_error("document", words.refusal(error))
    return views.page(request, one, status=400, proof_form=form)


@require_POST
@for_subject
def second_code(request: HttpRequest, subject: Subject, reference: str) -> HttpResponse:
    """Have the code sent that staff ask for, to the second address that we know; then type it."""
    one = own.request_of(subject, reference)
    if not showing.second_code_wanted(one, at=clock.now()):
        messages.error(request, _("We wait for no code from you at present."))
        return redirect("request-detail", reference)
    status = codes.send(request, Sent(draft="", requests=[str(one.pk)], check=""))
    return redirect("request-code") if status == 302 else redirect("request-detail", reference)


def _proven(one: Request, check: IdentityCheck, documents: list[Any], *, by: str) -> None:
    """Every document or none. No transaction is around the look at them, so that what was found stays on record."""
    at, use = clock.now(), FileUse.IDENTITY
    named = [(given.name or "", given) for given in documents]
    with attachments.taken(request=one, use=use, files=named, by=by, at=at) as taken, transaction.atomic():
        for file in taken:
            attachments.keep(request=one, use=use, file=file, by=by, at=at, check=check)


def _written(one: Request, form: MessageForm, *, by: str) -> bool:
    filled: dict[str, Any] = form.cleaned_data
    try:
        correspondence.write(request=one, body=filled["body"], files=filled["attached"], by=by, at=clock.now())
    except DomainError as error:
        form.add_error(_field_of(error), words.refusal(error))
        return False
    return True


def _field_of(error: DomainError) -> str | None:
    """At which field of a message a refusal belongs."""
    known = {"body": "body", "files": "attached", "file": "attached", "name": "attached"}
    return known.get(error.field or "")


def _to(one: Request, part: str) -> HttpResponse:
    return redirect(f"{reverse('request-detail', args=[one.reference])}#{part}")
