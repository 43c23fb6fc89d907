"""Asking for something, step by step: what, details, who, check your answers, sent.

Every step saves the draft and redirects. Sending happens once, however often the button is pressed. Of an address that
somebody types nothing is looked up: the pages are the same for a known, an unknown and an erased one.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from consents import ledger, subjects
from consents.models import Purpose, Subject
from consents.pages.access import subject_of
from consents.pages.views import MAIN_PURPOSE
from consents.vocabulary import Scheme
from portal import actors, clock, crypto, idempotency, nudge, rate_limits
from portal.countries import country_names, name_of
from portal.errors import DomainError
from requests_app import attachments, identity, intake, rulebook
from requests_app.models import Request
from requests_app.pages import codes, drafts, words
from requests_app.pages.drafts import Draft, Sent
from requests_app.pages.forms import OFFERED, DetailsForm, RightsForm, SendForm, WhoForm
from requests_app.pages.uploads import bounded
from requests_app.states import AT_ONCE, LIMITED, Capacity, FileUse, Right, Status

MOST_SENT = 20
"""Goes that one caller without an account may send within an hour."""
_HOUR = 3_600


def for_anybody(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Passes the person who is signed in, or None; staff without a person's record get a page that says so."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        subject = subject_of(request)
        if subject is None and request.user.is_authenticated:
            return render(request, "consents/no_subject.html", status=403)
        return view(request, subject, *args, **kwargs)

    return wrapped


@never_cache
@require_http_methods(["GET", "POST"])
@for_anybody
def what(request: HttpRequest, subject: Subject | None) -> HttpResponse:
    """Step one: the rights, each with what it does and how long the law allows where the reader lives."""
    draft = drafts.begin(request.session, _country(request, subject))
    if request.method == "POST" and "quick" in request.POST:
        return _quick(request, subject, draft)
    form = RightsForm(request.POST if request.method == "POST" else None, initial={"rights": draft.rights})
    if form.is_bound and form.is_valid():
        draft.rights = [right for right in OFFERED if right in form.cleaned_data["rights"]]
        drafts.save(request.session, draft)
        return redirect("request-details")
    country = _country(request, subject) or draft.country
    context = {
        "form": form,
        **_choices(form, country),
        "country": country,
        "countries": country_names(),
        "quick": Purpose.objects.filter(slug=MAIN_PURPOSE).exists(),
        **_place_in_steps(1, subject),
    }
    return render(request, "requests/new.html", context, status=_status(form))


@never_cache
@require_http_methods(["GET", "POST"])
@for_anybody
def details(request: HttpRequest, subject: Subject | None) -> HttpResponse:
    """Step two: what the chosen rights need to know."""
    draft = drafts.load(request.session)
    if draft is None or not draft.rights:
        return redirect("request-new")
    form = DetailsForm(request.POST if request.method == "POST" else None, draft=draft)
    if form.is_bound and form.is_valid():
        form.store(draft)
        drafts.save(request.session, draft)
        if form.is_adding:
            return redirect(f"{reverse('request-details')}#correction-{len(draft.corrections)}")
        return redirect(drafts.lacks(draft, subject) or "request-check")
    context = {"form": form, "rights": [words.offer(one) for one in draft.rights], **_place_in_steps(2, subject)}
    return render(request, "requests/details.html", context, status=_status(form))


@never_cache
@require_http_methods(["GET", "POST"])
@for_anybody
def who(request: HttpRequest, subject: Subject | None) -> HttpResponse:
    """Step three, of whoever is not signed in."""
    draft = drafts.load(request.session)
    missing = drafts.lacks(draft, subject)
    if draft is None or subject is not None or missing not in (None, "request-who"):
        return redirect(missing or "request-check")
    initial = {name: getattr(draft, name) for name in WhoForm.base_fields}
    form = WhoForm(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_bound and form.is_valid():
        form.store(draft)
        drafts.save(request.session, draft)
        return redirect("request-check")
    return render(request, "requests/who.html", {"form": form, **_place_in_steps(3, subject)}, status=_status(form))


def _too_large(request: HttpRequest) -> HttpResponse:
    return _check_page(request, subject_of(request), SendForm({}), status=413, problem=str(words.TOO_LARGE))


@bounded(_too_large)
@never_cache
@require_http_methods(["GET", "POST"])
@for_anybody
def check(request: HttpRequest, subject: Subject | None) -> HttpResponse:
    """Check your answers, and send them."""
    draft = drafts.load(request.session)
    done = drafts.sent(request.session)
    if request.method == "POST" and done is not None and request.POST.get("draft") == done.draft:
        return redirect(_after(done))
    missing = drafts.lacks(draft, subject)
    if missing is not None or draft is None:
        return redirect(_after(done) if done is not None and draft is None else missing or "request-new")
    form = SendForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and request.POST.get("draft") != draft.id:
        # of a tab in which something else was filled in: what is sent is what was looked at
        return redirect("request-check")
    if request.method == "POST" and form.is_valid():
        return _send(request, subject, draft, form)
    return _check_page(request, subject, form, status=_status(form))


@never_cache
@require_GET
@for_anybody
def sent(request: HttpRequest, subject: Subject | None) -> HttpResponse:
    """The references, shown to whoever is signed in or typed the code."""
    done = drafts.sent(request.session)
    if done is None:
        return redirect("request-new")
    if done.check is not None:
        return redirect("request-code")
    found = Request.objects.filter(pk__in=done.requests).order_by("id")
    context = {
        "requests": [_told(one) for one in found],
        "needs_proof": any(one.status == Status.VERIFYING for one in found),
        "holds_nothing": any(identity.holds_nothing(one) for one in found),
        "subject": subject,
    }
    return render(request, "requests/sent.html", context)


def _quick(request: HttpRequest, subject: Subject | None, draft: Draft) -> HttpResponse:
    """An objection to AI training, filled in."""
    draft.rights, draft.purposes = [Right.OBJECTION.value], {Right.OBJECTION.value: [MAIN_PURPOSE]}
    draft.has_details, draft.note = True, ""
    drafts.save(request.session, draft)
    return redirect(drafts.lacks(draft, subject) or "request-check")


def _send(request: HttpRequest, subject: Subject | None, draft: Draft, form: SendForm) -> HttpResponse:
    if subject is None and not _may_send(request):
        return _check_page(request, subject, form, status=429, problem=words.limit())
    files: list[UploadedFile[Any]] = form.cleaned_data["evidence"] if draft.is_for_somebody_else else []
    try:
        (_status_code, answer), is_again = idempotency.once(
            client="pages",
            key=draft.id,
            request=draft.id,
            at=clock.now(),
            act=lambda: (200, _take_in(subject, draft, files)),
        )
    except DomainError as error:
        return _check_page(request, subject, form, status=400, problem=words.refusal(error))
    nudge.after_commit(ledger.SEQUENCE_TASK)
    done = Sent(draft.id, answer["requests"], check=answer["check"])
    drafts.mark_sent(request.session, done)
    if subject is None and not is_again:
        codes.send(request, done)
    return redirect(_after(done))


def _take_in(subject: Subject | None, draft: Draft, files: "list[UploadedFile[Any]]") -> dict[str, Any]:
    """Everything in one transaction: the requests and the evidence, or nothing."""
    at, asked = clock.now(), drafts.asked(draft, subject)
    if subject is not None:
        by = actors.subject(subject.pk)
        requests = intake.receive(asked=asked, subject=subject, by=by, at=at)
    else:
        by = actors.SYSTEM
        contact = subjects.name(Scheme.EMAIL, draft.email)
        requests = intake.receive_unproven(asked=asked, contact=contact, by=by, at=at)
    for one in files:
        name = one.name or ""
        attachments.add(request=requests[0], use=FileUse.AUTHORITY, stream=one, name=name, by=by, at=at)
    # nobody's own until a code was typed
    return {"requests": [str(one.pk) for one in requests], "check": None if subject else ""}


def _check_page(
    request: HttpRequest, subject: Subject | None, form: SendForm, *, status: int, problem: str = ""
) -> HttpResponse:
    draft = drafts.load(request.session)
    if draft is None or drafts.lacks(draft, subject) is not None:
        return redirect("request-new")
    if problem:
        form.full_clean()
        form.add_error("evidence" if status == 413 else None, problem)
    place = subject.jurisdiction if subject else draft.country
    context = {
        "form": form,
        "draft": draft,
        "subject": subject,
        "asks": [_answer(draft, right, place) for right in draft.rights],
        "place": name_of(place),
        "capacity": words.CAPACITIES[Capacity(draft.capacity)],
        "evidence": subject is None and draft.is_for_somebody_else,
        **_place_in_steps(4 if subject is None else 3, subject),
    }
    return render(request, "requests/check.html", context, status=status)


def _answer(draft: Draft, right: str, place: str) -> dict[str, Any]:
    """One right as it is about to be sent."""
    names = dict(Purpose.objects.values_list("slug", "name"))
    return {
        "right": right,
        "label": words.offer(right),
        "purposes": [_(names[slug]) for slug in draft.purposes.get(right, []) if slug in names],
        "is_limited": right in LIMITED,
        "time": words.time_allowed(rulebook.rule_for(place, right, on=clock.now())),
    }


def _told(one: Request) -> dict[str, Any]:
    return {
        "reference": one.reference,
        "label": one.get_right_display(),
        "due_on": one.due_on,
        "is_begun": one.right in AT_ONCE and one.carried_out_at is not None,
        "duplicate_of": one.duplicate_of,
    }


def _choices(form: RightsForm, country: str) -> dict[str, Any]:
    """Each checkbox with its sentence and its time; a time that all of them have is said once."""
    rules = {right: rulebook.rule_for(country, right, on=clock.now()) for right in OFFERED} if country else {}
    times = {right: words.law_allows(rule) for right, rule in rules.items()}
    is_one = len(set(times.values())) == 1
    choices = [
        {
            "box": box,
            "right": right,
            "meaning": words.MEANINGS[right],
            "at_once": words.AT_ONCE_WORDS if right in AT_ONCE else "",
            "time": "" if is_one else times.get(right, ""),
        }
        for box, right in zip(form["rights"], OFFERED, strict=True)
    ]
    return {"choices": choices, "time_of_all": next(iter(times.values())) if is_one else ""}


def _country(request: HttpRequest, subject: Subject | None) -> str:
    """Where the reader lives, or says they do; empty where that is not known."""
    if subject is not None:
        return subject.jurisdiction
    stated = request.GET.get("country", "").upper()
    return stated if stated in dict(country_names()) else ""


def _after(done: Sent) -> str:
    return "request-sent" if done.check is None else "request-code"


def _place_in_steps(number: int, subject: Subject | None) -> dict[str, Any]:
    return {"step": number, "steps": 4 if subject is None else 3}


def _may_send(request: HttpRequest) -> bool:
    """Counted by the network address, as a keyed digest."""
    key = f"requests:{crypto.blind_index('rate', codes.caller(request)).hex()}"
    return rate_limits.count(key, limit=MOST_SENT, window=_HOUR).allowed


def _status(form: Any) -> int:
    return 400 if form.is_bound and form.errors else 200
