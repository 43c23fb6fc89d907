"""A rectification reaches every dataset that holds the person, and waits there until it is done."""

import json
import uuid
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from consents import subjects
from consents.models import Partner, Subject
from downstream import corrections, permits, registry, webhooks
from downstream.corrections import REQUESTED, SETTLED
from downstream.models import Correction, Dataset, WebhookDelivery
from downstream.permits import Asked, PermitRefused
from portal import actors
from portal.errors import Conflict, DomainError
from portal.models import AuditEntry, User
from portal.roles import AUDITOR
from tests.conftest import AT, BY, SignIn, dataset_of, partner, staff_member, write_parquet
from tests.downstream.acting import LATER, run_all
from tests.downstream.test_naming import registration

pytestmark = pytest.mark.django_db(transaction=True)

REQUEST = uuid.UUID(int=9)
LATE = LATER + timedelta(hours=25)


@pytest.fixture
def other(posts: Dataset, tmp_path: Path) -> Dataset:
    """Holds nobody but Charlie."""
    rows = {"author": ["m_charlie"], "text": ["c"]}
    return dataset_of(write_parquet(tmp_path / "other", rows), slug="other")


def ask(subject: Subject, request_id: uuid.UUID = REQUEST) -> list[Correction]:
    return corrections.ask(subject_id=subject.pk, request_id=request_id, by=BY, at=LATER)


def settle(correction: Correction, **changes: Any) -> corrections.Settled:
    return corrections.settle(correction=correction, by=BY, at=LATER, **changes)


def test_each_dataset_that_holds_the_person_is_asked(posts: Dataset, other: Dataset, alice: Subject) -> None:
    (one,) = ask(alice)
    assert (one.dataset, one.rows, one.state, one.reason_code) == (posts, 2, "open", "")
    assert one.due_at == LATER + timedelta(hours=posts.deadline_hours)
    (entry,) = AuditEntry.objects.filter(action="correction.ask")
    assert (entry.actor, entry.details) == (BY, {"dataset": "posts"})


def test_asking_again_adds_what_is_missing_alone(posts: Dataset, other: Dataset, alice: Subject) -> None:
    first = ask(alice)
    write_parquet(Path(other.location), {"author": ["m_alice"], "text": ["a"]}, name="new.parquet")
    again = ask(alice)
    assert {one.dataset.slug for one in again} == {"posts", "other"}
    assert first[0] in again
    assert Correction.objects.count() == 2
    # another request is another correction
    assert len(ask(alice, uuid.UUID(int=10))) == 2


def test_where_nobody_can_tell_it_is_asked_for_too(posts: Dataset, alice: Subject, tmp_path: Path) -> None:
    folder = write_parquet(tmp_path / "calls", {"author": ["+15550100"], "text": ["x"]})
    calls = replace(registration(folder, scheme="phone"), slug="calls")
    registry.register(registration=calls, by=BY, at=AT)
    Dataset.objects.filter(pk=posts.pk).update(kind="pull")
    found = {one.dataset.slug: (one.rows, one.reason_code) for one in ask(alice)}
    assert found == {"posts": (None, "remote"), "calls": (None, "gap")}


def test_settling_says_by_whom_and_what_came_of_it(posts: Dataset, alice: Subject) -> None:
    (one,) = ask(alice)
    done = settle(one)
    assert (done.correction.state, done.correction.outcome, done.is_repeated) == ("done", "corrected", False)
    assert (done.correction.settled_by, done.correction.settled_at) == (BY, LATER)
    assert settle(one).is_repeated
    with pytest.raises(Conflict) as refused:
        settle(one, outcome="nothing_wrong")
    assert refused.value.code == "settled_otherwise"
    assert AuditEntry.objects.filter(action="correction.settle").count() == 1


def test_an_outcome_that_there_is_not_is_refused(posts: Dataset, alice: Subject) -> None:
    (one,) = ask(alice)
    with pytest.raises(DomainError) as refused:
        settle(one, outcome="ignored")
    assert refused.value.code == "unknown_outcome"
    one.refresh_from_db()
    assert one.state == "open"


