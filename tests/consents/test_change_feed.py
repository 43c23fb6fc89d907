"""The log as one partner may see it."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connections

from consents import amendments, change_feed, holds, rules, subjects
from consents.change_feed import Feed, FeedError, Viewer
from consents.holds import HoldScope
from consents.models import Subject
from consents.vocabulary import Action
from tests.conftest import AT, BY, OTHER, person, sequenced
from tests.consents.asking import say
from tests.consents.sending import row, sent
from tests.consents.test_rules import PROPOSAL

pytestmark = pytest.mark.django_db(transaction=True)

EVERYTHING = Viewer(frozenset({"", "linkwell", "northlight"}), (), ("email", "account"))
OF_BRITAIN = Viewer(frozenset({"linkwell"}), ("GB",), ("account",))


@pytest.fixture
def start(alice: Subject, grace: Subject) -> int:
    return sequenced()


def read(viewer: Viewer, after: int, *, limit: int = 100) -> Feed:
    sequenced()
    return change_feed.read(viewer=viewer, after=after, limit=limit)


def test_a_choice_is_told_with_its_position_and_the_persons_opaque_name(start: int, alice: Subject) -> None:
    say(alice, Action.DENY, occurred_at=AT - timedelta(hours=1))
    feed = read(EVERYTHING, start)
    assert (feed.next, feed.more) == (start + 1, False)
    (change,) = feed.changes
    assert change["position"] == start + 1
    assert change["subject"] == {"scheme": "account", "value": "m_alice"}
    assert (change["kind"], change["purpose"], change["action"]) == ("choice", "ai-training", "deny")
    assert (change["occurred_at"], change["recorded_at"]) == ("2026-03-02T11:00:00+00:00", "2026-03-02T12:00:00+00:00")


def test_addresses_are_never_told(start: int, alice: Subject) -> None:
    say(alice, Action.DENY)
    only_addresses = Viewer(EVERYTHING.recipients, (), ("email", "phone"))
    assert read(only_addresses, start).changes[0]["subject"] is None


def test_people_of_other_countries_are_passed_over_and_the_cursor_moves_on(
    start: int, alice: Subject, grace: Subject
) -> None:
    say(alice, Action.DENY)
    say(grace, Action.DENY)
    say(alice, Action.GRANT, at=AT + timedelta(hours=1))
    feed = read(OF_BRITAIN, start)
    assert [change["subject"]["value"] for change in feed.changes] == ["m_grace"]
    assert (feed.next, feed.more) == (start + 3, False)


def test_choices_for_other_recipients_are_passed_over(start: int, grace: Subject) -> None:
    for recipient in ("", "linkwell", "northlight"):
        say(grace, Action.DENY, recipient=recipient)
    assert [change["recipient"] for change in read(OF_BRITAIN, start).changes] == ["", "linkwell"]


def test_a_hold_for_another_recipient_is_passed_over(start: int) -> None:
    holds.open(scope=HoldScope(recipients=["northlight"]), reason="r", by=BY, at=AT)
    holds.open(scope=HoldScope(), reason="r", by=BY, at=AT)
    assert [change["position"] for change in read(OF_BRITAIN, start).changes] == [start + 2]


def test_what_is_about_other_countries_is_passed_over(start: int) -> None:
    for places in (["US"], ["GB", "US"], []):
        holds.open(scope=HoldScope(jurisdictions=places), reason="r", by=BY, at=AT)
    person("dora", "DE")
    person("gwen", "GB-SCT")
    told = [(one["position"] - start, one["details"]["jurisdictions"]) for one in read(OF_BRITAIN, start).changes]
    assert told == [(2, ["GB"]), (3, []), (5, ["GB-SCT"])]


def test_reasons_cases_and_counts_of_people_are_told_to_nobody(start: int, alice: Subject) -> None:
    scope = HoldScope(recipients=["linkwell", "northlight"])
    hold = holds.open(scope=scope, reason="what they wrote to us", authority="Theirs", by=BY, at=AT)
    holds.ask_to_lift(hold=hold, by=BY, at=AT)
    holds.lift(hold=hold, by=OTHER, at=AT)
    person("gwen", "GB")
    rules.enact(proposal=PROPOSAL, by=BY, at=AT)
    amendments.amend(subject=alice, jurisdiction="DE", by=BY, at=AT)
    sent(row())
    kinds = {one["kind"]: one["details"] for one in read(EVERYTHING, start).changes}
    assert kinds["hold_opened"].keys() == kinds["hold_lifted"].keys()
    assert kinds["hold_opened"] == {
        "hold": str(hold.pk),
        "purposes": [],
        "jurisdictions": [],
        "recipients": ["linkwell", "northlight"],
        "data_from": None,
        "data_until": None,
    }
    assert kinds["people"] == {"jurisdictions": ["GB"]}
    assert not kinds["rule"].keys() & {"explanation", "source"}
    assert (kinds["amendment"], kinds["choice"]) == ({}, {})
    (told, *_) = read(OF_BRITAIN, start).changes
    assert told["details"]["recipients"] == ["linkwell"]


def test_a_page_full_of_what_is_hidden_says_that_there_is_more(start: int, alice: Subject, grace: Subject) -> None:
    for _ in range(3):
        say(alice, Action.DENY)
    say(grace, Action.DENY)
    first = read(OF_BRITAIN, start, limit=3)
    assert (first.changes, first.next, first.more) == ([], start + 3, True)
    assert len(read(OF_BRITAIN, first.next, limit=3).changes) == 1


def test_page_by_page_is_the_same_as_all_at_once(start: int, alice: Subject, grace: Subject) -> None:
    for number in range(7):
        say([alice, grace][number % 2], Action.DENY)
    paged, after, more = [], 0, True
    while more:
        feed = read(EVERYTHING, after, limit=2)
        paged, after, more = paged + feed.changes, feed.next, feed.more
    assert paged == read(EVERYTHING, 0).changes


def test_whoever_was_erased_has_no_name_left(start: int, alice: Subject) -> None:
    say(alice, Action.DENY)
    subjects.forget(subject=alice, by=BY, at=AT)
    choice, forgotten = read(EVERYTHING, start).changes
    assert (choice["action"], choice["subject"]) == ("deny", None)
    assert (forgotten["kind"], forgotten["subject"]) == ("amendment", None)


def test_where_somebody_lived_before_is_told_to_nobody(start: int, alice: Subject) -> None:
    amendments.amend(subject=alice, jurisdiction="DE", by=BY, at=AT)
    (change,) = read(EVERYTHING, start).changes
    assert (change["kind"], change["details"]) == ("amendment", {})


def test_after_the_end_there_is_nothing_and_the_cursor_stays(start: int) -> None:
    assert read(EVERYTHING, start) == Feed(changes=[], next=start, more=False)


def test_beyond_the_end_nobody_waits_for_what_they_have_missed(start: int) -> None:
    with pytest.raises(FeedError) as refusal:
        read(EVERYTHING, start + 1)
    assert refusal.value.code == "position_unknown"


def test_waiting_in_vain_ends_in_time(start: int) -> None:
    began = time.monotonic()
    assert change_feed.wait(viewer=EVERYTHING, after=start, limit=10, seconds=0.4).changes == []
    assert time.monotonic() - began >= 0.4


def test_who_waits_is_woken_by_news(start: int, grace: Subject) -> None:
    feeds: list[Feed] = []

    def wait() -> None:
        try:
            feeds.append(change_feed.wait(viewer=OF_BRITAIN, after=start, limit=10, seconds=50))
        finally:
            connections.close_all()

    thread = threading.Thread(target=wait)
    thread.start()
    say(grace, Action.DENY)
    sequenced()
    thread.join(20)
    assert [change["subject"]["value"] for change in feeds[0].changes] == ["m_grace"]


def test_who_waits_is_not_woken_by_what_it_may_not_see(start: int, alice: Subject) -> None:
    say(alice, Action.DENY)
    sequenced()
    feed = change_feed.wait(viewer=OF_BRITAIN, after=start, limit=10, seconds=0.3)
    assert (feed.changes, feed.next) == ([], start + 1)
