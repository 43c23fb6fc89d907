"""What people say without an account: a code by mail, one answer for everybody, and nothing left of it."""

import json
import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connections

from consents import contact_verification, personal_keys, subjects
from consents.contact_verification import CodeRefused, Sent, TooMany, Wish
from consents.models import ContactVerification, Identifier, LedgerEvent, Subject, Suppressed
from consents.vocabulary import Action
from portal import crypto, one_time_codes
from portal.errors import DomainError
from portal.models import AuditEntry
from tests.conftest import AT, BY, lose_counts
from tests.consents.asking import ask as decide
from tests.consents.asking import say, tables_as_text, why

ADDRESS = "zoe@example.org"
WISH = Wish(
    action=Action.OBJECT, purposes=("ai-training",), jurisdiction="US", notices={"ai-training": "ai-training/1"}
)
MINUTE = timedelta(minutes=1)

pytestmark = pytest.mark.usefixtures("world", "own_cache")


def ask(contact: str = ADDRESS, wish: Wish = WISH, *, client: str = "192.0.2.1", at: Any = AT) -> Sent:
    return contact_verification.ask(contact=contact, wish=wish, client=client, at=at)


def confirm(sent: Sent, code: str | None = None, *, at: Any = AT + MINUTE) -> list[LedgerEvent]:
    return contact_verification.confirm(verification_id=sent.id, code=code or sent.code or "", at=at)


def found(contact: str = ADDRESS) -> Subject | None:
    return subjects.find(subjects.name("email", contact))


def test_the_code_registers_the_contact_and_records_the_objection() -> None:
    [event] = confirm(ask())
    zoe = found()
    assert zoe is not None
    assert (event.subject_id, event.action, event.source) == (zoe.pk, "object", "self_service")
    assert (event.purpose, event.notice, event.actor) == ("ai-training", "ai-training/1", f"subject:{zoe.pk}")
    assert (zoe.jurisdiction, zoe.is_minor) == ("US", False)
    assert Identifier.objects.get(subject=zoe).verified_at == AT + MINUTE
    assert why(decide(zoe, at=AT + MINUTE)) == (False, "own_choice")


def test_before_the_code_nothing_is_recorded() -> None:
    ask()
    assert found() is None
    assert not LedgerEvent.objects.filter(kind="choice").exists()


def test_how_it_was_verified_and_what_they_named_is_sealed_evidence() -> None:
    [event] = confirm(ask(wish=Wish(Action.OBJECT, ("ai-training",), "US", True, "https://example.org/my-poem")))
    zoe = Subject.objects.get(pk=event.subject_id)
    evidence = personal_keys.unseal(zoe, event.evidence or b"", context="evidence")
    assert evidence is not None
    assert "Contact verified by a code sent by mail at 2026-03-02T12:00:00Z" in evidence
    assert "https://example.org/my-poem" in evidence
    assert "A minor by their own account" in evidence
    assert zoe.is_minor


def test_each_purpose_gets_its_event() -> None:
    events = confirm(ask(wish=Wish(Action.OBJECT, ("ai-training", "marketing"), "US")))
    assert [event.purpose for event in events] == ["ai-training", "marketing"]


def test_a_known_address_speaks_for_its_person_and_changes_nothing_else(alice: Subject) -> None:
    [event] = confirm(ask("Alice@Example.org", Wish(Action.OBJECT, ("ai-training",), "DE", is_minor=True)))
    assert event.subject_id == alice.pk
    alice.refresh_from_db()
    assert (alice.jurisdiction, alice.is_minor) == ("US", False)
    assert Subject.objects.count() == 1


def test_the_same_way_takes_it_back() -> None:
    confirm(ask())
    confirm(ask(wish=Wish(Action.GRANT, ("ai-training",), "US"), at=AT + 2 * MINUTE), at=AT + 3 * MINUTE)
    assert why(decide(found(), at=AT + 3 * MINUTE)) == (True, "own_choice")


