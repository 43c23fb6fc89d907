"""Rules and the shipped rulebook."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from consents import rules
from consents.models import LedgerEvent, Notice, Purpose, Recipient, Rule
from consents.rules import Proposal, RuleError
from portal.errors import DomainError, NotFound
from portal.models import AuditEntry
from tests.conftest import AT, BY, WORLD
from tests.consents.asking import ask, why

PROPOSAL = Proposal(
    jurisdiction="GB",
    purpose="ai-training",
    legal_basis="legitimate_interest",
    default="deny",
    explanation="Off.",
    source="test",
    effective_from=AT,
)


def enact(proposal: Proposal = PROPOSAL) -> Rule:
    return rules.enact(proposal=proposal, by=BY, at=AT)


@pytest.mark.usefixtures("world")
def test_a_rule_is_enacted_with_its_event_and_its_audit_entry() -> None:
    rule = enact()
    event = LedgerEvent.objects.get(kind="rule", details__rule=rule.pk)
    assert (event.purpose, event.details["jurisdictions"]) == ("ai-training", ["GB"])
    assert AuditEntry.objects.filter(action="rule.enact", object_id=str(rule.pk)).count() == 1


@pytest.mark.usefixtures("world")
def test_a_change_is_a_new_row_and_the_old_one_stays() -> None:
    enact()
    enact(replace(PROPOSAL, default="allow", effective_from=AT + timedelta(days=1)))
    assert Rule.objects.filter(jurisdiction="GB").count() == 2
    assert why(ask(None, jurisdiction="GB", at=AT + timedelta(hours=1))) == (False, "default")
    assert why(ask(None, jurisdiction="GB", at=AT + timedelta(days=1))) == (True, "default")


@pytest.mark.usefixtures("world")
def test_a_jurisdiction_is_written_in_capitals() -> None:
    assert enact(replace(PROPOSAL, jurisdiction="us-ca")).jurisdiction == "US-CA"


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"legal_basis": "consent", "default": "allow"}, "consent_is_not_a_default"),
        ({"default": "maybe"}, "unknown_word"),
        ({"legal_basis": "vibes"}, "unknown_word"),
        ({"purpose": "nothing"}, "unknown_purpose"),
        ({"recipient": "nobody"}, "unknown_recipient"),
        ({"jurisdiction": "Britain"}, "unknown_jurisdiction"),
        ({"notice": "never-published"}, "unknown_notice"),
        ({"effective_to": AT}, "ends_before_it_begins"),
        ({"notice_days": -1}, "negative_days"),
        ({"consent_days": -1}, "negative_days"),
        ({"notice_days": 3_651}, "too_many_days"),
        ({"consent_days": 36_501}, "too_many_days"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(wrong: dict[str, object], code: str) -> None:
    before = Rule.objects.count()
    with pytest.raises(DomainError) as refusal:
        enact(replace(PROPOSAL, **wrong))  # type: ignore[arg-type]
    assert refusal.value.code == code
    assert Rule.objects.count() == before


@pytest.mark.usefixtures("world")
def test_loading_a_rulebook_again_changes_nothing() -> None:
    def everything() -> list[object]:
        tables = [LedgerEvent, AuditEntry, Rule, Notice, Recipient, Purpose]
        return [list(model.objects.order_by("pk").values()) for model in tables]  # type: ignore[attr-defined]

    before = everything()
    assert rules.load(path=WORLD, by=BY, at=AT) == 0
    assert everything() == before


@pytest.fixture
def load(db: None, tmp_path: Path) -> Callable[[str], int]:
    def load(text: str) -> int:
        path = tmp_path / "book.toml"
        path.write_text(text)
        return rules.load(path=path, by=BY, at=AT)

    return load


BOOK = """
[[purpose]]
slug = "p"
name = "P"
description = ""
dpv_term = ""
[[rule]]
purpose = "p"
jurisdictions = ["gb", "EEA"]
legal_basis = "consent"
default = "deny"
explanation = ""
source = ""
effective_from = 2026-01-01
"""


def test_dates_and_times_of_a_rulebook_are_utc(load: Callable[[str], int]) -> None:
    assert load(BOOK + "effective_to = 2026-06-01T12:00:00\n") == 2
    rule = Rule.objects.get(jurisdiction="GB")
    assert rule.effective_from == datetime(2026, 1, 1, tzinfo=UTC)
    assert rule.effective_to == datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_a_rule_written_in_small_letters_is_enacted_once(load: Callable[[str], int]) -> None:
    load(BOOK)
    assert load(BOOK) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[rule", "cannot be read as TOML"),
        ("[[rules]]\n", "unknown rules"),
        ("rule = 3\n", "is no list"),
        ("[purpose]\nslug = 'p'\n", "is no list"),
        ("[[recipient]]\nname = 'R'\n", "recipient 1: 'slug'"),
        ("[[recipient]]\nslug = 'r'\nsize = 3\n", "recipient 1: .*size"),
        ("[[purpose]]\nslug = 'p'\nrecipients = ['nobody']\n", "purpose 1: There is no such recipient"),
        ("[[purpose]]\nslug = 'p'\ncategories = ['thoughts']\n", "purpose 1: A category"),
        ("[[notice]]\nslug = 'n'\n", "notice 1: 'published'"),
        ("[[notice]]\nslug = 'n'\npublished = 'soon'\n", "notice 1: "),
        ("[[notice]]\nslug = 'n'\npublished = 2026-01-01\ntext = 'x'\n", "notice 1: "),
        (BOOK.replace("jurisdictions", "places"), "rule 1: 'jurisdictions'"),
        (BOOK.replace("source", "sauce"), "rule 1: .*sauce"),
        (BOOK.replace("2026-01-01", "'2026'"), "rule 1: "),
        (BOOK.replace('["gb", "EEA"]', "3"), "rule 1: "),
        (BOOK.replace('"gb"', '"Britain"'), "rule 1: A jurisdiction"),
        (BOOK.replace('"deny"', '"allow"'), "rule 1: Where consent"),
        (BOOK + "consent_days = 'many'\n", "rule 1: "),
        (BOOK.replace('slug = "p"', f'slug = "{"p" * 81}"'), "purpose 1: "),
    ],
)
def test_a_wrong_rulebook_is_refused_naming_the_place_and_leaves_nothing(
    load: Callable[[str], int], text: str, said: str
) -> None:
    with pytest.raises(RuleError, match=said):
        load(text)
    for model in (Recipient, Purpose, Notice, Rule, LedgerEvent):
        assert not model.objects.exists()  # type: ignore[attr-defined]


def test_a_rulebook_that_is_not_there_is_refused_with_those_that_are(db: None, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="2024-09"):
        rules.load(path=tmp_path / "nothing.toml", by=BY, at=AT)


class TestOfSeptember2024:
    @pytest.fixture(autouse=True)
    def book(self, db: None) -> None:
        rules.load(path=rules.RULEBOOKS / "2024-09.toml", by=BY, at=datetime(2024, 9, 1, tzinfo=UTC))

    @pytest.mark.parametrize(
        ("jurisdiction", "purpose", "allowed"),
        [
            ("DE", "ai-training", False),
            ("IE", "ai-training/affiliates", False),
            ("NO", "ai-training", False),
            ("CH", "ai-training", False),
            ("US", "ai-training", True),
            ("US-CA", "ai-training/affiliates", True),
            ("GB", "ai-training", True),
            ("BR", "ai-training", True),
            ("IN", "ai-training", True),
            ("GB", "marketing", False),
            ("FR", "marketing", False),
            ("US", "marketing", True),
            ("FR", "personalisation", True),
            ("GB", "analytics", True),
        ],
    )
    def test_the_defaults_are_those_of_that_autumn(self, jurisdiction: str, purpose: str, allowed: bool) -> None:
        at = datetime(2024, 10, 1, tzinfo=UTC)
        assert why(ask(None, purpose, jurisdiction=jurisdiction, at=at)) == (allowed, "default")

    def test_marketing_in_britain_asks_for_consent(self) -> None:
        rule = ask(None, "marketing", jurisdiction="GB", at=AT).rule
        assert rule is not None
        assert (rule.legal_basis, rule.consent_days) == ("consent", 730)

    def test_nobody_was_in_before_the_notice(self) -> None:
        before = datetime(2024, 9, 17, 23, 59, tzinfo=UTC)
        assert why(ask(None, jurisdiction="US", at=before)) == (False, "no_rule")

    def test_the_notice_is_there_in_each_language_of_the_pages(self) -> None:
        assert set(Notice.objects.values_list("locale", flat=True)) == {"en", "de", "fr"}

    def test_every_rule_names_its_source(self) -> None:
        assert not Rule.objects.filter(source="").exists()


@pytest.mark.usefixtures("world")
def test_the_log_commits_to_every_field_of_a_rule() -> None:
    rule = enact(replace(PROPOSAL, jurisdiction="gb", effective_to=AT + timedelta(days=9), notice="ai-training"))
    details = LedgerEvent.objects.get(kind="rule", details__rule=rule.pk).details
    told = rules.as_proposed(rule)
    for name, value in vars(told).items():
        assert details[name] == (value.isoformat() if isinstance(value, datetime) else value)


class TestTurns:
    """A rule that begins or ends later is told of when it does, once."""

    def turns(self, at: datetime) -> list[tuple[str, str]]:
        before = set(LedgerEvent.objects.values_list("pk", flat=True))
        told = rules.tell_turns(at=at)
        events = LedgerEvent.objects.exclude(pk__in=before).order_by("id")
        assert told == len(events)
        return [(event.details["jurisdiction"], event.details["turn"]) for event in events]

    @pytest.mark.usefixtures("world")
    def test_of_what_began_when_it_was_enacted_nothing_is_told(self) -> None:
        enact()
        assert self.turns(AT + timedelta(days=1)) == []

    @pytest.mark.usefixtures("world")
    def test_beginning_and_end_are_told_once_each(self) -> None:
        begin, end = AT + timedelta(days=1), AT + timedelta(days=2)
        enact(replace(PROPOSAL, effective_from=begin, effective_to=end))
        assert self.turns(begin - timedelta(seconds=1)) == []
        assert self.turns(begin) == [("GB", "effective_from")]
        assert self.turns(begin) == []
        assert self.turns(end) == [("GB", "effective_to")]
        assert self.turns(end + timedelta(days=99)) == []

    @pytest.mark.usefixtures("world")
    def test_it_is_known_whether_a_turn_was_not_told_yet(self) -> None:
        enact(replace(PROPOSAL, effective_from=AT + timedelta(days=1)))
        assert not rules.has_untold_turns(at=AT)
        assert rules.has_untold_turns(at=AT + timedelta(days=1))
        rules.tell_turns(at=AT + timedelta(days=1))
        assert not rules.has_untold_turns(at=AT + timedelta(days=1))
