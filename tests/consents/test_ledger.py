"""Recording choices: the event, the preference, the order."""

import threading
from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from consents import ledger, personal_keys, subjects
from consents.ledger import ChoiceError, Origin, Scope
from consents.models import LedgerEvent, Preference, Subject
from consents.vocabulary import PROTECTIVE, Action, Kind, Source
from portal.errors import Conflict, DomainError
from portal.models import AuditEntry
from tests.conftest import AT, BY
from tests.consents.asking import ask, say, why

LATER = AT + timedelta(hours=1)


def preference(subject: Subject) -> Preference:
    return Preference.objects.get(subject=subject)


def test_a_choice_is_an_event_a_preference_and_an_audit_entry(alice: Subject) -> None:
    event = say(alice, Action.DENY, occurred_at=AT - timedelta(days=1))
    assert (event.kind, event.action, event.subject_id) == ("choice", "deny", alice.pk)
    assert (event.occurred_at, event.recorded_at) == (AT - timedelta(days=1), AT)
    assert (preference(alice).action, preference(alice).event_id) == ("deny", event.pk)
    trail = AuditEntry.objects.get(action="choice.deny")
    assert (trail.object_id, trail.details["event"]) == (str(alice.pk), str(event.pk))


def test_a_choice_costs_so_many_statements(alice: Subject, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    say(alice, Action.GRANT)
    # savepoint, person, event with preference and audit entry, release
    with django_assert_num_queries(4):
        say(alice, Action.DENY)


def test_a_newer_choice_takes_the_place_of_the_older(alice: Subject) -> None:
    say(alice, Action.DENY)
    say(alice, Action.GRANT, at=LATER)
    assert preference(alice).action == "grant"
    assert LedgerEvent.objects.filter(kind="choice").count() == 2


def test_an_older_choice_that_comes_late_does_not_win(alice: Subject) -> None:
    say(alice, Action.DENY)
    say(alice, Action.GRANT, at=LATER, occurred_at=AT - timedelta(days=1))
    assert preference(alice).action == "deny"
    assert not ask(alice, at=LATER).allow


@pytest.mark.parametrize("order", [(Action.GRANT, Action.DENY), (Action.DENY, Action.GRANT)])
def test_of_two_at_the_same_moment_the_more_protective_wins(alice: Subject, order: tuple[Action, Action]) -> None:
    for action in order:
        say(alice, action)
    assert preference(alice).action == "deny"


def test_a_repeated_no_is_recorded_and_changes_nothing(alice: Subject) -> None:
    say(alice, Action.DENY)
    say(alice, Action.OBJECT, at=LATER)
    assert preference(alice).action == "object"
    assert why(ask(alice, at=LATER)) == (False, "own_choice")


def test_choices_of_other_scopes_stand_beside_each_other(alice: Subject) -> None:
    say(alice, Action.DENY)
    say(alice, Action.GRANT, recipient="linkwell")
    say(alice, Action.GRANT, category="posts")
    say(alice, Action.RESTRICT)
    say(alice, Action.RESTRICT, "")
    assert Preference.objects.filter(subject=alice).count() == 5


@pytest.mark.parametrize(
    ("purpose", "recipient", "category", "action", "code"),
    [
        ("nothing", "", "", Action.DENY, "unknown_purpose"),
        ("", "", "", Action.DENY, "unknown_purpose"),
        ("ai-training", "nobody", "", Action.DENY, "unknown_recipient"),
        ("ai-training", "", "thoughts", Action.DENY, "unknown_category"),
        ("nothing", "", "", Action.RESTRICT, "unknown_purpose"),
    ],
)
def test_a_choice_about_nothing_known_is_refused(
    alice: Subject, purpose: str, recipient: str, category: str, action: Action, code: str
) -> None:
    with pytest.raises(DomainError) as refusal:
        say(alice, action, purpose, recipient=recipient, category=category)
    assert refusal.value.code == code
    assert not LedgerEvent.objects.filter(kind="choice").exists()


def test_a_clock_may_run_five_minutes_ahead_and_no_more(alice: Subject) -> None:
    say(alice, Action.DENY, occurred_at=AT + timedelta(minutes=5))
    with pytest.raises(ChoiceError) as refusal:
        say(alice, Action.GRANT, occurred_at=AT + timedelta(minutes=5, seconds=1))
    assert refusal.value.code == "time_in_future"
    assert preference(alice).action == "deny"


def test_a_time_without_zone_is_refused(alice: Subject) -> None:
    with pytest.raises(ChoiceError) as refusal:
        say(alice, Action.DENY, occurred_at=datetime(2026, 3, 1))  # noqa: DTZ001 -- what is refused
    assert refusal.value.code == "time_without_zone"


def test_evidence_is_sealed_under_the_persons_key(alice: Subject) -> None:
    origin = Origin(source=Source.PARTNER, by="partner:acme", evidence="recording 7")
    event = ledger.record(subject=alice, scope=Scope("marketing"), action=Action.GRANT, origin=origin, at=AT)
    assert event.evidence is not None
    assert b"recording" not in bytes(event.evidence)
    assert personal_keys.unseal(alice, event.evidence, context="evidence") == "recording 7"


def test_withdrawing_everything_closes_each_open_yes(alice: Subject) -> None:
    say(alice, Action.GRANT, "marketing")
    say(alice, Action.GRANT, recipient="linkwell")
    say(alice, Action.DENY, "ai-training/affiliates")
    assert ledger.withdraw_everything(subject=alice, by=BY, at=LATER) == 2
    assert not Preference.objects.filter(action="grant").exists()
    assert ledger.withdraw_everything(subject=alice, by=BY, at=LATER) == 0


def test_a_yes_dated_ahead_of_our_clock_is_withdrawn_all_the_same(alice: Subject) -> None:
    say(alice, Action.GRANT, "marketing", occurred_at=AT + timedelta(minutes=4))
    ledger.withdraw_everything(subject=alice, by=BY, at=AT)
    assert preference(alice).action == "withdraw"


AHEAD = AT + timedelta(minutes=4)


def said_at(subject: Subject, action: Action, source: Source, occurred_at: datetime | None) -> LedgerEvent:
    origin = Origin(source=source, by="somebody")
    return ledger.record(
        subject=subject, scope=Scope("marketing"), action=action, origin=origin, at=AT, occurred_at=occurred_at
    )


@pytest.mark.parametrize("source", [Source.SELF_SERVICE, Source.REQUEST, Source.STAFF, Source.GPC])
@pytest.mark.parametrize(("stood", "said"), [(Action.GRANT, Action.DENY), (Action.DENY, Action.GRANT)])
def test_what_is_said_to_us_wins_over_a_clock_that_ran_ahead(
    alice: Subject, source: Source, stood: Action, said: Action
) -> None:
    said_at(alice, stood, Source.PARTNER, AHEAD)
    event = said_at(alice, said, source, None)
    assert (preference(alice).action, preference(alice).event_id) == (said, event.pk)
    assert event.occurred_at == preference(alice).occurred_at == AHEAD + timedelta(microseconds=1)
    assert LedgerEvent.objects.get(pk=event.pk).occurred_at == event.occurred_at


@pytest.mark.parametrize("source", [Source.PARTNER, Source.IMPORT])
def test_a_sender_without_a_time_of_its_own_does_not_overtake(alice: Subject, source: Source) -> None:
    said_at(alice, Action.DENY, Source.PARTNER, AHEAD)
    assert said_at(alice, Action.GRANT, source, None).occurred_at == AT
    assert preference(alice).action == "deny"


def test_a_time_that_was_given_stays_as_it_was_given(alice: Subject) -> None:
    said_at(alice, Action.DENY, Source.PARTNER, AHEAD)
    assert said_at(alice, Action.GRANT, Source.STAFF, AT).occurred_at == AT
    assert preference(alice).action == "deny"


def test_a_clock_that_ran_ahead_in_another_scope_changes_no_time(alice: Subject) -> None:
    say(alice, Action.GRANT, recipient="linkwell", occurred_at=AHEAD)
    say(alice, Action.GRANT, category="posts", occurred_at=AHEAD)
    say(alice, Action.GRANT, "marketing", occurred_at=AHEAD)
    say(alice, Action.RESTRICT, occurred_at=AHEAD)
    assert say(alice, Action.DENY).occurred_at == AT


SAID = st.tuples(
    st.booleans(), st.sampled_from([Action.GRANT, Action.DENY]), st.integers(0, 600), st.integers(-600, 300)
)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(said=st.lists(SAID, min_size=1, max_size=8))
def test_the_person_always_has_the_last_word(alice: Subject, said: list[tuple[bool, Action, int, int]]) -> None:
    """Between partners with whatever clocks: after each word of the person's own, that is what stands."""
    at, origin = AT, Origin(source=Source.PARTNER, by="partner:acme")
    with transaction.atomic():
        for is_own, action, passed, skew in said:
            at += timedelta(seconds=passed, microseconds=1)
            if is_own:
                event = say(alice, action, at=at)
                assert (preference(alice).event_id, preference(alice).action) == (event.pk, action)
            else:
                sent = at + timedelta(seconds=skew)
                scope = Scope("ai-training")
                ledger.record(subject=alice, scope=scope, action=action, origin=origin, at=at, occurred_at=sent)
            assert seen_later(alice) == preference(alice).event_id
        transaction.set_rollback(True)


def seen_later(subject: Subject) -> object:
    """The event that wins by the times in the ledger alone, as a snapshot and a verifier see it."""
    every = LedgerEvent.objects.filter(subject_id=subject.pk, kind="choice")
    return max(every, key=lambda one: (one.occurred_at, one.action in PROTECTIVE, one.pk)).pk


@pytest.mark.django_db(transaction=True)
def test_whoever_is_being_forgotten_is_not_written_about(alice: Subject) -> None:
    """The choice was made with a copy of the person read before they were forgotten."""
    told: list[str] = []

    def choose() -> None:
        try:
            say(alice, Action.GRANT, "marketing")
        except Conflict as refusal:
            told.append(refusal.code)
        finally:
            connection.close()

    with transaction.atomic():
        subjects.forget(subject=Subject.objects.get(), by=BY, at=AT)
        thread = threading.Thread(target=choose)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
    thread.join(20)
    assert told == ["erased"]
    assert not LedgerEvent.objects.filter(kind="choice").exists()


@pytest.mark.django_db(transaction=True)
def test_of_choices_made_at_once_the_most_protective_stays(alice: Subject) -> None:
    barrier = threading.Barrier(4)

    def choose(action: Action) -> None:
        try:
            barrier.wait(10)
            say(alice, action)
        finally:
            connection.close()

    actions = [Action.GRANT, Action.DENY, Action.GRANT, Action.GRANT]
    threads = [threading.Thread(target=choose, args=[action]) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert preference(alice).action == "deny"
    assert LedgerEvent.objects.filter(kind="choice").count() == 4


def test_many_events_at_once_keep_their_order_and_each_has_its_salt(alice: Subject) -> None:
    scopes = [ledger.Scope("marketing", "linkwell", "profile"), ledger.Scope("marketing")]
    about = [ledger.About(alice.pk, scope, {"reason": f"“{place}”"}) for place, scope in enumerate(scopes)]
    ledger.append_many(kind=Kind.EXPIRY, by="system:heed", at=AT, about=about)
    first, second = LedgerEvent.objects.filter(kind=Kind.EXPIRY).order_by("id")
    assert (first.subject_id, first.purpose, first.recipient, first.category) == (
        alice.pk,
        "marketing",
        "linkwell",
        "profile",
    )
    assert (first.details, second.details) == ({"reason": "“0”"}, {"reason": "“1”"})
    assert (second.recipient, second.actor, second.recorded_at) == ("", "system:heed", AT)
    assert first.salt != second.salt
    assert first.transaction_id == second.transaction_id


class TestRestrictionsOfOurs:
    def say(self, subject: Subject, action: Action, source: Source, *, hours: int, purpose: str = "marketing") -> None:
        at = AT + timedelta(hours=hours)
        ledger.record(
            subject=subject, scope=Scope(purpose), action=action, origin=Origin(source, by=BY), at=at, occurred_at=at
        )

    @pytest.mark.parametrize("ours", [Source.REQUEST, Source.STAFF])
    @pytest.mark.parametrize("door", [Source.PARTNER, Source.IMPORT])
    def test_no_partner_and_no_file_lifts_them(self, alice: Subject, ours: Source, door: Source) -> None:
        self.say(alice, Action.RESTRICT, ours, hours=0)
        # its own restriction takes the place of ours in the preference, and ours stands all the same
        self.say(alice, Action.RESTRICT, door, hours=1)
        with pytest.raises(Conflict) as refusal:
            self.say(alice, Action.UNRESTRICT, door, hours=2)
        assert refusal.value.code == "restriction_not_yours"
        assert preference(alice).action == "restrict"

    def test_what_it_says_of_before_is_recorded_and_lifts_nothing(self, alice: Subject) -> None:
        self.say(alice, Action.RESTRICT, Source.STAFF, hours=2)
        self.say(alice, Action.UNRESTRICT, Source.PARTNER, hours=1)
        assert preference(alice).action == "restrict"

    @pytest.mark.parametrize("door", [Source.REQUEST, Source.STAFF, Source.SELF_SERVICE])
    def test_we_and_the_person_lift_them(self, alice: Subject, door: Source) -> None:
        self.say(alice, Action.RESTRICT, Source.STAFF, hours=0)
        self.say(alice, Action.UNRESTRICT, door, hours=1)
        self.say(alice, Action.RESTRICT, Source.PARTNER, hours=2)
        self.say(alice, Action.UNRESTRICT, Source.PARTNER, hours=3)
        assert preference(alice).action == "unrestrict"

    def test_another_purpose_or_person_is_another_matter(self, alice: Subject, charlie: Subject) -> None:
        self.say(alice, Action.RESTRICT, Source.STAFF, hours=0)
        for one, purpose in ((alice, "ai-training"), (charlie, "marketing")):
            self.say(one, Action.UNRESTRICT, Source.PARTNER, hours=1, purpose=purpose)
        assert LedgerEvent.objects.filter(action="unrestrict").count() == 2
