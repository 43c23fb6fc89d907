"""Review of an automated decision: a human looks, and says by name what they decided."""

from typing import Any

import pytest

from consents.models import Subject
from portal import actors
from portal.errors import Conflict, DomainError, Forbidden
from portal.models import User
from requests_app import sealing, steps, workflow
from requests_app.states import Status
from tests.conftest import BY
from tests.requests_app.asking import LATER, SOON, asked

pytestmark = pytest.mark.django_db


def test_a_named_human_reviews_it_and_writes_down_the_outcome(alice: Subject, bob: User) -> None:
    details = {"decision": "My account was closed.", "why": " I am no robot. "}
    request = workflow.start(request=asked(alice, "automated_decision", details=details)[0], staff=bob, by=BY, at=SOON)
    read = sealing.unseal_json(request, request.sealed_details, context=sealing.DETAILS)
    assert read == {"decision": "My account was closed.", "why": "I am no robot."}
    task = request.tasks.get()
    assert (task.code, task.kind, task.dataset, task.system) == ("review", "manual", None, None)
    with pytest.raises(Conflict):
        workflow.fulfil(request=request, by=BY, at=LATER)
    with pytest.raises(Forbidden):
        steps.settle_by_hand(task=task, evidence="Looks right.", by=actors.SYSTEM, at=LATER)
    steps.settle_by_hand(task=task, evidence="The account is open again.", by=BY, at=LATER)
    request = workflow.fulfil(request=request, by=BY, at=LATER)
    assert (request.status, request.carried_out_by) == (Status.FULFILLED, BY)


@pytest.mark.parametrize("details", [{"other": "x"}, {"why": 7}, {"decision": "x" * 2_001}])
def test_other_details_are_refused(alice: Subject, details: dict[str, Any]) -> None:
    with pytest.raises(DomainError):
        asked(alice, "automated_decision", details=details)
