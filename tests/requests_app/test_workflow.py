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
from requests_app.models import Request, TimelineEntry
from requests_app.states import CLOSED, TRANSITIONS, Status
from tests.conftest import AT, BY, person
from tests.requests_app.asking import IN_STATE, SOON, carried_out, received, started

pytestmark = pytest.mark.django_db(transaction=True)

STEPS: dict[str, Callable[[Request, User], Any]] = {
    "start": lambda request, bob: workflow.start(request=request, staff=bob, by=BY, at=SOON),
    "withdraw": lambda request, bob: workflow.withdraw(request=request, by=BY, at=SOON),
    "carry_out": lambda request, bob: workflow.carry_out(request=request, by=BY, at=SOON),
}
ALLOWED = {
    "start": {"received"},
    "withdraw": {"received", "in_progress"},
    "carry_out": {"in_progress"},
}
CODES = {("carry_out", "carried_out"): "carried_out", ("withdraw", "carried_out"): "carried_out"}
CAN: dict[str, Callable[[Request], bool]] = {
    "start": workflow.can_start,
    "withdraw": workflow.can_withdraw,
    "carry_out": workflow.can_carry_out,
}


def everything() -> list[Any]:
    """All that a step may write."""
    return [list(model.objects.order_by("pk").values()) for model in (Request, TimelineEntry, AuditEntry, LedgerEvent)]


@pytest.mark.parametrize("state", IN_STATE)
@pytest.mark.parametrize("step", STEPS)
def test_each_step_goes_from_its_states_alone(alice: Subject, bob: User, step: str, state: str) -> None:
    request = IN_STATE[state](alice, bob)
    request.refresh_from_db()
    before = everything()
    allowed = state in ALLOWED[step]
    assert CAN[step](request) == allowed
    if allowed:
        STEPS[step](request, bob)
        assert everything() != before
        return
    with pytest.raises(Conflict) as refused:
        STEPS[step](request, bob)
    assert refused.value.code == CODES.get((step, state), "wrong_state")
    assert everything() == before


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


@pytest.mark.parametrize(
    ("step", "state"), [("start", "received"), ("withdraw", "received"), ("carry_out", "in_progress")]
)
@pytest.mark.parametrize("failing", [(audit, "record"), (TimelineEntry.objects, "create")], ids=["audit", "timeline"])
def test_a_step_whose_trace_fails_did_not_happen(
    alice: Subject, bob: User, step: str, state: str, failing: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = IN_STATE[state](alice, bob)
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
