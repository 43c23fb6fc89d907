"""The second state: readers no longer see the rows, and then their bytes are gone too."""

import os
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consents.models import Subject
from consents.vocabulary import Action
from downstream import journeys, leases, propagation, purging, registry, retry
from downstream.connectors.base import ConnectorError, Residue, Trace
from downstream.connectors.memory import Memory
from downstream.models import Dataset, Propagation, PurgeReceipt, Unit
from downstream.propagation_states import Purge, Status
from portal import audit
from portal.errors import Conflict
from portal.leases import LeaseLost
from portal.models import AuditEntry
from tests.downstream.acting import LATER, carry_out, expire_leases, planned, say

pytestmark = pytest.mark.django_db(transaction=True)
BY = "staff:petra"
WEEK = timedelta(days=7)


@pytest.fixture
def run(posts: Dataset, alice: Subject) -> Propagation:
    """One that removed Alice's rows; nobody has looked for their bytes."""
    say(alice, Action.OBJECT)
    run = planned()
    assert carry_out(run)
    run.refresh_from_db()
    return run


def purge(run: Propagation, *, at: datetime = LATER) -> bool:
    done = purging.carry_out(propagation_id=run.pk, holder="test", clock=lambda: at)
    run.refresh_from_db()
    return done


class Keeping(Memory):
    """A store that keeps old versions for a week."""

    said: Residue
    asked: list[tuple[Any, ...]] = []

    def find(self, keys: Collection[str], *_: Any) -> Iterator[Any]:
        return iter(())

    def purge(self, *, retention: timedelta | None, at: datetime) -> None:
        self.asked.append(("purge", retention))

    def residue(
        self, keys: Collection[str], *, retention: timedelta | None, at: datetime, removed_at: datetime | None = None
    ) -> Residue:
        self.asked.append(("residue", sorted(keys), removed_at))
        return self.said


@pytest.fixture
def keeping(monkeypatch: pytest.MonkeyPatch) -> type[Keeping]:
    Keeping.asked = []
    Keeping.said = Residue(3, (Trace("part-0 of version 4", "old_version"),), ("backups",), LATER + WEEK)
    monkeypatch.setattr(registry, "connect", lambda dataset: Keeping("here", "author"))
    return Keeping


def test_a_verified_run_is_due_until_its_bytes_were_searched_for(run: Propagation) -> None:
    assert (run.status, run.purge) == (Status.VERIFIED, Purge.WAITING)
    assert propagation.hand_over(at=LATER) == [run.pk]
    assert purge(run)
    assert (run.purge, run.purged_at) == (Purge.PURGED, LATER)
    receipt = PurgeReceipt.objects.get()
    assert (receipt.propagation_id, receipt.people, receipt.unreachable) == (run.pk, 1, ["backups"])
    assert propagation.hand_over(at=LATER + WEEK) == []
    assert not purge(run)


def test_a_copy_that_somebody_left_beside_the_data_waits_for_a_person(run: Propagation, posts: Dataset) -> None:
    left = Path(posts.location, "notes.txt")
    left.write_text("wrong: m_alice\n")
    assert not purge(run)
    assert run.purge == Purge.STOPPED
    assert "notes.txt" in run.purge_reason
    assert "m_alice" not in run.purge_reason + str(run.residue)
    left.unlink()
    purging.look_again(propagation=run, by=BY, at=LATER)
    assert purge(run)


@pytest.mark.parametrize("place", ["notes.zip", "_temporary/0/part-0"])
def test_a_file_that_cannot_be_opened_up_waits_for_a_person(run: Propagation, posts: Dataset, place: str) -> None:
    left = Path(posts.location, place)
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"PK\x03\x04 and more")
    assert not purge(run)
    assert run.purge == Purge.STOPPED
    assert f"may still be in {place} (unreadable)" in run.purge_reason
    left.unlink()
    purging.look_again(propagation=run, by=BY, at=LATER)
    assert purge(run)


def test_what_a_failed_job_left_is_searched(run: Propagation, posts: Dataset) -> None:
    left = Path(posts.location, "_temporary/0/part-0.csv")
    left.parent.mkdir(parents=True)
    left.write_text("author\nm_alice\n")
    assert not purge(run)
    assert "_temporary/0/part-0.csv" in run.purge_reason


def test_people_whose_keys_cannot_be_told_from_other_bytes_are_not_searched_for(
    run: Propagation, keeping: type[Keeping]
) -> None:
    keeping.said = Residue(2, not_searched=1)
    assert purge(run)
    receipt = PurgeReceipt.objects.get()
    assert (receipt.people, receipt.not_searched) == (0, 1)


