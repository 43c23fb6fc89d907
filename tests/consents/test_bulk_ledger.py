"""Many choices at once: by the rules of one, whatever the history; what cannot be recorded is refused by its line."""

import itertools
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consents import amendments, bulk_ledger, ledger, personal_keys, subjects
from consents.models import ImportedKey, LedgerEvent, Preference, Subject
from consents.subjects import Newcomer
from consents.vocabulary import SAID, Action, Source
from portal.models import AuditEntry
from tests.conftest import AT, BY, person
from tests.consents.asking import ask, say, tables_as_text, why
from tests.consents.sending import SENDER, row, sent

MINUTE = timedelta(minutes=1)


def choices() -> list[tuple[str, str]]:
    events = LedgerEvent.objects.filter(kind="choice").order_by("pk")
    return list(events.values_list("action", "purpose"))


def test_a_row_becomes_event_preference_and_decision(alice: Subject) -> None:
    more = {"recipient": "northlight", "category": "posts", "notice": "ai-training/1", "evidence": "box 3 – ✓"}
    assert sent(row(**more), at=AT + MINUTE).recorded == 1
    event = LedgerEvent.objects.get(kind="choice")
    assert (event.subject_id, event.action, event.source, event.actor) == (alice.pk, "deny", "import", SENDER)
    assert (event.recipient, event.category, event.notice) == ("northlight", "posts", "ai-training/1")
    assert (event.occurred_at, event.recorded_at, event.details["line"]) == (AT, AT + MINUTE, 1)
    assert event.evidence is not None
    assert personal_keys.unseal(alice, event.evidence, context="evidence") == "box 3 – ✓"
    held = Preference.objects.get()
    assert (held.event_id, held.action, held.slot, held.recorded_at) == (event.pk, "deny", "choice", AT + MINUTE)
    answer = ask(alice, recipient="northlight", category="posts", at=AT + MINUTE)
    assert why(answer) == (False, "own_choice")


def test_a_batch_has_one_entry_in_the_audit_trail(alice: Subject, charlie: Subject) -> None:
    sent(row(), row("m_charlie"), row("m_nobody"))
    entry = AuditEntry.objects.get(action="choices.import")
    assert (entry.actor, entry.object_type) == (SENDER, "import")
    assert entry.details == {"recorded": 2, "repeated": 0, "rejected": 1, "amended": 0}


def test_without_that_entry_nothing_is_written(alice: Subject) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE portal_auditentry ADD CONSTRAINT no_more CHECK (false) NOT VALID")
    before = tables_as_text()
    with pytest.raises(DatabaseError), transaction.atomic():
        sent(row(), row(purpose="marketing", key="k1", is_minor="yes"))
    assert tables_as_text() == before


@pytest.mark.parametrize("value", ["alice@example.org", " Alice@Example.ORG "])
def test_a_person_is_found_by_address_under_every_index_key(alice: Subject, settings: Any, value: str) -> None:
    ring = settings.INDEX_KEYS
    settings.INDEX_KEYS = type(ring)({"new": bytes(32), **ring.keys})
    assert sent(row(value, scheme="email")).recorded == 1


@pytest.mark.parametrize("value", ["m_äöü–木🌲", "back\\slash\\N", "\\.", "tab and 'quote\"", "null", "%s {} $1"])
def test_any_printable_reference_finds_its_person(world: None, value: str) -> None:
    subjects.register(newcomer=Newcomer((subjects.name("account", value),), "GB"), by=BY, at=AT)
    assert sent(row(value), row("m_nobody")).refused == [(2, "unknown_subject")]


def test_the_unknown_and_the_forgotten_are_refused_by_line(alice: Subject, charlie: Subject) -> None:
    subjects.forget(subject=charlie, by=BY, at=AT)
    outcome = sent(row(), row("m_nobody"), row("m_charlie"), row("charlie@example.org", scheme="email"))
    assert outcome.refused == [(2, "unknown_subject"), (3, "suppressed"), (4, "suppressed")]
    assert outcome.recorded == 1


def test_a_sender_reaches_only_people_of_its_places(alice: Subject, grace: Subject) -> None:
    person("dora", "DE-BY")
    rows = [row(), row("m_grace"), row("m_dora")]
    assert sent(*rows, jurisdictions=("EEA", "GB")).refused == [(1, "unknown_subject")]
    assert sent(*rows, jurisdictions=("GB", "*")).refused == []


