"""How many statements a decision costs: two at most, whatever is asked."""

from dataclasses import replace
from datetime import timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from consents import amendments, decisions, holds, notices, rules, subjects
from consents.evaluation import Question
from consents.models import Subject
from consents.notices import Draft
from consents.vocabulary import Action
from tests.conftest import AT, BY, person
from tests.consents.asking import ask, by_name, say, why
from tests.consents.test_rules import PROPOSAL

LATER = AT + timedelta(hours=1)
DAY = timedelta(days=1)


@pytest.fixture
def busy(alice: Subject) -> Subject:
    for number in range(5):
        at = AT + timedelta(minutes=number)
        holds.open(scope=holds.HoldScope(jurisdictions=["FR"]), reason="r", by=BY, at=at)
        rules.enact(proposal=replace(PROPOSAL, effective_from=at), by=BY, at=at)
        notices.publish(draft=Draft("ai-training", {"en": ("N", "n")}, at, at), by=BY, at=at)
        say(alice, Action.GRANT, recipient=["", "linkwell", "northlight"][number % 3], at=at)
    return alice


def test_a_decision_costs_one_statement_while_the_rulebook_is_known(
    alice: Subject, busy: Subject, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    ask(busy, at=LATER)
    with django_assert_num_queries(1):
        ask(busy, at=LATER)


def test_a_changed_rulebook_costs_one_more(busy: Subject, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    ask(busy, at=LATER)
    holds.open(scope=holds.HoldScope(), reason="r", by=BY, at=LATER)
    with django_assert_num_queries(2):
        assert why(ask(busy, at=LATER)) == (False, "hold")


def test_one_of_the_past_costs_one_more(busy: Subject, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    ask(busy, at=LATER)
    with django_assert_num_queries(2):
        ask(busy, at=AT + timedelta(minutes=2))


def test_the_past_under_a_changed_rulebook_costs_no_more(
    busy: Subject, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    amendments.amend(subject=busy, jurisdiction="DE", by=BY, at=LATER)
    holds.open(scope=holds.HoldScope(), reason="r", by=BY, at=LATER)
    with django_assert_num_queries(2):
        ask(busy, at=AT + timedelta(minutes=2))


def test_by_name_it_costs_the_same(busy: Subject, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    holds.open(scope=holds.HoldScope(jurisdictions=["FR"]), reason="r", by=BY, at=LATER)
    with django_assert_num_queries(2):
        assert by_name("m_alice", at=LATER).subject_id == busy.pk
    with django_assert_num_queries(1):
        assert by_name("m_alice", at=LATER).subject_id == busy.pk
    with django_assert_num_queries(2):
        assert by_name("m_alice", at=AT + timedelta(minutes=2)).subject_id == busy.pk
    with django_assert_num_queries(1):
        assert by_name("m_nobody").subject_id is None
    subjects.forget(subject=busy, by=BY, at=LATER)
    with django_assert_num_queries(1):
        assert by_name("m_alice", at=LATER).subject_id is None


def test_many_cost_no_more_than_one(busy: Subject, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    people = [busy, *(person(f"p{number}") for number in range(20))]
    # the rulebook's token, and what they said
    with django_assert_num_queries(2):
        answers = list(decisions.decide_each(subjects=people, question=Question("ai-training"), at=LATER))
    assert [subject for subject, _ in answers] == people
    with django_assert_num_queries(3):
        list(decisions.decide_each(subjects=people, question=Question("ai-training"), at=AT))


def test_several_questions_cost_no_more_than_one(
    busy: Subject, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    questions = [Question("ai-training"), Question("ai-training/affiliates"), Question("marketing")]
    ask(busy, at=LATER)
    with django_assert_num_queries(1):
        answers = decisions.decide_all(subject=busy, questions=questions, at=LATER)
    one_by_one = [decisions.decide(subject=busy, question=one, at=LATER) for one in questions]
    assert [one.decision for one in answers] == one_by_one


def test_nobody_costs_no_more_than_the_token(world: None, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        assert list(decisions.decide_each(subjects=[], question=Question("ai-training"), at=AT)) == []
