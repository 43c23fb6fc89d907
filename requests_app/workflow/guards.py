"""What the state of a request allows. Who may do it is the interface's question; this is only whether it can be done.

Each `check_can_x` raises Conflict, and `can_x` is its boolean twin.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from portal.errors import Conflict, twin
from requests_app import duplicates, four_eyes, packages
from requests_app.models import Request
from requests_app.states import ANSWERED, CLOSED, FOLLOW_UPS, TRANSITIONS, Capacity, Right, Status

WITHOUT_CHANGE = frozenset({Right.COMPLAINT, Right.APPEAL, Right.AUTOMATED_DECISION})
"""What a person looks at, and nothing is set going: closing it carries it out."""
EARLIEST, ANYWAY = timedelta(days=7), timedelta(days=2)
"""How long before its own day an erasure may begin before a copy is answered: one that is built, or any; the days on
which staff are reminded."""
_EARLIER = frozenset({Status.VERIFYING, Status.IN_PROGRESS, Status.AWAITING_SUBJECT})


def check_can_start(request: Request) -> None:
    """It is known who asks, and nobody has taken it up yet; what was closed is opened by an appeal alone."""
    if request.status != Status.RECEIVED:
        raise _wrong(request, "cannot be started")
    _check_stands_alone(request)
    _check_known(request)


def check_can_assign(request: Request) -> None:
    """It is open."""
    if request.status in CLOSED:
        raise _wrong(request, "is nobody's work")


def check_can_prove(request: Request) -> None:
    """It waits for a proof of identity."""
    if request.status != Status.VERIFYING:
        raise _wrong(request, "waits for no proof")


def check_can_doubt(request: Request) -> None:
    """Nobody has taken it up yet, so it can still wait for a proof (GDPR Art. 12(6)).

    For whom a controller asks the controller has verified; we are not to write to them.
    """
    if request.status != Status.RECEIVED:
        raise _wrong(request, "can no longer be doubted")
    if request.capacity == Capacity.CONTROLLER:
        raise Conflict("vouched_for", "The controller vouches for who asks: ask the controller, or refuse it.")
    _check_stands_alone(request)


def check_can_expire(request: Request) -> None:
    """It waits for a proof of identity that did not come."""
    if request.status != Status.VERIFYING:
        raise _wrong(request, "does not run out")


def check_can_await_subject(request: Request) -> None:
    """It is in progress, and nothing was set going that cannot be taken back."""
    if request.status != Status.IN_PROGRESS:
        raise _wrong(request, "does not wait for the person")
    check_not_under_way(request)


def check_can_resume(request: Request) -> None:
    """It waits for the person."""
    if request.status != Status.AWAITING_SUBJECT:
        raise _wrong(request, "waits for nobody")


def check_can_carry_out(request: Request) -> None:
    """It is in progress, was not carried out yet, and nothing about it waits for a second person.

    Whoever wants to see their data before it is erased gets it first: afterwards there is none.
    """
    _check_not_begun(request)
    if request.right == Right.ERASURE and packages.unanswered_of(request).exists():
        raise _answer_first(request)


def check_can_carry_out_unanswered(request: Request, *, at: datetime) -> None:
    """The same of an erasure whose day is near, while the person still waits for their copy.

    The law wants both in time, and neither excuses the other. So from EARLIEST before its day it may begin if their
    copy is built and needs nothing more of what is erased; from ANYWAY before it in any case.
    """
    _check_not_begun(request)
    copies = list(packages.unanswered_of(request)) if request.right == Right.ERASURE else []
    if not copies:
        raise Conflict("nothing_owed", "No copy of their data is owed to this person first: carry it out.")
    left = timedelta(days=packages.days_left(request, at=at))
    if left > EARLIEST:
        raise _answer_first(request)
    alone = [one for one in copies if one.duplicate_of_id is None]
    if left > ANYWAY and not all(packages.is_gathered(one, at=at) for one in alone):
        raise Conflict(
            "build_first",
            f"Their copy is not built, or not as it would be handed out ({_named(copies)}). Build it and look through "
            f"it first. From {(request.due_on - ANYWAY).isoformat()} on this can be carried out all the same.",
        )


def check_can_propose_refusal(request: Request) -> None:
    """It waits for proof, is in progress or waits for the person, and nothing was set going."""
    if request.status not in _EARLIER:
        raise _wrong(request, "cannot be refused")
    check_not_under_way(request)


def check_can_decide(request: Request) -> None:
    """Something about it waits for a second person."""
    if request.is_closed or not request.proposals.filter(decided_at__isnull=True).exists():
        raise Conflict("nothing_proposed", "Nothing about this request waits for a second person.")


def check_can_withdraw(request: Request) -> None:
    """It is open, and nothing was changed that cannot be brought back: what was erased stays erased."""
    if not request.is_closed:
        check_not_under_way(request)
    check_can_move(request, Status.WITHDRAWN)


def check_can_write_corrections(request: Request) -> None:
    """It is a rectification that is open, and nobody was told yet what to correct, or thinks about refusing it."""
    if request.right != Right.RECTIFICATION:
        raise Conflict("not_a_rectification", "Only a rectification has corrections.")
    if request.status not in {Status.RECEIVED, *_EARLIER}:
        raise _wrong(request, "takes no more corrections")
    if request.carried_out_at is not None:
        raise Conflict("carried_out", "Whoever keeps the data was told what to correct; write to them.")
    _check_stands_alone(request)


def check_can_fulfil(request: Request) -> None:
    """It was carried out, and no task is open; see `steps.settle_automatic` for what arrives by itself."""
    if request.status != Status.IN_PROGRESS:
        raise _wrong(request, "cannot be closed with an answer")
    if request.carried_out_at is None and request.right not in WITHOUT_CHANGE:
        raise Conflict("not_carried_out", "Carry it out first.")
    _check_decided(request)
    check_no_open_task(request)
    if request.about is not None and not request.about.is_closed and four_eyes.is_against_silence(request):
        raise Conflict("not_answered_yet", "The request that this is about has no answer yet. See to that, then close.")


def check_can_appeal(request: Request) -> None:
    """It was answered, and whoever asked is still known to us. Whether this law knows an appeal is seen by `appeal`."""
    if request.status not in ANSWERED:
        raise _wrong(request, "has no answer to appeal against")
    _check_stands_alone(request)
    _check_not_erased(request)


def check_can_appeal_silence(request: Request) -> None:
    """No answer came, and it is known who asks. Whether its day has passed is seen by `appeal`."""
    if request.is_closed or request.right in FOLLOW_UPS:
        raise _wrong(request, "has no answer to appeal against")
    _check_stands_alone(request)
    if request.status == Status.VERIFYING:
        raise Conflict("not_proven", "It is not known yet who asks.")
    _check_not_erased(request)


def check_can_reopen(request: Request) -> None:
    """It was answered, the person is still known to us, and they have not asked for the same again."""
    if request.status not in ANSWERED:
        raise _wrong(request, "cannot be opened again")
    _check_stands_alone(request)
    _check_not_erased(request)
    same = Request.objects.open().proven().filter(subject=request.subject_id, right=request.right, scope=request.scope)
    others = same.filter(duplicate_of__isnull=True, about=request.about_id).exclude(pk=request.pk)
    if any(duplicates.is_same(one, request) for one in others.select_related("subject")):
        raise Conflict("asked_again", "The same was asked again and is open; go on with that one.")


def check_can_move(request: Request, to: Status) -> None:
    """Raise Conflict(`wrong_state`) unless one of TRANSITIONS leads there."""
    if to not in TRANSITIONS[request.status]:
        raise _wrong(request, f"cannot become {to.label}")


def check_not_under_way(request: Request) -> None:
    """Raise Conflict(`carried_out`) where something was changed already that every dataset follows."""
    if request.event_id is not None:
        raise Conflict("carried_out", "This is being carried out already and can no longer be taken back.")


def check_no_open_task(request: Request) -> None:
    """Raise Conflict(`tasks_open`): a request closes when every task is done or exempted with its ground."""
    if request.tasks.filter(status="open").exists():
        raise Conflict("tasks_open", "A task is open; it is done, or two people exempt it, before this closes.")


def _check_stands_alone(request: Request) -> None:
    if request.duplicate_of_id is not None:
        raise Conflict("duplicate", "This asks the same as an earlier request, and is answered with that one.")


def _check_known(request: Request) -> None:
    if request.subject_id is None:
        raise Conflict("not_proven", "It is not known yet who asks.")


def _check_not_erased(request: Request) -> None:
    if request.subject is None or request.subject.erased_at is not None:
        raise Conflict("erased", "This person was erased, or was never known; nothing is left to look at.")


def _check_decided(request: Request) -> None:
    if request.proposals.filter(decided_at__isnull=True).exists():
        raise Conflict("proposal_open", "A colleague's proposal waits for a second person; decide that first.")


def _check_not_begun(request: Request) -> None:
    if request.status != Status.IN_PROGRESS:
        raise Conflict("wrong_state", "Start work on the request first.")
    if request.carried_out_at is not None:
        raise Conflict("carried_out", "This is being carried out already.")
    _check_decided(request)


def _answer_first(erasure: Request) -> Conflict:
    copies = list(packages.unanswered_of(erasure))
    return Conflict(
        "answer_first",
        f"The person wants to see their data too ({_named(copies)}); answer that before it is erased. From "
        f"{(erasure.due_on - EARLIEST).isoformat()} on this can be carried out before it, with your reason.",
    )


def _named(copies: Iterable[Request]) -> str:
    return ", ".join(f"{one.reference}, due {one.due_on.isoformat()}" for one in copies)


def _wrong(request: Request, cannot: str) -> Conflict:
    return Conflict("wrong_state", f"A request that is {Status(request.status).label} {cannot}.")


can_start = twin(check_can_start)
can_assign = twin(check_can_assign)
can_prove = twin(check_can_prove)
can_doubt = twin(check_can_doubt)
can_expire = twin(check_can_expire)
can_await_subject = twin(check_can_await_subject)
can_resume = twin(check_can_resume)
can_carry_out = twin(check_can_carry_out)
can_propose_refusal = twin(check_can_propose_refusal)
can_decide = twin(check_can_decide)
can_withdraw = twin(check_can_withdraw)
can_write_corrections = twin(check_can_write_corrections)
can_fulfil = twin(check_can_fulfil)
can_appeal = twin(check_can_appeal)
can_reopen = twin(check_can_reopen)
