"""What follows an answer: appeals and complaints by the first request's rule, decided by somebody else."""

from collections.abc import Callable
from datetime import datetime, time, timedelta

import pytest

from consents import subjects
from consents.models import Subject
from portal import actors
from portal.errors import Conflict, DomainError, Forbidden, NotFound
from portal.models import User
from requests_app import intake, legal_clock, reminders, rulebook, steps, workflow
from requests_app.counting import DeadlineError
from requests_app.models import ClockNotice, Request, StaffLetter
from requests_app.states import Status
from tests.conftest import AT, BY, OTHER, person
from tests.requests_app.asking import LATER, SOON, asked, refusal_of, verifying, withdrawn

pytestmark = pytest.mark.django_db
THIRD = "staff:00000000-0000-0000-0000-000000000003"
LATE = AT + timedelta(days=100)
FOURTH = "staff:00000000-0000-0000-0000-000000000004"


@pytest.fixture
def refused(world: None, bob: User) -> Request:
    """An access request from Virginia, refused by two people."""
    victor = person("victor", "US-VA")
    request = workflow.start(request=asked(victor, "access")[0], staff=bob, by=BY, at=AT)
    workflow.decide(proposal=refusal_of(request), approve=True, by=OTHER, at=SOON)
    return Request.objects.get(pk=request.pk)


def appealed(request: Request, right: str = "appeal") -> Request:
    by = actors.subject(request.subject_id or "")
    return workflow.appeal(request=request, right=right, note="You are wrong.", by=by, at=LATER)


def silent(request: Request, right: str = "appeal", *, at: datetime = LATE) -> Request:
    """Somebody waits no longer for an answer."""
    by = actors.subject(request.subject_id or "")
    return workflow.appeal(request=request, right=right, note="", by=by, at=at)


def looked_at(follow: Request, staff: User) -> Request:
    """Started, and its review done by a third person."""
    follow = workflow.start(request=follow, staff=staff, by=THIRD, at=LATER)
    steps.settle_by_hand(task=follow.tasks.get(), evidence="The first answer was wrong.", by=THIRD, at=LATER)
    return follow


def test_an_appeal_is_a_request_of_its_own_under_the_first_ones_rule(refused: Request) -> None:
    follow = appealed(refused)
    assert (follow.right, follow.status, follow.about, follow.subject) == (
        "appeal",
        Status.RECEIVED,
        refused,
        refused.subject,
    )
    assert (follow.rule, follow.rulebook_digest) == (refused.rule, refused.rulebook_digest)
    assert follow.due_on == (LATER + timedelta(days=60)).date()
    assert follow.timeline.get().details == {"channel": "pages", "about": refused.reference}
    assert refused.timeline.last().details == {"reference": follow.reference}  # type: ignore[union-attr]  # there are several


def test_a_complaint_in_britain_is_acknowledged_within_thirty_days(grace: Subject, bob: User) -> None:
    late = AT.replace(month=7, day=1)
    request = asked(grace, "access", at=late)[0]
    follow = workflow.appeal(request=request, right="complaint", note="Too slow.", by=BY, at=late)
    assert follow.acknowledge_by == (late + timedelta(days=30)).date()


def test_an_appeal_that_was_right_opens_the_first_again(refused: Request, petra: User) -> None:
    follow = looked_at(appealed(refused), petra)
    workflow.fulfil(request=follow, by=THIRD, at=LATER)
    refused.refresh_from_db()
    follow.refresh_from_db()
    assert follow.status == Status.FULFILLED
    assert (refused.status, refused.refusal_ground, refused.closed_at) == (Status.IN_PROGRESS, "", None)
    assert (refused.reopened_at, refused.carried_out_at) == (LATER, None)
    assert LATER.date() < refused.due_on <= follow.due_on
    assert refused.timeline.get(code="reopened").details["after"] == follow.reference
    assert {one.status for one in refused.tasks.all()} == {"open"}


def test_an_appeal_that_was_wrong_leaves_the_answer(refused: Request, petra: User) -> None:
    follow = workflow.start(request=appealed(refused), staff=petra, by=THIRD, at=LATER)
    proposal = refusal_of(follow, ground="not_applicable", by=THIRD)
    workflow.decide(proposal=proposal, approve=True, by=FOURTH, at=LATER)
    follow.refresh_from_db()
    refused.refresh_from_db()
    assert (follow.status, refused.status) == (Status.REFUSED, Status.REFUSED)


