"""Where one person's no has arrived, in each case that a stop can be in."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from consents import amendments, decisions, expiry, holds, notice_turns, notices, rules, sequencer, subjects
from consents.evaluation import Question
from consents.models import Subject
from consents.rules import Proposal
from consents.vocabulary import Action
from downstream import journeys, leases, propagation
from downstream.journeys import Stop
from downstream.models import Dataset, Propagation
from tests.conftest import AT, BY, dataset_of, person, sequenced, write_parquet
from tests.downstream.acting import LATER, planned, run_all, say

pytestmark = pytest.mark.django_db(transaction=True)

DAY = timedelta(days=1)


def stop(subject: Subject, position: int | None, *, purpose: str = "ai-training", late: bool = False) -> Stop:
    at = LATER + timedelta(days=9 if late else 0)
    (found,) = journeys.stops(subject_id=subject.pk, purpose=purpose, position=position, at=at)
    return found


def where(subject: Subject, purpose: str = "ai-training", *, at: datetime = LATER) -> list[str]:
    """The states as the person's page has them."""
    decision = decisions.decide(subject=subject, question=Question(purpose), at=at)
    assert not decision.allow
    with CaptureQueriesContext(connection) as queries:
        position = journeys.origin(subject=subject, decision=decision, purpose=purpose, at=at)
    assert len(queries) <= 8
    stops = journeys.stops(subject_id=subject.pk, purpose=purpose, position=position, at=at)
    return [one.state for one in stops]


def waits_then_is_removed(subject: Subject, purpose: str = "ai-training", *, at: datetime = LATER) -> None:
    """Before its event has a place in the log, then before a run has followed it, and after."""
    assert where(subject, purpose, at=at) == [journeys.WAITING]
    sequenced()
    assert where(subject, purpose, at=at) == [journeys.WAITING]
    run_all(at=at)
    assert where(subject, purpose, at=at) == [journeys.REMOVED]


def rule(**changes: Any) -> Proposal:
    fields = {
        "jurisdiction": "US",
        "purpose": "ai-training",
        "legal_basis": "legitimate_interest",
        "default": "deny",
        "explanation": "Off now.",
        "source": "test",
        "effective_from": AT,
    }
    return Proposal(**{**fields, **changes})


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
    rules.enact(proposal=rule(), by=BY, at=LATER)
    waits_then_is_removed(alice)


def test_a_rule_that_begins_later_waits_for_its_beginning_to_be_told(posts: Dataset, alice: Subject) -> None:
    begin = AT + 5 * DAY
    rules.enact(proposal=rule(effective_from=begin), by=BY, at=LATER)
    sequenced()
    run_all()
    assert where(alice, at=begin) == [journeys.WAITING]
    rules.tell_turns(at=begin)
    waits_then_is_removed(alice, at=begin)


def test_whoever_moved_to_where_it_is_off_waits_for_the_run_that_follows_the_move(
    posts: Dataset, alice: Subject
) -> None:
    amendments.amend(subject=alice, jurisdiction="DE", by=BY, at=LATER)
    alice.refresh_from_db()
    waits_then_is_removed(alice)


def test_where_a_nearer_rule_has_ended_the_general_one_waits_for_the_run_that_follows_its_end(
    posts: Dataset, world: None
) -> None:
    end = AT + 5 * DAY
    nearer = rule(jurisdiction="DE", default="allow", effective_to=end)
    rules.enact(proposal=nearer, by=BY, at=AT)
    dora = person("dora", "DE")
    write_parquet(Path(posts.location), {"author": ["m_dora"], "text": ["d"]}, name="part-1.parquet")
    sequenced()
    run_all()
    assert where(dora, at=end) == [journeys.WAITING]
    rules.tell_turns(at=end)
    waits_then_is_removed(dora, at=end)


def test_a_notice_that_took_effect_later_waits_for_the_run_that_follows_it(posts: Dataset, alice: Subject) -> None:
    effective = AT + 5 * DAY
    changed = notices.Draft("ai-training", {"en": ("How", "Anew")}, published_at=LATER, effective_at=effective)
    notices.publish(draft=changed, by=BY, at=LATER)
    sequenced()
    run_all()
    assert where(alice, at=effective) == [journeys.WAITING]
    notice_turns.tell(at=effective)
    waits_then_is_removed(alice, at=effective)


def test_a_notice_that_counts_at_once_waits_for_the_run_that_follows_its_publication(
    posts: Dataset, alice: Subject
) -> None:
    changed = notices.Draft("ai-training", {"en": ("How", "Anew")}, published_at=LATER, effective_at=LATER)
    notices.publish(draft=changed, by=BY, at=LATER)
    waits_then_is_removed(alice)


def test_a_yes_that_lapsed_waits_for_the_run_that_follows_the_lapse(
    world: None, alice: Subject, tmp_path: Path
) -> None:
    lapsed = AT + 31 * DAY
    by_consent = rule(purpose="marketing", legal_basis="consent", consent_days=30)
    rules.enact(proposal=by_consent, by=BY, at=AT)
    say(alice, Action.GRANT, "marketing", at=AT)
    dataset_of(write_parquet(tmp_path / "letters", {"author": ["m_alice"]}), purposes=("marketing",))
    sequenced()
    run_all()
    assert where(alice, "marketing", at=lapsed) == [journeys.WAITING]
    assert expiry.expire(at=lapsed) == 1
    waits_then_is_removed(alice, "marketing", at=lapsed)


def test_a_choice_begins_its_way_at_its_own_place(posts: Dataset, alice: Subject) -> None:
    head = say(alice, Action.DENY)
    person("later", at=LATER)
    sequenced()
    decision = decisions.decide(subject=alice, question=Question("ai-training"), at=LATER)
    assert journeys.origin(subject=alice, decision=decision, purpose="ai-training", at=LATER) == head < sequencer.head()
