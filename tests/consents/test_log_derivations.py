"""A notice, rule or hold that was changed behind the triggers differs from what the ledger says of it."""

from datetime import timedelta, timezone

import pytest

from consents import cases, holds, log_derivations, log_verification, notices, rules
from consents.holds import HoldScope
from consents.log_differences import Findings
from consents.models import Hold, Rule
from consents.notices import Draft
from consents.rules import Proposal
from tests.conftest import AT, BY, OTHER
from tests.consents.sealing import behind_the_triggers

pytestmark = pytest.mark.django_db(transaction=True)

LATER = AT + timedelta(days=1)
PROPOSAL = Proposal(
    jurisdiction="GB",
    purpose="ai-training",
    legal_basis="legitimate_interest",
    default="deny",
    explanation="Off.",
    source="test",
    effective_from=LATER.astimezone(timezone(timedelta(hours=5))),
    effective_to=LATER + timedelta(days=9),
)


def found() -> list[tuple[str, str]]:
    findings = Findings()
    log_derivations.compare_rulebook(findings)
    return [(one.code, one.message) for one in findings]


@pytest.fixture
def rule(world: None) -> Rule:
    """One that was enacted, and began later."""
    enacted = rules.enact(proposal=PROPOSAL, by=BY, at=AT)
    rules.tell_turns(at=LATER)
    return enacted


@pytest.fixture
def hold(world: None) -> Hold:
    """One over a span of data, linked to a case, and lifted."""
    opened = holds.open(scope=HoldScope(["ai-training"], ["GB"], [], AT, LATER), reason="Asked to.", by=BY, at=AT)
    case = cases.open(authority="ICO", title="Training", by=BY, at=AT)
    cases.link(case=case, hold=opened, by=BY, at=AT)
    holds.ask_to_lift(hold=opened, by=BY, at=AT)
    holds.lift(hold=opened, by=OTHER, at=LATER)
    return opened


def test_what_was_said_and_done_in_order_is_what_the_ledger_says(rule: Rule, hold: Hold) -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("what", "named"),
    [
        ("\"default\" = 'allow'", "default"),
        ("effective_to = NULL", "effective_to"),
        (
            "effective_from = effective_from + interval '1 microsecond', explanation = 'On.'",
            "effective_from, explanation",
        ),
        ("purpose_id = 'marketing'", "purpose"),
        ("consent_days = 5", "consent_days"),
    ],
)
def test_a_rule_that_was_edited_is_named_with_its_fields(rule: Rule, what: str, named: str) -> None:
    behind_the_triggers(f"UPDATE consents_rule SET {what} WHERE id = %s", [rule.pk])
    assert found() == [("rule_edited", f"The rule {rule.pk} is not what the ledger says: {named}.")]


@pytest.mark.parametrize(
    ("what", "named"),
    [
        ("jurisdictions = '{US}'", "jurisdictions"),
        ("data_until = NULL", "data_until"),
        ("opened_at = opened_at - interval '1 day'", "opened_at"),
        ("lifted_at = NULL, lifted_by = ''", "lifted_at"),
        ("lifted_at = opened_at", "lifted_at"),
    ],
)
def test_a_hold_that_was_edited_is_named_with_its_fields(hold: Hold, what: str, named: str) -> None:
    behind_the_triggers(f"UPDATE consents_hold SET {what} WHERE id = %s", [hold.pk])
    assert found() == [("hold_edited", f"The hold {hold.pk} is not what the ledger says: {named}.")]


def test_a_hold_that_was_lifted_behind_the_triggers_is_named(world: None) -> None:
    opened = holds.open(scope=HoldScope(), reason="Asked to.", by=BY, at=AT)
    Hold.objects.update(lift_asked_at=AT, lift_asked_by=BY, lifted_at=LATER, lifted_by=OTHER)
    assert found() == [("hold_edited", f"The hold {opened.pk} is not what the ledger says: lifted_at.")]


def test_what_is_gone_and_what_was_never_told_is_named(rule: Rule, hold: Hold) -> None:
    slipped_in = Rule.objects.create(**vars(rules.as_proposed(rule)) | {"purpose": rule.purpose}, recorded_at=AT)
    behind_the_triggers("DELETE FROM consents_rule WHERE id = %s", [rule.pk])
    behind_the_triggers("DELETE FROM consents_hold WHERE id = %s", [hold.pk])
    assert sorted(code for code, _ in found()) == ["hold_missing", "rule_missing", "rule_untold"]
    assert str(slipped_in.pk) in dict(found())["rule_untold"]


def test_of_an_older_event_only_what_it_has_is_compared(rule: Rule, hold: Hold) -> None:
    for key, pk in (("rule", rule.pk), ("hold", f'"{hold.pk}"')):
        only = f'{{"{key}": {pk}, "purposes": ["ai-training"]}}'
        theirs = "details @> jsonb_build_object(%s::text, %s::text::jsonb)"
        behind_the_triggers(f"UPDATE consents_ledgerevent SET details = %s WHERE {theirs}", [only, key, pk])
    assert found() == []


def test_a_text_that_was_edited_is_named_by_the_verification_of_the_whole_log(world: None) -> None:
    notices.publish(draft=Draft("terms", {"en": ("Terms", "Text")}, AT, AT), by=BY, at=AT)
    assert not log_verification.verify().findings
    behind_the_triggers("UPDATE consents_notice SET body = 'X' WHERE slug = 'terms'")
    ((code, message),) = [(one.code, one.message) for one in log_verification.verify().findings]
    assert (code, "terms/1 in 'en'" in message) == ("notice_edited", True)