def test_who_had_a_part_in_the_answer_has_none_in_the_appeal(refused: Request, bob: User, petra: User) -> None:
    follow = appealed(refused)
    for by in (BY, OTHER):
        judge = User.objects.create(username=by[-4:], pk=by.removeprefix("staff:"))
        with pytest.raises(Forbidden, match="somebody else has to look"):
            workflow.start(request=follow, staff=judge, by=by, at=LATER)
    follow = workflow.start(request=follow, staff=petra, by=THIRD, at=LATER)
    task = follow.tasks.get()
    for act in (
        lambda: steps.settle_by_hand(task=task, evidence="I was right.", by=OTHER, at=LATER),
        lambda: refusal_of(follow, ground="not_applicable", by=BY),
        lambda: workflow.fulfil(request=follow, by=OTHER, at=LATER),
        lambda: workflow.carry_out(request=follow, by=BY, at=LATER),
        lambda: workflow.decide(
            proposal=refusal_of(follow, ground="not_applicable", by=THIRD), approve=True, by=OTHER, at=LATER
        ),
    ):
        with pytest.raises(Forbidden) as said:
            act()
        assert said.value.code == "decided_before"


def test_an_appeal_that_nobody_looked_at_does_not_close(refused: Request, petra: User) -> None:
    follow = workflow.start(request=appealed(refused), staff=petra, by=THIRD, at=LATER)
    with pytest.raises(Conflict) as said:
        workflow.fulfil(request=follow, by=THIRD, at=LATER)
    assert said.value.code == "tasks_open"


def test_one_appeal_at_a_time(refused: Request) -> None:
    appealed(refused)
    with pytest.raises(Conflict) as said:
        appealed(refused)
    assert said.value.code == "appeal_open"
    assert appealed(refused, "complaint").about == refused


def test_where_the_law_brings_it_to_the_authority_there_is_none(world: None, bob: User) -> None:
    request = workflow.start(request=asked(person("emil", "DE"), "access")[0], staff=bob, by=BY, at=AT)
    workflow.decide(proposal=refusal_of(request), approve=True, by=OTHER, at=SOON)
    with pytest.raises(DeadlineError) as said:
        appealed(Request.objects.get(pk=request.pk))
    assert said.value.code == "appeal_elsewhere"
    # a complaint may be made to us all the same
    assert appealed(Request.objects.get(pk=request.pk), "complaint").acknowledge_by is None


def test_an_open_request_can_be_appealed_against_from_the_day_after_its_day(world: None) -> None:
    request = asked(person("victor", "US-VA"), "access")[0]
    opens = request.due_on + timedelta(days=1)
    assert legal_clock.silence_from(request, at=LATER) == opens
    began = datetime.combine(opens, time(), tzinfo=rulebook.thaw(request.terms).zone)
    with pytest.raises(Conflict) as said:
        silent(request, at=began - timedelta(seconds=1))
    assert said.value.code == "appeal_not_yet"
    assert f"possible from {opens.isoformat()}" in said.value.message
    assert silent(request, at=began).about == request


def test_an_appeal_against_silence_has_its_own_clock_and_work_on_the_first_goes_on(world: None, bob: User) -> None:
    request = workflow.start(request=asked(person("victor", "US-VA"), "access")[0], staff=bob, by=BY, at=AT)
    follow = silent(request)
    assert (follow.right, follow.status, follow.assigned_to) == ("appeal", Status.RECEIVED, None)
    assert follow.due_on == (LATE + timedelta(days=60)).date()
    request.refresh_from_db()
    assert (request.status, request.assigned_to, request.escalated_at) == (Status.IN_PROGRESS, bob, LATE)
    told = request.timeline.get(code="silence_appealed")
    assert told.details == {"reference": follow.reference, "missed_by": f"staff:{bob.pk}"}
    with pytest.raises(Conflict) as said:
        silent(request)
    assert said.value.code == "appeal_open"


def test_the_managers_hear_of_silence_at_once_and_of_the_missed_day_once(world: None, petra: User) -> None:
    request = asked(person("victor", "US-VA"), "access")[0]
    follow = silent(request)
    letter = StaffLetter.objects.get(to=petra)
    assert [code for _request, code, _day in letter.lines] == ["silence", "escalated"]
    mail = reminders.compose(letter).body
    assert "because no answer came in time" in mail
    assert {follow.reference, request.reference} <= set(mail.replace(",", " ").split())
    reminders.remind(at=LATE)
    assert ClockNotice.objects.filter(request=request, code="escalated").count() == 1
    assert request.timeline.filter(code="escalated").count() == 1


