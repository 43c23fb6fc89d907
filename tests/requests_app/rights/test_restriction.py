"""Restriction: everything is denied while it lasts, and it is lifted only after the person was told."""

from datetime import timedelta
from pathlib import Path

import pytest

from consents.models import Subject
from consents.vocabulary import Action
from portal.errors import Conflict
from portal.models import User
from requests_app import workflow
from requests_app.models import Request
from requests_app.rights import restriction
from requests_app.states import Status
from tests.conftest import BY
from tests.consents.asking import say
from tests.requests_app.asking import LATER, SOON, asked, closes, propagate
from tests.requests_app.holding import authors, posts
from tests.requests_app.rights.test_objection import allows

pytestmark = pytest.mark.django_db(transaction=True)
AFTER = LATER + restriction.TOLD_BEFORE + timedelta(minutes=1)


def in_force(subject: Subject, **said: object) -> Request:
    request = asked(subject, "restriction", at=SOON, **said)[0]
    propagate()
    assert closes(request)
    return Request.objects.get(pk=request.pk)


def test_it_denies_every_use_and_rows_leave_what_feeds_training(
    alice: Subject, charlie: Subject, tmp_path: Path
) -> None:
    say(alice, Action.GRANT, "marketing")
    training = posts(tmp_path, "alice", "charlie")
    propagate()
    request = in_force(alice)
    assert request.status == Status.FULFILLED
    assert not allows(alice, "marketing")
    assert not allows(alice, "ai-training")
    assert authors(training) == ["charlie"]
    assert restriction.lasts(request)


def test_it_can_be_limited_to_a_purpose(alice: Subject) -> None:
    say(alice, Action.GRANT, "marketing")
    in_force(alice, scope={"purposes": ["ai-training"]})
    assert allows(alice, "marketing")
    assert not allows(alice, "ai-training")


def test_it_is_lifted_after_the_person_was_told(alice: Subject) -> None:
    say(alice, Action.GRANT, "marketing")
    request = in_force(alice)
    restriction.tell_of_lifting(request=request, by=BY, at=LATER)
    assert not allows(alice, "marketing")
    restriction.lift(request=request, by=BY, at=AFTER)
    assert not restriction.lasts(request)
    assert list(request.timeline.values_list("code", flat=True))[-2:] == ["lifting_told", "restriction_lifted"]
    assert alice.preferences.get(slot="restriction").action == Action.UNRESTRICT
    request.refresh_from_db()
    assert request.status == Status.FULFILLED


def test_nobody_lifts_it_behind_the_persons_back(alice: Subject) -> None:
    request = in_force(alice)
    for told, at, code in (
        (False, AFTER, "not_told"),
        (True, LATER + timedelta(days=1), "told_lately"),
    ):
        if told:
            restriction.tell_of_lifting(request=request, by=BY, at=LATER)
        with pytest.raises(Conflict) as refused:
            restriction.lift(request=request, by=BY, at=at)
        assert refused.value.code == code
    with pytest.raises(Conflict) as again:
        restriction.tell_of_lifting(request=request, by=BY, at=AFTER)
    assert again.value.code == "told_already"
    restriction.lift(request=request, by=BY, at=AFTER)
    with pytest.raises(Conflict) as twice:
        restriction.lift(request=request, by=BY, at=AFTER)
    assert twice.value.code == "not_in_force"


def test_only_an_answered_restriction_is_lifted(alice: Subject, charlie: Subject) -> None:
    for request in (asked(alice, "restriction", at=SOON)[0], asked(charlie, "access", at=SOON)[0]):
        with pytest.raises(Conflict) as refused:
            restriction.lift(request=request, by=BY, at=AFTER)
        assert refused.value.code == "not_a_restriction"


def test_what_another_request_restricts_stays(alice: Subject, bob: User) -> None:
    request = in_force(alice)
    restriction.tell_of_lifting(request=request, by=BY, at=LATER)
    second = in_force(alice)
    with pytest.raises(Conflict) as refused:
        restriction.lift(request=request, by=BY, at=AFTER)
    assert refused.value.code == "restricted_by_another"
    erasure = workflow.start(request=asked(alice, "erasure", at=LATER)[0], staff=bob, by=BY, at=LATER)
    workflow.carry_out(request=erasure, by=BY, at=LATER)
    restriction.tell_of_lifting(request=second, by=BY, at=LATER)
    with pytest.raises(Conflict) as erased:
        restriction.lift(request=second, by=BY, at=AFTER)
    assert erased.value.code == "being_erased"


def test_two_that_restrict_the_same_are_lifted_once_the_person_was_told_of_both(alice: Subject) -> None:
    first, second = in_force(alice), in_force(alice)
    restriction.tell_of_lifting(request=first, by=BY, at=LATER)
    restriction.tell_of_lifting(request=second, by=BY, at=LATER + timedelta(days=1))
    with pytest.raises(Conflict, match="less than 7 days"):
        restriction.lift(request=first, by=BY, at=AFTER)
    restriction.lift(request=first, by=BY, at=AFTER + timedelta(days=1))
    assert not restriction.lasts(first)


def test_what_was_opened_again_can_be_lifted_again(alice: Subject) -> None:
    request = in_force(alice)
    restriction.tell_of_lifting(request=request, by=BY, at=LATER)
    restriction.lift(request=request, by=BY, at=AFTER)
    again = AFTER + timedelta(hours=1)
    workflow.reopen(request=request, by=BY, at=again, words="The authority wants it so.")
    workflow.carry_out(request=request, by=BY, at=again)
    propagate()
    assert closes(request)
    request.refresh_from_db()
    restriction.tell_of_lifting(request=request, by=BY, at=again)
    with pytest.raises(Conflict, match="less than 7 days"):
        restriction.lift(request=request, by=BY, at=again + timedelta(days=1))
    restriction.lift(request=request, by=BY, at=again + restriction.TOLD_BEFORE)
    assert not restriction.lasts(request)
