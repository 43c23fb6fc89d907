"""The shipped rulebooks: each alone, both in either order, each twice; and what LAW asks to be able to say."""

import itertools
import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consents import holds, rules, subjects
from consents.holds import HoldScope
from consents.models import Hold, Notice, Purpose, Recipient, Rule
from consents.vocabulary import Action
from tests.conftest import BY, OTHER, person
from tests.consents.asking import ask, say, why

pytestmark = pytest.mark.django_db

EARLY = datetime(2024, 9, 1, tzinfo=UTC)
BEFORE_ALL = datetime(2024, 9, 17, 23, 59, tzinfo=UTC)
FIRST_AUTUMN = datetime(2024, 10, 1, tzinfo=UTC)
LAST_EVENING = datetime(2025, 11, 2, 23, 59, 59, tzinfo=UTC)
FROM_THEN_ON = datetime(2025, 11, 3, tzinfo=UTC)
LATER = datetime(2026, 6, 1, tzinfo=UTC)
OLD, NEW = "2024-09", "2025-11"
ADDED = ["DE", "IE", "NO", "IS", "CH", "CA", "HK"]


def load(*books: str) -> list[int]:
    return [rules.load(path=rules.RULEBOOKS / f"{book}.toml", by=BY, at=EARLY) for book in books]


def allowed(jurisdiction: str, at: datetime, purpose: str = "ai-training", recipient: str = "") -> bool:
    return ask(None, purpose, recipient=recipient, jurisdiction=jurisdiction, at=at).allow


ORDERS = [(OLD, NEW), (NEW, OLD), (OLD, OLD, NEW, NEW), (NEW, OLD, NEW, OLD)]


@pytest.mark.parametrize("books", ORDERS, ids=" ".join)
@pytest.mark.parametrize(
    ("at", "people_of_the_added", "britain", "states"),
    [
        (BEFORE_ALL, False, False, False),
        (FIRST_AUTUMN, False, True, True),
        (LAST_EVENING, False, True, True),
        (FROM_THEN_ON, True, True, True),
        (LATER, True, True, True),
    ],
)
def test_both_books_in_any_order_give_each_date_its_own_state(
    books: tuple[str, ...], at: datetime, people_of_the_added: bool, britain: bool, states: bool
) -> None:
    load(*books)
    assert {code: allowed(code, at) for code in ADDED} == dict.fromkeys(ADDED, people_of_the_added)
    assert (allowed("GB", at), allowed("US-CA", at)) == (britain, states)


@pytest.mark.parametrize("books", ORDERS, ids=" ".join)
def test_what_is_there_in_the_end_does_not_depend_on_the_order(books: tuple[str, ...]) -> None:
    load(*books)
    states = [[allowed(code, at) for code in [*ADDED, "GB", "US"]] for at in (FIRST_AUTUMN, LATER)]
    assert states == [[False] * 7 + [True, True], [True] * 9]
    assert Rule.objects.count() == len({rules.as_proposed(one) for one in Rule.objects.all()})
    assert Notice.objects.values("version").distinct().count() == 2


def test_a_book_brought_twice_enacts_nothing_more() -> None:
    first = load(OLD, NEW)
    assert all(first)
    assert load(OLD, NEW) == [0, 0]


def test_the_old_book_alone_leaves_the_added_out_for_good() -> None:
    load(OLD)
    assert [allowed(code, LATER) for code in ADDED] == [False] * len(ADDED)
    assert allowed("GB", LATER)


def test_the_new_book_alone_says_nothing_of_the_time_before_it() -> None:
    load(NEW)
    for code in [*ADDED, "GB", "US"]:
        assert why(ask(None, jurisdiction=code, at=LAST_EVENING)) == (False, "no_rule")
        assert allowed(code, FROM_THEN_ON)


@pytest.mark.parametrize("at", [FROM_THEN_ON, LATER])
def test_in_britain_alone_of_the_added_an_affiliate_is_covered_too(at: datetime) -> None:
    load(OLD, NEW)
    for purpose in ("ai-training/affiliates", "ai-training"):
        assert not any(allowed(code, at, purpose, "northlight") for code in ADDED)
        assert allowed("GB", at, purpose, "northlight")
        assert allowed("US", at, purpose, "northlight")
    assert all(allowed(code, at, recipient="linkwell") for code in ADDED)


