"""The one page of a request: who, what, clock, identity, tasks, messages, files, answer, and what can be done now.

A fixed number of queries, whatever the request has gone through; each part is a table of plain values for its template.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from consents import subjects
from consents.vocabulary import Scheme
from downstream import journeys
from portal.countries import name_of
from portal.models import User
from portal.staff_pages import named
from requests_app import (
    attachments,
    legal_clock,
    message_templates,
    messages,
    packages,
    proofs,
    remaining,
    rulebook,
    sealing,
    steps,
    timeline,
    workflow,
)
from requests_app.admin import happenings, next_steps, wording
from requests_app.admin.deeds import BY_NAME, EVERY
from requests_app.admin.deeds.base import offers, why_not
from requests_app.models import Attachment, Proposal, Request, Task, TimelineEntry
from requests_app.rights import rectification
from requests_app.states import CheckStatus, PackageStatus, Right, Status, TaskKind, TaskStatus

_CORRECTIONS = "Corrections"


@dataclass(frozen=True)
class Row:
    """One line of a part: a badge, what it is, what is said of it, and buttons as (label, address)."""

    kind: str
    state: str
    title: str
    told: tuple[str, ...] = ()
    buttons: tuple[tuple[str, str], ...] = ()


def panels(request: Request, staff: User, *, at: datetime) -> dict[str, Any]:
    """Everything that the page shows."""
    every = offers(request, staff, EVERY)
    tasks = list(request.tasks.select_related("dataset", "system"))
    proposals, attached = list(request.proposals.all()), list(request.attachments.all())
    written, answer = _written(request, staff, at=at), _answer(request)
    said = _said(request)
    owed, erasure = _both_asked(request, at=at)
    to_correct = _to_correct(request, staff, said)
    bare = [one for one, _author in written]
    parts = next_steps.Parts(proposals, tasks, bare, attached, answer, owed, erasure, to_correct)
    return {
        "one": request,
        "state": wording.state(request),
        "due": remaining.in_words(request, at=at),
        "offers": [(one.deed, _address(request, one.deed.name)) for one in every if not one.why_not],
        "missing": [one for one in every if one.why_not],
        "facts": _facts(request),
        "linked": _linked(request),
        "said": said,
        "clock": _clock(request, at=at),
        "is_shown": proofs.is_proven(request),
        "lacking": [need.label for need in proofs.missing(request)] if request.status == Status.VERIFYING else [],
        "checks": _checks(request),
        "tasks": _tasks(request, staff, tasks, {stop.dataset.pk: stop for stop in steps.stops(request, at=at)}),
        "proposals": _proposals(request, staff, proposals),
        "written": written,
        "templates": _templates(request),
        "write": _address(request, "write") if staff.has_perm(BY_NAME["write"].permission) else "",
        "files": _files(attached),
        **answer,
        "next": next_steps.of(request, staff, parts),
        "unfetched": packages.wait_of(request, at=at),
        "owed": owed,
        "owed_days": _owed_days(request) if owed else {},
        "happened": _happened(request),
        "evidence": reverse("admin:requests_app_request_evidence", args=[request.pk]),
    }


def _both_asked(request: Request, *, at: datetime) -> tuple[list[Request], Request | None]:
    """Where somebody wants to see their data and be erased: the other side of it."""
    if request.is_closed or request.subject_id is None:
        return [], None
    if request.right == Right.ERASURE:
        return list(packages.unanswered_of(request)), None
    found = packages.erasure_of(request, at=at) if request.right in packages.COPIES else None
    return [], found[0] if found is not None else None


def _owed_days(erasure: Request) -> dict[str, date]:
    """From when it may begin before the copy is answered: once that is built, and in any case."""
    return {"built": erasure.due_on - workflow.EARLIEST, "anyway": erasure.due_on - workflow.ANYWAY}


def _written(request: Request, staff: User, *, at: datetime) -> list[tuple[messages.Shown, str]]:
    """What was written, and by whom; an auditor's look leaves it unread for those who answer."""
    counts = staff.has_perm(BY_NAME["write"].permission)
    shown = messages.read(request=request, by_person=False, at=at, counts=counts)
    return [(one, named(one.author)) for one in shown]


def _templates(request: Request) -> list[tuple[str, str]]:
    """(slug, title) of each text to begin with, in the request's language where there is one."""
    found = {one.slug: one.title for one in message_templates.current(right=request.right) if one.language == "en"}
    spoken = request.locale[:2]
    found |= {one.slug: one.title for one in message_templates.current(right=request.right) if one.language == spoken}
    return sorted(found.items(), key=lambda one: one[1])


