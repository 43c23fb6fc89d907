"""An erasure whose day comes while its person still waits to see their data: when it may begin, and what it keeps."""

from datetime import datetime, time, timedelta
from pathlib import Path

import pytest

from consents.models import Subject
from portal import actors
from portal.errors import DomainError
from portal.models import User
from requests_app import packages, rulebook, steps, timeline, workflow
from requests_app.models import Request
from requests_app.states import PackageStatus, Status
from tests.conftest import BY
from tests.requests_app.asking import asked, propagate, started, verifying
from tests.requests_app.packages.packing import SOON, built, opened, post, posts

pytestmark = pytest.mark.django_db(transaction=True)

WHY = "The reviewer is ill, and the month is over."


def noon(erasure: Request, *, left: int) -> datetime:
    """Of the day on which so many are left to the erasure's own, where its person lives."""
    day = erasure.due_on - timedelta(days=left)
    return datetime.combine(day, time(12), tzinfo=rulebook.thaw(erasure.terms).zone)


def both(subject: Subject, staff: User) -> tuple[Request, Request]:
    """The erasure, in progress, and the request for a copy."""
    return started(subject, staff), asked(subject, "access")[0]


def refusal(erasure: Request, *, left: int, words: str = WHY, by: str = BY) -> str:
    """The code with which beginning it now is refused; nothing where it is not."""
    try:
        workflow.carry_out_unanswered(request=erasure, words=words, by=by, at=noon(erasure, left=left))
    except DomainError as error:
        return error.code
    return ""


def closes(erasure: Request, *, at: datetime) -> bool:
    steps.settle_due(at=at)
    due = erasure in workflow.closing_by_themselves(at=at)
    done = workflow.close_if_verified(request=erasure, by=actors.SYSTEM, at=at)
    assert due >= done
    return done


@pytest.mark.parametrize("left", [8, 30])
def test_until_its_day_is_near_the_copy_comes_first(alice: Subject, bob: User, left: int) -> None:
    erasure, access = both(alice, bob)
    built(access)
    with pytest.raises(DomainError) as said:
        workflow.carry_out(request=erasure, by=BY, at=SOON)
    assert refusal(erasure, left=left) == said.value.code == "answer_first"
    assert access.reference in said.value.message
    assert f"From {(erasure.due_on - timedelta(days=7)).isoformat()} on" in said.value.message


@pytest.mark.parametrize("left", [7, 3])
def test_a_week_before_it_may_begin_once_the_copy_is_built(alice: Subject, bob: User, left: int) -> None:
    erasure, access = both(alice, bob)
    assert refusal(erasure, left=left) == "build_first"
    built(access)
    assert refusal(erasure, left=left) == ""
    erasure.refresh_from_db()
    assert erasure.carried_out_by == BY


def test_a_copy_that_could_not_be_handed_out_as_it_is_counts_as_none(alice: Subject, bob: User) -> None:
    erasure, access = both(alice, bob)
    package = built(access)
    # something was left out of it that is not to be left out any more
    package.applied = ["01890000-0000-7000-8000-000000000000"]
    package.save()
    assert refusal(erasure, left=5) == "build_first"
    package.applied, package.status = [], PackageStatus.FAILED
    package.save()
    assert refusal(erasure, left=5) == "build_first"


@pytest.mark.parametrize("left", [2, 0, -3])
def test_two_days_before_it_may_begin_in_any_case(alice: Subject, bob: User, left: int) -> None:
    erasure, _access = both(alice, bob)
    assert refusal(erasure, left=left) == ""


@pytest.mark.parametrize(
    ("said", "code"), [({"words": " \n"}, "reason_missing"), ({"by": actors.SYSTEM}, "staff_only")]
)
def test_a_member_of_staff_says_why(alice: Subject, bob: User, said: dict[str, str], code: str) -> None:
    erasure, _access = both(alice, bob)
    assert refusal(erasure, left=1, **said) == code
    erasure.refresh_from_db()
    assert (erasure.carried_out_at, erasure.event_id) == (None, None)
    assert not erasure.timeline.filter(code="carried_out_unanswered").exists()


def test_both_timelines_tell_of_it_and_the_reason_is_sealed(alice: Subject, bob: User) -> None:
    erasure, access = both(alice, bob)
    assert refusal(erasure, left=1) == ""
    entry = erasure.timeline.get(code="carried_out_unanswered")
    assert (entry.actor, entry.details) == (BY, {"before": access.reference})
    assert timeline.words(erasure, entry) == WHY
    assert access.timeline.get(code="erasure_goes_first").details == {"erasure": erasure.reference}


