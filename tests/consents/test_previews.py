"""Previews say before what deciding for everybody says after."""

from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consents import decisions, holds, ledger, notices, previews, rules, subjects
from consents.evaluation import Question
from consents.holds import HoldScope
from consents.models import LedgerEvent, Rule, Subject
from consents.rules import Proposal
from consents.vocabulary import Action, Source
from portal.errors import DomainError
from tests.conftest import AT, BY, person
from tests.consents.asking import say

LATER = AT + timedelta(days=10)
PROPOSAL = Proposal(
    jurisdiction="*",
    purpose="ai-training",
    legal_basis="legitimate_interest",
    default="deny",
    explanation="Off.",
    source="test",
    effective_from=AT,
)


def changes(preview: Any) -> dict[str, tuple[int, int, int]]:
    return {one.country: (one.people, one.to_deny, one.to_allow) for one in preview.changes}


@pytest.fixture
def people(world: None) -> dict[str, Subject]:
    """Four in the US (one said no, one yes, one is a minor), one in California, two in Britain, one in France."""
    codes = {"us1": "US", "us2": "US", "us3": "US", "ca": "US-CA", "gb1": "GB", "gb2": "GB", "fr": "FR"}
    everyone = {name: person(name, code) for name, code in codes.items()}
    everyone["minor"] = person("minor", "US", is_minor=True)
    say(everyone["us2"], Action.DENY)
    say(everyone["us3"], Action.GRANT)
    say(everyone["gb2"], Action.RESTRICT)
    return everyone


@pytest.mark.usefixtures("people")
def test_a_new_default_changes_those_who_said_nothing_by_country() -> None:
    seen = previews.preview(PROPOSAL, at=AT)
    assert changes(seen) == {"FR": (1, 0, 0), "GB": (2, 1, 0), "US": (5, 2, 0)}
    assert (seen.people, seen.to_deny, seen.to_allow) == (8, 3, 0)


@pytest.mark.usefixtures("people")
def test_only_people_where_the_rule_is_are_counted() -> None:
    assert changes(previews.preview(replace(PROPOSAL, jurisdiction="US-CA"), at=AT)) == {"US": (1, 1, 0)}
    opened = replace(PROPOSAL, jurisdiction="EU", default="allow")
    assert changes(previews.preview(opened, at=AT)) == {"FR": (1, 0, 1)}


@pytest.mark.usefixtures("people")
def test_a_preview_writes_nothing() -> None:
    before = (Rule.objects.count(), LedgerEvent.objects.count())
    previews.preview(PROPOSAL, at=AT)
    previews.preview_hold(HoldScope(), at=AT)
    assert (Rule.objects.count(), LedgerEvent.objects.count()) == before


@pytest.mark.usefixtures("people")
def test_it_is_counted_for_the_day_on_which_the_rule_takes_effect() -> None:
    first = replace(PROPOSAL, jurisdiction="GB", effective_from=LATER)
    rules.enact(proposal=first, by=BY, at=AT)
    again = replace(first, effective_from=LATER + timedelta(days=1))
    assert previews.preview(again, at=AT).moment == again.effective_from
    assert previews.preview(again, at=AT).to_deny == 0
    assert previews.preview(replace(first, effective_from=AT), at=AT).to_deny == 1


@pytest.mark.usefixtures("people")
def test_a_rule_that_is_overtaken_already_changes_nothing() -> None:
    rules.enact(proposal=replace(PROPOSAL, jurisdiction="GB", default="allow"), by=BY, at=AT)
    late = replace(PROPOSAL, jurisdiction="GB", effective_from=AT - timedelta(days=1))
    assert previews.preview(late, at=AT).to_deny == 0


@pytest.mark.usefixtures("people")
def test_an_allowing_rule_waits_for_the_days_of_its_notice() -> None:
    wait = (AT - datetime(2025, 6, 1, tzinfo=AT.tzinfo)).days + 5
    opened = replace(PROPOSAL, jurisdiction="FR", default="allow", notice="ai-training", notice_days=wait)
    seen = previews.preview(opened, at=AT)
    assert (seen.to_allow, seen.waits_until) == (0, datetime(2025, 6, 1, tzinfo=AT.tzinfo) + timedelta(days=wait))
    assert previews.preview(opened, at=AT, moment=seen.waits_until).to_allow == 1
    assert previews.preview(replace(opened, notice_days=0), at=AT).waits_until is None


@pytest.mark.usefixtures("people")
def test_it_waits_for_the_version_that_changed_the_notice_last() -> None:
    changed = notices.Draft("ai-training", {"en": ("How", "Anew")}, published_at=AT, effective_at=AT)
    notices.publish(draft=changed, by=BY, at=AT)
    opened = replace(PROPOSAL, jurisdiction="FR", default="allow", notice="ai-training", notice_days=30)
    seen = previews.preview(opened, at=AT)
    assert (seen.to_allow, seen.waits_until) == (0, AT + timedelta(days=30))
    assert previews.preview(opened, at=AT, moment=seen.waits_until).to_allow == 1


@pytest.mark.usefixtures("people")
def test_a_rule_for_an_affiliate_is_asked_about_the_affiliate() -> None:
    own = replace(PROPOSAL, recipient="northlight", jurisdiction="US")
    assert previews.preview(own, at=AT).to_deny == 2
    rules.enact(proposal=own, by=BY, at=AT)
    assert previews.preview(replace(own, recipient=""), at=AT).to_deny == 2
    assert previews.preview(own, at=AT).to_deny == 0