def _address(request: Request, name: str, of: Any = "") -> str:
    if of:
        return reverse("admin:requests_app_request_do_part", args=[request.pk, name, of])
    return reverse("admin:requests_app_request_do", args=[request.pk, name])


def _facts(request: Request) -> list[tuple[str, str, str]]:
    """(what, its value, where it leads)."""
    facts = [
        (_("Person"), *_person(request)),
        (_("Lives in"), name_of(request.jurisdiction), ""),
        (_("Asks"), _asks(request), ""),
        (_("Came in"), _came_in(request), ""),
        (_("Answered in"), _(str(dict(settings.LANGUAGES).get(request.locale, request.locale))), ""),
        (_("Assigned to"), request.assigned_to.username if request.assigned_to else _("nobody"), ""),
    ]
    return facts


def _person(request: Request) -> tuple[str, str]:
    if request.subject_id is None:
        return _("not known yet"), ""
    known = subjects.values([request.subject_id], scheme=Scheme.ACCOUNT).get(request.subject_id)
    return known or str(request.subject_id), reverse("admin:consents_subject_change", args=[request.subject_id])


def _asks(request: Request) -> str:
    who = sealing.unseal_json(request, request.sealed_requester, context=sealing.REQUESTER) or []
    return ", ".join([str(request.get_capacity_display()), *(part for part in who if part)])


def _came_in(request: Request) -> str:
    through = request.agent.name if request.agent else request.partner
    words = happenings.came_in(request.channel)
    return f"{words} ({through})" if through else words


def _linked(request: Request) -> list[tuple[str, Request]]:
    """Other requests that this one belongs to, and in which way."""
    linked = [(_("asked in one go"), one) for one in Request.objects.filter(group=request.group).exclude(pk=request.pk)]
    if request.duplicate_of:
        linked.append((_("the same, asked before"), request.duplicate_of))
    linked += [(_("the same, asked again"), one) for one in request.duplicates.all()]
    if request.about:
        linked.append((_("it is about"), request.about))
    return linked + [(_("about this one"), one) for one in request.follow_ups.all()]


def _said(request: Request) -> list[tuple[str, str]]:
    """What was asked for in words, opened for this page alone."""
    said = [(_("Note"), sealing.unseal(request, request.sealed_note, context=sealing.NOTE) or "")]
    details = sealing.unseal_json(request, request.sealed_details, context=sealing.DETAILS) or {}
    for what, value in {**request.scope, **details}.items():
        values = value if isinstance(value, list) else [value]
        said += [(what.replace("_", " ").capitalize(), _flat(one)) for one in values]
    return [(what, value) for what, value in said if value]


def _to_correct(request: Request, staff: User, said: list[tuple[str, str]]) -> str:
    """Where staff write down what is to be corrected; empty where that stands there, or is not theirs to do now."""
    if any(what == _CORRECTIONS for what, _value in said):
        return ""
    deed = BY_NAME["write_corrections"]
    may = staff.has_perm(deed.permission) and not why_not(deed, request)
    return _address(request, deed.name) if may else ""


def _flat(value: Any) -> str:
    if isinstance(value, dict) and value.keys() == {"what", "wrong", "right"}:
        return rectification.in_words(value)
    if isinstance(value, dict):
        return "; ".join(f"{name}: {part}" for name, part in value.items())
    return str(value)


def _clock(request: Request, *, at: datetime) -> dict[str, Any]:
    rule = rulebook.thaw(request.terms)
    return {
        "arithmetic": legal_clock.arithmetic(request, at=at),
        "confidence": rule.confidence,
        "pauses": [(happenings.waits_for(one.reason), one) for one in request.pauses.all()],
    }


def _checks(request: Request) -> list[Row]:
    kinds = {CheckStatus.PASSED: "success", CheckStatus.PENDING: "warning"}
    return [
        Row(
            kind=kinds.get(CheckStatus(one.status), "danger"),
            state=str(one.get_status_display()),
            title=str(one.get_method_display()),
            told=(
                _("decided by %s") % named(one.decided_by)
                if one.decided_by
                else _("asked by %s") % named(one.asked_by),
            ),
        )
        for one in proofs.of_group(request.group).order_by("asked_at", "pk")
    ]


