"""Confirming what a partner or an agent sent in somebody's name, by the code that was mailed to them.

The page shows nothing but what is asked, and through whom; whoever has the code's mail goes on from there.
"""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from consents import ledger
from consents.models import Partner
from portal import actors, clock, nudge
from portal.errors import DomainError
from requests_app import front_ends, identity
from requests_app.models import Request
from requests_app.pages import codes, own, words
from requests_app.pages.forms import CodeForm
from requests_app.states import Channel, Status


@never_cache
@require_http_methods(["GET", "POST"])
def confirm(request: HttpRequest, reference: str) -> HttpResponse:
    """Typing the code; or asking for another."""
    one = _sent_by_others(reference)
    if one.status != Status.VERIFYING:
        return render(request, "requests/confirmed.html", {"is_over": True})
    if request.method == "POST" and "again" in request.POST:
        _again(request, one)
        return _shown(request, one, CodeForm(None), status=200)
    form = CodeForm(request.POST if request.method == "POST" else None)
    if not form.is_bound:
        return _shown(request, one, form, status=200)
    if form.is_valid():
        try:
            proven = front_ends.confirm(request=one, code=form.cleaned_data["code"], at=clock.now())
        except DomainError as error:
            form.add_error("code", words.limit() if error.code in codes.TOO_MANY else words.refusal(error))
        else:
            nudge.after_commit(ledger.SEQUENCE_TASK)
            holds_nothing = any(identity.holds_nothing(each) for each in proven)
            return render(request, "requests/confirmed.html", {"holds_nothing": holds_nothing})
    return _shown(request, one, form, status=400)


def _again(request: HttpRequest, one: Request) -> None:
    try:
        front_ends.ask_code(request=one, by=actors.SYSTEM, at=clock.now(), client=codes.caller(request))
    except DomainError as error:
        messages.error(request, words.limit() if error.code in codes.TOO_MANY else words.refusal(error))
    else:
        nudge.after_commit(front_ends.LETTERS_TASK)
        messages.success(request, _("A new code is on its way. If you have an older one, use the newest."))


def _shown(request: HttpRequest, one: Request, form: CodeForm, *, status: int) -> HttpResponse:
    asked = Request.objects.filter(group=one.group, status=Status.VERIFYING).order_by("pk")
    rights = [each.get_right_display() for each in asked]
    return render(request, "requests/confirm.html", {"form": form, "who": _who(one), "rights": rights}, status=status)


def _sent_by_others(reference: str) -> Request:
    """Of all others there is no such page."""
    brought = Request.objects.filter(channel__in=[Channel.AGENT, Channel.API]).select_related("agent", "subject")
    found = brought.filter(pk=own.id_of(reference)).first()
    if found is None:
        raise Http404
    return found


def _who(one: Request) -> str:
    if one.agent is not None:
        return one.agent.name
    return Partner.objects.filter(slug=one.partner).values_list("name", flat=True).first() or one.partner