def test_the_database_refuses_what_is_settled_by_nobody(posts: Dataset, alice: Subject) -> None:
    (one,) = ask(alice)
    with pytest.raises(IntegrityError, match="says_by_whom"), transaction.atomic():
        Correction.objects.filter(pk=one.pk).update(state="done")
    settle(one)
    cleared = {"settled_at": None, "settled_by": "", "outcome": ""}
    with pytest.raises(Exception, match="correction_states"), transaction.atomic():
        Correction.objects.filter(pk=one.pk).update(state="open", **cleared)


def test_who_speaks_for_the_owner_is_told_by_ids_alone(posts: Dataset, alice: Subject) -> None:
    owner = partner("owner", recipients=["linkwell"], schemes=["account"])
    stranger = partner("stranger", recipients=["northlight"], schemes=["account"])
    for one in (owner, stranger):
        webhooks.subscribe(
            partner=one, url=f"https://{one.slug}.example/heed", events=[REQUESTED, SETTLED], by=BY, at=AT
        )
    (correction,) = ask(alice)
    settle(correction)
    told = WebhookDelivery.objects.order_by("event")
    assert [(one.event, one.subscription.partner_id) for one in told] == [(REQUESTED, "owner"), (SETTLED, "owner")]
    assert set(told[0].payload) == {"correction", "dataset", "deadline", "url"}
    assert told[1].payload == {"correction": str(correction.pk), "dataset": "posts", "outcome": "corrected"}
    text = json.dumps([one.payload for one in told])
    assert "m_alice" not in text
    assert str(alice.pk) not in text


def refusals(dataset: Dataset, at: Any) -> set[str]:
    asked = Asked("night", "helper", "ai-training", dataset.owner_id, ((dataset.slug, None),))
    try:
        permits.issue(asked=asked, owners=[dataset.owner_id], partner="trainer", at=at)
    except PermitRefused as refused:
        return {reason.code for reason in refused.reasons}
    return set()


def test_nothing_is_trained_on_what_should_have_been_corrected(posts: Dataset, alice: Subject) -> None:
    (one,) = ask(alice)
    assert "correction_late" not in refusals(posts, LATER)
    assert "correction_late" in refusals(posts, LATE)
    settle(one)
    assert "correction_late" not in refusals(posts, LATE)


def test_of_the_forgotten_nothing_is_left_to_correct(posts: Dataset, alice: Subject) -> None:
    ask(alice)
    subjects.forget(subject=alice, by=BY, at=LATER)
    assert not Correction.objects.overdue(LATE).exists()


def test_staff_settle_what_was_done_elsewhere(posts: Dataset, alice: Subject, bob: User, signed_in: SignIn) -> None:
    (one,) = ask(alice)
    page = f"/admin/downstream/correction/{one.pk}/change/"
    browser = signed_in(bob)
    assert "posts" in browser.get("/admin/downstream/correction/").content.decode().lower()
    assert browser.get(page).status_code == 200
    browser.post(f"/admin/downstream/correction/{one.pk}/settle/", {"_form_submitted": "True", "outcome": "corrected"})
    one.refresh_from_db()
    assert (one.state, one.settled_by) == ("done", actors.staff(bob.pk))
    assert bob.username in browser.get(page).content.decode()


def test_who_may_only_look_settles_nothing(posts: Dataset, alice: Subject, signed_in: SignIn) -> None:
    (one,) = ask(alice)
    browser = signed_in(staff_member("audrey", AUDITOR))
    answer = browser.post(
        f"/admin/downstream/correction/{one.pk}/settle/", {"_form_submitted": "True", "outcome": "corrected"}
    )
    assert answer.status_code in {302, 403, 404}
    one.refresh_from_db()
    assert one.state == "open"


def test_a_partner_is_the_one_to_correct_what_it_holds_or_speaks_for(posts: Dataset, acme: Partner) -> None:
    assert corrections.is_theirs(acme, posts) == (posts.owner_id in acme.recipients)
    posts.kind, posts.location = "pull", "northlight/posts"
    assert not corrections.is_theirs(acme, posts)
    posts.location = f"{acme.slug}/posts"
    assert corrections.is_theirs(acme, posts)
    posts.kind = "opendsr"
    assert not corrections.is_theirs(acme, posts)


def test_a_run_beside_changes_nothing_of_it(posts: Dataset, alice: Subject) -> None:
    (one,) = ask(alice)
    run_all(at=LATE)
    one.refresh_from_db()
    assert one.state == "open"
