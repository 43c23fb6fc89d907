"""Closing with an answer: only when every task is done, or exempted with its ground."""

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from consents.models import Subject
from portal.errors import Conflict
from requests_app import consequences, four_eyes, grounds, letters, packages, rights, steps, timeline
from requests_app.models import Request, Task
from requests_app.rights import base
from requests_app.states import ANSWERED, AT_ONCE, FOLLOW_UPS, Ground, Right, Status, TaskStatus
from requests_app.workflow import appealing, guards, moves, working

BY_ITSELF = AT_ONCE | {Right.ERASURE}
"""What closes once it is verified everywhere, with nobody's further word."""


def closing_by_themselves(*, at: datetime) -> "QuerySet[Request]":
    """What was carried out, needs nobody's word and has no open task: due for `close_if_verified`.

    Erasures that wait for their person to fetch an answer are left out.
    """
    waiting = Task.objects.filter(request=OuterRef("pk"), status=TaskStatus.OPEN)
    rows = Request.objects.filter(carried_out_at__isnull=False, status=Status.IN_PROGRESS, right__in=sorted(BY_ITSELF))
    return rows.exclude(Exists(waiting)).exclude(pk__in=packages.waiting_erasures(at=at)).order_by("pk")


@transaction.atomic
def close_if_verified(*, request: Request, by: str, at: datetime) -> bool:
    """Close what was carried out and is settled everywhere; answers whether it is closed now.

    What staff answer (access, a correction, an appeal) is closed by `fulfil`.
    """
    request = moves.lock(request)
    if request.is_closed:
        return True
    if request.carried_out_at is None or request.right not in BY_ITSELF or request.status != Status.IN_PROGRESS:
        return False
    steps.settle_automatic(request=request, at=at)
    if not guards.can_fulfil(request) or not rights.of(request.right).is_settled(request):
        return False
    if request.right == Right.ERASURE and not _can_forget(request, at=at):
        return False
    _answer(request, by=by, at=at)
    return True


@transaction.atomic
def fulfil(*, request: Request, by: str, at: datetime) -> Request:
    """Staff close it with its answer: in part, where something was exempted or left out of what is handed over.

    An appeal or complaint that is closed so was right: what it is about is opened again.
    Raises Conflict(`wrong_state` | `not_carried_out` | `proposal_open` | `tasks_open` | `not_arrived` |
    `answer_not_fetched`), Forbidden(`decided_before`).
    """
    request = moves.lock(request)
    four_eyes.check_impartial(request, by=by)
    if request.carried_out_at is not None and request.status == Status.IN_PROGRESS:
        steps.settle_automatic(request=request, at=at)
    guards.check_can_fulfil(request)
    if request.carried_out_at is None:
        working.set_going(request, by=by, at=at)
        guards.check_no_open_task(request)
    if not rights.of(request.right).is_settled(request):
        raise Conflict("not_arrived", "Not every dataset was looked at again yet.")
    if request.right == Right.ERASURE:
        _check_can_forget(request, at=at)
    _answer(request, by=by, at=at)
    return request


def _answer(request: Request, *, by: str, at: datetime) -> None:
    to = Status.PARTIALLY_FULFILLED if _is_in_part(request) else Status.FULFILLED
    if request.right == Right.ERASURE:
        _answer_erasure(request, to, by=by, at=at)
        return
    rights.of(request.right).finish(request=request, by=by, at=at)
    moves.close(request, to, by=by, at=at, letter="appeal_decided" if request.about_id else "")
    first = four_eyes.first_of(request.about) if request.about is not None else None
    if request.right in FOLLOW_UPS and first is not None and _was_about(request, first):
        appealing.reopen_after(request, first, by=by, at=at)


def _was_about(follow: Request, first: Request) -> bool:
    """Whether this was about the answer that stands now, and not about one that had yet to come."""
    return first.status in ANSWERED and first.closed_at is not None and first.closed_at <= follow.received_at


def _answer_erasure(request: Request, to: Status, *, by: str, at: datetime) -> None:
    """The letter is written while the address is known; files go, then the key. Everything else they asked is moot.

    The caller has seen to it by `_check_can_forget` that nothing more comes of them.
    """
    for one in _others(request):
        timeline.tell(one, "moot_after_erasure", by=by, at=at, details={"erasure": request.reference})
        moves.close(one, Status.WITHDRAWN, by=by, at=at, letter=None)
    _tell_of_erasure(request, at=at)
    moves.close(request, to, by=by, at=at, letter=None)
    consequences.delete_everything(request, by=by, at=at)
    rights.of(request.right).finish(request=request, by=by, at=at)
    Request.objects.filter(subject=request.subject_id).update(
        sealed_note=None, sealed_details=None, sealed_requester=None, sealed_contact=None, locale="en"
    )


def _check_can_forget(request: Request, *, at: datetime) -> None:
    """Raise Conflict(`answer_not_fetched`) while the person has something to fetch; locks all that is theirs."""
    _others(request)
    # from here on nothing more is taken in of them; what was a moment ago is found now
    Subject.objects.select_for_update().get(pk=base.person(request).pk)
    packages.check_can_close(request, at=at)


def _can_forget(request: Request, *, at: datetime) -> bool:
    try:
        _check_can_forget(request, at=at)
    except Conflict:
        return False
    return True


def _others(request: Request) -> list[Request]:
    """What else the person asks, locked; beside what is answered with this."""
    others = Request.objects.open().filter(subject=request.subject_id).exclude(pk=request.pk)
    alone = others.exclude(duplicate_of=request, status=Status.RECEIVED)
    return list(alone.select_for_update(no_key=True, of=("self",)).select_related("subject").order_by("pk"))


def _tell_of_erasure(request: Request, *, at: datetime) -> None:
    """What is kept is told with its law (GDPR Art. 12(4)): no page says it any more."""
    kept = request.tasks.filter(status=TaskStatus.EXEMPTED).values_list("ground", flat=True)
    known = grounds.of(request.right)
    laws = "; ".join(sorted({known[Ground(ground)] for ground in kept}))
    for one in (request, *request.duplicates.filter(status=Status.RECEIVED).select_related("subject")):
        letters.write(request=one, code="erased_in_part" if laws else "erased", at=at, extra={"laws": laws})


def _is_in_part(request: Request) -> bool:
    exempted = request.tasks.filter(status=TaskStatus.EXEMPTED).exists()
    return exempted or request.redactions.filter(undone_at__isnull=True).exists()