class TestRepetition:
    def test_what_was_said_already_is_not_said_again(self, alice: Subject) -> None:
        rows = [row(), row(), row("alice@example.org", scheme="email"), row(action="grant")]
        assert (sent(*rows).recorded, sent(*rows).repeated) == (2, 4)
        assert choices() == [("deny", "ai-training"), ("grant", "ai-training")]

    def test_also_where_something_later_was_said_since(self, alice: Subject) -> None:
        sent(row())
        say(alice, Action.GRANT, at=AT + MINUTE)
        assert sent(row(), at=AT + 2 * MINUTE).repeated == 1
        assert Preference.objects.get().action == "grant"

    def test_the_same_moment_through_another_door_is_another_choice(self, alice: Subject) -> None:
        say(alice, Action.DENY)
        assert sent(row()).recorded == 1

    def test_a_key_that_came_before_writes_nothing(self, alice: Subject) -> None:
        assert sent(row(key="k1"), row(key="k1"), row(purpose="marketing", key="k2")).repeated == 1
        assert sent(row(key="k1"), row(purpose="marketing", key="k2")).repeated == 2
        assert ImportedKey.objects.count() == 2

    def test_a_key_with_another_choice_is_refused(self, alice: Subject) -> None:
        rows = [row(key="k1"), row(action="grant", key="k1"), row(action="grant", key="k2")]
        assert sent(*rows).refused == [(2, "key_reused")]
        assert sent(row(occurred_at=AT - MINUTE, key="k1")).refused == [(1, "key_reused")]
        assert len(choices()) == 2

    def test_a_refused_row_does_not_use_its_key_up(self, alice: Subject) -> None:
        assert sent(row("m_nobody", key="k1"), row(key="k1")).recorded == 1


@pytest.mark.parametrize("source", [Source.REQUEST, Source.STAFF])
def test_what_our_staff_restricted_is_lifted_by_no_file(alice: Subject, charlie: Subject, source: Source) -> None:
    scope, origin = ledger.Scope("marketing"), ledger.Origin(source, by=BY)
    ledger.record(subject=alice, scope=scope, action=Action.RESTRICT, origin=origin, at=AT)
    lift = {"action": "unrestrict", "purpose": "marketing", "occurred_at": AT + MINUTE}
    rows = [row(**lift, key="k1"), row(**lift, key="k1"), row("m_charlie", **lift), row(**{**lift, "occurred_at": AT})]
    outcome = sent(*rows, at=AT + MINUTE)
    assert outcome.refused == [(1, "restriction_not_yours"), (2, "restriction_not_yours")]
    assert (outcome.recorded, outcome.repeated, ImportedKey.objects.count()) == (2, 0, 0)
    assert alice.preferences.get().action == "restrict"


class TestMinors:
    def test_a_stated_age_amends_the_person_and_says_what_was(self, alice: Subject) -> None:
        assert sent(row(is_minor="yes"), at=AT + MINUTE).amended == 1
        alice.refresh_from_db()
        assert (alice.is_minor, alice.amended_at) == (True, AT + MINUTE)
        event = LedgerEvent.objects.get(kind="amendment")
        assert (event.subject_id, event.details["was"], event.source) == (alice.pk, {"is_minor": False}, "import")
        assert AuditEntry.objects.get(action="subject.amend").object_id == str(alice.pk)

    def test_what_is_so_already_writes_nothing(self, alice: Subject) -> None:
        assert sent(row(is_minor="no")).amended == 0
        assert not LedgerEvent.objects.filter(kind="amendment").exists()

    def test_the_latest_word_counts_in_whichever_order_it_comes(self, alice: Subject) -> None:
        old, new = AT - 2 * MINUTE, AT - MINUTE
        said = [row(is_minor="yes", occurred_at=new), row(is_minor="no", occurred_at=old, purpose="marketing")]
        assert sent(*said).amended == 1
        assert sent(row(is_minor="no", occurred_at=old, category="posts")).amended == 0
        alice.refresh_from_db()
        assert alice.is_minor
        # nor is the moment of the registration later than the registration
        assert sent(row(is_minor="no", category="posts")).amended == 0
        later = AT + MINUTE
        assert sent(row(is_minor="no", category="posts", occurred_at=later), at=later).amended == 1

    def test_a_word_from_before_the_registration_makes_no_adult(self, world: None) -> None:
        young = person("young", is_minor=True)
        assert sent(row("m_young", is_minor="no", occurred_at=AT - MINUTE)).amended == 0
        young.refresh_from_db()
        assert young.is_minor

    def test_a_word_of_the_moment_of_a_correction_makes_no_adult(self, alice: Subject) -> None:
        later = AT + MINUTE
        amendments.amend(subject=alice, is_minor=True, by=BY, at=later)
        assert sent(row(is_minor="no", occurred_at=later), at=later).amended == 0

    def test_a_repeated_choice_amends_too(self, alice: Subject) -> None:
        assert sent(row(is_minor="")).recorded == 1
        again = sent(row(is_minor="yes"))
        assert (again.recorded, again.repeated, again.amended) == (0, 1, 1)
        assert sent(row(is_minor="yes")).amended == 0

    def test_a_row_that_is_refused_amends_nobody(self, alice: Subject) -> None:
        sent(row(key="k1"))
        refused = sent(row(key="k1", purpose="marketing", is_minor="yes"))
        assert (refused.refused, refused.amended) == ([(1, "key_reused")], 0)

    def test_a_repeated_row_does_not_undo_a_correction(self, alice: Subject) -> None:
        sent(row(is_minor="yes"))
        amendments.amend(subject=alice, is_minor=False, by=BY, at=AT + MINUTE)
        assert sent(row(is_minor="yes"), at=AT + MINUTE).amended == 0

    def test_a_slower_clock_does_not_hide_what_a_faster_one_corrected(self, alice: Subject) -> None:
        ahead = AT + 2 * MINUTE
        amendments.amend(subject=alice, jurisdiction="GB", by=BY, at=ahead)
        assert sent(row(is_minor="yes"), at=AT + MINUTE).amended == 1
        alice.refresh_from_db()
        assert alice.amended_at == ahead


