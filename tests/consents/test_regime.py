"""The rulebook in memory: never older than the database, and the same from one change to the next."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from consents import holds, notices, regime, rules
from consents.models import Hold, Notice, RegimeState, Rule
from consents.notices import Draft
from tests.conftest import AT, BY
from tests.consents.test_rules import PROPOSAL

DAY = timedelta(days=1)


def test_what_is_kept_is_what_the_tables_hold(world: None) -> None:
    hold = holds.open(scope=holds.HoldScope(["ai-training"], ["GB"]), reason="r", by=BY, at=AT)
    book = regime.current()
    assert {one.pk: vars_of(one) for one in book.rules} == {one.pk: vars_of(one) for one in Rule.objects.all()}
    assert [vars_of(one) for one in book.holds] == [vars_of(Hold.objects.get(pk=hold.pk))]
    assert {one.pk for one in book.notices} == {one.pk for one in Notice.objects.all()}
    assert book.purposes == {"ai-training", "ai-training/affiliates", "marketing"}
    assert book.recipients == {"linkwell", "northlight"}


def vars_of(row: object) -> dict[str, object]:
    return {name: value for name, value in vars(row).items() if not name.startswith("_")}


def test_asking_again_brings_nothing(world: None, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    book = regime.current()
    with django_assert_num_queries(1):
        assert regime.current() is book
    with django_assert_num_queries(0):
        regime.at_moment(purpose="ai-training", at=AT, book=book)


def test_a_change_brings_it_anew(world: None) -> None:
    before = regime.current()
    rules.enact(proposal=PROPOSAL, by=BY, at=AT)
    after = regime.current()
    assert (before.token != after.token, len(after.rules) - len(before.rules)) == (True, 1)


def test_what_was_rolled_back_is_forgotten(world: None) -> None:
    before = regime.current()
    with transaction.atomic():
        holds.open(scope=holds.HoldScope(), reason="r", by=BY, at=AT)
        assert len(regime.current().holds) == 1
        transaction.set_rollback(True)
    assert (regime.current().holds, regime.current().token) == ((), before.token)


def test_without_a_token_nothing_is_kept(world: None) -> None:
    regime.current()
    RegimeState.objects.all().delete()
    book = regime.current()
    assert (book.token, regime.kept(None)) == (None, None)
    assert regime.current() is not book


@pytest.mark.parametrize("days", range(-1, 8))
def test_between_two_moments_of_change_it_stays(world: None, days: int) -> None:
    """What is remembered for a span of time is what is found at its other moments."""
    notices.publish(draft=Draft("new", {"en": ("N", "n")}, AT, AT + DAY), by=BY, at=AT)
    proposal = replace(PROPOSAL, jurisdiction="US", default="allow", notice="new", notice_days=3)
    rules.enact(proposal=replace(proposal, effective_from=AT + 2 * DAY, effective_to=AT + 6 * DAY), by=BY, at=AT)
    hold = holds.open(scope=holds.HoldScope(), reason="r", by=BY, at=AT + 4 * DAY)
    Hold.objects.filter(pk=hold.pk).update(
        lift_asked_at=AT + 5 * DAY, lift_asked_by=BY, lifted_at=AT + 5 * DAY, lifted_by="staff:other"
    )
    book, at = regime.current(), AT + days * DAY
    found = book.at(purpose="ai-training", at=at)
    for later in (at, at + timedelta(hours=12), at + DAY - timedelta(microseconds=1)):
        again = book.at(purpose="ai-training", at=later)
        assert again.rules is found.rules
        rule = again.rule_for("US", "")
        assert (rule.notice if rule else None) == ("new" if 2 <= days < 6 else "ai-training")
        assert list(again.holds_for("US", "")) == ([hold] if days == 4 else [])
        assert rule is None or again.notice_over(rule) == (days >= 3 or not 2 <= days < 6)
