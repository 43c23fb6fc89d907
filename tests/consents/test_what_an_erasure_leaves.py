"""After an erasure, a dump of the whole database shows nothing of the person, and nobody opens what was sealed."""

import base64
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.cache import cache
from django.db import connection
from django.test import Client

from consents import (
    checkpoints,
    leaves,
    ledger,
    log_verification,
    member_import,
    personal_keys,
    sequencer,
    subjects,
    tree,
)
from consents.models import Identifier, LedgerEvent, Partner, Subject, Suppressed
from consents.subjects import Newcomer
from consents.vocabulary import Action, Source
from portal import sessions
from portal.crypto import Ring
from portal.errors import Conflict
from portal.models import RememberedAnswer, Session, User
from requests_app import intake, workflow
from requests_app.models import Request
from tests.conftest import AT, BY, partner, person, sequenced, token_of
from tests.consents.dumping import dump, traces

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = {
    "account": "m_Tr\u00fcllian_77",
    "email": "trillian.m+x@example.org",
    "phone": "+442079461234",
    "acme_id": "ACME/ref=4711-beta",
}
SAID = "I am Tricia McMillan, and you may not."
NOTE = "Please forget my time at Magrathea."
VALUES = [*NAMES.values(), SAID, NOTE, "Tricia McMillan", "Magrathea", "trillian.m", "2079461234"]
SCOPES = "choices:write decisions:read changes:read"


@pytest.fixture
def trillian(world: None) -> Subject:
    names = tuple(subjects.name(scheme, value) for scheme, value in NAMES.items())
    return subjects.register(newcomer=Newcomer(names=names, jurisdiction="GB", locale="fr"), by=BY, at=AT)


@pytest.fixture
def lived(trillian: Subject, bob: User) -> Client:
    """She chose, gave evidence, signed in by code, asked, and a partner spoke of her; answers her browser."""
    origin = ledger.Origin(source=Source.SELF_SERVICE, by=f"subject:{trillian.pk}", evidence=SAID)
    ledger.record(subject=trillian, scope=ledger.Scope("ai-training"), action=Action.GRANT, origin=origin, at=AT)
    browser = _signs_in()
    _acme_speaks()
    asked = intake.Asked(rights=("erasure",), note=NOTE)
    (request,) = intake.receive(asked=asked, subject=trillian, by=f"subject:{trillian.pk}", at=AT)
    workflow.start(request=request, staff=bob, by=BY, at=AT)
    return browser


def _signs_in() -> Client:
    # the limits of an earlier test
    cache.clear()
    browser = Client()
    browser.post("/account/login/code/", {"email": NAMES["email"]})
    code = str(mail.outbox[-1].body).split("\n\n")[1].strip()
    assert browser.post("/account/login/code/confirm/", {"code": code}).status_code == 302
    browser.post("/choices/choose/", {"purpose": "personalisation", "action": "deny"})
    # a second one begins to sign in elsewhere and stops there
    Client().post("/account/login/code/", {"email": NAMES["email"]})
    return browser


def _acme_speaks() -> None:
    """Calls that succeed and calls that fail in every way; the careless partner even keys them by what it knows."""
    acme = Partner.objects.filter(slug="acme").first() or partner("acme", recipients=[""], schemes=[*NAMES])
    client = Client(headers={"authorization": f"Bearer {token_of(acme, SCOPES)}"}, raise_request_exception=False)
    choice: dict[str, Any] = {"purpose": "ai-training", "action": "deny", "occurred_at": "2026-03-02T12:00:00Z"}
    for scheme, value in NAMES.items():
        named = {**choice, "subject": {"scheme": scheme, "value": value}, "evidence": SAID}
        for body in (named, named, {**named, "purpose": value}, {**named, "action": value}, {**named, value: 1}):
            client.post(
                "/api/v1/choices",
                json.dumps(body),
                content_type="application/json",
                headers={"Idempotency-Key": f"for {value}".encode("ascii", "replace").decode()},
            )
        client.post("/api/v1/choices", json.dumps(named)[:-3], content_type="application/json")
        client.get("/api/v1/decisions", {"subject": f"{scheme}:{value}", "purpose": "ai-training"})


