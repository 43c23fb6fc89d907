"""Many names at once: who is allowed, what has just changed, and what is nobody's name."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from consents import amendments, bulk_decisions, decisions, holds, rules, subjects
from consents.bulk_decisions import keeping
from consents.evaluation import Question
from consents.models import Subject
from consents.vocabulary import Action
from tests.conftest import AT, BY, person, sequenced
from tests.consents.asking import say
from tests.consents.test_rules import PROPOSAL

# committed for real: a snapshot is kept only of what has a place in the log
pytestmark = pytest.mark.django_db(transaction=True)

LATER = AT + timedelta(hours=1)
DAY = timedelta(days=1)
MARKETING = Question("marketing")


def allowed(
    *names: str | None, question: Question | None = None, now: datetime = LATER, scheme: str = "account", **asked: Any
) -> list[bool]:
    question = question or Question("ai-training")
    (answer,) = bulk_decisions.decide_many([list(names)], scheme=scheme, question=question, now=now, **asked)
    return answer.allow.to_pylist()  # type: ignore[return-value]


def test_each_name_is_answered_in_its_place(alice: Subject, grace: Subject) -> None:
    say(grace, Action.DENY)
    person("dora", "DE")
    sequenced()
    assert allowed("m_grace", "m_alice", "m_nobody", "m_dora", "m_alice") == [False, True, False, False, True]


def test_what_is_no_name_is_denied(alice: Subject) -> None:
    sequenced()
    assert allowed(None, "", "\0", "m_alice\n", " m_alice\t", "m alice", "x" * 1000) == [
        False,
        False,
        False,
        True,
        True,
        False,
        False,
    ]


def test_a_choice_made_a_moment_ago_is_in_the_next_answer(alice: Subject, grace: Subject) -> None:
    position = sequenced()
    assert allowed("m_alice", "m_grace") == [True, True]
    say(alice, Action.DENY)
    (answer,) = bulk_decisions.decide_many(
        [["m_alice", "m_grace"]], scheme="account", question=Question("ai-training"), now=LATER
    )
    assert (answer.position, answer.allow.to_pylist()) == (position, [False, True])
    assert sequenced() == position + 1
    say(alice, Action.GRANT, at=LATER)
    (answer,) = bulk_decisions.decide_many([["m_alice"]], scheme="account", question=Question("ai-training"), now=LATER)
    assert (answer.position, answer.allow.to_pylist()) == (position + 1, [True])


def test_who_joins_is_linked_moves_or_is_forgotten_is_in_the_next_answer(alice: Subject, grace: Subject) -> None:
    sequenced()
    assert allowed("m_alice", "m_grace", "m_new", "also_grace") == [True, True, False, False]
    person("new")
    amendments.link(subject=grace, names=[subjects.name("account", "also_grace")], by=BY, at=AT)
    amendments.amend(subject=alice, jurisdiction="DE", by=BY, at=AT)
    assert allowed("m_alice", "m_grace", "m_new", "also_grace") == [False, True, True, True]
    subjects.forget(subject=grace, by=BY, at=AT)
    assert allowed("m_alice", "m_grace", "m_new", "also_grace") == [False, False, True, False]


def test_a_hold_counts_from_its_opening_and_ends_with_it(alice: Subject, grace: Subject) -> None:
    sequenced()
    assert allowed("m_alice", "m_grace") == [True, True]
    hold = holds.open(scope=holds.HoldScope(jurisdictions=["GB"]), reason="r", by=BY, at=AT)
    assert allowed("m_alice", "m_grace") == [True, False]
    holds.ask_to_lift(hold=hold, by=BY, at=AT)
    assert allowed("m_alice", "m_grace") == [True, False]


def test_a_yes_lapses_while_nothing_is_written(alice: Subject, grace: Subject) -> None:
    say(alice, Action.GRANT, "marketing")
    say(grace, Action.GRANT, "marketing", at=AT + DAY)
    sequenced()
    lapse = AT + 365 * DAY
    for now, expected in [
        (lapse - timedelta(seconds=1), [True, True]),
        (lapse, [False, True]),
        (lapse + DAY, [False, False]),
        (lapse, [False, True]),
    ]:
        assert allowed("m_alice", "m_grace", question=MARKETING, now=now) == expected
    say(alice, Action.GRANT, "marketing", at=lapse)
    assert allowed("m_alice", question=MARKETING, now=lapse) == [True]
    assert allowed("m_alice", question=MARKETING, now=lapse + 365 * DAY) == [False]


def test_behind_a_yes_that_lapsed_what_was_said_more_widely_counts(alice: Subject, grace: Subject) -> None:
    question = Question("marketing", recipient="northlight")
    for one in (alice, grace):
        say(one, Action.GRANT, "marketing", recipient="northlight")
    say(alice, Action.GRANT, "marketing", at=AT + DAY)
    say(grace, Action.DENY, "marketing", at=AT + DAY)
    sequenced()
    year = 365 * DAY
    second = timedelta(seconds=1)
    for now, expected in [
        (AT + year - second, [True, True]),
        (AT + year, [True, False]),
        (AT + DAY + year - second, [True, False]),
        (AT + DAY + year, [False, False]),
    ]:
        assert allowed("m_alice", "m_grace", question=question, now=now) == expected
        keeping.let_go()
        assert allowed("m_alice", "m_grace", question=question, now=now) == expected


def test_a_rule_takes_effect_at_its_moment(alice: Subject) -> None:
    proposal = replace(PROPOSAL, jurisdiction="US", effective_from=LATER)
    rules.enact(proposal=proposal, by=BY, at=AT)
    sequenced()
    assert allowed("m_alice", now=LATER - timedelta(seconds=1)) == [True]
    assert allowed("m_alice", now=LATER) == [False]


def test_the_past_is_answered_as_it_was(alice: Subject) -> None:
    say(alice, Action.DENY, at=AT + DAY)
    sequenced()
    assert allowed("m_alice", now=AT + 2 * DAY, at=AT) == [True]
    assert allowed("m_alice", now=AT + 2 * DAY, at=AT + DAY) == [False]


def test_a_later_rule_does_not_answer_for_an_earlier_moment(alice: Subject) -> None:
    sequenced()
    rules.enact(proposal=replace(PROPOSAL, jurisdiction="US", effective_from=LATER + DAY), by=BY, at=AT)
    say(alice, Action.GRANT, "marketing")
    assert allowed("m_alice", now=LATER) == [True]
    say(alice, Action.DENY, "marketing", at=LATER)
    # the snapshot is brought forward a day later, by when the rule says no, and asked about the day before
    assert allowed("m_alice", now=LATER + 2 * DAY, at=LATER) == [True]
    assert allowed("m_alice", now=LATER + 2 * DAY) == [False]


def test_the_past_of_people_is_for_whoever_may_see_them_now(alice: Subject) -> None:
    amendments.amend(subject=alice, jurisdiction="GB", by=BY, at=LATER)
    name, question = subjects.name("account", "m_alice"), Question("ai-training")
    for within, is_seen in ([["US"], False], [["GB"], True]):
        singly = decisions.decide_named(name=name, question=question, at=AT, within=within)
        assert (singly.subject_id is not None, singly.decision.allow) == (is_seen, is_seen)
        assert allowed("m_alice", now=LATER, at=AT, within=within) == [is_seen]


def test_a_clock_behind_the_log_answers_as_of_the_log(alice: Subject) -> None:
    say(alice, Action.DENY, at=AT + DAY)
    sequenced()
    asking = bulk_decisions.begin(scheme="account", question=Question("ai-training"), now=AT)
    assert (asking.at, asking.answer(["m_alice"]).to_pylist()) == (AT + DAY, [False])


def test_addresses_are_answered_too(alice: Subject) -> None:
    sequenced()
    assert allowed("Alice@Example.org", "x@example.org", "x", None, scheme="email") == [True, False, False, False]


def test_what_is_no_text_is_refused(world: None) -> None:
    asking = bulk_decisions.begin(scheme="account", question=Question("ai-training"), now=AT)
    for names in ([1], pa.array([1]), ["m_alice", object()]):
        with pytest.raises(bulk_decisions.BulkError):
            asking.answer(names)  # type: ignore[arg-type]


def test_many_at_once_are_answered_in_order(alice: Subject) -> None:
    sequenced()
    names = [f"x{number}" for number in range(200_000)]
    names[65_535] = names[65_536] = names[199_999] = "m_alice"
    asking = bulk_decisions.begin(scheme="account", question=Question("ai-training"), now=AT)
    answers = asking.answer(pa.array(names)).to_pylist()
    assert [number for number, allow in enumerate(answers) if allow] == [65_535, 65_536, 199_999]
    assert decisions.decide_named(
        name=subjects.name("account", "m_alice"), question=Question("ai-training"), at=AT
    ).decision.allow
