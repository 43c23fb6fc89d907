"""Which step each state allows, in the functions and in the database alike."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.utils import InternalError, ProgrammingError

from consents.models import LedgerEvent, Subject
from portal import audit
from portal.errors import Conflict
from portal.models import AuditEntry, User
from requests_app import workflow
from requests_app.models import Pause, Proposal, Request, Task, TimelineEntry
from requests_app.states import CLOSED, TRANSITIONS, Status
from tests.conftest import AT, BY, OTHER, person, staff_member
from tests.requests_app.asking import IN_STATE, LATER, SOON, carried_out, received, started

pytestmark = pytest.mark.django_db


def decide(request: Request, approve: bool) -> Proposal:
    proposal = request.proposals.order_by("proposed_at").last() or Proposal(request=request)
    return workflow.decide(proposal=proposal, approve=approve, by=OTHER, at=LATER)


STEPS: dict[str, Callable[[Request, User], Any]] = {
    "start": lambda request, bob: workflow.start(request=request, staff=bob, by=BY, at=SOON),
    "assign": lambda request, bob: workflow.assign(request=request, staff=staff_member("zoe", None), by=BY, at=SOON),
    "prove": lambda request, bob: workflow.prove(request=request, subject=request.subject, by=BY, at=SOON),  # type: ignore[arg-type]  # Alice's
    "doubt": lambda request, bob: workflow.doubt(request=request, by=BY, at=SOON),
    "expire": lambda request, bob: workflow.expire(request=request, by=BY, at=SOON),
    "await_subject": lambda request, bob: workflow.await_subject(request=request, by=BY, at=SOON, words="Which?"),
    "resume": lambda request, bob: workflow.resume(request=request, by=BY, at=LATER),
    "carry_out": lambda request, bob: workflow.carry_out(request=request, by=BY, at=SOON),
    "propose_refusal": lambda request, bob: workflow.propose_refusal(
        request=request, ground="not_identified", reason="Nobody came.", by=BY, at=SOON
    ),
    "refuse": lambda request, bob: decide(request, True),
    "send_back": lambda request, bob: decide(request, False),
    "withdraw": lambda request, bob: workflow.withdraw(request=request, by=BY, at=SOON),
    "fulfil": lambda request, bob: workflow.fulfil(request=request, by=BY, at=LATER),
    "appeal": lambda request, bob: workflow.appeal(request=request, right="appeal", note="No.", by=BY, at=LATER),
    "reopen": lambda request, bob: workflow.reopen(request=request, by=BY, at=LATER, words="The authority asks."),
}
OPEN = {"received", "verifying", "in_progress", "awaiting_subject", "in_review", "carried_out"}
ALLOWED: dict[str, dict[str, str]] = {
    "start": {"received": "in_progress"},
    "assign": {state: "in_progress" if state == "carried_out" else state for state in OPEN},
    "prove": {"verifying": "received"},
    "doubt": {"received": "verifying"},
    "expire": {"verifying": "expired"},
    "await_subject": {"in_progress": "awaiting_subject"},
    "resume": {"awaiting_subject": "in_progress"},
    "carry_out": {"in_progress": "in_progress"},
    "propose_refusal": {"verifying": "in_review", "in_progress": "in_review", "awaiting_subject": "in_review"},
    "refuse": {"in_review": "refused"},
    "send_back": {"in_review": "in_progress"},
    "withdraw": dict.fromkeys(OPEN - {"carried_out"}, "withdrawn"),
    # of an erasure that is on its way, the tables decide: here no dataset is there, but it has no place in the log yet
    "fulfil": {},
    "appeal": {"refused": "refused"},
    "reopen": {"refused": "in_progress"},
}
"""From which state each step goes, and to which."""
CODES = {
    ("carry_out", "carried_out"): "carried_out",
    ("withdraw", "carried_out"): "carried_out",
    ("await_subject", "carried_out"): "carried_out",
    ("propose_refusal", "carried_out"): "carried_out",
    ("fulfil", "in_progress"): "not_carried_out",
    ("fulfil", "carried_out"): "not_arrived",
    # its day has not passed yet, see tests/requests_app/workflow/test_appealing
    **{("appeal", state): "appeal_not_yet" for state in ("received", "in_progress", "awaiting_subject", "in_review")},
    ("appeal", "carried_out"): "appeal_not_yet",
    ("appeal", "verifying"): "not_proven",
    # whoever was erased is known to nobody any more
    ("appeal", "fulfilled"): "erased",
    ("appeal", "partially_fulfilled"): "erased",
    ("reopen", "fulfilled"): "erased",
    ("reopen", "partially_fulfilled"): "erased",
    ("refuse", "refused"): "decided",
    ("send_back", "refused"): "decided",
    ("refuse", "partially_fulfilled"): "decided",
    ("send_back", "partially_fulfilled"): "decided",
}
CAN: dict[str, Callable[[Request], bool]] = {
    "start": workflow.can_start,
    "assign": workflow.can_assign,
    "prove": workflow.can_prove,
    "doubt": workflow.can_doubt,
    "expire": workflow.can_expire,
    "await_subject": workflow.can_await_subject,
    "resume": workflow.can_resume,
    "carry_out": workflow.can_carry_out,
    "propose_refusal": workflow.can_propose_refusal,
    "refuse": workflow.can_decide,
    "send_back": workflow.can_decide,
    "withdraw": workflow.can_withdraw,
    "appeal": workflow.can_appeal,
    "reopen": workflow.can_reopen,
}
AFTER_PROPAGATION = {"fulfilled", "partially_fulfilled"}
NO_PROPOSAL = {"received", "verifying", "in_progress", "awaiting_subject", "carried_out", "withdrawn", "expired"} | {
    "fulfilled"
}


EVERYTHING = (Request, TimelineEntry, AuditEntry, LedgerEvent, Proposal, Pause, Task)


def everything() -> list[Any]:
    """All that a step may write."""
    return [list(model.objects.order_by("pk").values()) for model in EVERYTHING]


@pytest.mark.parametrize("state", [state for state in IN_STATE if state not in AFTER_PROPAGATION])
@pytest.mark.parametrize("step", STEPS)
def test_each_step_goes_from_its_states_alone(alice: Subject, bob: User, step: str, state: str) -> None:
    Subject.objects.filter(pk=alice.pk).update(jurisdiction="US-VA")
    request = IN_STATE[state](alice, bob)
    request = Request.objects.get(pk=request.pk)
    if step in {"refuse", "send_back"} and state in NO_PROPOSAL:
        assert not workflow.can_decide(request)
        return
    before = everything()
    to = ALLOWED[step].get(state)
    if step in CAN:
        assert CAN[step](request) == (to is not None)
    if to is not None:
        STEPS[step](request, bob)
        request.refresh_from_db()
        assert request.status == to
        assert everything() != before
        return
    with pytest.raises(Conflict) as refused:
        STEPS[step](request, bob)
    assert refused.value.code == CODES.get((step, state), "wrong_state")
    assert everything() == before


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("state", sorted(AFTER_PROPAGATION))
def test_from_an_erasure_that_is_done_no_step_leads_anywhere(alice: Subject, bob: User, state: str) -> None:
    request = Request.objects.get(pk=IN_STATE[state](alice, bob).pk)
    before = everything()
    for step in STEPS:
        if step in {"refuse", "send_back"} and state in NO_PROPOSAL:
            continue
        with pytest.raises(Conflict) as refused:
            STEPS[step](request, bob)
        assert refused.value.code == CODES.get((step, state), "wrong_state")
        assert step not in CAN or not CAN[step](request)
    assert everything() == before


@pytest.mark.parametrize("state", ["received", "in_progress", "awaiting_subject"])
def test_what_one_may_do_is_written_once_for_function_and_page(alice: Subject, bob: User, state: str) -> None:
    request = Request.objects.get(pk=IN_STATE[state](alice, bob).pk)
    for name in [name for name in workflow.__all__ if name.startswith("can_")]:
        check, can = getattr(workflow, f"check_{name}"), getattr(workflow, name)
        if can(request):
            check(request)
        else:
            with pytest.raises(Conflict):
                check(request)


@pytest.mark.parametrize("before", list(Status))
@pytest.mark.parametrize("after", list(Status))
def test_the_database_knows_the_same_transitions(alice: Subject, before: Status, after: Status) -> None:
    request = received(alice)
    clone = {one.attname: getattr(request, one.attname) for one in Request._meta.concrete_fields}
    clone |= {"id": None, "subject_id": person("other").pk, "status": before}
    clone["closed_at"] = AT if before in CLOSED else None
    clone["refusal_ground"] = "unfounded" if before == Status.REFUSED else ""
    del clone["id"]
    other = Request(**clone)
    Request.objects.bulk_create([other])
    allowed = after == before or after in TRANSITIONS[before]
    try:
        with transaction.atomic():
            Request.objects.filter(pk=other.pk).update(
                status=after,
                closed_at=AT if after in CLOSED else None,
                refusal_ground="unfounded" if after == Status.REFUSED else "",
            )
        moved = True
    except (ProgrammingError, InternalError):
        moved = False
    assert moved == allowed


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": Status.WITHDRAWN},
        {"closed_at": AT},
        {"carried_out_at": AT},
        {"carried_out_by": BY},
    ],
)
def test_the_database_refuses_halves(alice: Subject, wrong: dict[str, Any]) -> None:
    request = received(alice)
    with pytest.raises(IntegrityError), transaction.atomic():
        Request.objects.filter(pk=request.pk).update(**wrong)


def test_a_step_says_who_and_when_on_the_timeline_and_in_the_audit_trail(alice: Subject, bob: User) -> None:
    request = carried_out(alice, bob)
    assert list(request.timeline.values_list("code", "actor", "at")) == [
        ("received", f"subject:{alice.pk}", AT),
        ("started", BY, SOON),
        ("carried_out", BY, SOON),
    ]
    trail = AuditEntry.objects.filter(object_type="request", object_id=str(request.pk)).order_by("pk")
    assert [one.action for one in trail] == ["request.received", "request.started", "request.carried_out"]
    assert (request.assigned_to, request.carried_out_by, request.carried_out_at) == (bob, BY, SOON)


def test_a_timeline_cannot_be_altered(alice: Subject) -> None:
    received(alice)
    for alter in (lambda: TimelineEntry.objects.update(code="x"), TimelineEntry.objects.all().delete):
        with pytest.raises((ProgrammingError, InternalError)), transaction.atomic():
            alter()


TRACED = [(step, min(states)) for step, states in ALLOWED.items() if states]


@pytest.mark.parametrize(("step", "state"), TRACED)
@pytest.mark.parametrize("failing", [(audit, "record"), (TimelineEntry.objects, "create")], ids=["audit", "timeline"])
def test_a_step_whose_trace_fails_did_not_happen(
    alice: Subject, bob: User, step: str, state: str, failing: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Subject.objects.filter(pk=alice.pk).update(jurisdiction="US-VA")
    request = Request.objects.get(pk=IN_STATE[state](alice, bob).pk)
    before = everything()

    def refuse(**_: object) -> None:
        raise RuntimeError("no trace")

    monkeypatch.setattr(*failing, refuse)
    with pytest.raises(RuntimeError, match="no trace"):
        STEPS[step](request, bob)
    assert everything() == before


def test_a_refusal_reads_as_a_sentence(alice: Subject, bob: User) -> None:
    request = started(alice, bob)
    with pytest.raises(Conflict, match="A request that is in progress cannot be started"):
        STEPS["start"](request, bob)
    with pytest.raises(Conflict, match="Start work on the request first"):
        STEPS["carry_out"](received(person("dave")), bob)


def test_two_people_who_carry_out_at_once_do_it_once(alice: Subject, bob: User) -> None:
    request = started(alice, bob)
    stale = Request.objects.get(pk=request.pk)
    workflow.carry_out(request=request, by=BY, at=SOON)
    with pytest.raises(Conflict, match="being carried out already"):
        workflow.carry_out(request=stale, by=BY, at=SOON)
    assert LedgerEvent.objects.filter(kind="erasure").count() == 1