def found() -> dict[str, list[str]]:
    text = dump()
    return {value: forms for value in VALUES if (forms := traces(value, text))}


def test_a_dump_shows_nothing_of_the_person(lived: Client, trillian: Subject) -> None:
    before = found()
    # the control: the search does find what is meant to be readable, and that alone
    assert set(before) == {NAMES["account"], NAMES["acme_id"]}
    assert all("plain" in forms for forms in before.values())
    assert RememberedAnswer.objects.exists()
    subjects.forget(subject=trillian, by=BY, at=AT)
    assert found() == {}


def test_the_search_knows_every_form(db: None) -> None:
    value = "Trillian_77"
    hidden = [value, value.upper(), value[::-1], value.encode().hex(), value.encode().hex().upper()]
    hidden += [base64.b64encode(b"x" * skipped + value.encode() + b"yz").decode() for skipped in range(3)]
    hidden += [base64.b64encode(value.encode()).hex(), json.dumps(value), value.encode("utf-16-le").hex()]
    for one in hidden:
        assert traces(value, f"COPY x;\n{one}\t\\N".encode()), one
    assert traces("m\u00fcller", json.dumps("m\u00fcller").encode()) == ["as JSON"]
    assert traces("a b", b"q=a%20b") == ["as URL"]
    assert not traces(value, b"nobody is here")


def test_a_control_value_in_any_column_is_found(world: None) -> None:
    """Bytes come out of a dump as hexadecimal digits, text as itself."""
    Suppressed.objects.create(scheme="x", fingerprint=b"..Trillian..", erased_at=AT)
    assert traces("Trillian", dump()) == ["plain, hexadecimal"]


def test_sessions_end_with_the_erasure_and_so_do_sign_ins_that_wait(lived: Client, trillian: Subject) -> None:
    assert Session.objects.filter(account_id__isnull=False).count() == 2
    subjects.forget(subject=trillian, by=BY, at=AT)
    assert not Session.objects.filter(account_id__isnull=False).exists()
    assert not User.objects.filter(username__startswith="person-").exists()
    assert lived.get("/choices/").status_code == 302


def test_whoever_loaded_the_person_before_opens_nothing_afterwards(lived: Client, trillian: Subject) -> None:
    held = Subject.objects.get(pk=trillian.pk)
    identifier = Identifier.objects.select_related("subject").get(subject=held, scheme="email")
    event = LedgerEvent.objects.filter(subject_id=held.pk, evidence__isnull=False).first()
    note = Request.objects.get(subject=held).sealed_note
    assert event is not None
    assert event.evidence is not None
    assert note is not None
    assert personal_keys.unseal(held, event.evidence, context="evidence") == SAID
    in_another_thread(lambda: subjects.forget(subject=trillian, by=BY, at=AT))
    assert held.wrapped_key is not None
    assert personal_keys.unseal(held, event.evidence, context="evidence") is None
    assert personal_keys.unseal(held, note, context="request") is None
    assert subjects.contact(held) is None
    assert subjects.values([held.pk], scheme="account") == {}
    assert not Identifier.objects.filter(pk=identifier.pk).exists()
    with pytest.raises(Conflict):
        ledger.record(
            subject=held,
            scope=ledger.Scope("ai-training"),
            action=Action.GRANT,
            origin=ledger.Origin(source=Source.SELF_SERVICE, by=BY, evidence="more"),
            at=AT,
        )


def in_another_thread(act: Callable[[], None]) -> None:
    def run() -> None:
        act()
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