def test_whoever_let_the_day_pass_does_not_judge_and_who_answers_then_may(world: None, bob: User, petra: User) -> None:
    request = workflow.start(request=asked(person("victor", "US-VA"), "access")[0], staff=bob, by=BY, at=AT)
    follow = silent(request)
    with pytest.raises(Forbidden, match="somebody else has to look"):
        workflow.start(request=follow, staff=bob, by=f"staff:{bob.pk}", at=LATE)
    follow = workflow.start(request=follow, staff=petra, by=THIRD, at=LATE)
    assert "No answer came by the day" in follow.tasks.get().instructions
    steps.settle_by_hand(task=follow.tasks.get(), evidence="I answer it myself.", by=THIRD, at=LATE)
    with pytest.raises(Conflict) as said:
        workflow.fulfil(request=follow, by=THIRD, at=LATE)
    assert said.value.code == "not_answered_yet"
    after = LATE + timedelta(hours=1)
    workflow.decide(proposal=refusal_of(request, by=THIRD), approve=True, by=FOURTH, at=after)
    workflow.fulfil(request=follow, by=THIRD, at=after)
    request.refresh_from_db()
    follow.refresh_from_db()
    # the answer that came is no answer that was appealed against
    assert (request.status, follow.status) == (Status.REFUSED, Status.FULFILLED)
    assert silent(request, at=after).about == request


def test_a_complaint_about_silence_goes_before_somebody_else_too(grace: Subject, bob: User, petra: User) -> None:
    request = workflow.start(request=asked(grace, "access")[0], staff=bob, by=BY, at=AT)
    follow = silent(request, "complaint")
    request.refresh_from_db()
    assert request.escalated_at == LATE
    with pytest.raises(Forbidden):
        workflow.start(request=follow, staff=bob, by=f"staff:{bob.pk}", at=LATE)
    follow = workflow.start(request=follow, staff=petra, by=THIRD, at=LATE)
    steps.settle_by_hand(task=follow.tasks.get(), evidence="Late indeed.", by=THIRD, at=LATE)
    assert workflow.fulfil(request=follow, by=THIRD, at=LATE).status == Status.FULFILLED


def test_a_day_that_moves_with_a_wait_is_not_missed(grace: Subject, bob: User) -> None:
    # since June a complaint comes to us there
    july = AT.replace(month=7, day=1)
    request = workflow.start(request=asked(grace, "access", at=july)[0], staff=bob, by=BY, at=july)
    workflow.await_subject(request=request, by=BY, at=july, words="Which account?")
    request.refresh_from_db()
    # nothing has been counted anew meanwhile
    assert request.due_on < (july + timedelta(days=100)).date()
    with pytest.raises(Conflict) as said:
        silent(request, at=july + timedelta(days=100))
    assert said.value.code == "appeal_not_yet"


@pytest.mark.parametrize(
    ("country", "make", "code"),
    [
        ("DE", lambda who: asked(who, "access")[0], "appeal_elsewhere"),
        ("US-CA", lambda who: asked(who, "access")[0], "appeal_elsewhere"),
        ("US-VA", verifying, "not_proven"),
        ("US-VA", lambda who: (asked(who, "access"), asked(who, "access", at=SOON))[1][0], "duplicate"),
        ("US-VA", lambda who: silent(asked(who, "access")[0]), "wrong_state"),
        ("US-VA", lambda who: withdrawn(who, User()), "wrong_state"),
    ],
)
def test_silence_cannot_be_appealed_against_where(
    world: None, country: str, make: Callable[[Subject], Request], code: str
) -> None:
    request = make(person("victor", country))
    much_later = LATE + timedelta(days=200)
    with pytest.raises(DomainError) as said:
        silent(Request.objects.get(pk=request.pk), at=much_later)
    assert said.value.code == code
    if code != "appeal_elsewhere":
        assert legal_clock.silence_from(request, at=much_later) is None


