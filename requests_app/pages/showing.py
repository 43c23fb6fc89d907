"""One request as its person sees it: where it stands, by when and why, what was done, said and sent."""

from datetime import date, datetime
from typing import Any

from django.utils.translation import gettext as _

from consents.models import Purpose, Subject
from portal import actors
from portal.errors import DomainError
from requests_app import (
    appeals,
    explanations,
    legal_clock,
    rulebook,
    sealing,
    steps,
    timeline,
    told,
    workflow,
)
from requests_app import messages as correspondence
from requests_app.models import Attachment, IdentityCheck, Message, Pause, Request, Task, TimelineEntry
from requests_app.pages import files, handing_out, words
from requests_app.rights import rectification
from requests_app.rulebook import Rule
from requests_app.states import (
    ANSWERED,
    FOLLOW_UPS,
    CheckMethod,
    CheckStatus,
    ProposalKind,
    Right,
    Status,
    TaskStatus,
)

SHOWN_MESSAGES = 20
"""The newest; all of them on demand."""


def row(one: Request) -> dict[str, Any]:
    """One request in the list."""
    icon, state = words.STATES[Status(one.status)]
    return {
        "reference": one.reference,
        "right_label": one.get_right_display(),
        "icon": icon,
        "state_text": state,
        "received_at": one.received_at,
        "closed_at": one.closed_at,
        "due_on": None if one.is_closed else one.due_on,
        "waits_for_you": one.status == Status.AWAITING_SUBJECT,
    }


def page(one: Request, *, at: datetime, every_message: bool = False) -> dict[str, Any]:
    """Everything that the page of one request shows."""
    rule = rulebook.thaw(one.terms)
    today = at.astimezone(rule.zone).date()
    return {
        "data_request": row(one) | {"right": one.right, "is_closed": one.is_closed},
        "purposes": _purposes(one),
        "corrections": rectification.corrections(one) if one.right == Right.RECTIFICATION else [],
        "waiting_for": waiting_for(one, at=at),
        "overdue": one.is_overdue(today),
        "is_extended": one.extended_at is not None,
        "pauses": [words.waits_for(pause.reason) for pause in _open_pauses(one)],
        "arithmetic": legal_clock.arithmetic(one, at=at),
        "refusal": refusal(one),
        "places": places(one, at=at),
        "timeline": [shown for entry in one.timeline.all() if (shown := _told(one, entry))],
        **_messages(one, every=every_message),
        "files": _files(one),
        "package": handing_out.package(one, at=at),
        "unfetched": handing_out.unfetched(one, at=at),
        "proof": proof_wanted(one, at=at),
        "second_code": second_code_wanted(one, at=at),
        "can_write": correspondence.can_write(one, at=at),
        "can_withdraw": workflow.can_withdraw(one),
        "regulator": _regulator(rule),
        **appeal(one, at=at),
        **_linked(one),
    }


def waiting_for(one: Request, *, at: datetime) -> str:
    """Whose turn it is, in words; empty once it is closed."""
    if one.is_closed:
        return ""
    if one.status in (Status.AWAITING_SUBJECT, Status.VERIFYING) or handing_out.waits_for_fetching(one, at=at):
        return _("you")
    if one.duplicate_of_id is not None:
        return _("us: it is answered together with your earlier request")
    by_hand = one.tasks.filter(status=TaskStatus.OPEN, dataset=None).exists() or handing_out.owes_a_copy(one)
    if one.carried_out_at is not None and not by_hand:
        return _("our workers: your data is being dealt with in each place")
    return _("our privacy staff")


def refusal(one: Request) -> dict[str, Any] | None:
    """The ground of a refusal and what was written about it."""
    if one.status != Status.REFUSED:
        return None
    decided = one.proposals.filter(kind=ProposalKind.REFUSE, is_approved=True).first()
    entry = one.timeline.filter(code="refused").last()
    said = timeline.words(one, entry) if entry else None
    if said is None and decided is not None:
        said = sealing.unseal(one, decided.sealed_reason, context=sealing.REASON)
    return {"ground": _ground(one, one.refusal_ground), "reason": said or ""}


