"""Whom the log's entries between two positions may concern."""

import pytest

from consents import holds, ledger, log
from consents.holds import HoldScope
from consents.models import Subject
from consents.vocabulary import Action, Kind
from tests.conftest import AT, BY, OTHER, person, sequenced
from tests.consents.asking import say

pytestmark = pytest.mark.django_db(transaction=True)

TRAINING = frozenset({"ai-training"})
PART = frozenset({"ai-training/affiliates"})


def touched_since(after: int, purposes: frozenset[str] = TRAINING) -> log.Touched:
    return log.touched(after=after, until=sequenced(), purposes=purposes)


@pytest.fixture
def start(alice: Subject) -> int:
    return sequenced()


def test_entries_come_in_order_and_within_bounds(start: int, alice: Subject) -> None:
    events = [say(alice, action) for action in (Action.DENY, Action.GRANT, Action.OBJECT)]
    sequenced()
    found = list(log.entries(after=start))
    assert found == [(start + number, event) for number, event in enumerate(events, start=1)]
    assert list(log.entries(after=start, until=start + 2)) == found[:2]
    assert list(log.entries(after=start, limit=1)) == found[:1]


@pytest.mark.parametrize(
    ("said", "asked", "concerned"),
    [
        ("ai-training", TRAINING, True),
        ("ai-training", PART, True),
        ("ai-training/affiliates", TRAINING, False),
        ("ai-training/affiliates", PART, True),
        ("marketing", TRAINING, False),
    ],
)
def test_a_choice_concerns_its_purpose_and_what_is_part_of_it(
    start: int, alice: Subject, said: str, asked: frozenset[str], concerned: bool
) -> None:
    say(alice, Action.DENY, said)
    assert (touched_since(start, asked).subjects == {alice.pk}) is concerned


def test_a_restriction_of_everything_concerns_every_purpose(start: int, alice: Subject) -> None:
    say(alice, Action.RESTRICT, "")
    assert touched_since(start, PART).subjects == {alice.pk}


def test_a_hold_concerns_its_countries(start: int) -> None:
    holds.open(scope=HoldScope(purposes=["ai-training"], jurisdictions=["EEA"]), reason="r", by=BY, at=AT)
    touched = touched_since(start)
    assert touched.covers("DE")
    assert not touched.covers("GB")


def test_a_hold_of_everywhere_concerns_everybody(start: int) -> None:
    holds.open(scope=HoldScope(), reason="r", by=BY, at=AT)
    assert touched_since(start).covers("GB-SCT")


def test_a_hold_of_another_purpose_concerns_nobody(start: int) -> None:
    holds.open(scope=HoldScope(purposes=["marketing"]), reason="r", by=BY, at=AT)
    assert touched_since(start).jurisdictions == set()


def test_lifting_a_hold_brings_no_rows_back(start: int) -> None:
    hold = holds.open(scope=HoldScope(), reason="r", by=BY, at=AT)
    holds.ask_to_lift(hold=hold, by=BY, at=AT)
    opened = sequenced()
    holds.lift(hold=hold, by=OTHER, at=AT)
    assert touched_since(opened).jurisdictions == set()


def test_newcomers_concern_nobody_but_themselves(start: int) -> None:
    dora = person("dora", "DE")
    touched = touched_since(start)
    assert (touched.subjects, touched.jurisdictions) == (set(), set())
    assert touched.registrations == {dora.registered_in}


def test_an_erasure_concerns_its_person_whatever_the_purpose(start: int, alice: Subject) -> None:
    ledger.append(kind=Kind.ERASURE, by=BY, at=AT, details={}, subject=alice)
    assert touched_since(start, frozenset({"marketing"})).erased == {alice.pk}