def test_the_notice_came_before_and_its_days_are_over_on_the_first_day() -> None:
    load(NEW)
    rule = Rule.objects.get(purpose="ai-training", jurisdiction="EU", recipient="")
    told = Notice.objects.filter(slug=rule.notice)
    assert {one.locale for one in told} == {"en", "de", "fr"}
    assert {one.published_at + timedelta(days=rule.notice_days) <= FROM_THEN_ON for one in told} == {True}
    assert {one.is_material for one in told} == {True}


def test_without_its_days_of_notice_nobody_is_in() -> None:
    load(NEW)
    late = rules.as_proposed(Rule.objects.get(purpose="ai-training", jurisdiction="EU", recipient=""))

    rules.enact(proposal=replace(late, jurisdiction="DE", notice_days=47), by=BY, at=EARLY)
    assert why(ask(None, jurisdiction="DE", at=FROM_THEN_ON)) == (False, "notice_not_over")
    assert allowed("DE", FROM_THEN_ON + timedelta(days=1))


def test_recipients_purposes_and_house_rules_are_the_same_in_both() -> None:
    old, new = (tomllib.loads((rules.RULEBOOKS / f"{book}.toml").read_text()) for book in (OLD, NEW))
    assert old["recipient"] == new["recipient"]
    assert old["purpose"] == new["purpose"]
    other = [[one for one in book["rule"] if not one["purpose"].startswith("ai-")] for book in (old, new)]
    assert other[0] == other[1]


def test_bringing_the_older_book_later_changes_no_purpose_and_no_recipient() -> None:
    load(NEW)
    before = [list(model.objects.order_by("pk").values()) for model in (Purpose, Recipient)]
    brought = rules.bring(path=rules.RULEBOOKS / f"{OLD}.toml", by=BY, at=EARLY)
    assert {one.outcome for one in brought if one.section in {"purpose", "recipient"}} == {"left"}
    assert [list(model.objects.order_by("pk").values()) for model in (Purpose, Recipient)] == before


class TestMostSpecificWins:
    """Each place of the grid jurisdiction x recipient, as far as rules stand there: the nearest is asked."""

    NEAREST = list(itertools.product(["DE-BY", "DE", "EU", "EEA", "*"], ["northlight", ""]))

    @pytest.fixture(autouse=True)
    def ground(self) -> None:
        load(OLD)

    @pytest.mark.parametrize("first", range(len(NEAREST)))
    def test_the_first_that_stands_answers(self, first: int) -> None:
        for number, (jurisdiction, recipient) in enumerate(self.NEAREST[first:]):
            self.enact(jurisdiction, recipient, "allow" if number == 0 else "deny")
        decision = ask(None, "mapping", recipient="northlight", jurisdiction="DE-BY", at=LATER)
        assert decision.rule is not None
        assert (decision.rule.jurisdiction, decision.rule.recipient) == self.NEAREST[first]
        assert decision.allow

    @pytest.mark.parametrize(
        ("jurisdiction", "recipient", "expected"),
        [
            ("DE", "northlight", ("EU", "northlight")),
            ("DE", "linkwell", ("EU", "")),
            ("DE", "", ("EU", "")),
            ("NO", "northlight", ("EEA", "")),
            ("GB", "northlight", ("*", "northlight")),
            ("GB", "linkwell", ("*", "")),
            ("US-CA", "linkwell", ("US-CA", "")),
            ("US-NY", "linkwell", ("*", "")),
            ("US-CA", "northlight", ("US-CA", "")),
        ],
    )
    def test_an_affiliate_is_a_recipient_of_its_own(
        self, jurisdiction: str, recipient: str, expected: tuple[str, str]
    ) -> None:
        for place in [("EU", "northlight"), ("EU", ""), ("EEA", ""), ("*", "northlight"), ("*", ""), ("US-CA", "")]:
            self.enact(*place, "allow")
        rule = ask(None, "mapping", recipient=recipient, jurisdiction=jurisdiction, at=LATER).rule
        assert rule is not None
        assert (rule.jurisdiction, rule.recipient) == expected

    def enact(self, jurisdiction: str, recipient: str, default: str) -> None:
        Purpose.objects.get_or_create(slug="mapping", defaults={"name": "Maps", "description": "", "dpv_term": ""})
        proposal = rules.Proposal(
            jurisdiction=jurisdiction,
            purpose="mapping",
            recipient=recipient,
            legal_basis="legitimate_interest",
            default=default,
            explanation="",
            source="test",
            effective_from=FIRST_AUTUMN,
        )
        rules.enact(proposal=proposal, by=BY, at=EARLY)


