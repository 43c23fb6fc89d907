"""A receipt is believed only as it was issued: each single change is found, and said where."""

import base64
import json
import random
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consents import subjects
from consents.models import LedgerEvent, Subject
from consents.receipts import issuing, reading, verifying
from consents.vocabulary import Action
from portal import signing
from portal.errors import DomainError
from tests.conftest import AT, BY
from tests.consents.asking import say
from tests.consents.receipts.issued import document, issue, seal, sealed
from tests.consents.sealing import behind_the_triggers, ring

pytestmark = pytest.mark.django_db(transaction=True)

FORMATS = list(issuing.Format.values)
TYP = {"jsonld": issuing.JSONLD, "kantara": issuing.KANTARA, "pdf": issuing.PDF, "jws": issuing.JSONLD}


def outcomes(data: bytes) -> dict[str, str]:
    return {one.name: one.outcome for one in verifying.verify(data).checks}


def believed(data: bytes) -> bool:
    try:
        return verifying.verify(data).valid
    except DomainError:
        return False


@pytest.mark.parametrize("wanted", FORMATS)
def test_each_format_verifies_with_its_proof(alice: Subject, wanted: str) -> None:
    event = sealed(alice)
    verdict = verifying.verify(issue(event, wanted))
    assert verdict.valid
    assert verdict.proven
    assert verdict.event["id"] == str(event.pk)
    assert {one.outcome for one in verdict.checks if one.name != "text"} == {"passed"}


@pytest.mark.parametrize("wanted", FORMATS)
def test_a_receipt_without_proof_holds_by_its_signature_and_says_so(alice: Subject, wanted: str) -> None:
    verdict = verifying.verify(issue(say(alice, Action.DENY), wanted))
    assert verdict.valid
    assert not verdict.proven
    assert [one.outcome for one in verdict.checks if one.name in {"inclusion", "checkpoint"}] == ["pending"] * 2


@pytest.mark.parametrize("wanted", FORMATS)
def test_what_an_older_key_signed_keeps_verifying(alice: Subject, settings: Any, wanted: str) -> None:
    settings.SIGNING_KEYS = ring("one")
    receipt = issue(sealed(alice), wanted)
    public = base64.b64encode(signing.raw_public_key("one")).decode()
    for later in (ring("two", "one"), ring("three", "two", retired=f"one:{public}")):
        settings.SIGNING_KEYS = later
        assert verifying.verify(receipt).proven
    settings.SIGNING_KEYS = ring("two")
    assert not believed(receipt)


@pytest.mark.parametrize("wanted", FORMATS)
def test_a_receipt_outlives_the_erasure_of_its_person(alice: Subject, wanted: str) -> None:
    receipt = issue(sealed(alice), wanted)
    subjects.forget(subject=alice, by=BY, at=AT)
    assert verifying.verify(receipt).proven


def test_a_receipt_keeps_verifying_while_the_log_grows(alice: Subject) -> None:
    receipt = issue(sealed(alice))
    for action in (Action.GRANT, Action.WITHDRAW, Action.OBJECT):
        sealed(alice, action)
    assert verifying.verify(receipt).proven


def every_change(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[tuple[Any, ...], Any]]:
    """(where, another value) for each value in a document, and one member too many."""
    if isinstance(value, dict):
        inner = [one for name, held in value.items() for one in every_change(held, (*place, name))]
        return [*inner, ((*place, "surplus"), 1)]
    if isinstance(value, list):
        inner = [one for at, held in enumerate(value) for one in every_change(held, (*place, at))]
        return [*inner, (place, [*value, "surplus"])]
    return [(place, other(value))]


def other(value: Any) -> Any:
    if isinstance(value, str):
        return value + "x"
    return (
        {True: False, False: 0, None: ""}[value]
        if not isinstance(value, int) or isinstance(value, bool)
        else float(value)
    )


def changed(found: dict[str, Any], place: tuple[Any, ...], value: Any) -> bytes:
    copy = json.loads(json.dumps(found))
    inner = copy
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    return json.dumps(copy).encode()


@pytest.mark.parametrize("wanted", ["jsonld", "kantara"])
def test_each_single_field_that_was_changed_is_named(alice: Subject, wanted: str) -> None:
    found = json.loads(issue(sealed(alice), wanted))
    token = found.pop("jws")
    changes = every_change(found)
    assert len(changes) > 50
    for place, value in changes:
        check = verifying._text(reading.read(changed(found | {"jws": token}, place, value)), found)
        assert check.outcome == "failed", place
        assert check.places[0].startswith("/" + str(place[0])), place


