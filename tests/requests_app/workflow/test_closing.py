"""What a request leaves behind when it ends: nothing that goes on by itself, and nobody without an answer."""

from pathlib import Path

import pytest

from consents.models import Subject
from downstream.models import Correction, Exemption
from portal.models import User
from requests_app import looking, workflow
from requests_app.states import Status
from tests.conftest import BY, OTHER
from tests.requests_app.asking import (
    LATER,
    SOON,
    asked,
    carried_out,
    closes,
    exempted,
    propagate,
    refusal_of,
    started,
)
from tests.requests_app.holding import authors, posts

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("end", ["withdrawn", "refused"])
def test_an_erasure_that_does_not_come_leaves_no_exemption(
    alice: Subject, charlie: Subject, bob: User, tmp_path: Path, end: str
) -> None:
    dataset = posts(tmp_path, "alice", "charlie")
    first = started(alice, bob)
    exempted(first.tasks.get())
    if end == "withdrawn":
        workflow.withdraw(request=first, by=BY, at=SOON)
    else:
        workflow.decide(proposal=refusal_of(first), approve=True, by=OTHER, at=SOON)
    assert not Exemption.objects.in_force().exists()
    second = carried_out(alice, bob)
    propagate()
    assert closes(second)
    second.refresh_from_db()
    assert (second.status, authors(dataset)) == (Status.FULFILLED, ["charlie"])


@pytest.mark.parametrize("end", ["withdrawn", "refused"])
def test_nobody_is_asked_any_longer_for_what_was_called_off(
    alice: Subject, bob: User, tmp_path: Path, end: str
) -> None:
    posts(tmp_path, "alice")
    request = asked(alice, "rectification")[0]
    workflow.start(request=request, staff=bob, by=BY, at=SOON)
    workflow.carry_out(request=request, by=BY, at=SOON)
    looking.look(at=SOON)
    assert Correction.objects.open().count() == 1
    if end == "withdrawn":
        workflow.withdraw(request=request, by=BY, at=LATER)
    else:
        workflow.decide(proposal=refusal_of(request, ground="accurate"), approve=True, by=OTHER, at=LATER)
    assert not Correction.objects.open().exists()