class TestWhatTheLawAsksToBeAbleToSay:
    @pytest.fixture(autouse=True)
    def books(self) -> None:
        load(OLD, NEW)

    def pause(self, at: datetime, **scope: Any) -> Hold:
        return holds.open(
            scope=HoldScope(purposes=["ai-training"], **scope), reason="The ICO asked.", by=BY, at=at, authority="ICO"
        )

    def lift(self, hold: Hold, at: datetime) -> None:
        holds.ask_to_lift(hold=hold, by=BY, at=at)
        holds.lift(hold=hold, by=OTHER, at=at)

    def test_1_a_default_a_basis_a_notice_and_its_days_each_with_dates(self) -> None:
        rule = ask(None, jurisdiction="FR", at=LATER).rule
        assert rule is not None
        assert (rule.default, rule.legal_basis, rule.notice, rule.notice_days) == (
            *("allow", "legitimate_interest", "ai-training"),
            45,
        )
        assert rule.effective_from == FROM_THEN_ON

    @pytest.mark.parametrize("when", ["before", "during", "after"])
    def test_2_an_objection_before_during_or_after_a_hold_stays_when_it_ends(self, when: str) -> None:
        grace = person("grace", "GB", at=EARLY)
        begin, end = datetime(2024, 9, 20, tzinfo=UTC), datetime(2025, 3, 1, tzinfo=UTC)
        said_at = {"before": EARLY, "during": begin + timedelta(days=9), "after": end + timedelta(days=9)}[when]
        if when == "before":
            say(grace, Action.OBJECT, at=said_at)
        hold = self.pause(begin, jurisdictions=["GB"])
        if when == "during":
            say(grace, Action.OBJECT, at=said_at)
        self.lift(hold, end)
        if when == "after":
            say(grace, Action.OBJECT, at=said_at)
        for at in (said_at + timedelta(days=10), LAST_EVENING, FROM_THEN_ON, LATER):
            assert not ask(grace, at=at).allow
        assert why(ask(grace, at=LATER)) == (False, "own_choice")

    def test_2_an_objection_between_regimes_stays_and_nobody_is_asked_again(self) -> None:
        anna, silent = person("anna", "DE", at=EARLY), person("silent", "DE", at=EARLY)
        say(anna, Action.OBJECT, at=FIRST_AUTUMN)
        assert not ask(silent, at=LAST_EVENING).allow
        assert ask(silent, at=FROM_THEN_ON).allow
        assert why(ask(anna, at=FROM_THEN_ON)) == (False, "own_choice")
        assert why(ask(anna, "ai-training/affiliates", at=LATER)) == (False, "wider_choice")

    def test_3_an_objection_without_an_account_counts(self) -> None:

        stranger = subjects.register(
            newcomer=subjects.Newcomer(names=(subjects.name("email", "no.member@example.org"),), jurisdiction="FR"),
            by=BY,
            at=FIRST_AUTUMN,
        )
        say(stranger, Action.OBJECT, at=FIRST_AUTUMN)
        found = subjects.get(subjects.name("email", "No.Member@example.org"))
        assert why(ask(found, at=LATER)) == (False, "own_choice")

    @pytest.mark.parametrize("code", [*ADDED, "GB", "US", "BR"])
    def test_4_minors_are_out_whatever_the_default(self, code: str) -> None:
        young = person("young", code, at=EARLY, is_minor=True)
        say(young, Action.GRANT, at=FIRST_AUTUMN)
        assert why(ask(young, at=LATER)) == (False, "minor")

    def test_5_an_undertaking_over_a_span_of_data_leaves_other_data_open(self) -> None:
        anna = person("anna", "IE", at=EARLY)
        span = {"data_from": datetime(2024, 5, 7, tzinfo=UTC), "data_until": datetime(2024, 8, 1, tzinfo=UTC)}
        hold = self.pause(FROM_THEN_ON, jurisdictions=["EU"], **span)
        assert hold.has_window
        assert ask(anna, at=LATER).allow

    def test_6_affiliates_are_recipients_of_their_own(self) -> None:
        anna = person("anna", "IE", at=EARLY)
        say(anna, Action.GRANT, at=FIRST_AUTUMN, recipient="linkwell")
        assert ask(anna, recipient="linkwell", at=FIRST_AUTUMN).allow
        assert not ask(anna, recipient="northlight", at=FIRST_AUTUMN).allow

    def test_7_people_are_told_what_happens_to_models_trained_before(self) -> None:
        for purpose in Purpose.objects.filter(slug__startswith="ai-training"):
            assert "keep what they learned" in purpose.models_text
        for text in Notice.objects.filter(locale="en").values_list("body", flat=True):
            assert "Models that were trained before are not changed." in text
