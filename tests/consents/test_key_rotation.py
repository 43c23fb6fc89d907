"""Rotating keys: everything opens afterwards, whatever happens meanwhile."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.db import connection, transaction
from django.test import Client

from consents import checkpoints, key_rotation, ledger, log_verification, personal_keys, subjects
from consents.models import Checkpoint, Identifier, Subject, Suppressed
from consents.subjects import Newcomer
from consents.vocabulary import Action, Source
from portal import crypto, resealing, signing
from portal.crypto import Ring
from portal.errors import Conflict
from portal.models import AuditEntry, Session, User
from portal.resealing import FIELD, INDEX, Store, Turn
from tests.conftest import AT, BY, person, sequenced
from tests.consents.sending import UTC_NOON, imported, row, sent, written

PEOPLE, IDENTIFIERS = (
    next(one for one in key_rotation.STORES if one.name == name)
    for name in (key_rotation.PEOPLE, key_rotation.IDENTIFIERS)
)


@pytest.fixture
def new_keys(settings: Any) -> Callable[[], None]:
    """Put a new key of each ring first, as a deployment does."""

    def put() -> None:
        settings.FIELD_KEYS = Ring({"new": os.urandom(32), **settings.FIELD_KEYS.keys})
        settings.INDEX_KEYS = Ring({"new": os.urandom(32), **settings.INDEX_KEYS.keys})

    return put


def only_new_keys(settings: Any) -> None:
    settings.FIELD_KEYS = Ring({"new": settings.FIELD_KEYS.keys["new"]})
    settings.INDEX_KEYS = Ring({"new": settings.INDEX_KEYS.keys["new"]})


def rotate(*stores: Store, batch: int = 2) -> dict[str, tuple[int, int]]:
    """Walk once over these, or all; answers (done, failed) by name."""
    turns = {one.name: list(key_rotation.rotate(one, batch=batch)) for one in stores or key_rotation.STORES}
    return {name: (sum(t.done for t in each), sum(t.failed for t in each)) for name, each in turns.items() if each}


def with_phone(name: str) -> Subject:
    names = [("account", f"m_{name}"), ("email", f"{name}@example.org"), ("phone", "+44207946000"), ("acme_id", name)]
    newcomer = Newcomer(names=tuple(subjects.name(*one) for one in names), jurisdiction="GB")
    return subjects.register(newcomer=newcomer, by=BY, at=AT)


def test_afterwards_everything_opens_with_the_new_keys_alone(
    world: None, new_keys: Callable[[], None], settings: Any
) -> None:
    people = [person(name) for name in ("alice", "bert", "carla")] + [with_phone("dora")]
    sealed = personal_keys.seal(people[0], "a note", context="request")
    new_keys()
    assert rotate() == {"people's keys": (4, 0), "identifiers": (10, 0)}
    only_new_keys(settings)
    assert personal_keys.unseal(people[0], sealed, context="request") == "a note"
    assert subjects.contact(people[3]) == "dora@example.org"
    assert subjects.find(subjects.name("phone", "+44 207946000")) == people[3]
    assert subjects.find(subjects.name("account", "m_bert")) == people[1]
    assert set(Identifier.objects.values_list("index_key", flat=True)) == {"new"}


def test_a_second_rotation_finds_nothing_to_do(alice: Subject, new_keys: Callable[[], None]) -> None:
    new_keys()
    rotate()
    before = list(Subject.objects.values_list("wrapped_key"))
    assert rotate() == {}
    assert list(Subject.objects.values_list("wrapped_key")) == before


def test_a_rotation_ends_and_resumes_at_any_turn(world: None, new_keys: Callable[[], None], settings: Any) -> None:
    people = [person(f"p{number}") for number in range(5)]
    new_keys()
    for store in (PEOPLE, IDENTIFIERS):
        walk = key_rotation.rotate(store, batch=1)
        next(walk)
        walk.close()
    assert (PEOPLE.waiting(), IDENTIFIERS.waiting()) == (4, 9)
    rotate()
    only_new_keys(settings)
    assert [subjects.contact(one) for one in people] == [f"p{number}@example.org" for number in range(5)]


def test_a_person_is_found_under_old_and_new_fingerprints_meanwhile(world: None, new_keys: Callable[[], None]) -> None:
    people = [person("alice"), person("bert")]
    new_keys()
    key_rotation.reindex_turn(after=None, limit=1)
    assert [subjects.find(subjects.name("account", f"m_{name}")) for name in ("alice", "bert")] == people
    for taken in ("alice", "bert"):
        with pytest.raises(Conflict) as refusal:
            person(taken)
        assert refusal.value.code == "identifier_taken"


def test_somebody_who_registers_meanwhile_needs_no_rotation(world: None, new_keys: Callable[[], None]) -> None:
    new_keys()
    person("alice")
    assert rotate() == {}


def test_sessions_and_second_factors_are_sealed_anew(
    alice: Subject, petra: User, signed_in: Callable[..., Client], new_keys: Callable[[], None], settings: Any
) -> None:
    browser = signed_in(alice)
    TOTP.activate(petra, "JBSWY3DPEHPK3PXP")
    Authenticator.objects.create(
        user=petra,
        type=Authenticator.Type.RECOVERY_CODES,
        data={"migrated_codes": [crypto.seal(b"12345678", context=b"second-factor").hex()], "used_mask": 3},
    )
    new_keys()
    assert rotate(*resealing.STORES) == {"sessions": (1, 0), "second factors": (2, 0)}
    assert rotate(*resealing.STORES) == {}
    only_new_keys(settings)
    rotate(IDENTIFIERS)
    assert browser.session["_auth_user_id"] == str(subjects.account_of(alice, at=AT).pk)
    factor = Authenticator.objects.get(type=Authenticator.Type.TOTP)
    assert crypto.unseal(bytes.fromhex(factor.data["secret"]), context=b"second-factor") == b"JBSWY3DPEHPK3PXP"
    codes = Authenticator.objects.get(type=Authenticator.Type.RECOVERY_CODES).data
    assert codes["used_mask"] == 3
    assert crypto.unseal(bytes.fromhex(codes["migrated_codes"][0]), context=b"second-factor") == b"12345678"


def test_an_index_key_stays_while_what_was_sent_is_known_by_it(
    alice: Subject, tmp_path: Path, new_keys: Callable[[], None], settings: Any
) -> None:
    sent(row(key="k1"))
    imported(written(tmp_path, [f"account,m_alice,marketing,deny,{UTC_NOON}"]))
    (old,) = settings.INDEX_KEYS.keys
    new_keys()
    rotate()
    state = next(one for one in key_rotation.states() if (one.ring, one.key) == (INDEX, old))
    assert state.protects == {key_rotation.SENT_KEYS: 1, key_rotation.SENT_BODIES: 1}
    assert not state.may_go
    # both are known again under the new key
    assert sent(row(key="k1")).repeated == 1
    sent(row(purpose="ai-training/affiliates", key="k2"))
    state = next(one for one in key_rotation.states() if (one.ring, one.key) == (INDEX, "new"))
    assert state.protects[key_rotation.SENT_KEYS] == 1


def test_a_session_that_no_key_opens_is_signed_out(db: None, new_keys: Callable[[], None]) -> None:
    Session.objects.create(session_key="x", session_data="nonsense", expire_date=AT)
    new_keys()
    rotate(*resealing.STORES)
    assert not Session.objects.exists()


def test_a_second_factor_that_no_key_opens_is_counted_and_left(petra: User, new_keys: Callable[[], None]) -> None:
    TOTP.activate(petra, "JBSWY3DPEHPK3PXP")
    factor = Authenticator.objects.get()
    factor.data = {"secret": crypto.seal(b"x", context=b"elsewhere").hex()}
    factor.save()
    new_keys()
    assert rotate(*resealing.STORES) == {"second factors": (0, 1)}


def test_fingerprints_of_erased_people_keep_their_key_and_still_block(
    alice: Subject, new_keys: Callable[[], None]
) -> None:
    old = crypto.current_index_key()
    subjects.forget(subject=alice, by=BY, at=AT)
    new_keys()
    rotate()
    assert set(Suppressed.objects.values_list("index_key", flat=True)) == {old}
    states = {(one.ring, one.key): one for one in key_rotation.states()}
    assert states[INDEX, old].protects == {key_rotation.ERASED: 2}
    assert not states[INDEX, old].may_go
    with pytest.raises(Conflict) as refusal:
        person("alice")
    assert refusal.value.code == "suppressed"


def test_who_is_erased_amid_a_rotation_is_suppressed_under_the_new_key(
    alice: Subject, new_keys: Callable[[], None], settings: Any
) -> None:
    new_keys()
    subjects.forget(subject=alice, by=BY, at=AT)
    only_new_keys(settings)
    with pytest.raises(Conflict) as refusal:
        person("alice")
    assert refusal.value.code == "suppressed"


def test_somebody_whose_key_is_lost_can_be_erased_and_stays_suppressed(alice: Subject, settings: Any) -> None:
    kept = settings.FIELD_KEYS
    settings.FIELD_KEYS = Ring({"other": os.urandom(32)})
    subjects.forget(subject=alice, by=BY, at=AT)
    settings.FIELD_KEYS = kept
    assert subjects.was_erased(subjects.name("email", "alice@example.org"))


def test_what_no_key_opens_is_counted_and_the_rest_is_brought(
    world: None, new_keys: Callable[[], None], settings: Any
) -> None:
    lost, kept = person("lost"), person("kept")
    key = crypto.seal(b"k" * 32, context=b"another person's")
    Subject.objects.filter(pk=lost.pk).update(wrapped_key=key)
    new_keys()
    # the lost one's address cannot be opened either; the account is readable
    assert rotate() == {"people's keys": (1, 1), "identifiers": (3, 1)}
    only_new_keys(settings)
    assert subjects.contact(kept) == "kept@example.org"


def test_a_name_that_two_people_have_is_left_and_the_others_are_brought(
    world: None, new_keys: Callable[[], None], settings: Any
) -> None:
    """Two processes whose rings disagree can both register one name; the rotation finds it and goes on."""
    person("alice")
    old = settings.INDEX_KEYS
    settings.INDEX_KEYS = Ring({"new": bytes(32)})
    person("alice")
    settings.INDEX_KEYS = old
    person("bert")
    settings.INDEX_KEYS = Ring({"new": bytes(32), **old.keys})
    assert rotate(IDENTIFIERS, batch=10) == {"identifiers": (2, 2)}
    assert subjects.find(subjects.name("account", "m_bert")) is not None


def test_states_say_what_each_key_protects_and_which_may_go(
    alice: Subject, new_keys: Callable[[], None], settings: Any
) -> None:
    new_keys()
    rotate(PEOPLE)
    states = {(one.ring, one.key): one for one in key_rotation.states()}
    assert states[FIELD, "new"].protects == {key_rotation.PEOPLE: 1}
    assert states[FIELD, "local1"].may_go
    assert states[INDEX, "local1"].protects == {key_rotation.IDENTIFIERS: 2}
    assert not states[INDEX, "local1"].may_go
    assert not states[FIELD, "new"].may_go


def test_a_key_that_is_gone_too_early_is_named(alice: Subject, settings: Any) -> None:
    assert key_rotation.missing_keys() == []
    settings.FIELD_KEYS = settings.INDEX_KEYS = Ring({"new": bytes(32)})
    assert key_rotation.missing_keys() == [(FIELD, "local1"), (INDEX, "local1")]
    assert {one.key for one in key_rotation.states() if one.is_missing} == {"local1"}


def test_a_rotation_is_in_the_audit_trail(alice: Subject) -> None:
    key_rotation.enter(counts={key_rotation.PEOPLE: 3, key_rotation.IDENTIFIERS: 0}, by=BY, at=AT)
    entry = AuditEntry.objects.get(action="keys.rotate")
    assert (entry.object_id, entry.details) == (resealing.current_key(FIELD), {key_rotation.PEOPLE: 3})


def test_a_turn_takes_the_same_few_statements_for_any_number(
    world: None, new_keys: Callable[[], None], django_assert_num_queries: Any
) -> None:
    for number in range(8):
        person(f"p{number}")
    new_keys()
    with django_assert_num_queries(4):
        # savepoint, rows, one update, release
        assert key_rotation.rewrap_turn(after=None, limit=100).done == 8
    with django_assert_num_queries(6):
        assert key_rotation.reindex_turn(after=None, limit=100).done == 16


@pytest.mark.django_db(transaction=True)
class TestWhileTheSiteServes:
    """With connections of their own."""

    def test_rows_that_somebody_holds_are_skipped_and_come_next_time(
        self, world: None, new_keys: Callable[[], None]
    ) -> None:
        held, free = person("held"), person("free")
        new_keys()
        with holding(held):
            assert beside(lambda: rotate(PEOPLE)) == {"people's keys": (1, 0)}
        assert rotate(PEOPLE) == {"people's keys": (1, 0)}
        assert subjects.contact(free) == "free@example.org"

    def test_an_erasure_amid_a_turn_leaves_no_key(self, world: None, new_keys: Callable[[], None]) -> None:
        """The turn has read the key and locked the row; the erasure comes, waits, and has the last word."""
        alice = person("alice")
        new_keys()
        erasing = threading.Thread(target=in_a_thread(lambda: subjects.forget(subject=alice, by=BY, at=AT)))
        with transaction.atomic():
            assert key_rotation.rewrap_turn(after=None, limit=10).done == 1
            erasing.start()
            erasing.join(timeout=0.3)
            assert erasing.is_alive()
        erasing.join()
        alice.refresh_from_db()
        assert alice.wrapped_key is None

    def test_an_erasure_that_came_first_is_not_undone(self, world: None, new_keys: Callable[[], None]) -> None:
        alice = person("alice")
        new_keys()
        with transaction.atomic():
            subjects.forget(subject=alice, by=BY, at=AT)
            # the rows are seen as they were, and held
            assert beside(rotate) == {"people's keys": (0, 0), "identifiers": (0, 0)}
        alice.refresh_from_db()
        assert alice.wrapped_key is None

    def test_two_rotations_at_once_and_the_sites_work_do_each_other_no_harm(
        self, world: None, new_keys: Callable[[], None], settings: Any
    ) -> None:
        people = [person(f"p{number}") for number in range(30)]
        new_keys()
        failures: list[BaseException] = []

        def work() -> None:
            for number in range(10):
                assert subjects.find(subjects.name("account", f"m_p{number}")) is not None
                origin = ledger.Origin(source=Source.SELF_SERVICE, by=BY, evidence="said so")
                ledger.record(
                    subject=people[number],
                    scope=ledger.Scope("ai-training"),
                    action=Action.DENY,
                    origin=origin,
                    at=AT,
                )
                person(f"new{number}")
                subjects.account_of(people[number], at=AT)
                with pytest.raises(Conflict):
                    person(f"p{number}")
                subjects.forget(subject=people[20 + number], by=BY, at=AT)

        def keep_rotating() -> None:
            while any(store.waiting() for store in (PEOPLE, IDENTIFIERS)):
                rotate(PEOPLE, IDENTIFIERS, batch=3)

        threads = [threading.Thread(target=in_a_thread(act, failures)) for act in (keep_rotating, keep_rotating, work)]
        for one in threads:
            one.start()
        for one in threads:
            one.join(timeout=60)
        assert failures == []
        rotate(PEOPLE, IDENTIFIERS)
        only_new_keys(settings)
        assert [subjects.contact(one) for one in people[:20]] == [f"p{number}@example.org" for number in range(20)]
        assert Subject.objects.filter(erased_at__isnull=False, wrapped_key__isnull=True).count() == 10
        assert all(subjects.was_erased(subjects.name("account", f"m_p{number}")) for number in range(20, 30))
        assert Subject.objects.count() == 40


def in_a_thread(act: Callable[[], Any], failures: list[BaseException] | None = None) -> Callable[[], None]:
    """`act` on a connection of its own, closed afterwards; what it raises is kept."""

    def run() -> None:
        try:
            act()
        except BaseException as error:
            if failures is None:
                raise
            failures.append(error)
        finally:
            connection.close()

    return run


def beside(act: Callable[[], Any]) -> Any:
    """What `act` answers on another connection."""
    answers: list[Any] = []
    failures: list[BaseException] = []
    thread = threading.Thread(target=in_a_thread(lambda: answers.append(act()), failures))
    thread.start()
    thread.join(timeout=30)
    assert failures == []
    return answers[0]


class holding:  # noqa: N801 -- reads as a phrase
    """Somebody's open transaction that has locked this person's row."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    def __enter__(self) -> None:
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        Subject.objects.select_for_update(no_key=True).get(pk=self.subject.pk)

    def __exit__(self, *failure: Any) -> None:
        self.transaction.__exit__(*failure)