def test_erased_people_whom_a_full_run_found_are_not_searched_for(run: Propagation, keeping: type[Keeping]) -> None:
    (unit,) = run.units.all()[:1]
    run.units.filter(pk=unit.pk).update(rows={**unit.rows, str(Unit.ERASED): 3})
    keeping.said = Residue(2)
    assert purge(run)
    receipt = PurgeReceipt.objects.get()
    assert (receipt.people, receipt.not_searched) == (1, 3)


def test_a_hard_link_to_an_old_file_waits_until_somebody_says_that_it_is_gone(posts: Dataset, alice: Subject) -> None:
    (file,) = sorted(Path(posts.location).glob("*.parquet"))[:1]
    os.link(file, Path(posts.location).with_name("kept.parquet"))
    say(alice, Action.OBJECT)
    run = planned()
    assert carry_out(run)
    assert not purge(run)
    assert "link" in run.purge_reason
    purging.look_again(propagation=run, by=BY, at=LATER)
    assert not purge(run)
    purging.look_again(propagation=run, links_are_gone=True, by=BY, at=LATER)
    assert purge(run)
    assert AuditEntry.objects.filter(action="propagation.look_again", actor=BY).count() == 2


def test_what_the_store_keeps_waits_as_long_as_it_keeps_it(run: Propagation, keeping: type[Keeping]) -> None:
    assert not purge(run)
    assert (run.purge, run.kept_until, run.next_try_at) == (Purge.WAITING, LATER + WEEK, LATER + WEEK)
    assert run.residue["found_in_all"] == 1
    assert propagation.hand_over(at=LATER + timedelta(days=6)) == []
    keeping.said = Residue(2)
    assert propagation.hand_over(at=LATER + WEEK) == [run.pk]
    Propagation.objects.update(next_try_at=LATER)
    assert purge(run, at=LATER + WEEK)


def test_old_versions_count_from_when_the_rows_were_gone(run: Propagation, keeping: type[Keeping]) -> None:
    assert not purge(run)
    assert run.verified_at is not None
    assert keeping.asked[-1] == ("residue", ["m_alice"], run.verified_at)


def test_a_decision_shortens_the_retention_and_is_on_record(run: Propagation, keeping: type[Keeping]) -> None:
    assert not purge(run)
    dataset = Dataset.objects.get(pk=run.dataset_id)
    purging.decide_retention(dataset=dataset, hours=0, reason="Nobody reads them.", by=BY, at=LATER)
    assert propagation.hand_over(at=LATER) == [run.pk]
    keeping.said = Residue(2)
    assert purge(run)
    assert [asked for asked in keeping.asked if asked[0] == "purge"] == [("purge", None), ("purge", timedelta(0))]
    entry = AuditEntry.objects.get(action="dataset.decide_retention")
    assert (entry.actor, entry.details["hours"], entry.details["was"]) == (BY, 0, None)


def test_a_store_that_acts_late_by_its_own_rule_is_looked_at_daily(run: Propagation, keeping: type[Keeping]) -> None:
    keeping.said = Residue(3, (Trace("part-0", "object_version"),), (), LATER)
    assert not purge(run)
    assert (run.purge, run.next_try_at, run.purge_reason) == (Purge.WAITING, LATER + timedelta(days=1), "")
    Propagation.objects.update(next_try_at=LATER)
    assert run.purge_deadline is not None
    assert not purge(run, at=max(run.purge_deadline, LATER) + WEEK)
    assert run.purge == Purge.STOPPED


@pytest.mark.parametrize("purged", [Purge.STOPPED, Purge.FAILED])
def test_a_decision_wakes_what_waits_for_it(run: Propagation, keeping: type[Keeping], purged: Purge) -> None:
    assert leases.claim_purge(propagation_id=run.pk, holder="test")
    Propagation.objects.update(purge=purged, purge_attempts=5, next_try_at=LATER + WEEK, lease_until=None)
    dataset = Dataset.objects.get(pk=run.dataset_id)
    purging.decide_retention(dataset=dataset, hours=0, reason="Nobody reads them.", by=BY, at=LATER)
    run.refresh_from_db()
    assert (run.purge, run.purge_attempts) == (Purge.WAITING, 0)
    keeping.said = Residue(2)
    assert purge(run)


@pytest.mark.parametrize(("hours", "reason", "code"), [(0, " ", "reason_missing"), (-1, "x", "invalid_retention")])
def test_a_retention_needs_a_reason_and_a_length(posts: Dataset, hours: int, reason: str, code: str) -> None:
    with pytest.raises(purging.RetentionError) as refused:
        purging.decide_retention(dataset=posts, hours=hours, reason=reason, by=BY, at=LATER)
    assert refused.value.code == code