def test_about_the_erased_nothing_is_kept_and_the_answer_is_like_anybodys(alice: Subject) -> None:
    subjects.forget(subject=alice, by=BY, at=AT)
    suppressed = Suppressed.objects.count()
    content = Wish(Action.OBJECT, ("ai-training",), "US", content="my poem")
    [event] = confirm(ask("alice@example.org", content))
    assert (event.action, event.source, event.evidence) == ("object", "self_service", None)
    nobody = Subject.objects.get(pk=event.subject_id)
    assert (nobody.wrapped_key, nobody.erased_at, nobody.identifiers.count()) == (None, AT + MINUTE, 0)
    assert found("alice@example.org") is None
    assert Suppressed.objects.count() == suppressed
    assert why(decide(nobody, at=AT + MINUTE)) == (False, "erased")


def test_asking_does_the_same_for_whoever_it_is(alice: Subject, django_assert_num_queries: Any) -> None:
    gone = subjects.register(
        newcomer=subjects.Newcomer((subjects.name("email", "gone@example.org"),), "US"), by=BY, at=AT
    )
    subjects.forget(subject=gone, by=BY, at=AT)
    for contact in ("alice@example.org", "nobody@example.org", "gone@example.org"):
        # one look for the purpose, then savepoint, lock, count, insertion, release
        with django_assert_num_queries(6):
            sent = ask(contact)
        assert sent.contact == contact
        assert len(sent.code or "") == len("XXXX-XXXX")


def test_what_waits_names_nobody_and_no_code() -> None:
    sent = ask(wish=Wish(Action.OBJECT, ("ai-training",), "US", content="a-very-own-poem"))
    everything = tables_as_text().lower()
    for secret in (ADDRESS, "example.org", sent.code.lower(), sent.code.replace("-", "").lower(), "a-very-own-poem"):
        assert secret not in everything
        assert secret.encode().hex() not in everything
    assert ADDRESS not in repr(sent)
    assert sent.code not in repr(sent)