@pytest.mark.parametrize("right", ["access", "no such right"])
def test_only_appeals_and_complaints_follow_an_answer(refused: Request, right: str) -> None:
    with pytest.raises(DomainError) as said:
        appealed(refused, right)
    assert said.value.code == "not_a_follow_up"


def test_a_note_has_an_end(refused: Request) -> None:
    with pytest.raises(DomainError) as said:
        workflow.appeal(request=refused, right="appeal", note="x" * 4_001, by=BY, at=LATER)
    assert said.value.code == "note_too_long"


def test_whoever_was_erased_cannot_come_back(refused: Request) -> None:
    assert refused.subject is not None
    subjects.forget(subject=refused.subject, by=BY, at=SOON)
    for act in (
        lambda: appealed(Request.objects.get(pk=refused.pk)),
        lambda: appealed(Request.objects.get(pk=refused.pk), "complaint"),
        lambda: workflow.reopen(request=refused, by=BY, at=LATER, words="The authority asks."),
    ):
        with pytest.raises(Conflict) as said:
            act()
        assert said.value.code == "erased"


def test_an_authority_can_have_it_opened_again(refused: Request) -> None:
    request = workflow.reopen(request=refused, by=BY, at=LATER, words="The authority asks, file 7.")
    assert (request.status, request.reopened_at) == (Status.IN_PROGRESS, LATER)
    assert request.due_on > LATER.date()
    with pytest.raises(DomainError) as said:
        workflow.reopen(request=refused, by=BY, at=LATER, words=" ")
    assert said.value.code == "reason_missing"


def test_what_was_said_of_another_decision_keeps_none_from_being_opened_again(alice: Subject, bob: User) -> None:
    first = workflow.start(request=asked(alice, "automated_decision", note="My loan")[0], staff=bob, by=BY, at=AT)
    workflow.decide(proposal=refusal_of(first), approve=True, by=OTHER, at=SOON)
    asked(alice, "automated_decision", note="My rent")
    assert workflow.reopen(request=first, by=BY, at=LATER, words="It was wrong.").status == Status.IN_PROGRESS


def test_what_was_asked_again_is_not_opened_again(refused: Request) -> None:
    assert refused.subject is not None
    asked(refused.subject, "access", at=LATER)
    with pytest.raises(Conflict) as said:
        workflow.reopen(request=refused, by=BY, at=LATER, words="The authority asks.")
    assert said.value.code == "asked_again"


def test_an_appeal_through_any_door_has_the_same_rule(refused: Request, charlie: Subject) -> None:
    assert refused.subject is not None
    wish = intake.Asked(rights=("appeal",), about=refused, note="No.", channel="phone")
    follow = intake.receive(asked=wish, subject=refused.subject, by=BY, at=LATER)[0]
    assert (follow.about, follow.due_on) == (refused, (LATER + timedelta(days=60)).date())
    with pytest.raises(NotFound):
        intake.receive(asked=wish, subject=charlie, by=BY, at=LATER)
    both = intake.Asked(rights=("appeal", "access"), about=refused)
    with pytest.raises(intake.IntakeError) as said:
        intake.receive(asked=both, subject=refused.subject, by=BY, at=LATER)
    assert said.value.code == "follow_up_alone"


def test_a_complaint_about_a_duplicate_opens_what_answered_it(alice: Subject, bob: User, petra: User) -> None:
    first = workflow.start(request=asked(alice, "access")[0], staff=bob, by=BY, at=AT)
    duplicate = asked(alice, "access", at=SOON)[0]
    workflow.decide(proposal=refusal_of(first), approve=True, by=OTHER, at=SOON)
    duplicate.refresh_from_db()
    follow = appealed(duplicate, "complaint")
    with pytest.raises(Forbidden, match="had a part"):
        workflow.fulfil(request=follow, by=OTHER, at=LATER)
    workflow.fulfil(request=looked_at(follow, petra), by=THIRD, at=LATER)
    first.refresh_from_db()
    assert (first.status, first.reopened_at) == (Status.IN_PROGRESS, LATER)


def test_who_complains_on_the_pages_is_confirmed_at_once(grace: Subject, bob: User) -> None:
    first = workflow.start(request=asked(grace, "access")[0], staff=bob, by=BY, at=AT)
    workflow.decide(proposal=refusal_of(first), approve=True, by=OTHER, at=SOON)
    first.refresh_from_db()
    assert appealed(first, "complaint").acknowledged_at == LATER
