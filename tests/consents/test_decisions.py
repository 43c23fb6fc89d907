"""Each step of a decision, its reason, and what stood at a past moment."""

from dataclasses import replace
from datetime import timedelta

import pytest

from consents import decisions, holds, notices, rules, subjects
from consents.evaluation import Question
from consents.models import Subject
from consents.notices import Draft
from consents.vocabulary import Action
from tests.conftest import AT, BY, OTHER, person
from tests.consents.asking import ask, say, why
from tests.consents.test_rules import PROPOSAL

LATER = AT + timedelta(hours=1)
DAY = timedelta(days=1)


def codes(subject: Subject, **kwargs: str) -> list[tuple[str, str]]:
    return [(one.code, one.effect) for one in ask(subject, **kwargs).reasons]  # type: ignore[arg-type]


def test_the_default_answers_for_who_has_not_chosen(alice: Subject) -> None:
    assert codes(alice) == [
        ("known", "passed"),
        ("no_hold", "passed"),
        ("no_restriction", "passed"),
        ("no_minor", "passed"),
        ("no_choice", "passed"),
        ("no_signal", "passed"),
        ("notice_over", "passed"),
        ("default", "allow"),
    ]
    assert why(ask(person("dora", "DE"))) == (False, "default")


def test_the_own_choice_comes_before_the_default(alice: Subject) -> None:
    event = say(alice, Action.DENY)
    decision = ask(alice)
    assert why(decision) == (False, "own_choice")
    assert decision.choice is not None
    assert decision.choice.event_id == event.pk
    dora = person("dora", "DE")
    say(dora, Action.GRANT)
    assert why(ask(dora)) == (True, "own_choice")


@pytest.mark.parametrize("action", [Action.DENY, Action.WITHDRAW, Action.OBJECT])
def test_every_kind_of_no_denies(alice: Subject, action: Action) -> None:
    say(alice, action)
    assert why(ask(alice)) == (False, "own_choice")


def test_an_erased_person_is_denied_from_then_on(alice: Subject) -> None:
    subjects.forget(subject=alice, by=BY, at=LATER)
    alice.refresh_from_db()
    assert why(ask(alice, at=LATER)) == (False, "erased")
    assert ask(alice, at=AT).allow


def test_nobody_knows_whom_nobody_registered(world: None) -> None:
    assert why(ask(None)) == (False, "unknown_subject")


def test_for_the_unknown_the_stated_jurisdictions_rule_answers(world: None) -> None:
    assert why(ask(None, jurisdiction="US")) == (True, "default")
    assert why(ask(None, jurisdiction="DE")) == (False, "default")
    holds.open(scope=holds.HoldScope(jurisdictions=["US"]), reason="r", by=BY, at=AT)
    assert why(ask(None, jurisdiction="US-CA")) == (False, "hold")


def test_before_they_were_registered_a_person_was_unknown(alice: Subject) -> None:
    before = AT - timedelta(seconds=1)
    assert why(ask(alice, at=before)) == (False, "unknown_subject")
    assert why(ask(alice, at=before, jurisdiction="US")) == (True, "default")
    (_, decision), *_ = decisions.decide_each(subjects=[alice], question=Question("ai-training"), at=before)
    assert why(decision) == (False, "unknown_subject")


def test_a_restriction_comes_before_a_yes(alice: Subject) -> None:
    say(alice, Action.GRANT, at=LATER)
    say(alice, Action.RESTRICT)
    assert why(ask(alice, at=LATER)) == (False, "restricted")
    say(alice, Action.UNRESTRICT, at=LATER)
    assert why(ask(alice, at=LATER)) == (True, "own_choice")


@pytest.mark.parametrize("purpose", ["", "ai-training", "ai-training/affiliates"])
def test_a_restriction_of_the_whole_restricts_its_parts(alice: Subject, purpose: str) -> None:
    say(alice, Action.RESTRICT, purpose)
    assert why(ask(alice, "ai-training/affiliates")) == (False, "restricted")


def test_a_restriction_of_a_part_leaves_the_whole(alice: Subject) -> None:
    say(alice, Action.RESTRICT, "ai-training/affiliates")
    assert ask(alice).allow


def test_lifting_a_narrow_restriction_lifts_no_wider_one(alice: Subject) -> None:
    say(alice, Action.RESTRICT, recipient="linkwell")
    say(alice, Action.UNRESTRICT, recipient="linkwell", at=LATER)
    say(alice, Action.RESTRICT, "", at=LATER)
    assert why(ask(alice, recipient="linkwell", at=LATER)) == (False, "restricted")


def test_minors_are_denied_unless_the_rule_admits_them(world: None) -> None:
    kim = person("kim", is_minor=True)
    say(kim, Action.GRANT)
    assert why(ask(kim)) == (False, "minor")
    admitting = replace(PROPOSAL, jurisdiction="US", default="allow", admits_minors=True)
    rules.enact(proposal=admitting, by=BY, at=AT)
    assert why(ask(kim)) == (True, "own_choice")


