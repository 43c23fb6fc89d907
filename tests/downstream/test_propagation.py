"""Planning, claiming, carrying out and settling, on real files."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.db.utils import InternalError, ProgrammingError

from consents import holds, subjects
from consents.models import Subject
from consents.vocabulary import Action
from downstream import leases, propagation
from downstream.models import Dataset, Propagation, RemovalReceipt, Target
from downstream.propagation_states import TRANSITIONS, Status
from portal import audit
from portal.errors import Conflict
from portal.leases import LeaseLost
from tests.conftest import AT, BY, dataset_of, person, sequenced, write_parquet
from tests.downstream.acting import LATER, authors, run_all, say

# committed for real: the sequencer does not see what an open transaction wrote
pytestmark = pytest.mark.django_db(transaction=True)


def test_a_no_takes_the_persons_rows_and_leaves_a_receipt(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY)
    assert run_all() == [True]
    assert authors(posts) == ["m_charlie", "m_nobody", None]
    receipt = RemovalReceipt.objects.get(subject_id=alice.pk)
    assert (receipt.rows_found, receipt.rows_removed) == (2, 2)
    posts.refresh_from_db()
    assert (posts.position, posts.row_count) == (receipt.position, 3)


def test_a_second_no_finds_nothing_and_is_verified_all_the_same(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY)
    run_all()
    say(alice, Action.OBJECT)
    assert run_all() == [True]
    assert sorted(RemovalReceipt.objects.values_list("rows_removed", flat=True)) == [0, 2]


def test_a_yes_that_overtakes_the_run_needs_none(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY, at=AT)
    say(alice, Action.GRANT)
    assert run_all() == []
    assert "m_alice" in authors(posts)
    posts.refresh_from_db()
    assert posts.position == sequenced()


def test_a_no_to_another_purpose_leaves_the_rows(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY, "marketing")
    assert run_all() == []
    assert authors(posts).count("m_alice") == 2


def test_a_no_to_the_whole_reaches_datasets_of_its_parts(alice: Subject, tmp_path: Path) -> None:
    folder = write_parquet(tmp_path / "given", {"author": ["m_alice", "m_zoe"]})
    dataset = dataset_of(folder, purposes=("ai-training/affiliates",), owner="northlight")
    say(alice, Action.DENY)
    assert run_all() == [True]
    assert authors(dataset) == ["m_zoe"]


def test_a_hold_takes_everyone_in_scope(posts: Dataset, alice: Subject) -> None:
    grace = person("grace", "GB")
    rows = {"author": ["m_grace", "m_alice"], "text": ["g", "a"]}
    write_parquet(Path(posts.location), rows, name="part-1.parquet")
    holds.open(scope=holds.HoldScope(jurisdictions=["GB"]), reason="asked to", by=BY, at=AT)
    sequenced()
    assert run_all() == [True]
    assert "m_grace" not in authors(posts)
    assert authors(posts).count("m_alice") == 3
    assert RemovalReceipt.objects.get(subject_id=grace.pk).rows_removed == 1


def test_people_of_a_country_where_it_is_off_leave_when_a_dataset_is_taken_in(world: None, tmp_path: Path) -> None:
    person("dora", "DE")
    dataset = dataset_of(write_parquet(tmp_path / "posts", {"author": ["m_dora", "m_eve"]}))
    sequenced()
    assert run_all() == [True]
    assert authors(dataset) == ["m_eve"]


def test_people_registered_later_leave_where_it_is_off(posts: Dataset) -> None:
    write_parquet(Path(posts.location), {"author": ["m_late"], "text": ["l"]}, name="part-1.parquet")
    person("late", "DE")
    sequenced()
    assert run_all() == [True]
    assert "m_late" not in authors(posts)


def test_somebody_without_a_name_in_the_key_scheme_is_a_gap_and_not_done(posts: Dataset) -> None:
    newcomer = subjects.Newcomer(names=(subjects.name("email", "only@example.org"),), jurisdiction="DE")
    stranger = subjects.register(newcomer=newcomer, by=BY, at=AT)
    head = sequenced()
    run_all()
    assert Target.objects.get(subject_id=stranger.pk).is_gap
    assert not RemovalReceipt.objects.filter(subject_id=stranger.pk).exists()
    assert not propagation.arrived(subject_id=stranger.pk, position=head)


def test_a_missing_dataset_stops_with_its_reason_and_waits_for_a_person(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY)
    Path(posts.location).rename(f"{posts.location}-moved")
    assert run_all() == [False]
    run = Propagation.objects.open().get()
    assert (run.status, run.reason_code) == (Status.STOPPED, "dataset_missing")
    Path(f"{posts.location}-moved").rename(posts.location)
    propagation.retry_now(propagation=run, by=BY, at=LATER)
    assert run_all() == [True]
    assert "m_alice" not in authors(posts)


def test_verified_work_cannot_be_tried_again(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY)
    run_all()
    with pytest.raises(Conflict, match="Only failed"):
        propagation.retry_now(propagation=Propagation.objects.latest("planned_at"), by=BY, at=LATER)


def test_work_under_a_lease_is_not_claimed_twice(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY)
    run = propagation.plan(at=LATER)[0]
    first = leases.claim(propagation_id=run.pk, holder="one")
    assert first is not None
    assert leases.claim(propagation_id=run.pk, holder="two") is None
    assert propagation.hand_over(at=LATER) == []


def test_a_zombie_that_lost_its_lease_can_change_nothing(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY)
    run = propagation.plan(at=LATER)[0]
    zombie = leases.claim(propagation_id=run.pk, holder="one")
    Propagation.objects.update(lease_until=AT - timedelta(days=1))
    assert propagation.carry_out(propagation_id=run.pk, holder="two", clock=lambda: LATER)
    assert zombie is not None
    for touch in (leases.extend, leases.lock):
        with pytest.raises(LeaseLost), transaction.atomic():
            touch(zombie)


def test_a_worker_that_dies_too_often_stops_the_work(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY)
    run = propagation.plan(at=LATER)[0]
    Propagation.objects.update(attempts=8)
    assert not propagation.carry_out(propagation_id=run.pk, holder="two", clock=lambda: LATER)
    run.refresh_from_db()
    assert (run.status, run.reason_code) == (Status.STOPPED, "attempts_used_up")


def test_planning_twice_plans_once(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY)
    assert len(propagation.plan(at=LATER)) == 1
    assert propagation.plan(at=LATER) == []


def test_nothing_is_planned_when_the_audit_entry_fails(
    posts: Dataset, alice: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(alice, Action.DENY)
    monkeypatch.setattr(audit, "record", _refuse)
    with pytest.raises(RuntimeError, match="no audit"):
        propagation.plan(at=LATER)
    assert not Propagation.objects.open().exists()
    assert Target.objects.count() == 0


def test_a_receipt_cannot_be_altered(posts: Dataset, alice: Subject) -> None:
    say(alice, Action.DENY)
    run_all()
    with pytest.raises((ProgrammingError, InternalError)), transaction.atomic():
        RemovalReceipt.objects.update(rows_removed=0, rows_found=0)


@pytest.mark.parametrize("before", list(Status))
@pytest.mark.parametrize("after", list(Status))
def test_the_database_knows_the_same_transitions(posts: Dataset, before: Status, after: Status) -> None:
    run = Propagation(dataset=posts, from_position=0, to_position=1, planned_at=AT, deadline=AT, next_try_at=AT)
    run.status, run.verified_at = before, AT
    Propagation.objects.bulk_create([run])
    allowed = after == before or after in TRANSITIONS[before]
    try:
        with transaction.atomic():
            Propagation.objects.filter(pk=run.pk).update(status=after)
        moved = True
    except (ProgrammingError, InternalError):
        moved = False
    assert moved == allowed


def _refuse(**_: object) -> None:
    raise RuntimeError("no audit")
