"""What there is to say of one request, as plain values: one entry a file of the evidence, nothing of it lazily read.

Who asked is named by their number alone, and no evidence of identity is in it; what people typed is, where their key
still opens it, because an authority that asks about a request asks about these words.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from consents import leaves
from consents.models import LedgerEvent
from consents.receipts import proofs
from downstream.models import PurgeReceipt, RemovalReceipt
from portal.models import AuditEntry
from requests_app import legal_clock, sealing, timeline
from requests_app.models import ControllerRequest, Redaction, Request, Task
from requests_app.packages import redaction, unseen

Said = dict[str, Any]


def of(request: Request, *, at: datetime) -> Iterator[tuple[str, Any]]:
    """(name of the file without its ending, its content), in the order in which one reads them."""
    for name, gather in _FILES.items():
        yield name, _clock(request, at=at) if gather is None else gather(request)


def _request(one: Request) -> Said:
    return {
        "reference": one.reference,
        "right": one.right,
        "status": one.status,
        "person": str(one.subject_id) if one.subject_id else None,
        "person_erased_at": one.subject.erased_at if one.subject else None,
        "jurisdiction": one.jurisdiction,
        "language": one.locale,
        "channel": one.channel,
        "capacity": one.capacity,
        "agent": str(one.agent) if one.agent else None,
        "partner": one.partner or None,
        "instruction": _instruction(one),
        "scope": one.scope,
        "note": sealing.unseal(one, one.sealed_note, context=sealing.NOTE),
        "details": sealing.unseal_json(one, one.sealed_details, context=sealing.DETAILS),
        "received_at": one.received_at,
        "identity_confirmed_at": one.identity_confirmed_at,
        "acknowledged_at": one.acknowledged_at,
        "carried_out_at": one.carried_out_at,
        "carried_out_by": one.carried_out_by or None,
        "refusal_ground": one.refusal_ground or None,
        "closed_at": one.closed_at,
        "reopened_at": one.reopened_at,
        "duplicate_of": one.duplicate_of.reference if one.duplicate_of else None,
        "about": one.about.reference if one.about else None,
        "asked_together_with": [
            each.reference for each in Request.objects.filter(group=one.group).exclude(pk=one.pk).order_by("id")
        ],
        "follow_ups": [each.reference for each in one.follow_ups.order_by("received_at", "id")],
    }


def _instruction(one: Request) -> Said | None:
    """By which message a controller instructed us, and what it was told last; None where none did."""
    sent = ControllerRequest.objects.filter(request=one).first()
    if sent is None:
        return None
    return {
        "controller": sent.partner,
        "subject_request_id": str(sent.subject_request_id),
        "regulation": sent.regulation,
        "received_at": sent.received_at,
        "expected_at": sent.expected_at,
        "told": list(sent.callbacks.values("url", "told_status")),
    }


def _clock(one: Request, *, at: datetime) -> Said:
    deadline = legal_clock.of(one, at=at)
    return {
        "due_on": one.due_on,
        "acknowledge_by": one.acknowledge_by,
        "extended_at": one.extended_at,
        "extended_until": one.extended_until,
        "due_override": one.due_override,
        "arithmetic": [{"code": step.code, "words": step.sentence} for step in deadline.explanation],
        "pauses": list(one.pauses.order_by("began_at", "id").values("reason", "began_at", "ended_at")),
        "told": list(one.clock_notices.order_by("at", "id").values("code", "due_on", "at")),
        "rule": one.rule,
        "rulebook_sha256": one.rulebook_digest,
        "terms_frozen_at_receipt": one.terms,
    }


def _timeline(one: Request) -> list[Said]:
    return [
        {
            "at": entry.at,
            "by": entry.actor,
            "what": entry.code,
            "details": entry.details,
            "words": timeline.words(one, entry),
        }
        for entry in one.timeline.order_by("at", "id")
    ]


def _messages(one: Request) -> list[Said]:
    return [
        {
            "sent_at": message.sent_at,
            "direction": message.direction,
            "by": message.author,
            "template": message.template or None,
            "read_at": message.read_at,
            "text": sealing.unseal(one, message.sealed_body, context=sealing.MESSAGE),
        }
        for message in one.messages.order_by("sent_at", "id")
    ]


def _identity(one: Request) -> list[Said]:
    """What was asked for and what became of it: neither codes nor addresses nor documents."""
    fields = ("method", "status", "tries", "asked_by", "asked_at", "expires_at", "decided_by", "decided_at")
    return list(one.checks.order_by("asked_at", "id").values(*fields))


def _proposals(one: Request) -> list[Said]:
    return [
        {
            "kind": proposal.kind,
            "about": _place(proposal.task) if proposal.task else None,
            "ground": proposal.ground,
            "reason": sealing.unseal(one, proposal.sealed_reason, context=sealing.REASON),
            "proposed_by": proposal.proposed_by,
            "proposed_at": proposal.proposed_at,
            "decided_by": proposal.decided_by or None,
            "decided_at": proposal.decided_at,
            "is_approved": proposal.is_approved,
        }
        for proposal in one.proposals.select_related("task__dataset", "task__system").order_by("proposed_at", "id")
    ]


def _tasks(one: Request) -> list[Said]:
    return [
        {
            "where": _place(task),
            "kind": task.kind,
            "work": task.code,
            "status": task.status,
            "instructions": task.instructions or None,
            "ground": task.ground or None,
            "evidence": sealing.unseal(one, task.sealed_evidence, context=sealing.EVIDENCE),
            "planned_at": task.planned_at,
            "settled_at": task.settled_at,
            "settled_by": task.settled_by or None,
        }
        for task in one.tasks.select_related("dataset", "system").order_by("planned_at", "id")
    ]


def _place(task: Task) -> str:
    """Where the work of a task is."""
    if task.dataset is not None:
        return f"dataset {task.dataset.slug}"
    return f"system {task.system.slug}" if task.system is not None else "Heed"


def _removals(one: Request) -> list[Said]:
    """What left each dataset since the request came in, and that the bytes were searched for."""
    if one.subject_id is None:
        return []
    theirs = RemovalReceipt.objects.filter(subject_id=one.subject_id, verified_at__gte=one.received_at)
    runs = theirs.values("propagation_id")
    purged = {each.propagation_id: each for each in PurgeReceipt.objects.filter(propagation_id__in=runs)}
    return [
        {
            "dataset": receipt.dataset.slug,
            "run": str(receipt.propagation_id),
            "position": receipt.position,
            "rows_found": receipt.rows_found,
            "rows_removed": receipt.rows_removed,
            "is_counted": receipt.is_counted,
            "spans": receipt.spans,
            "sha256_before": receipt.digest_before or None,
            "sha256_after": receipt.digest_after or None,
            "verified_at": receipt.verified_at,
            "attested_by": receipt.attested_by or None,
            "purge": _purge(purged.get(receipt.propagation_id)),
        }
        for receipt in theirs.select_related("dataset").order_by("verified_at", "id")
    ]


def _purge(receipt: PurgeReceipt | None) -> Said | None:
    if receipt is None:
        return None
    return {
        "purged_at": receipt.purged_at,
        "places_searched": receipt.looked_at,
        "people_not_searched_for": receipt.not_searched,
        "cannot_be_searched": receipt.unreachable,
    }


def _log(one: Request) -> Said | None:
    """The ledger's entry of this request, its place in the log and the way from there to a signed checkpoint."""
    event = LedgerEvent.objects.filter(pk=one.event_id).first() if one.event_id else None
    if event is None:
        return None
    content = leaves.content(event)
    return {"event": str(event.pk), "kind": event.kind, **proofs.part(event, content=content)}


