"""The journey page: where the reader's "no" has arrived."""

from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from consents import decisions, evaluation, ledger, purposes, reasons, sequencer
from consents.evaluation import Decision
from consents.models import Purpose, Subject
from consents.pages.access import for_subject
from consents.pages.cards import action_label
from downstream import exposures, journeys
from downstream.exposures import Learned
from downstream.journeys import Stop
from downstream.models import ExposureDecision
from portal import clock
from portal.errors import NotFound

_STATES = {
    journeys.WAITING: gettext_lazy("Waiting"),
    journeys.WORKING: gettext_lazy("Being removed now"),
    journeys.FAILED: gettext_lazy("Not yet: something went wrong, we are on it"),
    journeys.LATE: gettext_lazy("Late: this should have been done by now"),
    journeys.REMOVED: gettext_lazy("Removed, and checked again"),
    journeys.ASKED: gettext_lazy("Asked: we wait for the answer of whoever keeps it"),
    journeys.TOLD_REMOVED: gettext_lazy("Removed, they told us: we cannot look there ourselves"),
    journeys.TOLD_NOT_IN: gettext_lazy("Nothing of yours was in it, they told us: we cannot look there ourselves"),
    journeys.NOT_IN: gettext_lazy("Nothing of yours was in it"),
    journeys.EXEMPT: gettext_lazy("Kept there, and not used: a law obliges us to keep it"),
    journeys.GAP: gettext_lazy("We cannot tell: this dataset does not name you by anything we know"),
}
_UNREACHABLE = {
    "backups": gettext_lazy("backups, which are kept for some time and not used for this"),
    "replicas": gettext_lazy("copies that the database makes of itself"),
    "write_ahead_log": gettext_lazy("the database's log of recent changes"),
    "hub_history": gettext_lazy("the history of the place where it was published"),
    "reader_caches": gettext_lazy("caches of those who read it"),
}
_ELSEWHERE = gettext_lazy("other places, which our staff know and watch")


@require_GET
@for_subject
def journey(request: HttpRequest, subject: Subject, purpose: str) -> HttpResponse:
    if "\0" in purpose:
        # the database would not take it as text at all
        raise Http404
    try:
        asked = purposes.get(purpose)
    except NotFound as error:
        raise Http404 from error
    at = clock.now()
    context = _context(subject, asked, at)
    template = "consents/_stops.html" if request.htmx else "consents/journey.html"  # type: ignore[attr-defined]
    return render(request, template, context)


def _context(subject: Subject, purpose: Purpose, at: datetime) -> dict[str, Any]:
    decision = decisions.decide(subject=subject, question=evaluation.Question(purpose.slug), at=at, now=True)
    stops: list[Stop] = []
    if not decision.allow:
        position = journeys.origin(subject=subject, decision=decision, purpose=purpose.slug, at=at)
        stops = journeys.stops(subject_id=subject.pk, purpose=purpose.slug, position=position, at=at)
    moving = any(stop.state in journeys.MOVING for stop in stops)
    return {
        "purpose": purpose,
        "purpose_name": _(purpose.name),
        "allow": decision.allow,
        "choice": _choice(decision),
        "reason": reasons.text(decision.decisive),
        "stops": [_shown(stop) for stop in stops],
        "moving": moving,
        "summary": _summary(decision, stops),
        "models_text": _(purpose.models_text) if purpose.models_text else "",
        "learned": [] if decision.allow else _learned(subject, purpose, at),
    }


def _learned(subject: Subject, purpose: Purpose, at: datetime) -> list[dict[str, Any]]:
    """Models that learned from what is kept for this purpose, before the reader's rows left it."""
    return [
        {
            "name": one.model.name,
            "owner": one.model.owner.name,
            "dataset": one.dataset,
            "finished_at": one.finished_at,
            "decision": _what_becomes(one, at),
        }
        for one in exposures.of_person(subject.pk)
        if any(purposes.covers(purpose.slug, served) for served in one.purposes)
    ]


def _what_becomes(learned: Learned, at: datetime) -> str:
    """The decision in plain words, without the ground, which staff wrote for an authority."""
    decision = learned.decision
    if decision is None:
        return _("That is not decided yet.")
    if decision.due_on is None:
        return _("It stays in use as it is, for a reason that we wrote down. Ask us for it.")
    day = {"day": date_format(decision.due_on, "DATE_FORMAT")}
    if decision.due_on < at.date():
        return _("It should have been trained anew or retired by %(day)s. We are late, and on it.") % day
    if decision.kind == ExposureDecision.RETIRE:
        return _("It will be retired by %(day)s.") % day
    return _("It will be trained anew, without your data, by %(day)s.") % day


def _choice(decision: Decision) -> dict[str, Any] | None:
    if decision.choice is None:
        return None
    held = decision.choice
    return {
        "action_label": action_label(held.action),
        "recorded_at": held.occurred_at,
        "reference": ledger.reference(held.event_id),
        "position": sequencer.position_of(held.event_id),
    }


def _shown(stop: Stop) -> dict[str, Any]:
    return {
        "name": _(stop.dataset.public_name),
        "owner": stop.dataset.owner.name,
        "state": stop.state,
        "state_text": _STATES[stop.state],
        "rows_removed": stop.rows_removed,
        "is_told": stop.state in journeys.ATTESTED,
        "verified_at": stop.verified_at,
        "due_at": stop.due_at,
        "is_kept": stop.is_kept,
        "kept_until": stop.kept_until,
        # connectors name other places in words for staff, with the names of tables and triggers
        "unreachable": list(dict.fromkeys(_UNREACHABLE.get(place, _ELSEWHERE) for place in stop.unreachable)),
    }


def _summary(decision: Decision, stops: list[Stop]) -> str:
    if decision.allow:
        return _("Your data may be used for this, so there is nothing on its way.")
    if not stops:
        return _("No dataset is used for this purpose.")
    counts = {"done": sum(stop.state not in journeys.MOVING for stop in stops), "all": len(stops)}
    arrived = counts["done"] == counts["all"]
    if arrived and any(stop.state == journeys.EXEMPT for stop in stops):
        return _("Every dataset follows, but for what a law obliges us to keep.")
    if arrived and any(stop.state in journeys.ATTESTED for stop in stops):
        return _("Every dataset follows. Where others keep it, they told us so; in the others we looked again.")
    if decision.choice is None:
        if arrived:
            return _("Every dataset follows, and we looked again.")
        return _("%(done)d of %(all)d datasets follow already.") % counts
    if arrived:
        return _("Your no has arrived everywhere, and we looked again.")
    return _("Your no has arrived in %(done)d of %(all)d datasets.") % counts
