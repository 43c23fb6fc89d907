"""The code that shows whose an address is: sent once a request without an account came in, typed, sent anew."""

import uuid
from dataclasses import replace
from datetime import datetime

from allauth.account.adapter import get_adapter
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from consents import ledger
from consents.pages import gpc
from portal import actors, addresses, clock, nudge
from portal.errors import DomainError
from requests_app import identity, letters
from requests_app.models import Request
from requests_app.pages import drafts, words
from requests_app.pages.drafts import Sent
from requests_app.pages.forms import CodeForm

TOO_MANY = frozenset({"too_many"})
"""Refusals that are a limit: answered with 429 where a form was sent."""


@never_cache
@require_http_methods(["GET", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    """Typing the code; or asking for a new one."""
    done = drafts.sent(request.session)
    if done is None:
        return redirect("request-new")
    if done.check is None:
        return redirect("request-sent")
    if request.method == "POST" and "again" in request.POST:
        return _again(request, done)
    form = CodeForm(request.POST if request.method == "POST" else None)
    status = 200
    if form.is_bound:
        status = _confirm(request, form, done) if form.is_valid() else 400
    if status == 302:
        return redirect("request-sent")
    return render(request, "requests/code.html", {"form": form}, status=status)


def send(request: HttpRequest, done: Sent) -> int:
    """Have a code sent; what came in stays, also where that fails.

    Answers 302 where one is on its way, else the status that goes with the refusal, which is among the messages.
    """
    first = Request.objects.select_related("subject").get(pk=done.requests[0])
    try:
        with transaction.atomic():
            check = _ask(first, client=caller(request), at=clock.now())
    except DomainError as error:
        messages.error(request, words.limit() if error.code in TOO_MANY else words.refusal(error))
        return 429 if error.code in TOO_MANY else 409
    drafts.mark_sent(request.session, replace(done, check=str(check)))
    return 302


def _ask(one: Request, *, client: str, at: datetime) -> uuid.UUID:
    """Have a code sent to the address of whoever asks; answers the check that it is for.

    Where that address got as many as it may, nothing is sent, and those it has still serve. Raises DomainError.
    """
    sent = identity.ask_code(request=one, by=actors.SYSTEM, at=at, client=client)
    if sent.code is not None:
        letters.write(request=one, code="code", at=at, extra={"code": sent.code, "address": sent.contact})
        nudge.after_commit(letters.SEND_TASK)
    return sent.check_id


def caller(request: HttpRequest) -> str:
    """The caller's network address as sign-in sees it, behind proxies too; of IPv6 the part that one caller has."""
    return addresses.of_one_caller(get_adapter().get_client_ip(request))


def _again(request: HttpRequest, done: Sent) -> HttpResponse:
    status = send(request, done)
    if status != 302:
        return render(request, "requests/code.html", {"form": CodeForm()}, status=status)
    messages.success(request, _("A new code is on its way. If you have an older one, use the newest."))
    return redirect("request-code")


def _confirm(request: HttpRequest, form: CodeForm, done: Sent) -> int:
    """Answers the status to go on with: 302 once the code was right."""
    at = clock.now()
    try:
        check = uuid.UUID(done.check or "")
        proven = identity.check_code(check_id=check, code=form.cleaned_data["code"], at=at)
    except ValueError:
        # none was sent yet
        form.add_error("code", words.refusal_of("code_refused"))
        return 400
    except DomainError as error:
        if identity.has_just_passed(check_id=check, at=at):
            # the second of two clicks
            drafts.mark_sent(request.session, replace(done, check=None))
            return 302
        is_limit = error.code in TOO_MANY
        form.add_error("code", words.limit() if is_limit else words.refusal(error))
        return 429 if is_limit else 400
    subject = proven[0].subject if proven else None
    if subject is not None:
        gpc.record_of(request, subject)
    nudge.after_commit(ledger.SEQUENCE_TASK)
    drafts.mark_sent(request.session, replace(done, check=None))
    return 302
