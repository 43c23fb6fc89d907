"""People: registering, finding, forgetting."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from consents import amendments, ledger, personal_keys, subjects
from consents.models import Identifier, LedgerEvent, Subject
from consents.subjects import IdentifierError, Newcomer
from consents.vocabulary import Action, Kind, Source
from portal.crypto import Ring
from portal.errors import Conflict, NotFound
from portal.models import AuditEntry, User
from tests.conftest import AT, BY, person
from tests.consents.asking import tables_as_text


@pytest.mark.parametrize(
    ("scheme", "written", "read"),
    [
        ("email", " Alice@Example.ORG ", "alice@example.org"),
        ("email", "ZOE\u0308@example.org", "zoë@example.org"),
        ("phone", "+44 (20) 7946-0000", "+442079460000"),
        ("account", " m_42 ", "m_42"),
        ("account", "M_42", "M_42"),
        ("acme_id", "x y", "x y"),
    ],
)
def test_a_name_has_one_normal_form(scheme: str, written: str, read: str) -> None:
    assert subjects.name(scheme, written).value == read


@pytest.mark.parametrize(
    ("scheme", "value"),
    [
        ("email", "alice"),
        ("email", "alice@example"),
        ("email", "a b@example.org"),
        ("phone", "020 7946"),
        ("phone", "+44x"),
        ("account", ""),
        ("account", "  "),
        ("account", "a\nb"),
        ("account", "a\x00b"),
        ("account", "x" * 256),
        ("Account", "m_42"),
        ("", "m_42"),
        ("x" * 41, "m_42"),
    ],
)
def test_what_names_nobody_is_refused_without_being_quoted(scheme: str, value: str) -> None:
    with pytest.raises(IdentifierError) as refusal:
        subjects.name(scheme, value)
    assert not value.strip() or value not in refusal.value.message


def test_a_person_is_found_by_each_name(alice: Subject) -> None:
    assert subjects.find(subjects.name("account", "m_alice")) == alice
    assert subjects.get(subjects.name("email", "ALICE@example.org")) == alice


def test_nobody_is_found_by_another_name(alice: Subject) -> None:
    assert subjects.find(subjects.name("device", "m_alice")) is None
    with pytest.raises(NotFound) as refusal:
        subjects.get(subjects.name("account", "m_bob"))
    assert refusal.value.code == "unknown_subject"


def test_an_address_is_not_readable_in_the_table_and_an_account_is(alice: Subject) -> None:
    kept = {one.scheme: one for one in Identifier.objects.all()}
    assert (kept["account"].value, kept["account"].sealed) == ("m_alice", None)
    assert kept["email"].value is None
    assert b"alice" not in bytes(kept["email"].sealed or b"")


def test_an_address_can_be_opened_to_write_to_the_person(alice: Subject) -> None:
    assert subjects.contact(alice) == "alice@example.org"
    assert subjects.contact(alice, "phone") is None


def test_names_are_told_per_scheme(alice: Subject, grace: Subject) -> None:
    assert subjects.values([alice.pk, grace.pk], scheme="email") == {
        alice.pk: "alice@example.org",
        grace.pk: "grace@example.org",
    }
    assert subjects.values([alice.pk], scheme="phone") == {}


def test_everything_that_somebody_is_called_is_told(alice: Subject, grace: Subject) -> None:
    names = [subjects.name(scheme, value) for scheme, value in (("account", "also_alice"), ("email", "a@example.org"))]
    amendments.link(subject=alice, names=names, by=BY, at=AT)
    asked = [grace.pk, alice.pk]
    assert subjects.keys(asked, scheme="account") == {
        "m_alice": alice.pk,
        "m_grace": grace.pk,
        "also_alice": alice.pk,
    }
    assert set(subjects.keys(asked, scheme="email")) == {"alice@example.org", "grace@example.org", "a@example.org"}
    assert subjects.values(asked, scheme="account") == {alice.pk: "m_alice", grace.pk: "m_grace"}


@pytest.mark.parametrize("scheme", ["account", "email"])
def test_a_name_that_is_taken_is_refused(alice: Subject, scheme: str) -> None:
    value = {"account": "m_alice", "email": "Alice@example.org"}[scheme]
    again = Newcomer(names=(subjects.name(scheme, value),), jurisdiction="US")
    with pytest.raises(Conflict) as refusal:
        subjects.register(newcomer=again, by=BY, at=AT)
    assert refusal.value.code == "identifier_taken"
    assert Subject.objects.count() == 1


def test_somebody_without_a_name_is_not_registered(world: None) -> None:
    with pytest.raises(Conflict):
        subjects.register(newcomer=Newcomer(names=(), jurisdiction="US"), by=BY, at=AT)


def test_of_many_the_known_and_the_doubled_are_left_out(alice: Subject) -> None:
    def newcomer(value: str) -> Newcomer:
        return Newcomer(names=(subjects.name("account", value),), jurisdiction="FR")

    fresh = subjects.register_many(newcomers=[newcomer(one) for one in ["m_alice", "b", "b", "c"]], by=BY, at=AT)
    assert sorted(subjects.values([one.pk for one in fresh], scheme="account").values()) == ["b", "c"]


def test_taking_in_nobody_leaves_no_trace(alice: Subject) -> None:
    before = LedgerEvent.objects.count(), AuditEntry.objects.count()
    known = Newcomer(names=(subjects.name("account", "m_alice"),), jurisdiction="US")
    assert subjects.register_many(newcomers=[known], by=BY, at=AT) == []
    assert (LedgerEvent.objects.count(), AuditEntry.objects.count()) == before


def test_the_log_learns_where_new_people_live(world: None) -> None:
    person("dora", "DE")
    event = LedgerEvent.objects.get(kind="people")
    assert event.details == {"jurisdictions": ["DE"], "people": 1}


@pytest.mark.django_db(transaction=True)
def test_of_two_who_register_the_same_name_at_once_one_is_told() -> None:
    barrier, told = threading.Barrier(2), []

    def register() -> None:
        try:
            barrier.wait(10)
            person("twin")
            told.append("registered")
        except Conflict as refusal:
            told.append(refusal.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=register) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(told) == ["identifier_taken", "registered"]
    assert Subject.objects.count() == 1


def test_an_account_is_made_once_and_holds_no_address(alice: Subject) -> None:
    first = subjects.account_of(alice, at=AT)
    assert subjects.account_of(Subject.objects.get(), at=AT) == first
    assert (first.email, first.has_usable_password()) == ("", False)
    assert AuditEntry.objects.filter(action="account.open").count() == 1


def test_after_an_index_key_is_replaced_people_are_still_found(alice: Subject, settings: Any) -> None:
    settings.INDEX_KEYS = Ring({"new": bytes(32), **settings.INDEX_KEYS.keys})
    assert subjects.find(subjects.name("email", "alice@example.org")) == alice
    with pytest.raises(Conflict):
        person("alice")


def test_after_an_index_key_is_replaced_the_erased_are_not_taken_in_again(alice: Subject, settings: Any) -> None:
    subjects.forget(subject=alice, by=BY, at=AT)
    settings.INDEX_KEYS = Ring({"new": bytes(32), **settings.INDEX_KEYS.keys})
    with pytest.raises(Conflict) as refusal:
        person("alice")
    assert refusal.value.code == "suppressed"


class TestForgetting:
    def test_the_log_tells_that_the_name_means_nobody(self, alice: Subject) -> None:
        subjects.forget(subject=alice, by=BY, at=AT)
        subjects.forget(subject=alice, by=BY, at=AT)
        event = LedgerEvent.objects.get(kind=Kind.AMENDMENT)
        assert (event.subject_id, event.details) == (alice.pk, {"forgotten": True})

    @pytest.fixture
    def forgotten(self, alice: Subject) -> Subject:
        origin = ledger.Origin(source=Source.SELF_SERVICE, by=f"subject:{alice.pk}", evidence="seen by alice")
        ledger.record(subject=alice, scope=ledger.Scope("marketing"), action=Action.GRANT, origin=origin, at=AT)
        subjects.account_of(alice, at=AT)
        subjects.forget(subject=alice, by=BY, at=AT + timedelta(hours=1))
        return Subject.objects.get()

    def test_nothing_personal_of_them_remains_in_any_table(self, forgotten: Subject) -> None:
        everything = tables_as_text()
        assert str(forgotten.pk) in everything
        for value in ("alice", "seen by", b"alice".hex(), b"seen by".hex()):
            assert value not in everything.lower()

    def test_their_key_is_destroyed_and_their_account_closed(self, forgotten: Subject) -> None:
        assert (forgotten.wrapped_key, forgotten.account) == (None, None)
        assert not User.objects.exists()
        assert subjects.find(subjects.name("account", "m_alice")) is None
        assert subjects.contact(forgotten) is None

    def test_the_ledger_keeps_what_they_said_by_their_opaque_id(self, forgotten: Subject) -> None:
        event = LedgerEvent.objects.get(subject_id=forgotten.pk, kind="choice")
        assert event.evidence is not None
        assert personal_keys.unseal(forgotten, event.evidence, context="evidence") is None

    @pytest.mark.parametrize("scheme", ["account", "email"])
    def test_they_are_not_taken_in_again_by_any_name(self, forgotten: Subject, scheme: str) -> None:
        value = {"account": "m_alice", "email": "alice@example.org"}[scheme]
        again = Newcomer(names=(subjects.name(scheme, value),), jurisdiction="US")
        with pytest.raises(Conflict) as refusal:
            subjects.register(newcomer=again, by=BY, at=AT)
        assert refusal.value.code == "suppressed"
        assert subjects.was_erased(subjects.name(scheme, value))

    def test_doing_it_twice_changes_nothing(self, forgotten: Subject) -> None:
        before = AuditEntry.objects.count()
        subjects.forget(subject=forgotten, by=BY, at=AT + timedelta(days=1))
        assert AuditEntry.objects.count() == before
        assert Subject.objects.get().erased_at == AT + timedelta(hours=1)

    def test_nothing_more_is_recorded_or_sealed_or_opened_for_them(self, forgotten: Subject) -> None:
        origin = ledger.Origin(source=Source.PARTNER, by="partner:acme")
        scope = ledger.Scope("marketing")
        with pytest.raises(Conflict):
            ledger.record(subject=forgotten, scope=scope, action=Action.GRANT, origin=origin, at=AT)
        with pytest.raises(Conflict):
            personal_keys.seal(forgotten, "text", context="request")
        with pytest.raises(Conflict):
            subjects.account_of(forgotten, at=AT)


def test_places_are_where_somebody_lives(world: None) -> None:
    assert subjects.places() == []
    for number, code in enumerate(["US", "GB", "US-CA", "GB", "DE"]):
        person(f"p{number}", code)
    subjects.forget(subject=subjects.get(subjects.name("account", "m_p4")), by=BY, at=AT)
    assert subjects.places() == ["GB", "US", "US-CA"]