def test_where_no_copy_is_owed_it_is_simply_carried_out(alice: Subject, charlie: Subject, bob: User) -> None:
    erasure = started(alice, bob)
    asked(charlie, "access")
    # anybody could type her address: what is not proven stands in nobody's way
    verifying(alice, right="access")
    assert refusal(erasure, left=1) == "nothing_owed"
    assert workflow.carry_out(request=erasure, by=BY, at=SOON).carried_out_at == SOON


def test_nothing_but_an_erasure_begins_so(alice: Subject, bob: User) -> None:
    access = workflow.start(request=asked(alice, "access")[0], staff=bob, by=BY, at=SOON)
    assert refusal(access, left=1) == "nothing_owed"


def test_one_that_nobody_has_taken_up_or_that_has_begun_is_refused(alice: Subject, bob: User) -> None:
    erasure, _access = asked(alice, "erasure")[0], asked(alice, "access")[0]
    assert refusal(erasure, left=1) == "wrong_state"
    workflow.start(request=erasure, staff=bob, by=BY, at=SOON)
    assert refusal(erasure, left=1) == ""
    assert refusal(erasure, left=1) == "carried_out"


@pytest.fixture
def begun(alice: Subject, bob: User, tmp_path: Path) -> tuple[Request, Request]:
    """An erasure that went first, five days before its day, and has arrived everywhere; the copy was built before."""
    posts(tmp_path / "posts", post("alice", 1, "what I wrote"), post("charlie", 1))
    erasure, access = both(alice, bob)
    built(access)
    assert refusal(erasure, left=5) == ""
    propagate()
    erasure.refresh_from_db()
    return erasure, access


def test_the_copy_that_was_built_is_handed_out_after_the_rows_have_left(
    begun: tuple[Request, Request], alice: Subject, bob: User
) -> None:
    erasure, access = begun
    at = noon(erasure, left=4)
    assert not closes(erasure, at=at)
    package = packages.release(package=access.packages.get(), by=BY, at=at)
    assert any("what I wrote" in str(content) for content in opened(package).files.values())
    workflow.start(request=access, staff=bob, by=BY, at=at)
    workflow.carry_out(request=access, by=BY, at=at)
    workflow.fulfil(request=access, by=BY, at=at)
    # now it waits until she has fetched it
    assert not closes(erasure, at=at)
    b"".join(packages.download(package=package, by=actors.subject(alice.pk), at=at))
    assert closes(erasure, at=at + timedelta(days=1))
    access.refresh_from_db()
    assert access.status == Status.FULFILLED


def test_staff_are_told_why_they_cannot_close_it(begun: tuple[Request, Request]) -> None:
    erasure, access = begun
    at = noon(erasure, left=1)
    steps.settle_due(at=at)
    with pytest.raises(DomainError) as said:
        workflow.fulfil(request=erasure, by=BY, at=at)
    assert said.value.code == "answer_first"
    assert access.reference in said.value.message
    assert f"on {erasure.due_on.isoformat()} at the latest" in said.value.message


def test_on_its_own_day_it_is_closed_whatever_is_owed(begun: tuple[Request, Request], alice: Subject) -> None:
    erasure, access = begun
    day = datetime.combine(erasure.due_on, time(), tzinfo=rulebook.thaw(erasure.terms).zone)
    assert not closes(erasure, at=day - timedelta(seconds=1))
    assert closes(erasure, at=day)
    alice.refresh_from_db()
    access.refresh_from_db()
    assert (alice.erased_at, access.status) == (day, Status.WITHDRAWN)
    assert access.timeline.filter(code="moot_after_erasure").exists()


def test_whoever_takes_the_request_for_a_copy_back_keeps_nothing(
    begun: tuple[Request, Request], alice: Subject
) -> None:
    erasure, access = begun
    at = noon(erasure, left=4)
    workflow.withdraw(request=access, by=actors.subject(alice.pk), at=at)
    assert closes(erasure, at=at)


def test_what_is_asked_after_it_began_is_answered_first_too(alice: Subject, bob: User) -> None:
    erasure = workflow.carry_out(request=started(alice, bob), by=BY, at=SOON)
    propagate()
    access = asked(alice, "portability", at=SOON)[0]
    at = noon(erasure, left=10)
    assert not closes(erasure, at=at)
    workflow.withdraw(request=access, by=actors.subject(alice.pk), at=at)
    assert closes(erasure, at=at)
