"""The staff's page of runs: stopped work begins again when a manager lets it."""

from pathlib import Path

import pytest
from django.urls import reverse

from consents.models import Subject
from consents.vocabulary import Action
from downstream.models import Dataset, Propagation
from downstream.propagation_states import Status
from portal import clock
from portal.models import AuditEntry, User
from portal.roles import AUDITOR
from tests.conftest import SignIn, staff_member
from tests.downstream.acting import planned, run_all, say
from tests.downstream.admin.pressing import do

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stopped(posts: Dataset, alice: Subject) -> Propagation:
    say(alice, Action.DENY)
    Path(posts.location).rename(f"{posts.location}-moved")
    assert run_all() == [False]
    Path(f"{posts.location}-moved").rename(posts.location)
    return Propagation.objects.open().get()


def test_a_manager_lets_stopped_work_begin_again(stopped: Propagation, petra: User, signed_in: SignIn) -> None:
    browser = signed_in(petra)
    page = reverse("admin:downstream_propagation_change", args=[stopped.pk])
    assert stopped.reason in browser.get(page).content.decode().replace("&#x27;", "'")
    assert do(browser, "downstream_propagation", "retry_now", stopped.pk)["HX-Redirect"] == page
    stopped.refresh_from_db()
    assert (stopped.status, stopped.attempts) == (Status.PLANNED, 0)
    assert AuditEntry.objects.get(action="propagation.retry").actor == f"staff:{petra.pk}"
    assert run_all(at=clock.now()) == [True]
    assert do(browser, "downstream_propagation", "retry_now", stopped.pk).status_code == 403


def test_work_that_did_not_fail_is_not_tried_again(
    posts: Dataset, alice: Subject, petra: User, signed_in: SignIn
) -> None:
    say(alice, Action.DENY)
    run = planned()
    assert do(signed_in(petra), "downstream_propagation", "retry_now", run.pk).status_code == 403
    assert not AuditEntry.objects.filter(action="propagation.retry").exists()


@pytest.mark.parametrize("who", ["bob", "ada"])
def test_nobody_but_a_manager_retries(stopped: Propagation, bob: User, signed_in: SignIn, who: str) -> None:
    user = bob if who == "bob" else staff_member("ada", AUDITOR)
    assert do(signed_in(user), "downstream_propagation", "retry_now", stopped.pk).status_code == 403
    stopped.refresh_from_db()
    assert stopped.status == Status.STOPPED
