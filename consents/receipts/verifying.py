"""Checks a receipt that somebody brings, one thing after the other, and says of each how it came out.

The first four need nothing but the published keys, so anybody can do them (docs/verify_receipt.py does). The
last asks the ledger and the log of today. Nothing about the person is needed, so a receipt outlives an erasure.
"""

import hashlib
import uuid
from dataclasses import dataclass, field
from typing import Any

from consents import leaves
from consents.models import LedgerEvent
from consents.receipts import issuing, jsonld, kantara, proofs, reading, statement, terms
from consents.receipts.reading import Brought
from consents.signed_notes import Head, NoteError
from portal import references, signing

PASSED, FAILED, PENDING, SKIPPED = "passed", "failed", "pending", "skipped"
SIGNATURE, TEXT, CONTENT, INCLUSION, CHECKPOINT, LEDGER = (
    *("signature", "text", "content", "inclusion", "checkpoint", "ledger"),
)
NAMES = (SIGNATURE, TEXT, CONTENT, INCLUSION, CHECKPOINT, LEDGER)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `outcome` is passed, failed, pending (the proof is to come) or skipped.

    `detail` says it in English; `places` names what differs, or which key or checkpoint it was.
    """

    name: str
    outcome: str
    detail: str
    places: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """All checks in order, and what the receipt says if its signature holds."""

    typ: str
    checks: tuple[Check, ...]
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def valid(self) -> bool:
        """Nothing failed; what is pending is not held against it."""
        return all(check.outcome != FAILED for check in self.checks)

    @property
    def proven(self) -> bool:
        """Valid, and the log's proof is in it."""
        return self.valid and all(one.outcome == PASSED for one in self.checks if one.name in {INCLUSION, CHECKPOINT})

    @property
    def purpose(self) -> str:
        """The purpose by the name that the receipt gives it."""
        if self.typ == issuing.KANTARA:
            return str(self.document["services"][0]["purposes"][0]["purpose"])
        return str(self.document["dpv:hasProcess"][0]["dpv:hasPurpose"][0]["skos:prefLabel"])

    @property
    def event(self) -> dict[str, Any]:
        """What the receipt says was decided; empty unless everything about it holds."""
        return dict(self.document["event"]) if self.valid else {}


def verify(data: bytes) -> Verdict:
    """Check what somebody brought. Raises Unreadable and TooLarge where there is no receipt to be found in it."""
    brought = reading.read(data)
    try:
        document, key_id = signing.open_jws(brought.token, typ=brought.typ)
    except signing.SignatureError as error:
        return Verdict(typ=brought.typ, checks=(Check(SIGNATURE, FAILED, error.message), *_skipped()))
    try:
        event = statement.named(document["log"]["content"])
    except (KeyError, TypeError, ValueError):
        malformed = Check(SIGNATURE, FAILED, "Signed by us, but it carries nothing of the log.")
        return Verdict(typ=brought.typ, checks=(malformed, *_skipped()))
    head, inclusion, checkpoint = _log(document["log"], event)
    checks = (
        Check(SIGNATURE, PASSED, f"Signed by our key {key_id}.", (key_id,)),
        _text(brought, document),
        _content(brought.typ, document, event),
        inclusion,
        checkpoint,
        _ledger(document["log"], event, head),
    )
    return Verdict(typ=brought.typ, checks=checks, document=document)


def _skipped() -> list[Check]:
    return [Check(name, SKIPPED, "Not looked at: without a signature of ours it says nothing.") for name in NAMES[1:]]


def _text(brought: Brought, document: dict[str, Any]) -> Check:
    """Whether what a reader sees is what was signed."""
    if brought.file is not None:
        blank = b"0" * len(brought.token)
        printed = hashlib.sha256(brought.file.replace(brought.token.encode(), blank)).hexdigest()
        if printed != document.get("print", {}).get("sha256"):
            return Check(TEXT, FAILED, "The printed page is not the one that was signed.", ("print",))
        return Check(TEXT, PASSED, "The printed page is the one that was signed, to the last byte.")
    if brought.shown is None:
        return Check(TEXT, SKIPPED, "Only the signed token was brought, so there is nothing beside it to compare.")
    differing = differences(document, brought.shown)
    if differing:
        return Check(
            TEXT, FAILED, f"The readable part differs from what was signed: {', '.join(differing)}.", differing
        )
    return Check(TEXT, PASSED, "The readable part is what was signed.")


def differences(signed: Any, shown: Any, place: str = "") -> tuple[str, ...]:
    """Where two JSON values differ, as paths; 1, 1.0 and true are three things."""
    if isinstance(signed, dict) and isinstance(shown, dict):
        names = [*signed, *(name for name in shown if name not in signed)]
        inner = (differences(signed.get(name, ...), shown.get(name, ...), f"{place}/{name}") for name in names)
        return tuple(path for paths in inner for path in paths)
    if isinstance(signed, list) and isinstance(shown, list) and len(signed) == len(shown):
        pairs = enumerate(zip(signed, shown, strict=True))
        inner = (differences(one, other, f"{place}/{at}") for at, (one, other) in pairs)
        return tuple(path for paths in inner for path in paths)
    same = type(signed) is type(shown) and signed == shown
    return () if same else (place or "/",)


