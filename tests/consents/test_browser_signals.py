"""The opt-out signal: recorded once per change, set aside by the person alone, with the effect that rules give it."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connections

from consents import browser_signals, holds, ledger, rules, subjects
from consents.models import LedgerEvent, Preference, Subject
from consents.rules import Proposal
from consents.vocabulary import EVERY, Action, Source
from portal.errors import Conflict
from tests.conftest import AT, BY
from tests.consents.asking import ask, say, why

PARTNER = "partner:acme"
HOUR = timedelta(hours=1)


def signal(subject: Subject, present: bool = True, *, at: datetime = AT, occurred_at: datetime | None = None) -> bool:
    """Whether an event was written."""
    return (
        browser_signals.record_gpc(subject=subject, present=present, by=PARTNER, at=at, occurred_at=occurred_at)
        is not None
    )


def events() -> list[tuple[str, str]]:
    return list(LedgerEvent.objects.filter(kind="choice").order_by("id").values_list("action", "source"))


def gpc_rule(purpose: str = "ai-training", jurisdiction: str = "US-CA", default: str = "allow") -> None:
    proposal = Proposal(
        jurisdiction=jurisdiction,
        purpose=purpose,
        legal_basis="legitimate_interest",
        default=default,
        explanation="e",
        source="test",
        effective_from=AT - timedelta(days=100),
        gpc_denies=True,
    )
    rules.enact(proposal=proposal, by=BY, at=AT - HOUR)


@pytest.mark.parametrize("value", [None, "", "0", "true", "1 ", " 1", "11", "1,1", "\uff11"])
def test_only_a_plain_one_is_a_signal(value: str | None) -> None:
    assert not browser_signals.is_sent(value)
    assert browser_signals.is_sent("1")


def test_the_first_signal_is_an_event_about_every_purpose(alice: Subject) -> None:
    event = browser_signals.record_gpc(subject=alice, present=True, by=PARTNER, at=AT)
    assert event is not None
    assert (event.action, event.source, event.purpose, event.actor) == ("signal_on", "gpc", EVERY, PARTNER)
    held = Preference.objects.get(subject=alice)
    assert (held.slot, held.action, held.event_id) == ("signal", "signal_on", event.pk)


def test_a_signal_that_is_known_is_no_second_event(alice: Subject) -> None:
    assert [signal(alice, at=AT + hours * HOUR) for hours in range(3)] == [True, False, False]


def test_that_it_ended_is_news_only_after_it_began(alice: Subject) -> None:
    assert not signal(alice, False)
    assert [signal(alice), signal(alice, False, at=AT + HOUR), signal(alice, False, at=AT + 2 * HOUR)] == [
        True,
        True,
        False,
    ]
    assert signal(alice, at=AT + 3 * HOUR)
    assert [action for action, _ in events()] == ["signal_on", "signal_off", "signal_on"]


def test_the_older_of_two_statements_is_no_news(alice: Subject) -> None:
    signal(alice)
    assert not signal(alice, False, at=AT + HOUR, occurred_at=AT - HOUR)
    assert not signal(alice, False, at=AT + HOUR, occurred_at=AT)
    assert signal(alice, False, at=AT + HOUR)


def test_what_the_person_set_aside_no_browser_brings_back(alice: Subject) -> None:
    signal(alice)
    assert browser_signals.set_aside(subject=alice, by=f"subject:{alice.pk}", at=AT + HOUR)
    assert browser_signals.is_set_aside(alice)
    assert not signal(alice, at=AT + 2 * HOUR)
    assert browser_signals.set_aside(subject=alice, by=f"subject:{alice.pk}", at=AT + 3 * HOUR) is None
    assert browser_signals.apply_again(subject=alice, by=f"subject:{alice.pk}", at=AT + 4 * HOUR)
    assert browser_signals.apply_again(subject=alice, by=f"subject:{alice.pk}", at=AT + 5 * HOUR) is None
    assert events() == [("signal_on", "gpc"), ("signal_off", "self_service"), ("signal_on", "self_service")]


def test_a_signal_may_be_set_aside_before_it_ever_came(alice: Subject) -> None:
    browser_signals.set_aside(subject=alice, by=f"subject:{alice.pk}", at=AT)
    assert not signal(alice, at=AT + HOUR)


def test_an_end_that_a_partner_told_of_is_not_set_aside(alice: Subject) -> None:
    signal(alice)
    signal(alice, False, at=AT + HOUR)
    assert not browser_signals.is_set_aside(alice)


def test_the_persons_word_counts_also_after_a_clock_that_ran_ahead(alice: Subject) -> None:
    signal(alice, occurred_at=AT + timedelta(minutes=4))
    browser_signals.set_aside(subject=alice, by=f"subject:{alice.pk}", at=AT)
    assert browser_signals.is_set_aside(alice)


def test_what_a_browser_sends_now_counts_also_after_a_clock_that_ran_ahead(alice: Subject) -> None:
    signal(alice, at=AT - HOUR)
    signal(alice, False, occurred_at=AT + timedelta(minutes=4))
    assert signal(alice)
    assert Preference.objects.get(subject=alice).action == "signal_on"


def test_nothing_is_recorded_about_the_erased(alice: Subject) -> None:
    subjects.forget(subject=alice, by=BY, at=AT)
    with pytest.raises(Conflict, match="erased"):
        signal(alice)


@pytest.mark.django_db(transaction=True)
def test_two_tabs_at_once_write_one_event(alice: Subject) -> None:
    barrier, written = threading.Barrier(6), []

    def tab() -> None:
        try:
            barrier.wait()
            written.append(signal(alice))
        finally:
            connections.close_all()

    tabs = [threading.Thread(target=tab) for _ in range(6)]
    for one in tabs:
        one.start()
    for one in tabs:
        one.join()
    assert sorted(written) == [False] * 5 + [True]
    assert events() == [("signal_on", "gpc")]


@pytest.fixture
def carla(world: None) -> Subject:
    """A member in California."""
    names = (subjects.name("account", "m_carla"),)
    return subjects.register(newcomer=subjects.Newcomer(names=names, jurisdiction="US-CA"), by=BY, at=AT)


def test_it_denies_where_the_rule_says_so_and_nowhere_else(carla: Subject, alice: Subject) -> None:
    gpc_rule()
    for person in (carla, alice):
        signal(person)
    assert why(ask(carla)) == (False, "gpc")
    assert ask(carla).choice is not None
    assert why(ask(alice)) == (True, "default")


def test_it_has_effect_only_for_the_purposes_of_such_rules(carla: Subject) -> None:
    gpc_rule()
    signal(carla)
    assert not ask(carla).allow
    assert ask(carla, "ai-training/affiliates").allow


def test_it_ends_with_its_end_and_with_being_set_aside(carla: Subject) -> None:
    gpc_rule()
    signal(carla)
    signal(carla, False, at=AT + HOUR)
    assert why(ask(carla, at=AT + HOUR)) == (True, "default")
    assert why(ask(carla, at=AT)) == (False, "gpc")


@pytest.mark.parametrize(("action", "code"), [(Action.GRANT, "own_choice"), (Action.DENY, "own_choice")])
def test_ones_own_word_goes_before_it(carla: Subject, action: Action, code: str) -> None:
    gpc_rule()
    signal(carla)
    say(carla, action)
    assert why(ask(carla)) == (action == Action.GRANT, code)


def test_a_hold_and_a_restriction_go_before_it(carla: Subject) -> None:
    gpc_rule()
    signal(carla)
    say(carla, Action.RESTRICT)
    assert why(ask(carla)) == (False, "restricted")
    holds.open(scope=holds.HoldScope(), reason="r", by=BY, at=AT)
    assert why(ask(carla)) == (False, "hold")


def test_which_purposes_it_stops_depends_on_the_place(world: None) -> None:
    gpc_rule("marketing", "US-CA")
    gpc_rule("ai-training", "EEA")

    def stopped(place: str) -> list[str]:
        return [one.slug for one in browser_signals.purposes_denied(jurisdiction=place, at=AT)]

    assert (stopped("US-CA"), stopped("DE"), stopped("US")) == (["marketing"], ["ai-training"], [])


def test_the_policys_day_is_that_of_the_latest_rule(world: None) -> None:
    assert browser_signals.policy_changed_at(at=AT) is None
    gpc_rule()
    assert browser_signals.policy_changed_at(at=AT) == AT - HOUR


@pytest.mark.parametrize("write", [browser_signals.set_aside, browser_signals.apply_again])
def test_a_statement_leaves_its_trace_in_the_audit(alice: Subject, write: Callable[..., LedgerEvent | None]) -> None:
    event = write(subject=alice, by=f"subject:{alice.pk}", at=AT)
    assert event is not None
    assert event.source == Source.SELF_SERVICE
    assert ledger.reference(event.pk).startswith("R-")
