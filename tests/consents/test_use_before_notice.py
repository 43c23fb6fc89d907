"""Use before the notice and its days is denied by the decision itself, now and as of any past moment."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from consents import decisions, notices, rules
from consents.evaluation import Question
from consents.models import Subject
from consents.notices import Draft
from consents.vocabulary import Action
from tests.conftest import AT, BY, person
from tests.consents.asking import ask, say, why
from tests.consents.test_rules import PROPOSAL

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
DENIED, ALLOWED = (False, "notice_not_over"), (True, "default")
UNTOLD = (False, "notice_missing")


def publish(
    published_at: datetime, *, effective_at: datetime | None = None, at: datetime | None = None, **more: Any
) -> None:
    texts = more.pop("texts", {"en": ("N", "n")})
    draft = Draft("new", texts, published_at, effective_at or published_at, **more)
    notices.publish(draft=draft, by=BY, at=at or published_at)


def rule(days: int = 30, *, at: datetime = AT, **more: Any) -> None:
    proposal = replace(PROPOSAL, jurisdiction="US", default="allow", notice="new", notice_days=days, **more)
    rules.enact(proposal=replace(proposal, effective_from=at), by=BY, at=at)


def answer(at: datetime) -> tuple[bool, str]:
    """The same for somebody known and for a stranger of the same place."""
    somebody = Subject.objects.first() or person("known", at=AT - 90 * DAY)
    known = why(ask(somebody, at=at))
    assert known == why(ask(None, jurisdiction="US", at=at))
    return known


@pytest.fixture(autouse=True)
def in_a_world(world: None) -> None:
    """The tests' rules and purposes."""


def test_the_last_second_is_denied_and_the_first_after_it_allowed() -> None:
    publish(AT)
    rule(30)
    end = AT + 30 * DAY
    assert [answer(end - SECOND), answer(end), answer(end + SECOND)] == [DENIED, ALLOWED, ALLOWED]


def test_without_days_it_is_allowed_with_the_notice() -> None:
    publish(AT)
    rule(0)
    assert answer(AT) == ALLOWED


@pytest.mark.parametrize(("wait", "first"), [(10, 30), (30, 30), (45, 45)])
def test_an_effect_later_than_the_publication_waits_for_both(wait: int, first: int) -> None:
    publish(AT, effective_at=AT + wait * DAY)
    rule(30)
    assert answer(AT + first * DAY - SECOND) == DENIED
    assert answer(AT + first * DAY) == ALLOWED


def test_a_publication_arranged_for_later_does_not_count_before_it() -> None:
    publish(AT + 5 * DAY, at=AT)
    rule(0)
    assert answer(AT + 5 * DAY - SECOND) == UNTOLD
    assert answer(AT + 5 * DAY) == ALLOWED


def test_a_notice_that_was_recorded_late_changes_no_answer_of_before() -> None:
    publish(AT + 60 * DAY, at=AT)
    rule(30)
    assert answer(AT + DAY) == UNTOLD
    publish(AT - 90 * DAY, at=AT + 2 * DAY)
    assert [answer(AT + DAY), answer(AT + 2 * DAY)] == [UNTOLD, ALLOWED]


def test_better_words_take_nothing_from_what_was_told_by_an_earlier_version() -> None:
    publish(AT - 40 * DAY)
    publish(AT, is_material=False)
    rule(30)
    assert answer(AT) == ALLOWED


def test_a_change_in_substance_has_to_be_told_for_as_long_again() -> None:
    publish(AT - 40 * DAY)
    publish(AT)
    rule(30)
    assert [answer(AT), answer(AT + 30 * DAY)] == [DENIED, ALLOWED]


def test_a_change_that_was_told_of_before_it_takes_effect_interrupts_nothing() -> None:
    publish(AT - 40 * DAY)
    publish(AT, effective_at=AT + 30 * DAY)
    rule(30)
    assert {answer(AT + days * DAY) for days in (0, 29, 30, 31)} == {ALLOWED}


def test_several_young_versions_do_not_add_up() -> None:
    publish(AT)
    for number in (1, 2):
        publish(AT + number * 10 * DAY, is_material=False)
    rule(30)
    assert answer(AT + 29 * DAY) == DENIED
    assert answer(AT + 30 * DAY) == ALLOWED


def test_a_notice_in_any_language_has_told_people() -> None:
    publish(AT, texts={"de": ("N", "n"), "fr": ("N", "n")})
    rule(0)
    assert answer(AT) == ALLOWED


def test_a_rule_whose_notice_was_never_published_denies() -> None:
    publish(AT + 400 * DAY, at=AT)
    rule(0)
    assert answer(AT + 399 * DAY) == UNTOLD


def test_another_notices_publication_does_not_help() -> None:
    publish(AT)
    rule(30)
    notices.publish(draft=Draft("other", {"en": ("N", "n")}, AT - 90 * DAY, AT - 90 * DAY), by=BY, at=AT)
    assert answer(AT + DAY) == DENIED


def test_a_next_rule_that_rests_on_a_new_notice_denies_until_that_is_over() -> None:
    publish(AT)
    rule(0)
    notices.publish(draft=Draft("newer", {"en": ("N", "n")}, AT + DAY, AT + DAY), by=BY, at=AT + DAY)
    newer = replace(PROPOSAL, jurisdiction="US", default="allow", notice="newer", notice_days=7)
    rules.enact(proposal=replace(newer, effective_from=AT + DAY), by=BY, at=AT + DAY)
    assert [answer(AT), answer(AT + DAY), answer(AT + 8 * DAY)] == [ALLOWED, DENIED, ALLOWED]


def test_a_yes_of_their_own_needs_no_notice_days(alice: Subject) -> None:
    publish(AT)
    rule(30)
    say(alice, Action.GRANT, at=AT + DAY)
    assert why(ask(alice, at=AT + DAY)) == (True, "own_choice")
    assert why(ask(alice, at=AT)) == DENIED


def test_many_at_once_get_the_same_answers() -> None:
    people = [person(name, at=AT - DAY) for name in ("alice", "bert")]
    publish(AT)
    rule(30)
    for at in (AT + 30 * DAY - SECOND, AT + 30 * DAY):
        many = decisions.decide_each(subjects=people, question=Question("ai-training"), at=at)
        assert [why(one) for _, one in many] == [why(ask(one, at=at)) for one in people]
