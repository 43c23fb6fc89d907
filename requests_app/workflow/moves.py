"""Locking, moving and closing: what every step is made of."""

from datetime import datetime
from typing import Any

from django.db.models import F
from django.db.models.functions import Greatest

from requests_app import consequences, letters, proofs, sealing, timeline
from requests_app.models import Request
from requests_app.states import ANSWERED, Right, Status
from requests_app.workflow.guards import check_can_move

_LETTERS = {
    Status.FULFILLED: "fulfilled",
    Status.PARTIALLY_FULFILLED: "fulfilled",
    Status.REFUSED: "refused",
    Status.WITHDRAWN: "withdrawn",
    Status.EXPIRED: "expired",
}
_DONE = frozenset({Status.FULFILLED, Status.PARTIALLY_FULFILLED})
_WAY = {
    Status.FULFILLED: (Status.IN_PROGRESS, Status.FULFILLED),
    Status.PARTIALLY_FULFILLED: (Status.IN_PROGRESS, Status.PARTIALLY_FULFILLED),
    Status.REFUSED: (Status.IN_PROGRESS, Status.IN_REVIEW, Status.REFUSED),
}
"""How a duplicate that nobody has taken up comes to the answer of the first."""
_TYPED = ("sealed_note", "sealed_details", "sealed_requester", "sealed_contact", "contact_fingerprint")


def lock(request: Request) -> Request:
    """The request as it is now, nobody else's until the transaction ends.

    Requests are locked before their person, and by no key: intake holds the person when it links a new request to the
    first, which would wait for a stronger lock for ever.
    """
    rows = Request.objects.select_for_update(no_key=True, of=("self",)).select_related("subject", "about")
    return rows.get(pk=request.pk)


def move(request: Request, to: Status, *, code: str, by: str, at: datetime, words: str = "", **details: Any) -> Request:
    """Write the status and what happened; further fields were saved by the caller."""
    check_can_move(request, to)
    request.status = to
    request.save(update_fields=["status", "closed_at", "refusal_ground"])
    timeline.tell(request, code, by=by, at=at, words=words, details=details)
    return request


def close(request: Request, to: Status, *, by: str, at: datetime, letter: str | None = "", **details: Any) -> Request:
    """Close it with its letter; what shows who somebody is goes, and what asked the same has the same answer."""
    check_can_move(request, to)
    if letter is not None and not (to == Status.EXPIRED and _waits_elsewhere(request)):
        letters.write(request=request, code=letter or _LETTERS[to], at=at)
    consequences.delete_evidence(request, by=by, at=at)
    _end_what_waits(request, by=by, at=at)
    if to not in _DONE:
        _call_off(request, by=by, at=at)
    request.closed_at = at
    move(request, to, code=str(to), by=by, at=at, **details)
    if request.identity_confirmed_at is None:
        # also where the code told whose it is: another of its group may have ended before that
        forget_unknown(request)
    if to in ANSWERED:
        answer_duplicates(request, to, by=by, at=at)
    return request


def forget_typed(request: Request) -> None:
    """Nothing of what was typed stays."""
    nothing = dict.fromkeys(_TYPED)
    Request.objects.filter(pk=request.pk).update(**nothing)
    for name in _TYPED:
        setattr(request, name, None)


def forget_unknown(request: Request) -> None:
    """What was taken back, refused or ran out before it was known whose it is: no key makes it unreadable later.

    The codes of a group go to what its first request says, so nothing goes while one of it waits for a proof.
    """
    if proofs.may_wait(request.group).exists():
        return
    unknown = Request.objects.filter(group=request.group, subject=None)
    for one in unknown.filter(status__in=[Status.WITHDRAWN, Status.REFUSED, Status.EXPIRED]):
        forget_typed(request if one.pk == request.pk else one)
        one.messages.update(sealed_body=sealing.seal(one, "", context=sealing.MESSAGE))


def _waits_elsewhere(request: Request) -> bool:
    """Whether more waits for an address that nobody showed to be theirs: it gets one letter, with the last of them.

    Anybody can type somebody's address, as often as they like.
    """
    alike = Request.objects.filter(status=Status.VERIFYING, contact_fingerprint=request.contact_fingerprint)
    return request.contact_fingerprint is not None and alike.exclude(pk=request.pk).exists()


def _end_what_waits(request: Request, *, by: str, at: datetime) -> None:
    """No pause and no proposal outlives its request."""
    waiting = request.pauses.filter(ended_at__isnull=True)
    waiting.update(ended_at=Greatest(F("began_at"), at))
    request.proposals.filter(decided_at__isnull=True).update(decided_at=at, decided_by=by, is_approved=False)


def _call_off(request: Request, *, by: str, at: datetime) -> None:
    """What was arranged downstream for a request that comes to nothing."""
    if request.event_id is None:
        consequences.end_exemptions(request, by=by, at=at)
    consequences.drop_corrections(request, by=by, at=at)


def answer_duplicates(request: Request, to: Status, *, by: str, at: datetime) -> None:
    """Whoever is not proven yet stays out of it; proving it looks for a first anew."""
    rows = Request.objects.select_for_update(no_key=True, of=("self",)).select_related("subject")
    for one in rows.filter(duplicate_of=request, status=Status.RECEIVED).order_by("pk"):
        if request.right != Right.ERASURE or to == Status.REFUSED:
            # an erasure is told by who knows what was kept
            letters.write(request=one, code=_LETTERS[to], at=at)
        consequences.delete_evidence(one, by=by, at=at)
        for step in _WAY[to]:
            one.status = step
            if step == to:
                one.closed_at, one.refusal_ground = at, request.refusal_ground
            one.save(update_fields=["status", "closed_at", "refusal_ground"])
        timeline.tell(one, "answered_with_first", by=by, at=at, details={"first": request.reference, "as": str(to)})