def _letters(one: Request) -> list[Said]:
    """Mail: what it was about and when it left, never to which address."""
    fields = ("code", "locale", "state", "attempts", "last_reason", "written_at", "settled_at")
    return list(one.letters.order_by("written_at", "id").values(*fields))


def _packages(one: Request) -> list[Said]:
    return [
        {
            "status": package.status,
            "sha256": package.sha256 or None,
            "size": package.size,
            "parts": package.parts,
            "asked_at": package.asked_at,
            "asked_by": package.asked_by,
            "built_at": package.built_at,
            "released_at": package.released_at,
            "released_by": package.released_by or None,
            "expires_at": package.expires_at,
            "deleted_at": package.deleted_at,
            "downloads": list(package.downloads.order_by("at", "id").values("at", "actor")),
        }
        for package in one.packages.order_by("asked_at", "id")
    ]


def _redactions(one: Request) -> list[Said]:
    """What kind of thing was left out and why; neither the words nor the rows themselves."""
    return [_redaction(each) for each in one.redactions.select_related("request__subject").order_by("made_at", "id")]


def _redaction(one: Redaction) -> Said:
    what = redaction.what_of(one)
    return {
        "part": what.part if what else None,
        "column": what.column or None if what else None,
        "rows_named": len(what.rows) if what else None,
        "is_words": bool(what.words) if what else None,
        "ground": one.ground,
        "reason": redaction.reason_of(one),
        "made_at": one.made_at,
        "made_by": one.made_by,
        "undone_at": one.undone_at,
        "undone_by": one.undone_by or None,
    }


def _clearances(one: Request) -> list[Said]:
    """Files that went out as they are, though nobody could tell by reading them what is in them."""
    return [
        {
            "files": len(unseen.files_of(each)),
            "reason": unseen.reason_of(each),
            "made_at": each.made_at,
            "made_by": each.made_by,
            "undone_at": each.undone_at,
            "undone_by": each.undone_by or None,
        }
        for each in one.clearances.select_related("request__subject")
    ]


def _files(one: Request) -> list[Said]:
    fields = ("use", "content_type", "size", "sha256", "scan", "uploaded_at", "uploaded_by", "deleted_at")
    return list(one.attachments.order_by("uploaded_at", "id").values(*fields))


def _audit(one: Request) -> list[Said]:
    entries = AuditEntry.objects.filter(object_type="request", object_id=str(one.pk)).order_by("at", "id")
    return [dict(one) for one in entries.values("at", "actor", "action", "details")]


_FILES: dict[str, Callable[[Request], Any] | None] = {
    "request": _request,
    # the one that depends on when one looks
    "clock": None,
    "timeline": _timeline,
    "messages": _messages,
    "identity": _identity,
    "proposals": _proposals,
    "tasks": _tasks,
    "removals": _removals,
    "log": _log,
    "letters": _letters,
    "packages": _packages,
    "redactions": _redactions,
    "clearances": _clearances,
    "files": _files,
    "audit": _audit,
}
