"""Receipts on people's pages: reading and downloading one's own, and checking any without an account."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.formats import date_format
from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from consents import checkpoints, ledger, sequencer
from consents.models import LedgerEvent, Purpose, Subject
from consents.pages import cards
from consents.pages.access import for_subject, subject_of
from consents.pages.forms import ReceiptForm
from consents.receipts import issuing, reading, verifying
from consents.receipts.verifying import FAILED, PASSED, PENDING, SKIPPED, Verdict
from consents.vocabulary import Action, Kind, Source
from portal import clock, references
from portal.api_access import AddressThrottle
from portal.errors import NotFound, TooLarge

_ICONS = {PASSED: "removed", FAILED: "failed", PENDING: "waiting", SKIPPED: "not_in"}
_ROOM = 8_192
"""Bytes that a form needs beside the receipt itself."""


@require_GET
@for_subject
def receipt(request: HttpRequest, subject: Subject, reference: str) -> HttpResponse:
    """One choice in full. Somebody else's receipt is as unknown as none."""
    event = _own(subject, reference)
    position = sequencer.position_of(event.pk)
    names = dict(Purpose.objects.values_list("slug", "name"))
    rows = {
        _("Purpose"): _(names[event.purpose]) if event.purpose in names else _("every purpose"),
        _("Choice"): decided(event.kind, event.action),
        _("Recorded"): _moment(event.recorded_at),
        _("Made"): _moment(event.occurred_at),
        _("How"): Source(event.source).label,
        _("Notice shown"): event.notice or "–",
        _("Place in the log"): position if position is not None else _("being assigned"),
    }
    last = checkpoints.latest()
    context = {
        "reference": ledger.reference(event.pk),
        "receipt": rows,
        "position": position,
        "sealed": position is not None and last is not None and position <= last.size,
    }
    return render(request, "consents/receipt.html", context)


@require_GET
@never_cache
@for_subject
def download(request: HttpRequest, subject: Subject, reference: str, form: str) -> HttpResponse:
    """The signed receipt as a file."""
    event = _own(subject, reference)
    if form not in issuing.Format.values:
        raise Http404
    file = issuing.issue(
        event,
        wanted=form,
        base=request.build_absolute_uri("/"),
        language=(get_language() or "en")[:2],
        at=clock.now(),
    )
    name = {"Content-Disposition": f'attachment; filename="{file.name}"'}
    return HttpResponse(file.content, content_type=file.media_type, headers=name)


def _own(subject: Subject, reference: str) -> LedgerEvent:
    try:
        return issuing.find(references.decode("R", reference), subject_id=subject.pk)
    except NotFound as error:
        raise Http404 from error


def decided(kind: str, action: str) -> str:
    """What was decided, in words."""
    return str(Kind(kind).label) if kind == Kind.EXPIRY else str(Action(action).label)


def _moment(moment: datetime) -> str:
    return date_format(moment, pgettext("date format", "j F Y, H:i T"))


# Nothing is changed here, and the check before the view would take in files of any size first.
@csrf_exempt
@never_cache
@require_http_methods(["GET", "POST"])
def verify(request: HttpRequest) -> HttpResponse:
    """Check a receipt, pasted or as a file, with no account."""
    if request.method == "GET":
        return render(request, "consents/verify.html", {"form": ReceiptForm()})
    if not AddressThrottle().allows(request):
        return _turned_away(request, _("Too many were checked from here. Wait a minute, then try again."), status=429)
    # a text that is pasted may take three bytes for one on its way
    if not 0 < _announced(request) <= 3 * reading.LARGEST + _ROOM:
        return _turned_away(request, _unreadable("too_large"), status=413)
    form = ReceiptForm(request.POST, request.FILES)
    verdict = _verdict(form)
    if verdict is None:
        return render(request, "consents/verify.html", {"form": form}, status=422)
    context = {
        "form": ReceiptForm(),
        "verdict": verdict,
        "lines": [_line(one, verdict) for one in verdict.checks],
        "facts": _facts(verdict),
        "today": _today(request, verdict),
    }
    return render(request, "consents/verify.html", context)


def _announced(request: HttpRequest) -> int:
    """How many bytes are coming; 0 where that is not said."""
    said = request.META.get("CONTENT_LENGTH") or ""
    return int(said) if said.isascii() and said.isdigit() else 0


def _turned_away(request: HttpRequest, why: str, *, status: int) -> HttpResponse:
    """The form with a reason, and nothing of what was sent looked at."""
    form = ReceiptForm({"text": " "})
    form.add_error(None, why)
    return render(request, "consents/verify.html", {"form": form}, status=status)