class TestScopes:
    def test_a_choice_for_one_recipient_comes_before_that_for_all(self, alice: Subject) -> None:
        say(alice, Action.GRANT)
        say(alice, Action.DENY, recipient="northlight")
        assert not ask(alice, recipient="northlight").allow
        assert ask(alice, recipient="linkwell").allow

    def test_a_choice_for_one_category_comes_before_that_for_all(self, alice: Subject) -> None:
        say(alice, Action.DENY)
        say(alice, Action.GRANT, category="posts")
        assert ask(alice, category="posts").allow
        assert not ask(alice, category="profile").allow

    def test_recipient_and_category_together_come_first_and_the_recipient_before_the_category(
        self, alice: Subject
    ) -> None:
        say(alice, Action.DENY, category="posts")
        say(alice, Action.GRANT, recipient="linkwell")
        assert ask(alice, recipient="linkwell", category="posts").allow
        say(alice, Action.DENY, recipient="linkwell", category="posts")
        assert not ask(alice, recipient="linkwell", category="posts").allow

    def test_a_no_to_the_whole_is_a_no_to_its_parts(self, alice: Subject) -> None:
        say(alice, Action.DENY)
        say(alice, Action.GRANT, "ai-training/affiliates")
        assert why(ask(alice, "ai-training/affiliates")) == (False, "wider_choice")

    def test_a_yes_to_the_whole_says_nothing_of_its_parts(self, alice: Subject) -> None:
        say(alice, Action.GRANT)
        say(alice, Action.DENY, "ai-training/affiliates")
        assert why(ask(alice, "ai-training/affiliates")) == (False, "own_choice")
        assert ask(alice).allow


class TestRulesAndNotices:
    def test_without_a_rule_the_answer_is_no(self, alice: Subject) -> None:
        assert why(ask(alice, at=AT.replace(year=2025))) == (False, "unknown_subject")
        assert why(ask(None, "nothing", jurisdiction="US")) == (False, "no_rule")

    def test_the_nearest_jurisdictions_rule_answers(self, world: None) -> None:
        rules.enact(proposal=replace(PROPOSAL, jurisdiction="US-CA"), by=BY, at=AT)
        assert not ask(None, jurisdiction="US-CA").allow
        assert ask(None, jurisdiction="US").allow

    def test_the_recipients_own_rule_comes_before_the_general(self, world: None) -> None:
        rules.enact(proposal=replace(PROPOSAL, jurisdiction="US", default="allow"), by=BY, at=AT)
        rules.enact(proposal=replace(PROPOSAL, jurisdiction="US", recipient="northlight"), by=BY, at=AT)
        assert not ask(None, jurisdiction="US", recipient="northlight").allow
        assert ask(None, jurisdiction="US", recipient="linkwell").allow

    def test_a_rule_that_has_ended_gives_way_to_the_wider_one(self, world: None) -> None:
        rules.enact(proposal=replace(PROPOSAL, jurisdiction="US", effective_to=LATER), by=BY, at=AT)
        assert not ask(None, jurisdiction="US").allow
        assert ask(None, jurisdiction="US", at=LATER).allow

    def test_a_rule_counts_from_its_date_and_from_when_it_was_recorded(self, world: None) -> None:
        backdated = replace(PROPOSAL, jurisdiction="US", effective_from=AT - 30 * DAY)
        rules.enact(proposal=backdated, by=BY, at=AT)
        assert ask(None, jurisdiction="US", at=AT - DAY).allow
        assert not ask(None, jurisdiction="US", at=AT).allow

    def test_the_notices_days_must_be_over(self, world: None) -> None:
        notices.publish(draft=Draft("new", {"en": ("N", "n")}, AT, AT), by=BY, at=AT)
        proposal = replace(PROPOSAL, jurisdiction="US", default="allow", notice="new", notice_days=30)
        rules.enact(proposal=proposal, by=BY, at=AT)
        assert why(ask(None, jurisdiction="US", at=AT + 30 * DAY - timedelta(seconds=1))) == (False, "notice_not_over")
        assert why(ask(None, jurisdiction="US", at=AT + 30 * DAY)) == (True, "default")

    def test_a_notice_that_takes_effect_later_does_not_count_yet(self, world: None) -> None:
        notices.publish(draft=Draft("new", {"en": ("N", "n")}, AT, AT + DAY), by=BY, at=AT)
        rules.enact(proposal=replace(PROPOSAL, jurisdiction="US", default="allow", notice="new"), by=BY, at=AT)
        assert why(ask(None, jurisdiction="US", at=AT)) == (False, "notice_not_over")
        assert ask(None, jurisdiction="US", at=AT + DAY).allow