@pytest.fixture(params=["the same key", "a newer key first", "an older key first"])
def erased(request: Any, trillian: Subject, settings: Any) -> None:
    """Erased under one order of the ring of index keys, and asked about under another."""
    kept = settings.INDEX_KEYS.keys
    if request.param == "an older key first":
        settings.INDEX_KEYS = Ring({"new": bytes(32), **kept})
    subjects.forget(subject=trillian, by=BY, at=AT)
    settings.INDEX_KEYS = Ring(kept if request.param == "the same key" else {**kept, "new": bytes(32)})
    if request.param == "a newer key first":
        settings.INDEX_KEYS = Ring({"new": bytes(32), **kept})


@pytest.mark.parametrize("scheme", NAMES)
def test_registering_the_same_person_is_refused_by_each_name(erased: None, scheme: str) -> None:
    again = Newcomer(
        names=(subjects.name("account", "another"), subjects.name(scheme, NAMES[scheme])), jurisdiction="GB"
    )
    with pytest.raises(Conflict) as refusal:
        subjects.register(newcomer=again, by=BY, at=AT)
    assert refusal.value.code == "suppressed"


def test_an_import_leaves_the_person_out(erased: None, tmp_path: Path) -> None:
    file = tmp_path / "members.csv"
    rows = [f"{NAMES['account']},new@example.org,GB", f"m_new,{NAMES['email'].upper()},GB", "m_other,o@example.org,GB"]
    file.write_text("\n".join(["author_id,email,jurisdiction", *rows]))
    assert member_import.load(path=file, by=BY, at=AT) == member_import.Imported(registered=1, known=2)


def test_a_partner_cannot_bring_the_person_back(erased: None) -> None:
    before = LedgerEvent.objects.count()
    _acme_speaks()
    assert LedgerEvent.objects.count() == before
    assert not Identifier.objects.exists()
    acme = Client(headers={"authorization": f"Bearer {token_of(Partner.objects.get(), SCOPES)}"})
    asked = {"subject": f"account:{NAMES['account']}", "purpose": "ai-training", "jurisdiction": "US"}
    assert acme.get("/api/v1/decisions", asked).json()["allow"] is False


def test_nobody_signs_in_as_the_person_again(erased: None) -> None:
    Client().post("/account/login/code/", {"email": NAMES["email"]})
    assert not Session.objects.filter(account_id__isnull=False).exists()
    assert not User.objects.exists()


def test_sessions_that_ran_out_are_deleted(alice: Subject) -> None:
    person("bert")
    session = sessions.SessionStore()
    session["email"] = "alice@example.org"
    session.save()
    Session.objects.update(expire_date=AT)
    assert sessions.forget_ended(at=AT) == 0
    assert sessions.forget_ended(at=AT.replace(hour=13)) == 1


def test_the_log_and_its_proofs_still_verify(lived: Client, trillian: Subject) -> None:
    sequenced()
    checkpoints.seal(at=AT)
    event = LedgerEvent.objects.filter(subject_id=trillian.pk, evidence__isnull=False).order_by("pk")[0]
    before = (leaves.content(event), proof(event))
    subjects.forget(subject=trillian, by=BY, at=AT)
    event.refresh_from_db()
    assert (leaves.content(event), proof(event)) == before
    assert log_verification.verify().findings == []
    # and as the log goes on
    person("bert")
    sequenced()
    checkpoints.seal(at=AT)
    assert proof(event) is not None
    assert log_verification.verify().findings == []


def proof(event: LedgerEvent) -> checkpoints.Inclusion:
    """The event's proof, which verifies."""
    position = sequencer.position_of(event.pk)
    assert position is not None
    found = checkpoints.proof_of(position=position)
    assert found is not None
    leaf = tree.leaf_hash(leaves.entry(kind=event.kind, salt=event.salt, content=leaves.content(event)))
    root = checkpoints.root_at(found.size)
    assert tree.includes(leaf=leaf, index=found.index, size=found.size, proof=found.hashes, root=root)
    return found
