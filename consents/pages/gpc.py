"""The browser's opt-out signal on people's pages: recorded once a session, shown with its effect, set aside.

The law wants the person to see that it was honoured (11 CCR 7025(c)(6)); where it has no effect, that is said too.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from consents import browser_signals, ledger
from consents.models import LedgerEvent, Subject
from consents.pages.access import for_subject, subject_of
from consents.vocabulary import Action
from portal import actors, clock, nudge, pages_only
from portal.countries import country_names
from portal.errors import Conflict, DomainError

_NOTED = "gpc_noted"
"""In the session: the signal of this session was looked at."""
_SHOWN = "_gpc_shown"


@dataclass(frozen=True)
class Shown:
    """What a page says of the signal that this browser sends."""

    slugs: frozenset[str]
    names: list[str]
    own_yes: list[str]
    """What it would stop, had the reader not said yes to it: their own word goes before it."""
    place_known: bool
    set_aside: bool

    def stops(self, purpose: str) -> bool:
        return purpose in self.slugs and not self.set_aside


class RecordsSignal:
    """Middleware: whoever is signed in, or signs in now, has the signal of their browser recorded."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not is_sent(request) or pages_only.is_call(request):
            return self.get_response(request)
        # before the page, so that it shows the effect, and after, for who signed in with it
        _note(request)
        response = self.get_response(request)
        _note(request)
        return response


def is_sent(request: HttpRequest) -> bool:
    return browser_signals.is_sent(request.headers.get(browser_signals.HEADER))


def _note(request: HttpRequest) -> None:
    if not request.user.is_authenticated or _NOTED in request.session:
        return
    subject = subject_of(request)
    if subject is not None:
        record_of(request, subject)
    request.session[_NOTED] = True


def record_of(request: HttpRequest, subject: Subject) -> None:
    """Record the signal that this request carries, if any, for the person who has shown who they are."""
    if not is_sent(request):
        return
    # erased at this very moment, or long ago: nothing more is recorded, and the page says what there is to say
    with suppress(Conflict):
        browser_signals.record_gpc(subject=subject, present=True, by=actors.subject(subject.pk), at=clock.now())
        nudge.after_commit(ledger.SEQUENCE_TASK)


def in_templates(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `signal`, looked up only by pages that show it, and only where a browser sends one."""
    return {"signal": SimpleLazyObject(lambda: shown(request))} if is_sent(request) else {}


def shown(request: HttpRequest) -> Shown | None:
    """What to say of this request's signal, by where the reader lives or the country they chose; None without one."""
    if not is_sent(request):
        return None
    if not hasattr(request, _SHOWN):
        setattr(request, _SHOWN, _of(subject_of(request), request.GET.get("country", "").upper()))
    found: Shown = getattr(request, _SHOWN)
    return found


def _of(subject: Subject | None, asked: str) -> Shown:
    place = subject.jurisdiction if subject else asked if asked in dict(country_names()) else None
    denied = browser_signals.purposes_denied(jurisdiction=place, at=clock.now()) if place else []
    wanted = browser_signals.own_yes(subject, denied) if subject and denied else set()
    return Shown(
        slugs=frozenset(one.slug for one in denied),
        names=[_(one.name) for one in denied if one.slug not in wanted],
        own_yes=[_(one.name) for one in denied if one.slug in wanted],
        place_known=place is not None,
        set_aside=subject is not None and browser_signals.is_set_aside(subject),
    )


@require_GET
def signal(request: HttpRequest) -> HttpResponse:
    """What the signal is, whether this browser sends it, what is recorded, and what it does."""
    subject, at = subject_of(request), clock.now()
    context: dict[str, Any] = {"sent": is_sent(request), "subject": subject, "signal_in_content": True}
    if subject is not None:
        held = browser_signals.standing(subject)
        denied = browser_signals.purposes_denied(jurisdiction=subject.jurisdiction, at=at)
        wanted = browser_signals.own_yes(subject, denied)
        context |= {
            "held": held,
            "is_on": held is not None and held.action == Action.SIGNAL_ON,
            "set_aside": browser_signals.is_set_aside(subject),
            "reference": ledger.reference(held.event_id) if held else "",
            "denied": [_(one.name) for one in denied],
            "own_yes": [_(one.name) for one in denied if one.slug in wanted],
        }
    return render(request, "consents/signal.html", context)


@require_POST
@for_subject
def say(request: HttpRequest, subject: Subject) -> HttpResponse:
    """What the person says of their signal: it ended, it shall not count, or it shall count again."""
    statement = _STATEMENTS.get(request.POST.get("say", ""))
    if statement is None:
        problem = _("That choice was not understood; nothing was changed.")
        return render(request, "400.html", {"problem": problem}, status=400)
    try:
        event = statement(subject)
    except DomainError as error:
        return render(request, "400.html", {"problem": error.message}, status=400)
    # what the person says now stands for the rest of the session, whatever the browser sends
    request.session[_NOTED] = True
    nudge.after_commit(ledger.SEQUENCE_TASK)
    if event is None:
        messages.info(request, _("That is how it stands already; nothing was changed."))
    else:
        messages.success(request, _("Saved. Your receipt: %(reference)s") % {"reference": ledger.reference(event.pk)})
    return redirect("signal")


def _ended(subject: Subject) -> LedgerEvent | None:
    return browser_signals.record_gpc(subject=subject, present=False, by=actors.subject(subject.pk), at=clock.now())


def _set_aside(subject: Subject) -> LedgerEvent | None:
    return browser_signals.set_aside(subject=subject, by=actors.subject(subject.pk), at=clock.now())


def _apply_again(subject: Subject) -> LedgerEvent | None:
    return browser_signals.apply_again(subject=subject, by=actors.subject(subject.pk), at=clock.now())


_STATEMENTS = {"ended": _ended, "set_aside": _set_aside, "apply_again": _apply_again}


@require_GET
def support(request: HttpRequest) -> JsonResponse:
    """`/.well-known/gpc.json`: that the signal is honoured, and since when it means what it means here."""
    at = clock.now()
    changed = browser_signals.policy_changed_at(at=at)
    body: dict[str, Any] = {"gpc": True}
    if changed is not None:
        # a day that is not known is left out (https://w3c.github.io/gpc/, GPC Support Resource)
        body["lastUpdate"] = changed.date().isoformat()
    return JsonResponse(body, headers={"Cache-Control": "public, max-age=3600"})