def _answer(request: Request) -> dict[str, Any]:
    """The answer package, of the requests that have one, and what there is to do about it."""
    package = packages.newest(request)
    if package is None and request.right not in packages.COPIES:
        return {"answer": "", "package": None}
    words = {
        None: _("Build it"),
        PackageStatus.REVIEW: _("Look through it and release it"),
        PackageStatus.FAILED: _("See why, and build it again"),
    }
    status = PackageStatus(package.status) if package else None
    address = reverse("admin:requests_app_package_answer", args=[request.pk])
    return {"package": package, "answer": address, "answer_label": words.get(status, _("See how far it is"))}


def _tasks(request: Request, staff: User, tasks: Iterable[Task], stops: dict[Any, journeys.Stop]) -> list[Row]:
    kinds = {TaskStatus.DONE: "success", TaskStatus.EXEMPTED: "info", TaskStatus.OPEN: "warning"}
    rows = []
    for one in tasks:
        place = one.dataset or one.system
        evidence = sealing.unseal(request, one.sealed_evidence, context=sealing.EVIDENCE)
        deeds = ["exempt"] if one.kind == TaskKind.AUTOMATIC else ["settle", "exempt"]
        rows.append(
            Row(
                kind=kinds[TaskStatus(one.status)],
                state=str(one.get_status_display()),
                title=f"{happenings.task(one.code)}: {place.name if place else 'Heed'}",
                told=tuple(
                    part
                    for part in (
                        wording.arrived(stops[one.dataset_id])[1] if one.dataset_id in stops else "",
                        one.instructions,
                        evidence or "",
                        str(one.get_ground_display()),
                    )
                    if part
                ),
                buttons=_part_buttons(request, staff, deeds, one.pk) if one.status == TaskStatus.OPEN else (),
            )
        )
    return rows


def _proposals(request: Request, staff: User, proposals: Iterable[Proposal]) -> list[Row]:
    return [
        Row(
            kind="warning" if one.is_approved is None else "success" if one.is_approved else "danger",
            state=_("waits") if one.is_approved is None else _("approved") if one.is_approved else _("sent back"),
            title=capfirst(f"{one.get_kind_display()}: {one.get_ground_display()}"),
            told=tuple(
                part
                for part in (
                    sealing.unseal(request, one.sealed_reason, context=sealing.REASON) or "",
                    _("proposed by %s") % named(one.proposed_by),
                    _("decided by %s") % named(one.decided_by) if one.decided_by else "",
                )
                if part
            ),
            buttons=_part_buttons(request, staff, ["decide"], one.pk) if one.is_approved is None else (),
        )
        for one in proposals
    ]


def part(request: Request, staff: User, of: str) -> Row | None:
    """The task or proposal of this id as the request's page tells it: what a deed is about to settle or decide."""
    try:
        tasks = list(request.tasks.filter(pk=of).select_related("dataset", "system"))
        rows = _tasks(request, staff, tasks, {}) or _proposals(request, staff, request.proposals.filter(pk=of))
    except (ValidationError, ValueError):
        return None
    return replace(rows[0], buttons=()) if rows else None


def _part_buttons(request: Request, staff: User, names: Iterable[str], of: Any) -> tuple[tuple[str, str], ...]:
    deeds = [BY_NAME[name] for name in names]
    return tuple((str(one.label), _address(request, one.name, of)) for one in deeds if staff.has_perm(one.permission))


def _files(attached: Iterable[Attachment]) -> list[Row]:
    return [
        Row(
            kind="default" if one.deleted_at else "info",
            state=str(one.get_use_display()),
            title=attachments.name_of(one) or _("deleted"),
            told=(str(one.get_scan_display()), named(one.uploaded_by)),
            buttons=()
            if one.deleted_at
            else ((_("Download"), reverse("admin:requests_app_attachment_download", args=[one.pk])),),
        )
        for one in attached
    ]


def _happened(request: Request) -> list[tuple[datetime, str, str, str]]:
    """(when, what, details and what was typed, who), the latest first."""
    entries = list(request.timeline.order_by("-at", "-id"))
    return [
        (
            one.at,
            happenings.happened(one.code),
            " – ".join(part for part in (happenings.details(one), timeline.words(request, one) or "") if part),
            named(one.actor),
        )
        for later, one in zip([None, *entries], entries, strict=False)
        if not (later and _is_waiting(later) and _is_waiting(one))
    ]


def _is_waiting(entry: TimelineEntry) -> bool:
    """Whether the day moved because nothing came yet, which it does every night: the last time is enough."""
    return entry.code == "clock_moved" and entry.details.get("because") == "waiting"
