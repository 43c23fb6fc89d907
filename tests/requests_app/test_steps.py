"""The work in each place: planned, settled by what is downstream or by hand, exempted by two."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.utils import InternalError, ProgrammingError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consents.models import Subject
from downstream.models import Dataset
from portal import actors
from portal.errors import Conflict, DomainError
from portal.models import AuditEntry, User
from requests_app import grounds, progress, sealing, steps, systems, tasks, workflow
from requests_app.models import Proposal, Request, Task
from requests_app.states import ANSWERED, Status
from tests.conftest import AT, BY, OTHER, person, sequenced
from tests.requests_app.asking import (
    LATER,
    SOON,
    asked,
    carried_out,
    closes,
    exempted,
    open_tasks,
    propagate,
    started,
    system,
    withdrawn,
)
from tests.requests_app.holding import posts

pytestmark = pytest.mark.django_db
PURPOSE = {"purposes": ["ai-training"]}


def places(request: Request) -> list[tuple[str, str, str]]:
    """Of each task: what, where, how."""
    rows = request.tasks.select_related("dataset").order_by("dataset__slug", "system")
    return [(one.code, one.dataset.slug if one.dataset else str(one.system_id or ""), one.kind) for one in rows]


def test_what_an_erasure_means_is_seen_when_it_is_started(alice: Subject, bob: User, tmp_path: Path) -> None:
    posts(tmp_path, "alice")
    system("erasure", "access")
    system("access", slug="wiki")
    request = started(alice, bob)
    assert places(request) == [("remove", "posts", "automatic"), ("remove", "crm", "manual")]
    assert request.tasks.get(system="crm").instructions == "Look there."
    assert steps.plan(request=request, by=BY, at=SOON) == []


def test_a_retired_system_means_no_work(alice: Subject, bob: User) -> None:
    systems.retire(system=system("erasure"), by=BY, at=AT)
    assert places(started(alice, bob)) == []


@pytest.mark.parametrize("scope", [["ai-training"], ["marketing"]])
def test_a_no_concerns_the_datasets_of_its_purpose(alice: Subject, tmp_path: Path, scope: list[str]) -> None:
    posts(tmp_path, "alice")
    posts(tmp_path, "alice", slug="partners", purposes=("ai-training/affiliates",))
    request = asked(alice, "objection", scope={"purposes": scope})[0]
    expected = [("stop", "partners", "automatic"), ("stop", "posts", "automatic")]
    assert places(request) == (expected if scope == ["ai-training"] else [])


def test_a_manual_task_is_settled_with_words_that_are_sealed(alice: Subject, bob: User) -> None:
    system("erasure")
    request = carried_out(alice, bob)
    task = steps.settle_by_hand(task=request.tasks.get(), evidence="Ticket 7: Alice is gone.", by=BY, at=LATER)
    assert (task.status, task.settled_by, task.settled_at) == ("done", BY, LATER)
    assert task.sealed_evidence is not None
    assert sealing.unseal(request, task.sealed_evidence, context=sealing.EVIDENCE) == "Ticket 7: Alice is gone."
    told = request.timeline.get(code="task_done")
    assert told.details == {"task": str(task.pk), "code": "remove", "place": "crm", "files": 0}
    assert AuditEntry.objects.filter(action="request.task_done").count() == 1


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"evidence": " "}, "evidence_missing"),
        ({"evidence": "x" * 4_001}, "evidence_too_long"),
        ({"by": actors.SYSTEM}, "staff_only"),
    ],
)
def test_settling_by_hand_needs_a_person_and_evidence(
    alice: Subject, bob: User, wrong: dict[str, Any], code: str
) -> None:
    system("erasure")
    task = started(alice, bob).tasks.get()
    with pytest.raises(DomainError) as refused:
        steps.settle_by_hand(**({"task": task, "evidence": "Done.", "by": BY, "at": LATER} | wrong))
    assert refused.value.code == code
    task.refresh_from_db()
    assert task.status == "open"


def test_what_a_dataset_shows_by_itself_is_not_settled_by_hand(alice: Subject, bob: User, tmp_path: Path) -> None:
    posts(tmp_path, "alice")
    task = carried_out(alice, bob).tasks.get()
    with pytest.raises(Conflict) as refused:
        steps.settle_by_hand(task=task, evidence="Believe me.", by=BY, at=LATER)
    assert refused.value.code == "automatic"


def test_nothing_is_settled_twice_or_in_a_closed_request(alice: Subject, charlie: Subject, bob: User) -> None:
    system("erasure")
    task = started(alice, bob).tasks.get()
    steps.settle_by_hand(task=task, evidence="Done.", by=BY, at=LATER)
    with pytest.raises(Conflict) as refused:
        steps.settle_by_hand(task=task, evidence="Done.", by=BY, at=LATER)
    assert refused.value.code == "settled"
    request = started(charlie, bob)
    workflow.withdraw(request=request, by=BY, at=SOON)
    for act in (
        lambda: steps.settle_by_hand(task=request.tasks.get(), evidence="Done.", by=BY, at=LATER),
        lambda: exempted(request.tasks.get()),
    ):
        with pytest.raises(Conflict) as refused:
            act()
        assert refused.value.code == "wrong_state"


def test_an_exemption_takes_two_people_and_a_ground_of_the_right(alice: Subject, bob: User) -> None:
    system("erasure")
    request = started(alice, bob)
    task = request.tasks.get()
    with pytest.raises(grounds.GroundError):
        steps.propose_exemption(task=task, ground="compelling_grounds", reason="We want it.", by=BY, at=SOON)
    with pytest.raises(DomainError) as missing:
        steps.propose_exemption(task=task, ground="legal_claims", reason="", by=BY, at=SOON)
    assert missing.value.code == "reason_missing"
    proposal = steps.propose_exemption(task=task, ground="legal_claims", reason="A suit.", by=BY, at=SOON)
    for act in (
        lambda: steps.propose_exemption(task=task, ground="legal_claims", reason="A suit.", by=OTHER, at=SOON),
        lambda: steps.settle_by_hand(task=task, evidence="Done.", by=BY, at=SOON),
        lambda: workflow.carry_out(request=request, by=BY, at=SOON),
    ):
        with pytest.raises(Conflict) as waits:
            act()
        assert waits.value.code == "proposal_open"
    with pytest.raises(Conflict) as same:
        workflow.decide(proposal=proposal, approve=True, by=BY, at=SOON)
    assert same.value.code == "second_person_needed"
    workflow.decide(proposal=proposal, approve=True, by=OTHER, at=LATER)
    task.refresh_from_db()
    assert (task.status, task.ground, task.settled_by) == ("exempted", "legal_claims", OTHER)
    assert request.timeline.get(code="exempted").details["place"] == "crm"


def test_an_exemption_that_is_sent_back_leaves_the_work(alice: Subject, bob: User) -> None:
    system("erasure")
    request = started(alice, bob)
    proposal = steps.propose_exemption(
        task=request.tasks.get(), ground="legal_claims", reason="A suit.", by=BY, at=SOON
    )
    workflow.decide(proposal=proposal, approve=False, by=OTHER, at=LATER)
    request.refresh_from_db()
    assert (request.tasks.get().status, request.status) == ("open", Status.IN_PROGRESS)


def test_the_database_refuses_an_answer_while_work_is_open(alice: Subject, bob: User) -> None:
    system("erasure")
    request = carried_out(alice, bob)
    for to in ("fulfilled", "partially_fulfilled"):
        with pytest.raises((ProgrammingError, InternalError), match="open task"), transaction.atomic():
            Request.objects.filter(pk=request.pk).update(status=to, closed_at=LATER)
    Task.objects.update(status="done", settled_at=LATER, settled_by=BY)
    Request.objects.filter(pk=request.pk).update(status="fulfilled", closed_at=LATER)
    for change in (
        lambda: Task.objects.update(status="open", settled_at=None, settled_by=""),
        lambda: Task.objects.create(request=request, kind="manual", code="review", planned_at=LATER),
    ):
        with pytest.raises((ProgrammingError, InternalError), match="no open task"), transaction.atomic():
            change()


@pytest.mark.parametrize("wrong", [{"status": "exempted"}, {"status": "done"}, {"settled_by": BY}, {"ground": "x"}])
def test_the_database_refuses_half_settled_work(alice: Subject, bob: User, wrong: dict[str, str]) -> None:
    system("erasure")
    started(alice, bob)
    with pytest.raises(IntegrityError), transaction.atomic():
        Task.objects.update(**wrong)


@pytest.mark.django_db(transaction=True)
def test_a_request_is_fulfilled_in_part_where_something_was_exempted(
    alice: Subject, charlie: Subject, bob: User, tmp_path: Path
) -> None:
    posts(tmp_path, "alice", "charlie")
    system("erasure")
    propagate()
    request = carried_out(alice, bob)
    propagate()
    assert not closes(request)
    assert [one.system_id for one in open_tasks(request)] == ["crm"]
    exempted(request.tasks.get(system="crm"))
    assert closes(request)
    request.refresh_from_db()
    assert request.status == Status.PARTIALLY_FULFILLED


@pytest.mark.django_db(transaction=True)
def test_a_dataset_that_is_retired_meanwhile_becomes_staffs_work(
    alice: Subject, charlie: Subject, bob: User, tmp_path: Path
) -> None:
    dataset = posts(tmp_path, "alice", "charlie")
    request = carried_out(alice, bob)
    Dataset.objects.filter(pk=dataset.pk).update(retired_at=SOON)
    sequenced()
    tasks.close_verified()
    task = request.tasks.get()
    assert (task.kind, task.status, task.instructions) == ("manual", "open", progress.RETIRED)
    steps.settle_by_hand(task=task, evidence="The bucket was deleted.", by=BY, at=LATER)
    assert closes(request)


@pytest.mark.django_db(transaction=True)
def test_each_dataset_is_settled_by_itself(alice: Subject, charlie: Subject, tmp_path: Path) -> None:
    near, far = posts(tmp_path, "alice", "charlie"), posts(tmp_path, "alice", "charlie", slug="far")
    propagate()
    request = asked(alice, "objection", scope=PURPOSE, at=SOON)[0]
    os.rename(far.location, f"{far.location}-away")
    propagate()
    steps.settle_due(at=LATER)
    assert dict(request.tasks.values_list("dataset__slug", "status")) == {"posts": "done", "far": "open"}
    assert request.tasks.get(dataset=near).settled_by == actors.SYSTEM
    assert [(one.dataset.slug, one.state) for one in steps.stops(request, at=LATER)] == [
        ("far", "failed"),
        ("posts", "removed"),
    ]


@pytest.mark.django_db(transaction=True)
def test_the_turn_costs_the_same_for_many_requests(
    world: None, bob: User, tmp_path: Path, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    crowd = [person(f"p{number}") for number in range(12)]
    posts(tmp_path, *(f"p{number}" for number in range(12)))
    propagate()
    for subject in crowd:
        carried_out(subject, bob)
        asked(subject, "objection", scope=PURPOSE, at=SOON)
    # what waits for its dataset is not read
    with django_assert_max_num_queries(1):
        steps.settle_due(at=LATER)
    propagate()
    # settling and its audit entry take savepoints
    with django_assert_max_num_queries(9):
        assert steps.settle_due(at=LATER) == 24
    with django_assert_max_num_queries(1):
        assert steps.settle_due(at=LATER) == 0


@pytest.mark.django_db(transaction=True)
def test_closing_one_request_takes_a_bounded_number_of_statements(
    alice: Subject, charlie: Subject, tmp_path: Path, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    for number in range(6):
        posts(tmp_path, "alice", "charlie", slug=f"posts-{number}")
    propagate()
    request = asked(alice, "objection", scope=PURPOSE, at=SOON)[0]
    propagate()
    with django_assert_max_num_queries(35):
        assert closes(request)


def test_what_was_not_carried_out_is_not_settled(alice: Subject, bob: User, tmp_path: Path) -> None:
    posts(tmp_path, "alice")
    request = started(alice, bob)
    assert steps.settle_automatic(request=request, at=LATER) == 0
    assert steps.stops(request, at=LATER) == []


ACTS: dict[str, Callable[[Request, User], Any]] = {
    "start": lambda request, bob: workflow.start(request=request, staff=bob, by=BY, at=SOON),
    "carry_out": lambda request, bob: workflow.carry_out(request=request, by=BY, at=SOON),
    "await": lambda request, bob: workflow.await_subject(request=request, by=BY, at=SOON),
    "resume": lambda request, bob: workflow.resume(request=request, by=BY, at=LATER),
    "fulfil": lambda request, bob: workflow.fulfil(request=request, by=BY, at=LATER),
    "close": lambda request, bob: workflow.close_if_verified(request=request, by=BY, at=LATER),
    "propose": lambda request, bob: steps.propose_exemption(
        task=request.tasks.filter(status="open")[0], ground="excessive", reason="x", by=BY, at=SOON
    ),
    "refuse": lambda request, bob: workflow.propose_refusal(
        request=request, ground="excessive", reason="x", by=BY, at=SOON
    ),
    "approve": lambda request, bob: workflow.decide(
        proposal=request.proposals.filter(decided_at=None)[0], approve=True, by=OTHER, at=LATER
    ),
    "send_back": lambda request, bob: workflow.decide(
        proposal=request.proposals.filter(decided_at=None)[0], approve=False, by=OTHER, at=LATER
    ),
    "settle": lambda request, bob: steps.settle_by_hand(
        task=request.tasks.filter(status="open")[0], evidence="Done.", by=BY, at=LATER
    ),
    "reopen": lambda request, bob: workflow.reopen(request=request, by=BY, at=LATER, words="The authority asks."),
    "withdraw": lambda request, bob: workflow.withdraw(request=request, by=BY, at=LATER),
}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(st.sampled_from(sorted(ACTS)), min_size=4, max_size=14))
def test_no_sequence_of_steps_answers_a_request_with_open_work(alice: Subject, bob: User, acts: list[str]) -> None:
    with transaction.atomic():
        system("automated_decision")
        request = asked(alice, "automated_decision")[0]
        for act in ["start", *acts]:
            request = Request.objects.get(pk=request.pk)
            try:
                ACTS[act](request, bob)
            except (DomainError, IndexError):
                # refused, or nothing there to do it to
                continue
            request.refresh_from_db()
            statuses = set(request.tasks.values_list("status", flat=True))
            if request.status in ANSWERED - {Status.REFUSED}:
                assert "open" not in statuses
                assert (request.status == Status.PARTIALLY_FULFILLED) == ("exempted" in statuses)
            approved = Proposal.objects.filter(request=request, is_approved=True)
            assert all(one.proposed_by != one.decided_by for one in approved)
        transaction.set_rollback(True)


def test_nothing_is_left_to_settle_of_what_was_withdrawn(alice: Subject, bob: User) -> None:
    assert steps.stops(withdrawn(alice, bob), at=LATER) == []
    assert steps.settle_due(at=LATER + timedelta(days=1)) == 0


def test_an_answer_that_waits_for_staff_is_not_read_in_every_turn(alice: Subject, bob: User) -> None:
    request = workflow.start(request=asked(alice, "access")[0], staff=bob, by=BY, at=SOON)
    workflow.carry_out(request=request, by=BY, at=SOON)
    assert not progress.ripe().exists()
    request.packages.update(released_at=SOON)
    assert progress.ripe().get().code == "collect"