def places(one: Request, *, at: datetime) -> list[dict[str, Any]]:
    """Where the data is, and how far it is there: datasets by their names for people, then systems."""
    found: dict[str, dict[str, Any]] = {}
    if one.carried_out_at is not None:
        for stop in steps.stops(one, at=at):
            name = _(stop.dataset.public_name)
            found[stop.dataset.slug] = {"name": name, "icon": stop.state, "text": words.PLACES[stop.state]}
    tasks = one.tasks.select_related("dataset", "system")
    if one.is_closed:
        # what was refused or taken back is waited for nowhere
        tasks = tasks.exclude(status=TaskStatus.OPEN)
    for task in tasks:
        key = task.dataset.slug if task.dataset else f"task-{task.pk}"
        if task.dataset is None or key not in found or task.status == TaskStatus.EXEMPTED:
            found[key] = {"name": _place_name(task), **_task_state(one, task)}
    return list(found.values())


def _regulator(rule: Rule) -> dict[str, str] | None:
    """Whom to complain to, in the reader's language where it has no name of its own."""
    found = rule.regulator
    return {"name": explanations.authority(found.name), "url": found.url} if found is not None else None


def appeal(one: Request, *, at: datetime) -> dict[str, Any]:
    """Whether an answer, or that none came, can be appealed against here; until or from when, and how that was found.

    `appeal` is None where it cannot be now, `appeal_opens` the day from which it can be if no answer comes. Nothing is
    offered that lodging it would refuse.
    """
    shown: dict[str, Any] = {"appeal": None, "appeal_over": False, "appeal_opens": None}
    rule = rulebook.thaw(one.terms)
    opens = legal_clock.silence_from(one, at=at)
    if opens is None and (one.status not in ANSWERED or one.closed_at is None or one.right in FOLLOW_UPS):
        return shown
    if not appeals.are_ours(rule) or one.follow_ups.open().exists():
        return shown
    if opens is not None and at.astimezone(rule.zone).date() < opens:
        return shown | {"appeal_opens": opens}
    right = follow_up_of(one)
    try:
        days = workflow.check_can_lodge(one, right, at=at)
    except DomainError as refusal:
        return shown | {"appeal_over": refusal.code == "appeal_too_late"}
    said = {
        "is_complaint": right == Right.COMPLAINT,
        "is_silence": opens is not None,
        "lodge_by": days.lodge_by,
        "due": days.due,
        "steps": [str(step) for step in days.explanation],
    }
    return shown | {"appeal": said}


def follow_up_of(one: Request) -> Right:
    """What the law of the place calls it: the United Kingdom has complaints (DPA 2018 s.164A), others appeals."""
    return Right.COMPLAINT if rulebook.thaw(one.terms).scope == "GB" else Right.APPEAL


def proof_wanted(one: Request, *, at: datetime) -> IdentityCheck | None:
    """The document that staff wait for, if any."""
    return _pending(one, CheckMethod.DOCUMENT, at)


def second_code_wanted(one: Request, *, at: datetime) -> bool:
    """Whether staff wait for a code that goes to a second address of the person."""
    return one.status == Status.VERIFYING and _pending(one, CheckMethod.SECOND_CODE, at) is not None


def of_person(subject: Subject) -> "list[Request]":
    return list(Request.objects.filter(subject=subject).order_by("-received_at", "-id"))


def _pending(one: Request, method: CheckMethod, at: datetime) -> IdentityCheck | None:
    return one.checks.filter(status=CheckStatus.PENDING, method=method, expires_at__gt=at).first()


def _open_pauses(one: Request) -> list[Pause]:
    return [] if one.is_closed else list(one.pauses.filter(ended_at__isnull=True))


def _purposes(one: Request) -> list[str]:
    named = one.scope.get("purposes") or []
    names = dict(Purpose.objects.filter(slug__in=named).values_list("slug", "name"))
    return [_(names.get(slug, slug)) for slug in named]