def test_no_address_and_no_caller_is_readable_in_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[object] = []

    class Watched:
        def add(self, *put: object, **more: object) -> bool:
            kept.append(put)
            return cache.add(*put, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(one_time_codes, "cache", Watched())
    ask()
    assert len(kept) == 3
    assert not [one for one in kept if "192.0.2.1" in str(one) or "zoe" in str(one)]


def test_once_it_is_used_nothing_waits_any_more() -> None:
    sent = ask()
    confirm(sent)
    assert not ContactVerification.objects.exists()
    with pytest.raises(CodeRefused):
        confirm(sent)
    assert LedgerEvent.objects.filter(kind="choice").count() == 1


@pytest.mark.parametrize("spelt", [str.lower, lambda code: code.replace("-", ""), lambda code: f"  {code} \t"])
def test_a_code_may_be_typed_as_people_type(spelt: Any) -> None:
    sent = ask()
    assert confirm(sent, spelt(sent.code))


@pytest.mark.parametrize("wrong", ["BBBB-BBBB", "", "x", "\x00", "é" * 8, "B" * 500])
def test_a_wrong_code_records_nothing(wrong: str) -> None:
    sent = ask()
    with pytest.raises(CodeRefused):
        contact_verification.confirm(verification_id=sent.id, code=wrong, at=AT)
    assert not LedgerEvent.objects.filter(kind="choice").exists()


def test_a_code_longer_than_the_right_one_is_wrong() -> None:
    sent = ask()
    with pytest.raises(CodeRefused):
        confirm(sent, sent.code + "BBBB")


def test_after_five_tries_the_right_code_is_no_use_either() -> None:
    sent = ask()
    for _ in range(5):
        with pytest.raises(CodeRefused):
            confirm(sent, "BBBB-BBBB")
    with pytest.raises(CodeRefused):
        confirm(sent)
    assert not ContactVerification.objects.exists()


def test_a_code_holds_for_fifteen_minutes() -> None:
    assert confirm(ask(), at=AT + timedelta(minutes=14, seconds=59))
    late = ask()
    with pytest.raises(CodeRefused):
        confirm(late, at=AT + timedelta(minutes=15))


def test_nobody_ends_what_somebody_else_asked_for() -> None:
    first, by_another = ask(wish=Wish(Action.OBJECT, ("marketing",), "US")), ask("ZOE@example.org", client="c")
    for _ in range(5):
        with pytest.raises(CodeRefused):
            confirm(by_another, "BBBB-BBBB")
    [event] = confirm(first)
    assert event.purpose == "marketing"


def test_each_asking_has_a_code_of_its_own() -> None:
    first, second = ask(), ask()
    with pytest.raises(CodeRefused):
        confirm(first, second.code)
    assert confirm(first)
    assert confirm(second)


def test_a_code_serves_also_once_the_index_key_was_turned(settings: Any) -> None:
    sent = ask()
    settings.INDEX_KEYS = crypto.Ring({"new": bytes(32), **settings.INDEX_KEYS.keys})
    assert confirm(sent)


def test_which_keys_what_waits_is_sealed_under_is_known(settings: Any) -> None:
    (old,) = settings.FIELD_KEYS.keys
    ask()
    settings.FIELD_KEYS = crypto.Ring({"new": bytes(32), **settings.FIELD_KEYS.keys})
    ask()
    ask("other@example.org")
    assert ContactVerification.by_field_key() == {old: 1, "new": 2}


@pytest.mark.parametrize("turns", [["before"], ["between"], ["before", "between"]])
def test_who_is_forgotten_waits_nowhere_whichever_key_made_the_fingerprint(
    alice: Subject, turns: list[str], settings: Any
) -> None:
    for moment in ("before", "between"):
        if moment in turns:
            settings.INDEX_KEYS = crypto.Ring({moment: moment.encode() * 8, **settings.INDEX_KEYS.keys})
        ask("alice@example.org")
    ask("other@example.org")
    subjects.forget(subject=alice, by=BY, at=AT)
    assert ContactVerification.objects.count() == 1


def test_a_new_code_keeps_what_was_said() -> None:
    first = ask(wish=Wish(Action.OBJECT, ("marketing",), "DE"))
    second = contact_verification.ask_again(verification_id=first.id, client="c", at=AT + MINUTE)
    assert (second.contact, second.code != first.code) == (ADDRESS, True)
    [event] = confirm(second, at=AT + 2 * MINUTE)
    assert event.purpose == "marketing"


def test_nothing_that_ran_out_is_sent_again() -> None:
    first = ask()
    with pytest.raises(CodeRefused):
        contact_verification.ask_again(verification_id=first.id, client="c", at=AT + timedelta(minutes=15))
    with pytest.raises(CodeRefused):
        contact_verification.ask_again(verification_id=uuid.uuid4(), client="c", at=AT)


def test_one_caller_gets_five_mails_an_hour_sent_to_one_address_and_leaves_others_theirs() -> None:
    for _ in range(5):
        assert ask().code
    for _ in range(30):
        with pytest.raises(TooMany):
            ask(client="192.0.2.1")
    assert ask(client="192.0.2.99").code
    assert ask("other@example.org", client="192.0.2.2").code


def test_one_address_gets_twenty_mails_an_hour_and_their_codes_go_on_serving() -> None:
    sent = [ask(client=f"192.0.2.{number}") for number in range(20)]
    assert all(one.code for one in sent)
    for later in (AT, AT + 20 * MINUTE):
        # answered like the others, and not sent
        assert ask(client="192.0.2.99", at=later).code is None
    assert ask("other@example.org").code
    assert ContactVerification.objects.count() == 21
    assert confirm(sent[0])
    assert confirm(sent[-1])


def test_a_new_code_that_may_not_be_sent_leaves_the_one_before() -> None:
    sent = [ask(client=f"192.0.2.{number}") for number in range(20)]
    assert contact_verification.ask_again(verification_id=sent[0].id, client="c", at=AT).code is None
    assert confirm(sent[0])


def test_what_waits_for_one_address_is_bounded_also_where_counts_were_lost(settings: Any) -> None:
    for number in range(25):
        lose_counts(settings)
        assert (ask(client=f"192.0.2.{number}").code is None) == (number >= 20)
    assert ContactVerification.objects.count() == 20
    lose_counts(settings)
    assert ask(at=AT + 15 * MINUTE).code


def test_one_caller_asks_thirty_times_an_hour_for_whomever() -> None:
    for number in range(30):
        ask(f"person{number}@example.org")
    with pytest.raises(TooMany):
        ask("one-more@example.org")
    assert ask("one-more@example.org", client="198.51.100.7")


def test_what_ran_out_is_deleted() -> None:
    ask()
    ask("later@example.org", at=AT + 10 * MINUTE)
    assert contact_verification.forget_expired(at=AT + 15 * MINUTE) == 1
    assert ContactVerification.objects.count() == 1


@pytest.mark.parametrize(
    ("contact", "wish", "code"),
    [
        ("nobody", WISH, "invalid_identifier"),
        (ADDRESS, Wish(Action.OBJECT, (), "US"), "purpose_missing"),
        (ADDRESS, Wish(Action.OBJECT, ("nothing",), "US"), "unknown_purpose"),
        (ADDRESS, Wish(Action.OBJECT, ("ai-training",), "Mars"), "unknown_jurisdiction"),
        (ADDRESS, Wish(Action.RESTRICT, ("ai-training",), "US"), "unknown_action"),
    ],
)
def test_what_cannot_be_recorded_is_refused_before_a_mail_goes_out(contact: str, wish: Wish, code: str) -> None:
    with pytest.raises(DomainError) as refused:
        ask(contact, wish)
    assert refused.value.code == code
    assert not ContactVerification.objects.exists()


def test_whoever_signs_in_later_finds_the_objection_as_their_own() -> None:
    confirm(ask())
    zoe = found()
    assert zoe is not None
    assert subjects.account_of(zoe, at=AT).subject == zoe


def test_the_audit_trail_names_no_address() -> None:
    confirm(ask())
    told = json.dumps(list(AuditEntry.objects.values_list("action", "actor", "details")))
    assert "identifier.verify" in told
    assert "zoe" not in told


def test_what_was_sealed_elsewhere_does_not_open() -> None:
    first, second = ask(), ask("other@example.org")
    rows = {row.pk: row for row in ContactVerification.objects.all()}
    rows[second.id].sealed = rows[first.id].sealed
    rows[second.id].save()
    with pytest.raises(crypto.CryptoError):
        confirm(second)


@pytest.mark.django_db(transaction=True)
def test_the_same_code_in_two_tabs_is_recorded_once() -> None:
    sent, outcomes = ask(), []
    barrier = threading.Barrier(4)

    def tab() -> None:
        try:
            barrier.wait()
            outcomes.append(len(confirm(sent)))
        except CodeRefused:
            outcomes.append(0)
        finally:
            connections.close_all()

    tabs = [threading.Thread(target=tab) for _ in range(4)]
    for one in tabs:
        one.start()
    for one in tabs:
        one.join()
    assert sorted(outcomes) == [0, 0, 0, 1]
    assert LedgerEvent.objects.filter(kind="choice").count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_who_ask_at_once_no_more_wait_than_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact_verification, "MOST_WAITING", 2)
    barrier = threading.Barrier(4)

    def tab() -> None:
        try:
            barrier.wait()
            ask()
        finally:
            connections.close_all()

    tabs = [threading.Thread(target=tab) for _ in range(4)]
    for one in tabs:
        one.start()
    for one in tabs:
        one.join()
    assert ContactVerification.objects.count() == 2


def test_a_members_own_yes_gives_way_to_an_objection_by_the_code(alice: Subject) -> None:
    say(alice, Action.GRANT)
    confirm(ask("alice@example.org"))
    assert why(decide(alice, at=AT + MINUTE)) == (False, "own_choice")
