"""Where one person's no has arrived, in each case that a stop can be in."""

from datetime import timedelta
from pathlib import Path

import pytest

from consents import decisions, holds, rules, sequencer, subjects
from consents.decisions import Question
from consents.models import Subject
from consents.vocabulary import Action
from downstream import journeys, leases, propagation
from downstream.journeys import Stop
from downstream.models import Dataset, Propagation
from tests.conftest import AT, BY, dataset_of, person, sequenced, write_parquet
from tests.downstream.acting import LATER, planned, run_all, say

pytestmark = pytest.mark.django_db(transaction=True)


def stop(subject: Subject, position: int | None, *, purpose: str = "ai-training", late: bool = False) -> Stop:
    at = LATER + timedelta(days=9 if late else 0)
    (found,) = journeys.stops(subject_id=subject.pk, purpose=purpose, position=position, at=at)
    return found


def where(subject: Subject, purpose: str = "ai-training") -> list[str]:
    """The states as the person's page has them."""
    decision = decisions.decide(subject=subject, question=Question(purpose), at=LATER)
    assert not decision.allow
    position = journeys.origin(subject=subject, decision=decision)
    stops = journeys.stops(subject_id=subject.pk, purpose=purpose, position=position, at=LATER)
    return [one.state for one in stops]


def test_a_no_without_a_place_in_the_log_waits(posts: Dataset, alice: Subject) -> None:
    assert stop(alice, None).state == journeys.WAITING


def test_a_no_goes_from_waiting_through_work_to_removed(posts: Dataset, alice: Subject) -> None:
    head = say(alice, Action.DENY)
    assert stop(alice, head).state == journeys.WAITING
    run = planned()
    waiting = stop(alice, head)
    assert (waiting.state, waiting.due_at) == (journeys.WAITING, run.deadline)
    leases.claim(propagation_id=run.pk, holder="one")
    assert stop(alice, head).state == journeys.WORKING
    Propagation.objects.update(lease_until=AT - timedelta(days=1))
    assert run_all() == [True]
    arrived = stop(alice, head)
    assert (arrived.state, arrived.rows_removed, arrived.verified_at) == (journeys.REMOVED, 2, LATER)
    assert arrived.due_at is None


def test_what_failed_is_told_as_failed_and_what_is_overdue_as_late(posts: Dataset, alice: Subject) -> None:
    head = say(alice, Action.DENY)
    Path(posts.location).rename(f"{posts.location}-moved")
    assert run_all() == [False]
    stopped = stop(alice, head)
    assert (stopped.state, stopped.reason_code) == (journeys.FAILED, "dataset_missing")
    assert stop(alice, head, late=True).state == journeys.LATE


def test_work_that_will_be_tried_again_is_told_as_failed(posts: Dataset, alice: Subject) -> None:
    head = say(alice, Action.DENY)
    run = planned()
    lease = leases.claim(propagation_id=run.pk, holder="one")
    assert lease is not None
    propagation._fail(lease, code="disk_full", message="No room.", permanent=False, at=LATER)
    assert stop(alice, head).state == journeys.FAILED


def test_nothing_in_the_dataset_is_told_as_such_with_the_time_of_the_look(posts: Dataset) -> None:
    dave = person("dave")
    head = say(dave, Action.DENY)
    assert run_all() == [True]
    found = stop(dave, head)
    assert (found.state, found.rows_removed, found.verified_at) == (journeys.NOT_IN, 0, LATER)


def test_somebody_the_dataset_cannot_name_is_told_that_nobody_can_tell(posts: Dataset) -> None:
    newcomer = subjects.Newcomer(names=(subjects.name("email", "only@example.org"),), jurisdiction="US")
    nameless = subjects.register(newcomer=newcomer, by=BY, at=AT)
    head = say(nameless, Action.DENY)
    assert run_all() == [True]
    assert stop(nameless, head).state == journeys.GAP


