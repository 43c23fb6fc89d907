"""Access and portability: answered once a package was released, and staff looked into what no connector reaches."""

from datetime import timedelta

import pytest

from consents.models import Subject
from portal.errors import Conflict, DomainError
from portal.models import User
from requests_app import steps, workflow
from requests_app.models import Package, Request
from requests_app.states import PackageStatus, Status
from tests.conftest import BY
from tests.requests_app.asking import LATER, SOON, asked, open_tasks, system

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["access", "portability"])
def right(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def set_going(subject: Subject, staff: User, right: str) -> Request:
    request = workflow.start(request=asked(subject, right)[0], staff=staff, by=BY, at=SOON)
    return workflow.carry_out(request=request, by=BY, at=SOON)


def released(request: Request) -> Package:
    """A package of it that staff have handed over."""
    package = request.packages.order_by("-asked_at").first() or Package(request=request, asked_at=SOON, asked_by=BY)
    package.status, package.released_at, package.released_by = PackageStatus.READY, LATER, BY
    package.expires_at = LATER + timedelta(days=30)
    package.save()
    return package


def test_it_is_answered_once_the_package_is_released(alice: Subject, bob: User, right: str) -> None:
    system(right)
    request = set_going(alice, bob, right)
    assert sorted(request.tasks.values_list("code", "kind")) == [("collect", "automatic"), ("collect", "manual")]
    released(request)
    with pytest.raises(Conflict) as waits:
        workflow.fulfil(request=request, by=BY, at=LATER)
    assert waits.value.code == "tasks_open"
    assert steps.settle_due(at=LATER) == 1
    assert [one.system_id for one in open_tasks(request)] == ["crm"]
    steps.settle_by_hand(task=request.tasks.get(kind="manual"), evidence="Put in as files.", by=BY, at=LATER)
    assert workflow.fulfil(request=request, by=BY, at=LATER).status == Status.FULFILLED


def test_without_a_package_there_is_no_answer(alice: Subject, bob: User, right: str) -> None:
    request = set_going(alice, bob, right)
    with pytest.raises(Conflict) as waits:
        workflow.fulfil(request=request, by=BY, at=LATER)
    assert waits.value.code == "tasks_open"
    # nor by itself
    assert not workflow.close_if_verified(request=request, by=BY, at=LATER)


def test_nothing_of_the_person_changes_so_it_can_be_taken_back(alice: Subject, bob: User, right: str) -> None:
    request = set_going(alice, bob, right)
    assert request.event_id is None
    assert workflow.withdraw(request=request, by=BY, at=LATER).status == Status.WITHDRAWN


def test_what_is_left_out_of_it_makes_it_an_answer_in_part(alice: Subject, bob: User, right: str) -> None:
    request = set_going(alice, bob, right)
    released(request)
    request.redactions.create(
        sealed_what=b"x", ground="rights_of_others", sealed_reason=b"x", made_at=LATER, made_by=BY
    )
    assert workflow.fulfil(request=request, by=BY, at=LATER).status == Status.PARTIALLY_FULFILLED


def test_opened_again_it_needs_a_new_package(alice: Subject, bob: User, right: str) -> None:
    request = set_going(alice, bob, right)
    released(request)
    workflow.fulfil(request=request, by=BY, at=LATER)
    later = LATER + timedelta(days=1)
    request = workflow.reopen(request=request, by=BY, at=later, words="The authority asks.")
    request = workflow.carry_out(request=request, by=BY, at=later)
    with pytest.raises(Conflict):
        workflow.fulfil(request=request, by=BY, at=later)


def test_it_is_about_everything(alice: Subject, right: str) -> None:
    for said in ({"scope": {"purposes": ["ai-training"]}}, {"details": {"what": "x"}}):
        with pytest.raises(DomainError):
            asked(alice, right, **said)