def test_a_turn_at_the_end_says_so(alice: Subject, new_keys: Callable[[], None]) -> None:
    new_keys()
    assert key_rotation.rewrap_turn(after=None, limit=1).next == alice.pk
    assert key_rotation.rewrap_turn(after=alice.pk, limit=1) == Turn(done=0, failed=0, next=None)


@pytest.mark.django_db(transaction=True)
def test_a_new_signing_key_signs_the_log_as_it_stands_once(world: None, settings: Any) -> None:
    assert key_rotation.resign(at=AT) is False
    person("alice")
    sequenced()
    checkpoints.seal(at=AT)
    assert key_rotation.resign(at=AT) is False
    old = settings.SIGNING_KEYS
    settings.SIGNING_KEYS = signing.SigningRing(seeds={"s2": os.urandom(32), **old.seeds}, retired=old.retired)
    assert key_rotation.resign(at=AT) is True
    assert key_rotation.resign(at=AT) is False
    assert list(Checkpoint.objects.order_by("id").values_list("key_id", flat=True)) == ["local1", "s2"]
    assert log_verification.verify().findings == []


def test_what_the_old_signing_key_signed_verifies_until_it_is_gone(settings: Any) -> None:
    old = settings.SIGNING_KEYS
    token = signing.seal_jws({"said": "no"}, typ="receipt")
    fresh = {"s2": os.urandom(32)}
    settings.SIGNING_KEYS = signing.SigningRing(seeds=fresh | old.seeds, retired={})
    assert signing.open_jws(token, typ="receipt") == ({"said": "no"}, "local1")
    assert signing.open_jws(signing.seal_jws({}, typ="receipt"), typ="receipt")[1] == "s2"
    half = signing.raw_public_key("local1")
    settings.SIGNING_KEYS = signing.SigningRing(seeds=fresh, retired={"local1": half})
    assert signing.open_jws(token, typ="receipt") == ({"said": "no"}, "local1")
    settings.SIGNING_KEYS = signing.SigningRing(seeds=fresh, retired={})
    with pytest.raises(signing.SignatureError):
        signing.open_jws(token, typ="receipt")