def _verdict(form: ReceiptForm) -> Verdict | None:
    """What became of the check; None with the form's errors saying why there was nothing to check."""
    if not form.is_valid():
        return None
    try:
        return verifying.verify(form.brought())
    except (reading.Unreadable, TooLarge) as error:
        form.add_error(form.used(), _unreadable(error.code))
        return None


@dataclass(frozen=True)
class Line:
    """One check as it is shown."""

    icon: str
    state: str
    title: str
    text: str
    places: tuple[str, ...]


def _line(check: verifying.Check, verdict: Verdict) -> Line:
    states = {PASSED: _("holds"), FAILED: _("does not hold"), PENDING: _("still to come"), SKIPPED: _("not looked at")}
    return Line(
        icon=_ICONS[check.outcome],
        state=states[check.outcome],
        title=_title(check.name),
        text=_words(check, verdict),
        places=check.places if check.outcome == FAILED else (),
    )


def _title(name: str) -> str:
    return {
        verifying.SIGNATURE: _("Our signature"),
        verifying.TEXT: _("What you can read in it"),
        verifying.CONTENT: _("What it says of the choice"),
        verifying.INCLUSION: _("Its place in the log"),
        verifying.CHECKPOINT: _("The log’s checkpoint"),
        verifying.LEDGER: _("Our ledger today"),
    }[name]


def _words(check: verifying.Check, verdict: Verdict) -> str:
    if check.outcome == SKIPPED:
        if check.name == verifying.TEXT and verdict.checks[0].outcome == PASSED:
            return _("Only the signed token was brought, so there is nothing beside it to compare.")
        return _("Without the check that failed this one would say nothing.")
    if check.outcome == PENDING:
        return _("The log has not sealed this choice yet. Download the receipt again later to have the proof.")
    return _passed(check) if check.outcome == PASSED else _failed(check.name)


def _passed(check: verifying.Check) -> str:
    first, second = (*check.places, "", "")[:2]
    return {
        verifying.SIGNATURE: _("Signed by us, with our key %(key)s.") % {"key": first},
        verifying.TEXT: _("Nothing in it was changed since we signed it."),
        verifying.CONTENT: _("It says of the choice what the log holds of it."),
        verifying.INCLUSION: _("It is in the log, at place %(place)s of %(size)s.") % {"place": first, "size": second},
        verifying.CHECKPOINT: _("The checkpoint over the log’s first %(size)s entries is signed by us.")
        % {"size": first},
        verifying.LEDGER: _("Our ledger still has this choice, unchanged, and the log continues the one it was in."),
    }[check.name]


def _failed(name: str) -> str:
    return {
        verifying.SIGNATURE: _("It was not signed by us, or was changed since."),
        verifying.TEXT: _("What can be read in it is not what we signed. It was changed here:"),
        verifying.CONTENT: _("It does not say what the log holds of this choice. It differs here:"),
        verifying.INCLUSION: _("The proof does not lead from this choice to the log’s checkpoint."),
        verifying.CHECKPOINT: _("The checkpoint in it was not signed by us, or was changed since."),
        verifying.LEDGER: _("Our ledger of today does not have this choice as the receipt tells it. Please tell us."),
    }[name]


def _unreadable(code: str) -> str:
    known = {
        "too_large": _("That is too large for a receipt, which has at most 256 kB."),
        "empty": _("There is nothing in it to check."),
        "not_json": _("This is not complete. Was it cut, or copied only in part?"),
        "no_receipt_in_pdf": _(
            "This PDF has no signed receipt attached. It is none of ours, or was cut or saved anew."
        ),
        "wrong_kind": _("This was signed, but it is not a receipt."),
    }
    return known.get(code) or _("This reads like no receipt. Choose the file as you downloaded it.")


def _facts(verdict: Verdict) -> dict[str, Any]:
    """What the receipt says; nothing if anything about it failed."""
    event = verdict.event
    if not event:
        return {}
    return {
        _("Receipt"): ledger.reference(uuid.UUID(event["id"])),
        _("Choice"): decided(event["kind"], event["action"]),
        _("Purpose"): verdict.purpose,
        _("Made"): _moment(datetime.fromisoformat(event["occurred_at"])),
        _("Recorded"): _moment(datetime.fromisoformat(event["recorded_at"])),
    }


def _today(request: HttpRequest, verdict: Verdict) -> str:
    """How things stand now, told to the one whom the receipt is about and to nobody else."""
    subject, event = subject_of(request), verdict.event
    if subject is None or not event or str(subject.pk) != event["subject"]:
        return ""
    purpose = Purpose.objects.prefetch_related("recipients").filter(slug=event["purpose"]).first()
    return cards.of(subject, [purpose], at=clock.now())[0].headline if purpose else ""
