"""Signals, holds on a span of data, gaps, corrected people, and people asked for by name."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from consents import amendments, decisions, rules, subjects
from consents.evaluation import Decision, Question
from consents.models import Hold, Rule, Subject
from consents.vocabulary import Action
from portal.errors import NotFound
from tests.conftest import AT, BY
from tests.consents.asking import ask, by_name, say, why
from tests.consents.test_rules import PROPOSAL

LATER = AT + timedelta(hours=1)
DAY = timedelta(days=1)


class TestSignals:
    @pytest.fixture
    def heeded(self, world: None) -> None:
        rules.enact(proposal=replace(PROPOSAL, jurisdiction="US", default="allow", gpc_denies=True), by=BY, at=AT)

    def test_a_signal_denies_where_the_rule_gives_it_effect(self, alice: Subject, heeded: None) -> None:
        event = say(alice, Action.SIGNAL_ON, "")
        decision = ask(alice)
        assert why(decision) == (False, "gpc")
        assert decision.choice is not None
        assert decision.choice.event_id == event.pk
        say(alice, Action.SIGNAL_OFF, "", at=LATER)
        assert why(ask(alice, at=LATER)) == (True, "default")
        assert why(ask(alice, at=AT)) == (False, "gpc")

    def test_the_own_yes_comes_before_the_signal(self, alice: Subject, heeded: None) -> None:
        say(alice, Action.SIGNAL_ON, "")
        say(alice, Action.GRANT)
        assert why(ask(alice)) == (True, "own_choice")

    def test_elsewhere_it_is_looked_at_and_has_no_effect(self, alice: Subject) -> None:
        say(alice, Action.SIGNAL_ON, "")
        assert "signal_without_effect" in [one.code for one in ask(alice).reasons]
        assert why(ask(alice)) == (True, "default")


class TestHoldsOnASpanOfData:
    @pytest.fixture
    def hold(self, world: None) -> Hold:
        """On what was made on the day before yesterday."""
        return Hold.objects.create(
            reason="An undertaking.",
            opened_at=AT,
            opened_by=BY,
            data_from=AT - 2 * DAY,
            data_until=AT - DAY,
        )

    def about(self, subject: Subject | None, made: datetime | None, **kwargs: Any) -> Decision:
        question = Question("ai-training", created_at=made)
        return decisions.decide(subject=subject, question=question, at=AT, **kwargs)

    def test_data_made_within_is_paused(self, alice: Subject, hold: Hold) -> None:
        for made in (AT - 2 * DAY, AT - DAY - timedelta(microseconds=1)):
            decision = self.about(alice, made)
            assert (why(decision), decision.hold) == ((False, "hold"), hold)
        assert why(self.about(None, AT - 2 * DAY, jurisdiction="US")) == (False, "hold")

    def test_other_data_is_not(self, alice: Subject, hold: Hold) -> None:
        for made in (AT - 2 * DAY - timedelta(microseconds=1), AT - DAY):
            decision = self.about(alice, made)
            assert (why(decision), decision.spans) == ((True, "default"), ())

    def test_data_of_unknown_age_is_told_what_to_leave_out(self, alice: Subject, hold: Hold) -> None:
        decision = self.about(alice, None)
        assert (decision.allow, decision.spans) == (True, (hold,))
        (told,) = [one for one in decision.reasons if one.code == "hold_on_span"]
        assert "from 2026-02-28T12:00:00+00:00 and before 2026-03-01T12:00:00+00:00" in told.text

    def test_a_span_open_at_one_end_pauses_all_beyond(self, alice: Subject, hold: Hold) -> None:
        Hold.objects.filter(pk=hold.pk).update(data_until=None)
        assert why(self.about(alice, AT)) == (False, "hold")
        Hold.objects.filter(pk=hold.pk).update(data_from=None, data_until=AT)
        assert why(self.about(alice, AT - 900 * DAY)) == (False, "hold")


class TestGaps:
    def test_without_a_rule_nobody_can_tell(self, alice: Subject) -> None:
        decision = ask(None, "nothing", jurisdiction="US")
        assert (why(decision), decision.is_gap) == ((False, "no_rule"), True)

    def test_nor_without_the_rules_notice(self, alice: Subject) -> None:
        proposal = {name: value for name, value in vars(PROPOSAL).items() if name != "purpose"}
        fields = proposal | {"jurisdiction": "US", "default": "allow", "notice": "lost", "recorded_at": AT}
        Rule.objects.create(purpose_id="ai-training", **fields)
        decision = ask(alice)
        assert (why(decision), decision.is_gap) == ((False, "notice_missing"), True)

    def test_a_plain_no_is_no_gap(self, alice: Subject) -> None:
        say(alice, Action.DENY)
        assert not ask(alice).is_gap


class TestOfCorrectedPeople:
    def test_before_the_correction_what_was_counted(self, alice: Subject) -> None:
        amendments.amend(subject=alice, jurisdiction="DE", by=BY, at=AT + DAY)
        amendments.amend(subject=alice, is_minor=True, by=BY, at=AT + 2 * DAY)
        amendments.amend(subject=alice, jurisdiction="US", is_minor=False, by=BY, at=AT + 3 * DAY)
        expected = [(True, "default"), (False, "default"), (False, "minor"), (True, "default")]
        moments = [AT + days * DAY for days in range(4)]
        assert [why(ask(alice, at=at)) for at in moments] == expected
        assert [why(by_name("m_alice", at=at).decision) for at in moments] == expected
        for at, (allow, _) in zip(moments, expected, strict=True):
            ((_, decision),) = decisions.decide_each(subjects=[alice], question=Question("ai-training"), at=at)
            assert decision.allow is allow


class TestByName:
    def test_whoever_is_called_so_is_decided_about(self, alice: Subject) -> None:
        say(alice, Action.DENY)
        named = by_name("m_alice")
        assert (named.subject_id, why(named.decision)) == (alice.pk, (False, "own_choice"))
        assert named.position == 0

    def test_for_the_unknown_the_stated_jurisdictions_rule_answers(self, world: None) -> None:
        assert why(by_name("m_nobody").decision) == (False, "unknown_subject")
        assert why(by_name("m_nobody", jurisdiction="US").decision) == (True, "default")

    def test_no_default_speaks_for_the_erased_or_for_those_of_elsewhere(self, alice: Subject) -> None:
        elsewhere = by_name("m_alice", jurisdiction="GB", within=["GB"])
        assert (elsewhere.subject_id, why(elsewhere.decision)) == (None, (False, "unknown_subject"))
        assert by_name("m_alice", within=["GB", "US"]).subject_id == alice.pk
        subjects.forget(subject=alice, by=BY, at=AT)
        assert why(by_name("m_alice", jurisdiction="US").decision) == (False, "unknown_subject")

    @pytest.mark.parametrize(
        ("question", "code"),
        [(Question("nothing"), "unknown_purpose"), (Question("ai-training", "nobody"), "unknown_recipient")],
    )
    def test_a_question_about_nothing_is_refused(self, alice: Subject, question: Question, code: str) -> None:
        with pytest.raises(NotFound) as refused:
            decisions.decide_named(name=subjects.name("account", "m_alice"), question=question, at=AT)
        assert refused.value.code == code
