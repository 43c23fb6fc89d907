"""A dataset that a law has keep somebody's rows keeps them through an erasure, and is not trained on."""

import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from consents import ledger, subjects
from consents.models import Subject
from consents.vocabulary import EVERY, Action, Kind, Source
from downstream import arrivals, exemptions, journeys, leaving, permits, propagation, purging
from downstream.exemptions import ExemptionError
from downstream.models import Dataset, Exemption, ExemptionEnd, Propagation
from downstream.permits import Asked, PermitRefused
from portal import actors
from portal.errors import Conflict
from portal.models import AuditEntry, User
from tests.conftest import AT, BY, SignIn, dataset_of, sequenced, write_parquet
from tests.downstream.acting import LATER, authors, carry_out, planned, removed, run_all, say

pytestmark = pytest.mark.django_db(transaction=True)

REQUEST = uuid.UUID(int=7)
BOB, PETRA = "staff:1", "staff:2"
AFTERWARDS = LATER + timedelta(days=1)
LAW = "GDPR Art. 17(3)(b), HGB § 257"


def keep(dataset: Dataset, subject: Subject, **changes: Any) -> Exemption:
    told: dict[str, Any] = {
        "ground": "legal_obligation",
        "legal_ground": LAW,
        "by": BOB,
        "seconded_by": PETRA,
        "request_id": REQUEST,
        "at": LATER,
    }
    return exemptions.exempt(dataset=dataset, subject_id=subject.pk, **told | changes)


def is_exempt(dataset: Dataset, subject: Subject) -> bool:
    return Exemption.objects.in_force().filter(dataset=dataset, subject_id=subject.pk).exists()


def erase(subject: Subject) -> int:
    """What carrying an erasure out enters in the ledger; answers the head."""
    ledger.withdraw_everything(subject=subject, by=BY, at=LATER)
    origin = ledger.Origin(source=Source.REQUEST, by=BY)
    ledger.record(subject=subject, scope=ledger.Scope(EVERY), action=Action.RESTRICT, origin=origin, at=LATER)
    ledger.append(kind=Kind.ERASURE, by=BY, at=LATER, details={}, subject=subject)
    return sequenced()


@pytest.fixture
def invoices(posts: Dataset, tmp_path: Path) -> Dataset:
    """A second dataset with rows of the same people."""
    rows = {"author": ["m_alice", "m_charlie", "m_alice"], "text": ["i", "j", "k"]}
    dataset = dataset_of(write_parquet(tmp_path / "invoices", rows), slug="invoices")
    run_all()
    dataset.refresh_from_db()
    return dataset


def test_an_erasure_leaves_an_exempted_dataset_its_rows_and_no_other(
    posts: Dataset, invoices: Dataset, alice: Subject
) -> None:
    before = authors(invoices)
    keep(invoices, alice)
    head = erase(alice)
    assert not propagation.arrived(subject_id=alice.pk, position=head)
    run_all()
    run_all(at=AFTERWARDS)
    assert "m_alice" not in authors(posts)
    assert authors(invoices) == before
    assert removed(alice) == [2]
    assert propagation.arrived(subject_id=alice.pk, position=head)
    assert not purging.kept(subject_id=alice.pk).exists()
    stops = {one.dataset.slug: one for one in journeys.everywhere(subject_id=alice.pk, position=head, at=LATER)}
    assert (stops["posts"].state, stops["invoices"].state) == (journeys.REMOVED, journeys.EXEMPT)
    assert stops["invoices"].reason_code == "legal_obligation"


def test_the_rows_stay_once_the_person_is_forgotten_and_everybody_is_looked_for(
    posts: Dataset, invoices: Dataset, alice: Subject, charlie: Subject
) -> None:
    keep(invoices, alice)
    erase(alice)
    run_all()
    subjects.forget(subject=alice, by=BY, at=AFTERWARDS)
    sequenced()
    # files come in, in which erased people are recognised by their fingerprints
    for dataset in (posts, invoices):
        write_parquet(
            Path(dataset.location), {"author": ["m_alice", "m_charlie"], "text": ["n", "n"]}, name="new.parquet"
        )
    arrivals.look_around(at=AFTERWARDS)
    run_all(at=AFTERWARDS)
    assert "m_alice" not in authors(posts)
    assert authors(invoices).count("m_alice") == 3
    # and a file that was rewritten by others
    write_parquet(Path(invoices.location), {"author": ["m_alice", "m_x"], "text": ["n", "n"]}, name="new.parquet")
    arrivals.look_around(at=AFTERWARDS)
    run_all(at=AFTERWARDS)
    assert authors(invoices).count("m_alice") == 3