@pytest.mark.parametrize("wanted", FORMATS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_no_changed_byte_is_believed(alice: Subject, wanted: str, seed: int) -> None:
    receipt = _once(alice, wanted)
    dice = random.Random(seed)
    at = dice.randrange(len(receipt))
    harmed = receipt[:at] + bytes([receipt[at] ^ dice.randint(1, 255)]) + receipt[at + 1 :]
    if _same(harmed, receipt):
        return
    assert not believed(harmed)


_ISSUED: dict[tuple[Any, str], bytes] = {}


def _once(subject: Subject, wanted: str) -> bytes:
    key = (subject.pk, wanted)
    if key not in _ISSUED:
        _ISSUED[key] = issue(sealed(subject), wanted)
    return _ISSUED[key]


def _same(one: bytes, other: bytes) -> bool:
    """White space between the values of a JSON file, or around a token, says nothing."""
    if one.startswith(b"%PDF") or other.startswith(b"%PDF"):
        return False
    try:
        return json.dumps(json.loads(one)) == json.dumps(json.loads(other))
    except ValueError:
        return one.strip() == other.strip()


@pytest.mark.parametrize("cut", [0, 5, 200, 1500])
@pytest.mark.parametrize("wanted", FORMATS)
def test_what_was_cut_is_refused(alice: Subject, wanted: str, cut: int) -> None:
    receipt = issue(sealed(alice), wanted)
    assert not believed(receipt[: len(receipt) - 3 - cut])


def test_two_values_of_one_name_are_refused(alice: Subject) -> None:
    receipt = issue(sealed(alice))
    twice = receipt.replace(b'"dct:language": "en"', b'"dct:language": "de", "dct:language": "en"', 1)
    assert twice != receipt
    with pytest.raises(reading.Unreadable):
        verifying.verify(twice)


@pytest.mark.parametrize("wanted", FORMATS)
def test_a_key_that_is_not_ours_is_refused_and_nothing_else_is_looked_at(
    alice: Subject, settings: Any, wanted: str
) -> None:
    event, ours = sealed(alice), settings.SIGNING_KEYS
    settings.SIGNING_KEYS = ring("stranger")
    receipt = issue(event, wanted)
    settings.SIGNING_KEYS = ours
    assert outcomes(receipt) == {name: "failed" if name == "signature" else "skipped" for name in verifying.NAMES}
    assert verifying.verify(receipt).event == {}


def test_a_key_that_is_not_ours_but_called_so_is_refused(alice: Subject, settings: Any) -> None:
    settings.SIGNING_KEYS = ring("one")
    event = sealed(alice)
    settings.SIGNING_KEYS = signing.parse_ring("one:" + base64.b64encode(b"x" * 32).decode())
    receipt = issue(event)
    settings.SIGNING_KEYS = ring("one")
    assert outcomes(receipt)["signature"] == "failed"


@pytest.mark.parametrize("typ", ["heed-permit", "heed-receipt", "JWT"])
def test_what_we_signed_as_something_else_is_no_receipt(alice: Subject, typ: Any) -> None:
    token = signing.seal_jws(document(sealed(alice)), typ=typ)
    with pytest.raises(reading.Unreadable) as refusal:
        verifying.verify(token.encode())
    assert refusal.value.code == "wrong_kind"


def test_one_format_does_not_pass_as_another(alice: Subject) -> None:
    found = document(sealed(alice))
    token = signing.seal_jws(found, typ=issuing.KANTARA)
    assert outcomes(token.encode())["content"] == "failed"


def lying(event: LedgerEvent, wanted: str, change: Any) -> dict[str, str]:
    """What the checks say of a receipt that we ourselves signed although it is not true."""
    found = document(event, wanted)
    change(found)
    return outcomes(signing.seal_jws(found, typ=TYP[wanted]).encode())


LIES = {
    "jsonld": [
        lambda it: it.update({"dpv:hasIdentifier": "0"}),
        lambda it: it.update({"dct:identifier": "R-0"}),
        lambda it: it["dpv:hasDataSubject"].update({"dpv:hasIdentifier": "0"}),
        lambda it: it.update({"dct:created": "2020-01-01T00:00:00.000000Z"}),
        lambda it: it["dpv:hasNotice"].append({"dpv:hasIdentifier": "ai-training/9"}),
        lambda it: it["dpv:hasProcess"][0]["dpv:hasPurpose"][0].update({"dpv:hasIdentifier": "marketing"}),
        lambda it: it["dpv:hasProcess"][0].update({"dpv:hasRecipient": ["heed:recipient/northlight"]}),
        lambda it: it["dpv:hasProcess"][0].update({"dpv:hasPersonalData": []}),
        lambda it: it["dpv:hasProcess"][0]["dpv:hasConsentStatus"][0].update({"@type": ["dpv:ConsentGiven"]}),
        lambda it: it["dpv:hasProcess"][0]["dpv:hasConsentStatus"][0].update({"dpv:isIndicatedAtTime": "2020"}),
        lambda it: it["event"].update({"action": "grant"}),
        lambda it: it.pop("event"),
        lambda it: it.update({"dpv:hasProcess": []}),
    ],
    "kantara": [
        lambda it: it.update({"consentReceiptID": "0"}),
        lambda it: it.update({"piiPrincipalId": "0"}),
        lambda it: it.update({"consentTimestamp": 1}),
        lambda it: it["services"][0]["purposes"][0].update({"consentType": "EXPLICIT"}),
        lambda it: it["event"].update({"recipient": "northlight"}),
        lambda it: it.update({"services": []}),
    ],
}


@pytest.mark.parametrize("wanted", LIES)
def test_the_content_must_be_what_the_logs_leaf_commits_to(alice: Subject, wanted: str) -> None:
    event = say(alice, Action.DENY, recipient="linkwell", category="posts")
    assert lying(event, wanted, lambda it: None)["content"] == "passed"
    found = [lying(event, wanted, lie)["content"] for lie in LIES[wanted]]
    assert found == ["failed"] * len(LIES[wanted])


def test_what_we_signed_without_the_logs_part_is_refused(alice: Subject) -> None:
    for harm in (lambda it: it.pop("log"), lambda it: it.update(log={}), lambda it: it["log"].update(content="[]")):
        said = lying(say(alice, Action.DENY), "jsonld", harm)
        assert said == {name: "failed" if name == "signature" else "skipped" for name in verifying.NAMES}


def test_a_leaf_that_is_not_in_the_tree_is_found(alice: Subject) -> None:
    event = sealed(alice)

    def other_leaf(found: dict[str, Any]) -> None:
        found["event"]["action"] = "grant"
        found["log"]["content"] = json.dumps(list(found["event"].values()), ensure_ascii=False)
        found["dpv:hasProcess"][0]["dpv:hasConsentStatus"][0]["@type"] = ["dpv:OptingInToProcess"]

    said = lying(event, "jsonld", other_leaf)
    assert (said["content"], said["inclusion"], said["checkpoint"], said["ledger"]) == (
        *("passed", "failed", "passed", "failed"),
    )


PROOFS: list[tuple[Any, str]] = [
    (lambda log: log.update(salt="00000000-0000-0000-0000-000000000000"), "inclusion"),
    (lambda log: log.update(salt="none"), "inclusion"),
    (lambda log: log.update(position=log["position"] + 1), "inclusion"),
    (lambda log: log["inclusion"].update(index=0), "inclusion"),
    (lambda log: log["inclusion"].update(size=log["inclusion"]["size"] + 1), "inclusion"),
    (lambda log: log["inclusion"]["hashes"].pop(), "inclusion"),
    (lambda log: log["inclusion"]["hashes"].append("AAAA"), "inclusion"),
    (lambda log: log["inclusion"]["hashes"].append("?"), "inclusion"),
    (lambda log: log["inclusion"].update(checkpoint="heed.local/log\n1\nAAAA\n\n— x y\n"), "checkpoint"),
    (
        lambda log: log["inclusion"].update(checkpoint=log["inclusion"]["checkpoint"].replace("log\n", "log\n1", 1)),
        "checkpoint",
    ),
]


def test_a_proof_that_does_not_lead_to_the_checkpoint_is_found(alice: Subject) -> None:
    sealed(alice, Action.GRANT)
    event = sealed(alice)
    assert lying(event, "jsonld", lambda it: None)["inclusion"] == "passed"
    found = [lying(event, "jsonld", lambda it, harm=harm: harm(it["log"]))[name] for harm, name in PROOFS]
    assert found == ["failed"] * len(PROOFS)


def test_an_event_that_was_edited_behind_the_triggers_is_found(alice: Subject) -> None:
    event = sealed(alice)
    receipt = issue(event)
    behind_the_triggers("UPDATE consents_ledgerevent SET action = 'grant' WHERE id = %s", [event.pk])
    assert [name for name, outcome in outcomes(receipt).items() if outcome == "failed"] == ["ledger"]
    behind_the_triggers("DELETE FROM consents_ledgerevent WHERE id = %s", [event.pk])
    assert outcomes(receipt)["ledger"] == "failed"


def test_a_log_that_begins_otherwise_today_is_found(alice: Subject) -> None:
    sealed(alice, Action.GRANT)
    receipt = issue(sealed(alice))
    behind_the_triggers("UPDATE consents_tile SET hashes = set_byte(hashes, 0, get_byte(hashes, 0) # 1)")
    assert [name for name, outcome in outcomes(receipt).items() if outcome == "failed"] == ["ledger"]


@pytest.mark.parametrize("wanted", FORMATS)
def test_checking_takes_few_queries(alice: Subject, wanted: str) -> None:
    receipt = issue(sealed(alice), wanted)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        verifying.verify(receipt)
    assert len(asked) <= 4


@pytest.mark.parametrize("wanted", FORMATS)
def test_issuing_takes_few_queries_and_bytes(alice: Subject, wanted: str) -> None:
    event = sealed(alice)
    with CaptureQueriesContext(connection) as asked:
        receipt = issue(event, wanted)
    assert len(asked) <= 14
    assert len(receipt) < 30_000


def test_sealing_gives_an_early_receipt_its_proof_at_the_next_download(alice: Subject) -> None:
    event = say(alice, Action.DENY)
    early = document(event)
    seal()
    later = document(event)
    assert (early["log"]["position"], early["log"]["inclusion"]) == (None, None)
    assert later["log"]["inclusion"]["index"] == later["log"]["position"] - 1
    assert early["event"] == later["event"]


def test_a_broken_log_keeps_nobody_from_their_receipt(alice: Subject) -> None:
    sealed(alice, Action.GRANT)
    event = sealed(alice)
    behind_the_triggers("DELETE FROM consents_tile")
    assert outcomes(issue(event))["inclusion"] == "pending"
