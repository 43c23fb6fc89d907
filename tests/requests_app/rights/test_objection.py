"""An objection: counts at once, without staff, and in every dataset of its purposes; also for what comes later."""

from datetime import timedelta
from pathlib import Path

import pytest

from consents import decisions
from consents.evaluation import Question
from consents.models import Identifier, LedgerEvent, Subject
from consents.vocabulary import Action
from downstream import arrivals
from portal.errors import DomainError
from requests_app import tasks
from requests_app.states import Status
from tests.conftest import AT, write_parquet
from tests.consents.asking import say
from tests.requests_app.asking import LATER, SOON, asked, closes, propagate
from tests.requests_app.holding import authors, posts

pytestmark = pytest.mark.django_db(transaction=True)
TRAINING = {"purposes": ["ai-training"]}


def allows(subject: Subject, purpose: str) -> bool:
    return decisions.decide(subject=subject, question=Question(purpose), at=LATER).allow


def test_it_denies_at_once_and_leaves_other_uses(alice: Subject, charlie: Subject) -> None:
    say(alice, Action.GRANT, "marketing")
    request = asked(alice, "objection", scope=TRAINING, at=SOON)[0]
    assert (request.status, request.carried_out_at) == (Status.IN_PROGRESS, SOON)
    assert not allows(alice, "ai-training")
    assert allows(alice, "marketing")
    assert allows(charlie, "ai-training")
    assert LedgerEvent.objects.get(pk=request.event_id).action == Action.OBJECT


def test_the_rows_leave_the_datasets_of_its_purposes_and_then_it_closes(
    alice: Subject, charlie: Subject, tmp_path: Path
) -> None:
    training = posts(tmp_path, "alice", "charlie", "alice")
    for subject in (alice, charlie):
        say(subject, Action.GRANT, "marketing")
    other = posts(tmp_path, "alice", "charlie", slug="shop", purposes=("marketing",))
    propagate()
    request = asked(alice, "objection", scope=TRAINING, at=SOON)[0]
    assert not closes(request)
    propagate()
    tasks.close_verified()
    request.refresh_from_db()
    assert request.status == Status.FULFILLED
    assert (authors(training), authors(other)) == (["charlie"], ["alice", "charlie"])
    assert [(one.dataset_id, one.status) for one in request.tasks.all()] == [(training.pk, "done")]


def test_what_comes_later_is_covered_too(alice: Subject, charlie: Subject, tmp_path: Path) -> None:
    training = posts(tmp_path, "charlie")
    propagate()
    request = asked(alice, "objection", scope=TRAINING, at=SOON)[0]
    propagate()
    assert closes(request)
    write_parquet(Path(training.location), {"author": ["m_alice", "m_charlie"]}, name="part-9.parquet")
    late = posts(tmp_path, "alice", "charlie", slug="late")
    arrivals.look_around(at=LATER)
    propagate()
    assert (authors(training), authors(late)) == (["charlie", "charlie"], ["charlie"])


def test_a_person_of_whom_a_dataset_cannot_tell_is_staffs_work(
    alice: Subject, charlie: Subject, tmp_path: Path
) -> None:

    posts(tmp_path, "charlie")
    propagate()
    Identifier.objects.filter(subject=alice, scheme="account").delete()
    request = asked(alice, "objection", scope=TRAINING, at=SOON)[0]
    propagate()
    assert not closes(request)
    assert request.tasks.get().kind == "manual"


def test_it_says_which_use(alice: Subject) -> None:
    for scope in ({}, {"purposes": []}, {"purposes": ["no-such"]}, {"people": ["x"]}, {"purposes": "ai-training"}):
        with pytest.raises(DomainError):
            asked(alice, "objection", scope=scope, at=AT)


@pytest.mark.parametrize("right", ["objection", "restriction"])
def test_after_a_yes_in_between_it_is_said_anew(alice: Subject, right: str) -> None:
    said = {"scope": TRAINING} if right == "objection" else {}
    asked(alice, right, **said)
    say(alice, Action.GRANT if said else Action.UNRESTRICT, "ai-training" if said else "", at=SOON)
    again, once_more = (asked(alice, right, at=SOON + timedelta(minutes=one), **said)[0] for one in (1, 2))
    assert not allows(alice, "ai-training")
    assert (again.status, again.duplicate_of) == (Status.IN_PROGRESS, None)
    assert (once_more.status, once_more.duplicate_of) == (Status.RECEIVED, again)