@pytest.mark.django_db(transaction=True)
def test_nobody_is_forgotten_in_the_middle_of_a_batch(alice: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """The erasure waits for the batch, and then finds what it has written."""
    ends: list[str] = []

    def forget() -> None:
        try:
            subjects.forget(subject=alice, by=BY, at=AT)
            ends.append("forgotten")
        finally:
            connections.close_all()

    eraser = threading.Thread(target=forget)

    def locked(place: str) -> None:
        if place == "import.recorded" and not ends:
            eraser.start()
            eraser.join(0.3)
            ends.append("recorded")

    monkeypatch.setattr(bulk_ledger, "reach", locked)
    assert sent(row()).recorded == 1
    eraser.join(20)
    assert ends == ["recorded", "forgotten"]
    assert sent(row(purpose="marketing")).refused == [(1, "suppressed")]


NUMBERS = itertools.count()
PURPOSES = ["ai-training", "ai-training/affiliates", "marketing"]
HISTORY = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(PURPOSES),
        st.sampled_from(["", "northlight"]),
        st.sampled_from(["", "posts"]),
        st.sampled_from(list(SAID)),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=14,
)
Entry = tuple[int, str, str, str, Action, int]


@pytest.mark.django_db(transaction=True)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(history=HISTORY, size=st.integers(1, 5))
def test_many_at_once_leave_what_one_by_one_would(world: None, history: list[Entry], size: int) -> None:
    """The same random history for two pairs of people: events, preferences and decisions do not differ."""
    number = next(NUMBERS)
    single, many = ([person(f"{way}{number}_{who}") for who in range(2)] for way in ("s", "m"))
    moments = []
    for start in range(0, len(history), size):
        part, at = history[start : start + size], AT + timedelta(hours=start + 5)
        moments.append(at)
        _one_by_one(single, part, at)
        sent(*(_row(many, one) for one in part), at=at)
    for one, other in zip(single, many, strict=True):
        assert _events(one) == _events(other)
        assert _preferences(one) == _preferences(other)
        for at, purpose, recipient in itertools.product(moments, PURPOSES, ["", "northlight"]):
            answers = [ask(who, purpose, at=at, recipient=recipient, category="posts") for who in (one, other)]
            assert answers[0].reasons == answers[1].reasons


def _one_by_one(people: list[Subject], part: list[Entry], at: Any) -> None:
    for who, purpose, recipient, category, action, late in part:
        occurred_at = AT - timedelta(hours=late)
        known = LedgerEvent.objects.filter(
            subject_id=people[who].pk, purpose=purpose, recipient=recipient, category=category, action=action
        ).filter(occurred_at=occurred_at)
        if not known.exists():
            ledger.record(
                subject=people[who],
                scope=ledger.Scope(purpose, recipient, category),
                action=action,
                origin=ledger.Origin(source=Source.IMPORT, by=SENDER),
                at=at,
                occurred_at=occurred_at,
            )


def _row(people: list[Subject], entry: Entry) -> Any:
    who, purpose, recipient, category, action, late = entry
    value = subjects.values([people[who].pk], scheme="account")[people[who].pk]
    scope = {"purpose": purpose, "recipient": recipient, "category": category}
    return row(value, action, occurred_at=AT - timedelta(hours=late), **scope)


def _events(subject: Subject) -> list[tuple[object, ...]]:
    of_person = LedgerEvent.objects.filter(subject_id=subject.pk).order_by("transaction_id", "pk")
    fields = ("kind", "purpose", "recipient", "category", "action", "source", "actor", "occurred_at", "recorded_at")
    return list(of_person.values_list(*fields))


def _preferences(subject: Subject) -> set[tuple[object, ...]]:
    fields = ("slot", "purpose", "recipient", "category", "action", "occurred_at", "recorded_at")
    held = {one[:-1]: one[-1] for one in subject.preferences.values_list(*fields, "event_id")}
    events = {one.pk: (one.action, one.occurred_at) for one in LedgerEvent.objects.filter(subject_id=subject.pk)}
    # the preference names the event that it follows
    assert all(events[event_id] == (key[4], key[5]) for key, event_id in held.items())
    return set(held)