def _told(one: Request, entry: TimelineEntry) -> dict[str, Any] | None:
    said = entry.details
    if entry.code in told.HOUSE or (entry.code == "clock_moved" and said.get("because") in words.MOVED_QUIETLY):
        return None
    quoted = timeline.words(one, entry) if entry.code in words.QUOTED else None
    return {
        "at": entry.at,
        "text": told.happened(entry.code, one.right),
        "by": _by(one, entry.actor),
        "quoted": quoted or "",
        "until": _day(said.get("from" if entry.code in words.DAYS else "to") or said.get("due_on")),
        "until_words": words.DAYS.get(entry.code, words.NEW_DAY),
        "ground": _ground(one, str(said.get("ground", ""))) if entry.code in words.GROUNDED else "",
    }


def _day(stated: object) -> date | None:
    """The day that an entry names, as it is kept in JSON."""
    try:
        return date.fromisoformat(str(stated)[:10]) if stated else None
    except ValueError:
        return None


def _by(one: Request, actor: str) -> str:
    """Who did it, without anybody's name."""
    if one.subject_id is not None and actor == actors.subject(one.subject_id):
        return _("by you")
    kind = actor.partition(":")[0]
    known = {"staff": _("by our staff"), "partner": _("by a partner service"), "agent": _("by your agent")}
    return known.get(kind, _("automatically"))


def _ground(one: Request, code: str) -> str:
    return words.ground(code, right=one.right, scope=rulebook.thaw(one.terms).scope)


def _place_name(task: Task) -> str:
    if task.dataset is not None:
        return _(task.dataset.public_name)
    return _(task.system.public_name) if task.system is not None else _("our answer to you")


def _task_state(one: Request, task: Task) -> dict[str, Any]:
    if task.status == TaskStatus.DONE:
        return {"icon": "removed", "text": _("done")}
    if task.status == TaskStatus.EXEMPTED:
        return {"icon": "kept", "text": _("left out: %(ground)s") % {"ground": _ground(one, task.ground)}}
    return {"icon": "waiting", "text": _("not done yet")}


def _messages(one: Request, *, every: bool) -> dict[str, Any]:
    rows = one.messages.order_by("-sent_at", "-id").prefetch_related("attachments")
    shown = list(rows if every else rows[: SHOWN_MESSAGES + 1])
    more = not every and len(shown) > SHOWN_MESSAGES
    return {"messages_shown": [_message(one, each) for each in reversed(shown[:SHOWN_MESSAGES] if more else shown)]} | {
        "has_more_messages": more
    }


def _message(one: Request, message: Message) -> dict[str, Any]:
    return {
        "is_own": message.direction == Message.FROM_PERSON,
        "is_new": message.direction == Message.FROM_STAFF and message.read_at is None,
        "at": message.sent_at,
        "body": sealing.unseal(one, message.sealed_body, context=sealing.MESSAGE) or _("This can no longer be read."),
        "files": [_file(one, each) for each in message.attachments.all()],
    }


def _files(one: Request) -> list[dict[str, Any]]:
    """What belongs to no message."""
    loose = one.attachments.filter(message__isnull=True)
    return [_file(one, each) for each in loose if one.subject is not None and files.is_theirs(each, one.subject)]


def _file(one: Request, each: Attachment) -> dict[str, Any]:
    name = sealing.unseal(one, each.sealed_name, context=sealing.FILE_NAME)
    return {
        "pk": each.pk,
        "name": name or _("a file"),
        "use": each.use,
        "use_label": each.get_use_display(),
        "size": each.size,
        "at": each.uploaded_at,
        "is_deleted": each.deleted_at is not None,
    }


def _linked(one: Request) -> dict[str, Any]:
    """Earlier, later and simultaneous requests that have to do with this one; the person's own alone."""
    mine = Request.objects.filter(subject=one.subject)
    return {
        "together": list(mine.filter(group=one.group).exclude(pk=one.pk).order_by("id")),
        "duplicate_of": mine.filter(pk=one.duplicate_of_id).first() if one.duplicate_of_id else None,
        "duplicates": list(mine.filter(duplicate_of=one).order_by("id")),
        "about": mine.filter(pk=one.about_id).first() if one.about_id else None,
        "follow_ups": list(mine.filter(about=one).order_by("id")),
    }
