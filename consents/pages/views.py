"""People's pages about choices: home, switches, history."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from consents import decisions, evaluation, ledger, purposes, reasons
from consents.models import LedgerEvent, Purpose, Subject
from consents.pages import cards, gpc, notices
from consents.pages.access import for_subject, subject_of
from consents.pages.forms import ChoiceForm
from consents.vocabulary import Action, Kind, Source
from portal import actors, clock, nudge
from portal.countries import country_names
from portal.errors import DomainError

MAIN_PURPOSE = "ai-training"


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Is my data used to train AI? One sentence, one state, one button."""
    subject = subject_of(request)
    purpose = Purpose.objects.filter(slug=MAIN_PURPOSE).first()
    if purpose is None:
        return render(request, "consents/not_set_up.html")
    country = _country(request)
    decision = decisions.decide(
        subject=subject, question=evaluation.Question(MAIN_PURPOSE), at=clock.now(), jurisdiction=country, now=True
    )
    signal = gpc.shown(request)
    # of whoever is signed in, the decision itself looks at the signal
    stopped = subject is None and decision.allow and signal is not None and signal.stops(MAIN_PURPOSE)
    return render(
        request,
        "consents/home.html",
        {
            "signal_in_content": True,
            "subject": subject,
            "country": country,
            "countries": country_names(),
            "allowed": decision.allow and not stopped,
            "reasons": [reasons.STOPPED_BY_SIGNAL if stopped else reasons.text(decision.decisive)],
            "purpose": purpose,
            "held": decision.hold is not None,
            "notice": notices.latest(purpose),
        },
    )


def _country(request: HttpRequest) -> str | None:
    """The country that the reader chose; None before they did, or when there is none of that name."""
    asked = request.GET.get("country", "").upper()
    if asked in dict(country_names()):
        return asked
    if asked:
        messages.error(request, _("We do not know that country. Pick one from the list."))
    return None


@require_GET
@for_subject
def choices(request: HttpRequest, subject: Subject) -> HttpResponse:
    at = clock.now()
    every = Purpose.objects.prefetch_related("recipients")
    return render(request, "consents/choices.html", {"cards": cards.of(subject, every, at=at)})


@require_POST
@for_subject
def choose(request: HttpRequest, subject: Subject) -> HttpResponse:
    """One switch: records the choice, answers with the new card (htmx) or the page."""
    form = ChoiceForm(request.POST)
    if not form.is_valid():
        return render(
            request,
            "400.html",
            {"problem": _("That choice was not understood; nothing was changed.")},
            status=400,
        )
    at = clock.now()
    try:
        purpose = purposes.get(form.cleaned_data["purpose"])
        ledger.record(
            subject=subject,
            scope=ledger.Scope(purpose.slug),
            action=Action(form.cleaned_data["action"]),
            origin=ledger.Origin(
                source=Source.SELF_SERVICE, by=actors.subject(subject.pk), notice=notice_shown(purpose)
            ),
            at=at,
        )
    except DomainError as error:
        return render(request, "400.html", {"problem": error.message}, status=400)
    nudge.after_commit(ledger.SEQUENCE_TASK)
    at = clock.now()
    (card,) = cards.of(subject, [purpose], at=at)
    if request.htmx:  # type: ignore[attr-defined]
        parts = Purpose.objects.filter(slug__startswith=f"{purpose.slug}/").prefetch_related("recipients")
        followers = cards.of(subject, parts, at=at)
        return render(request, "consents/_answered.html", {"card": card, "followers": followers})
    messages.success(request, _("Saved. Your receipt: %(reference)s") % {"reference": card.reference})
    return redirect(f"{reverse('choices')}#{purpose.slug}")


def notice_shown(purpose: Purpose) -> str:
    latest = notices.latest(purpose)
    return f"{latest.slug}/{latest.version}" if latest else ""


@require_GET
@for_subject
def history(request: HttpRequest, subject: Subject) -> HttpResponse:
    """Every choice ever recorded about the reader."""
    events = LedgerEvent.objects.filter(subject_id=subject.pk, kind=Kind.CHOICE)
    events = events.select_related("placed").order_by("-recorded_at", "-id")[:500]
    names = dict(Purpose.objects.values_list("slug", "name"))
    context = {"entries": [_entry(event, names) for event in events], "told": notices.told(subject)}
    return render(request, "consents/history.html", context)


def _entry(event: LedgerEvent, names: dict[str, str]) -> dict[str, Any]:
    placed = getattr(event, "placed", None)
    return {
        "recorded_at": event.recorded_at,
        "purpose_name": _(names[event.purpose]) if event.purpose in names else _("every purpose"),
        "action_label": cards.action_label(event.action),
        "source_label": Source(event.source).label,
        "reference": ledger.reference(event.pk),
        "position": placed.position if placed else None,
    }