class TestConsent:
    def test_a_yes_counts_until_it_is_too_old(self, alice: Subject) -> None:
        say(alice, Action.GRANT, "marketing")
        assert why(ask(alice, "marketing", at=AT + 365 * DAY - timedelta(seconds=1))) == (True, "own_choice")
        old = ask(alice, "marketing", at=AT + 365 * DAY)
        assert why(old) == (False, "default")
        assert ("stale_consent", "passed") in [(one.code, one.effect) for one in old.reasons]

    @pytest.mark.parametrize(("material", "counts"), [(True, False), (False, True)])
    def test_a_yes_given_before_the_notice_changed_in_substance_no_longer_counts(
        self, alice: Subject, material: bool, counts: bool
    ) -> None:
        notices.publish(draft=Draft("offers", {"en": ("N", "n")}, AT, AT), by=BY, at=AT)
        consent = replace(PROPOSAL, jurisdiction="US", purpose="marketing", legal_basis="consent", notice="offers")
        rules.enact(proposal=consent, by=BY, at=AT)
        say(alice, Action.GRANT, "marketing")
        notices.publish(
            draft=Draft("offers", {"en": ("N", "other")}, LATER, LATER, is_material=material), by=BY, at=LATER
        )
        assert ask(alice, "marketing", at=LATER).allow is counts
        assert ask(alice, "marketing", at=LATER - timedelta(seconds=1)).allow

    def test_a_yes_that_is_too_old_hides_nothing_that_was_said_more_widely(self, alice: Subject) -> None:
        say(alice, Action.GRANT, "marketing", recipient="northlight")
        say(alice, Action.GRANT, "marketing", at=AT + DAY)
        later = AT + 365 * DAY
        wider = ask(alice, "marketing", recipient="northlight", at=later)
        assert why(wider) == (True, "own_choice")
        assert wider.choice is not None
        assert wider.choice.recipient == ""
        assert ("stale_consent", "passed") in [(one.code, one.effect) for one in wider.reasons]
        say(alice, Action.DENY, "marketing", at=AT + 2 * DAY)
        assert why(ask(alice, "marketing", recipient="northlight", at=later)) == (False, "own_choice")
        # while it counts, the nearest answers
        assert ask(alice, "marketing", recipient="northlight", at=later - timedelta(seconds=1)).allow

    def test_a_no_is_never_passed_over_for_a_wider_yes(self, alice: Subject) -> None:
        say(alice, Action.DENY, "marketing", recipient="northlight")
        say(alice, Action.GRANT, "marketing", at=AT + DAY)
        assert why(ask(alice, "marketing", recipient="northlight", at=AT + DAY)) == (False, "own_choice")

    def test_a_no_never_grows_old(self, alice: Subject) -> None:
        say(alice, Action.DENY, "marketing")
        assert why(ask(alice, "marketing", at=AT + 4000 * DAY)) == (False, "own_choice")


class TestOfThePast:
    def test_before_a_hold_it_was_allowed(self, alice: Subject) -> None:
        hold = holds.open(scope=holds.HoldScope(), reason="r", by=BY, at=AT + DAY)
        holds.ask_to_lift(hold=hold, by=BY, at=AT + 2 * DAY)
        holds.lift(hold=hold, by=OTHER, at=AT + 3 * DAY)
        assert [ask(alice, at=AT + days * DAY).allow for days in range(4)] == [True, False, False, True]

    def test_before_a_choice_the_one_before_it_counted(self, alice: Subject) -> None:
        say(alice, Action.DENY, at=AT + DAY)
        say(alice, Action.GRANT, at=AT + 2 * DAY)
        say(alice, Action.OBJECT, at=AT + 3 * DAY)
        assert [ask(alice, at=AT + days * DAY).allow for days in range(4)] == [True, False, True, False]
        assert why(ask(alice)) == (True, "default")

    def test_what_came_late_counts_from_when_we_knew_it(self, alice: Subject) -> None:
        say(alice, Action.DENY, at=AT + 2 * DAY, occurred_at=AT)
        assert ask(alice, at=AT + DAY).allow
        assert not ask(alice, at=AT + 2 * DAY).allow

    def test_what_came_late_and_was_older_does_not_count_looking_back_either(self, alice: Subject) -> None:
        say(alice, Action.DENY, at=AT)
        say(alice, Action.GRANT, at=AT + DAY, occurred_at=AT - DAY)
        assert not ask(alice, at=AT + DAY).allow
        say(alice, Action.OBJECT, at=AT + 2 * DAY)
        assert not ask(alice, at=AT + DAY).allow

    def test_of_two_at_the_same_moment_the_more_protective_counts_looking_back_too(self, alice: Subject) -> None:
        say(alice, Action.DENY, at=AT)
        say(alice, Action.GRANT, at=AT + DAY, occurred_at=AT)
        say(alice, Action.OBJECT, at=AT + 2 * DAY)
        assert not ask(alice, at=AT + DAY).allow

    def test_a_restriction_since_lifted_still_stood_then(self, alice: Subject) -> None:
        say(alice, Action.RESTRICT, at=AT + DAY)
        say(alice, Action.UNRESTRICT, at=AT + 2 * DAY)
        assert [ask(alice, at=AT + days * DAY).allow for days in range(3)] == [True, False, True]