def test_a_gap_of_long_ago_does_not_speak_of_a_later_no(posts: Dataset, alice: Subject) -> None:
    head = say(alice, Action.DENY)
    run_all()
    Propagation.objects.get(to_position=head).targets.update(is_gap=True)
    assert stop(alice, head).state == journeys.GAP
    assert stop(alice, head + 1).state == journeys.WAITING


def test_a_journey_stops_at_living_datasets_of_the_purpose_and_its_parts(alice: Subject, tmp_path: Path) -> None:
    for slug, purpose in (
        ("a", "ai-training"),
        ("b", "ai-training/affiliates"),
        ("c", "marketing"),
        ("d", "marketing"),
    ):
        dataset_of(write_parquet(tmp_path / slug, {"author": ["m_zoe"]}), slug=slug, purposes=(purpose,))
    Dataset.objects.filter(slug="d").update(retired_at=AT)

    def slugs(purpose: str) -> list[str]:
        stops = journeys.stops(subject_id=alice.pk, purpose=purpose, position=1, at=LATER)
        return [one.dataset.slug for one in stops]

    assert slugs("ai-training") == ["a", "b"]
    assert slugs("ai-training/affiliates") == ["b"]
    assert slugs("marketing") == ["c"]
    everywhere = journeys.everywhere(subject_id=alice.pk, position=1, at=LATER)
    assert [one.dataset.slug for one in everywhere] == ["a", "b", "c"]


def test_nobodys_removals_are_told_to_somebody_else(posts: Dataset, alice: Subject, charlie: Subject) -> None:
    say(alice, Action.DENY)
    head = say(charlie, Action.DENY)
    run_all()
    assert (stop(alice, head).rows_removed, stop(charlie, head).rows_removed) == (2, 1)


def test_where_it_is_off_by_default_nothing_has_arrived_before_somebody_looked(world: None, tmp_path: Path) -> None:
    dora = person("dora", "DE")
    sequenced()
    dataset_of(write_parquet(tmp_path / "posts", {"author": ["m_dora", "m_eve"]}))
    assert where(dora) == [journeys.WAITING]
    run_all()
    assert where(dora) == [journeys.REMOVED]


def test_somebody_who_came_later_waits_until_the_dataset_was_looked_at_for_them(posts: Dataset) -> None:
    dora = person("dora", "DE")
    assert where(dora) == [journeys.WAITING]
    sequenced()
    assert where(dora) == [journeys.WAITING]
    run_all()
    assert where(dora) == [journeys.NOT_IN]


def test_somebody_who_came_after_a_hold_waits_for_a_look_of_their_own(posts: Dataset) -> None:
    holds.open(scope=holds.HoldScope(jurisdictions=["GB"]), reason="asked to", by=BY, at=AT)
    sequenced()
    run_all()
    grace = person("grace", "GB")
    sequenced()
    assert where(grace) == [journeys.WAITING]
    run_all()
    assert where(grace) == [journeys.NOT_IN]


def test_a_rule_that_turned_it_off_waits_for_the_run_that_follows_it(posts: Dataset, alice: Subject) -> None:
    proposal = rules.Proposal(
        jurisdiction="US",
        purpose="ai-training",
        legal_basis="legitimate_interest",
        default="deny",
        explanation="Off now.",
        source="test",
        effective_from=AT,
    )
    rules.enact(proposal=proposal, by=BY, at=LATER)
    assert where(alice) == [journeys.WAITING]
    sequenced()
    assert where(alice) == [journeys.WAITING]
    run_all()
    assert where(alice) == [journeys.REMOVED]


def test_a_choice_begins_its_way_at_its_own_place(posts: Dataset, alice: Subject) -> None:
    head = say(alice, Action.DENY)
    person("later", at=LATER)
    sequenced()
    decision = decisions.decide(subject=alice, question=Question("ai-training"), at=LATER)
    assert journeys.origin(subject=alice, decision=decision) == head < sequencer.head()