def test_whoever_was_erased_is_not_counted(people: dict[str, Subject]) -> None:
    subjects.forget(subject=people["gb1"], by=BY, at=AT)
    assert changes(previews.preview(PROPOSAL, at=AT))["GB"] == (1, 0, 0)


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("wrong", [{"purpose": "x"}, {"jurisdiction": "Britain"}, {"default": "maybe"}])
def test_what_could_not_be_enacted_is_not_previewed(wrong: dict[str, str]) -> None:
    with pytest.raises(DomainError):
        previews.preview(replace(PROPOSAL, **wrong), at=AT)


@pytest.mark.usefixtures("people")
def test_a_hold_is_counted_for_each_purpose_and_part_that_it_pauses() -> None:
    seen = previews.preview_hold(HoldScope(purposes=["ai-training"], jurisdictions=["GB", "US-CA"]), at=AT)
    assert [(one.purpose, changes(one)) for one in seen] == [
        ("ai-training", {"GB": (2, 1, 0), "US": (1, 1, 0)}),
        ("ai-training/affiliates", {"GB": (2, 1, 0), "US": (1, 1, 0)}),
    ]


@pytest.mark.usefixtures("people")
def test_a_hold_of_an_affiliate_is_asked_about_the_affiliate() -> None:
    seen = previews.preview_hold(HoldScope(["ai-training/affiliates"], ["GB"], ["northlight"]), at=AT)
    assert [(one.purpose, one.recipient, one.to_deny) for one in seen] == [("ai-training/affiliates", "northlight", 1)]


def test_people_in_batches_are_counted_as_people_in_one(
    people: dict[str, Subject], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = previews.preview(PROPOSAL, at=AT)
    monkeypatch.setattr(previews, "_BATCH", 1)
    assert previews.preview(PROPOSAL, at=AT) == whole


def test_the_silent_cost_no_query_each(people: dict[str, Subject], django_assert_max_num_queries: Any) -> None:
    for number in range(40):
        person(f"more{number}", "US")
    with django_assert_max_num_queries(14):
        assert previews.preview(PROPOSAL, at=AT).to_deny == 43


PLACES = ["US", "US-CA", "GB", "FR", "NO"]
RULES = st.fixed_dictionaries(
    {
        "jurisdiction": st.sampled_from(["*", "US", "US-CA", "GB", "EU", "EEA"]),
        "purpose": st.sampled_from(["ai-training", "ai-training/affiliates", "marketing"]),
        "default": st.sampled_from(["allow", "deny"]),
        "recipient": st.sampled_from(["", "northlight"]),
        "effective_from": st.sampled_from([AT - timedelta(days=3), AT, LATER]),
        "notice": st.sampled_from(["", "ai-training"]),
        "notice_days": st.sampled_from([0, 281]),
        "admits_minors": st.booleans(),
    }
)
SAID = st.lists(
    st.tuples(
        st.integers(0, 9),
        st.sampled_from([Action.DENY, Action.GRANT, Action.OBJECT, Action.RESTRICT, Action.UNRESTRICT]),
        st.sampled_from(["ai-training", "ai-training/affiliates", "marketing"]),
        st.sampled_from(["", "northlight"]),
    ),
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(standing=st.lists(RULES, max_size=3), said=SAID, wanted=RULES)
@pytest.mark.django_db
def test_a_preview_is_what_deciding_for_everyone_before_and_after_gives(
    world: None, standing: list[dict[str, Any]], said: list[Any], wanted: dict[str, Any]
) -> None:

    with transaction.atomic():
        everyone = [person(f"p{number}", PLACES[number % 5], is_minor=number == 7) for number in range(10)]
        for fields in standing:
            rules.enact(proposal=replace(PROPOSAL, **fields), by=BY, at=AT)
        for number, action, purpose, recipient in said:
            ledger.record(
                subject=everyone[number],
                scope=ledger.Scope(purpose, recipient),
                action=action,
                origin=ledger.Origin(source=Source.STAFF, by=BY),
                at=AT,
            )
        proposal = replace(PROPOSAL, **wanted)
        seen = previews.preview(proposal, at=AT)
        question = Question(proposal.purpose, recipient=proposal.recipient)
        before = dict(decided(everyone, question, seen.moment))
        rules.enact(proposal=proposal, by=BY, at=AT)
        after = dict(decided(everyone, question, seen.moment))
        turned = [(before[pk], after[pk]) for pk in before]
        assert seen.to_deny == turned.count((True, False)), asdict(proposal)
        assert seen.to_allow == turned.count((False, True)), asdict(proposal)
        transaction.set_rollback(True)


def decided(everyone: list[Subject], question: Question, at: datetime) -> list[tuple[Any, bool]]:
    answers = decisions.decide_each(subjects=everyone, question=question, at=at)
    return [(subject.pk, decision.allow) for subject, decision in answers]


def test_a_preview_of_a_hold_is_what_the_hold_does(people: dict[str, Subject]) -> None:
    scope = HoldScope(purposes=["ai-training"], jurisdictions=["US"])
    question = Question("ai-training")
    seen = previews.preview_hold(scope, at=AT)[0]
    before = dict(decided(list(people.values()), question, AT))
    holds.open(scope=scope, reason="r", by=BY, at=AT)
    after = dict(decided(list(people.values()), question, AT))
    assert seen.to_deny == sum(before[pk] and not after[pk] for pk in before)