def test_how_long_others_keep_old_versions_is_theirs_to_decide(copy: Dataset) -> None:
    with pytest.raises(purging.RetentionError) as caught:
        purging.decide_retention(dataset=copy, hours=1, reason="agreed", by=BY, at=LATER)
    assert caught.value.code == "held_by_another"


def test_no_retention_is_decided_when_the_audit_entry_fails(posts: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(audit, "record", refuse)
    with pytest.raises(RuntimeError):
        purging.decide_retention(dataset=posts, hours=0, reason="why not", by=BY, at=LATER)
    posts.refresh_from_db()
    assert posts.retention_hours is None


def test_nothing_is_erased_while_another_run_of_the_dataset_goes_on(
    run: Propagation, charlie: Subject, keeping: type[Keeping]
) -> None:
    say(charlie, Action.OBJECT)
    planned()
    assert run.pk not in propagation.hand_over(at=LATER)
    assert not purge(run)
    assert keeping.asked == []
    assert run.purge == Purge.WAITING


def test_no_run_is_planned_while_old_versions_are_erased(run: Propagation, charlie: Subject) -> None:
    assert leases.claim_purge(propagation_id=run.pk, holder="test")
    say(charlie, Action.OBJECT)
    assert propagation.plan(at=LATER) == []
    expire_leases()
    assert purge(run)
    assert len(propagation.plan(at=LATER)) == 1


def test_a_zombie_that_lost_its_lease_settles_nothing(run: Propagation) -> None:
    zombie = leases.claim_purge(propagation_id=run.pk, holder="zombie")
    assert zombie is not None
    expire_leases()
    assert purge(run)
    with pytest.raises(LeaseLost):
        purging._settle(zombie, Residue(0), people=0, not_searched=0, at=LATER)
    assert PurgeReceipt.objects.count() == 1


@pytest.mark.parametrize(("permanent", "expected"), [(True, Purge.STOPPED), (False, Purge.FAILED)])
def test_a_failure_says_why_and_is_tried_again_or_waits(
    run: Propagation, monkeypatch: pytest.MonkeyPatch, permanent: bool, expected: Purge
) -> None:
    def refuse(dataset: Dataset) -> Any:
        raise ConnectorError("away", "The store is away.", permanent=permanent)

    monkeypatch.setattr(registry, "connect", refuse)
    assert not purge(run)
    assert (run.purge, run.purge_reason) == (expected, "The store is away.")
    assert (run.next_try_at > LATER) is not permanent


def test_a_worker_that_dies_again_and_again_waits_for_a_person(
    run: Propagation, charlie: Subject, keeping: type[Keeping]
) -> None:
    for _ in range(retry.BUDGET):
        assert leases.claim_purge(propagation_id=run.pk, holder="dies")
        expire_leases()
    assert not purge(run)
    assert (run.purge, run.lease_until) == (Purge.STOPPED, None)
    assert "died too often" in run.purge_reason
    assert keeping.asked == []
    say(charlie, Action.OBJECT)
    assert len(propagation.plan(at=LATER)) == 1


def test_an_unexpected_error_is_told_by_its_type_alone(run: Propagation, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(dataset: Dataset, **_: Any) -> Any:
        raise ValueError("m_alice")

    monkeypatch.setattr(registry, "connect", explode)
    assert not purge(run)
    assert run.purge == Purge.FAILED
    assert "ValueError" in run.purge_reason
    assert "m_alice" not in run.purge_reason


def test_looking_again_is_refused_where_nothing_is_kept(run: Propagation) -> None:
    assert purge(run)
    with pytest.raises(Conflict):
        purging.look_again(propagation=run, by=BY, at=LATER)


def test_bytes_past_their_deadline_are_late(run: Propagation) -> None:
    assert run.purge_deadline is not None
    assert not run.is_kept_too_long(run.purge_deadline)
    assert run.is_kept_too_long(run.purge_deadline + timedelta(seconds=1))
    assert purge(run)
    assert not run.is_kept_too_long(run.purge_deadline + WEEK)


def test_the_persons_page_tells_both_states(run: Propagation, alice: Subject, keeping: type[Keeping]) -> None:
    def stop() -> journeys.Stop:
        (one,) = journeys.stops(subject_id=alice.pk, purpose="ai-training", position=run.to_position, at=LATER)
        return one

    assert (stop().state, stop().is_kept, stop().kept_until) == (journeys.REMOVED, True, None)
    assert not purge(run)
    assert stop().kept_until == LATER + WEEK
    keeping.said = Residue(1, (), ("backups",))
    Propagation.objects.update(next_try_at=LATER)
    assert purge(run)
    assert (stop().is_kept, stop().unreachable) == (False, ("backups",))