def _content(typ: str, document: dict[str, Any], event: dict[str, Any]) -> Check:
    """Whether the receipt says, in each field that tells of the choice, what the log's leaf commits to."""
    try:
        said = _said(typ, document, event)
        differing = differences(event, document["event"], "/event")
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return Check(CONTENT, FAILED, "The receipt misses fields that every receipt has.", ("event",))
    wrong = (*differing, *(name for name, fits in said.items() if not fits))
    if wrong:
        return Check(CONTENT, FAILED, f"It does not say what the log holds: {', '.join(wrong)}.", wrong)
    return Check(CONTENT, PASSED, "It says what the log holds of this choice.")


def _said(typ: str, document: dict[str, Any], event: dict[str, Any]) -> dict[str, bool]:
    """Of each standard field that tells of the choice: whether it fits the event."""
    return _said_in_kantara(document, event) if typ == issuing.KANTARA else _said_in_jsonld(document, event)


def _said_in_kantara(document: dict[str, Any], event: dict[str, Any]) -> dict[str, bool]:
    purpose = document["services"][0]["purposes"][0]
    return {
        "/consentReceiptID": document["consentReceiptID"] == event["id"],
        "/piiPrincipalId": document["piiPrincipalId"] == event["subject"],
        "/consentTimestamp": document["consentTimestamp"] == kantara.timestamp(event["occurred_at"]),
        "/services/0/purposes/0/consentType": purpose["consentType"]
        == terms.consent_type(event["kind"], event["action"]),
    }


def _said_in_jsonld(document: dict[str, Any], event: dict[str, Any]) -> dict[str, bool]:
    process = document["dpv:hasProcess"][0]
    status = process["dpv:hasConsentStatus"][0]
    notices = [one["dpv:hasIdentifier"] for one in document["dpv:hasNotice"]]
    categories = [one["dpv:hasIdentifier"] for one in process["dpv:hasPersonalData"]]
    recipient = [jsonld.entity_key(event["recipient"])]
    inside = "/dpv:hasProcess/0/"
    return {
        "/dpv:hasIdentifier": document["dpv:hasIdentifier"] == event["id"],
        "/dct:identifier": document["dct:identifier"] == references.encode("R", uuid.UUID(event["id"])),
        "/dpv:hasDataSubject": document["dpv:hasDataSubject"]["dpv:hasIdentifier"] == event["subject"],
        "/dct:created": document["dct:created"] == event["recorded_at"],
        "/dpv:hasNotice": notices == ([event["notice"]] if event["notice"] else []),
        f"{inside}dpv:hasPurpose": process["dpv:hasPurpose"][0]["dpv:hasIdentifier"] == event["purpose"],
        f"{inside}dpv:hasRecipient": not event["recipient"] or process["dpv:hasRecipient"] == recipient,
        f"{inside}dpv:hasPersonalData": not event["category"] or categories == [event["category"]],
        f"{inside}dpv:hasConsentStatus": status["@type"][0] in terms.states(event["kind"], event["action"])
        and status["dpv:isIndicatedAtTime"] == event["occurred_at"],
    }


def _log(log: dict[str, Any], event: dict[str, Any]) -> tuple[Head | None, Check, Check]:
    """Whether the leaf is in the tree, and the tree's root under a checkpoint of ours; that checkpoint's head."""
    if log["inclusion"] is None:
        text = "The log has not sealed this choice yet; a receipt that is downloaded later has the proof."
        return None, Check(INCLUSION, PENDING, text), Check(CHECKPOINT, PENDING, text)
    try:
        head = proofs.checkpoint(log)
    except NoteError as error:
        skipped = Check(INCLUSION, SKIPPED, "Not looked at: the checkpoint it leads to does not hold.")
        return None, skipped, Check(CHECKPOINT, FAILED, error.message)
    size = str(head.size)
    signed = Check(CHECKPOINT, PASSED, f"The checkpoint over {size} entries is signed by a key of ours.", (size,))
    if not proofs.included(log, kind=event["kind"], head=head):
        return head, Check(INCLUSION, FAILED, "The proof does not lead from this choice to the checkpoint."), signed
    place = str(log["position"])
    return head, Check(INCLUSION, PASSED, f"It is in the log, at place {place} of {size}.", (place, size)), signed


def _ledger(log: dict[str, Any], event: dict[str, Any], head: Head | None) -> Check:
    """Whether today's ledger has this very event, and today's log still begins with the receipt's checkpoint."""
    row = LedgerEvent.objects.filter(pk=event["id"]).first()
    if row is None:
        return Check(LEDGER, FAILED, "Our ledger has no such event.")
    if (leaves.content(row), str(row.salt)) != (log["content"], log["salt"]):
        return Check(LEDGER, FAILED, "Our ledger says something else of this event than the receipt.")
    if not proofs.still_holds(row, log, head):
        return Check(LEDGER, FAILED, "Our log of today does not continue the one that this receipt was proven by.")
    return Check(LEDGER, PASSED, "Our ledger has it unchanged.")