def test_the_exemption_is_of_one_person_alone(
    posts: Dataset, invoices: Dataset, alice: Subject, charlie: Subject
) -> None:
    keep(invoices, alice)
    erase(alice)
    erase(charlie)
    run_all()
    assert [one for one in authors(invoices) if one] == ["m_alice", "m_alice"]
    subjects.forget(subject=charlie, by=BY, at=AFTERWARDS)
    sequenced()
    write_parquet(Path(invoices.location), {"author": ["m_charlie"], "text": ["n"]}, name="new.parquet")
    arrivals.look_around(at=AFTERWARDS)
    run_all(at=AFTERWARDS)
    assert "m_charlie" not in authors(invoices)


def test_any_other_no_is_carried_out_as_ever(posts: Dataset, alice: Subject) -> None:
    keep(posts, alice)
    say(alice, Action.DENY)
    assert run_all() == [True]
    assert "m_alice" not in authors(posts)


def asked(dataset: Dataset) -> Asked:
    return Asked("night", "helper", "ai-training", dataset.owner_id, ((dataset.slug, None),))


def refusals(dataset: Dataset, at: Any = LATER) -> set[str]:
    try:
        permits.issue(asked=asked(dataset), owners=[dataset.owner_id], partner="trainer", at=at)
    except PermitRefused as refused:
        return {reason.code for reason in refused.reasons}
    return set()


def test_no_training_is_permitted_while_such_rows_are_there(posts: Dataset, invoices: Dataset, alice: Subject) -> None:
    keep(invoices, alice)
    # until they are erased, they are a person like any other
    assert "exempted_rows" not in refusals(invoices)
    erase(alice)
    run_all()
    assert "exempted_rows" in refusals(invoices)
    assert "exempted_rows" not in refusals(posts)
    subjects.forget(subject=alice, by=BY, at=AFTERWARDS)
    assert "exempted_rows" in refusals(invoices)


def test_an_exemption_made_once_the_run_waits_takes_the_person_out_of_it(posts: Dataset, alice: Subject) -> None:
    erase(alice)
    run = planned()
    keep(posts, alice)
    assert carry_out(run)
    assert authors(posts).count("m_alice") == 2


