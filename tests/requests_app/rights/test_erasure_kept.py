"""What a law has us keep of somebody who is erased: the dataset is told, keeps their rows, and the rest goes."""

from pathlib import Path

import pytest

from consents.models import Subject
from portal.models import User
from requests_app import workflow
from requests_app.states import Status
from tests.conftest import BY
from tests.requests_app.asking import SOON, closes, exempted, open_tasks, propagate, started
from tests.requests_app.holding import authors, posts

pytest.importorskip("downstream.exemptions")
pytestmark = pytest.mark.django_db(transaction=True)


def test_an_exempted_dataset_keeps_the_rows_and_every_other_loses_them(
    alice: Subject, charlie: Subject, bob: User, tmp_path: Path
) -> None:
    books = posts(tmp_path, "alice", "charlie", slug="books")
    training = posts(tmp_path, "alice", "charlie")
    propagate()
    request = started(alice, bob)
    exempted(request.tasks.get(dataset=books))
    workflow.carry_out(request=request, by=BY, at=SOON)
    propagate()
    assert closes(request)
    request.refresh_from_db()
    assert request.status == Status.PARTIALLY_FULFILLED
    assert (authors(books), authors(training)) == (["alice", "charlie"], ["charlie"])
    assert open_tasks(request) == []
