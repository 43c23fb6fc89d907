"""Holds: everyone in scope at once, and two people to lift one."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from consents import holds
from consents.holds import HoldScope
from consents.models import Hold, LedgerEvent, Subject
from consents.vocabulary import Action
from portal.errors import Conflict, DomainError
from portal.models import AuditEntry
from tests.conftest import AT, BY, OTHER, person
from tests.consents.asking import ask, say, why

LATER = AT + timedelta(hours=1)


def open_hold(scope: HoldScope | None = None, *, reason: str = "The ICO asked.") -> Hold:
    return holds.open(scope=scope or HoldScope(), reason=reason, by=BY, at=AT, authority="ICO")


def test_a_hold_denies_at_once_and_says_why(grace: Subject) -> None:
    before = ask(grace)
    hold = open_hold(HoldScope(jurisdictions=["GB"]))
    held = ask(grace)
    assert before.allow
    assert (held.allow, held.decisive.code, held.hold) == (False, "hold", hold)
    assert "The ICO asked." in held.decisive.text


def test_a_hold_denies_even_whom_it_finds_agreed(grace: Subject) -> None:
    say(grace, Action.GRANT)
    open_hold(HoldScope(jurisdictions=["GB"]))
    assert why(ask(grace)) == (False, "hold")


@pytest.mark.parametrize(
    ("scope", "jurisdiction", "held"),
    [
        (HoldScope(), "US", True),
        (HoldScope(jurisdictions=["*"]), "US", True),
        (HoldScope(jurisdictions=["GB"]), "GB-SCT", True),
        (HoldScope(jurisdictions=["GB-SCT"]), "GB", False),
        (HoldScope(jurisdictions=["GB-SCT"]), "GB-SCT", True),
        (HoldScope(jurisdictions=["EEA"]), "IS", True),
        (HoldScope(jurisdictions=["EEA", "GB"]), "GB", True),
        (HoldScope(jurisdictions=["EU"]), "IS", False),
        (HoldScope(jurisdictions=["gb"]), "GB", True),
        (HoldScope(purposes=["ai-training"]), "GB", True),
        (HoldScope(purposes=["marketing"]), "GB", False),
        (HoldScope(purposes=["ai-training/affiliates"]), "GB", False),
        (HoldScope(recipients=["linkwell"]), "GB", True),
        (HoldScope(recipients=["northlight"]), "GB", False),
        (HoldScope(["ai-training"], ["GB"], ["linkwell"]), "GB", True),
        (HoldScope(["ai-training"], ["GB"], ["linkwell"]), "US", False),
    ],
)
def test_a_hold_pauses_what_is_in_its_scope(world: None, scope: HoldScope, jurisdiction: str, held: bool) -> None:
    subject = person("somebody", jurisdiction)
    open_hold(scope)
    assert (ask(subject, recipient="linkwell").hold is not None) is held


def test_a_hold_of_the_whole_pauses_its_parts(grace: Subject) -> None:
    open_hold(HoldScope(purposes=["ai-training"]))
    assert why(ask(grace, "ai-training/affiliates", recipient="northlight")) == (False, "hold")


def test_people_in_scope_are_counted_before_it_is_opened(grace: Subject, alice: Subject) -> None:
    person("scot", "GB-SCT")
    assert holds.people_in(HoldScope(jurisdictions=["GB"])) == 2
    assert holds.people_in(HoldScope(jurisdictions=["EEA"])) == 0
    assert holds.people_in(HoldScope()) == 3


@pytest.mark.django_db(transaction=True)
def test_a_hold_denies_from_its_commit_on_in_every_connection(grace: Subject) -> None:
    def elsewhere() -> tuple[bool, str]:
        with ThreadPoolExecutor(1) as other:
            return other.submit(asked_elsewhere, grace).result()

    assert elsewhere() == (True, "default")
    with transaction.atomic():
        open_hold(HoldScope(jurisdictions=["GB"]))
        assert elsewhere() == (True, "default")
    assert elsewhere() == (False, "hold")


def asked_elsewhere(subject: Subject) -> tuple[bool, str]:
    try:
        return why(ask(subject))
    finally:
        connection.close()


def test_the_log_commits_to_every_field_of_a_hold(world: None) -> None:
    span = (AT - timedelta(days=9), AT - timedelta(days=2))
    hold = open_hold(HoldScope(["ai-training"], ["GB"], ["linkwell"], *span))
    assert LedgerEvent.objects.get(kind="hold_opened").details == {
        "hold": str(hold.pk),
        "purposes": ["ai-training"],
        "jurisdictions": ["GB"],
        "recipients": ["linkwell"],
        "data_from": span[0].isoformat(),
        "data_until": span[1].isoformat(),
        "authority": "ICO",
        "reason": "The ICO asked.",
        "case": None,
    }


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("scope", "reason", "code"),
    [
        (HoldScope(data_from=AT, data_until=AT), "r", "span_ends_before_it_begins"),
        (HoldScope(data_from=AT.replace(tzinfo=None)), "r", "time_without_zone"),
        (HoldScope(), "  ", "reason_missing"),
        (HoldScope(purposes=["nothing"]), "r", "unknown_purpose"),
        (HoldScope(recipients=["nobody"]), "r", "unknown_recipient"),
        (HoldScope(jurisdictions=["Britain"]), "r", "unknown_jurisdiction"),
    ],
)
def test_a_hold_that_cannot_be_opened_is_refused(scope: HoldScope, reason: str, code: str) -> None:
    with pytest.raises(DomainError) as refusal:
        open_hold(scope, reason=reason)
    assert refusal.value.code == code
    assert not Hold.objects.exists()


def test_lifting_takes_two_and_gives_decisions_back(grace: Subject) -> None:
    hold = open_hold()
    holds.ask_to_lift(hold=hold, by=BY, at=AT)
    assert not ask(grace).allow
    holds.lift(hold=hold, by=OTHER, at=LATER)
    assert ask(grace, at=LATER).allow
    assert why(ask(grace, at=LATER - timedelta(seconds=1))) == (False, "hold")


def test_who_asked_cannot_lift(world: None) -> None:
    hold = open_hold()
    holds.ask_to_lift(hold=hold, by=OTHER, at=AT)
    with pytest.raises(Conflict) as refusal:
        holds.lift(hold=hold, by=OTHER, at=AT)
    assert refusal.value.code == "second_person_needed"


def test_not_even_the_database_lets_one_person_lift(world: None) -> None:
    hold = open_hold()
    with pytest.raises(IntegrityError, match="lifted_by_a_second_person"):
        Hold.objects.filter(pk=hold.pk).update(lift_asked_at=AT, lift_asked_by=BY, lifted_at=AT, lifted_by=BY)


def test_nobody_lifts_what_nobody_asked_to_lift(world: None) -> None:
    with pytest.raises(Conflict) as refusal:
        holds.lift(hold=open_hold(), by=OTHER, at=AT)
    assert refusal.value.code == "lift_not_asked"


def test_lifting_is_asked_for_once(world: None) -> None:
    hold = open_hold()
    holds.ask_to_lift(hold=hold, by=BY, at=AT)
    with pytest.raises(Conflict) as refusal:
        holds.ask_to_lift(hold=hold, by=OTHER, at=AT)
    assert refusal.value.code == "lift_already_asked"


@pytest.mark.parametrize("act", [holds.ask_to_lift, holds.lift])
def test_a_lifted_hold_stays_lifted(world: None, act: object) -> None:
    hold = open_hold()
    holds.ask_to_lift(hold=hold, by=BY, at=AT)
    holds.lift(hold=hold, by=OTHER, at=AT)
    with pytest.raises(Conflict) as refusal:
        act(hold=hold, by=OTHER, at=AT)  # type: ignore[operator]
    assert refusal.value.code == "hold_lifted"


def test_opening_and_lifting_are_in_the_ledger_and_the_trail(world: None) -> None:
    hold = open_hold(HoldScope(jurisdictions=["GB"]))
    holds.ask_to_lift(hold=hold, by=BY, at=AT)
    holds.lift(hold=hold, by=OTHER, at=LATER)
    kinds = LedgerEvent.objects.filter(details__hold=str(hold.pk)).order_by("recorded_at")
    assert list(kinds.values_list("kind", flat=True)) == ["hold_opened", "hold_lifted"]
    trail = AuditEntry.objects.filter(object_id=str(hold.pk)).order_by("pk").values_list("action", flat=True)
    assert list(trail) == ["hold.open", "hold.ask_to_lift", "hold.lift"]
    assert holds.opening_event(hold) == kinds[0].pk