def test_a_run_that_was_planned_before_knows_of_it(
    posts: Dataset, alice: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has to leave is decided before the dataset is locked."""
    erase(alice)
    decide = leaving.people

    def slowly(*arguments: Any, **named: Any) -> leaving.Going:
        found = decide(*arguments, **named)
        keep(posts, alice)
        return found

    monkeypatch.setattr(leaving, "people", slowly)
    assert propagation.plan(at=LATER) == []
    assert authors(posts).count("m_alice") == 2


def test_what_is_being_removed_or_has_left_cannot_be_kept(posts: Dataset, alice: Subject) -> None:
    erase(alice)
    run = planned()
    Propagation.objects.filter(pk=run.pk).update(fencing_token=1)
    with pytest.raises(Conflict) as refused:
        keep(posts, alice)
    assert refused.value.code == "being_removed"
    assert carry_out(run)
    with pytest.raises(Conflict) as refused:
        keep(posts, alice)
    assert refused.value.code == "rows_left"
    subjects.forget(subject=alice, by=BY, at=AFTERWARDS)
    sequenced()
    run_all()
    with pytest.raises(Conflict) as refused:
        keep(posts, alice)
    assert refused.value.code == "rows_left"
    assert not Exemption.objects.exists()


def test_an_ordinary_no_on_its_way_is_not_stopped(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY)
    planned()
    with pytest.raises(Conflict) as refused:
        keep(posts, alice)
    assert refused.value.code == "being_removed"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"seconded_by": BOB}, "four_eyes"),
        ({"seconded_by": ""}, "four_eyes"),
        ({"ground": ""}, "ground_missing"),
        ({"legal_ground": " "}, "legal_ground_missing"),
        ({"legal_ground": "x" * 301}, "legal_ground_too_long"),
    ],
)
def test_what_is_not_decided_by_two_under_a_law_is_refused(
    posts: Dataset, alice: Subject, changes: dict[str, Any], code: str
) -> None:
    with pytest.raises(ExemptionError) as refused:
        keep(posts, alice, **changes)
    assert refused.value.code == code
    assert not Exemption.objects.exists()


def test_it_is_made_once_for_a_person_and_audited(posts: Dataset, alice: Subject, charlie: Subject) -> None:
    made = keep(posts, alice)
    assert keep(posts, alice) == made
    with pytest.raises(Conflict) as refused:
        keep(posts, alice, request_id=uuid.UUID(int=8))
    assert refused.value.code == "exempted"
    assert is_exempt(posts, alice)
    assert not is_exempt(posts, charlie)
    (entry,) = AuditEntry.objects.filter(action="exemption.make")
    assert (entry.actor, entry.details["dataset"], entry.details["seconded_by"]) == (BOB, "posts", PETRA)
    assert "m_alice" not in str(entry.details)
    assert len(made.fingerprints) == 1


def test_staff_see_it_and_whoever_decided(posts: Dataset, alice: Subject, bob: User, signed_in: SignIn) -> None:
    made = keep(posts, alice, by=actors.staff(bob.pk))
    browser = signed_in(bob)
    listed = browser.get("/admin/downstream/exemption/").content.decode()
    assert "legal_obligation" in listed
    shown = browser.get(f"/admin/downstream/exemption/{made.pk}/change/").content.decode()
    assert LAW.split(",")[0] in shown
    assert bob.username in shown
    assert made.fingerprints[0] not in shown


def test_a_retired_dataset_keeps_everything_anyway(posts: Dataset, alice: Subject) -> None:
    Dataset.objects.filter(pk=posts.pk).update(retired_at=AT)
    with pytest.raises(Conflict) as refused:
        keep(posts, alice)
    assert refused.value.code == "retired"


def test_the_database_refuses_one_persons_decision(posts: Dataset, alice: Subject) -> None:
    with pytest.raises(IntegrityError, match="takes_two"), transaction.atomic():
        Exemption.objects.create(
            dataset=posts, subject_id=alice.pk, ground="x", legal_ground="x", by=BOB, seconded_by=BOB,
            request_id=REQUEST, at=AT,
        )  # fmt: skip


@pytest.mark.parametrize("is_forgotten", [False, True])
def test_once_the_duty_has_ended_the_rows_leave(
    posts: Dataset, invoices: Dataset, alice: Subject, is_forgotten: bool
) -> None:
    made = keep(invoices, alice)
    erase(alice)
    run_all()
    if is_forgotten:
        subjects.forget(subject=alice, by=BY, at=AFTERWARDS)
        sequenced()
        run_all()
    exemptions.end(exemption=made, reason="ten years have passed", by=BOB, at=AFTERWARDS)
    assert not is_exempt(invoices, alice)
    run_all(at=AFTERWARDS)
    run_all(at=AFTERWARDS)
    assert authors(invoices) == ["m_charlie"]
    assert "exempted_rows" not in refusals(invoices, AFTERWARDS)
    with pytest.raises(Conflict) as refused:
        exemptions.end(exemption=made, reason="again", by=BOB, at=AFTERWARDS)
    assert refused.value.code == "ended"


def test_an_end_has_its_reason_and_waits_for_an_open_run(posts: Dataset, alice: Subject, charlie: Subject) -> None:
    made = keep(posts, alice)
    with pytest.raises(ExemptionError) as refused:
        exemptions.end(exemption=made, reason=" ", by=BOB, at=AFTERWARDS)
    assert refused.value.code == "reason_missing"
    erase(alice)
    say(charlie, Action.DENY)
    planned()
    with pytest.raises(Conflict) as busy:
        exemptions.end(exemption=made, reason="over", by=BOB, at=AFTERWARDS)
    assert busy.value.code == "run_open"
    assert not ExemptionEnd.objects.exists()
    assert is_exempt(posts, alice)


def test_forgotten_people_in_hashed_keys_are_left_to_the_owner(posts: Dataset, alice: Subject) -> None:
    made = keep(posts, alice)
    erase(alice)
    run_all()
    subjects.forget(subject=alice, by=BY, at=AFTERWARDS)
    Dataset.objects.filter(pk=posts.pk).update(key_hash="hmac-sha256", key_secret=b"x")
    with pytest.raises(Conflict) as refused:
        exemptions.end(exemption=made, reason="over", by=BOB, at=AFTERWARDS)
    assert refused.value.code == "nobody_knows_keys"
